//! From the civil calendar to real instants, through the days on which the clock is changed.
//!
//! The rule is Vixie cron's, as its successors kept it. An expression that names times of day keeps to each of them
//! once: a time that the clock skips fires at the first instant after the gap, a time that it repeats fires the first
//! time round. An expression with a beat (`*` in minute or hour) follows the wall clock wherever it goes: what is
//! skipped does not happen, what is repeated happens twice.

use super::cron::{Cron, Start};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The first instant after `after`.
pub(super) fn next(cron: &Cron, after: Timestamp) -> Option<Timestamp> {
    match cron {
        // Looking for it would take the search through three thousand years.
        Cron { is_never: true, .. } => None,
        Cron { is_fixed: true, .. } => next_fixed(cron, after),
        Cron { is_fixed: false, .. } => next_beat(cron, after),
    }
}

/// Walks the civil matches from what the wall clock shows.
///
/// Nothing earlier can be due: a match before it has fired, or fell in a gap that ended at or before `after`.
fn next_fixed(cron: &Cron, after: Timestamp) -> Option<Timestamp> {
    let rules = cron.zone.rules();
    let mut civil = rules.to_datetime(after);
    loop {
        civil = cron.search(civil, Start::After)?;
        let instant = instant_of(rules, civil)?;
        // In the second pass of a repeated hour, the matches of the first pass come up again.
        if instant > after {
            return Some(instant);
        }
    }
}

/// Searches under the offset of the moment; where the clock is changed first, starts again from that change.
fn next_beat(cron: &Cron, after: Timestamp) -> Option<Timestamp> {
    let rules = cron.zone.rules();
    let (mut now, mut start) = (after, Start::After);
    loop {
        let offset = rules.to_offset(now);
        let found = cron.search(offset.to_datetime(now), start)?;
        let instant = offset.to_timestamp(found).ok()?;
        match rules.following(now).next() {
            Some(change) if change.timestamp() <= instant => (now, start) = (change.timestamp(), Start::Here),
            Some(_) | None => return Some(instant),
        }
    }
}

/// The one instant for a civil time: the first of two, or the end of the gap it is in.
pub(super) fn instant_of(rules: &TimeZone, civil: DateTime) -> Option<Timestamp> {
    let ambiguous = rules.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // Under the offset before the gap, a time inside it lies at or just after the change itself.
            let inside = before.to_timestamp(civil).ok()?.checked_add(SignedDuration::from_secs(1)).ok()?;
            rules.preceding(inside).next().map(|change| change.timestamp())
        }
    }
}
