//! What a job asks of the machine that it shares with others: the queue it stands in, the locks it must hold, and how much
//! it needs of what there is.
//!
//! How much of each there is stands in `machine.rs`; who gets it when is the engine's.

use super::fields::{Checker, Field, Path, list};
use super::keys;
use super::problem::{Code, Finding};
use super::tree::{Kind, Node};
use crate::base::{Bytes, Millis, TaskName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// The queue of jobs that name none. It has the slots of the host.
pub const DEFAULT_QUEUE: &str = "default";

/// What a job asks of the machine before it may start.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sharing {
    /// The queue it stands in; [`DEFAULT_QUEUE`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What it must hold, all at once, each named once and in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// How much it needs, by name: bytes of `memory`, thousandths of anything else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, u64>,
    /// How often its attempts may begin, together with those of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// So many attempts begin in any stretch of time of this length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rate {
    /// The name under which beginnings are counted.
    pub key: String,
    /// How many.
    pub limit: u32,
    /// In how long.
    pub per: Millis,
}

impl Rate {
    /// No limit is higher, so that a host need not remember more.
    pub const MOST: u32 = 1000;
    /// No stretch is longer.
    pub const LONGEST: Millis = Millis::from_secs(366 * 86_400);
}

impl Sharing {
    /// Whether nothing is asked.
    pub fn is_usual(&self) -> bool {
        *self == Sharing::default()
    }

    /// Puts the locks in order once their names are known: each once, and exclusively when anything asks for that.
    ///
    /// # Errors
    /// What cannot be a name.
    pub fn settle(&mut self) -> Result<(), String> {
        if self.locks.iter().any(|lock| lock.name.is_empty()) {
            return Err("an expression gave an empty name for a lock".to_owned());
        }
        if self.rate.as_ref().is_some_and(|rate| rate.key.is_empty()) {
            return Err("an expression gave an empty key for the rate".to_owned());
        }
        // Exclusive comes first, and the first of each name is kept.
        self.locks.sort();
        self.locks.dedup_by(|next, kept| next.name == kept.name);
        Ok(())
    }

    /// The name of its queue.
    pub fn queue(&self) -> &str {
        self.queue.as_deref().unwrap_or(DEFAULT_QUEUE)
    }
}

/// A lock, and how it is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lock {
    /// Its name.
    pub name: String,
    /// How it is held.
    #[serde(default, skip_serializing_if = "LockMode::is_usual")]
    pub mode: LockMode,
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// By as many as `neap.yaml` allows, which is one unless it says more.
    #[default]
    Exclusive,
    /// Together with any number of others that share it, and with nobody else.
    Shared,
}

impl LockMode {
    /// Whether it need not be written.
    pub fn is_usual(&self) -> bool {
        *self == LockMode::Exclusive
    }
}

pub(super) const MODES: &[(&str, &str)] = &[
    ("exclusive", "by one job, or by as many as `locks` in neap.yaml allows"),
    ("shared", "by any number of jobs that share it, and by no other meanwhile"),
];

/// What is written about it in one place of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    queue: Option<String>,
    locks: Option<Vec<Lock>>,
    resources: BTreeMap<String, u64>,
    rate: Option<WrittenRate>,
    pub(super) timeout_queue: Option<Millis>,
}

/// A rate, which may be that of the job alone.
#[derive(Clone, Debug, PartialEq)]
struct WrittenRate {
    key: Option<String>,
    limit: u32,
    per: Millis,
}

impl Written {
    /// Takes the field if it is one of these keys; gives whether it was.
    pub(super) fn take(&mut self, field: &Field<'_>, path: &Path<'_>, checker: &mut Checker) -> bool {
        match field.key {
            "queue" => self.queue = queue(checker, field.value),
            "timeout_queue" => self.timeout_queue = checker.span(field.value, field.key, false),
            "resources" => {
                self.resources = amounts(checker, field.value, path);
                fit(checker, field, &self.resources);
            }
            "rate_limit" => self.rate = rate(checker, field.value, path),
            "locks" => self.locks = Some(locks(checker, field.value, path)),
            _ => return false,
        }
        true
    }

    /// What holds: of each key the nearest.
    pub(super) fn nearest<'w>(all: impl Iterator<Item = &'w Written>, job: &TaskName) -> Sharing {
        let all: Vec<&Written> = all.collect();
        let queue = all.iter().find_map(|written| written.queue.clone());
        let rate = all.iter().find_map(|written| written.rate.clone());
        Sharing {
            rate: rate.map(|WrittenRate { key, limit, per }| Rate {
                key: key.unwrap_or_else(|| job.to_string()),
                limit,
                per,
            }),
            queue: queue.filter(|queue| queue != DEFAULT_QUEUE),
            // Of each the nearest: whoever gives a child more memory does not mean to take away the rest.
            resources: all
                .iter()
                .rev()
                .flat_map(|written| &written.resources)
                .map(|(name, amount)| (name.clone(), *amount))
                .collect(),
            locks: all.iter().find_map(|written| written.locks.clone()).unwrap_or_default(),
        }
    }
}

/// The one resource that is counted in bytes.
pub(crate) const MEMORY: &str = "memory";
/// The resources that every machine has.
const OF_EVERY_MACHINE: [&str; 2] = ["cpu", MEMORY];

/// `{cpu: 2, memory: 4GiB, gpu: 1}`.
pub(super) fn amounts(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> BTreeMap<String, u64> {
    let path = above.child("resources");
    let mut amounts = BTreeMap::new();
    for field in checker.fields(node, &path).unwrap_or_default() {
        let amount = match field.key {
            MEMORY => checker.bytes(field.value, MEMORY, 1),
            name => checker
                .number(field.value, name, 0.001..=1_000_000.0)
                .map(|number| (number * 1000.0).round() as u64),
        };
        amounts.extend(amount.map(|amount| (field.key.to_owned(), amount)));
    }
    amounts
}

/// What neither this machine nor `neap.yaml` has, or not so much of, can never be had.
fn fit(checker: &mut Checker, field: &Field<'_>, wanted: &BTreeMap<String, u64>) {
    let Some(machine) = checker.machine.clone() else { return };
    for (name, amount) in wanted {
        match machine.resources.get(name) {
            Some(most) if amount > most => {
                let message = format!("no job can have {} of `{name}`", shown_amount(name, *amount));
                let label = format!("there are {}", shown_amount(name, *most));
                checker.report(Finding::new(Code::E0310, field.place.clone(), message, label));
            }
            Some(_) => {}
            None if OF_EVERY_MACHINE.contains(&name.as_str()) => {}
            None => {
                let message = format!("there is no resource `{name}`");
                let finding =
                    Finding::new(Code::E0310, field.place.clone(), message, "neap.yaml has no such resource");
                let meant =
                    checker.meant(name, machine.resources.keys().map(String::as_str).chain(OF_EVERY_MACHINE));
                checker.report(finding.suggest_name(name, meant, || {
                    format!("write in neap.yaml how much there is: `resources: {{ {}: 1 }}`", shown(name))
                }));
            }
        }
    }
}

/// An amount as people write it.
pub fn shown_amount(name: &str, amount: u64) -> String {
    match name {
        MEMORY => Bytes(amount).to_string(),
        _ => format!("{}", amount as f64 / 1000.0),
    }
}

/// The name of a queue that `neap.yaml` has.
fn queue(checker: &mut Checker, node: &Node<'_>) -> Option<String> {
    let name = checker.filled_text(node, "queue")?;
    let Some(machine) = checker.machine.clone() else { return Some(name) };
    if name == DEFAULT_QUEUE || machine.queues.contains_key(&name) {
        return Some(name);
    }
    let message = format!("there is no queue `{name}`");
    let finding = Finding::new(Code::E0309, node.span.clone(), message, "neap.yaml has no such queue");
    let known = || machine.queues.keys().map(String::as_str).chain([DEFAULT_QUEUE]);
    let meant = checker.meant(&name, known());
    checker.report(finding.suggest_name(&name, meant, || {
        format!("write it under `queues` in neap.yaml: `queues: {{ {}: {{ slots: 2 }} }}`", shown(&name))
    }));
    None
}

/// A name as a key in a mapping on one line.
fn shown(name: &str) -> String {
    super::flow::scalar(name)
}

/// `{limit: 10, per: 1m, key: github}`.
fn rate(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<WrittenRate> {
    let path = above.child("rate_limit");
    let (mut limit, mut per, mut key) = (None, None, None);
    let mut missing = vec!["limit", "per"];
    for field in checker.fields(node, &path)? {
        missing.retain(|key| *key != field.key);
        match field.key {
            "limit" => limit = checker.integer(field.value, "limit", 1..=i64::from(Rate::MOST)),
            "per" => {
                per = checker.span(field.value, "per", false);
                if per.is_some_and(|per| per > Rate::LONGEST) {
                    let message = "`per` must be at most 366d";
                    checker.report(Finding::new(Code::E0121, field.value.span.clone(), message, "too long"));
                    per = None;
                }
            }
            "key" => key = checker.filled_template(field.value, "key"),
            _ => _ = checker.unknown(&field, &path, &keys::RATE),
        }
    }
    for key in missing {
        let message = format!("the rate has no `{key}`");
        let finding = Finding::new(Code::E0130, node.span.clone(), message, format!("`{key}` is required"));
        checker.report(finding.help("write for example `rate_limit: { limit: 10, per: 1m }`"));
    }
    let limit = u32::try_from(limit?).expect("the range was checked");
    Some(WrittenRate { key, limit, per: per? })
}

/// A name, `{name, mode}`, or a list of these.
fn locks(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Vec<Lock> {
    let path = above.child("locks");
    let mut found: Vec<(Lock, Range<usize>)> = Vec::new();
    for item in list(node) {
        let Some(lock) = lock(checker, item, &path) else { continue };
        match found.iter().find(|(other, _)| other.name == lock.name) {
            Some((_, first)) => {
                let message = format!("the lock `{}` is named twice", lock.name);
                let finding = Finding::new(Code::E0137, item.span.clone(), message, "named again here");
                checker.report(finding.also(first.clone(), "first named here"));
            }
            None => found.push((lock, item.span.clone())),
        }
    }
    let mut locks: Vec<Lock> = found.into_iter().map(|(lock, _)| lock).collect();
    locks.sort();
    locks
}

fn lock(checker: &mut Checker, node: &Node<'_>, path: &Path<'_>) -> Option<Lock> {
    if !matches!(node.kind, Kind::Map(_)) {
        let name = checker.filled_template(node, "locks")?;
        return Some(Lock { name, mode: LockMode::Exclusive });
    }
    let (mut name, mut mode) = (None, LockMode::Exclusive);
    let mut is_named = false;
    for field in checker.fields(node, path)? {
        match field.key {
            "name" => {
                is_named = true;
                name = checker.filled_template(field.value, "name");
            }
            "mode" => {
                let words = [("exclusive", LockMode::Exclusive), ("shared", LockMode::Shared)];
                mode = checker.choice(field.value, "mode", &words).unwrap_or_default();
            }
            _ => _ = checker.unknown(&field, path, &keys::LOCK),
        }
    }
    if !is_named {
        let finding =
            Finding::new(Code::E0130, node.span.clone(), "a lock has no name", "`name` is required");
        checker.report(finding.help("write `locks: [db]`, or `locks: [{ name: db, mode: shared }]`"));
    }
    Some(Lock { name: name?, mode })
}
