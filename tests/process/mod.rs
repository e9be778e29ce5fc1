//! No process of an attempt outlives it: twelve kinds of nasty child, with and without a leader, and each way an attempt
//! can come to its end.
//!
//! The real program has the children; they are found by their name, which they cannot lose (`nasty.c`, `census`).
//! `TRIALS=25 cargo test process:: -- --nocapture` is the long form. `CONTAINMENTS=group,shim` tries others than the ones
//! below, `HOP_MICROS=300` lets the hoppers hop faster. What a job may do in masses is in `flood`, what is kept of what it says in `logs`; attempts that outlive
//! their host are in `kept`, those that stand still in `frozen`, and what becomes of them without their shim in `supervisor`.

mod batch;
mod census;
mod flood;
mod frozen;
mod given;
mod kept;
mod limits;
mod logs;
mod supervisor;
mod tally;
mod tree;

use batch::{Batch, Host, KINDS, LEADERS, ON_HOST_DEATH};
use census::{Watch, Watched, alive, left};
use neap::api::{Cancel, RunInfo};
use neap::engine::{Cause, Outcome};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tally::{Found, Tally};

/// What is to hold the processes of an attempt.
const CONTAINMENTS: &[&str] = &["shim"];
/// How long the end of a process may take at most.
const SOON: Duration = Duration::from_secs(5);
/// The same when the host was killed, and nobody but what it left in place can act. Without optimisation, and beside all
/// other tests, it takes longer.
const AT_ONCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });

/// Far more than any wait here needs when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

fn count(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn containments() -> Vec<String> {
    match std::env::var("CONTAINMENTS") {
        Ok(names) => names.split(',').map(str::to_owned).collect(),
        Err(_) => CONTAINMENTS.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// Waits for files in one directory.
async fn appear(dir: &Path, names: &[String]) {
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut watch = neap::watch::Watch::new(dir, &words).unwrap();
    let there = async {
        while !names.iter().all(|name| dir.join(name).exists()) {
            watch.changed().await;
        }
    };
    let is_late = tokio::time::timeout(PATIENCE, there).await.is_err();
    let missing: Vec<_> = names.iter().filter(|name| !dir.join(name).exists()).collect();
    assert!(!is_late, "these never came: {missing:?}");
}

/// Every kind, with and without a leader, as the jobs of one run.
fn everything(containment: &str, more: &str) -> Batch {
    let trials: Vec<_> = KINDS.iter().flat_map(|&kind| LEADERS.map(|leader| (kind, leader))).collect();
    Batch::new(containment, &trials, more)
}

/// Adds all trials of a batch. `second` are the tokens of which the second thing is true; the time begins with
/// `cause`, unless the leader was itself the cause.
fn enter(
    tally: &mut Tally,
    batch: &Batch,
    watched: &Watched,
    second: &BTreeSet<String>,
    cause: impl Fn(usize) -> Instant,
) {
    for (index, trial) in batch.trials.iter().enumerate() {
        let cause = match trial.leader {
            "gone" => batch.placed[&trial.token],
            _ => cause(index),
        };
        // None, when no look found it: then it was gone at once.
        let gone = watched.gone.get(&trial.token).map(|gone| gone.saturating_duration_since(cause));
        let found = Found {
            is_alive: watched.alive.contains(&trial.token),
            is_zombie: watched.zombies.contains(&trial.token),
            second: second.contains(&trial.token),
            time: gone.unwrap_or_default(),
        };
        tally.add(trial, &found);
    }
}

/// Complains about jobs that did not end as they should have.
fn ends(tally: &mut Tally, batch: &Batch, run: &RunInfo, is_right: impl Fn(&str, &Outcome) -> bool) {
    for (index, trial) in batch.trials.iter().enumerate() {
        let job = run.jobs.iter().find(|job| job.name == format!("t{index}")).expect("every trial is a job");
        if !job.outcome.as_ref().is_some_and(|outcome| is_right(trial.leader, outcome)) {
            tally.complain(format!("{}, leader {}: ended as {:?}", trial.kind, trial.leader, job.outcome));
        }
    }
}

/// Stops a host that has nothing more to do; it has to take its helpers with it.
async fn dismiss(tally: &mut Tally, batch: &Batch, host: Host) {
    host.signal(Signal::TERM);
    let status = host.ended().await;
    if !status.success() {
        tally.complain(format!("the host ended with {status}"));
    }
    no_helpers(tally, batch, SOON);
}

fn no_helpers(tally: &mut Tally, batch: &Batch, limit: Duration) {
    let left = batch.without_helpers(limit);
    if !left.is_empty() {
        tally.complain(format!("helpers of a host that is gone: {left:?}"));
    }
}

/// The run is cancelled. A leader that is gone has been the end of its attempt, before or in that moment.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_cancel() {
    for containment in containments() {
        let mut tally = Tally::new(format!("cancel, {containment}"), "alive when the run was over");
        for _ in 0..count("TRIALS", 1) {
            let mut batch = everything(&containment, "");
            let host = batch.serve().await;
            let watch = Watch::start(&batch.prefix);
            let run = host.submit("nasty").await;
            batch.in_place().await;
            let begun = Instant::now();
            watch.end_within(SOON);
            let wish = Cancel::default();
            // Refused, when all that is left of the run has just ended.
            let _ = host.client.post::<RunInfo>(&format!("/api/v1/runs/{}/cancel", run.id), &wish).await;
            let run = host.over(&run).await;
            let late = alive(&batch.prefix);
            ends(&mut tally, &batch, &run, |leader, outcome| match (leader, outcome) {
                ("gone", Outcome::Succeeded) | (_, Outcome::Cancelled) => true,
                (_, Outcome::Succeeded | Outcome::Failed { .. } | Outcome::Skipped { .. }) => false,
            });
            enter(&mut tally, &batch, &watch.end().await, &late, |_| begun);
            dismiss(&mut tally, &batch, host).await;
        }
        tally.judge();
    }
}

/// Without a leader an attempt has ended well long before its time is over.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_timeout() {
    for containment in containments() {
        let mut tally = Tally::new(format!("timeout, {containment}"), "alive when the run was over");
        let mut timeout = Duration::from_secs(1);
        let mut done = 0;
        while done < count("TRIALS", 1) {
            let mut batch = everything(&containment, &format!("timeout: {}ms", timeout.as_millis()));
            let host = batch.serve().await;
            let watch = Watch::start(&batch.prefix);
            let run = host.submit("nasty").await;
            let run = batch.placed_during(host.over(&run)).await;
            watch.end_within(SOON);
            let late = alive(&batch.prefix);
            if batch.placed.len() < batch.trials.len() {
                // The machine was too slow for this one: some children were never there.
                assert!(timeout < Duration::from_secs(60), "the children never came into place");
                timeout *= 2;
                continue;
            }
            done += 1;
            ends(&mut tally, &batch, &run, |leader, outcome| match (leader, outcome) {
                ("gone", Outcome::Succeeded) | ("alive", Outcome::Failed { cause: Cause::TimedOut }) => true,
                (_, _) => false,
            });
            enter(&mut tally, &batch, &watch.end().await, &late, |index| {
                let job = run.jobs.iter().find(|job| job.name == format!("t{index}"));
                let started = job.and_then(|job| job.started).expect("it has run").0.0;
                let started = SystemTime::UNIX_EPOCH + Duration::from_millis(started);
                Instant::now() - started.elapsed().unwrap_or_default() + timeout
            });
            dismiss(&mut tally, &batch, host).await;
        }
        tally.judge();
    }
}

/// The host is told to end: it stops what runs first.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_host_that_ends() {
    for containment in containments() {
        let mut tally = Tally::new(format!("host TERM, {containment}"), "alive when the host was gone");
        for _ in 0..count("TRIALS", 1) {
            let mut batch = everything(&containment, "");
            let host = batch.serve().await;
            let watch = Watch::start(&batch.prefix);
            host.submit("nasty").await;
            batch.in_place().await;
            let begun = Instant::now();
            watch.end_within(SOON);
            host.signal(Signal::TERM);
            let status = host.ended().await;
            let late = alive(&batch.prefix);
            if !status.success() {
                tally.complain(format!("the host ended with {status}"));
            }
            no_helpers(&mut tally, &batch, SOON);
            enter(&mut tally, &batch, &watch.end().await, &late, |_| begun);
        }
        tally.judge();
    }
}

/// `neap run` without a host is the host, and what it started ends with it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_run_that_is_killed() {
    for containment in containments() {
        let mut tally = Tally::new(format!("`run` KILL, {containment}"), "alive under the next host");
        for _ in 0..count("TRIALS", 1) {
            let mut batch = everything(&containment, "");
            let watch = Watch::start(&batch.prefix);
            let host = batch.neap(&["run", "-q", "nasty"]);
            batch.in_place().await;
            killed(&mut tally, &batch, host, watch).await;
        }
        tally.judge();
    }
}

/// So it is with a host of many, when the task says so.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_host_that_is_killed() {
    for containment in containments() {
        let mut tally = Tally::new(format!("`serve` KILL, {containment}"), "alive under the next host");
        for _ in 0..count("TRIALS", 1) {
            let mut batch = everything(&containment, ON_HOST_DEATH);
            let host = batch.serve().await;
            let watch = Watch::start(&batch.prefix);
            host.submit("nasty").await;
            batch.in_place().await;
            killed(&mut tally, &batch, host, watch).await;
        }
        tally.judge();
    }
}

/// Kills a host. Nothing may be left a moment later, and so nothing for the next host.
async fn killed(tally: &mut Tally, batch: &Batch, host: Host, watch: Watch) {
    let begun = Instant::now();
    host.signal(Signal::KILL);
    watch.end_within(AT_ONCE);
    host.ended().await;
    let watched = watch.end().await;
    no_helpers(tally, batch, AT_ONCE.saturating_sub(begun.elapsed()));
    let next = batch.serve().await;
    // Where nothing was left, nothing needs to be waited for.
    let limit = if watched.alive.is_empty() { Duration::ZERO } else { SOON };
    let after = left(&batch.prefix, limit).await;
    enter(tally, batch, &watched, &after.alive, |_| begun);
    dismiss(tally, batch, next).await;
}
