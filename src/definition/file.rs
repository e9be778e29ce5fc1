//! One file of `tasks/` to one checked task, and everything that is wrong with it.
//!
//! Other files are not looked at: what a task depends on is only noted, with its place.

use super::actions;
use super::body::{Body, Known, Owner, Registered};
use super::children::{self, Child, Siblings};
use super::declared;
use super::expect::{self, Expect};
use super::expressions::{self, Asked, Located, Of};
use super::fields::{Checker, Field, Path, Text};
use super::firing::Firing;
use super::gate::{self, Need, Rule, When, Written};
use super::heal::heal;
use super::leaf::{self, Layers, LeafKeys};
use super::problem::{Code, Finding, Problem, Severity, settle_all};
use super::reach;
use super::settings::Settings;
use super::source::Source;
use super::stdin::{Stdin, WrittenStdin};
use super::task::{Action, Leaf, Param, Task};
use super::templates::{self, Extended, Inherited, Templates};
use super::timetable::{self, Crons};
use super::tree::{self, Kind, Node};
use super::turns::{self, Turns};
use super::values;
use super::{keys, known};
use crate::base::{BadName, TaskName};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// What a file is read with.
#[derive(Clone, Copy)]
pub(super) struct Ground<'g> {
    pub(super) registered: &'g Registered,
    pub(super) settings: &'g Settings,
}

impl<'g> Ground<'g> {
    fn known(self) -> Known<'g> {
        Known { registered: self.registered, channels: Some(&self.settings.notify) }
    }
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
    /// Every expression of the file.
    pub(super) expressions: Vec<Located>,
    /// Where the time of each timetable is written, in the order of the timetables.
    pub(super) times: Vec<Range<usize>>,
}

/// One dependency of a leaf and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The index of the leaf.
    pub(super) leaf: usize,
    pub(super) to: TaskName,
    pub(super) span: Range<usize>,
    pub(super) kind: LinkKind,
}

/// Why one leaf leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// `depends_on`, or `stdin`.
    Need(When),
    /// One step follows another.
    Chain,
    /// It stands under `finally`.
    Final,
    /// It creates a run of the other: no dependency, but a circle of these would never end.
    Uses,
}

impl LinkKind {
    /// Whether nobody wrote it down.
    pub(super) fn is_implied(self) -> bool {
        matches!(self, LinkKind::Chain | LinkKind::Final)
    }

    /// What the other must have come to; `None` when it is not waited for.
    fn when(self) -> Option<When> {
        match self {
            LinkKind::Need(when) => Some(when),
            LinkKind::Chain => Some(When::Succeeded),
            LinkKind::Final => Some(When::Ended),
            LinkKind::Uses => None,
        }
    }
}

/// The name of the task in a file: its path below `tasks/` without the ending.
pub(super) fn name_of(path: &str) -> Result<TaskName, BadName> {
    let inside = path.strip_prefix("tasks/").unwrap_or(path);
    let stem = inside.strip_suffix(".yaml").or_else(|| inside.strip_suffix(".yml")).unwrap_or(inside);
    TaskName::new(stem)
}

/// Decodes a task file.
pub(super) fn decode(source: &Source, ground: Ground<'_>, crons: &mut Crons) -> Decoded {
    let mut checker = Checker {
        crons: std::mem::take(crons),
        machine: Some(Arc::clone(&ground.settings.machine)),
        zone: Some(ground.settings.timezone.clone()),
        ..Checker::default()
    };
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
            None if matches!(root.kind, Kind::List(_)) => {
                finding.help("write `steps:` above the list to run its entries one after the other")
            }
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
    /// How slots of the schedule become runs.
    firing: Vec<Field<'t>>,
    max_instances: Option<Field<'t>>,
    concurrency: Option<Field<'t>>,
    expect: Option<Field<'t>>,
    templates: Option<Field<'t>>,
    finals: Option<Field<'t>>,
    group: Option<Field<'t>>,
    metadata: Option<Field<'t>>,
    extends: Vec<Extended>,
    first_key: Range<usize>,
    /// The texts with expressions at the top of the file.
    written: Vec<Text>,
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
        file.body.note(checker);
        file.written = std::mem::take(&mut checker.written);
        Some(file)
    }

    fn sort(&mut self, checker: &mut Checker, field: Field<'t>, is_pipeline: bool) {
        match field.key {
            "tasks" => self.tasks = Some(field),
            "steps" => self.steps = Some(field),
            "defaults" => self.defaults = Some(field),
            "params" => self.params = Some(field),
            "schedule" => self.schedule = Some(field),
            key if timetable::firing::OF_TASKS.contains(&key) => self.firing.push(field),
            "max_instances" => self.max_instances = Some(field),
            "concurrency" => self.concurrency = Some(field),
            "expect" => self.expect = Some(field),
            "templates" => self.templates = Some(field),
            "finally" => self.finals = Some(field),
            "group" => self.group = Some(field),
            "metadata" => self.metadata = Some(field),
            "extends" if !is_pipeline => self.extends = templates::extended(checker, field.value),
            "depends_on" | "needs" => children::take_depends_on(checker, &mut self.depends_on, field),
            _ if self.body.take(&field) => {}
            _ if self.keys.take(&field, &ROOT, checker) => self.single.push(field),
            _ => {
                let object = if is_pipeline { &keys::PIPELINE } else { &keys::FILE };
                self.body.is_misspelt |= checker.unknown(&field, &ROOT, object);
            }
        }
    }

    fn turns(&self, checker: &mut Checker, params: &[Param]) -> Turns {
        let concurrency = self.concurrency.as_ref();
        Turns {
            max_instances: self.max_instances.as_ref().and_then(|field| turns::count(checker, field)),
            concurrency: concurrency
                .and_then(|field| turns::concurrency(checker, field.value, params, &ROOT)),
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
        let defaults = std::mem::take(&mut checker.written);
        let mut firing = Firing::default();
        for field in &self.firing {
            timetable::firing::take(checker, field, &mut firing);
        }
        let common = timetable::Common {
            zone: &ground.settings.timezone,
            params: &params,
            calendars: &ground.settings.calendars,
            firing,
            says_overlap: self.firing.iter().any(|field| field.key == "overlap"),
            hooks: timetable::Hooks {
                task: name,
                own: &self.keys.secrets,
                shared: &ground.settings.secrets,
                has_listener: ground.settings.webhooks.is_some(),
            },
        };
        let timetables = self
            .schedule
            .as_ref()
            .map_or_else(Vec::new, |field| timetable::timetables(checker, field, &common, &ROOT));
        let (timetables, times) = timetables.into_iter().unzip();
        let turns = self.turns(checker, &params);
        let expect = self.expect.as_ref();
        let expect = expect.map_or_else(Expect::default, |field| expect::expect(checker, field.value, &ROOT));
        let is_pipeline = self.tasks.is_some() || self.steps.is_some();
        let templates = Templates::read(checker, self.templates.as_ref(), &ROOT, &ground.settings.templates);
        checker.written.clear();
        let context = Context {
            file: &self,
            name,
            ground,
            templates: &templates,
            params: &params,
            known: params.iter().map(|param| param.name.as_str()).collect(),
            text: &source.text,
            no_keys: LeafKeys::default(),
        };
        context.check_defaults(checker, &defaults);
        let mut leaves = if is_pipeline { context.pipeline(checker) } else { context.leaf(checker) }?;
        leaves.locate(defaults.iter(), &source.text);
        warn_of_unreachable(checker, &leaves);
        let group = self.group.as_ref().and_then(|field| checker.filled_text(field.value, "group"));
        let metadata = self.metadata.as_ref().map_or(serde_json::Value::Null, |field| {
            checker.free_form(field.value);
            values::json(field.value)
        });
        let mut task = Task {
            name: name.clone(),
            file: source.path.clone(),
            description: self.keys.description,
            labels: self.keys.labels,
            group,
            metadata,
            params,
            timetables,
            turns,
            expect,
            leaves: leaves.leaves,
            is_pipeline,
            hash: "".into(),
        };
        task.hash = task.content_hash();
        Some(Checked {
            task: Arc::new(task),
            links: leaves.links,
            places: leaves.places,
            expressions: leaves.expressions,
            times,
        })
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
            let help = match known::NO_DEFAULT.contains(&field.key) {
                true => "write it in the child that is meant",
                false => "write it under `defaults:` to give it to every child",
            };
            checker.report(finding.help(help));
        }
    }
}

/// What the leaves of a file are made with.
struct Context<'c, 't> {
    file: &'c TaskFile<'t>,
    name: &'c TaskName,
    ground: Ground<'c>,
    templates: &'c Templates<'t, 'c>,
    params: &'c [Param],
    /// The names of the parameters.
    known: HashSet<&'c str>,
    /// The text of the file.
    text: &'c str,
    /// What a child says that says nothing of its own.
    no_keys: LeafKeys,
}

/// So many dependencies may come of `finally`, each of whose children waits for each of the others.
const MOST_FINAL: usize = 100_000;

impl<'c, 't> Context<'c, 't> {
    fn leaf(&self, checker: &mut Checker) -> Option<Leaves> {
        let file = self.file;
        for (field, what) in [(&file.defaults, "`defaults`"), (&file.finals, "`finally`")] {
            let Some(field) = field else { continue };
            let message = format!("only a pipeline has {what}");
            let finding =
                Finding::new(Code::E0133, field.place.clone(), message, "this task has no children");
            let help = match field.key {
                "defaults" => "write the keys beside the body",
                _ => "what is done in any case after a single task is written under `cleanup`",
            };
            checker.report(finding.help(help));
        }
        self.templates.warn_unused(checker, file.extends.iter());
        let inherited = self.templates.inherited(checker, &file.extends);
        let draft = Draft {
            name: self.name.clone(),
            path: &ROOT,
            place: file.first_key.clone(),
            keys: &file.keys,
            body: &file.body,
            written: &file.written,
            needs: &file
                .depends_on
                .as_ref()
                .map_or_else(Vec::new, |field| gate::needs(checker, field, &ROOT)),
        };
        let mut all = Leaves::default();
        let siblings = Siblings::new();
        self.finish(checker, draft, &inherited, (None, None), (&siblings, Vec::new()), &mut all);
        self.check_asked(checker, &all, &siblings);
        Some(all)
    }

    fn pipeline(&self, checker: &mut Checker) -> Option<Leaves> {
        let file = self.file;
        file.refuse_on_pipeline(checker);
        let defaults = file.defaults.as_ref().map(|field| leaf::defaults(checker, field, &ROOT));
        let common = std::mem::take(&mut checker.written);
        let mut children = Vec::new();
        if let Some(field) = &file.tasks {
            children = children::from_map(checker, field, &ROOT);
        } else if let Some(field) = &file.steps {
            children = children::from_list(checker, field, &ROOT);
        }
        let outer =
            file.depends_on.as_ref().map_or_else(Vec::new, |field| gate::needs(checker, field, &ROOT));
        if let Some(field) = &file.finals {
            let finals = children::finals(checker, field, &ROOT);
            take_finals(checker, finals, &mut children);
        }
        let siblings = children::names(checker, self.name, &children);
        self.templates.warn_unused(checker, children.iter().flat_map(|child| &child.extends));
        let mut all = Leaves::for_so_many(children.len());
        all.locate(file.written.iter().chain(&common), self.text);
        let items: Vec<String> = children.iter().filter_map(|child| child.keys.as_ref()?.item()).collect();
        for child in &children {
            self.child(checker, child, defaults.as_ref(), (&siblings, &outer), &mut all);
        }
        let finals = children.iter().filter(|child| child.is_final).count();
        if let Some(field) = file.finals.as_ref().filter(|_| finals * (children.len() - finals) > MOST_FINAL)
        {
            let message = format!("{finals} children under `finally` would wait for all others");
            let finding = Finding::new(Code::E0112, field.place.clone(), message, "these are too many");
            checker.report(finding.help("let one child under `finally` do it"));
            return None;
        }
        all.finish_finals(&children);
        check_reads(checker, &all);
        self.check_common(checker, file.written.iter().chain(&common), items);
        self.check_asked(checker, &all, &siblings);
        Some(all)
    }

    fn child(
        &self,
        checker: &mut Checker,
        child: &Child<'t>,
        defaults: Option<&LeafKeys>,
        (siblings, outer): (&Siblings, &[Written]),
        all: &mut Leaves,
    ) {
        let Some(name) = siblings.get(&child.id) else { return };
        let above = ROOT.child(match (child.is_final, self.file.tasks.is_some()) {
            (true, _) => "finally",
            (false, true) => "tasks",
            (false, false) => "steps",
        });
        let path = above.child(&child.id);
        let inherited = self.templates.inherited(checker, &child.extends);
        let index = all.leaves.len();
        let mut implied = Vec::new();
        let is_sibling = |need: &Written| siblings.contains_key(&need.name);
        let is_first = || !child.needs.iter().any(is_sibling);
        if !outer.is_empty() && child.follows.is_none() && !child.is_final && is_first() {
            implied.extend(children::links(checker, index, outer, self.name, &Siblings::new()));
        }
        if let Some(to) = child.follows.as_ref().and_then(|before| siblings.get(before)) {
            let link = Link { leaf: index, to: to.clone(), span: child.place.clone(), kind: LinkKind::Chain };
            implied.push(link);
        }
        let draft = Draft {
            name: name.clone(),
            path: &path,
            place: child.place.clone(),
            keys: child.keys.as_deref().unwrap_or(&self.no_keys),
            body: &child.body,
            written: &child.written,
            needs: &child.needs,
        };
        let around = (defaults, Some(&self.file.keys));
        self.finish(checker, draft, &inherited, around, (siblings, implied), all);
    }

    /// Puts one leaf together from what it says and what it inherits.
    fn finish(
        &self,
        checker: &mut Checker,
        draft: Draft<'_, 't>,
        inherited: &Inherited<'_, 't>,
        (defaults, pipeline): (Option<&LeafKeys>, Option<&LeafKeys>),
        (siblings, implied): (&Siblings, Vec<Link>),
        all: &mut Leaves,
    ) {
        let settings = self.ground.settings;
        let layers = Layers {
            own: draft.keys,
            templates: &inherited.keys,
            defaults,
            pipeline,
            host: &settings.defaults,
            host_env: &settings.env,
        };
        let index = all.leaves.len();
        let body = draft.body.or(&inherited.bodies);
        let owner = Owner { path: draft.path, place: draft.place.clone(), keys: draft.keys };
        let action = match inherited.action.filter(|_| body.is_empty()) {
            Some(action) => Some(action.clone()),
            None => body.action(checker, &owner, layers.shell(), self.ground.known()),
        };
        let mut links = children::links(checker, index, draft.needs, self.name, siblings);
        let is_written = |links: &[Link], to: &TaskName| links.iter().any(|link| link.to == *to);
        for link in implied {
            if !is_written(&links, &link.to) {
                links.push(link);
            }
        }
        let mut leaf = layers.leaf(checker, draft.name.clone(), action.unwrap_or_else(no_action));
        leaf.stdin = layers
            .stdin()
            .and_then(|stdin| self.stdin(checker, stdin, index, siblings, (&mut links, &mut all.reads)));
        self.uses(&leaf.action, &body, index, &mut links);
        refuse_idle_rule(checker, draft.keys, &links);
        leaf.depends_on = links
            .iter()
            .filter_map(|link| Some(Need { task: link.to.clone(), when: link.kind.when()? }))
            .collect();
        leaf.is_templated = leaf.holds_expressions();
        let written = || draft.written.iter().chain(inherited.written.iter().copied());
        let asked = expressions::check(checker, written(), &self.scope(&leaf, siblings));
        all.asked.extend((!asked.is_empty()).then_some((index, asked)));
        all.locate(written(), self.text);
        all.leaves.push(Arc::new(leaf));
        all.links.extend(links);
        all.places.push(draft.place);
    }

    fn scope<'s>(&'s self, leaf: &'s Leaf, siblings: &'s Siblings) -> expressions::Scope<'s> {
        expressions::Scope {
            of: Of::Job,
            leaf,
            params: self.params,
            known: &self.known,
            siblings,
            name: self.name,
            secrets: &self.ground.settings.secrets,
            items: &[],
            file: self.text,
            names: expressions::Names::default(),
        }
    }

    /// What stands beside the children is read by each of them.
    fn check_common<'w>(
        &self,
        checker: &mut Checker,
        written: impl Iterator<Item = &'w Text>,
        items: Vec<String>,
    ) {
        let any =
            Leaf { secrets: self.file.keys.secrets.clone(), ..Leaf::new(self.name.clone(), no_action()) };
        let siblings = Siblings::new();
        let scope = expressions::Scope { of: Of::Children, items: &items, ..self.scope(&any, &siblings) };
        expressions::check(checker, written, &scope);
    }

    fn check_defaults(&self, checker: &mut Checker, defaults: &[Text]) {
        let any =
            Leaf { secrets: self.file.keys.secrets.clone(), ..Leaf::new(self.name.clone(), no_action()) };
        let siblings = Siblings::new();
        let scope = expressions::Scope { of: Of::Params, ..self.scope(&any, &siblings) };
        expressions::check(checker, defaults.iter(), &scope);
    }

    /// An expression can read only jobs that have ended by then.
    fn check_asked(&self, checker: &mut Checker, all: &Leaves, siblings: &Siblings) {
        if all.asked.is_empty() {
            return;
        }
        let numbers = all.numbers();
        for (index, asked) in &all.asked {
            let wanted = asked
                .iter()
                .map(|asked| siblings.get(&asked.task).map_or(asked.task.as_str(), TaskName::as_str));
            let needed = all.needed_by(*index, &numbers, wanted.collect());
            let scope = self.scope(&all.leaves[*index], siblings);
            expressions::check_asked(checker, asked, &scope, |name| needed.contains(name));
        }
    }

    /// Where the standard output of another job is read, that job is one it depends on.
    fn stdin(
        &self,
        checker: &mut Checker,
        written: &WrittenStdin,
        leaf: usize,
        siblings: &Siblings,
        (links, reads): (&mut Vec<Link>, &mut Vec<Read>),
    ) -> Option<Stdin> {
        let (name, place, stream) = match written {
            WrittenStdin::Text(text) => return Some(Stdin::Text { text: text.clone() }),
            WrittenStdin::File(path) => return Some(Stdin::File { path: path.clone() }),
            WrittenStdin::Task { name, place, stream } => (name, place, *stream),
        };
        let Some(task) = siblings.get(name) else {
            let message = format!("`stdin` reads from `{name}`, which is no child of this pipeline");
            let finding = Finding::new(Code::E0302, place.clone(), message, "no child has this name");
            let meant = checker.meant(name, siblings.keys().map(String::as_str));
            checker.report(finding.suggest_name(name, meant, || {
                "it can read the output of a child of the same pipeline".to_owned()
            }));
            return None;
        };
        reads.push(Read { leaf, task: task.clone(), place: place.clone(), stream });
        let when = if stream { When::Started } else { When::Succeeded };
        match links.iter_mut().find(|link| link.to == *task) {
            Some(link) if stream && link.kind == LinkKind::Chain => link.kind = LinkKind::Need(when),
            Some(link) if stream && link.kind != LinkKind::Need(When::Started) => {
                let message =
                    format!("a job that reads the stream of `{name}` cannot wait until that has ended");
                let finding = Finding::new(Code::E0137, link.span.clone(), message, "this waits for its end");
                checker.report(
                    finding
                        .also(place.clone(), "this streams")
                        .help("leave it out of `depends_on`: both start together"),
                );
            }
            Some(_) => {}
            None => {
                links.push(Link { leaf, to: task.clone(), span: place.clone(), kind: LinkKind::Need(when) })
            }
        }
        Some(Stdin::Task { task: task.clone(), stream })
    }

    /// A task that creates runs of itself would never end.
    fn uses(&self, action: &Action, body: &Body<'_>, leaf: usize, links: &mut Vec<Link>) {
        let Action::Call { function, .. } = action else { return };
        let Some(Ok(to)) = actions::used_task(function).map(TaskName::new) else { return };
        let span = body.first().map_or(0..0, |field| field.value.span.clone());
        links.push(Link { leaf, to, span, kind: LinkKind::Uses });
    }
}

/// A child under `finally` must not have the name of another.
fn take_finals<'t>(checker: &mut Checker, finals: Vec<Child<'t>>, children: &mut Vec<Child<'t>>) {
    // Later ones with the same name come first here, so that the first of them stays.
    let places = children.iter().rev().map(|child| (child.id.clone(), child.place.clone()));
    let mut known: HashMap<String, Range<usize>> = places.collect();
    for child in finals {
        if let Some(same) = known.get(&child.id) {
            let message = format!("two children are called `{}`", child.id);
            let finding = Finding::new(Code::E0106, child.place.clone(), message, "named again here");
            checker.report(finding.also(same.clone(), "first named here"));
            continue;
        }
        known.insert(child.id.clone(), child.place.clone());
        children.push(child);
    }
}

/// A rule about dependencies means nothing where there are none.
fn refuse_idle_rule(checker: &mut Checker, keys: &LeafKeys, links: &[Link]) {
    let needs = links.iter().filter(|link| link.kind.when().is_some()).count();
    let Some((rule, place)) = &keys.rule else { return };
    if needs == 0 && *rule != Rule::Always {
        let message = "a rule about dependencies, and there are none";
        let finding = Finding::new(Code::E0137, place.clone(), message, "this has no effect");
        checker.report(finding.help("write what it waits for under `depends_on`"));
    }
}

/// Warns of jobs that never run. What has errors is not known well enough for that.
fn warn_of_unreachable(checker: &mut Checker, leaves: &Leaves) {
    if checker.findings.iter().any(|finding| finding.code.severity() == Severity::Error) {
        return;
    }
    for (at, why) in reach::unreachable(&leaves.leaves) {
        let child = child_of(&leaves.leaves[at]);
        let message = format!("`{child}` never runs: {why}");
        checker.report(Finding::new(Code::W0206, leaves.places[at].clone(), message, "it never runs"));
    }
}

/// A pipe has one writer, which writes once, and one reader.
fn check_reads(checker: &mut Checker, all: &Leaves) {
    for (at, read) in all.reads.iter().enumerate() {
        let Some(writer) = all.leaves.iter().find(|leaf| leaf.name == read.task) else { continue };
        refuse_many(checker, read, writer);
        if read.stream {
            refuse_again(checker, read, writer);
            refuse_again(checker, read, &all.leaves[read.leaf]);
        }
        let others = all.reads[..at].iter().filter(|other| other.task == read.task);
        if let Some(other) = others.into_iter().find(|other| other.stream || read.stream) {
            let name = child_of(writer);
            let message =
                format!("two jobs read what `{name}` puts out, and at least one of them as a stream");
            let finding = Finding::new(Code::E0137, read.place.clone(), message, "the second reader");
            checker.report(
                finding
                    .also(other.place.clone(), "the first reader")
                    .help("a pipe has one reader: leave out `stream`, then each gets the whole output"),
            );
        }
    }
}

/// A job that becomes many has no standard output of its own.
fn refuse_many(checker: &mut Checker, read: &Read, writer: &Leaf) {
    if writer.spread.is_some() {
        let message = format!("`{}` becomes many jobs, so there is no one output to read", child_of(writer));
        let finding = Finding::new(Code::E0137, read.place.clone(), message, "this reads its output");
        checker.report(finding.help("write to files, or hand on values as `outputs`"));
    }
}

/// What went through a pipe is gone: neither end can begin anew.
fn refuse_again(checker: &mut Checker, read: &Read, end: &Leaf) {
    let why = match () {
        () if end.retry.attempts > 1 => "`retry`",
        () if end.repeat.is_some() => "`repeat`",
        () if end.spread.is_some() && end.name != read.task => "`foreach` or `strategy`",
        () => return,
    };
    let message = format!("`{}` is one end of a stream and has {why}", child_of(end));
    let finding = Finding::new(Code::E0137, read.place.clone(), message, "this streams");
    checker.report(finding.help(format!("what went through a pipe is gone: leave out `stream`, or {why}")));
}

fn child_of(leaf: &Leaf) -> &str {
    leaf.name.as_str().rsplit_once('/').map_or(leaf.name.as_str(), |(_, child)| child)
}

/// One leaf before it is put together.
struct Draft<'d, 't> {
    name: TaskName,
    path: &'d Path<'d>,
    place: Range<usize>,
    keys: &'d LeafKeys,
    body: &'d Body<'t>,
    written: &'d [Text],
    needs: &'d [Written],
}

/// One job reads the standard output of another.
struct Read {
    /// The index of the leaf that reads.
    leaf: usize,
    task: TaskName,
    place: Range<usize>,
    stream: bool,
}

/// Stands for a body that is missing or wrong: the file has an error then and never becomes active, but what its
/// leaves depend on is still checked.
fn no_action() -> Action {
    Action::Exec { argv: Vec::new() }
}

/// The leaves of a task while they are put together.
#[derive(Default)]
struct Leaves {
    leaves: Vec<Arc<Leaf>>,
    links: Vec<Link>,
    places: Vec<Range<usize>>,
    expressions: Vec<Located>,
    /// Which jobs read the standard output of others.
    reads: Vec<Read>,
    /// Which jobs the expressions of a leaf read.
    asked: Vec<(usize, Vec<Asked>)>,
}

impl Leaves {
    fn for_so_many(count: usize) -> Leaves {
        Leaves { leaves: Vec::with_capacity(count), places: Vec::with_capacity(count), ..Leaves::default() }
    }

    fn locate<'w>(&mut self, written: impl Iterator<Item = &'w Text>, file: &str) {
        self.expressions.extend(written.flat_map(|text| expressions::located(text, file)));
    }

    fn numbers(&self) -> HashMap<&str, usize> {
        self.leaves.iter().enumerate().map(|(at, leaf)| (leaf.name.as_str(), at)).collect()
    }

    /// The full names of what a leaf depends on in this file, and of what those need of other files: all of them, or
    /// fewer when everything that is wanted is among these. What is nearest comes first.
    fn needed_by<'l>(
        &'l self,
        leaf: usize,
        numbers: &HashMap<&str, usize>,
        mut wanted: HashSet<&str>,
    ) -> HashSet<&'l str> {
        let (mut found, mut open) = (HashSet::new(), VecDeque::from([leaf]));
        while let Some(at) = open.pop_front() {
            for need in &self.leaves[at].depends_on {
                wanted.remove(need.task.as_str());
                if wanted.is_empty() {
                    found.insert(need.task.as_str());
                    return found;
                }
                if found.insert(need.task.as_str()) {
                    open.extend(numbers.get(need.task.as_str()));
                }
            }
        }
        found
    }

    /// What stands under `finally` comes after everything else, whatever happened.
    fn finish_finals(&mut self, children: &[Child<'_>]) {
        let is_final: Vec<bool> = children.iter().map(|child| child.is_final).collect();
        if !is_final.contains(&true) || is_final.len() != self.leaves.len() {
            return;
        }
        let names: Vec<TaskName> = self.leaves.iter().map(|leaf| leaf.name.clone()).collect();
        for (index, leaf) in self.leaves.iter_mut().enumerate().filter(|(index, _)| is_final[*index]) {
            let others =
                names.iter().enumerate().filter(|(other, _)| !is_final[*other]).map(|(_, name)| name);
            let leaf = Arc::make_mut(leaf);
            let missing: Vec<TaskName> = others
                .filter(|name| !leaf.depends_on.iter().any(|need| need.task == **name))
                .cloned()
                .collect();
            for to in missing {
                leaf.depends_on.push(Need { task: to.clone(), when: When::Ended });
                let span = children[index].place.clone();
                self.links.push(Link { leaf: index, to, span, kind: LinkKind::Final });
            }
            if leaf.rule == Rule::AllSucceeded {
                leaf.rule = Rule::Always;
            }
        }
    }
}
