//! The promises about the state as a whole, at every moment.

use super::ledger::Ledger;
use super::rules::{Says, fates, says};
use super::{sharing, turns};
use neap::base::{JobId, Moment};
use neap::engine::{Capacity, Job, Phase, Run, RunPhase, Standing, State};

pub(super) struct Sight<'w> {
    pub(super) state: &'w State,
    pub(super) ledger: &'w Ledger,
    pub(super) now: Moment,
    pub(super) capacity: &'w Capacity,
}

impl Sight<'_> {
    pub(super) fn check(&self) {
        sharing::check(self.state, self.capacity, &self.ledger.rates, self.now);
        turns::check(self.state);
        self.ledger.lateness.check(self.state, self.now);
        let standing = Standing::of(self.state, self.capacity, self.now);
        for (&id, run) in &self.state.runs {
            assert!(!run.is_over(), "{id:?} is over and still here");
            assert_eq!(run.is_behind, self.ledger.is_behind(id), "{id:?}: whose turn is it?");
            assert!(!run.is_behind || self.ledger.older_than(id).is_some(), "{id:?} waits for nobody");
            for (index, job) in run.jobs.iter().enumerate() {
                let id = JobId { run: id, index: index as u32 };
                self.check_job(id, job, run, &standing);
                self.check_waiting(id, job, run);
            }
        }
    }

    fn check_job(&self, id: JobId, job: &Job, run: &Run, standing: &Standing) {
        assert!(!matches!(job.phase, Phase::Ended { .. }), "{id:?} was left without a verdict");
        if let Some(deadline) = job.phase.deadline() {
            assert!(deadline > self.now, "{id:?} overslept {deadline:?}");
        }
        if let Some(since) = self.ledger.queued.get(&id).filter(|_| job.phase == Phase::Queued) {
            let patience = self.state.leaf(id).timeout_queue;
            let is_held = matches!(run.phase, RunPhase::Paused(_));
            assert!(
                is_held || patience.is_none_or(|most| *since + most > self.now),
                "{id:?} waits for too long"
            );
        }
        let is_at_rest = job.phase.is_live() || job.phase.is_done();
        assert_eq!(
            self.state.why_waiting(id, standing).is_none(),
            is_at_rest,
            "{id:?} cannot say why it waits"
        );
        let is_cancelling = matches!(run.phase, RunPhase::Cancelling { .. });
        let is_idle = matches!(
            job.phase,
            Phase::Waiting
                | Phase::Delayed { .. }
                | Phase::Preparing { .. }
                | Phase::Queued
                | Phase::Backoff { .. }
        );
        assert!(
            !(is_cancelling && is_idle) || self.ledger.is_spared(id),
            "{id:?} was forgotten by the cancel"
        );
    }

    /// Nothing waits that could go, and nothing waits for what can never come.
    fn check_waiting(&self, id: JobId, job: &Job, run: &Run) {
        if let Some(place) = &job.cell {
            let parent = &run.jobs[place.parent as usize];
            let cells = &run.jobs[parent.cells.start as usize..parent.cells.end as usize];
            let going =
                cells.iter().filter(|cell| !matches!(cell.phase, Phase::Waiting | Phase::Done(_))).count();
            let spread = run.node(place.parent).leaf.spread.as_ref().expect("a cell is one of many");
            let most = spread.max_parallel.map_or(usize::MAX, |most| most as usize);
            assert!(going <= most, "{going} cells at once beside {id:?}");
            assert!(job.phase != Phase::Waiting || going == most, "{id:?} waits, and it could go");
        } else if job.phase == Phase::Waiting && !run.is_waiting {
            assert_eq!(says(self.ledger, id), Says::Wait, "{id:?} waits: {:?}", fates(self.ledger, id));
        }
        if job.phase == Phase::Spread {
            let open = run.jobs[job.cells.start as usize..job.cells.end as usize]
                .iter()
                .any(|cell| !cell.phase.is_done());
            assert!(open, "{id:?} waits for cells that are all done");
        }
    }
}
