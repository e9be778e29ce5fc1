//! An entry of `schedule`, and what it has in common with the task around it.

use super::later;
use super::{Bond, Key, Names, Object, Shape, Special};

/// An entry of `schedule`.
pub(in crate::definition) const ENTRY: Object = Object::new(
    "schedule",
    "when, and with what",
    &[
        Key::new("cron", Shape::Special(&CRON), "A cron expression.")
            .more("0 and 7 are Sunday; names, ranges, lists, steps, `L`, `W` and `#` are understood. When day of month and weekday are both restricted, a day that matches either is due. A time of day that a clock change skips fires right after the gap; one that it repeats fires once."),
        Key::new("every", Shape::Duration { may_be_zero: false }, "The time between two runs.")
            .more("It counts from the Unix epoch, so that a restart does not shift the beat.")
            .foreign(&["interval"]),
        Key::new("at", Shape::Filled, "A single moment: a date with a time.").more("It fires once, in the time zone of the entry."),
        Key::new("timezone", Shape::Special(&ZONE), "The time zone of `cron` and `at`.").foreign(&["tz", "time_zone", "zone"]).without("that of `neap.yaml`"),
        Key::new("params", Shape::Map(Names::Any, &Shape::Any), "The parameters of the runs.").without("the defaults of the parameters"),
        Key::new("enabled", Shape::Boolean, "`false` keeps the entry in the file without effect.").default("true"),
        OVERLAP,
        CATCHUP,
        CATCHUP_WINDOW,
    ],
)
.bound(&[Bond::One(&["cron", "every", "at"])])
.later(later::SCHEDULE);

pub(super) const OVERLAP: Key = Key::new(
    "overlap",
    Shape::Words(&[
        ("skip", "the slot is left out, and that is written down"),
        (
            "queue_one",
            "one further run waits until the others have ended; while one waits, further slots are left out",
        ),
        ("queue_all", "every slot gets its run; they go on one after the other"),
        ("cancel_running", "what goes on is cancelled; the new run begins when that has ended"),
        ("allow", "another run is created beside it"),
    ]),
    "What happens when a slot comes while a run of the task goes on.",
)
.default("skip");

pub(super) const CATCHUP: Key = Key::new(
    "catchup",
    Shape::Words(&[
        ("none", "they are written down as missed"),
        ("last", "one run for all of them, for the last"),
        ("all", "a run for each, one after the other"),
    ]),
    "What happens to slots that nobody could act on in time.",
)
.default("none");

pub(super) const CATCHUP_WINDOW: Key =
    Key::new("catchup_window", Shape::Duration { may_be_zero: false }, "How far back slots are caught up.")
        .default("7d");

pub(super) const CRON: Special = Special {
    what: "a cron expression",
    pattern: r"\S",
    suggestions: &["@hourly", "@daily", "@weekly", "@monthly", "*/15 * * * *", "0 3 * * *"],
};

pub(super) const ZONE: Special = Special {
    what: "the name of a time zone",
    pattern: r"\S",
    suggestions: &["UTC", "Europe/Berlin", "America/New_York"],
};
