//! `neap.yaml`: settings of the host, decoded like a task.
//!
//! What is not given has a default, so a project without the file works.

use super::fields::{Checker, Field, Path, list};
use super::file::with_tree;
use super::keys;
use super::leaf::{self, LeafKeys};
use super::listen::{self, Listen};
use super::machine::Machine;
use super::policy;
use super::problem::{Code, Finding, Problem, settle_all};
use super::secret::{self, Secret};
use super::source::Source;
use super::templates::{self, Shared};
use super::timetable;
use super::tree::Node;
use crate::schedule::{Exclusion, Zone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings of one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How many jobs may run at once; the host decides when absent.
    pub slots: Option<u32>,
    /// What jobs share besides the slots.
    pub machine: Arc<Machine>,
    /// The zone of schedules that name none.
    pub timezone: Zone,
    /// Variables for every job.
    pub env: BTreeMap<String, String>,
    /// What is awaited before a step counts as done.
    pub durability: Durability,
    /// Secrets for every job.
    pub secrets: Vec<Secret>,
    /// How `uses: notify` reaches somebody, by the name of the channel.
    pub notify: BTreeMap<String, Channel>,
    /// Where hooks are called, if they are.
    pub webhooks: Option<Listen>,
    /// Times at which schedules do not fire, by name.
    pub(super) calendars: Calendars,
    /// Leaf keys for every task.
    pub(super) defaults: LeafKeys,
    /// What tasks of every file can extend.
    pub(super) templates: BTreeMap<String, Shared>,
}

/// Times at which schedules do not fire, by name.
pub(super) type Calendars = BTreeMap<String, Vec<Exclusion>>;

/// A way to tell somebody something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A program that gets the title and the message as its last two arguments.
    Command(Vec<String>),
    /// An address that gets `{"title", "text"}` as JSON by POST.
    Webhook(String),
}

/// What is awaited before a step counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Every step survives the death of the host; the last ones may be lost when the power fails.
    #[default]
    Normal,
    /// Every step survives a power failure.
    Full,
}

const ROOT: Path<'static> = Path::root("neap.yaml");

impl Settings {
    /// The settings of a project without `neap.yaml`, in this zone.
    pub fn new(timezone: Zone) -> Settings {
        Settings {
            slots: None,
            machine: Arc::default(),
            timezone,
            env: BTreeMap::new(),
            secrets: Vec::new(),
            notify: BTreeMap::new(),
            webhooks: None,
            calendars: Calendars::new(),
            durability: Durability::default(),
            defaults: LeafKeys::default(),
            templates: BTreeMap::new(),
        }
    }

    /// Decodes `neap.yaml`; `timezone` is the zone when the file names none.
    ///
    /// The settings are usable in any case: what is wrong is left at its default and is among the problems.
    ///
    /// ```
    /// use neap::{definition::{Settings, Source}, schedule::Zone};
    /// let (settings, problems) = Settings::load(&Source::new("neap.yaml", "slots: 4"), Zone::utc());
    /// assert_eq!((settings.slots, problems.len()), (Some(4), 0));
    /// ```
    pub fn load(source: &Source, timezone: Zone) -> (Settings, Vec<Problem>) {
        let mut settings = Settings::new(timezone);
        if let Some(problem) = source.fault() {
            return (settings, vec![problem]);
        }
        let mut checker = Checker::default();
        with_tree(&source.text, &mut checker, |checker, root| settings.take_all(checker, root));
        (settings, settle_all(checker.findings, source))
    }

    fn take_all(&mut self, checker: &mut Checker, root: &Node<'_>) -> Option<()> {
        let fields = checker.fields(root, &"neap.yaml")?;
        // What there is comes first: defaults and templates are held against it.
        let mut machine = Machine::default();
        let taken: Vec<bool> = fields.iter().map(|field| machine.take(field, &ROOT, checker)).collect();
        self.machine = Arc::new(machine);
        checker.machine = Some(Arc::clone(&self.machine));
        let fields = fields.into_iter().zip(taken).filter(|(_, is_taken)| !is_taken).map(|(field, _)| field);
        // Calendars are read in the zone of the host.
        let (calendars, others) = fields.partition::<Vec<_>, _>(|field| field.key == "calendars");
        for field in others.iter().chain(&calendars) {
            self.take(checker, field);
        }
        Some(())
    }

    fn take(&mut self, checker: &mut Checker, field: &Field<'_>) {
        let (key, value) = (field.key, field.value);
        match key {
            "slots" => {
                let slots = checker.integer(value, key, 1..=10_000);
                self.slots = slots.map(|slots| u32::try_from(slots).expect("the range was checked"));
            }
            "timezone" => {
                if let Some(zone) = timetable::timezone(checker, value) {
                    self.timezone = zone;
                }
            }
            "env" => self.env = leaf::environment(checker, field),
            "secrets" => self.secrets = secret::secrets(checker, value, &ROOT),
            "notify" => self.notify = channels(checker, field),
            "webhooks" => self.webhooks = listen::webhooks(checker, field, &ROOT),
            "calendars" => self.calendars = calendars(checker, field, &self.timezone),
            "templates" => self.templates = templates::shared(checker, field, &ROOT),
            "defaults" => self.defaults = leaf::defaults(checker, field, &ROOT),
            "durability" => {
                let words = [("normal", Durability::Normal), ("full", Durability::Full)];
                self.durability = checker.choice(value, key, &words).unwrap_or_default();
            }
            _ => _ = checker.unknown(field, &ROOT, &keys::SETTINGS),
        }
    }
}

/// `calendars: {holidays: [2026-12-25, …]}`.
fn calendars(checker: &mut Checker, field: &Field<'_>, zone: &Zone) -> Calendars {
    let path = ROOT.child("calendars");
    let mut calendars = Calendars::new();
    for entry in checker.fields(field.value, &path).unwrap_or_default() {
        let items = list(entry.value).iter();
        let times = items.flat_map(|item| timetable::times::exclusions(checker, item, zone, None)).collect();
        calendars.insert(entry.key.to_owned(), times);
    }
    calendars
}

/// `notify: {ops: {command: […]}, chat: {webhook: …}}`.
fn channels(checker: &mut Checker, field: &Field<'_>) -> BTreeMap<String, Channel> {
    let path = ROOT.child("notify");
    let mut channels = BTreeMap::new();
    for entry in checker.fields(field.value, &path).unwrap_or_default() {
        let channel = channel(checker, &entry, &path.child(entry.key));
        channels.extend(channel.map(|channel| (entry.key.to_owned(), channel)));
    }
    channels
}

fn channel(checker: &mut Checker, entry: &Field<'_>, path: &Path<'_>) -> Option<Channel> {
    let mut found = None;
    for field in checker.fields(entry.value, path)? {
        match field.key {
            "command" => found = policy::argv(checker, field.value).map(Channel::Command),
            "webhook" => found = checker.filled_text(field.value, "webhook").map(Channel::Webhook),
            _ => _ = checker.unknown(&field, path, &keys::CHANNEL),
        }
    }
    if found.is_none() && checker.findings.is_empty() {
        let message = format!("the channel `{}` leads nowhere", entry.key);
        checker.report(Finding::new(
            Code::E0130,
            entry.place.clone(),
            message,
            "`command` or `webhook` is required",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_settings_are_read() {
        let text = "slots: 4\ntimezone: Europe/Berlin\nenv: { A: 1 }\ndurability: full\ndefaults: { timeout: 1h }\nx-y: 1\n";
        let (settings, problems) = Settings::load(&Source::new("neap.yaml", text), Zone::utc());
        assert_eq!(problems, []);
        assert_eq!(settings.slots, Some(4));
        assert_eq!(settings.timezone, Zone::named("Europe/Berlin").unwrap());
        assert_eq!(settings.env["A"], "1");
        assert_eq!(settings.durability, Durability::Full);
        let (settings, problems) = Settings::load(&Source::new("neap.yaml", "# nothing yet\n"), Zone::utc());
        assert_eq!((settings, problems), (Settings::new(Zone::utc()), Vec::new()));
    }

    #[test]
    fn wrong_settings_stay_at_their_defaults() {
        let text = "slots: many\ntimezone: Europe/Berln\nhttp: {}\ndurabilty: full\nenv: { A: 1, B-C: 2 }\ndefaults: { run: x }\n";
        let (settings, problems) = Settings::load(&Source::new("neap.yaml", text), Zone::utc());
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "neap.yaml:1:8: error[E0121]: `slots` must be a whole number from 1 to 10000",
                "neap.yaml:2:11: error[E0126]: `Europe/Berln` is not a known time zone",
                "neap.yaml:3:1: error[E0150]: `http` is part of the task language, but this version does not have it yet",
                "neap.yaml:4:1: error[E0104]: unknown field `durabilty`",
                "neap.yaml:5:14: error[E0123]: `B-C` cannot be the name of a variable",
                "neap.yaml:6:13: error[E0133]: `run` cannot be a default",
            ]
        );
        assert_eq!((settings.slots, settings.env["A"].as_str()), (None, "1"));
        let (_, problems) = Settings::load(&Source::new("neap.yaml", "- a"), Zone::utc());
        assert_eq!(problems[0].to_string(), "neap.yaml:1:1: error[E0110]: `neap.yaml` must be a mapping");
    }
}
