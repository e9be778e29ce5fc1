//! A schedule that is not in any file yet: what it means, when it fires, or what is wrong with it and where.

use super::{MOST, WEEK, stamp, upcoming};
use crate::base::{Millis, Moment};
use crate::cli::error::{FINDINGS, Failure};
use crate::cli::look::Look;
use crate::cli::output::{BAD, GOOD, Output, clean, print};
use crate::schedule::{AtError, CronError, Schedule, Zone};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

/// Whether a text is meant as a schedule and not as the name of a task: a name has no blanks, stars and the like.
pub(super) fn is_expression(text: &str) -> bool {
    crate::base::TaskName::new(text).is_err()
}

/// Why an expression is refused, and where in it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Rejection {
    message: String,
    /// Bytes of the expression.
    span: [usize; 2],
    hint: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    expression: &'a str,
    timezone: &'a str,
    description: String,
    fires: Vec<String>,
}

pub(super) fn next(text: &str, number: usize, look: &Look, output: &Output) -> Result<ExitCode, Failure> {
    let schedule = match read(text, &look.zone) {
        Ok(schedule) => schedule,
        Err(rejection) => return reject(text, &rejection, output),
    };
    let zone = schedule.zone().unwrap_or(&look.zone).clone();
    let look = Look { zone, ..look.clone() };
    let fires = upcoming(&schedule, number, &look);
    if output.json {
        output.print_json(&Answer {
            expression: text,
            timezone: look.zone.name(),
            description: schedule.describe(),
            fires: fires.iter().map(|at| stamp(&look.zone, *at)).collect(),
        })?;
    } else {
        print(&answer(&schedule, &fires, &look))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `every 5m`, `at 2026-12-24 18:00`, else cron.
fn read(text: &str, zone: &Zone) -> Result<Schedule, Rejection> {
    let rest = |word: &str| text.trim_start().strip_prefix(word).filter(|rest| rest.starts_with(' '));
    let place = |rest: &str| {
        let start = text.len() - rest.trim_start().len();
        start..start + rest.trim().len()
    };
    if let Some(rest) = rest("every") {
        return every(rest.trim()).map_err(|(message, hint)| Rejection::new(message, place(rest), hint));
    }
    if let Some(rest) = rest("at") {
        return Schedule::at(rest, zone).map_err(|error| {
            let hint = matches!(error, AtError::Shape(_)).then(|| "at 2026-12-24 18:00".to_owned());
            Rejection::new(error.to_string(), place(rest), hint)
        });
    }
    Schedule::cron(text, zone)
        .map_err(|error: CronError| Rejection::new(error.to_string(), error.span(), error.hint()))
}

fn every(text: &str) -> Result<Schedule, (String, Option<String>)> {
    let span: Millis = text.parse().map_err(|why| {
        (format!("`{}` is not a duration: {why}", clean(text)), Some("every 5m".to_owned()))
    })?;
    Schedule::every(span).map_err(|error| (error.to_string(), None))
}

impl Rejection {
    fn new(message: String, span: Range<usize>, hint: Option<String>) -> Rejection {
        Rejection { message, span: [span.start, span.end], hint }
    }
}

fn reject(text: &str, rejection: &Rejection, output: &Output) -> Result<ExitCode, Failure> {
    if output.json {
        output.print_json(&serde_json::json!({ "error": rejection }))?;
    } else {
        // A terminal that has gone away hears nothing; the code says it all the same.
        let _ = anstream::stderr().write_all(caret(text, rejection).as_bytes());
    }
    Ok(ExitCode::from(FINDINGS))
}

/// The expression with a mark below what is wrong.
fn caret(text: &str, rejection: &Rejection) -> String {
    let Rejection { message, span: [start, end], hint } = rejection;
    let width = |text: &str| unicode_width::UnicodeWidthStr::width(clean(text).as_str());
    let before = width(text.get(..*start).unwrap_or_default());
    let marked = width(text.get(*start..*end).unwrap_or_default()).max(1);
    let mut lines = format!("{BAD}error{BAD:#}: {}\n  {}\n", clean(message), clean(text));
    lines += &format!("  {}{BAD}{}{BAD:#}\n", " ".repeat(before), "^".repeat(marked));
    if let Some(hint) = hint {
        lines += &format!("{GOOD}help{GOOD:#}: {}\n", clean(hint));
    }
    lines
}

fn answer(schedule: &Schedule, fires: &[Moment], look: &Look) -> String {
    let mut text = format!("{}\n", schedule.describe());
    text += &rows(fires, look);
    text + &rhythm(schedule, look).map(|words| format!("  {words}\n")).unwrap_or_default()
}

/// One line for each fire; or that there is none.
pub(super) fn rows(fires: &[Moment], look: &Look) -> String {
    if fires.is_empty() {
        return "  it never fires again\n".into();
    }
    let row = |at: &Moment| {
        let distance = *at - look.now;
        match look.is_terminal {
            true => {
                format!("  {} {}  in {distance}\n", look.zone.weekday_and_time(*at), offset(&look.zone, *at))
            }
            false => format!("{}\tin {distance}\n", stamp(&look.zone, *at)),
        }
    };
    fires.iter().map(row).collect()
}

/// `+01:00`
fn offset(zone: &Zone, at: Moment) -> String {
    let stamp = stamp(zone, at);
    stamp.get(stamp.len().saturating_sub(6)..).unwrap_or_default().to_owned()
}

/// `36 times a day, 180 a week`, counted over the seven days that follow; nothing for what is rarer than that.
fn rhythm(schedule: &Schedule, look: &Look) -> Option<String> {
    let week = schedule.fires(look.now).take_while(|at| *at <= look.now + WEEK);
    let mut days: BTreeMap<(i16, u8, u8), usize> = BTreeMap::new();
    let mut total = 0;
    for at in week.take(MOST + 1) {
        let civil = look.zone.civil(at);
        *days.entry((civil.year, civil.month, civil.day)).or_default() += 1;
        total += 1;
    }
    match total {
        ..2 => None,
        total if total > MOST => Some(format!("more than {MOST} times a week")),
        // The first and the last day are seen in part.
        total => match days.values().max() {
            Some(1) | None => Some(format!("{total} times a week")),
            Some(most) => Some(format!("{most} times a day, {total} a week")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::look::{plain, test_look};

    #[test]
    fn what_is_no_name_is_an_expression() {
        for text in ["*/5 * * * *", "@daily", "every 5m", "at 2026-12-24 18:00", "", "60 * * * *"] {
            assert!(is_expression(text), "{text}");
        }
        for text in ["nightly", "ops/rotate", "every"] {
            assert!(!is_expression(text), "{text}");
        }
    }

    #[track_caller]
    fn check(text: &str, zone: &str, number: usize, expected: &str) {
        let look = Look { zone: Zone::named(zone).unwrap(), ..test_look() };
        let schedule = read(text, &look.zone).unwrap();
        let fires = upcoming(&schedule, number, &look);
        assert_eq!(plain(&answer(&schedule, &fires, &look)), expected);
    }

    #[test]
    fn an_expression_is_explained() {
        check(
            "*/15 9-17 * * mon-fri",
            "Europe/Berlin",
            2,
            "every 15 minutes from 09:00 to 17:45, Monday to Friday (Europe/Berlin)\n  \
             Mon 2026-11-23 09:00 +01:00  in 1d23h\n  \
             Mon 2026-11-23 09:15 +01:00  in 1d23h\n  \
             36 times a day, 180 a week\n",
        );
        check(
            "every 12h",
            "UTC",
            1,
            "every 12h\n  Sat 2026-11-21 12:00 +00:00  in 3h\n  2 times a day, 14 a week\n",
        );
        check("every 1s", "UTC", 0, "every 1s\n  it never fires again\n  more than 10000 times a week\n");
        check(
            "at 2026-12-24 18:00",
            "Europe/Berlin",
            5,
            "once at 2026-12-24 18:00 (Europe/Berlin)\n  Thu 2026-12-24 18:00 +01:00  in 33d8h\n",
        );
        check(
            "0 0 31 2 *",
            "UTC",
            5,
            "never: none of its months has such a day (UTC)\n  it never fires again\n",
        );
        check("at 2020-01-01 00:00", "UTC", 5, "once at 2020-01-01 00:00 (UTC)\n  it never fires again\n");
    }

    #[track_caller]
    fn refuse(text: &str, expected: &str) {
        let rejection = read(text, &Zone::utc()).unwrap_err();
        assert_eq!(plain(&caret(text, &rejection)), expected);
    }

    #[test]
    fn what_is_wrong_is_marked() {
        refuse(
            "0 61 * * *",
            "error: the hour field is wrong: `61` is not between 0 and 23\n  0 61 * * *\n    ^^\n",
        );
        refuse(
            "every 0s",
            "error: an interval of 0s is too short; the shortest is 1s\n  every 0s\n        ^^\n",
        );
        refuse(
            "every soon",
            "error: `soon` is not a duration: write it like 30s, 5m, 1h30m or 2d\n  every soon\n        ^^^^\n\
             help: every 5m\n",
        );
        refuse("", "error: the cron expression is empty\n  \n  ^\n");
        refuse(
            "ä\u{1b} * * *",
            "error: a cron expression has 5 fields (minute hour day month weekday), or 6 with seconds first, but this \
             has 4\n  ä\u{fffd} * * *\n  ^^^^^^^^\n",
        );
    }
}
