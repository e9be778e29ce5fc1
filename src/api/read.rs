//! Puts together what goes on and what ended, in the types of the wire. The server and the commands without a server
//! use the same functions, so they cannot disagree.

use super::eta::remaining;
use super::waits::wait_words;
use super::why::DEAF;
use crate::api::{
    AttemptInfo, FireInfo, JobInfo, LateInfo, PauseInfo, RecentInfo, RunInfo, RunState, TaskInfo, Time,
};
use crate::base::{AttemptId, JobId, Moment, RunId, TaskName};
use crate::definition::{Task, Timetable};
use crate::engine::{
    Capacity, Cause, NotSpawned, Outcome, Phase, Run, RunOutcome, RunPhase, Skip, Standing, Trigger,
};
use crate::host::{Definitions, Live, log_path, trigger_word};
use crate::plan::Plan;
use crate::schedule::Occasion;
use crate::store::{AttemptRow, History, JobRow, RunFilter, RunRow, StoreError, Usuals};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Everything there is to see at one moment.
pub struct Sight<'a> {
    /// What goes on.
    pub live: &'a Live,
    /// What ended.
    pub history: &'a History,
    /// What is defined.
    pub definitions: &'a Definitions,
    /// Where the logs are.
    pub state_dir: &'a Path,
    /// How much there is to share.
    pub capacity: &'a Capacity,
    /// The time.
    pub now: Moment,
}

/// How long tasks usually take, for as many of them as a list can afford.
struct Learned<'h> {
    history: &'h History,
    tasks: BTreeMap<TaskName, Usuals>,
}

impl Learned<'_> {
    /// Tasks of which that is looked up, for one list.
    const MOST: usize = 20;

    /// An expectation is an extra: a history that cannot be read is told by whoever needs it.
    fn of(&mut self, task: &TaskName) -> Option<&Usuals> {
        if !self.tasks.contains_key(task) {
            let usuals = (self.tasks.len() < Self::MOST).then(|| self.history.usual(task).ok())??;
            self.tasks.insert(task.clone(), usuals);
        }
        self.tasks.get(task)
    }
}

/// How many of the last runs a list of tasks shows.
const RECENT: u32 = 8;

impl Sight<'_> {
    /// One run with its jobs and their attempts; `None` when there is none of that id.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn run(&self, id: RunId) -> Result<Option<RunInfo>, StoreError> {
        let rows = self.history.jobs(id)?;
        if let Some(run) = self.live.state.runs.get(&id) {
            let mut info = self.live_run(id, run);
            info.jobs = self.live_jobs(id, run, &rows)?;
            let usuals = self.history.usual(&info.task)?;
            self.foresee(&mut info, run, &usuals);
            return Ok(Some(info));
        }
        let Some(row) = self.history.run(id)? else { return Ok(None) };
        let plan = self.history.plan(&row.plan)?;
        let mut info = past_run(&row, &plan, &rows, self.now);
        for job in &rows {
            info.jobs.push(self.past_job(id, &plan, &rows, job)?);
        }
        Ok(Some(info))
    }

    /// A page of runs, the newest first, without their jobs.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>, StoreError> {
        // Runs of one task mostly share their plan, and a large one takes a while to read.
        let mut plans = HashMap::new();
        let rows = self.history.runs(filter)?;
        rows.into_iter().map(|row| self.listed(&row, &mut plans)).collect()
    }

    /// What goes on, in the order in which it was created, with the jobs that are not waiting or done.
    pub fn going(&self) -> Vec<RunInfo> {
        let runs = self.live.state.runs.iter();
        let mut learned = Learned { history: self.history, tasks: BTreeMap::new() };
        let standing = Standing::of(&self.live.state, self.capacity, self.now);
        let with_jobs = |(&id, run): (&RunId, &Run)| {
            let mut info = self.live_run(id, run);
            let active = |job: &u32| {
                let phase = &run.jobs[*job as usize].phase;
                !matches!(phase, Phase::Waiting | Phase::Done(_))
            };
            let jobs = (0..run.jobs.len() as u32).filter(active);
            info.jobs = jobs.map(|index| self.live_job(JobId { run: id, index }, run, &standing)).collect();
            if let Some(usuals) = learned.of(&info.task) {
                self.foresee(&mut info, run, usuals);
            }
            info
        };
        runs.map(with_jobs).collect()
    }

    /// Says what is to be expected of a run that goes on.
    fn foresee(&self, info: &mut RunInfo, run: &Run, usuals: &Usuals) {
        info.eta_ms = remaining(run, usuals, self.capacity.slots, self.now).map(|left| left.0);
        for job in info.jobs.iter_mut().filter(|job| job.outcome.is_none()) {
            job.usual_ms = usuals.jobs.get(&run.node(job.index).leaf.name).map(|usual| usual.p50.0);
        }
    }

    fn listed(&self, row: &RunRow, plans: &mut HashMap<Arc<str>, Arc<Plan>>) -> Result<RunInfo, StoreError> {
        if let Some(run) = self.live.state.runs.get(&row.run) {
            return Ok(self.live_run(row.run, run));
        }
        let plan = match plans.get(&row.plan) {
            Some(plan) => Arc::clone(plan),
            None => self.history.plan(&row.plan)?,
        };
        plans.insert(Arc::clone(&row.plan), Arc::clone(&plan));
        // Only what failed is worth a look at the jobs.
        let jobs = match row.outcome {
            Some(RunOutcome::Failed { .. }) => self.history.jobs(row.run)?,
            Some(RunOutcome::Succeeded | RunOutcome::Cancelled) | None => Vec::new(),
        };
        Ok(past_run(row, &plan, &jobs, self.now))
    }

    fn live_run(&self, id: RunId, run: &Run) -> RunInfo {
        let plan = run.plan.plan();
        let has_started = run.jobs.iter().any(|job| job.attempts > 0);
        let (state, why) = match &run.phase {
            RunPhase::Paused(pause) => {
                (RunState::Paused, Some(who(&pause.by.0, pause.reason.as_deref(), "paused")))
            }
            RunPhase::Cancelling { by, reason } => {
                (RunState::Cancelling, Some(who(&by.0, reason.as_deref(), "cancelled")))
            }
            RunPhase::Going if has_started => (RunState::Running, None),
            RunPhase::Going => (RunState::Queued, self.turn(id)),
        };
        RunInfo {
            state,
            why,
            key: run.key.clone(),
            late: LateInfo::of(&run.late),
            started: run.started.map(Time),
            priority: run.priority,
            params: plan.params.clone(),
            definition: plan.definition.to_string(),
            jobs_total: run.jobs.len(),
            jobs_done: run.jobs.iter().filter(|job| job.phase.is_done()).count(),
            took_ms: (self.now - run.created).0,
            queued_ms: if has_started { 0 } else { (self.now - run.created).0 },
            ..blank(id, &plan.task, run.number, &run.trigger, &run.by.0, run.reason.clone(), run.created)
        }
    }

    /// Why nothing of a run starts yet, when its groups have no room.
    fn turn(&self, id: RunId) -> Option<String> {
        let wait = self.live.state.turn(id)?;
        let job = JobId { run: id, index: 0 };
        Some(format!("waits for {}", wait_words(&wait, &self.live.state, job, self.now)))
    }

    fn live_jobs(&self, id: RunId, run: &Run, rows: &[JobRow]) -> Result<Vec<JobInfo>, StoreError> {
        let mut jobs = Vec::with_capacity(run.jobs.len());
        let standing = Standing::of(&self.live.state, self.capacity, self.now);
        for index in 0..run.jobs.len() as u32 {
            let mut job = self.live_job(JobId { run: id, index }, run, &standing);
            if let Some(row) = rows.get(index as usize) {
                job.queued = row.queued.map(Time);
                job.started = row.started.map(Time);
                job.finished = row.finished.map(Time);
                job.took_ms = row.started.map(|started| (row.finished.unwrap_or(self.now) - started).0);
                job.problem = row.problem.clone();
            }
            if job.attempt > 0 {
                job.attempts = self.attempts(id, index, &job.name)?;
            }
            jobs.push(job);
        }
        Ok(jobs)
    }

    fn live_job(&self, id: JobId, run: &Run, standing: &Standing) -> JobInfo {
        let job = &run.jobs[id.index as usize];
        let attempt = self.live.state.attempt(id);
        let outcome = match &job.phase {
            Phase::Done(outcome) | Phase::Cleaning { outcome } => Some(outcome.clone()),
            _ => None,
        };
        let wait = self.live.state.why_waiting(id, standing);
        JobInfo {
            phase: job.phase.word().to_owned(),
            result: outcome.as_ref().map(|outcome| outcome_words(outcome, &|index| live_name(run, index))),
            outcome,
            waits_for: wait.map(|wait| wait_words(&wait, &self.live.state, id, self.now)),
            attempt: job.attempts,
            progress: self.live.progress.get(&attempt).cloned(),
            pid: self.live.pids.get(&attempt).copied(),
            log: self.log_if_any(attempt, &live_name(run, id.index)),
            outputs: job.outputs.as_deref().cloned().unwrap_or_default(),
            attempts_max: run.leaf(id.index).retry.attempts,
            needs: run.node(id.index).needs.iter().map(|&need| live_name(run, need)).collect(),
            ..blank_job(id.index, live_name(run, id.index))
        }
    }

    fn past_job(
        &self,
        run: RunId,
        plan: &Plan,
        rows: &[JobRow],
        row: &JobRow,
    ) -> Result<JobInfo, StoreError> {
        let attempt = AttemptId { job: JobId { run, index: row.index }, number: row.attempts };
        let name = |index: u32| past_name(plan, rows, index);
        let node = plan.nodes.get(row.index as usize);
        let blank = JobInfo {
            attempts_max: node.map_or(1, |node| node.leaf.retry.attempts),
            needs: node.map_or_else(Vec::new, |node| node.needs.iter().map(|&need| name(need)).collect()),
            ..blank_job(row.index, name(row.index))
        };
        let attempts =
            if row.attempts > 0 { self.attempts(run, row.index, &blank.name)? } else { Vec::new() };
        Ok(JobInfo {
            phase: if row.finished.is_some() || row.outcome.is_some() { "done" } else { "waiting" }
                .to_owned(),
            result: row.outcome.as_ref().map(|outcome| outcome_words(outcome, &name)),
            outcome: row.outcome.clone(),
            attempt: row.attempts,
            queued: row.queued.map(Time),
            started: row.started.map(Time),
            finished: row.finished.map(Time),
            took_ms: row.started.zip(row.finished).map(|(started, finished)| (finished - started).0),
            log: self.log_if_any(attempt, &blank.name),
            problem: row.problem.clone(),
            outputs: row.outputs.clone(),
            attempts,
            ..blank
        })
    }

    fn attempts(&self, run: RunId, index: u32, job: &str) -> Result<Vec<AttemptInfo>, StoreError> {
        let info = |row: AttemptRow| AttemptInfo {
            number: row.number,
            started: row.started.map(Time),
            ended: row.ended.map(Time),
            exit: row.exit,
            usage: row.usage,
            log: self
                .state_dir
                .join(log_path(AttemptId { job: JobId { run, index }, number: row.number }, job)),
        };
        Ok(self.history.attempts(run, index)?.into_iter().map(info).collect())
    }

    /// Before the first attempt there is one only if something was asked before the job could start.
    fn log_if_any(&self, attempt: AttemptId, job: &str) -> Option<std::path::PathBuf> {
        Some(self.log(attempt, job)).filter(|path| attempt.number > 0 || path.is_file())
    }

    fn log(&self, attempt: AttemptId, job: &str) -> std::path::PathBuf {
        self.state_dir.join(log_path(attempt, job))
    }

    /// Every task, by name, with its last runs and its next one.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn tasks(&self) -> Result<Vec<TaskInfo>, StoreError> {
        let catalog = &self.definitions.catalog;
        let names: Vec<TaskName> = catalog.tasks().map(|task| task.name.clone()).collect();
        let mut recent = self.history.last_outcomes(&names, RECENT)?;
        let info = |task: &Arc<Task>| {
            let recent = recent.remove(&task.name).unwrap_or_default().into_iter().map(|run| RecentInfo {
                id: run.run,
                number: run.number,
                state: self.state_of(run.run, run.outcome.as_ref()),
                created: Time(run.created),
                took_ms: run.finished.map(|finished| (finished - run.created).0),
            });
            self.task(task, recent.collect())
        };
        Ok(catalog.tasks().map(info).collect())
    }

    fn state_of(&self, id: RunId, outcome: Option<&RunOutcome>) -> RunState {
        match (outcome, self.live.state.runs.get(&id)) {
            (Some(outcome), _) => state_word(outcome),
            (None, Some(run)) => self.live_run(id, run).state,
            (None, None) => RunState::Running,
        }
    }

    fn task(&self, task: &Task, recent: Vec<RecentInfo>) -> TaskInfo {
        let paused = self.live.state.resting.get(&task.name).map(pause_info);
        let enabled = || task.timetables.iter().filter(|timetable| timetable.enabled);
        let next = enabled().filter_map(|timetable| timetable.fires(&task.name, self.now).next()).min();
        TaskInfo {
            name: task.name.clone(),
            file: task.file.to_string(),
            description: task.description.clone(),
            labels: task.labels.clone(),
            jobs: task.leaves.iter().map(|leaf| leaf.name.seen_from(&task.name).to_owned()).collect(),
            params: task.params.iter().map(|param| param.name.clone()).collect(),
            schedules: enabled().map(|timetable| self.describe(timetable)).collect(),
            next: next.filter(|_| paused.is_none()).map(Time),
            occasions: enabled()
                .filter(|timetable| timetable.schedule.occasion().is_some())
                .map(|timetable| self.describe(timetable))
                .collect(),
            paused,
            recent,
            is_stale: self.definitions.catalog.is_stale(task.name.as_str()),
            definition: task.hash.to_string(),
        }
    }

    /// Whether nobody could call it although it waits for that.
    pub(crate) fn is_deaf(&self, timetable: &Timetable) -> bool {
        matches!(timetable.schedule.occasion(), Some(Occasion::Webhook { .. }))
            && self.definitions.settings.webhooks.is_none()
    }

    fn describe(&self, timetable: &Timetable) -> String {
        let words = timetable.describe();
        if self.is_deaf(timetable) { format!("{words} ({DEAF})") } else { words }
    }

    /// When each schedule fires next, the soonest first; what rests or never fires comes last.
    pub fn fires(&self, only: Option<&TaskName>) -> Vec<FireInfo> {
        let tasks =
            self.definitions.catalog.tasks().filter(|task| only.is_none_or(|only| *only == task.name));
        let mut fires: Vec<FireInfo> = tasks
            .flat_map(|task| {
                task.timetables.iter().filter(|timetable| timetable.enabled).map(move |t| (task, t))
            })
            .map(|(task, timetable)| {
                let paused = self.live.state.resting.get(&task.name).map(pause_info);
                FireInfo {
                    task: task.name.clone(),
                    schedule: timetable.schedule.to_string(),
                    description: self.describe(timetable),
                    is_deaf: self.is_deaf(timetable),
                    timezone: timetable.schedule.zone().map(|zone| zone.name().to_owned()),
                    at: timetable.fires(&task.name, self.now).next().filter(|_| paused.is_none()).map(Time),
                    paused,
                    is_occasion: timetable.schedule.occasion().is_some(),
                }
            })
            .collect();
        fires.sort_by(|a, b| (a.at.is_none(), a.at, &a.task).cmp(&(b.at.is_none(), b.at, &b.task)));
        fires
    }
}

/// Who let something rest, and why, in words.
pub(super) fn pause_words(pause: &crate::engine::Pause) -> String {
    who(&pause.by.0, pause.reason.as_deref(), "paused")
}

pub(super) fn pause_info(pause: &crate::engine::Pause) -> PauseInfo {
    PauseInfo { by: pause.by.clone(), reason: pause.reason.clone(), since: Time(pause.since) }
}

fn blank(
    id: RunId,
    task: &TaskName,
    number: u64,
    trigger: &Trigger,
    by: &Arc<str>,
    reason: Option<String>,
    created: Moment,
) -> RunInfo {
    let (schedule, slot, retry_of) = match trigger {
        Trigger::Manual => (None, None, None),
        Trigger::Schedule { key, slot } => (Some(key.about().to_owned()), Some(Time(*slot)), None),
        Trigger::Retry { of } => (None, None, Some(*of)),
        Trigger::After { key, .. } | Trigger::Watch { key, .. } | Trigger::Webhook { key, .. } => {
            (Some(key.to_string()), None, None)
        }
        Trigger::Task { .. } => (None, None, None),
    };
    RunInfo {
        id,
        name: format!("{task}#{number}"),
        task: task.clone(),
        number,
        state: RunState::Queued,
        trigger: trigger_word(trigger).to_owned(),
        schedule,
        slot,
        retry_of,
        caller: caller(trigger),
        by: crate::engine::Author(by.clone()),
        reason,
        key: None,
        priority: None,
        params: BTreeMap::new(),
        definition: String::new(),
        created: Time(created),
        started: None,
        late: Vec::new(),
        finished: None,
        took_ms: 0,
        queued_ms: 0,
        eta_ms: None,
        why: None,
        root: None,
        exit_code: None,
        jobs_total: 0,
        jobs_done: 0,
        jobs: Vec::new(),
    }
}

fn caller(trigger: &Trigger) -> Option<String> {
    match trigger {
        Trigger::Webhook { call, .. } => Some(call.from.clone()),
        Trigger::Manual
        | Trigger::Schedule { .. }
        | Trigger::Retry { .. }
        | Trigger::Task { .. }
        | Trigger::After { .. }
        | Trigger::Watch { .. } => None,
    }
}

fn past_run(row: &RunRow, plan: &Plan, jobs: &[JobRow], now: Moment) -> RunInfo {
    let root = match row.outcome {
        Some(RunOutcome::Failed { root }) => Some(root),
        Some(RunOutcome::Succeeded | RunOutcome::Cancelled) | None => None,
    };
    let root_job = root.and_then(|root| jobs.get(root as usize));
    let cause = root_job.and_then(|job| match &job.outcome {
        Some(Outcome::Failed { cause }) => Some(cause),
        _ => None,
    });
    let root_name = root_job.map(|job| job.name.seen_from(&plan.task).to_owned());
    let why = root_name.as_ref().zip(cause).map(|(name, cause)| format!("{name} ({})", cause_words(cause)));
    let exit = row.outcome.as_ref().map(|outcome| match outcome {
        RunOutcome::Succeeded => 0,
        RunOutcome::Cancelled => 143,
        RunOutcome::Failed { .. } => cause.map_or(1, exit_code),
    });
    let started = jobs.iter().filter_map(|job| job.started).min();
    RunInfo {
        state: row.outcome.as_ref().map_or(RunState::Running, state_word),
        key: row.key.clone(),
        late: LateInfo::of(&row.late),
        params: plan.params.clone(),
        definition: plan.definition.to_string(),
        started: started.map(Time),
        finished: row.finished.map(Time),
        took_ms: (row.finished.unwrap_or(now) - row.created).0,
        queued_ms: started.map_or(0, |started| (started - row.created).0),
        why,
        root: root_name,
        exit_code: exit,
        jobs_total: plan.nodes.len(),
        jobs_done: if row.finished.is_some() { plan.nodes.len() } else { 0 },
        ..blank(row.run, &row.task, row.number, &row.trigger, &row.by.0, row.reason.clone(), row.created)
    }
}

/// The name of a job as seen from its run's task.
pub(super) fn live_name(run: &Run, index: u32) -> String {
    run.node(index).leaf.name.seen_from(&run.plan.plan().task).to_owned()
}

/// The same of a run that has ended. Cells have their names beside them.
fn past_name(plan: &Plan, rows: &[JobRow], index: u32) -> String {
    rows.get(index as usize).map_or("?", |row| row.name.seen_from(&plan.task)).to_owned()
}

fn blank_job(index: u32, name: String) -> JobInfo {
    JobInfo {
        name,
        index,
        phase: String::new(),
        outcome: None,
        result: None,
        waits_for: None,
        attempt: 0,
        attempts_max: 1,
        needs: Vec::new(),
        queued: None,
        started: None,
        finished: None,
        took_ms: None,
        usual_ms: None,
        progress: None,
        pid: None,
        log: None,
        problem: None,
        outputs: BTreeMap::new(),
        attempts: Vec::new(),
    }
}

fn state_word(outcome: &RunOutcome) -> RunState {
    match outcome {
        RunOutcome::Succeeded => RunState::Succeeded,
        RunOutcome::Failed { .. } => RunState::Failed,
        RunOutcome::Cancelled => RunState::Cancelled,
    }
}

pub(super) fn who(by: &str, reason: Option<&str>, what: &str) -> String {
    match reason {
        Some(reason) => format!("{what} by {by}: \"{reason}\""),
        None => format!("{what} by {by}"),
    }
}

/// How a job ended, in a few words: `ok`, `exit 7`, `skipped: needs dump`. `name` gives the names of the jobs of its run.
pub fn outcome_words(outcome: &Outcome, name: &dyn Fn(u32) -> String) -> String {
    match outcome {
        Outcome::Succeeded => "ok".into(),
        Outcome::Failed { cause: Cause::Cell { job } } => format!("{} failed", name(*job)),
        Outcome::Failed { cause } => cause_words(cause),
        Outcome::Cancelled => "cancelled".into(),
        Outcome::Skipped { why: Skip::Reused } => "ok, from the run that is tried again".into(),
        Outcome::Skipped { why } => format!("skipped: {}", skip_words(why, name)),
    }
}

/// Why a job did not run, in a few words. `name` gives the names of the jobs of its run.
pub fn skip_words(why: &Skip, name: &dyn Fn(u32) -> String) -> String {
    match why {
        Skip::Needs { job } => format!("needs {}", name(*job)),
        Skip::Asked { reason } | Skip::Fresh { reason } => reason.clone(),
        Skip::Reused => "done in the run that is tried again".into(),
        Skip::Condition { text } => format!("not so: {text}"),
        Skip::NotNeeded { job } => format!("not needed any more, because of {}", name(*job)),
        Skip::Rule { job } => format!("what it waits for did not happen at {}", name(*job)),
    }
}

/// Why a job failed, in a few words: `exit 7`, `timed out`.
pub fn cause_words(cause: &Cause) -> String {
    match cause {
        Cause::Exit { code } => format!("exit {code}"),
        Cause::Signal { signal } => format!("killed by {signal}"),
        Cause::TimedOut => "timed out".into(),
        Cause::Stalled => "stalled".into(),
        Cause::OutOfTime => "out of time with all its attempts".into(),
        Cause::NotSpawned { message, .. } => format!("not started: {message}"),
        Cause::Lost => "lost: the host died".into(),
        Cause::Hook { message } => format!("hook: {message}"),
        Cause::Unprepared { message } | Cause::Outputs { message } => message.clone(),
        Cause::Precondition { message } => format!("precondition: {message}"),
        Cause::Cell { .. } => "one of its cells failed".into(),
        Cause::Rejected { by, reason } => who(&by.0, reason.as_deref(), "rejected"),
        Cause::Unmet { rounds } => format!("not there after {rounds} rounds"),
        Cause::QueuedTooLong { waited } => format!("waited {waited} in the queue"),
        Cause::Limit { which, most } => format!("killed: {}", which.words(*most)),
    }
}

/// What a program exits with that failed like this: as shells and coreutils' `timeout` do.
pub fn exit_code(cause: &Cause) -> i32 {
    match cause {
        Cause::Exit { code } => *code,
        Cause::Signal { signal } => 128 + signal.0,
        Cause::TimedOut | Cause::Stalled | Cause::QueuedTooLong { .. } | Cause::OutOfTime => 124,
        Cause::NotSpawned { why: NotSpawned::NotFound, .. } => 127,
        Cause::NotSpawned { why: NotSpawned::NotExecutable, .. } => 126,
        Cause::NotSpawned { why: NotSpawned::Other, .. } | Cause::Lost => 125,
        Cause::Unprepared { .. } => 125,
        Cause::Limit { which, .. } => which.exit_code(),
        Cause::Hook { .. }
        | Cause::Precondition { .. }
        | Cause::Outputs { .. }
        | Cause::Cell { .. }
        | Cause::Rejected { .. }
        | Cause::Unmet { .. } => 1,
    }
}
