//! Reading along with a file that grows: the logs of jobs that run. The system says when there is more; nothing polls.

use super::error::{Failure, OURSELVES};
use crate::exec::{LogPiece, LogReader, Splitter};
use crate::watch::Growth;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// So much is read at once: a file that grows faster than it is shown must not fill the memory.
const PIECE: usize = 256 * 1024;

/// A file that grows, from its beginning. Whoever has one says when to look.
pub(crate) struct Growing {
    path: PathBuf,
    reader: Option<LogReader>,
    place: u64,
    is_torn: bool,
    splitter: Splitter,
}

impl Growing {
    /// The file need not be there yet.
    pub(crate) fn new(path: PathBuf) -> Growing {
        Growing { path, reader: None, place: 0, is_torn: false, splitter: Splitter::default() }
    }

    /// A piece of what was written since the last look; empty when there is nothing more.
    pub(crate) fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty => match LogReader::open(&self.path) {
                Ok(reader) => empty.insert(reader),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        let mut piece = vec![0; PIECE];
        let read = match reader.read_at(self.place, &mut piece) {
            // Whatever is written so fast wakes us again at once.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => LogPiece::Bytes(0),
            read => read?,
        };
        match read {
            LogPiece::Bytes(length) => {
                self.place += length as u64;
                piece.truncate(length);
            }
            LogPiece::LeftOut { to, line } => {
                self.place = to;
                piece = if self.is_torn { format!("\n{line}") } else { line }.into_bytes();
            }
        }
        self.is_torn = piece.last().map_or(self.is_torn, |&last| last != b'\n');
        Ok(piece)
    }

    /// The lines that a piece completes; `None` when there is nothing more.
    pub(crate) fn lines(&mut self) -> io::Result<Option<Vec<String>>> {
        let piece = self.bytes()?;
        let mut lines = Vec::new();
        self.splitter.feed(&piece, |line| lines.push(line));
        Ok(if piece.is_empty() { None } else { Some(lines) })
    }

    /// Everything that is left, also a last line without an end.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<String>> {
        let mut rest = Vec::new();
        while let Some(lines) = self.lines()? {
            rest.extend(lines);
        }
        self.splitter.finish(|line| rest.push(line));
        Ok(rest)
    }
}

/// One file that grows, and whoever says that it did.
pub(crate) struct Tail {
    growing: Growing,
    growth: Growth,
}

#[cfg_attr(not(test), expect(dead_code, reason = "`logs --follow` reads along with it"))]
impl Tail {
    /// Begins with the first line. The file need not be there yet.
    pub(crate) fn open(path: &Path) -> Result<Tail, Failure> {
        let growth = watch(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Tail { growing: Growing::new(path.to_path_buf()), growth })
    }

    /// Waits until there are more lines, and gives them. Nothing is lost when the wait is given up.
    pub(crate) async fn next_lines(&mut self) -> io::Result<Vec<String>> {
        loop {
            match self.growing.lines()? {
                Some(lines) if lines.is_empty() => {}
                Some(lines) => return Ok(lines),
                None => self.growth.changed().await,
            }
        }
    }

    /// Everything that is left, also a last line without an end.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<String>> {
        self.growing.rest()
    }
}

/// Watches a directory of logs. It may be too early for the host to have made it.
pub(crate) fn watch(dir: &Path) -> Result<Growth, Failure> {
    std::fs::DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
    Growth::of(dir).map_err(|error| Failure::of(OURSELVES, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::time::Duration;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn lines_come_as_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("runs/a.log");
        let mut tail = Tail::open(&path).unwrap();
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(timeout(LONG, tail.next_lines()).await.unwrap().unwrap(), ["one"]);
        file.write_all(b"o\nthree").unwrap();
        assert_eq!(timeout(LONG, tail.next_lines()).await.unwrap().unwrap(), ["two"]);
        assert_eq!(tail.rest().unwrap(), ["three"]);
        assert_eq!(tail.rest().unwrap(), [""; 0]);
    }

    #[tokio::test]
    async fn a_writer_in_another_task_wakes_the_reader() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.log");
        let mut tail = Tail::open(&path).unwrap();
        let (ready, go) = tokio::sync::oneshot::channel();
        let writer = std::thread::spawn(move || {
            go.blocking_recv().unwrap();
            std::fs::write(path, "late\n").unwrap();
        });
        let read = async {
            ready.send(()).unwrap();
            tail.next_lines().await.unwrap()
        };
        assert_eq!(timeout(LONG, read).await.unwrap(), ["late"]);
        writer.join().unwrap();
    }
}
