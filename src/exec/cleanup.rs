//! Tidying up after a job: commands with a time limit, and removing what lies below the working directory.
//!
//! A path to remove comes from a file that people edit and may hold a parameter, so it is never trusted: the kernel
//! resolves it below an open directory, and nothing outside can be reached, whatever links there are.

use super::log::mend;
use super::mask::Masks;
use super::orders::{Order, standing, tighten};
use super::outbox::Outbox;
use super::process::carry_out;
use super::runner::{Start, Stdin, Stdout};
use crate::base::{AttemptId, JobId, Millis, RunId};
use crate::definition::{Action, Cleanup, LogMode, Process, Stop};
use crate::engine::Exit;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, openat, openat2, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Why something could not be tidied up; fits after "cleanup failed: ".
#[derive(Debug, thiserror::Error)]
pub enum CleanupProblem {
    /// The command could not be started.
    #[error("{0}")]
    NotStarted(String),
    /// The command ended with something else than 0.
    #[error("the command ended with {0}")]
    Failed(String),
    /// The command ran for longer than it may and was stopped.
    #[error("the command was stopped after {0}")]
    TimedOut(Millis),
    /// Whoever wanted it no longer does.
    #[error("the command was stopped")]
    Stopped,
    /// The path is not one that may be removed.
    #[error("`{path}` is not removed: {why}")]
    Refused {
        /// As it was written.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system would not remove it.
    #[error("`{path}` could not be removed")]
    NotRemoved {
        /// As it was written.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CleanupProblem {
    /// A path may hold a secret; what a command says has been masked before it comes here.
    fn masked(self, masks: &Masks) -> CleanupProblem {
        let mask = |path: String| masks.text(&path).into_owned();
        match self {
            CleanupProblem::Refused { path, why } => CleanupProblem::Refused { path: mask(path), why },
            CleanupProblem::NotRemoved { path, source } => {
                CleanupProblem::NotRemoved { path: mask(path), source }
            }
            CleanupProblem::NotStarted(_)
            | CleanupProblem::Failed(_)
            | CleanupProblem::TimedOut(_)
            | CleanupProblem::Stopped => self,
        }
    }
}

/// How long a command that ran into its limit has to end by itself.
const GRACE: Millis = Millis::from_secs(5);

/// Tidies one thing up. Commands write to `log`, without the secrets in `masks`, and get `env` as their complete
/// environment; after `limit` they are stopped. Removing has no limit: it cannot be interrupted half-way.
///
/// Needs a tokio runtime with its I/O and its time switched on.
///
/// # Errors
/// [`CleanupProblem`] says what was not tidied up, and why.
pub async fn run_cleanup(
    item: &Cleanup,
    working_dir: &Path,
    env: &[(OsString, OsString)],
    log: &Path,
    limit: Millis,
    masks: &Masks,
) -> Result<(), CleanupProblem> {
    let action = match item {
        Cleanup::Run { script } => {
            let shell = ["sh", "-eu", "-c"].map(String::from).to_vec();
            Action::Run { script: script.clone(), shell, words: None }
        }
        Cleanup::Exec { argv } => Action::Exec { argv: argv.clone() },
        Cleanup::Remove { path } => {
            return remove_off_runtime(working_dir, path).await.map_err(|problem| problem.masked(masks));
        }
    };
    let place = Place { working_dir, env, log, masks };
    run_command(&mut start_of(action, &place), limit, std::future::pending()).await
}

/// Runs a command beside the jobs, as [`run_cleanup`] does, until it ends or somebody cancels it.
///
/// # Errors
/// [`CleanupProblem`] says how it ended when that was not with 0.
pub async fn run_aside(
    argv: Vec<String>,
    place: &Place<'_>,
    limit: Millis,
    cancelled: &CancellationToken,
) -> Result<(), CleanupProblem> {
    run_command(&mut start_of(Action::Exec { argv }, place), limit, cancelled.cancelled()).await
}

/// Where a command runs beside the jobs, and what it gets.
pub struct Place<'p> {
    /// The directory it starts in.
    pub working_dir: &'p Path,
    /// Its complete environment.
    pub env: &'p [(OsString, OsString)],
    /// Where both its streams go.
    pub log: &'p Path,
    /// What must not be seen in the log.
    pub masks: &'p Masks,
}

fn start_of(action: Action, place: &Place<'_>) -> Start {
    Start {
        // Nothing is reported, so nobody ever sees it.
        attempt: AttemptId { job: JobId { run: RunId(0), index: 0 }, number: 0 },
        label: "cleanup".into(),
        action,
        params: Arc::default(),
        working_dir: place.working_dir.into(),
        env: place.env.into(),
        log: place.log.into(),
        log_mode: LogMode::Merged,
        log_size: None,
        stall_timeout: None,
        process: Process::default(),
        watch_lines: false,
        masks: place.masks.clone(),
        stdin: Stdin::Nothing,
        stdout: Stdout::Log,
        outputs: PathBuf::new(),
    }
}

async fn run_command(
    start: &mut Start,
    limit: Millis,
    cancelled: impl Future<Output = ()>,
) -> Result<(), CleanupProblem> {
    let (sender, mut orders) = standing(Order::GoOn);
    let (reports, _) = tokio::sync::mpsc::channel(1);
    let mut outbox = Outbox::new(start.attempt, reports);
    // Whoever wrote it before may have died.
    if let Err(error) = mend(&start.log) {
        tracing::warn!("the two ends of a log could not be joined: {error}");
    }
    let work = carry_out(start, &mut orders, &mut outbox);
    tokio::pin!(work);
    let why = tokio::select! {
        finished = &mut work => return judged(finished.exit),
        () = tokio::time::sleep(limit.to_duration()) => CleanupProblem::TimedOut(limit),
        () = cancelled => CleanupProblem::Stopped,
    };
    tighten(&sender, Order::stop(Stop { grace: GRACE, ..Stop::default() }));
    work.await;
    Err(why)
}

fn judged(exit: Exit) -> Result<(), CleanupProblem> {
    match exit {
        Exit::Code { code: 0 } => Ok(()),
        Exit::Code { code } => Err(CleanupProblem::Failed(format!("exit code {code}"))),
        Exit::Signal { signal } => Err(CleanupProblem::Failed(signal.to_string())),
        Exit::NotSpawned { message, .. } => Err(CleanupProblem::NotStarted(message)),
        Exit::Lost => Err(CleanupProblem::Failed("nobody saw how".into())),
        Exit::Skipped { reason } => Err(CleanupProblem::Failed(reason)),
        Exit::BadOutputs { message } => Err(CleanupProblem::Failed(message)),
        Exit::Limit { which, most } => Err(CleanupProblem::Failed(which.words(most))),
    }
}

/// A large tree takes its time, which must not be the runtime's.
async fn remove_off_runtime(working_dir: &Path, path: &str) -> Result<(), CleanupProblem> {
    let (folder, owned) = (working_dir.to_owned(), path.to_owned());
    let removing = tokio::task::spawn_blocking(move || remove(&folder, &owned, &std::env::temp_dir()));
    removing.await.unwrap_or_else(|error| {
        Err(CleanupProblem::NotRemoved { path: path.into(), source: io::Error::other(error) })
    })
}

/// Removes what `path` names below `working_dir`, or below `temp` when it is absolute.
fn remove(working_dir: &Path, path: &str, temp: &Path) -> Result<(), CleanupProblem> {
    let refused = |why| CleanupProblem::Refused { path: path.into(), why };
    let failed = |source: io::Error| CleanupProblem::NotRemoved { path: path.into(), source };
    let (root, below) = place(working_dir, Path::new(path), temp).map_err(refused)?;
    let (Some(name), Some(parent)) = (below.file_name(), below.parent()) else {
        return Err(refused("it is the directory itself"));
    };
    let folder = match open_below(&root, parent) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::XDEV | Errno::LOOP) => return Err(refused("a link leads outside")),
        Err(error) => return Err(failed(error.into())),
    };
    // Where the kernel says that the opened directory is: no link can make this a lie.
    let folder_path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let real = std::fs::read_link(&folder_path).map_err(failed)?.join(name);
    if std::fs::canonicalize(working_dir).is_ok_and(|working_dir| working_dir.starts_with(&real)) {
        return Err(refused("the working directory lies in it"));
    }
    remove_entry(&folder, &folder_path, name).map_err(failed)
}

/// The directory below which the path must stay, and its way from there.
fn place(working_dir: &Path, path: &Path, temp: &Path) -> Result<(PathBuf, PathBuf), &'static str> {
    if path.components().any(|part| part == Component::ParentDir) {
        return Err("`..` is not allowed in it");
    }
    // Without the `.` that a path may hold.
    let clean =
        |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
    if path.is_relative() {
        return Ok((working_dir.into(), clean(path)));
    }
    let real = |root: &Path| std::fs::canonicalize(root).unwrap_or_else(|_| root.into());
    let roots = [working_dir.to_owned(), real(working_dir), temp.to_owned(), real(temp)];
    let root = roots.into_iter().find(|root| path.strip_prefix(root).is_ok());
    let root = root.ok_or("it is neither below the working directory nor below the temporary one")?;
    let below = path.strip_prefix(&root).map(clean).unwrap_or_default();
    Ok((root, below))
}

/// Opens a directory below `root`; the kernel refuses every way that leaves it.
fn open_below(root: &Path, below: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, root, flags, Mode::empty())?;
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    openat2(root, below, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
}

fn remove_entry(folder: &OwnedFd, folder_path: &Path, name: &OsStr) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        // A directory. The parent is held open, and the standard library follows no link inside.
        Err(Errno::ISDIR) => match std::fs::remove_dir_all(folder_path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// `work/` with things in it, `outside/` beside it, and links between them.
    fn scene() -> tempfile::TempDir {
        let scene = tempfile::tempdir().unwrap();
        let root = scene.path();
        for folder in ["work/out/deep", "outside/keep", "temp/x"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join("file"), "x").unwrap();
        }
        symlink(root.join("outside"), root.join("work/link")).unwrap();
        symlink("../../outside", root.join("work/out/up")).unwrap();
        symlink("out", root.join("work/inside")).unwrap();
        scene
    }

    #[track_caller]
    fn check(path: &str, expected: Result<(), &str>, gone: &[&str]) {
        let scene = scene();
        let root = scene.path();
        let path = path.replace("ROOT", root.to_str().unwrap());
        let result = remove(&root.join("work"), &path, &root.join("temp"));
        match (&result, expected) {
            (Ok(()), Ok(())) => {}
            (Err(CleanupProblem::Refused { why, .. }), Err(expected)) if why.contains(expected) => {}
            _ => panic!("{path}: {result:?} instead of {expected:?}"),
        }
        let all =
            ["work/out/deep/file", "work/link", "work/out/up", "work/inside", "outside/keep/file", "temp/x"];
        for thing in all {
            let is_there = root.join(thing).symlink_metadata().is_ok();
            assert_eq!(is_there, !gone.contains(&thing), "{thing} after removing {path}");
        }
    }

    #[test]
    fn what_lies_below_is_removed() {
        check("out", Ok(()), &["work/out/deep/file", "work/out/up"]);
        check("./out/deep/", Ok(()), &["work/out/deep/file"]);
        check("out/deep/file", Ok(()), &["work/out/deep/file"]);
        check("absent", Ok(()), &[]);
        check("absent/deeper", Ok(()), &[]);
        check("ROOT/work/out/deep", Ok(()), &["work/out/deep/file"]);
        check("ROOT/temp/x", Ok(()), &["temp/x"]);
    }

    #[test]
    fn a_link_goes_and_its_target_stays() {
        check("link", Ok(()), &["work/link"]);
        check("link/", Ok(()), &["work/link"]);
        check("inside/up", Ok(()), &["work/out/up"]);
    }

    #[test]
    fn nothing_outside_can_be_reached() {
        check("../outside", Err("`..`"), &[]);
        check("out/../../outside", Err("`..`"), &[]);
        check("link/keep", Err("a link leads outside"), &[]);
        check("out/up/keep", Err("a link leads outside"), &[]);
        check("ROOT/outside/keep", Err("neither"), &[]);
        check("/", Err("neither"), &[]);
        check("/etc/passwd", Err("neither"), &[]);
        check("", Err("itself"), &[]);
        check(".", Err("itself"), &[]);
        check("ROOT/work", Err("itself"), &[]);
        check("ROOT/temp/.", Err("itself"), &[]);
    }

    #[test]
    fn what_holds_the_working_directory_stays() {
        let scene = scene();
        let result = remove(&scene.path().join("work"), scene.path().to_str().unwrap(), Path::new("/"));
        assert!(matches!(result, Err(CleanupProblem::Refused { why, .. }) if why.contains("lies in it")));
        assert!(scene.path().join("work/out/deep/file").exists());
    }
}
