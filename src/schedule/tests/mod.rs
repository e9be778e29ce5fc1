//! What a schedule promises, against the table, against oracles and by example.

mod conformance;
mod errors;
mod limits;
mod oracles;
mod walker;
mod words;

use super::zone::timestamp;
use crate::base::{Millis, Moment};
use crate::schedule::{Schedule, Zone};

/// The first fires after midnight of 2027-03-28, when the clock in Berlin jumps from 02:00 to 03:00.
#[track_caller]
fn after_the_jump(text: &str, expected: [&str; 3]) {
    let berlin = Zone::named("Europe/Berlin").unwrap();
    let schedule = Schedule::cron(text, &berlin).unwrap();
    let midnight = Moment(1_806_188_400_000);
    let fires: Vec<String> = schedule.fires(midnight).take(3).map(|fire| berlin.format(fire)).collect();
    assert_eq!(fires, expected, "{text}");
}

/// Seconds say how often within a minute; only minute and hour say whether an expression has a beat.
#[test]
fn seconds_do_not_make_a_beat() {
    let next_days = ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"];
    after_the_jump("0 30 2 * * *", [next_days[0], next_days[1], "2027-03-30T02:30:00+02:00"]);
    after_the_jump("*/20 30 2 * * *", [next_days[0], next_days[1], "2027-03-29T02:30:20+02:00"]);
    let beat = ["2027-03-29T02:00:00+02:00", "2027-03-29T02:20:00+02:00", "2027-03-29T02:40:00+02:00"];
    after_the_jump("0 */20 2 * * *", beat);
    after_the_jump("*/20 2 * * *", beat);
}
