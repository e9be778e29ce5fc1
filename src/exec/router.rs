//! One runner in front of several: each kind of body goes to the one that can carry it out.

use super::runner::{Found, Reports, Runner, Start, WhenDone};
use crate::base::AttemptId;
use crate::definition::{Action, Stop};
use std::path::Path;
use std::sync::Arc;

/// Dispatches attempts by what they do.
pub struct Router {
    /// Carries out [`Action::Run`] and [`Action::Exec`].
    pub processes: Arc<dyn Runner>,
    /// Carries out [`Action::Call`].
    pub functions: Arc<dyn Runner>,
    /// Carries out [`Action::Lua`] and [`Action::Script`].
    pub lua: Arc<dyn Runner>,
}

impl Router {
    fn all(&self) -> [&Arc<dyn Runner>; 3] {
        [&self.processes, &self.functions, &self.lua]
    }
}

impl Runner for Router {
    fn start(&self, start: Start, reports: Reports) {
        let runner = match start.action {
            Action::Run { .. } | Action::Exec { .. } => &self.processes,
            Action::Call { .. } => &self.functions,
            Action::Lua { .. } | Action::Script { .. } => &self.lua,
        };
        runner.start(start, reports);
    }

    // Only the runner that has the attempt does anything, so nobody needs to remember which one that is.
    fn stop(&self, attempt: AttemptId, stop: Stop) {
        self.all().into_iter().for_each(|runner| runner.stop(attempt, stop));
    }

    fn kill(&self, attempt: AttemptId) {
        self.all().into_iter().for_each(|runner| runner.kill(attempt));
    }

    // Only processes stand still.
    fn pause(&self, attempt: AttemptId) {
        self.processes.pause(attempt);
    }

    fn resume(&self, attempt: AttemptId) {
        self.processes.resume(attempt);
    }

    // Only processes outlive a host.
    fn adopt<'a>(&'a self, attempt: AttemptId, log: &'a Path, reports: Reports) -> Found<'a> {
        self.processes.adopt(attempt, log, reports)
    }

    fn leave(&self, attempt: AttemptId) {
        self.all().into_iter().for_each(|runner| runner.leave(attempt));
    }

    fn forget(&self, attempt: AttemptId) {
        self.processes.forget(attempt);
    }

    fn shutdown(&self) -> WhenDone<'_> {
        Box::pin(async move {
            for runner in self.all() {
                runner.shutdown().await;
            }
        })
    }
}
