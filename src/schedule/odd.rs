//! The days on which a schedule does not do what its text says, because the clock is changed under it.

use super::cron::{Cron, Start};
use super::zone::{moment, timestamp};
use crate::base::Moment;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// A day on which a time of the schedule does not exist, or exists twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddDay {
    /// The day, as `2027-03-28`.
    pub date: String,
    /// The first time of the schedule that is affected, as `02:30`.
    pub time: String,
    /// What the clock does to it.
    pub change: ClockChange,
    /// When the schedule fires for it.
    pub fires: Moment,
}

/// What a clock change does to a civil time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// The clock jumps over it; the schedule fires at the first instant after the jump.
    Skipped,
    /// The clock shows it twice; the schedule fires the first time.
    Repeated,
}

impl fmt::Display for OddDay {
    /// Fits into a list: `on 2027-03-28 the clock skips 02:30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.change {
            ClockChange::Skipped => "skips",
            ClockChange::Repeated => "repeats",
        };
        write!(f, "on {} the clock {verb} {}", self.date, self.time)
    }
}

/// One entry for each clock change after `from`, up to `until`, that hits an expression which names times of day.
pub(super) fn odd_days(cron: &Cron, from: Moment, until: Moment) -> Vec<OddDay> {
    let (Some(from), true) = (timestamp(from), cron.is_fixed && !cron.is_never) else {
        return Vec::new();
    };
    let until = timestamp(until).unwrap_or(Timestamp::MAX);
    let changes = cron.zone.rules().following(from).map(|change| change.timestamp());
    changes.take_while(|change| *change <= until).filter_map(|change| odd_day(cron, change)).collect()
}

fn odd_day(cron: &Cron, change: Timestamp) -> Option<OddDay> {
    let rules = cron.zone.rules();
    let before = rules.to_offset(change.checked_sub(SignedDuration::from_secs(1)).ok()?);
    let (old, new) = (before.to_datetime(change), rules.to_offset(change).to_datetime(change));
    let civil = cron.search(old.min(new), Start::Here)?;
    if civil >= old.max(new) {
        return None;
    }
    let (change, fires) = match old < new {
        true => (ClockChange::Skipped, change),
        false => (ClockChange::Repeated, before.to_timestamp(civil).ok()?),
    };
    let time = if civil.second() == 0 { civil.strftime("%H:%M") } else { civil.strftime("%H:%M:%S") };
    Some(OddDay { date: civil.date().to_string(), time: time.to_string(), change, fires: moment(fires)? })
}
