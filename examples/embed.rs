//! A program that embeds neap: `cargo run --example embed`.
//!
//! It defines a DAG of three jobs in its own text, one of them a function of this program, and follows what happens. A
//! second run would go on for an hour; it is cancelled. Everything lives in a directory that is removed at the end.

use neap::base::RunId;
use neap::engine::{Author, Event, RunOutcome};
use neap::host::{Feed, Happening, Host, Mode, RunRequest, outcome_word};
use std::error::Error;

const REPORT: &str = r#"
description: Write numbers, add them up in Rust, say the sum
params: { count: 100 }
tasks:
  write: { run: 'seq 1 "$PARAM_COUNT" > numbers' }
  add:   { depends_on: write, uses: add, with: { from: numbers, to: sum } }
  say:   { depends_on: add, run: 'echo "the sum is $(cat sum)"' }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    // This program is also the supervisor of its jobs. First of all, while there is one thread.
    neap::exec::supervise_if_asked();
    tokio::runtime::Runtime::new()?.block_on(work())
}

async fn work() -> Result<(), Box<dyn Error>> {
    let project = tempfile::tempdir()?;
    let host = Host::builder(project.path())
        .supervisor("/proc/self/exe")
        .mode(Mode::Run)
        .task("report", REPORT)
        .task("forever", "exec: [sleep, 3600]")
        .function("add", |context| async move {
            let path = |key: &str| context.working_dir.join(context.with[key].as_str().unwrap_or("missing"));
            let text = tokio::fs::read_to_string(path("from")).await?;
            let numbers = text.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
            context.progress(50, format!("{} numbers read", numbers.len()));
            tokio::fs::write(path("to"), numbers.iter().sum::<u64>().to_string()).await?;
            context.log.line("added up");
            Ok(())
        })
        .open()
        .await?;

    let feed = host.listen();
    let run = host.submit(RunRequest::new("report", "embed").param("count", "10")).await?;
    follow(feed, run).await;
    println!("report: {:?}", host.wait(run).await);
    println!("the file they made: {}", std::fs::read_to_string(project.path().join("sum"))?);

    let mut feed = host.listen();
    let run = host.submit(RunRequest::new("forever", "embed")).await?;
    until(&mut feed, |event| matches!(event, Event::AttemptStarted { .. })).await;
    host.cancel(run, Author("embed".into()), Some("an hour is too long".into()), false).await?;
    assert_eq!(host.wait(run).await, Some(RunOutcome::Cancelled));
    println!("forever: cancelled");

    host.shutdown().await;
    Ok(())
}

/// Prints what happens to the jobs of a run, until it has ended.
async fn follow(mut feed: Feed, run: RunId) {
    let mut names = Vec::new();
    while let Ok(Some(happening)) = feed.next().await {
        match &*happening {
            Happening::Event { record, .. } => match &record.event {
                Event::RunCreated(new) if new.run == run => {
                    let plan = new.plan.plan();
                    names.extend(
                        plan.nodes.iter().map(|node| node.leaf.name.seen_from(&plan.task).to_owned()),
                    );
                }
                Event::JobFinished { job, outcome, .. } if job.run == run => {
                    println!("{}: {}", names[job.index as usize], outcome_word(outcome));
                }
                Event::RunFinished { run: ended, .. } if *ended == run => return,
                _ => {}
            },
            Happening::Progress { attempt, progress } if attempt.job.run == run => {
                println!("{}: {}%", names[attempt.job.index as usize], progress.percent);
            }
            Happening::Progress { .. } | Happening::Reloaded { .. } => {}
        }
    }
}

/// Waits for an event.
async fn until(feed: &mut Feed, is_it: impl Fn(&Event) -> bool) {
    while let Ok(Some(happening)) = feed.next().await {
        if matches!(&*happening, Happening::Event { record, .. } if is_it(&record.event)) {
            return;
        }
    }
}
