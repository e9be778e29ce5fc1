//! Bounds, exceptions, and what is asked of clock changes.

use super::*;
use crate::schedule::{Exclusion, Fold, Gap, Limits, bound};

fn fires(schedule: &Schedule, zone: &Zone, from: &str, count: usize) -> Vec<String> {
    let from = bound(from, zone, false).unwrap();
    schedule.fires(from - Millis(1)).take(count).map(|at| zone.format(at)).collect()
}

#[track_caller]
fn check(expression: &str, exclude: &[&str], from: &str, expected: &[&str]) {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let exclude = exclude.iter().map(|text| match text.split_once(" to ") {
        Some((from, to)) => Exclusion::between(from, to, &zone).unwrap(),
        None => Exclusion::read(text, &zone).unwrap(),
    });
    let limits = Limits { exclude: exclude.collect(), ..Limits::default() };
    let schedule = Schedule::cron(expression, &zone).unwrap().within(limits);
    let found = fires(&schedule, &zone, from, expected.len());
    let short: Vec<&str> = found.iter().map(|text| &text[..16]).collect();
    assert_eq!(short, expected, "{expression} without {:?}", schedule.limits());
}

#[test]
fn days_weekdays_spans_and_expressions_are_left_out() {
    check("0 3 * * *", &["2026-12-24"], "2026-12-23", &["2026-12-23T03:00", "2026-12-25T03:00"]);
    check("0 3 * * *", &["2026-12-24..2027-01-01"], "2026-12-23", &["2026-12-23T03:00", "2027-01-02T03:00"]);
    check("0 3 * * *", &["sat", "sunday"], "2026-12-25", &["2026-12-25T03:00", "2026-12-28T03:00"]);
    check(
        "0 3 * * *",
        &["mon-fri"],
        "2026-12-25",
        &["2026-12-26T03:00", "2026-12-27T03:00", "2027-01-02T03:00"],
    );
    check(
        "0 3 * * *",
        &["sun-wed"],
        "2026-12-25",
        &["2026-12-25T03:00", "2026-12-26T03:00", "2026-12-31T03:00"],
    );
    check(
        "0 */6 * * *",
        &["22:00 to 06:30"],
        "2026-12-25",
        &["2026-12-25T12:00", "2026-12-25T18:00", "2026-12-26T12:00"],
    );
    check(
        "0 */6 * * *",
        &["06:00 to 12:00"],
        "2026-12-25",
        &["2026-12-25T00:00", "2026-12-25T12:00", "2026-12-25T18:00"],
    );
    check(
        "0 */6 * * *",
        &["2026-12-25 06:00 to 2026-12-26 12:00"],
        "2026-12-25",
        &["2026-12-25T00:00", "2026-12-26T12:00"],
    );
    check("0 */6 * * *", &["2026-12-25 to 2026-12-26"], "2026-12-25", &["2026-12-27T00:00"]);
    check("*/15 * * * *", &["0-44 * * * *"], "2026-12-25", &["2026-12-25T00:45", "2026-12-25T01:45"]);
    check("0 3 * * *", &["* * 25-30 12 *"], "2026-12-25", &["2026-12-31T03:00"]);
    check("30 0 3 * * *", &["0 3 25 12 *"], "2026-12-25", &["2026-12-26T03:00"]);
}

#[test]
fn what_is_left_out_altogether_is_never_due() {
    check("0 3 * * *", &["mon-sun"], "2026-12-25", &[]);
    let zone = Zone::utc();
    let exclude = vec![Exclusion::read("* * * * *", &zone).unwrap()];
    let schedule =
        Schedule::cron("* * * * *", &zone).unwrap().within(Limits { exclude, ..Limits::default() });
    assert_eq!(schedule.next(Moment(0)), None);
}

#[test]
fn the_first_and_the_last_moment_count() {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let limits = Limits {
        start: Some(bound("2026-12-02 03:00", &zone, false).unwrap()),
        end: Some(bound("2026-12-03", &zone, true).unwrap()),
        exclude: Vec::new(),
    };
    let daily = Schedule::cron("0 3 * * *", &zone).unwrap().within(limits.clone());
    let expected = ["2026-12-02T03:00:00+01:00", "2026-12-03T03:00:00+01:00"];
    assert_eq!(fires(&daily, &zone, "2026-11-01", 9), expected);
    let beat = Schedule::every(Millis::from_secs(86_400)).unwrap().within(limits);
    assert_eq!(fires(&beat, &zone, "2026-11-01", 9), ["2026-12-03T01:00:00+01:00"]);
    assert_eq!(
        daily.describe(),
        "daily at 03:00 (Europe/Berlin), from 2026-12-02 03:00 on, until 2026-12-03 23:59:59"
    );
}

#[track_caller]
fn changes(expression: &str, gap: Option<Gap>, fold: Fold, from: &str, expected: &[&str]) {
    let zone = Zone::named("Europe/Berlin").unwrap();
    let schedule = Schedule::cron(expression, &zone).unwrap().at_clock_changes(gap, fold);
    assert_eq!(fires(&schedule, &zone, from, expected.len()), expected, "{expression} {gap:?} {fold:?}");
}

#[test]
fn clock_changes_do_what_is_asked_of_them() {
    let spring = |gap, expected: &[&str]| changes("30 2 * * *", gap, Fold::First, "2027-03-28", expected);
    spring(Some(Gap::RunAfter), &["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]);
    spring(Some(Gap::Skip), &["2027-03-29T02:30:00+02:00"]);
    let autumn = |fold, expected: &[&str]| changes("15,45 2 * * *", None, fold, "2027-10-31", expected);
    autumn(
        Fold::First,
        &["2027-10-31T02:15:00+02:00", "2027-10-31T02:45:00+02:00", "2027-11-01T02:15:00+01:00"],
    );
    autumn(
        Fold::Second,
        &["2027-10-31T02:15:00+01:00", "2027-10-31T02:45:00+01:00", "2027-11-01T02:15:00+01:00"],
    );
    autumn(
        Fold::Both,
        &[
            "2027-10-31T02:15:00+02:00",
            "2027-10-31T02:45:00+02:00",
            "2027-10-31T02:15:00+01:00",
            "2027-10-31T02:45:00+01:00",
            "2027-11-01T02:15:00+01:00",
        ],
    );
    let inside =
        |fold, expected: &[&str]| changes("15 2 * * *", None, fold, "2027-10-31T02:30:00+02:00", expected);
    inside(Fold::First, &["2027-11-01T02:15:00+01:00"]);
    inside(Fold::Second, &["2027-10-31T02:15:00+01:00"]);
    inside(Fold::Both, &["2027-10-31T02:15:00+01:00"]);
}
