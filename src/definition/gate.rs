//! What lets a job start: its dependencies, the rule over them, and its preconditions.

use super::fields::{Checker, Field, Path, list};
use super::keys;
use super::problem::{Code, Finding};
use super::tree::{Kind, Node};
use crate::base::TaskName;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One dependency: which task, and what of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenNeed", into = "WrittenNeed")]
pub struct Need {
    /// The full name of a leaf or a pipeline.
    pub task: TaskName,
    /// What must have become of it.
    pub when: When,
}

/// The short form is the name alone.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenNeed {
    Name(TaskName),
    Full { task: TaskName, when: When },
}

impl From<WrittenNeed> for Need {
    fn from(written: WrittenNeed) -> Need {
        match written {
            WrittenNeed::Name(task) => Need { task, when: When::Succeeded },
            WrittenNeed::Full { task, when } => Need { task, when },
        }
    }
}

impl From<Need> for WrittenNeed {
    fn from(need: Need) -> WrittenNeed {
        match need.when {
            When::Succeeded => WrittenNeed::Name(need.task),
            when => WrittenNeed::Full { task: need.task, when },
        }
    }
}

/// What must have become of a job that another one depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It succeeded, or there was nothing to do for it.
    #[default]
    Succeeded,
    /// It failed, or was held back by a failure.
    Failed,
    /// It ended, however.
    Ended,
    /// It was skipped.
    Skipped,
    /// Its first attempt has started.
    Started,
}

/// How many of the dependencies of a job must come out well. The truth table is in `docs/tasks.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Each did what its `when` says.
    #[default]
    AllSucceeded,
    /// Each has ended, however.
    AllEnded,
    /// One succeeded; the others are not waited for.
    AnySucceeded,
    /// One failed; the others are not waited for.
    AnyFailed,
    /// Each has ended and none has failed.
    NoneFailed,
    /// Each has ended; it runs even in a run that is being cancelled.
    Always,
    /// So many succeeded; the others are not waited for.
    Join {
        /// How many; at least 1.
        min_succeeded: u32,
        /// Whether the others are stopped, because nobody needs them any more.
        #[serde(default)]
        cancel_rest: bool,
    },
}

impl Rule {
    /// Whether it is the one that holds when nothing is said.
    pub(super) fn is_usual(&self) -> bool {
        *self == Rule::AllSucceeded
    }
}

/// What must hold when a job becomes ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// How it is found out.
    pub check: Check,
    /// What people are told when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A question about the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Text for `sh -eu`: yes when it exits with 0.
    Run(String),
    /// A Lua expression: yes unless it is false or nil.
    Lua(String),
}

/// One dependency as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) place: Range<usize>,
    pub(super) when: When,
}

const WHENS: [(&str, When); 5] = [
    ("succeeded", When::Succeeded),
    ("failed", When::Failed),
    ("ended", When::Ended),
    ("skipped", When::Skipped),
    ("started", When::Started),
];

/// The entries of `depends_on`: names, or `{task, when}`.
pub(super) fn needs(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Vec<Written> {
    let path = above.child("depends_on");
    if let Some(entries) = as_in_compose(field.value) {
        let message = "`depends_on` is a name, or a list of names and of `{ task, when }`";
        let finding =
            Finding::new(Code::E0110, field.value.span.clone(), message, "a mapping by name, as in Compose");
        checker.report(finding.help(format!("write `depends_on: [{}]`", entries.join(", "))));
        return Vec::new();
    }
    list(field.value).iter().filter_map(|item| need(checker, item, &path)).collect()
}

/// `{a: {condition: service_completed_successfully}}`, written as it is here.
fn as_in_compose(node: &Node<'_>) -> Option<Vec<String>> {
    let Kind::Map(entries) = &node.kind else { return None };
    let entry = |(key, value): &(Node<'_>, Node<'_>)| {
        let Kind::Map(inner) = &value.kind else { return None };
        let condition = inner.iter().find(|(key, _)| key.as_text() == Some("condition"))?.1.as_text();
        let when = match condition {
            Some("service_started" | "service_healthy") => "started",
            Some(_) | None => "succeeded",
        };
        Some(format!("{{ task: {}, when: {when} }}", key.as_text()?))
    };
    entries.iter().map(entry).collect::<Option<Vec<String>>>().filter(|entries| !entries.is_empty())
}

fn need(checker: &mut Checker, item: &Node<'_>, path: &Path<'_>) -> Option<Written> {
    if !matches!(item.kind, Kind::Map(_)) {
        let name = checker.filled_text(item, "depends_on")?;
        return Some(Written { name, place: item.span.clone(), when: When::default() });
    }
    let (mut task, mut has_task, mut when_given) = (None, false, When::default());
    for field in checker.fields(item, path)? {
        match field.key {
            "task" => {
                has_task = true;
                task = checker.filled_text(field.value, "task").map(|name| (name, field.value.span.clone()));
            }
            "when" => when_given = when(checker, field.value),
            _ => _ = checker.unknown(&field, path, &keys::NEED),
        }
    }
    if !has_task {
        let finding =
            Finding::new(Code::E0130, item.span.clone(), "a dependency has no `task`", "`task` is required");
        checker.report(finding.help("write a name, or `{ task: NAME, when: succeeded }`"));
    }
    task.map(|(name, place)| Written { name, place, when: when_given })
}

fn when(checker: &mut Checker, node: &Node<'_>) -> When {
    if node.as_text() == Some("ready") {
        let message = "`when: ready` is part of the task language, but this version does not have it yet";
        let finding = Finding::new(Code::E0150, node.span.clone(), message, "not built yet");
        checker.report(
            finding.help("`when: started` does not wait until a service is ready; test for it in the script"),
        );
        return When::default();
    }
    checker.choice(node, "when", &WHENS).unwrap_or_default()
}

const RULES: [(&str, Rule); 6] = [
    ("all_succeeded", Rule::AllSucceeded),
    ("all_ended", Rule::AllEnded),
    ("any_succeeded", Rule::AnySucceeded),
    ("any_failed", Rule::AnyFailed),
    ("none_failed", Rule::NoneFailed),
    ("always", Rule::Always),
];

/// Words of Airflow for the same rules.
const AIRFLOW: [(&str, &str); 7] = [
    ("all_success", "all_succeeded"),
    ("all_done", "all_ended"),
    ("one_success", "any_succeeded"),
    ("one_failed", "any_failed"),
    ("all_failed", "any_failed"),
    ("none_failed_min_one_success", "none_failed"),
    ("one_done", "any_succeeded"),
];

/// The value of `trigger_rule`.
pub(super) fn rule(checker: &mut Checker, node: &Node<'_>) -> Option<Rule> {
    let foreign = node.as_text().and_then(|text| AIRFLOW.iter().find(|(word, _)| *word == text));
    if let Some((word, ours)) = foreign {
        let message = format!("`{word}` is not a value of `trigger_rule`");
        let finding = Finding::new(Code::E0122, node.span.clone(), message, "a word of Airflow");
        checker.report(
            finding.fix(node.span.clone(), *ours).help(format!("here the nearest rule is called `{ours}`")),
        );
        return None;
    }
    checker.choice(node, "trigger_rule", &RULES)
}

/// `join: {min_succeeded, cancel_rest}`.
pub(super) fn join(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<Rule> {
    let path = above.child("join");
    let (mut min, mut has_min, mut cancel_rest) = (None, false, false);
    for field in checker.fields(node, &path)? {
        match field.key {
            "min_succeeded" => {
                has_min = true;
                min = checker.integer(field.value, field.key, 1..=10_000);
            }
            "cancel_rest" => cancel_rest = checker.boolean(field.value, field.key).unwrap_or(false),
            _ => _ = checker.unknown(&field, &path, &keys::JOIN),
        }
    }
    if !has_min {
        let finding = Finding::new(
            Code::E0130,
            node.span.clone(),
            format!("{path} has no `min_succeeded`"),
            "`min_succeeded` is required",
        );
        checker.report(finding.help("write how many of the dependencies must have succeeded"));
    }
    let min_succeeded = u32::try_from(min?).expect("the range was checked");
    Some(Rule::Join { min_succeeded, cancel_rest })
}

/// A Lua expression, bare or in `${{ }}`.
pub(super) fn condition(checker: &mut Checker, node: &Node<'_>, what: &str) -> Option<String> {
    let text = checker.template(node, what)?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        checker.no_value(node, what);
        return None;
    }
    let inner = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    match inner {
        Some(inner) if !inner.contains("${{") => Some(inner.trim().to_owned()),
        None if !trimmed.contains("${{") => {
            checker.bare_expression(node, trimmed);
            Some(trimmed.to_owned())
        }
        Some(_) | None => {
            let message = format!("`{what}` is one Lua expression");
            let finding =
                Finding::new(Code::E0151, node.span.clone(), message, "this is text with expressions in it");
            checker.report(
                finding.help(format!("write it without the braces: `{what}: params.day == \"monday\"`")),
            );
            None
        }
    }
}

/// Entries of `preconditions`: shell text, or `{run / lua, message}`.
pub(super) fn preconditions(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Vec<Precondition> {
    let path = above.child("preconditions");
    list(node).iter().filter_map(|item| precondition(checker, item, &path)).collect()
}

fn precondition(checker: &mut Checker, node: &Node<'_>, path: &Path<'_>) -> Option<Precondition> {
    if !matches!(node.kind, Kind::Map(_)) {
        let run = checker.filled_template(node, "preconditions")?;
        return Some(Precondition { check: Check::Run(run), message: None });
    }
    let (mut checks, mut message) = (Vec::new(), None);
    for field in checker.fields(node, path)? {
        match field.key {
            "run" | "lua" => checks.push(field),
            "message" => message = checker.template(field.value, "message"),
            // Taskfile's words.
            "sh" | "msg" => {
                let ours = if field.key == "sh" { "run" } else { "message" };
                super::leaf::hint_at(checker, &field.place, field.key, ours);
                if field.key == "sh" {
                    checks.push(field)
                } else {
                    message = checker.template(field.value, "message")
                }
            }
            _ => _ = checker.unknown(&field, path, &keys::PRECONDITION),
        }
    }
    match checks.as_slice() {
        [field] if field.key == "lua" => {
            condition(checker, field.value, "lua").map(|lua| Precondition { check: Check::Lua(lua), message })
        }
        [field] => checker
            .filled_template(field.value, "run")
            .map(|run| Precondition { check: Check::Run(run), message }),
        [] => {
            let finding = Finding::new(
                Code::E0130,
                node.span.clone(),
                "a precondition has no `run` and no `lua`",
                "one of the two is required",
            );
            checker.report(finding.help("for example `{ run: test -d out, message: build it first }`"));
            None
        }
        [first, second, ..] => {
            let finding = Finding::new(
                Code::E0131,
                second.place.clone(),
                "a precondition has two checks",
                "the second one",
            );
            checker.report(finding.also(first.place.clone(), "the first one").help("make two entries of it"));
            None
        }
    }
}
