//! `uses: approval`: a job that waits until a person has decided.

use super::{host_of, selector, text};
use crate::exec::{FunctionError, TaskContext};
use crate::host::Inner;
use std::sync::Weak;

/// Ends when somebody has decided. The engine has the decision already and knows what it means; this only ends the
/// attempt.
pub(super) async fn wait(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let name = selector(&context);
    let message = text(&context.with, "message").unwrap_or("this waits for an approval");
    context.log.line(message);
    context.log.line(format_args!("to decide: neap approve {name}   or: neap reject {name}"));
    context.progress(0, format!("waits for approval: {message}"));
    loop {
        let inner = host_of(&host)?;
        // Asked for before the look, so that nothing falls between.
        let news = inner.decided.notified();
        let decision = inner.view.look(|live| live.state.find_job(context.attempt.job)?.decision.clone());
        if let Some(decision) = decision {
            let verb = if decision.approved { "approved" } else { "rejected" };
            let reason = decision.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let words = format!("{verb} by {}{reason}", decision.by);
            context.log.line(&words);
            context.output("by", &decision.by);
            return if decision.approved { Ok(()) } else { Err(FunctionError::failed(words)) };
        }
        tokio::select! {
            () = news => {}
            () = context.cancelled.cancelled() => return Err(FunctionError::failed("nobody decided")),
        }
    }
}
