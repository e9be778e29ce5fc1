//! Writing a log that may have so many bytes and no more, and joining its two halves when it is over.
//!
//! At every moment the files say all there is to know, so whoever comes after a crash can read the log, and
//! [`mend`] joins what nobody joined.

use super::cut;
use super::ring::{Header, Ring};
use crate::base::Bytes;
use crate::exec::runner::Stream;
use crate::exec::spawn::open_log;
use crate::exec::times::{RECORD, Stamps};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A line that is longer may be cut.
const LINE: u64 = 64 * 1024;
const BLOCK: usize = 256 * 1024;
/// Records of when parts were written: one for so many bytes of the ring, within bounds.
const BYTES_OF_RECORD: u64 = 64;
const RECORDS: std::ops::RangeInclusive<u64> = 2048..=1 << 20;

/// A log that is being written.
pub(in crate::exec) struct LogWriter {
    path: PathBuf,
    file: File,
    most: u64,
    length: u64,
    stamps: Option<Stamps>,
    state: State,
}

enum State {
    /// All of it stands in the log.
    Whole,
    /// Its end goes round.
    Turning(Ring, Header),
    /// It was closed, or there is no place for a ring: what comes is added, or lost.
    Closed,
    Full,
}

impl LogWriter {
    /// Goes on with a log that is there and was opened for appending. It will not have more than `most` bytes.
    pub(in crate::exec) fn new(file: File, path: &Path, most: u64, stamps: Option<Stamps>) -> LogWriter {
        let is_joined = mend(path).unwrap_or(false);
        let length = file.metadata().map_or(0, |about| about.len());
        let state = if is_joined { State::Closed } else { State::Whole };
        LogWriter { path: path.into(), file, most, length, stamps, state }
    }

    /// Adds a piece.
    pub(in crate::exec) fn write(&mut self, piece: &[u8], stream: Stream) -> io::Result<()> {
        match &mut self.state {
            State::Whole if self.length.saturating_add(piece.len() as u64) <= self.most => {
                self.append(piece, stream)
            }
            State::Whole => {
                let room = usize::try_from(self.most.saturating_sub(self.length)).unwrap_or(usize::MAX);
                let (first, rest) = piece.split_at(room.min(piece.len()));
                if !first.is_empty() {
                    self.append(first, stream)?;
                }
                self.begin_to_turn().inspect_err(|_| self.state = State::Full)?;
                self.write(rest, stream)
            }
            State::Turning(ring, header) => {
                ring.write(header, piece)?;
                let length = piece.len() as u64;
                if let Some(stamps) = &mut self.stamps
                    && stamps.note_in(ring, header, length, stream).is_err()
                {
                    self.stamps = None;
                }
                Ok(())
            }
            // A thread that a function left behind may go on for ever.
            State::Closed if self.length < self.most.saturating_mul(2) => self.append(piece, stream),
            State::Closed => Err(io::ErrorKind::StorageFull.into()),
            State::Full => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn append(&mut self, piece: &[u8], stream: Stream) -> io::Result<()> {
        self.file.write_all(piece)?;
        // Others may have added something of theirs.
        self.length = self.file.stream_position()?;
        // A list must not outgrow what it is about.
        let is_long = |stamps: &Stamps| stamps.size() > self.most / 4 + LINE;
        // Without a place to note it a log is still a log.
        if let Some(stamps) = self.stamps.as_mut().filter(|stamps| !is_long(stamps))
            && stamps.note(self.length, piece.len() as u64, stream).is_err()
        {
            self.stamps = None;
        }
        Ok(())
    }

    /// The second half of what there is becomes the first contents of the ring.
    fn begin_to_turn(&mut self) -> io::Result<()> {
        let log = File::open(&self.path)?;
        let half = (self.most / 2).min(self.length);
        let window = read_at(&log, half - LINE.min(half / 2).min(half), half)?;
        let head = half - window.len() as u64 + cut::last(&window) as u64;
        let room = self.most.saturating_sub(head).max(1);
        let slots = (room / BYTES_OF_RECORD).clamp(*RECORDS.start(), *RECORDS.end());
        let ring = Ring::create(&self.path)?;
        let mut header =
            Header { head, room, slots, reserved: self.length, end: self.length, ..Header::default() };
        let mut place = head.max(self.length.saturating_sub(room));
        while place < self.length {
            let block = read_at(&log, place, self.length.min(place + BLOCK as u64))?;
            if block.is_empty() {
                break;
            }
            ring.write_at(&header, place, &block)?;
            header.lines += memchr::memchr_iter(b'\n', &block).count() as u64;
            place += block.len() as u64;
        }
        // From the first moment on the ring is what counts, and what stands behind the beginning does not.
        ring.put(&header)?;
        self.file.set_len(head)?;
        self.state = State::Turning(ring, header);
        Ok(())
    }

    /// Nothing of the attempt comes any more: puts the end behind the beginning. What is written from now on, is added.
    pub(in crate::exec) fn close(&mut self) -> io::Result<()> {
        let State::Turning(ring, header) = &mut self.state else {
            self.state = State::Closed;
            return Ok(());
        };
        // Nobody else writes: what was only reserved is still there.
        header.reserved = header.end;
        join(&self.path, &self.file, ring, header)?;
        self.state = State::Closed;
        self.stamps = None;
        Ok(())
    }
}

/// Joins the two halves of a log whose writer is gone. `true` when it is one that is joined.
///
/// # Errors
/// It cannot be written. It can still be read.
pub(in crate::exec) fn mend(log: &Path) -> io::Result<bool> {
    let Some(ring) = Ring::open(log)? else { return Ok(false) };
    let Some(mut header) = ring.header()? else { return Ok(false) };
    if !header.is_joined() {
        join(log, &open_log(log)?, &ring, &mut header)?;
    }
    Ok(true)
}

/// Until the header says that it is done, the ring is what counts, and this may be done again.
fn join(path: &Path, log: &File, ring: &Ring, header: &mut Header) -> io::Result<()> {
    log.set_len(header.head)?;
    let tail = begin_of_tail(ring, header)?;
    let gap = left_out(path, ring, header, tail)?;
    let done = append_tail(log, ring, header, tail, &gap)
        .and_then(|()| Stamps::beside(path).take_over(ring, header, tail));
    if let Err(error) = done {
        log.set_len(header.head)?;
        return Err(error);
    }
    (header.joined, header.tail, header.gap) = (1, tail, gap.len() as u64);
    ring.put(header)?;
    ring.empty()
}

fn append_tail(mut log: &File, ring: &Ring, header: &Header, tail: u64, gap: &str) -> io::Result<()> {
    log.write_all(gap.as_bytes())?;
    each_block(ring, header, tail, |block| log.write_all(block))
}

/// The line that says what is missing.
fn left_out(path: &Path, ring: &Ring, header: &Header, tail: u64) -> io::Result<String> {
    // The writer died before there was more than fits.
    if tail == header.head {
        return Ok(String::new());
    }
    let is_torn = match header.head {
        0 => false,
        head => read_at(&File::open(path)?, head - 1, head)? != b"\n",
    };
    let line = gap_line(tail - header.head, lines_left_out(ring, header, tail)?, header.most());
    Ok(if is_torn { format!("\n{line}") } else { line })
}

pub(super) fn lines_left_out(ring: &Ring, header: &Header, tail: u64) -> io::Result<u64> {
    let mut kept = 0;
    each_block(ring, header, tail, |block| {
        kept += memchr::memchr_iter(b'\n', block).count() as u64;
        Ok(())
    })?;
    Ok(header.lines.saturating_sub(kept))
}

pub(super) fn gap_line(bytes: u64, lines: u64, most: u64) -> String {
    let plural = if lines == 1 { "" } else { "s" };
    format!(
        "neap: {bytes} bytes ({lines} line{plural}) are left out here: `log.max_size` is {}\n",
        Bytes(most)
    )
}

/// The first place of the ring at which a reader may begin.
pub(super) fn begin_of_tail(ring: &Ring, header: &Header) -> io::Result<u64> {
    let begin = header.begin();
    if begin == header.head {
        return Ok(begin);
    }
    let most = LINE.min(header.room / 4).min(header.end - begin);
    let mut window = vec![0; most as usize];
    let mut filled = 0;
    while filled < window.len() {
        match ring.read_at(header, begin + filled as u64, &mut window[filled..])? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(begin + cut::first(&window[..filled]) as u64)
}

fn each_block(
    ring: &Ring,
    header: &Header,
    from: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut block, mut place) = (vec![0; BLOCK], from);
    while place < header.end {
        let length = ring.read_at(header, place, &mut block)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        take(&block[..length])?;
        place += length as u64;
    }
    Ok(())
}

/// What a file holds between two places, or less at its end.
fn read_at(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (to - from) as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], from + filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

const _: () = assert!(RECORD * 2 < BYTES_OF_RECORD, "records are small beside what they are about");
