//! Who shares what: random queues and locks, and the promises about them, from a slow reading of the rules that knows
//! no index.

use super::plans::Rng;
use neap::base::{JobId, Millis, Moment};
use neap::definition::{Lock, LockMode, Machine, Rate, Sharing};
use neap::engine::{Capacity, Job, Phase, RunPhase, State};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn random_machine(rng: &mut Rng) -> Machine {
    let mut machine = Machine::default();
    machine.queues.insert("heavy".into(), 1 + rng.below(2) as u32);
    if rng.one_in(2) {
        machine.queues.insert("light".into(), 1 + rng.below(3) as u32);
    }
    machine.resources.insert("cpu".into(), 1000 + 1000 * rng.below(3));
    machine.resources.insert("memory".into(), 3);
    machine.locks.insert("gpu".into(), 1 + rng.below(3) as u32);
    machine
}

pub(super) fn random_sharing(rng: &mut Rng) -> Sharing {
    // Not every queue is there in every world: a run may outlive one.
    let queue = match rng.below(8) {
        0 => Some("heavy".to_owned()),
        1 => Some("light".to_owned()),
        _ => None,
    };
    let mut locks = Vec::new();
    for name in ["db", "gpu", "net"] {
        if rng.one_in(5) {
            let mode = if rng.one_in(3) { LockMode::Shared } else { LockMode::Exclusive };
            locks.push(Lock { name: name.into(), mode });
        }
    }
    let mut resources = BTreeMap::new();
    if rng.one_in(4) {
        resources.insert("cpu".to_owned(), 500 + 500 * rng.below(2));
    }
    if rng.one_in(4) {
        resources.insert("memory".to_owned(), 1 + rng.below(3));
    }
    let rate = rng.one_in(5).then(|| Rate {
        key: ["api", "mail"][rng.below(2) as usize].into(),
        limit: 1 + rng.below(3) as u32,
        per: Millis(1 + rng.below(60)),
    });
    Sharing { queue, locks, resources, rate }
}

/// Smaller goes first.
pub(super) fn place(state: &State, job: JobId) -> (i64, JobId) {
    let run = &state.runs[&job.run];
    let priority = run.priority.unwrap_or(state.node(job).leaf.priority);
    (run.created.0 as i64 - i64::from(priority) * 60_000, job)
}

fn every_job(state: &State) -> impl Iterator<Item = (JobId, &Job)> {
    state.runs.iter().flat_map(|(&run, r)| {
        r.jobs.iter().enumerate().map(move |(index, job)| (JobId { run, index: index as u32 }, job))
    })
}

/// The jobs that may be admitted as far as their runs are concerned, the first first.
pub(super) fn waiting(state: &State) -> BTreeSet<(i64, JobId)> {
    let is_held = |job: JobId| matches!(state.runs[&job.run].phase, RunPhase::Paused(_));
    let queued = every_job(state).filter(|(id, job)| job.phase == Phase::Queued && !is_held(*id));
    queued.map(|(id, _)| place(state, id)).collect()
}

/// The locks that a job has: from its first attempt until it is done.
fn held(state: &State, id: JobId, job: &Job) -> Vec<Lock> {
    if job.attempts > 0 && !job.phase.is_done() { state.leaf(id).sharing.locks.clone() } else { Vec::new() }
}

/// The locks that a queued job must get before it may start.
fn wanted(state: &State, id: JobId) -> Vec<Lock> {
    if state.job(id).attempts > 0 { Vec::new() } else { state.leaf(id).sharing.locks.clone() }
}

/// Which queue counts: one that is not there is that of the host.
fn queue_of<'s>(state: &'s State, capacity: &Capacity, id: JobId) -> Option<&'s str> {
    let queue = state.leaf(id).sharing.queue.as_deref()?;
    capacity.machine.queues.contains_key(queue).then_some(queue)
}

/// Who holds what, counted from scratch.
#[derive(Default)]
struct Count {
    slots: BTreeMap<Option<String>, usize>,
    /// Exclusive and shared holders of each lock.
    locks: BTreeMap<String, [BTreeSet<JobId>; 2]>,
    used: BTreeMap<String, u64>,
    /// Resources that somebody in front lacks.
    kept: BTreeSet<String>,
}

impl Count {
    fn of(state: &State, capacity: &Capacity) -> Count {
        let mut count = Count::default();
        for (id, job) in every_job(state) {
            if job.phase.holds_slot() && !state.leaf(id).is_slotless() {
                *count.slots.entry(queue_of(state, capacity, id).map(str::to_owned)).or_default() += 1;
            }
            if job.phase.holds_slot() {
                for (name, amount) in &state.leaf(id).sharing.resources {
                    *count.used.entry(name.clone()).or_default() += amount;
                }
            }
            count.take(id, &held(state, id, job));
        }
        count
    }

    fn take(&mut self, id: JobId, locks: &[Lock]) {
        for lock in locks {
            self.locks.entry(lock.name.clone()).or_default()[lock.mode as usize].insert(id);
        }
    }

    fn is_free(&self, lock: &Lock, capacity: &Capacity) -> bool {
        let Some([exclusive, shared]) = self.locks.get(&lock.name) else { return true };
        match lock.mode {
            LockMode::Exclusive => {
                shared.is_empty() && exclusive.len() < capacity.machine.holders_of(&lock.name)
            }
            LockMode::Shared => exclusive.is_empty(),
        }
    }
}

/// When attempts began under each rate, by the journal.
#[derive(Default)]
pub(super) struct Begun(BTreeMap<String, Vec<Moment>>);

impl Begun {
    /// An attempt begins; in the stretch of time that ends now there is room for it.
    pub(super) fn begins(&mut self, rate: &Rate, at: Moment) {
        assert!(!self.is_full(Some(rate), at), "one too many begins under {rate:?}");
        self.0.entry(rate.key.clone()).or_default().push(at);
    }

    fn is_full(&self, rate: Option<&Rate>, now: Moment) -> bool {
        let Some(rate) = rate else { return false };
        let begun = self.0.get(&rate.key).into_iter().flatten();
        begun.filter(|at| **at + rate.per > now).count() >= rate.limit as usize
    }
}

/// Nothing is given to more than may have it, the indexes say what is so, and nobody waits for what could be had.
pub(super) fn check(state: &State, capacity: &Capacity, begun: &Begun, now: Moment) {
    let mut count = Count::of(state, capacity);
    for (queue, busy) in &count.slots {
        let slots = capacity.slots_of(queue.as_deref());
        assert!(*busy <= slots, "{busy} jobs in {slots} slots of {queue:?}");
        assert_eq!(state.busy_in(queue.as_deref(), capacity), *busy, "the index of {queue:?} is wrong");
    }
    for queue in capacity.machine.queues.keys().map(|queue| Some(queue.clone())).chain([None]) {
        let busy = count.slots.get(&queue).copied().unwrap_or(0);
        assert_eq!(state.busy_in(queue.as_deref(), capacity), busy, "the index of {queue:?} is wrong");
    }
    for (lock, [exclusive, shared]) in &count.locks {
        let most = capacity.machine.holders_of(lock);
        assert!(exclusive.len() <= most, "{lock} is held by {exclusive:?}");
        assert!(exclusive.is_empty() || shared.is_empty(), "{lock} is shared beside {exclusive:?}");
    }
    for name in ["cpu", "memory"] {
        let used = count.used.get(name).copied().unwrap_or(0);
        assert_eq!(state.used(name), used, "the index of {name} is wrong");
        assert!(used <= capacity.amount_of(name), "{used} of {name} are in use");
    }
    let indexed: BTreeMap<String, [BTreeSet<JobId>; 2]> = state
        .locks()
        .map(|(name, holders)| (name.to_owned(), [holders.exclusive.clone(), holders.shared.clone()]))
        .collect();
    assert_eq!(indexed, count.locks, "the index of locks is wrong");
    let line: Vec<JobId> = waiting(state).into_iter().map(|(_, job)| job).collect();
    let wants_something = |job: &JobId| state.wants(*job).is_some();
    assert_eq!(
        state.queue().collect::<Vec<_>>(),
        line.iter().copied().filter(wants_something).collect::<Vec<_>>(),
        "the queue is out of order, or not whole"
    );
    for job in line {
        if !begun.is_full(state.leaf(job).sharing.rate.as_ref(), now) {
            nobody_waits_in_vain(state, capacity, &mut count, job);
        }
    }
}

/// In the order of the queue: whoever lacks a lock keeps the others; slots are not kept.
fn nobody_waits_in_vain(state: &State, capacity: &Capacity, count: &mut Count, job: JobId) {
    if state.paused_queues.contains_key(state.leaf(job).sharing.queue()) {
        return;
    }
    let locks = wanted(state, job);
    let is_locked_out = locks.iter().any(|lock| !count.is_free(lock, capacity));
    count.take(job, &locks);
    let queue = queue_of(state, capacity, job);
    let busy = count.slots.get(&queue.map(str::to_owned)).copied().unwrap_or(0);
    let is_crowded_out = !state.leaf(job).is_slotless() && busy >= capacity.slots_of(queue);
    let resources = &state.leaf(job).sharing.resources;
    let used = |name: &String| count.used.get(name).copied().unwrap_or(0);
    let lacks = |name: &String, amount: u64| used(name) + amount > capacity.amount_of(name);
    let is_kept = resources.keys().any(|name| count.kept.contains(name));
    let is_short = resources.iter().any(|(name, amount)| lacks(name, *amount));
    if !is_locked_out && !is_crowded_out && is_short && !is_kept {
        // It is the next, so its slot and what it needs are its own.
        let short: Vec<String> = resources
            .iter()
            .filter(|(name, amount)| lacks(name, **amount))
            .map(|(name, _)| name.clone())
            .collect();
        for (name, amount) in resources {
            let most = capacity.amount_of(name);
            let used = count.used.entry(name.clone()).or_default();
            *used = (*used + amount).min(most);
        }
        count.kept.extend(short);
        if !state.leaf(job).is_slotless() {
            *count.slots.entry(queue.map(str::to_owned)).or_default() += 1;
        }
    }
    assert!(
        is_locked_out || is_crowded_out || is_kept || is_short,
        "{job:?} waits, and it could go: {:?}",
        state.leaf(job).sharing
    );
}

/// Who waited for which locks before a step. Who waits for its rate keeps none.
pub(super) fn waiters(state: &State) -> Vec<((i64, JobId), Vec<Lock>)> {
    let is_held = |job: JobId| state.paused_queues.contains_key(state.leaf(job).sharing.queue());
    let waiting = waiting(state).into_iter().filter(|(_, job)| !is_held(*job));
    waiting
        .map(|(key, job)| ((key, job), wanted(state, job)))
        .filter(|((_, job), locks)| !locks.is_empty() && state.leaf(*job).sharing.rate.is_none())
        .collect()
}

/// Nobody got a lock before somebody who stood before them, waited for it, and still waits.
pub(super) fn check_turns(before: &[((i64, JobId), Vec<Lock>)], state: &State, capacity: &Capacity) {
    let now = waiting(state);
    let is_held = |job: JobId| state.paused_queues.contains_key(state.leaf(job).sharing.queue());
    let still: Vec<_> = before.iter().filter(|(place, _)| now.contains(place) && !is_held(place.1)).collect();
    let has_it =
        |job: JobId| state.find_job(job).is_some_and(|found| found.attempts > 0 && !found.phase.is_done());
    for ((_, job), locks) in before.iter().filter(|((_, job), _)| has_it(*job)) {
        let place = place(state, *job);
        for (first, wanted) in still.iter().filter(|(first, _)| *first < place) {
            for (lock, other) in locks.iter().flat_map(|lock| wanted.iter().map(move |other| (lock, other))) {
                let is_same = lock.name == other.name;
                let shares = lock.mode == other.mode
                    && (lock.mode == LockMode::Shared || capacity.machine.holders_of(&lock.name) > 1);
                assert!(!is_same || shares, "{job:?} was given {lock:?} before {first:?}");
            }
        }
    }
}
