//! Random expressions against slow but obvious walkers, and laws that hold in every zone.

use crate::base::Moment;
use crate::schedule::cron::Cron;
use crate::schedule::{Schedule, Zone};
use cron::TimeUnitSpec;
use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::select;
use std::str::FromStr;
use std::sync::LazyLock;

/// One field: its text and the values it stands for, as a set of bits.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: u64,
}

impl Field {
    fn has(&self, value: i8) -> bool {
        self.values >> value & 1 == 1
    }

    fn has_star(&self) -> bool {
        self.text.starts_with('*')
    }
}

fn bits(values: impl IntoIterator<Item = u64>) -> u64 {
    values.into_iter().fold(0, |bits, value| bits | 1 << value)
}

fn item(low: u64, high: u64) -> impl Strategy<Value = Field> {
    (low..=high, low..=high, 1..=high, 0..5).prop_map(move |(a, b, step, shape)| {
        let (a, b) = (a.min(b), a.max(b));
        let (text, values) = match shape {
            0 => (format!("*/{step}"), bits((low..=high).step_by(step as usize))),
            1 => (format!("{a}-{b}/{step}"), bits((a..=b).step_by(step as usize))),
            2 => (format!("{a}-{b}"), bits(a..=b)),
            _ => (a.to_string(), bits([a])),
        };
        Field { text, values }
    })
}

fn field(low: u64, high: u64, stars: u32) -> impl Strategy<Value = Field> {
    let star = Just(Field { text: "*".to_owned(), values: bits(low..=high) });
    let list = proptest::collection::vec(item(low, high), 1..4).prop_map(|items| Field {
        text: items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(","),
        values: items.iter().fold(0, |bits, item| bits | item.values),
    });
    prop_oneof![stars => star, 3 => list]
}

#[derive(Clone, Debug)]
struct Expression {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

fn expression() -> impl Strategy<Value = Expression> {
    let fields = (field(0, 59, 1), field(0, 23, 1), field(1, 31, 6), field(1, 12, 9), field(0, 7, 6));
    fields.prop_map(|(minute, hour, day, month, weekday)| Expression { minute, hour, day, month, weekday })
}

impl Expression {
    fn text(&self) -> String {
        let Expression { minute, hour, day, month, weekday } = self;
        [minute, hour, day, month, weekday].map(|field| field.text.as_str()).join(" ")
    }

    /// As crontab(5) says it.
    fn matches(&self, civil: DateTime) -> bool {
        self.minute.has(civil.minute()) && self.hour.has(civil.hour()) && self.matches_date(civil)
    }

    fn matches_date(&self, civil: DateTime) -> bool {
        let weekday = civil.weekday().to_sunday_zero_offset();
        let day = self.day.has(civil.day());
        let weekday = self.weekday.has(weekday) || (weekday == 0 && self.weekday.has(7));
        let is_day = match self.day.has_star() || self.weekday.has_star() {
            true => day && weekday,
            false => day || weekday,
        };
        self.month.has(civil.month()) && is_day
    }

    fn is_beat(&self) -> bool {
        self.minute.has_star() || self.hour.has_star()
    }
}

/// Some weeks, minute by minute.
struct Weeks {
    zone: Zone,
    minutes: Vec<Minute>,
}

struct Minute {
    instant: Timestamp,
    /// What the wall clock shows.
    civil: DateTime,
    /// What it shows, or has jumped over, for the first time: nothing in a repeated hour, sixty minutes after a gap.
    first: Vec<DateTime>,
}

impl Weeks {
    fn around(zone: &str, from: &str, days: i64) -> Weeks {
        let zone = Zone::named(zone).unwrap();
        let from: Timestamp = from.parse().unwrap();
        let mut expected = zone.rules().to_datetime(from);
        let minutes = (0..days * 1440).map(|count| {
            let instant = from + count.minutes();
            let civil = zone.rules().to_datetime(instant);
            let mut first = Vec::new();
            while expected <= civil {
                first.push(expected);
                expected += 1.minute();
            }
            Minute { instant, civil, first }
        });
        Weeks { minutes: minutes.collect(), zone }
    }

    /// What is due, by a walker which knows the time that passes and the clock on the wall, and nothing about zones.
    fn walk(&self, expression: &Expression) -> Vec<Timestamp> {
        let is_due = |minute: &&Minute| match expression.is_beat() {
            true => expression.matches(minute.civil),
            false => minute.first.iter().any(|civil| expression.matches(*civil)),
        };
        self.minutes[1..].iter().filter(is_due).map(|minute| minute.instant).collect()
    }

    #[track_caller]
    fn agree(&self, expression: &Expression) {
        let (start, end) = (self.minutes[0].instant, self.minutes[self.minutes.len() - 1].instant);
        let moment = |instant: Timestamp| Moment(instant.as_millisecond() as u64);
        let schedule = Schedule::cron(&expression.text(), &self.zone).unwrap();
        let found: Vec<Moment> =
            schedule.fires(moment(start)).take_while(|fire| *fire <= moment(end)).collect();
        let due: Vec<Moment> = self.walk(expression).into_iter().map(moment).collect();
        assert_eq!(found, due, "{} in {}", expression.text(), self.zone);
    }
}

static WEEKS: LazyLock<Vec<Weeks>> = LazyLock::new(|| {
    vec![
        Weeks::around("UTC", "2028-02-24T00:00:00Z", 14),
        Weeks::around("Europe/Berlin", "2027-03-24T00:00:00Z", 10),
        Weeks::around("Europe/Berlin", "2027-10-27T00:00:00Z", 10),
        Weeks::around("Australia/Lord_Howe", "2027-04-02T00:00:00Z", 4),
        Weeks::around("Australia/Lord_Howe", "2027-10-01T00:00:00Z", 4),
        // The clock goes back at midnight, and a whole day is left out.
        Weeks::around("America/Havana", "2027-11-05T00:00:00Z", 4),
        Weeks::around("Pacific/Apia", "2011-12-28T00:00:00Z", 5),
    ]
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_through_every_minute_agrees(expression in expression()) {
        for weeks in WEEKS.iter() {
            weeks.agree(&expression);
        }
    }

    /// The crate `cron` counts weekdays from 1 and takes both day fields together, so only `*` means the same.
    #[test]
    fn another_reader_of_cron_finds_the_same_values(
        second in field(0, 59, 1),
        minute in field(0, 59, 1),
        hour in field(0, 23, 1),
        day in field(1, 31, 1),
        month in field(1, 12, 1),
    ) {
        let text = [second, minute, hour, day, month].map(|field| field.text).join(" ") + " *";
        let theirs = cron::Schedule::from_str(&text).unwrap();
        let ours = Cron::parse(&text, &Zone::utc()).unwrap();
        let ours = ours.pattern();
        let wide = |values: Vec<u16>| values.into_iter().map(u32::from).collect::<Vec<_>>();
        prop_assert_eq!(wide(ours.seconds.values()), theirs.seconds().iter().collect::<Vec<_>>());
        prop_assert_eq!(wide(ours.minutes.values()), theirs.minutes().iter().collect::<Vec<_>>());
        prop_assert_eq!(wide(ours.hours.values()), theirs.hours().iter().collect::<Vec<_>>());
        prop_assert_eq!(wide(ours.days.values()), theirs.days_of_month().iter().collect::<Vec<_>>());
        prop_assert_eq!(wide(ours.months.values()), theirs.months().iter().collect::<Vec<_>>());
    }

    #[test]
    fn no_text_panics(text in "[-0-9a-zA-Z*/,#@?+=: é]{0,24}") {
        if let Ok(schedule) = Schedule::cron(&text, &Zone::utc()) {
            let _ = (schedule.next(Moment(0)), schedule.describe());
        }
        let _ = Schedule::at(&text, &Zone::utc());
    }

    #[test]
    fn no_nearly_right_field_panics(
        fields in proptest::collection::vec("[-0-9*/,#LW?+]{1,4}|MON|JAN|sunL|1#2", 5..8),
    ) {
        let text = fields.join(" ");
        match Schedule::cron(&text, &Zone::utc()) {
            Ok(schedule) => prop_assert!(schedule.never_fires() || !schedule.describe().is_empty()),
            Err(error) => prop_assert!(text.get(error.span()).is_some_and(|_| !error.to_string().contains("library"))),
        }
    }
}

const ZONES: [&str; 30] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "America/Asuncion",
    "America/Caracas",
    "America/Chicago",
    "America/Godthab",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Norfolk",
];

const EXPRESSIONS: [&str; 8] = [
    "30 2 * * *",
    "0 0 * * *",
    "15,45 0-3 * * *",
    "*/7 * * * *",
    "30 */2 * * *",
    "0 1 1 * 0",
    "* 1-2 * * *",
    "30 15 1,2 * * *",
];

/// Asked from every few minutes around every clock change of two years, the answer lies ahead, nothing lies between,
/// and a later question never has an earlier answer.
#[test]
fn answers_move_forward_in_thirty_zones() {
    for (zone, expression) in ZONES.iter().flat_map(|zone| EXPRESSIONS.map(|expression| (zone, expression))) {
        let zone = Zone::named(zone).unwrap();
        let schedule = Schedule::cron(expression, &zone).unwrap();
        let mut answered = Moment(0);
        for asked in moments_around_changes(&zone) {
            let answer = schedule.next(asked).unwrap();
            assert!(answer > asked, "{expression} in {zone} from {asked}: {answer}");
            assert!(answer >= answered, "{expression} in {zone} from {asked}: {answer} after {answered}");
            let just_before = schedule.next(Moment(answer.0 - 1)).unwrap();
            assert_eq!(just_before, answer, "{expression} in {zone} from {asked}");
            answered = answer;
        }
    }
}

fn moments_around_changes(zone: &Zone) -> Vec<Moment> {
    let from = Timestamp::from_second(1_293_840_000).unwrap();
    let changes =
        zone.rules().following(from).take(4).map(|change| change.timestamp().as_millisecond() as u64);
    // Neither minutes nor seconds are full, so that the truncation of both is asked about.
    let offsets = (0..30).map(|count| count * 433_777).chain([6 * 3_600_000 - 1, 6 * 3_600_000]);
    let mut moments: Vec<Moment> = changes
        .flat_map(|change| offsets.clone().map(move |offset| Moment(change + offset - 6 * 3_600_000)))
        .collect();
    moments.sort_unstable();
    moments
}

/// The laws above hold for a question with a fraction of a second, too.
#[test]
fn a_fraction_of_a_second_is_not_lost() {
    let schedule = Schedule::cron("*/2 * * * * *", &Zone::utc()).unwrap();
    let ahead = |ms| schedule.next(Moment(ms)).unwrap().0;
    assert_eq!([0, 1, 999, 1000, 1999, 2000].map(ahead), [2000, 2000, 2000, 2000, 2000, 4000]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_interval_keeps_its_beat(seconds in 1u64..1_000_000, after in select(vec![0, 1, 999, 1_795_420_800_000])) {
        let interval = crate::base::Millis::from_secs(seconds);
        let next = Schedule::every(interval).unwrap().next(Moment(after)).unwrap();
        prop_assert!(next.0 > after && next.0 <= after + interval.0 && next.0.is_multiple_of(interval.0));
    }
}
