//! Files that change, and the schedule that waits for that: each change becomes a part of a run, or of a skip with its
//! reason, whenever the host dies. Only what rests waits, and what happened while no schedule wanted it.

use neap::base::{Moment, TaskName};
use neap::engine::{Changed, ChangedPath, Event, ScheduleKey, SlotSkip, State, Trigger};
use std::collections::BTreeMap;

/// The schedule. Its task has the same name.
pub(super) const KEY: &str = "cw";

/// Changes that nothing has become of yet: when, and whether the engine was told.
#[derive(Default)]
pub(super) struct Files {
    open: BTreeMap<String, (Moment, bool)>,
    made: usize,
}

impl Files {
    /// A file changes now.
    pub(super) fn change(&mut self, now: Moment) {
        self.made += 1;
        self.open.insert(format!("/in/{}", self.made), (now, false));
    }

    /// What a host finds that looks at everything that has changed after the cursor.
    pub(super) fn search(&mut self, cursor: Moment) -> Vec<String> {
        let lost: Vec<_> = self.open.iter().filter(|(_, (at, _))| *at <= cursor).collect();
        assert!(lost.is_empty(), "lost, for the schedule has seen all up to {cursor:?}: {lost:?}");
        self.open.values_mut().for_each(|(_, is_told)| *is_told = true);
        self.open.keys().cloned().collect()
    }

    /// What the same host sees, which knows what it has told.
    pub(super) fn see(&mut self) -> Vec<String> {
        let untold: Vec<String> =
            self.open.iter().filter(|(_, (_, is_told))| !is_told).map(|(file, _)| file.clone()).collect();
        self.open.values_mut().for_each(|(_, is_told)| *is_told = true);
        untold
    }

    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::RunCreated(new) => {
                let Trigger::Watch { until, changed, .. } = &new.trigger else { return };
                assert!(!changed.paths.is_empty(), "a run for nothing");
                for path in &changed.paths {
                    let known = self.open.remove(&path.to_string());
                    assert!(known.is_some(), "{path} became a run twice, or was skipped before");
                }
                let left = self.open.values().filter(|(at, _)| at <= until).count();
                assert_eq!(left, 0, "the cursor passes what the run was not told of");
            }
            Event::SlotSkipped { key, slot, why } if &*key.0 == KEY => {
                assert_ne!(*why, SlotSkip::Paused, "what happens while the schedules rest waits for them");
                let before = self.open.len();
                self.open.retain(|_, (at, _)| *at > *slot);
                assert!(self.open.len() < before, "a skip of nothing");
            }
            Event::ScheduleDisarmed { key } if &*key.0 == KEY => self.open.clear(),
            _ => {}
        }
    }

    /// What was told is answered at once, unless the schedules of the task rest.
    pub(super) fn check(&self, state: &State) {
        let rests = state.resting.contains_key(&TaskName::new(KEY).unwrap());
        let told: Vec<_> = self.open.iter().filter(|(_, (_, is_told))| *is_told).collect();
        assert!(rests || told.is_empty(), "nothing has become of {told:?}");
    }
}

pub(super) fn key() -> ScheduleKey {
    ScheduleKey(KEY.into())
}

pub(super) fn changed(files: &[String]) -> Changed {
    Changed::new(files.iter().map(|file| ChangedPath(file.as_bytes().into())), 0)
}
