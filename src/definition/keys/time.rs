//! How long, how often and when.

use super::later;
use super::schedule::{self, CRON, ENTRY};
use super::{Key, Object, Places, Shape, Special, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Time and turn",
    about: "Lengths of time are written `30s`, `5m`, `1h30m`, `2d`, `250ms`; a bare whole number means seconds.",
    keys: &[
        Key::new("schedule", Shape::List(&Shape::Either(&[Shape::Special(&CRON), Shape::Object(&ENTRY)])), "When runs are created without anybody asking.")
            .at(Places::FILE)
            .foreign(&["on", "cron", "schedule_interval", "crontab"])
            .more(
                "A bare text is a cron expression: five fields (minute, hour, day of month, month, weekday), six with \
                 seconds first, or `\"@daily\"` and its like. Quote it: a leading `*` means something else to YAML. Each \
                 slot becomes exactly one run, one skip with its reason, or a part of a stretch that was missed. \
                 `neap next \"13 3 * * *\"` says what an expression does.",
            )
            .example(
                "schedule:\n  - { cron: \"13 3 * * *\", timezone: Europe/Berlin, params: { mode: full } }\n  - { every: 6h, overlap: allow, catchup: last, catchup_window: 1d }\n  - { cron: \"30 2 * * *\", start: 2026-12-01, end: 2027-03-31, exclude: [sat, { from: 2026-12-24, to: 2027-01-01 }, { calendar: holidays }], dst_gap: skip, dst_overlap: second, jitter: 5m }\n  - { event: startup, pause_on_failure: 3 }\n  - { after: { task: other, when: failed } }\n  - { watch: { paths: [\"inbox/*.csv\"], settle: 2s }, overlap: queue_one }\n  - { webhook: { token: HOOK_TOKEN }, overlap: skip }\n  - { at: \"2026-12-24 18:00\", enabled: false }\nparams: { mode: fast }\nsecrets: [{ name: HOOK_TOKEN, from: store }]\nrun: ./sync \"$PARAM_MODE\"\n",
            ),
        schedule::OVERLAP
            .at(Places::FILE)
            .more(
                "It holds for every entry of `schedule` that does not say otherwise, for slots that come and for slots that \
                 are caught up. A run that waits says for which; a person can cancel it. Runs that people start are not held \
                 back, but a slot looks at them too. At most 1000 runs of a task wait: what comes then is left out.",
            )
            .example("schedule: { every: 1m }\noverlap: queue_one\nrun: ./poll\n"),
        schedule::CATCHUP
            .at(Places::FILE)
            .more(
                "A slot up to one minute late is carried out like any other. What is older was missed, because no host was \
                 up or the machine slept, and is written down; this says whether runs are made for it all the same. They \
                 are made in order, 20 in a second at most over all schedules, at most 1000 for one schedule, and \
                 `overlap` holds for them too. While the schedules of a task rest nothing is caught up.",
            )
            .example("schedule: { cron: \"13 3 * * *\" }\ncatchup: last\ncatchup_window: 2d\nrun: ./backup\n"),
        schedule::CATCHUP_WINDOW
            .at(Places::FILE)
            .more("From 1m to 366d. What is older is written down as missed.")
            .example("schedule: { every: 6h }\ncatchup: all\ncatchup_window: 2d\nrun: ./sync\n"),
        schedule::PAUSE_ON_FAILURE
            .at(Places::FILE)
            .more(
                "Counted are runs that this schedule has created, in a row; a run that was cancelled counts neither way. The \
                 pause is the host's, with a note that names the last run, and rests all schedules of the task until \
                 `neap resume TASK`, which also begins the count anew.",
            )
            .example("schedule: { every: 1h }\npause_on_failure: 3\nrun: ./sync\n"),
        Key::new("expect", Shape::Object(&EXPECT), "When its runs should have started and ended.")
            .at(Places::FILE)
            .foreign(&["sla", "deadline"])
            .more(
                "A run that is late is not stopped for that (`timeout` does this): that it is late is written down and told, \
                 once for each of these, by `neap ps`, `neap why`, `neap show` and `neap history --late`. Time is that of the \
                 clock on the wall, so it counts while a run is held or frozen, and while no host is up. Without any of this \
                 a run is told of that takes much longer than it usually does.",
            )
            .example("schedule: { cron: \"13 3 * * *\" }\nexpect: { started_within: 10m, finished_within: 2h, max_duration: 1h }\nrun: ./backup\n"),
        Key::new("priority", Shape::Either(&[Shape::Words(PRIORITIES), Shape::Whole(-100, 100)]), "Who gets a slot first.")
            .at(Places::ALL)
            .default("normal")
            .more("A larger number goes first. Among equals the order of arrival counts.")
            .example("priority: low\nrun: ./reindex\n"),
        Key::new("timeout", Shape::Duration { may_be_zero: false }, "How long one attempt may run.")
            .at(Places::JOBS)
            .without("no limit")
            .foreign(&["timeout_sec", "timeout-minutes"])
            .more(
                "When it is over the attempt is stopped as `stop` says and counts as failed, with exit code 124. With \
                 `retry` the next attempt has the whole time again.",
            )
            .example("run: ./backup\ntimeout: 30m\n"),
        Key::new("timeout_total", Shape::Duration { may_be_zero: false }, "How long all attempts together may take.")
            .at(Places::JOBS)
            .without("no limit")
            .more(
                "From the start of the first attempt to the end of the last, with the waits between them and with the time \
                 for which it is frozen. When it is over the job has failed with exit code 124, whatever `retry` says.",
            )
            .example("run: ./fetch\nretry: 10\ntimeout: 1m\ntimeout_total: 5m\n"),
        Key::new("delay", Shape::Duration { may_be_zero: true }, "How long it waits once everything it needs is there.")
            .at(Places::JOBS)
            .default("0s")
            .more("It needs no slot for that, and the wait goes on when the host is started anew.")
            .example("tasks:\n  deploy: { run: ./deploy }\n  verify: { run: ./verify, depends_on: deploy, delay: 2m }\n"),
        Key::new("not_before", Shape::Filled, "The moment before which it does not start.")
            .at(Places::JOBS)
            .more("A date with a time, in the time zone of neap.yaml unless it has an offset.")
            .example("run: ./open-the-shop\nnot_before: \"2026-12-01 08:00\"\n"),
        Key::new("stall_timeout", Shape::Duration { may_be_zero: false }, "How long it may show no sign of life.")
            .at(Places::JOBS)
            .without("no limit")
            .more(
                "Signs of life are output, processor time and anything read or written, of the process and of all that it has \
                 started. Without any of them for so long the attempt is stopped as `stop` says and counts as failed, with \
                 exit code 124. It is looked for now and then, so it may take a quarter longer. It holds for processes, and \
                 takes a supervisor.",
            )
            .example("run: rclone copy out remote:backups/\nstall_timeout: 2m\n"),
        Key::new("stop", Shape::Object(&STOP), "How a running attempt is asked to stop.")
            .at(Places::JOBS)
            .without("SIGTERM, and 10 seconds")
            .more("The signal goes to the whole process group. What is left after the grace is killed.")
            .example("run: ./serve\nstop: { signal: SIGINT, grace: 30s }\n"),
        Key::new("stop_signal", Shape::Special(&SIGNAL), "Compose's name for `signal` of `stop`.")
            .at(Places::JOBS)
            .alias_of("stop.signal"),
        Key::new("stop_grace_period", Shape::Duration { may_be_zero: true }, "Compose's name for `grace` of `stop`.")
            .at(Places::JOBS)
            .alias_of("stop.grace"),
        Key::new("retry", Shape::Either(&[Shape::Whole(0, 1000), Shape::Object(&RETRY)]), "Whether and when a failed attempt is followed by another.")
            .at(Places::JOBS)
            .default("0")
            .foreign(&["retries", "retry_policy"])
            .more(
                "A number is the number of further tries: `retry: 2` means three attempts, 1 s and 2 s apart. The mapping \
                 says it all, and there `attempts` counts every try. A cancelled job is not tried again; a `retry` hook may \
                 decide otherwise.",
            )
            .example(
                "run: curl -fsS https://example.org/data\nretry:\n  attempts: 5\n  delay: 2s\n  backoff: 2\n  max_delay: 1m\n  jitter: 0.2\n  on_exit: [6, 7, 28]\n  not_on_exit: [22]\n",
            ),
    ],
};

/// `expect`.
pub(in crate::definition) const EXPECT: Object = Object::new(
    "expect",
    "when runs should have started and ended",
    &[
        Key::new("started_within", Shape::Duration { may_be_zero: false }, "How long after its slot the first attempt has started.")
            .more("Of a run that no slot has created, after it was asked for."),
        Key::new("finished_within", Shape::Duration { may_be_zero: false }, "How long after its slot the run has ended.")
            .more("Of a run that no slot has created, after it was asked for. It cannot be shorter than `started_within`."),
        Key::new("max_duration", Shape::Duration { may_be_zero: false }, "How long after the start of its first attempt the run has ended."),
    ],
);

const PRIORITIES: &[(&str, &str)] = &[
    ("low", "the same as -10"),
    ("normal", "the same as 0"),
    ("high", "the same as 10"),
    ("urgent", "the same as 50"),
];

/// `stop`.
pub(in crate::definition) const STOP: Object = Object::new(
    "stop",
    "how it is asked to stop",
    &[
        Key::new("signal", Shape::Special(&SIGNAL), "The signal that asks.").default("SIGTERM"),
        Key::new("grace", Shape::Duration { may_be_zero: true }, "How long it has until it is killed.")
            .default("10s"),
    ],
)
.later(later::STOP);

/// `retry`.
pub(in crate::definition) const RETRY: Object = Object::new(
    "retry",
    "how often, and when",
    &[
        Key::new("attempts", Shape::Whole(1, 1000), "All tries together; with 1 nothing is tried again.")
            .required()
            .foreign(&["limit", "max_attempts"]),
        Key::new("delay", Shape::Duration { may_be_zero: true }, "The wait before the second try.").default("1s").foreign(&["interval"]),
        Key::new("backoff", Shape::Number(Some(1.0), Some(1000.0)), "Every further wait is the last one times this.").default("2"),
        Key::new("max_delay", Shape::Duration { may_be_zero: true }, "No wait is longer than this.")
            .default("5m")
            .more("It cannot be shorter than `delay`."),
        Key::new("jitter", Shape::Number(Some(0.0), Some(1.0)), "The share by which a wait is stretched or shortened at random.")
            .default("0")
            .more("With 0.2 a wait of 10 s lasts from 8 to 12 s. It keeps many jobs from coming back in the same moment."),
        Key::new("on_exit", Shape::List(&Shape::Whole(1, 255)), "Only these exit codes are tried again.")
            .without("every failure is tried again")
            .more("With it nothing else is tried again: no signal, no timeout, no program that could not be started."),
        Key::new("not_on_exit", Shape::List(&Shape::Whole(1, 255)), "These exit codes are never tried again."),
    ],
)
.later(later::RETRY);

const SIGNAL: Special = Special {
    what: "the name or the number of a signal",
    pattern: concat!(
        "^([Ss][Ii][Gg])?(",
        "[Hh][Uu][Pp]|[Ii][Nn][Tt]|[Qq][Uu][Ii][Tt]|[Aa][Bb][Rr][Tt]|[Kk][Ii][Ll][Ll]|[Tt][Ee][Rr][Mm]|",
        "[Uu][Ss][Rr][12]|[Aa][Ll][Rr][Mm]|[Cc][Oo][Nn][Tt]|[Ss][Tt][Oo][Pp]|[Ww][Ii][Nn][Cc][Hh]|",
        "[+]?0*([1-9]|[12][0-9]|3[01]))$",
    ),
    suggestions: &["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2"],
};
