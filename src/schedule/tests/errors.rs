//! What is refused, where, and what is said about it.

use crate::base::{Millis, Moment};
use crate::schedule::{EveryError, Schedule, Zone};

/// Expects the words of the error, the part of the text it blames, and the hint.
#[track_caller]
fn refused(text: &str, message: &str, blamed: &str, hint: &str) {
    let error = Schedule::cron(text, &Zone::utc()).unwrap_err();
    assert_eq!(error.to_string(), message, "{text:?}");
    assert_eq!(&text[error.span()], blamed, "{text:?}");
    assert_eq!(error.hint().unwrap_or_default(), hint, "{text:?}");
}

#[test]
fn values_out_of_range() {
    refused("61 * * * *", "the minute field is wrong: `61` is not between 0 and 59", "61", "");
    refused(
        "0 5,24 * * *",
        "the hour field is wrong: `24` is not between 0 and 23",
        "24",
        "midnight is hour 0 of the next day",
    );
    refused(
        "60 * * * *",
        "the minute field is wrong: `60` is not between 0 and 59",
        "60",
        "the full hour or minute is 0",
    );
    refused("0 0 0 * *", "the day-of-month field is wrong: `0` is not between 1 and 31", "0", "");
    refused("0 0 * 13 *", "the month field is wrong: `13` is not between 1 and 12", "13", "");
    refused("0 0 * * 8", "the weekday field is wrong: `8` is not between 0 and 7", "8", "");
    refused("0 0 0 1 1 * 1969", "the year field is wrong: `1969` is not between 1970 and 5000", "1969", "");
    let long = "99999999999999999999 * * * *";
    refused(
        long,
        "the minute field is wrong: `99999999999999999999` is not between 0 and 59",
        &long[..20],
        "",
    );
}

#[test]
fn words_that_mean_nothing() {
    let weekday = "the weekday field is wrong: `foo` is neither a number nor a name from SUN to SAT";
    refused("0 0 1 * +MON,foo", weekday, "foo", "");
    refused(
        "0 0 * * Monday",
        "the weekday field is wrong: `Monday` is neither a number nor a name from SUN to SAT",
        "Monday",
        "write `MON`",
    );
    refused(
        "0 0 * foo *",
        "the month field is wrong: `foo` is neither a number nor a name from JAN to DEC",
        "foo",
        "",
    );
    refused("0 1-2-3 * * *", "the hour field is wrong: `2-3` is not a number", "1-2-3", "");
    refused("a * * * *", "the minute field is wrong: `a` is not a number", "a", "");
    refused("0 0 MON * *", "the day-of-month field is wrong: `MON` is not a number", "MON", "");
    refused("? * * * *", "the minute field is wrong: `?` is not a number", "?", "");
    refused("+5 * * * *", "the minute field is wrong: `+5` is not a number", "+5", "");
}

#[test]
fn lists_ranges_and_steps() {
    refused("1,,2 * * * *", "the minute field is wrong: an item of the list is empty", "", "");
    refused(
        "*,5 * * * *",
        "the minute field is wrong: `*` means every value, so it cannot stand in a list",
        "*",
        "",
    );
    refused(
        "0 22-6 * * *",
        "the hour field is wrong: the range `22-6` runs backwards",
        "22-6",
        "write `22-23,0-6`",
    );
    refused(
        "0 0 * * sat-mon",
        "the weekday field is wrong: the range `sat-mon` runs backwards",
        "sat-mon",
        "write `sat,SUN-mon`",
    );
    refused(
        "0 0 * * 5-0",
        "the weekday field is wrong: the range `5-0` runs backwards",
        "5-0",
        "write `5-6,0`",
    );
    refused(
        "0 0 * 11-2 *",
        "the month field is wrong: the range `11-2` runs backwards",
        "11-2",
        "write `11-12,1-2`",
    );
    refused(
        "*/0 * * * *",
        "the minute field is wrong: the step `0` is not a number from 1 to 9999",
        "*/0",
        "",
    );
    refused(
        "*/5/2 * * * *",
        "the minute field is wrong: the step `5/2` is not a number from 1 to 9999",
        "*/5/2",
        "",
    );
    refused(
        "*/10000 * * * *",
        "the minute field is wrong: the step `10000` is not a number from 1 to 9999",
        "*/10000",
        "",
    );
    refused(
        "5/15 * * * *",
        "the minute field is wrong: `5/15` has a step but no range to step through",
        "5/15",
        "write `5-59/15`",
    );
    refused(
        "/5 * * * *",
        "the minute field is wrong: `/5` has a step but no range to step through",
        "/5",
        "write `*/5`",
    );
}

#[test]
fn letters_that_pick_days() {
    let weekday = |item: &str, rule: &str| format!("the weekday field is wrong: `{item}` is wrong, {rule}");
    let day = |item: &str, rule: &str| format!("the day-of-month field is wrong: `{item}` is wrong, {rule}");
    refused("0 0 * * L", &weekday("L", "put the weekday before it, as in `FRIL` or `MON#2`"), "L", "");
    refused("0 0 * * MON#6", &weekday("MON#6", "after `#` stands a number from 1 to 5"), "MON#6", "");
    refused("0 0 * * 1#+2", &weekday("1#+2", "after `#` stands a number from 1 to 5"), "1#+2", "");
    refused(
        "0 0 * * 1-5#1",
        &weekday("1-5#1", "name the weekdays one by one, as in `MON#1,TUE#1`"),
        "1-5#1",
        "",
    );
    refused("0 0 1-15W * *", &day("1-15W", "`W` follows a single day"), "1-15W", "");
    refused("0 0 w * *", &day("w", "put the day before it, as in `15W`"), "w", "");
    refused("0 0 L-3 * *", &day("L-3", "only `L` and `LW` are known"), "L-3", "");
    refused("0 0 L,LW * *", &day("L,LW", "`L` and `LW` cannot stand in one list"), "L,LW", "");
    refused("0 0 1#2 * *", &day("1#2", "`#` counts weekdays and belongs in the weekday field"), "1#2", "");
    let hour =
        "the hour field is wrong: `1#2` is wrong, `#` counts weekdays and belongs in the weekday field";
    refused("0 1#2 * * *", hour, "1#2", "");
    refused("0 L * * *", "the hour field is wrong: `L` is not a number", "L", "");
}

#[test]
fn the_number_of_fields() {
    let count = |found| {
        format!(
            "a cron expression has 5 fields (minute hour day month weekday), or 6 with seconds first, but this has {found}"
        )
    };
    refused("* * * *", &count(4), "* * * *", "");
    refused(" 1 2 3 4 5 6 7 8 ", &count(8), "1 2 3 4 5 6 7 8", "");
    refused("5m", &count(1), "5m", "write `every: 5m`");
    refused("every 1h30m", &count(2), "every 1h30m", "write `every: 1h30m`");
    refused("5", &count(1), "5", "");
    refused(" \t", "the cron expression is empty", "", "");
    refused("CRON_TZ=UTC", "the cron expression is empty", "", "");
}

#[test]
fn nicknames() {
    let unknown = |text| format!("`{text}` is not one of @yearly, @monthly, @weekly, @daily and @hourly");
    refused("@DAILY", &unknown("@DAILY"), "@DAILY", "write `@daily`");
    refused("@dayly", &unknown("@dayly"), "@dayly", "write `@daily`");
    refused(" @reboot", &unknown("@reboot"), "@reboot", "write `event: startup`");
    refused("@every  5m", &unknown("@every 5m"), "@every  5m", "write `every: 5m`");
    refused("@every", &unknown("@every"), "@every", "write `every: 5m`");
    refused("@daily 5", &unknown("@daily 5"), "@daily 5", "write `@daily`");
    refused("@", &unknown("@"), "@", "");
}

#[test]
fn the_zone_in_front() {
    let unknown = "`Europe/Berln` is not a known time zone";
    refused("CRON_TZ=Europe/Berln 0 4 * * *", unknown, "Europe/Berln", "did you mean `Europe/Berlin`?");
    refused(" CRON_TZ=UTC 0 99 * * *", "the hour field is wrong: `99` is not between 0 and 23", "99", "");
    let schedule = Schedule::cron("  CRON_TZ=Asia/Tokyo \t0   9 * * *\n", &Zone::utc()).unwrap();
    assert_eq!(schedule.to_string(), "0 9 * * *");
    assert_eq!(schedule.zone().map(Zone::name), Some("Asia/Tokyo"));
    assert_eq!(schedule.next(Moment(0)), Some(Moment(24 * 3_600_000)));
}

#[test]
fn what_is_accepted_although_it_looks_odd() {
    let midnight_days = |text: &str| {
        let schedule = Schedule::cron(text, &Zone::utc()).unwrap();
        let fires = schedule.fires(Moment(1_795_996_800_000)).take(3);
        fires.map(|fire| Zone::utc().weekday_and_time(fire)[..14].to_owned()).collect::<Vec<_>>()
    };
    let sundays = ["Sun 2026-12-06", "Sun 2026-12-13", "Sun 2026-12-20"];
    for text in [
        "0 0 * * 0",
        "0 0 * * 7",
        "0 0 * * sun",
        "0 0 * * SUN-SUN",
        "0 0 * * 7-7",
        "0 0 ? * Sun",
        "0 0 * * 0,7",
    ] {
        assert_eq!(midnight_days(text), sundays, "{text}");
    }
    for text in ["0 0 * * MON-SUN", "0 0 * * SUN-SAT", "0 0 * * 0-7"] {
        assert_eq!(midnight_days(text), ["Tue 2026-12-01", "Wed 2026-12-02", "Thu 2026-12-03"], "{text}");
    }
    let weekend = ["Fri 2026-12-04", "Sat 2026-12-05", "Sun 2026-12-06"];
    for text in ["0 0 * * 5-7", "0 0 * * fri-sun", "0 0 * * FRI-7"] {
        assert_eq!(midnight_days(text), weekend, "{text}");
    }
    assert_eq!(midnight_days("0 0 lw * *")[0], "Thu 2026-12-31");
    assert_eq!(midnight_days("0 0 * * fril")[0], "Fri 2026-12-25");
    assert_eq!(midnight_days("0 0 31W * *")[0], "Thu 2026-12-31");
}

#[test]
fn intervals_shorter_than_a_second() {
    assert_eq!(Schedule::every(Millis(999)), Err(EveryError::TooShort(Millis(999))));
    assert_eq!(
        EveryError::TooShort(Millis(100)).to_string(),
        "an interval of 0.1s is too short; the shortest is 1s"
    );
    assert_eq!(Schedule::every(Millis(1000)).unwrap().next(Moment(1000)), Some(Moment(2000)));
    assert_eq!(Schedule::every(Millis(u64::MAX)).unwrap().next(Moment(u64::MAX)), None);
    assert_eq!(Schedule::every(Millis(2000)).unwrap().next(Moment(u64::MAX)), None);
}
