//! What becomes of attempts when it is the supervisor that is killed, and what it does with processes that outlive the first
//! one.

use super::batch::{Batch, Host, KINDS};
use super::census::left;
use super::tree::{parent, state};
use super::{SOON, appear};
use neap::api::{JobInfo, RunInfo, RunState};
use neap::engine::{Cause, Outcome};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

/// The process beside a job that runs.
fn shim_of(job: &JobInfo) -> u32 {
    parent(job.pid.expect("it runs")).unwrap()
}

fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

async fn is_well(batch: &Batch, host: &Host) {
    batch.task("next", "run: 'true'\n");
    let reloaded = batch.answer(&["reload"]).await;
    assert!(reloaded.status.success(), "{reloaded:?}");
    let run = host.submit("next").await;
    assert_eq!(host.over(&run).await.state, RunState::Succeeded);
}

/// Nobody has seen how they ended, and nothing of them is left.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_shim_is_killed_is_lost_and_gone() {
    let trials = KINDS.map(|kind| (kind, "alive"));
    let mut batch = Batch::new("shim", &trials, "");
    let host = batch.serve().await;
    let run = host.submit("nasty").await;
    batch.in_place().await;
    let begun = Instant::now();
    for job in &host.known(&run).await.jobs {
        kill(shim_of(job));
    }
    let over = host.over(&run).await;
    let took = begun.elapsed();
    for (kind, job) in KINDS.iter().zip(&over.jobs) {
        assert_eq!(job.outcome, Some(Outcome::Failed { cause: Cause::Lost }), "{kind}");
    }
    let left = left(&batch.prefix, SOON).await;
    assert!(left.alive.is_empty() && left.zombies.is_empty(), "left: {:?}, {:?}", left.alive, left.zombies);
    println!("12 shims killed: over after {took:.1?}");
    is_well(&batch, &host).await;
}

/// Shims need it only to be made.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_go_on_without_the_zygote() {
    let batch = Batch::empty("shim");
    for code in 0..3 {
        let wait = "while [ -e neap.yaml ] && [ ! -e enough ]; do sleep 0.02; done";
        batch.task(&format!("t{code}"), &format!("run: echo up > up-{code}; {wait}; exit {code}\n"));
    }
    let host = batch.serve().await;
    let mut runs = Vec::new();
    for code in 0..3 {
        runs.push(host.submit(&format!("t{code}")).await);
    }
    appear(batch.root(), &[0, 1, 2].map(|code| format!("up-{code}"))).await;
    kill(parent(shim_of(&host.known(&runs[0]).await.jobs[0])).unwrap());
    is_well(&batch, &host).await;
    std::fs::write(batch.root().join("enough"), "").unwrap();
    for (code, run) in runs.iter().enumerate() {
        let over = host.over(run).await;
        let expected = match code {
            0 => Outcome::Succeeded,
            code => Outcome::Failed { cause: Cause::Exit { code: code as i32 } },
        };
        assert_eq!(over.jobs[0].outcome, Some(expected));
    }
    host.signal(Signal::TERM);
    assert!(host.ended().await.success());
    assert_eq!(batch.without_helpers(SOON), Vec::<i32>::new());
}

/// A process that outlives its leader until the file `enough` is there.
const OUTLIVES: &str = "sh -c 'while [ -e neap.yaml ] && [ ! -e enough ]; do sleep 0.02; done; echo late > late' & echo $! > pid";

async fn pid_of_left_over(batch: &Batch) -> u32 {
    appear(batch.root(), &["pid".into()]).await;
    std::fs::read_to_string(batch.root().join("pid")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_leak_wait_waits_for_the_last() {
    let batch = Batch::empty("shim");
    batch.task("leaky", &format!("on_leak: wait\nrun: {OUTLIVES}\n"));
    let host = batch.serve().await;
    let run = host.submit("leaky").await;
    let pid = pid_of_left_over(&batch).await;
    // Longer than what outlives its leader is given when it is not waited for.
    let early = tokio::time::timeout(Duration::from_millis(400), host.over(&run)).await;
    assert!(early.is_err(), "it was over while {pid} went on: {early:?}");
    assert!(is_alive(pid));
    std::fs::write(batch.root().join("enough"), "").unwrap();
    assert_eq!(host.over(&run).await.state, RunState::Succeeded);
    assert!(batch.root().join("late").exists(), "it was over before the last had ended");
}

/// What was let go does not belong to the host any more, whatever becomes of other attempts and of the host.
#[tokio::test(flavor = "multi_thread")]
async fn on_leak_detach_lets_go() {
    let batch = Batch::empty("shim");
    batch.task("leaky", &format!("on_leak: detach\nrun: {OUTLIVES}\n"));
    batch.task("other", "run: echo up > up; sleep 60\n");
    let host = batch.serve().await;
    let begun = Instant::now();
    let run = host.submit("leaky").await;
    let over = host.over(&run).await;
    assert_eq!(over.state, RunState::Succeeded, "{over:?}");
    println!("detached: over after {:.1?}", begun.elapsed());
    let pid = pid_of_left_over(&batch).await;
    let log = std::fs::read_to_string(over.jobs[0].log.as_ref().unwrap()).unwrap();
    assert_eq!(log, "");
    let other = host.submit("other").await;
    appear(batch.root(), &["up".into()]).await;
    kill(shim_of(&host.known(&other).await.jobs[0]));
    assert_eq!(host.over(&other).await.jobs[0].cause(), Some(&Cause::Lost));
    is_well(&batch, &host).await;
    host.signal(Signal::TERM);
    assert!(host.ended().await.success());
    assert_eq!(batch.without_helpers(SOON), Vec::<i32>::new());
    assert!(is_alive(pid), "what was let go has ended with somebody");
    std::fs::write(batch.root().join("enough"), "").unwrap();
    appear(batch.root(), &["late".into()]).await;
}

/// No shell waits for the process behind `>(…)`: it is the last member of a pipe, not a leak.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_soon_after_its_leader_loses_nothing() {
    if std::process::Command::new("bash").args(["-c", "true"]).status().is_err() {
        return;
    }
    const LINES: usize = 20_000;
    let batch = Batch::empty("shim");
    // The `tee` begins late, so that the leader has ended before it writes the first line.
    let tee = format!("seq {LINES} > lines; exec > >(sleep 0.05; tee copy); cat lines | head -c 60000");
    batch.task("tee", &format!("shell: bash\nrun: {tee}\n"));
    let host = batch.serve().await;
    let run = host.submit("tee").await;
    let over = host.over(&run).await;
    assert_eq!(over.state, RunState::Succeeded, "{over:?}");
    let lines = std::fs::read_to_string(batch.root().join("lines")).unwrap();
    let log = std::fs::read_to_string(over.jobs[0].log.as_ref().unwrap()).unwrap();
    assert!(
        log == lines[..60_000],
        "{} bytes in the log, and at its end: {:?}",
        log.len(),
        &log[log.len().saturating_sub(99)..]
    );
}

/// How many of a hundred jobs that say nothing took a tenth of a second or more, held in this way.
fn slow(containment: &str) -> usize {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("tasks")).unwrap();
    let jobs: String = (0..100).map(|n| format!("  j{n}: {{ exec: [/bin/true] }}\n")).collect();
    std::fs::write(project.path().join("tasks/many.yaml"), format!("tasks:\n{jobs}")).unwrap();
    let mut neap = std::process::Command::new(env!("CARGO_BIN_EXE_neap"));
    neap.args(["run", "many", "-j", "2", "--json"]).current_dir(project.path());
    let run = neap.env("NEAP_CONTAINMENT", containment).output().unwrap();
    let run: RunInfo = serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!((run.state, run.jobs.len()), (RunState::Succeeded, 100));
    run.jobs.iter().filter(|job| job.took_ms.is_some_and(|took| took >= 100)).count()
}

/// A supervisor that waits for last words of somebody who has closed its mouth costs a tenth of a second, now and then.
#[test]
fn silence_is_not_waited_for() {
    let (shim, group) = (slow("shim"), slow("group"));
    assert!(shim <= group + 5, "{shim} of 100 jobs were slow, without a supervisor {group}");
}
