//! The output of a process with secrets or watchers: two pipes, read in large pieces, masked, written into the log and
//! cut into lines for the host.
//!
//! The log gets the exact bytes but for the secrets; only the lines are text and may be cut short. An attempt that has
//! no secrets and that nobody watches does not come here at all: its process holds the log file itself.

use super::mask::{MaskStream, Masks};
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
    log: Drain,
    pipes: [Pipe; 2],
    buffer: Vec<u8>,
    masked: Vec<u8>,
}

/// One pipe. `end` is not there before it is opened, and gone once every writer is.
struct Pipe {
    stream: Stream,
    end: Option<Receiver>,
    masks: Option<MaskStream>,
    copy: Option<Drain>,
    /// While somebody watches.
    lines: Option<Splitter>,
}

/// A file that output goes into.
struct Drain {
    file: File,
    /// Bytes that it did not take, and why the first of them were not taken.
    lost: Option<(u64, io::Error)>,
}

/// How much is read at once. Larger pieces measured no faster, and 500 attempts hold one each.
const PIECE: usize = 64 * 1024;
/// What the kernel is asked to hold in each pipe, so that a writer seldom waits for the host.
const PIPE: usize = 1024 * 1024;
/// How long a pipe is still listened to that something outside the process group holds open.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Output {
    /// Nothing is open yet. `copy` gets what goes to standard output, as the log does.
    pub(super) fn new(log: File, copy: Option<File>, watch_lines: bool, masks: &Masks) -> Output {
        let pipe = |stream, copy| Pipe {
            stream,
            end: None,
            masks: (!masks.is_empty()).then(|| masks.stream()),
            copy,
            lines: watch_lines.then(Splitter::default),
        };
        let pipes = [pipe(Stream::Stdout, copy.map(Drain::new)), pipe(Stream::Stderr, None)];
        Output { log: Drain::new(log), pipes, buffer: vec![0; PIECE], masked: Vec::new() }
    }

    /// Makes the pipe for standard output, and returns the end that the process gets.
    pub(super) fn stdout(&mut self) -> io::Result<PipeWriter> {
        self.pipes[0].open()
    }

    /// Makes the pipe for standard error, and returns the end that the process gets.
    pub(super) fn stderr(&mut self) -> io::Result<PipeWriter> {
        self.pipes[1].open()
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
            self.masked.clear();
            if let Some(masks) = &mut pipe.masks {
                masks.finish(&mut self.masked);
            }
            pipe.pass_on(&self.masked, &mut self.log, outbox);
            if let Some(lines) = &mut pipe.lines {
                lines.finish(|text| outbox.push(Line { stream: pipe.stream, text }));
            }
            if let Some(copy) = &pipe.copy {
                copy.complain("file for standard output");
            }
        }
        self.log.complain("log");
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
        let mut piece = &self.buffer[..length];
        if let Some(masks) = &mut pipe.masks {
            self.masked.clear();
            masks.feed(piece, &mut self.masked);
            piece = &self.masked;
        }
        pipe.pass_on(piece, &mut self.log, outbox);
        true
    }
}

impl Pipe {
    fn open(&mut self) -> io::Result<PipeWriter> {
        let (reader, writer) = io::pipe()?;
        // SAFETY: the descriptor is open, and this command takes an integer and touches no memory of ours.
        // Its failure is no matter: beyond the user's share the kernel keeps the pipe as small as it was.
        unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE as libc::c_int) };
        self.end = Some(Receiver::from_owned_fd(OwnedFd::from(reader))?);
        Ok(writer)
    }

    /// Writes down what holds no secret any more.
    fn pass_on(&mut self, piece: &[u8], log: &mut Drain, outbox: &mut Outbox) {
        log.write(piece);
        if let Some(copy) = &mut self.copy {
            copy.write(piece);
        }
        if let Some(lines) = &mut self.lines {
            lines.feed(piece, |text| outbox.push(Line { stream: self.stream, text }));
        }
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

impl Drain {
    fn new(file: File) -> Drain {
        Drain { file, lost: None }
    }

    fn write(&mut self, piece: &[u8]) {
        if let Err(error) = self.file.write_all(piece) {
            let (bytes, _) = self.lost.get_or_insert((0, error));
            *bytes += piece.len() as u64;
        }
    }

    fn complain(&self, name: &str) {
        if let Some((bytes, error)) = &self.lost {
            tracing::warn!("{bytes} bytes of output could not be written to the {name}: {error}");
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
