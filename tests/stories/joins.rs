//! Jobs that need only some of those they depend on, and what becomes of the rest.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::{Hook, OnHookError, Retry, Rule, When};
use neap::engine::{Answer, Exit, Question};

const FIRST: Rule = Rule::Join { min_succeeded: 1, cancel_rest: true };

fn hooked() -> Vec<Hook> {
    vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }]
}

#[test]
fn the_rest_ends_wherever_it_is() {
    let jobs: &[(&str, &[u32])] = &[
        ("fast", &[]),
        ("running", &[]),
        ("waiting", &[1]),
        ("open", &[]),
        ("many", &[]),
        ("queued", &[]),
        ("join", &[0, 1, 2, 3, 4, 5]),
    ];
    let mut story = Story::new(2, jobs).rule(6, FIRST).open(3).spread(4, Some(1), false);
    story.leaf(4).priority = -5;
    story.at(0).submit();
    story.at(1).cells("many", 3);
    story.at(2).ends("fast.1", code(0));
    story.at(3).ready("open"); // too late
    story.at(4).ends("running.1", code(143));
    story.at(5).ends("join.1", code(0));
    story.check(
        "
        @0  run created
            fast queued
            running queued
            open preparing                       -> prepare open
            many preparing                       -> prepare many
            queued queued
            fast.1 started                       -> start fast.1
            running.1 started                    -> start running.1
        @1  many spread: many-1 many-2 many-3
            many-1 queued
        @2  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            queued finished: skipped, not needed after join
            many-1 finished: skipped, not needed after join
            many-2 finished: skipped, not needed after join
            many-3 finished: skipped, not needed after join
            many finished: skipped, not needed after join
            open finished: skipped, not needed after join
            waiting finished: skipped, not needed after join
            running.1 stopping: not needed after join -> stop running.1, grace 30
            join.1 started                       -> start join.1
        @4  running.1 ended: exit 143
            running finished: skipped, not needed after join
        @5  join.1 ended: exit 0
            join finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn a_queued_cell_of_the_rest_ends_and_no_other_takes_its_place() {
    let mut story = Story::new(1, &[("fast", &[]), ("many", &[]), ("join", &[0, 1])]).rule(2, FIRST).spread(
        1,
        Some(2),
        false,
    );
    story.at(0).submit();
    story.at(1).cells("many", 3);
    story.at(2).ends("fast.1", code(0));
    story.check(
        "
        @0  run created
            fast queued
            many preparing                       -> prepare many
            fast.1 started                       -> start fast.1
        @1  many spread: many-1 many-2 many-3
            many-1 queued
            many-2 queued
        @2  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            many-1 finished: skipped, not needed after join
            many-2 finished: skipped, not needed after join
            many-3 finished: skipped, not needed after join
            many finished: skipped, not needed after join
            join.1 started                       -> start join.1
        ",
    );
}

#[test]
fn a_job_of_which_a_part_succeeded_is_not_needed_as_a_whole() {
    let jobs: &[(&str, &[u32])] = &[("fast", &[]), ("many", &[]), ("join", &[0, 1]), ("after", &[1])];
    let mut story = Story::new(2, jobs).rule(2, FIRST).rule(3, Rule::AnySucceeded).spread(1, Some(1), false);
    story.at(0).submit();
    story.at(1).cells("many", 2);
    story.at(2).ends("many-1.1", code(0));
    story.at(3).ends("fast.1", code(0));
    story.at(4).ends("many-2.1", code(143));
    story.check(
        "
        @0  run created
            fast queued
            many preparing                       -> prepare many
            fast.1 started                       -> start fast.1
        @1  many spread: many-1 many-2
            many-1 queued
            many-1.1 started                     -> start many-1.1
        @2  many-1.1 ended: exit 0
            many-1 finished: succeeded
            many-2 queued
            many-2.1 started                     -> start many-2.1
        @3  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            many-2.1 stopping: not needed after join -> stop many-2.1, grace 30
            join.1 started                       -> start join.1
        @4  many-2.1 ended: exit 143
            many-2 finished: skipped, not needed after join
            many finished: skipped, not needed after join
            after finished: skipped, by its rule over many
        ",
    );
}

#[test]
fn the_rest_of_a_join_that_cancels_nothing_goes_on() {
    let mut story = Story::new(3, &[("a", &[]), ("b", &[]), ("c", &[]), ("join", &[0, 1, 2])])
        .rule(3, Rule::Join { min_succeeded: 2, cancel_rest: false });
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("b.1", code(0));
    story.at(3).ends("c.1", code(1));
    story.at(4).ends("join.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            c queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
            c.1 started                          -> start c.1
        @1  a.1 ended: exit 0
            a finished: succeeded
        @2  b.1 ended: exit 0
            b finished: succeeded
            join queued
            join.1 started                       -> start join.1
        @3  c.1 ended: exit 1
            c finished: exit 1
        @4  join.1 ended: exit 0
            join finished: succeeded
            run finished: failed at c
        ",
    );
}

#[test]
fn a_join_that_can_no_longer_be_reached_is_skipped_at_once() {
    let mut story = Story::new(3, &[("a", &[]), ("b", &[]), ("c", &[]), ("join", &[0, 1, 2])])
        .rule(3, Rule::Join { min_succeeded: 2, cancel_rest: true });
    story.at(0).submit();
    story.at(1).ends("a.1", Exit::Skipped { reason: "nothing new".into() });
    story.at(2).ends("b.1", code(1));
    story.at(3).ends("c.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            c queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
            c.1 started                          -> start c.1
        @1  a.1 ended: skipped: nothing new
            a finished: skipped, nothing new
        @2  b.1 ended: exit 1
            b finished: exit 1
            join finished: skipped, needs b
        @3  c.1 ended: exit 0
            c finished: succeeded
            run finished: failed at b
        ",
    );
}

#[test]
fn a_join_that_too_many_skipped_is_skipped_by_its_rule() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("join", &[0, 1])])
        .rule(2, Rule::Join { min_succeeded: 2, cancel_rest: true });
    story.at(0).submit();
    story.at(1).ends("a.1", Exit::Skipped { reason: "nothing new".into() });
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: skipped: nothing new
            a finished: skipped, nothing new
            join finished: skipped, by its rule over a
        ",
    );
}

#[test]
fn what_only_had_to_start_is_not_stopped_and_what_is_queued_beside_it_never_starts() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("join", &[0, 1])])
        .rule(2, FIRST)
        .whens(2, &[When::Started, When::Started]);
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("join.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            join queued
            b finished: skipped, not needed after join
            join.1 started                       -> start join.1
        @1  a.1 ended: exit 0
            a finished: succeeded
        @2  join.1 ended: exit 0
            join finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn the_rest_is_not_tried_again_after_a_timeout() {
    let mut story = Story::new(2, &[("fast", &[]), ("slow", &[]), ("join", &[0, 1])]).rule(2, FIRST);
    story.leaf(1).timeout = Some(Millis(5));
    story.leaf(1).retry = Retry { attempts: 2, ..Retry::default() };
    story.at(0).submit();
    story.at(5); // the timeout is the first cause
    story.at(6).ends("fast.1", code(0));
    story.at(7).ends("slow.1", code(143));
    story.at(8).ends("join.1", code(0));
    story.check(
        "
        @0  run created
            fast queued
            slow queued
            fast.1 started                       -> start fast.1
            slow.1 started                       -> start slow.1
        @5  slow.1 stopping: TimedOut            -> stop slow.1, grace 30
        @6  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            join.1 started                       -> start join.1
        @7  slow.1 ended: exit 143
            slow finished: skipped, not needed after join
        @8  join.1 ended: exit 0
            join finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn the_rest_is_not_tried_again_after_an_answer() {
    let mut story = Story::new(2, &[("fast", &[]), ("slow", &[]), ("join", &[0, 1])]).rule(2, FIRST);
    story.leaf(1).hooks = hooked();
    story.leaf(1).retry = Retry { attempts: 2, ..Retry::default() };
    story.at(0).submit();
    story.at(1).answers("slow.1", Question::Before, Answer::NoOpinion);
    story.at(2).ends("slow.1", code(1));
    story.at(3).ends("fast.1", code(0));
    story.at(4).answers("slow.1", Question::Retry, Answer::Again { delay: None, reason: None });
    story.check(
        "
        @0  run created
            fast queued
            slow queued
            fast.1 started                       -> start fast.1
            slow.1 admitted                      -> ask slow.1 Before
        @1  slow.1 started                       -> start slow.1
        @2  slow.1 ended: exit 1
            slow.1 asks Retry                    -> ask slow.1 Retry
        @3  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            join.1 started                       -> start join.1
        @4  slow tidies up                       -> clean slow
        ",
    );
}

#[test]
fn the_rest_between_two_tries_or_before_its_hook_ends_at_once() {
    let jobs: &[(&str, &[u32])] = &[("fast", &[]), ("flaky", &[]), ("asked", &[]), ("join", &[0, 1, 2])];
    let mut story = Story::new(3, jobs).rule(3, FIRST);
    story.leaf(1).retry = Retry { attempts: 2, ..Retry::default() };
    story.leaf(2).hooks = hooked();
    story.at(0).submit();
    story.at(1).ends("flaky.1", code(1));
    story.at(2).ends("fast.1", code(0));
    story.at(3).answers("asked.1", Question::Before, Answer::NoOpinion); // too late
    story.check(
        "
        @0  run created
            fast queued
            flaky queued
            asked queued
            fast.1 started                       -> start fast.1
            flaky.1 started                      -> start flaky.1
            asked.1 admitted                     -> ask asked.1 Before
        @1  flaky.1 ended: exit 1
            flaky tries again @1001
        @2  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            asked tidies up                      -> clean asked
            flaky finished: skipped, not needed after join
            join.1 started                       -> start join.1
        ",
    );
}

#[test]
fn what_ended_by_itself_stays_ended() {
    let mut story = Story::new(2, &[("fast", &[]), ("slow", &[]), ("join", &[0, 1])]).rule(2, FIRST);
    story.leaf(1).hooks = hooked();
    story.at(0).submit();
    story.at(1).answers("slow.1", Question::Before, Answer::NoOpinion);
    story.at(2).ends("slow.1", code(0));
    story.at(3).ends("fast.1", code(0));
    story.at(4).answers("slow.1", Question::Success, Answer::NoOpinion);
    story.at(5).cleaned("slow");
    story.check(
        "
        @0  run created
            fast queued
            slow queued
            fast.1 started                       -> start fast.1
            slow.1 admitted                      -> ask slow.1 Before
        @1  slow.1 started                       -> start slow.1
        @2  slow.1 ended: exit 0
            slow.1 asks Success                  -> ask slow.1 Success
        @3  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            join.1 started                       -> start join.1
        @4  slow tidies up                       -> clean slow
        @5  slow finished: succeeded
        ",
    );
}

#[test]
fn a_join_is_reached_in_a_run_that_takes_over_an_earlier_one() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("join", &[0, 1])]).rule(2, FIRST);
    story.at(0).submit_again(&[0]);
    story.at(1).ends("join.1", code(0));
    story.check(
        "
        @0  run created
            b queued
            join queued
            b finished: skipped, not needed after join
            join.1 started                       -> start join.1
        @1  join.1 ended: exit 0
            join finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn a_join_after_a_cancel_ends_nothing_and_starts_nothing() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("join", &[0, 1])]).rule(2, FIRST);
    story.leaf(0).hooks = hooked();
    story.at(0).submit();
    story.at(1).answers("a.1", Question::Before, Answer::NoOpinion);
    story.at(2).ends("a.1", code(0));
    story.at(3).cancel();
    story.at(4).answers("a.1", Question::Success, Answer::NoOpinion);
    story.at(5).cleaned("a");
    story.at(6).ends("b.1", code(143));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 admitted                         -> ask a.1 Before
            b.1 started                          -> start b.1
        @1  a.1 started                          -> start a.1
        @2  a.1 ended: exit 0
            a.1 asks Success                     -> ask a.1 Success
        @3  run cancelled by me
            b.1 stopping: Cancelled              -> stop b.1, grace 30
            join finished: cancelled
        @4  a tidies up                          -> clean a
        @5  a finished: succeeded
        @6  b.1 ended: exit 143
            b finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn a_cell_of_the_rest_is_not_tried_again() {
    let mut story = Story::new(2, &[("fast", &[]), ("many", &[]), ("join", &[0, 1])]).rule(2, FIRST).spread(
        1,
        Some(1),
        false,
    );
    story.leaf(1).timeout = Some(Millis(5));
    story.leaf(1).retry = Retry { attempts: 2, ..Retry::default() };
    story.at(0).submit();
    story.at(1).cells("many", 2);
    story.at(6); // the timeout is the first cause
    story.at(7).ends("fast.1", code(0));
    story.at(8).ends("many-1.1", code(143));
    story.check(
        "
        @0  run created
            fast queued
            many preparing                       -> prepare many
            fast.1 started                       -> start fast.1
        @1  many spread: many-1 many-2
            many-1 queued
            many-1.1 started                     -> start many-1.1
        @6  many-1.1 stopping: TimedOut          -> stop many-1.1, grace 30
        @7  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            many-2 finished: skipped, not needed after join
            join.1 started                       -> start join.1
        @8  many-1.1 ended: exit 143
            many-1 finished: skipped, not needed after join
            many finished: skipped, not needed after join
        ",
    );
}

#[test]
fn the_end_of_the_rest_lets_nothing_go_that_ends_next() {
    let jobs: &[(&str, &[u32])] = &[("fast", &[]), ("slow", &[]), ("then", &[1]), ("join", &[0, 1, 2])];
    let mut story = Story::new(1, jobs).rule(3, FIRST).open(2);
    story.at(0).submit();
    story.at(1).ends("fast.1", code(0));
    story.check(
        "
        @0  run created
            fast queued
            slow queued
            fast.1 started                       -> start fast.1
        @1  fast.1 ended: exit 0
            fast finished: succeeded
            join queued
            then finished: skipped, not needed after join
            slow finished: skipped, not needed after join
            join.1 started                       -> start join.1
        ",
    );
}

#[test]
fn a_join_that_was_done_in_an_earlier_run_ends_nothing() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("join", &[0, 1])]).rule(2, FIRST);
    story.leaf(1).retry = Retry { attempts: 2, ..Retry::default() };
    story.at(0).submit_again(&[2]);
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("b.1", code(1));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 0
            a finished: succeeded
        @2  b.1 ended: exit 1
            b tries again @1002
        ",
    );
}

/// A join that nobody needed any more before it could go has ended nothing, whatever its other needs come to.
#[test]
fn a_join_that_never_went_ends_nothing() {
    let jobs: &[(&str, &[u32])] =
        &[("x", &[]), ("y", &[]), ("z", &[]), ("never", &[0, 1]), ("join", &[3, 2])];
    let mut story = Story::new(3, jobs).rule(3, FIRST).rule(4, FIRST);
    story.leaf(0).retry = Retry { attempts: 2, ..Retry::default() };
    story.at(0).submit();
    story.at(1).ends("z.1", code(0));
    story.at(2).ends("y.1", code(0));
    story.at(3).ends("x.1", code(1));
    story.check(
        "
        @0  run created
            x queued
            y queued
            z queued
            x.1 started                          -> start x.1
            y.1 started                          -> start y.1
            z.1 started                          -> start z.1
        @1  z.1 ended: exit 0
            z finished: succeeded
            join queued
            never finished: skipped, not needed after join
            join.1 started                       -> start join.1
        @2  y.1 ended: exit 0
            y finished: succeeded
        @3  x.1 ended: exit 1
            x tries again @1003
        ",
    );
}
