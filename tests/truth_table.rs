//! When a job runs: every rule over everything that can become of the jobs it needs, asked of the real engine. The same
//! tables stand in `docs/tasks.md`, and a test compares the two.

use neap::base::{JobId, Moment, RunId, TaskName};
use neap::definition::{Action, Leaf, Params, Rule, When};
use neap::engine::{
    Author, Effect, Engine, Event, Exit, Input, Order, Outcome, PlanRef, Preparation, Skip, State, Submission,
};
use neap::plan::{Node, Plan};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use Fate::*;
use Shown::*;

/// What becomes of a job that another one needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeded,
    UpToDate,
    Failed,
    FailedUncounted,
    ConditionFalse,
    NothingToDo,
    HeldBack,
    SkippedByRule,
    NotNeeded,
    Cancelled,
    StillRuns,
}

impl Fate {
    fn words(self) -> &'static str {
        match self {
            Succeeded => "succeeded",
            UpToDate => "is up to date",
            Failed => "failed",
            FailedUncounted => "failed, with `continue_on_error`",
            ConditionFalse => "is skipped by its `if`",
            NothingToDo => "found nothing to do",
            HeldBack => "is held back by a failure",
            SkippedByRule => "is skipped by its rule",
            NotNeeded => "is not needed after a `join`",
            Cancelled => "is cancelled with the run",
            StillRuns => "still runs",
        }
    }
}

/// What then becomes of the job that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Runs,
    Waits,
    /// Skipped, because a job it needs did not succeed.
    Held,
    /// Skipped by its rule.
    Skips,
    Ends,
}

impl Shown {
    fn words(self) -> &'static str {
        match self {
            Runs => "runs",
            Waits => "waits",
            Held => "held back",
            Skips => "skipped",
            Ends => "cancelled",
        }
    }
}

const fn join(min_succeeded: u32) -> Rule {
    Rule::Join { min_succeeded, cancel_rest: false }
}

const RULES: [(&str, Rule); 7] = [
    ("all_succeeded", Rule::AllSucceeded),
    ("all_ended", Rule::AllEnded),
    ("any_succeeded", Rule::AnySucceeded),
    ("any_failed", Rule::AnyFailed),
    ("none_failed", Rule::NoneFailed),
    ("always", Rule::Always),
    ("join", join(1)),
];

/// One job is needed, with `when: succeeded`; a column for each rule.
const ONE: &[(Fate, [Shown; 7])] = &[
    (Succeeded, [Runs, Runs, Runs, Skips, Runs, Runs, Runs]),
    (UpToDate, [Runs, Runs, Runs, Skips, Runs, Runs, Runs]),
    (ConditionFalse, [Runs, Runs, Skips, Skips, Runs, Runs, Skips]),
    (NothingToDo, [Runs, Runs, Skips, Skips, Runs, Runs, Skips]),
    (SkippedByRule, [Runs, Runs, Skips, Skips, Runs, Runs, Skips]),
    (NotNeeded, [Runs, Runs, Skips, Skips, Runs, Runs, Skips]),
    (FailedUncounted, [Runs, Runs, Skips, Skips, Runs, Runs, Skips]),
    (Failed, [Held, Runs, Held, Runs, Held, Runs, Held]),
    (HeldBack, [Held, Runs, Held, Runs, Held, Runs, Held]),
    (Cancelled, [Ends, Ends, Ends, Ends, Ends, Runs, Ends]),
    (StillRuns, [Waits, Waits, Waits, Waits, Waits, Waits, Waits]),
];

const WHENS: [(&str, When); 5] = [
    ("succeeded", When::Succeeded),
    ("failed", When::Failed),
    ("ended", When::Ended),
    ("skipped", When::Skipped),
    ("started", When::Started),
];

/// One job is needed by `all_succeeded`; a column for each `when`.
const EDGES: &[(Fate, [Shown; 5])] = &[
    (Succeeded, [Runs, Skips, Runs, Skips, Runs]),
    (UpToDate, [Runs, Skips, Runs, Runs, Skips]),
    (ConditionFalse, [Runs, Skips, Runs, Runs, Skips]),
    (NothingToDo, [Runs, Skips, Runs, Runs, Runs]),
    (SkippedByRule, [Runs, Skips, Runs, Runs, Skips]),
    (NotNeeded, [Runs, Skips, Runs, Runs, Skips]),
    (FailedUncounted, [Runs, Runs, Runs, Skips, Runs]),
    (Failed, [Held, Runs, Runs, Held, Runs]),
    (HeldBack, [Held, Runs, Runs, Runs, Held]),
    (StillRuns, [Waits, Waits, Waits, Waits, Runs]),
];

const SOME: [(&str, Rule); 5] = [
    ("any_succeeded", Rule::AnySucceeded),
    ("any_failed", Rule::AnyFailed),
    ("none_failed", Rule::NoneFailed),
    ("join of 1", join(1)),
    ("join of 2", join(2)),
];

/// Two jobs are needed, and end in this order; a column for each rule that need not wait for both.
const TWO: &[([Fate; 2], [Shown; 5])] = &[
    ([Succeeded, StillRuns], [Runs, Waits, Waits, Runs, Waits]),
    ([Failed, StillRuns], [Waits, Runs, Held, Waits, Held]),
    ([NothingToDo, StillRuns], [Waits, Waits, Waits, Waits, Skips]),
    ([FailedUncounted, StillRuns], [Waits, Waits, Waits, Waits, Skips]),
    ([Succeeded, Succeeded], [Runs, Skips, Runs, Runs, Runs]),
    ([Succeeded, Failed], [Runs, Runs, Held, Runs, Held]),
    ([Failed, Succeeded], [Runs, Runs, Held, Runs, Held]),
    ([Succeeded, NothingToDo], [Runs, Skips, Runs, Runs, Skips]),
    ([NothingToDo, Succeeded], [Runs, Skips, Runs, Runs, Skips]),
    ([Failed, NothingToDo], [Held, Runs, Held, Held, Held]),
    ([NothingToDo, Failed], [Held, Runs, Held, Held, Skips]),
    ([Failed, Failed], [Held, Runs, Held, Held, Held]),
    ([NothingToDo, NothingToDo], [Skips, Skips, Runs, Skips, Skips]),
];

#[test]
fn each_rule_over_one_job() {
    for (fate, row) in ONE {
        for ((_, rule), expected) in RULES.iter().zip(row) {
            check(*rule, &[(*fate, When::Succeeded)], *expected);
        }
    }
}

#[test]
fn each_when_over_one_job() {
    for (fate, row) in EDGES {
        for ((_, when), expected) in WHENS.iter().zip(row) {
            check(Rule::AllSucceeded, &[(*fate, *when)], *expected);
        }
    }
}

#[test]
fn each_rule_over_two_jobs() {
    for ([one, other], row) in TWO {
        for ((_, rule), expected) in SOME.iter().zip(row) {
            check(*rule, &[(*one, When::Succeeded), (*other, When::Succeeded)], *expected);
        }
    }
}

#[test]
fn the_documents_show_the_same_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tasks.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once("<!-- truth table -->\n").expect("the tables have a beginning");
    let (shown, _) = rest.split_once("<!-- /truth table -->").expect("the tables have an end");
    assert_eq!(shown, tables(), "what should stand there:\n\n{}", tables());
}

fn tables() -> String {
    let one = ONE.iter().map(|(fate, row)| (fate.words().to_owned(), &row[..]));
    let edges = EDGES.iter().map(|(fate, row)| (fate.words().to_owned(), &row[..]));
    let two = TWO.iter().map(|([one, other], row)| {
        let words = format!("one {}, then the other {}", one.words(), other.words());
        let words = words.replace("then the other still", "the other still");
        (words, &row[..])
    });
    let rules = table("the job that is needed", RULES.iter().map(|(name, _)| *name), one);
    let whens = table("`when`, by `all_succeeded`", WHENS.iter().map(|(name, _)| *name), edges);
    let pairs = table("of two jobs that are needed", SOME.iter().map(|(name, _)| *name), two);
    format!("{rules}\n{whens}\n{pairs}")
}

fn table<'t>(
    head: &str,
    columns: impl Iterator<Item = &'t str>,
    rows: impl Iterator<Item = (String, &'t [Shown])>,
) -> String {
    let names: Vec<String> = columns.map(|name| format!("`{name}`")).collect();
    let mut text = format!("| {head} | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (words, row) in rows {
        let cells: Vec<&str> = row.iter().map(|shown| shown.words()).collect();
        writeln!(text, "| {words} | {} |", cells.join(" | ")).unwrap();
    }
    text
}

#[track_caller]
fn check(rule: Rule, needs: &[(Fate, When)], expected: Shown) {
    let shown = Scene::new(rule, needs).play();
    assert_eq!(shown, expected, "{rule:?} over {needs:?}");
}

/// One run in which the jobs that are needed meet their fates.
struct Scene {
    engine: Engine,
    plan: Plan,
    /// What becomes of each job of the plan; those that bring a fate about succeed or fail.
    fates: Vec<Fate>,
    shown: Shown,
}

impl Scene {
    fn new(rule: Rule, needs: &[(Fate, When)]) -> Scene {
        let plan = Plan {
            task: TaskName::new("t").unwrap(),
            definition: "d".into(),
            params: Params::new(),
            groups: Vec::new(),
            expect: Default::default(),
            nodes: Vec::new(),
        };
        let engine = Engine::new(9, 1, State::default());
        let mut scene = Scene { engine, plan, fates: Vec::new(), shown: Waits };
        let places: Vec<u32> = needs.iter().map(|(fate, _)| scene.add_fated(*fate)).collect();
        let whens = needs.iter().map(|(_, when)| *when).collect();
        scene.add(StillRuns, rule, places, whens);
        scene
    }

    fn add(&mut self, fate: Fate, rule: Rule, needs: Vec<u32>, whens: Vec<When>) -> u32 {
        let index = self.plan.nodes.len() as u32;
        let name = TaskName::new(&format!("t/j{index}")).unwrap();
        let plain = Leaf::new(name, Action::Exec { argv: vec!["true".into()] });
        let is_templated = matches!(fate, UpToDate | ConditionFalse | NotNeeded);
        let leaf = Leaf { rule, is_templated, continue_on_error: fate == FailedUncounted, ..plain };
        self.plan.nodes.push(Node { whens, ..Node::new(Arc::new(leaf), needs) });
        self.fates.push(fate);
        index
    }

    /// A job, and what it takes to make this of it.
    fn add_fated(&mut self, fate: Fate) -> u32 {
        match fate {
            HeldBack => {
                let failing = self.add(Failed, Rule::AllSucceeded, Vec::new(), Vec::new());
                self.add(fate, Rule::AllSucceeded, vec![failing], Vec::new())
            }
            SkippedByRule => {
                let good = self.add(Succeeded, Rule::AllSucceeded, Vec::new(), Vec::new());
                self.add(fate, Rule::AllSucceeded, vec![good], vec![When::Failed])
            }
            NotNeeded => {
                let good = self.add(Succeeded, Rule::AllSucceeded, Vec::new(), Vec::new());
                let rest = self.add(fate, Rule::AllSucceeded, Vec::new(), Vec::new());
                let first = Rule::Join { min_succeeded: 1, cancel_rest: true };
                self.add(Succeeded, first, vec![good, rest], Vec::new());
                rest
            }
            Succeeded | UpToDate | Failed | FailedUncounted | ConditionFalse | NothingToDo | Cancelled
            | StillRuns => self.add(fate, Rule::AllSucceeded, Vec::new(), Vec::new()),
        }
    }

    /// Carries out every order until nothing is left to do.
    fn play(mut self) -> Shown {
        let plan = PlanRef::new(Arc::new(self.plan.clone()));
        let me = Author("me".into());
        let mut inputs = VecDeque::from([Input::Submit(Submission::new(plan, me.clone()))]);
        if self.fates.contains(&Cancelled) {
            inputs.push_back(Input::Cancel { run: RunId(1), by: me, reason: None, now: false });
        }
        while let Some(input) = inputs.pop_front() {
            for effect in self.engine.handle(Moment(1), input) {
                match effect {
                    Effect::Emit(event) => self.see(&event),
                    Effect::Order(order) => inputs.extend(self.report(&order)),
                }
            }
        }
        self.shown
    }

    /// What the order leads to; nothing for what goes on.
    fn report(&self, order: &Order) -> Option<Input> {
        match order {
            Order::Start { attempt } | Order::Stop { attempt, .. } => {
                let exit = match self.fates[attempt.job.index as usize] {
                    Failed | FailedUncounted => Exit::Code { code: 1 },
                    NothingToDo => Exit::Skipped { reason: "nothing new".into() },
                    StillRuns => return None,
                    // It goes on until it is stopped.
                    Cancelled if matches!(order, Order::Start { .. }) => return None,
                    _ => Exit::Code { code: 0 },
                };
                Some(Input::Ended { attempt: *attempt, exit, usage: None, outputs: Params::new() })
            }
            Order::Pause { .. } | Order::Resume { .. } => None,
            Order::Prepare { job } => {
                let why = match self.fates[job.index as usize] {
                    UpToDate => Skip::Fresh { reason: "nothing has changed".into() },
                    ConditionFalse => Skip::Condition { text: "false".into() },
                    _ => return None,
                };
                Some(Input::Prepared { job: *job, found: Preparation::Skip(why) })
            }
            Order::Ask { .. } | Order::Clean { .. } | Order::Recall { .. } => None,
        }
    }

    fn see(&mut self, event: &Event) {
        let last = JobId { run: RunId(1), index: self.plan.nodes.len() as u32 - 1 };
        match event {
            Event::JobQueued { job } if *job == last => self.shown = Runs,
            Event::JobFinished { job, outcome, .. } if *job == last => {
                self.shown = match outcome {
                    Outcome::Skipped { why: Skip::Needs { .. } } => Held,
                    Outcome::Skipped { why: Skip::Rule { .. } } => Skips,
                    Outcome::Cancelled => Ends,
                    _ => panic!("{outcome:?} is none of the answers"),
                };
            }
            _ => {}
        }
    }
}
