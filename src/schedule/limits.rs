//! Bounds and exceptions: from when and until when a schedule fires, and when it does not.

use super::at;
use super::cron::Cron;
use super::resolve::{self, instant_of};
use super::zone::{Zone, moment, timestamp};
use crate::base::{Millis, Moment};
use jiff::civil::{Date, Time};
use std::fmt;
use std::sync::Arc;

/// Bounds and exceptions of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Nothing is due before.
    pub start: Option<Moment>,
    /// Nothing is due after.
    pub end: Option<Moment>,
    /// When it is not due although its text says so.
    pub exclude: Vec<Exclusion>,
}

/// A time at which a schedule does not fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    what: What,
    zone: Zone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// From one day to another, both included.
    Days(Date, Date),
    /// From one weekday to another, both included, as days since Monday.
    Weekdays(i8, i8),
    /// From one moment up to another.
    Span(Moment, Moment),
    /// Every day from one time up to another, perhaps over midnight.
    Daily(Time, Time),
    /// The minutes at which a cron expression is due.
    Cron(Arc<Cron>),
}

/// What cannot be an exclusion, in words that fit after "this excludes nothing: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExcludeError {
    /// None of the shapes.
    #[error(
        "`{0}` is no day (2026-12-24), no days (2026-12-24..2027-01-01), no weekday (sat, mon-fri) and no cron expression"
    )]
    Shape(String),
    /// A part of it is no moment and no time of day.
    #[error("`{0}` is no time of day (22:00), no day (2026-12-24) and no moment (2026-12-24 18:00)")]
    Time(String),
    /// It ends before it begins.
    #[error("it ends before it begins")]
    Backwards,
    /// One side is a time of day, the other is not.
    #[error("`from` and `to` must both be times of day, or both be days or moments")]
    Mixed,
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// A day has so many hours at most, whatever the clock does.
const MOST_SKIPS: usize = 5_000;

impl Exclusion {
    /// Reads a day, days, a weekday, weekdays, or a cron expression.
    ///
    /// # Errors
    /// [`ExcludeError`] when it is none of these.
    pub fn read(text: &str, zone: &Zone) -> Result<Exclusion, ExcludeError> {
        let text = text.trim();
        let shape = || ExcludeError::Shape(text.to_owned());
        let what = if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (date(from).ok_or_else(shape)?, date(to).ok_or_else(shape)?);
            if to < from {
                return Err(ExcludeError::Backwards);
            }
            What::Days(from, to)
        } else if let Some(day) = date(text) {
            What::Days(day, day)
        } else if let Some(days) = weekdays(text) {
            What::Weekdays(days.0, days.1)
        } else if text.contains(' ') {
            What::Cron(Arc::new(Cron::parse(text, zone).map_err(|_| shape())?))
        } else {
            return Err(shape());
        };
        Ok(Exclusion { what, zone: zone.clone() })
    }

    /// From one time up to another: two times of day, or two days or moments. A day as the end is included.
    ///
    /// # Errors
    /// [`ExcludeError`] when they do not fit together.
    pub fn between(from: &str, to: &str, zone: &Zone) -> Result<Exclusion, ExcludeError> {
        let what = match (at::time_of(from), at::time_of(to)) {
            (Some(from), Some(to)) => What::Daily(from, to),
            (None, None) => {
                let (from, to) = (point(from, zone, false)?, point(to, zone, true)?);
                if to <= from {
                    return Err(ExcludeError::Backwards);
                }
                What::Span(from, to)
            }
            (Some(_), None) | (None, Some(_)) => return Err(ExcludeError::Mixed),
        };
        Ok(Exclusion { what, zone: zone.clone() })
    }

    /// When it ends, if it holds at this moment.
    fn ends(&self, at: Moment) -> Option<Moment> {
        let rules = self.zone.rules();
        let now = timestamp(at)?;
        let shown = rules.to_datetime(now);
        let instant = |date: Date, time: Time| instant_of(rules, date.to_datetime(time)).and_then(moment);
        let next_day = || shown.date().tomorrow().ok().and_then(|day| instant(day, Time::midnight()));
        match &self.what {
            What::Days(from, to) if (from..=to).contains(&&shown.date()) => {
                to.tomorrow().ok().and_then(|day| instant(day, Time::midnight())).or(Some(at))
            }
            What::Weekdays(from, to) => {
                let day = shown.weekday().to_monday_zero_offset();
                let is_in =
                    if from <= to { (*from..=*to).contains(&day) } else { day >= *from || day <= *to };
                is_in.then(|| next_day().unwrap_or(at))
            }
            What::Span(from, to) => (*from..*to).contains(&at).then_some(*to),
            What::Daily(from, to) => {
                let time = shown.time();
                let (is_in, ends_today) = if from < to {
                    ((*from..*to).contains(&time), true)
                } else {
                    (time >= *from || time < *to, time < *to)
                };
                let day = if ends_today { Some(shown.date()) } else { shown.date().tomorrow().ok() };
                is_in.then(|| day.and_then(|day| instant(day, *to)).unwrap_or(at))
            }
            What::Cron(cron) => {
                let is_due = |at: Moment| {
                    let before = timestamp(at - Millis(1))?;
                    (resolve::next(cron, before).and_then(moment)? == at).then_some(())
                };
                is_due(at).or_else(|| is_due(Moment(at.0 - at.0 % 60_000))).map(|()| at)
            }
            What::Days(..) => None,
        }
    }
}

impl Limits {
    /// The first of the instants that `next` gives after `after` and that is within the limits.
    pub(super) fn next(&self, after: Moment, next: impl Fn(Moment) -> Option<Moment>) -> Option<Moment> {
        let mut after = self.start.map_or(after, |start| after.max(start - Millis(1)));
        // Nobody waits for a schedule of which everything is excluded.
        for _ in 0..MOST_SKIPS {
            let found = next(after)?;
            if self.end.is_some_and(|end| found > end) {
                return None;
            }
            match self.exclude.iter().filter_map(|exclusion| exclusion.ends(found)).max() {
                None => return Some(found),
                // What begins when the exclusion ends is due.
                Some(until) => after = found.max(until - Millis(1)),
            }
        }
        None
    }

    /// Whether there are none.
    pub(super) fn is_none(&self) -> bool {
        *self == Limits::default()
    }

    /// In words, each piece with a comma before it.
    pub(super) fn describe(&self, zone: &Zone) -> String {
        let mut text = String::new();
        if let Some(start) = self.start {
            text += &format!(", from {} on", zone.civil(start));
        }
        if let Some(end) = self.end {
            text += &format!(", until {}", zone.civil(end));
        }
        match self.exclude.as_slice() {
            [] => {}
            [one] => text += &format!(", not {one}"),
            many => text += &format!(", with {} exceptions", many.len()),
        }
        text
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |day: i8| DAYS.get(usize::try_from(day).unwrap_or(0)).map_or("", |name| &name[..3]);
        match &self.what {
            What::Days(from, to) if from == to => write!(f, "on {from}"),
            What::Days(from, to) => write!(f, "from {from} to {to}"),
            What::Weekdays(from, to) if from == to => write!(f, "on {}", day(*from)),
            What::Weekdays(from, to) => write!(f, "from {} to {}", day(*from), day(*to)),
            What::Span(from, to) => {
                write!(f, "from {} to {}", self.zone.civil(*from), self.zone.civil(*to))
            }
            What::Daily(from, to) => {
                write!(f, "from {} to {} o'clock", from.strftime("%H:%M"), to.strftime("%H:%M"))
            }
            What::Cron(cron) => write!(f, "at `{}`", cron.text),
        }
    }
}

fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if is_shaped { text.parse().ok() } else { None }
}

fn weekdays(text: &str) -> Option<(i8, i8)> {
    let day = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let is_it = |name: &str| name == text || name[..3] == text;
        DAYS.iter().position(|name| is_it(name)).and_then(|day| i8::try_from(day).ok())
    };
    match text.split_once('-') {
        Some((from, to)) => Some((day(from)?, day(to)?)),
        None => day(text).map(|day| (day, day)),
    }
}

/// A day or a moment; a day as an end means the end of that day.
fn point(text: &str, zone: &Zone, is_end: bool) -> Result<Moment, ExcludeError> {
    let wrong = || ExcludeError::Time(text.to_owned());
    match date(text) {
        Some(day) => {
            let day = if is_end { day.tomorrow().map_err(|_| wrong())? } else { day };
            instant_of(zone.rules(), day.to_datetime(Time::midnight())).and_then(moment).ok_or_else(wrong)
        }
        None => at::read(text, zone).map_err(|_| wrong()),
    }
}

/// A day or a moment, as `start` and `end` of an entry take them; a day as an end means the end of that day.
///
/// # Errors
/// [`ExcludeError::Time`] when it is neither.
pub fn bound(text: &str, zone: &Zone, is_end: bool) -> Result<Moment, ExcludeError> {
    let found = point(text, zone, is_end)?;
    Ok(if is_end && date(text).is_some() { found - Millis(1) } else { found })
}
