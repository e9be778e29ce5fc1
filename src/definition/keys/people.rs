//! What a task is called and how it is found.

use super::{Key, Names, Places, Shape, Subject};

pub(super) const SUBJECT: Subject = Subject {
    title: "For people",
    about: "These change nothing about what happens.",
    keys: &[
        Key::new("description", Shape::Text, "What it is for, in a few words.")
            .at(Places::ALL)
            .foreign(&["desc", "about"])
            .more("Lists show it behind the name. On a pipeline it is about the whole, not about its children.")
            .example("description: Dump, check and upload the database\nrun: ./backup\n"),
        Key::new("labels", Shape::Map(Names::Any, &Shape::Text), "Names and values for people and scripts.")
            .at(Places::ALL)
            .foreign(&["tags"])
            .more("Hooks read them as `ctx.task.labels`. They are merged name by name with those of the pipeline.")
            .example("labels: { team: ops }\nrun: ./backup\n"),
        Key::new("group", Shape::Filled, "The heading under which lists show the task.")
            .at(Places::FILE)
            .without("the folder of the file")
            .example("group: Backups\nrun: ./backup\n"),
        Key::new("metadata", Shape::Any, "Whatever its author wants to keep beside it.")
            .at(Places::FILE)
            .more("It means nothing to neap. Programs find it in the definition.")
            .example("metadata: { owner: ada, page: 17 }\nrun: ./backup\n"),
    ],
};
