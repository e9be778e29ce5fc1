//! What the process of a job is given, and how it is held.

use super::{Key, Places, Shape, Subject};
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
    ],
};
