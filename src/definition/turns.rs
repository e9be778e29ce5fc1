//! How runs take turns: how many of a task, or of a group of tasks, go on at once, and what becomes of one too many.

use super::fields::{Checker, Field, Path};
use super::keys;
use super::problem::{Code, Finding};
use super::task::{Param, Params};
use super::template::{Expression, Piece, Template, shown};
use super::tree::{Kind, Node};
use crate::base::TaskName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// How the runs of one task take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Turns {
    /// So many runs of the task go on at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instances: Option<u32>,
    /// So many runs of a group go on at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
}

/// A group of runs that a task belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concurrency {
    /// Its name, in which parameters may stand; the runs of the task itself when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How many of its runs go on at once.
    pub limit: u32,
    /// What becomes of one too many.
    pub on_conflict: OnConflict,
}

/// What becomes of a run for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is not created.
    Skip,
    /// The others are cancelled, and it begins when they have ended.
    CancelRunning,
    /// It waits, and those that wait already are cancelled.
    ReplacePending,
    /// It is not created, and that is an error.
    Fail,
}

pub(super) const ON_CONFLICT: &[(&str, &str)] = &[
    ("queue", "it waits for its turn"),
    ("skip", "it is not created"),
    ("cancel_running", "the others of the group are cancelled, and it begins when they have ended"),
    ("replace_pending", "it waits, and those that wait already are cancelled"),
    ("fail", "it is not created, and that is an error"),
];

/// A group that one run belongs to, as its plan says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunGroup {
    /// Which.
    pub name: GroupName,
    /// How many of its runs go on at once.
    pub limit: u32,
    /// What becomes of one too many.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What a group of runs is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupName {
    /// All runs of this task.
    Task(TaskName),
    /// All runs of tasks that name it.
    Named(String),
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupName::Task(task) => write!(f, "the runs of `{task}`"),
            GroupName::Named(name) => write!(f, "the group `{name}`"),
        }
    }
}

impl Turns {
    /// Whether nothing is said.
    pub fn is_usual(&self) -> bool {
        *self == Turns::default()
    }

    /// The groups of a run of this task with these parameters.
    pub fn groups(&self, task: &TaskName, params: &Params) -> Vec<RunGroup> {
        let own = || GroupName::Task(task.clone());
        let group = self.concurrency.iter().map(|concurrency| RunGroup {
            name: concurrency
                .group
                .as_ref()
                .map_or_else(own, |group| GroupName::Named(with_params(group, params))),
            limit: concurrency.limit,
            on_conflict: concurrency.on_conflict,
        });
        let instances =
            self.max_instances.map(|limit| RunGroup { name: own(), limit, on_conflict: OnConflict::Queue });
        group.chain(instances).collect()
    }
}

/// The parameter that an expression is, when it is nothing else.
fn param_of(expression: &Expression) -> Option<&str> {
    let name = expression.source.strip_prefix("params.")?;
    super::values::is_identifier(name).then_some(name)
}

fn with_params(text: &str, params: &Params) -> String {
    let Ok(template) = Template::parse(text) else { return text.to_owned() };
    let value = |expression: &Expression| {
        param_of(expression).and_then(|name| params.get(name)).cloned().unwrap_or(Value::Null)
    };
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Expression(expression) => shown(&value(expression)),
    };
    template.pieces.iter().map(piece).collect()
}

/// How many runs go on at once.
pub(super) fn count(checker: &mut Checker, field: &Field<'_>) -> Option<u32> {
    let count = checker.integer(field.value, field.key, 1..=10_000)?;
    Some(u32::try_from(count).expect("the range was checked"))
}

/// `{group, limit, on_conflict}`, or the name of a group alone.
pub(super) fn concurrency(
    checker: &mut Checker,
    node: &Node<'_>,
    params: &[Param],
    above: &Path<'_>,
) -> Option<Concurrency> {
    let mut found = Concurrency { group: None, limit: 1, on_conflict: OnConflict::default() };
    if !matches!(node.kind, Kind::Map(_)) {
        return Some(Concurrency { group: Some(group(checker, node, "concurrency", params)?), ..found });
    }
    let path = above.child("concurrency");
    for field in checker.fields(node, &path)? {
        match field.key {
            "group" => found.group = group(checker, field.value, "group", params),
            "limit" => found.limit = count(checker, &field).unwrap_or(1),
            "on_conflict" => {
                let words = [
                    ("queue", OnConflict::Queue),
                    ("skip", OnConflict::Skip),
                    ("cancel_running", OnConflict::CancelRunning),
                    ("replace_pending", OnConflict::ReplacePending),
                    ("fail", OnConflict::Fail),
                ];
                found.on_conflict = checker.choice(field.value, "on_conflict", &words).unwrap_or_default();
            }
            _ => _ = checker.unknown(&field, &path, &keys::CONCURRENCY),
        }
    }
    Some(found)
}

/// The name of a group. It must be known when the run is created, so of expressions only parameters can stand in it.
fn group(checker: &mut Checker, node: &Node<'_>, what: &str, params: &[Param]) -> Option<String> {
    let text = checker.plain_template(node, what)?;
    let wrong = |label: String| {
        Finding::new(
            Code::E0151,
            node.span.clone(),
            format!("`{what}` must be known when the run is created"),
            label,
        )
    };
    let template = match Template::parse(&text) {
        Ok(template) => template,
        Err(error) => {
            let message = format!("an expression in `{what}` is broken");
            checker.report(Finding::new(Code::E0152, node.span.clone(), message, error.to_string()));
            return None;
        }
    };
    for expression in template.expressions() {
        let param = param_of(expression).map(|name| (name, params.iter().find(|param| param.name == name)));
        let label = match param {
            Some((_, Some(param))) if param.late.is_none() => continue,
            Some((name, Some(_))) => format!("the default of `{name}` is evaluated later"),
            Some((name, None)) => format!("there is no parameter `{name}`"),
            None => format!("`{}` is evaluated later", expression.source),
        };
        checker
            .report(wrong(label).help("of expressions only parameters can stand here: `${{ params.NAME }}`"));
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(group: &str, expected: &str) {
        let params = Params::from([("stage".into(), "test".into()), ("number".into(), 3.into())]);
        assert_eq!(with_params(group, &params), expected);
    }

    #[test]
    fn parameters_stand_in_the_name_of_a_group() {
        check("deploy", "deploy");
        check("deploy-${{ params.stage }}", "deploy-test");
        check("${{ params.stage }}/${{ params.number }}", "test/3");
        check("${{ params.gone }}-", "-");
    }
}
