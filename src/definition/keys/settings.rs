//! What only `neap.yaml` has.

use super::environment::TIMEZONE;
use super::later;
use super::{Bond, Key, Names, Object, Places, Shape, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Settings of the host, in neap.yaml",
    about: "Beside `tasks/`, and optional. `env`, `secrets`, `defaults` and `templates` may stand there as well, for all tasks.",
    keys: &[
        Key::new("slots", Shape::Whole(1, 10_000), "How many jobs run at once.")
            .at(Places::SETTINGS)
            .without("one for each processor")
            .example("# neap.yaml\nslots: 4\n"),
        TIMEZONE.at(Places::SETTINGS).without("that of the system").example("# neap.yaml\ntimezone: Europe/Berlin\n"),
        Key::new("calendars", Shape::Map(Names::Any, &Shape::List(&Shape::Either(&[Shape::Filled, Shape::Object(&super::EXCLUDE)]))), "Times at which schedules do not fire, by name.")
            .at(Places::SETTINGS)
            .more("An entry of `schedule` names one: `exclude: { calendar: holidays }`. What stands in it is what may stand under `exclude`, save another calendar; days are those of the time zone of this file.")
            .example("# neap.yaml\ncalendars:\n  holidays: [2026-12-25, 2026-12-26, { from: 2026-12-31, to: 2027-01-01 }]\n"),
        Key::new("notify", Shape::Map(Names::Any, &Shape::Object(&CHANNEL)), "Ways to tell somebody something, by name.")
            .at(Places::SETTINGS)
            .more("`uses: notify` sends through them.")
            .example("# neap.yaml\nnotify:\n  ops: { command: [mail, -s, neap, ops] }\n  chat: { webhook: \"https://example.org/hook\" }\n"),
        Key::new("webhooks", Shape::Object(&WEBHOOKS), "Where the host listens for those who call it over HTTP.")
            .at(Places::SETTINGS)
            .without("it listens nowhere")
            .more("It serves nothing but the hooks of tasks (`schedule: { webhook: … }`), and only a host that was started with `neap serve` does.")
            .example("# neap.yaml\nwebhooks: { listen: \"127.0.0.1:7979\" }\n"),
        Key::new(
            "durability",
            Shape::Words(&[
                ("normal", "every step survives the death of the host; the last ones may be lost when the power fails"),
                ("full", "every step survives a power failure"),
            ]),
            "What is awaited before a step counts as done.",
        )
        .at(Places::SETTINGS)
        .default("normal")
        .example("# neap.yaml\ndurability: full\n"),
    ],
};

/// `webhooks`.
pub(in crate::definition) const WEBHOOKS: Object = Object::new(
    "webhooks",
    "where to listen",
    &[Key::new("listen", Shape::Filled, "An IP address and a port.").required().more(
        "Port 0 is any that is free; the host says which. There is no TLS: where others than this machine shall call, put a proxy in front.",
    )],
);

/// A channel of `notify`.
pub(in crate::definition) const CHANNEL: Object = Object::new(
    "notify.*",
    "a program or an address",
    &[
        Key::new(
            "command",
            Shape::Argv,
            "A program that gets the title and the message as its last two arguments.",
        ),
        Key::new("webhook", Shape::Filled, "An address that gets `{\"title\", \"text\"}` as JSON by POST."),
    ],
)
.bound(&[Bond::AtLeastOne(&["command", "webhook"])])
.later(later::CHANNEL);
