//! The index of jobs whose attempts together may only take so long.

use super::State;
use crate::base::{JobId, Moment};
use crate::engine::Phase;

impl State {
    /// The first moment at which the time of a job is over, with all its attempts.
    pub(in crate::engine) fn first_overdue(&self) -> Option<(Moment, JobId)> {
        self.overdue.first().copied()
    }

    /// The first attempt of a job starts.
    pub(super) fn begin_total(&mut self, at: Moment, id: JobId) {
        if let (None, Some(total)) = (self.job(id).started, self.leaf(id).timeout_total) {
            self.overdue.insert((at + total, id));
        }
    }

    /// What is being ended already has no limit; what is tried again after that has it again.
    pub(super) fn keep_total(&mut self, id: JobId, next: &Phase) {
        let (Some(started), Some(total)) = (self.job(id).started, self.leaf(id).timeout_total) else {
            return;
        };
        match next {
            Phase::Stopping { .. } | Phase::Cleaning { .. } | Phase::Done(_) => {
                self.overdue.remove(&(started + total, id));
            }
            // The job that became many leaves it to them.
            Phase::Spread => {}
            Phase::Waiting
            | Phase::Delayed { .. }
            | Phase::Preparing { .. }
            | Phase::Queued
            | Phase::Running { .. }
            | Phase::Paused { .. }
            | Phase::Asking { .. }
            | Phase::Ended { .. }
            | Phase::Backoff { .. } => {
                self.overdue.insert((started + total, id));
            }
        }
    }
}
