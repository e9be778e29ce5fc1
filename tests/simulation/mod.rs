//! Whole-life simulation: random plans, random processes, random hooks and preparations, people who decide, cancels and
//! pauses, schedules, random crashes between the commit and the orders.
//!
//! One seed is one history. A failure prints the seed; `SEED=n cargo test simulation -- --nocapture` replays it and
//! tells every event, `HISTORIES=n` plays more.

mod calls;
mod days;
mod files;
mod lateness;
mod ledger;
mod plans;
mod promises;
mod rules;
mod sharing;
mod turns;

use ledger::Ledger;
use neap::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use neap::definition::{Action, Cleanup, Leaf, Params, Signal, Stop};
use neap::engine::{
    Answer, Armed, Author, Capacity, Cause, Effect, Engine, Event, Exit, Input, Order, OwedCleanup, Phase,
    PlanRef, Preparation, Question, Record, ScheduleKey, Skip, State, Submission,
};
use neap::schedule::{End, Occasion, Schedule};
use plans::{Rng, random_firing, random_occasion, random_plan};
use promises::Sight;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[test]
fn every_history_keeps_the_promises() {
    if let Ok(seed) = std::env::var("SEED") {
        let mut world = World::new(seed.parse().unwrap());
        world.is_told = true;
        world.play();
        return;
    }
    let histories: u64 = std::env::var("HISTORIES").map_or(700, |n| n.parse().unwrap());
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
    capacity: Capacity,
    engine: Engine,
    journal: Vec<Record>,
    processes: BTreeMap<AttemptId, Process>,
    /// Questions that hooks will answer, and when; the host forgets them when it dies.
    asked: BTreeMap<(Moment, AttemptId), Question>,
    /// What is being tidied up or found out, and until when; forgotten in the same way.
    cleaning: BTreeSet<(Moment, JobId)>,
    preparing: BTreeSet<(Moment, JobId)>,
    /// How long runs may take, as is being looked up; forgotten in the same way.
    recalls: BTreeMap<RunId, Option<Millis>>,
    ledger: Ledger,
    next_plan: u64,
    crashes: usize,
    /// No more schedules: the history comes to its end.
    is_ending: bool,
    /// Every event is printed.
    is_told: bool,
}

struct Process {
    /// `None` for a server, and while a person has not decided: it goes on until it is stopped.
    ends_at: Option<Moment>,
    exit: Exit,
    ignores_term: bool,
    /// Since when it does nothing.
    frozen: Option<Moment>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let machine = Arc::new(sharing::random_machine(&mut rng));
        let capacity = Capacity { machine, ..Capacity::new(1 + rng.below(4) as usize) };
        World {
            rng,
            now: Moment(1_000_000),
            engine: engine(&capacity, seed, State::default()),
            capacity,
            journal: Vec::new(),
            processes: BTreeMap::new(),
            asked: BTreeMap::new(),
            cleaning: BTreeSet::new(),
            preparing: BTreeSet::new(),
            recalls: BTreeMap::new(),
            ledger: Ledger::default(),
            next_plan: 0,
            crashes: 0,
            is_ending: false,
            is_told: false,
        }
    }

    fn play(&mut self) {
        for _ in 0..60 {
            match self.rng.below(17) {
                0..=1 => self.submit(),
                2 => self.cancel(),
                3 => self.crash(),
                4 => self.repeat_a_report(),
                5 => self.pause_or_resume(),
                6 => self.reload(),
                7 => self.owe(),
                8 => self.decide(),
                9 if self.rng.one_in(2) => self.change_files(),
                9 => self.call(),
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
        self.resume_queues();
        for job in self.engine.state().going().collect::<Vec<_>>() {
            self.tell(Input::ResumeJob { job, by: me() });
        }
        self.run_dry();
        self.check_nothing_is_stuck();
        for run in self.live_runs() {
            self.cancel_run(run, false);
        }
        self.run_dry();
        // What runs whatever happens may be a server too.
        self.check_nothing_is_stuck();
        for run in self.live_runs() {
            self.cancel_run(run, true);
        }
        self.run_dry();
        let state = self.engine.state();
        assert!(state.runs.is_empty(), "never finished: {:?}", state.runs);
        assert_eq!(state.locks().count(), 0, "a lock is left");
        assert!(
            state.busy().is_empty() && state.queue().next().is_none() && state.first_deadline().is_none()
        );
        assert_eq!(self.engine.next_deadline(), None, "nothing to do, and yet it would wake");
        let owing: Vec<_> =
            self.ledger.owed.keys().filter(|job| !self.ledger.cleaned.contains(job)).collect();
        assert!(owing.is_empty(), "owed and never tidied up: {owing:?}");
    }

    fn check_nothing_is_stuck(&self) {
        let state = self.engine.state();
        // That nobody waits for what could be had is looked at after every step.
        let holders = state.going().count() + state.locks().count();
        for (id, run) in &state.runs {
            let is_queued = run.jobs.iter().any(|job| job.phase == Phase::Queued);
            let serving = run.is_waiting
                || run.jobs.iter().any(|job| job.phase.is_live())
                || (is_queued && holders > 0);
            assert!(serving, "{id:?} is stuck: {run:?}");
        }
    }

    fn run_dry(&mut self) {
        for _ in 0..100_000 {
            let quiet = self.processes.values().all(|p| p.ends_at.is_none())
                && self.engine.next_deadline().is_none()
                && self.asked.is_empty()
                && self.preparing.is_empty()
                && self.recalls.is_empty()
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
        let reused: Vec<u32> = (0..plan.nodes.len() as u32).filter(|_| self.rng.below(12) == 0).collect();
        let outputs = |&index: &u32| (index, Arc::new(Params::from([("of".to_owned(), index.into())])));
        let reused_outputs = reused.iter().map(outputs).collect();
        let priority = (self.rng.below(5) == 0).then(|| self.rng.below(20) as i32 - 10);
        let plan = PlanRef::new(Arc::new(plan));
        let bound = self.rng.below(5) == 0;
        self.tell(Input::Submit(Submission {
            priority,
            reused,
            reused_outputs,
            bound,
            ..Submission::new(plan, me())
        }));
    }

    fn cancel(&mut self) {
        let run = RunId(1 + self.rng.below(self.engine.state().next_run + 1)); // sometimes one that does not exist
        let now = self.rng.one_in(3);
        self.cancel_run(run, now);
    }

    fn cancel_run(&mut self, run: RunId, now: bool) {
        if self.engine.state().runs.contains_key(&run) {
            let is_first = self.ledger.cancelled.insert(run);
            if now && !is_first {
                self.ledger.hurried.insert(run);
            }
        }
        self.tell(Input::Cancel { run, by: me(), reason: Some("no longer needed".into()), now });
    }

    /// A person decides over something that waits for that, or over something else.
    fn decide(&mut self) {
        let going: Vec<JobId> = self.engine.state().going().collect();
        if going.is_empty() {
            return;
        }
        let state = self.engine.state();
        let waits = |job: &&JobId| is_approval(state.leaf(**job));
        let job = going.iter().find(waits).copied().unwrap_or(going[0]);
        if !is_approval(state.leaf(job)) {
            return; // Only the host knows that nobody waits there.
        }
        let attempt = self.engine.state().attempt(job);
        let approved = !self.rng.one_in(3);
        self.tell(Input::Decide { attempt, approved, by: me(), reason: None });
        self.hear_decision(attempt);
    }

    /// What waits for a decision ends when it hears of one.
    fn hear_decision(&mut self, attempt: AttemptId) {
        let decision = self.engine.state().find_job(attempt.job).and_then(|job| job.decision.clone());
        if let (Some(process), Some(decision)) = (self.processes.get_mut(&attempt), decision)
            && process.ends_at.is_none()
        {
            process.ends_at = Some(self.now + Millis(3));
            process.exit = Exit::Code { code: i32::from(!decision.approved) };
        }
    }

    fn pause_or_resume(&mut self) {
        let run = RunId(1 + self.rng.below(self.engine.state().next_run));
        let task =
            TaskName::new(["s0", "s1", "s2", files::KEY, calls::KEY][self.rng.below(5) as usize]).unwrap();
        match self.rng.below(11) {
            9 => {
                let queue = if self.rng.one_in(2) { "heavy" } else { "default" };
                self.tell(Input::PauseQueue { queue: queue.into(), by: me(), reason: None });
            }
            10 => self.resume_queues(),
            8 => {
                let priority = self.rng.below(40) as i32 - 20;
                self.tell(Input::Prioritise { run, priority, by: me() });
            }
            0 => self.tell(Input::Pause { run, by: me(), reason: None }),
            1 => self.tell(Input::Resume { run, by: me() }),
            2..=4 => self.freeze_or_thaw(),
            5 => self.tell(Input::ResumeTask { task: task.clone(), by: me() }),
            6 => self.tell(Input::PauseTask { task, by: me(), reason: None }),
            _ => self.tell(Input::ResumeTask { task, by: me() }),
        }
    }

    fn resume_queues(&mut self) {
        for queue in self.engine.state().paused_queues.keys().cloned().collect::<Vec<_>>() {
            self.tell(Input::ResumeQueue { queue, by: me() });
        }
    }

    /// Something that goes on is frozen, or goes on again; also what is neither.
    fn freeze_or_thaw(&mut self) {
        let going: Vec<JobId> = self.engine.state().going().collect();
        let Some(&job) = going.get(self.rng.below(going.len().max(1) as u64) as usize) else { return };
        match self.rng.below(5) {
            0 => {
                let attempt = self.engine.state().attempt(job);
                self.tell(Input::Stalled { attempt });
            }
            1..=2 => self.tell(Input::PauseJob { job, by: me(), reason: None }),
            _ => self.tell(Input::ResumeJob { job, by: me() }),
        }
    }

    /// The definitions changed: other schedules, or the same with other plans.
    fn reload(&mut self) {
        let schedules = self.random_schedules();
        self.follow_schedules(schedules);
    }

    fn follow_schedules(&mut self, schedules: Vec<Armed>) {
        let kept: BTreeSet<_> = schedules.iter().map(|armed| armed.key.clone()).collect();
        self.ledger.accounted.retain(|key, _| kept.contains(key));
        self.ledger.chains = chains(&schedules);
        self.tell(Input::Schedules(schedules));
    }

    fn random_schedules(&mut self) -> Vec<Armed> {
        let mut schedules = Vec::new();
        for n in 0..7 {
            if self.is_ending || self.rng.below(3) == 0 {
                continue;
            }
            let (name, schedule) = match n {
                0..3 => (format!("s{n}"), Schedule::every(Millis::from_secs(1 + n * 3)).unwrap()),
                5 => (files::KEY.to_owned(), Schedule::on(watch())),
                6 => (calls::KEY.to_owned(), Schedule::on(webhook())),
                _ => (format!("c{n}"), Schedule::on(random_occasion(&mut self.rng))),
            };
            let mut plan = self.random_plan();
            plan.task = TaskName::new(&name).unwrap();
            let firing = random_firing(&mut self.rng);
            let plan = PlanRef::new(Arc::new(plan));
            schedules.push(Armed { key: ScheduleKey(name.into()), schedule, plan, firing });
        }
        schedules
    }

    /// Somebody calls, with parameters of their own.
    fn call(&mut self) {
        let mut plan = self.random_plan();
        plan.task = TaskName::new(calls::KEY).unwrap();
        let is_followed = self.engine.state().cursors.contains_key(&calls::key());
        let (call, name) = (self.ledger.calls.make(), self.ledger.calls.name());
        let plan = PlanRef::new(Arc::new(plan));
        self.tell(Input::Called { key: calls::key(), plan, call, name: Some(name) });
        self.ledger.calls.check(is_followed);
    }

    /// Files change, and the host sees that sooner or later.
    fn change_files(&mut self) {
        if !self.engine.state().cursors.contains_key(&files::key()) {
            let changed = files::changed(&["/in/nobody".to_owned()]);
            return self.tell(Input::Changed { key: files::key(), until: self.now, changed });
        }
        self.now = self.now + Millis(1);
        for _ in 0..1 + self.rng.below(3) {
            self.ledger.files.change(self.now);
        }
        if !self.rng.one_in(4) {
            let seen = self.ledger.files.see();
            self.tell_changed(&seen);
        }
    }

    /// A host that comes up looks at everything.
    fn search_files(&mut self) {
        if let Some(cursor) = self.engine.state().cursors.get(&files::key()).copied() {
            let found = self.ledger.files.search(cursor);
            self.tell_changed(&found);
        }
    }

    fn tell_changed(&mut self, files: &[String]) {
        if !files.is_empty() {
            let changed = files::changed(files);
            self.tell(Input::Changed { key: files::key(), until: self.now, changed });
        }
    }

    fn owe(&mut self) {
        let Some(job) = self.engine.state().going().next() else { return };
        let attempt = self.engine.state().attempt(job);
        let item = OwedCleanup { what: Cleanup::Remove { path: "scratch".into() }, unless_succeeded: false };
        self.tell(Input::Owe { attempt, item });
    }

    /// The host dies: what was not journalled is forgotten, reports and answers in flight are lost.
    fn crash(&mut self) {
        self.crashes += 1;
        self.asked.clear();
        self.cleaning.clear();
        self.preparing.clear();
        self.recalls.clear();
        if self.rng.below(8) == 0 {
            self.now = self.now + Millis(self.rng.below(160_000)); // it stayed down for a while
        }
        let state = State::default().replay(&self.journal);
        self.engine = engine(&self.capacity, self.crashes as u64, state);
        let schedules = self.random_schedules();
        self.ledger.chains = chains(&schedules);
        self.ledger.has_started = false;
        self.engine.announce(schedules.clone());
        self.tell(Input::Restarted);
        let live: Vec<AttemptId> = self.live_attempts();
        for attempt in live {
            if self.processes.contains_key(&attempt) && self.rng.below(2) == 0 {
                self.tell(Input::Survived { attempt });
            } else {
                self.processes.remove(&attempt);
                self.tell(Input::Ended { attempt, exit: Exit::Lost, usage: None, outputs: Params::new() });
            }
        }
        self.follow_schedules(schedules);
        self.search_files();
    }

    fn live_attempts(&self) -> Vec<AttemptId> {
        let state = self.engine.state();
        state.going().map(|job| state.attempt(job)).collect()
    }

    /// Reports come twice, late, and about what nobody knows.
    fn repeat_a_report(&mut self) {
        let run = RunId(1 + self.rng.below(self.engine.state().next_run));
        let job = JobId { run, index: self.rng.below(8) as u32 };
        if self.engine.state().find_job(job).is_none_or(|job| !matches!(job.phase, Phase::Preparing { .. })) {
            let found = Preparation::Fail(Cause::Unprepared { message: "too late".into() });
            self.tell(Input::Prepared { job, found });
            self.tell(Input::Cleaned { job: JobId { run: RunId(0), ..job }, problem: None });
        }
        let Some(&attempt) = self.ledger.ended.keys().next_back() else { return };
        self.tell(Input::Ended {
            attempt,
            exit: Exit::Code { code: 0 },
            usage: None,
            outputs: Params::new(),
        });
        self.tell(Input::Answered { attempt, question: Question::Before, answer: Answer::NoOpinion });
    }

    /// Moves the clock to the next thing that happens, and lets it happen.
    fn advance(&mut self) {
        if let Some((run, limit)) = self.recalls.pop_first() {
            self.ledger.lateness.recalled(run, limit);
            return self.tell(Input::Recalled { run, limit });
        }
        let awake = self.processes.iter().filter(|(_, process)| process.frozen.is_none());
        let process = awake.filter_map(|(&a, p)| Some((p.ends_at?, a))).min();
        let answer = self.asked.first_key_value().map(|(&key, _)| key);
        let cleanup = self.cleaning.first().copied();
        let finding = self.preparing.first().copied();
        let deadline = self.engine.next_deadline();
        let next =
            [process.map(|p| p.0), answer.map(|a| a.0), cleanup.map(|c| c.0), finding.map(|f| f.0), deadline];
        let Some(at) = next.into_iter().flatten().min() else { return };
        self.now = self.now.max(at);
        if let Some((when, attempt)) = process
            && when == at
        {
            let exit = self.processes.remove(&attempt).unwrap().exit;
            self.tell(Input::Ended { attempt, exit, usage: None, outputs: Params::new() });
        } else if let Some(key) = answer
            && key.0 == at
        {
            let question = self.asked.remove(&key).unwrap();
            let answer = self.random_answer(question);
            self.tell(Input::Answered { attempt: key.1, question, answer });
        } else if let Some(key) = cleanup
            && key.0 == at
        {
            self.cleaning.remove(&key);
            self.ledger.cleaned.insert(key.1);
            self.tell(Input::Cleaned { job: key.1, problem: None });
        } else if let Some(key) = finding
            && key.0 == at
        {
            self.preparing.remove(&key);
            if self.engine.state().find_job(key.1).is_some() {
                let found = self.random_finding(key.1);
                self.tell(Input::Prepared { job: key.1, found });
            }
        } else {
            self.tell(Input::Tick);
        }
    }

    fn random_answer(&mut self, question: Question) -> Answer {
        if question == Question::Repeat && self.rng.one_in(2) {
            return Answer::Again { delay: None, reason: None };
        }
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

    fn random_finding(&mut self, job: JobId) -> Preparation {
        let leaf = self.engine.state().leaf(job).clone();
        match self.rng.below(10) {
            0 => Preparation::Fail(Cause::Unprepared { message: "there is no such output".into() }),
            1 => Preparation::Skip(Skip::Condition { text: "is_monday".into() }),
            2 if leaf.spread.is_none() => {
                let outputs = Params::from([("size".to_owned(), 3.into())]);
                Preparation::Fresh { reason: "inputs unchanged".into(), outputs }
            }
            3 if leaf.spread.is_none() => {
                let leaf = Leaf { timeout: Some(Millis(40)), ..(*leaf).clone() };
                Preparation::Ready { leaf: Some(Arc::new(leaf)), params: None, fingerprint: None }
            }
            _ if leaf.spread.is_none() => Preparation::Ready { leaf: None, params: None, fingerprint: None },
            _ => {
                let name = |number: u64| TaskName::new(&format!("{}-{number}", leaf.name)).unwrap();
                let cells = (0..self.rng.below(5)).map(|number| (name(number), Arc::new(Params::new())));
                Preparation::Cells(cells.collect())
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let waiters = sharing::waiters(self.engine.state());
        let effects = self.engine.handle(self.now, input);
        let (mut orders, mut records) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Emit(event) => records.push(Record { at: self.now, event }),
                Effect::Order(order) => orders.push(order),
            }
        }
        let batch: Vec<Event> = records.iter().map(|record| record.event.clone()).collect();
        for record in records {
            if self.is_told {
                println!("{} {}", record.at.0, serde_json::to_string(&record.event).unwrap());
            }
            self.ledger.observe(&record);
            self.journal.push(written(record));
        }
        self.ledger.check_chains(&batch);
        self.check();
        sharing::check_turns(&waiters, self.engine.state(), &self.capacity);
        if self.rng.below(40) == 0 {
            return self.crash(); // after the commit, before the orders
        }
        orders.into_iter().for_each(|order| self.carry_out(order));
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start { attempt } => self.start(attempt),
            Order::Prepare { job } => {
                // One in twenty is never found out: the deadline must.
                if !self.rng.one_in(20) {
                    let at = self.now + Millis(self.rng.below(20));
                    self.preparing.insert((at, job));
                }
            }
            Order::Pause { attempt } => self.freeze(attempt),
            Order::Resume { attempt } => self.thaw(attempt),
            Order::Stop { attempt, stop, .. } => self.stop(attempt, stop),
            Order::Ask { attempt, question } => {
                // One in twenty never answers: the deadline must.
                if self.rng.below(20) != 0 {
                    let at = self.now + Millis(self.rng.below(20));
                    self.asked.insert((at, attempt), question);
                }
            }
            Order::Recall { run } => {
                // What cannot be read is never answered.
                if !self.rng.one_in(5) {
                    let limit = (!self.rng.one_in(4)).then(|| Millis(self.rng.below(60_000)));
                    self.recalls.insert(run, limit);
                }
            }
            Order::Clean { job, .. } => {
                let at = self.now + Millis(self.rng.below(20));
                self.cleaning.insert((at, job));
            }
        }
    }

    fn start(&mut self, attempt: AttemptId) {
        assert!(!self.processes.contains_key(&attempt), "{attempt:?} started twice");
        let exit = match self.rng.below(9) {
            0 => Exit::Code { code: 1 },
            1 => Exit::Signal { signal: Signal::KILL },
            2 => Exit::Skipped { reason: "nothing new".into() },
            3 => Exit::Code { code: 7 },
            4 => Exit::BadOutputs { message: "`size` is not a number".into() },
            _ => Exit::Code { code: 0 },
        };
        let waits = is_approval(self.engine.state().leaf(attempt.job));
        let ends_at = (!waits && !self.rng.one_in(10)).then(|| self.now + Millis(self.rng.below(200)));
        let ignores_term = self.rng.one_in(4);
        self.processes.insert(attempt, Process { ends_at, exit, ignores_term, frozen: None });
        self.hear_decision(attempt);
    }

    fn freeze(&mut self, attempt: AttemptId) {
        if let Some(process) = self.processes.get_mut(&attempt) {
            process.frozen.get_or_insert(self.now);
        }
    }

    fn thaw(&mut self, attempt: AttemptId) {
        let Some(process) = self.processes.get_mut(&attempt) else { return };
        if let Some(since) = process.frozen.take() {
            process.ends_at = process.ends_at.map(|at| at + (self.now - since));
        }
    }

    fn stop(&mut self, attempt: AttemptId, stop: Stop) {
        // What is frozen is woken, or it could not react.
        self.thaw(attempt);
        let Some(process) = self.processes.get_mut(&attempt) else {
            // Its start died with the host, so the host has reported it lost, or will.
            return;
        };
        let patience = if process.ignores_term { stop.grace } else { Millis(1) };
        let at = self.now + patience;
        process.ends_at = Some(process.ends_at.map_or(at, |ends| ends.min(at)));
    }

    fn check(&self) {
        let state = self.engine.state();
        // Every time while the journal is short; later often enough.
        if self.journal.len() < 64 || self.journal.len().is_multiple_of(16) {
            assert_eq!(*state, State::default().replay(&self.journal), "the journal is not the state");
        }
        self.ledger.files.check(state);
        Sight { state, ledger: &self.ledger, now: self.now, capacity: &self.capacity }.check();
    }

    fn random_plan(&mut self) -> neap::plan::Plan {
        self.next_plan += 1;
        random_plan(&mut self.rng, self.next_plan)
    }
}

fn engine(capacity: &Capacity, seed: u64, state: State) -> Engine {
    Engine::new(capacity.slots, seed, state).with_machine(Arc::clone(&capacity.machine))
}

/// Which schedules fire when a run of which task has ended, and how it must have.
fn chains(schedules: &[Armed]) -> Vec<(ScheduleKey, TaskName, End)> {
    let after = |armed: &Armed| match armed.schedule.occasion() {
        Some(Occasion::After { task, when }) => Some((armed.key.clone(), task.clone(), *when)),
        Some(Occasion::Startup | Occasion::Watch { .. } | Occasion::Webhook { .. }) | None => None,
    };
    schedules.iter().filter_map(after).collect()
}

fn watch() -> Occasion {
    Occasion::Watch { paths: Arc::new(["in/*".to_owned()]), settle: Millis(100) }
}

fn webhook() -> Occasion {
    Occasion::Webhook { task: TaskName::new(calls::KEY).unwrap(), token: "TOKEN".into() }
}

fn is_approval(leaf: &Leaf) -> bool {
    matches!(&leaf.action, Action::Call { .. })
}

fn me() -> Author {
    Author("me".into())
}

/// A record as it comes back from the journal: the next host knows nothing else.
fn written(record: Record) -> Record {
    let text = serde_json::to_string(&record).unwrap();
    let mut back: Record = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    if let (Event::RunCreated(back), Event::RunCreated(new)) = (&mut back.event, &record.event) {
        // A plan is stored for itself.
        back.plan.fill(Arc::clone(new.plan.plan()));
    }
    assert_eq!(back, record);
    back
}
