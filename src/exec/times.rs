//! When each part of a log was written, and to which stream: a small file beside the log, so that the log itself stays the
//! very bytes that the job wrote.
//!
//! It is a list of records of 24 bytes, in the order of the log: where the part begins (8 bytes), when it was written
//! (8, milliseconds since 1970), how long it is (7), and the stream (1); all little-endian. Parts of one stream that follow
//! each other within moments share a record. What neap itself adds to a log has none. Of a log whose middle is left out the
//! records speak of places as if nothing were; while its end goes round, theirs do so too.

use super::log::{Ring, RingHeader, marks};
use super::runner::Stream;
use crate::base::Moment;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const RECORD: u64 = 24;
/// Parts that were written within so many milliseconds share a record. Nobody reads faster.
const TOGETHER: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    begin: u64,
    at: u64,
    length: u64,
    stream: Stream,
}

impl Record {
    fn end(&self) -> u64 {
        self.begin + self.length
    }

    pub(super) fn bytes(&self) -> [u8; RECORD as usize] {
        let mut bytes = [0; RECORD as usize];
        bytes[..8].copy_from_slice(&self.begin.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.at.to_le_bytes());
        bytes[16..].copy_from_slice(&self.length.to_le_bytes());
        bytes[23] = u8::from(self.stream == Stream::Stderr);
        bytes
    }

    pub(super) fn parse(bytes: [u8; RECORD as usize]) -> Record {
        let number = |from: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[from..from + 8]);
            u64::from_le_bytes(part)
        };
        let stream = if bytes[23] == 0 { Stream::Stdout } else { Stream::Stderr };
        Record { begin: number(0), at: number(8), length: number(16) & (u64::MAX >> 8), stream }
    }
}

/// Notes when a log is written.
pub(super) struct Stamps {
    path: PathBuf,
    /// The file and how many records it holds. It is made for the first of them: most jobs that succeed say nothing, and
    /// to make a file costs more than all else that is done for them.
    file: Option<(File, u64)>,
    last: Option<Record>,
}

impl Stamps {
    /// Goes on with what is there.
    pub(super) fn beside(log: &Path) -> Stamps {
        Stamps { path: path_of(log), file: None, last: None }
    }

    /// So many bytes that end at `end` were written to this stream just now.
    pub(super) fn note(&mut self, end: u64, length: u64, stream: Stream) -> io::Result<()> {
        let (begin, at) = (end.saturating_sub(length), now());
        let (file, count) = match &mut self.file {
            Some(open) => open,
            none => none.insert(open(&self.path)?),
        };
        let part = Record { begin, at, length, stream };
        let (record, is_new) = together(self.last, part);
        *count += u64::from(is_new);
        self.last = Some(record);
        file.write_all_at(&record.bytes(), (*count - 1) * RECORD)
    }

    /// So many bytes were added to the ring just now.
    pub(super) fn note_in(
        &mut self,
        ring: &Ring,
        header: &mut RingHeader,
        length: u64,
        stream: Stream,
    ) -> io::Result<()> {
        let end = header.end();
        let part = Record { begin: end.saturating_sub(length), at: now(), length, stream };
        let before = ring.records(header);
        let (record, is_new) = together(self.last.filter(|_| !before.is_empty()), part);
        self.last = Some(record);
        ring.mark(header, if is_new { before.end } else { before.end - 1 }, &record)
    }

    /// Adds what the ring knows of its log from this place on, unless that was done before.
    pub(super) fn take_over(&mut self, ring: &Ring, header: &RingHeader, from: u64) -> io::Result<()> {
        let wanted = |record: &Record| record.end() > from;
        let mut records =
            ring.records(header).filter_map(|number| ring.record(header, number)).filter(wanted).peekable();
        if records.peek().is_none() {
            return Ok(());
        }
        let (file, count) = open(&self.path)?;
        let last = count.checked_sub(1).map(|last| record_at(&file, last)).transpose()?;
        let mut at = count * RECORD;
        let mut out = io::BufWriter::new(Into(&file, &mut at));
        for record in records.filter(|record| last.is_none_or(|last| record.begin > last.begin)) {
            out.write_all(&record.bytes())?;
        }
        out.flush()
    }

    /// How large the list is.
    pub(super) fn size(&self) -> u64 {
        self.file.as_ref().map_or(0, |(_, count)| count * RECORD)
    }
}

/// The record that a part goes into, and whether that is a new one.
fn together(last: Option<Record>, part: Record) -> (Record, bool) {
    match last {
        Some(last)
            if last.stream == part.stream
                && last.end() == part.begin
                && part.at.saturating_sub(last.at) < TOGETHER =>
        {
            (Record { length: last.length + part.length, ..last }, false)
        }
        Some(_) | None => (part, true),
    }
}

/// Writes from a place of a file on.
struct Into<'f>(&'f File, &'f mut u64);

impl Write for Into<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.0.write_at(bytes, *self.1)?;
        *self.1 += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record_at(file: &File, number: u64) -> io::Result<Record> {
    let mut bytes = [0; RECORD as usize];
    file.read_exact_at(&mut bytes, number * RECORD)?;
    Ok(Record::parse(bytes))
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    let count = file.metadata()?.len() / RECORD;
    Ok((file, count))
}

/// When the parts of a log were written, for whoever reads it.
///
/// ```
/// let times = neap::exec::LogTimes::beside("runs/x/job.1.log".as_ref());
/// assert_eq!(times.at(0), None, "nobody has noted anything there");
/// ```
#[derive(Debug, Default)]
pub struct LogTimes {
    file: Option<File>,
    log: PathBuf,
}

/// When a part of a log was written, and to which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    /// When it was read from the job.
    pub at: Moment,
    /// Where it was written.
    pub stream: Stream,
}

impl LogTimes {
    /// Those of this log. A log without any (of a function, or of a job that holds its log itself) has none to tell.
    pub fn beside(log: &Path) -> LogTimes {
        LogTimes { file: File::open(path_of(log)).ok(), log: log.into() }
    }

    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// When the byte at this place of what was written was written.
    pub fn at(&self, place: u64) -> Option<LogMark> {
        let file = self.file.as_ref()?;
        let noted = last_before(0..self.count(), place, |number| record_at(file, number).ok());
        let record = noted.filter(|record| place < record.end()).or_else(|| marks(&self.log, place))?;
        Some(LogMark { at: Moment(record.at), stream: record.stream })
    }

    fn count(&self) -> u64 {
        self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |about| about.len() / RECORD)
    }
}

/// The last record that begins at or before the place.
pub(super) fn last_before(
    numbers: std::ops::Range<u64>,
    place: u64,
    record: impl Fn(u64) -> Option<Record>,
) -> Option<Record> {
    let (first, mut low, mut high) = (numbers.start, numbers.start, numbers.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if record(middle)?.begin <= place { low = middle + 1 } else { high = middle }
    }
    record(low.checked_sub(1).filter(|last| *last >= first)?)
}

/// Whether a record is about the byte at this place.
pub(super) fn is_about(record: &Record, place: u64) -> bool {
    record.begin <= place && place < record.end()
}

fn path_of(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(".times");
    path.into()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_finds_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let mut stamps = Stamps::beside(&log);
        stamps.note(5, 5, Stream::Stdout).unwrap();
        stamps.note(9, 4, Stream::Stderr).unwrap();
        // Somebody else wrote 11 bytes in between.
        stamps.note(30, 10, Stream::Stderr).unwrap();
        let times = LogTimes::beside(&log);
        let stream = |offset| times.at(offset).map(|mark| mark.stream);
        let (out, err) = (Some(Stream::Stdout), Some(Stream::Stderr));
        let seen: Vec<_> = [0, 4, 5, 8, 9, 19, 20, 29, 30].map(stream).to_vec();
        assert_eq!(seen, [out, out, err, err, None, None, err, err, None]);
        assert!(times.at(0).unwrap().at.0 > 1_700_000_000_000);
        // The next attempt to write goes on behind that.
        Stamps::beside(&log).note(40, 10, Stream::Stdout).unwrap();
        assert_eq!((stream(20), stream(35)), (err, out));
    }

    #[test]
    fn what_comes_together_shares_a_record() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let mut stamps = Stamps::beside(&log);
        for end in 1..=1000 {
            stamps.note(end, 1, Stream::Stdout).unwrap();
        }
        let size = std::fs::metadata(path_of(&log)).unwrap().len();
        assert!(size < 1000 * RECORD / 2, "{size}");
        assert_eq!(LogTimes::beside(&log).at(999).unwrap().stream, Stream::Stdout);
    }

    #[test]
    fn a_record_is_24_bytes() {
        let record =
            Record { begin: 1 << 40, at: 1_700_000_000_000, length: 1 << 50, stream: Stream::Stderr };
        assert_eq!(Record::parse(record.bytes()), record);
    }
}
