//! Why a job is not running: every wait has an owner, and this says who.

use crate::base::{JobId, Moment, RunId};
use crate::definition::{GroupName, Rate, RunGroup};
use crate::engine::admit::room::Blocked;
use crate::engine::{Capacity, Pause, Phase, Question, RunPhase, State, Wants};
use std::collections::BTreeMap;

/// What a job that is neither running nor done waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// This older run of its task, and every other one, to end.
    Behind { run: RunId },
    /// These jobs of its run, which are not done.
    Needs(Vec<u32>),
    /// The turn of its run: these go on in the group, of which so many may, and so many wait before it.
    Turn { group: GroupName, limit: u32, going: Vec<RunId>, ahead: usize },
    /// Its queue is held.
    QueuePaused { queue: String, pause: Pause },
    /// Its run is held.
    Paused(Pause),
    /// A slot of its queue, of which so many are busy; `ahead` jobs stand before it, and this one is the next of them.
    Slot { queue: Option<String>, busy: usize, slots: usize, ahead: usize, next: Option<JobId> },
    /// A lock. These hold it, each since then; and it is kept for one that stands before.
    Lock { name: String, holders: Vec<(JobId, Moment)>, kept_for: Option<JobId> },
    /// The moment before which it does not start.
    Start { until: Moment },
    /// So much of a resource, of which there is so much and so much is free. It may be kept for one that stands before.
    Resource { name: String, wants: u64, free: u64, most: u64, kept_for: Option<JobId> },
    /// The moment at which it may begin under its rate, of which so many have begun in so long.
    Rate { rate: Rate, until: Moment },
    /// Its next try.
    Backoff { until: Moment },
    /// An answer of a hook.
    Hook(Question),
    /// What is being tidied up after it.
    Cleanup,
    /// What its definition leaves open: conditions, expressions, whether there is anything to do.
    Preparation,
    /// The jobs that it became; so many are open.
    Cells { open: u32 },
    /// Its siblings: only so many cells may go on at once.
    Siblings { at_once: u32 },
}

/// Who stands where, and what those in front lack: looked up once for however many jobs are asked about.
#[derive(Clone, Debug)]
pub struct Standing {
    capacity: Capacity,
    /// Of each line that is blocked its first job, and what that lacks.
    blocked: BTreeMap<Wants, (JobId, Blocked)>,
    /// How many stand before each job that needs a slot, in its own queue.
    places: BTreeMap<JobId, usize>,
    /// Who is the first in each queue.
    first: BTreeMap<Option<String>, JobId>,
}

impl Standing {
    /// Looks at everybody who is queued.
    pub fn of(state: &State, capacity: &Capacity, now: Moment) -> Standing {
        let mut blocked = BTreeMap::new();
        state.blocked(capacity, now, |wants, job, lacks| {
            blocked.insert(wants.clone(), (job, lacks));
        });
        let (mut places, mut first, mut counts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (job, wants) in state.lines().filter(|(_, wants)| wants.needs_slot) {
            let count: &mut usize = counts.entry(&wants.sharing.queue).or_default();
            if *count == 0 {
                first.insert(wants.sharing.queue.clone(), job);
            }
            places.insert(job, *count);
            *count += 1;
        }
        Standing { capacity: capacity.clone(), blocked, places, first }
    }

    fn wait(&self, state: &State, id: JobId) -> Wait {
        let queue = state.leaf(id).sharing.queue();
        if let Some(pause) = state.paused_queues.get(queue) {
            return Wait::QueuePaused { queue: queue.to_owned(), pause: pause.clone() };
        }
        let wants = state.wants(id);
        match wants.as_ref().and_then(|wants| self.blocked.get(wants)) {
            Some((first, Blocked::Lock { name, kept_for })) => {
                // Whoever is the first of the line has it before those behind.
                let kept_for = kept_for.or(Some(*first)).filter(|other| *other != id);
                Wait::Lock { name: name.clone(), holders: holders(state, name), kept_for }
            }
            Some((first, Blocked::Resource { name, kept_for })) => {
                let most = self.capacity.amount_of(name);
                Wait::Resource {
                    wants: state.leaf(id).sharing.resources.get(name).copied().unwrap_or(0),
                    free: most.saturating_sub(state.used(name)),
                    most,
                    kept_for: kept_for.or(Some(*first)).filter(|other| *other != id),
                    name: name.clone(),
                }
            }
            Some((_, Blocked::Rate { until })) => match &state.leaf(id).sharing.rate {
                Some(rate) => Wait::Rate { rate: rate.clone(), until: *until },
                None => self.slot(state, id),
            },
            Some((_, Blocked::Slot | Blocked::Paused)) | None => self.slot(state, id),
        }
    }

    fn slot(&self, state: &State, id: JobId) -> Wait {
        let queue = state.leaf(id).sharing.queue.clone();
        let ahead = self.places.get(&id).copied().unwrap_or(0);
        Wait::Slot {
            busy: state.busy_in(queue.as_deref(), &self.capacity),
            slots: self.capacity.slots_of(queue.as_deref()),
            ahead,
            next: self.first.get(&queue).copied().filter(|_| ahead > 0),
            queue,
        }
    }
}

/// Who holds a lock, and since when.
fn holders(state: &State, lock: &str) -> Vec<(JobId, Moment)> {
    let since = |job: JobId| state.job(job).started.unwrap_or(state.job(job).since);
    state.holders(lock).into_iter().flat_map(|holders| holders.all()).map(|job| (job, since(job))).collect()
}

impl State {
    /// What a run waits for that may not begin yet: older runs of its task, or the first of its groups that has no room.
    pub fn turn(&self, id: RunId) -> Option<Wait> {
        let run = self.runs.get(&id).filter(|run| run.is_waiting)?;
        if let RunPhase::Paused(pause) = &run.phase {
            return Some(Wait::Paused(pause.clone()));
        }
        if run.is_behind {
            return Some(Wait::Behind { run: self.oldest_run_of(&run.plan.plan().task)? });
        }
        let wait = |group: &RunGroup| {
            let crowd = self.crowd(&group.name)?;
            let ahead = crowd.waiting.range(..id).count();
            let is_full = !self.is_next(group, Some(id));
            let going = crowd.going.iter().copied().collect();
            is_full.then(|| Wait::Turn { group: group.name.clone(), limit: group.limit, going, ahead })
        };
        run.plan.plan().groups.iter().find_map(wait)
    }

    /// Says what a job waits for; `None` when it runs or is done.
    pub fn why_waiting(&self, id: JobId, standing: &Standing) -> Option<Wait> {
        let run = self.runs.get(&id.run)?;
        let job = self.find_job(id)?;
        match &job.phase {
            Phase::Preparing { .. } => Some(Wait::Preparation),
            Phase::Spread => Some(Wait::Cells { open: job.open_cells }),
            Phase::Waiting if run.is_waiting => self.turn(id.run),
            Phase::Waiting if job.cell.is_some() => {
                let most = self
                    .node(JobId { index: job.cell.as_ref()?.parent, ..id })
                    .leaf
                    .spread
                    .as_ref()?
                    .max_parallel;
                Some(Wait::Siblings { at_once: most.unwrap_or(u32::MAX) })
            }
            Phase::Waiting => {
                let open = self.node(id).edges().filter(|&(need, when)| run.judged(need, when).is_none());
                Some(Wait::Needs(open.map(|(need, _)| need).collect()))
            }
            Phase::Queued => Some(match &run.phase {
                RunPhase::Paused(pause) => Wait::Paused(pause.clone()),
                RunPhase::Going | RunPhase::Cancelling { .. } => standing.wait(self, id),
            }),
            Phase::Delayed { until } => Some(Wait::Start { until: *until }),
            Phase::Backoff { until } => Some(Wait::Backoff { until: *until }),
            Phase::Asking { question, .. } => Some(Wait::Hook(*question)),
            Phase::Cleaning { .. } | Phase::Ended { .. } => Some(Wait::Cleanup),
            Phase::Running { .. } | Phase::Paused { .. } | Phase::Stopping { .. } | Phase::Done(_) => None,
        }
    }
}
