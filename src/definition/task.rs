//! The checked form of a task: immutable, complete, and independent of the text it came from.
//!
//! Everything here is plain values that can be stored: a run keeps the leaves it was created with.

use super::expect::Expect;
use super::firing::Firing;
use super::freshness::Freshness;
use super::gate::{Need, Precondition, Rule};
use super::log::Log;
use super::process::Process;
use super::repeat::Repeat;
use super::secret::Secret;
use super::sharing::Sharing;
use super::spread::Spread;
use super::stdin::Stdin;
use super::turns::Turns;
use crate::base::{Millis, Moment, TaskName};
use crate::schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The parameters of one run, by name: checked values, as JSON.
pub type Params = BTreeMap<String, serde_json::Value>;

/// One file of `tasks/`: a leaf that runs something, or a pipeline of leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its path below `tasks/` without the ending.
    pub name: TaskName,
    /// The file it was read from, relative to the project: `tasks/nightly.yaml`.
    pub file: Arc<str>,
    /// What it is for, in the author's words.
    pub description: Option<String>,
    /// For people and selectors.
    pub labels: BTreeMap<String, String>,
    /// Under which heading lists show it.
    pub group: Option<String>,
    /// Whatever its author wants to keep beside it. It means nothing here.
    pub metadata: serde_json::Value,
    /// What may be given when a run is created.
    pub params: Vec<Param>,
    /// When runs are created without anybody asking.
    pub timetables: Vec<Timetable>,
    /// How its runs take turns.
    pub turns: Turns,
    /// When its runs are expected to start and to end.
    pub expect: Expect,
    /// The leaves in the order they were written. A leaf task has exactly one, which bears the task's own name.
    pub leaves: Vec<Arc<Leaf>>,
    /// Whether `leaves` are children of a pipeline.
    pub is_pipeline: bool,
    /// Identifies the normalised definition: 32 hexadecimal digits.
    pub hash: Arc<str>,
}

/// One thing that runs. What becomes a job when a run is created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// `hello`, or `nightly/dump` for a child of a pipeline.
    pub name: TaskName,
    /// What it is for, in the author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The tasks (leaves or pipelines) it waits for, and what of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Need>,
    /// How many of them must come out well.
    #[serde(default, skip_serializing_if = "Rule::is_usual")]
    pub rule: Rule,
    /// A Lua expression: when it is false or nil, the job is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What must hold when it becomes ready, or else it fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<Precondition>,
    /// Whether it becomes many jobs, one for each cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// What it does.
    pub action: Action,
    /// The directory it starts in, relative to the project; the project itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Variables added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Files with further variables, relative to the project; `env` wins over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dotenv: Vec<String>,
    /// Variables whose values nobody may see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// What it reads; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Stdin>,
    /// The outputs it declares, with their types. Each must be there when it succeeds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, ParamType>,
    /// Files that are kept with the run: paths or patterns, relative to its working directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// How it is told whether there is anything to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Whether it is done again after it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// -100 to 100; a larger number gets a slot earlier.
    #[serde(default)]
    pub priority: i32,
    /// How long one attempt may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// How long all attempts together may take, from the start of the first to the end of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_total: Option<Millis>,
    /// How long it waits once everything it needs is there.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub delay: Millis,
    /// It does not start before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// How long a process of it may show no sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall_timeout: Option<Millis>,
    /// How a running attempt is asked to stop.
    #[serde(default)]
    pub stop: Stop,
    /// What becomes of its output.
    #[serde(default, skip_serializing_if = "Log::is_usual")]
    pub log: Log,
    /// How its process is held.
    #[serde(default, skip_serializing_if = "Process::is_usual")]
    pub process: Process,
    /// How long it may wait in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_queue: Option<Millis>,
    /// What it asks of the machine that it shares with others.
    #[serde(default, skip_serializing_if = "Sharing::is_usual")]
    pub sharing: Sharing,
    /// Whether and when a failed attempt is followed by another.
    #[serde(default)]
    pub retry: Retry,
    /// Lua files with hooks, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// What is tidied up after the last attempt, whatever the outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleanup: Vec<Cleanup>,
    /// Its failure neither fails the run nor stops what depends on it.
    #[serde(default)]
    pub continue_on_error: bool,
    /// Some of its texts hold expressions, which are evaluated once, when it becomes ready.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_templated: bool,
}

impl Action {
    /// Whether it is carried out by a process.
    pub fn is_process(&self) -> bool {
        match self {
            Action::Run { .. } | Action::Exec { .. } => true,
            Action::Lua { .. } | Action::Script { .. } | Action::Call { .. } => false,
        }
    }
}

impl Leaf {
    /// A leaf of which nothing is said but what it does.
    pub fn new(name: TaskName, action: Action) -> Leaf {
        Leaf {
            name,
            description: None,
            labels: BTreeMap::new(),
            depends_on: Vec::new(),
            rule: Rule::default(),
            condition: None,
            preconditions: Vec::new(),
            spread: None,
            action,
            working_dir: None,
            env: BTreeMap::new(),
            dotenv: Vec::new(),
            secrets: Vec::new(),
            stdin: None,
            outputs: BTreeMap::new(),
            artifacts: Vec::new(),
            freshness: None,
            repeat: None,
            priority: 0,
            timeout: None,
            timeout_total: None,
            delay: Millis(0),
            not_before: None,
            stall_timeout: None,
            stop: Stop::default(),
            log: Log::default(),
            process: Process::default(),
            timeout_queue: None,
            sharing: Sharing::default(),
            retry: Retry::default(),
            hooks: Vec::new(),
            cleanup: Vec::new(),
            continue_on_error: false,
            is_templated: false,
        }
    }

    /// Whether anything must be found out between its needs and its start.
    pub fn needs_preparing(&self) -> bool {
        self.is_templated
            || self.condition.is_some()
            || !self.preconditions.is_empty()
            || self.spread.is_some()
            || self.freshness.is_some()
    }

    /// Whether it waits more than it works, so that it needs no slot: it waits for another run, for a person, for a
    /// moment or a file, or it only reads what the job beside it writes.
    pub fn is_slotless(&self) -> bool {
        matches!(&self.action, Action::Call { function, .. } if is_waiting(function))
            || matches!(self.stdin, Some(Stdin::Task { stream: true, .. }))
    }

    /// Whether it is a question to a person.
    pub fn is_approval(&self) -> bool {
        matches!(&self.action, Action::Call { function, .. } if function == APPROVAL)
    }

    /// The standard output it reads, when it reads one.
    pub fn reads_from(&self) -> Option<(&TaskName, bool)> {
        match &self.stdin {
            Some(Stdin::Task { task, stream }) => Some((task, *stream)),
            Some(Stdin::Text { .. } | Stdin::File { .. }) | None => None,
        }
    }
}

/// Whether a built-in action only waits: for another run, for a person, for a moment or a file.
pub fn is_waiting(function: &str) -> bool {
    function == APPROVAL || function.starts_with("wait.") || function.starts_with(USES_TASK)
}

/// `uses: approval`: a person decides.
const APPROVAL: &str = "approval";
/// `uses: task:NAME`: a run of another task.
pub const USES_TASK: &str = "task:";

/// The body of a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Text for a shell.
    Run {
        /// The script.
        script: String,
        /// The interpreter and its arguments, which get the script appended: `sh -eu -c`. `{0}` stands for a file
        /// that holds the script.
        shell: Vec<String>,
        /// The words of the script when it is one plain command: it is then started without a shell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<Vec<String>>,
    },
    /// A program and its arguments; no shell, no quoting.
    Exec {
        /// The program first. Never empty.
        argv: Vec<String>,
    },
    /// Lua text.
    Lua {
        /// The body.
        text: String,
    },
    /// A Lua file below `scripts/`.
    Script {
        /// Its path below `scripts/`.
        file: String,
    },
    /// A function that the embedding program registered.
    Call {
        /// The name it was registered under.
        function: String,
        /// Its argument.
        #[serde(default)]
        with: serde_json::Value,
    },
}

/// How an attempt is asked to stop, and how long it has until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Sent to its whole process group first.
    pub signal: Signal,
    /// After this long what is left is killed.
    pub grace: Millis,
}

impl Default for Stop {
    /// SIGTERM and ten seconds, as Compose and systemd-like tools do.
    fn default() -> Stop {
        Stop { signal: Signal::TERM, grace: Millis::from_secs(10) }
    }
}

/// A signal by its number on this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(pub i32);

impl Signal {
    /// Ends a process that does not handle it; the polite way to ask.
    pub const TERM: Signal = Signal(15);
    /// Ends a process for certain.
    pub const KILL: Signal = Signal(9);
    /// The names that may be written, with or without `SIG`. Linux numbers; POSIX fixes the first six.
    const NAMES: [(&'static str, i32); 12] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("TERM", 15),
        ("USR1", 10),
        ("USR2", 12),
        ("ALRM", 14),
        ("CONT", 18),
        ("STOP", 19),
        ("WINCH", 28),
    ];

    /// Reads `SIGTERM`, `TERM` or `15`.
    pub fn named(text: &str) -> Option<Signal> {
        let upper = text.to_ascii_uppercase();
        let short = upper.strip_prefix("SIG").unwrap_or(&upper);
        let by_name = Self::NAMES.iter().find(|(name, _)| *name == short).map(|&(_, number)| Signal(number));
        by_name.or_else(|| short.parse().ok().filter(|number| (1..=31).contains(number)).map(Signal))
    }

    /// Every name that [`Signal::named`] knows, for hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|&(name, _)| name)
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Self::NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => match self.0 {
                11 => f.write_str("SIGSEGV"),
                4 => f.write_str("SIGILL"),
                7 => f.write_str("SIGBUS"),
                8 => f.write_str("SIGFPE"),
                13 => f.write_str("SIGPIPE"),
                number => write!(f, "signal {number}"),
            },
        }
    }
}

fn is_nothing(span: &Millis) -> bool {
    *span == Millis(0)
}

/// Whether a failed attempt is followed by another, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// All tries together; 1 means no retry.
    pub attempts: u32,
    /// The wait before the second try.
    pub delay: Millis,
    /// Every further wait is the last one times this; at least 1.
    pub backoff: f64,
    /// No wait is longer.
    pub max_delay: Millis,
    /// The share by which a wait is stretched or shortened at random, 0 to 1.
    pub jitter: f64,
    /// When not empty: only these exit codes are tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_exit: Vec<i32>,
    /// These exit codes are never tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on_exit: Vec<i32>,
}

impl Default for Retry {
    /// No retry; when `attempts` is raised: 1 s, doubling, at most 5 minutes, no jitter.
    fn default() -> Retry {
        Retry {
            attempts: 1,
            delay: Millis::from_secs(1),
            backoff: 2.0,
            max_delay: Millis::from_secs(300),
            jitter: 0.0,
            on_exit: Vec::new(),
            not_on_exit: Vec::new(),
        }
    }
}

/// A Lua file whose hooks watch and decide over a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its path below `scripts/`.
    pub file: String,
    /// What a failing hook does to the job.
    #[serde(default)]
    pub on_error: OnHookError,
}

/// What a failing hook does to the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHookError {
    /// It is reported; the job goes on. (`before` is a guard and fails the job all the same.)
    #[default]
    Warn,
    /// The job fails.
    Fail,
}

/// One thing to tidy up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// Text for `sh -eu`.
    Run {
        /// The script.
        script: String,
    },
    /// A program and its arguments.
    Exec {
        /// The program first. Never empty.
        argv: Vec<String>,
    },
    /// A file or a directory with all it holds, relative to the job's working directory.
    Remove {
        /// What to remove; nothing happens when it is not there.
        path: String,
    },
}

/// A moment or a rhythm at which runs of a task are created.
#[derive(Clone, Debug, PartialEq)]
pub struct Timetable {
    /// When.
    pub schedule: Schedule,
    /// With which parameters.
    pub params: Params,
    /// What callers must know, when somebody calls it.
    pub token: Option<Secret>,
    /// How its slots become runs.
    pub firing: Firing,
    /// `false` keeps it in the file without effect.
    pub enabled: bool,
    /// Which it is among the entries of the task with the same time, from 0. They may have other parameters, or other bounds.
    pub twin: u32,
}

/// One declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// `[A-Za-z_][A-Za-z0-9_]*`; the job sees it as `PARAM_` and the name in capitals.
    pub name: String,
    /// What values it takes.
    pub kind: ParamType,
    /// Used when nothing is given.
    pub default: Option<serde_json::Value>,
    /// Used when nothing is given: a text with expressions, evaluated for each run.
    pub late: Option<String>,
    /// Must be given (there is no default).
    pub required: bool,
    /// When not empty: the only values.
    pub choices: Vec<serde_json::Value>,
    /// A whole-value regular expression for strings.
    pub pattern: Option<String>,
    /// The smallest number (or the shortest string).
    pub minimum: Option<f64>,
    /// The largest number (or the longest string).
    pub maximum: Option<f64>,
    /// What it is for.
    pub description: Option<String>,
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A civil date, `2026-11-21`.
    Date,
    /// A length of time, `1h30m`.
    Duration,
    /// A JSON array, or words separated by commas.
    List,
    /// Any JSON.
    Json,
}
