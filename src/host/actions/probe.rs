//! `uses: wait.http`: asks again and again until an address answers as expected.
//!
//! The one thing here that has to ask repeatedly: a server says nothing by itself.

use super::arguments::{Arguments, Statuses};
use super::client::{Http, address, public};
use super::{host_of, stopped};
use crate::base::Millis;
use crate::exec::{FunctionError, TaskContext};
use crate::host::Inner;
use reqwest::{Method, Request, Url};
use std::sync::Weak;
use std::time::Duration;

const ACTION: &str = "wait.http";
/// The pause between two requests when nothing is said.
const EVERY: Millis = Millis::from_secs(2);
/// Asking more often would be an attack.
const SHORTEST: Millis = Millis(100);
/// A server that is up answers sooner; one that is not may leave a request hanging for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends when the address answers as expected. What it answers till then, and that it does not, is "not yet".
pub(super) async fn wait(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let inner = host_of(&host)?;
    let with = Arguments::new(ACTION, &context.with);
    let url = address(ACTION, &with.filled_text("url")?)?;
    let expect = with.statuses("expect")?;
    let every = with.span("every", EVERY)?.max(SHORTEST).to_duration();
    let name = public(&url);
    context.log.line(format_args!("waits until {name} answers {expect}"));
    context.progress(0, format!("waits for {name}"));
    let watching = async {
        let mut last = None;
        loop {
            let seen = look(&inner.http, &url, &expect).await;
            let said = match &seen {
                Ok(status) => format!("HTTP {status}"),
                Err(why) => format!("not yet: {why}"),
            };
            if last.as_ref() != Some(&said) {
                context.log.line(&said);
                context.progress(0, format!("waits for {name}: {said}"));
                last = Some(said);
            }
            if let Ok(status) = seen {
                return context.output("status", status.as_u16());
            }
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        () = watching => Ok(()),
        () = context.cancelled.cancelled() => Err(stopped()),
    }
}

/// One request; in words what is not as expected.
async fn look(http: &Http, url: &Url, expect: &Statuses) -> Result<reqwest::StatusCode, String> {
    let request = Request::new(Method::GET, url.clone());
    let answer = tokio::time::timeout(PATIENCE, http.send(request, !expect.has_redirect())).await;
    let answer = answer.map_err(|_| format!("no answer within {} seconds", PATIENCE.as_secs()))??;
    let status = answer.status();
    if expect.include(status.as_u16()) { Ok(status) } else { Err(format!("HTTP {status}")) }
}
