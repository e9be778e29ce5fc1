//! One file of `tasks/` to one checked task, and everything that is wrong with it.
//!
//! Other files are not looked at: what a task depends on is only noted, with its place.

use super::body::{Body, Owner, Registered};
use super::children::{self, Child, Siblings, Written};
use super::declared;
use super::fields::{Checker, Field, Path};
use super::heal::heal;
use super::known;
use super::leaf::{self, Layers, LeafKeys};
use super::problem::{Code, Finding, Problem, settle_all};
use super::settings::Settings;
use super::source::Source;
use super::task::{Action, Leaf, Overlap, Task};
use super::timetable::{self, Crons};
use super::tree::{self, Kind, Node};
use crate::base::{BadName, TaskName};
use std::ops::Range;
use std::sync::Arc;

/// What a file is read with.
#[derive(Clone, Copy)]
pub(super) struct Ground<'g> {
    pub(super) registered: &'g Registered,
    pub(super) settings: &'g Settings,
}

/// What came of one file.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The name that the path gives, where it gives one.
    pub(super) name: Option<TaskName>,
    /// What could be read. It can become active only when nothing in the file is an error.
    pub(super) checked: Option<Arc<Checked>>,
    pub(super) is_good: bool,
    pub(super) problems: Vec<Problem>,
}

/// A task with the places that checks across files need.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) task: Arc<Task>,
    pub(super) links: Vec<Link>,
    /// Where each leaf is named, in the order of the leaves.
    pub(super) places: Vec<Range<usize>>,
}

/// One dependency of a leaf and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The index of the leaf.
    pub(super) leaf: usize,
    pub(super) to: TaskName,
    pub(super) span: Range<usize>,
    /// It is there because one step follows another.
    pub(super) is_chain: bool,
}

/// The name of the task in a file: its path below `tasks/` without the ending.
pub(super) fn name_of(path: &str) -> Result<TaskName, BadName> {
    let inside = path.strip_prefix("tasks/").unwrap_or(path);
    let stem = inside.strip_suffix(".yaml").or_else(|| inside.strip_suffix(".yml")).unwrap_or(inside);
    TaskName::new(stem)
}

/// Decodes a task file.
pub(super) fn decode(source: &Source, ground: Ground<'_>, crons: &mut Crons) -> Decoded {
    let mut checker = Checker { findings: Vec::new(), crons: std::mem::take(crons) };
    let name = match name_of(&source.path) {
        Ok(name) => Some(name),
        Err(error) => {
            let message = format!("`{}` cannot name a task: {error}", source.path);
            checker.report(Finding::new(Code::E0304, 0..0, message, "the file must be renamed"));
            None
        }
    };
    if let Some(problem) = source.fault() {
        *crons = checker.crons;
        return Decoded { name, checked: None, is_good: false, problems: vec![problem] };
    }
    let stand_in = || TaskName::new("unnamed").expect("it is a good name");
    let task_name = name.clone().unwrap_or_else(stand_in);
    let checked = with_tree(&source.text, &mut checker, |checker, root| {
        task(checker, source, root, &task_name, ground)
    });
    *crons = checker.crons;
    let problems = settle_all(checker.findings, source);
    let is_good = !problems.iter().any(Problem::is_error);
    Decoded { name, checked: checked.map(Arc::new), is_good, problems }
}

/// Reads the tree of a text, past the classic mistakes, and hands it on. Nothing is handed on when it is not whole.
pub(super) fn with_tree<T>(
    text: &str,
    checker: &mut Checker,
    decode: impl FnOnce(&mut Checker, &Node<'_>) -> Option<T>,
) -> Option<T> {
    if text.len() > tree::MAX_BYTES {
        let message = format!("the file is larger than {} KiB", tree::MAX_BYTES / 1024);
        checker.report(Finding::new(Code::E0112, 0..0, message, "this is no file a person wrote"));
        return None;
    }
    let healed;
    let (root, findings) = match tree::build(text, &[]) {
        Ok(read) => read,
        Err(error) => {
            healed = heal(text, error);
            checker.findings.extend(healed.findings);
            if !healed.is_whole {
                return None;
            }
            tree::build(&healed.text, &healed.broken).ok()?
        }
    };
    checker.findings.extend(findings);
    decode(checker, &root?)
}

fn task(
    checker: &mut Checker,
    source: &Source,
    root: &Node<'_>,
    name: &TaskName,
    ground: Ground<'_>,
) -> Option<Checked> {
    if matches!(root.kind, Kind::Null) {
        let finding = Finding::new(Code::E0108, 0..0, "the file is empty", "a task is expected here");
        checker.report(finding.help("write at least a body: `run: echo hello`"));
        return None;
    }
    if let Kind::Text { .. } | Kind::List(_) = root.kind {
        let finding = Finding::new(
            Code::E0110,
            root.span.clone(),
            "a task must be a mapping",
            "expected `key: value` lines",
        );
        let is_command = root.as_text().is_some_and(|text| !text.contains('\n'));
        checker.report(match root.as_text().filter(|_| is_command) {
            Some(text) => finding.help(format!("to run a command write `run: {text}`")),
            None => finding,
        });
        return None;
    }
    let file = TaskFile::read(checker, root)?;
    file.finish(checker, source, name, ground)
}

/// The keys of a file, sorted by what they are for.
#[derive(Default)]
struct TaskFile<'t> {
    keys: LeafKeys,
    /// Leaf keys that mean nothing on a pipeline.
    single: Vec<Field<'t>>,
    body: Body<'t>,
    depends_on: Option<Field<'t>>,
    tasks: Option<Field<'t>>,
    steps: Option<Field<'t>>,
    defaults: Option<Field<'t>>,
    params: Option<Field<'t>>,
    schedule: Option<Field<'t>>,
    overlap: Option<Field<'t>>,
    first_key: Range<usize>,
}

const ROOT: Path<'static> = Path::root("the task");

impl<'t> TaskFile<'t> {
    fn read(checker: &mut Checker, root: &'t Node<'t>) -> Option<TaskFile<'t>> {
        let fields = checker.fields(root, &"the task")?;
        let first_key = fields.first().map_or(root.span.start..root.span.start, |field| field.place.clone());
        let mut file = TaskFile { first_key, ..TaskFile::default() };
        let is_pipeline = fields.iter().any(|field| matches!(field.key, "tasks" | "steps"));
        for field in fields {
            file.sort(checker, field, is_pipeline);
        }
        Some(file)
    }

    fn sort(&mut self, checker: &mut Checker, field: Field<'t>, is_pipeline: bool) {
        match field.key {
            "tasks" => self.tasks = Some(field),
            "steps" => self.steps = Some(field),
            "defaults" => self.defaults = Some(field),
            "params" => self.params = Some(field),
            "schedule" => self.schedule = Some(field),
            "overlap" => self.overlap = Some(field),
            "depends_on" | "needs" => children::take_depends_on(checker, &mut self.depends_on, field),
            _ if self.body.take(&field) => {}
            _ if self.keys.take(&field, &ROOT, checker) => self.single.push(field),
            _ => {
                let keys = if is_pipeline { known::PIPELINE } else { known::TASK };
                self.body.is_misspelt |= checker.unknown(&field, &ROOT, keys, known::LATER);
            }
        }
    }

    fn finish(
        self,
        checker: &mut Checker,
        source: &Source,
        name: &TaskName,
        ground: Ground<'_>,
    ) -> Option<Checked> {
        let params =
            self.params.as_ref().map_or_else(Vec::new, |field| declared::params(checker, field, &ROOT));
        let overlap = self
            .overlap
            .as_ref()
            .map_or(Some(Overlap::default()), |field| timetable::overlap(checker, field.value));
        let common = timetable::Common {
            zone: &ground.settings.timezone,
            params: &params,
            overlap: overlap.unwrap_or_default(),
        };
        let timetables = self
            .schedule
            .as_ref()
            .map_or_else(Vec::new, |field| timetable::timetables(checker, field, &common, &ROOT));
        let is_pipeline = self.tasks.is_some() || self.steps.is_some();
        let leaves = if is_pipeline {
            self.pipeline(checker, name, ground)
        } else {
            self.leaf(checker, name, ground)
        }?;
        let mut task = Task {
            name: name.clone(),
            file: source.path.clone(),
            description: self.keys.description,
            labels: self.keys.labels,
            params,
            timetables,
            leaves: leaves.leaves.into_iter().map(Arc::new).collect(),
            is_pipeline,
            hash: "".into(),
        };
        task.hash = task.content_hash();
        Some(Checked { task: Arc::new(task), links: leaves.links, places: leaves.places })
    }

    fn leaf(&self, checker: &mut Checker, name: &TaskName, ground: Ground<'_>) -> Option<Leaves> {
        if let Some(field) = &self.defaults {
            let finding = Finding::new(
                Code::E0133,
                field.place.clone(),
                "only a pipeline has `defaults`",
                "this task has no children",
            );
            checker.report(finding.help("write the keys beside the body"));
        }
        let layers = Layers {
            own: &self.keys,
            defaults: None,
            pipeline: None,
            host: &ground.settings.defaults,
            host_env: &ground.settings.env,
        };
        let owner = Owner { path: &ROOT, place: self.first_key.clone(), keys: &self.keys };
        let action = self.body.action(checker, &owner, layers.shell(), ground.registered);
        let needs =
            self.depends_on.as_ref().map_or_else(Vec::new, |field| children::needs(checker, field, &ROOT));
        let links = children::links(checker, 0, needs, name, &Siblings::new());
        let depends_on = links.iter().map(|link| link.to.clone()).collect();
        let leaf = layers.leaf(name.clone(), action.unwrap_or_else(no_action), depends_on);
        Some(Leaves { leaves: vec![leaf], links, places: vec![self.first_key.clone()] })
    }

    fn pipeline(&self, checker: &mut Checker, name: &TaskName, ground: Ground<'_>) -> Option<Leaves> {
        self.refuse_on_pipeline(checker);
        let defaults = self.defaults.as_ref().map(|field| leaf::defaults(checker, field, &ROOT));
        let mut read = Vec::new();
        if let Some(field) = &self.tasks {
            read = children::from_map(checker, field, &ROOT);
        } else if let Some(field) = &self.steps {
            read = children::from_list(checker, field, &ROOT);
        }
        let outer =
            self.depends_on.as_ref().map_or_else(Vec::new, |field| children::needs(checker, field, &ROOT));
        let siblings = children::names(checker, name, &read);
        let mut all = Leaves::default();
        for child in &read {
            let layers = Layers {
                own: &child.keys,
                defaults: defaults.as_ref(),
                pipeline: Some(&self.keys),
                host: &ground.settings.defaults,
                host_env: &ground.settings.env,
            };
            self.child(checker, child, layers, ground, (name, &siblings, &outer), &mut all);
        }
        Some(all)
    }

    fn child(
        &self,
        checker: &mut Checker,
        child: &Child<'_>,
        layers: Layers<'_>,
        ground: Ground<'_>,
        (name, siblings, outer): (&TaskName, &Siblings, &[Written]),
        all: &mut Leaves,
    ) {
        let above = ROOT.child(if self.tasks.is_some() { "tasks" } else { "steps" });
        let path = above.child(&child.id);
        let owner = Owner { path: &path, place: child.place.clone(), keys: &child.keys };
        let action = child.body.action(checker, &owner, layers.shell(), ground.registered);
        let index = all.leaves.len();
        let mut links = children::links(checker, index, child.needs.clone(), name, siblings);
        let is_sibling = |link: &Link| siblings.contains_key(link.to.seen_from(name));
        let is_first = child.follows.is_none() && !links.iter().any(is_sibling);
        if is_first {
            links.extend(children::links(checker, index, outer.to_vec(), name, &Siblings::new()));
        }
        if let Some(to) = child.follows.as_ref().and_then(|before| siblings.get(before)) {
            let is_written = links.iter().any(|link| link.to == *to);
            let link = Link { leaf: index, to: to.clone(), span: child.place.clone(), is_chain: true };
            links.extend((!is_written).then_some(link));
        }
        let Some(leaf_name) = siblings.get(&child.id) else { return };
        let depends_on = links.iter().map(|link| link.to.clone()).collect();
        all.leaves.push(layers.leaf(leaf_name.clone(), action.unwrap_or_else(no_action), depends_on));
        all.links.extend(links);
        all.places.push(child.place.clone());
    }

    fn refuse_on_pipeline(&self, checker: &mut Checker) {
        let children = self.tasks.as_ref().or(self.steps.as_ref());
        if let (Some(field), Some(children)) = (self.body.first(), children) {
            let message = format!("a pipeline has no body of its own, but this has `{}`", field.key);
            let finding = Finding::new(Code::E0132, field.place.clone(), message, "the body");
            checker.report(
                finding
                    .also(children.place.clone(), "this makes it a pipeline")
                    .help("move the body into a child"),
            );
        }
        if let (Some(tasks), Some(steps)) = (&self.tasks, &self.steps) {
            let finding = Finding::new(
                Code::E0137,
                steps.place.clone(),
                "a pipeline has either `tasks` or `steps`",
                "the second one",
            );
            checker.report(finding.also(tasks.place.clone(), "the first one"));
        }
        for field in self.single.iter().filter(|field| !known::PIPELINE.contains(&field.key)) {
            let message = format!("`{}` belongs to a single child, not to a pipeline", field.key);
            let finding =
                Finding::new(Code::E0133, field.place.clone(), message, "this would not hold for the whole");
            checker.report(finding.help("write it under `defaults:` to give it to every child"));
        }
    }
}

/// Stands for a body that is missing or wrong: the file has an error then and never becomes active, but what its
/// leaves depend on is still checked.
fn no_action() -> Action {
    Action::Exec { argv: Vec::new() }
}

/// The leaves of a task while they are put together.
#[derive(Default)]
struct Leaves {
    leaves: Vec<Leaf>,
    links: Vec<Link>,
    places: Vec<Range<usize>>,
}
