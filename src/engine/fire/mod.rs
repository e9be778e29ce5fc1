//! Schedules: which slots are due, and what becomes of each. Every slot ends as exactly one of a run, a skip with its
//! reason, or a part of a missed stretch.
//!
//! What a run that goes on means for a slot is in `overlap`; slots that nobody could act on in time are in `late`.

mod late;
mod overlap;

use super::Engine;
use crate::base::{Millis, Moment};
use crate::engine::{Armed, Event, ScheduleKey};
use late::Pace;
use std::collections::{BTreeMap, BTreeSet};

/// A slot this late is still carried out; an older one was missed. It covers a restart and a busy moment, not a night.
const LATE: Millis = Millis::from_secs(60);

/// The schedules that are watched, and when to act on each next. Configuration, not state: the host hands it in anew.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: BTreeMap<ScheduleKey, Armed>,
    due: BTreeSet<(Moment, ScheduleKey)>,
    pace: Pace,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Engine {
    /// Replaces the schedules. One that is known keeps its place in time, whatever else changed about its task.
    pub(super) fn arm(&mut self, schedules: Vec<Armed>) {
        self.timers.armed = schedules.into_iter().map(|armed| (armed.key.clone(), armed)).collect();
        let gone = |key: &&ScheduleKey| !self.timers.armed.contains_key(*key);
        let forgotten: Vec<ScheduleKey> = self.state.cursors.keys().filter(gone).cloned().collect();
        for key in forgotten {
            self.emit(Event::ScheduleDisarmed { key });
        }
        self.timers.due.clear();
        self.timers.pace.forget();
        let armed: Vec<ScheduleKey> = self.timers.armed.keys().cloned().collect();
        for key in armed {
            if !self.state.cursors.contains_key(&key) {
                // A clock that was set back must not bring back what has been carried out under this name before.
                let at = self.now.max(self.state.latest);
                self.emit(Event::ScheduleArmed { key: key.clone(), at });
            }
            self.set_alarm(&key);
        }
    }

    /// Deals with every slot that is due.
    pub(super) fn fire(&mut self) {
        while let Some((at, key)) = self.timers.due.first().cloned()
            && at <= self.now
        {
            self.timers.due.pop_first();
            self.act(at, &key);
            self.set_alarm(&key);
        }
    }

    /// The alarm rang at `at` for the next slot of a schedule.
    fn act(&mut self, at: Moment, key: &ScheduleKey) {
        let Some(slot) = self.next_slot(key) else { return };
        if self.now - slot > LATE {
            self.act_late(at, key, slot);
        } else if slot <= self.now {
            self.claim(key, slot);
        }
    }

    /// The first slot that is not dealt with.
    fn next_slot(&self, key: &ScheduleKey) -> Option<Moment> {
        let cursor = self.state.cursors.get(key).copied().unwrap_or(self.now);
        self.timers.armed[key].schedule.next(cursor)
    }

    fn set_alarm(&mut self, key: &ScheduleKey) {
        let Some(slot) = self.next_slot(key) else { return };
        let is_late = self.now - slot > LATE;
        let at = if is_late && self.catches_up(key) { self.timers.pace.reserve(self.now) } else { slot };
        self.timers.due.insert((at, key.clone()));
    }
}
