//! What can go wrong between a host and whoever uses it.

use crate::base::{RunId, TaskName};
use crate::definition::{ParamProblem, Problem};
use crate::engine::Refused;
use crate::host::SETTINGS;
use crate::plan::PlanError;
use crate::store::StoreError;
use std::path::PathBuf;

/// A host could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such directory.
    #[error("the project directory `{}` cannot be used", .path.display())]
    Project {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The settings have errors. Without them jobs would lack their variables, secrets and limits.
    #[error("{SETTINGS} cannot be used:\n{}", list(.0))]
    Settings(Vec<Problem>),
    /// The port for hooks cannot be had. Without it calls would be lost without a word.
    #[error("{0}")]
    Listen(Box<Problem>),
    /// The store would not open; most often because another host has it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run was not created.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// No task has that name.
    #[error("there is no task `{name}`")]
    NoTask {
        /// What was asked for.
        name: String,
        /// The name that was probably meant.
        near: Option<String>,
    },
    /// Its file has errors, and no earlier version of it was good.
    #[error("`{name}` cannot run: `{file}` has errors")]
    Broken {
        /// What was asked for.
        name: String,
        /// Its file.
        file: String,
    },
    /// Parameters are missing or wrong; all of them at once.
    #[error("{}", list(.0))]
    Params(Vec<ParamProblem>),
    /// The task and what it needs do not make a plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The run to be tried again is still going on.
    #[error("run {0} is still going on")]
    StillGoing(RunId),
    /// The run to be tried again is not known.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// Everything in the run to be tried again succeeded.
    #[error("nothing in run {0} failed: there is nothing to try again")]
    NothingFailed(RunId),
    /// The plan has no such job.
    #[error("run {run} has no job `{job}`")]
    NoJob {
        /// Which run.
        run: RunId,
        /// What was asked for.
        job: String,
    },
    /// Its group has no room, and says that then no run is created.
    #[error("`{}` is not started: {} has no room beside {beside}", .refused.task, .refused.group)]
    Refused {
        /// What was refused.
        refused: Box<Refused>,
        /// The name of the oldest run in the group.
        beside: String,
    },
    /// That cannot be the key of a run.
    #[error("`{}` cannot be the key of a run: {problem}", .key.escape_debug())]
    Key {
        /// What was asked for.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The key names a run that was asked for with other parameters.
    #[error("the key `{key}` is that of {run}, which has other parameters")]
    KeyTaken {
        /// The key.
        key: String,
        /// The run.
        run: String,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

/// A command about a run had no effect, and why.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No unfinished run has that id: it ended, or never was.
    #[error("run {0} is not going on")]
    NotGoing(RunId),
    /// It is so already.
    #[error("run {run} is {state} already")]
    Already {
        /// Which run.
        run: RunId,
        /// `paused`, `going on` or `being cancelled`.
        state: &'static str,
    },
    /// No job of the run waits for a person, or not the one that was named.
    #[error("{} of run {run} does not wait for an approval", job.as_ref().map_or_else(|| "any job".to_owned(), |job| format!("`{job}`")))]
    NotAsked {
        /// Which run.
        run: RunId,
        /// The job that was named.
        job: Option<String>,
    },
    /// Several jobs of the run wait for a person.
    #[error("several jobs of run {run} wait for an approval: {}", jobs.join(", "))]
    WhichJob {
        /// Which run.
        run: RunId,
        /// Their names.
        jobs: Vec<String>,
    },
    /// The run has no such job.
    #[error("run {run} has no job `{job}`")]
    NoJob {
        /// Which run.
        run: RunId,
        /// What was asked for.
        job: String,
    },
    /// The job is not where it would have to be for that.
    #[error("`{job}` is {state}")]
    JobAlready {
        /// Its name.
        job: String,
        /// The word for where it is.
        state: &'static str,
    },
    /// Only what is a process can be frozen.
    #[error("`{job}` is not a process, so it cannot be frozen; pause its run to keep others from starting")]
    NoProcess {
        /// Its name.
        job: String,
    },
    /// The queue is so already.
    #[error("the queue `{queue}` is {state} already")]
    QueueAlready {
        /// Which.
        queue: String,
        /// What it does already.
        state: &'static str,
    },
    /// There is no such queue.
    #[error("there is no queue `{queue}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    NoQueue {
        /// What was asked for.
        queue: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// The schedules of the task are so already.
    #[error("the schedules of `{task}` are {state} already")]
    TaskAlready {
        /// Which task.
        task: TaskName,
        /// `paused` or `going on`.
        state: &'static str,
    },
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
}

impl SubmitError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            SubmitError::NoTask { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            SubmitError::NoTask { near: None, .. } => Some("see what there is with `neap ls`".into()),
            SubmitError::Broken { .. } => Some("see what is wrong with `neap check`".into()),
            SubmitError::StillGoing(run) => {
                Some(format!("wait for it (`neap wait {run}`) or cancel it (`neap cancel {run}`)"))
            }
            SubmitError::Refused { refused, .. } => Some(format!("wait for it: `neap wait {}`", refused.run)),
            SubmitError::NothingFailed(run) => {
                Some(format!("to do all of it again: `neap retry {run} --all`"))
            }
            SubmitError::KeyTaken { run, .. } => {
                Some(format!("use another key for another request, or see that run with `neap show {run}`"))
            }
            SubmitError::Params(_)
            | SubmitError::Plan(_)
            | SubmitError::Key { .. }
            | SubmitError::NoRun(_)
            | SubmitError::NoJob { .. }
            | SubmitError::Store(_)
            | SubmitError::Stopping => None,
        }
    }
}

fn list<T: std::fmt::Display>(problems: &[T]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
