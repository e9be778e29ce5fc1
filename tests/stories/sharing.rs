//! Queues and locks.

use super::told::{Story, code};
use neap::base::{JobId, Millis, Moment, RunId};
use neap::definition::{Cleanup, Lock, LockMode, Machine, Rate, Retry};
use neap::engine::Wait;

fn lock(name: &str, mode: LockMode) -> Lock {
    Lock { name: name.into(), mode }
}

fn exclusive(names: &[&str]) -> Vec<Lock> {
    names.iter().map(|name| lock(name, LockMode::Exclusive)).collect()
}

fn first_of(run: u64) -> JobId {
    JobId { run: RunId(run), index: 0 }
}

#[test]
fn a_lock_keeps_one_job_from_another_whatever_their_runs() {
    let mut story = Story::new(4, &[("a", &[])]).each(|leaf| leaf.sharing.locks = exclusive(&["db"]));
    story.at(0).submit().submit();
    let holders = vec![(first_of(1), Moment(0))];
    assert_eq!(story.wait_in_run(2, "a"), Some(Wait::Lock { name: "db".into(), holders, kept_for: None }));
    story.at(5).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created
              a queued
        @5    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              a.1 started                    -> start a.1 of run 2
        ",
    );
}

#[test]
fn shared_locks_go_together_and_never_beside_another() {
    let mut story = Story::new(9, &[("read", &[]), ("look", &[]), ("write", &[]), ("peek", &[])])
        .each(|leaf| leaf.sharing.locks = vec![lock("db", LockMode::Shared)]);
    story.leaf(2).sharing.locks = exclusive(&["db"]);
    story.at(0).submit();
    // `write` has come before `peek`, so `peek` waits although it could share with the two that go on.
    story.at(1).ends("read.1", code(0));
    story.at(2).ends("look.1", code(0));
    story.at(3).ends("write.1", code(0));
    story.check(
        "
        @0    run created
              read queued
              look queued
              write queued
              peek queued
              read.1 started                 -> start read.1
              look.1 started                 -> start look.1
        @1    read.1 ended: exit 0
              read finished: succeeded
        @2    look.1 ended: exit 0
              look finished: succeeded
              write.1 started                -> start write.1
        @3    write.1 ended: exit 0
              write finished: succeeded
              peek.1 started                 -> start peek.1
        ",
    );
}

#[test]
fn neap_yaml_says_how_many_may_hold_a_lock() {
    let mut machine = Machine::default();
    machine.locks.insert("gpu".into(), 2);
    let mut story = Story::new(9, &[("a", &[]), ("b", &[]), ("c", &[])])
        .each(|leaf| leaf.sharing.locks = exclusive(&["gpu"]))
        .machine(machine);
    story.at(0).submit();
    story.at(1).ends("b.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              b queued
              c queued
              a.1 started                    -> start a.1
              b.1 started                    -> start b.1
        @1    b.1 ended: exit 0
              b finished: succeeded
              c.1 started                    -> start c.1
        ",
    );
}

#[test]
fn locks_are_taken_all_at_once_and_kept_for_who_waits_longer() {
    let mut story = Story::new(9, &[("one", &[]), ("both", &[]), ("two", &[]), ("other", &[])]);
    story.leaf(0).sharing.locks = exclusive(&["a"]);
    story.leaf(1).sharing.locks = exclusive(&["a", "b"]);
    story.leaf(2).sharing.locks = exclusive(&["b"]);
    story.at(0).submit();
    // `b` is free, and it is kept for `both`, which needs it together with `a`.
    let kept_for = Some(JobId { run: RunId(1), index: 1 });
    assert_eq!(story.wait("two"), Some(Wait::Lock { name: "b".into(), holders: Vec::new(), kept_for }));
    let holders = vec![(first_of(1), Moment(0))];
    assert_eq!(story.wait("both"), Some(Wait::Lock { name: "a".into(), holders, kept_for: None }));
    story.at(1).ends("one.1", code(0));
    story.at(2).ends("both.1", code(0));
    story.check(
        "
        @0    run created
              one queued
              both queued
              two queued
              other queued
              one.1 started                  -> start one.1
              other.1 started                -> start other.1
        @1    one.1 ended: exit 0
              one finished: succeeded
              both.1 started                 -> start both.1
        @2    both.1 ended: exit 0
              both finished: succeeded
              two.1 started                  -> start two.1
        ",
    );
}

#[test]
fn a_lock_is_held_over_tries_and_until_all_is_tidied_up() {
    let mut story = Story::new(4, &[("a", &[]), ("b", &[])]).each(|leaf| {
        leaf.sharing.locks = exclusive(&["db"]);
        leaf.retry = Retry { attempts: 2, delay: Millis(10), ..Retry::default() };
    });
    story.leaf(0).cleanup = vec![Cleanup::Remove { path: "scratch".into() }];
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.at(11).ends("a.2", code(0));
    story.at(12).cleaned("a");
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                    -> start a.1
        @1    a.1 ended: exit 1
              a tries again @11
        @11   a queued
              a.2 started                    -> start a.2
        @11   a.2 ended: exit 0
              a tidies up                    -> clean a
        @12   a finished: succeeded
              b.1 started                    -> start b.1
        ",
    );
}

#[test]
fn a_lock_is_still_held_after_a_restart() {
    let mut story = Story::new(4, &[("a", &[])]).each(|leaf| leaf.sharing.locks = exclusive(&["db"]));
    story.at(0).submit();
    story.at(1).restart();
    story.at(2).submit();
    story.at(3).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @2    run 2 created
              a queued
        @3    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              a.1 started                    -> start a.1 of run 2
        ",
    );
}

#[test]
fn a_queue_has_slots_of_its_own() {
    let mut machine = Machine::default();
    machine.queues.insert("heavy".into(), 1);
    let mut story = Story::new(1, &[("h1", &[]), ("h2", &[]), ("a", &[]), ("b", &[])]).machine(machine);
    story.leaf(0).sharing.queue = Some("heavy".into());
    story.leaf(1).sharing.queue = Some("heavy".into());
    story.at(0).submit();
    let slot = |queue: Option<&str>| {
        let queue = queue.map(str::to_owned);
        Some(Wait::Slot { queue, busy: 1, slots: 1, ahead: 0, next: None })
    };
    assert_eq!((story.wait("h2"), story.wait("b")), (slot(Some("heavy")), slot(None)));
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("h1.1", code(0));
    story.check(
        "
        @0    run created
              h1 queued
              h2 queued
              a queued
              b queued
              h1.1 started                   -> start h1.1
              a.1 started                    -> start a.1
        @1    a.1 ended: exit 0
              a finished: succeeded
              b.1 started                    -> start b.1
        @2    h1.1 ended: exit 0
              h1 finished: succeeded
              h2.1 started                   -> start h2.1
        ",
    );
}

#[test]
fn who_stands_before_is_named() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[]), ("c", &[])]);
    story.at(0).submit();
    let next = Some(JobId { run: RunId(1), index: 1 });
    assert_eq!(story.wait("c"), Some(Wait::Slot { queue: None, busy: 1, slots: 1, ahead: 1, next }));
}

/// A queue that is gone when a run comes to it is the one of the host.
#[test]
fn a_queue_that_is_no_longer_there_is_the_queue_of_the_host() {
    let mut story =
        Story::new(1, &[("a", &[]), ("b", &[])]).each(|leaf| leaf.sharing.queue = Some("gone".into()));
    story.at(0).submit();
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                    -> start a.1
        ",
    );
}

#[test]
fn another_priority_counts_for_jobs_that_wait_already() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).submit().submit().submit();
    story.at(1).prioritise(3, 10);
    story.at(2).prioritise(3, 10); // it has that
    story.at(3).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created
              a queued
        @0    run 3 created
              a queued
        @1    run 3 has priority 10
        @3    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              a.1 started                    -> start a.1 of run 3
        ",
    );
}

#[test]
fn a_run_that_is_held_keeps_its_new_priority_for_later() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).submit().submit().submit();
    story.at(1).pause_run(3);
    story.at(2).prioritise(3, 10);
    story.at(3).resume_run(3);
    story.at(4).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created
              a queued
        @0    run 3 created
              a queued
        @1    run 3 paused by me
        @2    run 3 has priority 10
        @3    run resumed
        @4    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              a.1 started                    -> start a.1 of run 3
        ",
    );
}

#[test]
fn a_job_that_waits_for_too_long_fails_and_is_not_tried_again() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[]), ("c", &[1])]).each(|leaf| {
        leaf.retry = Retry { attempts: 3, ..Retry::default() };
        leaf.timeout_queue = Some(Millis(100));
    });
    story.at(0).submit();
    assert_eq!(story.next_deadline(), 100);
    story.at(100);
    story.at(101).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                    -> start a.1
        @100  b finished: queued for 0.1s
              c finished: skipped, needs b
        @101  a.1 ended: exit 0
              a finished: succeeded
              run finished: failed at b
        ",
    );
}

/// While the run is held nobody is impatient; then it begins again.
#[test]
fn waiting_counts_anew_when_a_held_run_goes_on() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).submit();
    let mut story = story.each(|leaf| leaf.timeout_queue = Some(Millis(100)));
    story.at(10).submit();
    story.at(20).pause_run(2);
    story.at(500).resume_run(2);
    assert_eq!(story.next_deadline(), 600);
    story.at(600);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @10   run 2 created
              a queued
        @20   run 2 paused by me
        @500  run resumed
        @600  a finished: queued for 0.1s
              run 2 finished: failed at a
        ",
    );
}

#[test]
fn a_job_that_needs_much_is_not_passed_again_and_again() {
    let mut machine = Machine::default();
    machine.resources.insert("cpu".into(), 4000);
    let cpu = |amount: u64| [("cpu".to_owned(), amount)].into_iter().collect();
    let mut story = Story::new(9, &[("a", &[]), ("b", &[]), ("large", &[]), ("small", &[]), ("none", &[])])
        .each(|leaf| leaf.sharing.resources = cpu(2000))
        .machine(machine);
    story.leaf(2).sharing.resources = cpu(4000);
    story.leaf(3).sharing.resources = cpu(500);
    story.leaf(4).sharing.resources = cpu(0);
    story.leaf(4).sharing.resources.clear();
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    let large = JobId { run: RunId(1), index: 2 };
    let cpu =
        |wants, kept_for| Wait::Resource { name: "cpu".into(), wants, free: 2000, most: 4000, kept_for };
    assert_eq!(
        (story.wait("large"), story.wait("small")),
        (Some(cpu(4000, None)), Some(cpu(500, Some(large))))
    );
    story.at(2).ends("b.1", code(0));
    story.at(3).ends("large.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              b queued
              large queued
              small queued
              none queued
              a.1 started                    -> start a.1
              b.1 started                    -> start b.1
              none.1 started                 -> start none.1
        @1    a.1 ended: exit 0
              a finished: succeeded
        @2    b.1 ended: exit 0
              b finished: succeeded
              large.1 started                -> start large.1
        @3    large.1 ended: exit 0
              large finished: succeeded
              small.1 started                -> start small.1
        ",
    );
}

/// Else those behind it, which need nothing, would take its slot again and again.
#[test]
fn the_slot_of_a_job_that_lacks_a_resource_is_kept_for_it() {
    let mut machine = Machine::default();
    machine.queues.insert("heavy".into(), 1);
    machine.resources.insert("cpu".into(), 4000);
    let cpu = |amount: u64| [("cpu".to_owned(), amount)].into_iter().collect();
    let mut story = Story::new(1, &[("x", &[]), ("large", &[]), ("small", &[])]).machine(machine);
    story.leaf(0).sharing.queue = Some("heavy".into());
    story.leaf(0).sharing.resources = cpu(3000);
    story.leaf(1).sharing.resources = cpu(2000);
    story.at(0).submit();
    story.at(1).ends("x.1", code(0));
    story.at(2).ends("large.1", code(0));
    story.check(
        "
        @0    run created
              x queued
              large queued
              small queued
              x.1 started                    -> start x.1
        @1    x.1 ended: exit 0
              x finished: succeeded
              large.1 started                -> start large.1
        @2    large.1 ended: exit 0
              large finished: succeeded
              small.1 started                -> start small.1
        ",
    );
}

#[test]
fn nothing_is_admitted_from_a_paused_queue_and_nothing_kept_for_it() {
    let mut machine = Machine::default();
    machine.queues.insert("heavy".into(), 1);
    let mut story = Story::new(1, &[("h", &[]), ("a", &[])])
        .each(|leaf| leaf.sharing.locks = exclusive(&["db"]))
        .machine(machine);
    story.leaf(0).sharing.queue = Some("heavy".into());
    story.at(0).pause_queue("heavy").pause_queue("heavy");
    story.at(1).submit();
    assert!(matches!(story.wait("h"), Some(Wait::QueuePaused { .. })));
    story.at(2).restart();
    story.at(3).resume_queue("heavy");
    story.at(4).ends("a.1", code(0));
    story.check(
        "
        @0    heavy paused by me
        @1    run created
              h queued
              a queued
              a.1 started                    -> start a.1
        @3    heavy resumed
        @4    a.1 ended: exit 0
              a finished: succeeded
              h.1 started                    -> start h.1
        ",
    );
}

#[test]
fn what_only_waits_stands_in_a_queue_too() {
    let mut story = Story::new(1, &[("a", &[])]).approval(0);
    story.at(0).pause_queue("default").submit();
    story.at(1).resume_queue("default");
    story.check(
        "
        @0    default paused by me
        @0    run created
              a queued
        @1    default resumed
              a.1 started                    -> start a.1
        ",
    );
}

#[test]
fn what_neap_yaml_adds_is_given_out_at_once() {
    let mut story =
        Story::new(9, &[("a", &[]), ("b", &[])]).each(|leaf| leaf.sharing.locks = exclusive(&["gpu"]));
    story.at(0).submit();
    let mut machine = Machine::default();
    machine.locks.insert("gpu".into(), 2);
    story.at(1).reload_machine(machine);
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                    -> start a.1
        @1    b.1 started                    -> start b.1
        ",
    );
}

/// A window that slides: the third has to wait until the first is out of it.
#[test]
fn no_more_begin_in_any_stretch_of_time_than_the_rate_allows() {
    let rate = Rate { key: "api".into(), limit: 2, per: Millis(100) };
    let mut story = Story::new(4, &[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])])
        .each(|leaf| leaf.sharing.rate = Some(rate.clone()));
    story.at(0).submit();
    assert_eq!(story.next_deadline(), 100);
    assert_eq!(story.wait("d"), Some(Wait::Rate { rate, until: Moment(100) }));
    story.at(30).ends("a.1", code(0));
    story.at(40).restart();
    story.at(99);
    story.at(100);
    story.check(
        "
        @0    run created
              a queued
              b queued
              c queued
              d queued
              api used
              a.1 started                    -> start a.1
              api used
              b.1 started                    -> start b.1
        @30   a.1 ended: exit 0
              a finished: succeeded
        @100  api used
              c.1 started                    -> start c.1
              api used
              d.1 started                    -> start d.1
        ",
    );
}

/// Each try counts. Who waits for its rate keeps no lock and no slot from those behind.
#[test]
fn who_waits_for_its_rate_keeps_nobody_else_waiting() {
    let mut story = Story::new(1, &[("slow", &[]), ("free", &[])]);
    story.leaf(0).sharing.rate = Some(Rate { key: "api".into(), limit: 1, per: Millis(1000) });
    story.leaf(0).retry = Retry { attempts: 2, delay: Millis(5), ..Retry::default() };
    story.leaf(1).sharing.locks = exclusive(&["db"]);
    story.at(0).submit();
    story.at(10).ends("slow.1", code(1));
    story.at(20).ends("free.1", code(0));
    story.at(1000);
    story.check(
        "
        @0    run created
              slow queued
              free queued
              api used
              slow.1 started                 -> start slow.1
        @10   slow.1 ended: exit 1
              slow tries again @15
              free.1 started                 -> start free.1
        @20   slow queued
        @20   free.1 ended: exit 0
              free finished: succeeded
        @1000 api used
              slow.2 started                 -> start slow.2
        ",
    );
}
