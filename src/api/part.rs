//! A part of a log: from any place on, or from its end. What it costs does not depend on how large the log is.
//!
//! Places count what was written ([`LogReader`]), so whoever asks goes on at `next`, also when the middle of the log has been
//! left out in the meantime. Lines and what they contain are left to the reader.

use super::RunInfo;
use crate::base::Bytes;
use crate::exec::{LogExtent, LogPiece, LogReader};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How much is given when nothing is said.
pub const USUAL_PART: u64 = 64 << 10;
/// How much is given at most in one answer.
pub const MOST_PART: u64 = 1 << 20;

/// A part of the log of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// Whose log it is.
    pub job: String,
    /// Of which attempt.
    pub attempt: u32,
    /// Where the part begins.
    pub from: u64,
    /// Where to go on.
    pub next: u64,
    /// The end of what there is.
    pub end: u64,
    /// So many bytes before `from` were asked for and are not there any more.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub left_out: u64,
    /// The attempt has ended: `end` is the end.
    pub is_over: bool,
    /// The part. What is no text is replaced; `next` is never inside of a character.
    pub text: String,
}

fn is_nothing(bytes: &u64) -> bool {
    *bytes == 0
}

/// Which part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// From a place on, up to another if one is given.
    From(u64, Option<u64>),
    /// So many bytes at its end.
    Last(u64),
}

/// The text is not a part of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of a log is written 1000..2000, 1MiB.., ..64KiB or -64KiB (the last of it)")]
pub struct BadSpan;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Span, BadSpan> {
        let size = |text: &str| text.parse().map(|Bytes(bytes)| bytes).map_err(|_| BadSpan);
        if let Some(last) = text.strip_prefix('-') {
            return size(last).map(Span::Last);
        }
        let (from, to) = text.split_once("..").filter(|_| text != "..").ok_or(BadSpan)?;
        let from = if from.is_empty() { 0 } else { size(from)? };
        let to = if to.is_empty() { None } else { Some(size(to)?) };
        match to {
            Some(to) if to < from => Err(BadSpan),
            Some(_) | None => Ok(Span::From(from, to)),
        }
    }
}

/// There is no such log; fits after "failed to read the log: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLog {
    /// The run has no such job.
    #[error("there is no job `{0}` in the run")]
    NoJob(String),
    /// The run has several.
    #[error("which job? the run has {0}")]
    WhichJob(usize),
    /// It has not begun, or not so often.
    #[error("there is no log of it yet")]
    NotYet,
    /// Somebody removed it.
    #[error("the log is not there any more")]
    Gone,
    /// It cannot be read.
    #[error("the log cannot be read: {0}")]
    Unreadable(String),
}

/// The log of an attempt of a job, or of the last.
struct Which {
    job: String,
    attempt: u32,
    path: PathBuf,
    is_over: bool,
}

/// Reads a part of a log of a run.
///
/// # Errors
/// [`NoLog`]: there is none.
pub fn log_part(
    run: &RunInfo,
    job: Option<&str>,
    attempt: Option<u32>,
    span: Span,
    limit: u64,
) -> Result<LogPart, NoLog> {
    let Which { job, attempt, path, is_over } = which(run, job, attempt)?;
    read(&path, span, limit.min(MOST_PART))
        .map(|Part { from, next, end, left_out, text }| LogPart {
            job,
            attempt,
            from,
            next,
            end,
            left_out,
            is_over,
            text,
        })
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NoLog::Gone,
            _ => NoLog::Unreadable(error.to_string()),
        })
}

fn which(run: &RunInfo, job: Option<&str>, attempt: Option<u32>) -> Result<Which, NoLog> {
    let job = match (job, run.jobs.as_slice()) {
        (None, [only]) => only,
        (None, all) => return Err(NoLog::WhichJob(all.len())),
        (Some(name), all) => {
            all.iter().find(|job| job.name == name).ok_or_else(|| NoLog::NoJob(name.to_owned()))?
        }
    };
    let number = attempt.unwrap_or(job.attempt);
    let known = job.attempts.iter().find(|attempt| attempt.number == number).map(|known| known.log.clone());
    let last = job.log.clone().filter(|_| number == job.attempt);
    Ok(Which {
        job: job.name.clone(),
        attempt: number,
        path: known.or(last).ok_or(NoLog::NotYet)?,
        is_over: job.outcome.is_some() || number < job.attempt,
    })
}

struct Part {
    from: u64,
    next: u64,
    end: u64,
    left_out: u64,
    text: String,
}

fn read(log: &Path, span: Span, limit: u64) -> io::Result<Part> {
    let reader = LogReader::open(log)?;
    let LogExtent { head, tail, end } = reader.extent()?;
    let (mut from, to) = match span {
        Span::From(from, to) => (from, to.unwrap_or(u64::MAX)),
        // In what is left out nobody wants to begin.
        Span::Last(most) => {
            let begin = if tail > head { tail } else { 0 };
            (end.saturating_sub(most.min(limit)).max(begin), u64::MAX)
        }
    };
    let mut bytes = vec![0; to.saturating_sub(from).min(limit).min(end.saturating_sub(from)) as usize];
    let (mut filled, mut left_out) = (0, 0);
    while filled < bytes.len() && from < to {
        match reader.read_at(from + filled as u64, &mut bytes[filled..])? {
            LogPiece::Bytes(0) => break,
            LogPiece::Bytes(length) => filled += length,
            LogPiece::LeftOut { to, .. } if filled == 0 => {
                left_out += to - from;
                from = to;
            }
            LogPiece::LeftOut { .. } => break,
        }
    }
    bytes.truncate(filled.min(usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX)));
    let (before, behind) = match span {
        Span::From(..) => (0, torn_end(&bytes)),
        Span::Last(_) => (torn_begin(&bytes), torn_end(&bytes)),
    };
    // At the end of everything the rest of a character may never come.
    let is_last = from + bytes.len() as u64 >= end;
    let behind = if is_last || behind == bytes.len() { 0 } else { behind };
    let text = String::from_utf8_lossy(&bytes[before..bytes.len() - behind]).into_owned();
    let next = from + (bytes.len() - behind) as u64;
    let end = if bytes.is_empty() { end } else { end.max(next) };
    Ok(Part { from: from + before as u64, next, end, left_out, text })
}

/// How many bytes at the beginning are the end of a character.
fn torn_begin(bytes: &[u8]) -> usize {
    bytes.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count()
}

/// How many bytes at the end are the beginning of a character.
fn torn_end(bytes: &[u8]) -> usize {
    let torn = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = torn.first().is_some_and(|byte| (0xc2..=0xf4).contains(byte));
    if is_begun { torn.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::time::{Duration, Instant};

    #[track_caller]
    fn span(text: &str, expected: Result<Span, BadSpan>) {
        assert_eq!(text.parse(), expected, "{text:?}");
    }

    #[test]
    fn parts_are_written_in_bytes() {
        span("0..10", Ok(Span::From(0, Some(10))));
        span("1KiB..", Ok(Span::From(1024, None)));
        span("..2MB", Ok(Span::From(0, Some(2_000_000))));
        span("-64KiB", Ok(Span::Last(65_536)));
        for text in ["", "..", "5", "5..4", "a..b", "-", "--1", "1..2..3", "-1..2"] {
            span(text, Err(BadSpan));
        }
    }

    #[track_caller]
    fn check(text: &str, wanted: &str, limit: u64, expected: (u64, u64, &str)) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let part = read(file.path(), wanted.parse().unwrap(), limit).unwrap();
        assert_eq!((part.from, part.next, &*part.text), expected, "{wanted} of {text:?}");
        assert_eq!((part.end, part.left_out), (text.len() as u64, 0));
    }

    #[test]
    fn a_part_is_what_was_asked_for() {
        check("0123456789", "2..5", 100, (2, 5, "234"));
        check("0123456789", "2..", 3, (2, 5, "234"));
        check("0123456789", "5..", 100, (5, 10, "56789"));
        check("0123456789", "-3", 100, (7, 10, "789"));
        check("0123456789", "-300", 100, (0, 10, "0123456789"));
        check("0123456789", "-300", 4, (6, 10, "6789"));
        check("0123456789", "10..", 100, (10, 10, ""));
        check("0123456789", "11..", 100, (11, 11, ""));
        check("", "-3", 100, (0, 0, ""));
    }

    #[test]
    fn no_character_is_torn() {
        let text = "a\u{e4}\u{1f980}b";
        check(text, "..2", 100, (0, 1, "a"));
        check(text, "..3", 100, (0, 3, "a\u{e4}"));
        check(text, "..6", 100, (0, 3, "a\u{e4}"));
        check(text, "-2", 100, (7, 8, "b"));
        check(text, "-5", 100, (3, 8, "\u{1f980}b"));
    }

    /// Ten gigabytes, most of them holes: what matters is that nobody reads them.
    #[test]
    fn the_end_of_a_large_log_is_there_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let size = 10 << 30;
        file.as_file().set_len(size).unwrap();
        file.as_file().write_all_at(b"the end\n", size - 8).unwrap();
        let begun = Instant::now();
        let part = read(file.path(), Span::Last(USUAL_PART), USUAL_PART).unwrap();
        let took = begun.elapsed();
        println!("64 KiB from the end of 10 GiB: {took:.1?}");
        assert!(part.text.ends_with("\0the end\n") && part.text.len() == 64 << 10);
        assert_eq!((part.next, part.end), (size, size));
        assert!(took < Duration::from_millis(50), "{took:?}");
    }
}
