//! One version of one script file: its text, the modules it requires, the hooks it defines, and how often it was stopped.
//!
//! A generation never changes its text. An edited file becomes another generation; attempts keep the one they began with.

use super::error::ScriptError;
use super::hook::Hook;
use super::source::{Root, Source};
use crate::base::{AttemptId, Millis, Moment};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What a script file is used for; the place that names it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Under `hooks:`: it returns a table of functions.
    Hooks,
    /// Under `script:`: it is the work itself.
    Body,
}

/// A script file that some task names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Script {
    /// Relative to the scripts directory.
    pub file: String,
    /// What it is used for.
    pub shape: Shape,
}

#[derive(Debug)]
pub(super) struct Generation {
    /// Counts up through all files of the host.
    pub(super) number: u64,
    pub(super) main: Arc<Source>,
    root: Root,
    modules: Mutex<BTreeMap<String, Arc<Source>>>,
    manifest: OnceLock<Manifest>,
    breaker: Mutex<Breaker>,
}

/// What a hook file says about itself.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) hooks: BTreeSet<Hook>,
    /// Lines without any of these words never reach `output`; none means every line does.
    pub(super) filter: Vec<Finder<'static>>,
}

impl Generation {
    pub(super) fn new(number: u64, main: Arc<Source>, root: Root) -> Arc<Generation> {
        Arc::new(Generation {
            number,
            main,
            root,
            modules: Mutex::default(),
            manifest: OnceLock::new(),
            breaker: Mutex::default(),
        })
    }

    /// A required module. What was read once stays, so every VM of this generation sees the same text.
    pub(super) fn module(&self, file: &str) -> Result<Arc<Source>, ScriptError> {
        if let Some(module) = locked(&self.modules).get(file) {
            return Ok(module.clone());
        }
        let module = self.root.load(file)?;
        Ok(locked(&self.modules).entry(file.to_owned()).or_insert(module).clone())
    }

    /// The text people know by this name.
    pub(super) fn text_of(&self, name: &str) -> Option<Arc<Source>> {
        if self.main.name == name {
            return Some(self.main.clone());
        }
        locked(&self.modules).values().find(|module| module.name == name).cloned()
    }

    /// Whether the main text and every module are still what the files hold.
    pub(super) fn is_current(&self, main: &str) -> bool {
        self.main.text == main
            && locked(&self.modules)
                .iter()
                .all(|(file, module)| self.root.read(file).is_ok_and(|text| text == module.text))
    }

    pub(super) fn describe(&self, manifest: Manifest) {
        // A second VM of the same text finds the same; the first word stands.
        let _ = self.manifest.set(manifest);
    }

    pub(super) fn hooks(&self) -> BTreeSet<Hook> {
        self.manifest.get().map(|manifest| manifest.hooks.clone()).unwrap_or_default()
    }

    pub(super) fn defines(&self, hook: Hook) -> bool {
        self.manifest.get().is_some_and(|manifest| manifest.hooks.contains(&hook))
    }

    /// Whether `output` wants to see this line.
    pub(super) fn wants_line(&self, line: &[u8]) -> bool {
        self.manifest.get().is_some_and(|manifest| {
            manifest.filter.is_empty() || manifest.filter.iter().any(|word| word.find(line).is_some())
        })
    }

    pub(super) fn muted(&self) -> BTreeSet<Hook> {
        locked(&self.breaker).muted.clone()
    }

    /// Notes that a budget of this hook was used up.
    pub(super) fn note_stop(&self, hook: Hook, now: Moment) {
        locked(&self.breaker).note(hook, now);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Mutes a hook that is stopped three times in ten minutes: it would be stopped again, at the cost of everyone else.
#[derive(Debug, Default)]
struct Breaker {
    stops: BTreeMap<Hook, VecDeque<Moment>>,
    muted: BTreeSet<Hook>,
}

impl Breaker {
    const STOPS: usize = 3;
    const WITHIN: Millis = Millis::from_secs(600);

    fn note(&mut self, hook: Hook, now: Moment) {
        let stops = self.stops.entry(hook).or_default();
        stops.push_back(now);
        stops.retain(|&stop| now - stop <= Breaker::WITHIN);
        if stops.len() >= Breaker::STOPS {
            self.muted.insert(hook);
        }
    }
}

/// The generations one attempt began with, by file.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) attempt: AttemptId,
    generations: Mutex<BTreeMap<String, Arc<Generation>>>,
}

impl Pin {
    pub(super) fn new(attempt: AttemptId) -> Arc<Pin> {
        Arc::new(Pin { attempt, generations: Mutex::default() })
    }

    /// The generation of this file that the attempt began with; the newest becomes it at the first question.
    pub(super) fn hold(&self, file: &str, newest: Option<Arc<Generation>>) -> Option<Arc<Generation>> {
        let mut generations = locked(&self.generations);
        if let Some(generation) = generations.get(file) {
            return Some(generation.clone());
        }
        let newest = newest?;
        generations.insert(file.to_owned(), newest.clone());
        Some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_stops_in_ten_minutes_mute_a_hook() {
        let mut breaker = Breaker::default();
        for minute in [0, 6, 12, 18] {
            breaker.note(Hook::Output, Moment(minute * 60_000));
        }
        assert_eq!(breaker.muted, BTreeSet::new(), "never three within ten minutes");
        breaker.note(Hook::Output, Moment(20 * 60_000));
        assert_eq!(breaker.muted, BTreeSet::from([Hook::Output]));
    }
}
