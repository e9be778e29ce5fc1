//! The groups that runs belong to: which of them go on, and which wait for their turn. Indexes: the plan of a run names
//! its groups, and the run knows whether it has begun.

use crate::base::RunId;
use crate::definition::{GroupName, RunGroup};
use std::collections::{BTreeMap, BTreeSet};

/// The unfinished runs of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// Those that have begun.
    pub going: BTreeSet<RunId>,
    /// Those that have not. The oldest goes first.
    pub waiting: BTreeSet<RunId>,
}

/// Every group of which a run is unfinished.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Crowds {
    pub(super) groups: BTreeMap<GroupName, Crowd>,
    /// The groups in which somebody waits.
    pub(super) crowded: BTreeSet<GroupName>,
}

impl Crowds {
    pub(super) fn come(&mut self, run: RunId, groups: &[RunGroup], is_waiting: bool) {
        for group in groups {
            let crowd = self.groups.entry(group.name.clone()).or_default();
            if is_waiting {
                crowd.waiting.insert(run);
                self.crowded.insert(group.name.clone());
            } else {
                crowd.going.insert(run);
            }
        }
    }

    pub(super) fn begin(&mut self, run: RunId, groups: &[RunGroup]) {
        self.leave(run, groups);
        self.come(run, groups, false);
    }

    pub(super) fn leave(&mut self, run: RunId, groups: &[RunGroup]) {
        for group in groups {
            let Some(crowd) = self.groups.get_mut(&group.name) else { continue };
            crowd.going.remove(&run);
            crowd.waiting.remove(&run);
            if crowd.waiting.is_empty() {
                self.crowded.remove(&group.name);
            }
            if *crowd == Crowd::default() {
                self.groups.remove(&group.name);
            }
        }
    }
}
