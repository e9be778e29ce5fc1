//! What the end of an attempt means: success, failure, another try.

use super::Engine;
use crate::base::{AttemptId, JobId, Millis};
use crate::definition::{Params, Retry};
use crate::engine::{
    Author, Cause, Event, Exit, Order, Outcome, OwedCleanup, Phase, Question, Skip, StopCause, Usage,
};

impl Engine {
    pub(super) fn ended(&mut self, attempt: AttemptId, exit: Exit, usage: Option<Usage>, outputs: Params) {
        // A report about an attempt we no longer hold is late or repeated; either way it is stale.
        if !self.is_current(attempt) || !self.state.job(attempt.job).phase.is_live() {
            return;
        }
        self.emit(Event::AttemptEnded { attempt, exit, usage, outputs });
        self.judge(attempt);
    }

    /// It shows no sign of life. What is frozen or being stopped need not.
    pub(super) fn stalled(&mut self, attempt: AttemptId) {
        if self.is_current(attempt) && matches!(self.state.job(attempt.job).phase, Phase::Running { .. }) {
            self.stop(attempt.job, StopCause::Stalled);
        }
    }

    /// What becomes of a job whose attempt just ended.
    fn judge(&mut self, attempt: AttemptId) {
        let job = attempt.job;
        let Phase::Ended { stopped, exit } = self.state.job(job).phase.clone() else {
            unreachable!("judged only when its attempt has just ended")
        };
        let outcome = match (stopped, exit) {
            (Some(StopCause::Cancelled), _) => Outcome::Cancelled,
            (Some(StopCause::TimedOut), _) => Outcome::Failed { cause: Cause::TimedOut },
            (Some(StopCause::OutOfTime), _) => Outcome::Failed { cause: Cause::OutOfTime },
            (Some(StopCause::Stalled), _) => Outcome::Failed { cause: Cause::Stalled },
            (Some(StopCause::NotNeeded { job }), _) => Outcome::Skipped { why: Skip::NotNeeded { job } },
            (None, Exit::Skipped { reason }) => Outcome::Skipped { why: Skip::Asked { reason } },
            (None, exit) => match cause_of(&exit) {
                None => Outcome::Succeeded,
                Some(cause) => Outcome::Failed { cause },
            },
        };
        if stopped == Some(StopCause::OutOfTime) {
            // There is no time for another try.
            return self.conclude(job, outcome);
        }
        let rejection = self.state.job(job).decision.clone().filter(|decision| !decision.approved);
        match (outcome, rejection) {
            (Outcome::Failed { .. }, Some(no)) => {
                let cause = Cause::Rejected { by: no.by.clone(), reason: no.reason.clone() };
                self.conclude(job, Outcome::Failed { cause });
            }
            (outcome, _) => self.carry_on(attempt, outcome),
        }
    }

    fn carry_on(&mut self, attempt: AttemptId, outcome: Outcome) {
        let job = attempt.job;
        match outcome {
            Outcome::Succeeded if self.has_hooks(job) => self.ask(attempt, Question::Success, None),
            Outcome::Succeeded => self.succeeded(job),
            Outcome::Failed { cause } => self.failed(attempt, cause),
            outcome => self.conclude(job, outcome),
        }
    }

    fn failed(&mut self, attempt: AttemptId, cause: Cause) {
        let job = attempt.job;
        let is_last = self.state.job(job).tries + 1 >= self.leaf(job).retry.attempts;
        if is_last || self.is_cancelling(job) {
            self.conclude(job, Outcome::Failed { cause });
        } else if self.has_hooks(job) {
            self.ask(attempt, Question::Retry, Some(cause));
        } else {
            self.retry_by_policy(job, cause);
        }
    }

    /// Tries again if the definition says so for this cause.
    pub(super) fn retry_by_policy(&mut self, job: JobId, cause: Cause) {
        if allows(&self.leaf(job).retry, &cause) {
            let delay = self.backoff(job);
            self.retry(job, delay, true, None);
        } else {
            self.conclude(job, Outcome::Failed { cause });
        }
    }

    pub(super) fn retry(&mut self, job: JobId, delay: Millis, counts: bool, reason: Option<String>) {
        match self.in_vain(job) {
            Some(by) => self.conclude(job, Outcome::Skipped { why: Skip::NotNeeded { job: by } }),
            None => self.emit(Event::RetryScheduled { job, until: self.now + delay, counts, reason }),
        }
    }

    /// The wait before the next try: it grows with every try up to a limit, then jitter.
    pub(super) fn backoff(&mut self, job: JobId) -> Millis {
        let random = self.random.unit();
        let retry = &self.leaf(job).retry;
        let grown = retry.delay.0 as f64 * retry.backoff.powi(self.state.job(job).tries as i32);
        let limited = grown.min(retry.max_delay.0 as f64);
        Millis((limited * (1.0 + retry.jitter * (2.0 * random - 1.0))) as u64)
    }

    /// The verdict is known. What is owed is tidied up first; then the job is done.
    pub(super) fn conclude(&mut self, job: JobId, outcome: Outcome) {
        let state = self.state.job(job);
        let owes = state.attempts > 0
            && (!state.owed.is_empty() || !self.leaf(job).cleanup.is_empty() || self.has_hooks(job));
        if owes {
            self.emit(Event::CleanupStarted { job, outcome: outcome.clone() });
            self.order(Order::Clean { job, outcome });
        } else {
            self.finish(job, outcome, None);
        }
    }

    pub(super) fn cleaned(&mut self, job: JobId, problem: Option<String>) {
        let Some(Phase::Cleaning { outcome }) = self.state.find_job(job).map(|job| job.phase.clone()) else {
            return;
        };
        self.finish(job, outcome, problem);
    }

    /// Announced while its job can still be tidied up; later it is refused, and the host tells the script.
    pub(super) fn owe(&mut self, attempt: AttemptId, item: OwedCleanup) {
        let job = attempt.job;
        if self.is_current(attempt)
            && matches!(
                self.state.job(job).phase,
                Phase::Asking { .. } | Phase::Running { .. } | Phase::Paused { .. }
            )
        {
            self.emit(Event::CleanupOwed { job, item });
        }
    }

    /// The host was restarted: what ended with the last one is cancelled, and orders that may have died with it are
    /// given again.
    pub(super) fn restarted(&mut self) {
        self.repeat_orders();
        self.cancel_bound();
        self.pass_all_turns();
        self.recall_all();
    }

    fn repeat_orders(&mut self) {
        let mut orders = Vec::new();
        for (&run, r) in &self.state.runs {
            for (index, state) in r.jobs.iter().enumerate() {
                let job = JobId { run, index: index as u32 };
                match &state.phase {
                    Phase::Asking { question, .. } => {
                        orders.push(Order::Ask { attempt: self.state.attempt(job), question: *question });
                    }
                    Phase::Cleaning { outcome } => {
                        orders.push(Order::Clean { job, outcome: outcome.clone() })
                    }
                    Phase::Preparing { .. } => orders.push(Order::Prepare { job }),
                    Phase::Waiting
                    | Phase::Delayed { .. }
                    | Phase::Spread
                    | Phase::Queued
                    | Phase::Running { .. }
                    | Phase::Paused { .. }
                    | Phase::Stopping { .. }
                    | Phase::Ended { .. }
                    | Phase::Backoff { .. }
                    | Phase::Done(_) => {}
                }
            }
        }
        orders.into_iter().for_each(|order| self.order(order));
    }

    /// The order to stop, or to freeze, may have died with the host, so it is given again.
    pub(super) fn survived(&mut self, attempt: AttemptId) {
        if !self.is_current(attempt) {
            return;
        }
        match self.state.job(attempt.job).phase {
            Phase::Stopping { cause } => {
                let stop = self.leaf(attempt.job).stop;
                self.order(Order::Stop { attempt, cause, stop });
            }
            Phase::Paused { .. } => self.order(Order::Pause { attempt }),
            Phase::Running { .. } => self.order(Order::Resume { attempt }),
            Phase::Waiting
            | Phase::Delayed { .. }
            | Phase::Preparing { .. }
            | Phase::Spread
            | Phase::Queued
            | Phase::Asking { .. }
            | Phase::Ended { .. }
            | Phase::Backoff { .. }
            | Phase::Cleaning { .. }
            | Phase::Done(_) => {}
        }
    }

    /// A person decided. The attempt ends by itself when it hears of that.
    pub(super) fn decide(&mut self, attempt: AttemptId, approved: bool, by: Author, reason: Option<String>) {
        let is_open = self.is_current(attempt)
            && matches!(self.state.job(attempt.job).phase, Phase::Running { .. })
            && self.state.job(attempt.job).decision.is_none();
        if is_open {
            self.emit(Event::Decided { attempt, approved, by, reason });
        }
    }

    pub(super) fn has_hooks(&self, job: JobId) -> bool {
        !self.leaf(job).hooks.is_empty()
    }

    pub(super) fn is_current(&self, attempt: AttemptId) -> bool {
        self.state.find_job(attempt.job).is_some_and(|job| job.attempts == attempt.number)
    }
}

/// Why an attempt that ended like this has failed; `None` when it has not.
fn cause_of(exit: &Exit) -> Option<Cause> {
    match exit {
        Exit::Code { code: 0 } | Exit::Skipped { .. } => None,
        Exit::Code { code } => Some(Cause::Exit { code: *code }),
        Exit::Signal { signal } => Some(Cause::Signal { signal: *signal }),
        Exit::NotSpawned { why, message } => Some(Cause::NotSpawned { why: *why, message: message.clone() }),
        Exit::Lost => Some(Cause::Lost),
        Exit::BadOutputs { message } => Some(Cause::Outputs { message: message.clone() }),
        Exit::Limit { which, most } => Some(Cause::Limit { which: *which, most: *most }),
    }
}

/// Whether this cause may be tried again at all. Lists of exit codes speak of exit codes only: with `on_exit` nothing
/// else is tried again.
fn allows(retry: &Retry, cause: &Cause) -> bool {
    let code = match cause {
        Cause::Exit { code } => Some(*code),
        Cause::Signal { .. }
        | Cause::TimedOut
        | Cause::Stalled
        | Cause::OutOfTime
        | Cause::NotSpawned { .. }
        | Cause::Lost
        | Cause::Hook { .. }
        | Cause::Unprepared { .. }
        | Cause::Precondition { .. }
        | Cause::Outputs { .. }
        | Cause::Cell { .. }
        | Cause::Rejected { .. }
        | Cause::Unmet { .. }
        | Cause::QueuedTooLong { .. }
        | Cause::Limit { .. } => None,
    };
    let wanted = retry.on_exit.is_empty() || code.is_some_and(|code| retry.on_exit.contains(&code));
    wanted && !code.is_some_and(|code| retry.not_on_exit.contains(&code))
}
