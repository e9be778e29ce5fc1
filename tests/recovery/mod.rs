//! The real program, killed with SIGKILL again and again under load, edited under load, and left alone.
//!
//! `KILLS=100 RELOADS=100 cargo test --release recovery -- --nocapture` is the long form; the counts below are for every
//! day.

#[cfg(target_os = "linux")]
mod between;
mod daemon;
mod files;
#[cfg(target_os = "linux")]
mod stepped;

use daemon::Daemon;
use neap::api::RunInfo;
use neap::host::RunRequest;
use neap::store::{History, RunFilter, RunStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

fn count(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Everything the issue of a crash could break: an acknowledged run lost, a slot fired twice or its effect repeated, a
/// run stuck, a process left, the database damaged.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    let kills = count("KILLS", 6);
    let project = Daemon::project(&[
        ("tick", "{ run: 'echo $NEAP_SCHEDULED_AT >> ticks', schedule: { every: 1s }, overlap: allow }"),
        (
            "work",
            "
tasks:
  a: { run: 'echo $NEAP_MARK >> marks; sleep 0.05', retry: { attempts: 20, delay: 1ms } }
  b: { depends_on: a, run: 'sleep 0.03; sleep 600 & sleep 0.02', retry: { attempts: 20, delay: 1ms } }
  c: { depends_on: a, run: sleep 0.02, retry: { attempts: 20, delay: 1ms }, cleanup: { remove: scratch } }
  d: { depends_on: [b, c], run: 'true', retry: { attempts: 20, delay: 1ms } }
",
        ),
    ]);
    let mut acknowledged = BTreeSet::new();
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let started = Instant::now();
        let daemon = Daemon::serve(project.path()).await;
        slowest = slowest.max(started.elapsed());
        // A different moment each time, spread over the first half second.
        let patience = Duration::from_millis(20 + (kill as u64 * 83) % 480);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            let request = RunRequest::new("work", "load");
            match tokio::time::timeout_at(
                until.into(),
                daemon.client.post::<RunInfo>("/api/v1/runs", &request),
            )
            .await
            {
                Ok(answer) => acknowledged.insert(answer.expect("a host that is up takes work").id),
                Err(_) => break,
            };
        }
        daemon.kill();
    }
    let daemon = Daemon::serve(project.path()).await;
    for run in &acknowledged {
        let ended: RunInfo = daemon
            .client
            .get(&format!("/api/v1/runs/{run}/wait"))
            .await
            .expect("an acknowledged run is known");
        assert!(ended.state.is_over(), "{} is stuck: {ended:?}", ended.name);
    }
    // One whose acknowledgement died with the host was created all the same.
    let going: Vec<RunInfo> = daemon.client.get("/api/v1/going").await.unwrap();
    for run in going.iter().filter(|run| run.task.as_str() == "work") {
        let ended: RunInfo = daemon.client.get(&format!("/api/v1/runs/{}/wait", run.id)).await.unwrap();
        assert!(ended.state.is_over(), "{} is stuck: {ended:?}", ended.name);
    }
    daemon.stop();
    let history = History::open(&project.path().join(".neap")).unwrap();
    assert_eq!(history.problems().unwrap(), Vec::<String>::new());
    let all = RunFilter { limit: 1_000_000, ..RunFilter::default() };
    let runs = history.runs(&all).unwrap();
    let known: BTreeSet<_> = runs.iter().map(|run| run.run).collect();
    assert!(acknowledged.is_subset(&known), "acknowledged runs are gone");
    let work = runs.iter().filter(|run| run.task.as_str() == "work");
    let unfinished: Vec<_> = work.filter(|run| run.outcome.is_none()).collect();
    assert!(unfinished.is_empty(), "stuck: {unfinished:?}");
    no_slot_twice(project.path());
    nothing_left_running(project.path());
    println!(
        "{kills} kills: {} runs acknowledged, {} in all, {} ticks; slowest start {slowest:?}",
        acknowledged.len(),
        runs.len(),
        std::fs::read_to_string(project.path().join("ticks")).map_or(0, |ticks| ticks.lines().count()),
    );
}

/// The effects, not the records: each slot wrote at most one line. (`tick` has no retry.)
fn no_slot_twice(project: &Path) {
    let ticks = std::fs::read_to_string(project.join("ticks")).unwrap_or_default();
    let mut seen = BTreeSet::new();
    for tick in ticks.lines() {
        assert!(seen.insert(tick), "the slot {tick} took effect twice");
    }
}

/// Every process of an attempt bears the host's mark, also those it left in the background.
fn nothing_left_running(project: &Path) {
    let marks = std::fs::read_to_string(project.join("marks")).unwrap_or_default();
    let Some(instance) = marks.lines().next().and_then(|mark| mark.split(':').next()) else { return };
    let mark = format!("NEAP_MARK={instance}:");
    for entry in std::fs::read_dir("/proc").unwrap() {
        let process = entry.unwrap().path();
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let bears = environment.split(|&byte| byte == 0).any(|entry| entry.starts_with(mark.as_bytes()));
        assert!(!bears, "{} was left running", process.display());
    }
}

/// A schedule goes on through a hundred reloads of everything around it: no slot left out, none twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_keeps_its_beat_through_reloads() {
    let reloads = count("RELOADS", 15);
    let project =
        Daemon::project(&[("tick", "{ run: 'echo $NEAP_SCHEDULED_AT >> ticks', schedule: { every: 1s } }")]);
    for n in 0..200 {
        std::fs::write(project.path().join(format!("tasks/t{n}.yaml")), "run: 'true'").unwrap();
    }
    let daemon = Daemon::serve(project.path()).await;
    let mut waits = Vec::new();
    let started = Instant::now();
    for n in 0..reloads.max(5) {
        let file = project.path().join(format!("tasks/t{}.yaml", n % 200));
        let (text, errors, kind) = match n % 5 {
            0 => (Some(format!("run: echo {n}")), 0, "edit"),
            1 => (Some("run: [".to_owned()), 1, "break"),
            2 => (None, 0, "delete"),
            3 => (Some("rnu: x".to_owned()), 1, "break"),
            _ => (Some(format!("description: again {n}\nrun: 'true'")), 0, "add"),
        };
        let name = format!("t{}", n % 200);
        let begun = Instant::now();
        match &text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        daemon
            .until(|tasks, problems| {
                let is_there = tasks.iter().any(|task| task.name.as_str() == name);
                let is_broken =
                    problems.iter().any(|problem| problem.contains(&format!("tasks/{name}.yaml")));
                match (kind, errors) {
                    ("delete", _) => !is_there,
                    (_, 0) => is_there && !is_broken,
                    _ => is_broken,
                }
            })
            .await;
        waits.push(begun.elapsed());
        if text.is_none() || errors > 0 {
            std::fs::write(&file, "run: 'true'").unwrap();
            daemon.until(|tasks, problems| tasks.len() == 201 && problems.is_empty()).await;
        }
    }
    // At least three beats, however fast the reloads went.
    daemon.beats(project.path(), 3).await;
    daemon.stop();
    waits.sort();
    println!(
        "{} changes: visible after {:?} (median), {:?} (most), {:?} in all",
        waits.len(),
        waits[waits.len() / 2],
        waits.last().unwrap(),
        started.elapsed()
    );
    let ticks = std::fs::read_to_string(project.path().join("ticks")).unwrap();
    let slots: Vec<u64> = ticks.lines().map(seconds).collect();
    for pair in slots.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "a gap or a double in {slots:?}");
    }
}

/// Seconds since the epoch of `2026-11-21T10:15:03Z`.
fn seconds(time: &str) -> u64 {
    let zone = neap::schedule::Zone::utc();
    let at = neap::schedule::Schedule::at(time, &zone).unwrap();
    at.next(neap::base::Moment(0)).unwrap().0 / 1000
}

/// With a thousand schedules that are not due, nothing of ours wakes up.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_host_sleeps() {
    let project = Daemon::project(&[]);
    for n in 0..1000 {
        let task = format!("{{ run: 'true', schedule: \"{} {} 1 1 *\" }}", n % 60, n % 24);
        std::fs::write(project.path().join(format!("tasks/t{n}.yaml")), task).unwrap();
    }
    // Files are waited for as well.
    let task = "{ run: 'true', schedule: { watch: ['t*/**/*.csv', 'later/*'] } }";
    std::fs::write(project.path().join("tasks/t0.yaml"), task).unwrap();
    let daemon = Daemon::serve(project.path()).await;
    daemon.until(|tasks, _| tasks.len() == 1000).await;
    // What the start and the question above set in motion has to come to rest first.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = daemon.wake_ups();
    let watched = Duration::from_secs(count("IDLE_SECONDS", 5) as u64);
    tokio::time::sleep(watched).await; // the passing of time is what is measured
    let after = daemon.wake_ups();
    let woken: BTreeMap<_, _> = after.iter().filter(|(thread, n)| before.get(*thread) != Some(n)).collect();
    let rss = daemon.resident_kib();
    println!("idle for {watched:?} with 1,000 schedules: woken threads {woken:?}, {rss} KiB resident");
    assert!(woken.is_empty(), "woke up with nothing to do: {woken:?} (before: {before:?})");
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_by_the_end_of_its_program_is_not_left_unfinished() {
    let project =
        Daemon::project(&[("long", "{ run: 'echo up > up; sleep 600' }"), ("short", "run: 'true'")]);
    let mut run = daemon::neap(project.path()).args(["run", "long"]).spawn().unwrap();
    daemon::appears(&project.path().join("up")).await;
    run.kill().unwrap();
    run.wait().unwrap();
    // The next command that has the store ends what belonged to the dead one.
    assert!(daemon::neap(project.path()).args(["run", "short"]).status().unwrap().success());
    let history = History::open(&project.path().join(".neap")).unwrap();
    let unfinished = RunFilter { status: Some(RunStatus::Unfinished), ..RunFilter::default() };
    assert_eq!(history.runs(&unfinished).unwrap(), vec![]);
    let cancelled = RunFilter { status: Some(RunStatus::Cancelled), ..RunFilter::default() };
    assert_eq!(history.runs(&cancelled).unwrap().len(), 1);
}
