//! What a decision costs while many jobs wait: `cargo bench --bench queue`, and `WAITING=n` for other numbers.
//!
//! One run of so many jobs is created, then a thousand jobs end one after the other, each of which lets another start. What
//! is told is the time of one such input, and that of an input that changes nothing.

use neap::base::{AttemptId, Moment, RunId, TaskName};
use neap::definition::{Action, Leaf, Lock, LockMode, Params};
use neap::engine::{Author, Effect, Engine, Exit, Input, Order, PlanRef, State, Submission};
use neap::plan::{Node, Plan};
use std::sync::Arc;
use std::time::Instant;

const ENDS: u32 = 1000;

fn main() {
    // `cargo test --benches` runs this too; it has nothing to say there.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let waiting: usize = std::env::var("WAITING").map_or(100_000, |n| n.parse().expect("a number"));
    measure("nothing but a slot", waiting, |_| Vec::new());
    measure("one lock", waiting, |_| vec![exclusive("one".into())]);
    measure("100 locks", waiting, |index| vec![exclusive(format!("l{}", index % 100))]);
    measure("two of 100 locks", waiting, |index| {
        vec![exclusive(format!("l{}", index % 100)), exclusive(format!("m{}", index / 7 % 100))]
    });
}

fn exclusive(name: String) -> Lock {
    Lock { name, mode: LockMode::Exclusive }
}

fn measure(what: &str, waiting: usize, locks: impl Fn(usize) -> Vec<Lock>) {
    let mut engine = Engine::new(8, 1, State::default());
    let node = |index: usize| {
        let name = TaskName::new(&format!("t/j{index}")).expect("it is a good name");
        let mut leaf = Leaf::new(name, Action::Exec { argv: vec!["true".into()] });
        leaf.sharing.locks = locks(index);
        Node::new(Arc::new(leaf), Vec::new())
    };
    let plan = Plan {
        task: TaskName::new("t").expect("it is a good name"),
        definition: "d".into(),
        params: Params::new(),
        groups: Vec::new(),
        expect: Default::default(),
        nodes: (0..waiting).map(node).collect(),
    };
    let plan = PlanRef::with_hash("00".into(), Arc::new(plan));
    let submission = Submission::new(plan, Author("bench".into()));
    let mut going = started(engine.handle(Moment(1), Input::Submit(submission)));
    let began = Instant::now();
    for _ in 0..ENDS {
        let attempt = going.pop().expect("somebody always goes on");
        let ended =
            Input::Ended { attempt, exit: Exit::Code { code: 0 }, usage: None, outputs: Params::new() };
        going.extend(started(engine.handle(Moment(2), ended)));
    }
    let end = began.elapsed() / ENDS;
    let began = Instant::now();
    for _ in 0..ENDS {
        engine.handle(Moment(3), Input::Pause { run: RunId(9), by: Author("bench".into()), reason: None });
    }
    let idle = began.elapsed() / ENDS;
    println!(
        "{waiting} jobs wait for {what}: {end:?} for an end, {idle:?} for an input that changes nothing"
    );
}

fn started(effects: Vec<Effect>) -> Vec<AttemptId> {
    let start = |effect| match effect {
        Effect::Order(Order::Start { attempt }) => Some(attempt),
        Effect::Order(_) | Effect::Emit(_) => None,
    };
    effects.into_iter().filter_map(start).collect()
}
