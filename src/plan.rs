//! A plan: the leaves one run will carry out, in dependency order, frozen.

use crate::base::TaskName;
use crate::definition::{
    Catalog, Expect, Leaf, Need, Param, ParamProblem, Params, RunGroup, Stdout, Task, When, bind,
};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, hash_map};
use std::sync::Arc;

/// What one run will do. It never changes once the run was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The task that was asked for.
    pub task: TaskName,
    /// The hash of that task's definition.
    pub definition: Arc<str>,
    /// The parameters of that task.
    pub params: Params,
    /// The groups of runs that it belongs to, of each of which only so many go on at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<RunGroup>,
    /// When it should have started and ended.
    #[serde(default, skip_serializing_if = "Expect::is_nothing")]
    pub expect: Expect,
    /// The jobs. A node's needs always stand before it, so a plan cannot hold a cycle.
    pub nodes: Vec<Node>,
}

/// One job of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What it does and allows.
    pub leaf: Arc<Leaf>,
    /// Indexes of the nodes that must be done before it; always smaller than its own.
    pub needs: Vec<u32>,
    /// What must have become of each of them, in the same order. Empty when each must have succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whens: Vec<When>,
    /// The parameters it sees: those of the task it belongs to.
    pub params: Arc<Params>,
    /// Parameters that nobody gave: defaults with expressions are evaluated when the job becomes ready, and what has no
    /// default is nil in expressions.
    #[serde(default, skip_serializing_if = "no_late")]
    pub late: Arc<Vec<Param>>,
    /// What becomes of its standard output besides the log.
    #[serde(default, skip_serializing_if = "Stdout::is_usual")]
    pub stdout: Stdout,
}

fn no_late(late: &Arc<Vec<Param>>) -> bool {
    late.is_empty()
}

impl Node {
    /// A job that needs the success of these, which stand before it.
    pub fn new(leaf: Arc<Leaf>, needs: Vec<u32>) -> Node {
        Node {
            leaf,
            needs,
            whens: Vec::new(),
            params: Arc::default(),
            late: Arc::default(),
            stdout: Stdout::Log,
        }
    }

    /// What must have become of each job it needs.
    pub fn edges(&self) -> impl Iterator<Item = (u32, When)> + '_ {
        self.needs.iter().enumerate().map(|(at, &need)| (need, self.when(at)))
    }

    /// What must have become of the job it needs in this place of `needs`.
    pub fn when(&self, place: usize) -> When {
        self.whens.get(place).copied().unwrap_or_default()
    }

    /// Whether defaults of its parameters are evaluated before it starts.
    pub fn settles_params(&self) -> bool {
        self.late.iter().any(|param| param.late.is_some())
    }

    /// Whether anything must be found out between its needs and its start.
    pub fn needs_preparing(&self) -> bool {
        self.leaf.needs_preparing() || self.settles_params()
    }
}

/// Why no plan can be made; fits after "failed to plan the run: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No task has the name that was asked for.
    #[error("there is no task `{name}`{}", did_you_mean_text(suggestion.as_deref()))]
    Unknown {
        /// What was asked for.
        name: TaskName,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// The file of the task is broken and no good version of it is known.
    #[error("`{name}` cannot be used, because {file} has errors")]
    Broken {
        /// The task.
        name: TaskName,
        /// Its file.
        file: Arc<str>,
    },
    /// A dependency leads nowhere.
    #[error("`{needed_by}` depends on `{name}`, which does not exist")]
    Dangling {
        /// The name that leads nowhere.
        name: TaskName,
        /// The leaf that depends on it.
        needed_by: TaskName,
    },
    /// Tasks need each other.
    #[error("tasks need each other in a circle: {}", joined(path, " > "))]
    Cycle {
        /// The circle; the first stands again at the end.
        path: Vec<TaskName>,
    },
    /// A task of another file needs parameters that nobody can give here.
    #[error(
        "`{task}` is needed, but its parameters cannot be left at their defaults: {}",
        joined(problems, ", ")
    )]
    Params {
        /// The task.
        task: TaskName,
        /// What is wrong with its defaults.
        problems: Vec<ParamProblem>,
    },
}

fn did_you_mean_text(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn joined<T: std::fmt::Display>(parts: &[T], between: &str) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

impl Plan {
    /// Plans a run of `wanted`, a task or a child of a pipeline: all its leaves and everything they depend on.
    ///
    /// `params` are the bound parameters of the task; tasks of other files get their defaults. A dependency on a
    /// pipeline is one on each of its leaves. Leaves that do not depend on each other keep the order in which they are
    /// written, those of `wanted` first. The time is linear in leaves and dependencies (but for a logarithm that
    /// keeps the order), and nothing recurses, so a chain may have any length.
    ///
    /// # Errors
    /// [`PlanError`] names what is unknown, broken, circular or without parameters.
    ///
    /// ```
    /// use neap::definition::{Catalog, Params, Registered, Settings, Source};
    /// use neap::{base::TaskName, plan::Plan, schedule::Zone};
    /// let text = "tasks: { b: { run: ls, depends_on: a }, a: { run: ls } }";
    /// let settings = Settings::new(Zone::utc());
    /// let catalog = Catalog::load([Source::new("tasks/p.yaml", text)], &Registered::default(), &settings, None);
    /// let plan = Plan::build(&catalog, &TaskName::new("p").unwrap(), Params::new()).unwrap();
    /// assert_eq!(plan.nodes[0].leaf.name.as_str(), "p/a");
    /// assert_eq!(plan.nodes[1].needs, [0]);
    /// ```
    pub fn build(catalog: &Catalog, wanted: &TaskName, params: Params) -> Result<Plan, PlanError> {
        let found = catalog.find(wanted.as_str()).ok_or_else(|| not_found(catalog, wanted))?;
        let task = found.task();
        let mut closure =
            Closure { catalog, tasks: HashMap::new(), leaves: Vec::new(), numbers: HashMap::new() };
        let own = Entry { late: late(task, &params), params: Arc::new(params.clone()), ..Entry::of(task) };
        closure.tasks.insert(task.name.as_str(), own);
        for leaf in found.leaves() {
            closure.add(task, leaf);
        }
        closure.follow()?;
        let mut nodes = closure.into_nodes()?;
        join_outputs(&mut nodes);
        let groups = task.turns.groups(&task.name, &params);
        // A part of a task is not what is expected of the whole.
        let expect = if *wanted == task.name { task.expect.clone() } else { Expect::default() };
        Ok(Plan { task: wanted.clone(), definition: task.hash.clone(), params, groups, expect, nodes })
    }
}

fn not_found(catalog: &Catalog, name: &TaskName) -> PlanError {
    let pipeline = name.as_str().rsplit_once('/').map(|(pipeline, _)| pipeline);
    let file =
        catalog.broken_file(name.as_str()).or_else(|| pipeline.and_then(|name| catalog.broken_file(name)));
    match file {
        Some(file) => PlanError::Broken { name: name.clone(), file: file.into() },
        None => PlanError::Unknown {
            name: name.clone(),
            suggestion: catalog.suggest(name.as_str()).map(str::to_owned),
        },
    }
}

/// The parameters that nobody gave, and that have no value before a job becomes ready.
fn late(task: &Task, params: &Params) -> Arc<Vec<Param>> {
    Arc::new(task.params.iter().filter(|param| !params.contains_key(&param.name)).cloned().collect())
}

/// Marks the jobs whose standard output others read.
fn join_outputs(nodes: &mut [Node]) {
    let read: Vec<(TaskName, bool)> = nodes
        .iter()
        .filter_map(|node| node.leaf.reads_from().map(|(task, stream)| (task.clone(), stream)))
        .collect();
    for (task, stream) in read {
        if let Some(node) = nodes.iter_mut().find(|node| node.leaf.name == task) {
            node.stdout = if stream { Stdout::Streamed } else { Stdout::Kept };
        }
    }
}

/// The leaves a run needs, numbered in the order they were found.
struct Closure<'c> {
    catalog: &'c Catalog,
    tasks: HashMap<&'c str, Entry<'c>>,
    leaves: Vec<Open<'c>>,
    numbers: HashMap<&'c str, usize>,
}

/// A task that has leaves in the plan.
struct Entry<'c> {
    params: Arc<Params>,
    late: Arc<Vec<Param>>,
    /// The places of its leaves, because a pipeline may have thousands.
    index: HashMap<&'c str, usize>,
}

/// A leaf whose needs may not be numbered yet.
struct Open<'c> {
    leaf: &'c Arc<Leaf>,
    params: Arc<Params>,
    late: Arc<Vec<Param>>,
    needs: Vec<(usize, When)>,
}

impl<'c> Entry<'c> {
    fn of(task: &'c Arc<Task>) -> Entry<'c> {
        let index = task.leaves.iter().enumerate().map(|(at, leaf)| (leaf.name.as_str(), at)).collect();
        Entry { params: Arc::default(), late: Arc::default(), index }
    }
}

impl<'c> Closure<'c> {
    fn add(&mut self, task: &Task, leaf: &'c Arc<Leaf>) -> usize {
        let next = self.leaves.len();
        let number = *self.numbers.entry(leaf.name.as_str()).or_insert(next);
        if number == next {
            let entry = self.tasks.get(task.name.as_str());
            let (params, late) =
                entry.map(|entry| (entry.params.clone(), entry.late.clone())).unwrap_or_default();
            self.leaves.push(Open { leaf, params, late, needs: Vec::new() });
        }
        number
    }

    /// Numbers what every leaf needs; leaves found on the way are followed in their turn.
    fn follow(&mut self) -> Result<(), PlanError> {
        let mut next = 0;
        while let Some(open) = self.leaves.get(next) {
            let leaf = open.leaf;
            let mut needs = Vec::with_capacity(leaf.depends_on.len());
            for need in &leaf.depends_on {
                self.resolve(need, &leaf.name, &mut needs)?;
            }
            let mut seen = HashSet::with_capacity(needs.len());
            needs.retain(|(number, _)| seen.insert(*number));
            self.leaves[next].needs = needs;
            next += 1;
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        Need { task: name, when }: &Need,
        needed_by: &TaskName,
        needs: &mut Vec<(usize, When)>,
    ) -> Result<(), PlanError> {
        let catalog = self.catalog;
        if let Some(task) = catalog.task(name.as_str()) {
            self.enter(task)?;
            needs.extend(task.leaves.iter().map(|leaf| (self.add(task, leaf), *when)));
            return Ok(());
        }
        let above = name.as_str().rsplit_once('/').and_then(|(above, _)| catalog.task(above));
        if let Some(task) = above.filter(|task| task.is_pipeline) {
            let entry = self.enter(task)?;
            if let Some(leaf) = entry.index.get(name.as_str()).map(|&at| &task.leaves[at]) {
                needs.push((self.add(task, leaf), *when));
                return Ok(());
            }
        }
        match not_found(catalog, name) {
            error @ PlanError::Broken { .. } => Err(error),
            _ => Err(PlanError::Dangling { name: name.clone(), needed_by: needed_by.clone() }),
        }
    }

    /// Binds the parameters of a task once: a task nobody asked for gets its defaults.
    fn enter(&mut self, task: &'c Arc<Task>) -> Result<&Entry<'c>, PlanError> {
        match self.tasks.entry(task.name.as_str()) {
            hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            hash_map::Entry::Vacant(place) => {
                let refused = |problems| PlanError::Params { task: task.name.clone(), problems };
                let params = bind(&task.params, &[]).map_err(refused)?;
                let late = late(task, &params);
                Ok(place.insert(Entry { params: Arc::new(params), late, ..Entry::of(task) }))
            }
        }
    }

    /// Puts needs before what needs them; among those that are free the one found first comes first.
    fn into_nodes(self) -> Result<Vec<Node>, PlanError> {
        let mut missing: Vec<usize> = self.leaves.iter().map(|open| open.needs.len()).collect();
        let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); self.leaves.len()];
        for (number, open) in self.leaves.iter().enumerate() {
            open.needs.iter().for_each(|&(need, _)| needed_by[need].push(number));
        }
        let is_free = |number: &usize| missing[*number] == 0;
        let mut free: BinaryHeap<Reverse<usize>> =
            (0..self.leaves.len()).filter(is_free).map(Reverse).collect();
        let mut places: Vec<u32> = vec![u32::MAX; self.leaves.len()];
        let mut nodes = Vec::with_capacity(self.leaves.len());
        while let Some(Reverse(number)) = free.pop() {
            let open = &self.leaves[number];
            places[number] = u32::try_from(nodes.len()).expect("a catalog has less than 2^32 leaves");
            let mut edges: Vec<(u32, When)> =
                open.needs.iter().map(|&(need, when)| (places[need], when)).collect();
            edges.sort_unstable_by_key(|&(need, _)| need);
            let is_usual = edges.iter().all(|&(_, when)| when == When::Succeeded);
            let whens = if is_usual { Vec::new() } else { edges.iter().map(|&(_, when)| when).collect() };
            let needs = edges.into_iter().map(|(need, _)| need).collect();
            let (params, late) = (open.params.clone(), open.late.clone());
            nodes.push(Node { whens, params, late, ..Node::new(open.leaf.clone(), needs) });
            for &dependant in &needed_by[number] {
                missing[dependant] -= 1;
                if missing[dependant] == 0 {
                    free.push(Reverse(dependant));
                }
            }
        }
        if nodes.len() == self.leaves.len() { Ok(nodes) } else { Err(self.cycle(&places)) }
    }

    /// Follows a need that has no place again and again: sooner or later the way crosses itself.
    fn cycle(&self, places: &[u32]) -> PlanError {
        let is_left = |number: &usize| places[*number] == u32::MAX;
        let mut way: Vec<usize> = (0..self.leaves.len()).find(is_left).into_iter().collect();
        let mut met: HashMap<usize, usize> = HashMap::new();
        let mut at = way.first().copied();
        while let Some(number) = at {
            if let Some(&from) = met.get(&number) {
                way.drain(..from);
                break;
            }
            met.insert(number, way.len() - 1);
            at = self.leaves[number].needs.iter().map(|&(need, _)| need).find(is_left);
            way.extend(at);
        }
        PlanError::Cycle { path: way.iter().map(|&number| self.leaves[number].leaf.name.clone()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Registered, Settings, Source};
    use crate::schedule::Zone;
    use std::fmt::Write as _;

    fn name(text: &str) -> TaskName {
        TaskName::new(text).unwrap()
    }

    fn load(files: &[(&str, &str)], previous: Option<&Catalog>) -> Catalog {
        let sources = files.iter().map(|&(path, text)| Source::new(format!("tasks/{path}.yaml"), text));
        Catalog::load(sources, &Registered::default(), &Settings::new(Zone::utc()), previous)
    }

    fn catalog(files: &[(&str, &str)]) -> Catalog {
        let catalog = load(files, None);
        assert_eq!(catalog.problems(), []);
        catalog
    }

    #[track_caller]
    fn check(catalog: &Catalog, wanted: &str, expected: &[(&str, &[u32])]) {
        let plan = Plan::build(catalog, &name(wanted), Params::new()).unwrap();
        let found: Vec<(&str, &[u32])> =
            plan.nodes.iter().map(|node| (node.leaf.name.as_str(), node.needs.as_slice())).collect();
        assert_eq!(found, expected, "{wanted}");
    }

    #[test]
    fn a_run_holds_what_is_wanted_and_what_it_needs() {
        let catalog = catalog(&[
            (
                "n",
                "tasks: { z: { run: z, depends_on: a }, y: { run: y }, a: { run: a }, x: { run: x, depends_on: [other, pipe] } }",
            ),
            ("other", "{ run: o, depends_on: last }"),
            ("last", "run: l"),
            ("pipe", "steps: [{ run: one }, { run: two }]"),
        ]);
        check(&catalog, "last", &[("last", &[])]);
        check(&catalog, "other", &[("last", &[]), ("other", &[0])]);
        check(&catalog, "n/z", &[("n/a", &[]), ("n/z", &[0])]);
        check(
            &catalog,
            "n",
            &[
                ("n/y", &[]),
                ("n/a", &[]),
                ("n/z", &[1]),
                ("pipe/step1", &[]),
                ("pipe/step2", &[3]),
                ("last", &[]),
                ("other", &[5]),
                ("n/x", &[3, 4, 6]),
            ],
        );
    }

    #[test]
    fn other_files_get_their_defaults() {
        let catalog = catalog(&[
            ("a", "{ run: a, depends_on: [b, c], params: { day: { type: date, required: true } } }"),
            ("b", "{ run: b, params: { n: 3 } }"),
            ("c", "{ run: c }"),
            ("d", "{ run: d, depends_on: a }"),
        ]);
        let params = Params::from([("day".to_owned(), "2026-11-21".into())]);
        let plan = Plan::build(&catalog, &name("a"), params.clone()).unwrap();
        let seen: Vec<&Params> = plan.nodes.iter().map(|node| &*node.params).collect();
        assert_eq!(seen, [&Params::from([("n".to_owned(), 3.into())]), &Params::new(), &params]);
        assert_eq!(plan.definition, catalog.task("a").unwrap().hash);
        let error = Plan::build(&catalog, &name("d"), Params::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a` is needed, but its parameters cannot be left at their defaults: `day`: it is required"
        );
    }

    #[test]
    fn what_cannot_be_planned_is_named() {
        let broken =
            load(&[("nightly", "run: a"), ("b", "rnu: b"), ("c", "{ run: c, depends_on: b }")], None);
        let error = |catalog: &Catalog, wanted: &str| {
            Plan::build(catalog, &name(wanted), Params::new()).unwrap_err().to_string()
        };
        assert_eq!(error(&broken, "nigthly"), "there is no task `nigthly`; did you mean `nightly`?");
        assert_eq!(error(&broken, "zzz"), "there is no task `zzz`");
        assert_eq!(error(&broken, "b"), "`b` cannot be used, because tasks/b.yaml has errors");
        assert_eq!(error(&broken, "c"), "`b` cannot be used, because tasks/b.yaml has errors");
        let whole = load(&[("c", "{ run: c, depends_on: b }"), ("b", "run: b")], None);
        let later = load(&[("c", "{ run: c, depends_on: b }")], Some(&whole));
        assert_eq!(error(&later, "c"), "`c` depends on `b`, which does not exist");
    }

    #[test]
    fn versions_that_stand_in_cannot_make_a_circle() {
        let first = load(&[("a", "{ run: a, depends_on: b }"), ("b", "run: b")], None);
        let second = load(&[("a", "rnu: a"), ("b", "{ run: b, depends_on: a }")], Some(&first));
        assert!(Plan::build(&second, &name("a"), Params::new()).is_ok());
        assert!(second.is_stale("b"), "the new b would close a circle with the old a");
    }

    #[test]
    fn a_chain_of_ten_thousand_is_planned_without_recursion() {
        let mut text = String::from("tasks:\n  t0: { run: ls }\n");
        for n in 1..10_000 {
            writeln!(text, "  t{n}: {{ run: ls, depends_on: t{} }}", n - 1).unwrap();
        }
        let chain = catalog(&[("chain", &text)]);
        let plan = Plan::build(&chain, &name("chain/t9999"), Params::new()).unwrap();
        assert_eq!(plan.nodes.len(), 10_000);
        assert!(plan.nodes.iter().enumerate().skip(1).all(|(at, node)| node.needs == [at as u32 - 1]));
    }
}
