//! The resolver against somebody who walks through time minute by minute and looks at the clock on the wall.
//!
//! `CRON_CASES=1000000` tries so many; a case that failed is printed with its seed, and `SEED=n` plays it again.

use super::*;
use crate::schedule::{Fold, Gap};
use jiff::civil::Date;
use std::collections::{BTreeSet, HashMap};

/// Thirty zones with every kind of clock change there is: by an hour, by half an hour, at midnight, a day left out.
const ZONES: [&str; 30] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Moscow",
    "Europe/Lisbon",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "America/Asuncion",
    "America/Phoenix",
    "America/Caracas",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Australia/Adelaide",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Antarctica/Troll",
];
const MINUTE: u64 = 60_000;
const DAY: u64 = 1440 * MINUTE;
/// So long is walked, from a random day of 2005 to 2026 on.
const DAYS: u64 = 400;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A field, and which values it means; written by hand, so that the reader of expressions is tried too.
struct Field {
    text: String,
    values: BTreeSet<u64>,
    has_star: bool,
}

fn field(rng: &mut Rng, low: u64, high: u64, stars: u64) -> Field {
    let size = high - low + 1;
    if rng.below(10) < stars {
        let step = if rng.below(2) == 0 { 1 } else { 1 + rng.below(size / 2) };
        let text = if step == 1 { "*".to_owned() } else { format!("*/{step}") };
        return Field { text, values: (low..=high).step_by(step as usize).collect(), has_star: true };
    }
    let (mut texts, mut values) = (Vec::new(), BTreeSet::new());
    for _ in 0..1 + rng.below(3) {
        let from = low + rng.below(size);
        let to = if rng.below(3) == 0 { from + rng.below(high - from + 1) } else { from };
        texts.push(if from == to { from.to_string() } else { format!("{from}-{to}") });
        values.extend(from..=to);
    }
    Field { text: texts.join(","), values, has_star: false }
}

struct Case {
    text: String,
    fields: [Field; 5],
    zone: Zone,
    gap: Gap,
    fold: Fold,
    from: Moment,
}

impl Case {
    fn new(seed: u64) -> Case {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        rng.below(2);
        let fields = [
            field(&mut rng, 0, 59, 3),
            // Half of them at the hours in which clocks are changed.
            if rng.below(2) == 0 { field(&mut rng, 0, 3, 0) } else { field(&mut rng, 0, 23, 3) },
            field(&mut rng, 1, 31, 7),
            field(&mut rng, 1, 12, 8),
            field(&mut rng, 0, 6, 7),
        ];
        let text = fields.each_ref().map(|field| field.text.as_str()).join(" ");
        let zone = Zone::named(ZONES[rng.below(30) as usize]).unwrap();
        let gap = [Gap::RunAfter, Gap::Skip][rng.below(2) as usize];
        let fold = [Fold::First, Fold::Second, Fold::Both][rng.below(3) as usize];
        let from = Moment(1_104_537_600_000 + rng.below(7800) * DAY);
        Case { text, fields, zone, gap, fold, from }
    }

    fn is_day(&self, date: Date) -> bool {
        let [_, _, day, month, weekday] = &self.fields;
        let by_day = day.values.contains(&(date.day() as u64));
        let by_weekday = weekday.values.contains(&(date.weekday().to_sunday_zero_offset() as u64));
        let is_both = day.has_star || weekday.has_star;
        let is_day = if is_both { by_day && by_weekday } else { by_day || by_weekday };
        is_day && month.values.contains(&(date.month() as u64))
    }

    fn is_fixed(&self) -> bool {
        !self.fields[0].has_star && !self.fields[1].has_star
    }

    /// What somebody sees who looks at the clock on the wall at every minute of real time.
    fn walk(&self) -> BTreeSet<Moment> {
        let mut wall = Wall { case: self, days: HashMap::new() };
        let from = self.from.0 as i64;
        let changes = self.changes();
        let mut offset = offset_at(&self.zone, self.from);
        let mut rest = changes.iter().skip_while(|change| change.at < from).peekable();
        let mut due = BTreeSet::new();
        for now in (from..from + (DAYS * DAY) as i64).step_by(MINUTE as usize) {
            if let Some(change) = rest.next_if(|change| change.at == now) {
                offset = change.new;
                let skipped = (now + change.old..now + change.new).step_by(MINUTE as usize);
                let is_made_up = self.is_fixed() && self.gap == Gap::RunAfter;
                if is_made_up && skipped.into_iter().any(|shown| wall.matches(shown)) {
                    due.insert(Moment(now as u64));
                }
            }
            let is_second = changes.iter().any(|c| (c.at..c.at + c.old - c.new).contains(&now));
            let is_first = changes.iter().any(|c| (c.at - c.old + c.new..c.at).contains(&now));
            let is_wanted = match self.fold {
                _ if !self.is_fixed() => true,
                Fold::First => !is_second,
                Fold::Second => !is_first,
                Fold::Both => true,
            };
            if is_wanted && wall.matches(now + offset) {
                due.insert(Moment(now as u64));
            }
        }
        due
    }

    /// The clock changes of the time that is walked, and of a little more.
    fn changes(&self) -> Vec<Change> {
        let start = timestamp(self.from - Millis(2 * DAY)).unwrap();
        let end = (self.from.0 + (DAYS + 2) * DAY) as i64;
        let changes = self.zone.rules().following(start).map(|change| change.timestamp().as_millisecond());
        let offset = |at: i64| offset_at(&self.zone, Moment(at as u64));
        changes
            .take_while(|at| *at < end)
            .map(|at| Change { at, old: offset(at - 1000), new: offset(at) })
            .collect()
    }
}

/// A clock change: when, and how far the clock on the wall is ahead before and after it, in milliseconds.
struct Change {
    at: i64,
    old: i64,
    new: i64,
}

fn offset_at(zone: &Zone, at: Moment) -> i64 {
    i64::from(zone.rules().to_offset(timestamp(at).unwrap()).seconds()) * 1000
}

/// The clock on the wall. Which days match is remembered.
struct Wall<'c> {
    case: &'c Case,
    days: HashMap<i64, bool>,
}

impl Wall<'_> {
    fn matches(&mut self, shown: i64) -> bool {
        let [minute, hour, ..] = &self.case.fields;
        let (day, minutes) = (shown.div_euclid(DAY as i64), shown.rem_euclid(DAY as i64) / MINUTE as i64);
        if !minute.values.contains(&(minutes as u64 % 60)) || !hour.values.contains(&(minutes as u64 / 60)) {
            return false;
        }
        *self.days.entry(day).or_insert_with(|| {
            let epoch = Date::new(1970, 1, 1).unwrap();
            self.case.is_day(epoch.checked_add(jiff::Span::new().days(day)).unwrap())
        })
    }
}

#[test]
fn the_resolver_sees_what_a_walker_sees() {
    let cases: u64 = std::env::var("CRON_CASES").map_or(12, |n| n.parse().unwrap());
    let seeds = std::env::var("SEED").map_or(0..cases, |seed| {
        let seed: u64 = seed.parse().unwrap();
        seed..seed + 1
    });
    let mut fires = 0;
    for seed in seeds {
        let case = Case::new(seed);
        let schedule = Schedule::cron(&case.text, &case.zone).unwrap();
        let schedule = schedule.at_clock_changes(Some(case.gap), case.fold);
        let until = case.from + Millis(DAYS * DAY);
        let found: BTreeSet<Moment> =
            schedule.fires(case.from - Millis(1)).take_while(|at| *at < until).collect();
        let seen = case.walk();
        let odd: Vec<String> =
            found.symmetric_difference(&seen).take(5).map(|at| case.zone.format(*at)).collect();
        assert!(
            odd.is_empty(),
            "SEED={seed}: `{}` in {} {:?} {:?}: {odd:?}",
            case.text,
            case.zone,
            case.gap,
            case.fold
        );
        fires += found.len();
    }
    println!("{cases} cases, {fires} fires");
}
