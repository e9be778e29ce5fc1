//! Answers of the history, and that each of them is found through an index.

use super::*;
use crate::base::{AttemptId, Millis};
use crate::engine::{Cause, Exit, Missed, Outcome, Skip, SlotSkip, Usage};
use crate::store::{history, recovered, usual};
use rusqlite::Connection;

#[track_caller]
fn at(store: &Store, at: u64, events: Vec<Event>) {
    wait(store.commit(stamp(at, events), Durability::Written)).unwrap();
}

/// Runs 1 to 6: `a` three times by hand, `b` twice by schedule, `a` again as a retry. Created at ten times their id.
fn some_runs(store: &Store) {
    for run in 1..=3 {
        at(store, run * 10, vec![created("a", run, run)]);
    }
    at(store, 40, vec![claimed("b", 4, 1, 60)]);
    at(store, 50, vec![claimed("b", 5, 2, 120)]);
    let retry = NewRun { trigger: Trigger::Retry { of: RunId(2) }, ..new_run("a", 6, 4) };
    at(store, 60, vec![Event::RunCreated(Box::new(retry))]);
    at(store, 110, vec![finished(1, RunOutcome::Succeeded)]);
    at(store, 120, vec![finished(2, RunOutcome::Failed { root: 0 })]);
    at(store, 1040, vec![finished(4, RunOutcome::Succeeded), finished(5, RunOutcome::Cancelled)]);
}

#[test]
fn runs_are_listed_newest_first_as_asked() {
    #[track_caller]
    fn check(history: &History, filter: RunFilter, expected: &[u64]) {
        let found: Vec<u64> = history.runs(&filter).unwrap().iter().map(|row| row.run.0).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    some_runs(&store);
    let (history, all) = (store.history(), RunFilter::default);
    check(history, all(), &[6, 5, 4, 3, 2, 1]);
    check(history, RunFilter { task: Some(name("a")), ..all() }, &[6, 3, 2, 1]);
    check(history, RunFilter { status: Some(RunStatus::Unfinished), ..all() }, &[6, 3]);
    check(history, RunFilter { status: Some(RunStatus::Succeeded), ..all() }, &[4, 1]);
    check(history, RunFilter { status: Some(RunStatus::Failed), task: Some(name("a")), ..all() }, &[2]);
    check(history, RunFilter { status: Some(RunStatus::Cancelled), ..all() }, &[5]);
    check(history, RunFilter { since: Some(Moment(20)), until: Some(Moment(50)), ..all() }, &[4, 3, 2]);
    check(history, RunFilter { trigger: Some(TriggerKind::Retry), ..all() }, &[6]);
    check(history, RunFilter { trigger: Some(TriggerKind::Manual), ..all() }, &[3, 2, 1]);
    check(history, RunFilter { author: Some(Author::schedule()), ..all() }, &[5, 4]);
    check(history, RunFilter { is_late: true, ..all() }, &[]);
    let page = RunFilter { task: Some(name("a")), limit: 2, ..all() };
    check(history, page.clone(), &[6, 3]);
    let before = history.runs(&page).unwrap().last().map(RunRow::position);
    check(history, RunFilter { before, ..page }, &[2, 1]);
}

#[test]
fn pages_do_not_lose_runs_created_at_the_same_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    at(&store, 5, (1..=7).map(|run| created("a", run, run)).collect());
    let mut filter = RunFilter { limit: 3, ..RunFilter::default() };
    let mut found = Vec::new();
    loop {
        let page = store.history().runs(&filter).unwrap();
        found.extend(page.iter().map(|row| row.run.0));
        match page.last() {
            Some(row) => filter.before = Some(row.position()),
            None => break,
        }
    }
    assert_eq!(found, [7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_run_is_found_by_each_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    some_runs(&store);
    let history = store.history();
    let row = history.run(RunId(5)).unwrap().unwrap();
    assert_eq!((row.task.as_str(), row.number, row.created.0), ("b", 2, 50));
    assert_eq!((row.finished, row.outcome.clone()), (Some(Moment(1040)), Some(RunOutcome::Cancelled)));
    assert_eq!(row.trigger, Trigger::Schedule { key: key("b"), slot: Moment(120) });
    assert_eq!(history.by_number(&name("b"), 2).unwrap().unwrap(), row);
    assert_eq!(history.latest(&name("b"), 1).unwrap().unwrap(), row);
    assert_eq!(history.latest(&name("a"), 2).unwrap().unwrap().run, RunId(3));
    assert_eq!(history.latest(&name("a"), 5).unwrap(), None);
    assert_eq!(history.latest(&name("a"), 0).unwrap(), None);
    assert_eq!(history.run(RunId(99)).unwrap(), None);
    let failed = history.run(RunId(2)).unwrap().unwrap();
    assert_eq!(failed.outcome, Some(RunOutcome::Failed { root: 0 }));
    let face = RunId(5).to_string();
    assert_eq!(history.by_prefix(&face).unwrap(), [RunId(5)]);
    assert!(history.by_prefix(&face[..3]).unwrap().contains(&RunId(5)));
    assert_eq!(history.by_prefix("%").unwrap(), []);
    assert_eq!(history.by_prefix("").unwrap().len(), 6);
}

#[test]
fn jobs_and_attempts_tell_what_became_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let new = NewRun { plan: plan("p", &["p/x", "p/y", "p/z"]), ..new_run("p", 1, 1) };
    let attempt = |number| AttemptId { job: job(1, 0), number };
    let usage = Usage { pid: 7, user_ms: 1, system_ms: 2, peak_rss: 3, read_bytes: 4, written_bytes: 5 };
    at(&store, 10, vec![Event::RunCreated(Box::new(new)), Event::JobQueued { job: job(1, 0) }]);
    at(&store, 20, vec![Event::AttemptStarted { attempt: attempt(1), timeout: None }]);
    let killed = Exit::Signal { signal: crate::definition::Signal::KILL };
    at(
        &store,
        30,
        vec![Event::AttemptEnded {
            attempt: attempt(1),
            exit: killed.clone(),
            usage: None,
            outputs: Default::default(),
        }],
    );
    at(&store, 40, vec![Event::JobQueued { job: job(1, 0) }]);
    at(&store, 50, vec![Event::AttemptStarted { attempt: attempt(2), timeout: None }]);
    let exit = Exit::Code { code: 2 };
    at(
        &store,
        60,
        vec![Event::AttemptEnded {
            attempt: attempt(2),
            exit: exit.clone(),
            usage: Some(usage),
            outputs: Default::default(),
        }],
    );
    let failed = Outcome::Failed { cause: Cause::Exit { code: 2 } };
    let skipped = Outcome::Skipped { why: Skip::Needs { job: 0 } };
    let problem = Some("tmp is busy".to_string());
    at(
        &store,
        70,
        vec![Event::JobFinished { job: job(1, 0), outcome: failed.clone(), problem: problem.clone() }],
    );
    at(&store, 71, vec![Event::JobFinished { job: job(1, 1), outcome: skipped.clone(), problem: None }]);

    let history = store.history();
    let moment = |n| Some(Moment(n));
    let first = JobRow {
        queued: moment(10),
        started: moment(20),
        finished: moment(70),
        outcome: Some(failed),
        attempts: 2,
        problem,
        ..JobRow::untouched(0, name("p/x"))
    };
    let second = JobRow { finished: moment(71), outcome: Some(skipped), ..JobRow::untouched(1, name("p/y")) };
    assert_eq!(history.jobs(RunId(1)).unwrap(), [first, second, JobRow::untouched(2, name("p/z"))]);
    assert_eq!(history.jobs(RunId(2)).unwrap(), []);
    let tries = [
        AttemptRow { number: 1, started: moment(20), ended: moment(30), exit: Some(killed), usage: None },
        AttemptRow {
            number: 2,
            started: moment(50),
            ended: moment(60),
            exit: Some(exit),
            usage: Some(usage),
        },
    ];
    assert_eq!(history.attempts(RunId(1), 0).unwrap(), tries);
    let page = history.events(RunId(1), Seq(2), 3).unwrap();
    assert_eq!(page.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [3, 4, 5]);
    let line = serde_json::to_string(&page[0]).unwrap();
    assert!(line.starts_with(r#"{"seq":3,"at":20,"event":{"event":"attempt_started""#), "{line}");
}

#[test]
fn a_thousand_tasks_are_summed_up_in_one_query() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let names: Vec<TaskName> = (0..1000).map(|n| name(&format!("t{n}"))).collect();
    let mut run = 0;
    for round in 1..=3 {
        let mut events = Vec::new();
        for task in &names[..999] {
            run += 1;
            events.push(created(task.as_str(), run, round));
            events.push(finished(run, RunOutcome::Succeeded));
        }
        at(&store, round, events);
    }
    let begun = std::time::Instant::now();
    let recent = store.history().last_outcomes(&names, 2).unwrap();
    println!("{:?} for the last 2 runs of 1,000 tasks, in this build", begun.elapsed());
    assert_eq!(recent.len(), 999);
    for runs in recent.values() {
        assert_eq!(runs.iter().map(|run| run.number).collect::<Vec<_>>(), [3, 2]);
    }
}

#[test]
fn stats_count_and_measure() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    some_runs(&store);
    let stats = store.history().stats(&name("a"), Moment(0)).unwrap();
    let expected = Stats {
        unfinished: 2,
        succeeded: 1,
        failed: 1,
        cancelled: 0,
        p50: Some(Millis(100)),
        p95: Some(Millis(100)),
    };
    assert_eq!(stats, expected);
    assert_eq!(store.history().stats(&name("a"), Moment(61)).unwrap(), Stats::default());
}

#[test]
fn slots_without_a_run_leave_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let overlap = SlotSkip::Overlap { run: RunId(1) };
    let events = vec![
        Event::SlotSkipped { key: key("a"), slot: Moment(60), why: overlap },
        Event::SlotsMissed { key: key("a"), from: Moment(120), to: Moment(240), count: 3, why: Missed::Down },
    ];
    at(&store, 300, events);
    let missed = SlotRow {
        slot: Moment(120),
        until: Moment(240),
        count: 3,
        why: "missed".into(),
        blocker: None,
        at: Moment(300),
    };
    let skipped = SlotRow {
        slot: Moment(60),
        until: Moment(60),
        count: 1,
        why: "overlap".into(),
        blocker: Some(RunId(1)),
        ..missed.clone()
    };
    let history = store.history();
    assert_eq!(history.slots(&key("a"), Moment(1000), 9).unwrap(), [missed, skipped.clone()]);
    assert_eq!(history.slots(&key("a"), Moment(120), 9).unwrap(), [skipped]);
}

#[test]
fn readers_see_whole_batches_while_the_store_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let history = History::open(dir.path()).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for run in 1..=300 {
                commit(&store, vec![created("a", run, run), Event::JobQueued { job: job(run, 0) }]).unwrap();
            }
        });
        let mut seen = 0;
        while !writer.is_finished() || seen < 600 {
            let lines = history.journal(Seq(0), 1000).unwrap().len();
            assert!(lines >= seen && lines.is_multiple_of(2), "{lines} after {seen}");
            seen = lines;
        }
    });
    assert_eq!(history.run(RunId(300)).unwrap().unwrap().number, 300);
}

/// Every form the query for runs can take, and every other statement of the history.
fn statements() -> Vec<String> {
    let mut all: Vec<String> = [
        history::BY_PREFIX,
        history::JOBS,
        history::ATTEMPTS,
        history::EVENTS,
        history::JOURNAL,
        history::LAST_OUTCOMES,
        usual::LAST,
        usual::LENGTHS,
        usual::TIMES,
        history::STATS,
        history::SLOTS,
        recovered::UNFINISHED,
        "SELECT run FROM runs WHERE run = ?1",
        "SELECT run FROM runs WHERE task = ?1 AND number = ?2",
        "SELECT run FROM runs WHERE task = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2",
        "SELECT run FROM runs WHERE schedule_key = ?1 AND slot = ?2",
    ]
    .map(String::from)
    .into();
    for bits in 0..64 {
        let when = |bit: u32| (bits >> bit & 1 == 1).then_some(());
        let filter = RunFilter {
            task: when(0).map(|()| name("a")),
            status: when(1).map(|()| RunStatus::Failed),
            since: when(2).map(|()| Moment(1)),
            trigger: when(3).map(|()| TriggerKind::Manual),
            author: when(4).map(|()| Author::host()),
            before: when(5).map(|()| Position { created: Moment(9), run: RunId(9) }),
            ..RunFilter::default()
        };
        all.push(filter.sql());
    }
    all
}

#[test]
fn no_query_walks_through_a_whole_table() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    let db = Connection::open(dir.path().join("neap.db")).unwrap();
    for sql in statements() {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let unbound = vec![rusqlite::types::Null; explain.parameter_count()];
        let rows =
            explain.query_map(rusqlite::params_from_iter(unbound), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = rows.collect::<Result<_, _>>().unwrap();
        for step in &steps {
            let walks = step.starts_with("SCAN") && !step.starts_with("SCAN wanted");
            assert!(!walks, "{sql}\n{steps:#?}");
            let sorts_runs = step.contains("TEMP B-TREE") && sql.contains("ORDER BY created");
            assert!(!sorts_runs, "{sql}\n{steps:#?}");
        }
    }
}
