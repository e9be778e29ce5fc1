//! Runs that take turns: random groups, and an onlooker that counts them from the events alone.

use super::plans::Rng;
use neap::base::{RunId, TaskName};
use neap::definition::{GroupName, OnConflict, RunGroup};
use neap::engine::{Event, NewRun, Refused, Run, RunPhase, State};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn random_groups(rng: &mut Rng, task: &TaskName) -> Vec<RunGroup> {
    let mut groups = Vec::new();
    for (name, limit) in [("x", 1), ("y", 2)] {
        if rng.one_in(6) {
            let on_conflict = match rng.below(8) {
                0 => OnConflict::Skip,
                1 => OnConflict::CancelRunning,
                2 => OnConflict::ReplacePending,
                3 => OnConflict::Fail,
                _ => OnConflict::Queue,
            };
            groups.push(RunGroup { name: GroupName::Named(name.into()), limit, on_conflict });
        }
    }
    if rng.one_in(8) {
        let (name, limit) = (GroupName::Task(task.clone()), 1 + rng.below(2) as u32);
        groups.push(RunGroup { name, limit, on_conflict: OnConflict::Queue });
    }
    groups
}

/// Who goes on and who waits, as the events say.
#[derive(Default)]
pub(super) struct Turns {
    groups: BTreeMap<RunId, Vec<RunGroup>>,
    going: BTreeSet<RunId>,
    /// Runs that have not begun; also those that ended so.
    pub(super) never_begun: BTreeSet<RunId>,
    waiting: BTreeSet<RunId>,
    paused: BTreeSet<RunId>,
    /// Runs that begin when every older one of their task has ended; until then they are in nobody's way.
    behind: BTreeSet<RunId>,
}

impl Turns {
    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::RunCreated(new) => self.created(new),
            Event::RunBegan { run } => {
                assert!(self.waiting.remove(run), "{run:?} began, and it did not wait");
                let is_alone = self.groups[run].is_empty();
                assert!(is_alone || !self.is_held(*run), "{run:?} began while it was held");
                self.has_turn(*run, |older, is_held| older < *run && !is_held);
                self.never_begun.remove(run);
                self.going.insert(*run);
            }
            Event::RunRefused(refused) => self.refused(refused),
            Event::RunReleased { run } => _ = self.behind.remove(run),
            Event::RunPaused { run, .. } => _ = self.paused.insert(*run),
            Event::RunResumed { run, .. } | Event::RunCancelled { run, .. } => _ = self.paused.remove(run),
            Event::RunFinished { run, .. } => {
                self.going.remove(run);
                self.waiting.remove(run);
            }
            _ => {}
        }
    }

    fn created(&mut self, new: &NewRun) {
        self.groups.insert(new.run, new.plan.plan().groups.clone());
        if new.is_behind {
            assert!(new.waits, "{:?} is behind another and does not wait", new.run);
            self.behind.insert(new.run);
        }
        if new.waits {
            self.waiting.insert(new.run);
            self.never_begun.insert(new.run);
        } else {
            self.has_turn(new.run, |_, is_held| !is_held);
            self.going.insert(new.run);
        }
    }

    /// There is room in each of its groups, and nobody in them is passed of whom this is said.
    fn has_turn(&self, run: RunId, is_passed: impl Fn(RunId, bool) -> bool) {
        for group in &self.groups[&run] {
            let going = self.of(&self.going, &group.name).count();
            assert!(going < group.limit as usize, "{run:?} is one too many in {}", group.name);
            let passed =
                self.of(&self.waiting, &group.name).find(|&other| is_passed(other, self.is_held(other)));
            assert_eq!(passed, None, "passed by {run:?} in {}", group.name);
        }
    }

    fn is_held(&self, run: RunId) -> bool {
        self.paused.contains(&run) || self.behind.contains(&run)
    }

    fn of<'t>(&'t self, runs: &'t BTreeSet<RunId>, name: &'t GroupName) -> impl Iterator<Item = RunId> + 't {
        runs.iter().copied().filter(move |run| self.groups[run].iter().any(|group| group.name == *name))
    }

    /// Only a group without room refuses.
    fn refused(&self, refused: &Refused) {
        assert!(
            self.of(&self.going, &refused.group)
                .chain(self.of(&self.waiting, &refused.group))
                .any(|run| run == refused.run),
            "{refused:?}: that run is not in the group"
        );
    }
}

/// Nobody waits for a turn that has come.
pub(super) fn check(state: &State) {
    let groups = |run: RunId| &state.runs[&run].plan.plan().groups;
    let is_in = |run: RunId, name: &GroupName| groups(run).iter().any(|group| group.name == *name);
    for (&run, r) in state.runs.iter().filter(|(_, r)| r.is_waiting) {
        assert!(r.jobs.iter().all(|job| job.attempts == 0), "{run:?} has not begun, and a job of it has");
        let is_held = |run: &Run| run.is_behind || matches!(run.phase, RunPhase::Paused(_));
        if is_held(r) {
            continue;
        }
        let is_in_the_way = |other: RunId, group: &RunGroup| {
            let before = &state.runs[&other];
            let waits_before = before.is_waiting && other < run && !is_held(before);
            waits_before && is_in(other, &group.name)
        };
        let is_held_up = groups(run).iter().any(|group| {
            let going = state.runs.iter().filter(|(id, r)| !r.is_waiting && is_in(**id, &group.name)).count();
            going >= group.limit as usize || state.runs.keys().any(|other| is_in_the_way(*other, group))
        });
        assert!(is_held_up, "{run:?} waits for its turn, and it is its turn");
        assert!(state.turn(run).is_some(), "{run:?} cannot say whose turn it is");
    }
    for name in [GroupName::Named("x".into()), GroupName::Named("y".into())] {
        let of = |is_waiting: bool| -> BTreeSet<RunId> {
            let runs = state.runs.iter().filter(|(id, r)| r.is_waiting == is_waiting && is_in(**id, &name));
            runs.map(|(id, _)| *id).collect()
        };
        let crowd = state.crowd(&name).cloned().unwrap_or_default();
        assert_eq!((crowd.going, crowd.waiting), (of(false), of(true)), "the index of {name} is wrong");
    }
}
