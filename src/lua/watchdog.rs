//! The thread that stops scripts: it sleeps until the earliest deadline of any running poll and arms that VM's interrupt.
//!
//! It knows polls, not calls: how much of a budget is left when one begins is told by [`super::metered`]. It wakes for nothing
//! else, and sleeps without a deadline when no script runs.

use super::interrupt::Slot;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One call of a script, counted up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CallId(pub(super) u64);

/// One thread that runs scripts, counted up: a replaced thread has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WorkerId(pub(super) u64);

/// Why a call was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Cpu,
    Wall,
    /// Nobody waits for it any more.
    Asked,
    /// Its thread was given up while it ran.
    Abandoned,
}

/// What a poll may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) call: CallId,
    pub(super) slot: Slot,
    pub(super) cpu: Duration,
    pub(super) wall_at: Instant,
}

#[derive(Debug)]
struct Poll {
    allowance: Allowance,
    thread: ThreadTime,
    cpu_began: Duration,
    phase: Phase,
    next: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running { slice_at: Instant },
    Sliced,
    Killed { why: Stop, at: Instant },
}

/// What the watchdog found when it looked at a poll.
enum Finding {
    Next(Instant),
    Stuck(Stop),
}

/// The handle of the watchdog. Its thread runs from `start` to `close`.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    bell: Condvar,
    slice: Duration,
    stuck_after: Duration,
}

#[derive(Default)]
struct State {
    polls: BTreeMap<WorkerId, Poll>,
    /// When the thread will wake by itself.
    planned: Option<Instant>,
    closed: bool,
}

/// Called, without any lock held, for a thread that did not come back.
pub(super) type OnStuck = Box<dyn Fn(WorkerId, CallId, Stop) + Send>;

impl Watchdog {
    pub(super) fn new(slice: Duration, stuck_after: Duration) -> Watchdog {
        Watchdog {
            shared: Arc::new(Shared { state: Mutex::default(), bell: Condvar::new(), slice, stuck_after }),
        }
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(&self, on_stuck: OnStuck) -> std::io::Result<()> {
        let watched = self.shared.clone();
        std::thread::Builder::new().name("neap-lua-watch".into()).spawn(move || watched.watch(&on_stuck))?;
        Ok(())
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.bell.notify_one();
    }

    /// A poll begins on this thread.
    pub(super) fn begin(&self, worker: WorkerId, thread: ThreadTime, allowance: Allowance) {
        let now = Instant::now();
        let slice_at = now + self.shared.slice;
        let next = slice_at.min(now + allowance.cpu);
        let mut poll =
            Poll { allowance, thread, cpu_began: thread.used(), phase: Phase::Running { slice_at }, next };
        if allowance.cpu.is_zero() {
            // Armed here and now, so that a script cannot go on for ever in polls too short to be looked at.
            poll.kill(Stop::Cpu, now);
        }
        let mut state = self.shared.lock();
        let is_late = state.planned.is_none_or(|planned| next < planned);
        state.polls.insert(worker, poll);
        if is_late {
            self.shared.bell.notify_one();
        }
    }

    /// The poll has come back. Says what it used and whether it was stopped.
    pub(super) fn end(&self, worker: WorkerId, slot: Slot) -> (Duration, Option<Stop>) {
        let mut state = self.shared.lock();
        slot.disarm();
        let Some(poll) = state.polls.remove(&worker) else { return (Duration::ZERO, Some(Stop::Abandoned)) };
        let used = poll.thread.used().saturating_sub(poll.cpu_began);
        match poll.phase {
            Phase::Running { .. } | Phase::Sliced => (used, None),
            Phase::Killed { why, .. } => (used, Some(why)),
        }
    }

    /// Stops this call if it is running right now.
    pub(super) fn stop(&self, call: CallId) {
        let mut state = self.shared.lock();
        let now = Instant::now();
        for poll in state.polls.values_mut().filter(|poll| poll.allowance.call == call) {
            poll.kill(Stop::Asked, now);
        }
        self.shared.bell.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, on_stuck: &OnStuck) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            let mut next: Option<Instant> = None;
            let mut stuck = Vec::new();
            for (worker, poll) in &mut state.polls {
                match poll.look(now, self.stuck_after) {
                    Finding::Next(at) => next = Some(next.map_or(at, |other| other.min(at))),
                    Finding::Stuck(why) => stuck.push((*worker, poll.allowance.call, why)),
                }
            }
            if !stuck.is_empty() {
                state.polls.retain(|worker, _| stuck.iter().all(|(lost, ..)| lost != worker));
                drop(state);
                for (worker, call, why) in stuck {
                    on_stuck(worker, call, why);
                }
                state = self.lock();
                continue;
            }
            state.planned = next;
            state = match next {
                Some(at) => {
                    let wait = at.saturating_duration_since(now);
                    self.bell.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Poll {
    fn kill(&mut self, why: Stop, at: Instant) {
        if !matches!(self.phase, Phase::Killed { .. }) {
            self.phase = Phase::Killed { why, at };
            self.allowance.slot.kill();
        }
    }

    fn look(&mut self, now: Instant, stuck_after: Duration) -> Finding {
        if let Phase::Killed { why, at } = self.phase {
            let given_up = at + stuck_after;
            return if now >= given_up { Finding::Stuck(why) } else { Finding::Next(given_up) };
        }
        if now < self.next {
            return Finding::Next(self.next);
        }
        let left = self.allowance.cpu.saturating_sub(self.thread.used().saturating_sub(self.cpu_began));
        if left.is_zero() || now >= self.allowance.wall_at {
            self.kill(if left.is_zero() { Stop::Cpu } else { Stop::Wall }, now);
            return Finding::Next(now + stuck_after);
        }
        if let Phase::Running { slice_at } = self.phase
            && now >= slice_at
        {
            self.allowance.slot.slice();
            self.phase = Phase::Sliced;
        }
        // Never sooner than a millisecond: the clock of a thread may stand still while others run.
        self.next = (now + left.max(Duration::from_millis(1))).min(self.allowance.wall_at);
        Finding::Next(self.next)
    }
}

/// The processor time of one thread, readable from any other. A thread that has ended has used nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadTime(
    #[cfg(target_os = "linux")] libc::clockid_t,
    #[cfg(not(target_os = "linux"))] Instant,
);

#[cfg(target_os = "linux")]
impl ThreadTime {
    /// The clock of the calling thread.
    pub(super) fn of_this_thread() -> ThreadTime {
        let mut clock = libc::CLOCK_THREAD_CPUTIME_ID;
        // SAFETY: the thread asks about itself and hands in a place for the answer.
        unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        ThreadTime(clock)
    }

    fn used(self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a place for the answer; an unknown clock leaves it alone.
        unsafe { libc::clock_gettime(self.0, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// Other systems cannot read another thread's clock; there the time on the wall stands in for it.
#[cfg(not(target_os = "linux"))]
impl ThreadTime {
    pub(super) fn of_this_thread() -> ThreadTime {
        ThreadTime(Instant::now())
    }

    fn used(self) -> Duration {
        self.0.elapsed()
    }
}
