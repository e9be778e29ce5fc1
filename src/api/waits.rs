//! What a job waits for, in words.

use super::read::{live_name, who};
use crate::base::{JobId, Millis, Moment, RunId};
use crate::definition::{GroupName, Rate, shown_amount};
use crate::engine::{Question, State, Wait};

/// What a job waits for, in words.
pub fn wait_words(wait: &Wait, state: &State, job: JobId, now: Moment) -> String {
    match wait {
        Wait::Behind { run } => match state.runs.get(run) {
            Some(run) => format!("{} to end", run.name()),
            None => "an older run to end".into(),
        },
        Wait::Needs(needs) => {
            let run = state.runs.get(&job.run);
            let needs: Vec<String> =
                needs.iter().filter_map(|&need| run.map(|run| live_name(run, need))).collect();
            needs.join(", ")
        }
        Wait::Turn { group, limit, going, ahead } => turn_words(state, (group, *limit), going, *ahead),
        Wait::QueuePaused { queue, pause } => {
            let who = who(&pause.by.0, pause.reason.as_deref(), "paused");
            format!("the queue `{queue}` to be resumed ({who})")
        }
        Wait::Paused(pause) => {
            format!("the run to be resumed ({})", who(&pause.by.0, pause.reason.as_deref(), "paused"))
        }
        Wait::Slot { queue, busy, slots, ahead, next } => {
            let of = queue.as_ref().map(|queue| format!(" of `{queue}`")).unwrap_or_default();
            let before = match next {
                Some(next) => format!(", {ahead} before it: {}", row_words(*ahead, &full_name(state, *next))),
                None => String::new(),
            };
            format!("a slot{of} ({busy} of {slots} busy{before})")
        }
        Wait::Lock { name, holders, kept_for } => {
            let held = holders_words(holders, state, now);
            let kept = kept_for.map(|job| format!("kept for {}", full_name(state, job)));
            let why: Vec<String> = held.into_iter().chain(kept).collect();
            format!("the lock `{name}` ({})", why.join("; "))
        }
        Wait::Start { until } => format!("its time in {}", Millis((*until - now).0.max(1))),
        Wait::Resource { name, wants, free, most, kept_for } => {
            let shown = |amount: &u64| shown_amount(name, *amount);
            let kept =
                kept_for.map(|job| format!("; kept for {}", full_name(state, job))).unwrap_or_default();
            format!("{} of `{name}` ({} of {} free{kept})", shown(wants), shown(free), shown(most))
        }
        Wait::Rate { rate, until } => {
            let Rate { key, limit, per } = rate;
            format!("its turn in {} ({limit} of `{key}` begin in {per})", Millis((*until - now).0.max(1)))
        }
        Wait::Backoff { until } => format!("its next try in {}", Millis((*until - now).0.max(1))),
        Wait::Hook(Question::Before) => "its `before` hook".into(),
        Wait::Hook(Question::Success) => "its `success` hook".into(),
        Wait::Hook(Question::Retry) => "its `retry` hook".into(),
        Wait::Hook(Question::Repeat) => "its `repeat` condition".into(),
        Wait::Cleanup => "its cleanup".into(),
        Wait::Preparation => "its conditions and expressions".into(),
        Wait::Cells { open } => format!("{open} of its cells"),
        Wait::Siblings { at_once } => format!("the cells before it (at most {at_once} at once)"),
    }
}

/// `high`, or the number where there is no word.
pub fn priority_word(priority: i32) -> String {
    match priority {
        -10 => "low".into(),
        0 => "normal".into(),
        10 => "high".into(),
        50 => "urgent".into(),
        number => number.to_string(),
    }
}

/// `nightly#128/dump`; a task that is one job has no name of a job.
pub(super) fn full_name(state: &State, job: JobId) -> String {
    let Some(run) = state.runs.get(&job.run) else { return job.run.to_string() };
    let (plan, number) = (run.plan.plan(), run.number);
    let name = live_name(run, job.index);
    if plan.task.as_str() == name {
        format!("{name}#{number}")
    } else {
        format!("{}#{number}/{name}", plan.task)
    }
}

/// `its turn in the group `deploy` (1 of 1 go on: deploy#7; 2 before it)`.
fn turn_words(state: &State, (group, limit): (&GroupName, u32), going: &[RunId], ahead: usize) -> String {
    let name = |run: &RunId| state.runs.get(run).map_or_else(|| run.to_string(), crate::engine::Run::name);
    let first = going.first().map(|run| format!(": {}", name(run))).unwrap_or_default();
    let more = if going.len() > 1 { format!(" and {} more", going.len() - 1) } else { String::new() };
    let before = if ahead > 0 { format!("; {ahead} before it") } else { String::new() };
    format!("its turn among {group} ({} of {limit} go on{first}{more}{before})", going.len())
}

/// The first of those who stand before, and that there are more.
fn row_words(ahead: usize, first: &str) -> String {
    if ahead > 1 { format!("{first} first") } else { first.to_owned() }
}

/// `held by nightly#128/dump for 3m and 2 more`.
fn holders_words(holders: &[(JobId, Moment)], state: &State, now: Moment) -> Option<String> {
    let &(job, since) = holders.first()?;
    let more = if holders.len() > 1 { format!(" and {} more", holders.len() - 1) } else { String::new() };
    let held = Millis((now - since).0);
    Some(format!("held by {} for {held}{more}", full_name(state, job)))
}
