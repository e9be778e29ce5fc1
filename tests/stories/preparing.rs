//! What is found out about a job between its needs and its start.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::{Action, Leaf};
use neap::engine::{Cause, Preparation, Skip, Wait};
use std::sync::Arc;

fn one() -> Story {
    Story::new(1, &[("a", &[]), ("b", &[0])]).open(0)
}

#[test]
fn what_is_open_is_found_out_before_a_slot_is_wanted() {
    let mut story = one();
    story.at(0).submit();
    assert_eq!(story.wait("a"), Some(Wait::Preparation));
    story.at(1).ready("a");
    story.at(2).ready("a"); // twice is once
    story.at(3).ends("a.1", code(0));
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a prepared
            a queued
            a.1 started                          -> start a.1
        @3  a.1 ended: exit 0
            a finished: succeeded
            b queued
            b.1 started                          -> start b.1
        ",
    );
}

#[test]
fn a_condition_that_is_false_is_no_obstacle() {
    let mut story = one();
    story.at(0).submit();
    story.at(1).prepared("a", Preparation::Skip(Skip::Condition { text: "is_monday".into() }));
    story.at(2).cells("a", 3); // too late
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a finished: skipped, not is_monday
            b queued
            b.1 started                          -> start b.1
        ",
    );
}

#[test]
fn what_is_up_to_date_counts_as_a_success() {
    let mut story = one().rule(1, neap::definition::Rule::AnySucceeded);
    story.at(0).submit();
    story
        .at(1)
        .prepared("a", Preparation::Fresh { reason: "inputs unchanged".into(), outputs: Default::default() });
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a finished: skipped, inputs unchanged
            b queued
            b.1 started                          -> start b.1
        ",
    );
}

#[test]
fn a_precondition_that_does_not_hold_is_a_failure_and_is_not_tried_again() {
    let mut story = one();
    story.leaf(0).retry.attempts = 3;
    story.at(0).submit();
    let message = "build it first".to_owned();
    story.at(1).prepared("a", Preparation::Fail(Cause::Precondition { message }));
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a finished: precondition: build it first
            b finished: skipped, needs a
            run finished: failed at a
        ",
    );
}

#[test]
fn a_failed_preparation_has_nothing_to_tidy_up() {
    let mut story = one();
    story.leaf(0).cleanup = vec![neap::definition::Cleanup::Remove { path: "scratch".into() }];
    story.at(0).submit();
    story.at(1).prepared("a", Preparation::Fail(Cause::Unprepared { message: "no such output".into() }));
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a finished: unprepared: no such output
            b finished: skipped, needs a
            run finished: failed at a
        ",
    );
}

#[test]
fn a_preparation_that_takes_too_long_is_a_failure() {
    let mut story = one();
    story.at(0).submit();
    assert_eq!(story.next_deadline(), 600_000);
    story.at(599_999);
    story.at(600_000);
    story.at(600_001).ready("a"); // too late
    story.check(
        "
        @0       run created
                 a preparing                     -> prepare a
        @600000  a finished: unprepared: what it needs to know before its start was not found out in time
                 b finished: skipped, needs a
                 run finished: failed at a
        ",
    );
}

#[test]
fn a_cancel_ends_a_preparation_and_what_it_finds_comes_too_late() {
    let mut story = one();
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).ready("a");
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  run cancelled by me
            a finished: cancelled
            b finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn after_a_restart_it_is_found_out_again() {
    let mut story = one();
    story.at(0).submit();
    story.at(1).restart();
    story.at(2).ready("a");
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  -> prepare a
        @2  a prepared
            a queued
            a.1 started                          -> start a.1
        ",
    );
}

#[test]
fn a_paused_run_is_prepared_and_starts_nothing() {
    let mut story = one();
    story.at(0).submit();
    story.at(1).pause();
    story.at(2).ready("a");
    story.at(3).resume();
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  run paused by me
        @2  a prepared
            a queued
        @3  run resumed
            a.1 started                          -> start a.1
        ",
    );
}

#[test]
fn a_paused_run_holds_what_needs_no_slot_as_well() {
    let mut story = Story::new(1, &[("a", &[])]).open(0).approval(0);
    story.at(0).submit();
    story.at(1).pause();
    story.at(2).ready("a");
    assert!(matches!(story.wait("a"), Some(Wait::Paused(_))));
    story.at(3).resume();
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  run paused by me
        @2  a prepared
            a queued
        @3  run resumed
            a.1 started                          -> start a.1
        ",
    );
}

#[test]
fn what_was_found_out_replaces_what_was_written() {
    let mut story = one();
    story.at(0).submit();
    let name = neap::base::TaskName::new("a").unwrap();
    let plain = Leaf::new(name, Action::Exec { argv: vec!["true".into()] });
    let leaf = Leaf { timeout: Some(Millis(5)), is_templated: true, ..plain };
    story
        .at(1)
        .prepared("a", Preparation::Ready { leaf: Some(Arc::new(leaf)), params: None, fingerprint: None });
    story.at(6);
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a prepared
            a queued
            a.1 started                          -> start a.1
        @6  a.1 stopping: TimedOut               -> stop a.1, grace 10000
        ",
    );
}

#[test]
fn parameters_that_are_known_late_are_found_out_too() {
    let mut story = Story::new(1, &[("a", &[])]).late(0);
    story.at(0).submit();
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        ",
    );
}

#[test]
fn what_waits_for_a_preparation_is_told_when_it_fails() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[]), ("c", &[0])])
        .open(0)
        .whens(2, &[neap::definition::When::Failed]);
    story.at(0).submit();
    story.at(1).prepared("a", Preparation::Fail(Cause::Unprepared { message: "no such output".into() }));
    story.at(2).ends("b.1", code(0));
    story.at(3).ends("c.1", code(0));
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
            b queued
            b.1 started                          -> start b.1
        @1  a finished: unprepared: no such output
            c queued
        @2  b.1 ended: exit 0
            b finished: succeeded
            c.1 started                          -> start c.1
        @3  c.1 ended: exit 0
            c finished: succeeded
            run finished: failed at a
        ",
    );
}
