//! Ending a run early.

use super::Engine;
use crate::base::{JobId, Millis, RunId};
use crate::definition::{Rule, Stop};
use crate::engine::{Author, Event, Order, Outcome, Phase, Question, Run, RunPhase, StopCause};

impl Engine {
    /// Cancelling twice is the same as once, save that the second may leave out the grace, and then also ends what runs
    /// whatever happens.
    pub(super) fn cancel(&mut self, run: RunId, by: Author, reason: Option<String>, now: bool) {
        let Some(r) = self.state.runs.get(&run) else { return };
        let is_first = !matches!(r.phase, RunPhase::Cancelling { .. });
        if is_first {
            self.emit(Event::RunCancelled { run, by, reason });
        }
        // What runs whatever happens has nothing to do after a run that never began.
        let spares = (is_first || !now) && !self.state.runs[&run].is_waiting;
        for index in self.in_order_of_end(run, spares) {
            let job = JobId { run, index };
            if !(spares && self.runs_always(job)) {
                self.cancel_job(job, now);
            }
        }
    }

    /// When nothing is spared, what stands behind comes first, and cells come last: the end of one must not let another go
    /// that ends next.
    fn in_order_of_end(&self, run: RunId, spares: bool) -> Vec<u32> {
        let run = &self.state.runs[&run];
        let (planned, all) = (run.plan.plan().nodes.len() as u32, run.jobs.len() as u32);
        if spares { (0..all).collect() } else { (0..planned).rev().chain(planned..all).collect() }
    }

    fn runs_always(&self, job: JobId) -> bool {
        self.state.find_job(job).is_some() && self.leaf(job).rule == Rule::Always
    }

    /// The programs that these runs belonged to have died. A run that is being cancelled goes on with that: what runs
    /// whatever happens does not end because the host died twice.
    pub(super) fn cancel_bound(&mut self) {
        let is_left = |run: &Run| run.bound && !matches!(run.phase, RunPhase::Cancelling { .. });
        let bound = self.state.runs.iter().filter(|(_, run)| is_left(run)).map(|(&id, _)| id);
        for run in bound.collect::<Vec<_>>() {
            let reason = Some("the program that ran it died".into());
            self.cancel(run, Author::host(), reason, true);
        }
    }

    fn cancel_job(&mut self, job: JobId, now: bool) {
        // Ending one job may end the run, and then nothing of it is left here.
        let Some(phase) = self.state.find_job(job).map(|job| job.phase.clone()) else { return };
        match phase {
            Phase::Running { .. } | Phase::Paused { .. } => {
                self.emit(Event::AttemptStopping {
                    attempt: self.state.attempt(job),
                    cause: StopCause::Cancelled,
                });
                self.order_stop(job, StopCause::Cancelled, now);
            }
            Phase::Stopping { cause } if now => self.order_stop(job, cause, now),
            Phase::Waiting
            | Phase::Delayed { .. }
            | Phase::Preparing { .. }
            | Phase::Queued
            | Phase::Backoff { .. }
            | Phase::Asking { question: Question::Before, .. } => {
                self.conclude(job, Outcome::Cancelled);
            }
            // What has ended by itself stays ended.
            Phase::Stopping { .. }
            // It ends when its cells have.
            | Phase::Spread
            | Phase::Asking { question: Question::Success | Question::Retry | Question::Repeat, .. }
            | Phase::Ended { .. }
            | Phase::Cleaning { .. }
            | Phase::Done(_) => {}
        }
    }

    fn order_stop(&mut self, job: JobId, cause: StopCause, now: bool) {
        let attempt = self.state.attempt(job);
        let stop = self.leaf(job).stop;
        let grace = if now { Millis(0) } else { stop.grace };
        self.order(Order::Stop { attempt, cause, stop: Stop { grace, ..stop } });
    }
}
