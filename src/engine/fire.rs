//! Schedules: which slots are due, and what becomes of each. Every slot ends as exactly one of a run, a skip with its
//! reason, or a part of a missed stretch.

use super::Engine;
use crate::base::{Millis, Moment};
use crate::definition::Overlap;
use crate::engine::{Armed, Author, Event, ScheduleKey, SlotSkip, Submission, Trigger};
use std::collections::{BTreeMap, BTreeSet};

/// A slot this late is still carried out; an older one was missed. It covers a restart and a busy moment, not a night.
const LATE: Millis = Millis::from_secs(60);
/// A missed stretch is counted up to here; beyond it the count says "at least".
const COUNTED: u64 = 10_000;

/// The schedules that are watched, and when each is due next. Configuration, not state: the host hands it in anew.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: BTreeMap<ScheduleKey, Armed>,
    due: BTreeSet<(Moment, ScheduleKey)>,
}

impl Timers {
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Engine {
    /// Replaces the schedules. One that is known keeps its place in time, whatever else changed about its task.
    pub(super) fn arm(&mut self, schedules: Vec<Armed>) {
        let old = std::mem::take(&mut self.timers.armed);
        self.timers.armed = schedules.into_iter().map(|armed| (armed.key.clone(), armed)).collect();
        let gone = |key: &&ScheduleKey| !self.timers.armed.contains_key(*key);
        let forgotten: Vec<ScheduleKey> = self.state.cursors.keys().filter(gone).cloned().collect();
        for key in forgotten {
            self.emit(Event::ScheduleDisarmed { key });
        }
        let armed = &self.timers.armed;
        self.timers.due.retain(|(_, key)| armed.contains_key(key));
        let new: Vec<ScheduleKey> = armed.keys().filter(|key| !old.contains_key(*key)).cloned().collect();
        for key in new {
            if !self.state.cursors.contains_key(&key) {
                self.emit(Event::ScheduleArmed { key: key.clone(), at: self.now });
            }
            self.set_alarm(&key);
        }
    }

    /// Deals with every slot that is due.
    pub(super) fn fire(&mut self) {
        while let Some((slot, key)) = self.timers.due.first().cloned()
            && slot <= self.now
        {
            self.timers.due.pop_first();
            if self.now - slot > LATE {
                self.miss(&key, slot);
            } else {
                self.claim(&key, slot);
            }
            self.set_alarm(&key);
        }
    }

    fn claim(&mut self, key: &ScheduleKey, slot: Moment) {
        let armed = self.timers.armed[key].clone();
        let task = &armed.plan.plan().task;
        let running = self.state.oldest_run_of(task);
        let skip = match (armed.overlap, running) {
            _ if self.state.resting.contains_key(task) => Some(SlotSkip::Paused),
            (Overlap::Skip, Some(run)) => Some(SlotSkip::Overlap { run }),
            (Overlap::Skip, None) | (Overlap::Allow, _) => None,
        };
        if let Some(why) = skip {
            return self.emit(Event::SlotSkipped { key: key.clone(), slot, why });
        }
        let trigger = Trigger::Schedule { key: key.clone(), slot };
        self.submit(Submission { trigger, ..Submission::new(armed.plan, Author::schedule()) });
    }

    /// Gives up the slots that are too old, all in one event.
    fn miss(&mut self, key: &ScheduleKey, from: Moment) {
        let schedule = &self.timers.armed[key].schedule;
        let oldest = self.now - LATE;
        let (mut to, mut count) = (from, 1);
        while let Some(next) = schedule.next(to)
            && next < oldest
        {
            if count == COUNTED {
                // The last millisecond before the slots that still count; no slot need lie on it.
                to = oldest - Millis(1);
                break;
            }
            (to, count) = (next, count + 1);
        }
        self.emit(Event::SlotsMissed { key: key.clone(), from, to, count });
    }

    fn set_alarm(&mut self, key: &ScheduleKey) {
        let cursor = self.state.cursors.get(key).copied().unwrap_or(self.now);
        if let Some(next) = self.timers.armed[key].schedule.next(cursor) {
            self.timers.due.insert((next, key.clone()));
        }
    }
}
