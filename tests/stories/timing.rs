//! Stories of jobs that start later, and of jobs whose attempts together take too long.

use super::told::{Story, code};
use neap::base::{Millis, Moment};
use neap::definition::Retry;
use neap::engine::{Exit, Wait};

#[test]
fn a_job_waits_for_its_time_once_all_it_needs_is_there() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[0])]);
    story.leaf(1).delay = Millis(50);
    story.at(0).submit();
    story.at(10).ends("a.1", code(0));
    assert_eq!(story.wait("b"), Some(Wait::Start { until: Moment(60) }));
    story.at(20).restart();
    story.at(60);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @10   a.1 ended: exit 0
              a finished: succeeded
              b delayed until @60
        @60   b queued
              b.1 started                        -> start b.1
        ",
    );
}

#[test]
fn nothing_starts_before_its_moment_and_a_moment_that_has_passed_holds_nothing_up() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[])]);
    story.leaf(0).not_before = Some(Moment(100));
    story.leaf(1).not_before = Some(Moment(5));
    story.at(7).submit();
    story.at(50).cancel();
    story.check(
        "
        @7    run created
              a delayed until @100
              b queued
              b.1 started                        -> start b.1
        @50   run cancelled by me
              a finished: cancelled
              b.1 stopping: Cancelled            -> stop b.1, grace 30
        ",
    );
}

#[test]
fn all_attempts_together_have_so_much_time_and_no_more() {
    let mut story = Story::new(1, &[("a", &[])]).each(|leaf| {
        leaf.retry = Retry { attempts: 9, delay: Millis(10), ..Retry::default() };
        leaf.timeout_total = Some(Millis(100));
    });
    story.at(0).submit();
    story.at(60).ends("a.1", code(1));
    story.at(70);
    story.at(100);
    story.at(110).ends("a.2", Exit::Signal { signal: neap::definition::Signal::KILL });
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @60   a.1 ended: exit 1
              a tries again @70
        @70   a queued
              a.2 started                        -> start a.2
        @100  a.2 stopping: OutOfTime            -> stop a.2, grace 30
        @110  a.2 ended: SIGKILL
              a finished: out of time
              run finished: failed at a
        ",
    );
}

#[test]
fn time_that_is_over_between_two_attempts_ends_the_job_too() {
    let mut story = Story::new(1, &[("a", &[])]).each(|leaf| {
        leaf.retry = Retry { attempts: 9, delay: Millis(500), ..Retry::default() };
        leaf.timeout_total = Some(Millis(100));
    });
    story.at(0).submit();
    story.at(60).ends("a.1", code(1));
    story.at(100);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @60   a.1 ended: exit 1
              a tries again @560
        @100  a finished: out of time
              run finished: failed at a
        ",
    );
}

#[test]
fn an_attempt_that_was_stopped_for_another_reason_leaves_the_limit_of_all_in_force() {
    let mut story = Story::new(1, &[("a", &[])]).each(|leaf| {
        leaf.retry = Retry { attempts: 9, delay: Millis(10), ..Retry::default() };
        leaf.timeout = Some(Millis(30));
        leaf.timeout_total = Some(Millis(60));
    });
    story.at(0).submit();
    story.at(30).ends("a.1", code(0));
    story.at(40);
    story.at(60);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @30   a.1 stopping: TimedOut             -> stop a.1, grace 30
        @30   a.1 ended: exit 0
              a tries again @40
        @40   a queued
              a.2 started                        -> start a.2
        @60   a.2 stopping: OutOfTime            -> stop a.2, grace 30
        ",
    );
}
