//! What everybody may see of what goes on: the same fold as the engine's, one commit behind.
//!
//! An event is shown only after it was written down. Readers lock for as long as it takes to copy what they need,
//! never across an await, and the turn that writes locks for microseconds.

use crate::base::{AttemptId, Millis, Moment};
use crate::engine::{Event, Record, State};
use crate::store::Seq;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// What goes on, as far as it is written down, and the passing remarks about it.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The unfinished runs and the schedules' cursors.
    pub state: State,
    /// The last remark about each running attempt.
    pub progress: BTreeMap<AttemptId, Progress>,
    /// The leading process of each running attempt.
    pub pids: BTreeMap<AttemptId, u32>,
    /// Up to where the journal is shown. The database may be a moment ahead.
    pub seq: Seq,
}

impl Live {
    fn holds(&self, attempt: AttemptId) -> bool {
        let job = self.state.find_job(attempt.job);
        job.is_some_and(|job| job.attempts == attempt.number && job.phase.is_live())
    }
}

/// How far an attempt says it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: f64,
    /// In its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it said so.
    pub at: Moment,
}

#[derive(Debug, Default)]
pub(crate) struct View(RwLock<Live>);

impl View {
    pub(crate) fn new(state: State, seq: Seq) -> View {
        View(RwLock::new(Live { state, seq, ..Live::default() }))
    }

    /// Looks, and copies what it needs.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Live) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows records that are written down, of which the last is at this place in the journal.
    pub(super) fn apply(&self, records: &[Record], last: Seq) {
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        live.seq = last;
        for Record { at, event } in records {
            live.state.apply(*at, event);
            if let Event::AttemptEnded { attempt, .. } = event {
                live.progress.remove(attempt);
                live.pids.remove(attempt);
            }
        }
    }

    /// Takes a remark, unless it comes too late. Says whether it is worth passing on: the first, the last, and at most
    /// four a second.
    pub(super) fn remark(&self, attempt: AttemptId, progress: Progress) -> bool {
        const PACE: Millis = Millis(250);
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !live.holds(attempt) {
            return false;
        }
        let last = live.progress.get(&attempt).map(|last| last.at);
        let is_due = progress.percent >= 100.0 || last.is_none_or(|last| progress.at - last >= PACE);
        let at = if is_due { progress.at } else { last.unwrap_or(progress.at) };
        live.progress.insert(attempt, Progress { at, ..progress });
        is_due
    }

    pub(super) fn spawned(&self, attempt: AttemptId, pid: u32) {
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if live.holds(attempt) {
            live.pids.insert(attempt, pid);
        }
    }
}
