//! Days with schedules: a calendar with its clock changes, a clock that people set, machines that sleep, hosts that die.
//!
//! One seed is one day of a host, told in coarse steps. `DAY=n cargo test every_day -- --nocapture` plays one again and
//! tells every event, `DAYS=n` plays more.
//!
//! The clock of a host never goes back while it is up (`host/clock.rs`): when the clock of the system does, it goes on from
//! where it was. The next host begins with what the clock of the system shows then.

mod accounts;
mod walker;

use super::plans::Rng;
use super::{me, written};
use accounts::{Accounts, Tally};
use neap::base::{AttemptId, Millis, Moment, RunId, TaskName};
use neap::definition::{Action, Catchup, Firing, Leaf, Overlap, Params};
use neap::engine::{
    Armed, Effect, Engine, Exit, Input, Order, PlanRef, Record, ScheduleKey, State, Submission,
};
use neap::plan::{Node, Plan};
use neap::schedule::{Fold, Gap, Schedule};
use std::collections::BTreeMap;
use std::sync::Arc;
use walker::{Almanac, DAY, Form, HOUR, MINUTE, almanac};

const TASKS: u64 = 4;

#[test]
fn every_day_keeps_the_promises() {
    if let Ok(seed) = std::env::var("DAY") {
        let mut world = World::new(seed.parse().unwrap());
        world.is_told = true;
        world.play();
        return;
    }
    let days: u64 = std::env::var("DAYS").map_or(60, |n| n.parse().unwrap());
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let play = |worker: u64| -> Vec<Tally> {
        (0..days).filter(|seed| seed % workers == worker).map(play_one).collect()
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|worker| scope.spawn(move || play(worker))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a day broke a promise")).collect()
    });
    let all = tallies.iter().fold(Tally::default(), |sum, one| sum.and(one));
    let happened = [all.runs, all.late, all.skips, all.missed as usize, all.crashes, all.steps];
    assert!(happened.iter().all(|count| *count > 0), "a kind of event is missing: {all:?}");
    println!("{days} days: {all:?}");
}

fn play_one(seed: u64) -> Tally {
    let result = std::panic::catch_unwind(|| {
        let mut world = World::new(seed);
        world.play();
        world.accounts.tally
    });
    result.unwrap_or_else(|_| panic!("day {seed} broke a promise; DAY={seed} plays it again"))
}

/// A schedule that people write, take away, and write again.
struct Wish {
    key: ScheduleKey,
    task: TaskName,
    schedule: Schedule,
}

struct World {
    rng: Rng,
    /// What the system's clock shows, and that of the host.
    wall: Moment,
    now: Moment,
    /// How far forward and back people may still set the clock, or the walker would not have seen those days.
    forward: u64,
    back: u64,
    slots: usize,
    engine: Engine,
    journal: Vec<Record>,
    processes: BTreeMap<AttemptId, (Moment, Exit)>,
    wishes: Vec<Wish>,
    by_walker: BTreeMap<ScheduleKey, Arc<[Moment]>>,
    accounts: Accounts,
    is_told: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        rng.below(2);
        let almanac = almanac(rng.below(7));
        let begin = Moment(almanac.day.0 - 6 * HOUR + rng.below(6 * 60) * MINUTE);
        let wishes: Vec<(Wish, Form)> = (0..7).map(|_| wish(&mut rng, almanac)).collect();
        let by_walker = wishes.iter().map(|(wish, form)| (wish.key.clone(), form.slots(almanac))).collect();
        let slots = 1 + rng.below(3) as usize;
        let mut world = World {
            rng,
            wall: begin,
            now: begin,
            forward: 7 * DAY,
            back: DAY + 3 * HOUR,
            slots,
            engine: Engine::new(slots, seed, State::default()),
            journal: Vec::new(),
            processes: BTreeMap::new(),
            wishes: wishes.into_iter().map(|(wish, _)| wish).collect(),
            by_walker,
            accounts: Accounts::default(),
            is_told: false,
        };
        world.reload();
        world
    }

    fn play(&mut self) {
        let mut awake = 0;
        while awake < DAY {
            match self.rng.below(40) {
                0..=1 => self.crash(),
                2 => self.reload(),
                3 => self.set_clock(),
                4 => self.suspend(),
                5 => self.pause_or_resume(),
                6 => self.somebody(),
                _ => {
                    let most = if self.rng.one_in(3) { HOUR } else { 5 * MINUTE };
                    let span = 1 + self.rng.below(most);
                    awake += span;
                    self.go_on(Millis(span));
                }
            }
            self.check();
        }
        self.come_to_rest();
    }

    /// What is open gets its turn, and everything ends.
    fn come_to_rest(&mut self) {
        for n in 0..TASKS {
            self.tell(Input::ResumeTask { task: task(n), by: me() });
        }
        for _ in 0..100_000 {
            let keys = self.accounts.watched.keys();
            if keys.filter(|key| self.accounts.is_open(self.now, key)).count() == 0 {
                break;
            }
            self.next_thing(None);
        }
        self.check();
        self.wishes.clear();
        self.follow(Vec::new());
        for _ in 0..100_000 {
            if self.engine.state().runs.is_empty() {
                break;
            }
            self.next_thing(None);
        }
        assert!(self.engine.state().runs.is_empty(), "never finished: {:?}", self.engine.state().runs);
        assert!(!self.accounts.any_behind());
        assert_eq!(self.engine.next_deadline(), None, "nothing to do, and yet it would wake");
    }

    /// Time passes, and what comes in it happens.
    fn go_on(&mut self, span: Millis) {
        let until = self.now + span;
        while self.next_thing(Some(until)) {}
        self.pass(until - self.now);
    }

    /// The next thing that happens, when it comes before `until`.
    fn next_thing(&mut self, until: Option<Moment>) -> bool {
        let process = self.processes.iter().map(|(&attempt, (at, _))| (*at, attempt)).min();
        let deadline = self.engine.next_deadline();
        let Some(at) = [process.map(|(at, _)| at), deadline].into_iter().flatten().min() else {
            return false;
        };
        if until.is_some_and(|until| at > until) {
            return false;
        }
        // A busy host is a little late.
        let late = if self.rng.one_in(8) { self.rng.below(3_000) } else { 0 };
        self.pass(at + Millis(late) - self.now);
        match process.filter(|(ends, _)| *ends == at) {
            Some((_, attempt)) => {
                let (_, exit) = self.processes.remove(&attempt).unwrap();
                self.tell(Input::Ended { attempt, exit, usage: None, outputs: Params::new() });
            }
            None => self.tell(Input::Tick),
        }
        true
    }

    /// Both clocks go on.
    fn pass(&mut self, span: Millis) {
        self.wall = self.wall + span;
        self.now = self.now + span;
    }

    /// The clock of the system is another one, or the machine has slept: nothing has gone on meanwhile.
    fn jump(&mut self, wall: Moment) {
        self.wall = wall;
        let jumped = wall - self.now;
        self.now = self.now + jumped;
        self.processes.values_mut().for_each(|(ends, _)| *ends = *ends + jumped);
    }

    fn step(&mut self) -> Moment {
        self.accounts.tally.steps += 1;
        let span = if self.rng.one_in(3) { DAY } else { 3 * HOUR };
        if self.rng.one_in(2) && self.back >= span {
            self.back -= span;
            return self.wall - Millis(span);
        }
        self.forward(span)
    }

    fn forward(&mut self, span: u64) -> Moment {
        let span = span.min(self.forward);
        self.forward -= span;
        self.wall + Millis(span)
    }

    /// The host wakes when that happens, as its timer tells it.
    fn set_clock(&mut self) {
        let wall = self.step();
        self.jump(wall);
        self.tell(Input::Tick);
    }

    fn suspend(&mut self) {
        let most = if self.rng.one_in(3) { 3 * MINUTE } else { 10 * HOUR };
        let span = self.rng.below(most);
        let wall = self.forward(span);
        self.jump(wall);
        self.tell(Input::Tick);
    }

    fn pause_or_resume(&mut self) {
        let task = task(self.rng.below(TASKS));
        match self.rng.below(3) {
            0 => self.tell(Input::PauseTask { task, by: me(), reason: None }),
            _ => self.tell(Input::ResumeTask { task, by: me() }),
        }
    }

    /// People start runs, and cancel them.
    fn somebody(&mut self) {
        if self.rng.one_in(2) {
            let plan = plan(&task(self.rng.below(TASKS)));
            return self.tell(Input::Submit(Submission::new(plan, me())));
        }
        let run = RunId(1 + self.rng.below(self.engine.state().next_run));
        self.tell(Input::Cancel { run, by: me(), reason: None, now: false });
    }

    fn reload(&mut self) {
        let schedules = self.some_wishes();
        self.follow(schedules);
    }

    fn follow(&mut self, schedules: Vec<Armed>) {
        self.accounts.watch(&schedules, &self.by_walker);
        self.tell(Input::Schedules(schedules));
    }

    /// Most of what is wished for, each with whatever is said today about how it fires.
    fn some_wishes(&mut self) -> Vec<Armed> {
        let mut armed = Vec::new();
        for Wish { key, task, schedule } in &self.wishes {
            if !self.rng.one_in(4) {
                let firing = firing(&mut self.rng);
                armed.push(Armed { key: key.clone(), schedule: schedule.clone(), plan: plan(task), firing });
            }
        }
        armed
    }

    /// The host dies, and another one comes: at once, or when the night is over, and perhaps under another clock.
    fn crash(&mut self) {
        self.accounts.tally.crashes += 1;
        let state = State::default().replay(&self.journal);
        let down = match self.rng.below(4) {
            0 => self.rng.below(8 * HOUR),
            1 => self.rng.below(3 * MINUTE),
            _ => 0,
        };
        let wall = self.forward(down);
        let gone = wall - self.wall;
        self.wall = wall;
        if self.rng.one_in(4) {
            self.wall = self.step();
        }
        let before = std::mem::replace(&mut self.now, self.wall);
        let now = self.now;
        let left = |ends: Moment| now + Millis((ends - before).0.saturating_sub(gone.0));
        self.processes.values_mut().for_each(|(ends, _)| *ends = left(*ends));
        self.engine = Engine::new(self.slots, self.accounts.tally.crashes as u64, state);
        let schedules = self.some_wishes();
        // Nothing is due before the schedules are told; a run that was cut off may end before.
        self.accounts.is_coming_up = true;
        self.engine.announce(schedules.clone());
        self.tell(Input::Restarted);
        let state = self.engine.state();
        for attempt in state.going().map(|job| state.attempt(job)).collect::<Vec<_>>() {
            if self.processes.contains_key(&attempt) && self.rng.one_in(2) {
                self.tell(Input::Survived { attempt });
            } else {
                self.processes.remove(&attempt);
                self.tell(Input::Ended { attempt, exit: Exit::Lost, usage: None, outputs: Params::new() });
            }
        }
        self.accounts.is_coming_up = false;
        self.follow(schedules);
    }

    fn tell(&mut self, input: Input) {
        let effects = self.engine.handle(self.now, input);
        if self.rng.one_in(300) && !self.accounts.is_coming_up {
            return self.crash(); // Before the commit: nothing of it has happened.
        }
        let mut orders = Vec::new();
        for effect in effects {
            match effect {
                Effect::Emit(event) => self.hear(Record { at: self.now, event }),
                Effect::Order(order) => orders.push(order),
            }
        }
        if self.rng.one_in(100) && !self.accounts.is_coming_up {
            return self.crash(); // After the commit, before the orders.
        }
        orders.into_iter().for_each(|order| self.carry_out(order));
    }

    fn hear(&mut self, record: Record) {
        if self.is_told {
            let at = walker::UTC.civil(record.at);
            println!("{at} {} {}", record.at.0, serde_json::to_string(&record.event).unwrap());
        }
        self.accounts.observe(&record);
        self.journal.push(written(record));
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start { attempt } => {
                let most = if self.rng.one_in(6) { 3 * HOUR } else { 10 * MINUTE };
                let exit = Exit::Code { code: i32::from(self.rng.one_in(4)) };
                let ends = self.now + Millis(1 + self.rng.below(most));
                let twice = self.processes.insert(attempt, (ends, exit));
                assert!(twice.is_none(), "{attempt:?} started twice");
            }
            Order::Stop { attempt, .. } => {
                let soon = self.now + Millis(1);
                if let Some((ends, _)) = self.processes.get_mut(&attempt) {
                    *ends = soon.min(*ends);
                }
            }
            // Nothing is frozen here, and who survives a host is told to go on.
            Order::Resume { .. } => {}
            // Here nobody knows what is usual.
            Order::Recall { .. } => {}
            Order::Prepare { .. } | Order::Pause { .. } | Order::Ask { .. } | Order::Clean { .. } => {
                panic!("leaves as plain as these need no {order:?}")
            }
        }
    }

    fn check(&self) {
        if self.journal.len().is_multiple_of(16) {
            assert_eq!(
                *self.engine.state(),
                State::default().replay(&self.journal),
                "the journal is not the state"
            );
        }
        self.accounts.check(self.now, &self.engine);
    }
}

fn task(number: u64) -> TaskName {
    TaskName::new(&format!("d{number}")).unwrap()
}

fn plan(task: &TaskName) -> PlanRef {
    let leaf = Leaf::new(task.clone(), Action::Exec { argv: vec!["true".into()] });
    let nodes = vec![Node::new(Arc::new(leaf), Vec::new())];
    let (definition, params, groups) = ("d".into(), Params::new(), Vec::new());
    PlanRef::new(Arc::new(Plan {
        task: task.clone(),
        definition,
        params,
        groups,
        expect: Default::default(),
        nodes,
    }))
}

fn wish(rng: &mut Rng, almanac: &'static Almanac) -> (Wish, Form) {
    let task = task(rng.below(TASKS));
    let form = form(rng, almanac);
    // As `Timetable::key` has it, and with a number, because two may be drawn alike.
    let key = format!("{task}: {} ({}) {}", form.text(), almanac.zone.name(), rng.below(1 << 40));
    let schedule = form.schedule(&almanac.zone);
    (Wish { key: ScheduleKey(key.into()), task, schedule }, form)
}

fn form(rng: &mut Rng, almanac: &'static Almanac) -> Form {
    let early: Vec<u32> = (0..6).filter(|_| rng.one_in(2)).collect();
    let hours = if early.is_empty() { vec![2] } else { early };
    let minutes = [vec![0], vec![30], vec![0, 30], vec![15, 45], vec![59]][rng.below(5) as usize].clone();
    let all_hours = || ("*".to_owned(), (0..24).collect());
    let written = |numbers: &[u32]| {
        (numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(","), numbers.to_vec())
    };
    let step = |step: u32| (format!("*/{step}"), (0..60).step_by(step as usize).collect());
    match rng.below(10) {
        0 => Form::Beat { minutes: step(15), hours: all_hours() },
        1 => Form::Beat { minutes: step(20), hours: written(&hours) },
        2 => Form::Beat { minutes: ("*".into(), (0..60).collect()), hours: written(&[2]) },
        3 => Form::Beat { minutes: written(&minutes), hours: all_hours() },
        4..=6 => {
            let gap = [None, Some(Gap::RunAfter), Some(Gap::Skip)][rng.below(3) as usize];
            let fold = [Fold::First, Fold::Second, Fold::Both][rng.below(3) as usize];
            Form::Fixed { minutes, hours, gap, fold }
        }
        7 if rng.one_in(4) => Form::Every(Millis(MINUTE)),
        7 => Form::At(Moment(almanac.day.0 + rng.below(DAY / 1000) * 1000)),
        _ => Form::Every(Millis(MINUTE * [7, 10, 90, 300][rng.below(4) as usize])),
    }
}

fn firing(rng: &mut Rng) -> Firing {
    let overlaps =
        [Overlap::Skip, Overlap::QueueOne, Overlap::QueueAll, Overlap::CancelRunning, Overlap::Allow];
    let catchups = [Catchup::None, Catchup::None, Catchup::Last, Catchup::All];
    Firing {
        overlap: overlaps[rng.below(5) as usize],
        catchup: catchups[rng.below(4) as usize],
        catchup_window: Millis([MINUTE, HOUR, 5 * HOUR, 7 * DAY][rng.below(4) as usize]),
        jitter: Millis(if rng.one_in(2) { rng.below(10 * MINUTE) } else { 0 }),
        pause_on_failure: rng.one_in(8).then(|| 1 + rng.below(3) as u32),
    }
}
