//! Checks across files: names that collide, dependencies that lead nowhere, and circles.
//!
//! Linear in the number of tasks and dependencies, and without recursion.

use super::chains;
use super::file::{Checked, Link, LinkKind};
use super::problem::{Code, Finding, Place, Problem};
use super::source::Source;
use crate::base::{TaskName, did_you_mean};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Suggestions compare a name with all others, so only this many are made.
const SUGGESTIONS: usize = 50;
/// And with so many names, but for the first one.
const COMPARED: usize = 50_000;
/// Of one file this many are told: each looks for its line.
const TOLD: usize = 100;
/// More circles than this are not shown.
const CIRCLES: usize = 20;

/// A file with the version of its task that may become active.
pub(super) struct Candidate<'c> {
    pub(super) source: &'c Source,
    pub(super) name: Option<&'c TaskName>,
    pub(super) checked: Option<Arc<Checked>>,
    /// Whether `checked` belongs to this very text. Places of an older text mean nothing now.
    pub(super) is_fresh: bool,
    /// Whether nothing in this text is an error; otherwise there may be more in it than could be read.
    pub(super) is_whole: bool,
}

/// What is wrong between files.
#[derive(Default)]
pub(super) struct Across {
    pub(super) problems: Vec<Problem>,
    /// For every file, whether it must not become active as it is.
    pub(super) refused: Vec<bool>,
}

impl Across {
    pub(super) fn refuse(&mut self, index: usize, problem: Option<Problem>) {
        if let Some(refused) = self.refused.get_mut(index) {
            *refused = true;
        }
        self.problems.extend(problem);
    }
}

/// Checks all files together.
pub(super) fn check(candidates: &[Candidate<'_>]) -> Across {
    let mut across = Across { problems: Vec::new(), refused: vec![false; candidates.len()] };
    let graph = Graph::of(candidates, &mut across);
    graph.refuse_unknown(&mut across);
    graph.refuse_circles(&mut across);
    chains::check(candidates, &mut across);
    across
}

/// Tasks and leaves by number. A pipeline has a number of its own and needs its leaves.
struct Graph<'c> {
    candidates: &'c [Candidate<'c>],
    numbers: HashMap<&'c str, usize>,
    nodes: Vec<Vertex<'c>>,
    /// Names of files that are there, whether or not they are good.
    files: HashMap<&'c str, usize>,
}

struct Vertex<'c> {
    name: &'c TaskName,
    file: usize,
    needs: Vec<Need<'c>>,
}

/// An edge: what is needed, and where that is written. A pipeline needs its leaves without a word.
#[derive(Clone, Copy)]
struct Need<'c> {
    to: &'c str,
    link: Option<&'c Link>,
}

impl<'c> Graph<'c> {
    fn of(candidates: &'c [Candidate<'c>], across: &mut Across) -> Graph<'c> {
        let leaves =
            |candidate: &Candidate<'_>| candidate.checked.as_ref().map_or(0, |c| c.task.leaves.len() + 1);
        let size = candidates.iter().map(leaves).sum();
        let mut graph = Graph {
            candidates,
            numbers: HashMap::with_capacity(size),
            nodes: Vec::with_capacity(size),
            files: HashMap::with_capacity(candidates.len()),
        };
        for (index, candidate) in candidates.iter().enumerate() {
            graph.add_file(index, candidate, across);
        }
        for (index, candidate) in candidates.iter().enumerate() {
            if let Some(checked) = candidate.checked.as_deref().filter(|_| !across.refused[index]) {
                graph.add_leaves(index, checked, across);
            }
        }
        graph
    }

    /// The name of a file, whatever is in it: `a.yaml` and `a.yml` are one.
    fn add_file(&mut self, index: usize, candidate: &'c Candidate<'c>, across: &mut Across) {
        let Some(name) = candidate.name else { return };
        if let Some(&first) = self.files.get(name.as_str()) {
            let other = self.candidates[first].source;
            let message = format!("`{name}` is defined twice: by this file and by {}", other.path);
            let finding = Finding::new(Code::E0303, 0..0, message, "the second file of this name")
                .help("rename or remove one of the files");
            let mut problem = finding.settle(candidate.source);
            problem.also.push(Place::new(other, &(0..0), "the first file of this name"));
            return across.refuse(index, Some(problem));
        }
        self.files.insert(name.as_str(), index);
    }

    fn add_leaves(&mut self, index: usize, checked: &'c Checked, across: &mut Across) {
        let task = &checked.task;
        if task.is_pipeline {
            for (leaf, place) in task.leaves.iter().zip(&checked.places) {
                self.refuse_same_name(index, leaf.name.as_str(), place, across);
            }
            let needs = task.leaves.iter().map(|leaf| Need { to: leaf.name.as_str(), link: None }).collect();
            self.add(&task.name, index, needs);
        }
        let mut needs: Vec<Vec<Need<'c>>> = vec![Vec::new(); task.leaves.len()];
        for link in &checked.links {
            needs[link.leaf].push(Need { to: link.to.as_str(), link: Some(link) });
        }
        for (leaf, needs) in task.leaves.iter().zip(needs) {
            self.add(&leaf.name, index, needs);
        }
    }

    fn add(&mut self, name: &'c TaskName, file: usize, needs: Vec<Need<'c>>) {
        self.numbers.insert(name.as_str(), self.nodes.len());
        self.nodes.push(Vertex { name, file, needs });
    }

    /// A child has the name of a file.
    fn refuse_same_name(&self, index: usize, name: &str, place: &Range<usize>, across: &mut Across) {
        let Some(&other) = self.files.get(name) else { return };
        let (own, other) = (&self.candidates[index], self.candidates[other].source);
        let message = format!("`{name}` is defined twice: by this child and by {}", other.path);
        let problem = own.is_fresh.then(|| {
            let finding = Finding::new(Code::E0303, place.clone(), message, "a child of this name");
            let mut problem = finding.help("rename the child or the file").settle(own.source);
            problem.also.push(Place::new(other, &(0..0), "a file of this name"));
            problem
        });
        across.refuse(index, problem);
    }

    fn refuse_unknown(&self, across: &mut Across) {
        let most = SUGGESTIONS.min(COMPARED / self.numbers.len().max(1)).max(1);
        let mut suggestions = 0;
        let mut told = vec![0; self.candidates.len()];
        for vertex in &self.nodes {
            for need in &vertex.needs {
                let Some(link) = need.link.filter(|link| !self.is_there(link.to.as_str())) else { continue };
                suggestions += 1;
                told[vertex.file] += 1;
                let is_told = told[vertex.file] <= TOLD;
                let problem = if is_told { self.unknown(vertex, link, suggestions <= most) } else { None };
                across.refuse(vertex.file, problem);
            }
        }
    }

    /// Whether the name exists, or may exist in a file that cannot be read now.
    fn is_there(&self, name: &str) -> bool {
        let is_dark = |name: &str| self.files.get(name).is_some_and(|&file| !self.candidates[file].is_whole);
        let above = name.rsplit_once('/').map(|(above, _)| above);
        self.numbers.contains_key(name) || is_dark(name) || above.is_some_and(is_dark)
    }

    fn unknown(&self, vertex: &Vertex<'_>, link: &Link, with_suggestion: bool) -> Option<Problem> {
        let candidate = &self.candidates[vertex.file];
        let checked = candidate.checked.as_deref().filter(|_| candidate.is_fresh)?;
        let task = &checked.task;
        let (owner, wanted) = (vertex.name.seen_from(&task.name), link.to.as_str());
        let verb = if link.kind == LinkKind::Uses { "uses" } else { "depends on" };
        let message = format!("`{owner}` {verb} `{wanted}`, which does not exist");
        let finding = Finding::new(Code::E0302, link.span.clone(), message, "no task has this name");
        let meant = if with_suggestion { self.suggest(task, wanted) } else { None };
        let finding = match meant.filter(|_| link.kind == LinkKind::Uses) {
            Some(meant) => finding.help(format!("did you mean `task:{meant}`?")),
            None => finding.suggest_name(wanted, meant, || {
                "names of siblings and full names of tasks are possible".to_owned()
            }),
        };
        let mut problem = finding.settle(candidate.source);
        problem.also.extend(meant.and_then(|meant| self.place_of(task, meant)));
        Some(problem)
    }

    fn suggest(&self, task: &'c super::Task, wanted: &str) -> Option<&'c str> {
        let siblings =
            task.leaves.iter().filter(|_| task.is_pipeline).map(|leaf| leaf.name.seen_from(&task.name));
        did_you_mean(wanted, siblings).or_else(|| did_you_mean(wanted, self.numbers.keys().copied()))
    }

    /// Where the task that was probably meant is defined.
    fn place_of(&self, task: &super::Task, meant: &str) -> Option<Place> {
        let child = format!("{}/{meant}", task.name);
        let number = self.numbers.get(child.as_str()).or_else(|| self.numbers.get(meant))?;
        let vertex = &self.nodes[*number];
        let candidate = &self.candidates[vertex.file];
        let checked = candidate.checked.as_deref().filter(|_| candidate.is_fresh)?;
        let leaf = checked.task.leaves.iter().position(|leaf| leaf.name == *vertex.name);
        let place = leaf.and_then(|leaf| checked.places.get(leaf).cloned()).unwrap_or(0..0);
        Some(Place::new(candidate.source, &place, format!("`{meant}` is defined here")))
    }

    /// Walks the graph depth first; a need that leads back into the path is a circle.
    fn refuse_circles(&self, across: &mut Across) {
        let mut walk = Walk { state: vec![State::New; self.nodes.len()], path: Vec::new() };
        let mut shown = 0;
        for start in 0..self.nodes.len() {
            walk.enter(start);
            while let Some(&(node, next)) = walk.path.last() {
                let Some(need) = self.nodes[node].needs.get(next) else {
                    walk.leave();
                    continue;
                };
                walk.advance();
                let Some(&to) = self.numbers.get(need.to) else { continue };
                match walk.state[to] {
                    State::New => walk.enter(to),
                    State::Open => {
                        shown += 1;
                        self.refuse_circle(&walk.circle(to), shown <= CIRCLES, across);
                    }
                    State::Done => {}
                }
            }
        }
    }

    /// `circle` holds every vertex with the index of the need that leads to the next one.
    fn refuse_circle(&self, circle: &[(usize, usize)], is_shown: bool, across: &mut Across) {
        for &(node, need) in circle {
            if self.nodes[node].needs[need].link.is_some() {
                across.refuse(self.nodes[node].file, None);
            }
        }
        if is_shown {
            across.problems.extend(self.circle_problem(circle));
        }
    }

    fn circle_problem(&self, circle: &[(usize, usize)]) -> Option<Problem> {
        let is_one_file =
            circle.iter().all(|&(node, _)| self.nodes[node].file == self.nodes[circle[0].0].file);
        let shown = |node: usize| match self.candidates[self.nodes[node].file].checked.as_deref() {
            Some(checked) if is_one_file => self.nodes[node].name.seen_from(&checked.task.name),
            Some(_) | None => self.nodes[node].name.as_str(),
        };
        let mut places: Vec<(usize, &Link, String)> = Vec::new();
        for (at, &(node, need)) in circle.iter().enumerate() {
            let vertex = &self.nodes[node];
            let Some(link) = vertex.needs[need].link.filter(|_| self.candidates[vertex.file].is_fresh) else {
                continue;
            };
            let next = shown(circle[(at + 1) % circle.len()].0);
            let verb = match link.kind {
                LinkKind::Chain | LinkKind::Final => "comes after",
                LinkKind::Need(_) => "needs",
                LinkKind::Uses => "runs",
            };
            places.push((vertex.file, link, format!("`{}` {verb} `{next}`", shown(node))));
        }
        places.sort_by_key(|(file, link, _)| (*file, link.kind.is_implied(), link.span.start));
        let path: Vec<&str> = circle.iter().chain(circle.first()).map(|&(node, _)| shown(node)).collect();
        let (file, link, label) = places.first()?;
        let message = format!("tasks need each other in a circle: {}", path.join(" > "));
        let finding = Finding::new(Code::E0301, link.span.clone(), message, label.clone());
        let mut problem =
            finding.help("take one of these dependencies away").settle(self.candidates[*file].source);
        let others = places.iter().skip(1);
        problem.also.extend(
            others.map(|(file, link, label)| Place::new(self.candidates[*file].source, &link.span, label)),
        );
        Some(problem)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// A depth-first walk with its path: each vertex with the index of its next need.
struct Walk {
    state: Vec<State>,
    path: Vec<(usize, usize)>,
}

impl Walk {
    fn enter(&mut self, node: usize) {
        if self.state[node] == State::New {
            self.state[node] = State::Open;
            self.path.push((node, 0));
        }
    }

    fn advance(&mut self) {
        if let Some((_, next)) = self.path.last_mut() {
            *next += 1;
        }
    }

    fn leave(&mut self) {
        if let Some((node, _)) = self.path.pop() {
            self.state[node] = State::Done;
        }
    }

    /// The part of the path from `to` on; every vertex there has already moved past the need it followed.
    fn circle(&self, to: usize) -> Vec<(usize, usize)> {
        let from = self.path.iter().position(|&(node, _)| node == to).unwrap_or(0);
        self.path[from..].iter().map(|&(node, next)| (node, next - 1)).collect()
    }
}
