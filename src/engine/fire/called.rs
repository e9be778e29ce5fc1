//! Somebody has called the host, which knows the caller. It becomes a run, or a skip with its reason, as a slot does.
//!
//! Who was not told of a run calls again, so nothing is held here, and no cursor moves.

use crate::engine::{Armed, Call, Engine, PlanRef, ScheduleKey, Trigger};
use crate::schedule::Occasion;
use std::sync::Arc;

impl Engine {
    /// This schedule was called. The caller may have given parameters, so the plan is one of its own.
    pub(in crate::engine) fn called(
        &mut self,
        key: ScheduleKey,
        plan: PlanRef,
        call: Arc<Call>,
        name: Option<Arc<str>>,
    ) {
        let is_hook = |armed: &&Armed| matches!(armed.schedule.occasion(), Some(Occasion::Webhook { .. }));
        // A schedule that has just gone is not called any more.
        let Some(armed) = self.timers.armed.get(&key).filter(is_hook).cloned() else { return };
        let trigger = Trigger::Webhook { key: key.clone(), call };
        self.claim_for(&armed, &key, self.now, (trigger, plan, name));
    }
}
