//! When runs of a timetable are created, jitter included, and how that is said.

use super::task::Timetable;
use crate::base::{Millis, Moment, TaskName};
use crate::schedule::jitter;

impl Timetable {
    /// Its name for ever: `nightly: 13 3 * * * (Europe/Berlin)`, with ` #2` behind it for the second such entry of the task.
    pub fn key(&self, task: &TaskName) -> String {
        let zone = self.schedule.zone().map(|zone| format!(" ({})", zone.name())).unwrap_or_default();
        // The first one keeps its name when others come.
        let twin = if self.twin > 0 { format!(" #{}", self.twin + 1) } else { String::new() };
        format!("{task}: {}{zone}{twin}", self.schedule)
    }

    /// In words: `daily at 03:13 (Europe/Berlin), up to 5m later`.
    pub fn describe(&self) -> String {
        let words = self.schedule.describe();
        match self.firing.jitter {
            Millis(0) => words,
            most => format!("{words}, up to {most} later"),
        }
    }

    /// The moments after `after` at which runs of the task are created.
    pub fn fires(&self, task: &TaskName, after: Moment) -> impl Iterator<Item = Moment> {
        let most = self.firing.jitter;
        let key = if most == Millis(0) { String::new() } else { self.key(task) };
        // A slot that has passed may have its run still before it.
        let slots = self.schedule.fires(after - most);
        let shifted = slots.map(move |slot| match most {
            Millis(0) => slot,
            most => slot + jitter(&key, slot, self.schedule.next(slot), most),
        });
        shifted.skip_while(move |at| *at <= after)
    }
}
