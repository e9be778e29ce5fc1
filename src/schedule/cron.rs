//! A cron expression: read, checked and searched on the civil calendar.
//!
//! Clock changes are not known here; see `resolve`. The search itself is croner's.

use super::error::{CronError, CronField};
use super::field::{Special, read};
use super::zone::Zone;
use crate::base::{Millis, did_you_mean};
use croner::parser::{CronParser, Seconds};
use croner::{CronPattern, Weekday};
use jiff::civil::{Date, DateTime};
use std::ops::Range;

/// A cron expression in its zone. Two are equal when text and zone are.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    /// The expression with single blanks and without `CRON_TZ=`.
    pub(super) text: String,
    pub(super) zone: Zone,
    /// Neither minute nor hour starts with `*`: it names times of day instead of a beat.
    pub(super) is_fixed: bool,
    /// What a clock change does to it; nothing where that is not said.
    pub(super) gap: Option<Gap>,
    pub(super) fold: Fold,
    /// No day of the calendar ever matches.
    pub(super) is_never: bool,
    /// The `L`, `W` and `#` items of the day-of-month and of the weekday field.
    pub(super) special: Vec<Special>,
    calendar: croner::Cron,
}

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const FIELDS: [CronField; 7] = [
    CronField::Second,
    CronField::Minute,
    CronField::Hour,
    CronField::Day,
    CronField::Month,
    CronField::Weekday,
    CronField::Year,
];

impl Cron {
    pub(super) fn parse(expression: &str, zone: &Zone) -> Result<Cron, CronError> {
        let (zone, words) = split_zone(words(expression, 0..expression.len()), zone)?;
        let text = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" ");
        match words.first() {
            None => Err(CronError::Empty),
            Some((word, start)) if word.starts_with('@') => {
                match NICKNAMES.iter().find(|(name, _)| *name == text) {
                    Some((_, meaning)) => Cron::from_fields(words_of(meaning), text, zone),
                    None => Err(unknown_nickname(&text, *start..end_of(&words))),
                }
            }
            Some(_) => Cron::from_fields(words, text, zone),
        }
    }

    fn from_fields(words: Vec<(&str, usize)>, text: String, zone: Zone) -> Result<Cron, CronError> {
        let span = words.first().map_or(0, |(_, start)| *start)..end_of(&words);
        let fields = match words.len() {
            5 => &FIELDS[1..6],
            6 => &FIELDS[..6],
            7 => &FIELDS[..],
            found => return Err(CronError::FieldCount { found, hint: interval_hint(&text), span }),
        };
        let mut numbers = Vec::new();
        let mut special = Vec::new();
        let mut starred = Vec::new();
        for (field, (word, start)) in fields.iter().zip(words) {
            let reading = read(*field, word, start)?;
            numbers.push(reading.numbers);
            special.extend(reading.special);
            starred.extend(word.starts_with('*').then_some(*field));
        }
        let is_fixed = !starred.contains(&CronField::Minute) && !starred.contains(&CronField::Hour);
        // `*/2` counts as a star: POSIX means `*` alone, the crons people use look at the first letter.
        let is_both = starred.contains(&CronField::Day) || starred.contains(&CronField::Weekday);
        let parser = CronParser::builder().seconds(Seconds::Optional).dom_and_dow(is_both).build();
        let calendar = parser.parse(&numbers.join(" "));
        let calendar = calendar.map_err(|error| CronError::Refused { reason: error.to_string(), span })?;
        let is_never = !has_any_day(&calendar.pattern);
        Ok(Cron { text, zone, is_fixed, gap: None, fold: Fold::default(), is_never, special, calendar })
    }

    /// The first match after `civil`, or from `civil` on; none after the year 5000.
    pub(super) fn search(&self, civil: DateTime, start: Start) -> Option<DateTime> {
        let is_inclusive = match start {
            Start::Here => true,
            Start::After => false,
        };
        self.calendar.find_next_occurrence(&civil, is_inclusive).ok()
    }

    pub(super) fn pattern(&self) -> &CronPattern {
        &self.calendar.pattern
    }

    /// croner's own words, for the shapes that we have none for.
    pub(super) fn plain_words(&self) -> String {
        self.calendar.describe()
    }
}

/// What becomes of a time of day that a clock change skips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gap {
    /// It is due at the first instant after the gap.
    #[default]
    RunAfter,
    /// It is not due that day.
    Skip,
}

/// What becomes of a time of day that a clock change repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fold {
    /// It is due the first time round.
    #[default]
    First,
    /// It is due the second time round.
    Second,
    /// It is due both times.
    Both,
}

/// Whether a search may find the time it starts from.
#[derive(Clone, Copy)]
pub(super) enum Start {
    Here,
    After,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Cron) -> bool {
        let changes = |cron: &Cron| (cron.gap, cron.fold);
        self.text == other.text && self.zone == other.zone && changes(self) == changes(other)
    }
}

impl Eq for Cron {}

/// The words between blanks, each with the byte it starts at.
fn words(expression: &str, within: Range<usize>) -> Vec<(&str, usize)> {
    let words = expression[within].split_ascii_whitespace();
    words.map(|word| (word, word.as_ptr() as usize - expression.as_ptr() as usize)).collect()
}

fn words_of(meaning: &str) -> Vec<(&str, usize)> {
    words(meaning, 0..meaning.len())
}

fn end_of(words: &[(&str, usize)]) -> usize {
    words.last().map_or(0, |(word, start)| start + word.len())
}

type Words<'a> = Vec<(&'a str, usize)>;

/// Takes `CRON_TZ=Zone` off the front.
fn split_zone<'a>(mut words: Words<'a>, zone: &Zone) -> Result<(Zone, Words<'a>), CronError> {
    const PREFIX: &str = "CRON_TZ=";
    let Some((name, start)) =
        words.first().and_then(|(word, start)| Some((word.strip_prefix(PREFIX)?, *start)))
    else {
        return Ok((zone.clone(), words));
    };
    let start = start + PREFIX.len();
    let zone =
        Zone::named(name).map_err(|source| CronError::Zone { source, span: start..start + name.len() })?;
    words.remove(0);
    Ok((zone, words))
}

fn unknown_nickname(text: &str, span: Range<usize>) -> CronError {
    let lower = text.to_ascii_lowercase();
    let hint = match lower.split_once(' ') {
        _ if lower == "@reboot" => Some("write `event: startup`".to_owned()),
        Some(("@every", span)) => Some(format!("write `every: {span}`")),
        _ if lower == "@every" => Some("write `every: 5m`".to_owned()),
        _ => did_you_mean(&lower, NICKNAMES.map(|(name, _)| name)).map(|name| format!("write `{name}`")),
    };
    CronError::Nickname { text: text.to_owned(), hint, span }
}

/// `5m` and `every 5m` want to be an interval.
fn interval_hint(text: &str) -> Option<String> {
    let span = text.strip_prefix("every ").unwrap_or(text);
    let is_span = span.parse::<Millis>().is_ok() && span.ends_with(|c: char| c.is_ascii_alphabetic());
    is_span.then(|| format!("write `every: {span}`"))
}

/// Whether the day fields match on any day of any year: `31 2` never does.
///
/// A year is of one of fourteen kinds: it starts on one of seven weekdays, and is a leap year or not. One year of each
/// kind is enough.
fn has_any_day(pattern: &CronPattern) -> bool {
    let years = match pattern.years.from_wildcard {
        // Every kind comes up within 28 years in which no leap year is left out.
        true => (2000..2028).collect(),
        false => pattern.years.values(),
    };
    let mut seen = [false; 14];
    let new_years = years.into_iter().filter_map(|year| Date::new(i16::try_from(year).ok()?, 1, 1).ok());
    let mut fresh = new_years.filter(|new_year| {
        let kind =
            new_year.weekday().to_sunday_zero_offset() as usize * 2 + usize::from(new_year.in_leap_year());
        !std::mem::replace(&mut seen[kind], true)
    });
    fresh.any(|new_year| has_any_day_in(pattern, new_year))
}

fn has_any_day_in(pattern: &CronPattern, new_year: Date) -> bool {
    let months = pattern
        .months
        .values()
        .into_iter()
        .filter_map(|month| new_year.with().month(month as i8).build().ok());
    months
        .flat_map(|first| {
            (0..first.days_in_month()).filter_map(move |day| first.with().day(day + 1).build().ok())
        })
        .any(|date| {
            let weekday = Weekday::from_days_from_sunday(date.weekday().to_sunday_zero_offset() as u32);
            let matched =
                pattern.day_match(date.year().into(), date.month() as u32, date.day() as u32, weekday);
            matched.unwrap_or(false)
        })
}
