//! What the host has seen happen outside: files have changed. It becomes a run, or a skip with its reason, as a slot does.
//!
//! How far a schedule has seen the changes is its cursor, and that moves with the run. So what the host has seen and no run
//! has come of is seen again by the next host, and all that is held here may be forgotten.

use crate::base::{Moment, TaskName};
use crate::engine::{Changed, Engine, ScheduleKey, Trigger};
use crate::schedule::Occasion;
use std::sync::Arc;

/// What was seen while the schedules of its task rest.
#[derive(Debug)]
pub(super) struct Held {
    until: Moment,
    changed: Changed,
}

impl Engine {
    /// These files have changed; with them the schedule has seen all up to `until`.
    pub(in crate::engine) fn changed(&mut self, key: ScheduleKey, until: Moment, changed: Changed) {
        let is_watch =
            |armed: &crate::engine::Armed| matches!(armed.schedule.occasion(), Some(Occasion::Watch { .. }));
        // A schedule that has just gone is not followed any more.
        let Some(armed) = self.timers.armed.get(&key).filter(|armed| is_watch(armed)) else { return };
        if !self.state.resting.contains_key(&armed.plan.plan().task) {
            return self.claim_change(&key, until, changed);
        }
        let held = match self.timers.held.remove(&key) {
            Some(held) => Held { until: held.until.max(until), changed: held.changed.join(changed) },
            None => Held { until, changed },
        };
        self.timers.held.insert(key, held);
    }

    /// The schedules of a task go on: what has changed meanwhile creates one run each.
    pub(in crate::engine) fn let_go(&mut self, task: &TaskName) {
        let is_its = |key: &&ScheduleKey| self.timers.armed[*key].plan.plan().task == *task;
        for key in self.timers.held.keys().filter(is_its).cloned().collect::<Vec<_>>() {
            if let Some(Held { until, changed }) = self.timers.held.remove(&key) {
                self.claim_change(&key, until, changed);
            }
        }
    }

    fn claim_change(&mut self, key: &ScheduleKey, until: Moment, changed: Changed) {
        let trigger = Trigger::Watch { key: key.clone(), until, changed: Arc::new(changed) };
        self.claim_as(key, until, trigger);
    }
}
