//! Starting the process of an attempt: words, log file, pipes and the call itself.
//!
//! There is no `pre_exec` here and must never be: together with an absolute program path, its absence keeps the
//! standard library on `posix_spawn`, which does not copy the embedding program's page tables. What a supervisor does
//! between fork and exec is in `birth`.

use super::birth::Birth;
use super::ends::{self, Source, Target, open_copy, writing_end};
use super::flow::{Channels, Flow};
use super::log::LogWriter;
use super::orders::Standing;
use super::output::Output;
use super::program::{NotStarted, resolve};
use super::runner::Start;
use super::times::Stamps;
use crate::definition::{Action, Log, LogMode};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A process that runs.
pub(super) struct Launched<O> {
    pub(super) pid: u32,
    /// The pipes, when there is something to do with what it writes; otherwise the process holds the log itself.
    pub(super) output: Option<O>,
    /// Goes when the process has.
    pub(super) script: Option<ScriptFile>,
}

/// A process that is about to start.
pub(super) struct Launch {
    source: Source,
    target: Target,
    argv: Vec<OsString>,
    program: PathBuf,
    script: Option<ScriptFile>,
    birth: Birth,
}

impl Launch {
    /// Finds out what is to be executed, and takes what it reads and writes out of `start`.
    pub(super) fn prepare(start: &mut Start) -> Result<Launch, NotStarted> {
        // Taken first: whatever goes wrong from here on, the other side of a pipe sees the end.
        let (source, target) = ends::take(start);
        check_directory(start)?;
        let (argv, script) = words(start)?;
        let name = argv.first().and_then(|name| name.to_str()).unwrap_or_default();
        let program = resolve(name, &start.working_dir, &start.env)?;
        Ok(Launch { source, target, argv, program, script, birth: Birth::default() })
    }

    /// The same with what happens between fork and exec. For supervisors only.
    pub(super) fn with_birth(self, birth: Birth) -> Result<Launch, NotStarted> {
        let handed_over =
            self.script.as_ref().map_or(Ok(()), |script| birth.hand_over(&File::open(&script.0)?));
        handed_over
            .map_err(|error| NotStarted::other(format!("the script could not be handed over: {error}")))?;
        Ok(Launch { birth, ..self })
    }

    /// Tries to start it. `wrap` makes what will read its pipes; with `reads_all` there always are some, also when the
    /// process could hold the log itself.
    pub(super) fn attempt<O>(
        &self,
        start: &Start,
        reads_all: bool,
        wrap: fn(Channels) -> io::Result<O>,
    ) -> Result<(u32, Option<O>), Failure> {
        let stdin = self.source.open().map_err(Failure::Stdin)?;
        let (channels, stdout, stderr) = written(start, &self.target, reads_all)?;
        let output = channels.map(wrap).transpose().map_err(Failure::Pipe)?;
        let mut command = Command::new(&self.program);
        command.args(self.argv.iter().skip(1)).current_dir(&start.working_dir).process_group(0);
        command.env_clear().envs(start.env.iter().map(|(name, value)| (name, value)));
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        if let Some(name) = self.argv.first() {
            command.arg0(name);
        }
        // The child is reaped by its number; the standard library's handle does nothing when it is dropped.
        let child = self.birth.spawn(command).map_err(Failure::Spawn)?;
        Ok((child.id(), output))
    }

    /// It runs.
    pub(super) fn launched<O>(self, (pid, output): (u32, Option<O>)) -> Launched<O> {
        Launched { pid, output, script: self.script }
    }

    /// Why it does not, in words for the author of the task.
    pub(super) fn explain(&self, failure: Failure, start: &Start) -> NotStarted {
        failure.explain(start, &self.source, &self.program)
    }
}

/// Starts the process that `start` asks for, and takes what it reads and writes out of it.
pub(super) async fn launch(start: &mut Start, orders: &mut Standing) -> Result<Launched<Output>, NotStarted> {
    let launch = Launch::prepare(start)?;
    match patiently(orders, || launch.attempt(start, false, Output::new)).await? {
        Ok(running) => Ok(launch.launched(running)),
        Err(failure) => Err(launch.explain(failure, start)),
    }
}

fn check_directory(start: &Start) -> Result<(), NotStarted> {
    match std::fs::metadata(&start.working_dir) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(bad_directory(start, "is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(bad_directory(start, "does not exist")),
        Err(error) => Err(bad_directory(start, &format!("cannot be used: {error}"))),
    }
}

fn bad_directory(start: &Start, what: &str) -> NotStarted {
    NotStarted::other(format!("the working directory `{}` {what}", start.working_dir.display()))
}

/// What is executed, the program first.
fn words(start: &Start) -> Result<(Vec<OsString>, Option<ScriptFile>), NotStarted> {
    let plain = |words: &[String]| (words.iter().map(OsString::from).collect(), None);
    match &start.action {
        Action::Exec { argv } => Ok(plain(argv)),
        Action::Run { words: Some(words), .. } => Ok(plain(words)),
        Action::Run { script, shell, words: None } if shell.iter().any(|part| part.contains("{0}")) => {
            let file = ScriptFile::write(&start.log, script).map_err(|error| {
                NotStarted::other(format!("the script could not be put into a file: {error}"))
            })?;
            Ok((shell.iter().map(|part| fill(part, &file.0)).collect(), Some(file)))
        }
        Action::Run { script, shell, words: None } => {
            Ok((shell.iter().chain([script]).map(OsString::from).collect(), None))
        }
        Action::Lua { .. } | Action::Script { .. } | Action::Call { .. } => {
            Err(NotStarted::other("a body that is not a command cannot run as a process"))
        }
    }
}

/// Puts the path in the place of every `{0}`.
fn fill(part: &str, path: &Path) -> OsString {
    let pieces: Vec<&OsStr> = part.split("{0}").map(OsStr::new).collect();
    pieces.join(path.as_os_str())
}

/// A script in a file beside the log; dropping it removes the file.
pub(super) struct ScriptFile(PathBuf);

impl ScriptFile {
    fn write(log: &Path, script: &str) -> io::Result<ScriptFile> {
        let mut path = log.as_os_str().to_owned();
        path.push(".script");
        let path = PathBuf::from(path);
        // One that a dead host left behind is replaced, never followed.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
        let guard = ScriptFile(path);
        file.write_all(script.as_bytes())?;
        Ok(guard)
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!("the script file `{}` could not be removed: {error}", self.0.display());
        }
    }
}

/// Opens an attempt's log for appending; it belongs to the user alone and is never reached through a link.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// What could not be done.
#[derive(Debug)]
pub(super) enum Failure {
    Stdin(io::Error),
    Log(io::Error),
    Copy(PathBuf, io::Error),
    Pipe(io::Error),
    Spawn(io::Error),
}

/// What the process writes to, and what reads that unless it is the log itself.
fn written(
    start: &Start,
    target: &Target,
    reads_all: bool,
) -> Result<(Option<Channels>, Stdio, Stdio), Failure> {
    let log = open_log(&start.log).map_err(Failure::Log)?;
    let is_bounded = start.log_size.is_some();
    let is_as_it_is = !start.watch_lines && start.masks.is_empty() && !is_bounded && !reads_all;
    let (copy, stdout) = match target {
        Target::Log if is_as_it_is => {
            let twin = log.try_clone().map_err(Failure::Log)?;
            return Ok((None, Stdio::from(log), Stdio::from(twin)));
        }
        Target::Pipe(end) if is_as_it_is => {
            let stdout = writing_end(end.as_ref()).map_err(Failure::Pipe)?;
            return Ok((None, stdout, Stdio::from(log)));
        }
        Target::Log => (None, None),
        Target::LogAnd(path) => {
            (Some(open_copy(path).map_err(|error| Failure::Copy(path.clone(), error))?), None)
        }
        Target::Pipe(end) => (None, Some(writing_end(end.as_ref()).map_err(Failure::Pipe)?)),
    };
    let (most, stamps) = (start.log_size.unwrap_or(Log::USUAL_SIZE), Stamps::beside(&start.log));
    let log = LogWriter::new(log, &start.log, most, Some(stamps));
    let mut channels = Channels::new(Flow::new(log, copy, start.watch_lines, &start.masks));
    // With secrets each stream is masked by itself: between two halves of one, something else might come.
    let is_merged = matches!(target, Target::Log)
        && start.log_mode == LogMode::Merged
        && !start.watch_lines
        && start.masks.is_empty();
    if is_merged {
        // One pipe keeps what was written in its order.
        let stdout = channels.stdout().map_err(Failure::Pipe)?;
        let stderr = stdout.try_clone().map_err(Failure::Pipe)?;
        return Ok((Some(channels), Stdio::from(stdout), Stdio::from(stderr)));
    }
    let stdout = stdout.map_or_else(|| channels.stdout().map(Stdio::from), Ok).map_err(Failure::Pipe)?;
    let stderr = channels.stderr().map_err(Failure::Pipe)?;
    Ok((Some(channels), stdout, Stdio::from(stderr)))
}

/// Tries again for about 2.5 s while the machine is short of something that other processes give back.
async fn patiently<T>(
    orders: &mut Standing,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<Result<T, Failure>, NotStarted> {
    let mut wait = Duration::from_millis(10);
    loop {
        if orders.is_asked() {
            return Err(NotStarted::other("it was stopped before it was started"));
        }
        match attempt() {
            Err(failure) if failure.is_momentary() && wait < Duration::from_secs(2) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = orders.asked() => {}
                }
                wait *= 2;
            }
            other => return Ok(other),
        }
    }
}

impl Failure {
    /// In words, for the author of the task.
    fn explain(self, start: &Start, source: &Source, program: &Path) -> NotStarted {
        match self {
            Failure::Stdin(error) => NotStarted::other(format!("{} cannot be read: {error}", source.name())),
            Failure::Log(error) => NotStarted::other(format!(
                "the log file `{}` cannot be written: {error}",
                start.log.display()
            )),
            Failure::Copy(path, error) => NotStarted::other(format!(
                "the file `{}` for its standard output cannot be written: {error}",
                path.display()
            )),
            Failure::Pipe(error) => NotStarted::other(format!("no pipe for its output: {error}")),
            Failure::Spawn(error) => NotStarted::refused(program, &error),
        }
    }

    /// Whether it may well go by itself: no process, no memory or no descriptor is free, or the program is still
    /// held open for writing by a child that another thread is starting just now.
    pub(super) fn is_momentary(&self) -> bool {
        let (Failure::Stdin(error)
        | Failure::Log(error)
        | Failure::Copy(_, error)
        | Failure::Pipe(error)
        | Failure::Spawn(error)) = self;
        let momentary = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE, libc::ETXTBSY];
        error.raw_os_error().is_some_and(|errno| momentary.contains(&errno))
    }
}

#[cfg(test)]
mod tests {
    use super::super::orders::{Order, standing, tighten};
    use super::*;

    fn full() -> Failure {
        Failure::Spawn(io::Error::from_raw_os_error(libc::EAGAIN))
    }

    #[tokio::test]
    async fn a_full_process_table_is_waited_for() {
        let (_sender, mut orders) = standing(Order::GoOn);
        let mut tries = 0;
        let result = patiently(&mut orders, || {
            tries += 1;
            if tries < 3 { Err(full()) } else { Ok(tries) }
        });
        assert_eq!(result.await.unwrap().unwrap(), 3);
    }

    #[tokio::test]
    async fn what_will_not_pass_is_not_waited_for() {
        let (_sender, mut orders) = standing(Order::GoOn);
        let mut tries = 0;
        let result = patiently(&mut orders, || -> Result<(), Failure> {
            tries += 1;
            Err(Failure::Spawn(io::Error::from_raw_os_error(libc::EACCES)))
        });
        assert!(result.await.unwrap().is_err());
        assert_eq!(tries, 1);
    }

    #[tokio::test]
    async fn a_stop_ends_the_waiting() {
        let (sender, mut orders) = standing(Order::GoOn);
        let result = patiently(&mut orders, || -> Result<(), Failure> {
            tighten(&sender, Order::Kill);
            Err(full())
        });
        assert_eq!(result.await.unwrap_err().message, "it was stopped before it was started");
    }

    #[test]
    fn every_place_of_the_script_is_filled() {
        assert_eq!(fill("{0}", Path::new("/s")), "/s");
        assert_eq!(fill("--file={0},{0}", Path::new("/s")), "--file=/s,/s");
        assert_eq!(fill("-e", Path::new("/s")), "-e");
    }
}
