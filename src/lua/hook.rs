//! The moments at which a script is called, and what is allowed at each of them.
//!
//! The rules are data of the hook. This file calls nothing and knows no VM.

use super::limits::Budget;
use crate::base::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A named moment in the life of an attempt at which the function of that name is called.
///
/// ```
/// use neap::lua::Hook;
/// assert_eq!(Hook::named("success"), Some(Hook::Success));
/// assert_eq!(Hook::named("on_success"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// The job holds its slot; nothing has been started yet.
    Before,
    /// The process lives.
    Start,
    /// Lines of output have arrived.
    Output,
    /// The progress has changed.
    Progress,
    /// The attempt failed and another one is possible.
    Retry,
    /// The attempt ended well.
    Success,
    /// The job has failed for good.
    Failure,
    /// Someone asked for the end of the attempt; no signal has been sent yet.
    Cancel,
    /// The process tree is gone, whatever the outcome.
    Cleanup,
    /// Everything is stored.
    Finally,
}

impl Hook {
    /// Every hook, in the order in which an attempt meets them.
    pub const ALL: [Hook; 10] = [
        Hook::Before,
        Hook::Start,
        Hook::Output,
        Hook::Progress,
        Hook::Retry,
        Hook::Success,
        Hook::Failure,
        Hook::Cancel,
        Hook::Cleanup,
        Hook::Finally,
    ];

    /// The name of the function in the script.
    pub const fn name(self) -> &'static str {
        match self {
            Hook::Before => "before",
            Hook::Start => "start",
            Hook::Output => "output",
            Hook::Progress => "progress",
            Hook::Retry => "retry",
            Hook::Success => "success",
            Hook::Failure => "failure",
            Hook::Cancel => "cancel",
            Hook::Cleanup => "cleanup",
            Hook::Finally => "finally",
        }
    }

    /// The hook whose function has this name.
    pub fn named(name: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// Whether functions that wait, such as `neap.sleep`, may be used.
    pub const fn may_wait(self) -> bool {
        !matches!(self, Hook::Output)
    }

    /// Whether `ctx:on_cleanup` may be used: only before there is an end to clean up after.
    pub const fn may_owe_cleanup(self) -> bool {
        matches!(self, Hook::Before | Hook::Start)
    }

    /// What one call may use when nothing else is configured.
    pub const fn budget(self) -> Budget {
        let (cpu, wall) = match self {
            Hook::Before | Hook::Success => (200, 10_000),
            Hook::Start | Hook::Output | Hook::Progress | Hook::Cancel => (50, 2_000),
            Hook::Retry => (100, 10_000),
            Hook::Failure | Hook::Finally => (200, 30_000),
            Hook::Cleanup => (500, 30_000),
        };
        Budget { cpu: Millis(cpu), wall: Millis(wall) }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
