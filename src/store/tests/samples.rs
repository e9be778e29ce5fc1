//! At least one of every event there is, so that none is forgotten where all must be tried.

use super::{job, key, name, new_run, plan};
use crate::base::{AttemptId, Millis, Moment, RunId};
use crate::definition::{Cleanup, GroupName, Params, Signal};
use crate::engine::{
    Author, Call, Cause, Cell, Changed, ChangedPath, Event, Exit, Expectation, Fingerprint, Limit, Missed,
    NewRun, NotSpawned, Outcome, OwedCleanup, PlanRef, Question, Refused, RunOutcome, Skip, SlotSkip,
    StopCause, Trigger, Usage,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Events about run 1 (created first) and about schedules.
pub(super) fn samples() -> Vec<Event> {
    let mut events = runs();
    events.extend(jobs());
    events.extend(attempts());
    events.extend(schedules());
    events.extend(turns());
    events
}

/// A plan with a hash that stays when plans get another field.
fn lasting() -> PlanRef {
    PlanRef::with_hash("29041a01210c3903d8aed2951d392892".into(), Arc::clone(plan("a", &["a"]).plan()))
}

fn runs() -> Vec<Event> {
    let (run, by) = (RunId(1), Author("ada".into()));
    let first = NewRun { plan: lasting(), ..new_run("a", 1, 1) };
    let scheduled = NewRun {
        run: RunId(2),
        number: 2,
        trigger: Trigger::Schedule { key: key("a: 0 3 * * * (UTC)"), slot: Moment(10_800_000) },
        by: Author::schedule(),
        ..first.clone()
    };
    let retry = NewRun {
        run: RunId(3),
        number: 3,
        trigger: Trigger::Retry { of: RunId(1) },
        reason: Some("the disk was \"full\"\n".into()),
        priority: Some(-7),
        reused: vec![0, 2],
        ..first.clone()
    };
    let outputs = Arc::new(Params::from([("size".to_owned(), 42.into())]));
    let with_outputs =
        NewRun { run: RunId(4), number: 4, reused_outputs: vec![(2, outputs)], ..retry.clone() };
    let trigger = Trigger::After { key: key("a: after b succeeded"), run: RunId(1) };
    let chained = NewRun { run: RunId(6), number: 6, trigger, ..first.clone() };
    let path = |bytes: &[u8]| ChangedPath(bytes.into());
    let changed = Changed { paths: vec![path(b"/in/a b.csv"), path(b"/in/\xff")], more: 3 };
    let trigger = Trigger::Watch {
        key: key("a: on change of in/*"),
        until: Moment(10_800_001),
        changed: Arc::new(changed),
    };
    let watched = NewRun { run: RunId(8), number: 8, trigger, ..first.clone() };
    let call = Call {
        from: "192.0.2.7".into(),
        content_type: Some("application/json".into()),
        body: (*b"{\"ref\": \"\xff\"}").into(),
    };
    let trigger = Trigger::Webhook { key: key("a: on POST /hooks/a with TOKEN"), call: Arc::new(call) };
    let called = NewRun { run: RunId(10), number: 10, trigger, ..first.clone() };
    let behind = NewRun { run: RunId(5), number: 5, is_behind: true, ..first.clone() };
    let keyed = NewRun { run: RunId(7), number: 7, key: Some("import \"x\"".into()), ..first.clone() };
    vec![
        Event::RunCreated(Box::new(first)),
        Event::RunCreated(Box::new(scheduled)),
        Event::RunCreated(Box::new(retry)),
        Event::RunCreated(Box::new(with_outputs)),
        Event::RunCreated(Box::new(behind)),
        Event::RunCreated(Box::new(chained)),
        Event::RunCreated(Box::new(watched)),
        Event::RunCreated(Box::new(called)),
        Event::RunCreated(Box::new(NewRun { waits: true, plan: lasting(), ..new_run("a", 9, 9) })),
        Event::RunCreated(Box::new(keyed)),
        Event::RunReleased { run: RunId(5) },
        Event::RunPaused { run, by: by.clone(), reason: Some("why".into()) },
        Event::RunResumed { run, by: by.clone() },
        Event::RunCancelled { run, by, reason: None },
        Event::RunFinished { run, outcome: RunOutcome::Succeeded },
        Event::RunFinished { run: RunId(2), outcome: RunOutcome::Failed { root: 4 } },
        Event::RunFinished { run: RunId(3), outcome: RunOutcome::Cancelled },
    ]
}

fn jobs() -> Vec<Event> {
    let failed = |cause| Outcome::Failed { cause };
    let message = || "no such file".to_string();
    let outcomes = [
        Outcome::Succeeded,
        failed(Cause::Exit { code: 3 }),
        failed(Cause::Signal { signal: Signal::KILL }),
        failed(Cause::TimedOut),
        failed(Cause::Stalled),
        failed(Cause::NotSpawned { why: NotSpawned::NotFound, message: message() }),
        failed(Cause::Lost),
        failed(Cause::Hook { message: message() }),
        Outcome::Cancelled,
        Outcome::Skipped { why: Skip::Needs { job: 3 } },
        Outcome::Skipped { why: Skip::Asked { reason: "nothing to do".into() } },
        Outcome::Skipped { why: Skip::Reused },
        failed(Cause::Limit { which: Limit::Memory, most: 64 << 20 }),
        failed(Cause::OutOfTime),
    ];
    let item = |what| OwedCleanup { what, unless_succeeded: true };
    let mut events = vec![
        Event::JobQueued { job: job(1, 0) },
        Event::RetryScheduled {
            job: job(1, 0),
            until: Moment(9),
            counts: true,
            reason: Some("flaky".into()),
        },
        Event::CleanupOwed { job: job(1, 0), item: item(Cleanup::Run { script: "rm -f x".into() }) },
        Event::CleanupOwed { job: job(1, 0), item: item(Cleanup::Exec { argv: vec!["rm".into()] }) },
        Event::CleanupOwed { job: job(1, 0), item: item(Cleanup::Remove { path: "tmp".into() }) },
        Event::CleanupStarted { job: job(1, 0), outcome: Outcome::Succeeded },
        Event::JobDelayed { job: job(1, 0), until: Moment(9) },
        Event::JobPreparing { job: job(1, 0) },
        Event::JobPrepared {
            outputs: Some(Arc::new(Params::from([("size".to_owned(), 42.into())]))),
            job: job(1, 0),
            leaf: Some(std::sync::Arc::new(super::leaf("a"))),
            params: Some(Default::default()),
            fingerprint: Some(Fingerprint { of: name("a"), text: "0f".into() }),
        },
        Event::JobSpread {
            job: job(1, 0),
            cells: vec![Cell { index: 1, name: name("a.linux"), values: Default::default() }],
        },
        Event::RoundScheduled { job: job(1, 0), until: Moment(9) },
        Event::JobFinished {
            job: job(1, 0),
            outcome: Outcome::Succeeded,
            problem: Some("tmp is busy".into()),
        },
    ];
    let finish = |(index, outcome)| Event::JobFinished { job: job(2, index), outcome, problem: None };
    events.extend((0..).zip(outcomes).map(finish));
    events
}

fn attempts() -> Vec<Event> {
    let attempt = |number| AttemptId { job: job(1, 0), number };
    let usage = Usage { pid: 4711, user_ms: 12, system_ms: 3, peak_rss: 5 << 20, ..Usage::default() };
    let busy = Usage { read_bytes: 512, written_bytes: 1024, ..usage };
    let not_spawned = |why| Exit::NotSpawned { why, message: "no such file".into() };
    let mut events = vec![
        Event::AttemptAdmitted { attempt: attempt(1) },
        Event::AttemptStarted { attempt: attempt(1), timeout: Some(Millis(5_000)) },
        Event::AttemptStarted { attempt: attempt(2), timeout: None },
        Event::AttemptPaused { attempt: attempt(1), by: Author("ada".into()), reason: Some("lunch".into()) },
        Event::AttemptResumed { attempt: attempt(1), by: Author("ada".into()) },
        Event::AttemptStopping { attempt: attempt(1), cause: StopCause::Cancelled },
        Event::AttemptStopping { attempt: attempt(2), cause: StopCause::TimedOut },
        Event::AttemptStopping { attempt: attempt(2), cause: StopCause::Stalled },
        Event::AttemptStopping { attempt: attempt(2), cause: StopCause::OutOfTime },
        Event::AttemptStopping { attempt: attempt(2), cause: StopCause::NotNeeded { job: 1 } },
        Event::Decided { attempt: attempt(2), approved: false, by: Author("ada".into()), reason: None },
        Event::HookAsked { attempt: attempt(2), question: Question::Repeat, cause: None },
        Event::AttemptEnded {
            attempt: attempt(1),
            exit: Exit::Code { code: -1 },
            usage: Some(usage),
            outputs: Default::default(),
        },
        Event::AttemptEnded {
            attempt: attempt(12),
            exit: Exit::Code { code: 0 },
            usage: Some(busy),
            outputs: Default::default(),
        },
        Event::HookAsked { attempt: attempt(1), question: Question::Before, cause: None },
        Event::HookAsked { attempt: attempt(1), question: Question::Success, cause: None },
        Event::HookAsked {
            attempt: attempt(1),
            question: Question::Retry,
            cause: Some(Cause::Exit { code: 7 }),
        },
    ];
    let exits = [
        Exit::Signal { signal: Signal::TERM },
        not_spawned(NotSpawned::NotFound),
        not_spawned(NotSpawned::NotExecutable),
        not_spawned(NotSpawned::Other),
        Exit::Lost,
        Exit::Skipped { reason: "nothing to do".into() },
        Exit::BadOutputs { message: "line 1: no `=`".into() },
        Exit::Limit { which: Limit::Memory, most: 64 << 20 },
        Exit::Limit { which: Limit::Processes, most: 50 },
        Exit::Limit { which: Limit::FileSize, most: 4096 },
        Exit::Limit { which: Limit::Output, most: 10_000_000 },
    ];
    let end = |(number, exit)| Event::AttemptEnded {
        attempt: attempt(number),
        exit,
        usage: None,
        outputs: Default::default(),
    };
    events.extend((2..).zip(exits).map(end));
    events
}

fn schedules() -> Vec<Event> {
    let (key, task, by) = (key("a: @hourly (UTC)"), name("ops/a"), Author("ada".into()));
    let missed =
        |why| Event::SlotsMissed { key: key.clone(), from: Moment(8), to: Moment(30), count: 23, why };
    vec![
        Event::ScheduleArmed { key: key.clone(), at: Moment(5) },
        Event::SlotSkipped { key: key.clone(), slot: Moment(6), why: SlotSkip::Overlap { run: RunId(1) } },
        Event::SlotSkipped { key: key.clone(), slot: Moment(7), why: SlotSkip::Paused },
        Event::SlotSkipped { key: key.clone(), slot: Moment(7), why: SlotSkip::Queued { run: RunId(2) } },
        missed(Missed::Down),
        missed(Missed::TooOld),
        missed(Missed::TooMany),
        missed(Missed::NotLast),
        Event::ScheduleDisarmed { key: key.clone() },
        Event::TaskPaused { task: task.clone(), by: by.clone(), reason: Some("holiday".into()) },
        Event::TaskResumed { task, by },
    ]
}

fn turns() -> Vec<Event> {
    let group = GroupName::Named("deploy".into());
    let (task, by, own) = (name("ops/a"), Author("ada".into()), GroupName::Task(name("ops/a")));
    let crowded = SlotSkip::Crowded { run: RunId(1), group: group.clone() };
    let refused = |group, fails| {
        let (task, by) = (task.clone(), by.clone());
        Event::RunRefused(Box::new(Refused { task, by, group, run: RunId(1), fails }))
    };
    vec![
        Event::RunBegan { run: RunId(9) },
        Event::RateUsed { key: "github".into() },
        Event::RunLate { run: RunId(9), what: Expectation::Finished, limit: Millis(7_200_000) },
        Event::RunLate { run: RunId(9), what: Expectation::Usual, limit: Millis(90_000) },
        Event::QueuePaused { queue: "heavy".into(), by: by.clone(), reason: Some("why".into()) },
        Event::QueueResumed { queue: "heavy".into(), by: by.clone() },
        Event::RunPrioritised { run: RunId(9), priority: -7, by: by.clone() },
        Event::JobFinished {
            job: job(1, 8),
            outcome: Outcome::Failed { cause: Cause::QueuedTooLong { waited: Millis(1500) } },
            problem: None,
        },
        Event::SlotSkipped { key: key("b: @hourly (UTC)"), slot: Moment(9), why: crowded },
        refused(group, true),
        refused(own, false),
    ]
}

/// A new variant does not compile here until it has a word, and fails below until it has a sample.
fn word(event: &Event) -> &'static str {
    match event {
        Event::RunCreated(_) => "run_created",
        Event::RunPaused { .. } => "run_paused",
        Event::RunResumed { .. } => "run_resumed",
        Event::RunCancelled { .. } => "run_cancelled",
        Event::RunReleased { .. } => "run_released",
        Event::RunLate { .. } => "run_late",
        Event::RunFinished { .. } => "run_finished",
        Event::JobDelayed { .. } => "job_delayed",
        Event::JobPreparing { .. } => "job_preparing",
        Event::JobPrepared { .. } => "job_prepared",
        Event::JobSpread { .. } => "job_spread",
        Event::RoundScheduled { .. } => "round_scheduled",
        Event::Decided { .. } => "decided",
        Event::JobQueued { .. } => "job_queued",
        Event::AttemptAdmitted { .. } => "attempt_admitted",
        Event::AttemptStarted { .. } => "attempt_started",
        Event::AttemptPaused { .. } => "attempt_paused",
        Event::AttemptResumed { .. } => "attempt_resumed",
        Event::AttemptStopping { .. } => "attempt_stopping",
        Event::AttemptEnded { .. } => "attempt_ended",
        Event::HookAsked { .. } => "hook_asked",
        Event::RetryScheduled { .. } => "retry_scheduled",
        Event::CleanupOwed { .. } => "cleanup_owed",
        Event::CleanupStarted { .. } => "cleanup_started",
        Event::JobFinished { .. } => "job_finished",
        Event::ScheduleArmed { .. } => "schedule_armed",
        Event::ScheduleDisarmed { .. } => "schedule_disarmed",
        Event::SlotSkipped { .. } => "slot_skipped",
        Event::SlotsMissed { .. } => "slots_missed",
        Event::TaskPaused { .. } => "task_paused",
        Event::TaskResumed { .. } => "task_resumed",
        Event::RunBegan { .. } => "run_began",
        Event::RateUsed { .. } => "rate_used",
        Event::QueuePaused { .. } => "queue_paused",
        Event::QueueResumed { .. } => "queue_resumed",
        Event::RunPrioritised { .. } => "run_prioritised",
        Event::RunRefused(_) => "run_refused",
    }
}

#[test]
fn no_event_is_without_a_sample() {
    let words: BTreeSet<&str> = samples().iter().map(word).collect();
    assert_eq!(words.len(), 37, "{words:?}");
}
