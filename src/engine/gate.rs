//! Whether a job may start: what has become of the jobs it needs, and what its rule makes of that.

use super::Engine;
use crate::base::JobId;
use crate::definition::{Rule, When};
use crate::engine::{Dependant, Event, Order, Outcome, Phase, Question, Skip, StopCause};

/// What has become of the jobs that a job needs, counted. Each is counted once, when it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Not settled.
    pub open: u32,
    /// Did what was waited for, or had nothing to do.
    pub met: u32,
    /// Did what was waited for.
    pub good: u32,
    /// Did not do what was waited for.
    pub missed: u32,
    /// Failed, was held back by a failure, or was cancelled.
    pub troubled: u32,
}

impl Tally {
    pub(super) fn settle(&mut self, judged: Judged) {
        self.open -= 1;
        self.met += u32::from(judged.is_met);
        self.missed += u32::from(!judged.is_met);
        self.good += u32::from(judged.is_good);
        self.troubled += u32::from(judged.is_trouble);
    }
}

/// What has become of a job, to one that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// It did what was waited for, or had nothing to do.
    is_met: bool,
    /// It did what was waited for.
    is_good: bool,
    /// It failed, was held back by a failure, or was cancelled.
    is_trouble: bool,
}

impl Judged {
    /// What was waited for has happened.
    pub(super) const GOOD: Judged = Judged { is_met: true, is_good: true, is_trouble: false };
}

/// What the outcome of a job means to one that needs it. `counts` is false for a job whose failure does not count.
pub(super) fn judge(when: When, outcome: &Outcome, counts: bool) -> Judged {
    let lets_others_run = outcome.lets_others_run();
    // What is taken over from an earlier run did there what it is for: it is not skipped, and it has started.
    let is_reused = matches!(outcome, Outcome::Skipped { why: Skip::Reused });
    let is_skipped = matches!(outcome, Outcome::Skipped { .. }) && !is_reused;
    let has_failed = matches!(outcome, Outcome::Failed { .. } | Outcome::Skipped { why: Skip::Needs { .. } });
    let is_forgiven = !counts && matches!(outcome, Outcome::Failed { .. });
    let is_trouble = !lets_others_run && !is_forgiven;
    let (is_met, is_good) = match when {
        When::Succeeded => (lets_others_run || is_forgiven, outcome.is_success()),
        When::Failed => (has_failed, has_failed),
        When::Ended => (true, true),
        When::Skipped => (is_skipped, is_skipped),
        When::Started => (is_reused, is_reused),
    };
    Judged { is_met, is_good, is_trouble }
}

/// Whether a job may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It depends on what is still open.
    Wait,
    /// Now.
    Go,
    /// Whatever comes, it may not.
    Never,
}

/// What a rule makes of a tally. The table is in `docs/tasks.md`, and a test compares the two.
pub fn verdict(rule: Rule, tally: Tally) -> Verdict {
    let Tally { open, met, good, missed, troubled } = tally;
    let has_none = open + met + missed == 0;
    let (is_go, is_never) = match rule {
        Rule::AllSucceeded => (open == 0 && missed == 0, missed > 0),
        Rule::AllEnded | Rule::Always => (open == 0, false),
        Rule::AnySucceeded => (good > 0 || has_none, open == 0),
        Rule::AnyFailed => (troubled > 0, open == 0),
        Rule::NoneFailed => (open == 0 && troubled == 0, troubled > 0),
        Rule::Join { min_succeeded, .. } => (good >= min_succeeded, good + open < min_succeeded),
    };
    match (is_go, is_never) {
        (true, _) => Verdict::Go,
        (false, true) => Verdict::Never,
        (false, false) => Verdict::Wait,
    }
}

/// Whether a job that another one needs did not do what its rule asks for.
fn falls_short(rule: Rule, judged: Judged) -> bool {
    match rule {
        Rule::AllSucceeded => !judged.is_met,
        Rule::AnySucceeded | Rule::Join { .. } => !judged.is_good,
        Rule::AnyFailed => !judged.is_trouble,
        Rule::NoneFailed => judged.is_trouble,
        Rule::AllEnded | Rule::Always => false,
    }
}

impl Engine {
    /// Looks at a job that waits. It starts if it may; if it never may, it is named in `doomed`.
    pub(super) fn consider(&mut self, job: JobId, doomed: &mut Vec<JobId>) {
        let state = self.state.job(job);
        if state.phase != Phase::Waiting || self.state.runs[&job.run].is_waiting {
            return;
        }
        match verdict(self.leaf(job).rule, state.tally()) {
            Verdict::Wait => {}
            Verdict::Go => self.go(job),
            Verdict::Never => doomed.push(job),
        }
    }

    /// Everything it needs is there.
    pub(super) fn go(&mut self, job: JobId) {
        if !self.hold_back(job) {
            self.go_on(job);
        }
        if let Rule::Join { cancel_rest: true, .. } = self.leaf(job).rule {
            self.end_the_rest(job);
        }
    }

    /// Its time has come, too.
    pub(super) fn go_on(&mut self, job: JobId) {
        if self.state.node(job).needs_preparing() {
            self.emit(Event::JobPreparing { job });
            self.order(Order::Prepare { job });
        } else {
            self.emit(Event::JobQueued { job });
        }
    }

    /// Ends what a job needs and need not wait for any more. What only had to start is not one of the rest: it goes on.
    fn end_the_rest(&mut self, job: JobId) {
        let run = &self.state.runs[&job.run];
        let rest = run.node(job.index).edges().filter(|&(need, when)| run.judged(need, when).is_none());
        // The last first: the end of one must not let another go that ends next.
        for (index, _) in rest.collect::<Vec<_>>().into_iter().rev() {
            self.not_needed(JobId { run: job.run, index }, job.index);
        }
    }

    /// Why a job that may never start does not: because of trouble, or only because something did not happen. The job
    /// that is named is the first that matters to the rule.
    pub(super) fn why_never(&self, job: JobId) -> Skip {
        let (run, rule) = (&self.state.runs[&job.run], self.leaf(job).rule);
        let judged =
            run.node(job.index).edges().filter_map(|(need, when)| Some((need, run.judged(need, when)?)));
        let short: Vec<(u32, Judged)> = judged.filter(|(_, judged)| falls_short(rule, *judged)).collect();
        match (short.iter().find(|(_, judged)| judged.is_trouble), short.first()) {
            (Some(&(job, _)), _) => Skip::Needs { job },
            (None, Some(&(job, _))) => Skip::Rule { job },
            (None, None) => Skip::Rule { job: job.index },
        }
    }

    /// Because of which job nobody needs this one any more: a cell that failed beside it, or one that has what it waits
    /// for. Such a job is not done again.
    pub(super) fn in_vain(&self, job: JobId) -> Option<u32> {
        let run = &self.state.runs[&job.run];
        if let Some(place) = &run.jobs[job.index as usize].cell {
            let parent = JobId { index: place.parent, ..job };
            return self.failed_cell(parent).or_else(|| self.in_vain(parent));
        }
        let has_gone = |dependant: &&Dependant| {
            // One that ended without having gone has ended nothing.
            matches!(run.leaf(dependant.job).rule, Rule::Join { cancel_rest: true, .. })
                && run.jobs[dependant.job as usize].ready.is_some()
                && run.judged(job.index, dependant.when).is_none()
        };
        run.dependants()[job.index as usize].iter().find(has_gone).map(|dependant| dependant.job)
    }

    /// Ends a job that nobody needs any more, because of another one. What has ended by itself stays ended.
    pub(super) fn not_needed(&mut self, job: JobId, by: u32) {
        let Some(state) = self.state.find_job(job) else { return };
        match state.phase.clone() {
            Phase::Running { .. } | Phase::Paused { .. } => {
                self.stop(job, StopCause::NotNeeded { job: by });
            }
            Phase::Spread => {
                for index in state.cells.clone() {
                    self.not_needed(JobId { run: job.run, index }, by);
                }
            }
            Phase::Waiting
            | Phase::Delayed { .. }
            | Phase::Preparing { .. }
            | Phase::Queued
            | Phase::Backoff { .. }
            | Phase::Asking { question: Question::Before, .. } => {
                self.conclude(job, Outcome::Skipped { why: Skip::NotNeeded { job: by } });
            }
            Phase::Stopping { .. }
            | Phase::Asking { .. }
            | Phase::Ended { .. }
            | Phase::Cleaning { .. }
            | Phase::Done(_) => {}
        }
    }
}
