//! The teller: feeds a story to the engine and writes down, in words, what it did.

use neap::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use neap::definition::{
    Action, Catalog, Expect, Firing, Leaf, Machine, Over, Overlap, Params, Registered, Rule, RunGroup,
    Settings, Signal, Source, Spread, Stop, When,
};
use neap::engine::{
    Answer, Armed, Author, Call, Cause, Changed, ChangedPath, Effect, Engine, Event, Exit, Input, Order,
    Outcome, PlanRef, Preparation, Question, Record, RunOutcome, ScheduleKey, Skip, SlotSkip, Standing,
    State, StopCause, Submission, Trigger, Wait,
};
use neap::plan::{Node, Plan};
use neap::schedule::{Schedule, Zone};
use std::sync::Arc;

pub(super) fn code(code: i32) -> Exit {
    Exit::Code { code }
}

pub(super) struct Story {
    engine: Engine,
    plan: Plan,
    journal: Vec<Record>,
    /// The jobs of the plan, and behind them the cells of run 1.
    names: Vec<String>,
    now: u64,
    told: String,
    /// Whether it is told that the host is to look up what is usual. Most stories are about something else.
    tells_recalls: bool,
}

impl Story {
    pub(super) fn new(slots: usize, jobs: &[(&str, &[u32])]) -> Story {
        Story::with_seed(1, slots, jobs)
    }

    pub(super) fn with_seed(seed: u64, slots: usize, jobs: &[(&str, &[u32])]) -> Story {
        let nodes = jobs.iter().map(|&(name, needs)| Node::new(Arc::new(leaf(name)), needs.to_vec()));
        let task = TaskName::new("t").unwrap();
        let plan = Plan {
            task,
            definition: "d".into(),
            params: Params::new(),
            groups: Vec::new(),
            expect: Default::default(),
            nodes: nodes.collect(),
        };
        let engine = Engine::new(slots, seed, State::default());
        let names = jobs.iter().map(|(name, _)| (*name).to_owned()).collect();
        Story { engine, plan, journal: Vec::new(), names, now: 0, told: String::new(), tells_recalls: false }
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

    /// What it asks of the jobs it needs.
    pub(super) fn rule(mut self, index: usize, rule: Rule) -> Story {
        self.leaf(index).rule = rule;
        self
    }

    /// What must have become of each job it needs.
    pub(super) fn whens(mut self, index: usize, whens: &[When]) -> Story {
        self.plan.nodes[index].whens = whens.to_vec();
        self
    }

    /// Its definition leaves something open.
    pub(super) fn open(mut self, index: usize) -> Story {
        self.leaf(index).is_templated = true;
        self
    }

    /// A default of its parameters is evaluated when it becomes ready.
    pub(super) fn late(mut self, index: usize) -> Story {
        let text = "params: { day: { type: date, default: '${{ run.date }}' } }\nrun: ls";
        let settings = Settings::new(Zone::utc());
        let source = Source::new("tasks/a.yaml", text);
        let catalog = Catalog::load([source], &Registered::default(), &settings, None);
        self.plan.nodes[index].late = Arc::new(catalog.task("a").unwrap().params.clone());
        self
    }

    /// It becomes many jobs.
    pub(super) fn spread(mut self, index: usize, max_parallel: Option<u32>, fail_fast: bool) -> Story {
        let over = Over::Items { items: "${{ list }}".into(), name: "item".into() };
        self.leaf(index).spread = Some(Spread { over, max_parallel, fail_fast });
        self
    }

    /// A person decides over it.
    pub(super) fn approval(mut self, index: usize) -> Story {
        self.leaf(index).action = Action::Call { function: "approval".into(), with: Default::default() };
        self
    }

    pub(super) fn at(&mut self, now: u64) -> &mut Story {
        self.now = now;
        self.tell(Input::Tick)
    }

    /// It is so late now, and nobody has ticked: the machine slept.
    pub(super) fn wakes_at(&mut self, now: u64) -> &mut Story {
        self.now = now;
        self
    }

    pub(super) fn submit(&mut self) -> &mut Story {
        self.submit_as(None)
    }

    pub(super) fn submit_bound(&mut self) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        self.tell(Input::Submit(Submission { bound: true, ..Submission::new(plan, me()) }))
    }

    /// These jobs count as done from an earlier run.
    pub(super) fn submit_again(&mut self, reused: &[u32]) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        let reused = reused.to_vec();
        self.tell(Input::Submit(Submission { reused, ..Submission::new(plan, me()) }))
    }

    pub(super) fn submit_with_priority(&mut self, priority: i32) -> &mut Story {
        self.submit_as(Some(priority))
    }

    fn submit_as(&mut self, priority: Option<i32>) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        self.tell(Input::Submit(Submission { priority, ..Submission::new(plan, me()) }))
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

    pub(super) fn stalls(&mut self, attempt: &str) -> &mut Story {
        let attempt = self.attempt(RunId(1), attempt);
        self.tell(Input::Stalled { attempt })
    }

    pub(super) fn freezes(&mut self, job: &str) -> &mut Story {
        let job = self.job_named(job);
        self.tell(Input::PauseJob { job, by: me(), reason: None })
    }

    pub(super) fn thaws(&mut self, job: &str) -> &mut Story {
        let job = self.job_named(job);
        self.tell(Input::ResumeJob { job, by: me() })
    }

    /// After a restart: it is still there.
    pub(super) fn survives(&mut self, attempt: &str) -> &mut Story {
        let attempt = self.attempt(RunId(1), attempt);
        self.tell(Input::Survived { attempt })
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
        self.tell(Input::Ended { attempt, exit, usage: None, outputs: Params::new() })
    }

    pub(super) fn ends_with(&mut self, attempt: &str, outputs: &[(&str, i64)]) -> &mut Story {
        let attempt = self.attempt(RunId(1), attempt);
        let outputs = outputs.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
        self.tell(Input::Ended { attempt, exit: code(0), usage: None, outputs })
    }

    /// It is found out about the job that it may start.
    pub(super) fn ready(&mut self, job: &str) -> &mut Story {
        self.prepared(job, Preparation::Ready { leaf: None, params: None, fingerprint: None })
    }

    /// It is found out about the job that it becomes so many.
    pub(super) fn cells(&mut self, job: &str, count: usize) -> &mut Story {
        let name = |number: usize| TaskName::new(&format!("{job}-{number}")).unwrap();
        let cells = (1..=count).map(|number| (name(number), Arc::new(Params::new())));
        self.prepared(job, Preparation::Cells(cells.collect()))
    }

    pub(super) fn prepared(&mut self, job: &str, found: Preparation) -> &mut Story {
        let job = self.job_named(job);
        self.tell(Input::Prepared { job, found })
    }

    pub(super) fn decides(&mut self, attempt: &str, approved: bool) -> &mut Story {
        let attempt = self.attempt(RunId(1), attempt);
        let reason = (!approved).then(|| "too risky".to_owned());
        self.tell(Input::Decide { attempt, approved, by: me(), reason })
    }

    /// The groups that its runs belong to.
    pub(super) fn groups(mut self, groups: Vec<RunGroup>) -> Story {
        self.plan.groups = groups;
        self
    }

    /// When its runs should have started and ended.
    pub(super) fn expect(mut self, expect: Expect) -> Story {
        self.plan.expect = expect;
        self
    }

    pub(super) fn with_recalls(mut self) -> Story {
        self.tells_recalls = true;
        self
    }

    /// The host has looked up how long the first run may take.
    pub(super) fn recalls(&mut self, limit: Option<u64>) -> &mut Story {
        self.tell(Input::Recalled { run: RunId(1), limit: limit.map(Millis) })
    }

    pub(super) fn cancel_run(&mut self, run: u64) -> &mut Story {
        self.tell(Input::Cancel { run: RunId(run), by: me(), reason: None, now: false })
    }

    pub(super) fn pause_run(&mut self, run: u64) -> &mut Story {
        self.tell(Input::Pause { run: RunId(run), by: me(), reason: None })
    }

    pub(super) fn prioritise(&mut self, run: u64, priority: i32) -> &mut Story {
        self.tell(Input::Prioritise { run: RunId(run), priority, by: me() })
    }

    pub(super) fn resume_run(&mut self, run: u64) -> &mut Story {
        self.tell(Input::Resume { run: RunId(run), by: me() })
    }

    pub(super) fn pause_queue(&mut self, queue: &str) -> &mut Story {
        self.tell(Input::PauseQueue { queue: queue.into(), by: me(), reason: None })
    }

    pub(super) fn resume_queue(&mut self, queue: &str) -> &mut Story {
        self.tell(Input::ResumeQueue { queue: queue.into(), by: me() })
    }

    /// What jobs share besides the slots.
    pub(super) fn machine(mut self, machine: Machine) -> Story {
        self.engine = self.engine.with_machine(Arc::new(machine));
        self
    }

    /// The same, while the host runs.
    pub(super) fn reload_machine(&mut self, machine: Machine) -> &mut Story {
        self.tell(Input::Machine(Arc::new(machine)))
    }

    /// What the job waits for, as the engine says it.
    pub(super) fn wait(&self, job: &str) -> Option<Wait> {
        self.wait_in_run(1, job)
    }

    pub(super) fn wait_in_run(&self, run: u64, job: &str) -> Option<Wait> {
        let state = self.engine.state();
        let job = JobId { run: RunId(run), ..self.job_named(job) };
        state.why_waiting(job, &Standing::of(state, self.engine.capacity(), Moment(self.now)))
    }

    pub(super) fn outputs(&self, job: &str) -> Option<Arc<Params>> {
        self.engine.state().job(self.job_named(job)).outputs.clone()
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
        let job = self.job_named(job);
        self.tell(Input::Cleaned { job, problem: None })
    }

    pub(super) fn schedule_every(&mut self, ms: u64) -> &mut Story {
        self.schedule(Schedule::every(Millis(ms)).unwrap(), Firing::default())
    }

    /// Whatever goes on does not keep a slot from its run.
    pub(super) fn schedule_allowing(&mut self, ms: u64) -> &mut Story {
        let firing = Firing { overlap: Overlap::Allow, ..Firing::default() };
        self.schedule(Schedule::every(Millis(ms)).unwrap(), firing)
    }

    pub(super) fn schedule(&mut self, schedule: Schedule, firing: Firing) -> &mut Story {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        let key = ScheduleKey("t".into());
        self.tell(Input::Schedules(vec![Armed { key, schedule, plan, firing }]))
    }

    /// The host has seen that these files changed, and all changes up to then.
    pub(super) fn changes(&mut self, files: &[&str], until: u64) -> &mut Story {
        let key = self.engine.state().cursors.keys().next().cloned().unwrap_or(ScheduleKey("gone".into()));
        let paths = files.iter().map(|file| ChangedPath(file.as_bytes().into()));
        self.tell(Input::Changed { key, until: Moment(until), changed: Changed::new(paths, 0) })
    }

    /// Somebody calls, under this name.
    pub(super) fn called(&mut self, name: Option<&str>) -> &mut Story {
        let key = self.engine.state().cursors.keys().next().cloned().unwrap_or(ScheduleKey("gone".into()));
        let call = Call { from: "192.0.2.7".into(), content_type: None, body: (*b"{}").into() };
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        self.tell(Input::Called { key, plan, call: Arc::new(call), name: name.map(Into::into) })
    }

    /// This schedule of another task, whose runs have one job of the same name.
    pub(super) fn chain(&mut self, task: &str, schedules: Vec<(Schedule, Firing)>) -> &mut Story {
        let armed = self.armed(task, schedules);
        self.tell(Input::Schedules(armed))
    }

    /// What the next host says before it looks at what the last one left.
    pub(super) fn announce(&mut self, task: &str, schedules: Vec<(Schedule, Firing)>) -> &mut Story {
        let armed = self.armed(task, schedules);
        self.engine.announce(armed);
        self
    }

    fn armed(&self, task: &str, schedules: Vec<(Schedule, Firing)>) -> Vec<Armed> {
        let plan = Plan { task: TaskName::new(task).unwrap(), ..self.plan.clone() };
        let plan = PlanRef::new(Arc::new(plan));
        let armed = |(schedule, firing): (Schedule, Firing)| {
            let key = ScheduleKey(format!("{task}: {schedule}").into());
            Armed { key, schedule, plan: plan.clone(), firing }
        };
        schedules.into_iter().map(armed).collect()
    }

    pub(super) fn state(&self) -> &State {
        self.engine.state()
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> usize {
        self.engine.state().runs.len()
    }

    pub(super) fn schedule_nothing(&mut self) -> &mut Story {
        self.tell(Input::Schedules(Vec::new()))
    }

    /// The host dies and comes back: all it has is the journal.
    pub(super) fn restart(&mut self) -> &mut Story {
        let machine = Arc::clone(&self.engine.capacity().machine);
        let state = State::default().replay(&self.journal);
        self.engine = Engine::new(self.engine.slots(), 1, state).with_machine(machine);
        self.tell(Input::Restarted)
    }

    fn attempt(&self, run: RunId, text: &str) -> AttemptId {
        let (name, number) = text.rsplit_once('.').unwrap();
        AttemptId { job: JobId { run, ..self.job_named(name) }, number: number.parse().unwrap() }
    }

    fn job_named(&self, name: &str) -> JobId {
        let index = self.names.iter().position(|known| known == name).unwrap() as u32;
        JobId { run: RunId(1), index }
    }

    fn tell(&mut self, input: Input) -> &mut Story {
        let mut stamp = format!("@{}", self.now);
        let now = Moment(self.now);
        for effect in self.engine.handle(now, input) {
            match effect {
                Effect::Emit(event) => {
                    if let Event::JobSpread { cells, .. } = &event {
                        self.names.extend(cells.iter().map(|cell| cell.name.to_string()));
                    }
                    self.told += &format!("\n{:<7} {}", std::mem::take(&mut stamp), self.event(&event));
                    self.journal.push(Record { at: now, event });
                }
                Effect::Order(Order::Recall { .. }) if !self.tells_recalls => {}
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
            Order::Pause { attempt } => format!("freeze {}", self.try_(*attempt)),
            Order::Resume { attempt } => format!("thaw {}", self.try_(*attempt)),
            Order::Stop { attempt, stop, .. } => {
                format!("stop {}, grace {}", self.try_(*attempt), stop.grace.0)
            }
            Order::Ask { attempt, question } => format!("ask {} {question:?}", self.try_(*attempt)),
            Order::Prepare { job } => format!("prepare {}", self.job(*job)),
            Order::Recall { run: id } => format!("recall {}", run(*id)),
            Order::Clean { job, .. } => format!("clean {}", self.job(*job)),
        }
    }

    fn event(&self, event: &Event) -> String {
        match event {
            Event::RunCreated(new) => match &new.trigger {
                Trigger::Schedule { slot, .. } => {
                    let turn = if new.is_behind { ", waits for its turn" } else { "" };
                    format!("{} created for @{}{turn}", run(new.run), slot.0)
                }
                Trigger::After { run: cause, .. } => {
                    format!("{} created after run {}", run(new.run), cause.0)
                }
                Trigger::Watch { until, changed, .. } => {
                    let turn = if new.is_behind { ", waits for its turn" } else { "" };
                    format!("{} created for a change of {changed} up to @{}{turn}", run(new.run), until.0)
                }
                Trigger::Webhook { call, .. } => {
                    let turn = if new.is_behind { ", waits for its turn" } else { "" };
                    let name = new.key.as_ref().map(|name| format!(" named {name}")).unwrap_or_default();
                    format!("{} created for {call}{name}{turn}", run(new.run))
                }
                Trigger::Manual | Trigger::Retry { .. } | Trigger::Task { .. } => {
                    format!("{} created{}", run(new.run), if new.waits { ", waits" } else { "" })
                }
            },
            Event::RunReleased { run: id } => format!("{} has its turn", run(*id)),
            Event::RunPrioritised { run: id, priority, .. } => {
                format!("{} has priority {priority}", run(*id))
            }
            Event::RunLate { run: id, what, limit } => {
                format!("{} late: {} {}", run(*id), what.word(), limit.0)
            }
            Event::RateUsed { key } => format!("{key} used"),
            Event::QueuePaused { queue, by, .. } => format!("{queue} paused by {by}"),
            Event::QueueResumed { queue, .. } => format!("{queue} resumed"),
            Event::RunBegan { run: id } => format!("{} begins", run(*id)),
            Event::RunRefused(refused) => {
                let word = if refused.fails { "an error" } else { "skipped" };
                format!("{} refused because of run {}: {word}", refused.task, refused.run.0)
            }
            Event::RunPaused { run: id, by, .. } => format!("{} paused by {by}", run(*id)),
            Event::RunResumed { .. } => "run resumed".into(),
            Event::RunCancelled { run: id, by, .. } => format!("{} cancelled by {by}", run(*id)),
            Event::RunFinished { run: id, outcome } => {
                format!("{} finished: {}", run(*id), self.run_outcome(outcome))
            }
            Event::JobDelayed { job, until } => format!("{} delayed until @{}", self.job(*job), until.0),
            Event::JobPreparing { job } => format!("{} preparing", self.job(*job)),
            Event::JobPrepared { job, .. } => format!("{} prepared", self.job(*job)),
            Event::JobSpread { job, cells } => {
                let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
                format!("{} spread: {}", self.job(*job), names.join(" "))
            }
            Event::RoundScheduled { job, until } => format!("{} goes on @{}", self.job(*job), until.0),
            Event::Decided { attempt, approved, .. } => {
                format!("{} decided: {}", self.try_(*attempt), if *approved { "yes" } else { "no" })
            }
            Event::JobQueued { job } => format!("{} queued", self.job(*job)),
            Event::JobFinished { job, outcome, .. } => {
                format!("{} finished: {}", self.job(*job), self.outcome(outcome))
            }
            Event::AttemptAdmitted { attempt } => format!("{} admitted", self.try_(*attempt)),
            Event::AttemptStarted { attempt, .. } => format!("{} started", self.try_(*attempt)),
            Event::AttemptPaused { attempt, .. } => format!("{} frozen", self.try_(*attempt)),
            Event::AttemptResumed { attempt, .. } => format!("{} goes on", self.try_(*attempt)),
            Event::AttemptStopping { attempt, cause } => {
                format!("{} stopping: {}", self.try_(*attempt), self.stop_cause(*cause))
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
            Event::SlotSkipped { slot, why: SlotSkip::Queued { run }, .. } => {
                format!("slot @{} skipped: run {} waits", slot.0, run.0)
            }
            Event::SlotSkipped { slot, why: SlotSkip::Crowded { run, .. }, .. } => {
                format!("slot @{} skipped: no room beside run {}", slot.0, run.0)
            }
            Event::SlotSkipped { slot, why: SlotSkip::Paused, .. } => {
                format!("slot @{} skipped: paused", slot.0)
            }
            Event::SlotsMissed { from, to, count, why, .. } => {
                format!("slots @{} to @{} {}: {count}", from.0, to.0, why.word())
            }
            Event::TaskPaused { task, by, reason: Some(reason) } => format!("{task} rests by {by}: {reason}"),
            Event::TaskPaused { task, .. } => format!("{task} rests"),
            Event::TaskResumed { task, .. } => format!("{task} goes on"),
        }
    }

    fn outcome(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Succeeded => "succeeded".into(),
            Outcome::Cancelled => "cancelled".into(),
            Outcome::Skipped { why } => format!("skipped, {}", self.skip(why)),
            Outcome::Failed { cause } => match cause {
                Cause::Exit { code } => format!("exit {code}"),
                Cause::Signal { signal } => signal.to_string(),
                Cause::TimedOut => "timed out".into(),
                Cause::Stalled => "stalled".into(),
                Cause::OutOfTime => "out of time".into(),
                Cause::NotSpawned { message, .. } => format!("not spawned: {message}"),
                Cause::Lost => "lost".into(),
                Cause::Hook { message } => format!("hook: {message}"),
                Cause::Unprepared { message } => format!("unprepared: {message}"),
                Cause::Precondition { message } => format!("precondition: {message}"),
                Cause::Outputs { message } => format!("outputs: {message}"),
                Cause::Cell { job } => format!("cell {} failed", self.name(*job)),
                Cause::Rejected { by, reason } => {
                    format!("rejected by {by}: {}", reason.as_deref().unwrap_or("no reason"))
                }
                Cause::QueuedTooLong { waited } => format!("queued for {waited}"),
                Cause::Unmet { rounds } => format!("unmet after {rounds} rounds"),
                Cause::Limit { which, most } => which.words(*most),
            },
        }
    }

    fn skip(&self, why: &Skip) -> String {
        match why {
            Skip::Needs { job } => format!("needs {}", self.name(*job)),
            Skip::Asked { reason } | Skip::Fresh { reason } => reason.clone(),
            Skip::Reused => "reused".into(),
            Skip::Condition { text } => format!("not {text}"),
            Skip::NotNeeded { job } => format!("not needed after {}", self.name(*job)),
            Skip::Rule { job } => format!("by its rule over {}", self.name(*job)),
        }
    }

    fn stop_cause(&self, cause: StopCause) -> String {
        match cause {
            StopCause::NotNeeded { job } => format!("not needed after {}", self.name(job)),
            StopCause::Cancelled | StopCause::TimedOut | StopCause::Stalled | StopCause::OutOfTime => {
                format!("{cause:?}")
            }
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
        &self.names[index as usize]
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
        Exit::BadOutputs { message } => format!("bad outputs: {message}"),
        Exit::Limit { which, most } => which.words(*most),
    }
}

pub(super) fn leaf(name: &str) -> Leaf {
    Leaf {
        stop: Stop { signal: Signal::TERM, grace: Millis(30) },
        ..Leaf::new(TaskName::new(name).unwrap(), Action::Exec { argv: vec!["true".into()] })
    }
}

fn me() -> Author {
    Author("me".into())
}
