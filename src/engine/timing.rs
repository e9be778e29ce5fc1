//! When a job may start by the clock, and when the time of all its attempts together is over.

use super::Engine;
use crate::base::JobId;
use crate::engine::{Cause, Event, Outcome, Phase, StopCause};

impl Engine {
    /// Holds a job back that has all it needs, but whose time has not come. Gives whether it does. A cell has waited with
    /// the job that became many.
    pub(super) fn hold_back(&mut self, job: JobId) -> bool {
        let leaf = self.leaf(job);
        let until = (self.now + leaf.delay).max(leaf.not_before.unwrap_or_default());
        let is_held = until > self.now && self.state.job(job).cell.is_none();
        if is_held {
            self.emit(Event::JobDelayed { job, until });
        }
        is_held
    }

    /// Ends jobs whose attempts together have taken too long.
    pub(super) fn end_overdue(&mut self) {
        while let Some((_, job)) = self.state.first_overdue().filter(|(at, _)| *at <= self.now) {
            match &self.state.job(job).phase {
                Phase::Running { .. } | Phase::Paused { .. } => self.stop(job, StopCause::OutOfTime),
                Phase::Waiting
                | Phase::Delayed { .. }
                | Phase::Preparing { .. }
                | Phase::Spread
                | Phase::Queued
                | Phase::Backoff { .. }
                | Phase::Asking { .. }
                | Phase::Ended { .. } => {
                    self.conclude(job, Outcome::Failed { cause: Cause::OutOfTime });
                }
                Phase::Stopping { .. } | Phase::Cleaning { .. } | Phase::Done(_) => {
                    unreachable!("a job in this phase is not overdue")
                }
            }
        }
    }

    /// Whether its attempts together have had their time: no other may start.
    pub(super) fn is_overdue(&self, job: JobId) -> bool {
        let until = self.state.job(job).started.zip(self.leaf(job).timeout_total);
        until.is_some_and(|(started, total)| started + total <= self.now)
    }
}
