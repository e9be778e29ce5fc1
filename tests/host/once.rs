//! Who asks for a run that must not be there twice, leaves before the answer, and asks again.

use super::support::Project;
use neap::base::{Millis, Moment, TaskName};
use neap::engine::Author;
use neap::host::{Backfill, Fill, Host, RunRequest};
use std::fmt::Debug;
use std::time::Duration;

/// Asks, and leaves before anything else has its turn on this thread: what was asked for is on its way.
async fn leave<T: Debug>(asking: impl Future<Output = T>) {
    tokio::select! {
        biased;
        told = asking => panic!("it was answered: {told:?}"),
        () = async {} => {}
    }
}

/// A store that can never write what was decided would hold everything up for ever.
async fn soon<T>(asking: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect("the host is stuck")
}

#[tokio::test]
async fn a_key_makes_one_run_also_when_its_first_asker_has_left() {
    let project = Project::new().task("t", "{ run: 'true' }");
    let host = Host::builder(project.root()).open().await.unwrap();
    let ask = || host.submit_once(RunRequest::new("t", "me").key("order 4711"));
    leave(ask()).await;
    let told = soon(ask()).await.unwrap();
    assert!(!told.is_new, "{told:?}");
    soon(host.wait(told.run)).await.expect("there is no such run");
    host.shutdown().await;
}

#[tokio::test]
async fn a_slot_is_filled_in_once_also_when_the_first_asker_has_left() {
    let project = Project::new().task("t", "{ run: 'true', schedule: { cron: '* * * * *', timezone: UTC } }");
    let host = Host::builder(project.root()).open().await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let wish = Backfill {
        task: TaskName::new("t").unwrap(),
        from: Moment(now) - Millis::from_secs(600),
        to: Moment(now) - Millis::from_secs(300),
        by: Author("me".into()),
        reason: None,
        is_dry: false,
    };
    leave(host.backfill(wish.clone())).await;
    let filled = soon(host.backfill(wish)).await.unwrap();
    assert!(filled.len() >= 4, "{filled:?}");
    assert!(matches!(filled[0].run, Fill::There(_)), "{filled:?}");
    assert!(filled[1..].iter().all(|filled| matches!(filled.run, Fill::Created(_))), "{filled:?}");
    host.shutdown().await;
}
