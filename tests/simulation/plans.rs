//! Random plans: what people could write, and what nobody would.

use super::lateness::random_expect;
use super::sharing::random_sharing;
use super::turns::random_groups;
use neap::base::{Millis, TaskName};
use neap::definition::{
    Action, Again, Catchup, Cleanup, Firing, Hook, Leaf, OnHookError, Over, Overlap, Params, Repeat, Retry,
    Rule, Sharing, Signal, Spread, Stop, When,
};
use neap::plan::{Node, Plan};
use neap::schedule::{End, Occasion};
use std::sync::Arc;

/// Xorshift: enough randomness for a story, and the same story every time.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A plan of up to eight jobs; those at the end may be there to tidy up after all others.
pub(super) fn random_plan(rng: &mut Rng, number: u64) -> Plan {
    let task = TaskName::new(&format!("t{}", rng.below(4))).unwrap();
    let count = 1 + rng.below(6) as usize;
    let mut nodes: Vec<Node> = (0..count).map(|index| random_node(rng, &task, index)).collect();
    if rng.one_in(3) {
        for index in count..count + 1 + rng.below(2) as usize {
            let leaf = Leaf { rule: Rule::Always, ..random_leaf(rng, &task, index) };
            nodes.push(Node::new(Arc::new(leaf), (0..index as u32).collect()));
        }
    }
    Plan {
        definition: format!("{number}").into(),
        params: Params::new(),
        groups: random_groups(rng, &task),
        expect: random_expect(rng),
        nodes,
        task,
    }
}

/// How the slots of a schedule become runs.
pub(super) fn random_firing(rng: &mut Rng) -> Firing {
    let overlap = match rng.below(6) {
        0 => Overlap::QueueOne,
        1 => Overlap::QueueAll,
        2 => Overlap::CancelRunning,
        3 => Overlap::Allow,
        _ => Overlap::Skip,
    };
    let catchup = match rng.below(5) {
        0 => Catchup::Last,
        1 => Catchup::All,
        _ => Catchup::None,
    };
    Firing {
        overlap,
        catchup,
        catchup_window: Millis(60_000 + rng.below(60_000)),
        jitter: Millis(if rng.one_in(3) { rng.below(2000) } else { 0 }),
        pause_on_failure: rng.one_in(4).then(|| 1 + rng.below(3) as u32),
    }
}

/// What else makes a schedule fire.
pub(super) fn random_occasion(rng: &mut Rng) -> Occasion {
    if rng.one_in(4) {
        return Occasion::Startup;
    }
    let name = ["t0", "t1", "s0", "s1"][rng.below(4) as usize];
    let when = [End::Succeeded, End::Failed, End::Ended][rng.below(3) as usize];
    Occasion::After { task: TaskName::new(name).unwrap(), when }
}

fn random_node(rng: &mut Rng, task: &TaskName, index: usize) -> Node {
    let needs: Vec<u32> = (0..index as u32).filter(|_| rng.one_in(3)).collect();
    let mut leaf = random_leaf(rng, task, index);
    let is_plain = rng.one_in(2);
    // A rule about dependencies is refused where there are none.
    if !needs.is_empty() && !is_plain {
        leaf.rule = random_rule(rng, needs.len() as u64);
    }
    let whens = if rng.one_in(3) { needs.iter().map(|_| random_when(rng)).collect() } else { Vec::new() };
    Node { whens, ..Node::new(Arc::new(leaf), needs) }
}

fn random_rule(rng: &mut Rng, needs: u64) -> Rule {
    match rng.below(9) {
        0 => Rule::AllEnded,
        1 => Rule::AnySucceeded,
        2 => Rule::AnyFailed,
        3 => Rule::NoneFailed,
        4 => Rule::Always,
        5..=7 => Rule::Join { min_succeeded: 1 + rng.below(needs) as u32, cancel_rest: !rng.one_in(3) },
        _ => Rule::AllSucceeded,
    }
}

fn random_when(rng: &mut Rng) -> When {
    match rng.below(7) {
        0 => When::Failed,
        1 => When::Ended,
        2 => When::Skipped,
        3 | 4 => When::Started,
        _ => When::Succeeded,
    }
}

fn random_leaf(rng: &mut Rng, task: &TaskName, index: usize) -> Leaf {
    let hooks = rng.one_in(4).then(|| Hook { file: "h.lua".into(), on_error: OnHookError::Warn });
    let cleanup = rng.one_in(5).then(|| Cleanup::Remove { path: "x".into() });
    let name = task.child(&format!("j{index}")).unwrap();
    let function = rng.one_in(8).then_some("approval");
    let action = match function {
        Some(function) => Action::Call { function: function.into(), with: Default::default() },
        None => Action::Exec { argv: vec!["true".into()] },
    };
    Leaf {
        is_templated: rng.one_in(5),
        spread: rng.one_in(6).then(|| random_spread(rng)),
        repeat: rng.one_in(8).then(|| random_repeat(rng)),
        sharing: if rng.one_in(3) { random_sharing(rng) } else { Sharing::default() },
        timeout_queue: rng.one_in(8).then(|| Millis(1 + rng.below(150))),
        priority: rng.below(3) as i32,
        timeout: rng.one_in(2).then(|| Millis(1 + rng.below(150))),
        timeout_total: rng.one_in(4).then(|| Millis(1 + rng.below(300))),
        delay: Millis(if rng.one_in(5) { rng.below(100) } else { 0 }),
        stop: Stop { signal: Signal::TERM, grace: Millis(rng.below(30)) },
        retry: Retry {
            attempts: 1 + rng.below(3) as u32,
            delay: Millis(rng.below(50)),
            jitter: 0.5,
            on_exit: if rng.one_in(6) { vec![7] } else { Vec::new() },
            not_on_exit: if rng.one_in(6) { vec![1] } else { Vec::new() },
            ..Retry::default()
        },
        hooks: hooks.into_iter().collect(),
        cleanup: cleanup.into_iter().collect(),
        continue_on_error: rng.one_in(8),
        ..Leaf::new(name, action)
    }
}

fn random_spread(rng: &mut Rng) -> Spread {
    Spread {
        over: Over::Items { items: "${{ list }}".into(), name: "item".into() },
        max_parallel: (!rng.one_in(3)).then(|| 1 + rng.below(3) as u32),
        fail_fast: rng.one_in(2),
    }
}

fn random_repeat(rng: &mut Rng) -> Repeat {
    let again = Again::Until("outputs.ready".into());
    Repeat { again, every: Millis(rng.below(20)), limit: 1 + rng.below(3) as u32 }
}
