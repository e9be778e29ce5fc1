//! Who has what of the machine: the queues and the locks, as they are now.

use super::read::pause_info;
use super::waits::full_name;
use crate::api::PauseInfo;
use crate::definition::DEFAULT_QUEUE;
use crate::engine::{Capacity, State};
use serde::{Deserialize, Serialize};

/// A queue with slots of its own, or one that is paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// How many of its jobs may run at once.
    pub slots: usize,
    /// How many do.
    pub busy: usize,
    /// How many want to.
    pub queued: usize,
    /// Who lets nothing be admitted from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseInfo>,
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

/// The queues besides `default`, by name; that one too while it is paused.
pub(crate) fn queues(state: &State, capacity: &Capacity) -> Vec<QueueInfo> {
    let info = |name: &str| QueueInfo {
        name: name.to_owned(),
        slots: capacity.slots_of(Some(name)),
        busy: state.busy_in(Some(name), capacity),
        queued: state.queued_with(|wants| wants.needs_slot && wants.sharing.queue() == name),
        paused: state.paused_queues.get(name).map(pause_info),
    };
    let default = state.paused_queues.contains_key(DEFAULT_QUEUE).then_some(DEFAULT_QUEUE);
    default.into_iter().chain(capacity.machine.queues.keys().map(String::as_str)).map(info).collect()
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
