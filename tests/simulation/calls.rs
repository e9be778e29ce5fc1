//! Calls from outside: each is answered at once, with a run of its own or with a reason, and a schedule that is not followed
//! takes none.

use neap::engine::{Call, Event, ScheduleKey, Trigger};
use std::sync::Arc;

/// The schedule. Its task has the same name.
pub(super) const KEY: &str = "ch";

/// How many calls there were, and what became of the last.
#[derive(Default)]
pub(super) struct Calls {
    made: usize,
    answers: usize,
}

impl Calls {
    /// Somebody calls.
    pub(super) fn make(&mut self) -> Arc<Call> {
        self.made += 1;
        self.answers = 0;
        let body = self.made.to_string().into_bytes().into();
        Arc::new(Call { from: "192.0.2.7".into(), content_type: None, body })
    }

    /// The name that the caller gives to the last call.
    pub(super) fn name(&self) -> Arc<str> {
        format!("webhook {}", self.made).into()
    }

    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::RunCreated(new) => {
                let Trigger::Webhook { key: called, call } = &new.trigger else { return };
                assert_eq!(*called, key());
                assert_eq!(*call.body, *self.made.to_string().as_bytes(), "the body of another call");
                assert_eq!(new.key, Some(self.name()));
                self.answers += 1;
            }
            Event::SlotSkipped { key: called, .. } if *called == key() => self.answers += 1,
            _ => {}
        }
    }

    /// What the caller was told.
    pub(super) fn check(&self, is_followed: bool) {
        assert_eq!(self.answers, usize::from(is_followed), "answers to call {}", self.made);
    }
}

pub(super) fn key() -> ScheduleKey {
    ScheduleKey(KEY.into())
}
