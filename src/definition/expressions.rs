//! What can be said about expressions when a file is read: whether their braces match, and whether what they read can be
//! there. Their Lua is compiled elsewhere.

use super::children::Siblings;
use super::fields::{Checker, Text};
use super::problem::{Code, Finding};
use super::shell::{is_posix_shell, safe_script};
use super::spread::Over;
use super::task::{Action, Leaf, Param};
use super::template::{Expression, Reference, Template, TemplateErrorKind, references};
use crate::base::{TaskName, did_you_mean};
use std::ops::Range;

/// An expression and where it stands in its file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Located {
    pub(super) source: String,
    pub(super) span: Range<usize>,
}

/// What an expression of a leaf can read.
pub(super) struct Scope<'s> {
    pub(super) leaf: &'s Leaf,
    pub(super) params: &'s [Param],
    pub(super) siblings: &'s Siblings,
    pub(super) name: &'s TaskName,
    /// The text of the file.
    pub(super) file: &'s str,
}

/// A job that an expression reads, and where.
pub(super) struct Asked {
    pub(super) task: String,
    pub(super) span: Range<usize>,
}

/// The variables that are always there.
const ROOTS: [&str; 5] = ["params", "env", "run", "task", "tasks"];

/// The expressions in a text. One that cannot be taken apart has none.
pub(super) fn located(text: &Text, file: &str) -> Vec<Located> {
    if text.is_bare {
        return vec![Located { source: text.text.clone(), span: text.span.clone() }];
    }
    let Ok(template) = Template::parse(&text.text) else { return Vec::new() };
    let located = |expression: &Expression| Located {
        source: expression.source.clone(),
        span: place(text, expression.at.clone(), file),
    };
    template.expressions().map(located).collect()
}

/// Where a part of a text stands in the file: exactly, when it is written there as it is read.
fn place(text: &Text, at: Range<usize>, file: &str) -> Range<usize> {
    let Some(part) = text.text.get(at.clone()) else { return text.span.clone() };
    let Some(raw) = file.get(text.span.clone()) else { return text.span.clone() };
    let before = text.text.get(..at.start).map_or(0, |before| before.matches(part).count());
    match raw.match_indices(part).nth(before) {
        Some((offset, _)) => text.span.start + offset..text.span.start + offset + part.len(),
        None => text.span.clone(),
    }
}

/// Says what is wrong with the expressions of a leaf. Gives the jobs that they read.
pub(super) fn check<'w>(
    checker: &mut Checker,
    written: impl Iterator<Item = &'w Text>,
    scope: &Scope<'_>,
) -> Vec<Asked> {
    let mut asked = Vec::new();
    for text in written {
        if text.is_bare {
            check_references(checker, &text.text, &text.span, scope, &mut asked);
            continue;
        }
        match Template::parse(&text.text) {
            Ok(template) => {
                for expression in template.expressions() {
                    let span = place(text, expression.at.clone(), scope.file);
                    check_references(checker, &expression.source, &span, scope, &mut asked);
                }
                check_script(checker, text, &template, scope);
            }
            Err(error) => {
                let (message, help) = match error.kind {
                    TemplateErrorKind::Unclosed => ("an expression is not closed", "write `}}` at its end"),
                    TemplateErrorKind::Empty => {
                        ("an expression is empty", "write a Lua expression between the braces")
                    }
                };
                let span = place(text, error.at, scope.file);
                checker.report(Finding::new(Code::E0152, span, message, "it begins here").help(help));
            }
        }
    }
    asked
}

fn check_references(
    checker: &mut Checker,
    source: &str,
    span: &Range<usize>,
    scope: &Scope<'_>,
    asked: &mut Vec<Asked>,
) {
    for Reference { root, path, .. } in references(source) {
        match (root.as_str(), path.first()) {
            ("params", Some(name)) => check_param(checker, name, span, scope),
            ("tasks", Some(name)) => asked.push(Asked { task: name.clone(), span: span.clone() }),
            ("matrix", first) => check_matrix(checker, first, span, scope),
            ("item", _) if item_name(scope.leaf) != Some("item") => {
                let finding = Finding::new(
                    Code::E0306,
                    span.clone(),
                    "there is no `item` here",
                    "this task has no `foreach`",
                );
                checker.report(match item_name(scope.leaf) {
                    Some(name) => finding.help(format!("the item is called `{name}` here")),
                    None => finding.help("write `foreach: { items: [ … ] }` to run once for each item"),
                });
            }
            (root, Some(_)) if !ROOTS.contains(&root) && item_name(scope.leaf) != Some(root) => {
                refuse_root(checker, root, span);
            }
            _ => {}
        }
    }
}

/// Only what is nearly one of the variables is refused: anything else may be a variable of the expression's own.
fn refuse_root(checker: &mut Checker, root: &str, span: &Range<usize>) {
    if let Some(meant) = did_you_mean(root, ROOTS.into_iter().chain(["matrix", "item", "outputs"]))
        .filter(|meant| *meant != root)
    {
        let finding =
            Finding::new(Code::E0306, span.clone(), format!("there is no variable `{root}`"), "read here");
        checker.report(finding.help(format!("did you mean `{meant}`?")));
    }
}

fn check_param(checker: &mut Checker, name: &str, span: &Range<usize>, scope: &Scope<'_>) {
    if scope.params.iter().any(|param| param.name == name) {
        return;
    }
    let names = || scope.params.iter().map(|param| param.name.as_str());
    let finding =
        Finding::new(Code::E0306, span.clone(), format!("there is no parameter `{name}`"), "read here");
    checker.report(match did_you_mean(name, names()) {
        Some(meant) => finding.help(format!("did you mean `params.{meant}`?")),
        None if scope.params.is_empty() => {
            finding.help(format!("declare it: `params: {{ {name}: {{ type: string }} }}`"))
        }
        None => finding.help(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
    });
}

fn check_matrix(checker: &mut Checker, axis: Option<&String>, span: &Range<usize>, scope: &Scope<'_>) {
    let Some(Over::Matrix { axes, include, .. }) = scope.leaf.spread.as_ref().map(|spread| &spread.over)
    else {
        let finding = Finding::new(
            Code::E0306,
            span.clone(),
            "there is no `matrix` here",
            "this task has no `strategy`",
        );
        return checker
            .report(finding.help("write `strategy: { matrix: { os: [ … ] } }` to run once for each cell"));
    };
    let Some(axis) = axis else { return };
    let names = || {
        axes.iter()
            .map(|(name, _)| name.as_str())
            .chain(include.iter().flat_map(|cell| cell.keys().map(String::as_str)))
    };
    if !names().any(|name| name == axis) {
        let finding =
            Finding::new(Code::E0306, span.clone(), format!("the matrix has no axis `{axis}`"), "read here");
        checker.report(match did_you_mean(axis, names()) {
            Some(meant) => finding.help(format!("did you mean `matrix.{meant}`?")),
            None => finding.help(format!("there are: {}", names().collect::<Vec<_>>().join(", "))),
        });
    }
}

fn item_name(leaf: &Leaf) -> Option<&str> {
    match leaf.spread.as_ref().map(|spread| &spread.over) {
        Some(Over::Items { name, .. }) => Some(name),
        Some(Over::Matrix { .. }) | None => None,
    }
}

/// A value must not become code. Where that cannot be promised the text is refused.
fn check_script(checker: &mut Checker, text: &Text, template: &Template, scope: &Scope<'_>) {
    let Action::Run { script, shell, .. } = &scope.leaf.action else { return };
    if *script != text.text {
        return;
    }
    for expression in template.expressions().filter(|expression| expression.is_raw) {
        let span = place(text, expression.at.clone(), scope.file);
        let finding = Finding::new(
            Code::W0204,
            span,
            "the value becomes a part of the script",
            "whatever it says is executed",
        );
        checker.report(finding.help("leave `raw` out: then the value is one word, whatever it holds"));
    }
    if !is_posix_shell(shell) {
        let program = shell.first().map_or("this interpreter", String::as_str);
        for expression in template.expressions().filter(|expression| !expression.is_raw) {
            let span = place(text, expression.at.clone(), scope.file);
            let message = format!("a value cannot be put safely into text for `{program}`");
            let finding = Finding::new(Code::E0153, span, message, "it would become a part of the program");
            checker.report(finding.help("give it a variable under `env:` and read that in the program"));
        }
        return;
    }
    for trouble in safe_script(template).err().unwrap_or_default() {
        let span = place(text, trouble.at, scope.file);
        let finding =
            Finding::new(Code::E0153, span, "a value cannot be put here safely", trouble.kind.to_string());
        checker.report(finding.help("or give it a variable under `env:`, and read that where it is safe"));
    }
}

/// Says which of the jobs that expressions read cannot have ended by then. `reachable` says of a full name whether the
/// leaf depends on it.
pub(super) fn check_asked(
    checker: &mut Checker,
    asked: &[Asked],
    scope: &Scope<'_>,
    reachable: impl Fn(&str) -> bool,
) {
    for Asked { task, span } in asked {
        let full = scope.siblings.get(task).map_or(task.as_str(), TaskName::as_str);
        if reachable(full) {
            continue;
        }
        let owner = scope.leaf.name.seen_from(scope.name);
        let is_there = scope.siblings.contains_key(task);
        let message = if is_there {
            format!("`{owner}` reads `tasks.{task}`, but does not depend on it")
        } else {
            format!("`{owner}` reads `tasks.{task}`, and there is no such task among those it depends on")
        };
        let finding = Finding::new(Code::E0307, span.clone(), message, "its outcome is not known here");
        let meant = did_you_mean(task, scope.siblings.keys().map(String::as_str)).filter(|_| !is_there);
        checker.report(match meant {
            Some(meant) => finding.help(format!("did you mean `tasks.{meant}`?")),
            None => finding.help(format!("write `depends_on: {task}`")),
        });
    }
}
