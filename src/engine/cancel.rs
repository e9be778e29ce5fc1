//! Cancel, pause and resume.

use super::Engine;
use crate::base::{JobId, Millis, RunId, TaskName};
use crate::definition::Stop;
use crate::engine::{Author, Event, Order, Outcome, Phase, Question, RunPhase, StopCause};

impl Engine {
    /// Cancelling twice is the same as once, save that the second may leave out the grace.
    pub(super) fn cancel(&mut self, run: RunId, by: Author, reason: Option<String>, now: bool) {
        let Some(r) = self.state.runs.get(&run) else { return };
        if !matches!(r.phase, RunPhase::Cancelling { .. }) {
            self.emit(Event::RunCancelled { run, by, reason });
        }
        for index in 0..self.state.runs.get(&run).map_or(0, |r| r.jobs.len()) as u32 {
            self.cancel_job(JobId { run, index }, now);
        }
    }

    /// The programs that these runs belonged to have died.
    pub(super) fn cancel_bound(&mut self) {
        let bound = self.state.runs.iter().filter(|(_, run)| run.bound).map(|(&id, _)| id);
        for run in bound.collect::<Vec<_>>() {
            let reason = Some("the program that ran it died".into());
            self.cancel(run, Author::host(), reason, true);
        }
    }

    fn cancel_job(&mut self, job: JobId, now: bool) {
        // Ending one job may end the run, and then nothing of it is left here.
        let Some(phase) = self.state.find_job(job).map(|job| job.phase.clone()) else { return };
        match phase {
            Phase::Running { .. } => {
                self.emit(Event::AttemptStopping {
                    attempt: self.state.attempt(job),
                    cause: StopCause::Cancelled,
                });
                self.order_stop(job, StopCause::Cancelled, now);
            }
            Phase::Stopping { cause } if now => self.order_stop(job, cause, now),
            Phase::Waiting
            | Phase::Queued
            | Phase::Backoff { .. }
            | Phase::Asking { question: Question::Before, .. } => {
                self.conclude(job, Outcome::Cancelled);
            }
            // What has ended by itself stays ended.
            Phase::Stopping { .. }
            | Phase::Asking { question: Question::Success | Question::Retry, .. }
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

    pub(super) fn pause(&mut self, run: RunId, by: Author, reason: Option<String>) {
        if self.state.runs.get(&run).is_some_and(|r| r.phase == RunPhase::Going) {
            self.emit(Event::RunPaused { run, by, reason });
        }
    }

    pub(super) fn resume(&mut self, run: RunId, by: Author) {
        if self.state.runs.get(&run).is_some_and(|r| matches!(r.phase, RunPhase::Paused(_))) {
            self.emit(Event::RunResumed { run, by });
        }
    }

    pub(super) fn pause_task(&mut self, task: TaskName, by: Author, reason: Option<String>) {
        if !self.state.resting.contains_key(&task) {
            self.emit(Event::TaskPaused { task, by, reason });
        }
    }

    pub(super) fn resume_task(&mut self, task: TaskName, by: Author) {
        if self.state.resting.contains_key(&task) {
            self.emit(Event::TaskResumed { task, by });
        }
    }
}
