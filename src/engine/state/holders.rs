//! Who holds what: locks, resources, and the slots of queues that have their own. Indexes: every holder follows from the phase of
//! a job and the number of its attempts.

use crate::base::JobId;
use crate::definition::{Lock, LockMode, Sharing};
use std::collections::{BTreeMap, BTreeSet};

/// The jobs that hold one lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Those that do not share it.
    pub exclusive: BTreeSet<JobId>,
    /// Those that do.
    pub shared: BTreeSet<JobId>,
}

impl Holders {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = JobId> + '_ {
        self.exclusive.iter().chain(&self.shared).copied()
    }

    fn of(&mut self, mode: LockMode) -> &mut BTreeSet<JobId> {
        match mode {
            LockMode::Exclusive => &mut self.exclusive,
            LockMode::Shared => &mut self.shared,
        }
    }
}

/// Everything that is held, by name; nothing that is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    pub(super) locks: BTreeMap<String, Holders>,
    /// Jobs that hold a slot and name a queue. All others hold one of the host.
    pub(super) slots: BTreeMap<String, BTreeSet<JobId>>,
    /// How much of each resource is in use.
    pub(super) used: BTreeMap<String, u64>,
}

impl Held {
    pub(super) fn take_locks(&mut self, job: JobId, locks: &[Lock]) {
        for lock in locks {
            self.locks.entry(lock.name.clone()).or_default().of(lock.mode).insert(job);
        }
    }

    pub(super) fn drop_locks(&mut self, job: JobId, locks: &[Lock]) {
        for lock in locks {
            let Some(holders) = self.locks.get_mut(&lock.name) else { continue };
            holders.of(lock.mode).remove(&job);
            if *holders == Holders::default() {
                self.locks.remove(&lock.name);
            }
        }
    }

    pub(super) fn use_resources(&mut self, resources: &BTreeMap<String, u64>) {
        for (name, amount) in resources {
            *self.used.entry(name.clone()).or_default() += amount;
        }
    }

    pub(super) fn free_resources(&mut self, resources: &BTreeMap<String, u64>) {
        for (name, amount) in resources {
            let Some(used) = self.used.get_mut(name) else { continue };
            *used -= amount;
            if *used == 0 {
                self.used.remove(name);
            }
        }
    }

    pub(super) fn take_slot(&mut self, job: JobId, sharing: &Sharing) {
        if let Some(queue) = &sharing.queue {
            self.slots.entry(queue.clone()).or_default().insert(job);
        }
    }

    pub(super) fn drop_slot(&mut self, job: JobId, sharing: &Sharing) {
        let Some(queue) = &sharing.queue else { return };
        if let Some(jobs) = self.slots.get_mut(queue) {
            jobs.remove(&job);
            if jobs.is_empty() {
                self.slots.remove(queue);
            }
        }
    }
}
