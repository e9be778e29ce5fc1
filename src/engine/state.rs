//! What the engine remembers, and how an event changes it. Nothing here decides anything.
//!
//! Finished runs are forgotten here: they are rows of the history. So memory is bounded by what goes on.

use crate::base::{AttemptId, JobId, Moment, RunId, TaskName};
use crate::engine::{
    Author, Event, NewRun, Outcome, OwedCleanup, Phase, PlanRef, Question, Record, RunOutcome, ScheduleKey,
    Skip, Trigger,
};
use crate::plan::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that is going on, and the counters that must never go back.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The unfinished runs.
    pub runs: BTreeMap<RunId, Run>,
    /// The number of the next run.
    pub next_run: u64,
    /// The highest run number of each task.
    pub numbers: BTreeMap<TaskName, u64>,
    /// Up to where the slots of each schedule are dealt with.
    pub cursors: BTreeMap<ScheduleKey, Moment>,
    /// Tasks whose schedules rest.
    pub resting: BTreeMap<TaskName, Pause>,
    /// Queued jobs of runs that are not paused, in the order they deserve a slot. An index: `enter` keeps it.
    queue: BTreeSet<(i64, JobId)>,
    /// When the clock next matters, and to which job. An index: `enter` keeps it.
    deadlines: BTreeSet<(Moment, JobId)>,
    /// Jobs that hold a slot. An index: `enter` keeps it.
    busy: BTreeSet<JobId>,
    /// The unfinished runs of each task. An index.
    by_task: BTreeMap<TaskName, BTreeSet<RunId>>,
}

/// Somebody's wish that something rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Who.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Since when.
    pub since: Moment,
}

/// One unfinished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number among the runs of its task.
    pub number: u64,
    /// What it does.
    pub plan: PlanRef,
    /// What caused it.
    pub trigger: Trigger,
    /// Who caused it.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Replaces the priority of its jobs.
    pub priority: Option<i32>,
    /// Whether it ends with the program that created it.
    pub bound: bool,
    /// When it was created.
    pub created: Moment,
    /// Whether it goes on, is held, or is being cancelled.
    pub phase: RunPhase,
    /// Its jobs, in plan order.
    pub jobs: Vec<Job>,
    /// The job whose failure came first, if one failed and counts.
    pub root: Option<u32>,
    /// How many jobs are not done. Derived.
    open: usize,
    /// For each node, who needs it. Derived from the plan.
    dependants: Arc<Vec<Vec<u32>>>,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunPhase {
    /// Its jobs start as they can.
    Going,
    /// Nothing new starts.
    Paused(Pause),
    /// Everything is being stopped.
    Cancelling { by: Author, reason: Option<String> },
}

/// One job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Where it is.
    pub phase: Phase,
    /// How many attempts there were, the current one included.
    pub attempts: u32,
    /// How many of them counted against its retries.
    pub tries: u32,
    /// What its hooks announced must be tidied up.
    pub owed: Vec<OwedCleanup>,
    /// Since when it is in this phase.
    pub since: Moment,
    /// How many jobs it needs are not done. Derived.
    unmet: u32,
}

impl Default for State {
    fn default() -> State {
        State {
            runs: BTreeMap::new(),
            next_run: 1,
            numbers: BTreeMap::new(),
            cursors: BTreeMap::new(),
            resting: BTreeMap::new(),
            queue: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            busy: BTreeSet::new(),
            by_task: BTreeMap::new(),
        }
    }
}

impl State {
    /// Folds events into a state. After a crash this is all there is to recovery.
    pub fn replay<'r>(mut self, records: impl IntoIterator<Item = &'r Record>) -> State {
        for record in records {
            self.apply(record.at, &record.event);
        }
        self
    }

    /// The job, which must belong to an unfinished run.
    pub fn job(&self, id: JobId) -> &Job {
        &self.runs[&id.run].jobs[id.index as usize]
    }

    /// The job, if its run is unfinished and has one of that index.
    pub fn find_job(&self, id: JobId) -> Option<&Job> {
        self.runs.get(&id.run)?.jobs.get(id.index as usize)
    }

    /// What the job does and allows.
    pub fn node(&self, id: JobId) -> &Node {
        &self.runs[&id.run].plan.plan().nodes[id.index as usize]
    }

    /// The current attempt of the job.
    pub fn attempt(&self, job: JobId) -> AttemptId {
        AttemptId { job, number: self.job(job).attempts }
    }

    /// Queued jobs that may start, in the order they deserve a slot.
    pub fn queue(&self) -> impl Iterator<Item = JobId> + '_ {
        self.queue.iter().map(|&(_, job)| job)
    }

    /// Jobs that hold a slot.
    pub fn busy(&self) -> &BTreeSet<JobId> {
        &self.busy
    }

    /// The first moment at which the clock matters, and to which job.
    pub fn first_deadline(&self) -> Option<(Moment, JobId)> {
        self.deadlines.first().copied()
    }

    /// The oldest unfinished run of a task.
    pub fn oldest_run_of(&self, task: &TaskName) -> Option<RunId> {
        self.by_task.get(task)?.first().copied()
    }

    /// Changes the state by one event. The only thing that does.
    pub fn apply(&mut self, at: Moment, event: &Event) {
        match event {
            Event::RunCreated(new) => self.create(at, new),
            Event::RunPaused { run, by, reason } => {
                let pause = Pause { by: by.clone(), reason: reason.clone(), since: at };
                self.set_run_phase(*run, RunPhase::Paused(pause));
            }
            Event::RunResumed { run, .. } => self.set_run_phase(*run, RunPhase::Going),
            Event::RunCancelled { run, by, reason } => {
                self.set_run_phase(*run, RunPhase::Cancelling { by: by.clone(), reason: reason.clone() });
            }
            Event::RunFinished { run, .. } => self.forget(*run),
            Event::JobQueued { job } => self.enter(at, *job, Phase::Queued),
            Event::AttemptAdmitted { attempt } => {
                self.job_mut(attempt.job).attempts = attempt.number;
                let phase = Phase::Asking { question: Question::Before, since: at, cause: None };
                self.enter(at, attempt.job, phase);
            }
            Event::AttemptStarted { attempt, timeout } => {
                self.job_mut(attempt.job).attempts = attempt.number;
                self.enter(at, attempt.job, Phase::Running { since: at, timeout: *timeout });
            }
            Event::AttemptStopping { attempt, cause } => {
                self.enter(at, attempt.job, Phase::Stopping { cause: *cause });
            }
            Event::AttemptEnded { attempt, exit, .. } => {
                let stopped = match self.job(attempt.job).phase {
                    Phase::Stopping { cause } => Some(cause),
                    _ => None,
                };
                self.enter(at, attempt.job, Phase::Ended { stopped, exit: exit.clone() });
            }
            Event::HookAsked { attempt, question, cause } => {
                let phase = Phase::Asking { question: *question, since: at, cause: cause.clone() };
                self.enter(at, attempt.job, phase);
            }
            Event::RetryScheduled { job, until, counts, .. } => {
                self.job_mut(*job).tries += u32::from(*counts);
                self.enter(at, *job, Phase::Backoff { until: *until });
            }
            Event::CleanupOwed { job, item } => self.job_mut(*job).owed.push(item.clone()),
            Event::CleanupStarted { job, outcome } => {
                self.enter(at, *job, Phase::Cleaning { outcome: outcome.clone() });
            }
            Event::JobFinished { job, outcome, .. } => self.finish_job(at, *job, outcome),
            Event::ScheduleArmed { key, at } => {
                self.cursors.insert(key.clone(), *at);
            }
            Event::ScheduleDisarmed { key } => {
                self.cursors.remove(key);
            }
            Event::SlotSkipped { key, slot, .. } => self.advance_cursor(key, *slot),
            Event::SlotsMissed { key, to, .. } => self.advance_cursor(key, *to),
            Event::TaskPaused { task, by, reason } => {
                let pause = Pause { by: by.clone(), reason: reason.clone(), since: at };
                self.resting.insert(task.clone(), pause);
            }
            Event::TaskResumed { task, .. } => {
                self.resting.remove(task);
            }
        }
    }

    fn create(&mut self, at: Moment, new: &NewRun) {
        let nodes = &new.plan.plan().nodes;
        let mut dependants = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            for &need in &node.needs {
                dependants[need as usize].push(index as u32);
            }
        }
        let fresh = |node: &Node| Job {
            phase: Phase::Waiting,
            attempts: 0,
            tries: 0,
            owed: Vec::new(),
            since: at,
            unmet: node.needs.len() as u32,
        };
        let run = Run {
            number: new.number,
            plan: new.plan.clone(),
            trigger: new.trigger.clone(),
            by: new.by.clone(),
            reason: new.reason.clone(),
            priority: new.priority,
            bound: new.bound,
            created: at,
            phase: RunPhase::Going,
            jobs: nodes.iter().map(fresh).collect(),
            root: None,
            open: nodes.len(),
            dependants: Arc::new(dependants),
        };
        let task = &run.plan.plan().task;
        self.by_task.entry(task.clone()).or_default().insert(new.run);
        let number = self.numbers.entry(task.clone()).or_default();
        *number = (*number).max(new.number);
        self.next_run = self.next_run.max(new.run.0 + 1);
        if let Trigger::Schedule { key, slot } = &new.trigger {
            self.advance_cursor(key, *slot);
        }
        self.runs.insert(new.run, run);
        for &index in &new.reused {
            let job = JobId { run: new.run, index };
            self.finish_job(at, job, &Outcome::Skipped { why: Skip::Reused });
        }
    }

    fn finish_job(&mut self, at: Moment, job: JobId, outcome: &Outcome) {
        self.enter(at, job, Phase::Done(outcome.clone()));
        let run = self.run_mut(job.run);
        run.open -= 1;
        for &dependant in &run.dependants[job.index as usize] {
            run.jobs[dependant as usize].unmet -= 1;
        }
        let counts = !run.plan.plan().nodes[job.index as usize].leaf.continue_on_error;
        if counts && matches!(outcome, Outcome::Failed { .. }) && run.root.is_none() {
            run.root = Some(job.index);
        }
    }

    fn forget(&mut self, id: RunId) {
        let Some(run) = self.runs.remove(&id) else { return };
        let task = &run.plan.plan().task;
        if let Some(runs) = self.by_task.get_mut(task) {
            runs.remove(&id);
            if runs.is_empty() {
                self.by_task.remove(task);
            }
        }
    }

    /// A cursor never goes back, whatever the clock does.
    fn advance_cursor(&mut self, key: &ScheduleKey, slot: Moment) {
        let cursor = self.cursors.entry(key.clone()).or_default();
        *cursor = (*cursor).max(slot);
    }

    fn set_run_phase(&mut self, id: RunId, phase: RunPhase) {
        self.run_mut(id).phase = phase;
        let run = &self.runs[&id];
        let is_held = matches!(run.phase, RunPhase::Paused(_));
        for index in 0..run.jobs.len() as u32 {
            let job = JobId { run: id, index };
            if self.job(job).phase == Phase::Queued {
                let key = (self.queue_key(job), job);
                if is_held {
                    self.queue.remove(&key)
                } else {
                    self.queue.insert(key)
                };
            }
        }
    }

    fn enter(&mut self, at: Moment, id: JobId, next: Phase) {
        let key = (self.queue_key(id), id);
        let is_held = matches!(self.runs[&id.run].phase, RunPhase::Paused(_));
        let job = self.job_mut(id);
        debug_assert!(
            job.phase.may_become(&next)
                || matches!(next, Phase::Done(Outcome::Skipped { why: Skip::Reused })),
            "{id:?}: {:?} -> {next:?}",
            job.phase
        );
        job.since = at;
        let last = std::mem::replace(&mut job.phase, next.clone());
        if last == Phase::Queued {
            self.queue.remove(&key);
        }
        if next == Phase::Queued && !is_held {
            self.queue.insert(key);
        }
        if let Some(at) = last.deadline() {
            self.deadlines.remove(&(at, id));
        }
        if let Some(at) = next.deadline() {
            self.deadlines.insert((at, id));
        }
        if next.holds_slot() {
            self.busy.insert(id);
        } else if last.holds_slot() {
            self.busy.remove(&id);
        }
    }

    /// Smaller goes first. A minute of waiting is worth one point of priority, so nothing starves; and because every
    /// job ages at the same pace, the order of two jobs never changes and can be kept in an index. Inside one
    /// priority the older run goes first, then plan order.
    fn queue_key(&self, id: JobId) -> i64 {
        const POINT: i64 = 60_000;
        let run = &self.runs[&id.run];
        let priority = run.priority.unwrap_or(self.node(id).leaf.priority);
        run.created.0 as i64 - i64::from(priority) * POINT
    }

    fn run_mut(&mut self, run: RunId) -> &mut Run {
        self.runs.get_mut(&run).expect("an event names a run that was created and is not finished")
    }

    fn job_mut(&mut self, job: JobId) -> &mut Job {
        &mut self.run_mut(job.run).jobs[job.index as usize]
    }
}

impl Run {
    /// For each job, who needs it.
    pub fn dependants(&self) -> &Arc<Vec<Vec<u32>>> {
        &self.dependants
    }

    /// Whether everything is done.
    pub fn is_over(&self) -> bool {
        self.open == 0
    }

    /// How it ended, given that everything is done. The first cause counts: a failure before a cancel stays a failure.
    pub fn outcome(&self) -> RunOutcome {
        let was_cancelled = self.jobs.iter().any(|job| job.phase == Phase::Done(Outcome::Cancelled));
        match self.root {
            Some(root) => RunOutcome::Failed { root },
            None if was_cancelled => RunOutcome::Cancelled,
            None => RunOutcome::Succeeded,
        }
    }
}

impl Job {
    /// Whether everything it needs is done.
    pub fn is_ready(&self) -> bool {
        self.unmet == 0
    }
}
