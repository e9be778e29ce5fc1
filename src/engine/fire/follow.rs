//! What follows from the end of a run: the turn of the next one, runs of other tasks that come after it, and the rest of
//! a schedule whose runs fail again and again.
//!
//! All of it happens in the step in which the run ends, so one transaction holds both.

use crate::base::{Moment, RunId, TaskName};
use crate::engine::{Author, Engine, Event, RunOutcome, ScheduleKey, Trigger};
use crate::schedule::{End, Occasion};

/// A run that has just ended.
#[derive(Debug)]
pub(in crate::engine) struct EndedRun {
    pub(in crate::engine) run: RunId,
    pub(in crate::engine) number: u64,
    pub(in crate::engine) task: TaskName,
    pub(in crate::engine) outcome: RunOutcome,
    /// The schedule that created it.
    pub(in crate::engine) key: Option<ScheduleKey>,
}

impl Engine {
    /// Deals with every run that has ended, also with those that end because of that.
    pub(in crate::engine) fn follow_ends(&mut self) {
        while !self.just_ended.is_empty() {
            for ended in std::mem::take(&mut self.just_ended) {
                self.rest_after_failures(&ended);
                self.pass_turn(&ended.task);
                self.chain(&ended);
            }
        }
    }

    fn chain(&mut self, ended: &EndedRun) {
        for key in self.timers.after.get(&ended.task).cloned().unwrap_or_default() {
            let armed = &self.timers.armed[&key];
            let Some(Occasion::After { when, .. }) = armed.schedule.occasion() else { continue };
            if is_met(*when, &ended.outcome) {
                let trigger = Trigger::After { key: key.clone(), run: ended.run };
                self.claim_as(&key, self.now, trigger);
            }
        }
    }

    /// The host has come up. A reload is no start.
    pub(super) fn start_up(&mut self) {
        if std::mem::replace(&mut self.timers.has_started, true) {
            return;
        }
        let is_startup =
            |key: &&ScheduleKey| self.timers.armed[*key].schedule.occasion() == Some(&Occasion::Startup);
        for key in self.timers.armed.keys().filter(is_startup).cloned().collect::<Vec<_>>() {
            // Under a clock that was set back, a start still is another one than the last.
            let last = self.state.cursors.get(&key).copied().unwrap_or_default();
            self.claim(&key, self.now.max(Moment(last.0.saturating_add(1))));
        }
    }

    fn rest_after_failures(&mut self, ended: &EndedRun) {
        let has_failed = matches!(ended.outcome, RunOutcome::Failed { .. });
        let Some(key) = ended.key.as_ref().filter(|_| has_failed) else { return };
        let Some(most) = self.timers.armed.get(key).and_then(|armed| armed.firing.pause_on_failure) else {
            return;
        };
        let streak = self.state.streaks.get(key).copied().unwrap_or(0);
        if streak >= most && !self.state.resting.contains_key(&ended.task) {
            let failures = if streak == 1 { "a run".to_owned() } else { format!("{streak} runs in a row") };
            let reason = format!("{failures} failed, the last was {}#{}", ended.task, ended.number);
            let (task, by) = (ended.task.clone(), Author::host());
            self.emit(Event::TaskPaused { task, by, reason: Some(reason) });
        }
    }
}

fn is_met(when: End, outcome: &RunOutcome) -> bool {
    match (when, outcome) {
        (End::Ended, _) => true,
        (End::Succeeded, outcome) => *outcome == RunOutcome::Succeeded,
        (End::Failed, outcome) => matches!(outcome, RunOutcome::Failed { .. }),
    }
}
