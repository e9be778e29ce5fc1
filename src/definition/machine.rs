//! What there is to share: the queues and locks of one host, as `neap.yaml` says.

use super::fields::{Checker, Field, Path};
use super::keys;
use super::problem::{Code, Finding};
use super::sharing::{self, DEFAULT_QUEUE};
use std::collections::BTreeMap;

/// What the jobs of one host share, besides its slots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Queues with slots of their own, and how many.
    pub queues: BTreeMap<String, u32>,
    /// How many jobs may hold a lock at once; one where it is not named.
    pub locks: BTreeMap<String, u32>,
    /// How much there is, by name: bytes of `memory`, thousandths of anything else. What is not named has no limit.
    pub resources: BTreeMap<String, u64>,
}

impl Machine {
    /// How many jobs may hold this lock at once.
    pub fn holders_of(&self, lock: &str) -> usize {
        self.locks.get(lock).map_or(1, |&holders| holders as usize)
    }

    /// Takes the field if it is one of these keys; gives whether it was.
    pub(super) fn take(&mut self, field: &Field<'_>, root: &Path<'_>, checker: &mut Checker) -> bool {
        match field.key {
            "resources" => self.resources = sharing::amounts(checker, field.value, root),
            "queues" => self.queues = queues(checker, field, root),
            "locks" => self.locks = locks(checker, field, root),
            _ => return false,
        }
        true
    }
}

/// `{heavy: {slots: 2}}`.
fn queues(checker: &mut Checker, field: &Field<'_>, root: &Path<'_>) -> BTreeMap<String, u32> {
    let path = root.child("queues");
    let mut queues = BTreeMap::new();
    for entry in checker.fields(field.value, &path).unwrap_or_default() {
        if entry.key == DEFAULT_QUEUE {
            let message = "the queue `default` has the slots of the host";
            let finding = Finding::new(Code::E0137, entry.place.clone(), message, "this has no effect");
            checker.report(finding.help("write `slots` at the top of neap.yaml"));
            continue;
        }
        let slots = slots(checker, &entry, &path);
        queues.extend(slots.map(|slots| (entry.key.to_owned(), slots)));
    }
    queues
}

fn slots(checker: &mut Checker, entry: &Field<'_>, above: &Path<'_>) -> Option<u32> {
    let path = above.child(entry.key);
    let mut slots = None;
    let mut is_given = false;
    for field in checker.fields(entry.value, &path)? {
        match field.key {
            "slots" => {
                is_given = true;
                slots = count(checker, &field);
            }
            _ => _ = checker.unknown(&field, &path, &keys::QUEUE),
        }
    }
    if !is_given {
        let message = format!("the queue `{}` has no slots", entry.key);
        let finding = Finding::new(Code::E0130, entry.place.clone(), message, "`slots` is required");
        checker.report(finding.help("write `{ slots: 2 }`"));
    }
    slots
}

/// `{gpu: 2}`.
fn locks(checker: &mut Checker, field: &Field<'_>, root: &Path<'_>) -> BTreeMap<String, u32> {
    let path = root.child("locks");
    let entries = checker.fields(field.value, &path).unwrap_or_default();
    let lock = |entry: Field<'_>| Some((entry.key.to_owned(), count(checker, &entry)?));
    entries.into_iter().filter_map(lock).collect()
}

fn count(checker: &mut Checker, field: &Field<'_>) -> Option<u32> {
    let count = checker.integer(field.value, field.key, 1..=10_000)?;
    Some(u32::try_from(count).expect("the range was checked"))
}
