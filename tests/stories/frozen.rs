//! Jobs that are frozen where they stand.

use super::told::{Story, code};
use neap::base::Millis;

fn slow() -> Story {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[0])]);
    story.leaf(0).timeout = Some(Millis(100));
    story
}

#[test]
fn the_time_limit_of_a_frozen_job_stands_still() {
    let mut story = slow();
    story.at(0).submit();
    story.at(60).freezes("a");
    story.at(5_000);
    story.at(10_000).thaws("a");
    assert_eq!(story.next_deadline(), 10_040, "it had 40 left");
    story.at(10_040);
    story.at(10_041).ends("a.1", code(143));
    story.check(
        "
        @0     run created
               a queued
               a.1 started                          -> start a.1
        @60    a.1 frozen                           -> freeze a.1
        @10000 a.1 goes on                          -> thaw a.1
        @10040 a.1 stopping: TimedOut              -> stop a.1, grace 30
        @10041 a.1 ended: exit 143
               a finished: timed out
               b finished: skipped, needs a
               run finished: failed at a
        ",
    );
}

#[test]
fn a_frozen_job_can_be_cancelled_and_keeps_its_slot() {
    let mut story = slow();
    story.at(0).submit();
    story.at(10).freezes("a");
    story.at(11).submit();
    story.at(20).cancel();
    story.at(21).ends("a.1", code(143));
    story.check(
        "
        @0     run created
               a queued
               a.1 started                          -> start a.1
        @10    a.1 frozen                           -> freeze a.1
        @11    run 2 created
               a queued
        @20    run cancelled by me
               a.1 stopping: Cancelled              -> stop a.1, grace 30
               b finished: cancelled
        @21    a.1 ended: exit 143
               a finished: cancelled
               run finished: cancelled
               a.1 started                          -> start a.1 of run 2
        ",
    );
}

/// A wish that comes twice, or for something that does not run, changes nothing.
#[test]
fn only_what_runs_is_frozen_and_only_once() {
    let mut story = slow();
    story.at(0).submit();
    story.at(1).freezes("b");
    story.at(2).thaws("a");
    story.at(3).freezes("a");
    story.at(4).freezes("a");
    story.at(5).ends("a.1", code(0));
    story.check(
        "
        @0     run created
               a queued
               a.1 started                          -> start a.1
        @3     a.1 frozen                           -> freeze a.1
        @5     a.1 ended: exit 0
               a finished: succeeded
               b queued
               b.1 started                          -> start b.1
        ",
    );
}

/// The order to freeze may have died with the host.
#[test]
fn a_frozen_job_that_survives_is_frozen_again() {
    let mut story = slow();
    story.at(0).submit();
    story.at(60).freezes("a");
    story.at(100).restart();
    story.at(5_000).survives("a.1");
    story.at(9_000).thaws("a");
    assert_eq!(story.next_deadline(), 9_040);
    story.check(
        "
        @0     run created
               a queued
               a.1 started                          -> start a.1
        @60    a.1 frozen                           -> freeze a.1
        @5000                                       -> freeze a.1
        @9000  a.1 goes on                          -> thaw a.1
        ",
    );
}

/// No sign of life counts only of what runs, and only as long as nothing else has stopped it.
#[test]
fn a_stalled_job_is_stopped_unless_it_is_frozen_or_stopped_already() {
    let mut story = slow();
    story.at(0).submit();
    story.at(10).freezes("a");
    story.at(20).stalls("a.1");
    story.at(30).thaws("a");
    story.at(40).stalls("a.1");
    story.at(41).stalls("a.1");
    story.at(42).cancel();
    story.at(50).ends("a.1", code(143));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @10 a.1 frozen                           -> freeze a.1
        @30 a.1 goes on                          -> thaw a.1
        @40 a.1 stopping: Stalled                -> stop a.1, grace 30
        @42 run cancelled by me
            b finished: cancelled
        @50 a.1 ended: exit 143
            a finished: stalled
            run finished: failed at a
        ",
    );
}
