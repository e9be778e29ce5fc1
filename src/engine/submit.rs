//! How runs are born, and how they end.

use super::Engine;
use super::fire::EndedRun;
use crate::base::{JobId, RunId};
use crate::definition::Rule;
use crate::engine::{Event, NewRun, Outcome, Phase, Submission};
use std::sync::Arc;

impl Engine {
    pub(super) fn submit(&mut self, submission: Submission) {
        if self.refuse(&submission) {
            return;
        }
        let run = RunId(self.state.next_run);
        let task = &submission.plan.plan().task;
        let is_behind = submission.is_behind && self.state.oldest_run_of(task).is_some();
        let waits = is_behind || self.must_wait(&submission);
        let number = self.state.numbers.get(task).copied().unwrap_or(0) + 1;
        self.emit(Event::RunCreated(Box::new(NewRun {
            run,
            number,
            plan: submission.plan,
            trigger: submission.trigger,
            by: submission.by,
            reason: submission.reason,
            priority: submission.priority,
            reused: submission.reused,
            reused_outputs: submission.reused_outputs,
            force: submission.force,
            bound: submission.bound,
            key: submission.key,
            waits,
            is_behind,
        })));
        // Its slot may have been long ago.
        self.tell_late();
        if !waits {
            self.consider_all(run);
        } else if self.state.runs[&run].is_over() {
            // Everything is taken over from an earlier run: it has nothing to wait for.
            self.finish_run_if_over(run);
        } else {
            self.make_way(run);
        }
    }

    /// Ends a job, and carries the consequences to the jobs that need it and to the run.
    pub(super) fn finish(&mut self, job: JobId, outcome: Outcome, problem: Option<String>) {
        let mut doomed = Vec::new();
        self.end(job, outcome, problem, &mut doomed);
        self.skip_doomed(doomed);
        self.cell_done(job);
        self.finish_run_if_over(job.run);
    }

    /// Skips what can never start, and what can never start because of that. No recursion: a chain may have any length.
    pub(super) fn skip_doomed(&mut self, mut doomed: Vec<JobId>) {
        while let Some(job) = doomed.pop() {
            if self.state.find_job(job).is_some_and(|state| state.phase == Phase::Waiting) {
                let why = self.why_never(job);
                self.end(job, Outcome::Skipped { why }, None, &mut doomed);
            }
        }
    }

    /// Ends one job: what needs it is queued when it can be, and named in `doomed` when it never can.
    fn end(&mut self, job: JobId, outcome: Outcome, problem: Option<String>, doomed: &mut Vec<JobId>) {
        self.emit(Event::JobFinished { job, outcome, problem });
        self.consider_dependants(job, doomed);
    }

    /// Looks at every job that needs this one, of which something has become.
    pub(super) fn consider_dependants(&mut self, job: JobId, doomed: &mut Vec<JobId>) {
        let is_cancelling = self.is_cancelling(job);
        let dependants = Arc::clone(self.state.runs[&job.run].dependants());
        for dependant in dependants.get(job.index as usize).into_iter().flatten() {
            let dependant = JobId { run: job.run, index: dependant.job };
            // In a run that is being cancelled the others are cancelled one by one, under their own names.
            if !is_cancelling || self.leaf(dependant).rule == Rule::Always {
                self.consider(dependant, doomed);
            }
        }
    }

    pub(super) fn finish_run_if_over(&mut self, run: RunId) {
        if let Some(r) = self.state.runs.get(&run)
            && r.is_over()
        {
            let (outcome, task) = (r.outcome(), r.plan.plan().task.clone());
            let (number, key) = (r.number, r.trigger.schedule().cloned());
            self.emit(Event::RunFinished { run, outcome: outcome.clone() });
            self.just_ended.push(EndedRun { run, number, task, outcome, key });
        }
    }
}
