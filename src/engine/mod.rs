//! The engine decides. It takes one [`Input`] at a time and answers with [`Effect`]s; it never waits, reads a clock,
//! opens a file or spawns a process.
//!
//! Two functions hold the whole truth about a job's life:
//!
//! - [`Engine::handle`] looks at the state and an input, and emits events and orders;
//! - [`State::apply`] folds one event into the state.
//!
//! Every change of state goes through an event, so the journal of events *is* the state: after a crash the host
//! replays it and then reports what became of the processes as ordinary inputs.
//!
//! The rules stand in one file per subject: `submit` (runs are born and end), `turns` (how many of
//! them go on at once), `gate` (when a job may start), `prepare`
//! (what is found out before, and jobs that become many), `admit` (who gets a slot), `attempt`
//! (what the end of an attempt means), `ask` (what hooks answer), `expect` (who is late), `cancel` (cancel, pause, resume), `fire`
//! (schedules). [`Phase::may_become`] is the life of a job on one screen.

mod admit;
mod ask;
mod attempt;
mod call;
mod cancel;
mod changed;
mod event;
mod expect;
mod fire;
mod gate;
mod input;
mod octets;
mod pause;
mod phase;
mod prepare;
mod random;
mod state;
mod submit;
mod timing;
mod turns;
mod wait;

pub use admit::room::Capacity;
pub use call::Call;
pub use changed::{Changed, ChangedPath, MOST_NAMED};
pub use event::{
    Author, Cause, Cell, Event, Exit, Fingerprint, Limit, Missed, NewRun, NotSpawned, Outcome, OwedCleanup,
    PlanRef, Question, Record, Refused, RunOutcome, ScheduleKey, Skip, SlotSkip, StopCause, Trigger, Usage,
};
pub use expect::{Expectation, Late};
pub use gate::{Tally, Verdict, verdict};
pub use input::{Answer, Armed, Effect, Input, Order, Preparation, Submission};
pub use phase::Phase;
pub use state::{
    CellOf, Crowd, Decision, Dependant, Holders, Job, Pause, Prepared, Rates, Run, RunPhase, State, Wants,
};
pub use wait::{Standing, Wait};

use crate::base::{JobId, Moment};
use crate::definition::Machine;
use expect::Patience;
use fire::{EndedRun, Timers};
use random::Random;
use std::sync::Arc;

/// The state, the schedules, and the rules that act on them.
#[derive(Debug)]
pub struct Engine {
    state: State,
    capacity: Capacity,
    now: Moment,
    timers: Timers,
    patience: Patience,
    random: Random,
    /// Runs that have ended since their turns were passed on.
    just_ended: Vec<EndedRun>,
    effects: Vec<Effect>,
    /// Whether something has happened since it was last looked who can be admitted.
    is_stirred: bool,
    /// When the next job can be admitted that only waits for its rate, as far as anybody has looked.
    next_turn: Option<Moment>,
}

impl Engine {
    /// An engine over a state: an empty one, or one replayed from a journal.
    ///
    /// `slots` is how many attempts may go on at once. `seed` feeds the jitter of retries; the same seed and the same
    /// inputs give the same effects.
    pub fn new(slots: usize, seed: u64, state: State) -> Engine {
        Engine {
            state,
            capacity: Capacity::new(slots),
            now: Moment(0),
            timers: Timers::default(),
            patience: Patience::default(),
            random: Random::new(seed),
            just_ended: Vec::new(),
            effects: Vec::new(),
            is_stirred: true,
            next_turn: None,
        }
    }

    /// The same with other queues than that of the host, and with what else jobs share.
    pub fn with_machine(mut self, machine: Arc<Machine>) -> Engine {
        self.capacity.machine = machine;
        self
    }

    /// These will be the schedules ([`Input::Schedules`]). Nothing is due by them yet; but a run that ends before, because the
    /// last host died, is followed by what comes after it. So they are announced before the first input.
    pub fn announce(&mut self, schedules: Vec<Armed>) {
        self.know(schedules);
    }

    /// What the engine remembers.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How many attempts may go on at once.
    pub fn slots(&self) -> usize {
        self.capacity.slots
    }

    /// How much there is to share.
    pub fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// Takes one input and says what follows from it. Time never goes back: a smaller `now` counts as the last one.
    pub fn handle(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        // Before anything else: what ends only now is late all the same.
        self.tell_late();
        match input {
            Input::Submit(submission) => self.submit(submission),
            Input::Cancel { run, by, reason, now } => self.cancel(run, by, reason, now),
            Input::Prioritise { run, priority, by } => self.prioritise(run, priority, by),
            Input::Pause { run, by, reason } => self.pause(run, by, reason),
            Input::Resume { run, by } => self.resume(run, by),
            Input::PauseJob { job, by, reason } => self.pause_job(job, by, reason),
            Input::ResumeJob { job, by } => self.resume_job(job, by),
            Input::PauseQueue { queue, by, reason } => self.pause_queue(queue, by, reason),
            Input::ResumeQueue { queue, by } => self.resume_queue(queue, by),
            Input::PauseTask { task, by, reason } => self.pause_task(task, by, reason),
            Input::ResumeTask { task, by } => self.resume_task(task, by),
            Input::Machine(machine) => {
                self.capacity.machine = machine;
                self.is_stirred = true;
            }
            Input::Schedules(schedules) => self.arm(schedules),
            Input::Changed { key, until, changed } => self.changed(key, until, changed),
            Input::Called { key, plan, call, name } => self.called(key, plan, call, name),
            Input::Ended { attempt, exit, usage, outputs } => self.ended(attempt, exit, usage, outputs),
            Input::Stalled { attempt } => self.stalled(attempt),
            Input::Prepared { job, found } => self.prepared(job, found),
            Input::Decide { attempt, approved, by, reason } => self.decide(attempt, approved, by, reason),
            Input::Owe { attempt, item } => self.owe(attempt, item),
            Input::Answered { attempt, question, answer } => self.answered(attempt, question, answer),
            Input::Cleaned { job, problem } => self.cleaned(job, problem),
            Input::Recalled { run, limit } => self.recalled(run, limit),
            Input::Restarted => self.restarted(),
            Input::Survived { attempt } => self.survived(attempt),
            Input::Tick => {}
        }
        self.end_overdue();
        self.expire();
        self.fire();
        self.follow_ends();
        while self.begin() {
            // What begins may be over at once, when there is nothing in it to do.
            self.follow_ends();
        }
        self.compare();
        self.admit();
        std::mem::take(&mut self.effects)
    }

    /// The next moment at which an [`Input::Tick`] would change anything.
    pub fn next_deadline(&self) -> Option<Moment> {
        let job = self.state.first_deadline().map(|(at, _)| at);
        let overdue = self.state.first_overdue().map(|(at, _)| at);
        let expected = self.state.first_expected().map(|(at, _, _)| at);
        let others = [self.timers.next(), overdue, self.next_turn, expected, self.patience.next()];
        others.into_iter().chain([job]).flatten().min()
    }

    fn emit(&mut self, event: Event) {
        self.state.apply(self.now, &event);
        self.watch_patience(&event);
        self.is_stirred = true;
        self.effects.push(Effect::Emit(event));
    }

    fn order(&mut self, order: Order) {
        self.effects.push(Effect::Order(order));
    }

    fn leaf(&self, job: JobId) -> &crate::definition::Leaf {
        self.state.leaf(job)
    }

    fn is_cancelling(&self, job: JobId) -> bool {
        matches!(self.state.runs[&job.run].phase, RunPhase::Cancelling { .. })
    }
}
