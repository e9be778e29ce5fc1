//! What the process of a job is given, and how it is held.

use super::{Key, Places, Shape, Special, Subject};
use crate::definition::process::{ON_HOST_DEATH, ON_LEAK};

pub(super) const SUBJECT: Subject = Subject {
    title: "Processes",
    about: "These hold for bodies that are processes (`run`, `exec`). Lua and functions of a program have none of this.",
    keys: &[
        Key::new("on_leak", Shape::Words(ON_LEAK), "What becomes of processes that outlive the one that was started.")
            .at(Places::JOBS)
            .default("kill")
            .more(
                "A job is over when nothing of it is left, also of what left its process group or made a session of its \
                 own. What outlives the first process has a tenth of a second to end by itself; then this decides. Without \
                 a supervisor (a program that embeds neap and names none) only the process group is known.",
            )
            .example("run: ./start-daemon\non_leak: detach\n"),
        Key::new("on_host_death", Shape::Words(ON_HOST_DEATH), "What becomes of a running job when the host is killed.")
            .at(Places::JOBS)
            .without("`keep` under `neap serve`, `kill` under `neap run`")
            .more(
                "A job that is kept goes on, with its output and its time limit, and the next `neap serve` takes it up, \
                 also when it ended meanwhile. A host that is asked to stop (Ctrl-C, SIGTERM) stops its jobs either way.",
            )
            .example("run: ./migrate\non_host_death: keep\n"),
        Key::new("user", Shape::Special(&USER), "The user it runs as.")
            .at(Places::JOBS)
            .without("the user of the host")
            .more(
                "A name or a number, perhaps with `:GROUP`. The process has the groups of that user, and `HOME`, `USER` and \
                 `LOGNAME` say so. The host must run as root. `cleanup` and hooks run as the host. Takes a supervisor.",
            )
            .example("run: ./report\nuser: www-data\n"),
        Key::new("umask", Shape::Special(&UMASK), "The mode bits that new files lack.")
            .at(Places::JOBS)
            .without("that of the host")
            .more("Three or four octal digits, in quotes: what YAML makes of 022 depends on who reads it. Takes a supervisor.")
            .example("run: ./export\numask: \"077\"\n"),
        Key::new("nice", Shape::Whole(-20, 19), "How much of the processor it leaves to others.")
            .at(Places::JOBS)
            .without("that of the host")
            .more("19 is the most. Less than the host has takes a host that runs as root. Takes a supervisor.")
            .example("run: ./reindex\nnice: 10\n"),
        Key::new("clean_env", Shape::Boolean, "It gets none of the host's own variables but a few.")
            .at(Places::JOBS)
            .default("false")
            .more(
                "The few are `PATH`, `HOME`, `USER`, `LOGNAME`, `LANG`, `LC_*`, `TZ` and `TMPDIR`. Its own `env`, parameters, \
                 secrets and the `NEAP_…` variables are there as ever.",
            )
            .example("run: make\nclean_env: true\n"),
        Key::new("env_passthrough", Shape::List(&Shape::Special(&VARIABLE)), "Which of the host's own variables it gets.")
            .at(Places::JOBS)
            .without("all of them")
            .more("Names, in which `*` and `?` stand for others; beside them it gets what `clean_env` leaves.")
            .example("run: git fetch\nenv_passthrough: [SSH_AUTH_SOCK, \"GIT_*\"]\n"),
    ],
};

const USER: Special =
    Special { what: "a user, perhaps with `:GROUP`", pattern: r"^[^:\s]+(:[^:\s]+)?$", suggestions: &[] };

const UMASK: Special = Special {
    what: "three or four octal digits in quotes",
    pattern: "^0?[0-7]{3}$",
    suggestions: &["022", "027", "077"],
};

const VARIABLE: Special = Special {
    what: "the name of a variable, perhaps with `*` and `?`",
    pattern: "^[A-Za-z0-9_*?]+$",
    suggestions: &[],
};
