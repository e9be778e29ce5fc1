//! The life of a job, on one screen.

use crate::base::{Millis, Moment};
use crate::engine::{Cause, Exit, Outcome, Question, StopCause};

/// Where a job is. How it ended is an [`Outcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some job it needs is not done.
    Waiting,
    /// Everything it needs is there, but not its time.
    Delayed { until: Moment },
    /// Everything it needs is there; what its definition leaves open is being found out.
    Preparing { since: Moment },
    /// It became many jobs, which are not all done.
    Spread,
    /// Ready; wants a slot.
    Queued,
    /// A hook decides. Before the attempt it holds the slot; after it (`cause` says why it failed) it does not.
    Asking { question: Question, since: Moment, cause: Option<Cause> },
    /// The attempt is going on.
    Running { since: Moment, timeout: Option<Millis> },
    /// The attempt is frozen. It had run for so long; its time limit stands still.
    Paused { ran: Millis, timeout: Option<Millis> },
    /// The attempt was asked to stop.
    Stopping { cause: StopCause },
    /// The attempt is over; the verdict follows in the same step.
    Ended { stopped: Option<StopCause>, exit: Exit },
    /// Waiting for its next try.
    Backoff { until: Moment },
    /// The verdict is known; what is owed is being tidied up.
    Cleaning { outcome: Outcome },
    /// Over, tidied up and all.
    Done(Outcome),
}

/// How long a hook may keep a job waiting before the default holds. The budgets of the scripts are shorter; this is
/// the net below them.
const ANSWER_LIMIT: Millis = Millis::from_secs(60);
/// How long the preparation of a job may take. Each of its steps has a shorter limit of its own.
const PREPARATION_LIMIT: Millis = Millis::from_secs(600);

impl Phase {
    /// Which phase may follow which. Nothing else ever happens to a job.
    pub fn may_become(&self, next: &Phase) -> bool {
        use Outcome::{Cancelled, Skipped};
        use Phase::*;
        use Question::{Before, Repeat, Retry, Success};
        let verdict = |phase: &Phase| matches!(phase, Backoff { .. } | Cleaning { .. } | Done(_));
        match self {
            Waiting => {
                matches!(next, Delayed { .. } | Preparing { .. } | Queued | Done(Skipped { .. } | Cancelled))
            }
            Delayed { .. } => {
                matches!(next, Preparing { .. } | Queued | Done(Skipped { .. } | Cancelled))
            }
            Preparing { .. } => matches!(next, Queued | Spread | Done(_)),
            Spread => matches!(next, Done(_)),
            Queued => {
                matches!(next, Asking { question: Before, .. } | Running { .. } | Cleaning { .. } | Done(_))
            }
            Asking { question: Before, .. } => matches!(next, Running { .. }) || verdict(next),
            Asking { question: Success, .. } => {
                matches!(next, Asking { question: Repeat, .. }) || verdict(next)
            }
            Asking { question: Retry | Repeat, .. } => verdict(next),
            Running { .. } => {
                matches!(next, Paused { .. } | Stopping { .. } | Ended { stopped: None, .. })
            }
            Paused { .. } => matches!(next, Running { .. } | Stopping { .. } | Ended { stopped: None, .. }),
            Stopping { .. } => matches!(next, Ended { stopped: Some(_), .. }),
            Ended { .. } => {
                matches!(next, Asking { question: Success | Retry | Repeat, .. }) || verdict(next)
            }
            Backoff { .. } => matches!(next, Queued | Cleaning { .. } | Done(_)),
            Cleaning { outcome } => matches!(next, Done(last) if last == outcome),
            Done(_) => false,
        }
    }

    /// When the clock next matters to a job in this phase.
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Phase::Running { since, timeout } => timeout.map(|timeout| *since + timeout),
            Phase::Asking { since, .. } => Some(*since + ANSWER_LIMIT),
            Phase::Backoff { until } | Phase::Delayed { until } => Some(*until),
            Phase::Preparing { since } => Some(*since + PREPARATION_LIMIT),
            Phase::Waiting
            | Phase::Spread
            | Phase::Queued
            | Phase::Paused { .. }
            | Phase::Stopping { .. }
            | Phase::Ended { .. }
            | Phase::Cleaning { .. }
            | Phase::Done(_) => None,
        }
    }

    /// Whether a job in this phase holds a slot, if it needs one at all.
    pub fn holds_slot(&self) -> bool {
        match self {
            Phase::Asking { question, .. } => *question == Question::Before,
            Phase::Running { .. } | Phase::Paused { .. } | Phase::Stopping { .. } => true,
            Phase::Waiting
            | Phase::Delayed { .. }
            | Phase::Preparing { .. }
            | Phase::Spread
            | Phase::Queued
            | Phase::Ended { .. }
            | Phase::Backoff { .. }
            | Phase::Cleaning { .. }
            | Phase::Done(_) => false,
        }
    }

    /// Whether a runner holds an attempt of a job in this phase.
    pub fn is_live(&self) -> bool {
        matches!(self, Phase::Running { .. } | Phase::Paused { .. } | Phase::Stopping { .. })
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        matches!(self, Phase::Done(_))
    }

    /// The word people see.
    pub fn word(&self) -> &'static str {
        match self {
            Phase::Waiting => "waiting",
            Phase::Delayed { .. } => "delayed",
            Phase::Preparing { .. } => "preparing",
            Phase::Spread => "spread",
            Phase::Queued => "queued",
            Phase::Asking { .. } => "asking",
            Phase::Running { .. } => "running",
            Phase::Paused { .. } => "paused",
            Phase::Stopping { .. } => "stopping",
            Phase::Ended { .. } => "ended",
            Phase::Backoff { .. } => "backoff",
            Phase::Cleaning { .. } => "cleaning",
            Phase::Done(_) => "done",
        }
    }
}
