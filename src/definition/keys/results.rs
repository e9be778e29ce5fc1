//! What a job makes, and whether there is anything to make.

use super::environment::TYPE;
use super::later;
use super::process::SIZE;
use super::{Bond, Key, Names, Object, Places, Shape, Subject};
use crate::definition::log::MODES;

pub(super) const SUBJECT: Subject = Subject {
    title: "What a job makes",
    about: "A job is skipped when `sources`, `generates` and `status` say together that there is nothing to do. Patterns know `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders.",
    keys: &[
        Key::new(
            "outputs",
            Shape::Either(&[
                Shape::Map(Names::Identifier, &Shape::Either(&[TYPE.shape, Shape::Object(&OUTPUT)])),
                Shape::List(&Shape::Identifier),
            ]),
            "The values that it hands on, with their types.",
        )
        .at(Places::JOB)
        .more(
            "A job writes them as lines `name=value` into the file `$NEAP_OUTPUT`. Each one that is declared must be there \
             when it succeeds. Those that depend on it read them as `tasks.NAME.outputs.KEY`.",
        )
        .example(
            "tasks:\n  count:\n    run: echo \"rows=$(wc -l < data.csv)\" >> \"$NEAP_OUTPUT\"\n    outputs: { rows: { type: integer, description: Lines in the file } }\n  tell: { depends_on: count, run: \"echo ${{ tasks.count.outputs.rows }}\" }\n",
        ),
        Key::new("artifacts", Shape::List(&Shape::FilledTemplate), "Files that are kept with the run.")
            .at(Places::JOB)
            .more("Paths or patterns, relative to the working directory. What a job writes into `$NEAP_ARTIFACTS` is kept in any case.")
            .example("run: make report\nartifacts: [out/*.pdf, build.log]\n"),
        Key::new("sources", Shape::List(&Shape::FilledTemplate), "Patterns of the files that it reads.")
            .at(Places::JOB)
            .more("When they are as they were when it last succeeded, the job is skipped and says so.")
            .example("sources: [src/**/*.c, Makefile]\ngenerates: app\nrun: make\n"),
        Key::new("generates", Shape::List(&Shape::FilledTemplate), "Patterns of the files that it writes.")
            .at(Places::JOB)
            .more("When one of them matches no file, there is something to do.")
            .example("sources: src/*.md\ngenerates: out/book.pdf\nrun: make book\n"),
        Key::new("method", Shape::Words(METHODS), "How `sources` are compared.")
            .at(Places::JOBS)
            .default("checksum")
            .example("sources: src/*.c\ngenerates: app\nmethod: timestamp\nrun: make\n"),
        Key::new("status", Shape::List(&Shape::FilledTemplate), "Commands that all exit with 0 when there is nothing to do.")
            .at(Places::JOB)
            .more("They are texts for `sh -eu`.")
            .example("status: test -d node_modules\nrun: npm install\n"),
        Key::new("log", Shape::Object(&LOG), "What becomes of its output.")
            .at(Places::JOBS)
            .more("The log holds the very bytes, without secrets. `neap logs -t` says when each line was written.")
            .example("run: ./noisy\nlog: { mode: separate }\n"),
        Key::new("repeat", Shape::Object(&REPEAT), "It is done again after it succeeded.")
            .at(Places::JOB)
            .more("The expression sees what the round gave as `outputs`. When the limit is reached before it has got what it waits for, the job fails.")
            .example("run: ./poll >> \"$NEAP_OUTPUT\"\nrepeat: { until: 'outputs.state == \"ready\"', every: 10s, limit: 60 }\n"),
    ],
};

const METHODS: &[(&str, &str)] = &[
    ("checksum", "the sources have the contents they had when it last succeeded"),
    ("timestamp", "no source is younger than any file it generates"),
    ("none", "they are not compared"),
];

/// The long form of an output.
pub(in crate::definition) const OUTPUT: Object = Object::new(
    "outputs.*",
    "its type, and what it is",
    &[TYPE.default("string"), Key::new("description", Shape::Text, "What it is.")],
);

/// `log`.
pub(in crate::definition) const LOG: Object = Object::new(
    "log",
    "how it is written",
    &[
        Key::new("mode", Shape::Words(MODES), "How standard output and standard error come into the log.")
            .default("merged")
            .more("With `separate`, `neap logs --stderr` shows only the one."),
        Key::new("max_size", Shape::Special(&SIZE), "How large it becomes.")
            .default("256MiB")
            .more(
                "From 64 KiB to 1 TiB. Of what is too much the middle is left out: the first half of the size is kept and \
                 the last, cut at line ends, and a line of neap between them says how much is missing. The job does not notice.",
            )
            .example("run: ./noisy\nlog: { max_size: 10MB }\n"),
    ],
)
.later(later::LOG);

/// `repeat`.
pub(in crate::definition) const REPEAT: Object = Object::new(
    "repeat",
    "how long, and how often",
    &[
        Key::new("while", Shape::Expression, "It is done again while this Lua expression is true.")
            .example("run: ./work\nrepeat: { while: outputs.left ~= \"0\" }\n"),
        Key::new("until", Shape::Expression, "It is done again until this Lua expression is true."),
        Key::new("every", Shape::Duration { may_be_zero: true }, "The wait between two rounds.")
            .default("1s"),
        Key::new("limit", Shape::Whole(1, 1_000_000), "So many rounds at most.").default("100"),
    ],
)
.bound(&[Bond::One(&["while", "until"])]);
