//! What the engine is told, and what it asks the host to do.

use crate::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use crate::definition::{Firing, Leaf, Machine, Params, Stop};
use crate::engine::{
    Author, Call, Cause, Changed, Event, Exit, Fingerprint, Outcome, PlanRef, Question, ScheduleKey, Skip,
    StopCause, Trigger, Usage,
};
use crate::schedule::Schedule;
use std::sync::Arc;

/// Something the engine is told: a command from a user, or a report from the world.
#[derive(Clone, Debug)]
pub enum Input {
    /// Create a run.
    Submit(Submission),
    /// End a run early. `now` leaves out the grace, also of a stop that is under way.
    Cancel { run: RunId, by: Author, reason: Option<String>, now: bool },
    /// Give all jobs of a run another priority.
    Prioritise { run: RunId, priority: i32, by: Author },
    /// Hold what has not started.
    Pause { run: RunId, by: Author, reason: Option<String> },
    /// Let a held run go on.
    Resume { run: RunId, by: Author },
    /// Freeze a job that runs. Only a process can be frozen.
    PauseJob { job: JobId, by: Author, reason: Option<String> },
    /// Let a frozen job go on.
    ResumeJob { job: JobId, by: Author },
    /// Admit nothing from a queue.
    PauseQueue { queue: String, by: Author, reason: Option<String> },
    /// Let a queue go on.
    ResumeQueue { queue: String, by: Author },
    /// Let the schedules of a task rest.
    PauseTask { task: TaskName, by: Author, reason: Option<String> },
    /// Let the schedules of a task go on.
    ResumeTask { task: TaskName, by: Author },
    /// This is what jobs share from now on, besides the slots.
    Machine(Arc<Machine>),
    /// These, and no others, are the schedules from now on.
    Schedules(Vec<Armed>),
    /// Files have changed and come to rest, and a schedule waits for that. With these it has seen every change up to `until`.
    Changed { key: ScheduleKey, until: Moment, changed: Changed },
    /// Somebody who may has called a schedule that waits for that. `plan` has the parameters of the caller, `name` is the key
    /// of the run.
    Called { key: ScheduleKey, plan: PlanRef, call: Arc<Call>, name: Option<Arc<str>> },
    /// The runner says that nothing of the attempt is left.
    Ended { attempt: AttemptId, exit: Exit, usage: Option<Usage>, outputs: Params },
    /// The runner says that the attempt has shown no sign of life for as long as its definition allows.
    Stalled { attempt: AttemptId },
    /// What was open about a job is found out.
    Prepared { job: JobId, found: Preparation },
    /// A person decided over an attempt that waits for that.
    Decide { attempt: AttemptId, approved: bool, by: Author, reason: Option<String> },
    /// A hook announced something to tidy up.
    Owe { attempt: AttemptId, item: crate::engine::OwedCleanup },
    /// A hook answered.
    Answered { attempt: AttemptId, question: Question, answer: Answer },
    /// What was owed is tidied up, as far as it could be.
    Cleaned { job: JobId, problem: Option<String> },
    /// From the start of its first attempt the run should take no longer than this, as earlier runs show; `None` when they
    /// show nothing.
    Recalled { run: RunId, limit: Option<Millis> },
    /// The host was restarted: give the orders again that may have died with it.
    Restarted,
    /// After a restart: the attempt is still going on, and the host holds it again.
    Survived { attempt: AttemptId },
    /// Time has passed; see [`Engine::next_deadline`](crate::engine::Engine::next_deadline).
    Tick,
}

/// A wish for a run.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What it will do.
    pub plan: PlanRef,
    /// What caused it.
    pub trigger: Trigger,
    /// Who wants it.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Replaces the priority of every job, when given.
    pub priority: Option<i32>,
    /// Jobs whose success is taken over from an earlier run.
    pub reused: Vec<u32>,
    /// The outputs of those jobs.
    pub reused_outputs: Vec<(u32, Arc<Params>)>,
    /// Whether jobs run although they are up to date.
    pub force: bool,
    /// The run ends with the program that asks for it.
    pub bound: bool,
    /// The name that the asker chose for the run; no earlier run of the task has it.
    pub key: Option<Arc<str>>,
    /// The run begins when every older run of its task has ended, if there is one.
    pub is_behind: bool,
}

impl Submission {
    /// A plain wish for a run of a plan.
    pub fn new(plan: PlanRef, by: Author) -> Submission {
        Submission {
            plan,
            trigger: Trigger::Manual,
            by,
            reason: None,
            priority: None,
            reused: Vec::new(),
            reused_outputs: Vec::new(),
            force: false,
            bound: false,
            key: None,
            is_behind: false,
        }
    }
}

/// What was found out about a job before it may start.
#[derive(Clone, Debug, PartialEq)]
pub enum Preparation {
    /// It may start. `leaf` and `params` replace those of the plan, where they held expressions.
    Ready { leaf: Option<Arc<Leaf>>, params: Option<Arc<Params>>, fingerprint: Option<Fingerprint> },
    /// It becomes these jobs: the full name of each, and what it stands for.
    Cells(Vec<(TaskName, Arc<Params>)>),
    /// It is not to be done.
    Skip(Skip),
    /// There is nothing to do, for this reason, and this is what it put out when there was.
    Fresh { reason: String, outputs: Params },
    /// It cannot start.
    Fail(Cause),
}

/// A schedule to watch, and the run to create at each of its slots.
#[derive(Clone, Debug)]
pub struct Armed {
    /// Its name for ever.
    pub key: ScheduleKey,
    /// When.
    pub schedule: Schedule,
    /// What the run will do.
    pub plan: PlanRef,
    /// How its slots become runs.
    pub firing: Firing,
}

/// What a hook decided, as far as the engine is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No opinion: what the definition says holds.
    NoOpinion,
    /// `before`: start, with this timeout instead of the definition's.
    StartWith { timeout: Millis },
    /// `before`: there is nothing to do.
    Skip { reason: String },
    /// `before`, `success`: the job has failed, and another try is pointless.
    Fail { message: String },
    /// `before`: not yet.
    Delay { by: Millis, reason: Option<String> },
    /// `retry`, `repeat`: once more, after this long instead of what the definition says.
    Again { delay: Option<Millis>, reason: Option<String> },
    /// `retry`: no further try.
    GiveUp { reason: Option<String> },
}

/// What the engine answers with, in order. Events are made durable before any order is carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write this down.
    Emit(Event),
    /// Do this, once everything emitted is written down.
    Order(Order),
}

/// Something the host must do. Every order can be given again from the state, so losing one in a crash loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Start the attempt.
    Start { attempt: AttemptId },
    /// Freeze it.
    Pause { attempt: AttemptId },
    /// Let it go on.
    Resume { attempt: AttemptId },
    /// Stop it: the signal, the grace, then the end.
    Stop { attempt: AttemptId, cause: StopCause, stop: Stop },
    /// Ask the hooks, and report an [`Input::Answered`].
    Ask { attempt: AttemptId, question: Question },
    /// Find out what is open about the job, and report an [`Input::Prepared`].
    Prepare { job: JobId },
    /// Find out how long the run should take at most, and report an [`Input::Recalled`].
    Recall { run: RunId },
    /// Tidy up after the job, and report an [`Input::Cleaned`].
    Clean { job: JobId, outcome: Outcome },
}
