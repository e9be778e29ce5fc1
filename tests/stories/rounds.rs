//! Jobs that are done again after they succeeded.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::{Again, Hook, OnHookError, Repeat, Retry, Rule};
use neap::engine::{Answer, Question, Wait};

fn poll(limit: u32) -> Story {
    let again = Again::Until("outputs.ready".into());
    let repeat = Repeat { again, every: Millis(10), limit };
    let mut story = Story::new(1, &[("poll", &[]), ("use", &[0])]);
    story.leaf(0).repeat = Some(repeat);
    story
}

fn again() -> Answer {
    Answer::Again { delay: None, reason: None }
}

#[test]
fn it_is_done_again_until_it_has_what_it_waits_for() {
    let mut story = poll(5);
    story.at(0).submit();
    story.at(1).ends_with("poll.1", &[("size", 1)]);
    assert_eq!(story.wait("poll"), Some(Wait::Hook(Question::Repeat)));
    story.at(2).answers("poll.1", Question::Repeat, again());
    story.at(3).answers("poll.1", Question::Repeat, again()); // twice is once
    story.at(12).ends_with("poll.2", &[]);
    assert_eq!(story.outputs("poll").unwrap()["size"], 1, "the outputs of the last attempt that had any");
    story.at(13).answers("poll.2", Question::Repeat, Answer::NoOpinion);
    story.check(
        "
        @0   run created
             poll queued
             poll.1 started                      -> start poll.1
        @1   poll.1 ended: exit 0
             poll.1 asks Repeat                  -> ask poll.1 Repeat
        @2   poll goes on @12
        @12  poll queued
             poll.2 started                      -> start poll.2
        @12  poll.2 ended: exit 0
             poll.2 asks Repeat                  -> ask poll.2 Repeat
        @13  poll finished: succeeded
             use queued
             use.1 started                       -> start use.1
        ",
    );
}

#[test]
fn when_no_round_is_left_it_has_failed() {
    let mut story = poll(2);
    story.leaf(0).retry = Retry { attempts: 3, ..Retry::default() };
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).answers("poll.1", Question::Repeat, again());
    story.at(12).ends("poll.2", code(0));
    story.at(13).answers("poll.2", Question::Repeat, again());
    story.check(
        "
        @0   run created
             poll queued
             poll.1 started                      -> start poll.1
        @1   poll.1 ended: exit 0
             poll.1 asks Repeat                  -> ask poll.1 Repeat
        @2   poll goes on @12
        @12  poll queued
             poll.2 started                      -> start poll.2
        @12  poll.2 ended: exit 0
             poll.2 asks Repeat                  -> ask poll.2 Repeat
        @13  poll finished: unmet after 2 rounds
             use finished: skipped, needs poll
             run finished: failed at poll
        ",
    );
}

#[test]
fn one_round_may_be_all_there_is() {
    let mut story = poll(1);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).answers("poll.1", Question::Repeat, again());
    story.check(
        "
        @0  run created
            poll queued
            poll.1 started                       -> start poll.1
        @1  poll.1 ended: exit 0
            poll.1 asks Repeat                   -> ask poll.1 Repeat
        @2  poll finished: unmet after 1 rounds
            use finished: skipped, needs poll
            run finished: failed at poll
        ",
    );
}

#[test]
fn the_tries_begin_anew_with_each_round() {
    let mut story = poll(3);
    story.leaf(0).retry = Retry { attempts: 2, delay: Millis(5), ..Retry::default() };
    story.at(0).submit();
    story.at(1).ends("poll.1", code(1));
    story.at(6).ends("poll.2", code(0));
    story.at(7).answers("poll.2", Question::Repeat, again());
    story.at(17).ends("poll.3", code(1));
    story.at(22).ends("poll.4", code(1));
    story.check(
        "
        @0   run created
             poll queued
             poll.1 started                      -> start poll.1
        @1   poll.1 ended: exit 1
             poll tries again @6
        @6   poll queued
             poll.2 started                      -> start poll.2
        @6   poll.2 ended: exit 0
             poll.2 asks Repeat                  -> ask poll.2 Repeat
        @7   poll goes on @17
        @17  poll queued
             poll.3 started                      -> start poll.3
        @17  poll.3 ended: exit 1
             poll tries again @22
        @22  poll queued
             poll.4 started                      -> start poll.4
        @22  poll.4 ended: exit 1
             poll finished: exit 1
             use finished: skipped, needs poll
             run finished: failed at poll
        ",
    );
}

#[test]
fn in_a_cancelled_run_it_is_not_done_again() {
    let mut story = poll(3);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).cancel();
    story.at(3).answers("poll.1", Question::Repeat, again());
    story.check(
        "
        @0  run created
            poll queued
            poll.1 started                       -> start poll.1
        @1  poll.1 ended: exit 0
            poll.1 asks Repeat                   -> ask poll.1 Repeat
        @2  run cancelled by me
            use finished: cancelled
        @3  poll finished: succeeded
            run finished: cancelled
        ",
    );
}

#[test]
fn between_two_rounds_a_cancel_ends_it() {
    let mut story = poll(3);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).answers("poll.1", Question::Repeat, again());
    story.at(3).cancel();
    story.check(
        "
        @0  run created
            poll queued
            poll.1 started                       -> start poll.1
        @1  poll.1 ended: exit 0
            poll.1 asks Repeat                   -> ask poll.1 Repeat
        @2  poll goes on @12
        @3  run cancelled by me
            poll finished: cancelled
            use finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn a_condition_that_nobody_answers_is_a_failure() {
    let mut story = poll(3);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(60_001);
    story.check(
        "
        @0      run created
                poll queued
                poll.1 started                   -> start poll.1
        @1      poll.1 ended: exit 0
                poll.1 asks Repeat               -> ask poll.1 Repeat
        @60001  poll finished: unprepared: its condition was not answered in time
                use finished: skipped, needs poll
                run finished: failed at poll
        ",
    );
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_a_failure() {
    let mut story = poll(3);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).answers("poll.1", Question::Repeat, Answer::Fail { message: "outputs is nil".into() });
    story.check(
        "
        @0  run created
            poll queued
            poll.1 started                       -> start poll.1
        @1  poll.1 ended: exit 0
            poll.1 asks Repeat                   -> ask poll.1 Repeat
        @2  poll finished: unprepared: outputs is nil
            use finished: skipped, needs poll
            run finished: failed at poll
        ",
    );
}

#[test]
fn a_restart_asks_again() {
    let mut story = poll(3);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).restart();
    story.at(3).answers("poll.1", Question::Repeat, again());
    story.at(4).restart();
    story.at(12);
    story.check(
        "
        @0  run created
            poll queued
            poll.1 started                       -> start poll.1
        @1  poll.1 ended: exit 0
            poll.1 asks Repeat                   -> ask poll.1 Repeat
        @2  -> ask poll.1 Repeat
        @3  poll goes on @13
        ",
    );
}

#[test]
fn a_hook_is_asked_about_each_round_first() {
    let mut story = poll(3);
    story.leaf(0).hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }];
    story.at(0).submit();
    story.at(1).answers("poll.1", Question::Before, Answer::NoOpinion);
    story.at(2).ends("poll.1", code(0));
    story.at(3).answers("poll.1", Question::Success, Answer::NoOpinion);
    story.at(4).answers("poll.1", Question::Repeat, again());
    story.at(14).answers("poll.2", Question::Before, Answer::NoOpinion);
    story.at(15).ends("poll.2", code(0));
    story.at(16).answers("poll.2", Question::Success, Answer::Fail { message: "too small".into() });
    story.at(17).cleaned("poll");
    story.check(
        "
        @0   run created
             poll queued
             poll.1 admitted                     -> ask poll.1 Before
        @1   poll.1 started                      -> start poll.1
        @2   poll.1 ended: exit 0
             poll.1 asks Success                 -> ask poll.1 Success
        @3   poll.1 asks Repeat                  -> ask poll.1 Repeat
        @4   poll goes on @14
        @14  poll queued
             poll.2 admitted                     -> ask poll.2 Before
        @14  poll.2 started                      -> start poll.2
        @15  poll.2 ended: exit 0
             poll.2 asks Success                 -> ask poll.2 Success
        @16  poll tidies up                      -> clean poll
        @17  poll finished: hook: too small
             use finished: skipped, needs poll
             run finished: failed at poll
        ",
    );
}

#[test]
fn a_paused_run_begins_no_round() {
    let mut story = poll(3);
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).pause();
    story.at(3).answers("poll.1", Question::Repeat, again());
    story.at(13);
    story.at(20).resume();
    story.check(
        "
        @0   run created
             poll queued
             poll.1 started                      -> start poll.1
        @1   poll.1 ended: exit 0
             poll.1 asks Repeat                  -> ask poll.1 Repeat
        @2   run paused by me
        @3   poll goes on @13
        @13  poll queued
        @20  run resumed
             poll.2 started                      -> start poll.2
        ",
    );
}

#[test]
fn what_nobody_needs_any_more_is_not_done_again() {
    let mut story = Story::new(2, &[("poll", &[]), ("other", &[]), ("join", &[0, 1])])
        .rule(2, Rule::Join { min_succeeded: 1, cancel_rest: true });
    let again_while = Again::While("true".into());
    story.leaf(0).repeat = Some(Repeat { again: again_while, every: Millis(10), limit: 9 });
    story.at(0).submit();
    story.at(1).ends("poll.1", code(0));
    story.at(2).ends("other.1", code(0));
    story.at(3).answers("poll.1", Question::Repeat, again());
    story.at(4).ends("join.1", code(0));
    story.check(
        "
        @0  run created
            poll queued
            other queued
            poll.1 started                       -> start poll.1
            other.1 started                      -> start other.1
        @1  poll.1 ended: exit 0
            poll.1 asks Repeat                   -> ask poll.1 Repeat
        @2  other.1 ended: exit 0
            other finished: succeeded
            join queued
            join.1 started                       -> start join.1
        @3  poll finished: succeeded
        @4  join.1 ended: exit 0
            join finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn in_a_cancelled_run_nobody_is_asked_whether_it_is_done_again() {
    let mut story = poll(3);
    story.leaf(0).hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }];
    story.at(0).submit();
    story.at(1).answers("poll.1", Question::Before, Answer::NoOpinion);
    story.at(2).ends("poll.1", code(0));
    story.at(3).cancel();
    story.at(4).answers("poll.1", Question::Success, Answer::NoOpinion);
    story.at(5).cleaned("poll");
    story.check(
        "
        @0  run created
            poll queued
            poll.1 admitted                      -> ask poll.1 Before
        @1  poll.1 started                       -> start poll.1
        @2  poll.1 ended: exit 0
            poll.1 asks Success                  -> ask poll.1 Success
        @3  run cancelled by me
            use finished: cancelled
        @4  poll tidies up                       -> clean poll
        @5  poll finished: succeeded
            run finished: cancelled
        ",
    );
}
