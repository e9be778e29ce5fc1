//! Why a job is not running: every wait has an owner, and this says who.

use crate::base::{JobId, Moment};
use crate::engine::{Pause, Phase, Question, RunPhase, State};

/// What a job that is neither running nor done waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// These jobs of its run, which are not done.
    Needs(Vec<u32>),
    /// Its run is held.
    Paused(Pause),
    /// A slot; `ahead` jobs stand before it.
    Slot { ahead: usize },
    /// Its next try.
    Backoff { until: Moment },
    /// An answer of a hook.
    Hook(Question),
    /// What is being tidied up after it.
    Cleanup,
}

impl State {
    /// Says what a job waits for; `None` when it runs or is done.
    pub fn why_waiting(&self, id: JobId) -> Option<Wait> {
        let run = self.runs.get(&id.run)?;
        let job = self.find_job(id)?;
        match &job.phase {
            Phase::Waiting => {
                let needs = self.node(id).needs.iter().copied();
                Some(Wait::Needs(needs.filter(|&need| !run.jobs[need as usize].phase.is_done()).collect()))
            }
            Phase::Queued => Some(match &run.phase {
                RunPhase::Paused(pause) => Wait::Paused(pause.clone()),
                RunPhase::Going | RunPhase::Cancelling { .. } => {
                    Wait::Slot { ahead: self.queue().take_while(|&other| other != id).count() }
                }
            }),
            Phase::Backoff { until } => Some(Wait::Backoff { until: *until }),
            Phase::Asking { question, .. } => Some(Wait::Hook(*question)),
            Phase::Cleaning { .. } | Phase::Ended { .. } => Some(Wait::Cleanup),
            Phase::Running { .. } | Phase::Stopping { .. } | Phase::Done(_) => None,
        }
    }
}
