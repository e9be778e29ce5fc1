//! The real program, killed between one claim and the next while it catches up, and between the end of a run and the start
//! of what comes after it.
//!
//! It catches up twenty slots in a second, so the moment after an event is one between two claims. `KILLS=n` kills it more
//! often.

use super::count;
use super::daemon::Daemon;
use super::stepped::{Clock, contiguous};
use neap::api::Events;
use neap::base::{Moment, RunId};
use neap::engine::{Event, RunOutcome, Trigger};
use neap::host::{Happening, wall_clock};
use neap::store::{History, RunFilter, RunRow};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Seconds from one slot to the next.
const BEAT: u64 = 5;
/// How many slots have to be caught up for each kill.
const EACH: u64 = 20;

const CHAIN: [&str; 3] = ["tick", "second", "third"];

/// What the host is killed after.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// So many slots were claimed.
    Claims(usize),
    /// A run of this task has ended: what follows is created, and not started.
    End(&'static str),
    /// A run of this task was created.
    Begin(&'static str),
}

const POINTS: [Point; 7] = [
    Point::Claims(1),
    Point::End("tick"),
    Point::Claims(2),
    Point::Begin("second"),
    Point::End("second"),
    Point::Claims(7),
    Point::Begin("third"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_between_two_claims_and_between_two_links_loses_none_and_doubles_none() {
    let kills = count("KILLS", POINTS.len());
    let effect = |task: &str| format!("run: echo $NEAP_RUN >> {task}s\noverlap: allow\n");
    let follows = |task: &str| format!("schedule: {{ after: {{ task: {task}, when: ended }} }}\n");
    let project = Daemon::project(&[
        (
            "tick",
            &format!(
                "run: echo $NEAP_SCHEDULED_AT >> ticks\noverlap: allow\ncatchup: all\nschedule: '*/{BEAT} * * * * *'\n"
            ),
        ),
        ("second", &(effect("second") + &follows("tick"))),
        ("third", &(effect("third") + &follows("second"))),
    ]);
    let tools = tempfile::tempdir().unwrap();
    let clock = Clock::new(tools.path());
    clock.serve(project.path()).await.kill();
    // The night is over: these slots were missed, and those of the last minute are late.
    let night = BEAT * EACH * kills.max(7) as u64 + 60;
    clock.write(night as i64);
    let morning = Moment(wall_clock().0 + night * 1000);
    for kill in 0..kills {
        let daemon = clock.serve(project.path()).await;
        let mut events = daemon.client.events("").await.unwrap();
        let point = POINTS[kill % POINTS.len()];
        reaches(&mut events, point).await;
        daemon.kill();
    }
    let daemon = clock.serve(project.path()).await;
    let late = daemon.until_ticks(project.path(), |ticks| {
        ticks.lines().last().is_some_and(|slot| super::seconds(slot) * 1000 > morning.0)
    });
    late.await;
    daemon.stop();
    check(project.path(), morning, kills);
}

async fn reaches(events: &mut Events, point: Point) {
    let mut tasks = BTreeMap::new();
    let mut claims = 0;
    let wait = async {
        loop {
            let happening = events.next().await.expect("the host is up");
            let Happening::Event { record, .. } = happening else { continue };
            let is_there = match (&record.event, point) {
                (Event::RunCreated(new), point) => {
                    let task = new.trigger.schedule().map_or("", |key| key.task()).to_owned();
                    claims += usize::from(matches!(new.trigger, Trigger::Schedule { .. }));
                    tasks.insert(new.run, task.clone());
                    match point {
                        Point::Claims(most) => claims >= most,
                        Point::Begin(name) => task == name,
                        Point::End(_) => false,
                    }
                }
                (Event::RunFinished { run, .. }, Point::End(name)) => {
                    tasks.get(run).is_some_and(|task| task == name)
                }
                _ => false, // of the many events these two
            };
            if is_there {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("never: {point:?}"));
}

fn check(project: &Path, morning: Moment, kills: usize) {
    let history = History::open(&project.join(".neap")).unwrap();
    assert_eq!(history.problems().unwrap(), Vec::<String>::new());
    let (slots, gaps) = contiguous(&history, "tick", BEAT * 1000);
    assert_eq!(gaps, 0, "every slot was to be caught up");
    assert!(slots as u64 >= EACH * kills as u64, "{slots}");
    let all = RunFilter { limit: 1_000_000, ..RunFilter::default() };
    let runs = history.runs(&all).unwrap();
    let of = |task: &str| -> Vec<RunRow> {
        runs.iter().filter(|run| run.task.as_str() == task).cloned().collect()
    };
    for pair in CHAIN.windows(2) {
        let ended: BTreeSet<RunId> =
            of(pair[0]).iter().filter(|run| run.outcome.is_some()).map(|run| run.run).collect();
        let mut followed = BTreeSet::new();
        for run in of(pair[1]) {
            let Trigger::After { run: cause, .. } = run.trigger else { panic!("{:?}", run.trigger) };
            assert!(followed.insert(cause), "{cause:?} of {} was followed twice", pair[0]);
        }
        assert_eq!(followed, ended, "every {} that has ended is followed by a {}", pair[0], pair[1]);
    }
    super::no_slot_twice(project);
    for task in &CHAIN[1..] {
        let text = std::fs::read_to_string(project.join(format!("{task}s"))).unwrap();
        let effects: BTreeSet<&str> = text.lines().collect();
        assert_eq!(effects.len(), text.lines().count(), "{task} took effect twice");
    }
    let ticks = std::fs::read_to_string(project.join("ticks")).unwrap().lines().count();
    // One whose start died with the host is lost, and says so.
    let succeeded = of("tick").iter().filter(|run| run.outcome == Some(RunOutcome::Succeeded)).count();
    assert!(succeeded <= ticks && ticks <= slots, "{succeeded} of {slots} succeeded, {ticks} took effect");
    println!("{kills} kills: {slots} slots up to {morning:?}, {ticks} took effect; {} runs", runs.len());
}
