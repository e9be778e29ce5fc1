//! Questions to hooks, and what their answers do. A question has a deadline and a default answer.

use super::Engine;
use crate::base::{AttemptId, JobId};
use crate::engine::{Answer, Cause, Event, Order, Outcome, Phase, Question, Skip};

impl Engine {
    /// Asks what the end of an attempt means.
    pub(super) fn ask(&mut self, attempt: AttemptId, question: Question, cause: Option<Cause>) {
        self.emit(Event::HookAsked { attempt, question, cause });
        self.order(Order::Ask { attempt, question });
    }

    pub(super) fn answered(&mut self, attempt: AttemptId, question: Question, answer: Answer) {
        let job = attempt.job;
        // The answer may come after a cancel, after the deadline, or twice.
        let is_asked = self.is_current(attempt)
            && matches!(self.state.job(job).phase, Phase::Asking { question: asked, .. } if asked == question);
        if !is_asked {
            return;
        }
        match question {
            Question::Before => self.before(attempt, answer),
            Question::Success => self.success(job, answer),
            Question::Retry => self.may_retry(job, answer),
            Question::Repeat => self.may_repeat(job, answer),
        }
    }

    /// Nobody answered in time. `before` is a guard: without its word nothing starts.
    pub(super) fn no_answer(&mut self, job: JobId, question: Question) {
        let attempt = self.state.attempt(job);
        let answer = match question {
            Question::Before => Answer::Fail { message: "the `before` hook did not answer in time".into() },
            Question::Success | Question::Retry => Answer::NoOpinion,
            Question::Repeat => Answer::Fail { message: "its condition was not answered in time".into() },
        };
        self.answered(attempt, question, answer);
    }

    fn before(&mut self, attempt: AttemptId, answer: Answer) {
        let job = attempt.job;
        if self.is_overdue(job) {
            return self.conclude(job, Outcome::Failed { cause: Cause::OutOfTime });
        }
        let timeout = match answer {
            Answer::Skip { reason } => {
                return self.conclude(job, Outcome::Skipped { why: Skip::Asked { reason } });
            }
            Answer::Fail { message } => {
                return self.conclude(job, Outcome::Failed { cause: Cause::Hook { message } });
            }
            Answer::Delay { by, reason } => return self.retry(job, by, false, reason),
            Answer::StartWith { timeout } => Some(timeout),
            Answer::NoOpinion | Answer::Again { .. } | Answer::GiveUp { .. } => self.leaf(job).timeout,
        };
        self.start(attempt, timeout);
    }

    fn success(&mut self, job: JobId, answer: Answer) {
        match answer {
            Answer::Fail { message } => {
                self.conclude(job, Outcome::Failed { cause: Cause::Hook { message } })
            }
            Answer::NoOpinion
            | Answer::StartWith { .. }
            | Answer::Skip { .. }
            | Answer::Delay { .. }
            | Answer::Again { .. }
            | Answer::GiveUp { .. } => self.succeeded(job),
        }
    }

    /// The attempt is a success; the job is done unless it is to be done again.
    pub(super) fn succeeded(&mut self, job: JobId) {
        if self.leaf(job).repeat.is_some() && !self.is_in_vain(job) {
            let attempt = self.state.attempt(job);
            return self.ask(attempt, Question::Repeat, None);
        }
        self.conclude(job, Outcome::Succeeded);
    }

    fn is_in_vain(&self, job: JobId) -> bool {
        self.is_cancelling(job) || self.in_vain(job).is_some()
    }

    fn may_repeat(&mut self, job: JobId, answer: Answer) {
        let (rounds, is_in_vain) = (self.state.job(job).rounds + 1, self.is_in_vain(job));
        match (answer, self.leaf(job).repeat.clone()) {
            (Answer::Again { .. }, Some(repeat)) if !is_in_vain && rounds < repeat.limit => {
                self.emit(Event::RoundScheduled { job, until: self.now + repeat.every });
            }
            (Answer::Again { .. }, Some(_)) if !is_in_vain => {
                self.conclude(job, Outcome::Failed { cause: Cause::Unmet { rounds } });
            }
            (Answer::Fail { message }, _) => {
                self.conclude(job, Outcome::Failed { cause: Cause::Unprepared { message } });
            }
            _ => self.conclude(job, Outcome::Succeeded),
        }
    }

    fn may_retry(&mut self, job: JobId, answer: Answer) {
        let Phase::Asking { cause: Some(cause), .. } = self.state.job(job).phase.clone() else {
            unreachable!("only a failed attempt raises the question of another try")
        };
        if self.is_cancelling(job) {
            return self.conclude(job, Outcome::Failed { cause });
        }
        match answer {
            Answer::Again { delay, reason } => {
                let delay = delay.unwrap_or_else(|| self.backoff(job));
                self.retry(job, delay, true, reason);
            }
            Answer::GiveUp { .. } | Answer::Fail { .. } => self.conclude(job, Outcome::Failed { cause }),
            Answer::NoOpinion | Answer::StartWith { .. } | Answer::Skip { .. } | Answer::Delay { .. } => {
                self.retry_by_policy(job, cause);
            }
        }
    }
}
