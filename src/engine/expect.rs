//! Whether runs start and end when they are expected to. A run that is late goes on; it is only told, once for each
//! expectation.
//!
//! What is expected stands in the plan, except what is usual: that is looked up when a run has gone on for a while, so that
//! the many short ones cost nothing.

use super::{Effect, Engine, Event, Order, Run};
use crate::base::{Millis, Moment, RunId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A run that has gone on for so long is compared with earlier ones.
const RECALL: Millis = Millis::from_secs(10);

/// What was expected of a run and has not come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// Its first attempt starts within so long after its slot, or after it was asked for.
    Started,
    /// It ends within so long after its slot, or after it was asked for.
    Finished,
    /// It ends within so long after the start of its first attempt.
    Duration,
    /// It takes no much longer than earlier runs have taken from the start of their first attempts.
    Usual,
}

/// An expectation that has not come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Which.
    pub what: Expectation,
    /// How long it had.
    #[serde(rename = "limit_ms")]
    pub limit: Millis,
    /// When that was found.
    pub since: Moment,
}

impl Expectation {
    /// One word for machines: the key of `expect`, or `usual`.
    pub fn word(self) -> &'static str {
        match self {
            Expectation::Started => "started_within",
            Expectation::Finished => "finished_within",
            Expectation::Duration => "max_duration",
            Expectation::Usual => "usual",
        }
    }
}

/// As it is told of a run: `not started within 10m`.
impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        match self.what {
            Expectation::Started => write!(f, "not started within {limit}"),
            Expectation::Finished => write!(f, "not finished within {limit}"),
            Expectation::Duration => write!(f, "took more than {limit}"),
            Expectation::Usual => write!(f, "took more than {limit}, which is longer than usual"),
        }
    }
}

/// When runs that go on are compared with earlier ones. No state: it begins anew with each host.
#[derive(Debug, Default)]
pub(super) struct Patience {
    due: BTreeSet<(Moment, RunId)>,
    /// When it is due of each, and how long the run may take, once that is known.
    of: BTreeMap<RunId, (Moment, Option<Millis>)>,
}

impl Patience {
    pub(super) fn next(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    fn set(&mut self, run: RunId, at: Moment, limit: Option<Millis>) {
        self.end(run);
        self.due.insert((at, run));
        self.of.insert(run, (at, limit));
    }

    fn end(&mut self, run: RunId) -> Option<Millis> {
        let (at, limit) = self.of.remove(&run)?;
        self.due.remove(&(at, run));
        limit
    }

    /// Takes the first one that is due, with how long the run may take.
    fn take_due(&mut self, now: Moment) -> Option<(RunId, Option<Millis>)> {
        let (_, run) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        Some((run, self.end(run)))
    }
}

/// Whether it was told that the run takes longer than usual.
fn is_told(run: &Run) -> bool {
    run.late.iter().any(|late| late.what == Expectation::Usual)
}

impl Engine {
    /// Tells of what is late by now, as plans say.
    pub(super) fn tell_late(&mut self) {
        while let Some((_, run, what)) = self.state.first_expected().filter(|(at, _, _)| *at <= self.now) {
            let limit = self.state.limit_of(run, what).expect("it is expected because the plan says so");
            self.emit(Event::RunLate { run, what, limit });
        }
    }

    /// Compares runs that have gone on for a while with earlier ones.
    pub(super) fn compare(&mut self) {
        while let Some((run, limit)) = self.patience.take_due(self.now) {
            match limit {
                Some(limit) => self.emit(Event::RunLate { run, what: Expectation::Usual, limit }),
                None => self.effects.push(Effect::Order(Order::Recall { run })),
            }
        }
    }

    /// Something has happened to runs.
    pub(super) fn watch_patience(&mut self, event: &Event) {
        if let Event::AttemptStarted { attempt, .. } = event {
            let run = attempt.job.run;
            // The others of the same moment find it begun.
            if self.state.runs[&run].started == Some(self.now) && !self.patience.of.contains_key(&run) {
                self.patience.set(run, self.now + RECALL, None);
            }
        }
        if let Event::RunFinished { run, .. } = event {
            self.patience.end(*run);
        }
    }

    /// After a restart of the host what goes on is compared again.
    pub(super) fn recall_all(&mut self) {
        for (&run, r) in &self.state.runs {
            if let Some(started) = r.started.filter(|_| !is_told(r)) {
                self.patience.set(run, started + RECALL, None);
            }
        }
    }

    /// From the start of its first attempt the run may take so long, as earlier ones show. Nobody knows when they were few.
    pub(super) fn recalled(&mut self, run: RunId, limit: Option<Millis>) {
        let Some(r) = self.state.runs.get(&run) else { return };
        if let (Some(started), Some(limit), false) = (r.started, limit, is_told(r)) {
            self.patience.set(run, started + limit, Some(limit));
        }
    }
}
