//! Stories of slots: what becomes of them while a run of the task goes on, and when nobody could act in time.

use super::told::{Story, code};
use neap::base::{Millis, Moment, RunId, TaskName};
use neap::definition::{Catchup, Firing, Overlap};
use neap::engine::Wait;
use neap::schedule::{End, Occasion, Schedule};

fn overlapping(overlap: Overlap) -> Firing {
    Firing { overlap, ..Firing::default() }
}

fn catching_up(catchup: Catchup) -> Firing {
    Firing { overlap: Overlap::Allow, catchup, catchup_window: Millis::from_secs(600), ..Firing::default() }
}

fn every(seconds: u64) -> Schedule {
    Schedule::every(Millis::from_secs(seconds)).unwrap()
}

#[test]
fn one_run_waits_for_the_end_of_the_other_and_no_more() {
    let mut story = Story::new(2, &[("a", &[])]);
    story.at(500).schedule(every(1), overlapping(Overlap::QueueOne));
    story.at(1000);
    story.at(2000);
    assert_eq!(story.wait_in_run(2, "a"), Some(Wait::Behind { run: RunId(1) }));
    story.at(3000);
    story.at(3500).ends("a.1", code(0));
    story.at(4000);
    story.check(
        "
        @500   armed t
        @1000  run created for @1000
               a queued
               a.1 started                       -> start a.1
        @2000  run 2 created for @2000, waits for its turn
        @3000  slot @3000 skipped: run 2 waits
        @3500  a.1 ended: exit 0
               a finished: succeeded
               run finished: succeeded
               run 2 has its turn
               run 2 begins
               a queued
               a.1 started                       -> start a.1 of run 2
        @4000  run 3 created for @4000, waits for its turn
        ",
    );
}

#[test]
fn all_runs_wait_and_go_on_in_order() {
    let mut story = Story::new(2, &[("a", &[])]);
    story.at(500).schedule(every(1), overlapping(Overlap::QueueAll));
    story.at(3000);
    story.at(3100).restart().schedule(every(1), overlapping(Overlap::QueueAll));
    assert_eq!(story.wait_in_run(3, "a"), Some(Wait::Behind { run: RunId(1) }));
    story.at(3500).ends("a.1", code(0));
    story.at(3600).ends_in_run(2, "a.1", code(1));
    story.check(
        "
        @500   armed t
        @3000  run created for @1000
               a queued
               run 2 created for @2000, waits for its turn
               run 3 created for @3000, waits for its turn
               a.1 started                       -> start a.1
        @3500  a.1 ended: exit 0
               a finished: succeeded
               run finished: succeeded
               run 2 has its turn
               run 2 begins
               a queued
               a.1 started                       -> start a.1 of run 2
        @3600  a.1 ended: exit 1
               a finished: exit 1
               run 2 finished: failed at a
               run 3 has its turn
               run 3 begins
               a queued
               a.1 started                       -> start a.1 of run 3
        ",
    );
}

#[test]
fn a_new_slot_replaces_what_goes_on_and_begins_when_that_has_ended() {
    let mut story = Story::new(2, &[("a", &[])]);
    story.at(500).schedule(every(1), overlapping(Overlap::CancelRunning));
    story.at(1000);
    story.at(2000);
    story.at(3000); // the second is replaced before it began
    story.at(3500).ends("a.1", code(0));
    story.check(
        "
        @500   armed t
        @1000  run created for @1000
               a queued
               a.1 started                       -> start a.1
        @2000  run cancelled by schedule
               a.1 stopping: Cancelled           -> stop a.1, grace 30
               run 2 created for @2000, waits for its turn
        @3000  run 2 cancelled by schedule
               a finished: cancelled
               run 2 finished: cancelled
               run 3 created for @3000, waits for its turn
        @3500  a.1 ended: exit 0
               a finished: cancelled
               run finished: cancelled
               run 3 has its turn
               run 3 begins
               a queued
               a.1 started                       -> start a.1 of run 3
        ",
    );
}

#[test]
fn a_run_that_is_cancelled_while_it_waits_runs_nothing_at_all() {
    let mut story = Story::new(2, &[("a", &[]), ("tidy", &[0])]).rule(1, neap::definition::Rule::Always);
    story.at(500).schedule(every(1), overlapping(Overlap::QueueAll));
    story.at(2000);
    story.at(2100).cancel_run(2);
    story.check(
        "
        @500   armed t
        @2000  run created for @1000
               a queued
               run 2 created for @2000, waits for its turn
               a.1 started                       -> start a.1
        @2100  run 2 cancelled by me
               tidy finished: cancelled
               a finished: cancelled
               run 2 finished: cancelled
        ",
    );
}

#[test]
fn no_more_than_a_thousand_runs_wait() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(1), overlapping(Overlap::QueueAll));
    for second in 1..=1001 {
        story.at(second * 1000);
    }
    assert_eq!(story.runs(), 1001, "one goes on, a thousand wait");
    story.at(1_002_000);
    assert_eq!(story.runs(), 1001);
}

#[test]
fn the_last_of_the_missed_slots_is_made_up_for() {
    let mut story = Story::new(2, &[("a", &[])]);
    story.at(500).schedule(every(100), catching_up(Catchup::Last));
    story.at(390_000).restart().schedule(every(100), catching_up(Catchup::Last));
    story.at(400_000);
    story.check(
        "
        @500     armed t
        @390000  slots @100000 to @200000 not_last: 2
                 run created for @300000
                 a queued
                 a.1 started                     -> start a.1
        @400000  run 2 created for @400000
                 a queued
                 a.1 started                     -> start a.1 of run 2
        ",
    );
}

#[test]
fn all_missed_slots_are_made_up_for_one_by_one_and_a_crash_between_them_repeats_none() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(100), catching_up(Catchup::All));
    story.at(901_000).restart().schedule(every(100), catching_up(Catchup::All));
    assert_eq!(story.next_deadline(), 901_050);
    story.at(901_050);
    story.at(901_060).restart().schedule(every(100), catching_up(Catchup::All));
    story.at(901_110);
    story.check(
        "
        @500     armed t
        @901000  slots @100000 to @300000 too_old: 3
                 run created for @400000
                 a queued
                 a.1 started                     -> start a.1
        @901000  run 2 created for @500000
                 a queued
        @901050  run 3 created for @600000
                 a queued
        @901060  run 4 created for @700000
                 a queued
        @901110  run 5 created for @800000
                 a queued
                 run 6 created for @900000
                 a queued
        ",
    );
}

#[test]
fn a_clock_that_jumps_makes_slots_late_as_a_dead_host_does() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(100), catching_up(Catchup::All));
    story.at(290_000); // asleep for two slots
    story.at(290_050);
    story.at(290_100);
    story.check(
        "
        @500     armed t
        @290000  run created for @100000
                 a queued
                 a.1 started                     -> start a.1
        @290050  run 2 created for @200000
                 a queued
        ",
    );
}

#[test]
fn while_schedules_rest_nothing_is_caught_up() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(100), catching_up(Catchup::All));
    story.at(600).rest();
    story.at(390_000);
    story.check(
        "
        @500     armed t
        @600     t rests
        @390000  slots @100000 to @300000 missed: 3
        ",
    );
}

#[test]
fn of_very_many_missed_slots_the_last_thousand_are_made_up_for() {
    let firing = Firing { catchup_window: Firing::LONGEST_WINDOW, ..catching_up(Catchup::All) };
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(10), firing);
    story.at(100_000_000);
    story.check(
        "
        @500        armed t
        @100000000  slots @10000 to @90000000 too_many: 9000
                    run created for @90010000
                    a queued
                    a.1 started                  -> start a.1
        ",
    );
    let mut now = 100_000_000;
    while story.runs() < 1000 {
        now += 50;
        story.at(now);
        assert!(now < 100_060_000, "20 in a second are not kept");
    }
}

/// A name that was used before keeps its past when the clock was set back meanwhile: the journal must not have two runs
/// for one slot.
#[test]
fn a_schedule_that_comes_back_under_a_clock_that_was_set_back_repeats_nothing() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule_every(1000);
    story.at(5000);
    story.at(5100).schedule_nothing();
    story.at(2100).restart().schedule_every(1000);
    assert_eq!(story.next_deadline(), 6000);
    assert_eq!(story.state().latest, Moment(5000));
}

/// The same holds for slots that had no run: what was skipped, or written down as missed, is dealt with.
#[test]
fn what_was_skipped_or_missed_does_not_come_back_with_the_schedule() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule_every(1000);
    story.at(600).rest();
    story.at(5000);
    story.at(5100).schedule_nothing();
    story.at(2100).restart().schedule_every(1000);
    assert_eq!(story.next_deadline(), 6000);
    story.at(105_100); // from 6 s to 45 s they were missed, later ones were left out
    story.at(105_200).schedule_nothing();
    story.at(2200).restart().schedule_every(1000);
    assert_eq!(story.next_deadline(), 106_000);
    assert_eq!(story.runs(), 0);
}

fn after(when: End) -> Vec<(Schedule, Firing)> {
    let occasion = Occasion::After { task: TaskName::new("t").unwrap(), when };
    vec![(Schedule::on(occasion), Firing::default())]
}

#[test]
fn a_task_comes_after_another_in_the_step_in_which_that_ends() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).chain("next", after(End::Succeeded));
    story.at(1).submit();
    story.at(2).ends("a.1", code(0));
    story.at(3).ends_in_run(2, "a.1", code(0));
    story.at(4).submit();
    story.at(5).ends_in_run(3, "a.1", code(1));
    story.check(
        "
        @0    armed next: after t succeeded
        @1    run created
              a queued
              a.1 started                        -> start a.1
        @2    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
              run 2 created after run 1
              a queued
              a.1 started                        -> start a.1 of run 2
        @3    a.1 ended: exit 0
              a finished: succeeded
              run 2 finished: succeeded
        @4    run 3 created
              a queued
              a.1 started                        -> start a.1 of run 3
        @5    a.1 ended: exit 1
              a finished: exit 1
              run 3 finished: failed at a
        ",
    );
}

#[test]
fn what_comes_after_a_run_that_died_with_the_host_is_not_lost() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(0).chain("next", after(End::Failed));
    story.at(1).submit();
    story.at(2).restart();
    story.announce("next", after(End::Failed)).ends("a.1", neap::engine::Exit::Lost);
    story.at(3).chain("next", after(End::Failed));
    story.check(
        "
        @0    armed next: after t failed
        @1    run created
              a queued
              a.1 started                        -> start a.1
        @2    a.1 ended: lost
              a finished: lost
              run finished: failed at a
              run 2 created after run 1
              a queued
              a.1 started                        -> start a.1 of run 2
        ",
    );
}

#[test]
fn a_start_of_the_host_fires_once_and_a_reload_does_not() {
    let startup = || vec![(Schedule::on(Occasion::Startup), Firing::default())];
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(5).chain("boot", startup());
    story.at(6).chain("boot", startup());
    story.at(7).ends("a.1", code(0));
    story.at(3).restart(); // under a clock that was set back
    story.chain("boot", startup());
    story.check(
        "
        @5    armed boot: at startup
              run created for @5
              a queued
              a.1 started                        -> start a.1
        @7    a.1 ended: exit 0
              a finished: succeeded
              run finished: succeeded
        @3    run 2 created for @6
              a queued
              a.1 started                        -> start a.1 of run 2
        ",
    );
}

#[test]
fn a_schedule_whose_runs_fail_again_and_again_rests_until_somebody_resumes_it() {
    let firing = || Firing { pause_on_failure: Some(2), ..Firing::default() };
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(1), firing());
    story.at(1000).ends("a.1", code(1));
    story.at(1500).restart().schedule(every(1), firing());
    story.at(2000).ends_in_run(2, "a.1", code(1));
    story.at(3000);
    story.at(3500).wake();
    story.at(4000).ends_in_run(3, "a.1", code(1));
    story.check(
        "
        @500   armed t
        @1000  run created for @1000
               a queued
               a.1 started                       -> start a.1
        @1000  a.1 ended: exit 1
               a finished: exit 1
               run finished: failed at a
        @2000  run 2 created for @2000
               a queued
               a.1 started                       -> start a.1 of run 2
        @2000  a.1 ended: exit 1
               a finished: exit 1
               run 2 finished: failed at a
               t rests by host: 2 runs in a row failed, the last was t#2
        @3000  slot @3000 skipped: paused
        @3500  t goes on
        @4000  run 3 created for @4000
               a queued
               a.1 started                       -> start a.1 of run 3
        @4000  a.1 ended: exit 1
               a finished: exit 1
               run 3 finished: failed at a
        ",
    );
}

#[test]
fn jitter_creates_the_run_later_for_the_same_slot_and_a_restart_changes_nothing() {
    let firing = || Firing { jitter: Millis::from_secs(3600), ..Firing::default() };
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(500).schedule(every(600), firing());
    let due = story.next_deadline();
    assert!((600_000..1_200_000).contains(&due), "{due}");
    story.at(due - 1).restart().schedule(every(600), firing());
    assert_eq!(story.next_deadline(), due);
    story.at(due);
    assert_eq!(story.state().cursors.values().collect::<Vec<_>>(), [&Moment(600_000)]);
    assert_eq!(story.runs(), 1);
}

/// Ten thousand tasks with one schedule each, all due in the same minute, and claimed in steps that follow at once: the
/// first of them need not wait until the last is decided. The bound is far above
/// what it takes (about a tenth of it without optimisation), so that it finds what grows with the square.
#[test]
fn ten_thousand_schedules_that_are_due_at_once_are_claimed_at_once() {
    use neap::engine::{Armed, Effect, Engine, Event, Input, PlanRef, ScheduleKey, State};
    use neap::plan::{Node, Plan};
    let armed = (0..10_000).map(|n| {
        let task = TaskName::new(&format!("t{n}")).unwrap();
        let leaf = super::told::leaf("a");
        let nodes = vec![Node::new(std::sync::Arc::new(leaf), Vec::new())];
        let (definition, params, groups) = ("d".into(), Default::default(), Vec::new());
        let plan = Plan { task: task.clone(), definition, params, groups, expect: Default::default(), nodes };
        let plan = PlanRef::new(std::sync::Arc::new(plan));
        let key = ScheduleKey(format!("{task}: every 1h").into());
        Armed { key, schedule: every(3600), plan, firing: Firing::default() }
    });
    let mut engine = Engine::new(4, 1, State::default());
    engine.handle(Moment(500), Input::Schedules(armed.collect()));
    let began = std::time::Instant::now();
    let claimed = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Emit(Event::RunCreated(_)))).count()
    };
    let mut steps = Vec::new();
    while engine.next_deadline() <= Some(Moment(3_600_000)) {
        steps.push(claimed(&engine.handle(Moment(3_600_000), Input::Tick)));
    }
    let took = began.elapsed();
    assert_eq!(steps.iter().sum::<usize>(), 10_000);
    assert!(steps.iter().all(|claims| (1..=256).contains(claims)), "{steps:?}");
    println!("10000 schedules were claimed in {} ms", took.as_millis());
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}

fn watch() -> Schedule {
    let paths = std::sync::Arc::new(["in/*".to_owned()]);
    Schedule::on(Occasion::Watch { paths, settle: Millis(100) })
}

/// A host that dies after it has seen a change and before there is a run looks again from the cursor on.
#[test]
fn files_that_changed_make_one_run_and_the_cursor_moves_with_it() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(1000).schedule(watch(), Firing::default());
    story.at(2000).changes(&["b", "a"], 1900);
    assert_eq!(story.state().cursors.values().collect::<Vec<_>>(), [&Moment(1900)]);
    story.at(2500).restart().schedule(watch(), Firing::default());
    assert_eq!(story.state().cursors.values().collect::<Vec<_>>(), [&Moment(1900)]);
    story.at(3000).changes(&["c"], 2900);
    story.at(3500).schedule_nothing();
    story.at(4000).changes(&["d"], 3900);
    story.check(
        "
        @1000  armed t
        @2000  run created for a change of a and 1 more up to @1900
               a queued
               a.1 started                       -> start a.1
        @3000  slot @2900 skipped: run 1 goes on
        @3500  disarmed t
        ",
    );
}

#[test]
fn files_that_change_while_a_run_goes_on_wait_as_a_slot_does() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(1000).schedule(watch(), overlapping(Overlap::QueueOne));
    story.at(2000).changes(&["a"], 1900);
    story.at(3000).changes(&["b"], 2900);
    story.at(4000).changes(&["c"], 3900);
    story.at(5000).ends("a.1", code(0));
    story.check(
        "
        @1000  armed t
        @2000  run created for a change of a up to @1900
               a queued
               a.1 started                       -> start a.1
        @3000  run 2 created for a change of b up to @2900, waits for its turn
        @4000  slot @3900 skipped: run 2 waits
        @5000  a.1 ended: exit 0
               a finished: succeeded
               run finished: succeeded
               run 2 has its turn
               run 2 begins
               a queued
               a.1 started                       -> start a.1 of run 2
        ",
    );
}

#[test]
fn files_that_change_while_the_schedules_rest_make_one_run_when_they_go_on() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(1000).schedule(watch(), Firing::default()).rest();
    story.at(2000).changes(&["b"], 1900);
    story.at(3000).changes(&["a"], 2900).schedule(watch(), Firing::default());
    assert_eq!(story.state().cursors.values().collect::<Vec<_>>(), [&Moment(980)]);
    story.at(4000).wake();
    story.check(
        "
        @1000  armed t
        @1000  t rests
        @4000  t goes on
               run created for a change of a and 1 more up to @2900
               a queued
               a.1 started                       -> start a.1
        ",
    );
}

fn webhook() -> Schedule {
    let task = neap::base::TaskName::new("t").unwrap();
    Schedule::on(Occasion::Webhook { task, token: "TOKEN".into() })
}

#[test]
fn a_call_makes_a_run_under_the_name_that_the_caller_gave_it() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(1000).schedule(webhook(), Firing::default());
    story.at(2000).called(Some("delivery 1"));
    story.at(2500).restart().schedule(webhook(), Firing::default());
    story.at(3000).called(None);
    story.at(3500).schedule_nothing();
    story.at(4000).called(None);
    story.check(
        "
        @1000  armed t
        @2000  run created for a call from 192.0.2.7 named delivery 1
               a queued
               a.1 started                       -> start a.1
        @3000  slot @3000 skipped: run 1 goes on
        @3500  disarmed t
        ",
    );
}

#[test]
fn who_calls_while_a_run_goes_on_waits_as_a_slot_does() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(1000).schedule(webhook(), overlapping(Overlap::QueueOne));
    story.at(2000).called(None);
    story.at(3000).called(None);
    story.at(4000).called(None);
    story.at(5000).ends("a.1", code(0));
    story.check(
        "
        @1000  armed t
        @2000  run created for a call from 192.0.2.7
               a queued
               a.1 started                       -> start a.1
        @3000  run 2 created for a call from 192.0.2.7, waits for its turn
        @4000  slot @4000 skipped: run 2 waits
        @5000  a.1 ended: exit 0
               a finished: succeeded
               run finished: succeeded
               run 2 has its turn
               run 2 begins
               a queued
               a.1 started                       -> start a.1 of run 2
        ",
    );
}

/// Who is told of no run calls again, so nothing is held back.
#[test]
fn who_calls_while_the_schedules_rest_is_told_so() {
    let mut story = Story::new(1, &[("a", &[])]);
    story.at(1000).schedule(webhook(), Firing::default()).rest();
    story.at(2000).called(None);
    story.at(3000).wake();
    story.check(
        "
        @1000  armed t
        @1000  t rests
        @2000  slot @2000 skipped: paused
        @3000  t goes on
        ",
    );
}
