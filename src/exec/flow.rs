//! What becomes of the bytes that a process writes: masked, written into the log, and cut into lines for whoever watches.
//!
//! The log gets the exact bytes but for the secrets; only the lines are text and may be cut short. Reading the pipes is left
//! to whoever holds them: the host ([`output`](super::output)) or the supervisor of the attempt.

use super::log::LogWriter;
use super::mask::{MaskStream, Masks};
use super::output::PIPE;
use super::runner::{Line, Stream};
use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// The pipes of a process that is about to start, and what is to be made of them.
pub(super) struct Channels {
    /// The ends to read from: standard output and standard error, where we read them at all.
    pub(super) readers: [Option<OwnedFd>; 2],
    pub(super) flow: Flow,
}

/// What has been made of the output so far.
pub(super) struct Flow {
    log: Drain<LogWriter>,
    streams: [Course; 2],
    masked: Vec<u8>,
}

/// What is made of one stream.
struct Course {
    stream: Stream,
    masks: Option<MaskStream>,
    copy: Option<Drain<File>>,
    /// While somebody watches.
    lines: Option<Splitter>,
}

/// What output goes into.
struct Drain<F> {
    file: F,
    /// Bytes that it did not take, and why the first of them were not taken.
    lost: Option<(u64, io::Error)>,
}

impl Channels {
    /// Nothing is open yet.
    pub(super) fn new(flow: Flow) -> Channels {
        Channels { readers: [None, None], flow }
    }

    /// Makes the pipe for standard output, and returns the end that the process gets.
    pub(super) fn stdout(&mut self) -> io::Result<PipeWriter> {
        self.open(0)
    }

    /// Makes the pipe for standard error, and returns the end that the process gets.
    pub(super) fn stderr(&mut self) -> io::Result<PipeWriter> {
        self.open(1)
    }

    fn open(&mut self, index: usize) -> io::Result<PipeWriter> {
        let (reader, writer) = io::pipe()?;
        // SAFETY: the descriptor is open, and this command takes an integer and touches no memory of ours.
        // Its failure is no matter: beyond the user's share the kernel keeps the pipe as small as it was.
        unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE as libc::c_int) };
        self.readers[index] = Some(OwnedFd::from(reader));
        Ok(writer)
    }
}

impl Flow {
    /// `copy` gets what goes to standard output, as the log does.
    pub(super) fn new(log: LogWriter, copy: Option<File>, watch_lines: bool, masks: &Masks) -> Flow {
        let course = |stream, copy| Course {
            stream,
            masks: (!masks.is_empty()).then(|| masks.stream()),
            copy,
            lines: watch_lines.then(Splitter::default),
        };
        let streams = [course(Stream::Stdout, copy.map(Drain::new)), course(Stream::Stderr, None)];
        Flow { log: Drain::new(log), streams, masked: Vec::new() }
    }

    /// Takes a piece of standard output (0) or standard error (1).
    pub(super) fn feed(&mut self, index: usize, piece: &[u8], emit: &mut impl FnMut(Line)) {
        let course = &mut self.streams[index];
        let Some(masks) = &mut course.masks else {
            return course.pass_on(piece, &mut self.log, emit);
        };
        self.masked.clear();
        masks.feed(piece, &mut self.masked);
        course.pass_on(&self.masked, &mut self.log, emit);
    }

    /// Passes on what was held back. Nothing comes any more.
    pub(super) fn finish(&mut self, emit: &mut impl FnMut(Line)) {
        for course in &mut self.streams {
            self.masked.clear();
            if let Some(masks) = &mut course.masks {
                masks.finish(&mut self.masked);
            }
            course.pass_on(&self.masked, &mut self.log, emit);
            if let Some(lines) = &mut course.lines {
                lines.finish(|text| emit(Line { stream: course.stream, text }));
            }
            if let Some(copy) = &course.copy {
                copy.complain("file for standard output");
            }
        }
        // What cannot be joined can still be read.
        if let Err(error) = self.log.file.close() {
            tracing::warn!("the two ends of a log could not be joined: {error}");
        }
        self.log.complain("log");
    }

    /// Adds a line of ours while the attempt still writes.
    pub(super) fn note(&mut self, text: &str) {
        self.log.put(text.len() + 1, |log| log.write(format!("{text}\n").as_bytes(), Stream::Stderr));
    }
}

impl Course {
    /// Writes down what holds no secret any more.
    fn pass_on(&mut self, piece: &[u8], log: &mut Drain<LogWriter>, emit: &mut impl FnMut(Line)) {
        if piece.is_empty() {
            return;
        }
        log.put(piece.len(), |log| log.write(piece, self.stream));
        if let Some(copy) = &mut self.copy {
            copy.put(piece.len(), |copy| copy.write_all(piece));
        }
        if let Some(lines) = &mut self.lines {
            lines.feed(piece, |text| emit(Line { stream: self.stream, text }));
        }
    }
}

impl<F> Drain<F> {
    fn new(file: F) -> Drain<F> {
        Drain { file, lost: None }
    }

    fn put(&mut self, length: usize, write: impl FnOnce(&mut F) -> io::Result<()>) {
        if let Err(error) = write(&mut self.file) {
            let (bytes, _) = self.lost.get_or_insert((0, error));
            *bytes += length as u64;
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
