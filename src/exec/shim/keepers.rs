//! Who would hold the limits of an attempt here, for whoever asks before there is one.
//!
//! It takes the ways of `limits` and `groups` and makes nothing. What it is asked about is a host that is up, which may be
//! in another control group and have another environment than whoever asks, or else this very process.

use super::groups::{Controller, HANDED_ON, Place, first_base, is_delegated, names, place_of, second_base};
use super::limits::{CHOICE, is_watchdog};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Of the interface of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    First,
    Second,
}

/// The group of version 2 that a host is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ground {
    pub(crate) group: PathBuf,
    /// It is the root, or was handed over: groups may be made here.
    pub(crate) is_ours: bool,
    pub(crate) is_writable: bool,
    /// What it has itself, and could hand on.
    pub(crate) controllers: Vec<String>,
}

/// Who holds one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The kernel, by a control group.
    Group(Version),
    /// The shim, which looks again and again.
    Shim,
    /// Nobody.
    Nobody,
}

/// Who holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keepers {
    pub(crate) memory: Keeper,
    pub(crate) pids: Keeper,
    pub(crate) cpu: Keeper,
    /// Of a job that has all three.
    pub(crate) together: [Keeper; 3],
    /// `NEAP_LIMITS` leaves out control groups.
    pub(crate) is_watchdog: bool,
    /// The group of version 2 it is in.
    pub(crate) ground: Option<Ground>,
}

/// The three that groups can hold.
const ALL: [Controller; 3] = [Controller::Memory, Controller::Pids, Controller::Cpu];

impl Keepers {
    /// For this process, or for that one.
    ///
    /// # Errors
    /// What the system does not tell about it.
    pub(crate) fn of(pid: Option<u32>) -> io::Result<Keepers> {
        let folder = process(pid);
        let own = std::fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
        let mounts = std::fs::read_to_string(folder.join("mountinfo")).unwrap_or_default();
        let choice = variable(pid, CHOICE)?;
        let is_watchdog = is_watchdog(choice.as_deref());
        let found = |wanted: &[Controller]| match is_watchdog {
            true => vec![None; wanted.len()],
            false => foresee(&own, &mounts, wanted),
        };
        let [memory, pids, cpu] = ALL.map(|one| keeper(one, found(&[one]).pop().flatten()));
        let versions = found(&ALL);
        let mut all = ALL.into_iter().zip(versions).map(|(one, version)| keeper(one, version));
        let together = std::array::from_fn(|_| all.next().unwrap_or(Keeper::Nobody));
        Ok(Keepers { memory, pids, cpu, together, is_watchdog, ground: ground(&own, &mounts) })
    }
}

/// Which version would hold each of these in one attempt, of a host for which `own` and `mounts` are the files of
/// `/proc`. It takes the way of `Groups::make`, and makes nothing.
fn foresee(own: &str, mounts: &str, wanted: &[Controller]) -> Vec<Option<Version>> {
    let is_open = |base: &PathBuf| may_write(base);
    let second = second_base(own, mounts, wanted, would_hand_on).filter(is_open);
    let one = |controller: &Controller| match &second {
        Some(_) => Some(Version::Second),
        None => first_base(own, mounts, *controller).filter(is_open).map(|_| Version::First),
    };
    wanted.iter().map(one).collect()
}

/// What there is of version 2 where a host is.
fn ground(own: &str, mounts: &str) -> Option<Ground> {
    let Place { root, group } = place_of(own, mounts, None)?;
    let read = |file: &str| std::fs::read_to_string(group.join(file)).unwrap_or_default();
    let controllers = read("cgroup.controllers").split_ascii_whitespace().map(str::to_owned).collect();
    let above = group.parent().filter(|above| above.starts_with(&root)).is_some_and(is_delegated);
    Some(Ground {
        is_ours: group == root || is_delegated(&group) || above,
        is_writable: may_write(&group),
        controllers,
        group,
    })
}

/// The same without changing that. The kernel refuses a group with processes of its own, but for the real root, which
/// alone has no `cgroup.events`.
fn would_hand_on(group: &Path, controller: Controller) -> bool {
    let is_free = || {
        !group.join("cgroup.events").exists()
            || std::fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty())
    };
    names(group, HANDED_ON, controller)
        || (names(group, "cgroup.controllers", controller) && may_write(&group.join(HANDED_ON)) && is_free())
}

fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Without a group the shim looks at memory and processes; it cannot hold the processor.
fn keeper(controller: Controller, version: Option<Version>) -> Keeper {
    match (version, controller) {
        (Some(version), _) => Keeper::Group(version),
        (None, Controller::Memory | Controller::Pids) => Keeper::Shim,
        (None, Controller::Cpu) => Keeper::Nobody,
    }
}

fn process(pid: Option<u32>) -> PathBuf {
    PathBuf::from("/proc").join(pid.map_or("self".to_owned(), |pid| pid.to_string()))
}

/// A variable of this process, or of the environment that process was started with.
///
/// # Errors
/// Its environment cannot be read: it is gone, or another user's.
pub(crate) fn variable(pid: Option<u32>, name: &str) -> io::Result<Option<OsString>> {
    let Some(pid) = pid else { return Ok(std::env::var_os(name)) };
    let all = std::fs::read(process(Some(pid)).join("environ"))?;
    let value = all.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value).to_owned())
    });
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::groups::Groups;
    use super::*;
    use crate::base::{AttemptId, JobId, RunId};
    use crate::definition::Limits;
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    /// What is foretold on this machine is what is made on it.
    #[test]
    fn what_is_foretold_is_made() {
        let limits = [
            (Controller::Memory, Limits { memory: Some(1 << 30), ..Limits::default() }),
            (Controller::Pids, Limits { pids: Some(100), ..Limits::default() }),
            (Controller::Cpu, Limits { cpu_millis: Some(1000), ..Limits::default() }),
        ];
        let read = |file: &str| std::fs::read_to_string(file).unwrap();
        let (own, mounts) = (read("/proc/self/cgroup"), read("/proc/self/mountinfo"));
        for (controller, limits) in limits {
            let foretold = foresee(&own, &mounts, &[controller])[0];
            let job = JobId { run: RunId(7), index: 0 };
            let made = Groups::make(&limits, AttemptId { job, number: 1 });
            println!("{controller:?}: {foretold:?}");
            assert_eq!(foretold.is_some(), made.hold(controller), "{controller:?}");
        }
    }

    #[test]
    fn a_group_with_processes_hands_nothing_on() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(dir.path().join(file), text).unwrap();
        let check = |expected: [bool; 2]| {
            let found = [Controller::Memory, Controller::Pids].map(|one| would_hand_on(dir.path(), one));
            assert_eq!(found, expected);
        };
        check([false, false]);
        write("cgroup.controllers", "cpu memory pids\n");
        write(HANDED_ON, "pids\n");
        check([true, true]);
        write("cgroup.events", "populated 1\n");
        write("cgroup.procs", "17\n");
        check([false, true]);
        write("cgroup.procs", "");
        check([true, true]);
    }

    #[test]
    fn another_process_is_asked_about_its_own_environment() {
        let mut other = Command::new("cat");
        other.env(CHOICE, "watchdog").env("EMPTY", "").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut other = other.spawn().unwrap();
        // For a moment after it was started it has no environment yet.
        other.stdin.as_mut().unwrap().write_all(b"?").unwrap();
        other.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = Some(other.id());
        assert_eq!(variable(pid, CHOICE).unwrap().as_deref(), Some(OsStr::new("watchdog")));
        assert_eq!(variable(pid, "EMPTY").unwrap().as_deref(), Some(OsStr::new("")));
        assert_eq!(variable(pid, "NEAP").unwrap(), None);
        let keepers = Keepers::of(pid).unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(keepers.is_watchdog);
        assert_eq!(keepers.together, [Keeper::Shim, Keeper::Shim, Keeper::Nobody]);
        assert_eq!([keepers.memory, keepers.pids, keepers.cpu], keepers.together);
    }
}
