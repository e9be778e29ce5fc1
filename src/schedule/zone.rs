//! Time zones: a name from the IANA database, and what a clock on the wall there shows.
//!
//! The rules of the zones come from the system's own database, read by jiff. Only [`Zone::system`] asks which zone
//! the machine itself is set to; everything else is told.

use crate::base::{Moment, did_you_mean};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

/// A time zone. Cheap to clone; two zones are equal when they have the same name.
///
/// ```
/// use neap::{base::Moment, schedule::Zone};
/// let berlin = Zone::named("Europe/Berlin").unwrap();
/// assert_eq!(berlin.format(Moment(1_795_420_800_000)), "2026-11-23T09:00:00+01:00");
/// ```
#[derive(Clone)]
pub struct Zone(TimeZone);

/// What a calendar and a clock on the wall show at one moment.
///
/// Displays as `2026-11-23 09:00`; seconds appear when they are not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// The year of the Gregorian calendar.
    pub year: i16,
    /// 1 is January.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// `Mon` to `Sun`.
    pub weekday: &'static str,
}

/// No zone of this name is known; fits after "failed to read the schedule: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a known time zone")]
pub struct UnknownZone {
    /// The name as it was given.
    pub name: String,
    hint: Option<String>,
}

impl UnknownZone {
    /// What was probably meant, as a sentence fragment.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl Zone {
    /// The zone with this name in the IANA database; upper and lower case are the same.
    ///
    /// # Errors
    /// [`UnknownZone`], with the name that was probably meant where one is close.
    pub fn named(name: &str) -> Result<Zone, UnknownZone> {
        match jiff::tz::db().get(name) {
            Ok(zone) if !zone.is_unknown() => Ok(Zone(zone)),
            Ok(_) | Err(_) => Err(UnknownZone { name: name.to_owned(), hint: hint_for(name) }),
        }
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The zone this machine is set to, and UTC when it does not say.
    pub fn system() -> Zone {
        match TimeZone::system() {
            zone if zone.is_unknown() => Zone::utc(),
            zone => Zone(zone),
        }
    }

    /// The IANA name, or `local` for a zone of the system that has none.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("local")
    }

    /// RFC 3339 with the offset of this zone: `2026-11-23T09:00:00+01:00`, and with `Z` for UTC.
    pub fn format(&self, moment: Moment) -> String {
        match timestamp(moment) {
            Some(timestamp) if self.name() == "UTC" => timestamp.to_string(),
            Some(timestamp) => timestamp.display_with_offset(self.0.to_offset(timestamp)).to_string(),
            None => moment.to_string(),
        }
    }

    /// What the wall clock shows; a moment after the year 9999 shows the end of that year.
    pub fn civil(&self, moment: Moment) -> Civil {
        let shown = self.0.to_datetime(timestamp(moment).unwrap_or(Timestamp::MAX));
        let small = |part: i8| u8::try_from(part).expect("the parts of a civil time are not negative");
        Civil {
            year: shown.year(),
            month: small(shown.month()),
            day: small(shown.day()),
            hour: small(shown.hour()),
            minute: small(shown.minute()),
            second: small(shown.second()),
            weekday: WEEKDAYS[usize::from(small(shown.weekday().to_monday_zero_offset()))],
        }
    }

    /// The day of the week, the date and the time: `Mon 2026-11-23 09:00`.
    pub fn weekday_and_time(&self, moment: Moment) -> String {
        let civil = self.civil(moment);
        format!("{} {civil}", civil.weekday)
    }

    pub(super) fn rules(&self) -> &TimeZone {
        &self.0
    }
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The moment as jiff counts it; none after the year 9999.
pub(super) fn timestamp(moment: Moment) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok()
}

/// The instant as a moment; none before 1970.
pub(super) fn moment(timestamp: Timestamp) -> Option<Moment> {
    u64::try_from(timestamp.as_millisecond()).ok().map(Moment)
}

/// The full name when only its last part was given (`berlin`), else the nearest spelling.
fn hint_for(name: &str) -> Option<String> {
    let database = jiff::tz::db();
    if database.is_definitively_empty() {
        return Some("this system has no time zone database; install the package tzdata".to_owned());
    }
    let known: Vec<String> = database.available().map(|known| known.as_str().to_owned()).collect();
    let wanted = name.replace(' ', "_");
    let is_last_part =
        |full: &&String| full.rsplit('/').next().is_some_and(|part| part.eq_ignore_ascii_case(&wanted));
    let city = known.iter().filter(|full| full.contains('/')).find(is_last_part).map(String::as_str);
    // Three letters are near to many others: `PST` does not mean `EST`.
    let near = || (name.len() > 4).then(|| did_you_mean(&wanted, known.iter().map(String::as_str))).flatten();
    match city.or_else(near) {
        Some(meant) => Some(format!("did you mean `{meant}`?")),
        None => Some("write a place of the IANA database, such as `Europe/Berlin`".to_owned()),
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, weekday: _ } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")?;
        match second {
            0 => Ok(()),
            second => write!(f, ":{second:02}"),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name()).finish()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn unknown(name: &str, hint: &str) {
        let error = Zone::named(name).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some(hint), "{name:?}");
        assert_eq!(error.to_string(), format!("`{name}` is not a known time zone"));
    }

    #[test]
    fn a_misspelt_zone_is_guessed() {
        unknown("Europe/Berln", "did you mean `Europe/Berlin`?");
        unknown("berlin", "did you mean `Europe/Berlin`?");
        unknown("new york", "did you mean `America/New_York`?");
        unknown("PST", "write a place of the IANA database, such as `Europe/Berlin`");
        unknown("", "write a place of the IANA database, such as `Europe/Berlin`");
        unknown("../../etc/passwd", "write a place of the IANA database, such as `Europe/Berlin`");
    }

    #[test]
    fn the_unknown_zone_of_the_database_is_not_taken_for_utc() {
        assert!(Zone::named("Etc/Unknown").is_err());
    }

    #[test]
    fn names_ignore_case_and_keep_their_spelling() {
        let zone = Zone::named("europe/BERLIN").unwrap();
        assert_eq!(zone.to_string(), "Europe/Berlin");
        assert_eq!(zone, Zone::named("Europe/Berlin").unwrap());
        assert_ne!(zone, Zone::utc());
    }

    #[test]
    fn the_wall_clock_is_shown() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let moment = Moment(1_795_420_800_000);
        assert_eq!(berlin.weekday_and_time(moment), "Mon 2026-11-23 09:00");
        assert_eq!(berlin.weekday_and_time(Moment(moment.0 + 7_000)), "Mon 2026-11-23 09:00:07");
        assert_eq!(Zone::utc().format(moment), "2026-11-23T08:00:00Z");
        assert_eq!(Zone::utc().civil(Moment(0)).weekday, "Thu");
    }

    #[test]
    fn a_moment_far_away_does_not_panic() {
        assert_eq!(Zone::utc().format(Moment(u64::MAX)), Moment(u64::MAX).to_string());
        assert_eq!(Zone::utc().civil(Moment(u64::MAX)).year, 9999);
    }
}
