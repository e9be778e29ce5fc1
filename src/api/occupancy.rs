//! Who has what of the machine: the queues and the locks, as they are now.

use super::waits::full_name;
use crate::engine::{Capacity, State};
use serde::{Deserialize, Serialize};

/// A queue with slots of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// How many of its jobs may run at once.
    pub slots: usize,
    /// How many do.
    pub busy: usize,
    /// How many want to.
    pub queued: usize,
}

/// A lock that somebody holds or waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// Its name.
    pub name: String,
    /// How many may hold it at once; those who share it are not counted.
    pub most: usize,
    /// The jobs that hold it: `nightly#128/dump`.
    pub holders: Vec<String>,
    /// Whether they share it.
    pub shared: bool,
    /// How many jobs wait that want it.
    pub queued: usize,
}

/// The queues besides `default`, by name.
pub(crate) fn queues(state: &State, capacity: &Capacity) -> Vec<QueueInfo> {
    let info = |name: &String| QueueInfo {
        name: name.clone(),
        slots: capacity.slots_of(Some(name)),
        busy: state.busy_in(Some(name), capacity),
        queued: state.queued_with(|wants| wants.needs_slot && wants.sharing.queue.as_ref() == Some(name)),
    };
    capacity.machine.queues.keys().map(info).collect()
}

/// The locks that are held, by name.
pub(crate) fn locks(state: &State, capacity: &Capacity) -> Vec<LockInfo> {
    let held = state.locks().map(|(name, holders)| LockInfo {
        name: name.to_owned(),
        most: capacity.machine.holders_of(name),
        holders: holders.all().map(|job| full_name(state, job)).collect(),
        shared: !holders.shared.is_empty(),
        queued: state.queued_with(|wants| wants.sharing.locks.iter().any(|lock| lock.name == name)),
    });
    held.collect()
}
