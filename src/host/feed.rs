//! What happens, told to everybody who listens. A listener that is too slow is told that it missed something; it never
//! holds anything up.

use crate::base::AttemptId;
use crate::engine::Record;
use crate::host::Progress;
use crate::store::Seq;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::broadcast;

/// How much a listener may be behind before it misses something.
const BEHIND: usize = 4096;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// A fact; it is written down.
    Event {
        /// Its place in the journal.
        seq: Seq,
        /// What and when.
        #[serde(flatten)]
        record: Record,
    },
    /// A passing remark: how far an attempt says it is.
    Progress {
        /// Which attempt.
        attempt: AttemptId,
        /// How far.
        #[serde(flatten)]
        progress: Progress,
    },
    /// The definitions were read again.
    Reloaded {
        /// How many tasks there are now.
        tasks: usize,
        /// How many errors the files hold.
        errors: usize,
    },
}

/// A listener was too slow; `0` happenings are lost to it. What is true now is in the host's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were missed")]
pub struct Missed(pub u64);

/// Hears everything that happens from the moment it was made.
#[derive(Debug)]
pub struct Feed(broadcast::Receiver<Arc<Happening>>);

impl Feed {
    /// The next thing that happens; `None` once the host has ended.
    ///
    /// # Errors
    /// [`Missed`] when the listener was too slow; listening goes on after the gap.
    pub async fn next(&mut self) -> Result<Option<Arc<Happening>>, Missed> {
        match self.0.recv().await {
            Ok(happening) => Ok(Some(happening)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(missed)) => Err(Missed(missed)),
        }
    }
}

#[derive(Debug)]
pub(super) struct Speaker(broadcast::Sender<Arc<Happening>>);

impl Speaker {
    pub(super) fn new() -> Speaker {
        Speaker(broadcast::Sender::new(BEHIND))
    }

    pub(super) fn listen(&self) -> Feed {
        Feed(self.0.subscribe())
    }

    /// Tells; making up the words costs nothing when nobody listens.
    pub(super) fn tell(&self, happening: impl FnOnce() -> Happening) {
        if self.0.receiver_count() > 0 {
            // Between the count and this the last listener may have left.
            let _ = self.0.send(Arc::new(happening()));
        }
    }
}
