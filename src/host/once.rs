//! What is asked for once: a key that the asker chose names the run, and asking again gives the same run.
//!
//! The history says which run a key names. Between that look and the creation nobody else may create a run under the key, so
//! those who ask under one key take turns here. A turn lasts until the run is written down, also when its asker has left: a
//! second run under the key could never be written, and with it nothing else.

use crate::base::TaskName;
use crate::host::{Inner, SubmitError};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A key among those of its task.
pub(super) type Key = (TaskName, String);

/// The most bytes of a key.
pub(super) const LONGEST: usize = 255;

/// The keys under which somebody is asking right now.
#[derive(Debug, Default)]
pub(super) struct Asking {
    keys: Mutex<BTreeSet<Key>>,
    freed: Notify,
}

/// Nobody else asks under this key.
#[derive(Debug)]
pub(super) struct Turn {
    asking: Arc<Asking>,
    key: Key,
}

impl Asking {
    /// Waits until nobody else asks under the key.
    pub(super) async fn turn(self: &Arc<Asking>, key: Key) -> Turn {
        loop {
            let freed = self.freed.notified();
            if self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
                return Turn { asking: Arc::clone(self), key };
            }
            freed.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.asking.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.asking.freed.notify_waiters();
    }
}

impl Inner {
    /// Creates a run in this turn, to the end, whatever becomes of whoever asks.
    pub(super) async fn in_turn<T, E>(
        &self,
        turn: Arc<Turn>,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<SubmitError> + Send + 'static,
    {
        let working = self.tasks.spawn(async move {
            let done = work.await;
            drop(turn);
            done
        });
        working.await.unwrap_or_else(|_| Err(SubmitError::Stopping.into()))
    }
}

/// What is wrong with a key, if something is.
pub(super) fn problem(key: &str) -> Option<String> {
    if key.is_empty() {
        Some("it is empty".into())
    } else if key.len() > LONGEST {
        Some(format!("it has {} bytes, and {LONGEST} is the most", key.len()))
    } else {
        key.chars().find(|c| c.is_control()).map(|c| format!("it holds the control character {c:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        (TaskName::new("t").unwrap(), text.to_owned())
    }

    #[tokio::test]
    async fn one_key_is_asked_under_by_one_at_a_time() {
        let asking = Arc::new(Asking::default());
        let first = asking.turn(key("a")).await;
        let _other = asking.turn(key("b")).await;
        let second = asking.turn(key("a"));
        tokio::pin!(second);
        tokio::select! {
            biased;
            _ = &mut second => panic!("two ask under one key"),
            () = async {} => {}
        }
        drop(first);
        second.await;
    }

    #[test]
    fn keys_are_short_texts() {
        #[track_caller]
        fn check(key: &str, expected: Option<&str>) {
            assert_eq!(problem(key).as_deref(), expected);
        }
        check("2026-11-22 import", None);
        check("größer", None);
        check("", Some("it is empty"));
        check("a\nb", Some("it holds the control character '\\n'"));
        check(&"x".repeat(255), None);
        check(&"x".repeat(256), Some("it has 256 bytes, and 255 is the most"));
    }
}
