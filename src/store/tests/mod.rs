//! The promises of the store, against the real SQLite in real directories.

mod crash;
mod disk_full;
mod golden;
mod opening;
mod reading;
mod samples;
mod writing;

use super::*;
use crate::base::{JobId, Moment, RunId, TaskName};
use crate::definition::{Action, Leaf};
use crate::engine::{Author, Event, NewRun, PlanRef, RunOutcome, ScheduleKey, Trigger};
use crate::plan::{Node, Plan};
use std::future::Future;
use std::time::Duration;
use tempfile::TempDir;

/// Long enough for a machine under load; reached only by a failure.
const DEADLINE: Duration = Duration::from_secs(60);

#[track_caller]
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, future).await.expect("an answer in time") })
}

#[track_caller]
fn open(dir: &TempDir) -> (Store, Recovered) {
    Store::open(dir.path()).unwrap()
}

/// Commits one batch and waits until it is written.
#[track_caller]
fn commit(store: &Store, events: Vec<Event>) -> Result<Seq, StoreError> {
    wait(store.commit(stamp(1, events), Durability::Written))
}

/// The same time for all of them.
fn stamp(at: u64, events: Vec<Event>) -> Vec<Record> {
    events.into_iter().map(|event| Record { at: Moment(at), event }).collect()
}

fn name(text: &str) -> TaskName {
    TaskName::new(text).unwrap()
}

fn key(text: &str) -> ScheduleKey {
    ScheduleKey(text.into())
}

fn leaf(text: &str) -> Leaf {
    Leaf::new(name(text), Action::Exec { argv: vec!["true".into()] })
}

/// A plan of `task` with these leaves in a row.
fn plan(task: &str, leaves: &[&str]) -> PlanRef {
    let node = |(index, text): (u32, &&str)| {
        Node::new(Arc::new(leaf(text)), index.checked_sub(1).into_iter().collect())
    };
    let nodes = (0..).zip(leaves).map(node).collect();
    let plan = Plan {
        task: name(task),
        definition: "0".into(),
        params: Default::default(),
        groups: Vec::new(),
        expect: Default::default(),
        nodes,
    };
    PlanRef::new(Arc::new(plan))
}

fn new_run(task: &str, run: u64, number: u64) -> NewRun {
    NewRun {
        run: RunId(run),
        number,
        plan: plan(task, &[task]),
        trigger: Trigger::Manual,
        by: Author("ada".into()),
        reason: None,
        priority: None,
        reused: Vec::new(),
        reused_outputs: Default::default(),
        force: false,
        bound: false,
        key: None,
        is_behind: false,
        waits: false,
    }
}

fn created(task: &str, run: u64, number: u64) -> Event {
    Event::RunCreated(Box::new(new_run(task, run, number)))
}

fn claimed(task: &str, run: u64, number: u64, slot: u64) -> Event {
    let trigger = Trigger::Schedule { key: key(task), slot: Moment(slot) };
    Event::RunCreated(Box::new(NewRun { trigger, by: Author::schedule(), ..new_run(task, run, number) }))
}

fn finished(run: u64, outcome: RunOutcome) -> Event {
    Event::RunFinished { run: RunId(run), outcome }
}

fn job(run: u64, index: u32) -> JobId {
    JobId { run: RunId(run), index }
}
