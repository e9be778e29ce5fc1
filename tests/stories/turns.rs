//! Runs that take turns.

use super::told::{Story, code};
use neap::base::{RunId, TaskName};
use neap::definition::{GroupName, OnConflict, Rule, RunGroup};
use neap::engine::Wait;

fn group(name: &str, limit: u32, on_conflict: OnConflict) -> RunGroup {
    RunGroup { name: GroupName::Named(name.into()), limit, on_conflict }
}

fn story(on_conflict: OnConflict) -> Story {
    Story::new(9, &[("a", &[])]).groups(vec![group("deploy", 1, on_conflict)])
}

#[test]
fn more_runs_than_may_go_on_wait_as_a_whole_and_in_order() {
    let name = GroupName::Task(TaskName::new("t").unwrap());
    let limit = RunGroup { name: name.clone(), limit: 1, on_conflict: OnConflict::Queue };
    let mut story = Story::new(9, &[("a", &[])]).groups(vec![limit]);
    story.at(0).submit().submit().submit();
    let wait = Wait::Turn { group: name, limit: 1, going: vec![RunId(1)], ahead: 1 };
    assert_eq!(story.wait_in_run(3, "a"), Some(wait));
    story.at(5).ends("a.1", code(0));
    story.at(6).ends_in_run(2, "a.1", code(1));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created, waits
        @0    run 3 created, waits
        @5    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              run 2 begins
              a queued
              a.1 started                    -> start a.1 of run 2
        @6    a.1 ended: exit 1
              a finished: exit 1
              run 2 finished: failed at a
              run 3 begins
              a queued
              a.1 started                    -> start a.1 of run 3
        ",
    );
}

#[test]
fn a_run_that_is_one_too_many_is_not_created() {
    for (on_conflict, word) in [(OnConflict::Skip, "skipped"), (OnConflict::Fail, "an error")] {
        let mut story = story(on_conflict);
        story.at(0).submit().submit();
        story.at(1).ends("a.1", code(0));
        story.at(2).submit();
        story.check(&format!(
            "
            @0    run created
                  a queued
                  a.1 started                    -> start a.1
            @0    t refused because of run 1: {word}
            @1    a.1 ended: exit 0
                  a finished: succeeded
                  run finished: succeeded
            @2    run 2 created
                  a queued
                  a.1 started                    -> start a.1 of run 2
            "
        ));
    }
}

#[test]
fn a_slot_of_a_schedule_is_skipped_for_the_same_reason() {
    let mut story = story(OnConflict::Skip);
    story.at(0).submit();
    story.at(500).schedule_allowing(1000);
    story.at(1000);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @500  armed t
        @1000 slot @1000 skipped: no room beside run 1
        ",
    );
}

#[test]
fn a_new_run_cancels_the_one_that_goes_on_and_begins_when_it_has_ended() {
    let mut story = story(OnConflict::CancelRunning);
    story.at(0).submit();
    story.at(1).submit();
    story.at(2).submit();
    story.at(9).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @1    run 2 created, waits
              run cancelled by me
              a.1 stopping: Cancelled        -> stop a.1, grace 30
        @2    run 3 created, waits
              run 2 cancelled by me
              a finished: cancelled
              run 2 finished: cancelled
        @9    a.1 ended: exit 0
              a finished: cancelled
              run finished: cancelled
              run 3 begins
              a queued
              a.1 started                    -> start a.1 of run 3
        ",
    );
}

#[test]
fn only_the_newest_waits_where_others_are_replaced() {
    let mut story = story(OnConflict::ReplacePending);
    story.at(0).submit().submit();
    story.at(1).submit();
    story.at(2).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created, waits
        @1    run 3 created, waits
              run 2 cancelled by me
              a finished: cancelled
              run 2 finished: cancelled
        @2    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              run 3 begins
              a queued
              a.1 started                    -> start a.1 of run 3
        ",
    );
}

/// What runs whatever happens has nothing to tidy up after a run that never began.
#[test]
fn a_run_that_is_cancelled_before_its_turn_does_nothing_at_all() {
    let mut story = Story::new(9, &[("a", &[]), ("always", &[0])]).rule(1, Rule::Always).groups(vec![group(
        "deploy",
        1,
        OnConflict::Queue,
    )]);
    story.at(0).submit().submit();
    story.at(1).cancel_run(2);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created, waits
        @1    run 2 cancelled by me
              always finished: cancelled
              a finished: cancelled
              run 2 finished: cancelled
        ",
    );
}

#[test]
fn a_run_still_waits_for_its_turn_after_a_restart() {
    let mut story = story(OnConflict::Queue);
    story.at(0).submit().submit();
    story.at(1).restart();
    story.at(2).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created, waits
        @2    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              run 2 begins
              a queued
              a.1 started                    -> start a.1 of run 2
        ",
    );
}

#[test]
fn a_run_that_is_paused_lets_the_next_one_pass() {
    let mut story = story(OnConflict::Queue);
    story.at(0).submit().submit().submit();
    story.at(1).pause_run(2);
    story.at(2).ends("a.1", code(0));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                    -> start a.1
        @0    run 2 created, waits
        @0    run 3 created, waits
        @1    run 2 paused by me
        @2    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              run 3 begins
              a queued
              a.1 started                    -> start a.1 of run 3
        ",
    );
}
