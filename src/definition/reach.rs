//! Jobs that can never run, as far as one file says: a condition that is always false, a rule that cannot be met, nothing
//! to be spread over, or a need of such a job.
//!
//! Only what is certain is said. A condition is not evaluated, and a job of another file may do anything.

use super::cells::matrix_cells;
use super::task::Leaf;
use super::{Over, Rule, Spread, When};
use std::collections::HashMap;
use std::sync::Arc;

/// The indexes of the leaves that never run, and why: what fits behind "it never runs: ".
pub(super) fn unreachable(leaves: &[Arc<Leaf>]) -> Vec<(usize, String)> {
    // A job that never runs because of others begins with one that never runs because of itself.
    if leaves.iter().all(|leaf| of_itself(leaf, |_| true).is_none()) {
        return Vec::new();
    }
    let numbers: HashMap<&str, usize> =
        leaves.iter().enumerate().map(|(at, leaf)| (leaf.name.as_str(), at)).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); leaves.len()];
    for (at, leaf) in leaves.iter().enumerate() {
        for need in &leaf.depends_on {
            if let Some(&to) = numbers.get(need.task.as_str()) {
                dependants[to].push(at);
            }
        }
    }
    let mut dead: Vec<Option<Dead>> =
        leaves.iter().map(|leaf| of_itself(leaf, |name| numbers.contains_key(name))).collect();
    let mut open: Vec<usize> = (0..leaves.len()).filter(|&at| dead[at].is_some()).collect();
    while let Some(at) = open.pop() {
        for &other in &dependants[at] {
            let is_dead = |name: &str| numbers.get(name).and_then(|&at| dead[at].as_ref());
            if dead[other].is_none()
                && let Some(found) = of_others(&leaves[other], is_dead)
            {
                dead[other] = Some(found);
                open.push(other);
            }
        }
    }
    dead.into_iter().enumerate().filter_map(|(at, dead)| Some((at, dead?.why))).collect()
}

/// Why a job never runs.
struct Dead {
    why: String,
    /// Whether it has no cells: it counts as started all the same.
    is_empty: bool,
}

impl Dead {
    fn new(why: impl Into<String>) -> Dead {
        Dead { why: why.into(), is_empty: false }
    }
}

/// A name of another file may stand for many jobs.
fn of_itself(leaf: &Leaf, is_one: impl Fn(&str) -> bool) -> Option<Dead> {
    if let Some(text @ ("false" | "nil")) = leaf.condition.as_deref().map(str::trim) {
        return Some(Dead::new(format!("its `if` is always {text}")));
    }
    if let Rule::Join { min_succeeded, .. } = leaf.rule
        && leaf.depends_on.len() < min_succeeded as usize
        && !leaf.depends_on.is_empty()
        && leaf.depends_on.iter().all(|need| is_one(need.task.as_str()))
    {
        let count = leaf.depends_on.len();
        return Some(Dead::new(format!("{min_succeeded} must succeed, and it needs only {count}")));
    }
    let is_empty = leaf.spread.as_ref().is_some_and(has_no_cells);
    is_empty.then(|| Dead { why: "there is nothing that it could run for".into(), is_empty })
}

fn has_no_cells(spread: &Spread) -> bool {
    match &spread.over {
        Over::Items { items, .. } => items.as_array().is_some_and(Vec::is_empty),
        Over::Matrix { axes, include, exclude } => {
            // An axis from an expression is known later.
            axes.iter().all(|(_, values)| values.is_array())
                && matrix_cells(axes, include, exclude).is_ok_and(|cells| cells.is_empty())
        }
    }
}

/// Whether a job waits for something that a dead one never does.
fn of_others<'d>(leaf: &Leaf, is_dead: impl Fn(&str) -> Option<&'d Dead>) -> Option<Dead> {
    let starves = |when: When, dead: &Dead| match when {
        When::Failed => true,
        When::Started => !dead.is_empty,
        When::Succeeded | When::Ended | When::Skipped => false,
    };
    let starving = leaf.depends_on.iter().find(|need| {
        leaf.rule == Rule::AllSucceeded
            && is_dead(need.task.as_str()).is_some_and(|dead| starves(need.when, dead))
    });
    if let Some(need) = starving {
        return Some(Dead::new(format!(
            "it waits for something that `{}`, which never runs, cannot do",
            need.task
        )));
    }
    let waits_for_one = matches!(leaf.rule, Rule::AnySucceeded | Rule::AnyFailed);
    let all_dead = || leaf.depends_on.iter().all(|need| is_dead(need.task.as_str()).is_some());
    (waits_for_one && all_dead()).then(|| Dead::new("none of the jobs it needs ever runs"))
}
