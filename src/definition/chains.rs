//! Runs that lead to other runs: `after` of a schedule, and `uses: task:NAME`. A name must exist, and a circle of these
//! would never end.
//!
//! What one run needs inside of itself is looked at in `across`.

use super::across::{Across, Candidate};
use super::file::LinkKind;
use super::problem::{Code, Finding, Place};
use crate::base::{TaskName, did_you_mean};
use crate::schedule::Occasion;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// More suggestions and circles than this are not made.
const MOST: usize = 20;

/// A run of `from` leads to a run of `to`, because that is written here.
struct Edge<'c> {
    from: &'c TaskName,
    to: &'c TaskName,
    file: usize,
    place: Range<usize>,
    is_after: bool,
}

/// Refuses the files whose schedules name what does not exist, or would go round for ever.
pub(super) fn check(candidates: &[Candidate<'_>], across: &mut Across) {
    let names: BTreeMap<&TaskName, usize> =
        (0..).zip(candidates).filter_map(|(index, candidate)| Some((candidate.name?, index))).collect();
    let edges: Vec<Edge<'_>> = (0..).zip(candidates).flat_map(|(index, one)| edges_of(index, one)).collect();
    let mut told = 0;
    for edge in edges.iter().filter(|edge| edge.is_after && !names.contains_key(edge.from)) {
        told += 1;
        refuse_unknown(candidates, edge, &names, told <= MOST, across);
    }
    let edges = without_ends(without_ends(edges, |edge| (edge.from, edge.to)), |edge| (edge.to, edge.from));
    let mut circles = 0;
    for edge in edges.iter().filter(|edge| edge.is_after) {
        if circles < MOST
            && let Some(path) = way_back(&edges, edge)
        {
            circles += 1;
            refuse_circle(candidates, edge, &path, across);
        }
    }
}

fn edges_of<'c>(file: usize, candidate: &'c Candidate<'c>) -> Vec<Edge<'c>> {
    let Some(checked) = candidate.checked.as_deref() else { return Vec::new() };
    let own = &checked.task.name;
    let timetables = checked.task.timetables.iter().zip(&checked.times);
    let afters = timetables.filter_map(|(timetable, place)| match timetable.schedule.occasion() {
        Some(Occasion::After { task, .. }) => {
            Some(Edge { from: task, to: own, file, place: place.clone(), is_after: true })
        }
        Some(Occasion::Startup | Occasion::Watch { .. } | Occasion::Webhook { .. }) | None => None,
    });
    let uses = checked.links.iter().filter(|link| link.kind == LinkKind::Uses);
    let uses =
        uses.map(|link| Edge { from: own, to: &link.to, file, place: link.span.clone(), is_after: false });
    afters.chain(uses).collect()
}

/// Leaves out, again and again, what begins at a task to which nothing leads: it is in no circle.
fn without_ends<'c>(
    mut edges: Vec<Edge<'c>>,
    of: impl Fn(&Edge<'c>) -> (&'c TaskName, &'c TaskName),
) -> Vec<Edge<'c>> {
    let mut open: BTreeMap<&TaskName, usize> = BTreeMap::new();
    let mut next: BTreeMap<&TaskName, Vec<&TaskName>> = BTreeMap::new();
    for edge in &edges {
        let (from, to) = of(edge);
        *open.entry(to).or_default() += 1;
        next.entry(from).or_default().push(to);
    }
    let mut rest: Vec<&TaskName> = next.keys().filter(|task| !open.contains_key(*task)).copied().collect();
    let mut gone = BTreeSet::new();
    while let Some(task) = rest.pop() {
        gone.insert(task);
        for to in next.get(task).into_iter().flatten() {
            let left = open.entry(to).or_default();
            *left = left.saturating_sub(1);
            rest.extend((*left == 0).then_some(*to));
        }
    }
    edges.retain(|edge| !gone.contains(of(edge).0));
    edges
}

fn refuse_unknown(
    candidates: &[Candidate<'_>],
    edge: &Edge<'_>,
    names: &BTreeMap<&TaskName, usize>,
    with_suggestion: bool,
    across: &mut Across,
) {
    let candidate = &candidates[edge.file];
    let problem = candidate.is_fresh.then(|| {
        let message = format!("`{}` comes after `{}`, which does not exist", edge.to, edge.from);
        let finding = Finding::new(Code::E0302, edge.place.clone(), message, "no file has this name");
        let all = names.keys().map(|name| name.as_str());
        let meant = with_suggestion.then(|| did_you_mean(edge.from.as_str(), all)).flatten();
        let finding = match meant {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding.help("a run of a whole file is meant, by the name of the file"),
        };
        finding.settle(candidate.source)
    });
    across.refuse(edge.file, problem);
}

/// How a run of what the edge leads to comes to another run of where it begins: the tasks in between.
fn way_back<'c>(edges: &[Edge<'c>], edge: &Edge<'c>) -> Option<Vec<&'c TaskName>> {
    let mut came_from: BTreeMap<&TaskName, &TaskName> = BTreeMap::new();
    let mut seen = BTreeSet::from([edge.to]);
    let mut rest = vec![edge.to];
    while let Some(task) = rest.pop() {
        if task == edge.from {
            let mut path = vec![task];
            while let Some(before) = came_from.get(path[path.len() - 1]) {
                path.push(before);
            }
            path.reverse();
            return Some(path);
        }
        for next in edges.iter().filter(|next| next.from == task) {
            if seen.insert(next.to) {
                came_from.insert(next.to, task);
                rest.push(next.to);
            }
        }
    }
    None
}

fn refuse_circle(candidates: &[Candidate<'_>], edge: &Edge<'_>, path: &[&TaskName], across: &mut Across) {
    let candidate = &candidates[edge.file];
    let problem = candidate.is_fresh.then(|| {
        let names: Vec<&str> = [edge.from].iter().chain(path).map(|name| name.as_str()).collect();
        let message = format!("tasks start each other in a circle: {}", names.join(" > "));
        let label = format!("a run of `{}` begins after one of `{}`", edge.to, edge.from);
        let finding = Finding::new(Code::E0301, edge.place.clone(), message, label);
        let mut problem = finding.help("take one of them away").settle(candidate.source);
        let others = candidates.iter().filter(|other| other.name.is_some_and(|name| path.contains(&name)));
        let others = others.filter(|other| other.name != candidate.name);
        problem.also.extend(others.map(|other| Place::new(other.source, &(0..0), "it goes on here")));
        problem
    });
    across.refuse(edge.file, problem);
}
