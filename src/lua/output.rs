//! The way of an attempt's output to its `output` hook: batches of lines, the newest win, and the process never waits.
//!
//! Lines are buffered while the hook works on the batch before. This file reads no pipe.

use super::context::HookCall;
use super::decision::OutputDecision;
use super::error::{ErrorKind, ScriptError};
use super::generation::Generation;
use super::hook::Hook;
use super::scripts::Scripts;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Lines that wait for the hook: what a screen or two can show, so what is lost was never seen by anyone.
const LINES: usize = 512;
/// Bytes that wait for the hook.
const BYTES: usize = 256 << 10;
/// Bytes of one line; what is longer is cut, for patterns are quadratic in it.
const LINE: usize = 16 << 10;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// The end at which lines go in. When it is dropped, the decisions end after the last batch.
#[derive(Debug)]
pub struct OutputFeed {
    generation: Arc<Generation>,
    buffer: Arc<Buffer>,
}

/// The end at which decisions come out.
#[derive(Debug)]
pub struct OutputDecisions {
    scripts: Scripts,
    call: HookCall,
    buffer: Arc<Buffer>,
}

#[derive(Debug, Default)]
struct Buffer {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Lines seen so far, wanted or not.
    seen: u64,
    dropped: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Line {
    stream: Stream,
    number: u64,
    text: String,
}

pub(super) fn connect(
    scripts: Scripts,
    call: HookCall,
    generation: Arc<Generation>,
) -> (OutputFeed, OutputDecisions) {
    let buffer = Arc::new(Buffer::default());
    (OutputFeed { generation, buffer: buffer.clone() }, OutputDecisions { scripts, call, buffer })
}

impl OutputFeed {
    /// Hands in one line without its line ending. Never waits: while the hook is slower than the process, the oldest lines are
    /// dropped and counted.
    pub fn push(&self, stream: Stream, line: &[u8]) {
        let is_wanted = self.generation.wants_line(line);
        let mut waiting = self.buffer.lock();
        waiting.seen += 1;
        if !is_wanted || waiting.is_closed {
            return;
        }
        let number = waiting.seen;
        let text = String::from_utf8_lossy(&line[..line.len().min(LINE)]).into_owned();
        waiting.push(Line { stream, number, text });
        drop(waiting);
        self.buffer.arrived.notify_one();
    }
}

impl Drop for OutputFeed {
    fn drop(&mut self) {
        self.buffer.lock().is_closed = true;
        self.buffer.arrived.notify_one();
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let oldest = self.lines.pop_front().expect("a single line is far below both bounds");
            self.bytes -= oldest.text.len();
            self.dropped += 1;
        }
    }

    /// Everything that waits, as events. The first one counts what was dropped since the last batch.
    fn take(&mut self) -> Vec<Value> {
        let lines = std::mem::take(&mut self.lines);
        self.bytes = 0;
        let mut dropped = std::mem::take(&mut self.dropped);
        let event = |line: Line| {
            let dropped = std::mem::take(&mut dropped);
            json!({ "line": line.text, "stream": line.stream, "n": line.number, "dropped": dropped })
        };
        lines.into_iter().map(event).collect()
    }
}

impl OutputDecisions {
    /// Waits for lines, gives them to the hook, and returns its decision about them; `None` once the feed is dropped and
    /// everything is seen. Batches without a decision are passed over.
    ///
    /// An error ends its batch, not the connection; only a muted hook ends both.
    pub async fn next(&mut self) -> Option<Result<OutputDecision, ScriptError>> {
        loop {
            let batch = self.batch().await?;
            match self.decide(batch).await {
                Ok(None) => {}
                Ok(Some(decision)) => return Some(Ok(decision)),
                Err(error) => {
                    if error.kind() == ErrorKind::Muted {
                        self.buffer.lock().is_closed = true;
                    }
                    return Some(Err(error));
                }
            }
        }
    }

    async fn batch(&self) -> Option<Vec<Value>> {
        loop {
            let (batch, is_closed) = {
                let mut waiting = self.buffer.lock();
                (waiting.take(), waiting.is_closed)
            };
            match (batch.is_empty(), is_closed) {
                (false, _) => return Some(batch),
                (true, true) => return None,
                (true, false) => self.buffer.arrived.notified().await,
            }
        }
    }

    async fn decide(&self, batch: Vec<Value>) -> Result<Option<OutputDecision>, ScriptError> {
        let mut decided: Option<OutputDecision> = None;
        for value in self.scripts.call(Hook::Output, &self.call, batch).await? {
            let later: Option<OutputDecision> = self.scripts.read(&self.call, value)?;
            decided = match (decided, later) {
                (Some(earlier), Some(later)) => Some(earlier.followed_by(later)),
                (earlier, later) => later.or(earlier),
            };
        }
        Ok(decided)
    }
}
