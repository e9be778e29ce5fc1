//! What a job reads, and what becomes of what it writes.

use super::fields::{Checker, Field, Path};
use super::keys;
use super::problem::{Code, Finding};
use super::tree::{Kind, Node};
use crate::base::TaskName;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a job reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// This text.
    Text {
        /// All of it.
        text: String,
    },
    /// A file, relative to its working directory.
    File {
        /// Its path.
        path: String,
    },
    /// The standard output of a job it depends on.
    Task {
        /// The full name of that leaf.
        task: TaskName,
        /// Both run at once, joined by a pipe.
        #[serde(default)]
        stream: bool,
    },
}

/// What becomes of the standard output of a job besides the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdout {
    /// Nothing.
    #[default]
    Log,
    /// It is kept by itself as well, because another job reads it.
    Kept,
    /// It goes to another job instead.
    Streamed,
}

impl Stdout {
    /// Whether it goes to the log alone.
    pub fn is_usual(&self) -> bool {
        *self == Stdout::Log
    }
}

/// `stdin` as it is written: the other job is known by its written name only.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WrittenStdin {
    Text(String),
    File(String),
    Task { name: String, place: Range<usize>, stream: bool },
}

/// Text, `{text}`, `{file}` or `{task, stream}`.
pub(super) fn stdin(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<WrittenStdin> {
    if !matches!(node.kind, Kind::Map(_)) {
        return checker.template(node, "stdin").map(WrittenStdin::Text);
    }
    let path = above.child("stdin");
    let (mut sources, mut stream): (Vec<Field<'_>>, _) = (Vec::new(), None);
    for field in checker.fields(node, &path)? {
        match field.key {
            "text" | "file" | "task" => sources.push(field),
            "stream" => {
                stream = checker.boolean(field.value, "stream").map(|stream| (stream, field.place.clone()))
            }
            _ => _ = checker.unknown(&field, &path, &keys::STDIN),
        }
    }
    let source = match sources.as_slice() {
        [one] => one,
        [] => {
            let finding = Finding::new(
                Code::E0130,
                node.span.clone(),
                "`stdin` names nothing to read",
                "one of `text`, `file`, `task` is required",
            );
            checker.report(finding);
            return None;
        }
        [first, second, ..] => {
            let finding = Finding::new(
                Code::E0131,
                second.place.clone(),
                "`stdin` reads from two places",
                "the second one",
            );
            checker.report(finding.also(first.place.clone(), "the first one"));
            return None;
        }
    };
    if let Some((_, place)) = stream.as_ref().filter(|_| source.key != "task") {
        let finding = Finding::new(
            Code::E0137,
            place.clone(),
            "only the output of a task can be streamed",
            "this has no effect here",
        );
        checker.report(finding.also(source.place.clone(), "it reads from this"));
    }
    match source.key {
        "text" => checker.template(source.value, "text").map(WrittenStdin::Text),
        "file" => checker.filled_template(source.value, "file").map(WrittenStdin::File),
        _ => checker.filled_text(source.value, "task").map(|name| WrittenStdin::Task {
            name,
            place: source.value.span.clone(),
            stream: stream.is_some_and(|(stream, _)| stream),
        }),
    }
}
