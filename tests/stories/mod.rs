//! Stories: one situation each, told as inputs, answered with what the engine did.

mod always;
mod cells;
mod decisions;
mod expected;
mod frozen;
mod gates;
mod joins;
mod preparing;
mod rounds;
mod sharing;
mod slots;
mod timing;
mod told;
mod turns;

use neap::base::Millis;
use neap::definition::{Cleanup, Hook, OnHookError, Retry};
use neap::engine::{Answer, Exit, Question};
use told::{Story, code};

#[test]
fn a_timeout_and_a_cancel_race_and_the_first_wins() {
    let mut story = Story::new(1, &[("build", &[])]).each(|leaf| leaf.timeout = Some(Millis(100)));
    story.at(0).submit();
    story.at(100); // the timeout
    story.at(101).cancel();
    story.at(130).ends("build.1", Exit::Signal { signal: neap::definition::Signal::KILL });
    story.check(
        "
        @0    run created
              build queued
              build.1 started                    -> start build.1
        @100  build.1 stopping: TimedOut         -> stop build.1, grace 30
        @101  run cancelled by me
        @130  build.1 ended: SIGKILL
              build finished: timed out
              run finished: failed at build
        ",
    );
}

#[test]
fn a_failure_skips_what_needs_it() {
    let mut story = Story::new(2, &[("fetch", &[]), ("build", &[0]), ("lint", &[]), ("ship", &[1, 2])]);
    story.at(0).submit();
    story.at(5).ends("fetch.1", code(1));
    story.at(6).ends("lint.1", code(0));
    story.check(
        "
        @0    run created
              fetch queued
              lint queued
              fetch.1 started                    -> start fetch.1
              lint.1 started                     -> start lint.1
        @5    fetch.1 ended: exit 1
              fetch finished: exit 1
              build finished: skipped, needs fetch
              ship finished: skipped, needs build
        @6    lint.1 ended: exit 0
              lint finished: succeeded
              run finished: failed at fetch
        ",
    );
}

#[test]
fn a_failure_that_does_not_count_lets_others_run() {
    let mut story = Story::new(1, &[("lint", &[]), ("build", &[0])]);
    story.leaf(0).continue_on_error = true;
    story.at(0).submit();
    story.at(1).ends("lint.1", code(1));
    story.at(2).ends("build.1", code(0));
    story.check(
        "
        @0    run created
              lint queued
              lint.1 started                     -> start lint.1
        @1    lint.1 ended: exit 1
              lint finished: exit 1
              build queued
              build.1 started                    -> start build.1
        @2    build.1 ended: exit 0
              build finished: succeeded
              run finished: succeeded
        ",
    );
}

#[test]
fn a_retry_waits_longer_each_time_and_gives_up() {
    let mut story = Story::new(1, &[("flaky", &[])])
        .each(|leaf| leaf.retry = Retry { attempts: 3, delay: Millis(10), backoff: 3.0, ..Retry::default() });
    story.at(0).submit();
    story.at(1).ends("flaky.1", code(1));
    story.at(11);
    story.at(12).ends("flaky.2", code(1));
    story.at(42);
    story.at(43).ends("flaky.3", code(1));
    story.check(
        "
        @0    run created
              flaky queued
              flaky.1 started                    -> start flaky.1
        @1    flaky.1 ended: exit 1
              flaky tries again @11
        @11   flaky queued
              flaky.2 started                    -> start flaky.2
        @12   flaky.2 ended: exit 1
              flaky tries again @42
        @42   flaky queued
              flaky.3 started                    -> start flaky.3
        @43   flaky.3 ended: exit 1
              flaky finished: exit 1
              run finished: failed at flaky
        ",
    );
}

#[test]
fn a_wait_grows_no_longer_than_its_limit() {
    let mut story = Story::new(1, &[("flaky", &[])]).each(|leaf| {
        leaf.retry = Retry {
            attempts: 3,
            delay: Millis(10),
            backoff: 100.0,
            max_delay: Millis(20),
            ..Retry::default()
        }
    });
    story.at(0).submit();
    story.at(1).ends("flaky.1", code(1));
    story.at(11).ends("flaky.2", code(1));
    story.check(
        "
        @0    run created
              flaky queued
              flaky.1 started                    -> start flaky.1
        @1    flaky.1 ended: exit 1
              flaky tries again @11
        @11   flaky queued
              flaky.2 started                    -> start flaky.2
        @11   flaky.2 ended: exit 1
              flaky tries again @31
        ",
    );
}

#[test]
fn an_exit_code_that_is_ruled_out_is_not_tried_again() {
    let mut story = Story::new(1, &[("a", &[])])
        .each(|leaf| leaf.retry = Retry { attempts: 5, not_on_exit: vec![2], ..Retry::default() });
    story.at(0).submit();
    story.at(1).ends("a.1", code(2));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @1    a.1 ended: exit 2
              a finished: exit 2
              run finished: failed at a
        ",
    );
}

#[test]
fn what_is_announced_too_late_is_not_owed() {
    let mut story = Story::new(1, &[("a", &[])])
        .each(|leaf| leaf.cleanup = vec![Cleanup::Remove { path: "scratch".into() }]);
    story.at(0).submit();
    story.at(1).owes("a.1");
    story.at(2).ends("a.1", code(0));
    story.at(3).owes("a.1"); // it is being tidied up already
    story.at(4).cleaned("a");
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @1    a owes a cleanup
        @2    a.1 ended: exit 0
              a tidies up                        -> clean a
        @4    a finished: succeeded
              run finished: succeeded
        ",
    );
}

#[test]
fn a_hook_sets_the_timeout_of_one_attempt() {
    let mut story = Story::new(1, &[("a", &[])]).each(|leaf| {
        leaf.timeout = Some(Millis(1000));
        leaf.hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }];
    });
    story.at(0).submit();
    story.at(1).answers("a.1", Question::Before, Answer::StartWith { timeout: Millis(5) });
    story.at(6);
    story.check(
        "
        @0    run created
              a queued
              a.1 admitted                       -> ask a.1 Before
        @1    a.1 started                        -> start a.1
        @6    a.1 stopping: TimedOut             -> stop a.1, grace 30
        ",
    );
}

#[test]
fn a_slot_counts_until_it_is_a_minute_late() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).schedule_every(20_000);
    story.at(100_000);
    story.at(180_001);
    story.check(
        "
        @0       armed t
        @100000  slots @20000 to @20000 missed: 1
                 run created for @40000
                 a queued
                 slot @60000 skipped: run 1 goes on
                 slot @80000 skipped: run 1 goes on
                 slot @100000 skipped: run 1 goes on
                 a.1 started                     -> start a.1
        @180001  slots @120000 to @120000 missed: 1
                 slot @140000 skipped: run 1 goes on
                 slot @160000 skipped: run 1 goes on
                 slot @180000 skipped: run 1 goes on
        ",
    );
}

#[test]
fn a_schedule_goes_on_where_the_last_host_left_it() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule_every(1000);
    story.at(1000);
    story.at(1100).restart();
    story.at(3500).schedule_every(1000); // two slots went by, neither of them long ago
    story.check(
        "
        @500   armed t
        @1000  run created for @1000
               a queued
               a.1 started                       -> start a.1
        @3500  slot @2000 skipped: run 1 goes on
               slot @3000 skipped: run 1 goes on
        ",
    );
}

#[test]
fn an_exit_code_that_is_not_listed_is_not_tried_again() {
    let mut story = Story::new(1, &[("a", &[])])
        .each(|leaf| leaf.retry = Retry { attempts: 5, on_exit: vec![75], ..Retry::default() });
    story.at(0).submit();
    story.at(1).ends("a.1", code(1));
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @1    a.1 ended: exit 1
              a finished: exit 1
              run finished: failed at a
        ",
    );
}

#[test]
fn a_hook_delays_then_skips_and_its_cleanup_is_owed() {
    let mut story = Story::new(1, &[("sync", &[])])
        .each(|leaf| leaf.hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }]);
    story.at(0).submit();
    story.at(1).answers("sync.1", Question::Before, Answer::Delay { by: Millis(10), reason: None });
    story.at(11);
    story.at(12).answers("sync.2", Question::Before, Answer::Skip { reason: "nothing new".into() });
    story.at(13).cleaned("sync");
    story.check(
        "
        @0    run created
              sync queued
              sync.1 admitted                    -> ask sync.1 Before
        @1    sync tries again @11
        @11   sync queued
              sync.2 admitted                    -> ask sync.2 Before
        @12   sync tidies up                     -> clean sync
        @13   sync finished: skipped, nothing new
              run finished: succeeded
        ",
    );
}

#[test]
fn a_guard_that_does_not_answer_in_time_lets_nothing_start() {
    let mut story = Story::new(1, &[("sync", &[])])
        .each(|leaf| leaf.hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }]);
    story.at(0).submit();
    story.at(60_000);
    story.at(60_001).answers("sync.1", Question::Before, Answer::NoOpinion); // too late
    story.at(60_002).cleaned("sync");
    story.check(
        "
        @0      run created
                sync queued
                sync.1 admitted                  -> ask sync.1 Before
        @60000  sync tidies up                   -> clean sync
        @60002  sync finished: hook: the `before` hook did not answer in time
                run finished: failed at sync
        ",
    );
}

#[test]
fn a_hook_turns_a_success_into_a_failure() {
    let mut story = Story::new(1, &[("dump", &[])])
        .each(|leaf| leaf.hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }]);
    story.at(0).submit();
    story.at(1).answers("dump.1", Question::Before, Answer::NoOpinion);
    story.at(2).ends("dump.1", code(0));
    story.at(3).answers("dump.1", Question::Success, Answer::Fail { message: "the dump is empty".into() });
    story.at(4).cleaned("dump");
    story.check(
        "
        @0    run created
              dump queued
              dump.1 admitted                    -> ask dump.1 Before
        @1    dump.1 started                     -> start dump.1
        @2    dump.1 ended: exit 0
              dump.1 asks Success                -> ask dump.1 Success
        @3    dump tidies up                     -> clean dump
        @4    dump finished: hook: the dump is empty
              run finished: failed at dump
        ",
    );
}

#[test]
fn a_cancel_reaches_every_job_and_its_cleanup_still_runs() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[0]), ("c", &[])])
        .each(|leaf| leaf.cleanup = vec![Cleanup::Remove { path: "scratch".into() }]);
    story.at(0).submit();
    story.at(1).ends("c.1", code(0));
    story.at(2).cancel();
    story.at(3).cancel(); // twice is once
    story.at(4).cancel_now();
    story.at(5).ends("a.1", Exit::Signal { signal: neap::definition::Signal::KILL });
    story.at(6).cleaned("a");
    story.at(7).cleaned("c");
    story.check(
        "
        @0    run created
              a queued
              c queued
              a.1 started                        -> start a.1
              c.1 started                        -> start c.1
        @1    c.1 ended: exit 0
              c tidies up                        -> clean c
        @2    run cancelled by me
              a.1 stopping: Cancelled            -> stop a.1, grace 30
              b finished: cancelled
        @4    -> stop a.1, grace 0
        @5    a.1 ended: SIGKILL
              a tidies up                        -> clean a
        @6    a finished: cancelled
        @7    c finished: succeeded
              run finished: cancelled
        ",
    );
}

#[test]
fn a_paused_run_starts_nothing_and_keeps_its_place() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[0])]);
    story.at(0).submit();
    story.at(1).pause();
    story.at(2).ends("a.1", code(0));
    story.at(3).resume();
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @1    run paused by me
        @2    a.1 ended: exit 0
              a finished: succeeded
              b queued
        @3    run resumed
              b.1 started                        -> start b.1
        ",
    );
}

#[test]
fn after_a_restart_a_lost_attempt_is_tried_again_and_orders_are_repeated() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[])])
        .each(|leaf| leaf.retry = Retry { attempts: 2, delay: Millis(10), ..Retry::default() });
    story.leaf(1).cleanup = vec![Cleanup::Remove { path: "scratch".into() }];
    story.at(0).submit();
    story.at(1).ends("b.1", code(0));
    story.at(2).restart();
    story.at(2).ends("a.1", Exit::Lost);
    story.at(12);
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                        -> start a.1
              b.1 started                        -> start b.1
        @1    b.1 ended: exit 0
              b tidies up                        -> clean b
        @2    -> clean b
        @2    a.1 ended: lost
              a tries again @12
        @12   a queued
              a.2 started                        -> start a.2
        ",
    );
}

#[test]
fn a_run_that_belonged_to_a_dead_program_is_cancelled() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[0])]);
    story.at(0).submit_bound();
    story.at(1).restart();
    story.at(2).ends("a.1", Exit::Lost);
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @1    run cancelled by host
              a.1 stopping: Cancelled            -> stop a.1, grace 0
              b finished: cancelled
        @2    a.1 ended: lost
              a finished: cancelled
              run finished: cancelled
        ",
    );
}

#[test]
fn a_higher_priority_goes_first_until_the_other_has_waited_long_enough() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).submit();
    story.at(1).submit_with_priority(0);
    story.at(2).submit_with_priority(1);
    story.at(70_000).submit_with_priority(1); // a minute and more later, one point is not enough
    story.at(70_001).ends_in_run(1, "a.1", code(0));
    story.at(70_002).ends_in_run(3, "a.1", code(0));
    story.at(70_003).ends_in_run(2, "a.1", code(0));
    story.check(
        "
        @0      run created
                a queued
                a.1 started                      -> start a.1
        @1      run 2 created
                a queued
        @2      run 3 created
                a queued
        @70000  run 4 created
                a queued
        @70001  a.1 ended: exit 0
                a finished: succeeded
                run finished: succeeded
                a.1 started                      -> start a.1 of run 3
        @70002  a.1 ended: exit 0
                a finished: succeeded
                run 3 finished: succeeded
                a.1 started                      -> start a.1 of run 2
        @70003  a.1 ended: exit 0
                a finished: succeeded
                run 2 finished: succeeded
                a.1 started                      -> start a.1 of run 4
        ",
    );
}

#[test]
fn a_schedule_skips_a_slot_while_its_last_run_goes_on() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule_every(1000);
    story.at(1000);
    story.at(2000);
    story.at(2100).ends("a.1", code(0));
    story.at(3004);
    story.check(
        "
        @500   armed t
        @1000  run created for @1000
               a queued
               a.1 started                       -> start a.1
        @2000  slot @2000 skipped: run 1 goes on
        @2100  a.1 ended: exit 0
               a finished: succeeded
               run finished: succeeded
        @3004  run 2 created for @3000
               a queued
               a.1 started                       -> start a.1 of run 2
        ",
    );
}

#[test]
fn slots_that_nobody_could_act_on_are_missed_in_one_line() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule_every(10_000);
    story.at(95_000);
    story.check(
        "
        @500    armed t
        @95000  slots @10000 to @30000 missed: 3
                run created for @40000
                a queued
                slot @50000 skipped: run 1 goes on
                slot @60000 skipped: run 1 goes on
                slot @70000 skipped: run 1 goes on
                slot @80000 skipped: run 1 goes on
                slot @90000 skipped: run 1 goes on
                a.1 started                      -> start a.1
        ",
    );
}

#[test]
fn a_reload_keeps_the_place_in_time_of_a_schedule_that_stayed() {
    let mut story = Story::new(4, &[("a", &[])]);
    story.at(500).schedule_every(1000);
    story.at(999).schedule_every(1000);
    story.at(1000);
    story.at(1000).schedule_every(1000);
    story.at(1500).schedule_nothing();
    story.at(1600).schedule_every(1000); // seen anew: its past does not count
    story.at(2000);
    story.check(
        "
        @500   armed t
        @1000  run created for @1000
               a queued
               a.1 started                       -> start a.1
        @1500  disarmed t
        @1600  armed t
        @2000  slot @2000 skipped: run 1 goes on
        ",
    );
}

#[test]
fn a_resting_task_fires_nothing() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule_every(1000);
    story.at(600).rest();
    story.at(700).rest(); // twice is once
    story.at(1000);
    story.at(1500).wake();
    story.at(1600).wake();
    story.at(2000);
    story.check(
        "
        @500   armed t
        @600   t rests
        @1000  slot @1000 skipped: paused
        @1500  t goes on
        @2000  run created for @2000
               a queued
               a.1 started                       -> start a.1
        ",
    );
}

#[test]
fn the_first_failure_is_the_one_that_is_named() {
    let mut story = Story::new(2, &[("a", &[]), ("b", &[])]);
    story.at(0).submit();
    story.at(1).ends("b.1", code(2));
    story.at(2).ends("a.1", code(1));
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                        -> start a.1
              b.1 started                        -> start b.1
        @1    b.1 ended: exit 2
              b finished: exit 2
        @2    a.1 ended: exit 1
              a finished: exit 1
              run finished: failed at b
        ",
    );
}

#[test]
fn a_delay_does_not_use_up_a_try() {
    let mut story = Story::new(1, &[("a", &[])]).each(|leaf| {
        leaf.retry = Retry { attempts: 2, delay: Millis(1), ..Retry::default() };
        leaf.hooks = vec![Hook { file: "h.lua".into(), on_error: OnHookError::Warn }];
    });
    story.at(0).submit();
    story.at(0).answers("a.1", Question::Before, Answer::Delay { by: Millis(10), reason: None });
    story.at(10).answers("a.2", Question::Before, Answer::NoOpinion);
    story.at(11).ends("a.2", code(1));
    story.at(12).answers("a.2", Question::Retry, Answer::NoOpinion);
    story.check(
        "
        @0    run created
              a queued
              a.1 admitted                       -> ask a.1 Before
        @0    a tries again @10
        @10   a queued
              a.2 admitted                       -> ask a.2 Before
        @10   a.2 started                        -> start a.2
        @11   a.2 ended: exit 1
              a.2 asks Retry                     -> ask a.2 Retry
        @12   a tries again @13
        ",
    );
}

#[test]
fn what_waits_for_a_cancelled_job_is_cancelled_too_not_skipped() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[]), ("c", &[1])]);
    story.at(0).submit();
    story.at(1).cancel();
    story.check(
        "
        @0    run created
              a queued
              b queued
              a.1 started                        -> start a.1
        @1    run cancelled by me
              a.1 stopping: Cancelled            -> stop a.1, grace 30
              b finished: cancelled
              c finished: cancelled
        ",
    );
}

#[test]
fn a_very_long_absence_is_counted_up_to_ten_thousand_slots() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).schedule_every(30_000);
    story.at(400_000_000);
    story.check(
        "
        @0          armed t
        @400000000  slots @30000 to @399939999 missed: 10000
                    run created for @399960000
                    a queued
                    slot @399990000 skipped: run 1 goes on
                    a.1 started                  -> start a.1
        ",
    );
}

#[test]
fn a_cursor_never_goes_back() {
    use neap::base::Moment;
    use neap::engine::{Event, ScheduleKey, SlotSkip, State};
    let key = ScheduleKey("t".into());
    let mut state = State::default();
    state.apply(Moment(9), &Event::ScheduleArmed { key: key.clone(), at: Moment(9) });
    // An older event of a run that is still going on, replayed after the schedule was armed anew.
    state.apply(Moment(9), &Event::SlotSkipped { key: key.clone(), slot: Moment(5), why: SlotSkip::Paused });
    assert_eq!(state.cursors[&key], Moment(9));
}

#[test]
fn a_job_that_found_nothing_to_do_is_no_obstacle() {
    let mut story = Story::new(1, &[("a", &[]), ("b", &[0])]);
    story.at(0).submit();
    story.at(1).ends("a.1", Exit::Skipped { reason: "nothing new".into() });
    story.check(
        "
        @0    run created
              a queued
              a.1 started                        -> start a.1
        @1    a.1 ended: skipped: nothing new
              a finished: skipped, nothing new
              b queued
              b.1 started                        -> start b.1
        ",
    );
}

#[test]
fn jitter_spreads_the_tries_within_its_share() {
    let mut waits = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut story = Story::with_seed(seed, 1, &[("a", &[])]).each(|leaf| {
            leaf.retry = Retry { attempts: 2, delay: Millis(1000), jitter: 0.5, ..Retry::default() };
        });
        story.at(0).submit();
        story.at(0).ends("a.1", code(1));
        waits.insert(story.next_deadline());
    }
    assert!(waits.iter().all(|wait| (500..=1500).contains(wait)), "{waits:?}");
    assert!(*waits.first().unwrap() < 750 && *waits.last().unwrap() > 1250 && waits.len() > 30, "{waits:?}");
}
