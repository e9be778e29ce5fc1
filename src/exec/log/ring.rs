//! The file beside a log that has become too large: the end of it, going round, and when its parts were written.
//!
//! ```text
//! header, 128 bytes | `room` bytes of the log | `slots` records of `times`
//! ```
//!
//! The byte of a place stands at `(place - head) % room`. Before bytes are overwritten, `reserved` says so; a reader looks
//! at it again after reading, and knows whether what it has read was still the old. All numbers are little-endian.

use crate::exec::times::{RECORD, Record};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const HEADER: u64 = 128;
const MAGIC: u64 = u64::from_le_bytes(*b"neaptail");
const WORDS: usize = 12;
/// A reader meets a header that is just being written; this often in a row it is a broken one.
const TRIES: usize = 1000;
/// How far ahead of the writing is reserved, as a part of the room.
const AHEAD: u64 = 16;

/// What is known about the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::exec) struct Header {
    /// So much of the log itself is its beginning.
    pub(super) head: u64,
    /// Bytes that go round.
    pub(super) room: u64,
    /// Records that go round.
    pub(super) slots: u64,
    /// Up to this place bytes may be on their way.
    pub(super) reserved: u64,
    /// The place behind the last byte.
    pub(super) end: u64,
    /// Ends of lines since `head`.
    pub(super) lines: u64,
    /// Records that were ever written.
    pub(super) marks: u64,
    /// Not 0 when the end stands in the log again, and the ring holds nothing.
    pub(super) joined: u64,
    /// Then, the place where it begins.
    pub(super) tail: u64,
    /// Then, the length of the line before it that says what is missing.
    pub(super) gap: u64,
}

impl Header {
    /// The first place that surely is still there; the end, while a piece comes that may take all of the room.
    pub(super) fn begin(&self) -> u64 {
        self.reserved.saturating_sub(self.room).min(self.end).max(self.head)
    }

    /// The place behind the last byte.
    pub(in crate::exec) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn is_joined(&self) -> bool {
        self.joined != 0
    }

    /// How large the log may be.
    pub(super) fn most(&self) -> u64 {
        self.head + self.room
    }

    fn words(&self) -> [u64; WORDS] {
        let mut words = [
            MAGIC,
            self.head,
            self.room,
            self.slots,
            self.reserved,
            self.end,
            self.lines,
            self.marks,
            self.joined,
            self.tail,
            self.gap,
            0,
        ];
        words[WORDS - 1] = check_of(&words);
        words
    }

    fn of(words: [u64; WORDS]) -> Option<Header> {
        let [magic, head, room, slots, reserved, end, lines, marks, joined, tail, gap, check] = words;
        let is_whole = magic == MAGIC && check == check_of(&words) && room > 0 && slots > 0;
        let header = Header { head, room, slots, reserved, end, lines, marks, joined, tail, gap };
        is_whole.then_some(header)
    }
}

/// Tells a header that was written in part.
fn check_of(words: &[u64; WORDS]) -> u64 {
    words[..WORDS - 1].iter().fold(0, |sum, word| sum.rotate_left(7).wrapping_add(*word))
}

/// The file, opened by the one who writes it or by one who reads.
pub(in crate::exec) struct Ring {
    file: File,
}

impl Ring {
    /// Where it stands.
    pub(in crate::exec) fn path_of(log: &Path) -> PathBuf {
        let mut path = log.as_os_str().to_owned();
        path.push(".tail");
        path.into()
    }

    /// Makes it. Nobody takes it for one before it has a header.
    pub(super) fn create(log: &Path) -> io::Result<Ring> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.mode(0o600).custom_flags(libc::O_NOFOLLOW).open(Ring::path_of(log))?;
        Ok(Ring { file })
    }

    /// Opens it for writing; `None` when there is none.
    pub(super) fn open(log: &Path) -> io::Result<Option<Ring>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOFOLLOW);
        found(options.open(Ring::path_of(log)))
    }

    /// Opens it for reading; `None` when there is none.
    pub(in crate::exec) fn look(log: &Path) -> io::Result<Option<Ring>> {
        found(File::open(Ring::path_of(log)))
    }

    /// What it says of itself; `None` for one that has nothing to say yet.
    pub(in crate::exec) fn header(&self) -> io::Result<Option<Header>> {
        for _ in 0..TRIES {
            let mut bytes = [0; WORDS * 8];
            match self.file.read_exact_at(&mut bytes, 0) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                read => read?,
            }
            let mut words = [0; WORDS];
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            if let Some(header) = Header::of(words) {
                return Ok(Some(header));
            }
            std::thread::yield_now();
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the end of the log cannot be read"))
    }

    pub(super) fn put(&self, header: &Header) -> io::Result<()> {
        let mut bytes = [0; WORDS * 8];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(header.words()) {
            *bytes = word.to_le_bytes();
        }
        self.file.write_all_at(&bytes, 0)
    }

    /// Adds bytes. When it fails, the header is as it was.
    pub(super) fn write(&self, header: &mut Header, piece: &[u8]) -> io::Result<()> {
        let end = header.end + piece.len() as u64;
        if end > header.reserved {
            let reserved = end + header.room / AHEAD;
            self.put(&Header { reserved, ..*header })?;
            header.reserved = reserved;
        }
        // Of more than fits only the end would be left.
        let fits = piece.len().min(usize::try_from(header.room).unwrap_or(usize::MAX));
        self.write_at(header, end - fits as u64, &piece[piece.len() - fits..])?;
        header.end = end;
        header.lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        self.put(header)
    }

    /// Puts bytes in their place; no more than there is room for.
    pub(super) fn write_at(&self, header: &Header, place: u64, bytes: &[u8]) -> io::Result<()> {
        let at = (place - header.head) % header.room;
        let before_end = usize::try_from(header.room - at).unwrap_or(usize::MAX).min(bytes.len());
        let (first, rest) = bytes.split_at(before_end);
        self.file.write_all_at(first, HEADER + at)?;
        if rest.is_empty() { Ok(()) } else { self.file.write_all_at(rest, HEADER) }
    }

    /// Reads from a place, up to the end and to the point where the ring begins anew. Whether that was still there is to be
    /// asked afterwards.
    pub(super) fn read_at(&self, header: &Header, place: u64, into: &mut [u8]) -> io::Result<usize> {
        let at = (place - header.head) % header.room;
        let most = (header.room - at).min(header.end.saturating_sub(place));
        let length = into.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        self.file.read_at(&mut into[..length], HEADER + at)
    }

    /// Writes down the record of this number.
    pub(in crate::exec) fn mark(&self, header: &mut Header, number: u64, record: &Record) -> io::Result<()> {
        let at = HEADER + header.room + number % header.slots * RECORD;
        self.file.write_all_at(&record.bytes(), at)?;
        if header.marks <= number {
            header.marks = number + 1;
            self.put(header)?;
        }
        Ok(())
    }

    /// The record of this number.
    pub(in crate::exec) fn record(&self, header: &Header, number: u64) -> Option<Record> {
        let mut bytes = [0; RECORD as usize];
        let at = HEADER + header.room + number % header.slots * RECORD;
        self.file.read_exact_at(&mut bytes, at).ok()?;
        Some(Record::parse(bytes))
    }

    /// The numbers of the records that are there. The oldest may be being overwritten.
    pub(in crate::exec) fn records(&self, header: &Header) -> std::ops::Range<u64> {
        if header.is_joined() {
            return 0..0;
        }
        (header.marks + 1).saturating_sub(header.slots)..header.marks
    }

    /// Gives back the room of what stands in the log again.
    pub(super) fn empty(&self) -> io::Result<()> {
        self.file.set_len(HEADER)
    }
}

fn found(opened: io::Result<File>) -> io::Result<Option<Ring>> {
    match opened {
        Ok(file) => Ok(Some(Ring { file })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
