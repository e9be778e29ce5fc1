//! What is free, and who gets it: the rule of admission, for whoever decides and for whoever wants to know why.
//!
//! Jobs are asked in the order of the queue. What a job takes is gone for those behind it. A job that cannot have all of
//! its locks takes none, and keeps each of them from those behind it: so two short jobs, one after the other, never keep a
//! job waiting that needs what both have. Slots are not kept: while a job waits for a lock others may run. A job that has its
//! locks and lacks only a resource is the next to get it: nobody behind it gets any of that resource, and its slot is kept.

use crate::base::{JobId, Moment};
use crate::definition::{Lock, LockMode, Machine};
use crate::engine::state::{State, Wants};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much there is of everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// The slots of the queue `default`.
    pub slots: usize,
    /// The other queues, and the locks.
    pub machine: Arc<Machine>,
}

impl Capacity {
    /// So many slots, and nothing said about queues and locks.
    pub fn new(slots: usize) -> Capacity {
        Capacity { slots: slots.max(1), machine: Arc::default() }
    }

    /// How many jobs of a queue run at once. A queue that is no longer there is the one of the host.
    pub fn slots_of(&self, queue: Option<&str>) -> usize {
        self.own_queue(queue).map_or(self.slots, |(_, slots)| slots)
    }

    /// How much there is of a resource. What neap.yaml does not name any more has no limit.
    pub fn amount_of(&self, resource: &str) -> u64 {
        self.machine.resources.get(resource).copied().unwrap_or(u64::MAX)
    }

    /// The queue with slots of its own that is meant.
    fn own_queue<'q>(&self, queue: Option<&'q str>) -> Option<(&'q str, usize)> {
        let queue = queue?;
        self.machine.queues.get(queue).map(|&slots| (queue, slots as usize))
    }
}

/// What keeps a job from being admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// Its queue is paused.
    Paused,
    /// No slot of its queue is free.
    Slot,
    /// This lock is held, or kept for the job that stands before it.
    Lock { name: String, kept_for: Option<JobId> },
    /// Under its rate no attempt may begin before this.
    Rate { until: Moment },
    /// Not so much of this resource is free, or what is free is kept for the job that stands before it.
    Resource { name: String, kept_for: Option<JobId> },
}

/// What is left while the jobs are asked.
#[derive(Debug)]
pub(crate) struct Room<'s> {
    state: &'s State,
    capacity: &'s Capacity,
    /// Free slots of the host.
    free: usize,
    /// Free slots of other queues, as far as somebody asked.
    own: BTreeMap<&'s str, usize>,
    /// Locks, as far as somebody asked.
    locks: BTreeMap<&'s str, Taken>,
    /// Resources, as far as somebody asked.
    resources: BTreeMap<&'s str, Left>,
    /// Attempts that begin now, by the key of their rate.
    begun: BTreeMap<&'s str, usize>,
    now: Moment,
}

/// How much of a resource is left.
#[derive(Debug)]
struct Left {
    free: u64,
    /// The first who lacks it: nobody behind gets any of it.
    kept_for: Option<JobId>,
}

/// How a lock is taken: by those who hold it, and by those before.
#[derive(Debug)]
struct Taken {
    exclusive: usize,
    shared: usize,
    /// The first who waits for it.
    kept_for: Option<JobId>,
}

impl<'s> Room<'s> {
    pub(crate) fn new(state: &'s State, capacity: &'s Capacity, now: Moment) -> Room<'s> {
        let free = capacity.slots.saturating_sub(state.busy_in(None, capacity));
        Room {
            state,
            capacity,
            free,
            own: BTreeMap::new(),
            locks: BTreeMap::new(),
            resources: BTreeMap::new(),
            begun: BTreeMap::new(),
            now,
        }
    }

    /// Gives a job what it wants, or says what it lacks and keeps its locks for it.
    pub(crate) fn ask(&mut self, job: JobId, wants: &'s Wants) -> Result<(), Blocked> {
        // Who stands in a paused queue has nothing kept.
        if self.state.paused_queues.contains_key(wants.sharing.queue()) {
            return Err(Blocked::Paused);
        }
        // Who waits for time to pass keeps nobody else waiting.
        if let Some(until) = self.rate_until(wants) {
            return Err(Blocked::Rate { until });
        }
        let locks = &wants.sharing.locks;
        let lacks = locks.iter().find_map(|lock| self.lacks(lock));
        for lock in locks {
            self.count(lock);
        }
        let slot = lacks.map_or(Ok(()), Err).and_then(|()| self.take_slot_and_resources(job, wants));
        if slot.is_err() {
            for lock in locks {
                self.taken(&lock.name).kept_for.get_or_insert(job);
            }
        }
        if let (Ok(()), Some(rate)) = (&slot, &wants.sharing.rate) {
            *self.begun.entry(&rate.key).or_default() += 1;
        }
        slot
    }

    /// When an attempt may begin under its rate, if not now.
    fn rate_until(&self, wants: &Wants) -> Option<Moment> {
        let rate = wants.sharing.rate.as_ref()?;
        let begun = self.begun.get(rate.key.as_str()).copied().unwrap_or(0);
        self.state.rates.wait(rate, self.now, begun)
    }

    fn lacks(&mut self, lock: &'s Lock) -> Option<Blocked> {
        let most = self.capacity.machine.holders_of(&lock.name);
        let taken = self.taken(&lock.name);
        let is_free = match lock.mode {
            LockMode::Exclusive => taken.shared == 0 && taken.exclusive < most,
            LockMode::Shared => taken.exclusive == 0,
        };
        (!is_free).then(|| Blocked::Lock { name: lock.name.clone(), kept_for: taken.kept_for })
    }

    fn count(&mut self, lock: &'s Lock) {
        let taken = self.taken(&lock.name);
        match lock.mode {
            LockMode::Exclusive => taken.exclusive += 1,
            LockMode::Shared => taken.shared += 1,
        }
    }

    fn taken(&mut self, lock: &'s str) -> &mut Taken {
        let state = self.state;
        self.locks.entry(lock).or_insert_with(|| {
            let holders = state.holders(lock);
            let count = |jobs: fn(&crate::engine::state::Holders) -> usize| holders.map_or(0, jobs);
            Taken {
                exclusive: count(|holders| holders.exclusive.len()),
                shared: count(|holders| holders.shared.len()),
                kept_for: None,
            }
        })
    }

    fn take_slot_and_resources(&mut self, job: JobId, wants: &'s Wants) -> Result<(), Blocked> {
        let resources = &wants.sharing.resources;
        let mut blocked = None;
        for (name, amount) in resources {
            let left = self.left(name);
            let kept_for = left.kept_for;
            // Who waits behind somebody has nothing kept for itself.
            if kept_for.is_some() || (left.free < *amount && blocked.is_none()) {
                blocked = Some(Blocked::Resource { name: name.clone(), kept_for });
            }
            if kept_for.is_some() {
                break;
            }
        }
        let Some(blocked) = blocked else {
            self.take_slot(wants)?;
            for (name, amount) in resources {
                self.left(name).free -= amount;
            }
            return Ok(());
        };
        // The first who lacks something is the next: its slot waits with it, or it would go without an end.
        if matches!(blocked, Blocked::Resource { kept_for: None, .. }) && self.take_slot(wants).is_ok() {
            for (name, amount) in resources {
                let left = self.left(name);
                if left.free < *amount {
                    left.kept_for.get_or_insert(job);
                }
                left.free = left.free.saturating_sub(*amount);
            }
        }
        Err(blocked)
    }

    fn left(&mut self, name: &'s str) -> &mut Left {
        let (state, capacity) = (self.state, self.capacity);
        self.resources.entry(name).or_insert_with(|| Left {
            free: capacity.amount_of(name).saturating_sub(state.used(name)),
            kept_for: None,
        })
    }

    /// Whether no slot is left in any queue.
    fn is_full(&self) -> bool {
        let left = |(queue, slots): (&String, &u32)| match self.own.get(queue.as_str()) {
            Some(left) => *left,
            None => (*slots as usize).saturating_sub(self.state.busy_apart(queue)),
        };
        self.free == 0 && self.capacity.machine.queues.iter().map(left).all(|left| left == 0)
    }

    fn take_slot(&mut self, wants: &'s Wants) -> Result<(), Blocked> {
        if !wants.needs_slot {
            return Ok(());
        }
        let free = self.free_slots(wants);
        *free = free.checked_sub(1).ok_or(Blocked::Slot)?;
        Ok(())
    }

    fn free_slots(&mut self, wants: &'s Wants) -> &mut usize {
        let (state, capacity) = (self.state, self.capacity);
        match capacity.own_queue(wants.sharing.queue.as_deref()) {
            None => &mut self.free,
            Some((queue, slots)) => self
                .own
                .entry(queue)
                .or_insert_with(|| slots.saturating_sub(state.busy_in(Some(queue), capacity))),
        }
    }
}

impl State {
    /// The jobs that can be admitted now, in the order of the queue; and when the next one can be who only waits for its rate.
    pub(crate) fn admissible(&self, capacity: &Capacity, now: Moment) -> (Vec<JobId>, Option<Moment>) {
        let mut room = Room::new(self, capacity, now);
        let (mut lines, mut chosen, mut next) = (self.lines(), Vec::new(), None);
        let may_be_full = !self.queues_slotless();
        // Of each line that is blocked only the first is looked at, and of nobody anything when no slot is left.
        while !(may_be_full && room.is_full())
            && let Some((job, wants)) = lines.next()
        {
            match room.ask(job, wants) {
                Ok(()) => chosen.push(job),
                Err(blocked) => {
                    lines.leave_out_the_rest();
                    if let Blocked::Rate { until } = blocked {
                        next = next.into_iter().chain([until]).min();
                    }
                }
            }
        }
        (chosen, next)
    }

    /// Says of each line that is blocked who stands first, and what that lacks.
    pub(crate) fn blocked(
        &self,
        capacity: &Capacity,
        now: Moment,
        mut tell: impl FnMut(&Wants, JobId, Blocked),
    ) {
        let mut room = Room::new(self, capacity, now);
        let mut lines = self.lines();
        while let Some((job, wants)) = lines.next() {
            if let Err(blocked) = room.ask(job, wants) {
                lines.leave_out_the_rest();
                tell(wants, job, blocked);
            }
        }
    }

    /// How many jobs of a queue hold a slot: of the host without a name, or with that of a queue that is not there.
    pub fn busy_in(&self, queue: Option<&str>, capacity: &Capacity) -> usize {
        match capacity.own_queue(queue) {
            Some((queue, _)) => self.busy_apart(queue),
            None => {
                let apart = capacity.machine.queues.keys().map(|queue| self.busy_apart(queue));
                self.busy().len() - apart.sum::<usize>()
            }
        }
    }
}
