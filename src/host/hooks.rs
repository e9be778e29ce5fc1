//! Schedules that fire when somebody calls the host: who may, how often, and what a run is told of the call.
//!
//! How calls come in over the wire is the business of the API; whether there is a run, that of the engine.

mod door;
mod rates;
mod tokens;

pub(super) use door::Doorway;
pub use tokens::Proof;

use crate::base::{RunId, TaskName};
use crate::definition::{ParamProblem, Params, Task, Timetable, bind_json};
use crate::engine::{Call, Event, Input, PlanRef, Record, Run, ScheduleKey, SlotSkip, Trigger};
use crate::host::lookout::write_once;
use crate::host::reload::schedule_key;
use crate::host::{Definitions, Host, Inner, SubmitError, once};
use crate::plan::Plan;
use crate::store::{Durability, Seq};
use rates::Rates;
use serde_json::Value;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokens::Tokens;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The file that holds the body of the call.
pub(super) const BODY: &str = "NEAP_WEBHOOK_BODY";
/// What the caller says that the body is.
pub(super) const CONTENT_TYPE: &str = "NEAP_WEBHOOK_CONTENT_TYPE";

/// The keys of runs that callers choose are apart from those of people.
const DELIVERY: &str = "webhook ";

/// A call as it came in. Nothing of it can be trusted.
#[derive(Clone, Debug)]
pub struct Knock {
    /// The task that is called.
    pub task: String,
    /// The address of the caller.
    pub from: IpAddr,
    /// What shall show that the caller may: one that is right is enough.
    pub proofs: Vec<Proof>,
    /// Parameters by name, as text.
    pub params: Vec<(String, String)>,
    /// The caller's name for the call: the same again makes no second run.
    pub delivery: Option<String>,
    /// What the body is, in printable ASCII.
    pub content_type: Option<String>,
    /// The body.
    pub body: Box<[u8]>,
}

/// A call that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its run.
    pub run: RunId,
    /// The name of that: `deploy#3`.
    pub label: String,
    /// Whether it was created now, or was there already for this delivery.
    pub is_new: bool,
}

/// A call was not taken.
#[derive(Debug, thiserror::Error)]
pub enum KnockError {
    /// Nobody who is called so takes calls from this caller. Which of the two it is, nobody outside learns.
    #[error("unknown task, or a wrong token")]
    Unknown,
    /// Too often within a minute.
    #[error("called too often")]
    TooOften {
        /// After so long it may be tried again.
        wait: Duration,
    },
    /// The parameters or the name of the delivery are wrong.
    #[error("{0}")]
    Wrong(String),
    /// The schedule made no run of it.
    #[error("{0}")]
    Skipped(String),
    /// No run could be created.
    #[error(transparent)]
    Submit(SubmitError),
}

/// What is known about those who call.
pub(super) struct Hooks {
    doorway: Doorway,
    tokens: Mutex<Arc<Tokens>>,
    rates: Mutex<Rates>,
}

impl Hooks {
    pub(super) fn new(doorway: Doorway) -> Hooks {
        Hooks { doorway, tokens: Mutex::default(), rates: Mutex::default() }
    }

    fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets go of the port.
    pub(super) fn close(&self) {
        self.doorway.close();
    }

    /// Listens where these definitions say; if that cannot be, where it did, and says so among their problems.
    pub(super) fn follow(&self, mut definitions: Definitions) -> Definitions {
        if let Err(problem) = self.doorway.follow(&definitions) {
            definitions.settings_problems.push(*problem);
        }
        definitions
    }
}

impl Host {
    /// Where calls come in; `None` when the settings name no address, or nobody said that the host takes calls.
    pub fn hooks_address(&self) -> Option<SocketAddr> {
        self.0.hooks.doorway.address()
    }

    /// The listener, and every later one.
    #[cfg_attr(not(feature = "api"), expect(dead_code, reason = "only the API serves who comes in"))]
    pub(crate) fn doors(&self) -> watch::Receiver<Option<Arc<TcpListener>>> {
        self.0.hooks.doorway.doors()
    }

    /// Takes a call, and answers when the disk has its run.
    ///
    /// # Errors
    /// [`KnockError`]; nothing was created.
    pub async fn knock(&self, knock: Knock) -> Result<Admitted, KnockError> {
        if self.0.stop.is_cancelled() {
            return Err(KnockError::Submit(SubmitError::Stopping));
        }
        let key = self.0.let_in(&knock)?;
        let plan = self.0.plan_of(&key, &knock)?;
        let Some(delivery) = knock.delivery.clone() else {
            return self.0.call(key, plan, knock, None).await;
        };
        if let Some(problem) = once::problem(&delivery) {
            return Err(KnockError::Wrong(format!("that cannot be the name of a delivery: {problem}")));
        }
        let name = format!("{DELIVERY}{delivery}");
        let task = plan.plan().task.clone();
        let turn = self.0.asking.turn((task.clone(), name.clone())).await;
        if let Some(row) = self.history().by_key(&task, &name).map_err(SubmitError::from)? {
            let label = format!("{}#{}", row.task, row.number);
            return Ok(Admitted { run: row.run, label, is_new: false });
        }
        let host = self.clone();
        let call = async move { host.0.call(key, plan, knock, Some(name.into())).await };
        self.0.in_turn(Arc::new(turn), call).await
    }
}

impl From<SubmitError> for KnockError {
    fn from(error: SubmitError) -> KnockError {
        KnockError::Submit(error)
    }
}

impl Inner {
    /// Which schedule a caller may call, if any, and whether that is not too often.
    fn let_in(&self, knock: &Knock) -> Result<ScheduleKey, KnockError> {
        let found = self.hooks.tokens().find(&knock.task, &knock.proofs, &knock.body);
        let mut rates = self.hooks.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let too_often = |wait| KnockError::TooOften { wait };
        match found {
            Some(key) => rates.call(&knock.task, now).map(|()| key).map_err(too_often),
            None => {
                rates.fail(knock.from, now).map_err(too_often)?;
                Err(KnockError::Unknown)
            }
        }
    }

    /// What the call would do.
    fn plan_of(&self, key: &ScheduleKey, knock: &Knock) -> Result<PlanRef, KnockError> {
        let definitions = self.definitions();
        let catalog = &definitions.catalog;
        // One that has gone since the tokens were read is unknown now.
        let task = catalog.task(&knock.task).ok_or(KnockError::Unknown)?;
        let is_meant =
            |timetable: &&Timetable| timetable.enabled && schedule_key(&task.name, timetable) == *key;
        let timetable = task.timetables.iter().find(is_meant).ok_or(KnockError::Unknown)?;
        let params = params_of(task, timetable, &knock.params).map_err(KnockError::Wrong)?;
        let plan = Plan::build(catalog, &task.name, params).map_err(SubmitError::from)?;
        Ok(PlanRef::new(Arc::new(plan)))
    }

    async fn call(
        &self,
        key: ScheduleKey,
        plan: PlanRef,
        knock: Knock,
        name: Option<Arc<str>>,
    ) -> Result<Admitted, KnockError> {
        let from = knock.from.to_canonical().to_string();
        let call = Arc::new(Call { from, content_type: knock.content_type, body: knock.body });
        let input = Input::Called { key: key.clone(), plan, call, name };
        let told = self.tell(input).await.map_err(|_| SubmitError::Stopping)?;
        // As with a run that somebody asks for: who was told of it finds it after a power cut.
        self.store.commit(Vec::new(), Durability::Synced).await.map_err(SubmitError::from)?;
        told.records.iter().find_map(|record| self.answer(&key, record)).unwrap_or(Err(KnockError::Unknown))
    }

    /// What an event says about the call of a schedule.
    fn answer(&self, called: &ScheduleKey, record: &Record) -> Option<Result<Admitted, KnockError>> {
        match &record.event {
            Event::RunCreated(new) => match &new.trigger {
                Trigger::Webhook { key, .. } if key == called => {
                    let label = format!("{}#{}", new.plan.plan().task, new.number);
                    Some(Ok(Admitted { run: new.run, label, is_new: true }))
                }
                _ => None,
            },
            Event::SlotSkipped { key, why, .. } if key == called => {
                Some(Err(KnockError::Skipped(self.skip_words(called.task(), why))))
            }
            _ => None,
        }
    }

    fn skip_words(&self, task: &str, why: &SlotSkip) -> String {
        let name = |run: &RunId| {
            let name = self.view.look(|live| live.state.runs.get(run).map(Run::name));
            name.unwrap_or_else(|| run.to_string())
        };
        match why {
            SlotSkip::Overlap { run } => format!("{} still goes on", name(run)),
            SlotSkip::Paused => format!("the schedules of {task} rest"),
            SlotSkip::Queued { run } => format!("{} waits for its turn, and no more may", name(run)),
            SlotSkip::Crowded { run, group } => format!("{group} has no room beside {}", name(run)),
        }
    }

    /// Reads the tokens of all hooks again. Until then the old ones hold.
    pub(super) async fn learn_tokens(&self) {
        if !self.hooks.doorway.is_wanted() {
            return;
        }
        let catalog = Arc::clone(&self.definitions().catalog);
        let of = |task: &Arc<Task>| -> Vec<(TaskName, ScheduleKey, crate::definition::Secret)> {
            let enabled = task.timetables.iter().filter(|timetable| timetable.enabled);
            let token = |timetable: &Timetable| {
                Some((task.name.clone(), schedule_key(&task.name, timetable), timetable.token.clone()?))
            };
            enabled.filter_map(token).collect()
        };
        let wanted: Vec<_> = catalog.tasks().flat_map(of).collect();
        let tokens = Tokens::learn(wanted, |secret| async move { self.find_secret(&secret).await }).await;
        *self.hooks.tokens.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }

    /// The variables that tell a job of the call. Another go at a run is told of the same one.
    pub(super) fn call_variables(&self, id: RunId, run: &Run) -> Vec<(OsString, OsString)> {
        let Some((origin, Trigger::Webhook { call, .. })) = self.origin(id, &run.trigger) else {
            return Vec::new();
        };
        let mut variables = vec![(BODY.into(), self.body_file(origin).into_os_string())];
        variables.extend(call.content_type.as_ref().map(|what| (CONTENT_TYPE.into(), what.into())));
        variables
    }

    fn body_file(&self, run: RunId) -> PathBuf {
        self.state_dir.join("runs").join(run.to_string()).join("webhook-body")
    }

    /// Writes the body of the call down where jobs read it. It came into the journal with the run, so a crash loses nothing.
    pub(super) fn write_body(&self, run: RunId) -> std::io::Result<()> {
        let trigger = self.view.look(|live| live.state.runs.get(&run).map(|run| run.trigger.clone()));
        match trigger {
            Some(Trigger::Webhook { call, .. }) => write_once(&self.body_file(run), || call.body.to_vec()),
            Some(trigger @ Trigger::Retry { .. }) => self.write_body_again(run, &trigger),
            Some(
                Trigger::Manual
                | Trigger::Schedule { .. }
                | Trigger::Task { .. }
                | Trigger::After { .. }
                | Trigger::Watch { .. },
            )
            | None => Ok(()),
        }
    }

    /// For another go at a run of which nothing may ever have started.
    fn write_body_again(&self, run: RunId, trigger: &Trigger) -> std::io::Result<()> {
        let Some((origin, Trigger::Webhook { .. })) = self.origin(run, trigger) else { return Ok(()) };
        let file = self.body_file(origin);
        if file.exists() {
            return Ok(());
        }
        // The history has the call without its body; the first event of the run has all of it.
        let first = self.store.history().events(origin, Seq(0), 1).map_err(std::io::Error::other)?;
        let Some(Event::RunCreated(new)) = first.into_iter().next().map(|entry| entry.record.event) else {
            return Ok(());
        };
        let Trigger::Webhook { call, .. } = new.trigger else { return Ok(()) };
        std::fs::create_dir_all(self.state_dir.join("runs").join(origin.to_string()))?;
        write_once(&file, || call.body.to_vec())
    }
}

/// What the entry gives, and then what the caller gives besides; or what is wrong with that.
fn params_of(task: &Task, timetable: &Timetable, given: &[(String, String)]) -> Result<Params, String> {
    let mut wrong: Vec<String> = Vec::new();
    let own = timetable.params.iter().map(|(name, value)| (name.clone(), value.clone()));
    let mut all: serde_json::Map<String, Value> = own.collect();
    let mut seen = std::collections::BTreeSet::new();
    for (name, text) in given {
        if !seen.insert(name) {
            wrong.push(format!("`{name}`: it is given twice"));
        } else if text.contains('\0') {
            wrong.push(format!("`{name}`: it holds a zero byte"));
        } else if timetable.params.contains_key(name) {
            wrong.push(format!("`{name}`: the schedule itself says what it is"));
        } else {
            all.insert(name.clone(), Value::String(text.clone()));
        }
    }
    match bind_json(&task.params, &all) {
        Ok(params) if wrong.is_empty() => Ok(params),
        Ok(_) => Err(wrong.join("; ")),
        Err(problems) => {
            wrong.extend(problems.iter().map(ParamProblem::to_string));
            Err(wrong.join("; "))
        }
    }
}
