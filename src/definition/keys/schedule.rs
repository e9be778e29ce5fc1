//! An entry of `schedule`, and what it has in common with the task around it.

use super::{Bond, Key, Names, Object, Shape, Special};

/// An entry of `schedule`.
pub(in crate::definition) const ENTRY: Object = Object::new(
    "schedule",
    "when, and with what",
    &[
        Key::new("cron", Shape::Special(&CRON), "A cron expression.")
            .more("0 and 7 are Sunday; names, ranges, lists, steps, `L`, `W` and `#` are understood. When day of month and weekday are both restricted, a day that matches either is due."),
        Key::new("every", Shape::Duration { may_be_zero: false }, "The time between two runs.")
            .more("It counts from the Unix epoch, so that a restart does not shift the beat.")
            .foreign(&["interval"]),
        Key::new("at", Shape::Filled, "A single moment: a date with a time.").more("It fires once, in the time zone of the entry."),
        Key::new("timezone", Shape::Special(&ZONE), "The time zone of `cron` and `at`.").foreign(&["tz", "time_zone", "zone"]).without("that of `neap.yaml`"),
        Key::new("params", Shape::Map(Names::Any, &Shape::Any), "The parameters of the runs.").without("the defaults of the parameters"),
        Key::new("enabled", Shape::Boolean, "`false` keeps the entry in the file without effect.").default("true"),
        Key::new("event", Shape::Words(&[("startup", "the host comes up: once for each start, and not when files are read again")]), "What happens to the host."),
        Key::new("after", Shape::Either(&[Shape::Filled, Shape::Object(&AFTER)]), "Another task, of which a run has ended.")
            .more("A bare name means a run that has succeeded. The run is created in the same step in which the other one ends, so a crash neither loses nor repeats it."),
        Key::new("watch", Shape::Either(&[Shape::List(&Shape::Filled), Shape::Object(&WATCH)]), "Files that change.")
            .more("The run is created when files were made or changed and nothing has happened to them since for a while; all that come together make one run. Files that go make none."),
        Key::new("webhook", Shape::Object(&WEBHOOK), "Somebody calls the host: `POST /hooks/` and the name of the task.")
            .more("The host listens where `webhooks` of neap.yaml says. Parameters that the entry does not give may stand in the query; the body is in the file that `NEAP_WEBHOOK_BODY` names.")
            .foreign(&["hook"]),
        Key::new("jitter", Shape::Duration { may_be_zero: true }, "By how much later than its slot a run is created at most.")
            .default("0s")
            .more("How much it is comes from the name of the schedule and the slot, so that `neap next` and a restart tell the same. It never reaches the next slot."),
        Key::new("start", Shape::Filled, "The day or the moment before which it does not fire."),
        Key::new("end", Shape::Filled, "The day or the moment after which it does not fire.").more("A day is included."),
        Key::new("exclude", Shape::List(&Shape::Either(&[Shape::Filled, Shape::Object(&EXCLUDE)])), "When it does not fire although its text says so.")
            .more("A day (`2026-12-24`), days (`2026-12-24..2027-01-01`), a weekday (`sat`) or several (`mon-fri`), a cron expression whose minutes are meant, or `{ from, to }`; in the time zone of the entry."),
        Key::new("dst_gap", Shape::Words(&[("run_after", "it fires at the first instant after the gap"), ("skip", "it does not fire that day")]), "What becomes of a time of day that a clock change skips.")
            .default("run_after")
            .more("It is about expressions that name times of day. One with `*` in minute or hour follows the clock on the wall."),
        Key::new("dst_overlap", Shape::Words(&[("first", "it fires the first time round"), ("second", "it fires the second time round"), ("both", "it fires both times")]), "What becomes of a time of day that a clock change repeats.")
            .default("first"),
        OVERLAP,
        CATCHUP,
        CATCHUP_WINDOW,
        PAUSE_ON_FAILURE,
    ],
)
.bound(&[Bond::One(&["cron", "every", "at", "event", "after", "watch", "webhook"])]);

/// `after` of an entry of `schedule`.
pub(in crate::definition) const AFTER: Object = Object::new(
    "schedule.after",
    "which run, and how it ended",
    &[
        Key::new("task", Shape::Filled, "The name of the file.").required(),
        Key::new(
            "when",
            Shape::Words(&[
                ("succeeded", "it did what it should"),
                ("failed", "it did not; a run that was cancelled has not failed"),
                ("ended", "in whatever way"),
            ]),
            "How its run has to end.",
        )
        .default("succeeded"),
    ],
);

/// `watch` of an entry of `schedule`.
pub(in crate::definition) const WATCH: Object = Object::new(
    "schedule.watch",
    "which files, and for how long they have to rest",
    &[
        Key::new("paths", Shape::List(&Shape::Filled), "Paths and patterns of files.").required().more(
            "`*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders; relative to the project. A path of a folder means the files in it.",
        ),
        Key::new(
            "settle",
            Shape::Duration { may_be_zero: false },
            "For so long nothing may happen to a file before it counts as complete.",
        )
        .default("1s")
        .more("From 50ms to 1h."),
    ],
);

/// `webhook` of an entry of `schedule`.
pub(in crate::definition) const WEBHOOK: Object = Object::new(
    "schedule.webhook",
    "who may call it",
    &[Key::new("token", Shape::Filled, "The name of a secret, of the task or of neap.yaml, that callers must know.")
        .required()
        .more("They send it as `Authorization: Bearer …` or `X-Gitlab-Token`, or sign the body with it as GitHub does (`X-Hub-Signature-256`). It has at least 16 bytes.")],
);

/// An item of `exclude`.
pub(in crate::definition) const EXCLUDE: Object = Object::new(
    "schedule.exclude",
    "from when to when, or a calendar",
    &[
        Key::new("from", Shape::Filled, "A time of day, a day or a moment."),
        Key::new("to", Shape::Filled, "Where it ends.").more("A time of day or a moment is no part of it any more, a day is. A time of day that is earlier than `from` is one of the next day."),
        Key::new("calendar", Shape::Filled, "The name of a calendar in neap.yaml."),
    ],
)
.bound(&[Bond::One(&["from", "calendar"])]);

pub(super) const PAUSE_ON_FAILURE: Key = Key::new(
    "pause_on_failure",
    Shape::Whole(1, 1000),
    "After so many failures in a row the schedules of the task rest.",
);

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
.default("skip")
.more("For `watch` and `webhook` it is `queue_all` when nothing is said: a slot that is left out comes again, and a file or a call does not.");

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
