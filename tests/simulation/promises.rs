//! The promises about the state as a whole, at every moment.

use super::ledger::Ledger;
use super::rules::{Says, fates, says};
use neap::base::{JobId, Moment};
use neap::engine::{Job, Phase, Run, RunPhase, State};
use std::collections::BTreeSet;

pub(super) struct Sight<'w> {
    pub(super) state: &'w State,
    pub(super) ledger: &'w Ledger,
    pub(super) now: Moment,
    pub(super) slots: usize,
}

impl Sight<'_> {
    pub(super) fn check(&self) {
        self.check_slots();
        for (&id, run) in &self.state.runs {
            assert!(!run.is_over(), "{id:?} is over and still here");
            assert_eq!(run.is_behind, self.ledger.is_behind(id), "{id:?}: whose turn is it?");
            assert!(!run.is_behind || self.ledger.older_than(id).is_some(), "{id:?} waits for nobody");
            for (index, job) in run.jobs.iter().enumerate() {
                let id = JobId { run: id, index: index as u32 };
                self.check_job(id, job, run);
                self.check_waiting(id, job, run);
            }
        }
    }

    /// Those that hold a slot need one, there are never too many, and nobody waits for a free one.
    fn check_slots(&self) {
        let state = self.state;
        let mut holders = BTreeSet::new();
        for (&run, r) in &state.runs {
            let holding = r.jobs.iter().enumerate().filter(|(_, job)| job.phase.holds_slot());
            holders.extend(holding.map(|(index, _)| JobId { run, index: index as u32 }));
        }
        holders.retain(|&job| !state.leaf(job).is_slotless());
        assert_eq!(*state.busy(), holders, "the index of slots is wrong");
        assert!(holders.len() <= self.slots, "more jobs than slots");
        let free = self.slots - holders.len();
        assert!(free == 0 || state.queue().next().is_none(), "a free slot, and somebody waits for one");
        let order: Vec<i64> = state.queue().map(|job| deserves(state, job)).collect();
        assert!(order.is_sorted(), "the queue is out of order");
    }

    fn check_job(&self, id: JobId, job: &Job, run: &Run) {
        assert!(!matches!(job.phase, Phase::Ended { .. }), "{id:?} was left without a verdict");
        if let Some(deadline) = job.phase.deadline() {
            assert!(deadline > self.now, "{id:?} overslept {deadline:?}");
        }
        let is_at_rest = job.phase.is_live() || job.phase.is_done();
        assert_eq!(self.state.why_waiting(id).is_none(), is_at_rest, "{id:?} cannot say why it waits");
        let is_held = matches!(run.phase, RunPhase::Paused(_));
        let wants_slot = job.phase == Phase::Queued && !is_held;
        assert!(
            !wants_slot || !run.leaf(id.index).is_slotless(),
            "{id:?} waits for a slot that it does not need"
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
        } else if job.phase == Phase::Waiting && !run.is_behind {
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

fn deserves(state: &State, job: JobId) -> i64 {
    let run = &state.runs[&job.run];
    let priority = run.priority.unwrap_or(state.node(job).leaf.priority);
    run.created.0 as i64 - i64::from(priority) * 60_000
}
