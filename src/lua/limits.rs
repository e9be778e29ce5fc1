//! What scripts may use: time, memory, threads. Plain numbers; nothing is enforced here.

use super::hook::Hook;
use crate::base::Millis;
use std::collections::BTreeMap;

/// The time one call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Processor time of the script itself; time spent waiting is not counted.
    pub cpu: Millis,
    /// Time from the first instruction to the last, waiting included.
    pub wall: Millis,
}

/// The bounds of all scripts of one host.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes one VM may hold. A VM serves one hook file or one body.
    pub memory: usize,
    /// Bytes of source in one file: the compiler is outside every other bound.
    pub source: usize,
    /// How long one script may keep a thread before others on it get a turn.
    pub slice: Millis,
    /// How long after the end of its budget a script that does not come back is given up, with its thread.
    pub stuck_after: Millis,
    /// Threads that run scripts.
    pub workers: usize,
    /// Threads that may be given up and replaced before scripts are refused.
    pub lost_workers: usize,
    /// The time the top level of a file may use, at load and again for each attempt.
    pub load: Budget,
    /// Processor time of one body. Its wall time is the business of the task's timeout.
    pub body_cpu: Millis,
    /// How long a cancelled body may tidy up before it is stopped.
    pub body_grace: Millis,
    /// The time one expression may use.
    pub expression: Budget,
    /// Budgets that differ from [`Hook::budget`].
    pub hooks: BTreeMap<Hook, Budget>,
}

impl Default for Limits {
    fn default() -> Limits {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Limits {
            memory: 16 << 20,
            source: 256 << 10,
            slice: Millis(10),
            stuck_after: Millis(500),
            workers: cores.min(4),
            lost_workers: 8,
            load: Budget { cpu: Millis(200), wall: Millis(2_000) },
            body_cpu: Millis(60_000),
            body_grace: Millis(5_000),
            // It cannot wait, but others may have their turns in between.
            expression: Budget { cpu: Millis(50), wall: Millis(5_000) },
            hooks: BTreeMap::new(),
        }
    }
}

impl Limits {
    /// What one call of this hook may use.
    pub fn budget(&self, hook: Hook) -> Budget {
        self.hooks.get(&hook).copied().unwrap_or_else(|| hook.budget())
    }
}
