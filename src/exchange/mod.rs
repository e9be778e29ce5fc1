//! Other tools' files into ours, and ours out again: text in, text and remarks out.
//!
//! No file is opened here, no clock is read and nothing is printed. What has no equal here is never left out silently:
//! it is kept as a comment in the new file, and as a [`Remark`] with the line it comes from.

mod crontab;
mod dagu;
mod export;
mod foreign;
mod names;
mod taskfile;
mod yaml;

pub use crontab::{Crontab, Layout, crontab};
pub use dagu::dagu;
pub use export::{Exported, crontab as export_crontab, systemd as export_systemd};
pub use foreign::NotReadable;
pub use taskfile::taskfile;

use serde::Serialize;

/// What came of a foreign file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The new task files, in the order of the foreign one.
    pub files: Vec<NewFile>,
    /// What means less than it did, by line.
    pub remarks: Vec<Remark>,
}

/// A task file to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewFile {
    /// The task's name; the file is `tasks/NAME.yaml`.
    pub name: String,
    /// The line of the foreign file it comes from, from 1.
    pub line: usize,
    /// When the other tool runs it: a cron expression as it is written there, with its zone.
    pub schedules: Vec<Written>,
    /// What the file says.
    pub text: String,
}

/// A cron expression of another tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// As it is written there.
    pub expression: String,
    /// The zone that the file names; the tool's own when absent.
    pub zone: Option<String>,
}

/// Something that could not be said in the task language, or that means something else there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Remark {
    /// The line of the foreign file, from 1.
    pub line: usize,
    /// What it is, as it is written there.
    pub what: String,
    /// Why it was not translated, and what to do.
    pub why: String,
}

impl Remark {
    fn new(line: usize, what: impl Into<String>, why: impl Into<String>) -> Remark {
        Remark { line, what: what.into(), why: why.into() }
    }

    /// The comment that keeps it in the new file.
    fn comment(&self) -> String {
        format!("not translated: {} — {}", self.what, self.why)
    }
}

impl NewFile {
    /// Where it belongs, relative to the project.
    pub fn path(&self) -> String {
        format!("tasks/{}.yaml", self.name)
    }
}

/// A line of a script that fails and says why: better than a command that is silently missing.
fn refusal(what: &str) -> String {
    format!("echo 'neap: {what} was not translated, see the task file' >&2; exit 1")
}

/// A word as a shell reads it: bare where that is certain, else in single quotes.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
