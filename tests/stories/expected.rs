//! Stories of runs that do not start or end when they should have.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::Expect;

fn expect(started: u64, finished: u64, duration: u64) -> Expect {
    let some = |limit: u64| (limit > 0).then_some(Millis(limit));
    Expect { started_within: some(started), finished_within: some(finished), max_duration: some(duration) }
}

#[test]
fn a_run_that_waits_for_too_long_is_late_and_goes_on() {
    let mut story = Story::new(1, &[("a", &[])]).expect(expect(100, 300, 0));
    story.at(0).submit().submit();
    assert_eq!(story.next_deadline(), 100);
    story.at(100);
    story.at(200).ends_in_run(1, "a.1", code(0));
    story.at(300);
    story.at(310).ends_in_run(2, "a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @0    run 2 created
              a queued
        @100  run 2 late: started_within 100
        @200  a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              a.1 started                        -> start a.1 of run 2
        @300  run 2 late: finished_within 300
        @310  a.1 ended: exit 0
              a finished: succeeded
              run 2 finished: succeeded
        ",
    );
}

#[test]
fn a_run_that_takes_too_long_is_told_of_once_whatever_its_jobs_do() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[0])]).expect(expect(0, 0, 50));
    story.at(0).submit().pause();
    story.at(40).ends("a.1", code(0));
    story.at(50);
    story.at(60).restart();
    story.at(70).resume();
    story.at(200).ends("b.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @0    run paused by me
        @40   a.1 ended: exit 0
              a finished: succeeded
              b queued
        @50   run late: max_duration 50
        @70   run resumed
              b.1 started                        -> start b.1
        @200  b.1 ended: exit 0
              b finished: succeeded
              run finished: succeeded
        ",
    );
}

#[test]
fn what_ends_while_nobody_looked_was_late_all_the_same() {
    let mut story = Story::new(1, &[("a", &[])]).expect(expect(0, 100, 0));
    story.at(0).submit();
    story.wakes_at(150).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @150  run late: finished_within 100
              a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
        ",
    );
}

/// It counts from the slot, and not from the moment at which a host could act on it.
#[test]
fn a_slot_that_is_dealt_with_late_is_late() {
    let mut story = Story::new(1, &[("a", &[])]).expect(expect(50, 0, 0));
    story.at(1000).schedule_every(2000);
    story.at(2070);
    story.check(
        "
        @1000 armed t
        @2070 run created for @2000
              run late: started_within 50
              a queued
              a.1 started                        -> start a.1
        ",
    );
}

#[test]
fn a_run_is_compared_with_earlier_ones_once_it_has_gone_on_for_a_while() {
    let mut story = Story::new(1, &[("a", &[])]).with_recalls();
    story.at(0).submit();
    assert_eq!(story.next_deadline(), 10_000);
    story.at(10_000);
    story.at(10_010).recalls(Some(15_000));
    assert_eq!(story.next_deadline(), 15_000);
    // The next host asks again.
    story.at(11_000).restart();
    story.at(12_000).recalls(Some(15_000));
    story.at(15_000);
    story.at(16_000).restart().recalls(Some(15_500));
    story.at(40_000).ends("a.1", code(0));
    story.at(40_000).recalls(Some(1));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @10000 -> recall run
        @11000 -> recall run
        @15000 run late: usual 15000
        @40000 a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
        ",
    );
}

#[test]
fn what_is_over_soon_is_compared_with_nothing() {
    let mut story = Story::new(1, &[("a", &[])]).with_recalls();
    story.at(0).submit();
    story.at(9_999).ends("a.1", code(0));
    story.at(20_000);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @9999 a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
        ",
    );
}
