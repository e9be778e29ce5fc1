//! Why a text is not a schedule, in words and with its place.
//!
//! Nothing here knows about files; a span counts bytes inside the expression itself.

use super::zone::UnknownZone;
use crate::base::Millis;
use std::fmt;
use std::ops::Range;

/// Why a cron expression is refused; fits after "failed to read the schedule: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// There is nothing but blanks.
    #[error("the cron expression is empty")]
    Empty,
    /// Neither 5 nor 6 fields, nor 7 with a year.
    #[error(
        "a cron expression has 5 fields (minute hour day month weekday), or 6 with seconds first, but this has {found}"
    )]
    FieldCount {
        /// How many there are.
        found: usize,
        /// What to write instead, where it can be guessed.
        hint: Option<String>,
        /// All of the fields.
        span: Range<usize>,
    },
    /// A word that starts with `@` and means nothing here.
    #[error("`{text}` is not one of @yearly, @monthly, @weekly, @daily and @hourly")]
    Nickname {
        /// The word.
        text: String,
        /// What to write instead, where it can be guessed.
        hint: Option<String>,
        /// The word's place.
        span: Range<usize>,
    },
    /// The zone after `CRON_TZ=` is not known.
    #[error("{source}")]
    Zone {
        /// The unknown name and its hint.
        source: UnknownZone,
        /// The name's place.
        span: Range<usize>,
    },
    /// One field is wrong.
    #[error("the {field} field is wrong: {fault}")]
    Field {
        /// Which field.
        field: CronField,
        /// What is wrong with it.
        fault: FieldFault,
        /// What to write instead, where it can be guessed.
        hint: Option<String>,
        /// The item of the field that is wrong.
        span: Range<usize>,
    },
    /// The cron library refuses what our own reading of the fields lets pass.
    #[error("the cron expression cannot be read: {reason}")]
    Refused {
        /// The library's words.
        reason: String,
        /// The whole expression.
        span: Range<usize>,
    },
}

/// One field of a cron expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronField {
    /// The first of 6 or 7 fields.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// The day of the month, 1 to 31.
    Day,
    /// 1 to 12, or JAN to DEC.
    Month,
    /// 0 to 7, both of which are Sunday, or SUN to SAT.
    Weekday,
    /// The last of 7 fields, 1970 to 5000.
    Year,
}

/// What is wrong with one field of a cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    /// Two commas side by side, or one at an end.
    #[error("an item of the list is empty")]
    EmptyItem,
    /// A number which the field cannot have.
    #[error("`{text}` is not between {low} and {high}")]
    OutOfRange {
        /// The number as written.
        text: String,
        /// The least value of the field.
        low: u16,
        /// The greatest value of the field.
        high: u16,
    },
    /// Neither a number nor a name.
    #[error("`{text}` is {expected}")]
    NotAValue {
        /// The item as written.
        text: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// The first value of a range is greater than the second.
    #[error("the range `{0}` runs backwards")]
    Backwards(String),
    /// What follows the slash.
    #[error("the step `{0}` is not a number from 1 to 9999")]
    BadStep(String),
    /// A step after a single value, or after nothing.
    #[error("`{0}` has a step but no range to step through")]
    StepWithoutRange(String),
    /// `*` beside other items.
    #[error("`*` means every value, so it cannot stand in a list")]
    StarInList,
    /// `L`, `W`, `#` or `+` in a place where it means nothing.
    #[error("`{text}` is wrong, {rule}")]
    Modifier {
        /// The item as written.
        text: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

/// Why an interval is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EveryError {
    /// Less than a second: a task is not the place for a tight loop.
    #[error("an interval of {0} is too short; the shortest is 1s")]
    TooShort(Millis),
}

/// Why the text of a single moment is refused; fits after "failed to read the schedule: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AtError {
    /// Not a date and a time.
    #[error(
        "`{0}` is not a date and a time; write it like 2026-12-24 18:00, or with an offset like 2026-12-24T18:00:00+01:00"
    )]
    Shape(String),
    /// Neither a date with a time nor a time of day.
    #[error(
        "`{0}` is neither a date with a time, such as 2026-12-24T18:00, nor a time of day, such as 18:00"
    )]
    NoTime(String),
    /// Well written, but the calendar or the clock has no such day or time.
    #[error("`{0}` does not exist in the calendar")]
    NoSuchTime(String),
    /// Before 1970 or after 9999.
    #[error("`{0}` is not between the years 1970 and 9999")]
    OutOfRange(String),
}

impl CronError {
    /// The bytes of the expression that are wrong; all of it when no part can be blamed, and nothing when it is empty.
    pub fn span(&self) -> Range<usize> {
        match self {
            CronError::Empty => 0..0,
            CronError::FieldCount { span, .. }
            | CronError::Nickname { span, .. }
            | CronError::Zone { span, .. }
            | CronError::Field { span, .. }
            | CronError::Refused { span, .. } => span.clone(),
        }
    }

    /// What to write instead, where it can be guessed.
    pub fn hint(&self) -> Option<String> {
        match self {
            CronError::Empty | CronError::Refused { .. } => None,
            CronError::FieldCount { hint, .. }
            | CronError::Nickname { hint, .. }
            | CronError::Field { hint, .. } => hint.clone(),
            CronError::Zone { source, .. } => source.hint(),
        }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CronField::Second => "second",
            CronField::Minute => "minute",
            CronField::Hour => "hour",
            CronField::Day => "day-of-month",
            CronField::Month => "month",
            CronField::Weekday => "weekday",
            CronField::Year => "year",
        })
    }
}
