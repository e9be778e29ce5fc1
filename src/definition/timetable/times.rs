//! Bounds, exceptions and clock changes of one entry of `schedule`.

use crate::base::Moment;
use crate::definition::fields::{Checker, Field, Path, list};
use crate::definition::keys;
use crate::definition::problem::{Code, Finding};
use crate::definition::settings::Calendars;
use crate::definition::tree::{Kind, Node};
use crate::schedule::{ExcludeError, Exclusion, Fold, Gap, Limits, Schedule, Zone, bound};

/// What an entry says about its times, while its keys are read.
#[derive(Default)]
pub(super) struct Times<'t> {
    start: Option<Field<'t>>,
    end: Option<Field<'t>>,
    exclude: Option<Field<'t>>,
    gap: Option<Field<'t>>,
    fold: Option<Field<'t>>,
}

impl<'t> Times<'t> {
    /// Takes a field that is about this.
    pub(super) fn take(&mut self, field: &Field<'t>) -> bool {
        let place = match field.key {
            "start" => &mut self.start,
            "end" => &mut self.end,
            "exclude" => &mut self.exclude,
            "dst_gap" => &mut self.gap,
            "dst_overlap" => &mut self.fold,
            _ => return false,
        };
        *place = Some(field.clone());
        true
    }

    /// Those that mean nothing for an interval: it does not look at the clock on the wall.
    pub(super) fn of_the_wall(&self) -> impl Iterator<Item = &Field<'t>> {
        self.gap.iter().chain(&self.fold)
    }

    /// All of them; none means anything where no time makes it fire.
    pub(super) fn all(&self) -> impl Iterator<Item = &Field<'t>> {
        self.start.iter().chain(&self.end).chain(&self.exclude).chain(self.of_the_wall())
    }

    /// The schedule with all this.
    pub(super) fn apply(
        &self,
        checker: &mut Checker,
        schedule: Schedule,
        zone: &Zone,
        calendars: &Calendars,
    ) -> Schedule {
        const GAPS: [(&str, Gap); 2] = [("run_after", Gap::RunAfter), ("skip", Gap::Skip)];
        const FOLDS: [(&str, Fold); 3] =
            [("first", Fold::First), ("second", Fold::Second), ("both", Fold::Both)];
        let gap = self.gap.as_ref().and_then(|field| checker.choice(field.value, field.key, &GAPS));
        let fold = self.fold.as_ref().and_then(|field| checker.choice(field.value, field.key, &FOLDS));
        let start = self.start.as_ref().and_then(|field| moment(checker, field, zone, false));
        let end = self.end.as_ref().and_then(|field| moment(checker, field, zone, true));
        if let (Some(start), Some(end), Some(field)) = (start, end, &self.end)
            && end < start
        {
            let message = "the schedule ends before it starts";
            checker.report(Finding::new(Code::E0127, field.value.span.clone(), message, "this is earlier"));
        }
        let items = self.exclude.as_ref().map_or(&[][..], |field| list(field.value));
        let exclude =
            items.iter().flat_map(|item| exclusions(checker, item, zone, Some(calendars))).collect();
        schedule.at_clock_changes(gap, fold.unwrap_or_default()).within(Limits { start, end, exclude })
    }
}

fn moment(checker: &mut Checker, field: &Field<'_>, zone: &Zone, is_end: bool) -> Option<Moment> {
    let text = checker.filled_text(field.value, field.key)?;
    let found = bound(&text, zone, is_end).ok();
    if found.is_none() {
        let message = format!("`{text}` is no day (2026-12-24) and no moment (2026-12-24 18:00)");
        checker.report(Finding::new(Code::E0127, field.value.span.clone(), message, "this is no time"));
    }
    found
}

fn refuse(checker: &mut Checker, node: &Node<'_>, error: &ExcludeError) {
    checker.report(Finding::new(Code::E0127, node.span.clone(), error.to_string(), "this is no time"));
}

/// What one item of `exclude`, or of a calendar, leaves out. A calendar is itself a list of these; it names no other.
pub(in crate::definition) fn exclusions(
    checker: &mut Checker,
    item: &Node<'_>,
    zone: &Zone,
    calendars: Option<&Calendars>,
) -> Vec<Exclusion> {
    if !matches!(item.kind, Kind::Map(_)) {
        let Some(text) = checker.filled_text(item, "exclude") else { return Vec::new() };
        return taken(checker, item, Exclusion::read(&text, zone));
    }
    let path = Path::root("exclude");
    let (mut from, mut to, mut calendar) = (None, None, None);
    let told = checker.findings.len();
    for field in checker.fields(item, &path).unwrap_or_default() {
        match field.key {
            "from" => from = checker.filled_text(field.value, "from"),
            "to" => to = checker.filled_text(field.value, "to"),
            "calendar" if calendars.is_some() => calendar = Some(field),
            _ => _ = checker.unknown(&field, &path, &keys::EXCLUDE),
        }
    }
    match (from, to, calendar) {
        (Some(from), Some(to), None) => taken(checker, item, Exclusion::between(&from, &to, zone)),
        (None, None, Some(field)) => named(checker, &field, calendars),
        _ if checker.findings.len() > told => Vec::new(),
        _ => {
            let label = "`from` and `to`, or `calendar`, are required";
            let message = "an item of `exclude` says no time";
            checker.report(Finding::new(Code::E0130, item.span.clone(), message, label));
            Vec::new()
        }
    }
}

fn named(checker: &mut Checker, field: &Field<'_>, calendars: Option<&Calendars>) -> Vec<Exclusion> {
    let Some(name) = checker.filled_text(field.value, "calendar") else { return Vec::new() };
    let found = calendars.and_then(|calendars| calendars.get(name.as_str()));
    if found.is_none() {
        let message = format!("there is no calendar `{name}`");
        let finding = Finding::new(
            Code::E0127,
            field.value.span.clone(),
            message,
            "`calendars` of neap.yaml has no such name",
        );
        let names = calendars.into_iter().flatten().map(|(name, _)| name.as_str());
        let meant = checker.meant(&name, names);
        checker.report(finding.suggest(&name, meant, || "name it under `calendars` in neap.yaml".to_owned()));
    }
    found.cloned().unwrap_or_default()
}

fn taken(checker: &mut Checker, node: &Node<'_>, found: Result<Exclusion, ExcludeError>) -> Vec<Exclusion> {
    found.map_err(|error| refuse(checker, node, &error)).into_iter().collect()
}
