//! Tasks that are made of others, and keys that several share.

use super::{CHILD, DEFAULTS, Key, Names, Places, STEP, Shape, Subject, TEMPLATE};

pub(super) const SUBJECT: Subject = Subject {
    title: "Pipelines and what their children share",
    about: "A file with `tasks` or `steps` is a pipeline. It has no body of its own.",
    keys: &[
        Key::new("tasks", Shape::Map(Names::Child, &Shape::Object(&CHILD)), "The children of a pipeline by name: a graph.")
            .at(Places::PIPELINE)
            .foreign(&["jobs"])
            .more(
                "Children run at once as far as slots allow; `depends_on` says which wait for which. The child `dump` of \
                 `tasks/nightly.yaml` is called `nightly/dump`.",
            )
            .example("tasks:\n  build: { run: make }\n  test: { depends_on: build, run: make test }\n"),
        Key::new("steps", Shape::Items(&Shape::Object(&STEP)), "The children of a pipeline in a row: a chain.")
            .at(Places::PIPELINE)
            .more("Each step waits for the one before it. A step may also say `depends_on` for more than that.")
            .example("steps:\n  - run: make\n  - { name: test, run: make test }\n"),
        Key::new("id", Shape::Filled, "The name of a step.")
            .at(Places::STEP)
            .without("`step1`, `step2` and so on")
            .more("Letters, digits, `.`, `_` and `-`, beginning with a letter or a digit.")
            .example("steps:\n  - { id: build, run: make }\n"),
        Key::new("name", Shape::Filled, "The same as `id`.")
            .at(Places::STEP)
            .without("`step1`, `step2` and so on")
            .more("A step has either `id` or `name`. For words about it there is `description`.")
            .example("steps:\n  - { name: build, run: make }\n"),
        Key::new(
            "finally",
            Shape::Either(&[Shape::Map(Names::Child, &Shape::Object(&CHILD)), Shape::Items(&Shape::Object(&STEP))]),
            "Children that run at the end, whatever happened.",
        )
        .at(Places::PIPELINE)
        .more(
            "They wait until everything else has ended and run also when the run failed or is being cancelled. Written \
             as `tasks` (a mapping) or as `steps` (a list).",
        )
        .example("tasks:\n  work: { run: make }\nfinally:\n  tidy: { run: make clean }\n"),
        Key::new("defaults", Shape::Object(&DEFAULTS), "Keys for every child that does not say otherwise.")
            .at(Places::PIPELINE.and(Places::SETTINGS))
            .more(
                "In `neap.yaml` they hold for every task of the project. What stands nearest wins: the job, the templates \
                 it extends, `defaults` of its file, the pipeline, `defaults` of `neap.yaml`. `env` and `labels` are merged \
                 name by name.",
            )
            .example("defaults: { timeout: 15m, retry: 1 }\ntasks:\n  build: { run: make }\n"),
        Key::new(
            "templates",
            Shape::Map(Names::Any, &Shape::Object(&TEMPLATE)),
            "Named sets of keys that tasks and children extend.",
        )
        .at(Places::FILE.and(Places::SETTINGS))
        .more("A template may have a body. Those of `neap.yaml` can be extended from every file.")
        .example(
            "templates:\n  patient: { timeout: 1h, retry: 3 }\ntasks:\n  fetch: { extends: patient, run: ./fetch }\n",
        ),
        Key::new("extends", Shape::List(&Shape::Filled), "The templates from which a job takes what it does not say itself.")
            .at(Places::JOB)
            .foreign(&["inherits"])
            .more("Of several the later one wins. What the job says itself wins over all of them.")
            .example("templates:\n  patient: { timeout: 1h, retry: 3 }\nextends: patient\nrun: ./fetch\n"),
    ],
};
