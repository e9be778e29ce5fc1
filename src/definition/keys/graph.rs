//! What lets a job start, and how often it is there.

use super::{Bond, Key, Names, Object, Places, Shape, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "What lets a job start",
    about: "A job waits for what it depends on, then for its rule over these, then for its conditions, then for a slot.",
    keys: &[
        Key::new("depends_on", Shape::List(&Shape::Either(&[Shape::Filled, Shape::Object(&NEED)])), "The jobs it waits for.")
            .at(Places::FILE.and(Places::CHILD).and(Places::STEP))
            .alias(&["needs"])
            .foreign(&["deps", "dependencies", "depends"])
            .more(
                "Names are looked for among the children of the same pipeline first, then among all tasks by their full \
                 name. A task of another file is brought into the run, with the defaults of its parameters. A dependency \
                 on a pipeline is one on each of its children.",
            )
            .example(
                "tasks:\n  build: { run: make }\n  test: { depends_on: build, run: make test }\n  mourn: { depends_on: { task: test, when: failed }, run: ./mourn }\n",
            ),
        Key::new("trigger_rule", Shape::Words(RULES), "How many of its dependencies must come out well.")
            .at(Places::JOB)
            .default("all_succeeded")
            .more("`join` says the same with a number.")
            .example("tasks:\n  a: { run: make a }\n  b: { run: make b }\n  report: { depends_on: [a, b], trigger_rule: all_ended, run: ./report }\n"),
        Key::new("join", Shape::Object(&JOIN), "It starts when so many of its dependencies have succeeded.")
            .at(Places::JOB)
            .more("The others are not waited for.")
            .example(
                "tasks:\n  near: { run: ./fetch near }\n  far: { run: ./fetch far }\n  use: { depends_on: [near, far], join: { min_succeeded: 1, cancel_rest: true }, run: ./use }\n",
            ),
        Key::new("if", Shape::Expression, "It is skipped when this Lua expression is false.")
            .at(Places::JOBS)
            .foreign(&["when", "condition"])
            .more("It is evaluated after the dependencies. What depends on a job that was skipped like this still runs.")
            .example("params: { mode: full }\nif: params.mode == \"full\"\nrun: ./reindex\n"),
        Key::new("preconditions", Shape::List(&Shape::Either(&[Shape::FilledTemplate, Shape::Object(&PRECONDITION)])), "What must hold when it becomes ready, or else it fails.")
            .at(Places::JOBS)
            .more("A bare text is a command for `sh -eu`: it holds when the command exits with 0.")
            .example("preconditions:\n  - test -d out\n  - { lua: \"run.number > 0\", message: build it first }\nrun: ./upload\n"),
        Key::new("continue_on_error", Shape::Boolean, "Its failure neither fails the run nor stops what depends on it.")
            .at(Places::JOBS)
            .default("false")
            .foreign(&["allow_failure", "ignore_error", "ignore_errors", "continue-on-error"])
            .example("tasks:\n  lint: { run: make lint, continue_on_error: true }\n  build: { depends_on: lint, run: make }\n"),
        Key::new("strategy", Shape::Object(&STRATEGY), "One job for each combination of some values.")
            .at(Places::JOB)
            .more("Expressions read the values of a cell as `matrix.NAME`. Every cell is a job of its own, with its own log and retries.")
            .example(
                "strategy:\n  matrix: { os: [linux, macos], version: [1, 2] }\n  exclude: [{ os: macos, version: 1 }]\n  include: [{ os: linux, version: 3 }]\n  max_parallel: 2\n  fail_fast: false\nrun: ./test ${{ matrix.os }} ${{ matrix.version }}\n",
            ),
        Key::new("foreach", Shape::Either(&[Shape::Values, Shape::Object(&FOREACH)]), "One job for each item of a list.")
            .at(Places::JOB)
            .foreign(&["loop", "for", "for_each", "with_items"])
            .more("The list, or one expression that gives it, such as the output of an earlier job. Expressions read the item as `item`.")
            .example("foreach: { items: [a.csv, b.csv], as: file, max_parallel: 1 }\nrun: ./load ${{ file }}\n"),
    ],
};

const RULES: &[(&str, &str)] = &[
    ("all_succeeded", "each did what its `when` says"),
    ("all_ended", "each has ended, however"),
    ("any_succeeded", "one succeeded; the others are not waited for"),
    ("any_failed", "one failed; the others are not waited for"),
    ("none_failed", "each has ended and none has failed"),
    ("always", "each has ended; it runs even in a run that is being cancelled"),
];

/// An entry of `depends_on`.
pub(in crate::definition) const NEED: Object = Object::new(
    "depends_on",
    "a job, and what must have become of it",
    &[
        Key::new("task", Shape::Filled, "The name of the job.").required(),
        Key::new("when", Shape::Words(WHENS), "What must have become of it.").default("succeeded"),
    ],
);

const WHENS: &[(&str, &str)] = &[
    ("succeeded", "it succeeded, or there was nothing to do for it"),
    ("failed", "it failed, or was held back by a failure"),
    ("ended", "it ended, however"),
    ("skipped", "it was skipped"),
    ("started", "its first attempt has started"),
];

/// `join`.
pub(in crate::definition) const JOIN: Object = Object::new(
    "join",
    "how many",
    &[
        Key::new("min_succeeded", Shape::Whole(1, 10_000), "How many must have succeeded.").required(),
        Key::new(
            "cancel_rest",
            Shape::Boolean,
            "Whether the others are stopped, because nobody needs them any more.",
        )
        .default("false"),
    ],
);

/// An entry of `preconditions`.
pub(in crate::definition) const PRECONDITION: Object = Object::new(
    "preconditions",
    "a question, and what is said when the answer is no",
    &[
        Key::new("run", Shape::FilledTemplate, "A command for `sh -eu`: yes when it exits with 0.")
            .alias(&["sh"])
            .example("preconditions: { run: test -d out, message: build it first }\nrun: ./upload\n"),
        Key::new("lua", Shape::Expression, "A Lua expression: yes unless it is false or nil."),
        Key::new("message", Shape::Template, "What people are told when it does not hold.").alias(&["msg"]),
    ],
)
.bound(&[Bond::One(&["run", "lua"])]);

/// `strategy`.
pub(in crate::definition) const STRATEGY: Object = Object::new(
    "strategy",
    "the values, and how many jobs at once",
    &[
        Key::new("matrix", Shape::Object(&MATRIX), "The values by name: one job for each combination.")
            .more("A value is a list, or one expression that gives a list."),
        INCLUDE,
        EXCLUDE,
        Key::new("max_parallel", Shape::Whole(1, 10_000), "How many of them may go on at once.")
            .without("all")
            .alias(&["max-parallel"]),
        Key::new("fail_fast", Shape::Boolean, "Whether the first failure stops the others.")
            .default("true")
            .alias(&["fail-fast"]),
    ],
)
.bound(&[Bond::AtLeastOne(&["matrix", "include"])]);

/// `matrix`: names of one's own, and two words of GitHub's.
pub(in crate::definition) const MATRIX: Object =
    Object::new("strategy.matrix", "lists by name", &[INCLUDE, EXCLUDE])
        .rest(Names::Identifier, Shape::Values);

const CELLS: Shape = Shape::List(&Shape::Map(Names::Any, &Shape::Any));
const INCLUDE: Key = Key::new("include", CELLS, "Further combinations, or further values for some.");
const EXCLUDE: Key = Key::new("exclude", CELLS, "Combinations that are left out.");

/// `foreach`.
pub(in crate::definition) const FOREACH: Object = Object::new(
    "foreach",
    "the items, and how many at once",
    &[
        Key::new("items", Shape::Values, "A list, or one expression that gives one.").required(),
        Key::new("as", Shape::Identifier, "The name of the item in expressions.").default("item"),
        Key::new("max_parallel", Shape::Whole(1, 10_000), "How many of them may go on at once.")
            .without("all"),
    ],
);
