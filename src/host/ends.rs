//! Where a job reads from, and where its standard output goes besides the log.

use crate::base::{AttemptId, JobId, RunId};
use crate::definition;
use crate::engine::{Run, Trigger};
use crate::exec::{Joint, Stdin, Stdout};
use crate::host::environment::log_path;
use crate::host::{Inner, Live};
use std::path::PathBuf;
use std::sync::PoisonError;

/// A retry of a retry of a retry: further back nobody's output is looked for.
const GENERATIONS: usize = 20;

impl Inner {
    /// What the attempt reads.
    ///
    /// # Errors
    /// Why there is nothing to read.
    pub(super) fn stdin_of(&self, live: &Live, run: &Run, attempt: AttemptId) -> Result<Stdin, String> {
        match &run.leaf(attempt.job.index).stdin {
            None => Ok(Stdin::Nothing),
            Some(definition::Stdin::Text { text }) => Ok(Stdin::Text(text.as_str().into())),
            Some(definition::Stdin::File { path }) => Ok(Stdin::File(path.into())),
            Some(definition::Stdin::Task { task, stream }) => {
                let nodes = &run.plan.plan().nodes;
                let index = nodes.iter().position(|node| node.leaf.name == *task);
                let index = index.ok_or_else(|| format!("there is no job `{task}` to read from"))? as u32;
                let producer = JobId { index, ..attempt.job };
                if *stream {
                    refuse_second(attempt)?;
                    return self.joint(producer).map(Stdin::Stream);
                }
                let file = self.kept_output(live, run, producer);
                file.map(Stdin::File).ok_or_else(|| format!("`{task}` has no output to read: it did not run"))
            }
        }
    }

    /// Where its standard output goes.
    ///
    /// # Errors
    /// Why it cannot go there.
    pub(super) fn stdout_of(&self, run: &Run, attempt: AttemptId) -> Result<Stdout, String> {
        match run.node(attempt.job.index).stdout {
            definition::Stdout::Log => Ok(Stdout::Log),
            definition::Stdout::Kept => Ok(Stdout::LogAnd(beside(self.log_of(run, attempt), "stdout"))),
            definition::Stdout::Streamed => {
                refuse_second(attempt)?;
                self.joint(attempt.job).map(Stdout::Stream)
            }
        }
    }

    /// An attempt does not start: whoever reads what it would have written sees the end at once, also if they come later.
    pub(super) fn write_nothing(&self, live: &Live, attempt: AttemptId) {
        let is_streamed = live
            .state
            .runs
            .get(&attempt.job.run)
            .is_some_and(|run| run.node(attempt.job.index).stdout == definition::Stdout::Streamed);
        if !is_streamed || attempt.number > 1 {
            return;
        }
        let mut joints = self.joints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(joint) = joints.get(&attempt.job) {
            joint.close_writer();
        } else if let Ok(joint) = Joint::new() {
            joint.close_writer();
            joints.insert(attempt.job, joint);
        }
    }

    /// The pipe out of a job. Whichever side comes first makes it.
    fn joint(&self, producer: JobId) -> Result<Joint, String> {
        let mut joints = self.joints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(joint) = joints.remove(&producer) {
            // Both have it now; it goes with the last of them.
            return Ok(joint);
        }
        let joint = Joint::new().map_err(|error| format!("no pipe between the two jobs: {error}"))?;
        joints.insert(producer, joint.clone());
        Ok(joint)
    }

    /// A job that is done neither reads nor writes any more: whoever waits at the other end sees that.
    pub(super) fn part(&self, live: &Live, job: JobId) {
        let Some(run) = live.state.runs.get(&job.run) else { return };
        let mut joints = self.joints.lock().unwrap_or_else(PoisonError::into_inner);
        if joints.is_empty() {
            return;
        }
        let source =
            run.leaf(job.index).reads_from().filter(|(_, stream)| *stream).map(|(task, _)| task.clone());
        let source =
            source.and_then(|task| run.plan.plan().nodes.iter().position(|node| node.leaf.name == task));
        let source = source.map(|index| JobId { index: index as u32, ..job });
        if let Some(joint) = source.and_then(|source| joints.remove(&source)) {
            joint.close();
        }
    }

    /// What a job wrote when it last ran; for one that was taken over from an earlier run, what it wrote there.
    fn kept_output(&self, live: &Live, run: &Run, producer: JobId) -> Option<PathBuf> {
        let name = run.node(producer.index).leaf.name.seen_from(&run.plan.plan().task).to_owned();
        let attempt = live.state.attempt(producer);
        let file = |attempt| beside(self.state_dir.join(log_path(attempt, &name)), "stdout");
        if attempt.number > 0 {
            return Some(file(attempt)).filter(|file| file.is_file());
        }
        let mut trigger = run.trigger.clone();
        for _ in 0..GENERATIONS {
            let Trigger::Retry { of } = trigger else { return None };
            let number = self.attempts_in(of, producer.index)?;
            if number > 0 {
                let job = JobId { run: of, index: producer.index };
                return Some(file(AttemptId { job, number })).filter(|file| file.is_file());
            }
            trigger = self.store.history().run(of).ok()??.trigger;
        }
        None
    }

    fn attempts_in(&self, run: RunId, index: u32) -> Option<u32> {
        Some(self.store.history().jobs(run).ok()?.get(index as usize)?.attempts)
    }
}

/// A pipe has two ends, and the other one went with the first attempt.
fn refuse_second(attempt: AttemptId) -> Result<(), String> {
    match attempt.number {
        0 | 1 => Ok(()),
        _ => {
            Err("a job that is streamed, or reads a stream, cannot be tried again: the other side is gone"
                .into())
        }
    }
}

/// The ending of the file for outputs, beside the log.
pub(super) const OUTPUTS: &str = "outputs";

/// A file beside a log.
pub(super) fn beside(log: PathBuf, ending: &str) -> PathBuf {
    let mut path = log.into_os_string();
    path.push(".");
    path.push(ending);
    path.into()
}
