//! The table of docs/tasks.md: what an outcome does to the jobs that need the job, and to the run.

use super::support::Cli;
use neap::base::RunId;
use neap::engine::{Author, Event, RunOutcome};
use neap::host::{Feed, Happening, Host, Mode, RetryScope, RunRequest, outcome_word};

/// A host whose task `t` has the jobs `a`, `b` (which needs `a`) and `c` (which needs `b`).
async fn open(cli: &Cli, a: &str, b: &str) -> (Host, Feed) {
    let yaml = format!(
        "tasks:\n  a: {{ {a} }}\n  b: {{ depends_on: a, {b} }}\n  c: {{ depends_on: b, run: 'true' }}\n"
    );
    cli.write("tasks/t.yaml", &yaml);
    let host = Host::builder(cli.root()).mode(Mode::Run).open().await.unwrap();
    let feed = host.listen();
    (host, feed)
}

/// How the jobs of the run ended, in the order of their names, and how the run did.
async fn outcomes(feed: &mut Feed, run: RunId) -> ([&'static str; 3], RunOutcome) {
    let mut words = ["nothing"; 3];
    loop {
        let happening = feed.next().await.unwrap().unwrap();
        let Happening::Event { record, .. } = &*happening else { continue };
        match &record.event {
            Event::JobFinished { job, outcome, .. } if job.run == run => {
                words[job.index as usize] = outcome_word(outcome);
            }
            Event::RunFinished { run: ended, outcome } if *ended == run => return (words, outcome.clone()),
            _ => {}
        }
    }
}

async fn check(a: &str, b: &str, expected: [&str; 3], ends: RunOutcome) {
    let cli = Cli::new();
    let (host, mut feed) = open(&cli, a, b).await;
    let run = host.submit(RunRequest::new("t", "me")).await.unwrap();
    assert_eq!(outcomes(&mut feed, run).await, (expected, ends), "{a}; {b}");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_job_follows_from_its_outcome() {
    const FINE: &str = "run: 'true'";
    let failed = RunOutcome::Failed { root: 0 };
    check(FINE, FINE, ["succeeded"; 3], RunOutcome::Succeeded).await;
    check("run: 'false'", FINE, ["failed", "skipped", "skipped"], failed.clone()).await;
    let forgiven = "run: 'false', continue_on_error: true";
    check(forgiven, FINE, ["failed", "succeeded", "succeeded"], RunOutcome::Succeeded).await;
    let idle = "lua: 'return { skip = \"nothing to do\" }'";
    check(idle, FINE, ["skipped", "succeeded", "succeeded"], RunOutcome::Succeeded).await;
    let lenient = "run: 'true', continue_on_error: true";
    // What was held back by a failure stands for that failure, whatever it forgives itself.
    check("run: 'false'", lenient, ["failed", "skipped", "skipped"], failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_succeeded_is_not_done_again_and_stands_in_nobodys_way() {
    let cli = Cli::new();
    let (host, mut feed) = open(&cli, "run: 'true'", "run: test -e there").await;
    let first = host.submit(RunRequest::new("t", "me")).await.unwrap();
    let expected = (["succeeded", "failed", "skipped"], RunOutcome::Failed { root: 1 });
    assert_eq!(outcomes(&mut feed, first).await, expected);
    cli.write("there", "");
    let again = host.retry(first, RetryScope::Failed, Author("me".into()), None, false).await.unwrap();
    // It is done from the birth of the run on, so nothing happens to it.
    let expected = (["nothing", "succeeded", "succeeded"], RunOutcome::Succeeded);
    assert_eq!(outcomes(&mut feed, again).await, expected);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_cancels_everything_that_is_not_done() {
    let cli = Cli::new();
    let (host, mut feed) = open(&cli, "run: 'true'", "exec: [sleep, 600]").await;
    let run = host.submit(RunRequest::new("t", "me")).await.unwrap();
    loop {
        let happening = feed.next().await.unwrap().unwrap();
        let Happening::Event { record, .. } = &*happening else { continue };
        if matches!(&record.event, Event::AttemptStarted { attempt, .. } if attempt.job.index == 1) {
            break;
        }
    }
    host.cancel(run, Author("me".into()), None, false).await.unwrap();
    let (words, outcome) = outcomes(&mut feed, run).await;
    assert_eq!((words, outcome), (["nothing", "cancelled", "cancelled"], RunOutcome::Cancelled));
    host.shutdown().await;
}
