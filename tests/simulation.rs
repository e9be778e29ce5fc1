//! Whole-life simulation: random plans, random processes, random hooks, random cancels and pauses, schedules, random
//! crashes between the commit and the orders.
//!
//! One seed is one history. A failure prints the seed; `SEED=n cargo test simulation` replays it, `HISTORIES=n` plays more.

use neap::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use neap::definition::{Action, Cleanup, Hook, Leaf, OnHookError, Overlap, Params, Retry, Signal, Stop};
use neap::engine::{
    Answer, Armed, Author, Cause, Effect, Engine, Event, Exit, Input, Order, Outcome, OwedCleanup, Phase,
    PlanRef, Question, Record, RunOutcome, RunPhase, ScheduleKey, Skip, State, StopCause, Submission,
    Trigger,
};
use neap::plan::{Node, Plan};
use neap::schedule::Schedule;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[test]
fn every_history_keeps_the_promises() {
    if let Ok(seed) = std::env::var("SEED") {
        World::new(seed.parse().unwrap()).play();
        return;
    }
    let histories: u64 = std::env::var("HISTORIES").map_or(2_000, |n| n.parse().unwrap());
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let play = |worker: u64| -> (usize, usize) {
        let seeds = (0..histories).filter(|seed| seed % workers == worker);
        seeds.map(play_one).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    let (events, crashes) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|worker| scope.spawn(move || play(worker))).collect();
        let results = workers.into_iter().map(|worker| worker.join().expect("a history broke a promise"));
        results.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    assert!(crashes > 0, "a simulation without crashes proves little");
    println!("{histories} histories, {events} events, {crashes} crashes");
}

fn play_one(seed: u64) -> (usize, usize) {
    let result = std::panic::catch_unwind(|| {
        let mut world = World::new(seed);
        world.play();
        (world.journal.len(), world.crashes)
    });
    result.unwrap_or_else(|_| panic!("seed {seed} broke a promise; SEED={seed} plays it again"))
}

/// The world around the engine: processes, hooks, a clock, and a disk that keeps the journal.
struct World {
    rng: Rng,
    now: Moment,
    slots: usize,
    engine: Engine,
    journal: Vec<Record>,
    processes: BTreeMap<AttemptId, Process>,
    /// Questions that hooks will answer, and when; the host forgets them when it dies.
    asked: BTreeMap<(Moment, AttemptId), Question>,
    cleaning: BTreeMap<(Moment, JobId), ()>,
    ledger: Ledger,
    next_plan: u64,
    crashes: usize,
    /// No more schedules: the history comes to its end.
    is_ending: bool,
}

/// What an onlooker writes down to hold the engine to its word.
#[derive(Default)]
struct Ledger {
    plans: BTreeMap<RunId, Arc<Plan>>,
    numbers: BTreeMap<TaskName, u64>,
    started: BTreeSet<AttemptId>,
    stop_causes: BTreeMap<AttemptId, StopCause>,
    ended: BTreeMap<AttemptId, Exit>,
    cancelled: BTreeSet<RunId>,
    cancels: BTreeSet<RunId>,
    held: BTreeSet<RunId>,
    outcomes: BTreeMap<JobId, Outcome>,
    finished: BTreeMap<RunId, RunOutcome>,
    tries: BTreeMap<JobId, u32>,
    backoffs: BTreeMap<JobId, Moment>,
    owed: BTreeMap<JobId, usize>,
    cleaned: BTreeSet<JobId>,
    /// For each schedule: where its slots are accounted for up to.
    accounted: BTreeMap<ScheduleKey, Moment>,
    slots: BTreeSet<(ScheduleKey, Moment)>,
}

struct Process {
    /// `None` for a server: it runs until it is stopped.
    ends_at: Option<Moment>,
    exit: Exit,
    ignores_term: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let slots = 1 + rng.below(4) as usize;
        World {
            rng,
            now: Moment(1_000_000),
            slots,
            engine: Engine::new(slots, seed, State::default()),
            journal: Vec::new(),
            processes: BTreeMap::new(),
            asked: BTreeMap::new(),
            cleaning: BTreeMap::new(),
            ledger: Ledger::default(),
            next_plan: 0,
            crashes: 0,
            is_ending: false,
        }
    }

    fn play(&mut self) {
        for _ in 0..60 {
            match self.rng.below(14) {
                0..=1 => self.submit(),
                2 => self.cancel(),
                3 => self.crash(),
                4 => self.repeat_a_report(),
                5 => self.pause_or_resume(),
                6 => self.reload(),
                7 => self.owe(),
                _ => self.advance(),
            }
        }
        self.come_to_rest();
    }

    /// Without schedules and pauses everything must end by itself, servers aside; cancelled, those too.
    fn come_to_rest(&mut self) {
        self.is_ending = true;
        self.reload();
        for run in self.live_runs() {
            self.tell(Input::Resume { run, by: me() });
        }
        self.run_dry();
        let is_full = self.engine.state().busy().len() == self.slots;
        for (id, run) in &self.engine.state().runs {
            let serving = is_full || run.jobs.iter().any(|job| job.phase.is_live());
            assert!(serving, "{id:?} is stuck: {run:?}");
        }
        for run in self.live_runs() {
            self.ledger.cancelled.insert(run);
            self.tell(Input::Cancel { run, by: me(), reason: None, now: false });
        }
        self.run_dry();
        let state = self.engine.state();
        assert!(state.runs.is_empty(), "never finished: {:?}", state.runs);
        assert!(
            state.busy().is_empty() && state.queue().next().is_none() && state.first_deadline().is_none()
        );
        assert_eq!(self.engine.next_deadline(), None, "nothing to do, and yet it would wake");
        let owing: Vec<_> =
            self.ledger.owed.keys().filter(|job| !self.ledger.cleaned.contains(job)).collect();
        assert!(owing.is_empty(), "owed and never tidied up: {owing:?}");
    }

    fn run_dry(&mut self) {
        for _ in 0..100_000 {
            let quiet = self.processes.values().all(|p| p.ends_at.is_none())
                && self.engine.next_deadline().is_none()
                && self.asked.is_empty()
                && self.cleaning.is_empty();
            if quiet {
                return;
            }
            self.advance();
        }
        panic!("the world does not come to rest");
    }

    fn live_runs(&self) -> Vec<RunId> {
        self.engine.state().runs.keys().copied().collect()
    }

    fn submit(&mut self) {
        let plan = self.random_plan();
        let reused = (0..plan.nodes.len() as u32).filter(|_| self.rng.below(12) == 0).collect();
        let priority = (self.rng.below(5) == 0).then(|| self.rng.below(20) as i32 - 10);
        let plan = PlanRef::new(Arc::new(plan));
        let (trigger, by) = (Trigger::Manual, me());
        let bound = self.rng.below(5) == 0;
        self.tell(Input::Submit(Submission { plan, trigger, by, reason: None, priority, reused, bound }));
    }

    fn cancel(&mut self) {
        let run = RunId(1 + self.rng.below(self.engine.state().next_run + 1)); // sometimes one that does not exist
        if self.engine.state().runs.contains_key(&run) {
            self.ledger.cancelled.insert(run);
        }
        let now = self.rng.below(3) == 0;
        self.tell(Input::Cancel { run, by: me(), reason: Some("no longer needed".into()), now });
    }

    fn pause_or_resume(&mut self) {
        let run = RunId(1 + self.rng.below(self.engine.state().next_run));
        let task = TaskName::new(&format!("s{}", self.rng.below(3))).unwrap();
        match self.rng.below(4) {
            0 => self.tell(Input::Pause { run, by: me(), reason: None }),
            1 => self.tell(Input::Resume { run, by: me() }),
            2 => self.tell(Input::PauseTask { task, by: me(), reason: None }),
            _ => self.tell(Input::ResumeTask { task, by: me() }),
        }
    }

    /// The definitions changed: other schedules, or the same with other plans.
    fn reload(&mut self) {
        let mut schedules = Vec::new();
        for n in 0..3 {
            if self.is_ending || self.rng.below(3) == 0 {
                continue;
            }
            let mut plan = self.random_plan();
            plan.task = TaskName::new(&format!("s{n}")).unwrap();
            schedules.push(Armed {
                key: ScheduleKey(format!("s{n}").into()),
                schedule: Schedule::every(Millis::from_secs(1 + n * 3)).unwrap(),
                plan: PlanRef::new(Arc::new(plan)),
                overlap: if self.rng.below(2) == 0 { Overlap::Skip } else { Overlap::Allow },
            });
        }
        let kept: BTreeSet<_> = schedules.iter().map(|armed| armed.key.clone()).collect();
        self.ledger.accounted.retain(|key, _| kept.contains(key));
        self.tell(Input::Schedules(schedules));
    }

    fn owe(&mut self) {
        let busy: Vec<JobId> = self.engine.state().busy().iter().copied().collect();
        let Some(&job) = busy.first() else { return };
        let attempt = self.engine.state().attempt(job);
        let item = OwedCleanup { what: Cleanup::Remove { path: "scratch".into() }, unless_succeeded: false };
        self.tell(Input::Owe { attempt, item });
    }

    /// The host dies: what was not journalled is forgotten, reports and answers in flight are lost.
    fn crash(&mut self) {
        self.crashes += 1;
        self.asked.clear();
        self.cleaning.clear();
        if self.rng.below(8) == 0 {
            self.now = self.now + Millis(self.rng.below(160_000)); // it stayed down for a while
        }
        let state = State::default().replay(&self.journal);
        self.engine = Engine::new(self.slots, self.crashes as u64, state);
        self.tell(Input::Restarted);
        let live: Vec<AttemptId> = self.live_attempts();
        for attempt in live {
            if self.processes.contains_key(&attempt) && self.rng.below(2) == 0 {
                self.tell(Input::Survived { attempt });
            } else {
                self.processes.remove(&attempt);
                self.tell(Input::Ended { attempt, exit: Exit::Lost, usage: None });
            }
        }
        self.reload();
    }

    fn live_attempts(&self) -> Vec<AttemptId> {
        let state = self.engine.state();
        let live = state.busy().iter().filter(|&&job| state.job(job).phase.is_live());
        live.map(|&job| state.attempt(job)).collect()
    }

    fn repeat_a_report(&mut self) {
        let Some(&attempt) = self.ledger.ended.keys().next_back() else { return };
        self.tell(Input::Ended { attempt, exit: Exit::Code { code: 0 }, usage: None });
        self.tell(Input::Answered { attempt, question: Question::Before, answer: Answer::NoOpinion });
    }

    /// Moves the clock to the next thing that happens, and lets it happen.
    fn advance(&mut self) {
        let process = self.processes.iter().filter_map(|(&a, p)| Some((p.ends_at?, a))).min();
        let answer = self.asked.first_key_value().map(|(&key, _)| key);
        let cleanup = self.cleaning.first_key_value().map(|(&key, _)| key);
        let deadline = self.engine.next_deadline();
        let next = [process.map(|p| p.0), answer.map(|a| a.0), cleanup.map(|c| c.0), deadline];
        let Some(at) = next.into_iter().flatten().min() else { return };
        self.now = self.now.max(at);
        if let Some((when, attempt)) = process
            && when == at
        {
            let exit = self.processes.remove(&attempt).unwrap().exit;
            self.tell(Input::Ended { attempt, exit, usage: None });
        } else if let Some(key) = answer
            && key.0 == at
        {
            let question = self.asked.remove(&key).unwrap();
            let answer = self.random_answer();
            self.tell(Input::Answered { attempt: key.1, question, answer });
        } else if let Some(key) = cleanup
            && key.0 == at
        {
            self.cleaning.remove(&key);
            self.ledger.cleaned.insert(key.1);
            self.tell(Input::Cleaned { job: key.1, problem: None });
        } else {
            self.tell(Input::Tick);
        }
    }

    fn random_answer(&mut self) -> Answer {
        match self.rng.below(12) {
            0 => Answer::Skip { reason: "nothing to do".into() },
            1 => Answer::Fail { message: "the disk is full".into() },
            2 => Answer::Delay { by: Millis(self.rng.below(100)), reason: None },
            3 => Answer::Again { delay: Some(Millis(5)), reason: None },
            4 => Answer::GiveUp { reason: None },
            5 => Answer::StartWith { timeout: Millis(1 + self.rng.below(100)) },
            _ => Answer::NoOpinion,
        }
    }

    fn tell(&mut self, input: Input) {
        let effects = self.engine.handle(self.now, input);
        let (mut orders, mut records) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Emit(event) => records.push(Record { at: self.now, event }),
                Effect::Order(order) => orders.push(order),
            }
        }
        for record in records {
            self.observe(&record);
            self.journal.push(record);
        }
        self.check();
        if self.rng.below(40) == 0 {
            return self.crash(); // after the commit, before the orders
        }
        orders.into_iter().for_each(|order| self.carry_out(order));
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start { attempt } => self.start(attempt),
            Order::Stop { attempt, stop, .. } => self.stop(attempt, stop),
            Order::Ask { attempt, question } => {
                // One in twenty never answers: the deadline must.
                if self.rng.below(20) != 0 {
                    let at = self.now + Millis(self.rng.below(20));
                    self.asked.insert((at, attempt), question);
                }
            }
            Order::Clean { job, .. } => {
                let at = self.now + Millis(self.rng.below(20));
                self.cleaning.insert((at, job), ());
            }
        }
    }

    fn start(&mut self, attempt: AttemptId) {
        let run = attempt.job.run;
        assert!(!self.ledger.cancelled.contains(&run), "{attempt:?} started after its run was cancelled");
        assert!(!self.processes.contains_key(&attempt), "{attempt:?} started twice");
        let exit = match self.rng.below(8) {
            0 => Exit::Code { code: 1 },
            1 => Exit::Signal { signal: Signal::KILL },
            2 => Exit::Skipped { reason: "nothing new".into() },
            3 => Exit::Code { code: 7 },
            _ => Exit::Code { code: 0 },
        };
        let ends_at = (self.rng.below(10) != 0).then(|| self.now + Millis(self.rng.below(200)));
        let ignores_term = self.rng.below(4) == 0;
        self.processes.insert(attempt, Process { ends_at, exit, ignores_term });
    }

    fn stop(&mut self, attempt: AttemptId, stop: Stop) {
        let Some(process) = self.processes.get_mut(&attempt) else {
            // Its start died with the host, so the host has reported it lost, or will.
            return;
        };
        let patience = if process.ignores_term { stop.grace } else { Millis(1) };
        let at = self.now + patience;
        process.ends_at = Some(process.ends_at.map_or(at, |ends| ends.min(at)));
    }

    /// Holds every event against what was seen before.
    fn observe(&mut self, record: &Record) {
        let ledger = &mut self.ledger;
        match &record.event {
            Event::RunCreated(new) => {
                let plan = Arc::clone(new.plan.plan());
                if let Trigger::Schedule { key, slot } = &new.trigger {
                    account(ledger, key, *slot, *slot, &plan.task);
                }
                let number = ledger.numbers.entry(plan.task.clone()).or_default();
                assert_eq!(new.number, *number + 1, "the runs of {} are miscounted", plan.task);
                *number = new.number;
                assert!(ledger.plans.insert(new.run, plan).is_none(), "{:?} created twice", new.run);
                for &index in &new.reused {
                    ledger
                        .outcomes
                        .insert(JobId { run: new.run, index }, Outcome::Skipped { why: Skip::Reused });
                }
            }
            Event::AttemptAdmitted { attempt } | Event::AttemptStarted { attempt, .. } => {
                let is_admission = matches!(record.event, Event::AttemptAdmitted { .. });
                let job = attempt.job;
                let plan = &ledger.plans[&job.run];
                let node = &plan.nodes[job.index as usize];
                assert_eq!(is_admission || !node.leaf.hooks.is_empty(), !node.leaf.hooks.is_empty());
                if !is_admission {
                    assert!(ledger.started.insert(*attempt), "{attempt:?} started twice");
                }
                if is_admission || node.leaf.hooks.is_empty() {
                    assert!(!ledger.held.contains(&job.run), "{job:?} admitted while its run was paused");
                }
                assert!(!ledger.cancelled.contains(&job.run), "{job:?} admitted after its run was cancelled");
                for &need in &node.needs {
                    let outcome = &ledger.outcomes[&JobId { run: job.run, index: need }];
                    let excused = plan.nodes[need as usize].leaf.continue_on_error;
                    assert!(outcome.lets_others_run() || excused, "{job:?} ran after {outcome:?}");
                }
                if let Some(&until) = ledger.backoffs.get(&job) {
                    assert!(record.at >= until, "{job:?} was tried again too early");
                }
            }
            Event::AttemptStopping { attempt, cause } => {
                let twice = ledger.stop_causes.insert(*attempt, *cause);
                assert_eq!(twice, None, "{attempt:?} was given a second cause to stop");
            }
            Event::AttemptEnded { attempt, exit, .. } => {
                assert!(ledger.ended.insert(*attempt, exit.clone()).is_none(), "{attempt:?} ended twice");
            }
            Event::RetryScheduled { job, until, counts, .. } => {
                *ledger.tries.entry(*job).or_default() += u32::from(*counts);
                let attempts = ledger.plans[&job.run].nodes[job.index as usize].leaf.retry.attempts;
                assert!(ledger.tries[job] < attempts, "{job:?} was tried too often");
                assert!(!ledger.cancelled.contains(&job.run), "{job:?} was to be tried after the cancel");
                ledger.backoffs.insert(*job, *until);
            }
            Event::CleanupOwed { job, .. } => *ledger.owed.entry(*job).or_default() += 1,
            Event::JobFinished { job, outcome, .. } => {
                assert!(ledger.outcomes.insert(*job, outcome.clone()).is_none(), "{job:?} finished twice");
                self.job_finished(*job, outcome);
            }
            Event::RunFinished { run, outcome } => self.run_finished(*run, outcome),
            Event::ScheduleArmed { key, at } => {
                ledger.accounted.insert(key.clone(), *at);
            }
            Event::SlotSkipped { key, slot, .. } => {
                let task = TaskName::new(&key.0).unwrap();
                account(ledger, key, *slot, *slot, &task);
            }
            Event::SlotsMissed { key, from, to, count } => {
                let interval = interval_of(key);
                assert_eq!((to.0 - from.0) / interval + 1, *count, "{key:?} miscounted");
                let task = TaskName::new(&key.0).unwrap();
                account(ledger, key, *from, *to, &task);
            }
            Event::RunPaused { run, .. } => assert!(ledger.held.insert(*run), "{run:?} paused twice"),
            Event::RunResumed { run, .. } => assert!(ledger.held.remove(run), "{run:?} was not paused"),
            Event::RunCancelled { run, .. } => {
                assert!(ledger.cancels.insert(*run), "{run:?} was cancelled twice");
                ledger.cancelled.insert(*run);
            }
            Event::ScheduleDisarmed { .. }
            | Event::JobQueued { .. }
            | Event::HookAsked { .. }
            | Event::CleanupStarted { .. }
            | Event::TaskPaused { .. }
            | Event::TaskResumed { .. } => {}
        }
    }

    fn job_finished(&self, job: JobId, outcome: &Outcome) {
        let ledger = &self.ledger;
        let plan = &ledger.plans[&job.run];
        let leaf = &plan.nodes[job.index as usize].leaf;
        let attempts = ledger.started.iter().filter(|a| a.job == job).count();
        let last = ledger.started.iter().rfind(|a| a.job == job);
        if let Some(last) = last {
            assert!(ledger.ended.contains_key(last), "{job:?} is done, and {last:?} goes on");
        }
        match outcome {
            Outcome::Succeeded => {
                let last = last.expect("a success needs an attempt");
                assert_eq!(ledger.ended[last], Exit::Code { code: 0 }, "{job:?}");
                assert!(!ledger.stop_causes.contains_key(last), "{job:?} was stopped, and yet succeeded");
            }
            Outcome::Failed { cause: Cause::TimedOut } => {
                assert_eq!(ledger.stop_causes[last.unwrap()], StopCause::TimedOut);
                self.gave_up_rightly(job, leaf, attempts);
            }
            Outcome::Failed { cause: Cause::Hook { .. } } => assert!(!leaf.hooks.is_empty()),
            Outcome::Failed { cause } => {
                let exit = &ledger.ended[last.unwrap()];
                let matches = match (cause, exit) {
                    (Cause::Exit { code }, Exit::Code { code: other }) => code == other && *code != 0,
                    (Cause::Signal { signal }, Exit::Signal { signal: other }) => signal == other,
                    (Cause::Lost, Exit::Lost) => true,
                    _ => false,
                };
                assert!(matches, "{job:?}: {cause:?} does not follow from {exit:?}");
                self.gave_up_rightly(job, leaf, attempts);
            }
            Outcome::Cancelled => assert!(ledger.cancelled.contains(&job.run), "{job:?} cancelled by nobody"),
            Outcome::Skipped { why: Skip::Needs { job: need } } => {
                assert_eq!(attempts, 0, "{job:?} ran and was then skipped");
                let outcome = &ledger.outcomes[&JobId { run: job.run, index: *need }];
                let excused = plan.nodes[*need as usize].leaf.continue_on_error;
                assert!(!outcome.lets_others_run() && !excused, "{job:?} was skipped because of {outcome:?}");
            }
            Outcome::Skipped { why: Skip::Asked { .. } | Skip::Reused } => {}
        }
        let ran = attempts > 0;
        let owes =
            ran && (!leaf.cleanup.is_empty() || !leaf.hooks.is_empty() || ledger.owed.contains_key(&job));
        assert!(!owes || ledger.cleaned.contains(&job), "{job:?} is done and not tidied up");
    }

    fn gave_up_rightly(&self, job: JobId, leaf: &Leaf, _attempts: usize) {
        let tries = 1 + self.ledger.tries.get(&job).copied().unwrap_or(0);
        let excused = !leaf.hooks.is_empty()
            || !leaf.retry.on_exit.is_empty()
            || !leaf.retry.not_on_exit.is_empty()
            || self.ledger.cancelled.contains(&job.run);
        assert!(
            excused || tries == leaf.retry.attempts,
            "{job:?} gave up after {tries} of {}",
            leaf.retry.attempts
        );
    }

    fn run_finished(&mut self, run: RunId, outcome: &RunOutcome) {
        let plan = &self.ledger.plans[&run];
        let outcomes: Vec<&Outcome> =
            (0..plan.nodes.len() as u32).map(|index| &self.ledger.outcomes[&JobId { run, index }]).collect();
        let failed = |(index, outcome): (usize, &&Outcome)| {
            matches!(outcome, Outcome::Failed { .. }) && !plan.nodes[index].leaf.continue_on_error
        };
        match outcome {
            RunOutcome::Failed { root } => assert!(failed((*root as usize, &outcomes[*root as usize]))),
            RunOutcome::Cancelled => assert!(outcomes.contains(&&Outcome::Cancelled)),
            RunOutcome::Succeeded => assert!(!outcomes.contains(&&Outcome::Cancelled)),
        }
        if !matches!(outcome, RunOutcome::Failed { .. }) {
            assert!(!outcomes.iter().enumerate().any(failed), "{run:?} hides a failure");
        }
        assert!(self.ledger.finished.insert(run, outcome.clone()).is_none(), "{run:?} finished twice");
    }

    /// The promises about the state as a whole.
    fn check(&self) {
        let state = self.engine.state();
        // Every time while the journal is short; later often enough.
        if self.journal.len() < 200 || self.journal.len().is_multiple_of(16) {
            assert_eq!(*state, State::default().replay(&self.journal), "the journal is not the state");
        }
        assert!(state.busy().len() <= self.slots, "more jobs than slots");
        let free = self.slots - state.busy().len();
        assert!(free == 0 || state.queue().next().is_none(), "a free slot, and somebody waits for one");
        let order: Vec<i64> = state.queue().map(|job| deserves(state, job)).collect();
        assert!(order.is_sorted(), "the queue is out of order");
        for (&run, r) in &state.runs {
            assert!(!r.is_over(), "{run:?} is over and still here");
            for (index, job) in r.jobs.iter().enumerate() {
                let id = JobId { run, index: index as u32 };
                assert!(!matches!(job.phase, Phase::Ended { .. }), "{id:?} was left without a verdict");
                if let Some(deadline) = job.phase.deadline() {
                    assert!(deadline > self.now, "{id:?} overslept {deadline:?}");
                }
                let wait = state.why_waiting(id);
                assert_eq!(
                    wait.is_none(),
                    job.phase.is_live() || job.phase.is_done(),
                    "{id:?} cannot say why it waits"
                );
                let is_cancelling = matches!(r.phase, RunPhase::Cancelling { .. });
                let idle = matches!(job.phase, Phase::Waiting | Phase::Queued | Phase::Backoff { .. });
                assert!(!(is_cancelling && idle), "{id:?} was forgotten by the cancel");
            }
        }
    }

    fn random_plan(&mut self) -> Plan {
        self.next_plan += 1;
        let rng = &mut self.rng;
        let task = TaskName::new(&format!("t{}", rng.below(4))).unwrap();
        let nodes = (0..1 + rng.below(6) as usize).map(|index| Node {
            leaf: Arc::new(random_leaf(rng, &task, index)),
            needs: (0..index as u32).filter(|_| rng.below(3) == 0).collect(),
            params: Arc::new(Params::new()),
        });
        let nodes = nodes.collect();
        Plan { task, definition: format!("{}", self.next_plan).into(), params: Params::new(), nodes }
    }
}

/// Every slot of a watched schedule ends as exactly one of a run, a skip, or a part of a missed stretch, in order.
fn account(ledger: &mut Ledger, key: &ScheduleKey, from: Moment, to: Moment, task: &TaskName) {
    assert_eq!(&*key.0, task.as_str());
    assert!(ledger.slots.insert((key.clone(), from)), "{key:?} used the slot {from:?} twice");
    let last = ledger.accounted.insert(key.clone(), to).expect("only a watched schedule fires");
    let interval = interval_of(key);
    assert_eq!(from.0, (last.0 / interval + 1) * interval, "{key:?} left out a slot");
}

fn interval_of(key: &ScheduleKey) -> u64 {
    let n: u64 = key.0[1..].parse().unwrap();
    1000 * (1 + n * 3)
}

fn deserves(state: &State, job: JobId) -> i64 {
    let run = &state.runs[&job.run];
    let priority = run.priority.unwrap_or(state.node(job).leaf.priority);
    run.created.0 as i64 - i64::from(priority) * 60_000
}

fn random_leaf(rng: &mut Rng, task: &TaskName, index: usize) -> Leaf {
    let hooks = (rng.below(3) == 0).then(|| Hook { file: "h.lua".into(), on_error: OnHookError::Warn });
    let cleanup = (rng.below(4) == 0).then(|| Cleanup::Remove { path: "x".into() });
    Leaf {
        name: task.child(&format!("j{index}")).unwrap(),
        description: None,
        labels: BTreeMap::new(),
        depends_on: Vec::new(),
        action: Action::Exec { argv: vec!["true".into()] },
        working_dir: None,
        env: BTreeMap::new(),
        priority: rng.below(3) as i32,
        timeout: (rng.below(2) == 0).then(|| Millis(1 + rng.below(150))),
        stop: Stop { signal: Signal::TERM, grace: Millis(rng.below(30)) },
        retry: Retry {
            attempts: 1 + rng.below(3) as u32,
            delay: Millis(rng.below(50)),
            jitter: 0.5,
            on_exit: if rng.below(6) == 0 { vec![7] } else { Vec::new() },
            not_on_exit: if rng.below(6) == 0 { vec![1] } else { Vec::new() },
            ..Retry::default()
        },
        hooks: hooks.into_iter().collect(),
        cleanup: cleanup.into_iter().collect(),
        continue_on_error: rng.below(8) == 0,
    }
}

fn me() -> Author {
    Author("me".into())
}

/// Xorshift: enough randomness for a story, and the same story every time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}
