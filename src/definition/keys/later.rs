//! Keys that the language has and this version has not.
//!
//! They are refused by name: to be silently without a lock is worse than not to load.

use super::Later;

const fn later(name: &'static str, about: &'static str) -> Later {
    Later { name, about, instead: None }
}

const fn until(name: &'static str, about: &'static str, instead: &'static str) -> Later {
    Later { name, about, instead: Some(instead) }
}

/// Of tasks and children.
pub(super) const JOB: &[Later] = &[
    until("tty", "It runs on a terminal of its own.", "start the program with `script -qec`"),
    later("kind", "Whether it is a service that runs on and on."),
    later("restart", "When a service is started again."),
    later("restart_backoff", "How long to wait before a service is started again."),
    later("ready", "How it is told that a service is ready."),
    later("liveness", "How it is told that a service still works."),
    until("notify", "Who is told about what.", "use a hook"),
    later("retention", "How long runs are remembered."),
    until(
        "timezone",
        "The time zone of the schedule.",
        "write it beside the expression: `schedule: { cron: …, timezone: … }`",
    ),
    later("durability", "What is awaited before a step counts as done."),
];

/// Of `retry`.
pub(super) const RETRY: &[Later] = &[
    later("on_output", "Only a failure with such output is tried again."),
    until("hook", "A function that decides.", "a file under `hooks` can decide over a retry"),
    later("budget", "How many tries a stretch of time may have."),
];

/// Of `stop`.
pub(super) const STOP: &[Later] =
    &[until("command", "A command that asks it to stop.", "use a signal that the program understands")];

/// Of `log`.
pub(super) const LOG: &[Later] = &[
    later("keep", "How many logs are kept."),
    until("mask", "What else is kept out of the log.", "use `secrets`, whose values are masked"),
];

/// Of `neap.yaml`.
pub(super) const SETTINGS: &[Later] = &[
    later("retention", "How long runs are remembered."),
    later("http", "Where the API listens besides its socket."),
];

/// Of a channel of `notify`.
pub(super) const CHANNEL: &[Later] = &[
    until("slack", "A channel of Slack.", "use `webhook`"),
    until("ntfy", "A topic of ntfy.", "use `webhook`"),
    until("email", "Mail.", "use `command` with a program that sends mail"),
    until("desktop", "A message on the desktop.", "use `command: [notify-send]`"),
];
