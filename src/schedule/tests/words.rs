//! What a schedule says about itself.

use crate::base::{Millis, Moment};
use crate::schedule::{ClockChange, Schedule, Zone};

#[track_caller]
fn says(text: &str, words: &str) {
    let schedule = Schedule::cron(text, &Zone::utc()).unwrap();
    assert_eq!(schedule.describe(), format!("{words} (UTC)"), "{text}");
}

#[test]
fn beats() {
    says("* * * * *", "every minute");
    says("*/15 9-17 * * mon-fri", "every 15 minutes from 09:00 to 17:45, Monday to Friday");
    says("*/5 * * * *", "every 5 minutes");
    says("*/5 * 1 * *", "every 5 minutes, on day 1");
    says("*/5 * * 6-8 *", "every 5 minutes in June to August");
    says("0 * * * *", "every hour");
    says("@hourly", "every hour");
    says("5 * * * *", "hourly at minute 5");
    says("5,20 * * * sat,sun", "hourly at minutes 5 and 20, on Saturday and Sunday");
    says("0 */2 * * *", "every 2 hours");
    says("30 */2 * * *", "every 2 hours at minute 30");
    says("0 9-17 * * *", "every hour from 09:00 to 17:00");
    says("30 9-17 * * *", "hourly at minute 30 from 09:30 to 17:30");
    says("* 9 * * *", "every minute from 09:00 to 09:59");
    says("0 */6 * * *", "every 6 hours");
    says("*/15 9 * * *", "every 15 minutes from 09:00 to 09:45");
    says("*/20 9,17 * * *", "daily at 09:00, 09:20, 09:40, 17:00, 17:20 and 17:40");
    says("0,30 9 * * *", "daily at 09:00 and 09:30");
    says("*/10 * * * * *", "every 10 seconds");
    says("* * * * * *", "every second");
}

#[test]
fn a_step_that_does_not_fit_shows_what_it_does() {
    says("*/50 * * * *", "hourly at minutes 0 and 50");
    says("*/90 * * * *", "every hour");
    says("0 */5 * * *", "daily at 00:00, 05:00, 10:00, 15:00 and 20:00");
}

#[test]
fn times_of_day() {
    says("13 3 * * *", "daily at 03:13");
    says("@daily", "daily at 00:00");
    says("30 13 3 * * *", "daily at 03:13:30");
    says("0 9,17 * * *", "daily at 09:00 and 17:00");
    says("0 9 * * 1-5", "weekdays at 09:00");
    says("0 9 * 12 1-5", "weekdays in December at 09:00");
    says("0 4 * * sun", "weekly on Sunday at 04:00");
    says("0 4 * * 0,1,2,3", "weekly on Monday to Wednesday and Sunday at 04:00");
    says("0 4 * * 0-7", "daily at 04:00");
    says("0 0 1 * *", "monthly on day 1 at 00:00");
    says("0 0 1,15 * *", "monthly on days 1 and 15 at 00:00");
    says("0 0 1-7,L * *", "monthly on days 1 to 7 and the last day at 00:00");
    says("0 0 LW * *", "monthly on the last weekday at 00:00");
    says("0 0 15W 1 *", "on the weekday nearest day 15 in January at 00:00");
    says("0 0 * * MON#2", "monthly on the second Monday at 00:00");
    says("0 0 * * 5L", "monthly on the last Friday at 00:00");
    says("0 0 * * 7#1,2", "monthly on Tuesday and the first Sunday at 00:00");
    says("0 18 24 12 *", "yearly on 24 December at 18:00");
    says("0 0 * 1,7 *", "daily in January and July at 00:00");
}

#[test]
fn a_long_list_of_times_is_not_spelt_out() {
    says("0 1-8 * * *", "daily at 01:00, 02:00, 03:00, 04:00, 05:00, 06:00, 07:00 and 08:00");
    says("0 1-9 * * *", "every hour from 01:00 to 09:00");
    says("30 9-11 * * *", "daily at 09:30, 10:30 and 11:30");
}

#[test]
fn two_restricted_days() {
    says("0 0 13 * 5", "on day 13 or Friday at 00:00");
    says("0 0 13 * +5", "on day 13 if it is Friday at 00:00");
    says("0 0 */10 * mon,tue", "on days 1, 11, 21 and 31 if it is Monday or Tuesday at 00:00");
    says("*/5 * L * 5#2", "every 5 minutes, on the last day or the second Friday");
}

#[test]
fn everything_else_has_some_words() {
    says("0 0 31 2 *", "never: none of its months has such a day");
    for text in ["1-50/7 3,9,11 * * *", "0 0 0 29 2 * 2024-2040", "0 0 */2 * *", "5-9 * * * * *"] {
        let words = Schedule::cron(text, &Zone::utc()).unwrap().describe();
        assert!(words.starts_with(|c: char| c.is_lowercase()) && words.ends_with(" (UTC)"), "{words}");
    }
}

#[test]
fn other_kinds() {
    let every = Schedule::every(Millis(90_061_001)).unwrap();
    assert_eq!(
        (every.describe().as_str(), every.to_string().as_str()),
        ("every 1d1h1m1s1ms", "every 1d1h1m1s1ms")
    );
    assert_eq!(every.zone(), None);
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let at = Schedule::at("2026-12-24 18:00", &berlin).unwrap();
    assert_eq!(at.describe(), "once at 2026-12-24 18:00 (Europe/Berlin)");
    assert_eq!(at.to_string(), "at 2026-12-24T18:00:00+01:00");
    let moment = at.next(Moment(0)).unwrap();
    assert_eq!((at.fires(Moment(0)).count(), at.next(moment), at.never_fires()), (1, None, false));
    assert_eq!(at.next(Moment(moment.0 - 1)), Some(moment));
}

#[test]
fn equality_is_text_and_zone() {
    let (utc, berlin) = (Zone::utc(), Zone::named("Europe/Berlin").unwrap());
    let cron = |text, zone| Schedule::cron(text, zone).unwrap();
    assert_eq!(cron("0  4 * * *", &utc), cron("0 4 * * *", &utc));
    assert_eq!(cron("CRON_TZ=Europe/Berlin 0 4 * * *", &utc), cron("0 4 * * *", &berlin));
    assert_ne!(cron("0 4 * * *", &utc), cron("0 4 * * *", &berlin));
    assert_ne!(cron("0 4 * * *", &utc), cron("0 5 * * *", &utc));
    assert_ne!(Schedule::every(Millis(90_061_000)), Schedule::every(Millis(90_000_000)));
}

#[test]
fn never_is_found_whatever_hides_it() {
    let never = [
        "0 0 31 2 *",
        "0 0 30,31 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 30W 2 *",
        "0 0 1-7 * +MON#2",
        "0 0 0 29 2 +TUE 2044",
        "0 0 0 29 2 * 2023",
    ];
    let rare = [
        "0 0 29 2 *",
        "0 0 31 2 1",
        "0 0 * 2 5#5",
        "0 0 29 2 +5#5",
        "0 0 31 4,5 *",
        "0 0 1W 2 *",
        "0 0 0 29 2 +MON 2044",
        "0 0 L 2 *",
    ];
    let check = |text: &&str, expected| {
        let schedule = Schedule::cron(text, &Zone::utc()).unwrap();
        assert_eq!(schedule.never_fires(), expected, "{text}");
        assert_eq!(schedule.next(Moment(0)).is_none(), expected, "{text}");
    };
    never.iter().for_each(|text| check(text, true));
    rare.iter().for_each(|text| check(text, false));
}

#[test]
fn after_the_last_year_there_is_nothing() {
    let schedule = Schedule::cron("59 23 31 12 *", &Zone::utc()).unwrap();
    let last = schedule.next(Moment(95_649_033_600_000)).unwrap();
    assert_eq!(Zone::utc().format(last), "5000-12-31T23:59:00Z");
    assert_eq!((schedule.next(last), schedule.next(Moment(u64::MAX))), (None, None));
}

#[test]
fn odd_days_are_those_of_the_clock_changes() {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let (from, until) = (Moment(1_798_761_600_000), Moment(1_830_297_600_000));
    let odd = |text| {
        let days = Schedule::cron(text, &berlin).unwrap().odd_days(from, until);
        days.iter().map(|day| format!("{day}, fires {}", berlin.format(day.fires))).collect::<Vec<_>>()
    };
    let spring = "on 2027-03-28 the clock skips 02:30, fires 2027-03-28T03:00:00+02:00";
    let autumn = "on 2027-10-31 the clock repeats 02:30, fires 2027-10-31T02:30:00+02:00";
    assert_eq!(odd("30 2 * * *"), [spring, autumn]);
    assert_eq!(odd("30 2 28 3 *"), [spring]);
    let edges = [
        "on 2027-03-28 the clock skips 02:00, fires 2027-03-28T03:00:00+02:00",
        "on 2027-10-31 the clock repeats 02:00, fires 2027-10-31T02:00:00+02:00",
    ];
    assert_eq!(odd("0 2 * * *"), edges);
    assert_eq!(
        odd("5 30 2 28 3 *"),
        ["on 2027-03-28 the clock skips 02:30:05, fires 2027-03-28T03:00:00+02:00"]
    );
    for text in ["0 3 * * *", "59 1 * * *", "*/5 * * * *", "30 2 * * mon", "0 0 31 2 *"] {
        assert_eq!(odd(text), Vec::<String>::new(), "{text}");
    }
    let change = Moment(1_806_195_600_000);
    let schedule = Schedule::cron("30 2 * * *", &berlin).unwrap();
    assert_eq!(schedule.odd_days(change, until).len(), 1, "the start is left out");
    assert_eq!(schedule.odd_days(from, change)[0].change, ClockChange::Skipped);
    assert_eq!(schedule.odd_days(Moment(u64::MAX), until), []);
    assert_eq!(Schedule::every(Millis(1000)).unwrap().odd_days(from, until), []);
}
