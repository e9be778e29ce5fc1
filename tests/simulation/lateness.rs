//! Runs that are expected to start and to end in time, and an onlooker that knows from the events alone who is late.

use super::plans::Rng;
use neap::base::{Millis, Moment, RunId};
use neap::definition::Expect;
use neap::engine::{Event, Expectation, Record, State};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn random_expect(rng: &mut Rng) -> Expect {
    let mut some = |most: u64| rng.one_in(4).then(|| Millis(1 + rng.below(most)));
    Expect { started_within: some(200), finished_within: some(1000), max_duration: some(400) }
}

/// What is expected of each run that goes on, and what was told.
#[derive(Default)]
pub(super) struct Lateness {
    runs: BTreeMap<RunId, Expected>,
    told: BTreeSet<(RunId, Expectation)>,
}

struct Expected {
    expect: Expect,
    /// The moment it stands for, or at which it was asked for.
    asked: Moment,
    started: Option<Moment>,
    /// How long it may take, as the host said last.
    usual: Option<Millis>,
}

impl Expected {
    fn due(&self, what: Expectation) -> Option<Moment> {
        match what {
            Expectation::Started if self.started.is_some() => None,
            Expectation::Started => Some(self.asked + self.expect.started_within?),
            Expectation::Finished => Some(self.asked + self.expect.finished_within?),
            Expectation::Duration => Some(self.started? + self.expect.max_duration?),
            Expectation::Usual => Some(self.started? + self.usual?),
        }
    }
}

const OF_PLANS: [Expectation; 3] = [Expectation::Started, Expectation::Finished, Expectation::Duration];

impl Lateness {
    /// The host has said how long the run may take.
    pub(super) fn recalled(&mut self, run: RunId, limit: Option<Millis>) {
        if let (Some(expected), Some(limit)) = (self.runs.get_mut(&run), limit) {
            assert!(expected.started.is_some(), "{run:?} has not begun, and is compared");
            expected.usual = Some(limit);
        }
    }

    pub(super) fn observe(&mut self, record: &Record) {
        match &record.event {
            Event::RunCreated(new) => {
                let asked = new.trigger.slot().unwrap_or(record.at);
                let expect = new.plan.plan().expect.clone();
                self.runs.insert(new.run, Expected { expect, asked, started: None, usual: None });
            }
            Event::AttemptStarted { attempt, .. } => {
                let run = attempt.job.run;
                self.nothing_untold(run, record.at, &[Expectation::Started]);
                let expected = self.runs.get_mut(&run).expect("it was created");
                expected.started = expected.started.or(Some(record.at));
            }
            Event::RunLate { run, what, .. } => {
                let due = self.runs[run].due(*what);
                assert!(due.is_some_and(|due| due <= record.at), "{run:?} is not late: {what:?}, {due:?}");
                assert!(self.told.insert((*run, *what)), "{run:?}: {what:?} was told twice");
            }
            Event::RunFinished { run, .. } => {
                // One that never started was perhaps never expected to. What is usual the next host has to ask for again.
                self.nothing_untold(*run, record.at, &OF_PLANS[1..]);
                self.runs.remove(run);
            }
            _ => {}
        }
    }

    /// What is late by now has been told.
    pub(super) fn check(&self, state: &State, now: Moment) {
        for (&run, r) in &state.runs {
            self.nothing_untold(run, now, &OF_PLANS);
            let told: BTreeSet<Expectation> = r.late.iter().map(|late| late.what).collect();
            let expected: BTreeSet<Expectation> =
                self.told.iter().filter(|(of, _)| *of == run).map(|(_, what)| *what).collect();
            assert_eq!(told, expected, "{run:?}");
        }
    }

    fn nothing_untold(&self, run: RunId, now: Moment, expectations: &[Expectation]) {
        for &what in expectations {
            let due = self.runs[&run].due(what);
            let is_told = self.told.contains(&(run, what));
            assert!(
                is_told || due.is_none_or(|due| due > now),
                "{run:?} is late, and nobody says so: {what:?}"
            );
        }
    }
}
