//! The threads that run scripts: who gets which job, and what happens when one of them does not come back.
//!
//! A thread that is given up is left behind with its machines and replaced; after [`Limits::lost_workers`] of them its place stays
//! empty and scripts there are refused, for every lost thread still burns a processor.

use super::api::Clock;
use super::call::Stage;
use super::error::ErrorKind;
use super::evaluate::Evaluator;
use super::fault::Scene;
use super::ledger::{Answer, Entry, Ledger, Reply};
use super::limits::{Budget, Limits};
use super::metered::Runner;
use super::watchdog::{CallId, Stop, ThreadTime, Watchdog, WorkerId};
use super::worker::{Job, Task, Worker};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Jobs that may wait for one thread. The thread takes them within a slice, so more than a few only wait when it is stuck.
const WAITING: usize = 256;

pub(super) struct Pool {
    places: Mutex<Places>,
    watchdog: Arc<Watchdog>,
    limits: Arc<Limits>,
    clock: Clock,
    next_call: AtomicU64,
}

struct Places {
    /// `None` where a thread was lost and not replaced.
    links: Vec<Option<Link>>,
    /// How many threads there have been.
    started: u64,
    lost: usize,
}

/// The way to one thread.
#[derive(Clone)]
struct Link {
    worker: WorkerId,
    jobs: mpsc::Sender<Job>,
    ledger: Arc<Ledger>,
    sweep: Arc<Notify>,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no threads or descriptors left.
    pub(super) fn start(limits: Arc<Limits>, clock: Clock) -> io::Result<Arc<Pool>> {
        let watchdog = Arc::new(Watchdog::new(limits.slice.to_duration(), limits.stuck_after.to_duration()));
        let places = Mutex::new(Places { links: Vec::new(), started: 0, lost: 0 });
        let pool = Arc::new(Pool { places, watchdog, limits, clock, next_call: AtomicU64::new(1) });
        for place in 0..pool.limits.workers.max(1) {
            let link = pool.start_worker(place, WorkerId(place as u64))?;
            let mut places = pool.lock();
            places.links.push(Some(link));
            places.started += 1;
        }
        let weak = Arc::downgrade(&pool);
        pool.watchdog.start(Box::new(move |worker, call, why| {
            if let Some(pool) = weak.upgrade() {
                pool.give_up(worker, call, why);
            }
        }))?;
        Ok(pool)
    }

    pub(super) fn next_call(&self) -> CallId {
        CallId(self.next_call.fetch_add(1, Ordering::Relaxed))
    }

    /// Has a job done and waits for its answer. When the future is dropped, the job is stopped.
    pub(super) async fn ask(&self, id: CallId, scene: Scene, task: Task, stop: CancellationToken) -> Answer {
        let _stops_when_dropped = stop.clone().drop_guard();
        let (sender, mut answer) = oneshot::channel();
        let reply: Reply = Box::new(move |answer| {
            // Nobody listens any more when the caller has been dropped.
            let _ = sender.send(answer);
        });
        let dropped = scene.error(ErrorKind::Host, "the threads of the scripts have ended");
        let (jobs, job) = self.enter(id, scene, task, stop, reply)?;
        tokio::select! {
            biased;
            answered = &mut answer => return answered.unwrap_or(Err(dropped)),
            sent = jobs.send(job) => if sent.is_err() { return Err(dropped) },
        }
        answer.await.unwrap_or(Err(dropped))
    }

    /// Has a job done; the answer goes to `reply`. Never waits: refuses when the thread has too much to do.
    pub(super) fn tell(&self, scene: Scene, task: Task, reply: Reply) {
        let id = self.next_call();
        let full = scene.error(ErrorKind::Host, "too many calls of scripts are waiting");
        let refused = match self.place(&scene) {
            Some(link) => {
                link.ledger.enter(id, Entry { scene: scene.clone(), reply });
                let job = Job { id, scene, stop: CancellationToken::new(), task };
                link.jobs.try_send(job).is_err().then_some(link)
            }
            None => {
                reply(Err(self.off(&scene)));
                None
            }
        };
        if let Some(link) = refused {
            link.ledger.answer(id, Err(full));
        }
    }

    /// Stops a call: at once when it runs, at its next turn when it does not.
    pub(super) fn stop(&self, call: CallId, stop: &CancellationToken) {
        stop.cancel();
        self.watchdog.stop(call);
    }

    /// Lets every thread drop what nobody needs any more.
    pub(super) fn sweep(&self) {
        for link in self.lock().links.iter().flatten() {
            link.sweep.notify_one();
        }
    }

    fn enter(
        &self,
        id: CallId,
        scene: Scene,
        task: Task,
        stop: CancellationToken,
        reply: Reply,
    ) -> Result<(mpsc::Sender<Job>, Job), super::error::ScriptError> {
        let link = self.place(&scene).ok_or_else(|| self.off(&scene))?;
        link.ledger.enter(id, Entry { scene: scene.clone(), reply });
        Ok((link.jobs, Job { id, scene, stop, task }))
    }

    /// A generation always lives in the same place: that is where its machine is.
    fn place(&self, scene: &Scene) -> Option<Link> {
        let places = self.lock();
        let place = scene.generation.number % places.links.len() as u64;
        places.links[usize::try_from(place).expect("there are few places")].clone()
    }

    fn off(&self, scene: &Scene) -> super::error::ScriptError {
        let message = format!("scripts are off: {} threads are stuck in scripts", self.lock().lost);
        scene.error(ErrorKind::Host, message).help("restart the host; the log names the scripts")
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_worker(&self, place: usize, worker: WorkerId) -> io::Result<Link> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let (ledger, sweep) = (Arc::new(Ledger::open()), Arc::new(Notify::new()));
        let link = Link { worker, jobs, ledger: ledger.clone(), sweep: sweep.clone() };
        let (watchdog, limits, clock) = (self.watchdog.clone(), self.limits.clone(), self.clock.clone());
        std::thread::Builder::new().name(format!("neap-lua-{place}")).spawn(move || {
            let runner = Runner { watchdog, worker, thread: ThreadTime::of_this_thread() };
            let rooms = RefCell::new(HashMap::new());
            let evaluator = Evaluator::default();
            let worker = Rc::new(Worker { runner, ledger, limits, clock, rooms, evaluator });
            tokio::task::LocalSet::new().block_on(&runtime, worker.run(waiting, sweep));
        })?;
        Ok(link)
    }

    /// A thread has not come back: answers for it and puts another one in its place.
    fn give_up(&self, worker: WorkerId, call: CallId, why: Stop) {
        let mut places = self.lock();
        let place =
            places.links.iter().position(|link| link.as_ref().is_some_and(|link| link.worker == worker));
        let Some(place) = place else { return };
        places.lost += 1;
        let next = WorkerId(places.started);
        let fresh = (places.lost <= self.limits.lost_workers).then(|| self.start_worker(place, next));
        places.started += 1;
        let lost = std::mem::replace(&mut places.links[place], fresh.and_then(io::Result::ok));
        drop(places);
        for (id, entry) in lost.map(|link| link.ledger.close()).unwrap_or_default() {
            let answer = if id == call { self.stuck(&entry, why) } else { bystander(&entry) };
            (entry.reply)(Err(answer));
        }
    }

    fn stuck(&self, entry: &Entry, why: Stop) -> super::error::ScriptError {
        let budget: Budget = match entry.scene.stage {
            Stage::Loading | Stage::Body => self.limits.load,
            Stage::Expression => self.limits.expression,
            Stage::Hook(hook) => {
                entry.scene.generation.note_stop(hook, (self.clock)());
                self.limits.budget(hook)
            }
        };
        entry.scene.stopped(why, budget, None).help(STUCK)
    }
}

const STUCK: &str = "it did not stop when told to, so its thread was given up: look for one huge sort, search or concatenation";

fn bystander(entry: &Entry) -> super::error::ScriptError {
    entry
        .scene
        .error(ErrorKind::Host, "another script kept the thread and would not stop; the thread was given up")
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.watchdog.close();
    }
}
