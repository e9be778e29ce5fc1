//! What came of the trials: counted by kind, with the times by whether the leader was there.

use super::batch::{KINDS, LEADERS, Trial};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

/// The trials of one way to end, under one containment.
pub(super) struct Tally {
    title: String,
    /// What the second number of a cell counts.
    second: &'static str,
    cells: BTreeMap<(&'static str, &'static str), Cell>,
    times: BTreeMap<&'static str, Vec<Duration>>,
    /// What else was wrong.
    wrong: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    trials: usize,
    alive: usize,
    zombies: usize,
    second: usize,
}

/// What came of one trial.
pub(super) struct Found {
    /// Processes that could still run were there at the end of the wait.
    pub(super) is_alive: bool,
    /// Dead ones that nobody had reaped were there.
    pub(super) is_zombie: bool,
    /// And the second thing that is counted.
    pub(super) second: bool,
    /// From the cause to the look that found nothing.
    pub(super) time: Duration,
}

impl Tally {
    pub(super) fn new(title: String, second: &'static str) -> Tally {
        Tally { title, second, cells: BTreeMap::new(), times: BTreeMap::new(), wrong: Vec::new() }
    }

    pub(super) fn add(&mut self, trial: &Trial, found: &Found) {
        let cell = self.cells.entry((trial.kind, trial.leader)).or_default();
        cell.trials += 1;
        cell.alive += usize::from(found.is_alive);
        cell.zombies += usize::from(found.is_zombie && !found.is_alive);
        cell.second += usize::from(found.second);
        if !found.is_alive && !found.is_zombie {
            self.times.entry(trial.leader).or_default().push(found.time);
        }
    }

    pub(super) fn complain(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Shows it, and fails unless nothing was left of any trial.
    pub(super) fn judge(&self) {
        println!("{self}");
        let is_bad = |cell: &Cell| cell.alive + cell.zombies + cell.second > 0;
        let bad = self.cells.values().filter(|cell| is_bad(cell)).count();
        assert!(
            bad == 0 && self.wrong.is_empty(),
            "{}: {bad} of {} cells are not clean",
            self.title,
            self.cells.len()
        );
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.cells.values().map(|cell| cell.trials).max().unwrap_or(0);
        writeln!(f, "{}, {each} of each: left alive / left as zombies / {}", self.title, self.second)?;
        writeln!(f, "{:16}{:>16}{:>16}", "", "leader alive", "leader gone")?;
        for kind in KINDS {
            write!(f, "{kind:16}")?;
            for leader in LEADERS {
                let cell = self.cells.get(&(kind, leader)).copied().unwrap_or_default();
                write!(f, "{:>16}", format!("{} / {} / {}", cell.alive, cell.zombies, cell.second))?;
            }
            writeln!(f)?;
        }
        for (leader, times) in &self.times {
            let mut times = times.clone();
            times.sort();
            if let (Some(p50), Some(p99)) = (percentile(&times, 50), percentile(&times, 99)) {
                writeln!(f, "gone after, leader {leader}: p50 {p50:.1?}, p99 {p99:.1?} ({})", times.len())?;
            }
        }
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "{wrong}"))
    }
}

/// The value that so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[test]
fn percentiles_are_values_that_occurred() {
    let check = |count: u64, percent, expected: Option<u64>| {
        let times: Vec<_> = (1..=count).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, percent), expected.map(Duration::from_millis), "{percent}% of {count}");
    };
    check(0, 50, None);
    check(1, 99, Some(1));
    check(2, 50, Some(1));
    check(100, 50, Some(50));
    check(100, 99, Some(99));
    check(1000, 99, Some(990));
}
