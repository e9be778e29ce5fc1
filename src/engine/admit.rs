//! Who gets a free slot, and what the clock does to jobs.

use super::Engine;
use crate::base::{AttemptId, JobId};
use crate::engine::{Event, Order, Phase, Question, StopCause};

impl Engine {
    /// Gives free slots to queued jobs in the order of the queue.
    pub(super) fn admit(&mut self) {
        let free = self.slots.saturating_sub(self.state.busy().len());
        let queued: Vec<JobId> = self.state.queue().take(free).collect();
        for job in queued {
            let attempt = AttemptId { job, number: self.state.job(job).attempts + 1 };
            if self.leaf(job).hooks.is_empty() {
                let timeout = self.leaf(job).timeout;
                self.emit(Event::AttemptStarted { attempt, timeout });
                self.order(Order::Start { attempt });
            } else {
                self.emit(Event::AttemptAdmitted { attempt });
                self.order(Order::Ask { attempt, question: Question::Before });
            }
        }
    }

    /// Acts on the deadlines of jobs that have passed, the earliest first.
    pub(super) fn expire(&mut self) {
        while let Some((at, job)) = self.state.first_deadline()
            && at <= self.now
        {
            match self.state.job(job).phase.clone() {
                Phase::Running { .. } => self.stop(job, StopCause::TimedOut),
                Phase::Backoff { .. } => self.emit(Event::JobQueued { job }),
                Phase::Asking { question, .. } => self.no_answer(job, question),
                Phase::Waiting
                | Phase::Queued
                | Phase::Stopping { .. }
                | Phase::Ended { .. }
                | Phase::Cleaning { .. }
                | Phase::Done(_) => unreachable!("a job in this phase has no deadline"),
            }
        }
    }

    pub(super) fn stop(&mut self, job: JobId, cause: StopCause) {
        let attempt = self.state.attempt(job);
        self.emit(Event::AttemptStopping { attempt, cause });
        let stop = self.leaf(job).stop;
        self.order(Order::Stop { attempt, cause, stop });
    }
}
