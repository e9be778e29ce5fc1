//! Reading a log from any place, while it is written, after it was, and when its writer died.

use super::ring::{Header, Ring};
use super::writer::{begin_of_tail, gap_line, lines_left_out};
use crate::exec::times::{Record, is_about, last_before};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The ring goes on while it is read. So often in a row it may be faster than we are.
const TRIES: usize = 100;

/// A log, read by places. It holds no more in memory than it is asked for.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let log = folder.path().join("job.1.log");
/// # std::fs::write(&log, "first\nlast\n")?;
/// use neap::exec::{LogPiece, LogReader};
/// let reader = LogReader::open(&log)?;
/// let mut bytes = [0; 5];
/// assert_eq!(reader.read_at(6, &mut bytes)?, LogPiece::Bytes(5));
/// assert_eq!(&bytes, b"last\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    file: File,
}

/// What there is of a log: `0..head` and `tail..end`. Both are one when nothing is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogExtent {
    /// The end of its beginning.
    pub head: u64,
    /// The beginning of its end.
    pub tail: u64,
    /// Behind the last byte.
    pub end: u64,
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPiece {
    /// So many bytes were read; none at the end.
    Bytes(usize),
    /// It is not there any more.
    LeftOut {
        /// The next place that is.
        to: u64,
        /// A line that says so. What stands before it may be a line without an end.
        line: String,
    },
}

/// How the files stand.
enum State {
    Whole,
    Turning(Ring, Header),
    Joined(Header),
}

impl LogReader {
    /// Opens a log.
    ///
    /// # Errors
    /// There is none, or it may not be read.
    pub fn open(path: &Path) -> io::Result<LogReader> {
        Ok(LogReader { path: path.into(), file: File::open(path)? })
    }

    /// What there is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn extent(&self) -> io::Result<LogExtent> {
        for _ in 0..TRIES {
            let state = self.state()?;
            let extent = self.extent_of(&state);
            let needed = extent.as_ref().map_or(0, |extent| extent.tail);
            if self.is_still(&state, needed)? {
                return extent;
            }
        }
        Err(too_fast())
    }

    fn extent_of(&self, state: &State) -> io::Result<LogExtent> {
        Ok(match state {
            State::Whole => {
                let end = self.file.metadata()?.len();
                LogExtent { head: end, tail: end, end }
            }
            State::Turning(ring, header) => {
                LogExtent { head: header.head, tail: begin_of_tail(ring, header)?, end: header.end }
            }
            State::Joined(header) => {
                let behind = self.file.metadata()?.len().saturating_sub(header.head + header.gap);
                LogExtent { head: header.head, tail: header.tail, end: header.tail + behind }
            }
        })
    }

    /// Reads from a place.
    ///
    /// # Errors
    /// It cannot be read. [`io::ErrorKind::TimedOut`]: it is written so fast that what was read was never there any more; it
    /// will be there another time.
    pub fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<LogPiece> {
        for _ in 0..TRIES {
            let state = self.state()?;
            let piece = self.read_as(&state, place, into);
            let needed = match &piece {
                Ok(LogPiece::LeftOut { to, .. }) => *to,
                Ok(LogPiece::Bytes(_)) | Err(_) => place,
            };
            // Also an error may only mean that things stand otherwise by now.
            if self.is_still(&state, needed)? {
                return piece;
            }
        }
        Err(too_fast())
    }

    fn read_as(&self, state: &State, place: u64, into: &mut [u8]) -> io::Result<LogPiece> {
        let at = match state {
            State::Whole => place,
            State::Turning(_, header) | State::Joined(header) if place < header.head => {
                let most = into.len().min(usize::try_from(header.head - place).unwrap_or(usize::MAX));
                return Ok(LogPiece::Bytes(self.file.read_at(&mut into[..most], place)?));
            }
            State::Turning(ring, header) if place < header.begin() => {
                return self.skipped(ring, header, place);
            }
            State::Turning(ring, header) => return Ok(LogPiece::Bytes(ring.read_at(header, place, into)?)),
            State::Joined(header) if place < header.tail => {
                let mut line = vec![0; header.gap as usize];
                self.file.read_exact_at(&mut line, header.head)?;
                let line = String::from_utf8_lossy(&line).trim_start_matches('\n').to_owned();
                return Ok(LogPiece::LeftOut { to: header.tail, line });
            }
            State::Joined(header) => header.head + header.gap + (place - header.tail),
        };
        Ok(LogPiece::Bytes(self.file.read_at(into, at)?))
    }

    /// At most so many bytes from its end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn last(&self, most: usize) -> io::Result<Vec<u8>> {
        let LogExtent { tail, end, head } = self.extent()?;
        let from = if tail > head { tail } else { 0 };
        let mut place = end.saturating_sub(most as u64).max(from);
        let mut bytes = vec![0; (end - place) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(place, &mut bytes[filled..])? {
                LogPiece::Bytes(0) => break,
                LogPiece::Bytes(length) => (filled, place) = (filled + length, place + length as u64),
                // It has gone on meanwhile.
                LogPiece::LeftOut { to, .. } => (filled, place) = (0, to),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The line for what a reader missed; with the lines when it missed all that anybody does.
    fn skipped(&self, ring: &Ring, header: &Header, place: u64) -> io::Result<LogPiece> {
        let to = begin_of_tail(ring, header)?;
        let line = if place == header.head {
            gap_line(to - place, lines_left_out(ring, header, to)?, header.most())
        } else {
            format!("neap: {} bytes were overwritten before they were read\n", to - place)
        };
        Ok(LogPiece::LeftOut { to, line })
    }

    fn state(&self) -> io::Result<State> {
        let Some(ring) = Ring::look(&self.path)? else { return Ok(State::Whole) };
        Ok(match ring.header()? {
            None => State::Whole,
            Some(header) if header.is_joined() => State::Joined(header),
            Some(header) => State::Turning(ring, header),
        })
    }

    /// Whether what was read from this place on was what it should be.
    fn is_still(&self, before: &State, place: u64) -> io::Result<bool> {
        Ok(match (before, self.state()?) {
            (State::Whole, State::Whole) => true,
            (State::Turning(..), State::Turning(_, new)) => place < new.head || place >= new.begin(),
            (State::Joined(old), State::Joined(new)) => *old == new,
            (State::Whole, State::Turning(..) | State::Joined(_))
            | (State::Turning(..), State::Whole | State::Joined(_))
            | (State::Joined(_), State::Whole | State::Turning(..)) => false,
        })
    }
}

fn too_fast() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the log is written faster than it can be read")
}

/// When the byte at a place was written that still goes round.
pub(in crate::exec) fn marks(log: &Path, place: u64) -> Option<Record> {
    let ring = Ring::look(log).ok()??;
    let header = ring.header().ok()??;
    let record = last_before(ring.records(&header), place, |number| ring.record(&header, number))?;
    is_about(&record, place).then_some(record)
}
