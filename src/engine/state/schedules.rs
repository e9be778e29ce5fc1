//! What the engine remembers of schedules: how far the slots of each are dealt with, and which runs wait for their turn.

use super::State;
use crate::base::{Moment, RunId, TaskName};
use crate::engine::{RunOutcome, ScheduleKey};

impl State {
    /// The oldest unfinished run of a task.
    pub fn oldest_run_of(&self, task: &TaskName) -> Option<RunId> {
        self.runs_of(task).next()
    }

    /// The unfinished runs of a task, the oldest first.
    pub fn runs_of(&self, task: &TaskName) -> impl Iterator<Item = RunId> + '_ {
        self.by_task.get(task).into_iter().flatten().copied()
    }

    /// The tasks that have an unfinished run.
    pub(in crate::engine) fn tasks_with_runs(&self) -> impl Iterator<Item = &TaskName> {
        self.by_task.keys()
    }

    /// A run that was cancelled counts neither as a failure nor as a success.
    pub(super) fn count_failure(&mut self, run: RunId, outcome: &RunOutcome) {
        let key = self.runs.get(&run).and_then(|run| run.trigger.schedule());
        let Some(key) = key.filter(|key| self.cursors.contains_key(*key)).cloned() else { return };
        match outcome {
            RunOutcome::Failed { .. } => *self.streaks.entry(key).or_default() += 1,
            RunOutcome::Succeeded => _ = self.streaks.remove(&key),
            RunOutcome::Cancelled => {}
        }
    }

    /// A cursor never goes back, whatever the clock does. Nor does what is remembered when the schedule is taken away.
    pub(super) fn advance_cursor(&mut self, key: &ScheduleKey, slot: Moment) {
        self.latest = self.latest.max(slot);
        let cursor = self.cursors.entry(key.clone()).or_default();
        *cursor = (*cursor).max(slot);
    }
}
