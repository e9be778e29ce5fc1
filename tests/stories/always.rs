//! Jobs that run whatever happens.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::{Hook, OnHookError, Retry, Rule};
use neap::engine::{Answer, Exit, Question};

/// Two jobs in a row, one that tidies up after both, and one that reports that.
fn with_end() -> Story {
    Story::new(2, &[("a", &[]), ("b", &[0]), ("end", &[0, 1]), ("tell", &[2])])
        .rule(2, Rule::Always)
        .rule(3, Rule::Always)
}

#[test]
fn after_a_success_they_run() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("b.1", code(0));
    story.at(3).ends("end.1", code(0));
    story.at(4).ends("tell.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  a.1 ended: exit 0
            a finished: succeeded
            b queued
            b.1 started                          -> start b.1
        @2  b.1 ended: exit 0
            b finished: succeeded
            end queued
            end.1 started                        -> start end.1
        @3  end.1 ended: exit 0
            end finished: succeeded
            tell queued
            tell.1 started                       -> start tell.1
        @4  tell.1 ended: exit 0
            tell finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn after_a_failure_they_run() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.at(2).ends("end.1", code(1));
    story.at(3).ends("tell.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  a.1 ended: exit 1
            a finished: exit 1
            b finished: skipped, needs a
            end queued
            end.1 started                        -> start end.1
        @2  end.1 ended: exit 1
            end finished: exit 1
            tell queued
            tell.1 started                       -> start tell.1
        @3  tell.1 ended: exit 0
            tell finished: succeeded
            run finished: failed at a
        ",
    );
}

#[test]
fn after_a_cancel_they_run_when_what_they_wait_for_has_ended() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).ends("a.1", code(143));
    story.at(3).ends("end.1", code(0));
    story.at(4).ends("tell.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by me
            a.1 stopping: Cancelled              -> stop a.1, grace 30
            b finished: cancelled
        @2  a.1 ended: exit 143
            a finished: cancelled
            end queued
            end.1 started                        -> start end.1
        @3  end.1 ended: exit 0
            end finished: succeeded
            tell queued
            tell.1 started                       -> start tell.1
        @4  tell.1 ended: exit 0
            tell finished: succeeded
            run finished: cancelled
        ",
    );
}

#[test]
fn a_second_cancel_spares_them_too_unless_it_leaves_no_time() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).ends("a.1", code(143));
    story.at(3).cancel();
    story.at(4).cancel_now();
    story.at(5).ends("end.1", Exit::Signal { signal: neap::definition::Signal::KILL });
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by me
            a.1 stopping: Cancelled              -> stop a.1, grace 30
            b finished: cancelled
        @2  a.1 ended: exit 143
            a finished: cancelled
            end queued
            end.1 started                        -> start end.1
        @4  tell finished: cancelled
            end.1 stopping: Cancelled            -> stop end.1, grace 0
        @5  end.1 ended: SIGKILL
            end finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn a_first_cancel_spares_them_even_if_it_leaves_no_time() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).cancel_now();
    story.at(2).ends("a.1", code(137));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by me
            a.1 stopping: Cancelled              -> stop a.1, grace 0
            b finished: cancelled
        @2  a.1 ended: exit 137
            a finished: cancelled
            end queued
            end.1 started                        -> start end.1
        ",
    );
}

#[test]
fn a_second_cancel_before_their_turn_ends_them() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).cancel_now();
    story.at(3).ends("a.1", code(137));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by me
            a.1 stopping: Cancelled              -> stop a.1, grace 30
            b finished: cancelled
        @2  tell finished: cancelled
            end finished: cancelled              -> stop a.1, grace 0
        @3  a.1 ended: exit 137
            a finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn they_are_spared_in_whatever_phase_they_are() {
    let jobs: &[(&str, &[u32])] =
        &[("work", &[]), ("open", &[]), ("queued", &[]), ("asked", &[]), ("flaky", &[]), ("runs", &[])];
    let mut story = Story::new(4, jobs).open(1);
    for index in 1..6 {
        story.leaf(index).rule = Rule::Always;
    }
    story.leaf(2).priority = -1;
    story.leaf(3).hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }];
    story.leaf(4).retry = Retry { attempts: 2, delay: Millis(10), ..Retry::default() };
    story.at(0).submit();
    story.at(1).pause();
    story.at(2).ends("flaky.1", code(1));
    story.at(3).cancel();
    story.at(4).ready("open");
    story.at(5).answers("asked.1", Question::Before, Answer::NoOpinion);
    story.at(12).ends("work.1", code(143));
    story.check(
        "
        @0   run created
             work queued
             open preparing                      -> prepare open
             queued queued
             asked queued
             flaky queued
             runs queued
             work.1 started                      -> start work.1
             asked.1 admitted                    -> ask asked.1 Before
             flaky.1 started                     -> start flaky.1
             runs.1 started                      -> start runs.1
        @1   run paused by me
        @2   flaky.1 ended: exit 1
             flaky tries again @12
        @3   run cancelled by me
             work.1 stopping: Cancelled          -> stop work.1, grace 30
             queued.1 started                    -> start queued.1
        @4   open prepared
             open queued
        @5   asked.1 started                     -> start asked.1
        @12  flaky queued
        @12  work.1 ended: exit 143
             work finished: cancelled
             open.1 started                      -> start open.1
        ",
    );
}

#[test]
fn in_a_cancelled_run_they_are_not_tried_again() {
    let mut story = with_end();
    story.leaf(2).retry = Retry { attempts: 2, ..Retry::default() };
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).ends("a.1", code(143));
    story.at(3).ends("end.1", code(1));
    story.at(4).ends("tell.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by me
            a.1 stopping: Cancelled              -> stop a.1, grace 30
            b finished: cancelled
        @2  a.1 ended: exit 143
            a finished: cancelled
            end queued
            end.1 started                        -> start end.1
        @3  end.1 ended: exit 1
            end finished: exit 1
            tell queued
            tell.1 started                       -> start tell.1
        @4  tell.1 ended: exit 0
            tell finished: succeeded
            run finished: failed at end
        ",
    );
}

#[test]
fn they_alone_do_not_make_a_cancel_of_a_run() {
    let mut story = with_end();
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("b.1", code(0));
    story.at(3).cancel();
    story.at(4).ends("end.1", code(0));
    story.at(5).ends("tell.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  a.1 ended: exit 0
            a finished: succeeded
            b queued
            b.1 started                          -> start b.1
        @2  b.1 ended: exit 0
            b finished: succeeded
            end queued
            end.1 started                        -> start end.1
        @3  run cancelled by me
        @4  end.1 ended: exit 0
            end finished: succeeded
            tell queued
            tell.1 started                       -> start tell.1
        @5  tell.1 ended: exit 0
            tell finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn the_host_may_die_twice_before_they_are_done() {
    let mut story = with_end();
    story.at(0).submit_bound();
    story.at(1).restart();
    story.at(1).ends("a.1", Exit::Lost);
    story.at(2).restart();
    story.at(2).ends("end.1", Exit::Lost);
    story.at(3).ends("tell.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by host
            a.1 stopping: Cancelled              -> stop a.1, grace 0
            b finished: cancelled
        @1  a.1 ended: lost
            a finished: cancelled
            end queued
            end.1 started                        -> start end.1
        @2  end.1 ended: lost
            end finished: lost
            tell queued
            tell.1 started                       -> start tell.1
        @3  tell.1 ended: exit 0
            tell finished: succeeded
            run finished: failed at end
        ",
    );
}

#[test]
fn one_without_needs_is_a_job_like_any_other() {
    let mut story = Story::new(1, &[("a", &[])]).rule(0, Rule::Always);
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).ends("a.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  run cancelled by me
        @2  a.1 ended: exit 0
            a finished: succeeded
            run finished: succeeded
        ",
    );
}
