//! Jobs over which a person decides.

use super::told::{Story, code};
use neap::base::Millis;
use neap::definition::Retry;
use neap::engine::Exit;

fn gate() -> Story {
    let mut story = Story::new(1, &[("ok", &[]), ("ship", &[0])]).approval(0);
    story.leaf(0).retry = Retry { attempts: 3, delay: Millis(10), ..Retry::default() };
    story
}

#[test]
fn a_yes_lets_the_others_go_on() {
    let mut story = gate();
    story.at(0).submit();
    story.at(1).decides("ok.1", true);
    story.at(2).ends("ok.1", code(0));
    story.check(
        "
        @0  run created
            ok queued
            ok.1 started                         -> start ok.1
        @1  ok.1 decided: yes
        @2  ok.1 ended: exit 0
            ok finished: succeeded
            ship queued
            ship.1 started                       -> start ship.1
        ",
    );
}

#[test]
fn a_no_is_a_failure_that_is_not_tried_again() {
    let mut story = gate();
    story.at(0).submit();
    story.at(1).decides("ok.1", false);
    story.at(2).ends("ok.1", code(1));
    story.check(
        "
        @0  run created
            ok queued
            ok.1 started                         -> start ok.1
        @1  ok.1 decided: no
        @2  ok.1 ended: exit 1
            ok finished: rejected by me: too risky
            ship finished: skipped, needs ok
            run finished: failed at ok
        ",
    );
}

#[test]
fn the_first_decision_counts() {
    let mut story = gate();
    story.at(0).submit();
    story.at(1).decides("ok.1", true);
    story.at(2).decides("ok.1", false);
    story.at(3).ends("ok.1", code(0));
    story.check(
        "
        @0  run created
            ok queued
            ok.1 started                         -> start ok.1
        @1  ok.1 decided: yes
        @3  ok.1 ended: exit 0
            ok finished: succeeded
            ship queued
            ship.1 started                       -> start ship.1
        ",
    );
}

#[test]
fn a_no_stands_although_nobody_heard_it() {
    let mut story = gate();
    story.leaf(0).timeout = Some(Millis(5));
    story.at(0).submit();
    story.at(1).decides("ok.1", false);
    story.at(2).restart();
    story.at(3).ends("ok.1", Exit::Lost);
    story.check(
        "
        @0  run created
            ok queued
            ok.1 started                         -> start ok.1
        @1  ok.1 decided: no
        @3  ok.1 ended: lost
            ok finished: rejected by me: too risky
            ship finished: skipped, needs ok
            run finished: failed at ok
        ",
    );
}

#[test]
fn a_yes_stands_although_nobody_heard_it() {
    let mut story = gate();
    story.at(0).submit();
    story.at(1).decides("ok.1", true);
    story.at(2).restart();
    story.at(3).ends("ok.1", Exit::Lost);
    story.at(13).ends("ok.2", code(0));
    story.check(
        "
        @0   run created
             ok queued
             ok.1 started                        -> start ok.1
        @1   ok.1 decided: yes
        @3   ok.1 ended: lost
             ok tries again @13
        @13  ok queued
             ok.2 started                        -> start ok.2
        @13  ok.2 ended: exit 0
             ok finished: succeeded
             ship queued
             ship.1 started                      -> start ship.1
        ",
    );
}

#[test]
fn after_a_cancel_or_an_end_nothing_is_left_to_decide() {
    let mut story = gate();
    story.at(0).submit();
    story.at(1).cancel();
    story.at(2).decides("ok.1", true);
    story.at(3).ends("ok.1", code(143));
    story.at(4).decides("ok.1", true);
    story.check(
        "
        @0  run created
            ok queued
            ok.1 started                         -> start ok.1
        @1  run cancelled by me
            ok.1 stopping: Cancelled             -> stop ok.1, grace 30
            ship finished: cancelled
        @3  ok.1 ended: exit 143
            ok finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn a_no_before_the_cancel_does_not_make_a_failure_of_it() {
    let mut story = gate();
    story.at(0).submit();
    story.at(1).decides("ok.1", false);
    story.at(2).cancel();
    story.at(3).ends("ok.1", code(143));
    story.check(
        "
        @0  run created
            ok queued
            ok.1 started                         -> start ok.1
        @1  ok.1 decided: no
        @2  run cancelled by me
            ok.1 stopping: Cancelled             -> stop ok.1, grace 30
            ship finished: cancelled
        @3  ok.1 ended: exit 143
            ok finished: cancelled
            run finished: cancelled
        ",
    );
}

#[test]
fn only_the_attempt_that_waits_can_be_decided_over() {
    let mut story = gate();
    story.leaf(0).timeout = Some(Millis(5));
    story.at(0).submit();
    story.at(5);
    story.at(6).decides("ok.1", false); // it is being stopped
    story.at(7).ends("ok.1", code(143));
    story.at(8).decides("ok.1", false); // it waits for its next try
    story.at(17);
    story.at(18).decides("ok.1", false); // that one is over
    story.at(19).decides("ok.2", false);
    story.at(20).ends("ok.2", code(1));
    story.check(
        "
        @0   run created
             ok queued
             ok.1 started                        -> start ok.1
        @5   ok.1 stopping: TimedOut             -> stop ok.1, grace 30
        @7   ok.1 ended: exit 143
             ok tries again @17
        @17  ok queued
             ok.2 started                        -> start ok.2
        @19  ok.2 decided: no
        @20  ok.2 ended: exit 1
             ok finished: rejected by me: too risky
             ship finished: skipped, needs ok
             run finished: failed at ok
        ",
    );
}

#[test]
fn what_only_waits_needs_no_slot() {
    let mut story =
        Story::new(1, &[("work", &[]), ("ok", &[]), ("ok2", &[]), ("more", &[])]).approval(1).approval(2);
    story.at(0).submit();
    story.at(1).ends("ok.1", code(0));
    story.at(2).ends("work.1", code(0));
    story.check(
        "
        @0  run created
            work queued
            ok queued
            ok2 queued
            more queued
            ok.1 started                         -> start ok.1
            ok2.1 started                        -> start ok2.1
            work.1 started                       -> start work.1
        @1  ok.1 ended: exit 0
            ok finished: succeeded
        @2  work.1 ended: exit 0
            work finished: succeeded
            more.1 started                       -> start more.1
        ",
    );
}
