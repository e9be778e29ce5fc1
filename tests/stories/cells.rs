//! Jobs that become many.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::{Hook, OnHookError, Retry, Rule};
use neap::engine::{Answer, Exit, Preparation, Question, Skip, Wait};

fn many(slots: usize, max_parallel: Option<u32>, fail_fast: bool) -> Story {
    Story::new(slots, &[("m", &[]), ("next", &[0])]).spread(0, max_parallel, fail_fast)
}

#[test]
fn two_of_five_go_on_at_once() {
    let mut story = many(4, Some(2), true);
    story.at(0).submit();
    story.at(1).cells("m", 5);
    assert_eq!(story.wait("m"), Some(Wait::Cells { open: 5 }));
    assert_eq!(story.wait("m-3"), Some(Wait::Siblings { at_once: 2 }));
    story.at(2).ends("m-2.1", code(0));
    story.at(3).ends("m-1.1", code(0));
    story.at(4).ends("m-3.1", code(0));
    story.at(5).ends("m-4.1", code(0));
    story.at(6).ends("m-5.1", code(0));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2 m-3 m-4 m-5
            m-1 queued
            m-2 queued
            m-1.1 started                        -> start m-1.1
            m-2.1 started                        -> start m-2.1
        @2  m-2.1 ended: exit 0
            m-2 finished: succeeded
            m-3 queued
            m-3.1 started                        -> start m-3.1
        @3  m-1.1 ended: exit 0
            m-1 finished: succeeded
            m-4 queued
            m-4.1 started                        -> start m-4.1
        @4  m-3.1 ended: exit 0
            m-3 finished: succeeded
            m-5 queued
            m-5.1 started                        -> start m-5.1
        @5  m-4.1 ended: exit 0
            m-4 finished: succeeded
        @6  m-5.1 ended: exit 0
            m-5 finished: succeeded
            m finished: succeeded
            next queued
            next.1 started                       -> start next.1
        ",
    );
}

#[test]
fn without_a_limit_the_slots_are_the_limit() {
    let mut story = many(1, None, true);
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).ends("m-1.1", code(0));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-2 queued
            m-1.1 started                        -> start m-1.1
        @2  m-1.1 ended: exit 0
            m-1 finished: succeeded
            m-2.1 started                        -> start m-2.1
        ",
    );
}

#[test]
fn the_first_failure_stops_the_others() {
    let mut story = many(2, Some(3), true);
    story.at(0).submit();
    story.at(1).cells("m", 5); // two run, one is queued, two wait
    story.at(2).ends("m-2.1", code(1));
    story.at(3).ends("m-1.1", code(143));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2 m-3 m-4 m-5
            m-1 queued
            m-2 queued
            m-3 queued
            m-1.1 started                        -> start m-1.1
            m-2.1 started                        -> start m-2.1
        @2  m-2.1 ended: exit 1
            m-2 finished: exit 1
            m-1.1 stopping: not needed after m-2 -> stop m-1.1, grace 30
            m-3 finished: skipped, not needed after m-2
            m-4 finished: skipped, not needed after m-2
            m-5 finished: skipped, not needed after m-2
        @3  m-1.1 ended: exit 143
            m-1 finished: skipped, not needed after m-2
            m finished: cell m-2 failed
            next finished: skipped, needs m
            run finished: failed at m-2
        ",
    );
}

#[test]
fn a_failure_stops_nothing_when_it_need_not() {
    let mut story = many(2, Some(1), false);
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).ends("m-1.1", code(1));
    story.at(3).ends("m-2.1", code(0));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-1.1 started                        -> start m-1.1
        @2  m-1.1 ended: exit 1
            m-1 finished: exit 1
            m-2 queued
            m-2.1 started                        -> start m-2.1
        @3  m-2.1 ended: exit 0
            m-2 finished: succeeded
            m finished: cell m-1 failed
            next finished: skipped, needs m
            run finished: failed at m-1
        ",
    );
}

#[test]
fn a_failure_that_does_not_count_stops_nothing() {
    let mut story = many(2, Some(1), true);
    story.leaf(0).continue_on_error = true;
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).ends("m-1.1", code(1));
    story.at(3).ends("m-2.1", code(0));
    story.at(4).ends("next.1", code(0));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-1.1 started                        -> start m-1.1
        @2  m-1.1 ended: exit 1
            m-1 finished: exit 1
            m-2 queued
            m-2.1 started                        -> start m-2.1
        @3  m-2.1 ended: exit 0
            m-2 finished: succeeded
            m finished: cell m-1 failed
            next queued
            next.1 started                       -> start next.1
        @4  next.1 ended: exit 0
            next finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn a_cell_is_tried_again_before_its_failure_counts() {
    let mut story = many(2, None, true);
    story.leaf(0).retry = Retry { attempts: 2, delay: Millis(10), ..Retry::default() };
    story.at(0).submit();
    story.at(1).cells("m", 1);
    story.at(2).ends("m-1.1", code(1));
    story.at(12).ends("m-1.2", code(0));
    story.check(
        "
        @0   run created
             m preparing                         -> prepare m
        @1   m spread: m-1
             m-1 queued
             m-1.1 started                       -> start m-1.1
        @2   m-1.1 ended: exit 1
             m-1 tries again @12
        @12  m-1 queued
             m-1.2 started                       -> start m-1.2
        @12  m-1.2 ended: exit 0
             m-1 finished: succeeded
             m finished: succeeded
             next queued
             next.1 started                      -> start next.1
        ",
    );
}

#[test]
fn after_the_first_failure_no_cell_is_tried_again() {
    let mut story = many(2, None, true);
    story.leaf(0).retry = Retry { attempts: 2, not_on_exit: vec![9], ..Retry::default() };
    story.leaf(0).timeout = Some(Millis(10));
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(11);
    story.at(12).ends("m-2.1", code(143));
    story.at(1012);
    story.at(1013).ends("m-2.2", code(9)); // m-1 is still being stopped, because of its timeout
    story.at(1014).ends("m-1.1", code(143));
    story.check(
        "
        @0     run created
               m preparing                       -> prepare m
        @1     m spread: m-1 m-2
               m-1 queued
               m-2 queued
               m-1.1 started                     -> start m-1.1
               m-2.1 started                     -> start m-2.1
        @11    m-1.1 stopping: TimedOut          -> stop m-1.1, grace 30
               m-2.1 stopping: TimedOut          -> stop m-2.1, grace 30
        @12    m-2.1 ended: exit 143
               m-2 tries again @1012
        @1012  m-2 queued
               m-2.2 started                     -> start m-2.2
        @1013  m-2.2 ended: exit 9
               m-2 finished: exit 9
        @1014  m-1.1 ended: exit 143
               m-1 finished: skipped, not needed after m-2
               m finished: cell m-2 failed
               next finished: skipped, needs m
               run finished: failed at m-2
        ",
    );
}

#[test]
fn after_the_first_failure_an_answer_starts_nothing() {
    let mut story = many(2, None, true);
    story.leaf(0).retry = Retry { attempts: 2, not_on_exit: vec![9], ..Retry::default() };
    story.leaf(0).hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }];
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).answers("m-1.1", Question::Before, Answer::NoOpinion);
    story.at(3).answers("m-2.1", Question::Before, Answer::NoOpinion);
    story.at(4).ends("m-1.1", code(1));
    story.at(5).ends("m-2.1", code(9));
    story.at(6).answers("m-2.1", Question::Retry, Answer::NoOpinion);
    story.at(7).cleaned("m-2");
    story.at(8).answers("m-1.1", Question::Retry, Answer::Again { delay: None, reason: None });
    story.at(9).cleaned("m-1");
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-2 queued
            m-1.1 admitted                       -> ask m-1.1 Before
            m-2.1 admitted                       -> ask m-2.1 Before
        @2  m-1.1 started                        -> start m-1.1
        @3  m-2.1 started                        -> start m-2.1
        @4  m-1.1 ended: exit 1
            m-1.1 asks Retry                     -> ask m-1.1 Retry
        @5  m-2.1 ended: exit 9
            m-2.1 asks Retry                     -> ask m-2.1 Retry
        @6  m-2 tidies up                        -> clean m-2
        @7  m-2 finished: exit 9
        @8  m-1 tidies up                        -> clean m-1
        @9  m-1 finished: skipped, not needed after m-2
            m finished: cell m-2 failed
            next finished: skipped, needs m
            run finished: failed at m-2
        ",
    );
}

#[test]
fn no_cells_are_nothing_to_do() {
    let mut story = many(1, None, true);
    story.at(0).submit();
    story.at(1).cells("m", 0);
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m finished: skipped, there are no items
            next queued
            next.1 started                       -> start next.1
        ",
    );
}

#[test]
fn a_job_whose_cells_had_nothing_to_do_had_nothing_to_do() {
    let mut story = many(1, None, true);
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).ends("m-1.1", Exit::Skipped { reason: "no rows".into() });
    story.at(3).ends("m-2.1", Exit::Skipped { reason: "no columns".into() });
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-2 queued
            m-1.1 started                        -> start m-1.1
        @2  m-1.1 ended: skipped: no rows
            m-1 finished: skipped, no rows
            m-2.1 started                        -> start m-2.1
        @3  m-2.1 ended: skipped: no columns
            m-2 finished: skipped, no columns
            m finished: skipped, no rows
            next queued
            next.1 started                       -> start next.1
        ",
    );
}

#[test]
fn a_cell_of_many_that_had_nothing_to_do_changes_nothing() {
    let mut story = many(1, None, true);
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).ends("m-1.1", Exit::Skipped { reason: "no rows".into() });
    story.at(3).ends("m-2.1", code(0));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-2 queued
            m-1.1 started                        -> start m-1.1
        @2  m-1.1 ended: skipped: no rows
            m-1 finished: skipped, no rows
            m-2.1 started                        -> start m-2.1
        @3  m-2.1 ended: exit 0
            m-2 finished: succeeded
            m finished: succeeded
            next queued
            next.1 started                       -> start next.1
        ",
    );
}

#[test]
fn what_is_open_about_a_cell_is_found_out_when_its_turn_comes() {
    let mut story = many(2, Some(1), false).open(0);
    story.at(0).submit();
    story.at(1).cells("m", 3);
    story.at(2).ready("m-1");
    story.at(3).ends("m-1.1", code(0));
    story.at(4).prepared("m-2", Preparation::Skip(Skip::Condition { text: "item.ok".into() }));
    story
        .at(5)
        .prepared("m-3", Preparation::Fail(neap::engine::Cause::Unprepared { message: "no item".into() }));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2 m-3
            m-1 preparing                        -> prepare m-1
        @2  m-1 prepared
            m-1 queued
            m-1.1 started                        -> start m-1.1
        @3  m-1.1 ended: exit 0
            m-1 finished: succeeded
            m-2 preparing                        -> prepare m-2
        @4  m-2 finished: skipped, not item.ok
            m-3 preparing                        -> prepare m-3
        @5  m-3 finished: unprepared: no item
            m finished: cell m-3 failed
            next finished: skipped, needs m
            run finished: failed at m-3
        ",
    );
}

#[test]
fn a_cancel_between_cells_ends_those_that_wait() {
    let mut story = many(2, Some(1), false);
    story.at(0).submit();
    story.at(1).cells("m", 3);
    story.at(2).ends("m-1.1", code(0));
    story.at(3).cancel();
    story.at(4).ends("m-2.1", code(143));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2 m-3
            m-1 queued
            m-1.1 started                        -> start m-1.1
        @2  m-1.1 ended: exit 0
            m-1 finished: succeeded
            m-2 queued
            m-2.1 started                        -> start m-2.1
        @3  run cancelled by me
            next finished: cancelled
            m-2.1 stopping: Cancelled            -> stop m-2.1, grace 30
            m-3 finished: cancelled
        @4  m-2.1 ended: exit 143
            m-2 finished: cancelled
            m finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn a_cancel_before_any_cell_starts_ends_all() {
    let mut story = many(1, Some(1), true);
    story.at(0).submit();
    story.at(1).pause();
    story.at(2).cells("m", 2);
    story.at(3).cancel();
    story.at(4).cells("m", 2); // too late
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  run paused by me
        @2  m spread: m-1 m-2
            m-1 queued
        @3  run cancelled by me
            next finished: cancelled
            m-1 finished: cancelled
            m-2 finished: cancelled
            m finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn after_a_restart_the_cells_are_still_there() {
    let mut story = many(2, Some(1), true).open(0);
    story.leaf(0).retry = Retry { attempts: 2, delay: Millis(10), ..Retry::default() };
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).restart();
    story.at(3).ready("m-1");
    story.at(4).restart();
    story.at(4).ends("m-1.1", Exit::Lost);
    story.at(14).ends("m-1.2", code(0));
    story.at(15).ready("m-2");
    story.at(16).ends("m-2.1", code(0));
    story.check(
        "
        @0   run created
             m preparing                         -> prepare m
        @1   m spread: m-1 m-2
             m-1 preparing                       -> prepare m-1
        @2   -> prepare m-1
        @3   m-1 prepared
             m-1 queued
             m-1.1 started                       -> start m-1.1
        @4   m-1.1 ended: lost
             m-1 tries again @14
        @14  m-1 queued
             m-1.2 started                       -> start m-1.2
        @14  m-1.2 ended: exit 0
             m-1 finished: succeeded
             m-2 preparing                       -> prepare m-2
        @15  m-2 prepared
             m-2 queued
             m-2.1 started                       -> start m-2.1
        @16  m-2.1 ended: exit 0
             m-2 finished: succeeded
             m finished: succeeded
             next queued
             next.1 started                      -> start next.1
        ",
    );
}

#[test]
fn the_failure_that_came_first_is_the_one_that_is_named() {
    let mut story = many(2, None, false);
    story.at(0).submit();
    story.at(1).cells("m", 2);
    story.at(2).ends("m-2.1", code(2));
    story.at(3).ends("m-1.1", code(1));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2
            m-1 queued
            m-2 queued
            m-1.1 started                        -> start m-1.1
            m-2.1 started                        -> start m-2.1
        @2  m-2.1 ended: exit 2
            m-2 finished: exit 2
        @3  m-1.1 ended: exit 1
            m-1 finished: exit 1
            m finished: cell m-2 failed
            next finished: skipped, needs m
            run finished: failed at m-2
        ",
    );
}

#[test]
fn cells_that_run_whatever_happens_all_run_in_a_cancelled_run() {
    let mut story = many(1, Some(1), false).rule(0, Rule::Always);
    story.at(0).submit();
    story.at(1).cells("m", 3);
    story.at(2).cancel();
    story.at(3).ends("m-1.1", code(0));
    story.at(4).ends("m-2.1", code(0));
    story.at(5).cancel_now();
    story.at(6).ends("m-3.1", code(137));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  m spread: m-1 m-2 m-3
            m-1 queued
            m-1.1 started                        -> start m-1.1
        @2  run cancelled by me
            next finished: cancelled
        @3  m-1.1 ended: exit 0
            m-1 finished: succeeded
            m-2 queued
            m-2.1 started                        -> start m-2.1
        @4  m-2.1 ended: exit 0
            m-2 finished: succeeded
            m-3 queued
            m-3.1 started                        -> start m-3.1
        @5  m-3.1 stopping: Cancelled            -> stop m-3.1, grace 0
        @6  m-3.1 ended: exit 137
            m-3 finished: cancelled
            m finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn a_second_cancel_lets_no_further_cell_go() {
    let mut story = many(1, Some(1), false).rule(0, Rule::Always);
    story.at(0).submit();
    story.at(1).pause();
    story.at(2).cells("m", 2); // held, so they are queued or wait
    story.at(3).cancel();
    story.at(4).cancel_now();
    story.at(5).ends("m-1.1", code(143));
    story.check(
        "
        @0  run created
            m preparing                          -> prepare m
        @1  run paused by me
        @2  m spread: m-1 m-2
            m-1 queued
        @3  run cancelled by me
            next finished: cancelled
            m-1.1 started                        -> start m-1.1
        @4  m-1.1 stopping: Cancelled            -> stop m-1.1, grace 0
            m-2 finished: cancelled
        @5  m-1.1 ended: exit 143
            m-1 finished: cancelled
            m finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn what_is_not_waited_for_any_more_is_no_cell() {
    let mut story = Story::new(3, &[("a", &[]), ("b", &[]), ("m", &[0, 1]), ("next", &[2])])
        .rule(2, Rule::AnySucceeded)
        .spread(2, Some(1), false);
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).cells("m", 2);
    story.at(3).ends("b.1", code(0));
    assert_eq!(story.wait("m"), Some(Wait::Cells { open: 2 }));
    story.at(4).ends("m-1.1", code(0));
    story.at(5).ends("m-2.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 0
            a finished: succeeded
            m preparing                          -> prepare m
        @2  m spread: m-1 m-2
            m-1 queued
            m-1.1 started                        -> start m-1.1
        @3  b.1 ended: exit 0
            b finished: succeeded
        @4  m-1.1 ended: exit 0
            m-1 finished: succeeded
            m-2 queued
            m-2.1 started                        -> start m-2.1
        @5  m-2.1 ended: exit 0
            m-2 finished: succeeded
            m finished: succeeded
            next queued
            next.1 started                       -> start next.1
        ",
    );
}
