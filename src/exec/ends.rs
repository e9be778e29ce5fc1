//! What a process reads, and where its standard output goes: opened for it, and never waited for.
//!
//! Text that it reads lies in a file in memory. So nobody has to feed it, and a process that reads nothing holds
//! nobody up.

use super::runner::{Start, Stdin, Stdout};
use rustix::fs::{FileType, MemfdFlags, OFlags, fcntl_setfl, fstat, memfd_create};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

/// What a process reads. It can be opened as often as the start is tried.
pub(super) enum Source {
    Nothing,
    Text(Arc<str>),
    File(PathBuf),
    Pipe(Option<PipeReader>),
}

/// Where the standard output of a process goes.
pub(super) enum Target {
    Log,
    LogAnd(PathBuf),
    Pipe(Option<PipeWriter>),
}

/// Takes what an attempt reads and writes out of its order. Once that is dropped, nothing of this attempt keeps a
/// pipe to another one open.
pub(super) fn take(start: &mut Start) -> (Source, Target) {
    let source = match std::mem::take(&mut start.stdin) {
        Stdin::Nothing => Source::Nothing,
        Stdin::Text(text) => Source::Text(text),
        Stdin::File(path) => Source::File(start.working_dir.join(path)),
        Stdin::Stream(joint) => Source::Pipe(joint.take_reader()),
    };
    let target = match std::mem::take(&mut start.stdout) {
        Stdout::Log => Target::Log,
        Stdout::LogAnd(path) => Target::LogAnd(path),
        Stdout::Stream(joint) => Target::Pipe(joint.take_writer()),
    };
    (source, target)
}

impl Source {
    /// The end that a process gets.
    pub(super) fn open(&self) -> io::Result<Stdio> {
        match self {
            Source::Nothing => Ok(Stdio::null()),
            Source::Text(text) => in_memory(text).map(Stdio::from),
            Source::File(path) => open_input(path).map(Stdio::from),
            Source::Pipe(Some(end)) => end.try_clone().map(Stdio::from),
            Source::Pipe(None) => Err(taken()),
        }
    }

    /// What it is, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Nothing => "its empty input".into(),
            Source::Text(_) => "the text for its input".into(),
            Source::File(path) => format!("its input `{}`", path.display()),
            Source::Pipe(_) => "the output of the other job, which is its input,".into(),
        }
    }
}

/// The pipe's end that another attempt reads from.
pub(super) fn writing_end(end: Option<&PipeWriter>) -> io::Result<Stdio> {
    end.ok_or_else(taken)?.try_clone().map(Stdio::from)
}

fn taken() -> io::Error {
    io::Error::other("the pipe was taken by an earlier attempt or is closed")
}

fn in_memory(text: &str) -> io::Result<File> {
    let sealed = memfd_create(c"neap-stdin", MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL);
    let fd = match sealed {
        // Before Linux 6.3 there is no such seal.
        Err(Errno::INVAL) => memfd_create(c"neap-stdin", MemfdFlags::CLOEXEC)?,
        other => other?,
    };
    let mut file = File::from(fd);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Opens a file for reading without waiting for it, as a named pipe would make us do.
fn open_input(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file),
        FileType::CharacterDevice => {
            fcntl_setfl(&file, OFlags::empty())?;
            Ok(file)
        }
        FileType::Directory => Err(io::Error::other("it is a directory")),
        _ => Err(io::Error::other("it is neither a file nor a device")),
    }
}

/// Opens the file that gets a copy of the standard output. It begins empty, belongs to the user alone and is never
/// reached through a link.
pub(super) fn open_copy(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}
