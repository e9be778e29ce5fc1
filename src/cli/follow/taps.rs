//! The output of the jobs of a run, read along as it is written.

use super::super::error::Failure;
use super::super::tail::{Growing, watch};
use crate::base::{AttemptId, RunId};
use crate::host::log_path;
use crate::watch::Growth;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The logs of the attempts that go on.
pub(crate) struct Taps {
    state_dir: PathBuf,
    growth: Growth,
    open: BTreeMap<u32, Growing>,
    /// Something may be there that was not read yet.
    is_behind: bool,
}

/// New output of a job.
pub(crate) struct Piece {
    pub(crate) job: u32,
    pub(crate) lines: Vec<String>,
}

impl Taps {
    pub(crate) fn new(state_dir: &Path, run: RunId) -> Result<Taps, Failure> {
        let growth = watch(&state_dir.join("runs").join(run.to_string()))?;
        Ok(Taps { state_dir: state_dir.to_path_buf(), growth, open: BTreeMap::new(), is_behind: false })
    }

    /// An attempt begins. Gives what the one before it left.
    pub(crate) fn begin(&mut self, attempt: AttemptId, job: &str) -> Option<Piece> {
        let left = self.end(attempt.job.index);
        let path = self.state_dir.join(log_path(attempt, job));
        self.open.insert(attempt.job.index, Growing::new(path));
        self.is_behind = true;
        left
    }

    /// A job is done: nothing more will be written. Gives what is left.
    pub(crate) fn end(&mut self, job: u32) -> Option<Piece> {
        let lines = readable(self.open.remove(&job)?.rest());
        Some(Piece { job, lines })
    }

    /// The rest of everything.
    pub(crate) fn drain(&mut self) -> Vec<Piece> {
        let jobs: Vec<u32> = self.open.keys().copied().collect();
        jobs.into_iter().filter_map(|job| self.end(job)).collect()
    }

    /// Waits until there may be something to read. Nothing is lost when the wait is given up.
    pub(crate) async fn ready(&mut self) {
        if !self.is_behind {
            self.growth.changed().await;
        }
    }

    /// A part of what every attempt wrote; the rest is read next time.
    pub(crate) fn read(&mut self) -> Vec<Piece> {
        self.is_behind = false;
        let mut pieces = Vec::new();
        for (&job, growing) in &mut self.open {
            if let Some(lines) = growing.lines().unwrap_or_else(unreadable) {
                self.is_behind = true;
                pieces.push(Piece { job, lines });
            }
        }
        pieces
    }
}

fn readable(lines: io::Result<Vec<String>>) -> Vec<String> {
    lines.unwrap_or_else(|error| unreadable(error).unwrap_or_default())
}

/// The run does not depend on somebody reading along.
fn unreadable<T>(error: io::Error) -> Option<T> {
    tracing::warn!(%error, "a log cannot be read");
    None
}
