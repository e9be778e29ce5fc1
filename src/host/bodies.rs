//! Attempts whose body is Lua. The script runs on the scripts' own threads; this only carries orders in and reports out.

use crate::base::AttemptId;
use crate::definition::{Action, Stop};
use crate::engine::Exit;
use crate::exec::{Report, Reports, Runner, Start, WhenDone};
use crate::host::Inner;
use crate::host::companion::{append, context_of, write_log};
use crate::lua::{BodyCall, BodyEnd, BodySource, Level};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Carries out [`Action::Lua`] and [`Action::Script`].
pub(super) struct Bodies {
    /// Weak, because the host owns its runners.
    host: Weak<Inner>,
    going: Arc<Mutex<HashMap<AttemptId, CancellationToken>>>,
    attempts: TaskTracker,
}

impl Bodies {
    pub(super) fn new(host: Weak<Inner>) -> Bodies {
        Bodies { host, going: Arc::default(), attempts: TaskTracker::new() }
    }

    fn going(&self) -> MutexGuard<'_, HashMap<AttemptId, CancellationToken>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runner for Bodies {
    fn start(&self, mut start: Start, reports: Reports) {
        let Some(host) = self.host.upgrade() else { return };
        // A script neither reads nor writes a pipe, so nobody shall wait for it.
        start.close_pipes();
        let attempt = start.attempt;
        let cancel = CancellationToken::new();
        self.going().insert(attempt, cancel.clone());
        if self.attempts.is_closed() {
            cancel.cancel();
        }
        let going = Arc::clone(&self.going);
        let runtime = host.runtime.clone();
        let work = async move {
            let _ = reports.send(Report::Spawned { attempt, pid: None }).await;
            let exit = run(&host, start, cancel).await;
            going.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
            let (outputs, outputs_cut) = (String::new(), false);
            let ended = Report::Ended { attempt, exit, usage: None, left_over: 0, outputs, outputs_cut };
            let _ = reports.send(ended).await;
        };
        self.attempts.spawn_on(work, &runtime);
    }

    /// A script is asked to stop and has the grace of the scripts' own limits; signals mean nothing to it.
    fn stop(&self, attempt: AttemptId, _stop: Stop) {
        self.kill(attempt);
    }

    fn kill(&self, attempt: AttemptId) {
        if let Some(cancel) = self.going().get(&attempt) {
            cancel.cancel();
        }
    }

    fn shutdown(&self) -> WhenDone<'_> {
        self.attempts.close();
        Box::pin(async { self.attempts.wait().await })
    }
}

/// A body that fails is like a command that does: its words are in the log, and it exits with 1.
async fn run(host: &Arc<Inner>, start: Start, cancel: CancellationToken) -> Exit {
    let source = match start.action {
        Action::Lua { text } => BodySource::Text(text.into()),
        Action::Script { file } => BodySource::File(file),
        Action::Run { .. } | Action::Exec { .. } | Action::Call { .. } => {
            unreachable!("the router sends only Lua bodies here")
        }
    };
    append(&start.log, b"");
    let attempt = start.attempt;
    let context = host.view.look(|live| context_of(live, attempt, &host.root));
    let notes = host.take_notes(attempt, start.log.clone());
    let ended = host.scripts().run_body(BodyCall { source, attempt, context, notes }, cancel).await;
    let failed = |message: &str| {
        write_log(&start.log, Level::Error, message, &Value::Null);
        Exit::Code { code: 1 }
    };
    match ended {
        Ok(BodyEnd::Done(_)) => Exit::Code { code: 0 },
        Ok(BodyEnd::Skipped(reason)) => Exit::Skipped { reason },
        Ok(BodyEnd::Failed(message)) => failed(&message),
        Err(error) => failed(&error.to_string()),
    }
}
