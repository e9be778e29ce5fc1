//! What the last host left: attempts that go on are taken up, everything else of it is ended, and the engine is told.

use crate::base::{AttemptId, JobId};
use crate::engine::{Exit, Input, Order};
use crate::exec::{Fate, sweep_if};
use crate::host::ends::{OUTPUTS, beside};
use crate::host::{Inner, actions};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The attempts that the journal knows as going on, and what became of them.
pub(super) type Fates = BTreeMap<AttemptId, Fate>;

impl Inner {
    /// Looks for every attempt of the last host.
    pub(super) async fn adopt(self: &Arc<Inner>) -> Fates {
        let mut searches = JoinSet::new();
        for (attempt, log) in self.left() {
            let inner = Arc::clone(self);
            searches.spawn(async move {
                let fate = inner.runner.adopt(attempt, &log, inner.reports.clone()).await;
                (attempt, fate)
            });
        }
        searches.join_all().await.into_iter().collect()
    }

    fn left(&self) -> Vec<(AttemptId, PathBuf)> {
        self.view.look(|live| {
            let about = |job: JobId| {
                let attempt = live.state.attempt(job);
                Some((attempt, self.log_of(live.state.runs.get(&job.run)?, attempt)))
            };
            live.state.going().filter_map(about).collect()
        })
    }

    /// Ends what bears the mark of the last host and is not taken up. A host that does not serve leaves alone what it does
    /// not know: that waits for one that does.
    pub(super) async fn sweep(&self, going: &Fates, is_serving: bool) {
        let is_meant = |attempt: AttemptId| match going.get(&attempt) {
            Some(fate) => *fate == Fate::Gone,
            None => is_serving || self.view.look(|live| live.state.runs.contains_key(&attempt.job.run)),
        };
        for swept in sweep_if(&self.instance, is_meant).await {
            tracing::warn!(attempt = ?swept.attempt, pid = swept.pid, "ended a process of the host that died");
        }
    }

    /// Tells the engine what became of what was going on.
    pub(super) async fn recover(self: &Arc<Inner>, fates: Fates) {
        let is_idle = self.view.look(|live| live.state.runs.is_empty());
        if is_idle {
            return;
        }
        // Whoever stops the host meanwhile has its reasons; the next one recovers.
        let _ = self.tell(Input::Restarted).await;
        for (attempt, fate) in fates {
            match fate {
                Fate::Going => drop(self.tell(Input::Survived { attempt }).await),
                Fate::Gone => self.lost(attempt).await,
            }
        }
    }

    /// Removes what a lost attempt handed on: nobody will read it any more, and it may hold what is masked elsewhere.
    pub(super) fn drop_outputs(&self, attempt: AttemptId) {
        if let Some(log) = self.live_log(attempt) {
            let _ = std::fs::remove_file(beside(log, OUTPUTS));
        }
    }

    async fn lost(self: &Arc<Inner>, attempt: AttemptId) {
        let is_resumable = self.view.look(|live| {
            let is_there = live.state.find_job(attempt.job).is_some();
            is_there && actions::is_resumable(&live.state.leaf(attempt.job).action)
        });
        // What only waits goes on waiting: its order to start is given again.
        if is_resumable {
            let _ = self.tell(Input::Survived { attempt }).await;
            return self.carry_out(Order::Start { attempt });
        }
        self.drop_outputs(attempt);
        let exit = Exit::Lost;
        let _ = self.tell(Input::Ended { attempt, exit, usage: None, outputs: Default::default() }).await;
    }
}
