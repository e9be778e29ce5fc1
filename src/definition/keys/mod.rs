//! The one list of the keys of the task language and of `neap.yaml`, with everything that can be said about each.
//!
//! What the decoder knows and suggests, the JSON Schema, the reference page, `neap explain` and what TAB offers all come
//! from here. What a key does is not here: that is the decoder's.

pub(super) mod actions;
mod after;
mod body;
mod environment;
#[cfg(feature = "cli")]
mod find;
mod graph;
mod later;
mod people;
mod pipeline;
mod process;
mod reference;
mod results;
mod schedule;
mod schema;
mod settings;
mod shape;
mod sharing;
mod time;

#[cfg(feature = "cli")]
pub(crate) use find::{Entry, Found, all, find};
pub use reference::reference;
#[cfg(feature = "cli")]
pub(crate) use reference::without;
pub use schema::{SchemaKind, schema};
pub(crate) use shape::{Names, Shape, Special};

pub(super) use after::{CLEANUP, HOOK};
pub(super) use body::NAMES as BODIES;
pub(super) use environment::{PARAM, PARAM_IN_LIST, SECRET, STDIN};
pub(super) use graph::{FOREACH, JOIN, NEED, PRECONDITION, STRATEGY};
pub(super) use process::LIMITS;
pub(super) use results::{LOG, OUTPUT, REPEAT};
pub(super) use schedule::{AFTER, ENTRY, EXCLUDE, WATCH, WEBHOOK};
pub(super) use settings::{CHANNEL, WEBHOOKS};
pub(super) use sharing::{CONCURRENCY, LOCK, QUEUE, RATE};
pub(super) use time::{EXPECT, RETRY, STOP};

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What its value looks like.
    pub(crate) shape: Shape,
    /// What holds without it.
    pub(crate) default: Default,
    /// Where it may stand, when it is a key of a task, a child and so on, and not of a smaller mapping.
    pub(crate) places: Places,
    pub(crate) is_required: bool,
    /// One sentence.
    pub(crate) about: &'static str,
    /// A paragraph; empty when the sentence says it all.
    pub(crate) more: &'static str,
    /// A file that loads and has it. Empty: that of the key above has it.
    pub(crate) example: &'static str,
    /// Other spellings that are understood, with a hint.
    pub(crate) aliases: &'static [&'static str],
    /// Words of other tools that are refused, with this one named.
    pub(crate) foreign: &'static [&'static str],
    /// It is itself only another spelling: of this.
    pub(crate) alias_of: Option<&'static str>,
}

/// What holds without a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Default {
    /// Nothing worth saying.
    Nothing,
    /// The same as with this value, as it is written in YAML.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
}

/// A key of the language that this version does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Later {
    pub(crate) name: &'static str,
    /// What it will be, in one sentence.
    pub(crate) about: &'static str,
    /// What does the same for now, where anything does.
    pub(crate) instead: Option<&'static str>,
}

/// A mapping whose keys are known.
#[derive(Debug)]
pub(crate) struct Object {
    /// Where it stands: `retry`, `params.*`. For a built-in action its name.
    pub(crate) path: &'static str,
    /// What it is: `how often it is tried again`.
    pub(crate) title: &'static str,
    pub(crate) keys: Keys,
    pub(crate) later: &'static [Later],
    /// What must hold between its keys.
    pub(crate) bonds: &'static [Bond],
    /// What names of one's own have, where they are possible.
    pub(crate) rest: Option<(Names, Shape)>,
}

/// The keys of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    /// These.
    These(&'static [Key]),
    /// All that may stand in one of these places.
    At(Places),
}

/// What must hold between the keys of a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bond {
    /// Exactly one of them is there.
    One(&'static [&'static str]),
    /// No two of them are there.
    AtMostOne(&'static [&'static str]),
    /// At least one of them is there.
    AtLeastOne(&'static [&'static str]),
    /// The first means nothing without one of the others.
    Needs(&'static str, &'static [&'static str]),
}

/// A set of places in which a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places(u8);

impl Places {
    /// In no such place: it is a key of a smaller mapping.
    pub(crate) const NONE: Places = Places(0);
    /// At the top of a file that runs something itself.
    pub(crate) const LEAF: Places = Places(1);
    /// At the top of a file with children.
    pub(crate) const PIPELINE: Places = Places(2);
    /// In a child under `tasks`.
    pub(crate) const CHILD: Places = Places(4);
    /// In a step under `steps`.
    pub(crate) const STEP: Places = Places(8);
    /// In a template.
    pub(crate) const TEMPLATE: Places = Places(16);
    /// Under `defaults`.
    pub(crate) const DEFAULTS: Places = Places(32);
    /// In `neap.yaml`.
    pub(crate) const SETTINGS: Places = Places(64);

    /// At the top of any task file.
    pub(crate) const FILE: Places = Places::LEAF.and(Places::PIPELINE);
    /// Wherever one job is described.
    pub(crate) const JOB: Places = Places::LEAF.and(Places::CHILD).and(Places::STEP).and(Places::TEMPLATE);
    /// Wherever one job is described, and as a default for several.
    pub(crate) const JOBS: Places = Places::JOB.and(Places::DEFAULTS);
    /// As [`Places::JOBS`], and on a pipeline for all of its children.
    pub(crate) const ALL: Places = Places::JOBS.and(Places::PIPELINE);

    /// Each place with its name.
    const NAMED: [(Places, &'static str); 7] = [
        (Places::LEAF, "task"),
        (Places::PIPELINE, "pipeline"),
        (Places::CHILD, "child"),
        (Places::STEP, "step"),
        (Places::TEMPLATE, "template"),
        (Places::DEFAULTS, "defaults"),
        (Places::SETTINGS, "neap.yaml"),
    ];

    /// These and those.
    pub(crate) const fn and(self, other: Places) -> Places {
        Places(self.0 | other.0)
    }

    /// Whether any of them is among those.
    pub(crate) const fn touches(self, other: Places) -> bool {
        self.0 & other.0 != 0
    }

    /// Their names: `task`, `child`, `neap.yaml`.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        Places::NAMED.into_iter().filter(move |(place, _)| self.touches(*place)).map(|(_, name)| name)
    }
}

/// Keys that are about the same thing.
pub(crate) struct Subject {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

/// The keys of tasks, children and `neap.yaml`, by subject.
pub(crate) const SUBJECTS: &[Subject] = &[
    body::SUBJECT,
    pipeline::SUBJECT,
    time::SUBJECT,
    people::SUBJECT,
    environment::SUBJECT,
    process::SUBJECT,
    sharing::SUBJECT,
    graph::SUBJECT,
    results::SUBJECT,
    after::SUBJECT,
    settings::SUBJECT,
];

/// Under which title a key of a task, a child or `neap.yaml` stands; `None` for the keys of smaller mappings.
#[cfg(feature = "cli")]
pub(crate) fn title_of(key: &Key) -> Option<&'static str> {
    let is_there = |subject: &&Subject| subject.keys.iter().any(|other| other.name == key.name);
    SUBJECTS.iter().find(is_there).filter(|_| key.places != Places::NONE).map(|subject| subject.title)
}

/// Every smaller mapping, save the arguments of built-in actions.
pub(crate) const OBJECTS: &[&Object] = &[
    &RETRY,
    &STOP,
    &LIMITS,
    &ENTRY,
    &AFTER,
    &WATCH,
    &WEBHOOK,
    &EXCLUDE,
    &PARAM,
    &PARAM_IN_LIST,
    &SECRET,
    &STDIN,
    &NEED,
    &JOIN,
    &PRECONDITION,
    &STRATEGY,
    &graph::MATRIX,
    &FOREACH,
    &OUTPUT,
    &REPEAT,
    &LOG,
    &HOOK,
    &CLEANUP,
    &CHANNEL,
    &WEBHOOKS,
    &CONCURRENCY,
    &sharing::RESOURCES,
    &LOCK,
    &RATE,
    &QUEUE,
    &EXPECT,
];

/// The top of a task file, be it a leaf or a pipeline.
pub(crate) const FILE: Object = place("", "a task file", Places::FILE, later::JOB);
/// The top of a file that runs something itself.
pub(crate) const LEAF: Object = Object { bonds: JOB_BONDS, ..place("", "a task", Places::LEAF, later::JOB) };
/// The top of a file with children.
pub(crate) const PIPELINE: Object = Object {
    bonds: &[Bond::One(&["tasks", "steps"])],
    ..place("", "a pipeline", Places::PIPELINE, later::JOB)
};
/// A child under `tasks`.
pub(crate) const CHILD: Object =
    Object { bonds: JOB_BONDS, ..place("tasks.*", "a child", Places::CHILD, later::JOB) };
/// A step under `steps`.
pub(crate) const STEP: Object =
    Object { bonds: STEP_BONDS, ..place("steps", "a step", Places::STEP, later::JOB) };
/// A template.
pub(crate) const TEMPLATE: Object = place("templates.*", "a template", Places::TEMPLATE, later::JOB);
/// What stands under `defaults`.
pub(crate) const DEFAULTS: Object = place("defaults", "defaults", Places::DEFAULTS, later::JOB);
/// The top of `neap.yaml`.
pub(crate) const SETTINGS: Object = place("", "neap.yaml", Places::SETTINGS, later::SETTINGS);

/// Those of every job, behind one of its own.
const STEP_BONDS: &[Bond] = &[
    Bond::AtMostOne(&["id", "name"]),
    JOB_BONDS[0],
    JOB_BONDS[1],
    JOB_BONDS[2],
    JOB_BONDS[3],
    JOB_BONDS[4],
    JOB_BONDS[5],
    JOB_BONDS[6],
];
const JOB_BONDS: &[Bond] = &[
    Bond::AtMostOne(&body::NAMES),
    Bond::AtLeastOne(&["run", "exec", "lua", "script", "uses", "extends"]),
    Bond::Needs("with", &["uses", "extends"]),
    Bond::Needs("shell", &["run", "extends"]),
    Bond::Needs("method", &["sources"]),
    Bond::AtMostOne(&["trigger_rule", "join"]),
    Bond::AtMostOne(&["strategy", "foreach"]),
];

const fn place(path: &'static str, title: &'static str, places: Places, later: &'static [Later]) -> Object {
    Object { path, title, keys: Keys::At(places), later, bonds: &[], rest: None }
}

impl Object {
    const fn new(path: &'static str, title: &'static str, keys: &'static [Key]) -> Object {
        Object { path, title, keys: Keys::These(keys), later: &[], bonds: &[], rest: None }
    }

    const fn bound(self, bonds: &'static [Bond]) -> Object {
        Object { bonds, ..self }
    }

    const fn later(self, later: &'static [Later]) -> Object {
        Object { later, ..self }
    }

    const fn rest(self, names: Names, shape: Shape) -> Object {
        Object { rest: Some((names, shape)), ..self }
    }

    /// Whether it is a smaller mapping, and no place for jobs.
    pub(crate) fn is_small(&self) -> bool {
        matches!(self.keys, Keys::These(_))
    }

    /// Whether it is that one.
    pub(crate) fn is(&self, other: &Object) -> bool {
        (self.path, self.title) == (other.path, other.title)
    }

    /// Its keys, with those that are only another spelling.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        let (these, places) = match self.keys {
            Keys::These(keys) => (keys, Places::NONE),
            Keys::At(places) => (&[][..], places),
        };
        let subjects = SUBJECTS.iter().flat_map(|subject| subject.keys);
        these.iter().chain(subjects.filter(move |key| key.places.touches(places)))
    }

    /// Its keys, each once.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.all_keys().filter(|key| key.alias_of.is_none())
    }

    /// The names of its keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys().map(|key| key.name)
    }
}

impl Key {
    const fn new(name: &'static str, shape: Shape, about: &'static str) -> Key {
        Key {
            name,
            shape,
            default: Default::Nothing,
            places: Places::NONE,
            is_required: false,
            about,
            more: "",
            example: "",
            aliases: &[],
            foreign: &[],
            alias_of: None,
        }
    }

    const fn at(self, places: Places) -> Key {
        Key { places, ..self }
    }

    const fn default(self, value: &'static str) -> Key {
        Key { default: Default::Value(value), ..self }
    }

    const fn without(self, words: &'static str) -> Key {
        Key { default: Default::Words(words), ..self }
    }

    const fn required(self) -> Key {
        Key { is_required: true, ..self }
    }

    const fn more(self, more: &'static str) -> Key {
        Key { more, ..self }
    }

    const fn example(self, example: &'static str) -> Key {
        Key { example, ..self }
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Key {
        Key { aliases, ..self }
    }

    const fn foreign(self, foreign: &'static [&'static str]) -> Key {
        Key { foreign, ..self }
    }

    const fn alias_of(self, ours: &'static str) -> Key {
        Key { alias_of: Some(ours), ..self }
    }
}

/// How many keys may stand in one of these places and in none of those.
pub(super) const fn count(places: Places, not: Places) -> usize {
    let (mut found, mut subject) = (0, 0);
    while subject < SUBJECTS.len() {
        let keys = SUBJECTS[subject].keys;
        let mut at = 0;
        while at < keys.len() {
            found += is_chosen(&keys[at], places, not) as usize;
            at += 1;
        }
        subject += 1;
    }
    found
}

/// Their names, found when the program is compiled: the decoder looks keys up in these.
pub(super) const fn pick<const COUNT: usize>(places: Places, not: Places) -> [&'static str; COUNT] {
    let mut names = [""; COUNT];
    let (mut found, mut subject) = (0, 0);
    while subject < SUBJECTS.len() {
        let keys = SUBJECTS[subject].keys;
        let mut at = 0;
        while at < keys.len() {
            if is_chosen(&keys[at], places, not) {
                names[found] = keys[at].name;
                found += 1;
            }
            at += 1;
        }
        subject += 1;
    }
    names
}

const fn is_chosen(key: &Key, places: Places, not: Places) -> bool {
    key.alias_of.is_none() && key.places.touches(places) && !key.places.touches(not)
}

#[cfg(test)]
mod tests;
