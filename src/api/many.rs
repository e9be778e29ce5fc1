//! Selectors that mean any number of runs that go on: `:running`, `:queued`, `:paused`, `:late`, `:task=NAME`, `:queue=NAME`,
//! `:by=WHO`.

use super::select::SelectError;
use crate::base::TaskName;
use crate::engine::{Run, RunPhase};
use std::str::FromStr;

/// Which of the runs that go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Many {
    /// All of them.
    Going,
    /// Those of which nothing has started, and that are not held.
    Queued,
    /// Those that are held.
    Paused,
    /// Those that are not where they were expected to be.
    Late,
    /// Those of a task.
    Task(TaskName),
    /// Those with a job in this queue that is not done.
    Queue(String),
    /// Those that this author asked for.
    By(String),
}

/// The selectors without a value, for completions and hints.
pub(crate) const WORDS: [(&str, &str); 7] = [
    (":running", "everything that goes on"),
    (":queued", "runs of which nothing has started"),
    (":paused", "runs that are held"),
    (":late", "runs that are not where they were expected to be"),
    (":task=", "runs of this task that go on"),
    (":queue=", "runs with jobs in this queue that are not done"),
    (":by=", "runs that go on and that somebody asked for"),
];

impl Many {
    /// Reads it, with its colon; `None` when it is something else.
    pub(super) fn parse(text: &str) -> Option<Result<Many, SelectError>> {
        let word = text.strip_prefix(':')?;
        let bad = || SelectError::Shape(text.to_owned());
        Some(match (word, word.split_once('=')) {
            ("running", _) => Ok(Many::Going),
            ("queued", _) => Ok(Many::Queued),
            ("paused", _) => Ok(Many::Paused),
            ("late", _) => Ok(Many::Late),
            (_, Some(("task", task))) => TaskName::from_str(task).map(Many::Task).map_err(|_| bad()),
            (_, Some(("queue", queue))) if !queue.is_empty() => Ok(Many::Queue(queue.to_owned())),
            (_, Some(("by", by))) if !by.is_empty() => Ok(Many::By(by.to_owned())),
            _ => Err(bad()),
        })
    }

    /// Whether a run is meant.
    pub(super) fn holds(&self, run: &Run) -> bool {
        match self {
            Many::Going => true,
            Many::Queued => run.phase == RunPhase::Going && run.jobs.iter().all(|job| job.attempts == 0),
            Many::Paused => matches!(run.phase, RunPhase::Paused(_)),
            Many::Late => !run.late.is_empty(),
            Many::Task(task) => run.plan.plan().task == *task,
            Many::Queue(queue) => {
                let jobs = (0..).zip(&run.jobs);
                jobs.into_iter()
                    .any(|(index, job)| !job.phase.is_done() && run.leaf(index).sharing.queue() == queue)
            }
            Many::By(by) => *run.by.0 == **by,
        }
    }
}
