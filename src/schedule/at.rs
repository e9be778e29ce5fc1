//! Reading a single moment: `2026-12-24 18:00`, or RFC 3339 with an offset.

use super::error::AtError;
use super::resolve::instant_of;
use super::zone::{Zone, moment, timestamp};
use crate::base::Moment;
use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp};

/// The moment that a text means; without an offset it is civil time in `zone`.
pub(super) fn read(text: &str, zone: &Zone) -> Result<Moment, AtError> {
    let text = text.trim();
    let written = Written::parse(text).ok_or_else(|| AtError::Shape(text.to_owned()))?;
    let civil = written.civil().ok_or_else(|| AtError::NoSuchTime(text.to_owned()))?;
    let instant = match written.offset_minutes {
        None => instant_of(zone.rules(), civil),
        Some(minutes) => since_offset(civil, minutes),
    };
    instant.and_then(moment).ok_or_else(|| AtError::OutOfRange(text.to_owned()))
}

/// The moment that a text means to somebody who waits from `after` on: a moment as above, or a time of day, which is
/// the next such time in `zone`.
pub(super) fn read_due(text: &str, zone: &Zone, after: Moment) -> Result<Moment, AtError> {
    let text = text.trim();
    if time_of_day(text).is_none() {
        return read(text, zone).map_err(|error| match error {
            AtError::Shape(text) => AtError::NoTime(text),
            error @ (AtError::NoTime(_) | AtError::NoSuchTime(_) | AtError::OutOfRange(_)) => error,
        });
    }
    let time = time_of(text).ok_or_else(|| AtError::NoSuchTime(text.to_owned()))?;
    next_time(time, zone, after).ok_or_else(|| AtError::OutOfRange(text.to_owned()))
}

/// As a fixed time of a cron expression: in a gap it is the end of the gap, and of two it is the first.
fn next_time(time: Time, zone: &Zone, after: Moment) -> Option<Moment> {
    let today = zone.rules().to_datetime(timestamp(after)?).date();
    // A day that a clock change leaves out altogether is made up for by the one after it.
    let days = std::iter::successors(Some(today), |day| day.tomorrow().ok()).take(3);
    let mut moments = days.filter_map(|day| instant_of(zone.rules(), day.to_datetime(time)).and_then(moment));
    moments.find(|moment| *moment > after)
}

/// A time of day that a clock can show: `18:00`.
pub(super) fn time_of(text: &str) -> Option<Time> {
    let [hour, minute, second] = time_of_day(text.trim())?;
    let small = |part: i16| i8::try_from(part).expect("it has two digits");
    Time::new(small(hour), small(minute), small(second), 0).ok()
}

/// `18:00` or `18:00:30`.
fn time_of_day(text: &str) -> Option<[i16; 3]> {
    match text.len() {
        5 => numbers(&format!("{text}:00"), ':', [2, 2, 2]),
        _ => numbers(text, ':', [2, 2, 2]),
    }
}

fn since_offset(civil: DateTime, minutes: i64) -> Option<Timestamp> {
    let utc = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    utc.checked_sub(SignedDuration::from_mins(minutes)).ok()
}

/// The parts of the text, not yet held against the calendar.
struct Written {
    date: [i16; 3],
    time: [i16; 3],
    nanosecond: i32,
    offset_minutes: Option<i64>,
}

impl Written {
    fn parse(text: &str) -> Option<Written> {
        let (date, rest) = (text.get(..10)?, text.get(10..)?);
        let clock = rest.strip_prefix(['T', 't']).or_else(|| rest.strip_prefix(' ').map(str::trim_start))?;
        let (clock, offset_minutes) = split_offset(clock)?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let (time, nanosecond) = match clock.split_once('.') {
            Some((clock, fraction)) => (numbers(clock, ':', [2, 2, 2])?, nanoseconds(fraction)?),
            None if clock.len() == 5 => (numbers(&format!("{clock}:00"), ':', [2, 2, 2])?, 0),
            None => (numbers(clock, ':', [2, 2, 2])?, 0),
        };
        Some(Written { date: [year, month, day], time, nanosecond, offset_minutes })
    }

    fn civil(&self) -> Option<DateTime> {
        let small = |part: i16| i8::try_from(part).expect("the parts after the year have two digits");
        let ([year, month, day], [hour, minute, second]) = (self.date, self.time);
        DateTime::new(
            year,
            small(month),
            small(day),
            small(hour),
            small(minute),
            small(second),
            self.nanosecond,
        )
        .ok()
    }
}

/// Splits `Z`, `+01:00` or `-05:30` off the end.
fn split_offset(clock: &str) -> Option<(&str, Option<i64>)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, Some(0)));
    }
    let Some(sign) = clock.rfind(['+', '-']) else {
        return Some((clock, None));
    };
    let [hours, minutes, _] = numbers(&format!("{}:00", &clock[sign + 1..]), ':', [2, 2, 2])?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = i64::from(hours) * 60 + i64::from(minutes);
    Some((&clock[..sign], Some(if clock[sign..].starts_with('-') { -ahead } else { ahead })))
}

/// A fraction of a second, of up to nine digits.
fn nanoseconds(fraction: &str) -> Option<i32> {
    let is_number = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| format!("{fraction:0<9}").parse().expect("nine digits"))
}

/// Three numbers with exactly these many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().expect("at most four digits");
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, AtError>) {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let found = read(text, &berlin).map(|moment| berlin.format(moment));
        assert_eq!(found, expected.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn civil_time_is_in_the_zone() {
        check("2026-12-24 18:00", Ok("2026-12-24T18:00:00+01:00"));
        check(" 2026-07-24T18:00:05 ", Ok("2026-07-24T18:00:05+02:00"));
    }

    #[test]
    fn an_offset_is_kept() {
        check("2026-12-24T18:00:00Z", Ok("2026-12-24T19:00:00+01:00"));
        check("2026-12-24T18:00:00-05:30", Ok("2026-12-25T00:30:00+01:00"));
        check("2026-12-24T17:00:00.5z", Ok("2026-12-24T18:00:00.5+01:00"));
        check("2026-12-24 18:00+01:00", Ok("2026-12-24T18:00:00+01:00"));
        check("2026-12-31T23:00:00-23:59", Ok("2027-01-01T23:59:00+01:00"));
    }

    #[test]
    fn a_clock_change_is_treated_as_in_cron() {
        check("2027-03-28 02:30", Ok("2027-03-28T03:00:00+02:00"));
        check("2027-10-31 02:30", Ok("2027-10-31T02:30:00+02:00"));
    }

    #[track_caller]
    fn check_due(text: &str, after: &str, expected: Result<&str, AtError>) {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let after = read(after, &berlin).unwrap();
        let found = read_due(text, &berlin, after).map(|moment| berlin.format(moment));
        assert_eq!(found, expected.map(str::to_owned), "{text:?}");
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        check_due("18:00", "2026-11-21 17:59:59", Ok("2026-11-21T18:00:00+01:00"));
        check_due("18:00", "2026-11-21 18:00", Ok("2026-11-22T18:00:00+01:00"));
        check_due(" 00:00:30 ", "2026-12-31 23:59", Ok("2027-01-01T00:00:30+01:00"));
        check_due("2026-11-21T18:00", "2026-12-01 00:00", Ok("2026-11-21T18:00:00+01:00"));
        check_due("2026-11-21T18:00Z", "2026-12-01 00:00", Ok("2026-11-21T19:00:00+01:00"));
    }

    #[test]
    fn a_time_of_day_keeps_to_each_day_once_when_the_clock_is_changed() {
        check_due("02:30", "2027-03-28 01:59", Ok("2027-03-28T03:00:00+02:00"));
        check_due("02:30", "2027-03-28 03:00", Ok("2027-03-29T02:30:00+02:00"));
        check_due("02:30", "2027-10-31 01:00", Ok("2027-10-31T02:30:00+02:00"));
        check_due("02:30", "2027-10-31T02:15:00+01:00", Ok("2027-11-01T02:30:00+01:00"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "soon", "6pm", "18", "1:00", "18:0", "+1:00", "2026-11-21", "18:00:00:00"] {
            check_due(text, "2026-11-21 12:00", Err(AtError::NoTime(text.to_owned())));
        }
        for text in ["24:00", "12:60", "2026-02-30 12:00"] {
            check_due(text, "2026-11-21 12:00", Err(AtError::NoSuchTime(text.to_owned())));
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let shapes =
            ["", "tomorrow", "2026-12-24", "18:00", "2026-12-24 6pm", "24.12.2026 18:00", "2026-12-24 18"];
        let signs = [
            "2026-12-24 18:00+1",
            "2026-12-24 18:00+24:00",
            "2026-12-24 18:00+01:60",
            "2026-12-24 +8:00",
            "2026-12-24 18:00:00.",
        ];
        let odd = [
            "2026-12-24T18:00:00:00",
            "2026-12-2４ 18:00",
            "+026-12-24 18:00",
            "2026-12-24  18:00-",
            "----------T",
        ];
        for text in shapes.iter().chain(&signs).chain(&odd) {
            check(text, Err(AtError::Shape((*text).to_owned())));
        }
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in ["2026-02-30 12:00", "2026-13-01 12:00", "2026-01-01 24:00", "2026-01-01 12:60:00Z"] {
            check(text, Err(AtError::NoSuchTime(text.to_owned())));
        }
        for text in ["1969-12-31 23:59:59Z", "9999-12-31 23:59:59-23:59"] {
            check(text, Err(AtError::OutOfRange(text.to_owned())));
        }
    }
}
