//! What goes over the wire, and what `--json` prints. Field names are a promise; times are RFC 3339 in UTC, lengths of
//! time are milliseconds and end in `_ms`, sizes are bytes.

use super::occupancy::{LockInfo, QueueInfo};
use crate::base::{Moment, RunId, TaskName};
use crate::definition::Params;
use crate::engine::{Author, Cause, Exit, Late, Outcome, Usage};
use crate::host::{Progress, RetryScope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A moment as people and machines read it: `2026-11-21T02:13:06.120Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Moment);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = i64::try_from(self.0.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(timestamp) => serializer.collect_str(&format_args!("{timestamp:.3}")),
            Err(_) => serializer.serialize_u64(self.0.0),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let timestamp: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Time(Moment(u64::try_from(timestamp.as_millisecond()).unwrap_or(0))))
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Eight letters and digits; any prefix of at least three that nobody shares will do.
    #[serde(with = "face")]
    pub id: RunId,
    /// `nightly#128`.
    pub name: String,
    /// The task that was asked for.
    pub task: TaskName,
    /// Its number among the runs of the task.
    pub number: u64,
    /// Where it is, or how it ended.
    pub state: RunState,
    /// `manual`, `schedule` or `retry`.
    pub trigger: String,
    /// The schedule that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The moment of the schedule it was created for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Time>,
    /// The run it is another go at.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "face_or_none")]
    pub retry_of: Option<RunId>,
    /// The address from which somebody called for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Who caused it.
    pub by: Author,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The name that the asker chose for it: asking again under it gives this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// The priority that somebody gave to all of its jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: Params,
    /// The hash of the definition it carries out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
    /// When it was created.
    pub created: Time,
    /// When its first attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// From its creation to its end, or until now.
    pub took_ms: u64,
    /// From its creation to its first attempt, or until now.
    pub queued_ms: u64,
    /// How long it will still take, if its jobs take as long as they usually do. Absent when it is over or rests, and when
    /// something in it was never seen to succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// What was expected of it and has not come true, in the order in which that was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<LateInfo>,
    /// Why it failed: `upload (exit 7)`. Who cancelled or paused it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The job that failed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What `neap run` exits with for this end; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How many jobs it has.
    pub jobs_total: usize,
    /// How many of them are done.
    pub jobs_done: usize,
    /// Its jobs in plan order; left out in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobInfo>,
}

/// An expectation of a run that has not come true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateInfo {
    /// Which: a key of `expect`, or `usual`.
    pub what: String,
    /// How long it had.
    pub limit_ms: u64,
    /// When that was found.
    pub since: Time,
    /// The same in words: `not started within 10m`.
    pub words: String,
}

impl LateInfo {
    pub(crate) fn of(late: &[Late]) -> Vec<LateInfo> {
        let info = |late: &Late| LateInfo {
            what: late.what.word().to_owned(),
            limit_ms: late.limit.0,
            since: Time(late.since),
            words: late.to_string(),
        };
        late.iter().map(info).collect()
    }
}

/// Where a run is, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Nothing of it has started yet.
    Queued,
    /// It goes on.
    Running,
    /// Nothing new of it starts.
    Paused,
    /// It is being cancelled.
    Cancelling,
    /// It ended well.
    Succeeded,
    /// A job failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunState {
    /// Whether it is over.
    pub fn is_over(self) -> bool {
        matches!(self, RunState::Succeeded | RunState::Failed | RunState::Cancelled)
    }

    /// The word people see.
    pub fn word(self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Paused => "paused",
            RunState::Cancelling => "cancelling",
            RunState::Succeeded => "ok",
            RunState::Failed => "failed",
            RunState::Cancelled => "cancelled",
        }
    }
}

/// A job of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobInfo {
    /// Its name as seen from the run's task: `dump`.
    pub name: String,
    /// Its place in the plan.
    pub index: u32,
    /// Its phase: `waiting`, `preparing`, `spread`, `queued`, `asking`, `running`, `stopping`, `backoff`, `cleaning` or
    /// `done`.
    pub phase: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The same in words: `ok`, `exit 7`, `skipped: needs dump`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What it waits for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The current or last attempt, 0 when there was none.
    pub attempt: u32,
    /// How many tries it may have.
    pub attempts_max: u32,
    /// The names of the jobs it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// When it first wanted a slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Time>,
    /// When its first attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,
    /// From its first start to its end, or until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// How long it usually takes, while it is not done: half of the last times it took no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_ms: Option<u64>,
    /// How far it says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The process that leads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The log of its current or last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// What could not be tidied up after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What it put out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// Its attempts that have ended; left out in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptInfo>,
}

impl JobInfo {
    /// Why it failed, when it failed.
    pub fn cause(&self) -> Option<&Cause> {
        match &self.outcome {
            Some(Outcome::Failed { cause }) => Some(cause),
            Some(Outcome::Succeeded | Outcome::Cancelled | Outcome::Skipped { .. }) | None => None,
        }
    }
}

/// One attempt at a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptInfo {
    /// 1 for the first.
    pub number: u32,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When nothing of it was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Its log.
    pub log: PathBuf,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Its name.
    pub name: TaskName,
    /// Its file, relative to the project.
    pub file: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For people and selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The names of its jobs.
    pub jobs: Vec<String>,
    /// The names of its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<String>,
    /// Its schedules in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<String>,
    /// When it fires next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
    /// Those of its schedules that no time makes fire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub occasions: Vec<String>,
    /// Who let its schedules rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseInfo>,
    /// Its last runs, the newest first.
    pub recent: Vec<RecentInfo>,
    /// Its file has errors, and this is the last good version.
    #[serde(default)]
    pub is_stale: bool,
    /// The hash of its definition.
    pub definition: String,
}

/// Who lets something rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PauseInfo {
    /// Who.
    pub by: Author,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    pub since: Time,
}

/// One of the last runs of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecentInfo {
    /// Its identity.
    #[serde(with = "face")]
    pub id: RunId,
    /// Its number.
    pub number: u64,
    /// Where it is, or how it ended.
    pub state: RunState,
    /// When it was created.
    pub created: Time,
    /// From its creation to its end; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

/// A moment at which a schedule fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FireInfo {
    /// The task.
    pub task: TaskName,
    /// The schedule as it was written.
    pub schedule: String,
    /// The same in words.
    pub description: String,
    /// Its time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When it fires next; absent when it never does, or rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Who let it rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseInfo>,
    /// Whether no time makes it fire, but something that happens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_occasion: bool,
    /// Whether it waits for calls, and the settings do not say where to listen for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deaf: bool,
}

/// A host that is up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostInfo {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The project it serves.
    pub root: PathBuf,
    /// How many attempts may go on at once.
    pub slots: usize,
    /// How many do.
    pub busy: usize,
    /// How many jobs want a slot.
    pub queued: usize,
    /// The queues with slots of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueInfo>,
    /// The locks that are held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockInfo>,
    /// How many runs are unfinished.
    pub runs: usize,
    /// How many tasks are loaded.
    pub tasks: usize,
    /// How many errors their files hold.
    pub errors: usize,
    /// What keeps it from working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A wish to cancel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cancel {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Leave out the grace.
    #[serde(default)]
    pub now: bool,
    /// Who.
    #[serde(default)]
    pub by: Option<Author>,
}

/// A wish for runs of slots that went by without one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackfillRequest {
    /// The task whose schedules are meant.
    pub task: TaskName,
    /// The first moment.
    pub from: Time,
    /// The last one.
    pub to: Time,
    /// Who.
    #[serde(default)]
    pub by: Option<Author>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// One slot, and what is done about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilledInfo {
    /// The schedule.
    pub schedule: String,
    /// Its slot.
    pub slot: Time,
    /// `there`, `created`, `missing` or `refused`.
    pub state: String,
    /// The id of the run it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// A wish for another priority.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prio {
    /// -100 to 100.
    pub priority: i32,
    /// Who.
    #[serde(default)]
    pub by: Option<Author>,
}

/// A decision over a job that waits for an approval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decide {
    /// Which job, by its name in the run; the only one that waits when absent.
    #[serde(default)]
    pub job: Option<String>,
    /// Yes or no.
    pub approved: bool,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who.
    #[serde(default)]
    pub by: Option<Author>,
}

/// A wish to pause or resume a run, a job of it, or the schedules of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// Of a run: only this job, which is frozen where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who.
    #[serde(default)]
    pub by: Option<Author>,
}

/// What became of a wish for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The run.
    #[serde(flatten)]
    pub run: RunInfo,
    /// Its key was used before, and the run was there already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_repeated: bool,
}

/// A wish for another go at a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryRequest {
    /// What of it.
    pub scope: RetryScope,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who.
    #[serde(default)]
    pub by: Option<Author>,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

mod face {
    use crate::base::RunId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(run: &RunId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(run)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

mod face_or_none {
    use crate::base::RunId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(run: &Option<RunId>, serializer: S) -> Result<S::Ok, S::Error> {
        match run {
            Some(run) => serializer.collect_str(run),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RunId>, D::Error> {
        let text = Option::<std::borrow::Cow<str>>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
