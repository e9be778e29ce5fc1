//! The vocabulary: what can happen to a run, a job, an attempt and a schedule.
//!
//! Every type here is written to the journal. A stored journal must replay for ever, so a change
//! of meaning is a new variant, never an edit of an old one.

use crate::base::{AttemptId, Bytes, JobId, Millis, Moment, RunId, TaskName};
use crate::definition::{Cleanup, GroupName, Leaf, Params, Signal};
use crate::engine::{Call, Changed, Expectation};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// An event and when it happened: one line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The host's clock when the engine decided it.
    pub at: Moment,
    /// What happened.
    pub event: Event,
}

/// A fact, in the past tense. Written to the journal, then published to subscribers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run exists from now on.
    RunCreated(Box<NewRun>),
    /// The priority of all jobs of a run is another one from now on.
    RunPrioritised { run: RunId, priority: i32, by: Author },
    /// Nothing is admitted from the queue until it is resumed; what runs goes on.
    QueuePaused {
        queue: String,
        by: Author,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An attempt begins that counts under this rate.
    RateUsed { key: String },
    /// The queue goes on.
    QueueResumed { queue: String, by: Author },
    /// A run that waited for its turn begins.
    RunBegan { run: RunId },
    /// A run was not created, because its group has no room.
    RunRefused(Box<Refused>),
    /// Nothing of the run starts until it is resumed; what runs goes on.
    RunPaused { run: RunId, by: Author, reason: Option<String> },
    /// The run goes on.
    RunResumed { run: RunId, by: Author },
    /// The run was asked to end early. Its jobs follow one by one.
    RunCancelled { run: RunId, by: Author, reason: Option<String> },
    /// Every older run of its task has ended: the run begins.
    RunReleased { run: RunId },
    /// The run is not where it was expected to be by now. It goes on.
    RunLate { run: RunId, what: Expectation, limit: Millis },
    /// Every job of the run is done.
    RunFinished { run: RunId, outcome: RunOutcome },
    /// Everything the job needs is there, but it does not start before this.
    JobDelayed { job: JobId, until: Moment },
    /// Everything the job needs is there; what its definition leaves open is being found out.
    JobPreparing { job: JobId },
    /// It is found out. `leaf` and `params` replace those of the plan, where they held expressions.
    JobPrepared {
        job: JobId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leaf: Option<Arc<Leaf>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        params: Option<Arc<Params>>,
        /// What the sources of the job are, when it is skipped while they stay so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fingerprint: Option<Fingerprint>,
        /// What it put out when it last had something to do, for a job that is skipped because it is up to date.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<Arc<Params>>,
    },
    /// The job became many jobs, one for each cell. They stand behind all others of the run, in this order.
    JobSpread { job: JobId, cells: Vec<Cell> },
    /// Everything is there for the job; it wants a slot.
    JobQueued { job: JobId },
    /// The job has a slot, and its `before` hook is asked whether and how to start.
    AttemptAdmitted { attempt: AttemptId },
    /// The attempt was ordered to start. `timeout` is the one in force for this attempt.
    AttemptStarted { attempt: AttemptId, timeout: Option<Millis> },
    /// The attempt was frozen where it stood.
    AttemptPaused {
        attempt: AttemptId,
        by: Author,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The attempt goes on.
    AttemptResumed { attempt: AttemptId, by: Author },
    /// The attempt was ordered to stop; the first cause is the one that counts.
    AttemptStopping { attempt: AttemptId, cause: StopCause },
    /// Nothing of the attempt is left.
    AttemptEnded {
        attempt: AttemptId,
        exit: Exit,
        usage: Option<Usage>,
        /// What it wrote to its outputs.
        #[serde(default, skip_serializing_if = "Params::is_empty")]
        outputs: Params,
    },
    /// A person decided over an attempt that waits for that.
    Decided {
        attempt: AttemptId,
        approved: bool,
        by: Author,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A hook is asked what the end of the attempt means. `cause` is why it failed, when it failed.
    HookAsked {
        attempt: AttemptId,
        question: Question,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// The job will be tried again. `tries` says whether the attempt counts against its retries.
    RetryScheduled { job: JobId, until: Moment, counts: bool, reason: Option<String> },
    /// The job succeeded, and is done again.
    RoundScheduled { job: JobId, until: Moment },
    /// The job must tidy this up when it ends, even if the host dies before.
    CleanupOwed { job: JobId, item: OwedCleanup },
    /// The verdict is known; what is owed is tidied up before the job is done.
    CleanupStarted { job: JobId, outcome: Outcome },
    /// The job is done, tidied up and all. `problem` says what could not be tidied up.
    JobFinished {
        job: JobId,
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// A schedule is watched from now on: slots up to and including `at` do not count.
    ScheduleArmed { key: ScheduleKey, at: Moment },
    /// A schedule is no longer watched; its past is forgotten.
    ScheduleDisarmed { key: ScheduleKey },
    /// No run was created for a slot, and why.
    SlotSkipped { key: ScheduleKey, slot: Moment, why: SlotSkip },
    /// The slots from `from` to `to` went by while nobody could act on them.
    SlotsMissed {
        key: ScheduleKey,
        from: Moment,
        to: Moment,
        count: u64,
        #[serde(default, skip_serializing_if = "Missed::is_down")]
        why: Missed,
    },
    /// The schedules of a task rest.
    TaskPaused { task: TaskName, by: Author, reason: Option<String> },
    /// The schedules of a task go on.
    TaskResumed { task: TaskName, by: Author },
}

/// What the sources of a job are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The full name of the job.
    pub of: TaskName,
    /// Equal for equal sources.
    pub text: Arc<str>,
}

/// One of the jobs that a job became.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its index in the run.
    pub index: u32,
    /// The full name of the job.
    pub name: TaskName,
    /// What it stands for: the item, or the value of each axis, by the names that expressions use.
    pub values: Arc<Params>,
}

/// What is known about a run at its birth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRun {
    /// Its identity.
    pub run: RunId,
    /// Its number among the runs of its task, from 1: the 128 of `nightly#128`.
    pub number: u64,
    /// What it will do.
    pub plan: PlanRef,
    /// What caused it.
    pub trigger: Trigger,
    /// Who caused it.
    pub by: Author,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Replaces the priority of every job, when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Jobs whose success is taken over from an earlier run: they do not run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reused: Vec<u32>,
    /// The outputs of those jobs, by their indexes. Pairs, because a mapping with numbers for keys does not come back from
    /// JSON inside of a tagged enum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reused_outputs: Vec<(u32, Arc<Params>)>,
    /// Whether jobs run although they are up to date.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// It belongs to the program that created it, as a command belongs to its terminal: when that program dies, the
    /// run is cancelled and not taken up by the next host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
    /// The name that the asker chose for it, so that asking again gives the same run. No two runs of a task share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// It begins when every older run of its task has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_behind: bool,
    /// It may not begin yet: its groups have no room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
}

/// A run that was not created, because its group has no room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was asked for.
    pub task: TaskName,
    /// Who asked.
    pub by: Author,
    /// The group.
    pub group: GroupName,
    /// The oldest run in it.
    pub run: RunId,
    /// Whether that counts as an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fails: bool,
}

/// A plan by its content: the journal names it by hash and keeps each content once.
///
/// Serialises as the hash. Whoever reads a journal back puts the plan in place with [`PlanRef::fill`];
/// until then [`PlanRef::plan`] is an empty plan of the same hash.
#[derive(Clone, Debug)]
pub struct PlanRef {
    hash: Arc<str>,
    plan: Arc<Plan>,
}

impl PlanRef {
    /// Takes a plan and computes its hash: blake3 over its JSON, 32 hexadecimal digits.
    pub fn new(plan: Arc<Plan>) -> PlanRef {
        let json = serde_json::to_vec(&*plan).expect("a plan holds nothing that JSON cannot");
        let hash = blake3::hash(&json).to_hex();
        PlanRef { hash: hash[..32].into(), plan }
    }

    /// The plan under its known hash.
    pub fn with_hash(hash: Arc<str>, plan: Arc<Plan>) -> PlanRef {
        PlanRef { hash, plan }
    }

    /// The identity of the content.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The content.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Puts the content in place after reading.
    pub fn fill(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }
}

impl PartialEq for PlanRef {
    fn eq(&self, other: &PlanRef) -> bool {
        self.hash == other.hash
    }
}

impl Serialize for PlanRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.hash.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PlanRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<PlanRef, D::Error> {
        let hash = Arc::<str>::deserialize(deserializer)?;
        let task = TaskName::new("unread").expect("a plain word is a name");
        let plan = Plan {
            task,
            definition: "".into(),
            params: Default::default(),
            groups: Vec::new(),
            expect: Default::default(),
            nodes: Vec::new(),
        };
        Ok(PlanRef { hash, plan: Arc::new(plan) })
    }
}

/// Who did something: a user's name, `schedule`, or the name of a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Author(pub Arc<str>);

impl Author {
    /// The schedule itself.
    pub fn schedule() -> Author {
        Author("schedule".into())
    }

    /// The host, on its own behalf.
    pub fn host() -> Author {
        Author("host".into())
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What caused a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trigger {
    /// Somebody asked.
    Manual,
    /// A slot of a schedule came.
    Schedule { key: ScheduleKey, slot: Moment },
    /// Somebody asked for another go at an earlier run.
    Retry { of: RunId },
    /// An attempt of another run asked for it.
    Task { parent: AttemptId },
    /// A schedule waited for the end of this run of another task.
    After { key: ScheduleKey, run: RunId },
    /// Files changed and came to rest. The schedule has seen every change up to `until`.
    Watch { key: ScheduleKey, until: Moment, changed: Arc<Changed> },
    /// Somebody called the host, and a schedule waited for that.
    Webhook { key: ScheduleKey, call: Arc<Call> },
}

impl Trigger {
    /// The schedule that created the run, if one did.
    pub fn schedule(&self) -> Option<&ScheduleKey> {
        match self {
            Trigger::Schedule { key, .. }
            | Trigger::After { key, .. }
            | Trigger::Watch { key, .. }
            | Trigger::Webhook { key, .. } => Some(key),
            Trigger::Manual | Trigger::Retry { .. } | Trigger::Task { .. } => None,
        }
    }

    /// The moment of a schedule that it stands for.
    pub fn slot(&self) -> Option<Moment> {
        match self {
            Trigger::Schedule { slot, .. } => Some(*slot),
            Trigger::Manual
            | Trigger::Retry { .. }
            | Trigger::Task { .. }
            | Trigger::After { .. }
            | Trigger::Watch { .. }
            | Trigger::Webhook { .. } => None,
        }
    }

    /// The moment up to which the schedule has dealt with everything when the run is there.
    pub fn reach(&self) -> Option<Moment> {
        match self {
            Trigger::Schedule { slot, .. } => Some(*slot),
            Trigger::Watch { until, .. } => Some(*until),
            Trigger::Manual
            | Trigger::Retry { .. }
            | Trigger::Task { .. }
            | Trigger::After { .. }
            | Trigger::Webhook { .. } => None,
        }
    }
}

/// Names one schedule of one task for ever: the task, the normalised expression and the zone.
///
/// It reads `nightly: 13 3 * * * (Europe/Berlin)`. A changed expression is another schedule, whose past begins when
/// it is first seen, so an edit never fires for the past.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleKey(pub Arc<str>);

impl ScheduleKey {
    /// The task whose schedule it is.
    pub fn task(&self) -> &str {
        self.0.split_once(": ").map_or(&self.0, |(task, _)| task)
    }

    /// Which of its schedules it is: what stands behind the task.
    pub fn about(&self) -> &str {
        self.0.split_once(": ").map_or(&self.0, |(_, about)| about)
    }
}

impl fmt::Display for ScheduleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a slot got no run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum SlotSkip {
    /// This run of the task was still going on.
    Overlap { run: RunId },
    /// The task's schedules were paused.
    Paused,
    /// This run of the task was waiting for its turn already, and no more may.
    Queued { run: RunId },
    /// Its group had no room; this is the oldest run in it.
    Crowded { run: RunId, group: GroupName },
}

/// Why slots went by without a run of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nobody could act on them in time.
    #[default]
    Down,
    /// They are older than what is caught up.
    TooOld,
    /// More were missed than are caught up.
    TooMany,
    /// Only the last one is caught up.
    NotLast,
}

impl Missed {
    fn is_down(&self) -> bool {
        *self == Missed::Down
    }

    /// The word for it in lists, and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Missed::Down => "missed",
            Missed::TooOld => "too_old",
            Missed::TooMany => "too_many",
            Missed::NotLast => "not_last",
        }
    }

    /// Why, in words that fit behind a colon.
    pub fn words(self) -> &'static str {
        match self {
            Missed::Down => "nobody could act on them in time",
            Missed::TooOld => "they are older than the window of what is caught up",
            Missed::TooMany => "more were missed than are caught up",
            Missed::NotLast => "only the last one is caught up",
        }
    }
}

/// How an attempt ended, as the runner saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "exit", rename_all = "snake_case")]
pub enum Exit {
    /// It exited by itself. Lua bodies and host functions end with 0 or 1.
    Code { code: i32 },
    /// A signal ended it.
    Signal { signal: Signal },
    /// It could not be started.
    NotSpawned { why: NotSpawned, message: String },
    /// The host was restarted and the attempt is gone; nobody saw how it ended.
    Lost,
    /// The body itself asked to be counted as skipped.
    Skipped { reason: String },
    /// It exited with 0, and what it wrote to its outputs is wrong.
    BadOutputs { message: String },
    /// It was killed because it wanted more of the machine than it may have: `most`, in bytes or in processes.
    Limit { which: Limit, most: u64 },
}

/// What an attempt is killed for when it has more of it than its definition allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Bytes of memory, of all its processes together.
    Memory,
    /// Processes and threads at the same time.
    Processes,
    /// Bytes of one file that it writes.
    FileSize,
    /// Bytes that it writes to standard output and standard error together.
    Output,
}

impl Limit {
    /// What was too much, in words: `used more than 64 MiB of memory`.
    pub fn words(self, most: u64) -> String {
        match self {
            Limit::Memory => format!("used more than {} of memory", Bytes(most)),
            Limit::Processes => format!("had more than {most} processes"),
            Limit::FileSize => format!("wrote a file larger than {}", Bytes(most)),
            Limit::Output => format!("wrote more than {} of output", Bytes(most)),
        }
    }

    /// The word for it in a definition.
    pub fn key(self) -> &'static str {
        match self {
            Limit::Memory => "memory",
            Limit::Processes => "pids",
            Limit::FileSize => "file_size",
            Limit::Output => "output",
        }
    }

    /// The exit code of a shell whose command ended like this: by SIGKILL, or by SIGXFSZ.
    pub fn exit_code(self) -> i32 {
        match self {
            Limit::Memory | Limit::Processes | Limit::Output => 137,
            Limit::FileSize => 153,
        }
    }
}

/// Why an attempt could not be started; decides between exit codes 126 and 127 as shells do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotSpawned {
    /// There is no such program.
    NotFound,
    /// It is there, but cannot be executed.
    NotExecutable,
    /// Anything else: no such directory, no more processes, no log file.
    Other,
}

/// Why an attempt was asked to stop. The first cause given is the one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Its run was cancelled.
    Cancelled,
    /// It ran longer than its timeout.
    TimedOut,
    /// It showed no sign of life for too long.
    Stalled,
    /// All attempts of its job together took longer than they may.
    OutOfTime,
    /// Because of this job of its run nobody needs it any more.
    NotNeeded { job: u32 },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    Succeeded,
    /// It did not, and was not tried again.
    Failed { cause: Cause },
    /// Its run was cancelled before it ended by itself.
    Cancelled,
    /// It did not run, or said itself that there was nothing to do.
    Skipped { why: Skip },
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// It exited with this code.
    Exit { code: i32 },
    /// This signal ended it.
    Signal { signal: Signal },
    /// It ran longer than its timeout.
    TimedOut,
    /// It showed no sign of life for too long.
    Stalled,
    /// It waited in the queue for longer than it may.
    QueuedTooLong { waited: Millis },
    /// All its attempts together took longer than they may.
    OutOfTime,
    /// It could not be started.
    NotSpawned { why: NotSpawned, message: String },
    /// The host died and nobody saw how it ended.
    Lost,
    /// A hook said so, or failed where it guards.
    Hook { message: String },
    /// Something of its definition could not be found out.
    Unprepared { message: String },
    /// A precondition did not hold.
    Precondition { message: String },
    /// What it wrote to its outputs is wrong.
    Outputs { message: String },
    /// This cell of it failed.
    Cell { job: u32 },
    /// A person said no.
    Rejected {
        by: Author,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It was repeated so often as it may be, and what it is repeated for did not come.
    Unmet { rounds: u32 },
    /// It was killed because it wanted more of the machine than it may have.
    Limit { which: Limit, most: u64 },
}

/// Why a job did not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Skip {
    /// This job, which it needs, did not succeed.
    Needs { job: u32 },
    /// Its `before` hook or its own body said so.
    Asked { reason: String },
    /// It succeeded in the earlier run that this run retries.
    Reused,
    /// Its condition was false.
    Condition { text: String },
    /// There was nothing to do.
    Fresh { reason: String },
    /// Because of this job nobody needed it any more.
    NotNeeded { job: u32 },
    /// It waits for something of this job that did not happen, and that is no failure.
    Rule { job: u32 },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RunOutcome {
    /// No job failed, save those whose failure does not count.
    Succeeded,
    /// `root` is the job that failed first.
    Failed { root: u32 },
    /// It was cancelled.
    Cancelled,
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The process that led it.
    pub pid: u32,
    /// CPU time in user mode, milliseconds, of the leader and the children it waited for.
    pub user_ms: u64,
    /// CPU time in the kernel, milliseconds.
    pub system_ms: u64,
    /// The largest resident set of any one of them, bytes; 0 when it is not known (a child that never grew beyond
    /// the host's own size cannot be told from the host).
    pub peak_rss: u64,
    /// Bytes that were read from a device for them, of those it waited for: what the kernel had in memory costs nothing.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub read_bytes: u64,
    /// Bytes that they dirtied and that go to a device, unless removed before; a pipe or a socket is no device.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub written_bytes: u64,
}

fn is_nothing(bytes: &u64) -> bool {
    *bytes == 0
}

/// What a hook is asked when a decision is its to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// May the attempt start, and how?
    Before,
    /// Is the exit code 0 really a success?
    Success,
    /// Is the attempt worth another try?
    Retry,
    /// Is the job, which succeeded, done again?
    Repeat,
}

/// One thing to tidy up that a hook announced before the process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedCleanup {
    /// What to do.
    pub what: Cleanup,
    /// Leave it when the job succeeded.
    #[serde(default)]
    pub unless_succeeded: bool,
}

impl Outcome {
    /// Whether jobs that need this one may run.
    pub fn lets_others_run(&self) -> bool {
        match self {
            Outcome::Succeeded | Outcome::Skipped { why: Skip::Reused } => true,
            // A job that found nothing to do is no obstacle; one that was held back by a failure is.
            Outcome::Skipped {
                why:
                    Skip::Asked { .. }
                    | Skip::Condition { .. }
                    | Skip::Fresh { .. }
                    | Skip::NotNeeded { .. }
                    | Skip::Rule { .. },
            } => true,
            Outcome::Skipped { why: Skip::Needs { .. } } | Outcome::Failed { .. } | Outcome::Cancelled => {
                false
            }
        }
    }

    /// Whether what the job is for is there: it succeeded now, or in an earlier run that still counts.
    pub fn is_success(&self) -> bool {
        match self {
            Outcome::Succeeded | Outcome::Skipped { why: Skip::Reused | Skip::Fresh { .. } } => true,
            Outcome::Skipped {
                why:
                    Skip::Asked { .. }
                    | Skip::Condition { .. }
                    | Skip::NotNeeded { .. }
                    | Skip::Rule { .. }
                    | Skip::Needs { .. },
            }
            | Outcome::Failed { .. }
            | Outcome::Cancelled => false,
        }
    }
}

impl Event {
    /// The run it is about; `None` for what concerns schedules only.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Event::RunCreated(new) => Some(new.run),
            Event::RunBegan { run }
            | Event::RunPrioritised { run, .. }
            | Event::RunPaused { run, .. }
            | Event::RunResumed { run, .. }
            | Event::RunCancelled { run, .. }
            | Event::RunReleased { run }
            | Event::RunLate { run, .. }
            | Event::RunFinished { run, .. } => Some(*run),
            Event::JobDelayed { job, .. }
            | Event::JobPreparing { job }
            | Event::JobPrepared { job, .. }
            | Event::JobSpread { job, .. }
            | Event::JobQueued { job }
            | Event::RoundScheduled { job, .. }
            | Event::RetryScheduled { job, .. }
            | Event::CleanupOwed { job, .. }
            | Event::CleanupStarted { job, .. }
            | Event::JobFinished { job, .. } => Some(job.run),
            Event::AttemptAdmitted { attempt }
            | Event::AttemptStarted { attempt, .. }
            | Event::AttemptPaused { attempt, .. }
            | Event::AttemptResumed { attempt, .. }
            | Event::AttemptStopping { attempt, .. }
            | Event::AttemptEnded { attempt, .. }
            | Event::HookAsked { attempt, .. }
            | Event::Decided { attempt, .. } => Some(attempt.job.run),
            Event::ScheduleArmed { .. }
            | Event::ScheduleDisarmed { .. }
            | Event::SlotSkipped { .. }
            | Event::SlotsMissed { .. }
            | Event::TaskPaused { .. }
            | Event::TaskResumed { .. }
            | Event::RateUsed { .. }
            | Event::QueuePaused { .. }
            | Event::QueueResumed { .. }
            | Event::RunRefused(_) => None,
        }
    }
}
