//! The built-in actions that `uses` names: functions of the host itself, run as those of an embedding program are.
//!
//! What they take under `with` is in `definition/actions.rs`, which checks it when a file is read.

mod approval;
mod arguments;
mod channel;
mod client;
mod file;
mod http;
mod probe;
mod subrun;
mod until;

pub(super) use client::Http;

use crate::base::AttemptId;
use crate::definition::{Action, USES_TASK, is_built_in};
use crate::exec::{FunctionError, Functions, TaskContext};
use crate::host::Inner;
use serde_json::{Value, json};
use std::sync::{Arc, Weak};

/// Built-in functions are registered under names that no definition can write.
const PREFIX: &str = "neap:";

/// Makes the built-in actions of a host known to its functions.
pub(super) fn register(functions: &Functions, host: &Weak<Inner>) {
    add(functions, host, "approval", approval::wait);
    add(functions, host, "http.request", http::request);
    add(functions, host, "notify", channel::tell);
    add(functions, host, "task", subrun::run);
    add(functions, host, "wait.file", file::wait);
    add(functions, host, "wait.http", probe::wait);
    add(functions, host, "wait.until", until::wait);
}

fn add<F, R>(functions: &Functions, host: &Weak<Inner>, name: &str, action: F)
where
    F: Fn(Weak<Inner>, TaskContext) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), FunctionError>> + Send + 'static,
{
    let host = host.clone();
    functions.register(format!("{PREFIX}{name}"), move |context| action(host.clone(), context));
}

/// The action as the functions know it. `uses: task:NAME` is one function, with the name as an argument.
pub(super) fn resolved(action: Action) -> Action {
    match action {
        Action::Call { function, with } if is_built_in(&function) => match function.strip_prefix(USES_TASK) {
            Some(task) => {
                let with = json!({ "task": task, "with": with });
                Action::Call { function: format!("{PREFIX}task"), with }
            }
            None => Action::Call { function: format!("{PREFIX}{function}"), with },
        },
        action => action,
    }
}

/// Whether an attempt at this action can begin anew after its host died, as if nothing had happened: it only waits.
pub(super) fn is_resumable(action: &Action) -> bool {
    matches!(action, Action::Call { function, .. } if crate::definition::is_waiting(function))
}

/// The host an action belongs to.
fn host_of(host: &Weak<Inner>) -> Result<Arc<Inner>, FunctionError> {
    host.upgrade().ok_or_else(|| FunctionError::failed("the host is gone"))
}

/// It was cancelled, its time is up, or its host stops; who did what is told elsewhere.
fn stopped() -> FunctionError {
    FunctionError::failed("it was stopped")
}

/// Text from outside, made harmless for whoever looks at the log in a terminal.
fn harmless(text: &str) -> String {
    let turns_text = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_harmful =
        |letter: char| (letter.is_control() && !matches!(letter, '\n' | '\t')) || turns_text(letter);
    text.replace("\r\n", "\n").replace(is_harmful, "\u{fffd}")
}

/// A text argument, when it is given.
fn text<'w>(with: &'w Value, name: &str) -> Option<&'w str> {
    with.get(name).and_then(Value::as_str)
}

/// How people name the job of an attempt: `k3v9q2xm/dump`.
fn selector(context: &TaskContext) -> String {
    let AttemptId { job, .. } = context.attempt;
    let name = job_label(&context.label);
    // The name of a task may hold slashes; no name holds a `#`.
    let name = name.rsplit_once('#').and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, job)| job);
    format!("{}/{name}", job.run)
}

/// `nightly#3/dump`, out of `nightly#3/dump.1`.
fn job_label(attempt: &str) -> &str {
    attempt.rsplit_once('.').map_or(attempt, |(job, _)| job)
}
