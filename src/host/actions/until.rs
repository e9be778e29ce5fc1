//! `uses: wait.until`: waits until a moment, by the wall clock.

use super::arguments::Arguments;
use super::{host_of, stopped};
use crate::base::{AttemptId, Moment};
use crate::engine::Phase;
use crate::exec::{FunctionError, TaskContext};
use crate::host::Inner;
use crate::host::clock::Alarm;
use crate::schedule::due;
use std::sync::Weak;

/// Ends when the moment has come. A time of day is the next one since the attempt began, also when its host died
/// meanwhile: what was due at six stays due at six.
pub(super) async fn wait(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let inner = host_of(&host)?;
    let text = Arguments::new("wait.until", &context.with).filled_text("time")?;
    let zone = inner.settings().timezone.clone();
    let moment = due(&text, &zone, began(&inner, context.attempt))?;
    let name = zone.format(moment);
    context.log.line(format_args!("waits until {name}"));
    context.progress(0, format!("waits until {name}"));
    // Woken also when the clock is set, or after the machine has slept.
    let alarm = Alarm::new();
    while inner.clock.now() < moment {
        tokio::select! {
            () = alarm.wait(&inner.clock, Some(moment)) => {}
            () = context.cancelled.cancelled() => return Err(stopped()),
        }
    }
    context.output("time", name);
    Ok(())
}

fn began(inner: &Inner, attempt: AttemptId) -> Moment {
    let since = inner.view.look(|live| {
        let job = live.state.find_job(attempt.job)?;
        Some(match job.phase {
            Phase::Running { since, .. } => since,
            _ => job.since,
        })
    });
    since.unwrap_or_else(|| inner.clock.now())
}
