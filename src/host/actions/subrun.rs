//! `uses: task:NAME`: a job that is a run of another task.

use super::{host_of, text};
use crate::base::{RunId, TaskName};
use crate::definition::shown;
use crate::engine::{Author, RunOutcome, Trigger};
use crate::exec::{FunctionError, TaskContext};
use crate::host::{Host, Inner, RunRequest, SubmitError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// Creates the run, or finds the one that this attempt created before its host died, and waits for its end.
pub(super) async fn run(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let inner = host_of(&host)?;
    let task = text(&context.with, "task").unwrap_or_default().to_owned();
    let with = context.with.get("with").cloned().unwrap_or(Value::Null);
    let host = Host(Arc::clone(&inner));
    drop(inner);
    let run = match host.history().child_of(context.attempt)? {
        Some(run) => run,
        None => create(&host, &context, &task, &with).await?,
    };
    context.output("run", run);
    context.log.line(format_args!("{task}: run {run}   to see it: neap show {run}"));
    if with.get("wait").and_then(Value::as_bool) == Some(false) {
        return Ok(());
    }
    let outcome = tokio::select! {
        outcome = host.wait(run) => outcome,
        () = context.cancelled.cancelled() => {
            let reason = Some("the job that asked for it was stopped".to_owned());
            // It may have ended meanwhile, which is as good.
            let _ = host.cancel(run, Author::host(), reason, false).await;
            host.wait(run).await
        }
    };
    match outcome {
        Some(RunOutcome::Succeeded) => hand_on(&host, &context, run, &task),
        Some(RunOutcome::Failed { .. }) => Err(FunctionError::failed(format!("run {run} of {task} failed"))),
        Some(RunOutcome::Cancelled) => {
            Err(FunctionError::failed(format!("run {run} of {task} was cancelled")))
        }
        None => Err(FunctionError::failed(format!("nobody saw the end of run {run} of {task}"))),
    }
}

async fn create(
    host: &Host,
    context: &TaskContext,
    task: &str,
    with: &Value,
) -> Result<RunId, FunctionError> {
    let mut request = RunRequest::new(task, Author::host().0);
    request.params = params(with.get("params"));
    let about = host.look(|live| {
        let run = live.state.runs.get(&context.attempt.job.run)?;
        Some((run.by.clone(), run.bound))
    });
    if let Some((by, bound)) = about {
        (request.by, request.bound) = (by, bound);
    }
    let trigger = Trigger::Task { parent: context.attempt };
    match host.submit_as(request, trigger).await {
        Err(SubmitError::Refused { refused, beside }) if !refused.fails => {
            Err(FunctionError::skipped(format!("{} has no room beside {beside}", refused.group)))
        }
        created => Ok(created?),
    }
}

/// Values as the words of a command line, which every type of parameter reads.
fn params(given: Option<&Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => value.to_string(),
        value => shown(value),
    };
    let map = given.and_then(Value::as_object);
    map.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The outputs of a task that is a single job are those of the job that asked for it.
fn hand_on(host: &Host, context: &TaskContext, run: RunId, task: &str) -> Result<(), FunctionError> {
    let jobs = host.history().jobs(run)?;
    let own = TaskName::new(task).ok().and_then(|name| jobs.iter().find(|job| job.name == name));
    for (name, value) in own.iter().flat_map(|job| &job.outputs) {
        context.output(name, shown(value));
    }
    Ok(())
}
