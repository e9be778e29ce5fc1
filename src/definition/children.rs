//! The children of a pipeline: `tasks`, a mapping by id, or `steps`, a list in which each follows the one before.

use super::body::Body;
use super::fields::{Checker, Field, Path, Text, list};
use super::file::{Link, LinkKind};
use super::flow;
use super::gate::{self, Written};
use super::keys::{self, Object};
use super::known;
use super::leaf::{self, LeafKeys};
use super::problem::{Code, Finding};
use super::templates::{self, Extended};
use super::tree::{Kind, Node};
use crate::base::TaskName;
use std::collections::BTreeMap;
use std::ops::Range;

/// The full names of the children of a pipeline by id.
pub(super) type Siblings = BTreeMap<String, TaskName>;

/// One child as it is written.
pub(super) struct Child<'t> {
    pub(super) id: String,
    /// Where it is named, or begins.
    pub(super) place: Range<usize>,
    /// Where a step gives itself a name; a child in a mapping has one always.
    name_place: Option<Range<usize>>,
    /// What else it says; often nothing, and there may be thousands.
    pub(super) keys: Option<Box<LeafKeys>>,
    pub(super) body: Body<'t>,
    /// What it depends on, as written.
    pub(super) needs: Vec<Written>,
    /// The step before it.
    pub(super) follows: Option<String>,
    /// The templates it extends.
    pub(super) extends: Vec<Extended>,
    /// It stands under `finally`.
    pub(super) is_final: bool,
    /// Its texts with expressions.
    pub(super) written: Vec<Text>,
}

/// Reads `finally`: a mapping by id, or a list.
pub(super) fn finals<'t>(checker: &mut Checker, field: &Field<'t>, above: &Path<'_>) -> Vec<Child<'t>> {
    let mut children = match field.value.kind {
        Kind::List(_) => from_list(checker, field, above),
        Kind::Null | Kind::Text { .. } | Kind::Map(_) | Kind::Broken => from_map(checker, field, above),
    };
    for child in &mut children {
        child.is_final = true;
        if let Some(number) = child.id.strip_prefix("step").filter(|_| child.is_unnamed()) {
            child.id = format!("finally{number}");
        }
    }
    children
}

impl Child<'_> {
    /// Whether its id is only its place in the list.
    fn is_unnamed(&self) -> bool {
        self.name_place.is_none()
    }
}

/// Reads `tasks`.
pub(super) fn from_map<'t>(checker: &mut Checker, field: &Field<'t>, above: &Path<'_>) -> Vec<Child<'t>> {
    let path = above.child(field.key);
    if let Some(command) = field.value.as_text() {
        refuse_bare(checker, field, command);
        return Vec::new();
    }
    let Some(fields) = checker.fields(field.value, &path) else { return Vec::new() };
    refuse_empty(checker, field, fields.is_empty());
    let child =
        |field: Field<'t>| read(checker, field.value, field.key.to_owned(), field.place, &path, &keys::CHILD);
    fields.into_iter().filter_map(child).collect()
}

/// Reads `steps`.
pub(super) fn from_list<'t>(checker: &mut Checker, field: &Field<'t>, above: &Path<'_>) -> Vec<Child<'t>> {
    let path = above.child(field.key);
    if matches!(field.value.kind, Kind::Map(_)) {
        let finding = Finding::new(
            Code::E0110,
            field.value.span.clone(),
            "`steps` must be a list",
            "this is a mapping",
        );
        checker.report(finding.help("begin every step with `- `, or use `tasks` for a mapping by id"));
        return Vec::new();
    }
    if let Some(command) = field.value.as_text() {
        refuse_bare(checker, field, command);
        return Vec::new();
    }
    let items = list(field.value);
    refuse_empty(checker, field, items.is_empty() && !matches!(field.value.kind, Kind::Broken));
    let mut children: Vec<Child<'t>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = first_key(item);
        let Some(mut child) = read(checker, item, format!("step{}", index + 1), place, &path, &keys::STEP)
        else {
            continue;
        };
        if let Some(same) = children.iter().find(|other| other.id == child.id) {
            let finding = Finding::new(
                Code::E0106,
                child.place.clone(),
                format!("two steps are called `{}`", child.id),
                "named again here",
            );
            checker.report(finding.also(same.place.clone(), "first named here"));
            continue;
        }
        child.follows = children.last().map(|before| before.id.clone());
        children.push(child);
    }
    children
}

fn first_key(item: &Node<'_>) -> Range<usize> {
    match &item.kind {
        Kind::Map(entries) => entries.first().map_or(item.span.clone(), |(key, _)| key.span.clone()),
        Kind::Null | Kind::Text { .. } | Kind::List(_) | Kind::Broken => item.span.clone(),
    }
}

/// A command where children are expected.
fn refuse_bare(checker: &mut Checker, field: &Field<'_>, command: &str) {
    let (key, command) = (field.key, command.trim());
    let (expected, name) = match key {
        "steps" => ("a list", "- "),
        "finally" => ("a mapping or a list", "tidy: "),
        _ => ("a mapping", "NAME: "),
    };
    let message = format!("`{key}` must be {expected}");
    let finding = Finding::new(Code::E0110, field.value.span.clone(), message, "this is text");
    let command = if command.contains('\n') || command.is_empty() { "…" } else { command };
    let child = format!("{name}{{ run: {command} }}");
    checker.report(finding.help(format!("write children below it: `{child}`")));
}

fn refuse_empty(checker: &mut Checker, field: &Field<'_>, is_empty: bool) {
    if is_empty {
        let message = format!("`{}` is empty", field.key);
        checker.report(Finding::new(
            Code::E0134,
            field.place.clone(),
            message,
            "at least one child is needed",
        ));
    }
}

fn read<'t>(
    checker: &mut Checker,
    node: &'t Node<'t>,
    id: String,
    place: Range<usize>,
    above: &Path<'_>,
    object: &'static Object,
) -> Option<Child<'t>> {
    if let Kind::Text { .. } = &node.kind {
        let finding = Finding::new(
            Code::E0110,
            node.span.clone(),
            "a child of a pipeline must be a mapping",
            "this is text",
        );
        checker.report(match as_child(node) {
            Some(child) => finding.help(format!("write `{child}`")).fix(node.span.clone(), child),
            None => finding.help("write the text under a `run: |` of its own"),
        });
        return None;
    }
    let path = above.child(&id);
    let fields = checker.fields(node, &path)?;
    let is_step = object.is(&keys::STEP);
    let mut child = Child {
        id: id.clone(),
        name_place: (!is_step).then(|| place.clone()),
        place,
        keys: None,
        body: Body::default(),
        needs: Vec::new(),
        follows: None,
        extends: Vec::new(),
        is_final: false,
        written: Vec::new(),
    };
    let before = std::mem::take(&mut checker.written);
    let mut depends_on = None;
    let (mut keys, mut has_keys) = (LeafKeys::default(), false);
    for field in fields {
        match field.key {
            "id" | "name" if is_step => name_step(checker, &mut child, &field),
            "depends_on" | "needs" => take_depends_on(checker, &mut depends_on, field),
            "extends" => child.extends = templates::extended(checker, field.value),
            _ if child.body.take(&field) => {}
            _ if keys.take(&field, &path, checker) => has_keys = true,
            key if known::TASK_ONLY.contains(&key) => refuse_task_key(checker, &field),
            _ => child.body.is_misspelt |= checker.unknown(&field, &path, object),
        }
    }
    child.keys = has_keys.then(|| Box::new(keys));
    child.body.note(checker);
    child.needs = depends_on.map_or_else(Vec::new, |field| gate::needs(checker, &field, &path));
    child.written = std::mem::replace(&mut checker.written, before);
    Some(child)
}

/// A bare command as a child. Not for one over several lines, whose indentation means something.
fn as_child(node: &Node<'_>) -> Option<String> {
    let Kind::Text { text, is_plain } = &node.kind else { return None };
    // A text in quotes is longer than what it says by just these; a block is longer than that.
    let is_short = *is_plain || node.span.len() == text.len() + 2;
    let is_one_line = !text.contains(char::is_control) && !text.trim().is_empty();
    (is_short && is_one_line).then(|| format!("{{ run: {} }}", flow::scalar(text.trim())))
}

fn name_step(checker: &mut Checker, child: &mut Child<'_>, field: &Field<'_>) {
    if let Some(first) = &child.name_place {
        let finding = Finding::new(
            Code::E0137,
            field.place.clone(),
            "a step has either `id` or `name`",
            "the second one",
        );
        return checker.report(
            finding.also(first.clone(), "the first one").help("for words about it use `description`"),
        );
    }
    child.name_place = Some(field.place.clone());
    if let Some(id) = checker.filled_text(field.value, field.key) {
        child.id = id;
        child.place = field.value.span.clone();
    }
}

fn refuse_task_key(checker: &mut Checker, field: &Field<'_>) {
    let message = match field.key {
        "tasks" | "steps" => "a child of a pipeline cannot be a pipeline".to_owned(),
        key => format!("`{key}` belongs to the whole task, not to a child"),
    };
    let help = match field.key {
        "tasks" | "steps" => {
            "write its children beside the others, or make it a file of its own and depend on it"
        }
        _ => "write it at the top of the file",
    };
    checker.report(Finding::new(Code::E0133, field.place.clone(), message, "not at this level").help(help));
}

/// Takes `depends_on`, or its alias `needs` with a hint.
pub(super) fn take_depends_on<'t>(checker: &mut Checker, slot: &mut Option<Field<'t>>, field: Field<'t>) {
    if let Some(first) = slot {
        let message = "`depends_on` and `needs` are the same key";
        let finding = Finding::new(Code::E0106, field.place.clone(), message, "given again here");
        return checker.report(finding.also(first.place.clone(), "first given here"));
    }
    if field.key == "needs" {
        leaf::hint_at(checker, &field.place, "needs", "depends_on");
    }
    *slot = Some(field);
}

/// The full names of the children by id.
pub(super) fn names(checker: &mut Checker, pipeline: &TaskName, children: &[Child<'_>]) -> Siblings {
    let mut names = Siblings::new();
    for child in children {
        match pipeline.child(&child.id) {
            Ok(name) => {
                names.insert(child.id.clone(), name);
            }
            Err(error) => {
                let message = format!("`{}` cannot name a task: {error}", child.id);
                checker.report(Finding::new(
                    Code::E0123,
                    child.place.clone(),
                    message,
                    "expected letters, digits, `.`, `_`, `-`",
                ));
            }
        }
    }
    names
}

/// The dependencies of one leaf by full name: siblings first, then other files. Each once.
pub(super) fn links(
    checker: &mut Checker,
    leaf: usize,
    needs: &[Written],
    pipeline: &TaskName,
    siblings: &Siblings,
) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::with_capacity(needs.len());
    // Most jobs have a few needs, for which this is one small node.
    let mut seen: BTreeMap<TaskName, &Written> = BTreeMap::new();
    for need in needs {
        let Written { name: text, place: span, when } = need;
        let to = match siblings.get(text).cloned().map_or_else(|| TaskName::new(text), Ok) {
            Ok(to) => to,
            Err(error) => {
                let message = format!("`{text}` cannot name a task: {error}");
                checker.report(Finding::new(
                    Code::E0123,
                    span.clone(),
                    message,
                    format!("in a dependency of {pipeline}"),
                ));
                continue;
            }
        };
        match seen.get(&to) {
            None => {
                seen.insert(to.clone(), need);
                links.push(Link { leaf, to, span: span.clone(), kind: LinkKind::Need(*when) });
            }
            Some(first) if first.when == *when => {}
            Some(first) => {
                let message = format!("`{text}` is needed twice, and something else must have become of it");
                let finding = Finding::new(Code::E0137, span.clone(), message, "needed again here");
                let finding = finding.also(first.place.clone(), "first needed here");
                checker.report(finding.help("keep one of the two"));
            }
        }
    }
    links
}
