//! How a run ended, for people: what failed first, its last lines, why, and what to type next.
//! Pure: what is known in, text out.

use crate::api::{JobInfo, RunInfo, RunState};
use crate::base::Millis;
use crate::cli::output::{BAD, BOLD, DIM, GOOD, ODD, clean};
use crate::engine::{Author, Cause, Outcome, Skip};
use std::path::Path;

/// What an ending is made of.
pub(crate) struct Ending<'a> {
    pub(crate) info: &'a RunInfo,
    /// The shortest beginning of its id that means no other run.
    pub(crate) short: &'a str,
    /// Who cancelled it, and why.
    pub(crate) cancelled: Option<&'a (Author, Option<String>)>,
    /// The last lines of what failed first, fit to be shown.
    pub(crate) lines: &'a [String],
    /// The log they are from.
    pub(crate) log: Option<&'a Path>,
}

/// The ending as text.
pub(crate) fn ending(ending: &Ending<'_>) -> String {
    let Ending { info, short, lines, .. } = ending;
    let mut text = format!("{}   {DIM}{}{DIM:#}\n", verdict(ending), tally(&info.jobs));
    for line in *lines {
        text += &format!("  {DIM}|{DIM:#} {line}\n");
    }
    let log = ending.log.map(|log| log.display().to_string());
    match (&info.state, &info.root) {
        (RunState::Failed, Some(root)) => {
            if let Some(log) = &log {
                text += &help("full log", &format!("neap logs {short}/{root}"), &format!("({log})"));
            }
            let scope = if info.jobs.len() > 1 { scope(root, &info.jobs) } else { String::new() };
            text += &more("try again", &format!("neap retry {short}"), &scope, log.is_some());
        }
        (RunState::Cancelled, _) => text += &help("try again", &format!("neap retry {short}"), ""),
        _ => {}
    }
    text
}

fn verdict(ending: &Ending<'_>) -> String {
    let Ending { info, cancelled, .. } = ending;
    let took = Millis(info.took_ms);
    let name = &info.name;
    match info.state {
        RunState::Succeeded => format!("{BOLD}{name}{BOLD:#} {GOOD}ok{GOOD:#} after {took}"),
        RunState::Failed => {
            let why = info.why.as_ref().map_or(String::new(), |why| format!(": {}", clean(why)));
            format!("{BOLD}{name}{BOLD:#} {BAD}failed{BAD:#} after {took}{why}")
        }
        RunState::Cancelled => {
            let who = cancelled.map_or(String::new(), |(by, reason)| match reason {
                Some(reason) => format!(" by {}: \"{}\"", clean(&by.0), clean(reason)),
                None => format!(" by {}", clean(&by.0)),
            });
            format!("{BOLD}{name}{BOLD:#} {ODD}cancelled{ODD:#} after {took}{who}")
        }
        RunState::Queued | RunState::Running | RunState::Paused | RunState::Cancelling => {
            format!("{BOLD}{name}{BOLD:#} is {}", info.state.word())
        }
    }
}

/// `2 ok, 1 failed, 1 skipped`. A job that became many is none of them itself: it has no attempt of its own.
fn tally(jobs: &[JobInfo]) -> String {
    let is_spread = |job: &JobInfo| {
        let outcome = job.outcome.as_ref();
        let ends_with_cells = |outcome: &Outcome| {
            matches!(outcome, Outcome::Succeeded | Outcome::Failed { cause: Cause::Cell { .. } })
        };
        job.attempt == 0 && outcome.is_some_and(ends_with_cells)
    };
    let outcomes: Vec<&Outcome> =
        jobs.iter().filter(|job| !is_spread(job)).filter_map(|job| job.outcome.as_ref()).collect();
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
    let counts = [
        (count(|outcome| matches!(outcome, Outcome::Succeeded)), "ok"),
        (count(|outcome| matches!(outcome, Outcome::Failed { .. })), "failed"),
        (count(|outcome| matches!(outcome, Outcome::Cancelled)), "cancelled"),
        (count(is_left_out), "skipped"),
        (count(|outcome| matches!(outcome, Outcome::Skipped { why: Skip::Fresh { .. } })), "up to date"),
        (count(|outcome| matches!(outcome, Outcome::Skipped { why: Skip::Reused })), "done before"),
    ];
    let words: Vec<String> =
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    words.join(", ")
}

/// Skipped, and neither because it is up to date nor because it was done before.
fn is_left_out(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Skipped { why: Skip::Fresh { .. } | Skip::Reused } => false,
        Outcome::Skipped { .. } => true,
        Outcome::Succeeded | Outcome::Failed { .. } | Outcome::Cancelled => false,
    }
}

/// What trying again would do.
fn scope(root: &str, jobs: &[JobInfo]) -> String {
    let failed = jobs.iter().filter(|job| matches!(job.outcome, Some(Outcome::Failed { .. }))).count();
    if failed > 1 {
        return "(only what did not succeed)".into();
    }
    let has_dependants = jobs.iter().any(|job| job.needs.iter().any(|need| need == root));
    if has_dependants { format!("(only {root} and what needs it)") } else { format!("(only {root})") }
}

fn help(what: &str, command: &str, about: &str) -> String {
    more(what, command, about, false)
}

fn more(what: &str, command: &str, about: &str, is_further: bool) -> String {
    let word = if is_further { "     ".to_owned() } else { format!("{GOOD}help{GOOD:#}:") };
    let line = format!("{word} {what:<12} {command}   {DIM}{about}{DIM:#}");
    if about.is_empty() { format!("{word} {what:<12} {command}\n") } else { line + "\n" }
}
