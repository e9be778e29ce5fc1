//! Runs that take turns: whether a new one may begin, waits, replaces others or is not created at all; and who begins
//! when another has ended.
//!
//! In each group the oldest run that waits goes first, and a run begins when it is the first in all of its groups and each
//! has room. So nobody is passed, and two runs never wait for each other.

use super::Engine;
use crate::base::{JobId, RunId};
use crate::definition::{GroupName, OnConflict, RunGroup};
use crate::engine::{Event, Refused, Run, RunPhase, SlotSkip, State, Submission};

/// Which of those in the way are cancelled for a new run.
enum Way {
    Going,
    Waiting,
}

impl State {
    /// Whether one more run of this group may begin now, and this is the one: of those that wait, or a new one.
    pub(super) fn is_next(&self, group: &RunGroup, run: Option<RunId>) -> bool {
        let going = self.crowd(&group.name).map_or(0, |crowd| crowd.going.len());
        going < group.limit as usize && self.first_waiting(&group.name) == run
    }

    /// The run of a group that waits longest, is not paused, and waits for nothing else.
    pub(crate) fn first_waiting(&self, group: &GroupName) -> Option<RunId> {
        let is_held = |run: &Run| run.is_behind || matches!(run.phase, RunPhase::Paused(_));
        self.crowd(group)?.waiting.iter().copied().find(|run| !is_held(&self.runs[run]))
    }

    /// A run that waits, and whose turn has come.
    fn next_turn(&self) -> Option<RunId> {
        let first = |group| self.first_waiting(group).filter(|run| self.may_begin(*run));
        self.crowded().find_map(first)
    }

    /// Whether it is the turn of a run that waits.
    pub(super) fn may_begin(&self, run: RunId) -> bool {
        self.runs[&run].plan.plan().groups.iter().all(|group| self.is_next(group, Some(run)))
    }
}

impl Engine {
    /// Says no to a run that its groups do not want. Gives whether it did.
    pub(super) fn refuse(&mut self, submission: &Submission) -> bool {
        let plan = submission.plan.plan();
        let crowded = plan.groups.iter().find(|group| {
            matches!(group.on_conflict, OnConflict::Skip | OnConflict::Fail)
                && !self.state.is_next(group, None)
        });
        let Some(group) = crowded else { return false };
        let first =
            self.state.crowd(&group.name).and_then(|crowd| crowd.going.iter().chain(&crowd.waiting).next());
        let Some(&run) = first else { return false };
        let (group, fails) = (group.name.clone(), group.on_conflict == OnConflict::Fail);
        if let Some(key) = submission.trigger.schedule() {
            let slot = submission.trigger.reach().unwrap_or(self.now);
            self.emit(Event::SlotSkipped { key: key.clone(), slot, why: SlotSkip::Crowded { run, group } });
        } else {
            let (task, by) = (plan.task.clone(), submission.by.clone());
            self.emit(Event::RunRefused(Box::new(Refused { task, by, group, run, fails })));
        }
        true
    }

    /// Whether a new run must wait for its turn.
    pub(super) fn must_wait(&self, submission: &Submission) -> bool {
        !submission.plan.plan().groups.iter().all(|group| self.state.is_next(group, None))
    }

    /// Cancels the runs that a new one, which waits, takes the place of.
    pub(super) fn make_way(&mut self, run: RunId) {
        for group in self.state.runs[&run].plan.plan().groups.clone() {
            match group.on_conflict {
                OnConflict::CancelRunning => {
                    self.cancel_others(run, &group, Way::Waiting);
                    self.cancel_others(run, &group, Way::Going);
                }
                OnConflict::ReplacePending => self.cancel_others(run, &group, Way::Waiting),
                OnConflict::Queue | OnConflict::Skip | OnConflict::Fail => {}
            }
        }
    }

    /// The oldest go first. Of those that go on so many are left as the limit allows beside the new one.
    fn cancel_others(&mut self, run: RunId, group: &RunGroup, way: Way) {
        let Some(crowd) = self.state.crowd(&group.name) else { return };
        let others: Vec<RunId> = match way {
            Way::Waiting => crowd.waiting.iter().copied().filter(|other| *other != run).collect(),
            Way::Going => {
                let too_many = (crowd.going.len() + 1).saturating_sub(group.limit as usize);
                crowd.going.iter().copied().take(too_many).collect()
            }
        };
        let (by, name) = (self.state.runs[&run].by.clone(), self.state.runs[&run].name());
        for other in others {
            // One that is being cancelled already ends by itself.
            let is_ending = |found: &Run| matches!(found.phase, RunPhase::Cancelling { .. });
            if self.state.runs.get(&other).is_some_and(|found| !is_ending(found)) {
                self.cancel(other, by.clone(), Some(format!("replaced by {name}")), false);
            }
        }
    }

    /// Lets every run begin whose turn has come. Gives whether there was one.
    pub(super) fn begin(&mut self) -> bool {
        let mut has_begun = false;
        while let Some(run) = self.state.next_turn() {
            self.emit(Event::RunBegan { run });
            self.consider_all(run);
            has_begun = true;
        }
        has_begun
    }

    /// Looks at every job of a run that begins.
    pub(super) fn consider_all(&mut self, run: RunId) {
        let mut doomed = Vec::new();
        for index in 0..self.state.runs[&run].jobs.len() as u32 {
            self.consider(JobId { run, index }, &mut doomed);
        }
        self.skip_doomed(doomed);
        self.finish_run_if_over(run);
    }
}
