//! `neap why`: for anything that does not run, who or what it waits for, down to what holds everything up.
//!
//! A job may stand behind a long chain of others. What is told is the end of that chain: the jobs before it that could go on
//! and do not, or that are going on. What lies between is named, not told.

use super::eta::pace;
use super::read::{live_name, outcome_words, pause_words, who};
use super::waits::full_name;
use crate::api::{RunInfo, RunState, SelectError, Selector, Sight, Time, wait_words};
use crate::base::{JobId, RunId, TaskName};
use crate::engine::{Outcome, Phase, Run, RunPhase, Skip, Standing, Wait};
use crate::store::{RunFilter, StoreError, Usuals};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why a hook cannot be called.
pub(super) const DEAF: &str = "neap.yaml has no `webhooks`, so nobody listens";

/// Of what holds something up at most so many things are told; the rest is counted.
const TOLD: usize = 10;

/// Why something is as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What it is about: `nightly`, `nightly#128`, `nightly#128/upload`, or a schedule.
    pub subject: String,
    /// One word for it: a phase, how it ended, `paused`, `broken`, `scheduled`, `idle`.
    pub state: String,
    /// What is so, in words; fits behind the subject.
    pub text: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Until when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What stands behind that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Why>,
}

impl Sight<'_> {
    /// Why the task, the run or the job is as it is that a text names. A plain name is the task.
    ///
    /// # Errors
    /// When nothing, or more than one thing, is meant.
    pub fn why(&self, of: &str) -> Result<Why, SelectError> {
        if let Some(found) = self.definitions.catalog.find(of) {
            return Ok(self.why_task(&found.task().name)?);
        }
        let selector: Selector = of.parse()?;
        let tasks: Vec<&str> = self.definitions.catalog.tasks().map(|task| task.name.as_str()).collect();
        let found = selector.find_one(self.history, self.live, &tasks)?;
        let why = self.why_run(found.run, found.job.as_deref())?;
        why.ok_or_else(|| SelectError::Nothing { text: of.to_owned(), near: None })
    }

    /// Why a run, or one job of it, is as it is; `None` when there is no such run.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn why_run(&self, id: RunId, job: Option<&str>) -> Result<Option<Why>, StoreError> {
        let Some(run) = self.live.state.runs.get(&id) else {
            return Ok(self.run(id)?.map(|info| self.past(&info, job)));
        };
        let usuals = self.history.usual(&run.plan.plan().task)?;
        let view = Going { sight: self, id, run, usuals: &usuals, standing: &self.standing() };
        let index =
            job.and_then(|job| (0..run.jobs.len() as u32).find(|&index| live_name(run, index) == job));
        Ok(Some(match index {
            Some(index) => view.job(index),
            None => view.whole(),
        }))
    }

    fn standing(&self) -> Standing {
        Standing::of(&self.live.state, self.capacity, self.now)
    }

    /// Why a task does not run now, or what its runs wait for.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn why_task(&self, task: &TaskName) -> Result<Why, StoreError> {
        let mut because = Vec::new();
        if self.definitions.catalog.is_stale(task.as_str()) {
            because.push(Why {
                subject: format!("the file of {task}"),
                state: "broken".into(),
                text: "has errors: its last good version holds until they are mended (neap check)".into(),
                ..Why::default()
            });
        }
        let going: Vec<RunId> = self.live.state.runs_of(task).collect();
        let (usuals, standing) = (self.history.usual(task)?, self.standing());
        because.extend(going.iter().take(TOLD).filter_map(|&id| {
            let run = self.live.state.runs.get(&id)?;
            Some(Going { sight: self, id, run, usuals: &usuals, standing: &standing }.whole())
        }));
        let paused = self.live.state.resting.get(task);
        if let Some(pause) = paused {
            because.push(Why {
                subject: "its schedules".into(),
                state: "paused".into(),
                text: format!("rest: {} (neap resume {task})", pause_words(pause)),
                since: Some(Time(pause.since)),
                ..Why::default()
            });
        }
        let fires = self.fires(Some(task));
        because.extend(fires.iter().filter(|_| paused.is_none()).map(|fire| {
            Why {
                subject: fire.schedule.clone(),
                state: match (fire.at.is_some(), fire.is_occasion) {
                    (true, _) => "scheduled",
                    (false, true) if fire.is_deaf => "off",
                    (false, true) => "waiting",
                    (false, false) => "over",
                }
                .into(),
                text: match fire.at {
                    Some(_) => format!("fires next: {}", fire.description),
                    None if fire.is_deaf => format!("cannot be called: {DEAF}"),
                    None if fire.is_occasion => "fires when that happens".into(),
                    None => "does not fire again".into(),
                },
                until: fire.at,
                ..Why::default()
            }
        }));
        if let Some(task) = self.definitions.catalog.task(task.as_str()) {
            because.extend(self.left_out(task, 1)?.iter().map(|left_out| Why {
                subject: left_out.schedule.clone(),
                state: left_out.why.clone(),
                text: format!("last left out {}: {}", slots_words(left_out.count), left_out.words),
                since: Some(left_out.until),
                ..Why::default()
            }));
        }
        let filter = RunFilter { task: Some(task.clone()), limit: 1, ..RunFilter::default() };
        let last = self.runs(&filter)?.pop().filter(|last| last.state.is_over());
        because.extend(last.as_ref().map(|last| self.past(last, None)));
        let text = match (going.len(), fires.is_empty()) {
            (0, true) if last.is_none() => format!("has no schedule and never ran (neap run {task})"),
            (0, true) => format!("has no schedule: it runs when somebody asks (neap run {task})"),
            (0, false) => "does not run now".into(),
            (1, _) => "goes on".into(),
            (runs, _) => format!("goes on in {runs} runs"),
        };
        let state = if going.is_empty() { "idle" } else { "going" };
        Ok(Why { subject: task.to_string(), state: state.into(), text, because, ..Why::default() })
    }
}

fn slots_words(count: u64) -> String {
    if count == 1 { "a slot".to_owned() } else { format!("{count} slots") }
}

impl Sight<'_> {
    /// A run that has ended, or a job of it.
    fn past(&self, info: &RunInfo, job: Option<&str>) -> Why {
        if let Some(job) = info.jobs.iter().find(|one| Some(one.name.as_str()) == job) {
            let text = format!("is done: {}", job.result.as_deref().unwrap_or("nothing became of it"));
            let names = [format!("{}/{}", info.task, job.name), job.name.clone()];
            return Why {
                subject: format!("{}/{}", info.name, job.name),
                state: "done".into(),
                text: self.with_place(text, &names, job.outcome.as_ref()),
                since: job.finished,
                ..Why::default()
            };
        }
        let unwell =
            info.jobs.iter().filter(|job| job.result.as_deref().is_some_and(|result| result != "ok"));
        Why {
            subject: info.name.clone(),
            state: info.state.word().into(),
            text: match (&info.why, info.state) {
                (Some(why), _) => format!("ended: {}, {why}", info.state.word()),
                (None, RunState::Succeeded) => "ended well".into(),
                (None, state) => format!("ended: {}", state.word()),
            },
            since: info.finished,
            because: some(unwell, |job| self.past(info, Some(&job.name))),
            ..Why::default()
        }
    }

    /// Says where the condition stands that kept a job from running, if it still stands there. The job has one of the names.
    fn with_place(&self, text: String, names: &[String], outcome: Option<&Outcome>) -> String {
        let Some(Outcome::Skipped { why: Skip::Condition { text: condition } }) = outcome else {
            return text;
        };
        let place = names.iter().find_map(|name| self.definitions.catalog.place_of(name, condition));
        place.map_or(text.clone(), |(file, line)| format!("{text} ({file}:{line})"))
    }
}

/// A run that goes on.
struct Going<'s> {
    sight: &'s Sight<'s>,
    id: RunId,
    run: &'s Run,
    usuals: &'s Usuals,
    standing: &'s Standing,
}

impl Going<'_> {
    fn whole(&self) -> Why {
        let done = self.run.jobs.iter().filter(|job| job.phase.is_done()).count();
        let jobs = format!("{done} of {} jobs are done", self.run.jobs.len());
        let (state, text, since) = match &self.run.phase {
            RunPhase::Paused(pause) => (
                "paused",
                format!("is held: {} (neap resume {})", pause_words(pause), self.name()),
                pause.since,
            ),
            RunPhase::Cancelling { by, reason } => (
                "cancelling",
                format!("is being {}", who(&by.0, reason.as_deref(), "cancelled")),
                self.run.created,
            ),
            RunPhase::Going if done == self.run.jobs.len() => ("ending", "ends".into(), self.run.created),
            RunPhase::Going => ("going", format!("goes on: {jobs}"), self.run.created),
        };
        let late: Vec<String> = self.run.late.iter().map(ToString::to_string).collect();
        let text = if late.is_empty() { text } else { format!("{text}; late: {}", late.join(", ")) };
        let phase = |index: u32| &self.run.jobs[index as usize].phase;
        let all = 0..self.run.jobs.len() as u32;
        let is_told = |index: &u32| !matches!(phase(*index), Phase::Waiting | Phase::Done(_) | Phase::Spread);
        let mut open: Vec<u32> = all.clone().filter(is_told).collect();
        if open.is_empty() {
            // The run as a whole waits for something, and its first job says for what.
            open.extend(all.clone().find(|&index| matches!(phase(index), Phase::Waiting)));
        }
        Why {
            subject: self.name(),
            state: state.into(),
            text,
            since: Some(Time(since)),
            because: some(open.into_iter(), |index| self.job(index)),
            ..Why::default()
        }
    }

    fn job(&self, index: u32) -> Why {
        let id = JobId { run: self.id, index };
        let job = &self.run.jobs[index as usize];
        let state = &self.sight.live.state;
        let wait = state.why_waiting(id, self.standing);
        let until = match &wait {
            Some(Wait::Backoff { until } | Wait::Start { until } | Wait::Rate { until, .. }) => {
                Some(Time(*until))
            }
            _ => None,
        };
        let text = match (&wait, &job.phase) {
            (Some(wait), _) => {
                let words = wait_words(wait, state, id, self.sight.now);
                format!("waits for {words}")
            }
            (None, Phase::Done(outcome)) => {
                let words = outcome_words(outcome, &|index| live_name(self.run, index));
                let name = self.run.node(index).leaf.name.to_string();
                self.sight.with_place(format!("is done: {words}"), &[name], Some(outcome))
            }
            (None, Phase::Paused { .. }) => {
                format!("is frozen (neap resume {}/{})", self.name(), self.called(index))
            }
            (None, Phase::Stopping { .. }) => "is being stopped".into(),
            (None, _) => format!("runs {}", pace(self.run, id, self.usuals, self.sight.now)),
        };
        Why {
            subject: full_name(state, id),
            state: job.phase.word().into(),
            text,
            since: Some(Time(job.since)),
            until,
            because: wait.map(|wait| self.behind(index, &wait)).unwrap_or_default(),
        }
    }

    /// What stands behind a wait.
    fn behind(&self, index: u32, wait: &Wait) -> Vec<Why> {
        match wait {
            Wait::Behind { run: behind } => self
                .sight
                .live
                .state
                .runs
                .get(behind)
                .map(|run| Going { id: *behind, run, ..*self }.whole())
                .into_iter()
                .collect(),
            Wait::Turn { group, going, .. } => {
                let others = going.iter().filter_map(|run| self.sight.live.state.runs.get(run));
                let what = format!("goes on, and so have {group} no room");
                some(others, |run| Why {
                    subject: run.name(),
                    state: "going".into(),
                    text: what.clone(),
                    since: Some(Time(run.created)),
                    ..Why::default()
                })
            }
            Wait::Needs(_) => some(self.front(index).into_iter(), |index| self.job(index)),
            Wait::Cells { .. } => {
                let cells = self.run.jobs[index as usize].cells.clone();
                let open = cells.filter(|&cell| {
                    !matches!(self.run.jobs[cell as usize].phase, Phase::Waiting | Phase::Done(_))
                });
                some(open, |cell| self.job(cell))
            }
            Wait::Slot { queue, .. } => {
                let state = &self.sight.live.state;
                let holders = state.busy().iter().filter(|job| state.leaf(**job).sharing.queue == *queue);
                some(holders, |&job| self.sight.holder(job, "has a slot"))
            }
            Wait::Lock { name, holders, kept_for } => {
                let held = holders.iter().map(|(job, _)| (*job, format!("holds the lock `{name}`")));
                let kept = kept_for.map(|job| (job, format!("has the lock `{name}` before it")));
                some(held.chain(kept), |(job, what)| self.sight.holder(job, &what))
            }
            Wait::Resource { name, .. } => {
                let state = &self.sight.live.state;
                let holders =
                    state.going().filter(|job| state.leaf(*job).sharing.resources.contains_key(name));
                some(holders, |job| self.sight.holder(job, &format!("has a part of `{name}`")))
            }
            Wait::Paused(_)
            | Wait::QueuePaused { .. }
            | Wait::Start { .. }
            | Wait::Rate { .. }
            | Wait::Backoff { .. }
            | Wait::Hook(_)
            | Wait::Cleanup
            | Wait::Preparation
            | Wait::Siblings { .. } => Vec::new(),
        }
    }

    /// The jobs before this one that are not done and do not themselves wait for another job.
    fn front(&self, index: u32) -> Vec<u32> {
        let (mut front, mut seen) = (Vec::new(), BTreeSet::from([index]));
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            for &need in &self.run.node(index).needs {
                let phase = &self.run.jobs[need as usize].phase;
                if phase.is_done() || !seen.insert(need) {
                    continue;
                }
                match phase {
                    Phase::Waiting => open.push(need),
                    _ => front.push(need),
                }
            }
        }
        front.sort_unstable();
        front
    }

    fn name(&self) -> String {
        self.run.name()
    }

    fn called(&self, index: u32) -> String {
        live_name(self.run, index)
    }
}

impl Sight<'_> {
    /// Who has what somebody else waits for.
    fn holder(&self, job: JobId, what: &str) -> Why {
        let run = &self.live.state.runs[&job.run];
        let state = &run.jobs[job.index as usize];
        let held = crate::base::Millis((self.now - state.since).0);
        Why {
            subject: full_name(&self.live.state, job),
            state: state.phase.word().into(),
            text: format!("{what}, {} for {held}", state.phase.word()),
            since: Some(Time(state.since)),
            ..Why::default()
        }
    }
}

/// Tells of not more than anybody reads; the others are counted.
fn some<T>(mut all: impl Iterator<Item = T>, tell: impl FnMut(T) -> Why) -> Vec<Why> {
    let mut told: Vec<Why> = all.by_ref().take(TOLD).map(tell).collect();
    let more = all.count();
    if more > 0 {
        let text = "not told here".to_owned();
        told.push(Why { subject: format!("{more} more"), state: "more".into(), text, ..Why::default() });
    }
    told
}
