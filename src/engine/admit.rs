//! Who gets a free slot, and what the clock does to jobs.

pub(super) mod room;

use super::Engine;
use crate::base::{AttemptId, JobId, Millis, RunId};
use crate::engine::{Author, Cause, Event, Order, Outcome, Phase, Question, Run, RunPhase, StopCause};

impl Engine {
    /// Gives what is free to queued jobs in the order of the queue.
    pub(super) fn admit(&mut self) {
        // Nothing but an event can make room, or bring somebody who wants it; except time, for who waits for a rate.
        self.is_stirred |= self.next_turn.is_some_and(|at| at <= self.now);
        while std::mem::take(&mut self.is_stirred) {
            let mut queued: Vec<JobId> = self.state.slotless().collect();
            let (admissible, next) = self.state.admissible(&self.capacity, self.now);
            self.next_turn = next;
            queued.extend(admissible);
            if queued.is_empty() {
                return;
            }
            // A start may let others start, which need no slot.
            self.admit_all(queued);
        }
    }

    fn admit_all(&mut self, queued: Vec<JobId>) {
        for job in queued {
            // The start of another may have ended it: nobody needs it any more.
            if self.state.job(job).phase != Phase::Queued {
                continue;
            }
            let attempt = AttemptId { job, number: self.state.job(job).attempts + 1 };
            if let Some(rate) = &self.leaf(job).sharing.rate {
                self.emit(Event::RateUsed { key: rate.key.clone() });
            }
            if self.leaf(job).hooks.is_empty() {
                self.start(attempt, self.leaf(job).timeout);
            } else {
                self.emit(Event::AttemptAdmitted { attempt });
                self.order(Order::Ask { attempt, question: Question::Before });
            }
        }
    }

    /// Starts an attempt; jobs that waited for that may follow.
    pub(super) fn start(&mut self, attempt: AttemptId, timeout: Option<Millis>) {
        let begun = self.begun_by(attempt.job);
        self.emit(Event::AttemptStarted { attempt, timeout });
        self.order(Order::Start { attempt });
        let mut doomed = Vec::new();
        for job in begun {
            self.consider_dependants(job, &mut doomed);
        }
        self.skip_doomed(doomed);
    }

    /// What starts for the first time when this job does: itself, and the job it is a cell of.
    fn begun_by(&self, job: JobId) -> Vec<JobId> {
        let whole = self.state.job(job).cell.as_ref().map(|cell| JobId { index: cell.parent, ..job });
        let is_first = |job: &JobId| self.state.job(*job).started.is_none();
        [Some(job), whole].into_iter().flatten().filter(is_first).collect()
    }

    /// Acts on the deadlines of jobs that have passed, the earliest first.
    pub(super) fn expire(&mut self) {
        while let Some((at, job)) = self.state.first_deadline()
            && at <= self.now
        {
            match self.state.job(job).phase.clone() {
                Phase::Running { .. } => self.stop(job, StopCause::TimedOut),
                Phase::Delayed { .. } => self.go_on(job),
                Phase::Backoff { .. } => self.emit(Event::JobQueued { job }),
                Phase::Asking { question, .. } => self.no_answer(job, question),
                Phase::Preparing { .. } => self.preparation_took_too_long(job),
                Phase::Queued => self.queued_too_long(job),
                Phase::Waiting
                | Phase::Spread
                | Phase::Paused { .. }
                | Phase::Stopping { .. }
                | Phase::Ended { .. }
                | Phase::Cleaning { .. }
                | Phase::Done(_) => unreachable!("a job in this phase has no deadline"),
            }
        }
    }

    /// It never started, so there is nothing to try again.
    fn queued_too_long(&mut self, job: JobId) {
        let waited = self.leaf(job).timeout_queue.unwrap_or_default();
        self.conclude(job, Outcome::Failed { cause: Cause::QueuedTooLong { waited } });
    }

    /// Who gets what is free first, from now on.
    pub(super) fn prioritise(&mut self, run: RunId, priority: i32, by: Author) {
        let is_new =
            |r: &Run| r.priority != Some(priority) && !matches!(r.phase, RunPhase::Cancelling { .. });
        if self.state.runs.get(&run).is_some_and(is_new) {
            self.emit(Event::RunPrioritised { run, priority, by });
        }
    }

    pub(super) fn stop(&mut self, job: JobId, cause: StopCause) {
        let attempt = self.state.attempt(job);
        self.emit(Event::AttemptStopping { attempt, cause });
        let stop = self.leaf(job).stop;
        self.order(Order::Stop { attempt, cause, stop });
    }
}
