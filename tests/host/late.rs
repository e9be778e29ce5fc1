//! Runs that are late, in a real host: told once, and kept in the history.

use super::support::Project;
use neap::engine::{Event, Expectation, RunOutcome};
use neap::host::{Happening, Host, Mode, RunRequest};
use neap::store::{RunFilter, RunRow};
use std::time::Duration;

/// Waits until the host says that a run is late, and gives what was expected of it.
async fn next_late(feed: &mut neap::host::Feed) -> Expectation {
    let wait = async {
        loop {
            if let Happening::Event { record, .. } = &*feed.next().await.unwrap().unwrap()
                && let Event::RunLate { what, .. } = record.event
            {
                return what;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("nobody said that it is late")
}

fn late(host: &Host) -> Vec<RunRow> {
    host.history().runs(&RunFilter { is_late: true, ..RunFilter::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_late_is_told_of_and_goes_on() {
    let project = Project::new()
        .task("quick", "{ run: 'true', expect: { started_within: 1h, max_duration: 1h } }")
        .task(
            "slow",
            "{ run: 'until [ -e done ]; do sleep 0.01; done', expect: { max_duration: 50ms, finished_within: 100ms } }",
        );
    let host = project.open(Mode::Serve).await;
    let mut feed = host.listen();
    let quick = host.submit(RunRequest::new("quick", "me")).await.unwrap();
    assert_eq!(host.wait(quick).await, Some(RunOutcome::Succeeded));
    let slow = host.submit(RunRequest::new("slow", "me")).await.unwrap();
    let told = [next_late(&mut feed).await, next_late(&mut feed).await];
    assert!(told.contains(&Expectation::Duration) && told.contains(&Expectation::Finished), "{told:?}");
    std::fs::write(project.root().join("done"), "").unwrap();
    assert_eq!(host.wait(slow).await, Some(RunOutcome::Succeeded), "what is late is not stopped");
    let rows = late(&host);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.run, slow);
    let words: Vec<String> = row.late.iter().map(ToString::to_string).collect();
    assert!(words.contains(&"took more than 50ms".to_owned()), "{words:?}");
    assert!(words.contains(&"not finished within 0.1s".to_owned()), "{words:?}");
    host.shutdown().await;
}

/// A host that was down when the time was over says so when it comes up.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_late_while_no_host_was_up_is_told_by_the_next() {
    let project = Project::new()
        .task("held", "{ run: 'true', not_before: '2099-01-01 00:00', expect: { started_within: 2s } }");
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("held", "me")).await.unwrap();
    let created = host.history().run(run).unwrap().unwrap().created;
    assert_eq!(late(&host), []);
    host.shutdown().await;
    drop(host);
    let due = std::time::UNIX_EPOCH + Duration::from_millis(created.0 + 2_001);
    tokio::time::sleep(due.duration_since(std::time::SystemTime::now()).unwrap_or_default()).await;
    let host = project.open(Mode::Serve).await;
    // The state is told before the host is opened, so nothing is awaited here.
    let rows = late(&host);
    assert!(matches!(rows.as_slice(), [row] if row.run == run), "{rows:?}");
    assert_eq!(rows[0].late[0].what, Expectation::Started);
    host.shutdown().await;
}
