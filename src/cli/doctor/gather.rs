//! Gathers the facts: of the machine here, of the project in `project`. It reads, tries what leaves no trace, and judges
//! nothing. What is not told is no fact and no failure.

mod project;

use super::processes::{Containment, Processes};
use super::running::{Time, Watching};
use crate::cli::error::Failure;
use crate::cli::project::{CONTAINMENT, supervisor};
use crate::cli::see::block_on;
use crate::exec::{Keepers, Pidfd, rehearse, variable};
use crate::schedule::Zone;
use project::ProjectFacts;
use std::path::Path;
use std::time::Duration;

/// A supervisor that takes longer to come and go is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that is known.
pub(super) struct Facts {
    pub(super) processes: Processes,
    pub(super) project: Option<ProjectFacts>,
    pub(super) time: Time,
    pub(super) watch: Watching,
}

impl Facts {
    pub(super) fn gather(directory: Option<&Path>) -> Result<Facts, Failure> {
        let project = ProjectFacts::gather(directory)?;
        // What holds a host that is up is not what would hold one that is started here.
        let host = project.as_ref().and_then(ProjectFacts::host);
        let wants_user = project.as_ref().map(|project| project.wants_user.clone()).unwrap_or_default();
        block_on(async {
            let root = project.as_ref().map(|project| project.files.root.as_path());
            let (time, watch) = (time(project.as_ref()), watching(root, host));
            Ok(Facts { processes: processes(host, wants_user).await, time, watch, project })
        })
    }
}

async fn processes(host: Option<u32>, wants_user: Vec<String>) -> Processes {
    let chosen = variable(host, CONTAINMENT).ok().flatten();
    let containment = match supervisor(chosen.as_deref()) {
        None => Containment::Group,
        Some(program) => Containment::Supervisor(words(rehearse(program.to_path_buf(), PATIENCE).await)),
    };
    let uid = rustix::process::geteuid();
    Processes {
        host,
        containment,
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        pidfd: words(Pidfd::open(std::process::id()).map(drop)),
        keepers: Keepers::of(host).map_err(|error| error.to_string()),
        user: crate::cli::output::whoami(),
        is_root: uid.is_root(),
        wants_user,
        open_files: limit_of(host, "Max open files"),
        processes: limit_of(host, "Max processes"),
    }
}

fn words<E: std::fmt::Display>(done: Result<(), E>) -> Result<(), String> {
    done.map_err(|error| error.to_string())
}

/// A limit of a process as `/proc` has it; `None` when there is none, or it is not told.
fn limit_of(pid: Option<u32>, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("{}/limits", folder(pid))).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

fn folder(pid: Option<u32>) -> String {
    format!("/proc/{}", pid.map_or("self".to_owned(), |pid| pid.to_string()))
}

fn time(project: Option<&ProjectFacts>) -> Time {
    let zone = project.map_or_else(Zone::system, |project| project.zone.clone());
    Time {
        zone: zone.to_string(),
        is_projects: project.is_some(),
        is_in_step: is_in_step(),
        has_alarm: crate::host::has_alarm(),
    }
}

/// Whether a time service has told the kernel lately that the clock is right.
fn is_in_step() -> Option<bool> {
    // SAFETY: a structure of numbers, for which nought is a value.
    let mut about: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call, which fills it; without modes it sets nothing.
    let state = unsafe { libc::adjtimex(&raw mut about) };
    (state >= 0).then_some(about.status & libc::STA_UNSYNC == 0)
}

fn watching(root: Option<&Path>, host: Option<u32>) -> Watching {
    let number = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Watching {
        tried: root.map(|root| words(crate::host::try_to_watch(root))),
        most_watches: number("max_user_watches"),
        most_instances: number("max_user_instances"),
        used: host.and_then(used_by),
    }
}

/// How many instances of inotify a process has, and how many watches in them.
fn used_by(pid: u32) -> Option<(usize, usize)> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let is_one = |path: &std::path::PathBuf| {
        std::fs::read_link(path).is_ok_and(|to| to.as_os_str() == "anon_inode:inotify")
    };
    let instances: Vec<_> = descriptors.map(|entry| entry.path()).filter(is_one).collect();
    let watches = instances.iter().filter_map(|path| {
        let about =
            std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", path.file_name()?.to_str()?)).ok()?;
        Some(about.lines().filter(|line| line.starts_with("inotify wd:")).count())
    });
    Some((instances.len(), watches.sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_process() {
        let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        assert_eq!(limit_of(None, "Max open files"), own);
        assert_eq!(limit_of(Some(std::process::id()), "Max open files"), own);
        assert_eq!(limit_of(Some(u32::MAX), "Max open files"), None);
        assert_eq!(limit_of(None, "Max cats"), None);
    }

    #[test]
    fn watches_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let before = used_by(std::process::id()).unwrap();
        let _watch = crate::watch::Growth::of(dir.path()).unwrap();
        let after = used_by(std::process::id()).unwrap();
        // Other tests of this process watch, too.
        assert!(after.0 >= 1 && after.1 >= 1, "{before:?} {after:?}");
    }
}
