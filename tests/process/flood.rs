//! A job does much of one thing: it leaves orphans, it writes, it is one of many that are cancelled. What that costs is
//! printed; the limits only catch what grows without bound.
//!
//! `ORPHANS=10000 FLOOD_MB=2000 cargo test process::flood -- --nocapture` is the long form.

use super::batch::{Batch, GRACE, Host, KINDS, json, until};
use super::census::{alive, census, left};
use super::{SOON, containments, count};
use neap::api::{Cancel, RunInfo, RunState};
use std::time::{Duration, Instant};

/// So many orphans are alive at any time, each for so many milliseconds.
const AT_ONCE: usize = 50;
const LIFE: usize = 20;
/// Dead ones may wait a moment until they are reaped: on a busy machine, several lives long.
const LAG: usize = 3 * AT_ONCE;

/// How long the machine may take for fifty, beside their grace.
const SLACK: Duration = Duration::from_millis(if cfg!(debug_assertions) { 3_000 } else { 300 });

/// Orphans that end by themselves are reaped as they go.
#[tokio::test(flavor = "multi_thread")]
async fn orphans_do_not_pile_up() {
    let orphans = count("ORPHANS", 1_000);
    for containment in containments() {
        let batch = Batch::empty(&containment);
        let program = batch.program(&format!("{}0", batch.prefix));
        let numbers = [orphans, AT_ONCE, LIFE].map(|number| number.to_string());
        let [orphans, at_once, life] = &numbers;
        let words = json(&[&program, "orphans", orphans, at_once, life, &until()]);
        batch.task("orphans", &format!("exec: {words}\n"));
        let host = batch.serve().await;
        let begun = Instant::now();
        let run = host.submit("orphans").await;
        let mut over = std::pin::pin!(host.over(&run));
        let (mut most, mut most_dead, mut looks) = (0, 0, 0);
        let run = loop {
            let seen = census(&batch.prefix);
            most = most.max(seen.len());
            most_dead = most_dead.max(seen.iter().filter(|seen| seen.is_zombie).count());
            looks += 1;
            match tokio::time::timeout(Duration::from_millis(5), &mut over).await {
                Ok(run) => break run,
                Err(_) => continue,
            }
        };
        let took = begun.elapsed();
        let watched = left(&batch.prefix, SOON).await;
        println!(
            "{orphans} orphans, {containment}: {took:.1?}, at most {most} processes ({most_dead} dead) in {looks} looks"
        );
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
        assert!(watched.alive.is_empty(), "left alive: {:?}", watched.alive);
        assert!(watched.zombies.is_empty(), "left as zombies: {:?}", watched.zombies);
        // Beside the orphans there are the leader and what starts each.
        assert!(most <= AT_ONCE + 2 + LAG, "{most} processes at once, {most_dead} of them dead");
    }
}

/// All of it comes into the log, and it does not go through memory: not as it is, and not where a secret is looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_costs_no_memory() {
    let megabytes = count("FLOOD_MB", 200);
    for containment in containments() {
        let batch = Batch::empty(&containment);
        let secret = "secrets: [{ name: WORD, from: command, key: echo unheard }]";
        // Looking for a secret is dearer, so that gets a part of it.
        let floods = [("plain", megabytes, ""), ("masked", megabytes.div_ceil(5), secret)];
        let line = "x".repeat(99);
        for (task, megabytes, more) in floods {
            batch.task(task, &format!("run: yes {line} | head -c {megabytes}000000\n{more}\n"));
        }
        let host = batch.serve().await;
        for (task, megabytes, _) in floods {
            let before = peak_kib(&host);
            let begun = Instant::now();
            let run = host.submit(task).await;
            let run = host.over(&run).await;
            let took = begun.elapsed();
            let grown = peak_kib(&host) - before;
            let log = run.jobs[0].log.as_ref().expect("what has run has a log");
            let length = std::fs::metadata(log).unwrap().len();
            println!(
                "{megabytes} MB of output, {task}, {containment}: {took:.1?}, {:.0} MB/s, {grown} KiB more at the peak",
                megabytes as f64 / took.as_secs_f64()
            );
            assert_eq!(run.state, RunState::Succeeded, "{run:?}");
            assert_eq!(length, megabytes as u64 * 1_000_000, "the log has another length");
            assert!(grown < 32 * 1024, "{grown} KiB for output that only passes through");
            std::fs::remove_file(log).unwrap();
        }
    }
}

/// The most memory that the host has had at any time.
fn peak_kib(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A grandchild that got away holds the ends of both pipes. The end of the leader is the end, all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_is_held_open_holds_nothing_up() {
    for containment in containments() {
        let secret = "secrets: [{ name: WORD, from: command, key: echo unheard }]";
        let trials = [("setsid", "gone"), ("daemon-deaf", "gone"), ("hopper-bare", "gone")];
        let mut batch = Batch::new(&containment, &trials, secret);
        let host = batch.serve().await;
        let run = host.submit("nasty").await;
        batch.in_place().await;
        let begun = Instant::now();
        let run = host.over(&run).await;
        let took = begun.elapsed();
        let late = alive(&batch.prefix);
        println!("pipes held open, {containment}: over {took:.1?} after the last was in place");
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
        assert!(took < Duration::from_secs(1), "it took {took:?}");
        assert!(late.is_empty(), "alive when the run was over: {late:?}");
    }
}

/// Many that are cancelled in one moment do not wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_are_cancelled_at_once() {
    for containment in containments() {
        let trials: Vec<_> = KINDS.iter().cycle().take(50).map(|&kind| (kind, "alive")).collect();
        let mut batch = Batch::new(&containment, &trials, "");
        let host = batch.serve().await;
        let run = host.submit("nasty").await;
        batch.in_place().await;
        let begun = Instant::now();
        let wish = Cancel::default();
        let _: RunInfo = host.client.post(&format!("/api/v1/runs/{}/cancel", run.id), &wish).await.unwrap();
        let run = host.over(&run).await;
        let took = begun.elapsed();
        let late = alive(&batch.prefix);
        println!("50 cancelled at once, {containment}: over after {took:.1?}, {GRACE:?} of which are grace");
        assert_eq!(run.state, RunState::Cancelled, "{run:?}");
        assert!(late.is_empty(), "alive when the run was over: {late:?}");
        assert!(took < GRACE + SLACK, "it took {took:?}");
    }
}
