//! The teller: feeds a story to the engine and writes down, in words, what it did.

use neap::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use neap::definition::{Action, Leaf, Overlap, Params, Retry, Signal, Stop};
use neap::engine::{
    Answer, Armed, Author, Cause, Effect, Engine, Event, Exit, Input, Order, Outcome, PlanRef, Question,
    Record, RunOutcome, ScheduleKey, Skip, SlotSkip, State, Submission, Trigger,
};
use neap::plan::{Node, Plan};
use neap::schedule::Schedule;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn code(code: i32) -> Exit {
    Exit::Code { code }
}

pub(super) struct Story {
    engine: Engine,
    plan: Plan,
    journal: Vec<Record>,
    now: u64,
    told: String,
}

impl Story {
    pub(super) fn new(slots: usize, jobs: &[(&str, &[u32])]) -> Story {
        Story::with_seed(1, slots, jobs)
    }

    pub(super) fn with_seed(seed: u64, slots: usize, jobs: &[(&str, &[u32])]) -> Story {
        let nodes = jobs.iter().map(|&(name, needs)| Node {
            leaf: Arc::new(leaf(name)),
            needs: needs.to_vec(),
            params: Arc::new(Params::new()),
        });
        let task = TaskName::new("t").unwrap();
        let plan = Plan { task, definition: "d".into(), params: Params::new(), nodes: nodes.collect() };
        let engine = Engine::new(slots, seed, State::default());
        Story { engine, plan, journal: Vec::new(), now: 0, told: String::new() }
    }

    pub(super) fn next_deadline(&self) -> u64 {
        self.engine.next_deadline().unwrap().0
    }

    pub(super) fn each(mut self, change: impl Fn(&mut Leaf)) -> Story {
        for node in &mut self.plan.nodes {
            change(Arc::make_mut(&mut node.leaf));
        }
        self
    }

    pub(super) fn leaf(&mut self, index: usize) -> &mut Leaf {
        Arc::make_mut(&mut self.plan.nodes[index].leaf)
    }

    pub(super) fn at(&mut self, now: u64) -> &mut Story {
        self.now = now;
        self.tell(Input::Tick)
    }

    pub(super) fn submit(&mut self) -> &mut Story {
        self.submit_as(None)
    }

    pub(super) fn submit_bound(&mut self) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        let (trigger, by) = (Trigger::Manual, me());
        let bound = true;
        self.tell(Input::Submit(Submission {
            plan,
            trigger,
            by,
            reason: None,
            priority: None,
            reused: vec![],
            bound,
        }))
    }

    pub(super) fn submit_with_priority(&mut self, priority: i32) -> &mut Story {
        self.submit_as(Some(priority))
    }

    fn submit_as(&mut self, priority: Option<i32>) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        let (trigger, by) = (Trigger::Manual, me());
        let bound = false;
        self.tell(Input::Submit(Submission {
            plan,
            trigger,
            by,
            reason: None,
            priority,
            reused: vec![],
            bound,
        }))
    }

    pub(super) fn cancel(&mut self) -> &mut Story {
        self.tell(Input::Cancel { run: RunId(1), by: me(), reason: None, now: false })
    }

    pub(super) fn cancel_now(&mut self) -> &mut Story {
        self.tell(Input::Cancel { run: RunId(1), by: me(), reason: None, now: true })
    }

    pub(super) fn pause(&mut self) -> &mut Story {
        self.tell(Input::Pause { run: RunId(1), by: me(), reason: None })
    }

    pub(super) fn resume(&mut self) -> &mut Story {
        self.tell(Input::Resume { run: RunId(1), by: me() })
    }

    pub(super) fn rest(&mut self) -> &mut Story {
        self.tell(Input::PauseTask { task: TaskName::new("t").unwrap(), by: me(), reason: None })
    }

    pub(super) fn wake(&mut self) -> &mut Story {
        self.tell(Input::ResumeTask { task: TaskName::new("t").unwrap(), by: me() })
    }

    pub(super) fn ends(&mut self, attempt: &str, exit: Exit) -> &mut Story {
        self.ends_in_run(1, attempt, exit)
    }

    pub(super) fn ends_in_run(&mut self, run: u64, attempt: &str, exit: Exit) -> &mut Story {
        let attempt = self.attempt(RunId(run), attempt);
        self.tell(Input::Ended { attempt, exit, usage: None })
    }

    pub(super) fn answers(&mut self, attempt: &str, question: Question, answer: Answer) -> &mut Story {
        let attempt = self.attempt(RunId(1), attempt);
        self.tell(Input::Answered { attempt, question, answer })
    }

    pub(super) fn owes(&mut self, attempt: &str) -> &mut Story {
        let attempt = self.attempt(RunId(1), attempt);
        let what = neap::definition::Cleanup::Remove { path: "more".into() };
        self.tell(Input::Owe { attempt, item: neap::engine::OwedCleanup { what, unless_succeeded: false } })
    }

    pub(super) fn cleaned(&mut self, job: &str) -> &mut Story {
        let job = self.attempt(RunId(1), &format!("{job}.0")).job;
        self.tell(Input::Cleaned { job, problem: None })
    }

    pub(super) fn schedule_every(&mut self, ms: u64) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        let schedule = Schedule::every(Millis(ms)).unwrap();
        let key = ScheduleKey("t".into());
        self.tell(Input::Schedules(vec![Armed { key, schedule, plan, overlap: Overlap::Skip }]))
    }

    pub(super) fn schedule_nothing(&mut self) -> &mut Story {
        self.tell(Input::Schedules(Vec::new()))
    }

    /// The host dies and comes back: all it has is the journal.
    pub(super) fn restart(&mut self) -> &mut Story {
        self.engine = Engine::new(self.engine.slots(), 1, State::default().replay(&self.journal));
        self.tell(Input::Restarted)
    }

    fn attempt(&self, run: RunId, text: &str) -> AttemptId {
        let (name, number) = text.rsplit_once('.').unwrap();
        let index = self.plan.nodes.iter().position(|node| node.leaf.name.as_str() == name).unwrap() as u32;
        AttemptId { job: JobId { run, index }, number: number.parse().unwrap() }
    }

    fn tell(&mut self, input: Input) -> &mut Story {
        let mut stamp = format!("@{}", self.now);
        let now = Moment(self.now);
        for effect in self.engine.handle(now, input) {
            match effect {
                Effect::Emit(event) => {
                    self.told += &format!("\n{:<7} {}", std::mem::take(&mut stamp), self.event(&event));
                    self.journal.push(Record { at: now, event });
                }
                Effect::Order(order) if stamp.is_empty() => {
                    self.told += &format!(" -> {}", self.order(&order))
                }
                Effect::Order(order) => {
                    self.told += &format!("\n{} -> {}", std::mem::take(&mut stamp), self.order(&order));
                }
            }
        }
        self
    }

    fn order(&self, order: &Order) -> String {
        match order {
            Order::Start { attempt } => format!("start {}{}", self.try_(*attempt), of_run(attempt.job.run)),
            Order::Stop { attempt, stop, .. } => {
                format!("stop {}, grace {}", self.try_(*attempt), stop.grace.0)
            }
            Order::Ask { attempt, question } => format!("ask {} {question:?}", self.try_(*attempt)),
            Order::Clean { job, .. } => format!("clean {}", self.job(*job)),
        }
    }

    fn event(&self, event: &Event) -> String {
        match event {
            Event::RunCreated(new) => match &new.trigger {
                Trigger::Schedule { slot, .. } => format!("{} created for @{}", run(new.run), slot.0),
                Trigger::Manual | Trigger::Retry { .. } => format!("{} created", run(new.run)),
            },
            Event::RunPaused { by, .. } => format!("run paused by {by}"),
            Event::RunResumed { .. } => "run resumed".into(),
            Event::RunCancelled { by, .. } => format!("run cancelled by {by}"),
            Event::RunFinished { run: id, outcome } => {
                format!("{} finished: {}", run(*id), self.run_outcome(outcome))
            }
            Event::JobQueued { job } => format!("{} queued", self.job(*job)),
            Event::JobFinished { job, outcome, .. } => {
                format!("{} finished: {}", self.job(*job), self.outcome(outcome))
            }
            Event::AttemptAdmitted { attempt } => format!("{} admitted", self.try_(*attempt)),
            Event::AttemptStarted { attempt, .. } => format!("{} started", self.try_(*attempt)),
            Event::AttemptStopping { attempt, cause } => {
                format!("{} stopping: {cause:?}", self.try_(*attempt))
            }
            Event::AttemptEnded { attempt, exit, .. } => {
                format!("{} ended: {}", self.try_(*attempt), exit_word(exit))
            }
            Event::HookAsked { attempt, question, .. } => {
                format!("{} asks {question:?}", self.try_(*attempt))
            }
            Event::RetryScheduled { job, until, .. } => {
                format!("{} tries again @{}", self.job(*job), until.0)
            }
            Event::CleanupOwed { job, .. } => format!("{} owes a cleanup", self.job(*job)),
            Event::CleanupStarted { job, .. } => format!("{} tidies up", self.job(*job)),
            Event::ScheduleArmed { key, .. } => format!("armed {key}"),
            Event::ScheduleDisarmed { key } => format!("disarmed {key}"),
            Event::SlotSkipped { slot, why: SlotSkip::Overlap { run }, .. } => {
                format!("slot @{} skipped: run {} goes on", slot.0, run.0)
            }
            Event::SlotSkipped { slot, why: SlotSkip::Paused, .. } => {
                format!("slot @{} skipped: paused", slot.0)
            }
            Event::SlotsMissed { from, to, count, .. } => {
                format!("slots @{} to @{} missed: {count}", from.0, to.0)
            }
            Event::TaskPaused { task, .. } => format!("{task} rests"),
            Event::TaskResumed { task, .. } => format!("{task} goes on"),
        }
    }

    fn outcome(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Succeeded => "succeeded".into(),
            Outcome::Cancelled => "cancelled".into(),
            Outcome::Skipped { why: Skip::Needs { job } } => format!("skipped, needs {}", self.name(*job)),
            Outcome::Skipped { why: Skip::Asked { reason } } => format!("skipped, {reason}"),
            Outcome::Skipped { why: Skip::Reused } => "skipped, reused".into(),
            Outcome::Failed { cause } => match cause {
                Cause::Exit { code } => format!("exit {code}"),
                Cause::Signal { signal } => signal.to_string(),
                Cause::TimedOut => "timed out".into(),
                Cause::NotSpawned { message, .. } => format!("not spawned: {message}"),
                Cause::Lost => "lost".into(),
                Cause::Hook { message } => format!("hook: {message}"),
            },
        }
    }

    fn run_outcome(&self, outcome: &RunOutcome) -> String {
        match outcome {
            RunOutcome::Succeeded => "succeeded".into(),
            RunOutcome::Failed { root } => format!("failed at {}", self.name(*root)),
            RunOutcome::Cancelled => "cancelled".into(),
        }
    }

    fn job(&self, job: JobId) -> &str {
        self.name(job.index)
    }

    fn try_(&self, attempt: AttemptId) -> String {
        format!("{}.{}", self.job(attempt.job), attempt.number)
    }

    fn name(&self, index: u32) -> &str {
        self.plan.nodes[index as usize].leaf.name.as_str()
    }

    #[track_caller]
    pub(super) fn check(&self, expected: &str) {
        let squeeze = |s: &str| -> Vec<String> {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            s.lines().map(words).filter(|line| !line.is_empty()).collect()
        };
        assert_eq!(squeeze(expected), squeeze(&self.told), "\nthe engine told:{}\n", self.told);
    }
}

fn run(id: RunId) -> String {
    if id == RunId(1) { "run".into() } else { format!("run {}", id.0) }
}

fn of_run(id: RunId) -> String {
    if id == RunId(1) { String::new() } else { format!(" of run {}", id.0) }
}

fn exit_word(exit: &Exit) -> String {
    match exit {
        Exit::Code { code } => format!("exit {code}"),
        Exit::Signal { signal } => signal.to_string(),
        Exit::NotSpawned { message, .. } => format!("not spawned: {message}"),
        Exit::Lost => "lost".into(),
        Exit::Skipped { reason } => format!("skipped: {reason}"),
    }
}

fn leaf(name: &str) -> Leaf {
    Leaf {
        name: TaskName::new(name).unwrap(),
        description: None,
        labels: BTreeMap::new(),
        depends_on: Vec::new(),
        action: Action::Exec { argv: vec!["true".into()] },
        working_dir: None,
        env: BTreeMap::new(),
        priority: 0,
        timeout: None,
        stop: Stop { signal: Signal::TERM, grace: Millis(30) },
        retry: Retry::default(),
        hooks: Vec::new(),
        cleanup: Vec::new(),
        continue_on_error: false,
    }
}

fn me() -> Author {
    Author("me".into())
}
