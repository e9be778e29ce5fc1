//! The processes that descend from one, as the kernel tells it: what they are, whether they are halted, what they used.

use super::SOON;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What stands in `/proc/PID/stat` behind the name.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = String::from_utf8(std::fs::read(format!("/proc/{pid}/stat")).ok()?).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

pub(super) fn state(pid: u32) -> Option<char> {
    fields(pid)?[0].chars().next()
}

pub(super) fn parent(pid: u32) -> Option<u32> {
    fields(pid)?[1].parse().ok()
}

/// Processor time of all of these so far.
pub(super) fn ticks(pids: &BTreeSet<u32>) -> u64 {
    let one = |&pid: &u32| {
        let fields = fields(pid).unwrap();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    pids.iter().map(one).sum()
}

/// A process and its descendants.
pub(super) struct Tree {
    pub(super) pids: BTreeSet<u32>,
}

impl Tree {
    /// Looks until there are so many.
    pub(super) fn of(root: u32, size: usize) -> Tree {
        let begun = Instant::now();
        loop {
            let tree = Tree::now(root);
            if tree.pids.len() == size {
                return tree;
            }
            assert!(begun.elapsed() < SOON, "not {size} processes: {:?}", tree.pids);
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn now(root: u32) -> Tree {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let all: Vec<u32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        let mut pids = BTreeSet::from([root]);
        loop {
            let more = all.iter().filter(|pid| parent(**pid).is_some_and(|parent| pids.contains(&parent)));
            let more: Vec<u32> = more.filter(|pid| !pids.contains(pid)).copied().collect();
            if more.is_empty() {
                return Tree { pids };
            }
            pids.extend(more);
        }
    }

    /// Waits until it has used processor time.
    pub(super) fn until_busy(&self) {
        let begun = Instant::now();
        while ticks(&self.pids) == 0 {
            assert!(begun.elapsed() < SOON, "it does nothing");
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    pub(super) fn until_halted(&self) {
        let begun = Instant::now();
        while !self.pids.iter().all(|&pid| state(pid) == Some('T')) {
            assert!(begun.elapsed() < SOON, "not halted: {:?}", self.states());
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// What of it can still run.
    pub(super) fn alive(&self) -> Vec<u32> {
        let is_alive = |pid: &&u32| state(**pid).is_some_and(|state| !matches!(state, 'Z' | 'X'));
        self.pids.iter().filter(is_alive).copied().collect()
    }

    fn states(&self) -> Vec<(u32, Option<char>)> {
        self.pids.iter().map(|&pid| (pid, state(pid))).collect()
    }
}
