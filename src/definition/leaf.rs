//! The keys that every leaf has, and how those of a task, of `defaults` and of the host come together.
//!
//! The nearer one wins; `env` and `labels` are merged name by name, and hooks of a pipeline come before those of its
//! children.

use super::fields::{Checker, Field, Path};
use super::freshness::{self, Freshness};
use super::gate::{self, Precondition, Rule};
use super::log::{self, Log};
use super::problem::{Code, Finding};
use super::process;
use super::repeat::{self, Repeat};
use super::secret::{self, Secret};
use super::sharing;
use super::spread::{self, Over, Spread};
use super::stdin::{self, WrittenStdin};
use super::task::{Action, Cleanup, Hook, Leaf, ParamType, Retry, Signal, Stop};
use super::tree::{Kind, Node};
use super::{declared, flow, keys, known, policy, timetable, values};
use crate::base::{Millis, Moment, TaskName};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// What is written about a leaf, in one place of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LeafKeys {
    pub(super) description: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) shell: Option<Vec<String>>,
    working_dir: Option<String>,
    priority: Option<i32>,
    timeout: Option<Millis>,
    timeout_total: Option<Millis>,
    delay: Option<Millis>,
    not_before: Option<Moment>,
    stall_timeout: Option<Millis>,
    signal: Option<Signal>,
    grace: Option<Millis>,
    retry: Option<Retry>,
    hooks: Option<Vec<Hook>>,
    cleanup: Option<Vec<Cleanup>>,
    continue_on_error: Option<bool>,
    condition: Option<String>,
    preconditions: Option<Vec<Precondition>>,
    pub(super) rule: Option<(Rule, Range<usize>)>,
    pub(super) spread: Option<(Spread, Range<usize>)>,
    dotenv: Option<Vec<String>>,
    pub(super) secrets: Vec<Secret>,
    pub(super) stdin: Option<WrittenStdin>,
    outputs: Option<BTreeMap<String, ParamType>>,
    artifacts: Option<Vec<String>>,
    freshness: freshness::Written,
    process: process::Written,
    sharing: sharing::Written,
    log: Option<Log>,
    repeat: Option<Repeat>,
}

impl LeafKeys {
    /// Takes the field if it is one of these keys; gives whether it was.
    pub(super) fn take(&mut self, field: &Field<'_>, path: &Path<'_>, checker: &mut Checker) -> bool {
        let (key, value) = (field.key, field.value);
        match key {
            "description" => self.description = checker.text(value, key),
            "labels" => {
                self.labels =
                    checker.text_map(value, key).into_iter().map(|(name, _, text)| (name, text)).collect()
            }
            "env" => self.env = environment(checker, field),
            "shell" => self.shell = policy::shell(checker, value),
            "working_dir" => self.working_dir = checker.filled_template(value, key),
            "priority" => self.priority = policy::priority(checker, value),
            "timeout" => self.timeout = checker.span(value, key, false),
            "timeout_total" => self.timeout_total = checker.span(value, key, false),
            "delay" => self.delay = checker.span(value, key, true),
            "not_before" => self.not_before = timetable::moment(checker, field),
            "stall_timeout" => self.stall_timeout = checker.span(value, key, false),
            "stop" => (self.signal, self.grace) = policy::stop(checker, value, path),
            "stop_signal" | "stop_grace_period" => self.take_compose_name(field, checker),
            "retry" => self.retry = policy::retry(checker, value, path),
            "hooks" => self.hooks = Some(policy::hooks(checker, value, path)),
            "cleanup" => self.cleanup = Some(policy::cleanup(checker, value, path)),
            "continue_on_error" => self.continue_on_error = checker.boolean(value, key),
            "dotenv" => self.dotenv = Some(freshness::patterns(checker, field)),
            "secrets" => self.secrets = secret::secrets(checker, value, path),
            _ => return self.take_gate(field, path, checker) || self.take_result(field, path, checker),
        }
        true
    }

    /// What lets it start.
    fn take_gate(&mut self, field: &Field<'_>, path: &Path<'_>, checker: &mut Checker) -> bool {
        let (key, value) = (field.key, field.value);
        match key {
            "if" => self.condition = gate::condition(checker, value, key),
            "preconditions" => self.preconditions = Some(gate::preconditions(checker, value, path)),
            "trigger_rule" => self.take_rule(field, gate::rule(checker, value), checker),
            "join" => self.take_rule(field, gate::join(checker, value, path), checker),
            "strategy" => self.take_spread(field, spread::strategy(checker, value, path), checker),
            "foreach" => self.take_spread(field, spread::foreach(checker, value, path), checker),
            "stdin" => self.stdin = stdin::stdin(checker, value, path),
            _ => return false,
        }
        true
    }

    fn take_rule(&mut self, field: &Field<'_>, rule: Option<Rule>, checker: &mut Checker) {
        if let Some((_, first)) = &self.rule {
            refuse_both(checker, field, first, "a task has either `trigger_rule` or `join`");
        }
        self.rule = rule.map(|rule| (rule, field.place.clone())).or(self.rule.take());
    }

    fn take_spread(&mut self, field: &Field<'_>, spread: Option<Spread>, checker: &mut Checker) {
        if let Some((_, first)) = &self.spread {
            refuse_both(checker, field, first, "a task has either `strategy` or `foreach`");
        }
        self.spread = spread.map(|spread| (spread, field.place.clone())).or(self.spread.take());
    }

    /// What it makes, and whether there is anything to make.
    fn take_result(&mut self, field: &Field<'_>, path: &Path<'_>, checker: &mut Checker) -> bool {
        match field.key {
            "outputs" => self.outputs = Some(declared::outputs(checker, field.value, path)),
            "artifacts" => self.artifacts = Some(freshness::patterns(checker, field)),
            "log" => self.log = log::log(checker, field.value, path),
            "repeat" => self.repeat = repeat::repeat(checker, field.value, path),
            _ => {
                return self.freshness.take(field, checker)
                    || self.process.take(field, path, checker)
                    || self.sharing.take(field, path, checker);
            }
        }
        true
    }

    fn take_compose_name(&mut self, field: &Field<'_>, checker: &mut Checker) {
        let ours = if field.key == "stop_signal" { "signal" } else { "grace" };
        hint_at(checker, &field.place, field.key, &format!("stop: {{ {ours}: … }}"));
        if field.key == "stop_signal" {
            self.signal = policy::signal(checker, field.value, field.key);
        } else {
            self.grace = checker.span(field.value, field.key, true);
        }
    }
}

impl LeafKeys {
    /// What the item of `foreach` is called here.
    pub(super) fn item(&self) -> Option<String> {
        match &self.spread.as_ref()?.0.over {
            Over::Items { name, .. } => Some(name.clone()),
            Over::Matrix { .. } => None,
        }
    }
}

fn refuse_both(checker: &mut Checker, field: &Field<'_>, first: &Range<usize>, message: &str) {
    let finding = Finding::new(Code::E0137, field.place.clone(), message, "the second one");
    checker.report(finding.also(first.clone(), "the first one"));
}

/// Says that there is one spelling, and this is an alias of it.
pub(super) fn hint_at(checker: &mut Checker, place: &Range<usize>, alias: &str, ours: &str) {
    let message = format!("`{alias}` is understood, but here it is written `{ours}`");
    checker.report(Finding::new(Code::H0001, place.clone(), message, "an alias"));
}

pub(super) fn environment(checker: &mut Checker, field: &Field<'_>) -> BTreeMap<String, String> {
    if let Kind::List(items) = &field.value.kind {
        refuse_list(checker, field, items);
        return BTreeMap::new();
    }
    let entries = checker.template_map(field.value, field.key);
    let is_good =
        |(name, place, _): &(String, Range<usize>, String)| checker.is_identifier(name, place, "a variable");
    entries.into_iter().filter(is_good).map(|(name, _, text)| (name, text)).collect()
}

/// `[A=b]`, as Compose has it.
fn refuse_list(checker: &mut Checker, field: &Field<'_>, items: &[Node<'_>]) {
    let pair = |item: &Node<'_>| {
        let (name, value) = item.as_text()?.split_once('=')?;
        values::is_identifier(name).then(|| format!("{name}: {}", flow::scalar(value)))
    };
    let pairs: Option<Vec<String>> = items.iter().map(pair).collect();
    let finding = Finding::new(
        Code::E0110,
        field.value.span.clone(),
        format!("`{}` must be a mapping", field.key),
        "this is a list",
    );
    let span = &field.value.span;
    // Between brackets, and not line by line: there the end of the list is not where it seems to be.
    let is_flow = items.first().is_some_and(|first| first.span.start == span.start + 1);
    checker.report(match pairs.filter(|pairs| !pairs.is_empty()) {
        Some(pairs) => {
            let mapping = format!("{{ {} }}", pairs.join(", "));
            let finding = finding.help(format!("write `{}: {mapping}`", field.key));
            if is_flow { finding.fix(span.clone(), mapping) } else { finding }
        }
        None => finding.help(format!("write `{}: {{ NAME: value }}`", field.key)),
    });
}

/// Decodes `defaults`: keys for every child.
pub(super) fn defaults(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> LeafKeys {
    let path = above.child("defaults");
    let mut keys = LeafKeys::default();
    for field in checker.fields(field.value, &path).unwrap_or_default() {
        let differs = known::NO_DEFAULT.contains(&field.key);
        if !differs && keys.take(&field, &path, checker) {
            continue;
        }
        if differs {
            let message = format!("`{}` cannot be a default", field.key);
            checker.report(Finding::new(
                Code::E0133,
                field.place.clone(),
                message,
                "this differs from child to child",
            ));
        } else {
            checker.unknown(&field, &path, &keys::DEFAULTS);
        }
    }
    keys
}

/// Where the keys of a leaf come from: the nearest first.
#[derive(Clone, Copy)]
pub(super) struct Layers<'k> {
    /// Of the leaf itself.
    pub(super) own: &'k LeafKeys,
    /// Of the templates it extends, the nearest first.
    pub(super) templates: &'k [&'k LeafKeys],
    /// Of `defaults` in its file.
    pub(super) defaults: Option<&'k LeafKeys>,
    /// Of the pipeline it is a child of.
    pub(super) pipeline: Option<&'k LeafKeys>,
    /// Of `defaults` in `neap.yaml`.
    pub(super) host: &'k LeafKeys,
    /// Of `env` in `neap.yaml`.
    pub(super) host_env: &'k BTreeMap<String, String>,
}

impl<'k> Layers<'k> {
    fn nearest(&self) -> impl DoubleEndedIterator<Item = &'k LeafKeys> + use<'k> {
        let farther = [self.defaults, self.pipeline, Some(self.host)].into_iter().flatten();
        std::iter::once(self.own).chain(self.templates.iter().copied()).chain(farther)
    }

    fn first<T>(&self, get: impl Fn(&'k LeafKeys) -> Option<T>) -> Option<T> {
        self.nearest().find_map(get)
    }

    fn merge(&self, get: impl Fn(&'k LeafKeys) -> &'k BTreeMap<String, String>) -> BTreeMap<String, String> {
        let farthest = self.nearest().rev().flat_map(get);
        farthest.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The interpreter for `run`, unless it is the default one.
    pub(super) fn shell(&self) -> Option<Vec<String>> {
        self.first(|keys| keys.shell.clone())
    }

    /// The complete leaf, save what it is connected with: its dependencies and what it reads.
    pub(super) fn leaf(&self, checker: &mut Checker, name: TaskName, action: Action) -> Leaf {
        let usual = Stop::default();
        let mut env = self.host_env.clone();
        env.extend(self.merge(|keys| &keys.env));
        Leaf {
            description: self.about().find_map(|keys| keys.description.clone()),
            labels: self.merge(|keys| &keys.labels),
            rule: self.first(|keys| keys.rule.as_ref().map(|(rule, _)| *rule)).unwrap_or_default(),
            condition: self.first(|keys| keys.condition.clone()),
            preconditions: self.first(|keys| keys.preconditions.clone()).unwrap_or_default(),
            spread: self.first(|keys| keys.spread.as_ref().map(|(spread, _)| spread.clone())),
            working_dir: self.first(|keys| keys.working_dir.clone()),
            env,
            dotenv: self.first(|keys| keys.dotenv.clone()).unwrap_or_default(),
            secrets: self.secrets(),
            outputs: self.first(|keys| keys.outputs.clone()).unwrap_or_default(),
            artifacts: self.first(|keys| keys.artifacts.clone()).unwrap_or_default(),
            freshness: self.freshness(checker),
            repeat: self.first(|keys| keys.repeat.clone()),
            priority: self.first(|keys| keys.priority).unwrap_or(0),
            timeout: self.first(|keys| keys.timeout),
            timeout_total: self.first(|keys| keys.timeout_total),
            delay: self.first(|keys| keys.delay).unwrap_or_default(),
            not_before: self.first(|keys| keys.not_before),
            stall_timeout: self.first(|keys| keys.stall_timeout),
            stop: Stop {
                signal: self.first(|keys| keys.signal).unwrap_or(usual.signal),
                grace: self.first(|keys| keys.grace).unwrap_or(usual.grace),
            },
            log: self.first(|keys| keys.log.clone()).unwrap_or_default(),
            process: process::Written::nearest(self.nearest().map(|keys| &keys.process)),
            timeout_queue: self.first(|keys| keys.sharing.timeout_queue),
            sharing: sharing::Written::nearest(self.nearest().map(|keys| &keys.sharing), &name),
            retry: self.first(|keys| keys.retry.clone()).unwrap_or_default(),
            hooks: self.hooks(),
            cleanup: self.first(|keys| keys.cleanup.clone()).unwrap_or_default(),
            continue_on_error: self.first(|keys| keys.continue_on_error).unwrap_or(false),
            ..Leaf::new(name, action)
        }
    }

    /// The places that are about this leaf alone. (A pipeline's description is not about its children.)
    fn about(&self) -> impl Iterator<Item = &'k LeafKeys> + use<'k> {
        std::iter::once(self.own).chain(self.templates.iter().copied())
    }

    fn freshness(&self, checker: &mut Checker) -> Option<Freshness> {
        let written = self.nearest().map(|keys| &keys.freshness).find(|written| written.is_given());
        written.and_then(|written| written.finish(checker))
    }

    /// The nearest of each name, the farthest first, as with variables.
    fn secrets(&self) -> Vec<Secret> {
        let mut names = HashSet::new();
        let nearest = self.nearest().flat_map(|keys| &keys.secrets);
        nearest.filter(|secret| names.insert(secret.name.as_str())).cloned().collect()
    }

    /// What it reads, as written.
    pub(super) fn stdin(&self) -> Option<&'k WrittenStdin> {
        self.first(|keys| keys.stdin.as_ref())
    }

    fn hooks(&self) -> Vec<Hook> {
        let near = self
            .about()
            .chain([self.defaults, Some(self.host)].into_iter().flatten())
            .find_map(|keys| keys.hooks.clone());
        let mut hooks = self.pipeline.and_then(|keys| keys.hooks.clone()).unwrap_or_default();
        hooks.extend(near.unwrap_or_default());
        hooks
    }
}
