//! What must have become of the jobs that a job needs, and what its rule makes of that.

use super::told::{Story, code};
use neap::definition::{Rule, Stdin, When};
use neap::engine::{Exit, Preparation, Skip, Wait};

#[test]
fn a_handler_runs_as_soon_as_something_fails() {
    let mut story = Story::new(3, &[("a", &[]), ("b", &[]), ("alarm", &[0, 1])]).rule(2, Rule::AnyFailed);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.at(2).ends("alarm.1", code(0));
    story.at(3).ends("b.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 1
            a finished: exit 1
            alarm queued
            alarm.1 started                      -> start alarm.1
        @2  alarm.1 ended: exit 0
            alarm finished: succeeded
        @3  b.1 ended: exit 0
            b finished: succeeded
            run finished: failed at a
        ",
    );
}

#[test]
fn a_handler_that_nobody_called_is_no_obstacle() {
    let mut story = Story::new(3, &[("a", &[]), ("b", &[]), ("alarm", &[0, 1]), ("after", &[2])])
        .rule(2, Rule::AnyFailed);
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("b.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 0
            a finished: succeeded
        @2  b.1 ended: exit 0
            b finished: succeeded
            alarm finished: skipped, by its rule over a
            after queued
            after.1 started                      -> start after.1
        ",
    );
}

#[test]
fn behind_a_failure_everything_is_held_back_and_behind_a_rule_nothing() {
    let jobs: &[(&str, &[u32])] = &[("a", &[]), ("fix", &[0]), ("report", &[1]), ("send", &[2])];
    let mut story = Story::new(1, jobs).whens(1, &[When::Failed]);
    story.at(0).submit();
    story.at(1).ends("a.1", code(0));
    story.at(2).ends("report.1", code(1));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  a.1 ended: exit 0
            a finished: succeeded
            fix finished: skipped, by its rule over a
            report queued
            report.1 started                     -> start report.1
        @2  report.1 ended: exit 1
            report finished: exit 1
            send finished: skipped, needs report
            run finished: failed at report
        ",
    );
}

#[test]
fn what_waits_for_a_failure_runs_after_it() {
    let jobs: &[(&str, &[u32])] = &[("a", &[]), ("b", &[0]), ("fix", &[1]), ("both", &[0, 1])];
    let mut story = Story::new(1, jobs).whens(2, &[When::Failed]).whens(3, &[When::Failed, When::Skipped]);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.check(
        "
        @0  run created
            a queued
            a.1 started                          -> start a.1
        @1  a.1 ended: exit 1
            a finished: exit 1
            b finished: skipped, needs a
            fix queued
            both queued
            fix.1 started                        -> start fix.1
        ",
    );
}

#[test]
fn the_first_success_is_enough() {
    let mut story =
        Story::new(3, &[("a", &[]), ("b", &[]), ("c", &[]), ("use", &[0, 1, 2])]).rule(3, Rule::AnySucceeded);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.at(2).ends("b.1", Exit::Skipped { reason: "nothing new".into() }); // no failure, and no success
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
        @1  a.1 ended: exit 1
            a finished: exit 1
        @2  b.1 ended: skipped: nothing new
            b finished: skipped, nothing new
        @3  c.1 ended: exit 0
            c finished: succeeded
            use queued
            use.1 started                        -> start use.1
        ",
    );
}

#[test]
fn without_any_success_the_failure_is_named() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("use", &[0, 1])]).rule(2, Rule::AnySucceeded);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.at(2).ends("b.1", Exit::Skipped { reason: "nothing new".into() });
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 1
            a finished: exit 1
        @2  b.1 ended: skipped: nothing new
            b finished: skipped, nothing new
            use finished: skipped, needs a
            run finished: failed at a
        ",
    );
}

#[test]
fn what_must_not_fail_may_be_skipped() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("use", &[0, 1])]).rule(2, Rule::NoneFailed);
    story.at(0).submit();
    story.at(1).ends("a.1", Exit::Skipped { reason: "nothing new".into() });
    story.at(2).ends("b.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: skipped: nothing new
            a finished: skipped, nothing new
        @2  b.1 ended: exit 0
            b finished: succeeded
            use queued
            use.1 started                        -> start use.1
        ",
    );
}

#[test]
fn one_failure_among_what_must_not_fail_is_enough() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("use", &[0, 1])]).rule(2, Rule::NoneFailed);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 1
            a finished: exit 1
            use finished: skipped, needs a
        ",
    );
}

#[test]
fn an_end_is_waited_for_whatever_it_is() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[]), ("use", &[0, 1])]).rule(2, Rule::AllEnded);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.at(2).ends("b.1", code(0));
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 1
            a finished: exit 1
        @2  b.1 ended: exit 0
            b finished: succeeded
            use queued
            use.1 started                        -> start use.1
        ",
    );
}

#[test]
fn the_reason_names_what_mattered_to_the_rule() {
    let jobs: &[(&str, &[u32])] = &[("a", &[]), ("b", &[]), ("fix", &[0, 1]), ("after", &[2])];
    let mut story = Story::new(2, jobs).whens(2, &[When::Failed, When::Failed]);
    story.at(0).submit();
    story.at(1).ends("a.1", code(1)); // so much as it should
    story.at(2).ends("b.1", code(0)); // this is why, and it is no failure
    story.check(
        "
        @0  run created
            a queued
            b queued
            a.1 started                          -> start a.1
            b.1 started                          -> start b.1
        @1  a.1 ended: exit 1
            a finished: exit 1
        @2  b.1 ended: exit 0
            b finished: succeeded
            fix finished: skipped, by its rule over b
            after queued
            after.1 started                      -> start after.1
        ",
    );
}

#[test]
fn a_failure_that_does_not_count_is_none_to_any_rule() {
    let jobs: &[(&str, &[u32])] =
        &[("lint", &[]), ("all", &[0]), ("none", &[0]), ("any", &[0]), ("alarm", &[0]), ("fix", &[0])];
    let mut story = Story::new(1, jobs)
        .rule(2, Rule::NoneFailed)
        .rule(3, Rule::AnySucceeded)
        .rule(4, Rule::AnyFailed)
        .whens(5, &[When::Failed]);
    story.leaf(0).continue_on_error = true;
    story.at(0).submit();
    story.at(1).ends("lint.1", code(1));
    story.check(
        "
        @0  run created
            lint queued
            lint.1 started                       -> start lint.1
        @1  lint.1 ended: exit 1
            lint finished: exit 1
            all queued
            none queued
            fix queued
            alarm finished: skipped, by its rule over lint
            any finished: skipped, by its rule over lint
            all.1 started                        -> start all.1
        ",
    );
}

#[test]
fn what_is_held_back_holds_back_even_if_its_own_failure_would_not_count() {
    let mut story = Story::new(1, &[("build", &[]), ("lint", &[0]), ("ship", &[1])]);
    story.leaf(1).continue_on_error = true;
    story.at(0).submit();
    story.at(1).ends("build.1", code(1));
    story.check(
        "
        @0  run created
            build queued
            build.1 started                      -> start build.1
        @1  build.1 ended: exit 1
            build finished: exit 1
            lint finished: skipped, needs build
            ship finished: skipped, needs lint
            run finished: failed at build
        ",
    );
}

#[test]
fn a_reader_that_needs_no_slot_starts_with_its_writer() {
    let mut story = Story::new(1, &[("dump", &[]), ("pack", &[0])]).whens(1, &[When::Started]);
    let task = neap::base::TaskName::new("dump").unwrap();
    story.leaf(1).stdin = Some(Stdin::Task { task, stream: true });
    story.at(0).submit();
    story.at(1).ends("dump.1", code(1)); // the reader has what it waited for
    story.at(2).ends("pack.1", code(0));
    story.check(
        "
        @0  run created
            dump queued
            dump.1 started                       -> start dump.1
            pack queued
            pack.1 started                       -> start pack.1
        @1  dump.1 ended: exit 1
            dump finished: exit 1
        @2  pack.1 ended: exit 0
            pack finished: succeeded
            run finished: failed at dump
        ",
    );
}

#[test]
fn a_second_try_is_no_second_start() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[0])]).whens(1, &[When::Started]);
    story.leaf(0).retry.attempts = 2;
    story.at(0).submit();
    story.at(1).ends("b.1", code(0));
    story.at(2).ends("a.1", code(1));
    story.at(1002).ends("a.2", code(0));
    story.check(
        "
        @0     run created
               a queued
               a.1 started                       -> start a.1
               b queued
               b.1 started                       -> start b.1
        @1     b.1 ended: exit 0
               b finished: succeeded
        @2     a.1 ended: exit 1
               a tries again @1002
        @1002  a queued
               a.2 started                       -> start a.2
        @1002  a.2 ended: exit 0
               a finished: succeeded
               run finished: succeeded
        ",
    );
}

#[test]
fn what_never_starts_is_not_waited_for_any_longer() {
    let jobs: &[(&str, &[u32])] =
        &[("fetch", &[]), ("dump", &[0]), ("pack", &[1]), ("watch", &[]), ("tail", &[3])];
    let mut story = Story::new(1, jobs).whens(2, &[When::Started]).whens(4, &[When::Started]).open(3);
    story.at(0).submit();
    story.at(1).prepared("watch", Preparation::Skip(Skip::Condition { text: "is_monday".into() }));
    story.at(2).ends("fetch.1", code(1));
    story.check(
        "
        @0  run created
            fetch queued
            watch preparing                      -> prepare watch
            fetch.1 started                      -> start fetch.1
        @1  watch finished: skipped, not is_monday
            tail finished: skipped, by its rule over watch
        @2  fetch.1 ended: exit 1
            fetch finished: exit 1
            dump finished: skipped, needs fetch
            pack finished: skipped, needs dump
            run finished: failed at fetch
        ",
    );
}

#[test]
fn a_job_that_became_many_has_started_with_the_first_of_them() {
    let mut story =
        Story::new(2, &[("a", &[]), ("b", &[0])]).whens(1, &[When::Started]).spread(0, Some(1), false);
    story.at(0).submit();
    story.at(1).cells("a", 2);
    assert_eq!(story.wait("a-2"), Some(Wait::Siblings { at_once: 1 }));
    story.at(2).ends("a-1.1", code(0));
    story.at(3).ends("a-2.1", code(0));
    story.at(4).ends("b.1", code(0));
    story.check(
        "
        @0  run created
            a preparing                          -> prepare a
        @1  a spread: a-1 a-2
            a-1 queued
            a-1.1 started                        -> start a-1.1
            b queued
            b.1 started                          -> start b.1
        @2  a-1.1 ended: exit 0
            a-1 finished: succeeded
            a-2 queued
            a-2.1 started                        -> start a-2.1
        @3  a-2.1 ended: exit 0
            a-2 finished: succeeded
            a finished: succeeded
        @4  b.1 ended: exit 0
            b finished: succeeded
            run finished: succeeded
        ",
    );
}

#[test]
fn what_was_done_in_an_earlier_run_succeeded_there() {
    let jobs: &[(&str, &[u32])] =
        &[("a", &[]), ("next", &[0]), ("with", &[0]), ("without", &[0]), ("fix", &[0])];
    let mut story =
        Story::new(4, jobs).whens(2, &[When::Started]).whens(3, &[When::Skipped]).whens(4, &[When::Failed]);
    story.at(0).submit_again(&[0]);
    story.check(
        "
        @0  run created
            next queued
            with queued
            fix finished: skipped, by its rule over a
            without finished: skipped, by its rule over a
            next.1 started                       -> start next.1
            with.1 started                       -> start with.1
        ",
    );
}

#[test]
fn a_wait_names_only_what_is_not_settled() {
    let jobs: &[(&str, &[u32])] = &[("a", &[]), ("b", &[]), ("c", &[0, 1])];
    let mut story = Story::new(2, jobs).whens(2, &[When::Started, When::Succeeded]);
    story.at(0).submit();
    assert_eq!(story.wait("c"), Some(Wait::Needs(vec![1])));
}
