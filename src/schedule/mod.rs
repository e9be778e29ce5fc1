//! When a task is due: cron expressions, intervals and single moments, each as "the next instant after".
//!
//! Nothing here reads a clock, waits or remembers what has fired. What to do about slots that were missed belongs to the
//! engine. What fires for another reason than the time (`Occasion`) is a schedule that is never due.

mod at;
mod cron;
mod error;
mod field;
mod jitter;
mod limits;
mod occasion;
mod odd;
mod resolve;
mod words;
mod zone;

pub use cron::{Fold, Gap};
pub use error::{AtError, CronError, CronField, EveryError, FieldFault};
pub use jitter::jitter;
pub use limits::{ExcludeError, Exclusion, Limits, bound};
pub use occasion::{End, Occasion};
pub use odd::{ClockChange, OddDay};
pub use zone::{Civil, UnknownZone, Zone};

use crate::base::{Millis, Moment};
use cron::Cron;
use std::fmt;
use std::iter::successors;
use std::sync::Arc;

/// When something is due. Cheap to clone; two are equal when they are written alike and lie in the same zone.
///
/// ```
/// use neap::{base::Moment, schedule::{Schedule, Zone}};
/// let berlin = Zone::named("Europe/Berlin").unwrap();
/// let schedule = Schedule::cron("*/15 9-17 * * mon-fri", &berlin).unwrap();
/// let saturday = Moment(1_795_248_000_000);
/// assert_eq!(berlin.weekday_and_time(schedule.next(saturday).unwrap()), "Mon 2026-11-23 09:00");
/// assert_eq!(schedule.describe(), "every 15 minutes from 09:00 to 17:45, Monday to Friday (Europe/Berlin)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    kind: Kind,
    limits: Option<Arc<Limits>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Cron(Arc<Cron>),
    Every(Millis),
    At { moment: Moment, zone: Zone },
    Occasion(Occasion),
}

const SHORTEST_INTERVAL: Millis = Millis::from_secs(1);

impl From<Kind> for Schedule {
    fn from(kind: Kind) -> Schedule {
        Schedule { kind, limits: None }
    }
}

impl Schedule {
    /// Reads a cron expression: 5 fields, 6 with seconds first, or 7 with a year last; or a nickname such as `@daily`.
    ///
    /// A leading `CRON_TZ=Zone` overrides the zone. When both days are restricted a day that matches either of them
    /// is due, except that both must match where one of them starts with `*` or the weekday with `+`.
    ///
    /// # Errors
    /// [`CronError`] says which field is wrong and where.
    pub fn cron(expression: &str, zone: &Zone) -> Result<Schedule, CronError> {
        Cron::parse(expression, zone).map(|cron| Kind::Cron(Arc::new(cron)).into())
    }

    /// Every multiple of `interval` since the Unix epoch, so a restart does not shift the beat.
    ///
    /// # Errors
    /// [`EveryError`] when the interval is shorter than a second.
    pub fn every(interval: Millis) -> Result<Schedule, EveryError> {
        match interval < SHORTEST_INTERVAL {
            true => Err(EveryError::TooShort(interval)),
            false => Ok(Kind::Every(interval).into()),
        }
    }

    /// Once: `2026-12-24 18:00` as the clock in `zone` shows it, or RFC 3339 with an offset of its own.
    ///
    /// A time which the clock of the zone skips is the first instant after the gap; of a repeated one it is the first.
    ///
    /// # Errors
    /// [`AtError`] when the text is not a date and a time between 1970 and 9999.
    pub fn at(text: &str, zone: &Zone) -> Result<Schedule, AtError> {
        at::read(text, zone).map(|moment| Kind::At { moment, zone: zone.clone() }.into())
    }

    /// What fires for another reason than the time.
    pub fn on(occasion: Occasion) -> Schedule {
        Kind::Occasion(occasion).into()
    }

    /// What makes it fire, when that is not the time.
    pub fn occasion(&self) -> Option<&Occasion> {
        match &self.kind {
            Kind::Occasion(occasion) => Some(occasion),
            Kind::Cron(_) | Kind::Every(_) | Kind::At { .. } => None,
        }
    }

    /// The same within bounds and with exceptions.
    pub fn within(self, limits: Limits) -> Schedule {
        let limits = (!limits.is_none()).then(|| Arc::new(limits));
        Schedule { limits, ..self }
    }

    /// The bounds and exceptions.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_deref()
    }

    /// The same, with this done at clock changes. Only a cron expression that names its times of day knows them.
    pub fn at_clock_changes(self, gap: Option<Gap>, fold: Fold) -> Schedule {
        match self.kind {
            Kind::Cron(cron) if (cron.gap, cron.fold) != (gap, fold) => {
                let mut cron = (*cron).clone();
                (cron.gap, cron.fold) = (gap, fold);
                Schedule { kind: Kind::Cron(Arc::new(cron)), ..self }
            }
            kind => Schedule { kind, ..self },
        }
    }

    /// What was said about clock changes, where it was: what is skipped, and what is repeated.
    pub fn clock_changes(&self) -> (Option<Gap>, Fold) {
        match &self.kind {
            Kind::Cron(cron) => (cron.gap, cron.fold),
            Kind::Every(_) | Kind::At { .. } | Kind::Occasion(_) => (None, Fold::default()),
        }
    }

    /// The first instant after `after`; none when there is no more, or none before the year 5000.
    ///
    /// Asked again with its own answer, it moves forward strictly.
    pub fn next(&self, after: Moment) -> Option<Moment> {
        match &self.limits {
            None => self.next_by_text(after),
            Some(limits) => limits.next(after, |after| self.next_by_text(after)),
        }
    }

    fn next_by_text(&self, after: Moment) -> Option<Moment> {
        match &self.kind {
            Kind::Cron(cron) => resolve::next(cron, zone::timestamp(after)?).and_then(zone::moment),
            Kind::Every(interval) => (after.0 / interval.0 + 1).checked_mul(interval.0).map(Moment),
            Kind::At { moment, .. } => (*moment > after).then_some(*moment),
            Kind::Occasion(_) => None,
        }
    }

    /// All instants after `after`, in order.
    pub fn fires(&self, after: Moment) -> impl Iterator<Item = Moment> {
        successors(self.next(after), |last| self.next(*last))
    }

    /// Whether no day of the calendar ever matches, as with `0 0 31 2 *`. Known since the expression was read.
    pub fn never_fires(&self) -> bool {
        match &self.kind {
            Kind::Cron(cron) => cron.is_never,
            Kind::Every(_) | Kind::At { .. } | Kind::Occasion(_) => false,
        }
    }

    /// The zone whose wall clock counts; an interval has none.
    pub fn zone(&self) -> Option<&Zone> {
        match &self.kind {
            Kind::Cron(cron) => Some(&cron.zone),
            Kind::Every(_) | Kind::Occasion(_) => None,
            Kind::At { zone, .. } => Some(zone),
        }
    }

    /// The schedule in words: `daily at 03:13 (Europe/Berlin)`, `every 5m`, `once at 2026-12-24 18:00 (UTC)`.
    pub fn describe(&self) -> String {
        let zone = self.zone().cloned().unwrap_or_else(Zone::utc);
        self.describe_text() + &self.limits.as_ref().map(|limits| limits.describe(&zone)).unwrap_or_default()
    }

    fn describe_text(&self) -> String {
        match &self.kind {
            Kind::Cron(cron) => words::describe(cron),
            Kind::Every(_) => self.to_string(),
            Kind::At { moment, zone } => format!("once at {} ({})", zone.civil(*moment), zone.name()),
            Kind::Occasion(occasion) => occasion.describe(),
        }
    }

    /// The clock changes after `from`, up to `until`, at which a time of day of this schedule is skipped or repeated.
    ///
    /// Only a cron expression that names its times of day has any: those with `*` in minute or hour follow the wall
    /// clock, and nobody is surprised.
    pub fn odd_days(&self, from: Moment, until: Moment) -> Vec<OddDay> {
        match &self.kind {
            Kind::Cron(cron) => odd::odd_days(cron, from, until),
            Kind::Every(_) | Kind::At { .. } | Kind::Occasion(_) => Vec::new(),
        }
    }
}

/// The moment that a text means to somebody who waits from `after` on: a date with a time as in [`Schedule::at`], also
/// one that has passed, or a time of day (`18:00`, `18:00:30`), which is the next such time after `after` in `zone`.
///
/// # Errors
/// [`AtError`] when the text is neither.
pub fn due(text: &str, zone: &Zone, after: Moment) -> Result<Moment, AtError> {
    at::read_due(text, zone, after)
}

impl fmt::Display for Schedule {
    /// The source with single blanks: `13 3 * * *`, `every 5m`, `at 2026-12-24T18:00:00+01:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Cron(cron) => f.pad(&cron.text),
            Kind::Every(interval) => f.pad(&format!("every {}", exactly(*interval))),
            Kind::At { moment, zone } => f.pad(&format!("at {}", zone.format(*moment))),
            Kind::Occasion(occasion) => f.pad(&occasion.to_string()),
        }
    }
}

/// Every unit of the interval: the display of [`Millis`] rounds to two.
fn exactly(interval: Millis) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    let mut rest = interval.0;
    let mut text = String::new();
    for (size, unit) in units {
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests;
