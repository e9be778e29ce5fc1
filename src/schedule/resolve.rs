//! From the civil calendar to real instants, through the days on which the clock is changed.
//!
//! The rule is Vixie cron's, as its successors kept it. An expression that names times of day keeps to each of them
//! once: a time that the clock skips fires at the first instant after the gap, a time that it repeats fires the first
//! time round. An expression with a beat (`*` in minute or hour) follows the wall clock wherever it goes: what is
//! skipped does not happen, what is repeated happens twice. An entry may ask for something else (`dst_gap`, `dst_overlap`).

use super::cron::{Cron, Fold, Gap, Start};
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
/// Nothing earlier can be due: a match before it has fired, or fell in a gap that ended at or before `after`. In the first
/// pass of a repeated hour, the second pass of what was shown before is still to come.
fn next_fixed(cron: &Cron, after: Timestamp) -> Option<Timestamp> {
    let rules = cron.zone.rules();
    let (mut civil, mut start) = match cron.fold {
        Fold::First => (rules.to_datetime(after), Start::After),
        Fold::Second | Fold::Both => start_of_fold(rules, after),
    };
    let mut best: Option<Timestamp> = None;
    loop {
        civil = cron.search(civil, start)?;
        start = Start::After;
        let (first, second) = instants_of(cron, civil)?;
        let due = [first, second].into_iter().flatten().filter(|instant| *instant > after).min();
        best = [best, due].into_iter().flatten().min();
        // In a repeated hour, what comes later on the wall may be due earlier: the first time round.
        let is_over = match second {
            Some(_) => first.is_some_and(|first| first > after) || cron.fold == Fold::Second,
            None => true,
        };
        if is_over && best.is_some() {
            return best;
        }
    }
}

/// The instants for a civil time: the one, and in a repeated hour the second.
fn instants_of(cron: &Cron, civil: DateTime) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
    let ambiguous = cron.zone.rules().to_ambiguous_timestamp(civil);
    Some(match (ambiguous.offset(), cron.fold) {
        (AmbiguousOffset::Gap { .. }, _) if cron.gap == Some(Gap::Skip) => (None, None),
        (AmbiguousOffset::Fold { .. }, Fold::Second) => (None, ambiguous.later().ok()),
        (AmbiguousOffset::Fold { .. }, Fold::Both) => (ambiguous.earlier().ok(), ambiguous.later().ok()),
        (
            AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } | AmbiguousOffset::Unambiguous { .. },
            _,
        ) => (Some(instant_of(cron.zone.rules(), civil)?), None),
    })
}

/// From where to walk so that no second pass is missed.
fn start_of_fold(rules: &TimeZone, after: Timestamp) -> (DateTime, Start) {
    let shown = rules.to_datetime(after);
    let ambiguous = rules.to_ambiguous_timestamp(shown);
    let is_first_pass = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. })
        && ambiguous.earlier().is_ok_and(|earlier| earlier == after);
    match rules.following(after).next().filter(|_| is_first_pass) {
        Some(change) => (rules.to_datetime(change.timestamp()), Start::Here),
        None => (shown, Start::After),
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
