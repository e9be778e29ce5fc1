//! Schedules: which slots are due, and what becomes of each. Every slot ends as exactly one of a run, a skip with its
//! reason, or a part of a missed stretch.
//!
//! What a run that goes on means for a slot is in `overlap`; slots that nobody could act on in time are in `late`; what
//! follows from the end of a run is in `follow`; what the host sees happen is in `happen`, and who calls it in `called`.

mod called;
mod follow;
mod happen;
mod late;
mod overlap;

pub(super) use follow::EndedRun;

use super::Engine;
use crate::base::{Millis, Moment, TaskName};
use crate::engine::{Armed, Event, ScheduleKey};
use crate::schedule::{Occasion, jitter};
use happen::Held;
use late::Pace;
use std::collections::{BTreeMap, BTreeSet};

/// A slot this late is still carried out; an older one was missed. It covers a restart and a busy moment, not a night.
const LATE: Millis = Millis::from_secs(60);
/// The times of files come from a clock that is a tick of the kernel behind. What changes from the first moment on is seen
/// with this.
const FILES_BEHIND: Millis = Millis(20);

/// So many slots are dealt with in one step at most; the alarm for the others has rung, so the next step follows at once. What
/// one step decides is committed together, and nothing starts before that: the first of ten thousand would wait for the last.
const AT_ONCE: usize = 256;

/// The schedules that are watched, and when to act on each next. Configuration, not state: the host hands it in anew.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: BTreeMap<ScheduleKey, Armed>,
    due: BTreeSet<(Moment, ScheduleKey)>,
    pace: Pace,
    /// By task: the schedules that fire when a run of it has ended.
    after: BTreeMap<TaskName, Vec<ScheduleKey>>,
    /// What has changed while the schedules of its task rest.
    held: BTreeMap<ScheduleKey, Held>,
    /// Whether the schedules that fire when the host comes up have done so.
    has_started: bool,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Engine {
    /// Replaces the schedules. One that is known keeps its place in time, whatever else changed about its task.
    pub(super) fn arm(&mut self, schedules: Vec<Armed>) {
        self.know(schedules);
        let gone = |key: &&ScheduleKey| !self.timers.armed.contains_key(*key);
        let forgotten: Vec<ScheduleKey> = self.state.cursors.keys().filter(gone).cloned().collect();
        for key in forgotten {
            self.emit(Event::ScheduleDisarmed { key });
        }
        self.timers.pace.forget();
        let armed: Vec<ScheduleKey> = self.timers.armed.keys().cloned().collect();
        for key in armed {
            if !self.state.cursors.contains_key(&key) {
                // A clock that was set back must not bring back what has been carried out under this name before.
                let at = match self.timers.armed[&key].schedule.occasion() {
                    Some(Occasion::Watch { .. }) => self.now - FILES_BEHIND,
                    Some(Occasion::Startup) => (self.now - Millis(1)).max(self.state.latest),
                    Some(Occasion::After { .. } | Occasion::Webhook { .. }) | None => {
                        self.now.max(self.state.latest)
                    }
                };
                self.emit(Event::ScheduleArmed { key: key.clone(), at });
            }
            self.set_alarm(&key);
        }
        self.start_up();
    }

    /// Takes the schedules, and acts on none.
    pub(super) fn know(&mut self, schedules: Vec<Armed>) {
        let mut after: BTreeMap<TaskName, Vec<ScheduleKey>> = BTreeMap::new();
        for armed in &schedules {
            if let Some(Occasion::After { task, .. }) = armed.schedule.occasion() {
                after.entry(task.clone()).or_default().push(armed.key.clone());
            }
        }
        self.timers.after = after;
        self.timers.armed = schedules.into_iter().map(|armed| (armed.key.clone(), armed)).collect();
        let armed = &self.timers.armed;
        self.timers.held.retain(|key, _| armed.contains_key(key));
        self.timers.due.clear();
    }

    /// Deals with the slots that are due.
    pub(super) fn fire(&mut self) {
        for _ in 0..AT_ONCE {
            let first = self.timers.due.first().filter(|(at, _)| *at <= self.now);
            let Some((at, key)) = first.cloned() else { return };
            self.timers.due.pop_first();
            self.act(at, &key);
            self.set_alarm(&key);
        }
    }

    /// The alarm rang at `at` for the next slot of a schedule.
    fn act(&mut self, at: Moment, key: &ScheduleKey) {
        let Some(slot) = self.next_slot(key) else { return };
        let due = self.due(key, slot);
        if self.now - due > LATE {
            self.act_late(at, key, slot);
        } else if due <= self.now {
            self.claim(key, slot);
        }
    }

    /// When to act on a slot: at the slot, or a little later, always by as much.
    fn due(&self, key: &ScheduleKey, slot: Moment) -> Moment {
        let Armed { schedule, firing, .. } = &self.timers.armed[key];
        match firing.jitter {
            Millis(0) => slot,
            most => slot + jitter(&key.0, slot, schedule.next(slot), most),
        }
    }

    /// The first slot that is not dealt with.
    fn next_slot(&self, key: &ScheduleKey) -> Option<Moment> {
        let cursor = self.state.cursors.get(key).copied().unwrap_or(self.now);
        self.timers.armed[key].schedule.next(cursor)
    }

    fn set_alarm(&mut self, key: &ScheduleKey) {
        let Some(slot) = self.next_slot(key) else { return };
        let due = self.due(key, slot);
        let is_late = self.now - due > LATE;
        let at = if is_late && self.catches_up(key) { self.timers.pace.reserve(self.now) } else { due };
        self.timers.due.insert((at, key.clone()));
    }
}
