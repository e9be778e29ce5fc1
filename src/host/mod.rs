//! The host embeds everything: it owns the one loop that feeds the engine, writes to the store and carries out orders.
//!
//! `neap serve` is a host with a socket; your program has one with [`Host::builder`]. A [`Host`] is a handle: clones
//! are the same host, and when [`Host::shutdown`] was called it is over for all of them.
//!
//! | file | its subject |
//! |---|---|
//! | `builder` | how a host comes up: definitions, store, recovery, runners |
//! | `turn` | the loop |
//! | `recover` | what the last host left |
//! | `carry` | carrying out orders |
//! | `companion` | the hooks of one job |
//! | `bodies` | attempts written in Lua |
//! | `actions` | the built-in actions |
//! | `prepare` | what is found out about a job before it starts |
//! | `sight`, `seen` | what expressions see, and give |
//! | `foresee` | what of that is known before there is a run |
//! | `filling` | values in the place of expressions |
//! | `freshness`, `checks` | whether there is anything to do, and whether it may be done |
//! | `secrets`, `ends`, `results` | what an attempt is given beside its environment, and what it leaves behind |
//! | `reload` | definitions that change while it runs |
//! | `lookout` | schedules that fire when files change |
//! | `hooks` | schedules that fire when somebody calls |
//! | `inline` | Lua that stands in task files |
//! | `view`, `feed` | what others may see, and hear |
//! | `request` | what others may ask for |

mod actions;
mod backfill;
mod bodies;
mod builder;
mod carry;
mod checks;
mod clock;
mod companion;
mod ends;
mod environment;
mod error;
mod feed;
mod filling;
mod forecast;
mod foresee;
mod freshness;
mod hooks;
mod inline;
mod lookout;
mod once;
mod prepare;
mod project;
mod recover;
mod reload;
mod request;
mod results;
mod secrets;
mod seen;
mod sight;
mod turn;
mod view;

pub use backfill::{Backfill, BackfillError, Fill, Filled};
pub use builder::{Builder, Mode};
pub use carry::outcome_word;
#[cfg(feature = "cli")]
pub(crate) use clock::has_alarm;
pub use clock::wall_clock;
pub use environment::{log_path, trigger_word};
pub use error::{CommandError, OpenError, SubmitError};
pub use feed::{Feed, Happening, Missed};
pub use forecast::{Forecast, Foreseen, Full, Window, forecast};
pub use foresee::{Prospect, Whose, conditions_now};
pub use freshness::fresh_now;
pub use hooks::{Admitted, Knock, KnockError, Proof};
pub use project::{Reader, SCRIPTS, SETTINGS, STATE, TASKS, find_root};
#[cfg(feature = "cli")]
pub(crate) use reload::try_to_watch;
pub use reload::{Definitions, check, definitions};
pub use request::{RetryScope, RunRequest, Submitted, retry_plan};
pub use secrets::STORE as SECRETS;
pub use view::{Live, Progress};

use crate::base::{AttemptId, JobId, RunId, TaskName, did_you_mean};
use crate::definition::{DEFAULT_QUEUE, OnHostDeath, Settings};
use crate::engine::{Author, Capacity, Event, Input, Phase, Run, RunOutcome};
use crate::exec::{Joint, Report, Reports, Runner};
use crate::lua::Scripts;
use crate::store::{Durability, History, Store};
use crate::watch::Arrivals;
use clock::Clock;
use companion::Companion;
use environment::Changes;
use feed::Speaker;
use sight::LazyScripts;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turn::{Message, Told};
use view::View;

/// A running host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

pub(crate) struct Inner {
    root: PathBuf,
    state_dir: PathBuf,
    runtime: Handle,
    clock: Clock,
    store: Store,
    view: View,
    speaker: Speaker,
    definitions: RwLock<Arc<Definitions>>,
    /// Wishes to read the definitions again; closed in a host that does not.
    reloads: mpsc::Sender<oneshot::Sender<()>>,
    instance: String,
    scripts: LazyScripts,
    runner: Arc<dyn Runner>,
    reports: Reports,
    inbox: mpsc::Sender<Message>,
    /// What `before` hooks changed about attempts that are about to start.
    /// Who asks for a run under a key of its own.
    asking: Arc<once::Asking>,
    changes: Mutex<HashMap<AttemptId, Changes>>,
    companions: Mutex<HashMap<JobId, Arc<Companion>>>,
    base_env: Vec<(OsString, OsString)>,
    /// Attempts whose secrets are being looked up, and the way to give that up.
    lookups: Mutex<HashMap<AttemptId, CancellationToken>>,
    /// The secrets of the jobs that go on.
    secrets: Mutex<HashMap<JobId, Arc<secrets::Known>>>,
    /// Pipes between jobs of which one has come and the other has not.
    joints: Mutex<HashMap<JobId, Joint>>,
    /// Told when a person has decided over a job.
    decided: Notify,
    /// For the actions that speak HTTP.
    http: actions::Http,
    /// For the jobs that wait for files.
    arrivals: Arrivals,
    /// For the schedules that wait for files to change.
    lookout: lookout::LazyLookout,
    /// For the schedules that somebody calls.
    hooks: hooks::Hooks,
    /// How many jobs may be prepared at once.
    preparing: Semaphore,
    slots: usize,
    /// Of jobs that do not say it themselves.
    on_host_death: OnHostDeath,
    is_full_durability: bool,
    watches_schedules: bool,
    trouble: watch::Sender<Option<String>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cancelled when another host wants its place.
    successor: CancellationToken,
}

impl Host {
    /// Begins to describe a host for the project in this directory.
    pub fn builder(project: impl Into<PathBuf>) -> Builder {
        Builder::new(project.into())
    }

    /// The project's directory.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// The directory of everything the host writes.
    pub fn state_dir(&self) -> &Path {
        &self.0.state_dir
    }

    /// How many attempts may go on at once.
    pub fn slots(&self) -> usize {
        self.0.slots
    }

    /// How much there is to share: the slots, the other queues, and the locks.
    pub fn capacity(&self) -> Capacity {
        let machine = Arc::clone(&self.definitions().settings.machine);
        Capacity { machine, ..Capacity::new(self.0.slots) }
    }

    /// The definitions as they are now.
    pub fn definitions(&self) -> Arc<Definitions> {
        self.0.definitions()
    }

    /// What ended, and when and how. Reading never waits for the host.
    pub fn history(&self) -> &History {
        self.0.store.history()
    }

    /// Looks at what goes on and copies what it needs. The look holds the host up, so it is short.
    pub fn look<R>(&self, look: impl FnOnce(&Live) -> R) -> R {
        self.0.view.look(look)
    }

    /// Hears everything from now on.
    pub fn listen(&self) -> Feed {
        self.0.speaker.listen()
    }

    /// What keeps the host from working, when something does: a full disk, say.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.borrow().clone()
    }

    /// Waits until a run has ended, and until the disk has that. An ended run is answered from the history.
    ///
    /// `None` when there is no such run, or the host stops first.
    pub async fn wait(&self, run: RunId) -> Option<RunOutcome> {
        let mut feed = self.listen();
        while self.look(|live| live.state.runs.contains_key(&run)) {
            // A gap may have held the end; the view knows.
            let is_end = |happening: &Happening| {
                matches!(happening, Happening::Event { record, .. }
                    if matches!(record.event, Event::RunFinished { run: ended, .. } if ended == run))
            };
            while let Ok(Some(happening)) = tokio::select! {
                next = feed.next() => next,
                () = self.0.stop.cancelled() => return None,
            } {
                if is_end(&happening) {
                    break;
                }
            }
        }
        // An end that is told to somebody must not be undone by a power cut.
        self.0.store.commit(Vec::new(), Durability::Synced).await.ok()?;
        self.history().run(run).ok().flatten().and_then(|row| row.outcome)
    }

    /// Asks for the early end of a run. `now` leaves out the grace.
    ///
    /// # Errors
    /// [`CommandError`] when there is nothing to cancel.
    pub async fn cancel(
        &self,
        run: RunId,
        by: Author,
        reason: Option<String>,
        now: bool,
    ) -> Result<(), CommandError> {
        let told = self.command(run, Input::Cancel { run, by, reason, now }).await?;
        if told.records.is_empty() && !now {
            return Err(CommandError::Already { run, state: "being cancelled" });
        }
        Ok(())
    }

    /// Gives all jobs of a run another priority, those that wait already among them.
    ///
    /// # Errors
    /// [`CommandError`] when it is not going on, or has that priority.
    pub async fn prioritise(&self, run: RunId, priority: i32, by: Author) -> Result<(), CommandError> {
        let told = self.command(run, Input::Prioritise { run, priority, by }).await?;
        if told.records.is_empty() {
            return Err(CommandError::Already { run, state: "of that priority" });
        }
        Ok(())
    }

    /// Holds what has not started of a run. What runs goes on.
    ///
    /// # Errors
    /// [`CommandError`] when it is not going on, or held already.
    pub async fn pause(&self, run: RunId, by: Author, reason: Option<String>) -> Result<(), CommandError> {
        let told = self.command(run, Input::Pause { run, by, reason }).await?;
        if told.records.is_empty() { Err(CommandError::Already { run, state: "paused" }) } else { Ok(()) }
    }

    /// Lets a held run go on.
    ///
    /// # Errors
    /// [`CommandError`] when it is not held.
    pub async fn resume(&self, run: RunId, by: Author) -> Result<(), CommandError> {
        let told = self.command(run, Input::Resume { run, by }).await?;
        if told.records.is_empty() { Err(CommandError::Already { run, state: "going on" }) } else { Ok(()) }
    }

    /// Freezes a job that runs: nothing of it does anything, and its time limit stands still. `job` is its name as seen from
    /// the run's task.
    ///
    /// # Errors
    /// [`CommandError`] when there is no such job, it does not run, or it is not a process.
    pub async fn pause_job(
        &self,
        run: RunId,
        job: &str,
        by: Author,
        reason: Option<String>,
    ) -> Result<(), CommandError> {
        let job = self.job_named(run, job)?;
        let told = self.0.tell(Input::PauseJob { job, by, reason }).await?;
        if told.records.is_empty() { Err(self.why_not_frozen(job)) } else { Ok(()) }
    }

    /// Lets a frozen job go on.
    ///
    /// # Errors
    /// [`CommandError`] when there is no such job, or it is not frozen.
    pub async fn resume_job(&self, run: RunId, job: &str, by: Author) -> Result<(), CommandError> {
        let job = self.job_named(run, job)?;
        let told = self.0.tell(Input::ResumeJob { job, by }).await?;
        match told.records.is_empty() {
            true => Err(CommandError::JobAlready { job: self.name_of(job), state: self.phase_word(job) }),
            false => Ok(()),
        }
    }

    fn job_named(&self, run: RunId, name: &str) -> Result<JobId, CommandError> {
        let found = self.look(|live| {
            let r = live.state.runs.get(&run)?;
            let is_meant = |index: &u32| r.node(*index).leaf.name.seen_from(&r.plan.plan().task) == name;
            Some((0..r.jobs.len() as u32).find(is_meant))
        });
        match found {
            None => Err(CommandError::NotGoing(run)),
            Some(None) => Err(CommandError::NoJob { run, job: name.into() }),
            Some(Some(index)) => Ok(JobId { run, index }),
        }
    }

    fn why_not_frozen(&self, job: JobId) -> CommandError {
        let runs = |live: &Live| {
            let is_running =
                matches!(live.state.find_job(job).map(|job| &job.phase), Some(Phase::Running { .. }));
            is_running && !live.state.leaf(job).action.is_process()
        };
        let (job, state) = (self.name_of(job), self.phase_word(job));
        if self.look(|live| runs(live)) {
            CommandError::NoProcess { job }
        } else {
            CommandError::JobAlready { job, state }
        }
    }

    fn name_of(&self, job: JobId) -> String {
        self.look(|live| {
            let run = live.state.runs.get(&job.run);
            let name =
                run.map(|run| run.node(job.index).leaf.name.seen_from(&run.plan.plan().task).to_owned());
            name.unwrap_or_default()
        })
    }

    fn phase_word(&self, job: JobId) -> &'static str {
        self.look(|live| live.state.find_job(job).map_or("over", |job| job.phase.word()))
    }

    /// Decides over a job that waits for an approval. `job` is its name as seen from the run's task; without it the only
    /// one that waits is meant.
    ///
    /// # Errors
    /// [`CommandError`] when nothing waits for that, or several do.
    pub async fn decide(
        &self,
        run: RunId,
        job: Option<&str>,
        approved: bool,
        by: Author,
        reason: Option<String>,
    ) -> Result<AttemptId, CommandError> {
        let waiting = self.look(|live| live.state.runs.get(&run).map(|r| undecided(run, r)));
        let waiting = waiting.ok_or(CommandError::NotGoing(run))?;
        let meant: Vec<_> = waiting.iter().filter(|(_, name)| job.is_none_or(|job| job == name)).collect();
        let attempt = match meant.as_slice() {
            [(attempt, _)] => *attempt,
            [] => return Err(CommandError::NotAsked { run, job: job.map(str::to_owned) }),
            several => {
                let jobs = several.iter().map(|(_, name)| name.clone()).collect();
                return Err(CommandError::WhichJob { run, jobs });
            }
        };
        let told = self.0.tell(Input::Decide { attempt, approved, by, reason }).await?;
        if told.records.is_empty() {
            return Err(CommandError::NotAsked { run, job: job.map(str::to_owned) });
        }
        Ok(attempt)
    }

    /// Lets the schedules of a task rest, or go on.
    ///
    /// # Errors
    /// [`CommandError`] when they do already.
    pub async fn rest(
        &self,
        task: TaskName,
        rest: bool,
        by: Author,
        reason: Option<String>,
    ) -> Result<(), CommandError> {
        let name = task.clone();
        let input = if rest { Input::PauseTask { task, by, reason } } else { Input::ResumeTask { task, by } };
        let told = self.0.tell(input).await?;
        let state = if rest { "paused" } else { "going on" };
        if told.records.is_empty() { Err(CommandError::TaskAlready { task: name, state }) } else { Ok(()) }
    }

    /// Admits nothing from a queue, or lets it go on. What runs goes on.
    ///
    /// # Errors
    /// [`CommandError`] when there is no such queue, or it does already.
    pub async fn rest_queue(
        &self,
        queue: String,
        rest: bool,
        by: Author,
        reason: Option<String>,
    ) -> Result<(), CommandError> {
        let machine = self.capacity().machine;
        let known = || machine.queues.keys().map(String::as_str).chain([DEFAULT_QUEUE]);
        let is_paused = self.look(|live| live.state.paused_queues.contains_key(&queue));
        // One that is gone from neap.yaml can still be resumed.
        if !known().any(|name| name == queue) && !is_paused {
            let near = did_you_mean(&queue, known()).map(str::to_owned);
            return Err(CommandError::NoQueue { queue, near });
        }
        let name = queue.clone();
        let input =
            if rest { Input::PauseQueue { queue, by, reason } } else { Input::ResumeQueue { queue, by } };
        let told = self.0.tell(input).await?;
        let state = if rest { "paused" } else { "going on" };
        if told.records.is_empty() { Err(CommandError::QueueAlready { queue: name, state }) } else { Ok(()) }
    }

    async fn command(&self, run: RunId, input: Input) -> Result<Told, CommandError> {
        if !self.look(|live| live.state.runs.contains_key(&run)) {
            return Err(CommandError::NotGoing(run));
        }
        self.0.tell(input).await
    }

    /// Reads the definitions again now, instead of when a change is noticed.
    pub async fn reload(&self) {
        self.0.reload().await;
    }

    /// Makes way for another host: as [`shutdown`](Host::shutdown), but jobs that outlive a host
    /// ([`OnHostDeath::Keep`]) go on, and the next host takes them up.
    pub async fn leave(&self) {
        self.0.shutdown(true).await;
    }

    /// Wishes that the host makes way, on behalf of somebody outside. Whoever runs it hears that by
    /// [`wait_for_successor`](Host::wait_for_successor), and calls [`leave`](Host::leave).
    pub fn ask_to_leave(&self) {
        self.0.successor.cancel();
    }

    /// Waits until somebody wants the host to make way.
    pub async fn wait_for_successor(&self) {
        self.0.successor.cancelled().await;
    }

    /// Stops everything and waits until nothing is left of it.
    ///
    /// Attempts that go on are asked to stop as their definition says. Their runs are not cancelled: the next host
    /// finds them unfinished and goes on with them, by the retry rules of each job.
    pub async fn shutdown(&self) {
        self.0.shutdown(false).await;
    }
}

/// The attempts of a run that wait for a person, with the names of their jobs.
fn undecided(id: RunId, run: &Run) -> Vec<(AttemptId, String)> {
    let waits = |index: &u32| {
        let job = &run.jobs[*index as usize];
        run.leaf(*index).is_approval() && matches!(job.phase, Phase::Running { .. }) && job.decision.is_none()
    };
    let found = (0..run.jobs.len() as u32).filter(waits).map(|index| {
        let attempt = AttemptId { job: JobId { run: id, index }, number: run.jobs[index as usize].attempts };
        (attempt, run.node(index).leaf.name.seen_from(&run.plan.plan().task).to_owned())
    });
    found.collect()
}

impl Inner {
    /// Feeds an input to the engine and waits until what follows from it is written down.
    async fn tell(&self, input: Input) -> Result<Told, CommandError> {
        let (reply, told) = oneshot::channel();
        let message = Message { input, reply: Some(reply) };
        tokio::select! {
            sent = self.inbox.send(message) => sent.map_err(|_| CommandError::Stopping)?,
            () = self.stop.cancelled() => return Err(CommandError::Stopping),
        }
        told.await.map_err(|_| CommandError::Stopping)
    }

    fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.definitions.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.definitions().settings)
    }

    /// The scripting host; its threads start when the first script is needed.
    fn scripts(&self) -> &Scripts {
        self.scripts.get()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.trouble.send_if_modified(|now| std::mem::replace(now, trouble.clone()) != trouble);
    }

    async fn shutdown(&self, leaves: bool) {
        self.stop.cancel();
        self.lookout.stop();
        let going: Vec<_> = self.view.look(|live| {
            let about = |job: JobId| {
                let (run, leaf) = (&live.state.runs[&job.run], live.state.leaf(job));
                let is_kept = leaf.action.is_process() && self.on_death_of(run, leaf) == OnHostDeath::Keep;
                (live.state.attempt(job), leaf.stop, leaves && is_kept)
            };
            live.state.going().map(about).collect()
        });
        for (attempt, stop, is_left) in going {
            match is_left {
                true => self.runner.leave(attempt),
                false => self.runner.stop(attempt, stop),
            }
        }
        self.runner.shutdown().await;
        // A companion ends when nobody can call it any more.
        self.companions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.tasks.close();
        self.tasks.wait().await;
        self.hooks.close();
        // What was committed is on its way to the disk; wait for it.
        if let Err(error) = self.store.commit(Vec::new(), Durability::Synced).await {
            tracing::error!(%error, "the last events may not survive a power cut");
        }
    }
}

/// Reports that may wait for the loop. A runner waits when it is full, and its process does not.
const REPORTS: usize = 1024;
/// Inputs that may wait for the loop. Whoever submits waits when it is full.
const INBOX: usize = 1024;

fn report_channel() -> (mpsc::Sender<Report>, mpsc::Receiver<Report>) {
    mpsc::channel(REPORTS)
}

fn inbox_channel() -> (mpsc::Sender<Message>, mpsc::Receiver<Message>) {
    mpsc::channel(INBOX)
}
