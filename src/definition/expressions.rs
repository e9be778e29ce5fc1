//! What can be said about expressions when a file is read: whether their braces match, and whether what they read can be
//! there. Their Lua is compiled elsewhere.

use super::children::Siblings;
use super::fields::{Checker, Text, listed};
use super::free;
use super::gate::Check;
use super::problem::{Code, Finding};
use super::repeat::Again;
use super::secret::Secret;
use super::shell::{CodeInArgv, ShellTroubleKind, code_in_argv, code_reader, is_posix_shell, safe_script};
use super::spread::Over;
use super::stdin::Stdin;
use super::task::{Action, Cleanup, Leaf, Param};
use super::template::{Expression, KEYWORDS, Reference, Template, TemplateErrorKind, references};
use super::values;
use crate::base::{TaskName, did_you_mean};
use std::cell::{LazyCell, OnceCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// An expression and where it stands in its file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Located {
    pub(super) source: String,
    pub(super) span: Range<usize>,
}

/// Whose expressions they are: that decides what is there for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// One job.
    Job,
    /// All children of a pipeline: what only some jobs have may be there.
    Children,
    /// The parameters, which are settled before any job.
    Params,
}

/// What an expression of a leaf can read.
pub(super) struct Scope<'s> {
    pub(super) of: Of,
    pub(super) leaf: &'s Leaf,
    pub(super) params: &'s [Param],
    /// The names of the parameters.
    pub(super) known: &'s HashSet<&'s str>,
    pub(super) siblings: &'s Siblings,
    pub(super) name: &'s TaskName,
    /// The secrets of every job of the host.
    pub(super) secrets: &'s [Secret],
    /// The names that `foreach` of some child gives its items.
    pub(super) items: &'s [String],
    /// The text of the file.
    pub(super) file: &'s str,
    pub(super) names: Names<'s>,
}

/// Names that are looked up for every expression that asks for them. There may be as many of them as there are expressions,
/// so they are collected when the first one asks.
#[derive(Default)]
pub(super) struct Names<'s> {
    axes: OnceCell<(Vec<&'s str>, HashSet<&'s str>)>,
    secrets: OnceCell<HashSet<&'s str>>,
}

/// A job that an expression reads, and where.
pub(super) struct Asked {
    pub(super) task: String,
    /// What stands behind it in the expression: a name with `-` in it is cut there.
    after: String,
    pub(super) span: Range<usize>,
}

/// The expressions in a text. One that cannot be taken apart has none.
pub(super) fn located(text: &Text, file: &str) -> Vec<Located> {
    if text.is_bare {
        return vec![Located { source: text.text.clone(), span: text.span.clone() }];
    }
    let Ok(template) = Template::parse(&text.text) else { return Vec::new() };
    let located =
        |(expression, span): (&Expression, Range<usize>)| Located { source: expression.source.clone(), span };
    template.expressions().zip(places(text, &template, file)).map(located).collect()
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

/// Where all expressions of a text stand in the file, in order. Each is looked for behind the one before it, so that many
/// cost no more than the text is long.
fn places(text: &Text, template: &Template, file: &str) -> Vec<Range<usize>> {
    let raw = file.get(text.span.clone()).unwrap_or_default();
    let (mut done, mut missed) = (0, 0);
    let expressions = template.expressions().map(|expression| {
        let part = text.text.get(expression.at.clone()).unwrap_or_default();
        // Where a few are written otherwise, as with escapes, the others are too.
        let found = if missed < MISSES { raw[done..].find(part) } else { None };
        let Some(found) = found else {
            missed += 1;
            return text.span.clone();
        };
        let start = text.span.start + done + found;
        done += found + part.len();
        start..start + part.len()
    });
    expressions.collect()
}

/// So many expressions of one text are looked for in vain.
const MISSES: usize = 20;

/// Says what is wrong with the expressions of a leaf. Gives the jobs that they read.
pub(super) fn check<'w>(
    checker: &mut Checker,
    written: impl Iterator<Item = &'w Text>,
    scope: &Scope<'_>,
) -> Vec<Asked> {
    let mut asked = Vec::new();
    let written: Vec<&Text> = written.collect();
    let scripts = LazyCell::new(|| scripts(scope.leaf));
    for text in &written {
        if text.is_bare {
            check_references(checker, &text.text, &text.span, scope, &mut asked);
            continue;
        }
        match Template::parse(&text.text) {
            Ok(template) => {
                let places = places(text, &template, scope.file);
                for (expression, span) in template.expressions().zip(&places) {
                    check_references(checker, &expression.source, span, scope, &mut asked);
                }
                if let Some(shell) = scripts.get(text.text.as_str()) {
                    check_script(checker, text, &template, &places, shell);
                }
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
    check_argvs(checker, &written, scope);
    asked
}

fn check_references(
    checker: &mut Checker,
    source: &str,
    span: &Range<usize>,
    scope: &Scope<'_>,
    asked: &mut Vec<Asked>,
) {
    let mut cut = 0;
    for reference in references(source) {
        if reference.at.start < cut {
            // The rest of a name with `-` in it, which is told as a whole.
            continue;
        }
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        match (reference.root.as_str(), path.as_slice()) {
            ("params", [name, ..]) => check_param(checker, name, span, scope),
            ("tasks", _) if scope.of == Of::Params => refuse(checker, source, &reference, span, scope),
            ("tasks", [name, rest @ ..]) => {
                let (task, after) = ((*name).to_owned(), after(source, &reference));
                let whole = whole_name(scope.siblings, &task, &after);
                cut = whole.map_or(0, |whole| reference.at.end + whole.len() - task.len());
                asked.push(Asked { task, after, span: span.clone() });
                check_field(checker, &format!("tasks.{name}"), rest, &free::OF_A_TASK, span);
            }
            ("env", [name, ..]) => refuse_secret(checker, name, span, scope),
            ("matrix", _) if scope.of == Of::Job => {
                check_matrix(checker, reference.path.first(), span, scope);
            }
            ("item", _) if scope.of == Of::Job && item_name(scope.leaf) != Some("item") => {
                refuse_item(checker, span, scope);
            }
            (root, path) if is_there(root, source, scope) => {
                if let Some((_, fields)) = free::FIELDS.iter().find(|(name, _)| *name == root) {
                    check_field(checker, root, path, fields, span);
                }
            }
            _ => refuse(checker, source, &reference, span, scope),
        }
    }
}

/// Whether a variable or a function of this name is there for an expression.
fn is_there(root: &str, source: &str, scope: &Scope<'_>) -> bool {
    let is_round = || is_of_repeat(source, scope.leaf);
    let is_special = match scope.of {
        Of::Job => item_name(scope.leaf) == Some(root) || (matches!(root, "outputs" | "round") && is_round()),
        // A child that has no such variable is told when its job is prepared.
        Of::Children => free::SOMETIMES.contains(&root) || scope.items.iter().any(|name| name == root),
        Of::Params => false,
    };
    free::ROOTS.contains(&root) || free::LIBRARY.contains(&root) || is_special
}

/// Whether it is the condition of `repeat`, which alone sees what a round gave.
fn is_of_repeat(source: &str, leaf: &Leaf) -> bool {
    let condition = leaf.repeat.as_ref().map(|repeat| match &repeat.again {
        Again::While(text) | Again::Until(text) => text,
    });
    condition.is_some_and(|condition| condition.trim() == source.trim())
}

fn refuse(
    checker: &mut Checker,
    source: &str,
    reference: &Reference,
    span: &Range<usize>,
    scope: &Scope<'_>,
) {
    let root = &reference.root;
    let is_call = source[reference.at.end..].trim_start().starts_with('(') && reference.path.is_empty();
    let what = if is_call { "function" } else { "variable" };
    let finding =
        Finding::new(Code::E0306, span.clone(), format!("there is no {what} `{root}`"), "read here");
    if checker.has_helped_enough() {
        return checker.report(finding);
    }
    let help = match (root.as_str(), scope.of) {
        ("outputs" | "round", _) => {
            "only `while` and `until` of `repeat` see what a round gave; outputs of other \
                                     jobs are `tasks.NAME.outputs`"
                .to_owned()
        }
        ("tasks" | "matrix" | "item", Of::Params) => {
            "parameters are settled before any job: only `params`, `env`, `run` and `task` are there"
                .to_owned()
        }
        _ => free::instead(reference, free::SOMETIMES.into_iter().chain(item_name(scope.leaf))),
    };
    checker.report(finding.help(help));
}

/// A variable whose fields are known has no others.
fn check_field(checker: &mut Checker, owner: &str, path: &[&str], fields: &[&str], span: &Range<usize>) {
    let Some(field) = path.first().filter(|field| !fields.contains(field)) else { return };
    let message = format!("`{owner}` has no `{field}`");
    let finding = Finding::new(Code::E0306, span.clone(), message, "read here");
    if checker.has_helped_enough() {
        return checker.report(finding);
    }
    checker.report(match did_you_mean(field, fields.iter().copied()) {
        Some(meant) => finding.help(format!("did you mean `{owner}.{meant}`?")),
        None => finding.help(format!("there are: {}", fields.join(", "))),
    });
}

/// Expressions see the variables of the job without its secrets.
fn refuse_secret(checker: &mut Checker, name: &str, span: &Range<usize>, scope: &Scope<'_>) {
    let secrets = scope.leaf.secrets.iter().chain(scope.secrets);
    let names = || secrets.map(|secret| secret.name.as_str()).collect();
    if scope.names.secrets.get_or_init(names).contains(name) {
        let message = format!("`{name}` is a secret, and expressions cannot read those");
        let finding = Finding::new(Code::E0306, span.clone(), message, "it is not among `env`");
        checker
            .report(finding.help(format!("the job has it as a variable: write \"${name}\" in the script")));
    }
}

fn refuse_item(checker: &mut Checker, span: &Range<usize>, scope: &Scope<'_>) {
    let finding =
        Finding::new(Code::E0306, span.clone(), "there is no `item` here", "this task has no `foreach`");
    checker.report(match item_name(scope.leaf) {
        Some(name) => finding.help(format!("the item is called `{name}` here")),
        None => finding.help("write `foreach: { items: [ … ] }` to run once for each item"),
    });
}

/// What stands behind a reference, without blanks, as far as a name could go.
fn after(source: &str, reference: &Reference) -> String {
    let behind = source[reference.at.end..].chars();
    behind.filter(|c| !c.is_whitespace()).take(TaskName::LONGEST).collect()
}

fn check_param(checker: &mut Checker, name: &str, span: &Range<usize>, scope: &Scope<'_>) {
    if scope.known.contains(name) {
        return;
    }
    let names = || scope.params.iter().map(|param| param.name.as_str());
    let finding =
        Finding::new(Code::E0306, span.clone(), format!("there is no parameter `{name}`"), "read here");
    let meant = checker.meant(name, names());
    checker.report(match meant {
        Some(meant) => finding.help(format!("did you mean `params.{meant}`?")),
        None if scope.params.is_empty() => {
            finding.help(format!("declare it: `params: {{ {name}: {{ type: string }} }}`"))
        }
        None => finding.help(format!("there are: {}", listed(names()))),
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
    let (names, known) = scope.names.axes.get_or_init(|| {
        let included = include.iter().flat_map(|cell| cell.keys().map(String::as_str));
        let names: Vec<&str> = axes.iter().map(|(name, _)| name.as_str()).chain(included).collect();
        let known = names.iter().copied().collect();
        (names, known)
    });
    if !known.contains(axis.as_str()) {
        let names = || names.iter().copied();
        let finding =
            Finding::new(Code::E0306, span.clone(), format!("the matrix has no axis `{axis}`"), "read here");
        let meant = checker.meant(axis, names());
        checker.report(match meant {
            Some(meant) => finding.help(format!("did you mean `matrix.{meant}`?")),
            None => finding.help(format!("there are: {}", listed(names()))),
        });
    }
}

fn item_name(leaf: &Leaf) -> Option<&str> {
    match leaf.spread.as_ref().map(|spread| &spread.over) {
        Some(Over::Items { name, .. }) => Some(name),
        Some(Over::Matrix { .. }) | None => None,
    }
}

/// The scripts of a job, each with the words of its interpreter. Those without any are for `sh -eu`.
fn scripts(leaf: &Leaf) -> HashMap<&str, &[String]> {
    let mut scripts: Vec<(&str, &[String])> = Vec::new();
    match &leaf.action {
        Action::Run { script, shell, .. } => scripts.push((script, shell)),
        Action::Exec { .. } | Action::Lua { .. } | Action::Script { .. } | Action::Call { .. } => {}
    }
    scripts.extend(leaf.cleanup.iter().filter_map(|item| match item {
        Cleanup::Run { script } => Some((script.as_str(), &[][..])),
        Cleanup::Exec { .. } | Cleanup::Remove { .. } => None,
    }));
    scripts.extend(leaf.preconditions.iter().filter_map(|precondition| match &precondition.check {
        Check::Run(script) => Some((script.as_str(), &[][..])),
        Check::Lua(_) => None,
    }));
    let status = leaf.freshness.iter().flat_map(|freshness| &freshness.status);
    scripts.extend(status.map(|script| (script.as_str(), &[][..])));
    // Of two with the same text the first one counts: only its interpreter may be another.
    scripts.into_iter().rev().collect()
}

/// A value must not become code. Where that cannot be promised the text is refused.
fn check_script(
    checker: &mut Checker,
    text: &Text,
    template: &Template,
    places: &[Range<usize>],
    shell: &[String],
) {
    // What a text in quotes says is there for everybody to see: `raw("${{")`.
    let is_open = |expression: &&Expression| expression.is_raw && !references(&expression.source).is_empty();
    let placed = || template.expressions().zip(places.iter().cloned());
    for (_, span) in placed().filter(|(expression, _)| is_open(expression)) {
        warn_of_raw(checker, span);
    }
    if !shell.is_empty() && !is_posix_shell(shell) {
        let program = shell.first().map_or("this interpreter", String::as_str);
        for (_, span) in placed().filter(|(expression, _)| !expression.is_raw) {
            let message = format!("a value cannot be put safely into text for `{program}`");
            let finding = Finding::new(Code::E0153, span, message, "it would become a part of the program");
            checker.report(finding.help("give it a variable under `env:` and read that in the program"));
        }
        return;
    }
    for trouble in safe_script(template).err().unwrap_or_default() {
        let span = places.get(trouble.index).unwrap_or(&text.span).clone();
        let help = match &trouble.kind {
            ShellTroubleKind::Evaluated { by } if by.starts_with("sed") => {
                "or write `sed --sandbox`, which runs nothing"
            }
            ShellTroubleKind::Evaluated { by } if by == "awk" => "for example `awk -v x=VALUE '{ … x … }'`",
            _ => "or give it a variable under `env:`, and read that where it is safe",
        };
        let finding =
            Finding::new(Code::E0153, span, "a value cannot be put here safely", trouble.kind.to_string());
        checker.report(finding.help(help));
    }
}

fn warn_of_raw(checker: &mut Checker, span: Range<usize>) {
    let message = "the value becomes a part of the script";
    let finding = Finding::new(Code::W0204, span, message, "whatever it says is executed");
    checker.report(finding.help("leave `raw` out: then the value is one word, whatever it holds"));
}

/// Programs without a shell around them are told code as a word, or read it.
fn check_argvs(checker: &mut Checker, written: &[&Text], scope: &Scope<'_>) {
    let leaf = scope.leaf;
    // Of two with the same text the first one counts.
    let texts = LazyCell::new(|| written.iter().rev().map(|text| (text.text.as_str(), *text)).collect());
    let own = match &leaf.action {
        Action::Exec { argv } => Some(argv),
        Action::Run { .. } | Action::Lua { .. } | Action::Script { .. } | Action::Call { .. } => None,
    };
    let cleanup = leaf.cleanup.iter().filter_map(|item| match item {
        Cleanup::Exec { argv } => Some(argv),
        Cleanup::Run { .. } | Cleanup::Remove { .. } => None,
    });
    for argv in own.into_iter().chain(cleanup) {
        let parsed: Result<Vec<Template>, _> = argv.iter().map(|word| Template::parse(word)).collect();
        let Ok(parsed) = parsed else { continue };
        let mut placed = HashMap::new();
        for CodeInArgv { word, expression, by } in code_in_argv(&parsed) {
            let placed = placed
                .entry(word)
                .or_insert_with(|| placed_expressions(&argv[word], &parsed[word], &texts, scope));
            let Some((expression, span)) = placed.get(expression) else { continue };
            refuse_code(checker, span.clone(), expression, &by);
        }
    }
    let (Some(argv), Some(Stdin::Text { text: input })) = (own, &leaf.stdin) else { return };
    let parsed: Vec<Template> = argv.iter().filter_map(|word| Template::parse(word).ok()).collect();
    let Some(by) = code_reader(&parsed) else { return };
    let Ok(template) = Template::parse(input) else { return };
    for (expression, span) in placed_expressions(input, &template, &texts, scope) {
        refuse_code(checker, span, expression, &by);
    }
}

/// The expressions of one of the texts that are written, each with its place.
fn placed_expressions<'t>(
    text: &str,
    template: &'t Template,
    texts: &HashMap<&str, &Text>,
    scope: &Scope<'_>,
) -> Vec<(&'t Expression, Range<usize>)> {
    let Some(text) = texts.get(text) else { return Vec::new() };
    template.expressions().zip(places(text, template, scope.file)).collect()
}

fn refuse_code(checker: &mut Checker, span: Range<usize>, expression: &Expression, by: &str) {
    if expression.is_raw {
        return warn_of_raw(checker, span);
    }
    let label = format!("`{by}` would run the value as code");
    let finding = Finding::new(Code::E0153, span, "a value cannot be put here safely", label);
    checker.report(finding.help(match by {
        "sh -c" | "bash -c" | "dash -c" | "ash -c" | "zsh -c" | "ksh -c" => format!(
            "pass it as a further argument: `exec: [{}, 'echo \"$1\"', sh, \"${{{{ … }}}}\"]`",
            by.replace(' ', ", ")
        ),
        _ => "pass it as a further argument, or give it a variable under `env:`".to_owned(),
    }));
}

/// The name of which this is what was left, if it has a `-` in it: `tasks.get-date.outputs` is a subtraction.
fn whole_name<'s>(siblings: &'s Siblings, task: &str, after: &str) -> Option<&'s str> {
    if !after.starts_with('-') {
        return None;
    }
    let in_name = after.char_indices().take_while(|(_, c)| c.is_ascii_alphanumeric() || "._-".contains(*c));
    let ends = in_name.map(|(at, _)| at + 1);
    let mut names = ends.filter_map(|end| siblings.get_key_value(&format!("{task}{}", &after[..end])));
    names.next().map(|(name, _)| name.as_str())
}

/// A job as expressions name it.
fn written(task: &str) -> String {
    let is_word = values::is_identifier(task) && !KEYWORDS.contains(&task);
    if is_word { format!("tasks.{task}") } else { format!("tasks[\"{task}\"]") }
}

/// Says which of the jobs that expressions read cannot have ended by then. `reachable` says of a full name whether the
/// leaf depends on it.
pub(super) fn check_asked(
    checker: &mut Checker,
    asked: &[Asked],
    scope: &Scope<'_>,
    reachable: impl Fn(&str) -> bool,
) {
    for Asked { task, after, span } in asked {
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
        let names = || scope.siblings.keys().map(String::as_str);
        let cut = whole_name(scope.siblings, task, after);
        let meant = cut.or_else(|| if is_there { None } else { checker.meant(task, names()) });
        checker.report(match meant {
            Some(meant) => finding.help(format!("did you mean `{}`?", written(meant))),
            None => finding.help(format!("write `depends_on: {task}`")),
        });
    }
}
