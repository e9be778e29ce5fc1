//! `neap logs -f`: prints what comes until the run has ended.
//!
//! Two watches wake it: one on the logs of the run, one on the database. The database is the truth about the end, with
//! and without a host, so there is only one way to learn of it.

use super::Wanted;
use super::read::{Lines, Sink, Window, last_lines};
use crate::api::RunInfo;
use crate::base::RunId;
use crate::cli::args;
use crate::cli::error::{Failure, OURSELVES};
use crate::cli::look::Look;
use crate::cli::output::{BUSY, DIM, Output};
use crate::cli::project::Project;
use crate::cli::ps::holder;
use crate::cli::see::See;
use crate::exec::{LogPiece, LogReader, LogTimes};
use crate::watch::Watch;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What shells say of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(super) async fn follow(
    see: &See,
    project: &Project,
    run: &RunInfo,
    wanted: &Wanted,
    args: &args::Logs,
    look: &Look,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let runs = project.state_dir.join("runs");
    std::fs::create_dir_all(&runs)?;
    let id = run.id.to_string();
    let mut logs = watch(&runs, &[id.as_str()])?;
    let mut database = watch(&project.state_dir, &["neap.db", "neap.db-wal"])?;
    let sink = Sink::new(look.is_terminal, args.timestamps || look.is_terminal);
    let mut follower = Follower::new(runs.join(&id), run, wanted, Window::of(args), (look, sink));
    let nobody = see.host().is_none() && holder(&project.state_dir).is_none();
    if nobody && !run.state.is_over() {
        output.say("no host is up: the run goes on when one is (neap serve); Ctrl-C to leave");
    }
    loop {
        // Asked before reading: what was printed before the end is on the disk by then.
        let is_over = is_over(see, run.id)?;
        let read = follower.read().and_then(|()| if is_over { follower.finish() } else { Ok(()) });
        match read {
            // Whoever reads may leave (`| head`).
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            read => read?,
        }
        if is_over {
            break;
        }
        tokio::select! {
            () = logs.changed() => {}
            () = database.changed() => {}
            signal = tokio::signal::ctrl_c() => {
                signal?;
                output.say(&format!("no longer followed; it goes on: neap cancel {}", run.name));
                return Ok(ExitCode::from(INTERRUPTED));
            }
        }
    }
    let ended = See::new(project).await.run(run.id).await?;
    let why = ended.why.as_ref().map(|why| format!(": {}", crate::cli::output::clean(why)));
    let took = crate::base::Millis(ended.took_ms);
    output.say(&format!("{} {} after {took}{}", ended.name, ended.state.word(), why.unwrap_or_default()));
    Ok(ExitCode::SUCCESS)
}

fn watch(root: &Path, names: &[&str]) -> Result<Watch, Failure> {
    Watch::new(root, names).map_err(|error| Failure::of(OURSELVES, &error))
}

fn is_over(see: &See, run: RunId) -> Result<bool, Failure> {
    Ok(see.history()?.run(run)?.is_none_or(|row| row.outcome.is_some()))
}

struct Follower<'l> {
    look: &'l Look,
    directory: PathBuf,
    /// The files of each job begin with this and a dot.
    stems: Vec<(String, String)>,
    /// Lines stand behind the name of their job.
    has_names: bool,
    window: Window,
    files: BTreeMap<PathBuf, Place>,
    /// Logs that were there before anything was printed: only of these the last lines may be meant.
    is_first: bool,
    sink: Sink,
}

/// How far a log was printed, and the beginning of a line whose end is still to come.
struct Place {
    times: LogTimes,
    offset: u64,
    lines: Lines,
    /// What went to a program as it is does not end with a line end.
    is_torn: bool,
}

impl Place {
    fn at(offset: u64) -> Place {
        Place { times: LogTimes::default(), offset, lines: Lines::at(offset), is_torn: false }
    }
}

impl Follower<'_> {
    fn new<'l>(
        directory: PathBuf,
        run: &RunInfo,
        wanted: &Wanted,
        window: Window,
        (look, sink): (&'l Look, Sink),
    ) -> Follower<'l> {
        let jobs = run.jobs.iter().filter(|job| wanted.takes(job));
        // As the host names the files.
        let stems: Vec<_> = jobs.map(|job| (job.name.replace('/', "+"), job.name.clone())).collect();
        Follower {
            look,
            directory,
            has_names: stems.len() > 1,
            stems,
            window,
            files: BTreeMap::new(),
            is_first: true,
            sink,
        }
    }

    /// Prints what has come since the last time.
    fn read(&mut self) -> io::Result<()> {
        let mut found: Vec<(usize, u32, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.extend(self.which(&name).map(|(job, attempt)| (job, attempt, entry.path())));
        }
        found.sort();
        for (job, _, path) in found {
            self.read_one(job, &path)?;
        }
        self.is_first = false;
        self.sink.flush()
    }

    /// The job and the attempt of a log file: `dump.2.log`.
    fn which(&self, file: &str) -> Option<(usize, u32)> {
        let (stem, attempt) = file.strip_suffix(".log")?.rsplit_once('.')?;
        let job = self.stems.iter().position(|(known, _)| known == stem)?;
        Some((job, attempt.parse().ok()?))
    }

    fn read_one(&mut self, job: usize, path: &Path) -> io::Result<()> {
        let reader = LogReader::open(path)?;
        let mut place = match self.files.remove(path) {
            Some(place) => place,
            None => match self.window.last.filter(|_| self.is_first) {
                Some(last) => Place::at(last_lines(&reader, last)?),
                None => Place::at(0),
            },
        };
        // It may have come only after the log.
        if place.times.is_empty() {
            place.times = LogTimes::beside(path);
        }
        let mut block = vec![0; 64 * 1024];
        loop {
            let piece = match reader.read_at(place.offset, &mut block) {
                // Whatever is written so fast wakes us again at once.
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                piece => piece?,
            };
            match piece {
                LogPiece::Bytes(0) => break,
                LogPiece::Bytes(length) => {
                    // More is to come, and may be overwritten before it is read: that tears no line.
                    let whole = memchr::memrchr(b'\n', &block[..length]).filter(|_| length == block.len());
                    let length = whole.map_or(length, |newline| newline + 1);
                    place.offset += length as u64;
                    self.take(job, &mut place, &block[..length])?;
                }
                LogPiece::LeftOut { to, line } => self.skip(job, &mut place, to, &line)?,
            }
        }
        self.files.insert(path.to_path_buf(), place);
        Ok(())
    }

    fn take(&mut self, job: usize, place: &mut Place, bytes: &[u8]) -> io::Result<()> {
        if !self.has_names && self.window.takes_all() && !self.sink.has_times() {
            // One log to a program: the very bytes, at once.
            place.is_torn = bytes.last() != Some(&b'\n');
            return self.sink.bytes(bytes);
        }
        let Place { lines, times, .. } = place;
        lines.feed(bytes, |line, at| self.line(job, line, Some(at), times))
    }

    /// Says that something is not there any more.
    fn skip(&mut self, job: usize, place: &mut Place, to: u64, line: &str) -> io::Result<()> {
        let Place { lines, times, .. } = place;
        lines.finish(true, |line, at| self.line(job, line, Some(at), times))?;
        if std::mem::take(&mut place.is_torn) {
            self.sink.bytes(b"\n")?;
        }
        self.line(job, line.as_bytes(), None, &place.times)?;
        (place.offset, place.lines) = (to, Lines::at(to));
        Ok(())
    }

    fn line(&mut self, job: usize, line: &[u8], place: Option<u64>, times: &LogTimes) -> io::Result<()> {
        if !self.window.takes(line, place, times) {
            return Ok(());
        }
        if self.has_names {
            let name = &self.stems[job].1;
            self.sink.line(&format!("{BUSY}{name}{BUSY:#} {DIM}|{DIM:#} "))?;
        }
        self.sink.stamp(place, times, self.look)?;
        self.sink.bytes(line)
    }

    /// Prints the last lines of logs that do not end with a line end.
    fn finish(&mut self) -> io::Result<()> {
        let files = std::mem::take(&mut self.files);
        for (path, mut place) in files {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if let Some((job, _)) = self.which(&name) {
                let Place { lines, times, .. } = &mut place;
                lines.finish(true, |line, at| self.line(job, line, Some(at), times))?;
            }
        }
        self.sink.flush()
    }
}
