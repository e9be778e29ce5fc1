//! The calls a thread has been given and has not answered yet.
//!
//! Whoever takes an entry out answers it: the thread in the ordinary case, the pool when the thread is given up. So every call
//! is answered exactly once, also by a thread that comes back after it was given up.

use super::error::{ErrorKind, ScriptError};
use super::fault::Scene;
use super::watchdog::CallId;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) type Answer = Result<Value, ScriptError>;
pub(super) type Reply = Box<dyn FnOnce(Answer) + Send>;

/// A call that waits for its answer.
pub(super) struct Entry {
    pub(super) scene: Scene,
    pub(super) reply: Reply,
}

/// `None` once the thread was given up.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Option<HashMap<CallId, Entry>>>);

impl Ledger {
    pub(super) fn open() -> Ledger {
        Ledger(Mutex::new(Some(HashMap::new())))
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<CallId, Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a call; a thread that was given up refuses by answering at once.
    pub(super) fn enter(&self, call: CallId, entry: Entry) {
        if let Some(entries) = &mut *self.lock() {
            entries.insert(call, entry);
            return;
        }
        let error = entry.scene.error(ErrorKind::Host, "the thread of the script was given up");
        (entry.reply)(Err(error));
    }

    pub(super) fn answer(&self, call: CallId, answer: Answer) {
        let entry = self.lock().as_mut().and_then(|entries| entries.remove(&call));
        if let Some(entry) = entry {
            (entry.reply)(answer);
        }
    }

    /// Takes everything that is still open and closes the ledger for good.
    pub(super) fn close(&self) -> HashMap<CallId, Entry> {
        self.lock().take().unwrap_or_default()
    }
}
