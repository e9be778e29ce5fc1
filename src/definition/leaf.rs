//! The keys that every leaf has, and how those of a task, of `defaults` and of the host come together.
//!
//! The nearer one wins; `env` and `labels` are merged name by name, and hooks of a pipeline come before those of its
//! children.

use super::fields::{Checker, Field, Path};
use super::known;
use super::task::{Action, Cleanup, Hook, Leaf, Retry, Signal, Stop};
use super::{
    policy,
    problem::{Code, Finding},
};
use crate::base::{Millis, TaskName};
use std::collections::BTreeMap;
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
    signal: Option<Signal>,
    grace: Option<Millis>,
    retry: Option<Retry>,
    hooks: Option<Vec<Hook>>,
    cleanup: Option<Vec<Cleanup>>,
    continue_on_error: Option<bool>,
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
            "working_dir" => self.working_dir = checker.filled_text(value, key),
            "priority" => self.priority = policy::priority(checker, value),
            "timeout" => self.timeout = checker.span(value, key, false),
            "stop" => (self.signal, self.grace) = policy::stop(checker, value, path),
            "stop_signal" | "stop_grace_period" => self.take_compose_name(field, checker),
            "retry" => self.retry = policy::retry(checker, value, path),
            "hooks" => self.hooks = Some(policy::hooks(checker, value, path)),
            "cleanup" => self.cleanup = Some(policy::cleanup(checker, value, path)),
            "continue_on_error" => self.continue_on_error = checker.boolean(value, key),
            _ => return false,
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

/// Says that there is one spelling, and this is an alias of it.
pub(super) fn hint_at(checker: &mut Checker, place: &Range<usize>, alias: &str, ours: &str) {
    let message = format!("`{alias}` is understood, but here it is written `{ours}`");
    checker.report(Finding::new(Code::H0001, place.clone(), message, "an alias"));
}

pub(super) fn environment(checker: &mut Checker, field: &Field<'_>) -> BTreeMap<String, String> {
    let entries = checker.text_map(field.value, field.key);
    let is_good =
        |(name, place, _): &(String, Range<usize>, String)| checker.is_identifier(name, place, "a variable");
    entries.into_iter().filter(is_good).map(|(name, _, text)| (name, text)).collect()
}

/// Decodes `defaults`: keys for every child.
pub(super) fn defaults(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> LeafKeys {
    let path = above.child("defaults");
    let mut keys = LeafKeys::default();
    for field in checker.fields(field.value, &path).unwrap_or_default() {
        if keys.take(&field, &path, checker) {
            continue;
        }
        if known::BODIES.contains(&field.key)
            || known::TASK_ONLY.contains(&field.key)
            || field.key == "depends_on"
        {
            let message = format!("`{}` cannot be a default", field.key);
            checker.report(Finding::new(
                Code::E0133,
                field.place.clone(),
                message,
                "this differs from child to child",
            ));
        } else {
            checker.unknown(&field, &path, known::LEAF, known::LATER);
        }
    }
    keys
}

/// Where the keys of a leaf come from: the nearest first.
#[derive(Clone, Copy)]
pub(super) struct Layers<'k> {
    /// Of the leaf itself.
    pub(super) own: &'k LeafKeys,
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
        [Some(self.own), self.defaults, self.pipeline, Some(self.host)].into_iter().flatten()
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

    /// The complete leaf.
    pub(super) fn leaf(&self, name: TaskName, action: Action, depends_on: Vec<TaskName>) -> Leaf {
        let usual = Stop::default();
        let mut env = self.host_env.clone();
        env.extend(self.merge(|keys| &keys.env));
        Leaf {
            name,
            description: self.own.description.clone(),
            labels: self.merge(|keys| &keys.labels),
            depends_on,
            action,
            working_dir: self.first(|keys| keys.working_dir.clone()),
            env,
            priority: self.first(|keys| keys.priority).unwrap_or(0),
            timeout: self.first(|keys| keys.timeout),
            stop: Stop {
                signal: self.first(|keys| keys.signal).unwrap_or(usual.signal),
                grace: self.first(|keys| keys.grace).unwrap_or(usual.grace),
            },
            retry: self.first(|keys| keys.retry.clone()).unwrap_or_default(),
            hooks: self.hooks(),
            cleanup: self.first(|keys| keys.cleanup.clone()).unwrap_or_default(),
            continue_on_error: self.first(|keys| keys.continue_on_error).unwrap_or(false),
        }
    }

    fn hooks(&self) -> Vec<Hook> {
        let near = [Some(self.own), self.defaults, Some(self.host)]
            .into_iter()
            .flatten()
            .find_map(|keys| keys.hooks.clone());
        let mut hooks = self.pipeline.and_then(|keys| keys.hooks.clone()).unwrap_or_default();
        hooks.extend(near.unwrap_or_default());
        hooks
    }
}
