//! A frozen job does nothing at all, whatever it consists of: no tick of processor time passes, its time limit stands
//! still, it can be cancelled, and it stays frozen when its host is killed.
//!
//! `FROZEN_S=30 cargo test process::frozen -- --nocapture` is the long form.

use super::batch::{Batch, Host};
use super::census::{census, left};
use super::tree::{Tree, ticks};
use super::{SOON, appear, count};
use neap::api::{Rest, RunInfo, RunState};
use neap::engine::{Cause, Event, Outcome};
use neap::store::History;
use rustix::process::Signal;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

/// A shell with two children that all burn processor time; one of these has a session of its own. They end when the
/// project is gone, or the file `enough` is there.
const BURNER: &str = "
  burn() { while [ -e neap.yaml ] && [ ! -e enough ]; do :; done; }
  burn & setsid sh -c 'while [ -e neap.yaml ] && [ ! -e enough ]; do :; done' &
  echo up > up
  burn
  wait
";
/// How exact a time limit is that stood still meanwhile. Without optimisation, and beside all other tests, everything takes
/// longer; what must never happen is that it comes too early.
const EXACT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 50 });
const LIMIT: Duration = Duration::from_millis(1_000);

fn frozen_for() -> Duration {
    Duration::from_secs(count("FROZEN_S", 2) as u64)
}

/// A project with the burner, which begins with these words and has these further keys.
fn burning(first: &str, more: &str) -> Batch {
    let batch = Batch::empty("shim");
    batch.task("burn", &format!("run: |\n  {first}\n{BURNER}{more}\n"));
    batch
}

/// Starts the burner and waits until all three burn.
async fn lit(batch: &Batch, host: &Host) -> (RunInfo, Tree) {
    let run = host.submit("burn").await;
    appear(batch.root(), &["up".into()]).await;
    let now = host.known(&run).await;
    let tree = Tree::of(now.jobs[0].pid.expect("it runs"), 3);
    (run, tree)
}

async fn pause(host: &Host, run: &RunInfo, job: &str) {
    rest(host, run, job, "pause").await;
}

async fn resume(host: &Host, run: &RunInfo, job: &str) {
    rest(host, run, job, "resume").await;
}

async fn rest(host: &Host, run: &RunInfo, job: &str, verb: &str) {
    let wish = Rest { job: Some(job.into()), ..Rest::default() };
    let _: RunInfo = host.client.post(&format!("/api/v1/runs/{}/{verb}", run.id), &wish).await.unwrap();
}

/// What the program says, and with which code.
async fn said(batch: &Batch, words: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = batch.answer(words).await;
    let text = [stdout, stderr].concat();
    (status.code().expect("it was not killed"), String::from_utf8(text).unwrap().trim_end().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_processor_time_passes_and_no_time_of_the_limit() {
    let batch = burning("", &format!("timeout: {}ms", LIMIT.as_millis()));
    let host = batch.serve().await;
    let (run, tree) = lit(&batch, &host).await;
    tree.until_busy();
    pause(&host, &run, "burn").await;
    tree.until_halted();
    let (before, begun) = (ticks(&tree.pids), Instant::now());
    tokio::time::sleep(frozen_for()).await; // the passing of time is what is measured
    let (after, still) = (ticks(&tree.pids), begun.elapsed());
    assert_eq!(after, before, "processor time passed in {still:?}");
    resume(&host, &run, "burn").await;
    let over = host.over(&run).await;
    assert_eq!(over.jobs[0].outcome, Some(Outcome::Failed { cause: Cause::TimedOut }));
    let ran = running_time(&batch.root().join(".neap"), &run);
    println!(
        "frozen for {still:.1?}: {} ticks; a limit of {LIMIT:?} of running time fired after {ran:?}",
        after - before
    );
    assert!(ran >= LIMIT && ran < LIMIT + EXACT, "{LIMIT:?} of running time were over after {ran:?}");
}

/// From the start to the end, without the time between freezing and going on.
fn running_time(state: &Path, run: &RunInfo) -> Duration {
    let events = History::open(state).unwrap().events(run.id, Default::default(), 1_000).unwrap();
    let mut ran = 0;
    for entry in &events {
        let at = i128::from(entry.record.at.0);
        match &entry.record.event {
            Event::AttemptStarted { .. } | Event::AttemptResumed { .. } => ran -= at,
            Event::AttemptPaused { .. } | Event::AttemptEnded { .. } => ran += at,
            _ => {}
        }
    }
    Duration::from_millis(ran.try_into().unwrap())
}

/// Whoever is deaf to the signal is killed after the grace, or at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_frozen_can_be_cancelled() {
    let grace = Duration::from_millis(800);
    let stop = format!("stop: {{ grace: {}ms }}", grace.as_millis());
    for (first, words, waits) in [
        ("", &["cancel"][..], false),
        ("trap '' TERM", &["cancel"], true),
        ("trap '' TERM", &["cancel", "--now"], false),
    ] {
        let batch = burning(first, &stop);
        let host = batch.serve().await;
        let (run, tree) = lit(&batch, &host).await;
        pause(&host, &run, "burn").await;
        tree.until_halted();
        let id = run.id.to_string();
        let begun = Instant::now();
        let (code, text) = said(&batch, &[words, &[&id]].concat()).await;
        assert_eq!(code, 0, "{text}");
        let over = host.over(&run).await;
        let took = begun.elapsed();
        assert_eq!((over.state, &over.jobs[0].outcome), (RunState::Cancelled, &Some(Outcome::Cancelled)));
        assert_eq!(took >= grace, waits, "{first}, {words:?}: {took:?}");
        assert!(tree.alive().is_empty(), "left: {:?}", tree.alive());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_frozen_says_why() {
    let batch = burning("", "");
    batch.task("lua", "lua: while true do neap.sleep(0.05) end\n");
    let host = batch.serve().await;
    let (run, tree) = lit(&batch, &host).await;
    let lua = host.submit("lua").await;
    until_running(&host, &lua).await;
    let [burn, nobody, script] =
        [format!("{}/burn", run.id), format!("{}/nobody", run.id), format!("{}/lua", lua.id)];
    let check = async |verb: &str, what: &str, code: i32, text: &str| {
        let said = said(&batch, &[verb, what]).await;
        assert_eq!(said, (code, text.to_owned()), "{verb} {what}");
    };
    check("resume", &burn, 1, "error: `burn` is running").await;
    check("pause", &burn, 0, "burn#1/burn: frozen; its time limit stands still").await;
    tree.until_halted();
    check("pause", &burn, 1, "error: `burn` is paused").await;
    check("resume", &burn, 0, "burn#1/burn: goes on").await;
    check("resume", &burn, 1, "error: `burn` is running").await;
    let why =
        "error: `lua` is not a process, so it cannot be frozen; pause its run to keep others from starting";
    check("pause", &script, 1, why).await;
    check("pause", &nobody, 1, &format!("error: run {} has no job `nobody`; its jobs: burn", run.id)).await;
    check(
        "pause",
        "nothing/burn",
        1,
        "error: no run matches `nothing/burn`\nhelp: see what there is with `neap history`",
    )
    .await;
}

async fn until_running(host: &Host, run: &RunInfo) {
    let mut events = host.client.events("").await.unwrap();
    let running = async {
        loop {
            let now: RunInfo = host.client.get(&format!("/api/v1/runs/{}", run.id)).await.unwrap();
            if now.jobs[0].phase == "running" {
                return;
            }
            events.next().await.expect("the host went away");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), running).await.expect("it never ran");
}

/// Two hosts are killed: one while the job is frozen, one after it was told to go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_frozen_stays_so_when_the_host_dies() {
    let batch = burning("", "");
    let mut host = batch.serve().await;
    let (run, tree) = lit(&batch, &host).await;
    pause(&host, &run, "burn").await;
    tree.until_halted();
    let before = ticks(&tree.pids);
    for _ in 0..2 {
        host.signal(Signal::KILL);
        host.ended().await;
        host = batch.serve().await;
    }
    tokio::time::sleep(frozen_for() / 2).await; // the passing of time is what is measured
    assert_eq!(ticks(&tree.pids), before, "processor time passed");
    let now: RunInfo = host.client.get(&format!("/api/v1/runs/{}", run.id)).await.unwrap();
    assert_eq!(now.jobs[0].phase, "paused");
    resume(&host, &run, "burn").await;
    host.signal(Signal::KILL);
    host.ended().await;
    let host = batch.serve().await;
    std::fs::write(batch.root().join("enough"), "").unwrap();
    let over = host.over(&run).await;
    assert_eq!(over.state, RunState::Succeeded, "{over:?}");
    assert_eq!(over.jobs[0].attempts.len(), 1);
}

/// Rows of short lives: whoever freezes one of them has another a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forker_stands_still() {
    let kinds = ["hopper", "hopper-daemon", "hopper-bare"];
    let trials = kinds.map(|kind| (kind, "alive"));
    let mut batch = Batch::new("shim", &trials, "");
    let host = batch.serve().await;
    let run = host.submit("nasty").await;
    batch.in_place().await;
    for index in 0..kinds.len() {
        pause(&host, &run, &format!("t{index}")).await;
    }
    let whole = || {
        census(&batch.prefix)
            .into_iter()
            .map(|seen| (seen.token, seen.pid, seen.is_halted))
            .collect::<Vec<_>>()
    };
    let begun = Instant::now();
    while whole().iter().any(|(_, _, is_halted)| !is_halted) {
        assert!(begun.elapsed() < SOON, "still running: {:?}", whole());
        std::thread::sleep(Duration::from_millis(3));
    }
    let before = whole();
    tokio::time::sleep(frozen_for() / 2).await; // the passing of time is what is measured
    assert_eq!(whole(), before, "somebody ran");
    assert!(before.len() >= 2 * kinds.len(), "a leader and a hopper each: {before:?}");
    for index in 0..kinds.len() {
        resume(&host, &run, &format!("t{index}")).await;
    }
    let begun = Instant::now();
    while whole().iter().filter(|seen| before.contains(seen)).count() > kinds.len() {
        assert!(begun.elapsed() < SOON, "they did not go on: {:?}", whole());
        std::thread::sleep(Duration::from_millis(3));
    }
    let (code, text) = said(&batch, &["cancel", "--now", &run.id.to_string()]).await;
    assert_eq!(code, 0, "{text}");
    host.over(&run).await;
    assert!(left(&batch.prefix, SOON).await.alive.is_empty());
}
