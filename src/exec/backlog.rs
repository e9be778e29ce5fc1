//! Lines that somebody has yet to take, kept small however slow they are.
//!
//! Lines are held up to a bound, and beyond it the oldest give way to the newest; a count of what was left out travels
//! along. So a host that is busy costs an attempt neither memory nor a single blocked write.

use super::runner::Line;
use std::collections::VecDeque;

/// Lines in the order in which they came.
#[derive(Default)]
pub(super) struct Backlog {
    lines: VecDeque<Line>,
    bytes: usize,
    dropped: u64,
}

/// About a screenful times twenty: enough for a hook that reads along, little enough for 500 attempts at once.
const MOST_LINES: usize = 1024;
const MOST_BYTES: usize = 256 * 1024;

impl Backlog {
    pub(super) fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
            self.dropped += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Notes that so many lines were left out before they came here.
    pub(super) fn dropped(&mut self, lines: u64) {
        self.dropped += lines;
    }

    /// All of them, and how many were left out just before.
    pub(super) fn take(&mut self) -> Option<(Vec<Line>, u64)> {
        if self.lines.is_empty() {
            return None;
        }
        self.bytes = 0;
        Some((self.lines.drain(..).collect(), std::mem::take(&mut self.dropped)))
    }
}
