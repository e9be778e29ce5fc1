//! What others may ask for: a run of a task, another go at an earlier run.

use crate::base::{RunId, TaskName};
use crate::definition::{Catalog, Params};
use crate::engine::{Author, Event, Input, Outcome, PlanRef, Record, Run, Submission, Trigger};
use crate::host::{Host, SubmitError};
use crate::plan::Plan;
use crate::store::{Durability, History};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A wish for a run of a task.
///
/// ```
/// use neap::host::RunRequest;
/// let request = RunRequest::new("nightly", "anna").param("day", "2026-11-21").reason("the disk was replaced");
/// assert_eq!(request.task, "nightly");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// A task, or a child of one (`nightly/upload`): then that child and what it needs.
    pub task: String,
    /// Parameters by name, as text; they are checked against the task's declarations.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Who wants it.
    pub by: Author,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Replaces the priority of every job, -100 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// A name for the run, chosen by whoever asks: 1 to 255 bytes. Asking again for this task under the same name gives the
    /// same run, however it ended. So who does not know whether a request arrived can repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Jobs run although they are up to date.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The run ends with the program that asks for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
}

impl RunRequest {
    /// A plain run of a task.
    pub fn new(task: impl Into<String>, by: impl Into<Arc<str>>) -> RunRequest {
        RunRequest {
            task: task.into(),
            params: BTreeMap::new(),
            by: Author(by.into()),
            reason: None,
            priority: None,
            key: None,
            force: false,
            bound: false,
        }
    }

    /// With this parameter.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> RunRequest {
        self.params.insert(name.into(), value.into());
        self
    }

    /// For this reason.
    pub fn reason(mut self, reason: impl Into<String>) -> RunRequest {
        self.reason = Some(reason.into());
        self
    }

    /// Under this name: asking again gives the same run.
    ///
    /// ```
    /// # use neap::host::RunRequest;
    /// let request = RunRequest::new("import", "anna").key("order 4711");
    /// assert_eq!(request.key.as_deref(), Some("order 4711"));
    /// ```
    pub fn key(mut self, key: impl Into<String>) -> RunRequest {
        self.key = Some(key.into());
        self
    }

    /// What such a run would do.
    ///
    /// # Errors
    /// [`SubmitError`]: no such task, bad parameters (all at once), or no plan.
    pub fn plan(&self, catalog: &Catalog) -> Result<Plan, SubmitError> {
        let wanted = name_in(catalog, &self.task)?;
        let params = bind(catalog, &wanted, &self.params)?;
        Ok(Plan::build(catalog, &wanted, params)?)
    }
}

/// A run that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Which one it is.
    pub run: RunId,
    /// Whether it was created now, or was there already under its key.
    pub is_new: bool,
}

/// What is done again of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryScope {
    /// Every job that did not succeed.
    Failed,
    /// This job, and every job that needs it.
    From(String),
    /// Every job.
    All,
}

impl Host {
    /// Creates a run, and answers when the disk has it. For a [key](RunRequest::key) that was used before it gives the run
    /// of then.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was created.
    pub async fn submit(&self, request: RunRequest) -> Result<RunId, SubmitError> {
        self.submit_once(request).await.map(|submitted| submitted.run)
    }

    /// As [`submit`](Host::submit), and says whether the run is a new one.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was created.
    pub async fn submit_once(&self, request: RunRequest) -> Result<Submitted, SubmitError> {
        let Some(key) = request.key.clone() else {
            let run = self.submit_as(request, Trigger::Manual).await?;
            return Ok(Submitted { run, is_new: true });
        };
        if let Some(problem) = super::once::problem(&key) {
            return Err(SubmitError::Key { key, problem });
        }
        let plan = request.plan(&self.definitions().catalog)?;
        let turn = self.0.asking.turn((plan.task.clone(), key.clone())).await;
        if let Some(row) = self.history().by_key(&plan.task, &key)? {
            if self.history().plan(&row.plan)?.params != plan.params {
                return Err(SubmitError::KeyTaken { key, run: format!("{}#{}", row.task, row.number) });
            }
            return Ok(Submitted { run: row.run, is_new: false });
        }
        let host = self.clone();
        let submit = async move { host.submit_plan(request, plan, Trigger::Manual).await };
        let run = self.0.in_turn(Arc::new(turn), submit).await?;
        Ok(Submitted { run, is_new: true })
    }

    pub(super) async fn submit_as(
        &self,
        request: RunRequest,
        trigger: Trigger,
    ) -> Result<RunId, SubmitError> {
        let plan = request.plan(&self.definitions().catalog)?;
        self.submit_plan(request, plan, trigger).await
    }

    async fn submit_plan(
        &self,
        request: RunRequest,
        plan: Plan,
        trigger: Trigger,
    ) -> Result<RunId, SubmitError> {
        self.create(Submission {
            trigger,
            reason: request.reason,
            priority: request.priority,
            force: request.force,
            bound: request.bound,
            key: request.key.map(Arc::from),
            ..Submission::new(PlanRef::new(Arc::new(plan)), request.by)
        })
        .await
    }

    /// Creates a run of the same plan as an earlier one, in which what succeeded is not done again.
    ///
    /// # Errors
    /// [`SubmitError`] when the earlier run is not known or still going on, or when there is nothing to do again.
    pub async fn retry(
        &self,
        of: RunId,
        scope: RetryScope,
        by: Author,
        reason: Option<String>,
        bound: bool,
    ) -> Result<RunId, SubmitError> {
        if self.look(|live| live.state.runs.contains_key(&of)) {
            return Err(SubmitError::StillGoing(of));
        }
        let (plan, reused) = retry_plan(self.history(), of, &scope)?;
        let reused_outputs = outputs_of(self.history(), of, &reused)?;
        let trigger = Trigger::Retry { of };
        let plain = Submission::new(plan, by);
        self.create(Submission { trigger, reason, reused, reused_outputs, bound, ..plain }).await
    }

    async fn create(&self, submission: Submission) -> Result<RunId, SubmitError> {
        let told = self.0.tell(Input::Submit(submission)).await.map_err(|_| SubmitError::Stopping)?;
        // An acknowledged run must not be undone by a power cut.
        self.0.store.commit(Vec::new(), Durability::Synced).await?;
        let created = created(&told.records);
        let refused = told.records.into_iter().find_map(|record| match record.event {
            Event::RunRefused(refused) => Some(refused),
            _ => None,
        });
        match (created, refused) {
            (Some(run), _) => Ok(run),
            (None, Some(refused)) => {
                let name = self.look(|live| live.state.runs.get(&refused.run).map(Run::name));
                Err(SubmitError::Refused { beside: name.unwrap_or_else(|| refused.run.to_string()), refused })
            }
            (None, None) => Err(SubmitError::Stopping),
        }
    }
}

/// The run that was created, if one was.
pub(super) fn created(records: &[Record]) -> Option<RunId> {
    records.iter().find_map(|record| match &record.event {
        Event::RunCreated(new) => Some(new.run),
        _ => None,
    })
}

/// The plan of an earlier run, and the jobs of it that are not done again.
///
/// # Errors
/// [`SubmitError`] when the run is not known or there is nothing to do again.
pub fn retry_plan(
    history: &History,
    of: RunId,
    scope: &RetryScope,
) -> Result<(PlanRef, Vec<u32>), SubmitError> {
    let row = history.run(of)?.ok_or(SubmitError::NoRun(of))?;
    let plan = history.plan(&row.plan)?;
    let mut again: Vec<bool> = vec![matches!(scope, RetryScope::All); plan.nodes.len()];
    let mut has_succeeded = vec![false; plan.nodes.len()];
    for job in history.jobs(of)? {
        if let Some(succeeded) = has_succeeded.get_mut(job.index as usize) {
            *succeeded = job.outcome.as_ref().is_some_and(Outcome::lets_others_run);
        }
    }
    if let RetryScope::From(job) = scope {
        let named = |node: &crate::plan::Node| node.leaf.name.seen_from(&plan.task) == job;
        let from = plan.nodes.iter().position(named);
        let from = from.ok_or_else(|| SubmitError::NoJob { run: of, job: job.clone() })?;
        again[from] = true;
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        // Needs stand before, so one pass carries it on to everything downstream.
        let is_downstream = node.needs.iter().any(|&need| again[need as usize]);
        again[index] |= !has_succeeded[index] || is_downstream;
    }
    let reused: Vec<u32> =
        (0..again.len()).filter(|&index| !again[index]).map(|index| index as u32).collect();
    if reused.len() == plan.nodes.len() {
        return Err(SubmitError::NothingFailed(of));
    }
    Ok((PlanRef::with_hash(row.plan, plan), reused))
}

/// What the jobs that are not done again had put out.
fn outputs_of(history: &History, of: RunId, reused: &[u32]) -> Result<Vec<(u32, Arc<Params>)>, SubmitError> {
    let wanted: std::collections::BTreeSet<u32> = reused.iter().copied().collect();
    let outputs = history.outputs(of)?;
    Ok(outputs
        .into_iter()
        .filter(|(index, _)| wanted.contains(index))
        .map(|(at, o)| (at, Arc::new(o)))
        .collect())
}

/// That there is no such task, and which one was probably meant.
pub(super) fn no_task(catalog: &Catalog, text: &str) -> SubmitError {
    SubmitError::NoTask { name: text.to_owned(), near: catalog.suggest(text).map(str::to_owned) }
}

fn name_in(catalog: &Catalog, text: &str) -> Result<TaskName, SubmitError> {
    let name = TaskName::new(text).map_err(|_| no_task(catalog, text))?;
    match (catalog.find(text), catalog.broken_file(text)) {
        (Some(_), _) => Ok(name),
        (None, Some(file)) => Err(SubmitError::Broken { name: text.to_owned(), file: file.to_owned() }),
        (None, None) => Err(no_task(catalog, text)),
    }
}

fn bind(
    catalog: &Catalog,
    wanted: &TaskName,
    given: &BTreeMap<String, String>,
) -> Result<Params, SubmitError> {
    let declared =
        catalog.find(wanted.as_str()).map(|found| found.task().params.as_slice()).unwrap_or_default();
    let given: Vec<(String, String)> =
        given.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    crate::definition::bind(declared, &given).map_err(SubmitError::Params)
}
