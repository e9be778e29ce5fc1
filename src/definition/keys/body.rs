//! What a job does.

use super::{Key, Places, Shape, Special, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "What a job does",
    about: "A task, a child or a step has exactly one body: `run`, `exec`, `lua`, `script` or `uses`. `with` and `shell` go with it.",
    keys: KEYS,
};

/// The bodies, of which there is exactly one.
pub(in crate::definition) const NAMES: [&str; 5] =
    [KEYS[0].name, KEYS[1].name, KEYS[2].name, KEYS[3].name, KEYS[4].name];

const KEYS: &[Key] = &[
    Key::new("run", Shape::FilledTemplate, "Text for a shell.")
        .at(Places::JOB)
        .foreign(&["cmd", "cmds", "command", "commands", "script_text"])
        .more(
            "The shell is `sh -eu` unless `shell` says otherwise. One plain command without anything that a shell \
             would interpret is started directly, without a shell process. The value of an expression arrives as one \
             quoted word, so that it cannot become a command.",
        )
        .example("run: |\n  make\n  make test\n"),
    Key::new("exec", Shape::Argv, "A program and its arguments, without a shell.")
        .at(Places::JOB)
        .foreign(&["entrypoint", "argv"])
        .more(
            "Each entry is one argument, whatever stands in it: there is no quoting, no variable and no wildcard. A \
             single word is a program without arguments.",
        )
        .example("exec: [rsync, -a, data/, \"backup:data/\"]\n"),
    Key::new("lua", Shape::Filled, "Lua text that is run in the sandbox.")
        .at(Places::JOB)
        .more(
            "The text sees `ctx` (the job, its parameters, its variables) and `neap` (time, waiting, JSON). It has no \
             way to the file system or the network, and a budget of time and memory. What it returns may skip the job.",
        )
        .example("lua: |\n  ctx:progress(50, \"half\")\n"),
    Key::new("script", Shape::ScriptFile, "A Lua file below `scripts/` that is run in the sandbox.")
        .at(Places::JOB)
        .more("As `lua`, with the text in a file of its own. The path is relative to `scripts/`.")
        .example("script: report.lua\n"),
    Key::new("uses", Shape::Special(&USES), "A built-in action, another task, or a function of the program around neap.")
        .at(Places::JOB)
        .more(
            "`task:NAME` creates a run of another task; there are built-in actions; a program that embeds \
             neap can register functions of its own. A name that nobody knows is an error.",
        )
        .example("uses: http.request\nwith: { url: \"https://example.org/hook\", method: POST, json: { ok: true } }\n"),
    Key::new("with", Shape::Any, "The argument of `uses`.")
        .at(Places::JOB)
        .foreign(&["args"])
        .more("For a built-in action a mapping with the keys that it knows; for a function of one's own any YAML.")
        .example("uses: wait.file\nwith: { path: data/ready.csv, settle: 5s }\n"),
    Key::new("shell", Shape::List(&Shape::Filled), "The interpreter for `run`.")
        .at(Places::JOBS)
        .default("sh -eu")
        .more(
            "Its words, as text or as a list. The option that takes a text (`-c`, `-e`) is added for the usual ones; \
             `{0}` stands for a file that holds the text; an interpreter that nobody knows gets the text as a file.",
        )
        .example("shell: python3\nrun: print(6 * 7)\n"),
];

const USES: Special = Special {
    what: "the name of an action, `task:NAME`, or of a function",
    pattern: r"\S",
    suggestions: &crate::definition::actions::NAMES,
};
