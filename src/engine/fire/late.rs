//! Slots that nobody could act on in time: the host was down, the machine slept, or the clock was set forward.
//!
//! All that a crash must not forget is the cursor of the schedule: what is caught up is claimed slot by slot, in order.

use super::LATE;
use crate::base::{Millis, Moment};
use crate::definition::Catchup;
use crate::engine::{Engine, Event, Missed, ScheduleKey};
use crate::schedule::Schedule;
use std::collections::BTreeMap;

/// A missed stretch is counted up to here; beyond it the count says "at least".
const COUNTED: u64 = 10_000;
/// So many slots of one schedule are caught up at most: the last ones.
const MOST: usize = 1000;
/// Between two slots that are caught up, of whatever schedules, lies this time.
const PACE: Millis = Millis(50);

/// The rate at which slots are caught up, over all schedules.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Moment,
    /// Up to when the slots of a schedule have been counted against `MOST`: once for each stretch is enough.
    counted: BTreeMap<ScheduleKey, Moment>,
}

impl Pace {
    /// The next free moment. It belongs to whoever asked.
    pub(super) fn reserve(&mut self, now: Moment) -> Moment {
        let at = self.next.max(now);
        self.next = at + PACE;
        at
    }

    /// What was reserved is free again.
    pub(super) fn forget(&mut self) {
        *self = Pace::default();
    }
}

impl Engine {
    /// Whether slots of this schedule are caught up now. While the schedules of its task rest, they are not.
    pub(super) fn catches_up(&self, key: &ScheduleKey) -> bool {
        let armed = &self.timers.armed[key];
        armed.firing.catchup != Catchup::None && !self.state.resting.contains_key(&armed.plan.plan().task)
    }

    /// Deals with a slot that is late.
    pub(super) fn act_late(&mut self, at: Moment, key: &ScheduleKey, slot: Moment) {
        if !self.catches_up(key) {
            return self.give_up(key, slot, self.first_in_time(key, slot), Missed::Down);
        }
        if at == self.due(key, slot) {
            return; // Nobody has reserved a moment for it: the clock has jumped.
        }
        let firing = self.timers.armed[key].firing.clone();
        let oldest = self.now - firing.catchup_window;
        if slot < oldest {
            self.give_up(key, slot, oldest, Missed::TooOld);
        }
        match firing.catchup {
            Catchup::None => {}
            Catchup::Last => self.give_up_all_but_the_last(key),
            Catchup::All => self.give_up_too_many(key),
        }
        if let Some(slot) = self.next_slot(key)
            && self.due(key, slot) <= self.now
        {
            self.claim(key, slot);
        }
    }

    /// Slots before this are too late, given that `slot` is. With jitter the last one before that may be in time.
    fn first_in_time(&self, key: &ScheduleKey, slot: Moment) -> Moment {
        let oldest = self.now - LATE;
        let last = last_until(&self.timers.armed[key].schedule, slot, oldest - Millis(1));
        if self.due(key, last) >= oldest { last } else { oldest }
    }

    /// Writes down, in one event, that slots from `from` on and before `until` get no run.
    fn give_up(&mut self, key: &ScheduleKey, from: Moment, until: Moment, why: Missed) {
        let schedule = &self.timers.armed[key].schedule;
        let (mut to, mut count) = (from, 1);
        while let Some(next) = schedule.next(to)
            && next < until
        {
            if count == COUNTED {
                // The last millisecond before the slots that still count; no slot need lie on it.
                to = until - Millis(1);
                break;
            }
            (to, count) = (next, count + 1);
        }
        self.emit(Event::SlotsMissed { key: key.clone(), from, to, count, why });
    }

    fn give_up_all_but_the_last(&mut self, key: &ScheduleKey) {
        let Some(slot) = self.next_slot(key).filter(|slot| *slot <= self.now) else { return };
        let last = last_until(&self.timers.armed[key].schedule, slot, self.now);
        if last > slot {
            self.give_up(key, slot, last, Missed::NotLast);
        }
    }

    fn give_up_too_many(&mut self, key: &ScheduleKey) {
        let Some(slot) = self.next_slot(key).filter(|slot| *slot <= self.now) else { return };
        if self.timers.pace.counted.get(key).is_some_and(|until| slot <= *until) {
            return;
        }
        self.timers.pace.counted.insert(key.clone(), self.now);
        let first = first_of_the_last(&self.timers.armed[key].schedule, slot, self.now);
        if first > slot {
            self.give_up(key, slot, first, Missed::TooMany);
        }
    }
}

/// The last slot up to `until`, given that `slot` is one of them. Nobody can ask a schedule for what was before, so the
/// moment after which nothing comes in time is closed in on.
fn last_until(schedule: &Schedule, slot: Moment, until: Moment) -> Moment {
    let (mut low, mut high) = (slot, until);
    let mut last = slot;
    while low < high {
        let middle = Moment(low.0 + (high.0 - low.0) / 2);
        match schedule.next(middle).filter(|next| *next <= until) {
            Some(next) => (last, low) = (next, next),
            None => high = middle,
        }
    }
    last
}

/// The first of the last `MOST` slots up to `until`, given that `slot` is a slot.
fn first_of_the_last(schedule: &Schedule, slot: Moment, until: Moment) -> Moment {
    let is_few = |after: Moment| {
        let mut fires = schedule.fires(after).take_while(|fire| *fire <= until);
        fires.nth(MOST).is_none()
    };
    if is_few(slot - Millis(1)) {
        return slot;
    }
    let (mut many, mut few) = (slot - Millis(1), until);
    while few.0 - many.0 > 1 {
        let middle = Moment(many.0 + (few.0 - many.0) / 2);
        if is_few(middle) { few = middle } else { many = middle }
    }
    schedule.next(few).unwrap_or(until)
}
