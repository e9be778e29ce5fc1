//! The key `schedule`: when runs are created without anybody asking.

pub(super) mod firing;
mod occasion;
pub(super) mod times;
mod watch;
mod webhook;

pub(super) use webhook::Hooks;

use super::fields::{Checker, Field, Path, list};
use super::firing::{Firing, Overlap};
use super::keys;
use super::params::{self, ParamFault, ParamProblem};
use super::problem::{Code, Finding};
use super::settings::Calendars;
use super::task::{Param, Params, Timetable};
use super::tree::{Kind, Node};
use super::values;
use crate::base::Moment;
use crate::schedule::{CronError, Occasion, Schedule, Zone};
use serde_json::Value;
use std::collections::{HashMap, hash_map};
use std::ops::Range;
use times::Times;

const WHEN: [&str; 7] = ["cron", "every", "at", "event", "after", "watch", "webhook"];

/// Expressions that were read already: files of one project say the same few things, and each reading costs.
#[derive(Debug, Default)]
pub(super) struct Crons(HashMap<String, Vec<(Zone, Schedule)>>);

impl Crons {
    fn read(&mut self, expression: &str, zone: &Zone) -> Result<Schedule, CronError> {
        let known = self.0.get(expression).and_then(|read| read.iter().find(|(other, _)| other == zone));
        if let Some((_, schedule)) = known {
            return Ok(schedule.clone());
        }
        let schedule = Schedule::cron(expression, zone)?;
        self.0.entry(expression.to_owned()).or_default().push((zone.clone(), schedule.clone()));
        Ok(schedule)
    }
}

/// What the entries of a task have in common.
pub(super) struct Common<'c> {
    /// The zone of the host.
    pub(super) zone: &'c Zone,
    /// What the task declares.
    pub(super) params: &'c [Param],
    /// Named times at which nothing fires.
    pub(super) calendars: &'c Calendars,
    /// How slots become runs, as the task says.
    pub(super) firing: Firing,
    /// Whether the task has an `overlap` of its own.
    pub(super) says_overlap: bool,
    /// What those are held against that are called.
    pub(super) hooks: Hooks<'c>,
}

/// A cron expression, an entry, or a list of them; each with the place of its time.
pub(super) fn timetables(
    checker: &mut Checker,
    field: &Field<'_>,
    common: &Common<'_>,
    above: &Path<'_>,
) -> Vec<(Timetable, Range<usize>)> {
    let path = above.child("schedule");
    if matches!(field.value.kind, Kind::Null) {
        checker.no_value(field.value, "schedule");
    }
    let items = list(field.value);
    if items.len() > 1 && is_too_much(items.len(), common.params) {
        let message = format!("{} schedules would keep parameters of more than 16 MiB", items.len());
        let finding = Finding::new(Code::E0112, field.place.clone(), message, "these are too many");
        checker.report(finding.help("let fewer schedules do it, or give the task fewer parameters"));
        return Vec::new();
    }
    let before = checker.findings.len();
    let mut found: Vec<_> = items.iter().filter_map(|item| timetable(checker, item, common, &path)).collect();
    tell_apart(&mut found);
    // Where something else is wrong with an entry, it may be what would set it apart.
    if checker.findings.len() == before {
        refuse_doubles(checker, &found);
    }
    refuse_same_hooks(checker, &found);
    found
}

/// Entries with the same time are schedules of their own.
fn tell_apart(found: &mut [(Timetable, Range<usize>)]) {
    let mut twins: HashMap<String, u32> = HashMap::new();
    for (timetable, _) in found {
        let schedule = &timetable.schedule;
        let twin = twins.entry(format!("{schedule} {:?}", schedule.zone())).or_default();
        timetable.twin = *twin;
        *twin += 1;
    }
}

/// Those that are the same altogether are a mistake.
fn refuse_doubles(checker: &mut Checker, found: &[(Timetable, Range<usize>)]) {
    let mut first: HashMap<String, Range<usize>> = HashMap::new();
    let timed = found.iter().filter(|(timetable, _)| timetable.token.is_none());
    for (Timetable { schedule, params, .. }, place) in timed {
        // All of it in a text, because a file may have thousands and each must be looked up.
        match first.entry(format!("{schedule:?} {params:?}")) {
            hash_map::Entry::Vacant(free) => _ = free.insert(place.clone()),
            hash_map::Entry::Occupied(first) => {
                let message = "the same schedule stands here twice";
                let finding = Finding::new(Code::E0137, place.clone(), message, "the second one");
                let finding = finding.also(first.get().clone(), "the first one");
                checker.report(finding.help("leave one out, or give them different `params`"));
            }
        }
    }
}

/// Two hooks with one token: nobody could say which of them is called.
fn refuse_same_hooks(checker: &mut Checker, found: &[(Timetable, Range<usize>)]) {
    let mut places: HashMap<&str, &Range<usize>> = HashMap::new();
    for (timetable, place) in found {
        let Some(token) = &timetable.token else { continue };
        if let Some(first) = places.insert(&token.name, place) {
            let message = "two entries of `schedule` are called with the same token";
            let finding = Finding::new(Code::E0137, place.clone(), message, "the second one");
            let finding = finding.also(first.clone(), "the first one");
            checker.report(finding.help("give each of them a secret of its own"));
        }
    }
}

/// Every schedule has all parameters of the task, with their defaults: so many bytes of them at most.
const MOST_BOUND: usize = 16 << 20;

fn is_too_much(schedules: usize, params: &[Param]) -> bool {
    let size = |param: &Param| serde_json::to_string(param).map_or(0, |text| text.len());
    schedules * params.iter().map(size).sum::<usize>() > MOST_BOUND
}

fn timetable(
    checker: &mut Checker,
    item: &Node<'_>,
    common: &Common<'_>,
    path: &Path<'_>,
) -> Option<(Timetable, Range<usize>)> {
    if !matches!(item.kind, Kind::Map(_)) {
        let expression = checker.filled_text(item, "schedule")?;
        let schedule = cron(checker, item, &expression, common.zone);
        let params = bind(checker, None, &item.span, (common, false));
        let firing = common.firing.clone();
        let timetable =
            Timetable { schedule: schedule?, params: params?, token: None, firing, enabled: true, twin: 0 };
        return Some((timetable, item.span.clone()));
    }
    let mut entry = Entry {
        firing: common.firing.clone(),
        says_overlap: common.says_overlap,
        enabled: Some(true),
        ..Entry::default()
    };
    let mut zone = Some(common.zone.clone());
    for field in checker.fields(item, path)? {
        match field.key {
            key if WHEN.contains(&key) => entry.when.push(field),
            "timezone" => {
                zone = timezone(checker, field.value);
                entry.zone = Some(field);
            }
            "params" => entry.params = Some(field),
            "enabled" => entry.enabled = checker.boolean(field.value, "enabled"),
            "jitter" => {
                entry.firing.jitter = checker.span(field.value, "jitter", true).unwrap_or_default();
                entry.timed.push(field);
            }
            _ if entry.times.take(&field) => {}
            key if firing::take(checker, &field, &mut entry.firing) => {
                entry.says_overlap |= key == "overlap";
                if key.starts_with("catchup") {
                    entry.timed.push(field);
                }
            }
            _ => {
                entry.is_strange = true;
                checker.unknown(&field, path, &keys::ENTRY);
            }
        }
    }
    entry.refuse_needless(checker);
    let place = entry.when.first().map_or_else(|| item.span.clone(), |field| field.value.span.clone());
    entry.finish(checker, item, zone.as_ref(), (common, path)).map(|timetable| (timetable, place))
}

/// One entry while its keys are read.
#[derive(Default)]
struct Entry<'t> {
    when: Vec<Field<'t>>,
    zone: Option<Field<'t>>,
    params: Option<Field<'t>>,
    enabled: Option<bool>,
    firing: Firing,
    says_overlap: bool,
    times: Times<'t>,
    /// More that means nothing where no time makes it fire.
    timed: Vec<Field<'t>>,
    /// Whether it has keys that are not known: its rhythm may be one of them.
    is_strange: bool,
}

impl Entry<'_> {
    /// A key that has no effect is a misunderstanding.
    fn refuse_needless(&self, checker: &mut Checker) {
        let [when] = self.when.as_slice() else { return };
        let (needless, message, help): (Vec<&Field<'_>>, _, _) = match when.key {
            "every" => {
                let needless = self.zone.iter().chain(self.times.of_the_wall()).collect();
                (needless, "an interval has no time zone", "remove it, or use `cron`")
            }
            "event" | "after" | "watch" | "webhook" => {
                let needless = self.zone.iter().chain(self.times.all()).chain(&self.timed).collect();
                (needless, "no time makes this entry fire", "remove it")
            }
            _ => return,
        };
        for field in needless {
            let finding = Finding::new(Code::E0137, field.place.clone(), message, "this has no effect");
            let label = if when.key == "every" { "the interval" } else { "this does" };
            checker.report(finding.also(when.place.clone(), label).help(help));
        }
    }

    fn finish(
        self,
        checker: &mut Checker,
        item: &Node<'_>,
        zone: Option<&Zone>,
        (common, path): (&Common<'_>, &Path<'_>),
    ) -> Option<Timetable> {
        let is_called = matches!(self.when.as_slice(), [field] if field.key == "webhook");
        let params = bind(checker, self.params.as_ref(), &item.span, (common, is_called));
        let mut token = None;
        let schedule = match self.when.as_slice() {
            [field] if is_called => {
                let (occasion, secret) = webhook::webhook(checker, field, path, common.hooks)?;
                token = Some(secret);
                Some(Schedule::on(occasion))
            }
            [field] => when(checker, field, zone, path),
            [] => {
                if !self.is_strange {
                    let finding = Finding::new(
                        Code::E0130,
                        item.span.clone(),
                        "an entry of `schedule` says no time",
                        "one of `cron`, `every`, `at`, `event`, `after`, `watch`, `webhook` is required",
                    );
                    checker.report(finding);
                }
                None
            }
            [first, second, ..] => {
                let message = format!("an entry of `schedule` has both `{}` and `{}`", first.key, second.key);
                let finding = Finding::new(Code::E0137, second.place.clone(), message, "the second one");
                checker.report(
                    finding.also(first.place.clone(), "the first one").help("make two entries of it"),
                );
                for field in self.when.iter().filter(|field| field.key == "event") {
                    occasion::event(checker, field);
                }
                None
            }
        };
        let schedule = self.times.apply(checker, schedule?, zone?, common.calendars);
        let mut firing = self.firing;
        let comes_once =
            matches!(schedule.occasion(), Some(Occasion::Watch { .. } | Occasion::Webhook { .. }));
        if !self.says_overlap && comes_once {
            // A slot that is left out comes again. A file does not, nor does every caller.
            firing.overlap = Overlap::QueueAll;
        }
        Some(Timetable { schedule, params: params?, token, firing, enabled: self.enabled?, twin: 0 })
    }
}

fn when(checker: &mut Checker, field: &Field<'_>, zone: Option<&Zone>, path: &Path<'_>) -> Option<Schedule> {
    debug_assert!(WHEN.contains(&field.key));
    let refuse = |checker: &mut Checker, message: String| {
        checker.report(Finding::new(Code::E0127, field.value.span.clone(), message, "this is no time"));
        None::<Schedule>
    };
    match field.key {
        "every" => {
            let interval = checker.span(field.value, "every", false)?;
            Schedule::every(interval).map_or_else(|error| refuse(checker, error.to_string()), Some)
        }
        "at" => {
            let text = checker.filled_text(field.value, "at")?;
            Schedule::at(&text, zone?).map_or_else(|error| refuse(checker, error.to_string()), Some)
        }
        "event" => occasion::event(checker, field).map(Schedule::on),
        "after" => occasion::after(checker, field, path).map(Schedule::on),
        "watch" => watch::watch(checker, field, path).map(Schedule::on),
        _ => {
            let expression = checker.filled_text(field.value, "cron")?;
            cron(checker, field.value, &expression, zone?)
        }
    }
}

/// Reads an expression; what is wrong in it is shown inside it.
fn cron(checker: &mut Checker, node: &Node<'_>, expression: &str, zone: &Zone) -> Option<Schedule> {
    match checker.crons.read(expression, zone) {
        Ok(schedule) => {
            if schedule.never_fires() {
                let finding = Finding::new(
                    Code::W0201,
                    node.span.clone(),
                    format!("`{expression}` never fires"),
                    "there is no such date",
                );
                checker.report(finding);
            }
            Some(schedule)
        }
        Err(error) => {
            let finding = Finding::new(
                Code::E0127,
                inside(node, expression, error.span()),
                error.to_string(),
                "this part is wrong",
            );
            checker.report(match (guessed(expression), error.hint()) {
                (Some(Guessed::Word(word)), _) => {
                    let word = format!("\"{word}\"");
                    finding.help(format!("write `{word}`, in quotes")).fix(node.span.clone(), word)
                }
                (Some(Guessed::Help(help)), _) => finding.help(help),
                (None, Some(hint)) => finding.help(hint),
                (None, None) => finding,
            });
            None
        }
    }
}

/// What was meant by something that is no expression.
enum Guessed {
    /// Exactly this word.
    Word(String),
    Help(String),
}

const REBOOT: &str = "write `schedule: { event: startup }`: it fires when the host comes up";

fn guessed(expression: &str) -> Option<Guessed> {
    let text = expression.trim();
    if text.eq_ignore_ascii_case("@reboot") {
        return Some(Guessed::Help(REBOOT.to_owned()));
    }
    let named = ["hourly", "daily", "midnight", "weekly", "monthly", "yearly", "annually"];
    if let Some(word) = named.iter().find(|word| text.eq_ignore_ascii_case(word)) {
        return Some(Guessed::Word(format!("@{word}")));
    }
    let (zone, rest) = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="))?.split_once(' ')?;
    let rest = rest.trim();
    Some(Guessed::Help(format!("write `schedule: {{ cron: \"{rest}\", timezone: {zone} }}`")))
}

/// A part of a scalar's text as a place in the file; the whole scalar when the two differ.
fn inside(node: &Node<'_>, text: &str, part: Range<usize>) -> Range<usize> {
    let quotes = match node.span.len().checked_sub(text.len()) {
        Some(0) => 0,
        Some(2) => 1,
        Some(_) | None => return node.span.clone(),
    };
    let start = node.span.start + quotes;
    if part.is_empty() { node.span.clone() } else { start + part.start..start + part.end }
}

/// A single moment, in the zone of the host.
pub(super) fn moment(checker: &mut Checker, field: &Field<'_>) -> Option<Moment> {
    let text = checker.filled_text(field.value, field.key)?;
    let zone = checker.zone.clone().unwrap_or_else(Zone::utc);
    let found = Schedule::at(&text, &zone);
    let refuse = |error: &dyn std::fmt::Display| {
        Finding::new(Code::E0127, field.value.span.clone(), error.to_string(), "this is no time")
    };
    found.map_err(|error| checker.report(refuse(&error))).ok()?.next(Moment(0))
}

/// Reads the name of a zone.
pub(super) fn timezone(checker: &mut Checker, node: &Node<'_>) -> Option<Zone> {
    let name = checker.filled_text(node, "timezone")?;
    match Zone::named(&name) {
        Ok(zone) => Some(zone),
        Err(error) => {
            let finding = Finding::new(Code::E0126, node.span.clone(), error.to_string(), "unknown zone");
            checker.report(finding.help(
                error.hint().unwrap_or_else(|| "write a name such as Europe/Berlin or UTC".to_owned()),
            ));
            None
        }
    }
}

/// The parameters of an entry. They are complete, for nobody is asked when a schedule fires; but who calls a hook can give
/// what is required.
fn bind(
    checker: &mut Checker,
    field: Option<&Field<'_>>,
    place: &Range<usize>,
    (common, is_called): (&Common<'_>, bool),
) -> Option<Params> {
    let fields = match field {
        Some(field) => checker.fields(field.value, &"schedule.params")?,
        None => Vec::new(),
    };
    let given: serde_json::Map<String, Value> =
        fields.iter().map(|field| (field.key.to_owned(), values::json(field.value))).collect();
    let bound = match is_called {
        true => bind_given(common.params, &given),
        false => params::bind_json(common.params, &given),
    };
    match bound {
        Ok(params) => Some(params),
        Err(problems) => {
            let places: HashMap<&str, &Range<usize>> =
                fields.iter().map(|field| (field.key, &field.value.span)).collect();
            for problem in problems {
                let own = places.get(problem.name.as_str()).copied().cloned();
                let place =
                    own.or_else(|| field.map(|field| field.place.clone())).unwrap_or_else(|| place.clone());
                checker.report(Finding::new(
                    Code::E0138,
                    place,
                    format!("the schedule gives no good parameters: {problem}"),
                    "given here",
                ));
            }
            None
        }
    }
}

/// Only what is given; whoever calls gives the rest.
fn bind_given(
    declared: &[Param],
    given: &serde_json::Map<String, Value>,
) -> Result<Params, Vec<ParamProblem>> {
    match params::bind_json(declared, given) {
        Err(problems) if problems.iter().any(|problem| problem.fault != ParamFault::Missing) => {
            Err(problems.into_iter().filter(|problem| problem.fault != ParamFault::Missing).collect())
        }
        Ok(_) | Err(_) => {
            let given_of = declared.iter().filter(|param| given.contains_key(&param.name));
            params::bind_json(&given_of.cloned().collect::<Vec<_>>(), given)
        }
    }
}
