//! The output of a watched process: two pipes, read in large pieces into the log and cut into lines for the host.
//!
//! The log gets the exact bytes; only the lines are text and may be cut short. An attempt that nobody watches does
//! not come here at all: its process holds the log file itself.

use super::outbox::Outbox;
use super::runner::{Line, Stream};
use std::fs::File;
use std::future::pending;
use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;

/// The host's ends of the two pipes, and what has been made of them so far.
pub(super) struct Output {
    log: File,
    pipes: [Pipe; 2],
    buffer: Vec<u8>,
    /// Bytes that the log did not take, and why the first of them were not taken.
    lost: Option<(u64, io::Error)>,
}

/// One pipe. `end` is gone once every writer is.
struct Pipe {
    stream: Stream,
    end: Option<Receiver>,
    lines: Splitter,
}

/// How much is read at once. Larger pieces measured no faster, and 500 attempts hold one each.
const PIECE: usize = 64 * 1024;
/// What the kernel is asked to hold in each pipe, so that a writer seldom waits for the host.
const PIPE: usize = 1024 * 1024;
/// How long a pipe is still listened to that something outside the process group holds open.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Output {
    /// Makes the pipes; the writing ends are standard output and standard error of the process.
    pub(super) fn new(log: File) -> io::Result<(Output, PipeWriter, PipeWriter)> {
        let (out, stdout) = Pipe::new(Stream::Stdout)?;
        let (err, stderr) = Pipe::new(Stream::Stderr)?;
        let output = Output { log, pipes: [out, err], buffer: vec![0; PIECE], lost: None };
        Ok((output, stdout, stderr))
    }

    /// Reads and delivers until every writer is gone and the host has taken everything. May be given up at any
    /// await and called again.
    pub(super) async fn run(&mut self, outbox: &mut Outbox) {
        while !self.is_over() || !outbox.is_empty() {
            // A process that writes without pause must not keep its thread of the runtime for itself.
            tokio::task::coop::consume_budget().await;
            let [out, err] = &self.pipes;
            let ready = tokio::select! {
                () = out.readable() => Some(0),
                () = err.readable() => Some(1),
                () = outbox.deliver_one(), if !outbox.is_empty() => None,
            };
            if let Some(index) = ready {
                self.take(index, outbox, Pipe::read);
            }
        }
    }

    /// Takes what a process that has ended left in the pipes, then waits a moment for whoever else holds them.
    pub(super) async fn finish(&mut self, outbox: &mut Outbox) {
        for index in 0..self.pipes.len() {
            // Bounded by what a pipe can hold: somebody who escaped the group may go on writing for ever.
            for _ in 0..=PIPE / PIECE {
                if !self.take(index, outbox, Pipe::read_past_runtime) {
                    break;
                }
            }
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.run(outbox)).await;
        for pipe in &mut self.pipes {
            pipe.end = None;
            pipe.lines.finish(|text| outbox.push(Line { stream: pipe.stream, text }));
        }
        if let Some((bytes, error)) = &self.lost {
            tracing::warn!("{bytes} bytes of output could not be written to the log: {error}");
        }
    }

    fn is_over(&self) -> bool {
        self.pipes.iter().all(|pipe| pipe.end.is_none())
    }

    /// Reads one piece and passes it on; `false` when there was nothing.
    fn take(
        &mut self,
        index: usize,
        outbox: &mut Outbox,
        read: fn(&mut Pipe, &mut [u8]) -> Option<usize>,
    ) -> bool {
        let pipe = &mut self.pipes[index];
        let Some(length) = read(pipe, &mut self.buffer) else { return false };
        let piece = &self.buffer[..length];
        if let Err(error) = self.log.write_all(piece) {
            let (bytes, _) = self.lost.get_or_insert((0, error));
            *bytes += length as u64;
        }
        pipe.lines.feed(piece, |text| outbox.push(Line { stream: pipe.stream, text }));
        true
    }
}

impl Pipe {
    fn new(stream: Stream) -> io::Result<(Pipe, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        // SAFETY: the descriptor is open, and this command takes an integer and touches no memory of ours.
        // Its failure is no matter: beyond the user's share the kernel keeps the pipe as small as it was.
        unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE as libc::c_int) };
        let end = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Pipe { stream, end: Some(end), lines: Splitter::default() }, writer))
    }

    async fn readable(&self) {
        match &self.end {
            // After an error the read itself says what is the matter.
            Some(end) => drop(end.readable().await),
            None => pending().await,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let result = self.end.as_ref()?.try_read(buffer);
        self.judge(result)
    }

    /// The runtime may not have noticed yet that there is something to read; the kernel knows.
    fn read_past_runtime(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let result = rustix::io::read(self.end.as_ref()?.as_fd(), buffer).map_err(io::Error::from);
        self.judge(result)
    }

    fn judge(&mut self, result: io::Result<usize>) -> Option<usize> {
        match result {
            Ok(length) if length > 0 => Some(length),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                None
            }
            Ok(_) | Err(_) => {
                self.end = None;
                None
            }
        }
    }
}

/// Cuts bytes into lines at LF, CR and CR LF. A progress bar that redraws itself is a line each time.
#[derive(Default)]
pub(crate) struct Splitter {
    line: Vec<u8>,
    is_after_cr: bool,
}

/// A longer line is cut, for the watcher only.
const LONGEST: usize = 64 * 1024;

impl Splitter {
    /// Takes a piece and emits every line that it completes.
    pub(crate) fn feed(&mut self, mut piece: &[u8], mut emit: impl FnMut(String)) {
        while let Some(&first) = piece.first() {
            if std::mem::take(&mut self.is_after_cr) && first == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', piece) else { return self.keep(piece) };
            self.keep(&piece[..end]);
            emit(self.take());
            self.is_after_cr = piece[end] == b'\r';
            piece = &piece[end + 1..];
        }
    }

    /// Emits what is left without an end.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(String)) {
        if !self.line.is_empty() {
            emit(self.take());
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> String {
        if self.line.len() == LONGEST {
            // The cut may have gone through a character.
            let whole = self.line.utf8_chunks().last().filter(|last| last.invalid().len() < 4);
            let torn = whole.map_or(0, |last| last.invalid().len());
            self.line.truncate(LONGEST - torn);
        }
        let text = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        // One long line must not hold its memory for as long as the attempt runs.
        self.line.shrink_to(1024);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[&str]) {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for piece in pieces {
            splitter.feed(piece, |line| lines.push(line));
        }
        splitter.finish(|line| lines.push(line));
        assert_eq!(lines, expected, "{pieces:?}");
    }

    #[test]
    fn lines_end_at_lf_cr_and_both() {
        check(&[], &[]);
        check(&[b"a\nb\n"], &["a", "b"]);
        check(&[b"a\nb"], &["a", "b"]);
        check(&[b"a\r\nb\r\n\r\n"], &["a", "b", ""]);
        check(&[b"a\r", b"\nb"], &["a", "b"]);
        check(&[b"10%\r20%\r", b"30%\r\n"], &["10%", "20%", "30%"]);
        check(&[b"\n\r\r\n\n"], &["", "", "", ""]);
        check(&[b"a", b"b", b"c\nd"], &["abc", "d"]);
        check(&[b"\xff\xfe ok\n"], &["\u{fffd}\u{fffd} ok"]);
        check(&["\u{e4}".as_bytes().split_at(1).0, "\u{e4}".as_bytes().split_at(1).1], &["\u{e4}"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let long = format!("x{}\nend\n", "\u{e4}".repeat(100_000));
        let kept = format!("x{}", "\u{e4}".repeat((LONGEST - 1) / 2));
        check(&[long.as_bytes()], &[&kept, "end"]);
        let (first, second) = long.as_bytes().split_at(40_000);
        check(&[first, second], &[&kept, "end"]);
    }
}
