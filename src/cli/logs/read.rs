//! Reading log files: the whole, the last lines, the lines with a word. A log may be of any size and hold any bytes,
//! so it is never in memory as a whole.

use crate::cli::args;
use crate::cli::look::Look;
use crate::cli::output::{DIM, is_hostile};
use crate::exec::{LogExtent, LogMark, LogPiece, LogReader, LogTimes, Stream};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;

/// What of a log is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// Only the last lines.
    pub(super) last: Option<usize>,
    /// Only lines with this text.
    pub(super) grep: Option<String>,
    /// Only lines of standard error.
    pub(super) is_stderr_only: bool,
}

impl Window {
    pub(super) fn of(args: &args::Logs) -> Window {
        Window { last: args.lines, grep: args.grep.clone(), is_stderr_only: args.stderr }
    }

    /// Whether the line is wanted that begins at this place.
    pub(super) fn takes(&self, line: &[u8], place: Option<u64>, times: &LogTimes) -> bool {
        let mark = || place.and_then(|place| times.at(place));
        let is_of_stream = || mark().is_some_and(|mark| mark.stream == Stream::Stderr);
        let has_text = |text: &String| memchr::memmem::find(line, text.as_bytes()).is_some();
        self.grep.as_ref().is_none_or(has_text) && (!self.is_stderr_only || is_of_stream())
    }

    /// Whether every line is.
    pub(super) fn takes_all(&self) -> bool {
        self.grep.is_none() && !self.is_stderr_only
    }
}

/// A longer line is cut in pieces of this many bytes.
const LINE: usize = 64 * 1024;
/// Steps in which the end of a file is searched for lines.
const BLOCK: u64 = 64 * 1024;

/// Where output goes: safe text for a terminal, the very bytes for a program.
pub(super) struct Sink {
    is_terminal: bool,
    /// When each line was written stands before it.
    has_times: bool,
}

impl Sink {
    pub(super) fn new(is_terminal: bool, has_times: bool) -> Sink {
        Sink { is_terminal, has_times }
    }

    pub(super) fn has_times(&self) -> bool {
        self.has_times
    }

    /// What stands before the line that begins at this place: `03:14:31  ` for people, with `!` for standard error, and
    /// the whole moment for programs. Nothing in a log that has no times.
    pub(super) fn stamp(&mut self, place: Option<u64>, times: &LogTimes, look: &Look) -> io::Result<()> {
        if !self.has_times || times.is_empty() {
            return Ok(());
        }
        let mark = place.and_then(|place| times.at(place));
        let text = match (self.is_terminal, mark) {
            (false, Some(mark)) => format!("{} ", look.clock(mark.at)),
            (false, None) => format!("{:29} ", ""),
            (true, Some(LogMark { at, stream })) => {
                let sign = if stream == Stream::Stderr { "!" } else { " " };
                format!("{DIM}{}{DIM:#}{sign} ", &look.second(at)[11..])
            }
            (true, None) => format!("{:10}", ""),
        };
        self.line(&text)
    }

    /// Our own words; colours are left out where they are not wanted.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        anstream::stdout().write_all(text.as_bytes())
    }

    /// Bytes of a log: whole lines, or the end of one.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.is_terminal {
            true => anstream::stdout().write_all(neutral(bytes).as_bytes()),
            false => io::stdout().write_all(bytes),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Prints what is wanted of a log.
pub(super) fn print(path: &Path, window: &Window, look: &Look, sink: &mut Sink) -> io::Result<()> {
    let times = LogTimes::beside(path);
    // A line that is too long comes in pieces.
    let mut is_begun = false;
    each(path, window, &times, |line, place| {
        if !std::mem::replace(&mut is_begun, !line.ends_with(b"\n")) {
            sink.stamp(place, &times, look)?;
        }
        sink.bytes(line)
    })?;
    sink.flush()
}

/// What is wanted of a log, as text.
pub(super) fn lines(path: &Path, window: &Window) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    each(path, window, &LogTimes::beside(path), |line, _| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        lines.push(String::from_utf8_lossy(line).into_owned());
        Ok(())
    })?;
    Ok(lines)
}

/// Gives each line that is wanted, and where it begins; what neap says about a place that is left out is nowhere.
fn each(
    path: &Path,
    window: &Window,
    times: &LogTimes,
    mut take: impl FnMut(&[u8], Option<u64>) -> io::Result<()>,
) -> io::Result<()> {
    let reader = LogReader::open(path)?;
    if let Some(last) = window.last.filter(|_| window.takes_all()) {
        let start = last_lines(&reader, last)?;
        return walk(&reader, start, take);
    }
    let is_wanted = |line: &[u8], place| window.takes(line, place, times);
    let Some(last) = window.last else {
        return walk(
            &reader,
            0,
            |line, place| if is_wanted(line, place) { take(line, place) } else { Ok(()) },
        );
    };
    let mut kept = VecDeque::new();
    walk(&reader, 0, |line, place| {
        if is_wanted(line, place) {
            kept.push_back((line.to_vec(), place));
            if kept.len() > last {
                kept.pop_front();
            }
        }
        Ok(())
    })?;
    kept.iter().try_for_each(|(line, place)| take(line, *place))
}

/// Gives the lines from a place on, up to what is there now.
fn walk(
    reader: &LogReader,
    start: u64,
    mut take: impl FnMut(&[u8], Option<u64>) -> io::Result<()>,
) -> io::Result<()> {
    let end = reader.extent()?.end;
    let (mut place, mut lines, mut block) = (start, Lines::at(start), vec![0; BLOCK as usize]);
    while place < end {
        let most = usize::try_from(end - place).unwrap_or(usize::MAX).min(block.len());
        match reader.read_at(place, &mut block[..most])? {
            LogPiece::Bytes(0) => break,
            LogPiece::Bytes(length) => {
                place += length as u64;
                lines.feed(&block[..length], |line, place| take(line, Some(place)))?;
            }
            LogPiece::LeftOut { to, line } => {
                place = to;
                lines.finish(true, |line, place| take(line, Some(place)))?;
                take(line.as_bytes(), None)?;
                lines = Lines::at(to);
            }
        }
    }
    lines.finish(false, |line, place| take(line, Some(place)))
}

/// Puts lines together again.
pub(super) struct Lines {
    open: Vec<u8>,
    place: u64,
    is_torn: bool,
}

impl Lines {
    /// What comes begins at this place.
    pub(super) fn at(place: u64) -> Lines {
        Lines { open: Vec::new(), place, is_torn: false }
    }

    /// Takes bytes, and gives each line that they complete and where it begins.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(&[u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        self.open.extend_from_slice(bytes);
        let whole = memchr::memrchr(b'\n', &self.open).map_or(0, |newline| newline + 1);
        // A line without an end must not fill the memory.
        let is_long = self.open.len() - whole >= LINE;
        let whole = if is_long { self.open.len() } else { whole };
        for line in self.open[..whole].split_inclusive(|&byte| byte == b'\n') {
            for part in line.chunks(LINE) {
                take(part, self.place)?;
                self.place += part.len() as u64;
            }
            self.is_torn = !line.ends_with(b"\n");
        }
        self.open.drain(..whole);
        Ok(())
    }

    /// Gives what is left, if wanted with an end.
    pub(super) fn finish(
        &mut self,
        with_end: bool,
        mut take: impl FnMut(&[u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        if with_end && (self.is_torn || !self.open.is_empty()) {
            self.open.push(b'\n');
        }
        self.is_torn = false;
        let open = std::mem::take(&mut self.open);
        if open.is_empty() { Ok(()) } else { take(&open, self.place) }
    }
}

/// Where the last `count` lines of a log begin. Reads from the end, so its size does not matter.
pub(super) fn last_lines(reader: &LogReader, count: usize) -> io::Result<u64> {
    let LogExtent { head, tail, end } = reader.extent()?;
    if count == 0 {
        return Ok(end);
    }
    let mut left = count;
    if tail > head {
        if let Some(place) = last_lines_in(reader, tail, end, &mut left)? {
            return Ok(place);
        }
        // Its first line begins behind none, and what is left out has a line as well.
        for place in [tail, head] {
            if left <= 1 {
                return Ok(place);
            }
            left -= 1;
        }
    }
    Ok(last_lines_in(reader, 0, head, &mut left)?.unwrap_or(0))
}

/// The same between two places; `None` when there are fewer.
fn last_lines_in(reader: &LogReader, from: u64, end: u64, left: &mut usize) -> io::Result<Option<u64>> {
    let mut at = end;
    let mut block = vec![0; BLOCK as usize];
    while at > from {
        let start = at.saturating_sub(BLOCK).max(from);
        let block = &mut block[..(at - start) as usize];
        if let Some(gone) = fill(reader, start, block)? {
            return Ok(Some(gone));
        }
        for newline in memchr::memrchr_iter(b'\n', block) {
            let behind = start + newline as u64 + 1;
            // The newline of the very last line ends it and begins no other.
            if behind == end {
                continue;
            }
            if *left <= 1 {
                return Ok(Some(behind));
            }
            *left -= 1;
        }
        at = start;
    }
    Ok(None)
}

/// Reads all of it, or says where that begins which has not gone in the meantime.
fn fill(reader: &LogReader, start: u64, into: &mut [u8]) -> io::Result<Option<u64>> {
    let mut filled = 0;
    while filled < into.len() {
        match reader.read_at(start + filled as u64, &mut into[filled..])? {
            LogPiece::Bytes(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            LogPiece::Bytes(length) => filled += length,
            LogPiece::LeftOut { to, .. } => return Ok(Some(to)),
        }
    }
    Ok(None)
}

/// What a terminal may be trusted with: letters, tabs, line ends and colours. Everything else that would move the
/// cursor, ring, answer or rename becomes a mark; a lone carriage return becomes a line end, so it can hide nothing.
pub(super) fn neutral(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut safe = String::with_capacity(text.len());
    let mut rest = &*text;
    let mut is_coloured = false;
    while let Some(c) = rest.chars().next() {
        let length = match (c, colour(rest)) {
            ('\u{1b}', Some(length)) => {
                safe.push_str(&rest[..length]);
                is_coloured = true;
                length
            }
            ('\r', _) if rest[1..].starts_with('\n') => 1,
            ('\r', _) => {
                safe.push('\n');
                1
            }
            ('\n' | '\t', _) => {
                safe.push(c);
                1
            }
            (c, _) => {
                safe.push(if is_hostile(c) { '\u{fffd}' } else { c });
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    if is_coloured {
        // A colour that is never ended must not run on into what follows.
        let end = safe.trim_end_matches('\n').len();
        safe.insert_str(end, "\u{1b}[0m");
    }
    safe
}

/// The length of a colour sequence at the beginning: `ESC [`, digits, `;` and `:`, then `m`.
fn colour(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    (body.as_bytes()[end] == b'm').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn safe(bytes: &[u8], expected: &str) {
        assert_eq!(neutral(bytes), expected);
    }

    #[test]
    fn a_terminal_gets_nothing_dangerous() {
        safe(b"plain\ttext\n", "plain\ttext\n");
        safe(b"\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\x1b[0m\n");
        safe(b"\x1b[38:5:1mred\n", "\x1b[38:5:1mred\x1b[0m\n");
        safe(b"\x1b[2Jgone", "\u{fffd}[2Jgone");
        safe(b"\x1b]0;title\x07", "\u{fffd}]0;title\u{fffd}");
        safe(b"\x1b]8;;http://x\x1b\\", "\u{fffd}]8;;http://x\u{fffd}\\");
        safe(b"\x1bP$q\"p\x1b\\", "\u{fffd}P$q\"p\u{fffd}\\");
        safe("\u{9b}31m\u{202e}txt".as_bytes(), "\u{fffd}31m\u{fffd}txt");
        safe(b"evil\rgood\r\nnext\r", "evil\ngood\nnext\n");
        safe(b"bad \xff byte", "bad \u{fffd} byte");
        safe(b"\x1b[", "\u{fffd}[");
        safe(b"\x1b[31", "\u{fffd}[31");
    }

    #[track_caller]
    fn tail(content: &str, count: usize, expected: &str) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let window = Window { last: Some(count), ..Window::default() };
        let mut read = Vec::new();
        each(file.path(), &window, &LogTimes::beside(file.path()), |line, _| {
            read.extend_from_slice(line);
            Ok(())
        })
        .unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expected, "{count} of {:?}", content.get(..20));
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        tail("a\nb\nc\n", 2, "b\nc\n");
        tail("a\nb\nc", 2, "b\nc");
        tail("a\nb\nc\n", 3, "a\nb\nc\n");
        tail("a\nb\nc\n", 9, "a\nb\nc\n");
        tail("a\nb\nc\n", 0, "");
        tail("", 3, "");
        tail("\n\n\n", 2, "\n\n");
        let long = format!("{}\n", "x".repeat(70_000));
        tail(&format!("first\n{long}{long}last\n"), 2, &format!("{long}last\n"));
    }

    #[test]
    fn lines_are_searched() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\ntwo ok\nthree\nfour ok\n\xff ok\n").unwrap();
        let window = |last| Window { last, grep: Some("ok".into()), is_stderr_only: false };
        assert_eq!(lines(file.path(), &window(None)).unwrap(), ["two ok", "four ok", "\u{fffd} ok"]);
        assert_eq!(lines(file.path(), &window(Some(1))).unwrap(), ["\u{fffd} ok"]);
    }
}
