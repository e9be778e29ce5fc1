//! The call that is being served: what it is, where it says things, and how it refuses.
//!
//! One VM serves many attempts, so the functions of the API ask for the current call instead of holding one.

use super::context::{Level, Note, Notes};
use super::error::ErrorKind;
use super::hook::Hook;
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// What is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The top level of a file, which only defines things.
    Loading,
    Hook(Hook),
    Body,
    /// What stands between `${{` and `}}`.
    Expression,
}

/// One call of a script.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    pub(super) cancel: CancellationToken,
    notes: Option<Notes>,
    lost: AtomicU32,
}

impl Call {
    pub(super) fn new(stage: Stage, notes: Option<Notes>, cancel: CancellationToken) -> Arc<Call> {
        Arc::new(Call { stage, cancel, notes, lost: AtomicU32::new(0) })
    }

    /// Says something if there is room for it; a script must not wait for those who read its messages.
    pub(super) fn say(&self, note: Note) {
        if let Some(notes) = &self.notes
            && notes.try_send(note).is_err()
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says how much could not be said.
    pub(super) fn finish(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let message =
                format!("{lost} messages of the script were lost: it says more than can be taken in");
            self.say(Note::Log { level: Level::Warn, message, fields: Value::Null });
        }
    }

    /// The way to the host for something that must arrive.
    pub(super) fn cleanup_notes(&self) -> Result<Notes, Refusal> {
        let allowed = match self.stage {
            Stage::Loading | Stage::Expression => false,
            Stage::Body => true,
            Stage::Hook(hook) => hook.may_owe_cleanup(),
        };
        match &self.notes {
            Some(notes) if allowed => Ok(notes.clone()),
            Some(_) | None => Err(self.denied("ctx:on_cleanup", "only in `before`, `start` and bodies")),
        }
    }

    /// Refuses a function that waits where waiting is not allowed.
    pub(super) fn may_wait(&self, function: &str) -> Result<(), Refusal> {
        let allowed = match self.stage {
            Stage::Loading | Stage::Expression => false,
            Stage::Body => true,
            Stage::Hook(hook) => hook.may_wait(),
        };
        if allowed { Ok(()) } else { Err(self.denied(function, "it would have to wait")) }
    }

    fn denied(&self, function: &str, why: &str) -> Refusal {
        let place = match self.stage {
            Stage::Loading => "while a file is loaded".to_owned(),
            Stage::Hook(hook) => format!("in `{hook}`"),
            Stage::Body => "in a body".to_owned(),
            Stage::Expression => "in an expression".to_owned(),
        };
        Refusal { kind: ErrorKind::Denied, message: format!("{function} cannot be used {place}: {why}") }
    }
}

/// The call a VM is serving right now. Shared with the functions of the API.
#[derive(Clone, Debug, Default)]
pub(super) struct Current(Arc<Mutex<Option<Arc<Call>>>>);

impl Current {
    pub(super) fn replace(&self, call: Option<Arc<Call>>) -> Option<Arc<Call>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), call)
    }

    /// The call being served.
    ///
    /// # Errors
    /// When a script runs outside of any call, which only a bug of the host can bring about.
    pub(super) fn get(&self) -> Result<Arc<Call>, Refusal> {
        let call = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        call.ok_or_else(|| Refusal { kind: ErrorKind::Host, message: "no call is being served".into() })
    }
}

/// An error the host raises inside a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

impl Refusal {
    /// A function was used wrongly.
    pub(super) fn api(message: impl Into<String>) -> Refusal {
        Refusal { kind: ErrorKind::Api, message: message.into() }
    }

    /// The attempt was cancelled while the script waited.
    pub(super) fn cancelled() -> Refusal {
        Refusal { kind: ErrorKind::Cancelled, message: "cancelled".into() }
    }
}

impl From<Refusal> for mlua::Error {
    fn from(refusal: Refusal) -> mlua::Error {
        mlua::Error::external(refusal)
    }
}
