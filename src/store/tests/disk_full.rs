//! A full disk: nothing acknowledged is lost, nothing is there by half, and it goes on when there is space again.

use super::*;
use std::fs;
use std::process::Command;

/// Set in the child: a directory on a file system of two megabytes.
const DIRECTORY: &str = "NEAP_TEST_SMALL_DISK";

#[test]
fn a_full_disk_refuses_and_recovers() {
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        return fill(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = |then: &str| {
        let script = format!("mount -t tmpfs -o size=2m none \"${DIRECTORY}\" && {then}");
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", &script, "sh"]).arg(std::env::current_exe().unwrap());
        command.args(["store::tests::disk_full::a_full_disk_refuses_and_recovers", "--exact", "--nocapture"]);
        command.env(DIRECTORY, dir.path());
        command
    };
    if !mount("true").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: this machine lets nobody mount a small disk in a namespace of its own");
        return;
    }
    let output = mount("exec \"$@\"").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn fill(dir: &Path) {
    let ballast = dir.join("ballast");
    let (store, _) = Store::open(dir).unwrap();
    fs::write(&ballast, vec![0; 512 << 10]).unwrap();
    let mut run = 0;
    let error = loop {
        run += 1;
        match commit(&store, vec![Event::JobQueued { job: job(run, 0) }, created("a", run, run)]) {
            Ok(seq) => assert_eq!(seq, Seq(2 * run)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(commit(&store, vec![created("a", run, run)]).is_err(), "it stays full");
    let kept = store.history().journal(Seq(0), u32::MAX).unwrap();
    assert_eq!(kept.len() as u64, 2 * (run - 1), "what was acknowledged, no more and no less");

    fs::remove_file(&ballast).unwrap();
    let seq = wait(store.commit(stamp(1, vec![created("a", run, run)]), Durability::Synced)).unwrap();
    assert_eq!(seq, Seq(2 * (run - 1) + 1));
    store.close().unwrap();
    let (store, recovered) = Store::open(dir).unwrap();
    assert!(recovered.was_clean);
    assert_eq!(recovered.records.len() as u64, 2 * (run - 1) + 1);
    assert_eq!(store.history().problems().unwrap(), Vec::<String>::new());
}
