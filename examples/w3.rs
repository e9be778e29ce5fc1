use neap::host::{Host, Mode, RunRequest};
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let multi = std::env::args().nth(2).is_some();
    let t = std::time::Instant::now();
    let rt = if multi {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    } else {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    };
    rt.block_on(async {
        let host = Host::builder(&dir).mode(Mode::Run).slots(2).open().await.unwrap();
        let opened = t.elapsed();
        let run = host.submit(RunRequest::new("w3", "me")).await.unwrap();
        let submitted = t.elapsed();
        host.wait(run).await;
        let waited = t.elapsed();
        host.shutdown().await;
        eprintln!(
            "open {:?} submit {:?} run {:?} total {:?}",
            opened,
            submitted - opened,
            waited - submitted,
            t.elapsed()
        );
    });
}
