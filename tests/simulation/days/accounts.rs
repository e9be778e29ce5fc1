//! The onlooker of a day: which slots there were, and what became of each.

use super::walker::MINUTE;
use neap::base::{JobId, Millis, Moment, RunId, TaskName};
use neap::definition::{Catchup, Firing, Overlap};
use neap::engine::{
    Armed, Engine, Event, Missed, NewRun, Phase, Record, RunPhase, ScheduleKey, SlotSkip, Trigger,
};
use neap::schedule::jitter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// As the documents have it: a slot up to one minute late is carried out like any other.
const LATE: Millis = Millis(MINUTE);
/// At most so many slots of a schedule are caught up.
const MOST: usize = 1000;
/// Between two slots that are caught up.
const PACE: u64 = 50;

/// A schedule as the world handed it in.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) task: TaskName,
    pub(super) firing: Firing,
    /// All its slots, by the walker.
    pub(super) slots: Arc<[Moment]>,
}

impl Watched {
    /// The first slot after that.
    fn next(&self, after: Moment) -> Option<Moment> {
        self.slots.get(self.slots.partition_point(|slot| *slot <= after)).copied()
    }

    /// Those after one moment and up to another.
    fn between(&self, after: Moment, until: Moment) -> &[Moment] {
        let place = |moment| self.slots.partition_point(|slot| *slot <= moment);
        self.slots.get(place(after)..place(until)).unwrap_or_default()
    }
}

#[derive(Default)]
pub(super) struct Accounts {
    /// What the engine was told to watch.
    pub(super) watched: BTreeMap<ScheduleKey, Watched>,
    /// Up to where the slots of each are dealt with.
    upto: BTreeMap<ScheduleKey, Moment>,
    /// Every slot that ever became something: whatever happens, never again.
    used: BTreeSet<(ScheduleKey, Moment)>,
    /// The runs of each task that are not finished, the oldest first; and whether they wait for those before.
    going: BTreeMap<TaskName, BTreeMap<RunId, bool>>,
    cancelled: BTreeSet<RunId>,
    resting: BTreeSet<TaskName>,
    /// What has been written down last, by the clock of the host that did.
    latest: Moment,
    /// A host comes up, and does not follow the schedules yet.
    pub(super) is_coming_up: bool,
    pub(super) tally: Tally,
}

/// What has happened, for those who want to know whether anything has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: usize,
    pub(super) late: usize,
    pub(super) skips: usize,
    pub(super) missed: u64,
    pub(super) crashes: usize,
    pub(super) steps: usize,
}

impl Tally {
    pub(super) fn and(self, other: &Tally) -> Tally {
        Tally {
            runs: self.runs + other.runs,
            late: self.late + other.late,
            skips: self.skips + other.skips,
            missed: self.missed + other.missed,
            crashes: self.crashes + other.crashes,
            steps: self.steps + other.steps,
        }
    }
}

impl Accounts {
    pub(super) fn watch(&mut self, armed: &[Armed], slots: &BTreeMap<ScheduleKey, Arc<[Moment]>>) {
        let watched = |armed: &Armed| {
            let task = armed.plan.plan().task.clone();
            let slots = Arc::clone(&slots[&armed.key]);
            (armed.key.clone(), Watched { task, firing: armed.firing.clone(), slots })
        };
        self.watched = armed.iter().map(watched).collect();
    }

    pub(super) fn observe(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::ScheduleArmed { key, at: from } => {
                assert!(*from <= at.max(self.latest), "{key}: slots were lost before it was watched");
                assert!(self.upto.insert(key.clone(), *from).is_none(), "{key} was armed twice");
            }
            Event::ScheduleDisarmed { key } => {
                assert!(self.upto.remove(key).is_some(), "{key} was not watched");
            }
            Event::RunCreated(new) => self.created(at, new),
            Event::SlotSkipped { key, slot, why } => {
                self.in_time(at, key, *slot);
                self.excused(key, why);
                self.account(key, *slot, *slot, 1);
                self.tally.skips += 1;
            }
            Event::SlotsMissed { key, from, to, count, why } => {
                self.gone(at, key, *to, *why);
                self.account(key, *from, *to, *count);
                self.tally.missed += count;
            }
            Event::RunReleased { run } => {
                let runs = self.going.values_mut().find(|runs| runs.contains_key(run)).unwrap();
                assert_eq!(runs.first_key_value(), Some((run, &true)), "{run:?} began out of its turn");
                runs.insert(*run, false);
            }
            Event::RunCancelled { run, .. } => _ = self.cancelled.insert(*run),
            Event::RunFinished { run, .. } => {
                let over = self.going.values_mut().filter_map(|runs| runs.remove(run)).count();
                assert_eq!(over, 1, "{run:?} ended twice");
            }
            Event::TaskPaused { task, .. } => _ = self.resting.insert(task.clone()),
            Event::TaskResumed { task, .. } => _ = self.resting.remove(task),
            // What becomes of a run is what the other histories look at.
            _ => {}
        }
        self.latest = self.latest.max(at);
    }

    fn created(&mut self, at: Moment, new: &NewRun) {
        let task = &new.plan.plan().task;
        if let Trigger::Schedule { key, slot } = &new.trigger {
            self.in_time(at, key, *slot);
            self.may_begin(key, new);
            self.account(key, *slot, *slot, 1);
            self.tally.runs += 1;
        }
        self.going.entry(task.clone()).or_default().insert(new.run, new.is_behind);
    }

    /// When the slot is to be acted on.
    fn due(&self, key: &ScheduleKey, slot: Moment) -> Moment {
        let watched = &self.watched[key];
        match watched.firing.jitter {
            Millis(0) => slot,
            most => slot + jitter(&key.0, slot, watched.next(slot), most),
        }
    }

    /// A slot becomes a run or a skip when it is due, or is caught up.
    fn in_time(&mut self, at: Moment, key: &ScheduleKey, slot: Moment) {
        let (watched, due) = (&self.watched[key], self.due(key, slot));
        assert!(due <= at, "{key}: {slot:?} is not due before {due:?}");
        if at - due <= LATE {
            return;
        }
        let firing = &watched.firing;
        assert!(!self.resting.contains(&watched.task), "{key} rests, and is caught up");
        assert!(slot >= at - firing.catchup_window, "{key}: {slot:?} is too old");
        match firing.catchup {
            Catchup::None => panic!("{key}: {slot:?} is late, and nothing is to be caught up"),
            Catchup::Last => {
                assert!(watched.between(slot, at).is_empty(), "{key}: {slot:?} is not the last");
            }
            Catchup::All => {}
        }
        self.tally.late += 1;
    }

    /// Slots up to `to` are given up: they may only be for that reason.
    fn gone(&self, at: Moment, key: &ScheduleKey, to: Moment, why: Missed) {
        let watched = &self.watched[key];
        let catches_up = watched.firing.catchup != Catchup::None && !self.resting.contains(&watched.task);
        match why {
            Missed::Down => {
                assert!(!catches_up, "{key}: {to:?} was to be caught up");
                let due = self.due(key, to);
                assert!(at - due > LATE, "{key}: at {at:?} {to:?} (due {due:?}) was in time");
            }
            Missed::TooOld => {
                assert!(
                    catches_up && to < at - watched.firing.catchup_window,
                    "{key}: {to:?} is not too old"
                );
            }
            Missed::NotLast => {
                let is_last = watched.between(to, at).is_empty();
                assert!(watched.firing.catchup == Catchup::Last && !is_last, "{key}: {to:?} is the last");
            }
            Missed::TooMany => {
                let rest = watched.between(to, at).len();
                assert!(watched.firing.catchup == Catchup::All && rest == MOST, "{key}: {rest} are left");
            }
        }
    }

    /// Whether a run may be created at once, or has to wait for others, by the rule of its schedule.
    fn may_begin(&self, key: &ScheduleKey, new: &NewRun) {
        let watched = &self.watched[key];
        let none = BTreeMap::new();
        let others = self.going.get(&watched.task).unwrap_or(&none);
        let waiting = others.values().filter(|is_behind| **is_behind).count();
        assert!(!self.resting.contains(&watched.task), "{key} rests");
        let is_right = match watched.firing.overlap {
            Overlap::Skip => others.is_empty() && !new.is_behind,
            Overlap::QueueOne => waiting == 0 && new.is_behind != others.is_empty(),
            Overlap::QueueAll => waiting < MOST && new.is_behind != others.is_empty(),
            Overlap::CancelRunning => {
                others.keys().all(|run| self.cancelled.contains(run)) && new.is_behind != others.is_empty()
            }
            Overlap::Allow => !new.is_behind,
        };
        assert!(is_right, "{key}: {new:?} beside {others:?}");
    }

    fn excused(&self, key: &ScheduleKey, why: &SlotSkip) {
        let watched = &self.watched[key];
        let none = BTreeMap::new();
        let others = self.going.get(&watched.task).unwrap_or(&none);
        let waiting = others.values().filter(|is_behind| **is_behind).count();
        let is_right = match (why, watched.firing.overlap) {
            (SlotSkip::Paused, _) => self.resting.contains(&watched.task),
            (SlotSkip::Overlap { run }, Overlap::Skip) => others.contains_key(run),
            (SlotSkip::Queued { run }, Overlap::QueueOne) => others.get(run) == Some(&true),
            (SlotSkip::Queued { .. }, Overlap::QueueAll) => waiting == MOST,
            (SlotSkip::Overlap { .. } | SlotSkip::Queued { .. } | SlotSkip::Crowded { .. }, _) => false,
        };
        assert!(is_right, "{key} was left out for {why:?} beside {others:?}");
    }

    /// Every slot of a watched schedule becomes exactly one thing, in order, and none is left out.
    fn account(&mut self, key: &ScheduleKey, from: Moment, to: Moment, count: u64) {
        let upto = self.upto.insert(key.clone(), to).expect("only what is watched fires");
        let watched = &self.watched[key];
        let first = watched.next(upto);
        assert_eq!(first, Some(from), "{key} left out a slot, or made one up, after {upto:?}");
        let meant = watched.between(upto, to);
        assert_eq!((meant.len() as u64, meant.last()), (count, Some(&to)), "{key} miscounted from {from:?}");
        for slot in meant {
            assert!(self.used.insert((key.clone(), *slot)), "{key} used the slot {slot:?} twice");
        }
    }

    /// Nothing that is due is forgotten, and nothing that may go waits.
    pub(super) fn check(&self, now: Moment, engine: &Engine) {
        let watched: Vec<_> = self.watched.keys().collect();
        assert_eq!(self.upto.keys().collect::<Vec<_>>(), watched, "the wrong schedules are watched");
        let open: Vec<_> = watched.into_iter().filter(|key| self.is_open(now, key)).collect();
        // Only what is caught up may wait for its place in the row, and not for long.
        let patience = now + Millis(PACE * (1 + self.watched.len() as u64));
        for key in &open {
            // Also if its task rests since a moment ago: then it is given up in its turn.
            let may_wait = self.watched[*key].firing.catchup != Catchup::None;
            assert!(may_wait, "{key} forgot a slot that was due before {now:?}");
            assert!(engine.next_deadline() <= Some(patience), "{key}: what is open is forgotten at {now:?}");
        }
        assert!(open.is_empty() || engine.next_deadline().is_some(), "nobody will look after {open:?}");
        self.check_turns(engine);
    }

    /// Whether a slot is due that nothing has become of yet.
    pub(super) fn is_open(&self, now: Moment, key: &ScheduleKey) -> bool {
        let next = self.watched[key].next(self.upto[key]).filter(|slot| *slot <= now);
        next.is_some_and(|slot| self.due(key, slot) <= now)
    }

    fn check_turns(&self, engine: &Engine) {
        let state = engine.state();
        let is_full = state.going().count() >= engine.slots();
        for (task, runs) in self.going.iter().filter(|(_, runs)| !runs.is_empty()) {
            assert!(runs.first_key_value().is_some_and(|(_, is_behind)| !is_behind), "{task}: {runs:?}");
            for (run, is_behind) in runs {
                let known = &state.runs[run];
                assert_eq!(known.is_behind, *is_behind, "{run:?} of {task}");
                let is_queued = known.jobs.iter().any(|job| job.phase == Phase::Queued);
                let is_held = matches!(known.phase, RunPhase::Paused(_));
                assert!(!is_queued || *is_behind || is_full || is_held, "{run:?} of {task} could go");
                let is_live = (0..known.jobs.len())
                    .any(|index| state.job(JobId { run: *run, index: index as u32 }).phase.is_live());
                assert!(!(is_live && *is_behind), "{run:?} of {task} did not wait");
            }
        }
    }

    pub(super) fn any_behind(&self) -> bool {
        self.going.values().flat_map(BTreeMap::values).any(|is_behind| *is_behind)
    }
}
