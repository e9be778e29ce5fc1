//! The samples of the repository, run as a person would run them.

use super::support::{Cli, repository};
use neap::engine::{Event, Outcome, RunOutcome};
use neap::host::{Happening, Host, Mode, RunRequest, log_path};
use std::process::Command;

#[test]
fn the_repository_checks_clean() {
    let definitions = neap::host::check(&repository(""));
    let problems: Vec<String> = definitions.problems().map(ToString::to_string).collect();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(definitions.script_problems, []);
    let names: Vec<&str> = definitions.catalog.tasks().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["ci", "hello", "pipeline", "watchdog"]);
    assert!(definitions.catalog.task("watchdog").unwrap().timetables.iter().all(|table| !table.enabled));
}

/// Our own pipeline is started by CI; a job that started CI again would never end.
#[test]
fn the_pipeline_of_ci_does_not_call_itself() {
    let text = std::fs::read_to_string(repository("tasks/ci.yaml")).unwrap();
    assert!(!text.contains(".ci/run"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_shows_what_it_promises() {
    let cli = Cli::new();
    assert_eq!(cli.neap(&["init"]).code, 0);
    let host = Host::builder(cli.root()).mode(Mode::Run).open().await.unwrap();
    let mut feed = host.listen();
    let run = host.submit(RunRequest::new("pipeline", "me").param("who", "Ada")).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded));
    let (mut done, mut retries, mut owed, mut percents) = (0, 0, 0, Vec::new());
    let mut pack = None;
    while let Ok(Some(happening)) = feed.next().await {
        match &*happening {
            Happening::Progress { progress, .. } => percents.push(progress.percent),
            Happening::Event { record, .. } => match &record.event {
                Event::JobFinished { outcome: Outcome::Succeeded, problem: None, .. } => done += 1,
                Event::JobFinished { .. } => panic!("{record:?}"),
                Event::RetryScheduled { .. } => retries += 1,
                Event::CleanupOwed { job, .. } => {
                    owed += 1;
                    pack = Some(*job);
                }
                Event::RunFinished { .. } => break,
                _ => {}
            },
            Happening::Reloaded { .. } => {}
        }
    }
    assert_eq!((done, retries, owed), (5, 1, 1));
    assert!(percents.windows(2).all(|pair| pair[0] < pair[1]), "{percents:?}");
    assert!(percents.len() >= 2, "{percents:?}");
    let attempt = neap::base::AttemptId { job: pack.unwrap(), number: 1 };
    let log = cli.read(&format!(".neap/{}", log_path(attempt, "pack").display()));
    assert_eq!(log, "packed: parcel for Ada\n");
    let left = std::fs::read_dir(cli.root().join(".neap/scratch")).unwrap().count();
    assert_eq!(left, 0, "the scratch directory was not removed");
    host.shutdown().await;
}

/// The hook of the sample says in the log what failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_by_the_sample_hook() {
    let cli = Cli::new();
    cli.neap(&["init"]);
    cli.write("tasks/bad.yaml", "run: exit 3\nhooks: notify.lua\n");
    let host = Host::builder(cli.root()).mode(Mode::Run).open().await.unwrap();
    let run = host.submit(RunRequest::new("bad", "me")).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Failed { root: 0 }));
    host.shutdown().await;
    let attempt = neap::base::AttemptId { job: neap::base::JobId { run, index: 0 }, number: 1 };
    let log = cli.read(&format!(".neap/{}", log_path(attempt, "bad").display()));
    assert!(log.starts_with("neap | error: bad failed after one attempt: exit 3\n"), "{log}");
    assert!(log.contains("\"run\":\"bad#1\""), "{log}");
}

/// The example is built by cargo together with the tests.
#[test]
fn the_example_runs_to_its_end() {
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_neap")).with_file_name("examples").join("embed");
    if !built.exists() {
        // Only `cargo test --test tests` leaves examples out.
        return;
    }
    let output = Command::new(built).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        said,
        "write: succeeded\nadd: 50%\nadd: succeeded\nsay: succeeded\nreport: Some(Succeeded)\n\
         the file they made: 55\nforever: cancelled\n"
    );
}
