//! What watches a job, and what is tidied up behind it.

use super::{Bond, Key, Object, Places, Shape, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "Around and after a job",
    about: "",
    keys: &[
        Key::new("hooks", Shape::List(&Shape::Either(&[Shape::ScriptFile, Shape::Object(&HOOK)])), "Lua files that watch and decide over it.")
            .at(Places::ALL)
            .more("Paths are relative to `scripts/`. Hooks of a pipeline come before those of its children.")
            .example("hooks: [notify.lua, { file: guard.lua, on_error: fail }]\nrun: ./deploy\n"),
        Key::new("cleanup", Shape::List(&Shape::Either(&[Shape::FilledTemplate, Shape::Object(&CLEANUP)])), "What is tidied up after the last attempt, whatever the outcome.")
            .at(Places::JOBS)
            .more(
                "It happens for a job that had at least one attempt, also when the run was cancelled, and also after a crash \
                 of the host. A bare text is a command for `sh -eu`. A cleanup that fails is shown with the job and does not \
                 change its outcome.",
            )
            .example("run: make image\ncleanup:\n  - remove: build/tmp\n  - exec: [docker, compose, down]\n  - run: echo done >> log.txt\n"),
    ],
};

/// An entry of `hooks`.
pub(in crate::definition) const HOOK: Object = Object::new(
    "hooks",
    "a file, and what its mistakes do",
    &[
        Key::new("file", Shape::ScriptFile, "The Lua file.").required(),
        Key::new(
            "on_error",
            Shape::Words(&[("warn", "the mistake is reported; the job goes on"), ("fail", "the job fails")]),
            "What a failing hook does to the job.",
        )
        .default("warn")
        .more("A failing `before` is a guard and fails the job in any case."),
    ],
);

/// An entry of `cleanup`.
pub(in crate::definition) const CLEANUP: Object = Object::new(
    "cleanup",
    "one thing to tidy up",
    &[
        Key::new("run", Shape::FilledTemplate, "Text for `sh -eu`."),
        Key::new("exec", Shape::Argv, "A program and its arguments."),
        Key::new("remove", Shape::FilledTemplate, "A file, or a directory with all it holds.")
            .more("Relative to the working directory, or absolute below it or below the temporary directory. Links that lead elsewhere are not followed."),
    ],
)
.bound(&[Bond::One(&["run", "exec", "remove"])]);
