//! What an attempt may use of the machine, and whether it wants more.
//!
//! Memory and processes are held by control groups where there are any for us; where not, the shim looks at the tree as
//! long as it runs, and kills it. `nofile` and `file_size` are limits that a process has itself (`birth`).

use super::groups::Groups;
use super::tree;
use crate::base::AttemptId;
use crate::definition::{Limits, Signal};
use crate::engine::{Exit, Limit};
use crate::exec::procfs::{self, share, threads};
use std::ffi::OsStr;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks. Nobody looks at an attempt without such limits.
const PAUSE: Duration = Duration::from_millis(100);
/// Of the time at most this part is spent with looking: a large tree is looked at less often.
const PART: u32 = 4;
/// When set to `watchdog`, no control groups are used.
pub(super) const CHOICE: &str = "NEAP_LIMITS";

pub(super) fn is_watchdog(choice: Option<&OsStr>) -> bool {
    choice.is_some_and(|choice| choice == "watchdog")
}

/// Watches over the limits of one attempt.
pub(super) struct Guard {
    limits: Limits,
    groups: Groups,
    next: Instant,
    breach: Option<(Limit, u64)>,
}

impl Guard {
    pub(super) fn new(limits: Limits, attempt: AttemptId) -> Guard {
        let groups = match is_watchdog(std::env::var_os(CHOICE).as_deref()) {
            true => Groups::default(),
            false => Groups::make(&limits, attempt),
        };
        Guard { limits, groups, next: Instant::now() + PAUSE, breach: None }
    }

    /// What a process writes to on its way into the groups.
    pub(super) fn doors(&self) -> Vec<Arc<File>> {
        self.groups.doors()
    }

    /// What does not hold here, in words for the log.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> + use<> {
        let is_loose = self.limits.cpu_millis.is_some() && !self.groups.hold_cpu();
        is_loose
            .then(|| "limits.cpu is not enforced here: there is no control group for it".to_owned())
            .into_iter()
    }

    /// How long until the next look, if there is one.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        self.is_watching().then(|| self.next.saturating_duration_since(now))
    }

    /// Looks at all that descends from `root`, if it is time. `written` is how much all of that has written so far. `true`
    /// when it has wanted too much.
    pub(super) fn look(&mut self, now: Instant, root: u32, written: u64) -> bool {
        self.breach = self.breach.or_else(|| self.of_output(written));
        if self.is_watching() && self.next <= now {
            self.breach = self.in_groups().or_else(|| self.in_tree(root));
            let done = Instant::now();
            self.next = done + PAUSE.max((done - now) * (PART - 1));
        }
        self.breach.is_some()
    }

    /// How the attempt ended, now that nothing of it is left.
    pub(super) fn judge(&mut self, exit: Exit, written: u64) -> Exit {
        // It may have ended between two looks, or before the first.
        let late = || self.in_groups().or_else(|| self.of_itself(&exit)).or_else(|| self.of_output(written));
        let breach = self.breach.or_else(late);
        breach.map_or(exit, |(which, most)| Exit::Limit { which, most })
    }

    fn is_watching(&self) -> bool {
        self.breach.is_none() && (self.limits.memory.is_some() || self.limits.pids.is_some())
    }

    /// What the kernel has refused in a group.
    fn in_groups(&self) -> Option<(Limit, u64)> {
        let memory = || self.limits.memory.filter(|_| self.groups.has_killed());
        let pids = || self.limits.pids.filter(|_| self.groups.has_refused());
        memory()
            .map(|most| (Limit::Memory, most))
            .or_else(|| pids().map(|most| (Limit::Processes, most.into())))
    }

    /// What is too much in the tree, of that which no group holds.
    fn in_tree(&self, root: u32) -> Option<(Limit, u64)> {
        let memory = self.limits.memory.filter(|_| !self.groups.hold_memory());
        let pids = self.limits.pids.filter(|_| !self.groups.hold_pids());
        if memory.is_none() && pids.is_none() {
            return None;
        }
        let tree: Vec<u32> = tree::below(root).iter().map(|member| member.pid).collect();
        let count = || tree.iter().map(|pid| threads(*pid)).sum::<u64>();
        if let Some(most) = pids.map(u64::from).filter(|most| tree.len() as u64 > *most || count() > *most) {
            return Some((Limit::Processes, most));
        }
        let resident = || tree.iter().map(|pid| procfs::resident(*pid)).sum::<u64>();
        let shares =
            || tree.iter().map(|pid| share(*pid).unwrap_or_else(|| procfs::resident(*pid))).sum::<u64>();
        memory.filter(|most| resident() > *most && shares() > *most).map(|most| (Limit::Memory, most))
    }

    /// What came through the pipes.
    fn of_output(&self, written: u64) -> Option<(Limit, u64)> {
        self.limits.output.filter(|most| written > *most).map(|most| (Limit::Output, most))
    }

    /// What its own end says. A shell whose command got the signal ends with the code for that.
    fn of_itself(&self, exit: &Exit) -> Option<(Limit, u64)> {
        let is_too_large = match exit {
            Exit::Signal { signal: Signal(number) } => *number == libc::SIGXFSZ,
            Exit::Code { code } => *code == 128 + libc::SIGXFSZ,
            Exit::NotSpawned { .. }
            | Exit::Lost
            | Exit::Skipped { .. }
            | Exit::BadOutputs { .. }
            | Exit::Limit { .. } => false,
        };
        self.limits.file_size.filter(|_| is_too_large).map(|most| (Limit::FileSize, most))
    }
}
