//! What a job is given: parameters, variables, secrets, a place and something to read.

use super::schedule::ZONE;
use super::{Bond, Key, Names, Object, Places, Shape, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "What a job is given",
    about: "Values that are known only when a job starts are written `${{ … }}`: a Lua expression over `params`, `env`, `run`, `task`, `tasks.<name>.outputs`, and `matrix` or `item` where the job has them. Each is evaluated once, when the job becomes ready.",
    keys: &[
        Key::new(
            "params",
            Shape::Either(&[
                Shape::Map(Names::Identifier, &Shape::Either(&[Shape::Object(&PARAM), Shape::Any])),
                Shape::Items(&Shape::Either(&[Shape::Identifier, Shape::Object(&PARAM_IN_LIST)])),
            ]),
            "What may be given when a run is created.",
        )
        .at(Places::FILE)
        .foreign(&["vars", "inputs", "parameters"])
        .more(
            "A mapping by name, or a list of `{ name, … }`. A bare value is the default. Bad values are refused all at \
             once, before anything starts. A job finds each in its environment as `PARAM_` and the name in capitals, a \
             script as `ctx.params`, an expression as `params.NAME`.",
        )
        .example(
            "params:\n  day: { type: date, required: true, description: The day to report }\n  level: { default: 3, minimum: 1, maximum: 9 }\n  mode: { enum: [fast, full], default: fast }\n  tag: { pattern: \"v[0-9]+\", default: v1 }\nrun: ./report --day \"$PARAM_DAY\" --level \"$PARAM_LEVEL\"\n",
        ),
        Key::new("env", Shape::Map(Names::Identifier, &Shape::Template), "Variables of the job.")
            .at(Places::ALL.and(Places::SETTINGS))
            .foreign(&["environment", "variables"])
            .more(
                "They are added to the environment of the host. Those of a pipeline hold for its children, those of \
                 `neap.yaml` for every job; the nearest wins.",
            )
            .example("env: { PGHOST: db1, STAMP: \"${{ run.date }}\" }\nrun: pg_dump app\n"),
        Key::new("dotenv", Shape::List(&Shape::Template), "Files with further variables, relative to the project.")
            .at(Places::ALL)
            .foreign(&["env_file", "env-file", "env_files"])
            .more("Lines `NAME=value`. A later file wins over an earlier one, and `env` over all of them.")
            .example("dotenv: [.env, .env.local]\nrun: ./serve\n"),
        Key::new("secrets", Shape::List(&Shape::Either(&[Shape::Identifier, Shape::Object(&SECRET)])), "Variables whose values nobody may see.")
            .at(Places::ALL.and(Places::SETTINGS))
            .more(
                "Only where a value comes from stands in the file. In logs, events, errors and the API the value is \
                 replaced by stars, and it is never part of a command line or of a stored definition. A bare name is a \
                 variable of the host.",
            )
            .example(
                "secrets:\n  - PGPASSWORD\n  - { name: TOKEN, from: file, key: secrets/token.txt }\nrun: ./upload\n",
            ),
        Key::new("working_dir", Shape::FilledTemplate, "The directory in which it starts, relative to the project.")
            .at(Places::ALL)
            .without("the project")
            .foreign(&["dir", "cwd", "workdir", "directory"])
            .example("working_dir: web\nrun: npm test\n"),
        Key::new("stdin", Shape::Either(&[Shape::Template, Shape::Object(&STDIN)]), "What it reads.")
            .at(Places::JOB)
            .without("nothing: the end of the file at once")
            .more(
                "Text, `{ text }`, `{ file }` or `{ task }`: the standard output of another child, on which it then \
                 depends. With `stream: true` both run at once, joined by a pipe.",
            )
            .example("tasks:\n  dump: { run: pg_dump app }\n  pack: { stdin: { task: dump, stream: true }, run: gzip > app.sql.gz }\n"),
    ],
};

const TYPES: &[(&str, &str)] = &[
    ("string", "any text"),
    ("integer", "a whole number"),
    ("number", "a number"),
    ("boolean", "`true` or `false`"),
    ("date", "a date: 2026-11-21"),
    ("duration", "a length of time: 1h30m"),
    ("list", "a list, or words separated by commas"),
    ("json", "any JSON"),
];

pub(super) const TYPE: Key = Key::new("type", Shape::Words(TYPES), "What values it takes.");

/// A parameter in a mapping.
pub(in crate::definition) const PARAM: Object = Object::new("params.*", "a declaration", &PARAM_KEYS);

/// A parameter in a list.
pub(in crate::definition) const PARAM_IN_LIST: Object =
    Object::new("params", "a declaration with its name", &PARAM_IN_LIST_KEYS);

const PARAM_KEYS: [Key; 8] = [
    TYPE.without("guessed from the default").more("Words of a command line are read by it."),
    Key::new("default", Shape::Any, "What holds when nothing is given.")
        .more("Without it the parameter is simply not there. It may be a text with expressions, evaluated for each run."),
    Key::new("enum", Shape::List(&Shape::Any), "The only values that are possible.")
        .foreign(&["choices", "options", "values", "one_of"]),
    Key::new("required", Shape::Boolean, "Whether it must be given.")
        .default("false")
        .more("A parameter with a default cannot be required."),
    Key::new("pattern", Shape::Filled, "A regular expression that must fit the whole text.")
        .more("Only for the type `string`. No anchors are needed."),
    Key::new("minimum", Shape::Number(None, None), "The smallest number, or the shortest text or list.")
        .foreign(&["min", "min_length"]),
    Key::new("maximum", Shape::Number(None, None), "The largest number, or the longest text or list.")
        .foreign(&["max", "max_length"]),
    Key::new("description", Shape::Text, "What it is for."),
];

const PARAM_IN_LIST_KEYS: [Key; 9] = [
    Key::new("name", Shape::Identifier, "The name of the parameter.")
        .required()
        .example("params: [{ name: day, type: date }, who]\nrun: ./report\n"),
    PARAM_KEYS[0],
    PARAM_KEYS[1],
    PARAM_KEYS[2],
    PARAM_KEYS[3],
    PARAM_KEYS[4],
    PARAM_KEYS[5],
    PARAM_KEYS[6],
    PARAM_KEYS[7],
];

/// An entry of `secrets`.
pub(in crate::definition) const SECRET: Object = Object::new(
    "secrets",
    "a variable and where its value comes from",
    &[
        Key::new("name", Shape::Identifier, "The variable under which the job sees it.").required(),
        Key::new("from", Shape::Words(SOURCES), "Where the value comes from.").default("env"),
        Key::new("key", Shape::Filled, "The variable, the path, the command, or the name in the store.")
            .without("the same as `name`")
            .more("With `from: file` or `from: command` it must be given."),
    ],
);

const SOURCES: &[(&str, &str)] = &[
    ("env", "a variable of the host"),
    ("file", "a file, relative to the project"),
    ("command", "what a command prints"),
    ("store", "the project's own store, `.neap/secrets`"),
];

/// `stdin`.
pub(in crate::definition) const STDIN: Object = Object::new(
    "stdin",
    "where it reads from",
    &[
        Key::new("text", Shape::Template, "This text.")
            .example("stdin: { text: \"${{ params.who }}\" }\nparams: { who: world }\nrun: cat\n"),
        Key::new("file", Shape::FilledTemplate, "A file, relative to the working directory.")
            .example("stdin: { file: data/in.csv }\nrun: sort\n"),
        Key::new("task", Shape::Filled, "The standard output of this child of the same pipeline."),
        Key::new("stream", Shape::Boolean, "Whether both run at once, joined by a pipe.")
            .default("false")
            .more("Only with `task`. The job that reads needs no slot of its own."),
    ],
)
.bound(&[Bond::One(&["text", "file", "task"]), Bond::Needs("stream", &["task"])]);

/// The time zone of the host.
pub(super) const TIMEZONE: Key =
    Key::new("timezone", Shape::Special(&ZONE), "The time zone of schedules that name none.");
