//! What is found out about a job before it may start, and jobs that become many.

use super::Engine;
use crate::base::JobId;
use crate::engine::{Cause, Cell, Event, Outcome, Phase, Preparation, Skip};
use std::sync::Arc;

impl Engine {
    pub(super) fn prepared(&mut self, job: JobId, found: Preparation) {
        // The report may come after a cancel, after the deadline, or twice.
        let is_awaited =
            self.state.find_job(job).is_some_and(|state| matches!(state.phase, Phase::Preparing { .. }));
        if !is_awaited {
            return;
        }
        match found {
            Preparation::Ready { leaf, params, fingerprint } => {
                self.emit(Event::JobPrepared { job, leaf, params, fingerprint, outputs: None });
                self.emit(Event::JobQueued { job });
            }
            Preparation::Cells(cells) if cells.is_empty() => {
                let why = Skip::Asked { reason: "there are no items".into() };
                self.conclude(job, Outcome::Skipped { why });
            }
            Preparation::Cells(cells) => {
                let first = self.state.runs[&job.run].jobs.len() as u32;
                let cells = (first..).zip(cells).map(|(index, (name, values))| Cell { index, name, values });
                let cells = cells.collect();
                self.emit(Event::JobSpread { job, cells });
                self.release_cells(job);
            }
            Preparation::Fresh { reason, outputs } => {
                if !outputs.is_empty() {
                    let outputs = Some(Arc::new(outputs));
                    let (leaf, params, fingerprint) = (None, None, None);
                    self.emit(Event::JobPrepared { job, leaf, params, fingerprint, outputs });
                }
                self.conclude(job, Outcome::Skipped { why: Skip::Fresh { reason } });
            }
            Preparation::Skip(why) => self.conclude(job, Outcome::Skipped { why }),
            Preparation::Fail(cause) => self.conclude(job, Outcome::Failed { cause }),
        }
    }

    pub(super) fn preparation_took_too_long(&mut self, job: JobId) {
        let message = "what it needs to know before its start was not found out in time".into();
        self.conclude(job, Outcome::Failed { cause: Cause::Unprepared { message } });
    }

    /// Lets as many cells go on as may at once. They are released in order, so those that wait stand at the end.
    fn release_cells(&mut self, parent: JobId) {
        let cells = self.state.job(parent).cells.clone();
        let most = self.state.node(parent).leaf.spread.as_ref().and_then(|spread| spread.max_parallel);
        let is_waiting = |engine: &Engine, index: u32| {
            engine.state.job(JobId { run: parent.run, index }).phase == Phase::Waiting
        };
        let count = cells.len() as u32;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_waiting(self, cells.start + middle) { high = middle } else { low = middle + 1 }
        }
        let open = self.state.job(parent).open_cells;
        let going = open.saturating_sub(count - low);
        let more = most.unwrap_or(u32::MAX).saturating_sub(going).min(count - low);
        for index in cells.start + low..cells.start + low + more {
            let cell = JobId { run: parent.run, index };
            if is_waiting(self, index) {
                self.go(cell);
            }
        }
    }

    /// A cell is done: the next one may go on, the others may be in vain, or the whole is done.
    pub(super) fn cell_done(&mut self, cell: JobId) {
        let Some(place) = self.state.find_job(cell).and_then(|job| job.cell.clone()) else { return };
        let parent = JobId { run: cell.run, index: place.parent };
        let Some(state) = self.state.find_job(parent).filter(|state| state.phase == Phase::Spread) else {
            return;
        };
        if state.open_cells == 0 {
            let outcome = self.outcome_of_cells(parent);
            return self.conclude(parent, outcome);
        }
        match &self.state.job(cell).phase {
            // The others end for the same reason, one by one.
            Phase::Done(Outcome::Cancelled | Outcome::Skipped { why: Skip::NotNeeded { .. } }) => {}
            Phase::Done(Outcome::Failed { .. }) if self.failed_cell(parent).is_some() => {
                self.not_needed(parent, cell.index);
            }
            _ => self.release_cells(parent),
        }
    }

    /// The cell whose failure makes the others needless, if there is one.
    pub(super) fn failed_cell(&self, parent: JobId) -> Option<u32> {
        let leaf = &self.state.node(parent).leaf;
        let fails_fast = leaf.spread.as_ref().is_some_and(|spread| spread.fail_fast);
        if !fails_fast || leaf.continue_on_error {
            return None;
        }
        let jobs = &self.state.runs[&parent.run].jobs;
        let has_failed =
            |&index: &u32| matches!(jobs[index as usize].phase, Phase::Done(Outcome::Failed { .. }));
        self.state.job(parent).cells.clone().find(has_failed)
    }

    /// The first failure counts, then a cancel, then that nobody needed the rest; a job of which every cell was skipped is
    /// skipped.
    fn outcome_of_cells(&self, parent: JobId) -> Outcome {
        let cells = self.state.job(parent).cells.clone();
        let outcome = |index: u32| match &self.state.job(JobId { run: parent.run, index }).phase {
            Phase::Done(outcome) => Some((index, outcome)),
            _ => None,
        };
        let outcomes: Vec<(u32, &Outcome)> = cells.filter_map(outcome).collect();
        let root = self.state.runs[&parent.run].root;
        let failed = |(_, outcome): &&(u32, &Outcome)| matches!(outcome, Outcome::Failed { .. });
        let first = outcomes.iter().filter(failed).map(|(index, _)| *index);
        let first = first.clone().find(|index| Some(*index) == root).or(first.clone().next());
        if let Some(job) = first {
            return Outcome::Failed { cause: Cause::Cell { job } };
        }
        if outcomes.iter().any(|(_, outcome)| **outcome == Outcome::Cancelled) {
            return Outcome::Cancelled;
        }
        let not_needed =
            |outcome: &Outcome| matches!(outcome, Outcome::Skipped { why: Skip::NotNeeded { .. } });
        if let Some((_, outcome)) = outcomes.iter().find(|(_, outcome)| not_needed(outcome)) {
            return (*outcome).clone();
        }
        match outcomes.first() {
            Some((_, Outcome::Skipped { why }))
                if outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Skipped { .. })) =>
            {
                Outcome::Skipped { why: why.clone() }
            }
            _ => Outcome::Succeeded,
        }
    }
}
