//! `uses: notify`: tells somebody, through a channel of neap.yaml.

use super::arguments::Arguments;
use super::client::{address, words};
use super::{harmless, host_of, stopped};
use crate::base::{Millis, did_you_mean};
use crate::definition::Channel;
use crate::exec::{self, FunctionError, Place, TaskContext};
use crate::host::Inner;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Weak;

const ACTION: &str = "notify";
/// Telling somebody takes no longer.
const LIMIT: Millis = Millis::from_secs(30);
/// So much of an answer that says no is shown.
const SHOWN: usize = 2 << 10;
/// Variables of the host that a command of a channel gets; nothing else of it, because a message is no job.
const PASSED_ON: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Tells, and succeeds when the channel took it.
pub(super) async fn tell(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let inner = host_of(&host)?;
    let with = Arguments::new(ACTION, &context.with);
    let (to, message) = (with.filled_text("to")?, with.filled_text("message")?);
    let title = with.text("title")?.filter(|title| !title.trim().is_empty());
    let title = title.unwrap_or_else(|| format!("neap: {}", super::job_label(&context.label)));
    let settings = inner.settings();
    let channel = settings.notify.get(&to).ok_or_else(|| unknown(&to, &settings.notify))?;
    context.log.line(format_args!("tells {to}: {}", harmless(&title)));
    context.progress(0, format!("tells {to}"));
    match channel {
        Channel::Command(argv) => command(&inner, &context, argv, [title, message]).await,
        Channel::Webhook(url) => tokio::select! {
            done = webhook(&inner, &context, url, &title, &message) => done,
            () = context.cancelled.cancelled() => Err(stopped()),
        },
    }
}

fn unknown(to: &str, channels: &BTreeMap<String, Channel>) -> FunctionError {
    let hint = match did_you_mean(to, channels.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if channels.is_empty() => "there are none; write them under `notify`".to_owned(),
        None => format!("there are: {}", channels.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    FunctionError::failed(format!("neap.yaml has no channel {to:?}; {hint}"))
}

async fn command(
    inner: &Inner,
    context: &TaskContext,
    argv: &[String],
    words: [String; 2],
) -> Result<(), FunctionError> {
    let log = inner.view.look(|live| {
        let run = live.state.runs.get(&context.attempt.job.run)?;
        Some(inner.log_of(run, context.attempt))
    });
    let Some(log) = log else { return Err(stopped()) };
    let masks = inner.masks(context.attempt.job);
    let (mark, whose) = exec::marker(&inner.instance, context.attempt);
    let mut env: Vec<(OsString, OsString)> = environment(inner, context);
    env.push((mark.into(), whose.into()));
    let place = Place { working_dir: &inner.root, env: &env, log: &log, masks: &masks };
    let argv = argv.iter().cloned().chain(words).collect();
    exec::run_aside(argv, &place, LIMIT, &context.cancelled).await?;
    Ok(())
}

/// What finds and shows things, and what neap says about the job.
fn environment(inner: &Inner, context: &TaskContext) -> Vec<(OsString, OsString)> {
    let is_passed_on = |name: &OsStr| PASSED_ON.iter().any(|passed| name == *passed);
    let is_ours =
        |name: &OsStr| name.to_str().is_some_and(|name| name == "NEAP" || name.starts_with("NEAP_"));
    let own = inner.base_env.iter().filter(|(name, _)| is_passed_on(name));
    own.chain(context.env.iter().filter(|(name, _)| is_ours(name))).cloned().collect()
}

/// The address of a webhook is as good as a password, so it is never shown.
async fn webhook(
    inner: &Inner,
    context: &TaskContext,
    url: &str,
    title: &str,
    message: &str,
) -> Result<(), FunctionError> {
    let failed = |why: String| FunctionError::failed(format!("the webhook did not take it: {why}"));
    let mut request = Request::new(Method::POST, address(ACTION, url)?);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(json!({ "title": title, "text": message }).to_string().into());
    let sending = async {
        // A redirected POST becomes a GET, which tells nobody anything.
        let mut answer = inner.http.send(request, false).await.map_err(failed)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let said = answer.chunk().await.map_err(|error| failed(words(&error)))?.unwrap_or_default();
        context.log.line(harmless(&String::from_utf8_lossy(&said[..said.len().min(SHOWN)])));
        Err(failed(format!("it answered {status}")))
    };
    let sent = tokio::time::timeout(LIMIT.to_duration(), sending).await;
    sent.unwrap_or_else(|_| Err(failed(format!("no answer within {LIMIT}"))))
}
