//! For programs and logs of programs: one stable line for each change, with a time in UTC and the word.
//! Pure: notes in, text out.

use super::board::{Board, Note, What};
use crate::api::{RunInfo, RunState, skip_words};
use crate::base::{Millis, Moment};
use crate::engine::{Author, Cause, Outcome, RunOutcome, Skip};
use std::fmt::Write;

/// The line for a note.
pub(crate) fn line(note: &Note, board: &Board) -> String {
    let name = &board.name;
    let about = match &note.what {
        What::Started { reused } => {
            let mut text = format!("{name} started id={} jobs={}", board.run, board.total());
            if *reused > 0 {
                let _ = write!(text, " reused={reused}");
            }
            text
        }
        What::Paused { by, reason } => format!("{name} paused{}", who(by, reason.as_deref())),
        What::Resumed { by } => format!("{name} resumed{}", who(by, None)),
        What::Cancelling { by, reason } => format!("{name} cancelling{}", who(by, reason.as_deref())),
        What::Late(late) => format!("{name} late expected={} limit={}", late.what.word(), late.limit),
        What::Retry { job, cause, took, attempt, wait, reason } => {
            let cause = cause.as_ref().map_or(String::new(), |cause| format!(" {}", cause_field(cause)));
            let reason = reason.as_ref().map_or(String::new(), |reason| format!(" reason={reason:?}"));
            let job = board.job_name(*job);
            format!("{name}/{job} retry{cause} attempt={attempt} in={wait}{reason}{}", span(*took))
        }
        What::Done { job, outcome, took, attempts, problem } => {
            let mut text = format!("{name}/{} {}", board.job_name(*job), outcome_fields(outcome, board));
            if *attempts > 1 {
                let _ = write!(text, " attempts={attempts}");
            }
            if let Some(problem) = problem {
                let _ = write!(text, " cleanup={problem:?}");
            }
            text + &span(*took)
        }
        What::Ended { outcome, took } => {
            let word = match outcome {
                RunOutcome::Succeeded => "ok".to_owned(),
                RunOutcome::Failed { root } => format!("failed cause={}", board.job_name(*root)),
                RunOutcome::Cancelled => "cancelled".to_owned(),
            };
            format!("{name} {word} {took}")
        }
    };
    format!("{} {about}\n", note.at)
}

/// The line for a run that has ended, when that is all that is known of it.
pub(crate) fn ended(info: &RunInfo) -> String {
    let at = info.finished.map_or(Moment::default(), |time| time.0);
    let cause = match (&info.state, &info.root) {
        (RunState::Failed, Some(root)) => format!(" cause={root}"),
        _ => String::new(),
    };
    format!("{at} {} {}{cause} {}\n", info.name, info.state.word(), Millis(info.took_ms))
}

fn span(took: Option<Millis>) -> String {
    took.map_or(String::new(), |took| format!(" {took}"))
}

fn who(by: &Author, reason: Option<&str>) -> String {
    // Debug quotes and escapes, so a line stays a line.
    let reason = reason.map_or(String::new(), |reason| format!(" reason={reason:?}"));
    format!(" by={}{reason}", by.0.replace(char::is_whitespace, "_"))
}

fn outcome_fields(outcome: &Outcome, board: &Board) -> String {
    match outcome {
        Outcome::Succeeded => "ok".into(),
        Outcome::Failed { cause } => format!("failed {}", cause_field(cause)),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Skipped { why: Skip::Needs { job } } => format!("skipped needs={}", board.job_name(*job)),
        Outcome::Skipped { why: Skip::Reused } => "reused".into(),
        Outcome::Skipped { why: Skip::Fresh { reason } } => format!("fresh reason={reason:?}"),
        Outcome::Skipped { why } => {
            let reason = skip_words(why, &|index| board.job_name(index).to_owned());
            format!("skipped reason={reason:?}")
        }
    }
}

fn cause_field(cause: &Cause) -> String {
    match cause {
        Cause::Exit { code } => format!("exit={code}"),
        Cause::Signal { signal } => format!("signal={signal}"),
        Cause::TimedOut => "timed_out".into(),
        Cause::Stalled => "stalled".into(),
        Cause::OutOfTime => "out_of_time".into(),
        Cause::NotSpawned { message, .. } => format!("not_started={message:?}"),
        Cause::Lost => "lost".into(),
        Cause::Hook { message } => format!("hook={message:?}"),
        Cause::Unprepared { message } => format!("not_prepared={message:?}"),
        Cause::Precondition { message } => format!("precondition={message:?}"),
        Cause::Outputs { message } => format!("outputs={message:?}"),
        Cause::Cell { .. } => "cell".into(),
        Cause::Rejected { by, reason } => format!("rejected{}", who(by, reason.as_deref())),
        Cause::QueuedTooLong { .. } => "queued_too_long".into(),
        Cause::Unmet { rounds } => format!("unmet rounds={rounds}"),
        Cause::Limit { which, most } => format!("limit={} most={most}", which.key()),
    }
}
