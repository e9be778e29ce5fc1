//! Order, groups, refusals, and what is safe when.

use super::*;
use crate::base::AttemptId;
use crate::engine::{Exit, Outcome};

#[test]
fn batches_are_written_in_the_order_they_were_submitted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let seqs = wait(async {
        let mut pending = Vec::new();
        for run in 1..=300 {
            let batch = stamp(run, vec![created("a", run, run), Event::JobQueued { job: job(run, 0) }]);
            pending.push(store.submit(batch, Durability::Written).await.unwrap());
        }
        let mut seqs = Vec::new();
        for answer in pending {
            seqs.push(answer.await.unwrap());
        }
        seqs
    });
    assert_eq!(seqs, (1..=300).map(|n| Seq(2 * n)).collect::<Vec<_>>());
    let entries = store.history().journal(Seq(0), 1000).unwrap();
    assert!(entries.iter().map(|entry| entry.record.at.0).is_sorted());
}

#[test]
fn more_batches_than_the_queue_holds_wait_their_turn() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let many = QUEUE as u64 + 200;
    let last = wait(async {
        let mut last = None;
        for run in 1..=many {
            let batch = stamp(1, vec![Event::JobQueued { job: job(run, 0) }]);
            last = Some(store.submit(batch, Durability::Written).await.unwrap());
        }
        last.unwrap().await.unwrap()
    });
    assert_eq!(last, Seq(many));
}

#[test]
fn a_slot_is_given_once_and_the_refusal_harms_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    commit(&store, vec![claimed("a", 1, 1, 60)]).unwrap();
    let (before, taken, after) = wait(async {
        let queued = |run| stamp(1, vec![Event::JobQueued { job: job(run, 0) }]);
        let before = store.submit(queued(7), Durability::Written).await.unwrap();
        let claim = stamp(1, vec![Event::JobQueued { job: job(8, 0) }, claimed("a", 2, 2, 60)]);
        let taken = store.submit(claim, Durability::Synced).await.unwrap();
        let after = store.submit(queued(9), Durability::Written).await.unwrap();
        (before.await, taken.await, after.await)
    });
    match taken.unwrap_err() {
        StoreError::SlotTaken { key, slot, by } => assert_eq!((&*key.0, slot.0, by), ("a", 60, RunId(1))),
        other => panic!("{other}"),
    }
    assert_eq!((before.unwrap(), after.unwrap()), (Seq(2), Seq(3)));
    let runs: Vec<Option<RunId>> =
        store.history().journal(Seq(0), 10).unwrap().iter().map(|entry| queued_run(&entry.record)).collect();
    assert_eq!(runs, [None, Some(RunId(7)), Some(RunId(9))], "the batch is refused as a whole");
    assert!(matches!(
        commit(&store, vec![created("a", 3, 1)]),
        Err(StoreError::NumberTaken { number: 1, .. })
    ));
    assert!(matches!(commit(&store, vec![created("b", 1, 1)]), Err(StoreError::NumberTaken { .. })));
    commit(&store, vec![claimed("a", 2, 2, 120)]).unwrap();
}

fn queued_run(record: &Record) -> Option<RunId> {
    match &record.event {
        Event::JobQueued { job } => Some(job.run),
        _ => None,
    }
}

#[test]
fn synced_means_that_the_disk_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let durable = store.durable();
    for run in 1..=20 {
        let seq = wait(store.commit(stamp(1, vec![created("a", run, run)]), Durability::Synced)).unwrap();
        assert!(*durable.borrow() >= seq);
    }
    let last = wait(store.commit(Vec::new(), Durability::Synced)).unwrap();
    assert_eq!((last, *durable.borrow()), (Seq(20), Seq(20)), "an empty batch waits for what went before");
}

#[test]
fn written_becomes_durable_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let mut durable = store.durable();
    for run in 1..=3 {
        let seq = commit(&store, vec![created("a", run, run)]).unwrap();
        wait(durable.wait_for(|durable| *durable >= seq)).unwrap();
    }
}

#[test]
fn what_goes_on_is_recovered_and_what_ended_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let events = vec![
        Event::ScheduleArmed { key: key("a"), at: Moment(50) },
        claimed("a", 1, 1, 60),
        created("b", 2, 1),
        claimed("a", 3, 2, 120),
        finished(1, RunOutcome::Succeeded),
        Event::JobQueued { job: job(3, 0) },
        Event::ScheduleArmed { key: key("gone"), at: Moment(50) },
        Event::ScheduleDisarmed { key: key("gone") },
        Event::ScheduleArmed { key: key("late"), at: Moment(90) },
        Event::SlotsMissed {
            key: key("late"),
            from: Moment(100),
            to: Moment(300),
            count: 3,
            why: crate::engine::Missed::Down,
        },
        Event::ScheduleArmed { key: key("late"), at: Moment(40) },
        Event::TaskPaused { task: name("b"), by: Author("ada".into()), reason: Some("hot".into()) },
        Event::TaskPaused { task: name("c"), by: Author::host(), reason: None },
        Event::TaskResumed { task: name("c"), by: Author::host() },
    ];
    commit(&store, events.clone()).unwrap();
    store.close().unwrap();

    let (store, recovered) = open(&dir);
    assert!(recovered.was_clean);
    let expected = [&events[2..4], &events[5..6]].concat();
    assert_eq!(recovered.records, stamp(1, expected));
    let cursors: Vec<(&str, u64)> = recovered.cursors.iter().map(|(key, at)| (&*key.0, at.0)).collect();
    assert_eq!(cursors, [("a", 120), ("late", 300)], "a cursor never goes back");
    let pause = Pause { at: Moment(1), by: Author("ada".into()), reason: Some("hot".into()) };
    assert_eq!(recovered.paused, [(name("b"), pause)].into());
    assert_eq!(recovered.latest, Moment(300), "nor do slots that had no run");
    assert_eq!(recovered.next_run, 4);
    assert_eq!(recovered.numbers, [(name("a"), 2), (name("b"), 1)].into());
    assert_eq!(store.history().unfinished().unwrap(), recovered.records);
}

#[test]
fn plans_are_stored_once_and_come_back_shared() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let shared = plan("p", &["p/x", "p/y"]);
    for run in 1..=3 {
        let new = NewRun { plan: shared.clone(), ..new_run("p", run, run) };
        commit(&store, vec![Event::RunCreated(Box::new(new))]).unwrap();
    }
    drop(store);
    let (_store, recovered) = open(&dir);
    let plans: Vec<&Arc<Plan>> = recovered.records.iter().map(|record| plan_of(record).plan()).collect();
    assert_eq!(plans[0], shared.plan());
    assert!(Arc::ptr_eq(plans[0], plans[1]) && Arc::ptr_eq(plans[1], plans[2]));
}

fn plan_of(record: &Record) -> &PlanRef {
    match &record.event {
        Event::RunCreated(new) => &new.plan,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_that_was_submitted_is_lost_when_the_store_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    wait(async {
        for run in 1..=100 {
            drop(store.submit(stamp(1, vec![created("a", run, run)]), Durability::Written).await.unwrap());
        }
    });
    let durable = store.durable();
    drop(store);
    assert_eq!(*durable.borrow(), Seq(100), "dropping waits for the disk");
    assert!(!dir.path().join("neap.db-wal").exists(), "the log was copied and removed");
    assert_eq!(open(&dir).1.records.len(), 100);
}

#[test]
fn the_log_is_emptied_under_load_unless_a_reader_needs_it() {
    const MIB: u64 = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let log = || std::fs::metadata(dir.path().join("neap.db-wal")).unwrap().len();
    let write = |megabytes: u64| {
        let reason = Some("x".repeat(1 << 20));
        let event = Event::RunPaused { run: RunId(1), by: Author::host(), reason };
        (0..megabytes).map(|_| commit(&store, vec![event.clone()]).map(|_| log()).unwrap()).max().unwrap()
    };
    assert!(write(40) < 20 * MIB);
    let reader = rusqlite::Connection::open(dir.path().join("neap.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM journal").unwrap();
    assert!(write(40) > 30 * MIB, "what a reader looks at stays");
    reader.execute_batch("COMMIT").unwrap();
    write(40);
    assert!(write(20) < 20 * MIB, "and goes when it has looked");
}

#[test]
fn small_batches_cost_little() {
    const BATCHES: u64 = 1_000;
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(&dir);
    let batch = |run| {
        let attempt = AttemptId { job: job(run, 0), number: 1 };
        let exit = Exit::Code { code: 0 };
        stamp(
            1,
            vec![
                Event::JobQueued { job: job(run, 0) },
                Event::AttemptStarted { attempt, timeout: None },
                Event::AttemptEnded {
                    attempt,
                    exit,
                    usage: Some(Default::default()),
                    outputs: Default::default(),
                },
                Event::JobFinished { job: job(run, 0), outcome: Outcome::Succeeded, problem: None },
            ],
        )
    };
    let begun = std::time::Instant::now();
    wait(async {
        let mut pending = std::collections::VecDeque::new();
        for run in 0..BATCHES {
            pending.push_back(store.submit(batch(run), Durability::Written).await.unwrap());
            if pending.len() > 16 {
                pending.pop_front().unwrap().await.unwrap();
            }
        }
    });
    let last = wait(store.commit(Vec::new(), Durability::Written)).unwrap();
    let each = begun.elapsed().as_secs_f64() * 1e6 / (BATCHES * 4) as f64;
    println!("{each:.1} us per event, in batches of 4, 16 in flight, in this build");
    assert_eq!(last, Seq(BATCHES * 4));
}
