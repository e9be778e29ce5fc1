//! All that descends from a process: signalling it, and killing it so that nothing slips away.
//!
//! A look around can miss a process that is between fork and exec, so nothing here says that nobody is left; only the
//! kernel does, to the reaper of the tree. Killing goes in rounds: everything is halted, because what is halted cannot fork,
//! then everything is killed, until the reaper has no child any more.

use crate::exec::procfs::{pids, place};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};

/// A process of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub(super) pid: u32,
    parent: u32,
}

/// Everything alive that descends from `root`, parents before their children.
pub(super) fn below(root: u32) -> Vec<Member> {
    let all = kin_by_list(root).unwrap_or_else(|| kin_by_search(root));
    all.into_iter().filter(|member| place(member.pid).is_some_and(|place| place.is_alive)).collect()
}

/// The living children of a process.
pub(super) fn children_of(parent: u32) -> Vec<u32> {
    below(parent).into_iter().filter(|member| member.parent == parent).map(|member| member.pid).collect()
}

/// By the lists that the kernel keeps; `None` when it keeps none.
fn kin_by_list(root: u32) -> Option<Vec<Member>> {
    let (mut found, mut next) = (Vec::new(), 0);
    let mut parent = root;
    loop {
        match children(parent) {
            Some(children) => found.extend(children.into_iter().map(|pid| Member { pid, parent })),
            None if parent == root => return None,
            // It went meanwhile.
            None => {}
        }
        let Some(member) = found.get(next) else { return Some(found) };
        (parent, next) = (member.pid, next + 1);
    }
}

/// The children of all threads of a process.
fn children(parent: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten() {
        let list = std::fs::read_to_string(thread.path().join("children"));
        match list {
            Ok(list) => found.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && thread.path().exists() => {
                return None;
            }
            Err(_) => {}
        }
    }
    Some(found)
}

/// By looking at the parent of every process there is.
fn kin_by_search(root: u32) -> Vec<Member> {
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    for pid in pids() {
        if let Some(place) = place(pid) {
            children.entry(place.parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), 0);
    let mut parent = root;
    loop {
        let own = children.remove(&parent).unwrap_or_default();
        found.extend(own.into_iter().map(|pid| Member { pid, parent }));
        let Some(member) = found.get(next) else { return found };
        (parent, next) = (member.pid, next + 1);
    }
}

/// Sends a signal to one member, unless it is gone and its number belongs to somebody else by now.
fn signal(root: u32, member: Member, signal: Signal) {
    let Some(pid) = i32::try_from(member.pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    // Only now is the number sure to mean the process that is looked at. One whose parent has just died of the same signal
    // belongs to the reaper.
    if place(member.pid).is_some_and(|place| place.parent == member.parent || place.parent == root) {
        let _ = pidfd_send_signal(held, signal);
    }
}

/// Sends a signal to everything below `root`.
pub(super) fn signal_all(root: u32, one: Signal) {
    below(root).into_iter().for_each(|member| signal(root, member, one));
}

/// Rounds of freezing at most. One more than a tree is deep is enough; one that forks all the time needs some more.
const ROUNDS: u32 = 100;

/// Halts everything below `root`: what is halted cannot fork, so when all that is met is halted already, nobody is left.
pub(super) fn freeze(root: u32) {
    for round in 0..ROUNDS {
        let is_running = |member: &Member| place(member.pid).is_some_and(|place| place.is_running());
        let running: Vec<Member> = below(root).into_iter().filter(is_running).collect();
        if running.is_empty() {
            return;
        }
        running.into_iter().for_each(|member| signal(root, member, Signal::STOP));
        // A process notices on its way out of the kernel; seldom more than the first two rounds are needed.
        std::thread::sleep(std::time::Duration::from_micros(100 << round.min(5)));
    }
}

/// One round of killing everything below `root` but `spared` and what descends from those. Returns whom it met.
pub(super) fn kill_round(root: u32, spared: &BTreeSet<u32>) -> Vec<Member> {
    let met = others(root, spared);
    met.iter().for_each(|member| signal(root, *member, Signal::STOP));
    let halted = others(root, spared);
    halted.iter().for_each(|member| signal(root, *member, Signal::KILL));
    halted
}

fn others(root: u32, spared: &BTreeSet<u32>) -> Vec<Member> {
    let mut out = spared.clone();
    let mut members = below(root);
    members.retain(|member| {
        let is_spared = out.contains(&member.pid) || out.contains(&member.parent);
        if is_spared {
            out.insert(member.pid);
        }
        !is_spared
    });
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn both_ways_find_the_same() {
        let script = "sleep 600 & (sleep 600 & echo ready; wait) & wait";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdout(Stdio::piped());
        // As in life the root inherits whoever has lost its parent; else that one would be out of reach.
        let inherit = || Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?);
        // SAFETY: between fork and exec there is one system call and no memory is touched.
        let mut shell = unsafe { shell.pre_exec(inherit) }.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut listed = kin_by_list(shell.id()).unwrap();
        let mut searched = kin_by_search(shell.id());
        listed.sort();
        searched.sort();
        assert_eq!(listed, searched);
        assert_eq!(listed.len(), 3, "{listed:?}");
        // Those that their reaper has not collected yet are not alive any more.
        while !kill_round(shell.id(), &BTreeSet::new()).is_empty() {}
        assert!(below(shell.id()).is_empty());
        shell.wait().unwrap();
    }

    /// Whoever is signalled first may die of it before the others are met.
    #[test]
    fn whoever_lost_its_parent_meanwhile_is_signalled_all_the_same() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let (own, nobody) = (std::process::id(), u32::MAX);
        let member = Member { pid: child.id(), parent: nobody };
        signal(nobody - 1, member, Signal::KILL);
        assert!(child.try_wait().unwrap().is_none(), "it is not below that one");
        signal(own, member, Signal::KILL);
        child.wait().unwrap();
    }
}
