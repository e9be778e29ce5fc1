//! Holding and going on, in four sizes: a job that runs is frozen where it stands; a run starts nothing more; a queue admits
//! nobody; the schedules of a task rest.

use super::Engine;
use crate::base::{JobId, RunId, TaskName};
use crate::engine::{Author, Event, Order, Phase, RunPhase};

impl Engine {
    /// Freezes a job that runs. Its time limit stands still; it keeps its slot, because it keeps its memory.
    pub(super) fn pause_job(&mut self, job: JobId, by: Author, reason: Option<String>) {
        let Some(state) = self.state.find_job(job) else { return };
        if matches!(state.phase, Phase::Running { .. }) && self.leaf(job).action.is_process() {
            let attempt = self.state.attempt(job);
            self.emit(Event::AttemptPaused { attempt, by, reason });
            self.order(Order::Pause { attempt });
        }
    }

    pub(super) fn resume_job(&mut self, job: JobId, by: Author) {
        let Some(state) = self.state.find_job(job) else { return };
        if matches!(state.phase, Phase::Paused { .. }) {
            let attempt = self.state.attempt(job);
            self.emit(Event::AttemptResumed { attempt, by });
            self.order(Order::Resume { attempt });
        }
    }

    pub(super) fn pause(&mut self, run: RunId, by: Author, reason: Option<String>) {
        if self.state.runs.get(&run).is_some_and(|r| r.phase == RunPhase::Going) {
            self.emit(Event::RunPaused { run, by, reason });
        }
    }

    pub(super) fn resume(&mut self, run: RunId, by: Author) {
        if self.state.runs.get(&run).is_some_and(|r| matches!(r.phase, RunPhase::Paused(_))) {
            self.emit(Event::RunResumed { run, by });
        }
    }

    pub(super) fn pause_queue(&mut self, queue: String, by: Author, reason: Option<String>) {
        if !self.state.paused_queues.contains_key(&queue) {
            self.emit(Event::QueuePaused { queue, by, reason });
        }
    }

    pub(super) fn resume_queue(&mut self, queue: String, by: Author) {
        if self.state.paused_queues.contains_key(&queue) {
            self.emit(Event::QueueResumed { queue, by });
        }
    }

    pub(super) fn pause_task(&mut self, task: TaskName, by: Author, reason: Option<String>) {
        if !self.state.resting.contains_key(&task) {
            self.emit(Event::TaskPaused { task, by, reason });
        }
    }

    pub(super) fn resume_task(&mut self, task: TaskName, by: Author) {
        if self.state.resting.contains_key(&task) {
            self.emit(Event::TaskResumed { task: task.clone(), by });
            self.let_go(&task);
        }
    }
}
