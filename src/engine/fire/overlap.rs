//! What a run of the task that goes on means for a slot, and how a run that waits for its turn gets it.

use crate::base::{Moment, RunId, TaskName};
use crate::definition::Overlap;
use crate::engine::{
    Armed, Author, Engine, Event, PlanRef, RunPhase, ScheduleKey, SlotSkip, Submission, Trigger,
};
use std::sync::Arc;

/// So many runs of one task wait for their turn at most.
const MOST_WAITING: usize = 1000;

/// What becomes of a slot.
enum Verdict {
    Now,
    /// A run that waits for its turn.
    Behind,
    /// As that, and these are cancelled.
    Instead(Vec<RunId>),
    Skip(SlotSkip),
}

impl Engine {
    /// Turns one slot into a run, or into a skip with its reason.
    pub(super) fn claim(&mut self, key: &ScheduleKey, slot: Moment) {
        self.claim_as(key, slot, Trigger::Schedule { key: key.clone(), slot });
    }

    pub(super) fn claim_as(&mut self, key: &ScheduleKey, slot: Moment, trigger: Trigger) {
        let armed = self.timers.armed[key].clone();
        let plan = armed.plan.clone();
        self.claim_for(&armed, key, slot, (trigger, plan, None));
    }

    /// The same with another plan of the task, and a key for the run.
    pub(super) fn claim_for(
        &mut self,
        armed: &Armed,
        key: &ScheduleKey,
        slot: Moment,
        (trigger, plan, name): (Trigger, PlanRef, Option<Arc<str>>),
    ) {
        let is_behind = match self.verdict(&armed.plan.plan().task, armed.firing.overlap) {
            Verdict::Skip(why) => return self.emit(Event::SlotSkipped { key: key.clone(), slot, why }),
            Verdict::Now => false,
            Verdict::Behind => true,
            Verdict::Instead(runs) => {
                self.replace(runs, slot);
                true
            }
        };
        self.submit(Submission {
            trigger,
            is_behind,
            key: name,
            ..Submission::new(plan, Author::schedule())
        });
    }

    fn verdict(&self, task: &TaskName, overlap: Overlap) -> Verdict {
        if self.state.resting.contains_key(task) {
            return Verdict::Skip(SlotSkip::Paused);
        }
        let Some(run) = self.state.oldest_run_of(task) else { return Verdict::Now };
        match overlap {
            Overlap::Allow => Verdict::Now,
            Overlap::Skip => Verdict::Skip(SlotSkip::Overlap { run }),
            Overlap::QueueOne => match self.waiting_runs_of(task).next() {
                Some(run) => Verdict::Skip(SlotSkip::Queued { run }),
                None => Verdict::Behind,
            },
            Overlap::QueueAll => match self.waiting_runs_of(task).nth(MOST_WAITING - 1) {
                Some(run) => Verdict::Skip(SlotSkip::Queued { run }),
                None => Verdict::Behind,
            },
            Overlap::CancelRunning => Verdict::Instead(self.state.runs_of(task).collect()),
        }
    }

    fn waiting_runs_of(&self, task: &TaskName) -> impl Iterator<Item = RunId> {
        self.state.runs_of(task).filter(|run| self.state.runs[run].is_behind)
    }

    /// Cancels what a new slot replaces. The youngest goes first, or the end of one would let the next begin.
    fn replace(&mut self, runs: Vec<RunId>, slot: Moment) {
        for run in runs.into_iter().rev() {
            let Some(r) = self.state.runs.get(&run) else { continue };
            if !matches!(r.phase, RunPhase::Cancelling { .. }) {
                let reason = Some(format!("replaced by the run for {slot}"));
                self.cancel(run, Author::schedule(), reason, false);
            }
        }
    }

    /// A run of this task has ended: the next one that waits for its turn has it.
    pub(super) fn pass_turn(&mut self, task: &TaskName) {
        let oldest = self.state.oldest_run_of(task);
        if let Some(run) = oldest.filter(|run| self.state.runs[run].is_behind) {
            self.emit(Event::RunReleased { run });
            // What belongs to groups may have to wait for its turn there as well.
            if self.state.may_begin(run) {
                self.emit(Event::RunBegan { run });
                self.consider_all(run);
            }
        }
    }

    /// After a restart: what the last host had no time to let go.
    pub(in crate::engine) fn pass_all_turns(&mut self) {
        for task in self.state.tasks_with_runs().cloned().collect::<Vec<_>>() {
            self.pass_turn(&task);
        }
    }
}
