//! What goes into a script and what it says while it runs: plain values without a trace of the VM.

use crate::base::{AttemptId, Millis, RunId, TaskName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What a script sees as `ctx`: the same for every hook of one attempt.
#[derive(Clone, Debug)]
pub struct Context {
    /// The task.
    pub task: TaskName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The run.
    pub run: RunId,
    /// The number of the run among the runs of its task.
    pub run_number: u64,
    /// The task that was asked for: the pipeline when `task` is a child of one.
    pub run_task: TaskName,
    /// What created the run: `manual`, `schedule` and so on.
    pub trigger: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How many tries there may be.
    pub attempts_max: u32,
    /// The parameters, with their types.
    pub params: BTreeMap<String, Value>,
    /// Where the attempt works.
    pub workdir: PathBuf,
}

/// One call of a hook.
#[derive(Clone, Debug)]
pub struct HookCall {
    /// The file, as the task names it: relative to the scripts directory.
    pub file: String,
    /// The attempt it is about. Its scripts keep the generation they began with.
    pub attempt: AttemptId,
    /// What the script sees as `ctx`.
    pub context: Arc<Context>,
    /// What the script sees as `ev`: an object.
    pub event: Value,
    /// Where it says things.
    pub notes: Notes,
}

/// The text of a body.
#[derive(Clone, Debug)]
pub enum BodySource {
    /// A `script:` file, relative to the scripts directory, loaded as [`super::Shape::Body`].
    File(String),
    /// The text under `lua:`.
    Text(Arc<str>),
}

/// One run of a body.
#[derive(Clone, Debug)]
pub struct BodyCall {
    /// What to run.
    pub source: BodySource,
    /// The attempt it is.
    pub attempt: AttemptId,
    /// What the script sees as `ctx`.
    pub context: Arc<Context>,
    /// Where it says things.
    pub notes: Notes,
}

/// How a body ended, when it did not fail.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyEnd {
    /// It came to its end; the value is what it returned, or null.
    Done(Value),
    /// It returned `{ skip = "why" }`.
    Skipped(String),
    /// It returned `{ fail = "why" }`.
    Failed(String),
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For someone who follows single steps.
    Trace,
    /// For the author of the script.
    Debug,
    /// For everyone; also what `print` writes.
    Info,
    /// Something is odd.
    Warn,
    /// Something is wrong.
    Error,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Level; 5] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];

    /// The name of the function below `neap.log`.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// What a script says while it runs.
#[derive(Debug)]
pub enum Note {
    /// A message. Messages are lost, and counted, while the channel is full.
    Log {
        /// How much it matters.
        level: Level,
        /// At most 8 KiB.
        message: String,
        /// Further values, or null.
        fields: Value,
    },
    /// How far it has come.
    Progress {
        /// 0 to 100.
        percent: f64,
        /// A word about it.
        message: Option<String>,
    },
    /// Something to be taken back. The script waits until `ack` is answered, which is to say: stored.
    Cleanup {
        /// What to do, and when.
        item: CleanupItem,
        /// Answered once the item is durable; dropped when it cannot be.
        ack: oneshot::Sender<()>,
    },
}

/// The way of [`Note`]s to the host. Bounded, and its bound is the host's choice.
pub type Notes = mpsc::Sender<Note>;

/// Something an attempt owes: done after its end, also when the host died meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupItem {
    /// What is to be done.
    pub action: CleanupAction,
    /// When it is to be done.
    pub when: CleanupWhen,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanupAction {
    /// Remove this file or directory; a relative path counts from the working directory.
    Remove(PathBuf),
    /// Run this command, without a shell.
    Exec(Vec<String>),
}

/// Which ends of an attempt a cleanup follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanupWhen {
    /// Every end.
    Always,
    /// Every end but success.
    NotSuccess,
}

/// A length of time as scripts write it: seconds as a number, or a text such as `"1m30s"`.
pub(super) fn span(value: &Value) -> Option<Millis> {
    match value {
        Value::Number(seconds) => {
            let seconds = seconds.as_f64().filter(|s| (0.0..=1e12).contains(s))?;
            Some(Millis((seconds * 1000.0).round() as u64))
        }
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
