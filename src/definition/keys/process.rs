//! What the process of a job is given, and how it is held.

use super::{Key, Object, Places, Shape, Special, Subject};
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
        Key::new("limits", Shape::Object(&LIMITS), "What it may use of the machine at most.")
            .at(Places::JOBS)
            .without("what the host may use")
            .more(
                "A job that wants more memory, more processes or a larger file, or writes too much, is killed, and its cause is `limit`. How each is \
                 enforced depends on the machine; [processes](processes.md) says how. Of several places the nearest counts \
                 for each limit. Takes a supervisor.",
            )
            .example("run: ./import\nlimits: { memory: 512MiB, pids: 100, cpu: 1.5, nofile: 256, file_size: 2GiB, output: 100MB }\n"),
    ],
};

/// `limits`.
pub(in crate::definition) const LIMITS: Object = Object::new(
    "limits",
    "what it may use of the machine",
    &[
        Key::new("memory", Shape::Special(&SIZE), "Memory, of all its processes together.")
            .more("At least 1 MiB. Who wants more is killed."),
        Key::new("cpu", Shape::Number(Some(0.01), Some(1024.0)), "How many processors it may use, of all its processes together.")
            .more("With 1.5 it gets the time of one and a half. It takes control groups; without them the log says that it does not hold."),
        Key::new("pids", Shape::Whole(1, 4_000_000), "Processes and threads at the same time.")
            .more("Who wants more is killed."),
        Key::new("nofile", Shape::Whole(4, 1_000_000), "Open files of each process.")
            .more("Who wants more is told so by the system, and goes on."),
        Key::new("file_size", Shape::Special(&SIZE), "Size of each file that it writes, its log too where that is not read by neap.")
            .more("Who writes more gets SIGXFSZ."),
        Key::new("output", Shape::Special(&SIZE), "Output of an attempt, standard output and standard error together.")
            .more("Who writes more is killed. What goes down a pipe to another job does not count."),
    ],
);

pub(super) const SIZE: Special = Special {
    what: "a size",
    pattern: "^[0-9.]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB)?$",
    suggestions: &["64MiB", "512MiB", "2GiB"],
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
