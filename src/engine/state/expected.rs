//! The index of what is expected of runs: derived from the plan, the slot, and what has been told already.

use super::State;
use crate::base::{Millis, Moment, RunId};
use crate::engine::expect::{Expectation, Late};

const OF_PLANS: [Expectation; 3] = [Expectation::Started, Expectation::Finished, Expectation::Duration];

impl State {
    /// The first moment at which a run will be late, and what is expected of it until then.
    pub fn first_expected(&self) -> Option<(Moment, RunId, Expectation)> {
        self.expected.first().copied()
    }

    /// How long the plan of a run gives it for this.
    pub(in crate::engine) fn limit_of(&self, run: RunId, what: Expectation) -> Option<Millis> {
        let expect = &self.runs[&run].plan.plan().expect;
        match what {
            Expectation::Started => expect.started_within,
            Expectation::Finished => expect.finished_within,
            Expectation::Duration => expect.max_duration,
            Expectation::Usual => None,
        }
    }

    /// From now on what is expected of the run counts as it is with it now.
    pub(super) fn expect(&mut self, id: RunId) {
        let moments = OF_PLANS.map(|what| self.expected_at(id, what));
        self.expected.extend(moments.into_iter().flatten());
    }

    /// What is expected of the run does not count until it is expected again. To be called before the run changes.
    pub(super) fn expect_nothing(&mut self, id: RunId) {
        for entry in OF_PLANS.map(|what| self.expected_at(id, what)).into_iter().flatten() {
            self.expected.remove(&entry);
        }
    }

    pub(super) fn note_late(&mut self, at: Moment, id: RunId, what: Expectation, limit: Millis) {
        self.expect_nothing(id);
        self.run_mut(id).late.push(Late { what, limit, since: at });
        self.expect(id);
    }

    /// The first attempt of the run starts.
    pub(super) fn note_run_start(&mut self, at: Moment, id: RunId) {
        if self.runs[&id].started.is_none() {
            self.expect_nothing(id);
            self.run_mut(id).started = Some(at);
            self.expect(id);
        }
    }

    fn expected_at(&self, id: RunId, what: Expectation) -> Option<(Moment, RunId, Expectation)> {
        let limit = self.limit_of(id, what)?;
        let run = &self.runs[&id];
        if run.late.iter().any(|late| late.what == what) {
            return None;
        }
        let asked = run.trigger.slot().unwrap_or(run.created);
        let from = match what {
            Expectation::Started => run.started.is_none().then_some(asked),
            Expectation::Finished => Some(asked),
            Expectation::Duration | Expectation::Usual => run.started,
        };
        Some((from? + limit, id, what))
    }
}
