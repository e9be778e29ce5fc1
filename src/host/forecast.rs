//! What would start when: the engine itself, on a clock that nobody waits for.
//!
//! Nothing is guessed about the rules, because they are the rules. What is guessed is how long jobs take: as long as they
//! usually do. Every attempt succeeds, hooks have no opinion, and conditions are taken for true.

use super::reload::armed;
use crate::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use crate::definition::{Catalog, Stop};
use crate::engine::{
    Answer, Capacity, Effect, Engine, Event, Exit, Input, Order, Phase, Preparation, ScheduleKey, SlotSkip,
    State,
};
use crate::store::Usuals;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a job is taken to last that was never seen to succeed.
const UNKNOWN: Millis = Millis::from_secs(1);
/// So many runs are foreseen at most: a schedule of every second fills a year with more than anybody reads.
const MOST: usize = 10_000;

/// What is to be foreseen.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// From here on.
    pub from: Moment,
    /// To here.
    pub to: Moment,
    /// What is going on when it begins: nothing, or what goes on now.
    pub state: State,
    /// How many attempts may go on at once, in which queues, and what else they share.
    pub capacity: &'a Capacity,
    /// Everything takes its usual time divided by this.
    pub speed: f64,
    /// How long each task usually takes.
    pub usuals: &'a BTreeMap<TaskName, Usuals>,
}

/// What would happen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Every run, by the moment of its creation, and every slot without one.
    pub runs: Vec<Foreseen>,
    /// When all slots are busy and somebody waits for one.
    pub full: Vec<Full>,
    /// There would be more, and it is not told.
    pub is_cut: bool,
}

/// A run that would be, or a slot that would get none.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// The task.
    pub task: TaskName,
    /// The schedule, as the journal names it; absent for what goes on already.
    pub schedule: Option<ScheduleKey>,
    /// When it is created.
    pub created: Moment,
    /// When its first job starts.
    pub started: Option<Moment>,
    /// When it is over.
    pub ended: Option<Moment>,
    /// How long its jobs are ready and wait for something to be free, all together.
    pub waits: Millis,
    /// Something in it was never seen to succeed, so its length is not known.
    pub is_guessed: bool,
    /// Why the slot gets no run.
    pub skipped: Option<SlotSkip>,
}

/// A stretch of time in which somebody waits for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Its beginning.
    pub from: Moment,
    /// Its end; `None` when that is later than what was asked for.
    pub to: Option<Moment>,
    /// The most jobs that wait at once.
    pub waiting: usize,
}

/// Runs the engine from one moment to another, with the schedules of these tasks.
pub fn forecast(catalog: &Catalog, window: Window<'_>) -> Forecast {
    let Window { from, to, state, capacity, speed, usuals } = window;
    let engine = Engine::new(capacity.slots, 0, state).with_machine(Arc::clone(&capacity.machine));
    let world = World {
        engine,
        usuals,
        speed,
        ends: BTreeSet::new(),
        ready: BTreeMap::new(),
        found: Found::default(),
    };
    world.play(catalog, from, to)
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    /// Where each run stands in the list.
    places: BTreeMap<RunId, usize>,
    forecast: Forecast,
}

struct World<'a> {
    engine: Engine,
    usuals: &'a BTreeMap<TaskName, Usuals>,
    speed: f64,
    /// When attempts end.
    ends: BTreeSet<(Moment, AttemptId)>,
    /// Since when jobs are ready that have not started.
    ready: BTreeMap<JobId, Moment>,
    found: Found,
}

impl World<'_> {
    fn play(mut self, catalog: &Catalog, from: Moment, to: Moment) -> Forecast {
        for attempt in self.going() {
            let started = self.engine.state().job(attempt.job).since;
            self.ends.insert(((started + self.length(attempt.job).0).max(from), attempt));
        }
        for (&run, r) in &self.engine.state().runs {
            let foreseen =
                Foreseen { started: Some(r.created), ..fresh(r.plan.plan().task.clone(), None, r.created) };
            self.found.places.insert(run, self.found.forecast.runs.len());
            self.found.forecast.runs.push(foreseen);
        }
        self.step(from, Input::Schedules(armed(catalog)));
        while let Some(now) = self.next().filter(|now| *now <= to) {
            if self.found.forecast.runs.len() >= MOST {
                self.found.forecast.is_cut = true;
                break;
            }
            match self.ends.first().copied().filter(|(at, _)| *at <= now) {
                Some(end) => {
                    self.ends.remove(&end);
                    self.end(now, end.1);
                }
                None => self.step(now, Input::Tick),
            }
        }
        self.found.forecast
    }

    fn going(&self) -> Vec<AttemptId> {
        let state = self.engine.state();
        let running = state.going().filter(|job| !matches!(state.job(*job).phase, Phase::Paused { .. }));
        running.map(|job| state.attempt(job)).collect()
    }

    fn next(&self) -> Option<Moment> {
        let end = self.ends.first().map(|(at, _)| *at);
        [end, self.engine.next_deadline()].into_iter().flatten().min()
    }

    fn end(&mut self, now: Moment, attempt: AttemptId) {
        let exit = Exit::Code { code: 0 };
        self.step(now, Input::Ended { attempt, exit, usage: None, outputs: Default::default() });
    }

    /// Takes one input, and carries out all that follows from it in no time.
    fn step(&mut self, now: Moment, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.engine.handle(now, input) {
                match effect {
                    Effect::Emit(event) => self.note(now, &event),
                    Effect::Order(order) => inputs.extend(self.carry_out(now, order)),
                }
            }
        }
        self.measure(now);
    }

    fn carry_out(&mut self, now: Moment, order: Order) -> Option<Input> {
        match order {
            Order::Start { attempt } => {
                let (length, is_known) = self.length(attempt.job);
                self.ends.insert((now + length, attempt));
                if let Some(run) = self.of(attempt.job.run) {
                    run.is_guessed |= !is_known;
                }
                None
            }
            Order::Stop { attempt, .. } => {
                self.ends.retain(|(_, other)| *other != attempt);
                let exit = Exit::Signal { signal: Stop::default().signal };
                Some(Input::Ended { attempt, exit, usage: None, outputs: Default::default() })
            }
            Order::Ask { attempt, question } => {
                Some(Input::Answered { attempt, question, answer: Answer::NoOpinion })
            }
            Order::Prepare { job } => {
                let found = Preparation::Ready { leaf: None, params: None, fingerprint: None };
                Some(Input::Prepared { job, found })
            }
            Order::Clean { job, .. } => Some(Input::Cleaned { job, problem: None }),
            Order::Pause { .. } | Order::Resume { .. } | Order::Recall { .. } => None,
        }
    }

    /// How long a job takes, and whether that is known.
    fn length(&self, job: JobId) -> (Millis, bool) {
        let state = self.engine.state();
        let task = &state.runs[&job.run].plan.plan().task;
        let usual = self.usuals.get(task).and_then(|usuals| usuals.jobs.get(&state.node(job).leaf.name));
        let length = usual.map_or(UNKNOWN, |usual| usual.p50);
        (Millis((length.0 as f64 / self.speed).round() as u64), usual.is_some())
    }

    fn note(&mut self, now: Moment, event: &Event) {
        if let Event::RunCreated(new) = event {
            let key = new.trigger.schedule().cloned();
            self.found.places.insert(new.run, self.found.forecast.runs.len());
            self.found.forecast.runs.push(fresh(new.plan.plan().task.clone(), key, now));
        } else if let Event::JobQueued { job } = event {
            self.ready.insert(*job, now);
        } else if let Event::AttemptAdmitted { attempt } | Event::AttemptStarted { attempt, .. } = event {
            let ready = self.ready.remove(&attempt.job);
            if let Some(run) = self.of(attempt.job.run) {
                run.started.get_or_insert(now);
                run.waits.0 += ready.map_or(0, |ready| (now - ready).0);
            }
        } else if let Event::RunFinished { run, .. } = event {
            if let Some(run) = self.of(*run) {
                run.ended = Some(now);
            }
        } else if let Event::SlotSkipped { key, why, .. } = event
            && let Ok(task) = TaskName::new(key.task())
        {
            let skipped = Some(why.clone());
            self.found.forecast.runs.push(Foreseen { skipped, ..fresh(task, Some(key.clone()), now) });
        }
    }

    fn of(&mut self, run: RunId) -> Option<&mut Foreseen> {
        self.found.places.get(&run).and_then(|&place| self.found.forecast.runs.get_mut(place))
    }

    /// Notes whether somebody waits for a slot now.
    fn measure(&mut self, now: Moment) {
        let waiting = self.engine.state().queued();
        let full = &mut self.found.forecast.full;
        match (full.last_mut().filter(|last| last.to.is_none()), waiting) {
            (Some(last), 0) => last.to = Some(now),
            (Some(last), waiting) => last.waiting = last.waiting.max(waiting),
            (None, 0) => {}
            (None, waiting) => full.push(Full { from: now, to: None, waiting }),
        }
    }
}

fn fresh(task: TaskName, schedule: Option<ScheduleKey>, created: Moment) -> Foreseen {
    Foreseen {
        task,
        schedule,
        created,
        started: None,
        ended: None,
        waits: Millis(0),
        is_guessed: false,
        skipped: None,
    }
}
