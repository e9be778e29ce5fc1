//! A cron expression in words.
//!
//! The words are made from the values, not from the text: `*/50` says "at minutes 0 and 50", because that is what it
//! does. Shapes without words of their own get croner's.

use super::cron::Cron;
use super::field::Special;
use croner::CronPattern;

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// More than this many times of day, or days, in one sentence help nobody.
const MOST_LISTED: usize = 8;

/// What the expression does, with its zone.
pub(super) fn describe(cron: &Cron) -> String {
    let words = match cron.is_never {
        true => "never: none of its months has such a day".to_owned(),
        false => sentence(cron).unwrap_or_else(|| lower_first(cron.plain_words().trim_end_matches('.'))),
    };
    format!("{words} ({})", cron.zone.name())
}

/// When on a day.
enum Time {
    /// At a few times: `03:13`, `09:00 and 17:00`.
    At(String),
    /// In a beat: `every 15 minutes from 09:00 to 17:45`.
    Beat(String),
}

/// On which days of which months.
enum Days {
    Every,
    MondayToFriday,
    /// `on Monday and Friday`.
    Week(String),
    /// `on day 1`.
    Month(String),
    /// Both fields restricted.
    Mixed(String),
}

fn sentence(cron: &Cron) -> Option<String> {
    let pattern = cron.pattern();
    if !pattern.years.from_wildcard {
        return None;
    }
    let months = months(pattern);
    let (time, days) = (time(pattern)?, days(cron)?);
    Some(match time {
        Time::At(times) => on_days(&days, months.as_deref(), &times, yearly(cron)),
        Time::Beat(beat) => match (days, months) {
            (Days::Every, None) => beat,
            (Days::Every, Some(months)) => format!("{beat} in {months}"),
            (Days::MondayToFriday, None) => format!("{beat}, Monday to Friday"),
            (Days::MondayToFriday, Some(months)) => format!("{beat}, Monday to Friday in {months}"),
            (Days::Week(days) | Days::Month(days) | Days::Mixed(days), None) => format!("{beat}, on {days}"),
            (Days::Week(days) | Days::Month(days) | Days::Mixed(days), Some(months)) => {
                format!("{beat}, on {days} in {months}")
            }
        },
    })
}

fn on_days(days: &Days, months: Option<&str>, times: &str, yearly: Option<String>) -> String {
    match (days, months, yearly) {
        (_, _, Some(date)) => format!("yearly on {date} at {times}"),
        (Days::Every, None, None) => format!("daily at {times}"),
        (Days::Every, Some(months), None) => format!("daily in {months} at {times}"),
        (Days::MondayToFriday, None, None) => format!("weekdays at {times}"),
        (Days::MondayToFriday, Some(months), None) => format!("weekdays in {months} at {times}"),
        (Days::Week(days), None, None) => format!("weekly on {days} at {times}"),
        (Days::Month(days), None, None) => format!("monthly on {days} at {times}"),
        (Days::Mixed(days), None, None) => format!("on {days} at {times}"),
        (Days::Week(days) | Days::Month(days) | Days::Mixed(days), Some(months), None) => {
            format!("on {days} in {months} at {times}")
        }
    }
}

fn time(pattern: &CronPattern) -> Option<Time> {
    let (seconds, minutes, hours) =
        (pattern.seconds.values(), pattern.minutes.values(), pattern.hours.values());
    let is_even = |whole, values: &[u16]| values.len() > 2 && even_step(whole, values).is_some();
    let is_short = minutes.len() * hours.len() <= MOST_LISTED;
    let listed = |second| is_short.then(|| Time::At(times(second, &minutes, &hours)));
    let beat_of_minutes = || beat_of_minutes(&minutes, &hours).map(Time::Beat);
    match seconds.as_slice() {
        [0] if is_even(60, &minutes) || is_even(24, &hours) => beat_of_minutes().or_else(|| listed(0)),
        [0] => listed(0).or_else(beat_of_minutes),
        [second] => listed(*second),
        _ if minutes.len() == 60 && hours.len() == 24 => beat("second", 60, &seconds).map(Time::Beat),
        _ => None,
    }
}

fn times(second: u16, minutes: &[u16], hours: &[u16]) -> String {
    let clock = |hour: &u16, minute: &u16| match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{second:02}"),
    };
    join(
        &hours
            .iter()
            .flat_map(|hour| minutes.iter().map(move |minute| clock(hour, minute)))
            .collect::<Vec<_>>(),
        "and",
    )
}

fn beat_of_minutes(minutes: &[u16], hours: &[u16]) -> Option<String> {
    let (first, last) = (minutes.first()?, minutes.last()?);
    let (opening, closing) = (hours.first()?, hours.last()?);
    if let ([minute], false, Some(step)) = (minutes, hours.len() == 24, even_step(24, hours)) {
        return Some(match minute {
            0 => format!("every {step} hours"),
            minute => format!("every {step} hours at minute {minute}"),
        });
    }
    let beat = match minutes {
        [0] => "every hour".to_owned(),
        [minute] => format!("hourly at minute {minute}"),
        _ => match beat("minute", 60, minutes) {
            Some(beat) => beat,
            None if minutes.len() <= MOST_LISTED => format!("hourly at minutes {}", numbers(minutes)),
            None => return None,
        },
    };
    match hours.len() {
        24 => Some(beat),
        // One range of hours; the last beat is named, because `9-17` surprises with 17:45.
        count if usize::from(closing - opening) + 1 == count => {
            Some(format!("{beat} from {opening:02}:{first:02} to {closing:02}:{last:02}"))
        }
        _ => None,
    }
}

/// `every minute`, `every 15 minutes`; only for steps which fit the whole evenly.
fn beat(unit: &str, whole: u16, values: &[u16]) -> Option<String> {
    even_step(whole, values).map(|step| match step {
        1 => format!("every {unit}"),
        step => format!("every {step} {unit}s"),
    })
}

/// The distance between values that go round the whole evenly from 0.
fn even_step(whole: u16, values: &[u16]) -> Option<u16> {
    let count =
        u16::try_from(values.len()).ok().filter(|count| *count > 1 && whole.is_multiple_of(*count))?;
    let step = whole / count;
    values.iter().zip(0..).all(|(value, place)| *value == place * step).then_some(step)
}

/// `24 December`, when the days are one date of the year.
fn yearly(cron: &Cron) -> Option<String> {
    let pattern = cron.pattern();
    match (pattern.days.values().as_slice(), pattern.months.values().as_slice()) {
        ([day], [month]) if pattern.is_dow_wildcard() && cron.special.is_empty() => {
            Some(format!("{day} {}", MONTHS[usize::from(*month) - 1]))
        }
        _ => None,
    }
}

fn months(pattern: &CronPattern) -> Option<String> {
    let months = pattern.months.values();
    let name = |month: &u16| MONTHS[usize::from(*month) - 1].to_owned();
    (months.len() < 12).then(|| join(&runs(&months, name), "and"))
}

fn days(cron: &Cron) -> Option<Days> {
    let pattern = cron.pattern();
    match (pattern.is_dom_wildcard(), pattern.is_dow_wildcard()) {
        (true, true) => Some(Days::Every),
        (true, false) => Some(match (pattern.days_of_week.values().as_slice(), cron.special.is_empty()) {
            ([0, 1, 2, 3, 4, 5, 6], _) => Days::Every,
            ([1, 2, 3, 4, 5], true) => Days::MondayToFriday,
            (plain, true) => Days::Week(weekdays(plain, &[], "and")),
            (plain, false) => Days::Month(weekdays(plain, &cron.special, "and")),
        }),
        (false, true) => month_days(cron).map(Days::Month),
        (false, false) => {
            let weekdays = |word| weekdays(&pattern.days_of_week.values(), &cron.special, word);
            Some(Days::Mixed(match pattern.matches_dom_and_dow() {
                true => format!("{} if it is {}", month_days(cron)?, weekdays("or")),
                false => format!("{} or {}", month_days(cron)?, weekdays("or")),
            }))
        }
    }
}

/// `day 1`, `days 1 to 7 and the last day`.
fn month_days(cron: &Cron) -> Option<String> {
    let plain = cron.pattern().days.values();
    let mut parts = Vec::new();
    let plain = runs(&plain, u16::to_string);
    match plain.as_slice() {
        [] => {}
        [day] if !day.contains(' ') => parts.push(format!("day {day}")),
        days if days.len() <= MOST_LISTED => parts.push(format!("days {}", join(days, "and"))),
        _ => return None,
    }
    parts.extend(cron.special.iter().filter_map(|special| match special {
        Special::LastDay => Some("the last day".to_owned()),
        Special::LastWorkday => Some("the last weekday".to_owned()),
        Special::NearestWorkday(day) => Some(format!("the weekday nearest day {day}")),
        Special::LastOf(_) | Special::Nth(..) => None,
    }));
    Some(join(&parts, "and"))
}

/// `Monday to Friday`, `Tuesday and the second Monday`; weeks start on Monday.
fn weekdays(plain: &[u16], special: &[Special], word: &str) -> String {
    let name = |weekday: u16| WEEKDAYS[usize::from(weekday % 7)];
    let mut from_monday: Vec<u16> =
        plain.iter().map(|weekday| if *weekday == 0 { 7 } else { *weekday }).collect();
    from_monday.sort_unstable();
    let mut parts = runs(&from_monday, |weekday| name(*weekday).to_owned());
    parts.extend(special.iter().filter_map(|special| match special {
        Special::LastOf(weekday) => Some(format!("the last {}", name(*weekday))),
        Special::Nth(weekday, nth) => {
            Some(format!("the {} {}", ORDINALS[usize::from(*nth) - 1], name(*weekday)))
        }
        Special::LastDay | Special::LastWorkday | Special::NearestWorkday(_) => None,
    }));
    join(&parts, word)
}

fn numbers(values: &[u16]) -> String {
    join(&values.iter().map(u16::to_string).collect::<Vec<_>>(), "and")
}

/// Three or more neighbours become `a to b`.
fn runs(values: &[u16], name: impl Fn(&u16) -> String) -> Vec<String> {
    let neighbours = values.chunk_by(|a, b| a + 1 == *b);
    let words = |run: &[u16]| match run {
        [first, _, .., last] if run.len() > 2 => vec![format!("{} to {}", name(first), name(last))],
        run => run.iter().map(&name).collect(),
    };
    neighbours.flat_map(words).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn join(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
