//! The facts of one project: its files, its state directory and its host.

use super::super::files::{Disk, Files, FoundBy, Heap, Read, StateDir};
use super::super::running::{HostFacts, Socket};
use crate::api::{Client, HostInfo, SOCKET};
use crate::base::Moment;
use crate::cli::error::Failure;
use crate::cli::output::now;
use crate::cli::project::Project;
use crate::cli::ps::holder;
use crate::cli::see::block_on;
use crate::host::{self, Definitions, SETTINGS, TASKS};
use crate::schedule::Zone;
use crate::store::History;
use rustix::fs::{Access, access};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A host that is up answers in milliseconds.
const ANSWER: Duration = Duration::from_secs(5);
/// The database is read for so long at most, and logs are counted for so long.
const LOOK: Duration = Duration::from_secs(3);

pub(in crate::cli::doctor) struct ProjectFacts {
    pub(in crate::cli::doctor) files: Files,
    pub(in crate::cli::doctor) host: HostFacts,
    pub(super) zone: Zone,
    /// Jobs that name a user.
    pub(super) wants_user: Vec<String>,
}

impl ProjectFacts {
    /// `None` outside of a project.
    pub(super) fn gather(directory: Option<&Path>) -> Result<Option<ProjectFacts>, Failure> {
        let project = match Project::find(directory) {
            Ok(project) => project,
            // A directory that was named has to be there.
            Err(failure) if directory.is_some() => return Err(failure),
            Err(_) => return Ok(None),
        };
        let definitions = host::check(&project.root);
        let facts = ProjectFacts {
            host: host_of(&project, &definitions)?,
            files: files(&project, directory.is_some(), &definitions),
            zone: definitions.settings.timezone.clone(),
            wants_user: wants_user(&definitions),
        };
        // The program ends soon, and the system takes everything back at once.
        std::mem::forget(definitions);
        Ok(Some(facts))
    }

    /// The process of the host that is up.
    pub(super) fn host(&self) -> Option<u32> {
        self.host.info.as_ref().map(|info| info.pid)
    }
}

fn wants_user(definitions: &Definitions) -> Vec<String> {
    let leaves = definitions.catalog.tasks().flat_map(|task| &task.leaves);
    leaves.filter(|leaf| leaf.process.user.is_some()).map(|leaf| leaf.name.to_string()).collect()
}

fn files(project: &Project, is_named: bool, definitions: &Definitions) -> Files {
    let (root, dir) = (&project.root, &project.state_dir);
    Files {
        found: if is_named { FoundBy::Name } else { FoundBy::Above(levels_above(root)) },
        has_settings: root.join(SETTINGS).is_file(),
        has_tasks: root.join(TASKS).is_dir(),
        read: Read {
            files: definitions.file_count(),
            errors: definitions.errors(),
            others: definitions.problems().filter(|problem| !problem.is_error()).count(),
            has_bad_settings: definitions.refuse_bad_settings().is_err(),
        },
        state: state(root, dir),
        disk: disk(if dir.is_dir() { dir } else { root }),
        database: History::examine(dir, LOOK).map_err(|error| Failure::of(0, &error).message),
        holder: holder(dir),
        logs: heap(&dir.join("runs")),
        copies: copies(dir),
        root: root.clone(),
    }
}

fn levels_above(root: &Path) -> usize {
    let current = std::env::current_dir().and_then(std::fs::canonicalize).unwrap_or_default();
    current.strip_prefix(root).map_or(0, |inside| inside.components().count())
}

/// What a run would write to first: the directory, or the one that it is made in, and what is in it.
fn state(root: &Path, dir: &Path) -> StateDir {
    let is_there = dir.is_dir();
    let first = if is_there { dir } else { root };
    let beside = ["neap.db", "neap.lock", "runs"].map(|name| dir.join(name));
    let all = std::iter::once(first.to_path_buf()).chain(beside.into_iter().filter(|path| path.exists()));
    StateDir { path: dir.to_path_buf(), is_there, locked: all.into_iter().find_map(locked) }
}

/// Why something may not be written to.
fn locked(path: PathBuf) -> Option<(PathBuf, String)> {
    let wanted = if path.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
    let error = std::io::Error::from(access(&path, wanted).err()?);
    Some((path, error.to_string()))
}

fn disk(path: &Path) -> Option<Disk> {
    let kind = rustix::fs::statfs(path).ok()?;
    let room = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        // The number has 32 bits, in a type that differs between machines.
        magic: kind.f_type as u32,
        free: room.f_bavail.saturating_mul(room.f_frsize),
        free_files: (room.f_files > 0).then_some(room.f_favail),
    })
}

/// Everything below a directory. Links are not followed.
fn heap(root: &Path) -> Heap {
    let end = Instant::now() + LOOK;
    let (mut heap, mut folders) = (Heap::default(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        if Instant::now() > end {
            return heap;
        }
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) => {
                    heap.files += 1;
                    heap.bytes += about.blocks() * 512;
                }
                Err(_) => {}
            }
        }
    }
    Heap { is_whole: true, ..heap }
}

fn copies(dir: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut copies: Vec<(String, u64)> = entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.len())))
        .filter(|(name, _)| name.starts_with("neap.db.before-v"))
        .collect();
    copies.sort();
    copies
}

fn host_of(project: &Project, definitions: &Definitions) -> Result<HostFacts, Failure> {
    let dir = &project.state_dir;
    let info = block_on(async {
        let client = Client::new(dir);
        let asked = client.get::<HostInfo>("/api/v1/host");
        // One of another version may say what we do not understand; then it is one that does not answer.
        Ok(tokio::time::timeout(ANSWER, asked).await.ok().and_then(Result::ok))
    })?;
    let timetables = definitions.catalog.tasks().flat_map(|task| &task.timetables);
    Ok(HostFacts {
        version: env!("CARGO_PKG_VERSION"),
        now: now(),
        info,
        lock: lock(dir),
        holder: holder(dir),
        socket: socket(&dir.join(SOCKET)),
        schedules: timetables.filter(|timetable| timetable.enabled).count(),
    })
}

/// Who signed the lock file last, and when.
fn lock(dir: &Path) -> Option<(u32, Option<Moment>)> {
    let text = std::fs::read_to_string(dir.join("neap.lock")).ok()?;
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    Some((pid, words.next().and_then(|since| since.parse().ok()).map(Moment)))
}

fn socket(path: &Path) -> Option<Socket> {
    let about = std::fs::symlink_metadata(path).ok().filter(|about| about.file_type().is_socket())?;
    Some(Socket { mode: about.mode(), is_ours: about.uid() == rustix::process::geteuid().as_raw() })
}
