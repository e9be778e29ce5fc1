//! Why a job is not running: every wait has an owner, and this says who.

use crate::base::{JobId, Moment, RunId};
use crate::engine::{Pause, Phase, Question, RunPhase, State};

/// What a job that is neither running nor done waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// This older run of its task, and every other one, to end.
    Turn { behind: RunId },
    /// These jobs of its run, which are not done.
    Needs(Vec<u32>),
    /// Its run is held.
    Paused(Pause),
    /// A slot; `ahead` jobs stand before it.
    Slot { ahead: usize },
    /// The moment before which it does not start.
    Start { until: Moment },
    /// Its next try.
    Backoff { until: Moment },
    /// An answer of a hook.
    Hook(Question),
    /// What is being tidied up after it.
    Cleanup,
    /// What its definition leaves open: conditions, expressions, whether there is anything to do.
    Preparation,
    /// The jobs that it became; so many are open.
    Cells { open: u32 },
    /// Its siblings: only so many cells may go on at once.
    Siblings { at_once: u32 },
}

impl State {
    /// Says what a job waits for; `None` when it runs or is done.
    pub fn why_waiting(&self, id: JobId) -> Option<Wait> {
        let run = self.runs.get(&id.run)?;
        let job = self.find_job(id)?;
        match &job.phase {
            Phase::Preparing { .. } => Some(Wait::Preparation),
            Phase::Spread => Some(Wait::Cells { open: job.open_cells }),
            Phase::Waiting if run.is_behind => {
                Some(Wait::Turn { behind: self.oldest_run_of(&run.plan.plan().task)? })
            }
            Phase::Waiting if job.cell.is_some() => {
                let most = self
                    .node(JobId { index: job.cell.as_ref()?.parent, ..id })
                    .leaf
                    .spread
                    .as_ref()?
                    .max_parallel;
                Some(Wait::Siblings { at_once: most.unwrap_or(u32::MAX) })
            }
            Phase::Waiting => {
                let open = self.node(id).edges().filter(|&(need, when)| run.judged(need, when).is_none());
                Some(Wait::Needs(open.map(|(need, _)| need).collect()))
            }
            Phase::Queued => Some(match &run.phase {
                RunPhase::Paused(pause) => Wait::Paused(pause.clone()),
                RunPhase::Going | RunPhase::Cancelling { .. } => {
                    Wait::Slot { ahead: self.queue().take_while(|&other| other != id).count() }
                }
            }),
            Phase::Delayed { until } => Some(Wait::Start { until: *until }),
            Phase::Backoff { until } => Some(Wait::Backoff { until: *until }),
            Phase::Asking { question, .. } => Some(Wait::Hook(*question)),
            Phase::Cleaning { .. } | Phase::Ended { .. } => Some(Wait::Cleanup),
            Phase::Running { .. } | Phase::Paused { .. } | Phase::Stopping { .. } | Phase::Done(_) => None,
        }
    }
}
