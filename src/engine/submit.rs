//! How runs are born, and how they end.

use super::Engine;
use crate::base::{JobId, RunId};
use crate::engine::{Event, NewRun, Outcome, Phase, Skip, Submission};
use std::sync::Arc;

impl Engine {
    pub(super) fn submit(&mut self, submission: Submission) {
        let run = RunId(self.state.next_run);
        let task = &submission.plan.plan().task;
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
            bound: submission.bound,
        })));
        for index in 0..self.state.runs[&run].jobs.len() as u32 {
            self.queue_if_ready(JobId { run, index });
        }
        self.finish_run_if_over(run);
    }

    /// Ends a job, and carries the consequences to the jobs that need it and to the run.
    pub(super) fn finish(&mut self, job: JobId, outcome: Outcome, problem: Option<String>) {
        let mut doomed = Vec::new();
        self.end(job, outcome, problem, &mut doomed);
        while let Some((job, need)) = doomed.pop() {
            if self.state.job(job).phase == Phase::Waiting {
                self.end(job, Outcome::Skipped { why: Skip::Needs { job: need } }, None, &mut doomed);
            }
        }
        self.finish_run_if_over(job.run);
    }

    /// Ends one job: what needs it is queued when it can be, and named in `doomed` when it never can.
    fn end(&mut self, job: JobId, outcome: Outcome, problem: Option<String>, doomed: &mut Vec<(JobId, u32)>) {
        let lets_others_run = outcome.lets_others_run() || self.leaf(job).continue_on_error;
        self.emit(Event::JobFinished { job, outcome, problem });
        if self.is_cancelling(job) {
            return; // Every job that waits is being cancelled too, one by one, under its own name.
        }
        let dependants = Arc::clone(self.state.runs[&job.run].dependants());
        for &index in &dependants[job.index as usize] {
            let dependant = JobId { run: job.run, index };
            if lets_others_run {
                self.queue_if_ready(dependant);
            } else {
                doomed.push((dependant, job.index));
            }
        }
    }

    fn queue_if_ready(&mut self, job: JobId) {
        let state = self.state.job(job);
        if state.phase == Phase::Waiting && state.is_ready() {
            self.emit(Event::JobQueued { job });
        }
    }

    pub(super) fn finish_run_if_over(&mut self, run: RunId) {
        if let Some(r) = self.state.runs.get(&run)
            && r.is_over()
        {
            self.emit(Event::RunFinished { run, outcome: r.outcome() });
        }
    }
}
