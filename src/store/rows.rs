//! What the history answers with: plain values that serialise.

use super::columns::{Count, Json, end_at, hash_at, outcome_at, run_outcome_at, trigger_at};
use super::{Position, Seq};
use crate::base::{Millis, Moment, RunId, TaskName};
use crate::definition::Params;
use crate::engine::{Author, Exit, Late, Outcome, Record, RunOutcome, Trigger, Usage};
use rusqlite::{Result, Row};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// Its identity.
    pub run: RunId,
    /// The task that was asked for.
    pub task: TaskName,
    /// Its number among the runs of the task, from 1.
    pub number: u64,
    /// What caused it.
    pub trigger: Trigger,
    /// Who caused it.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When it was created.
    pub created: Moment,
    /// When it was finished, if it is.
    pub finished: Option<Moment>,
    /// How it ended, if it has.
    pub outcome: Option<RunOutcome>,
    /// The hash of its plan; see [`History::plan`](super::History::plan).
    pub plan: Arc<str>,
    /// The name that the asker chose for it.
    pub key: Option<Arc<str>>,
    /// What was expected of it and has not come true, in the order in which that was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<Late>,
}

impl RunRow {
    pub(super) const COLUMNS: &str = "run, task, number, trigger, schedule_key, slot, retry_of, parent, author, reason, \
                                      created, finished, outcome, root, plan, key, late";

    pub(super) fn read(row: &Row<'_>) -> Result<RunRow> {
        Ok(RunRow {
            run: row.get(0)?,
            task: row.get(1)?,
            number: row.get::<_, Count>(2)?.0,
            trigger: trigger_at(row, 3)?,
            by: row.get(8)?,
            reason: row.get(9)?,
            created: row.get(10)?,
            finished: row.get(11)?,
            outcome: run_outcome_at(row, 12)?,
            plan: hash_at(row, 14)?,
            key: row.get(15)?,
            late: late_at(row, 16)?,
        })
    }

    /// Where it stands in a list; the next page begins after it.
    pub fn position(&self) -> Position {
        Position { created: self.created, run: self.run }
    }
}

fn late_at(row: &Row<'_>, column: usize) -> Result<Vec<Late>> {
    let late: Option<Json<BTreeMap<String, Late>>> = row.get(column)?;
    let mut late: Vec<Late> = late.map(|Json(late)| late.into_values().collect()).unwrap_or_default();
    late.sort_by_key(|late| (late.since, late.what));
    Ok(late)
}

/// A job of a run, whether anything happened to it yet or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRow {
    /// Its place in the plan.
    pub index: u32,
    /// The leaf task it carries out.
    pub name: TaskName,
    /// When it first wanted a slot.
    pub queued: Option<Moment>,
    /// When its first attempt started.
    pub started: Option<Moment>,
    /// When it was done.
    pub finished: Option<Moment>,
    /// How it ended, if it has.
    pub outcome: Option<Outcome>,
    /// How many attempts were started.
    pub attempts: u32,
    /// What could not be tidied up.
    pub problem: Option<String>,
    /// What it put out.
    #[serde(skip_serializing_if = "Params::is_empty")]
    pub outputs: Params,
}

impl JobRow {
    /// A job of which nothing is written yet.
    pub(super) fn untouched(index: u32, name: TaskName) -> JobRow {
        JobRow {
            index,
            name,
            queued: None,
            started: None,
            finished: None,
            outcome: None,
            attempts: 0,
            problem: None,
            outputs: Params::new(),
        }
    }

    /// Takes what is written about the job.
    pub(super) fn fill(&mut self, row: &Row<'_>) -> Result<()> {
        self.queued = row.get(1)?;
        self.finished = row.get(2)?;
        self.outcome = outcome_at(row, 3)?;
        self.problem = row.get(5)?;
        self.attempts = row.get(6)?;
        self.started = row.get(7)?;
        self.outputs =
            row.get::<_, Option<Json<Params>>>(9)?.map(|Json(outputs)| outputs).unwrap_or_default();
        Ok(())
    }
}

/// When a job last had something to do, and what its sources were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Equal for equal sources.
    pub fingerprint: Arc<str>,
    /// The run in which it succeeded.
    pub run: RunId,
    /// The task of that run.
    pub task: TaskName,
    /// The number of that run among those of its task.
    pub number: u64,
    /// What it put out there.
    pub outputs: Params,
}

/// An attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// 1 for the first try.
    pub number: u32,
    /// When it was ordered to start; `None` when it ended before that.
    pub started: Option<Moment>,
    /// When nothing of it was left.
    pub ended: Option<Moment>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// What it used.
    pub usage: Option<Usage>,
}

impl AttemptRow {
    pub(super) fn read(row: &Row<'_>) -> Result<AttemptRow> {
        let (exit, usage) = end_at(row, 3)?;
        Ok(AttemptRow { number: row.get(0)?, started: row.get(1)?, ended: row.get(2)?, exit, usage })
    }
}

/// A line of the journal. The plan of a run is named, not put in place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// What happened, and when.
    #[serde(flatten)]
    pub record: Record,
}

/// A run in brief, for lists of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecentRun {
    /// Its identity.
    pub run: RunId,
    /// Its number among the runs of the task.
    pub number: u64,
    /// When it was created.
    pub created: Moment,
    /// When it was finished, if it is.
    pub finished: Option<Moment>,
    /// How it ended, if it has.
    pub outcome: Option<RunOutcome>,
}

/// Slots of a schedule that got no run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotRow {
    /// The first of them.
    pub slot: Moment,
    /// The last of them.
    pub until: Moment,
    /// How many.
    pub count: u64,
    /// `overlap`, `queued`, `paused`, or `missed` when nobody was there to act; `too_old`, `too_many` and `not_last` when
    /// slots like these are caught up, and they were not among those.
    pub why: String,
    /// The run that was in the way.
    pub blocker: Option<RunId>,
    /// When that was written down.
    pub at: Moment,
}

impl SlotRow {
    pub(super) fn read(row: &Row<'_>) -> Result<SlotRow> {
        Ok(SlotRow {
            slot: row.get(0)?,
            until: row.get(1)?,
            count: row.get::<_, Count>(2)?.0,
            why: row.get(3)?,
            blocker: row.get(4)?,
            at: row.get(5)?,
        })
    }
}

/// What became of the runs of a task within some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Not finished yet.
    pub unfinished: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Half of the runs that succeeded took no longer than this, from their creation to their end.
    pub p50: Option<Millis>,
    /// 95 of 100 took no longer.
    pub p95: Option<Millis>,
}
