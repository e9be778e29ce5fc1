//! Which slots a schedule has, found by looking at every minute: slowly, and knowing nothing of how the engine asks.
//!
//! Every time in these histories lies on a full minute, except the single moments of an `at`.

use neap::base::{Millis, Moment};
use neap::schedule::{Fold, Gap, Schedule, Zone};
use std::sync::{Arc, LazyLock};

pub(super) const MINUTE: u64 = 60_000;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// So many days are looked at, three of them before the one in which a history begins: clocks are set back too.
const DAYS: u64 = 13;
const BEFORE: u64 = 3;

/// A day, and a zone in which something is the matter with it: an hour too few or too many, or half an hour, or nothing.
const PLACES: [(&str, &str); 7] = [
    ("2026-10-25", "Europe/Berlin"),
    ("2027-03-28", "Europe/Berlin"),
    ("2026-11-01", "America/New_York"),
    ("2027-03-14", "America/New_York"),
    ("2026-10-04", "Australia/Lord_Howe"),
    ("2027-04-04", "Australia/Lord_Howe"),
    ("2026-12-31", "UTC"),
];

/// What the clock on the wall shows in each minute of some days.
pub(super) struct Almanac {
    pub(super) zone: Zone,
    /// When the day begins on which the clock is changed.
    pub(super) day: Moment,
    /// The minutes of each whole day there: the minute of the day that is shown, and when.
    days: Vec<Day>,
}

type Day = Vec<(u32, Moment)>;

pub(super) static UTC: LazyLock<Zone> = LazyLock::new(Zone::utc);

static ALMANACS: LazyLock<Vec<Almanac>> =
    LazyLock::new(|| PLACES.iter().map(|(day, zone)| Almanac::of(day, zone)).collect());

pub(super) fn almanac(number: u64) -> &'static Almanac {
    &ALMANACS[number as usize % PLACES.len()]
}

impl Almanac {
    fn of(day: &str, zone: &str) -> Almanac {
        let zone = Zone::named(zone).unwrap();
        let day = Schedule::at(&format!("{day} 00:00"), &zone).unwrap().next(Moment(0)).unwrap();
        let first = Moment(day.0 - BEFORE * DAY);
        let mut days: Vec<((u8, u8), Day)> = Vec::new();
        for minute in 0..DAYS * 24 * 60 {
            let moment = Moment(first.0 + minute * MINUTE);
            let shown = zone.civil(moment);
            let date = (shown.month, shown.day);
            if days.last().is_none_or(|(last, _)| *last != date) {
                days.push((date, Day::new()));
            }
            let of_day = u32::from(shown.hour) * 60 + u32::from(shown.minute);
            days.last_mut().unwrap().1.push((of_day, moment));
        }
        // Days that were begun or left in the middle would look as if the clock had been changed.
        let whole = days[1..days.len() - 1].iter().map(|(_, minutes)| minutes.clone()).collect();
        Almanac { zone, day, days: whole }
    }
}

/// What people write, in the parts that the walker understands.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// It follows the clock on the wall, whatever that shows: one of both texts begins with a star.
    Beat {
        minutes: (String, Vec<u32>),
        hours: (String, Vec<u32>),
    },
    /// These times of the day, and what becomes of those that a clock change skips or repeats.
    Fixed {
        minutes: Vec<u32>,
        hours: Vec<u32>,
        gap: Option<Gap>,
        fold: Fold,
    },
    Every(Millis),
    At(Moment),
}

impl Form {
    pub(super) fn text(&self) -> String {
        match self {
            Form::Beat { minutes, hours } => format!("{} {} * * *", minutes.0, hours.0),
            Form::Fixed { minutes, hours, .. } => format!("{} {} * * *", list(minutes), list(hours)),
            Form::Every(interval) => format!("every {interval}"),
            Form::At(moment) => format!("at {}", moment.0),
        }
    }

    pub(super) fn schedule(&self, zone: &Zone) -> Schedule {
        match self {
            Form::Beat { .. } => Schedule::cron(&self.text(), zone).unwrap(),
            Form::Fixed { gap, fold, .. } => {
                Schedule::cron(&self.text(), zone).unwrap().at_clock_changes(*gap, *fold)
            }
            Form::Every(interval) => Schedule::every(*interval).unwrap(),
            Form::At(moment) => Schedule::at(&Zone::utc().format(*moment), zone).unwrap(),
        }
    }

    /// All its slots in the days of the almanac.
    pub(super) fn slots(&self, almanac: &'static Almanac) -> Arc<[Moment]> {
        let minutes = || almanac.days.iter().flatten();
        let mut slots: Vec<Moment> = match self {
            Form::Beat { minutes: (_, m), hours: (_, h) } => minutes()
                .filter(|(shown, _)| m.contains(&(shown % 60)) && h.contains(&(shown / 60)))
                .map(|(_, moment)| *moment)
                .collect(),
            Form::Fixed { minutes, hours, gap, fold } => {
                let times: Vec<u32> =
                    hours.iter().flat_map(|h| minutes.iter().map(move |m| h * 60 + m)).collect();
                let of =
                    |day: &'static Day| times.iter().flat_map(move |time| instants(day, *time, *gap, *fold));
                almanac.days.iter().flat_map(of).collect()
            }
            Form::Every(interval) => {
                minutes().map(|(_, moment)| *moment).filter(|moment| moment.0 % interval.0 == 0).collect()
            }
            Form::At(moment) => vec![*moment],
        };
        slots.sort();
        slots.dedup();
        slots.into()
    }
}

/// When the clock shows this time on this day, as far as the schedule cares.
fn instants(day: &[(u32, Moment)], time: u32, gap: Option<Gap>, fold: Fold) -> Vec<Moment> {
    let shown: Vec<Moment> = day.iter().filter(|(shown, _)| *shown == time).map(|(_, at)| *at).collect();
    match (shown.as_slice(), fold) {
        ([], _) if gap == Some(Gap::Skip) => Vec::new(),
        ([], _) => day.iter().find(|(shown, _)| *shown > time).map(|(_, at)| *at).into_iter().collect(),
        ([first, ..], Fold::First) => vec![*first],
        ([.., last], Fold::Second) => vec![*last],
        (_, Fold::Both) => shown,
    }
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
