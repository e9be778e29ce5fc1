//! The journal of a run in words, a line for each event.

use crate::api::{RunInfo, cause_words, priority_word, skip_words};
use crate::base::{AttemptId, Bytes, JobId, Millis, Moment};
use crate::cli::look::{Look, exit_words};
use crate::cli::output::{DIM, clean};
use crate::definition::Cleanup;
use crate::engine::{
    Event, Late, Outcome, OwedCleanup, Question, RunOutcome, Skip, StopCause, Trigger, Usage,
};
use crate::store::Entry;

pub(super) fn render(entries: &[Entry], run: &RunInfo, look: &Look) -> String {
    let line = |entry: &Entry| {
        let at = entry.record.at;
        let words = clean(&words(&entry.record.event, run, at));
        match look.is_terminal {
            true => {
                let after = Millis((at - run.created.0).0);
                format!("{DIM}{}  {:>7}{DIM:#}  {words}\n", look.second(at), format!("+{after}"))
            }
            false => format!("{}\t{words}\n", look.zone.format(at)),
        }
    };
    entries.iter().map(line).collect()
}

fn words(event: &Event, run: &RunInfo, now: Moment) -> String {
    let name = |index: u32| run.jobs.get(index as usize).map_or("?", |job| job.name.as_str());
    let job = |job: &JobId| name(job.index);
    let attempt = |attempt: &AttemptId| format!("{}, attempt {}", name(attempt.job.index), attempt.number);
    match event {
        Event::RunCreated(new) => {
            let cause = trigger(&new.trigger);
            format!("{} created by {}{cause}{}", run.name, new.by, because(new.reason.as_deref()))
        }
        Event::RunPaused { by, reason, .. } => format!("paused by {by}{}", because(reason.as_deref())),
        Event::RunResumed { by, .. } => format!("resumed by {by}"),
        Event::RunCancelled { by, reason, .. } => format!("cancelled by {by}{}", because(reason.as_deref())),
        Event::RunReleased { .. } => "its turn has come".into(),
        Event::RunLate { what, limit, .. } => {
            format!("the run is late: {}", Late { what: *what, limit: *limit, since: now })
        }
        Event::RunFinished { outcome, .. } => match outcome {
            RunOutcome::Succeeded => format!("{} ended: ok", run.name),
            RunOutcome::Failed { root } => format!("{} ended: failed at {}", run.name, name(*root)),
            RunOutcome::Cancelled => format!("{} ended: cancelled", run.name),
        },
        Event::JobDelayed { job: id, until } => format!("{} starts in {}", job(id), *until - now),
        Event::JobPreparing { job: id } => format!("{} is ready; what it leaves open is found out", job(id)),
        Event::JobPrepared { job: id, .. } => format!("{} knows all it needs", job(id)),
        Event::JobSpread { job: id, cells } => format!("{} became {} jobs", job(id), cells.len()),
        Event::RoundScheduled { job: id, until } => {
            format!("{} is done again in {}", job(id), *until - now)
        }
        Event::Decided { attempt: id, approved, by, reason } => {
            let verb = if *approved { "approved" } else { "rejected" };
            format!("{} was {verb} by {by}{}", attempt(id), because(reason.as_deref()))
        }
        Event::JobQueued { job: id } => format!("{} is ready and wants a slot", job(id)),
        Event::AttemptAdmitted { attempt: id } => format!("{} has a slot", attempt(id)),
        Event::AttemptStarted { attempt: id, timeout } => {
            let limit = timeout.map(|limit| format!(", at most {limit}")).unwrap_or_default();
            format!("{} started{limit}", attempt(id))
        }
        Event::AttemptPaused { attempt: id, by, reason } => {
            format!("{} was frozen by {by}{}", attempt(id), because(reason.as_deref()))
        }
        Event::AttemptResumed { attempt: id, by } => format!("{} goes on, as {by} wants", attempt(id)),
        Event::AttemptStopping { attempt: id, cause } => {
            format!("{} is asked to stop: {}", attempt(id), stop(*cause))
        }
        Event::AttemptEnded { attempt: id, exit, usage, outputs } => {
            let used = usage.map(|usage| format!(" ({})", used(&usage)));
            let put_out = match outputs.len() {
                0 => String::new(),
                _ => format!("; outputs: {}", outputs.keys().cloned().collect::<Vec<_>>().join(", ")),
            };
            format!("{} ended: {}{}{put_out}", attempt(id), exit_words(exit), used.unwrap_or_default())
        }
        Event::HookAsked { attempt: id, question, .. } => {
            format!("{}: its hook is asked {}", attempt(id), asked(*question))
        }
        Event::RetryScheduled { job: id, until, counts, reason } => {
            let again = if *counts { "" } else { ", not counted" };
            format!("{} is tried again in {}{again}{}", job(id), *until - now, because(reason.as_deref()))
        }
        Event::CleanupOwed { job: id, item } => format!("{} owes a cleanup: {}", job(id), owed(item)),
        Event::CleanupStarted { job: id, outcome } => {
            format!("{} is tidied up after; it is {}", job(id), outcome_words(outcome, &name))
        }
        Event::JobFinished { job: id, outcome, problem } => {
            let problem = problem.as_ref().map(|problem| format!(" (not tidied up: {problem})"));
            format!("{} is done: {}{}", job(id), outcome_words(outcome, &name), problem.unwrap_or_default())
        }
        Event::ScheduleArmed { key, .. } => format!("the schedule {key} is watched"),
        Event::ScheduleDisarmed { key } => format!("the schedule {key} is watched no longer"),
        Event::SlotSkipped { key, slot, .. } => format!("the schedule {key} left out {slot}"),
        Event::SlotsMissed { key, count, from, to, why } => {
            format!("the schedule {key} missed {count} from {from} to {to}: {}", why.words())
        }
        Event::TaskPaused { task, by, reason } => {
            format!("the schedules of {task} were paused by {by}{}", because(reason.as_deref()))
        }
        Event::RunPrioritised { priority, by, .. } => {
            format!("{by} gave the run the priority {}", priority_word(*priority))
        }
        Event::RateUsed { key } => format!("one more has begun under the rate `{key}`"),
        Event::QueuePaused { queue, by, reason } => {
            format!("the queue {queue} was paused by {by}{}", because(reason.as_deref()))
        }
        Event::QueueResumed { queue, by } => format!("the queue {queue} was resumed by {by}"),
        Event::RunBegan { .. } => "the run begins: it was its turn".into(),
        Event::RunRefused(refused) => {
            format!("no run of {} for {}: {} has no room", refused.task, refused.by, refused.group)
        }
        Event::TaskResumed { task, by } => format!("the schedules of {task} were resumed by {by}"),
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": \"{reason}\"")).unwrap_or_default()
}

fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Manual => String::new(),
        Trigger::Schedule { slot, .. } => format!(" for {slot}"),
        Trigger::Retry { of } => format!(" as another go at {of}"),
        Trigger::Task { parent } => format!(" for a job of run {}", parent.job.run),
        Trigger::After { run, .. } => format!(" after run {run}"),
        Trigger::Watch { changed, .. } => {
            format!(" for a change of {}", clean(&changed.to_string()))
        }
        Trigger::Webhook { call, .. } => format!(" for {}", clean(&call.to_string())),
    }
}

/// What an attempt used, as far as it is worth a word.
fn used(usage: &Usage) -> String {
    let mut words = format!("CPU {}", Millis(usage.user_ms + usage.system_ms));
    for (bytes, what) in
        [(usage.peak_rss, "of memory"), (usage.read_bytes, "read"), (usage.written_bytes, "written")]
    {
        if bytes > 0 {
            words += &format!(", {} {what}", Bytes(bytes));
        }
    }
    words
}

fn stop(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Cancelled => "its run was cancelled",
        StopCause::TimedOut => "it ran longer than its timeout",
        StopCause::OutOfTime => "all its attempts together took too long",
        StopCause::Stalled => "it showed no sign of life",
        StopCause::NotNeeded { .. } => "nobody needs it any more",
    }
}

fn asked(question: Question) -> &'static str {
    match question {
        Question::Before => "whether it may start",
        Question::Success => "whether that is a success",
        Question::Retry => "whether to try again",
        Question::Repeat => "whether to do it again",
    }
}

fn owed(item: &OwedCleanup) -> String {
    let what = match &item.what {
        Cleanup::Run { script } => format!("run {}", crate::cli::look::brief(script, 60)),
        Cleanup::Exec { argv } => format!("run {}", crate::cli::look::brief(&argv.join(" "), 60)),
        Cleanup::Remove { path } => format!("remove {path}"),
    };
    if item.unless_succeeded { format!("{what}, unless it succeeds") } else { what }
}

fn outcome_words<'n>(outcome: &Outcome, name: &impl Fn(u32) -> &'n str) -> String {
    match outcome {
        Outcome::Succeeded => "ok".into(),
        Outcome::Failed { cause } => format!("failed, {}", cause_words(cause)),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Skipped { why: Skip::Needs { job } } => format!("skipped, it needs {}", name(*job)),
        Outcome::Skipped { why: Skip::Reused } => "taken over from the earlier run".into(),
        Outcome::Skipped { why } => format!("skipped, {}", skip_words(why, &|index| name(index).to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RunState;
    use crate::base::RunId;
    use crate::cli::look::{plain, test_look};
    use crate::cli::ps::tests::{job, run};
    use crate::engine::{Author, Cause, Exit, Record};
    use crate::store::Seq;

    #[test]
    fn what_was_used() {
        #[track_caller]
        fn check(usage: Usage, expected: &str) {
            assert_eq!(used(&usage), expected);
        }
        check(Usage { user_ms: 1200, system_ms: 300, ..Usage::default() }, "CPU 1.5s");
        let busy = Usage { peak_rss: 5 << 20, read_bytes: 512, written_bytes: 3 << 29, ..Usage::default() };
        check(busy, "CPU 0s, 5 MiB of memory, 512 bytes read, 1.5 GiB written");
    }

    #[test]
    fn events_are_told_in_words() {
        let info = run("nightly#3", RunState::Failed, vec![job("dump", "done"), job("upload", "done")]);
        let id = |index| JobId { run: RunId(7), index };
        let attempt = |index, number| AttemptId { job: id(index), number };
        let by = Author("anna".into());
        let exit = Cause::Exit { code: 7 };
        let events = [
            Event::JobQueued { job: id(0) },
            Event::AttemptStarted { attempt: attempt(0, 1), timeout: Some(Millis(60_000)) },
            Event::AttemptEnded {
                attempt: attempt(0, 1),
                exit: Exit::Code { code: 7 },
                usage: None,
                outputs: Default::default(),
            },
            Event::RetryScheduled {
                job: id(0),
                until: Moment(info.created.0.0 + 8_000),
                counts: true,
                reason: None,
            },
            Event::JobFinished { job: id(0), outcome: Outcome::Failed { cause: exit }, problem: None },
            Event::JobFinished {
                job: id(1),
                outcome: Outcome::Skipped { why: Skip::Needs { job: 0 } },
                problem: Some("disk\u{7}".into()),
            },
            Event::RunCancelled { run: RunId(7), by, reason: Some("stop\nit".into()) },
            Event::RunFinished { run: RunId(7), outcome: RunOutcome::Failed { root: 0 } },
        ];
        let entry = |event: &Event| Entry {
            seq: Seq(1),
            record: Record { at: info.created.0, event: event.clone() },
        };
        let entries: Vec<Entry> = events.iter().map(entry).collect();
        let text = plain(&render(&entries, &info, &test_look()));
        let words: Vec<&str> = text.lines().map(|line| &line[30..]).collect();
        assert!(text.starts_with("2026-11-21 08:59:19      +0s  dump"), "{text}");
        assert_eq!(
            words,
            [
                "dump is ready and wants a slot",
                "dump, attempt 1 started, at most 1m",
                "dump, attempt 1 ended: exit 7",
                "dump is tried again in 8s",
                "dump is done: failed, exit 7",
                "upload is done: skipped, it needs dump (not tidied up: disk\u{fffd})",
                "cancelled by anna: \"stop\u{fffd}it\"",
                "nightly#3 ended: failed at dump",
            ]
        );
    }
}
