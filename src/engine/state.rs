//! What the engine remembers, and how an event changes it. Nothing here decides anything.
//!
//! Finished runs are forgotten here: they are rows of the history. So memory is bounded by what goes on.

mod expected;
mod holders;
mod lines;
mod overdue;
mod rates;
mod schedules;
mod turns;

pub use holders::Holders;
pub use lines::Wants;
pub use rates::Rates;
pub use turns::Crowd;

use crate::base::{AttemptId, JobId, Moment, RunId, TaskName};
use crate::definition::{GroupName, Leaf, Params, Sharing, When};
use crate::engine::gate::{Judged, Tally, judge};
use crate::engine::{
    Author, Cell, Event, Expectation, Fingerprint, Late, NewRun, Outcome, OwedCleanup, Phase, PlanRef,
    Question, Record, RunOutcome, ScheduleKey, Skip, Trigger,
};
use crate::plan::Node;
use holders::Held;
use lines::{Lines, Merged};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use turns::Crowds;

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
    /// How many runs in a row of each schedule have failed, where any has.
    pub streaks: BTreeMap<ScheduleKey, u32>,
    /// When attempts began that share a rate.
    pub rates: Rates,
    /// When the last run was created, or the last slot that was dealt with when that is later.
    pub latest: Moment,
    /// Tasks whose schedules rest.
    pub resting: BTreeMap<TaskName, Pause>,
    /// Queues from which nothing is admitted.
    pub paused_queues: BTreeMap<String, Pause>,
    /// Queued jobs of runs that are not paused, in the order they deserve a slot. An index: `enter` keeps it.
    queue: Lines,
    /// When the clock next matters, and to which job. An index: `enter` keeps it.
    deadlines: BTreeSet<(Moment, JobId)>,
    /// When the time of a job is over, with all its attempts. An index: `enter` keeps it.
    overdue: BTreeSet<(Moment, JobId)>,
    /// When a run will be late, and what is expected of it until then. An index.
    expected: BTreeSet<(Moment, RunId, Expectation)>,
    /// Queued jobs that need no slot and nothing else, of runs that are not paused. An index: `enter` keeps it.
    slotless: BTreeSet<JobId>,
    /// Jobs that hold a slot. An index: `enter` keeps it.
    busy: BTreeSet<JobId>,
    /// Locks that are held, and slots of queues that have their own. An index: `enter` keeps it.
    held: Held,
    /// The groups that the unfinished runs belong to. An index.
    crowds: Crowds,
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
    /// The name that the asker chose for it.
    pub key: Option<Arc<str>>,
    /// When it was created.
    pub created: Moment,
    /// When its first attempt started.
    pub started: Option<Moment>,
    /// What was expected of it and has not come true.
    pub late: Vec<Late>,
    /// Whether it may not begin yet, because its groups have no room.
    pub is_waiting: bool,
    /// Whether it goes on, is held, or is being cancelled.
    pub phase: RunPhase,
    /// Whether its jobs run although they are up to date.
    pub force: bool,
    /// Whether it waits until every older run of its task has ended.
    pub is_behind: bool,
    /// Its jobs, in plan order; behind them the cells that jobs became.
    pub jobs: Vec<Job>,
    /// The nodes of those cells.
    cells: Vec<Node>,
    /// The job whose failure came first, if one failed and counts.
    pub root: Option<u32>,
    /// How many jobs are not done. Derived.
    open: usize,
    /// For each node, who needs it. Derived from the plan.
    dependants: Arc<Vec<Vec<Dependant>>>,
}

/// Who needs a job, and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependant {
    /// Its index in the run.
    pub job: u32,
    /// What must have become of the other.
    pub when: When,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Where it is.
    pub phase: Phase,
    /// How many attempts there were, the current one included.
    pub attempts: u32,
    /// How many of them counted against its retries.
    pub tries: u32,
    /// How often it was done again after it succeeded.
    pub rounds: u32,
    /// What its hooks announced must be tidied up.
    pub owed: Vec<OwedCleanup>,
    /// Since when it is in this phase.
    pub since: Moment,
    /// Until when it may wait in the queue. Derived from when it came there.
    pub queued_until: Option<Moment>,
    /// When all it needs was there, and it was let go. Derived.
    pub ready: Option<Moment>,
    /// When its first attempt started.
    pub started: Option<Moment>,
    /// What was found out about it before it started.
    pub prepared: Option<Arc<Prepared>>,
    /// The outputs of its last attempt that had any.
    pub outputs: Option<Arc<Params>>,
    /// What a person decided.
    pub decision: Option<Arc<Decision>>,
    /// Which job it is a cell of.
    pub cell: Option<Arc<CellOf>>,
    /// The jobs that it became.
    pub cells: Range<u32>,
    /// How many of those are not done. Derived.
    pub open_cells: u32,
    /// What has become of the jobs it needs. Derived.
    tally: Tally,
}

/// What was found out about a job before it started.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// What it does, with its expressions evaluated.
    pub leaf: Option<Arc<Leaf>>,
    /// Its parameters, with their defaults evaluated.
    pub params: Option<Arc<Params>>,
    /// What its sources are.
    pub fingerprint: Option<Fingerprint>,
}

/// A person's decision over a job that waited for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// Where a cell belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct CellOf {
    /// The job that became it, among others.
    pub parent: u32,
    /// What it stands for.
    pub values: Arc<Params>,
}

impl Default for State {
    fn default() -> State {
        State {
            runs: BTreeMap::new(),
            next_run: 1,
            numbers: BTreeMap::new(),
            cursors: BTreeMap::new(),
            streaks: BTreeMap::new(),
            rates: Rates::default(),
            latest: Moment(0),
            resting: BTreeMap::new(),
            paused_queues: BTreeMap::new(),
            queue: Lines::default(),
            deadlines: BTreeSet::new(),
            overdue: BTreeSet::new(),
            expected: BTreeSet::new(),
            slotless: BTreeSet::new(),
            busy: BTreeSet::new(),
            held: Held::default(),
            crowds: Crowds::default(),
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

    /// What the job needs, and does by its definition.
    pub fn node(&self, id: JobId) -> &Node {
        self.runs[&id.run].node(id.index)
    }

    /// What the job does and allows, with its expressions evaluated once that has been done.
    pub fn leaf(&self, id: JobId) -> &Arc<Leaf> {
        self.runs[&id.run].leaf(id.index)
    }

    /// The current attempt of the job.
    pub fn attempt(&self, job: JobId) -> AttemptId {
        AttemptId { job, number: self.job(job).attempts }
    }

    /// Queued jobs that may start, in the order they deserve a slot.
    pub fn queue(&self) -> impl Iterator<Item = JobId> + '_ {
        self.lines().map(|(job, _)| job)
    }

    /// The same, each with what it wants. Whole lines can be left out on the way.
    pub(crate) fn lines(&self) -> Merged<'_> {
        self.queue.in_order()
    }

    /// Whether somebody is queued who needs no slot, but something else.
    pub(crate) fn queues_slotless(&self) -> bool {
        self.queue.has_slotless()
    }

    /// How many jobs are queued.
    pub fn queued(&self) -> usize {
        self.queue.len() + self.slotless.len()
    }

    /// How many jobs are queued that want this.
    pub fn queued_with(&self, is_meant: impl Fn(&Wants) -> bool) -> usize {
        self.queue.count(is_meant)
    }

    /// Who holds this lock.
    pub fn holders(&self, lock: &str) -> Option<&Holders> {
        self.held.locks.get(lock)
    }

    /// Every lock that is held, by name.
    pub fn locks(&self) -> impl Iterator<Item = (&str, &Holders)> {
        self.held.locks.iter().map(|(name, holders)| (name.as_str(), holders))
    }

    /// How much of a resource is in use.
    pub fn used(&self, resource: &str) -> u64 {
        self.held.used.get(resource).copied().unwrap_or(0)
    }

    /// The unfinished runs of this group.
    pub fn crowd(&self, group: &GroupName) -> Option<&Crowd> {
        self.crowds.groups.get(group)
    }

    /// The groups in which a run waits for its turn.
    pub fn crowded(&self) -> impl Iterator<Item = &GroupName> {
        self.crowds.crowded.iter()
    }

    /// How many jobs that name this queue hold a slot.
    pub(crate) fn busy_apart(&self, queue: &str) -> usize {
        self.held.slots.get(queue).map_or(0, BTreeSet::len)
    }

    /// Queued jobs that may start and need no slot and nothing else.
    pub fn slotless(&self) -> impl Iterator<Item = JobId> + '_ {
        let is_held = |job: JobId| self.paused_queues.contains_key(self.leaf(job).sharing.queue());
        let may_be_held = !self.paused_queues.is_empty();
        self.slotless.iter().copied().filter(move |job| !(may_be_held && is_held(*job)))
    }

    /// Jobs of which a runner holds an attempt, with a slot or without. It looks at every job.
    pub fn going(&self) -> impl Iterator<Item = JobId> + '_ {
        self.runs.iter().flat_map(|(&run, r)| {
            let live = r.jobs.iter().enumerate().filter(|(_, job)| job.phase.is_live());
            live.map(move |(index, _)| JobId { run, index: index as u32 })
        })
    }

    /// Jobs that hold a slot.
    pub fn busy(&self) -> &BTreeSet<JobId> {
        &self.busy
    }

    /// The first moment at which the clock matters, and to which job.
    pub fn first_deadline(&self) -> Option<(Moment, JobId)> {
        self.deadlines.first().copied()
    }

    /// Changes the state by one event. The only thing that does.
    pub fn apply(&mut self, at: Moment, event: &Event) {
        match event {
            Event::RunCreated(new) => self.create(at, new),
            Event::RunPrioritised { run, priority, .. } => self.prioritise(*run, *priority),
            Event::RunBegan { run } => self.begin(*run),
            Event::RunPaused { run, by, reason } => {
                let pause = Pause { by: by.clone(), reason: reason.clone(), since: at };
                self.set_run_phase(at, *run, RunPhase::Paused(pause));
            }
            Event::RunResumed { run, .. } => self.set_run_phase(at, *run, RunPhase::Going),
            Event::RunCancelled { run, by, reason } => {
                self.set_run_phase(at, *run, RunPhase::Cancelling { by: by.clone(), reason: reason.clone() });
            }
            Event::RunLate { run, what, limit } => self.note_late(at, *run, *what, *limit),
            Event::RunReleased { run } => self.run_mut(*run).is_behind = false,
            Event::RunFinished { run, outcome } => {
                self.count_failure(*run, outcome);
                self.forget(*run);
            }
            Event::JobDelayed { job, until } => self.enter(at, *job, Phase::Delayed { until: *until }),
            Event::JobPreparing { job } => self.enter(at, *job, Phase::Preparing { since: at }),
            Event::JobPrepared { job, leaf, params, fingerprint, outputs } => {
                let prepared =
                    Prepared { leaf: leaf.clone(), params: params.clone(), fingerprint: fingerprint.clone() };
                let job = self.job_mut(*job);
                job.prepared = Some(Arc::new(prepared));
                job.outputs = outputs.clone().or_else(|| job.outputs.take());
            }
            Event::JobSpread { job, cells } => self.spread(at, *job, cells),
            Event::JobQueued { job } => self.enter(at, *job, Phase::Queued),
            Event::AttemptAdmitted { attempt } => {
                let phase = Phase::Asking { question: Question::Before, since: at, cause: None };
                self.enter(at, attempt.job, phase);
                self.count_attempt(*attempt);
            }
            Event::AttemptStarted { attempt, timeout } => {
                self.enter(at, attempt.job, Phase::Running { since: at, timeout: *timeout });
                self.count_attempt(*attempt);
                self.begin_total(at, attempt.job);
                self.note_start(at, attempt.job);
                self.note_run_start(at, attempt.job.run);
            }
            Event::AttemptPaused { attempt, .. } => {
                if let Phase::Running { since, timeout } = self.job(attempt.job).phase {
                    self.enter(at, attempt.job, Phase::Paused { ran: at - since, timeout });
                }
            }
            Event::AttemptResumed { attempt, .. } => {
                if let Phase::Paused { ran, timeout } = self.job(attempt.job).phase {
                    // As if it had started later, by as long as it was frozen.
                    self.enter(at, attempt.job, Phase::Running { since: at - ran, timeout });
                }
            }
            Event::AttemptStopping { attempt, cause } => {
                self.enter(at, attempt.job, Phase::Stopping { cause: *cause });
            }
            Event::AttemptEnded { attempt, exit, outputs, .. } => {
                if !outputs.is_empty() {
                    self.job_mut(attempt.job).outputs = Some(Arc::new(outputs.clone()));
                }
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
            Event::RoundScheduled { job, until } => {
                let state = self.job_mut(*job);
                (state.rounds, state.tries) = (state.rounds + 1, 0);
                self.enter(at, *job, Phase::Backoff { until: *until });
            }
            Event::Decided { attempt, approved, by, reason } => {
                let decision = Decision { approved: *approved, by: by.clone(), reason: reason.clone() };
                self.job_mut(attempt.job).decision = Some(Arc::new(decision));
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
                self.streaks.remove(key);
            }
            Event::SlotSkipped { key, slot, .. } => self.advance_cursor(key, *slot),
            Event::SlotsMissed { key, to, .. } => self.advance_cursor(key, *to),
            Event::TaskPaused { task, by, reason } => {
                let pause = Pause { by: by.clone(), reason: reason.clone(), since: at };
                self.resting.insert(task.clone(), pause);
            }
            Event::TaskResumed { task, .. } => {
                self.resting.remove(task);
                self.streaks.retain(|key, _| key.task() != task.as_str());
            }
            Event::RateUsed { key } => self.rates.note(key, at),
            Event::QueuePaused { queue, by, reason } => {
                let pause = Pause { by: by.clone(), reason: reason.clone(), since: at };
                self.paused_queues.insert(queue.clone(), pause);
            }
            Event::QueueResumed { queue, .. } => {
                self.paused_queues.remove(queue);
            }
            Event::RunRefused(_) => {}
        }
    }

    fn create(&mut self, at: Moment, new: &NewRun) {
        let nodes = &new.plan.plan().nodes;
        let mut dependants = vec![Vec::new(); nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            for (need, when) in node.edges() {
                dependants[need as usize].push(Dependant { job: index as u32, when });
            }
        }
        let run = Run {
            number: new.number,
            plan: new.plan.clone(),
            trigger: new.trigger.clone(),
            by: new.by.clone(),
            reason: new.reason.clone(),
            priority: new.priority,
            bound: new.bound,
            key: new.key.clone(),
            created: at,
            started: None,
            late: Vec::new(),
            is_waiting: new.waits,
            phase: RunPhase::Going,
            force: new.force,
            is_behind: new.is_behind,
            jobs: nodes.iter().map(|node| Job::new(at, node.needs.len() as u32)).collect(),
            cells: Vec::new(),
            root: None,
            open: nodes.len(),
            dependants: Arc::new(dependants),
        };
        self.crowds.come(new.run, &run.plan.plan().groups, new.waits);
        let task = &run.plan.plan().task;
        self.by_task.entry(task.clone()).or_default().insert(new.run);
        let number = self.numbers.entry(task.clone()).or_default();
        *number = (*number).max(new.number);
        self.next_run = self.next_run.max(new.run.0 + 1);
        self.latest = self.latest.max(at);
        if let (Some(key), Some(reach)) = (new.trigger.schedule(), new.trigger.reach()) {
            self.advance_cursor(key, reach);
        }
        self.runs.insert(new.run, run);
        self.expect(new.run);
        for (index, outputs) in &new.reused_outputs {
            self.job_mut(JobId { run: new.run, index: *index }).outputs = Some(Arc::clone(outputs));
        }
        for &index in &new.reused {
            let job = JobId { run: new.run, index };
            self.finish_job(at, job, &Outcome::Skipped { why: Skip::Reused });
        }
    }

    /// The cells are jobs like all others, save that nothing depends on them but the job that became them.
    fn spread(&mut self, at: Moment, id: JobId, cells: &[Cell]) {
        self.enter(at, id, Phase::Spread);
        let run = self.run_mut(id.run);
        let whole = run.node(id.index).clone();
        let first = run.jobs.len() as u32;
        for cell in cells {
            let leaf = Leaf {
                name: cell.name.clone(),
                spread: None,
                depends_on: Vec::new(),
                ..(*whole.leaf).clone()
            };
            run.cells.push(Node {
                leaf: Arc::new(leaf),
                needs: Vec::new(),
                whens: Vec::new(),
                ..whole.clone()
            });
            let place = CellOf { parent: id.index, values: cell.values.clone() };
            run.jobs.push(Job { cell: Some(Arc::new(place)), ..Job::new(at, 0) });
        }
        run.open += cells.len();
        let parent = &mut run.jobs[id.index as usize];
        parent.cells = first..first + cells.len() as u32;
        parent.open_cells = cells.len() as u32;
    }

    /// What waits for the start of a job has it now.
    fn note_start(&mut self, at: Moment, id: JobId) {
        let run = self.run_mut(id.run);
        let job = &mut run.jobs[id.index as usize];
        if job.started.is_some() {
            return;
        }
        job.started = Some(at);
        let whole = job.cell.as_ref().map(|cell| JobId { index: cell.parent, ..id });
        for dependant in run.dependants.clone().get(id.index as usize).into_iter().flatten() {
            if dependant.when == When::Started {
                run.jobs[dependant.job as usize].tally.settle(Judged::GOOD);
            }
        }
        // A job that became many has started when the first of them has.
        if let Some(whole) = whole {
            self.note_start(at, whole);
        }
    }

    fn finish_job(&mut self, at: Moment, job: JobId, outcome: &Outcome) {
        self.enter(at, job, Phase::Done(outcome.clone()));
        let run = self.run_mut(job.run);
        run.open -= 1;
        let counts = !run.node(job.index).leaf.continue_on_error;
        let has_started = run.jobs[job.index as usize].started.is_some();
        let dependants = Arc::clone(&run.dependants);
        for dependant in dependants.get(job.index as usize).into_iter().flatten() {
            if dependant.when == When::Started && has_started {
                continue; // It had what it waits for when the job started.
            }
            run.jobs[dependant.job as usize].tally.settle(judge(dependant.when, outcome, counts));
        }
        if let Some(cell) = run.jobs[job.index as usize].cell.clone() {
            run.jobs[cell.parent as usize].open_cells -= 1;
        }
        if counts && matches!(outcome, Outcome::Failed { .. }) && run.root.is_none() {
            run.root = Some(job.index);
        }
    }

    fn forget(&mut self, id: RunId) {
        self.expect_nothing(id);
        let Some(run) = self.runs.remove(&id) else { return };
        self.crowds.leave(id, &run.plan.plan().groups);
        let task = &run.plan.plan().task;
        if let Some(runs) = self.by_task.get_mut(task) {
            runs.remove(&id);
            if runs.is_empty() {
                self.by_task.remove(task);
            }
        }
    }

    fn begin(&mut self, id: RunId) {
        let run = self.run_mut(id);
        run.is_waiting = false;
        let plan = run.plan.clone();
        self.crowds.begin(id, &plan.plan().groups);
    }

    /// The jobs that are queued find their new places; how long they wait goes on.
    fn prioritise(&mut self, id: RunId, priority: i32) {
        let run = &self.runs[&id];
        let is_held = matches!(run.phase, RunPhase::Paused(_));
        let queued = run.jobs.iter().enumerate().filter(|(_, job)| job.phase == Phase::Queued && !is_held);
        let queued: Vec<JobId> = queued.map(|(index, _)| JobId { run: id, index: index as u32 }).collect();
        queued.iter().for_each(|job| self.unqueue(*job));
        self.run_mut(id).priority = Some(priority);
        queued.iter().for_each(|job| self.requeue(*job));
    }

    /// From now on it waits, perhaps not for ever.
    fn start_waiting(&mut self, at: Moment, id: JobId) {
        self.requeue(id);
        if let Some(patience) = self.leaf(id).timeout_queue {
            self.job_mut(id).queued_until = Some(at + patience);
            self.deadlines.insert((at + patience, id));
        }
    }

    fn stop_waiting(&mut self, id: JobId) {
        self.unqueue(id);
        if let Some(until) = self.job_mut(id).queued_until.take() {
            self.deadlines.remove(&(until, id));
        }
    }

    fn set_run_phase(&mut self, at: Moment, id: RunId, phase: RunPhase) {
        let was_held = matches!(self.runs[&id].phase, RunPhase::Paused(_));
        self.run_mut(id).phase = phase;
        let run = &self.runs[&id];
        let is_held = matches!(run.phase, RunPhase::Paused(_));
        for index in 0..run.jobs.len() as u32 {
            let job = JobId { run: id, index };
            if self.job(job).phase == Phase::Queued {
                if is_held {
                    self.stop_waiting(job);
                } else if was_held {
                    self.start_waiting(at, job);
                }
            }
        }
    }

    fn requeue(&mut self, id: JobId) {
        match self.wants(id) {
            Some(wants) => self.queue.insert(wants, (self.queue_key(id), id)),
            None => _ = self.slotless.insert(id),
        }
    }

    fn unqueue(&mut self, id: JobId) {
        match self.wants(id) {
            Some(wants) => self.queue.remove(&wants, (self.queue_key(id), id)),
            None => _ = self.slotless.remove(&id),
        }
    }

    /// What a queued job wants before it may start; `None` when that is nothing. What was admitted once has its locks.
    pub fn wants(&self, id: JobId) -> Option<Wants> {
        let leaf = self.leaf(id);
        let mut wants = Wants { needs_slot: !leaf.is_slotless(), sharing: leaf.sharing.clone() };
        if self.job(id).attempts > 0 {
            wants.sharing.locks.clear();
        }
        let Sharing { queue: _, locks, resources, rate } = &wants.sharing;
        let is_something = !locks.is_empty() || !resources.is_empty() || rate.is_some();
        (wants.needs_slot || is_something).then_some(wants)
    }

    /// Notes which attempt it is. With the first one the job has its locks, until it is done.
    fn count_attempt(&mut self, attempt: AttemptId) {
        let job = self.job_mut(attempt.job);
        let is_first = job.attempts == 0;
        job.attempts = attempt.number;
        if is_first {
            let leaf = Arc::clone(self.leaf(attempt.job));
            self.held.take_locks(attempt.job, &leaf.sharing.locks);
        }
    }

    fn enter(&mut self, at: Moment, id: JobId, next: Phase) {
        self.keep_total(id, &next);
        let is_held = matches!(self.runs[&id.run].phase, RunPhase::Paused(_));
        let leaf = Arc::clone(self.leaf(id));
        let needs_slot = !leaf.is_slotless();
        let job = self.job_mut(id);
        debug_assert!(
            job.phase.may_become(&next)
                || matches!(next, Phase::Done(Outcome::Skipped { why: Skip::Reused })),
            "{id:?}: {:?} -> {next:?}",
            job.phase
        );
        job.since = at;
        let last = std::mem::replace(&mut job.phase, next.clone());
        if last == Phase::Waiting && !next.is_done() {
            job.ready = Some(at);
        }
        if last == Phase::Queued {
            self.stop_waiting(id);
        }
        if next == Phase::Queued && !is_held {
            self.start_waiting(at, id);
        }
        if let Some(at) = last.deadline() {
            self.deadlines.remove(&(at, id));
        }
        if let Some(at) = next.deadline() {
            self.deadlines.insert((at, id));
        }
        match (last.holds_slot(), next.holds_slot()) {
            (false, true) => self.held.use_resources(&leaf.sharing.resources),
            (true, false) => self.held.free_resources(&leaf.sharing.resources),
            (true, true) | (false, false) => {}
        }
        if next.holds_slot() && needs_slot {
            self.busy.insert(id);
            self.held.take_slot(id, &leaf.sharing);
        } else if last.holds_slot() {
            self.busy.remove(&id);
            self.held.drop_slot(id, &leaf.sharing);
        }
        if next.is_done() && self.job(id).attempts > 0 {
            self.held.drop_locks(id, &leaf.sharing.locks);
        }
    }

    /// Smaller goes first. A minute of waiting is worth one point of priority, so nothing starves; and because every
    /// job ages at the same pace, the order of two jobs never changes and can be kept in an index. Inside one
    /// priority the older run goes first, then plan order.
    fn queue_key(&self, id: JobId) -> i64 {
        const POINT: i64 = 60_000;
        let run = &self.runs[&id.run];
        let priority = run.priority.unwrap_or(self.leaf(id).priority);
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
    /// What people call it: `nightly#128`.
    pub fn name(&self) -> String {
        format!("{}#{}", self.plan.plan().task, self.number)
    }

    /// For each job, who needs it.
    pub fn dependants(&self) -> &Arc<Vec<Vec<Dependant>>> {
        &self.dependants
    }

    /// What a job needs, and does by its definition.
    pub fn node(&self, index: u32) -> &Node {
        let nodes = &self.plan.plan().nodes;
        nodes.get(index as usize).unwrap_or_else(|| &self.cells[index as usize - nodes.len()])
    }

    /// What a job does and allows, with its expressions evaluated once that has been done.
    pub fn leaf(&self, index: u32) -> &Arc<Leaf> {
        let prepared =
            self.jobs[index as usize].prepared.as_ref().and_then(|prepared| prepared.leaf.as_ref());
        prepared.unwrap_or(&self.node(index).leaf)
    }

    /// The parameters that a job sees.
    pub fn params(&self, index: u32) -> &Arc<Params> {
        let prepared =
            self.jobs[index as usize].prepared.as_ref().and_then(|prepared| prepared.params.as_ref());
        prepared.unwrap_or(&self.node(index).params)
    }

    /// What has become of a job that another one needs, once that is settled.
    pub(super) fn judged(&self, need: u32, when: When) -> Option<Judged> {
        let job = &self.jobs[need as usize];
        match &job.phase {
            _ if when == When::Started && job.started.is_some() => Some(Judged::GOOD),
            Phase::Done(outcome) => Some(judge(when, outcome, !self.node(need).leaf.continue_on_error)),
            _ => None,
        }
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
    fn new(at: Moment, needs: u32) -> Job {
        Job {
            phase: Phase::Waiting,
            attempts: 0,
            tries: 0,
            rounds: 0,
            owed: Vec::new(),
            since: at,
            queued_until: None,
            ready: None,
            started: None,
            prepared: None,
            outputs: None,
            decision: None,
            cell: None,
            cells: 0..0,
            open_cells: 0,
            tally: Tally { open: needs, ..Tally::default() },
        }
    }

    /// What has become of the jobs it needs.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}
