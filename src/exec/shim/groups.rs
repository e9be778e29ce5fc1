//! Control groups: one leaf for each attempt with limits, where this process may make one.
//!
//! A group belongs to whoever made it, who counts what is in it and removes it. So a leaf is made only at the root of a
//! hierarchy, or in a group that was handed to us for that (systemd's `Delegate=` marks it), never in one that we merely
//! happen to be in. Version 2 is looked at first, then each hierarchy of version 1.

use crate::base::AttemptId;
use crate::definition::Limits;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a hierarchy can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
    Cpu,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Controller::Memory => "memory",
            Controller::Pids => "pids",
            Controller::Cpu => "cpu",
        }
    }
}

/// A group of our own. It goes with this value, when nobody is in it any more.
struct Leaf {
    path: PathBuf,
    holds: Vec<Controller>,
    door: Arc<File>,
    /// The file that counts how often somebody was killed for want of memory.
    kills: &'static str,
}

impl Drop for Leaf {
    fn drop(&mut self) {
        // One with processes that were let go stays, and is tidied up when they have ended.
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// The groups of one attempt.
#[derive(Default)]
pub(super) struct Groups(Vec<Leaf>);

impl Groups {
    /// Makes what can be made for these limits.
    pub(super) fn make(limits: &Limits, attempt: AttemptId) -> Groups {
        let wanted: Vec<Controller> = [
            (Controller::Memory, limits.memory.is_some()),
            (Controller::Pids, limits.pids.is_some()),
            (Controller::Cpu, limits.cpu_millis.is_some()),
        ]
        .into_iter()
        .filter_map(|(controller, is_wanted)| is_wanted.then_some(controller))
        .collect();
        let mut groups = Groups::default();
        if wanted.is_empty() {
            return groups;
        }
        let (Ok(own), Ok(mounts)) =
            (std::fs::read_to_string("/proc/self/cgroup"), std::fs::read_to_string("/proc/self/mountinfo"))
        else {
            return groups;
        };
        let name = format!(
            "neap-{}-{}.{}.{}",
            std::process::id(),
            attempt.job.run,
            attempt.job.index,
            attempt.number
        );
        groups.0.extend(second(&own, &mounts, &wanted, limits, &name));
        for controller in wanted {
            if !groups.hold(controller) {
                groups.0.extend(first(&own, &mounts, controller, limits, &name));
            }
        }
        groups
    }

    pub(super) fn doors(&self) -> Vec<Arc<File>> {
        self.0.iter().map(|leaf| Arc::clone(&leaf.door)).collect()
    }

    pub(super) fn hold_memory(&self) -> bool {
        self.hold(Controller::Memory)
    }

    pub(super) fn hold_pids(&self) -> bool {
        self.hold(Controller::Pids)
    }

    pub(super) fn hold_cpu(&self) -> bool {
        self.hold(Controller::Cpu)
    }

    pub(super) fn hold(&self, controller: Controller) -> bool {
        self.of(controller).is_some()
    }

    fn of(&self, controller: Controller) -> Option<&Leaf> {
        self.0.iter().find(|leaf| leaf.holds.contains(&controller))
    }

    /// Whether the kernel has killed somebody for want of memory.
    pub(super) fn has_killed(&self) -> bool {
        self.of(Controller::Memory).is_some_and(|leaf| counted(&leaf.path.join(leaf.kills), "oom_kill") > 0)
    }

    /// Whether the kernel has refused somebody another process.
    pub(super) fn has_refused(&self) -> bool {
        self.of(Controller::Pids).is_some_and(|leaf| counted(&leaf.path.join("pids.events"), "max") > 0)
    }
}

/// The number behind a word that begins a line.
fn counted(file: &Path, word: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let number = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.parse().ok());
    number.unwrap_or(0)
}

/// A leaf of version 2 that holds all of this.
fn second(own: &str, mounts: &str, wanted: &[Controller], limits: &Limits, name: &str) -> Option<Leaf> {
    let base = second_base(own, mounts, wanted, hands_on)?;
    let settings: Vec<_> =
        wanted.iter().flat_map(|controller| second_settings(*controller, limits)).collect();
    leaf(&base, name, wanted.to_vec(), "memory.events", &settings)
}

/// Where a leaf of version 2 goes that holds all of this: the root, or a group that was handed to us, whose children
/// have these controllers.
pub(super) fn second_base(
    own: &str,
    mounts: &str,
    wanted: &[Controller],
    hands_on: fn(&Path, Controller) -> bool,
) -> Option<PathBuf> {
    let place = place_of(own, mounts, None)?;
    let above = place.group.parent().filter(|above| above.starts_with(&place.root));
    // Whoever is in a group may not hand anything on to its children, so often we are in a child of what is ours.
    let base = [Some(&*place.group), above].into_iter().flatten().find(|base| {
        (*base == place.root || is_delegated(base))
            && wanted.iter().all(|controller| hands_on(base, *controller))
    });
    base.map(Path::to_path_buf)
}

/// A leaf of version 1 for one of them.
fn first(own: &str, mounts: &str, controller: Controller, limits: &Limits, name: &str) -> Option<Leaf> {
    let base = first_base(own, mounts, controller)?;
    leaf(&base, name, vec![controller], "memory.oom_control", &first_settings(controller, limits))
}

/// Where a leaf of version 1 goes: only the root is nobody's.
pub(super) fn first_base(own: &str, mounts: &str, controller: Controller) -> Option<PathBuf> {
    let place = place_of(own, mounts, Some(controller.name()))?;
    (place.group == place.root).then_some(place.root)
}

/// A file, what is written to it, and whether nothing holds without it.
type Setting = (&'static str, String, bool);

fn second_settings(controller: Controller, limits: &Limits) -> Vec<Setting> {
    match controller {
        Controller::Memory => vec![
            ("memory.max", limits.memory.unwrap_or_default().to_string(), true),
            ("memory.swap.max", "0".into(), false),
            ("memory.oom.group", "1".into(), false),
        ],
        Controller::Pids => vec![("pids.max", limits.pids.unwrap_or_default().to_string(), true)],
        Controller::Cpu => vec![("cpu.max", format!("{} {PERIOD}", quota(limits)), true)],
    }
}

fn first_settings(controller: Controller, limits: &Limits) -> Vec<Setting> {
    match controller {
        Controller::Memory => {
            let most = limits.memory.unwrap_or_default().to_string();
            vec![("memory.limit_in_bytes", most.clone(), true), ("memory.memsw.limit_in_bytes", most, false)]
        }
        Controller::Pids => second_settings(controller, limits),
        Controller::Cpu => vec![
            ("cpu.cfs_period_us", PERIOD.to_string(), true),
            ("cpu.cfs_quota_us", quota(limits).to_string(), true),
        ],
    }
}

/// Microseconds in which the quota may be used up.
const PERIOD: u64 = 100_000;

fn quota(limits: &Limits) -> u64 {
    // The kernel takes no less than a millisecond.
    (u64::from(limits.cpu_millis.unwrap_or_default()) * PERIOD / 1000).max(1000)
}

fn leaf(
    base: &Path,
    name: &str,
    holds: Vec<Controller>,
    kills: &'static str,
    settings: &[Setting],
) -> Option<Leaf> {
    tidy(base);
    let path = base.join(name);
    std::fs::create_dir(&path).ok()?;
    let door = OpenOptions::new().write(true).open(path.join("cgroup.procs"));
    let door = match door {
        Ok(door) => Arc::new(door),
        Err(_) => {
            let _ = std::fs::remove_dir(&path);
            return None;
        }
    };
    // From here on dropping it removes it.
    let leaf = Leaf { path, holds, door, kills };
    let set = |(file, value, is_needed): &Setting| {
        std::fs::write(leaf.path.join(file), value).is_ok() || !is_needed
    };
    settings.iter().all(set).then_some(leaf)
}

/// Removes the leaves of shims that are gone; those that are not empty stay.
fn tidy(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid =
            name.to_str().and_then(|name| name.strip_prefix("neap-")?.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| crate::exec::procfs::place(pid).is_none()) {
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

/// Whether systemd has handed a group to whoever runs in it.
pub(super) fn is_delegated(group: &Path) -> bool {
    let is_marked = |name: &str| {
        let mut value = [0; 8];
        rustix::fs::getxattr(group, name, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    };
    is_marked("user.delegate") || is_marked("trusted.delegate")
}

/// What a group hands on to its children.
pub(super) const HANDED_ON: &str = "cgroup.subtree_control";

/// Whether children of a group have a controller, perhaps from now on.
fn hands_on(group: &Path, controller: Controller) -> bool {
    names(group, HANDED_ON, controller)
        || (names(group, "cgroup.controllers", controller)
            && std::fs::write(group.join(HANDED_ON), format!("+{}", controller.name())).is_ok())
}

pub(super) fn names(group: &Path, file: &str, controller: Controller) -> bool {
    let text = std::fs::read_to_string(group.join(file)).unwrap_or_default();
    text.split_ascii_whitespace().any(|word| word == controller.name())
}

/// Where a hierarchy can be seen, and where this process is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) group: PathBuf,
}

/// Of the hierarchy of version 1 with that controller, or of version 2.
pub(super) fn place_of(own: &str, mounts: &str, controller: Option<&str>) -> Option<Place> {
    // `9:cpu,cpuacct:/path`, `0::/path`
    let path = own.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = match controller {
            Some(name) => controllers.split(',').any(|other| other == name),
            None => controllers.is_empty(),
        };
        is_it.then_some(path)
    })?;
    // `36 35 98:0 /shown /mount/point options - type source options`
    let (shown, root) = mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let (mut front, mut back) = (front.split(' ').skip(3), back.split(' '));
        let (shown, root) = (front.next()?, front.next()?);
        let (kind, options) = (back.next()?, back.nth(1)?);
        let is_it = match controller {
            Some(name) => kind == "cgroup" && options.split(',').any(|other| other == name),
            None => kind == "cgroup2",
        };
        is_it.then_some((shown, root))
    })?;
    // In a container only a part may be shown.
    let inside = Path::new(path).strip_prefix(shown).ok()?;
    let root = PathBuf::from(root);
    let group = if inside.as_os_str().is_empty() { root.clone() } else { root.join(inside) };
    Some(Place { root, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/docker/x\n0::/user.slice/s\n";
    const MOUNTS: &str = "\
30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro\n\
31 30 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
32 30 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
33 30 0:29 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[track_caller]
    fn check(controller: Option<&str>, root: &str, group: &str) {
        let expected = Place { root: root.into(), group: group.into() };
        assert_eq!(place_of(OWN, MOUNTS, controller), Some(expected));
    }

    #[test]
    fn where_this_process_is() {
        check(Some("pids"), "/sys/fs/cgroup/pids", "/sys/fs/cgroup/pids");
        check(Some("memory"), "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/a/b");
        check(Some("cpu"), "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu");
        check(None, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/user.slice/s");
        assert_eq!(place_of(OWN, MOUNTS, Some("blkio")), None);
        assert_eq!(place_of("", "", None), None);
    }

    #[test]
    fn only_the_root_of_version_one_is_ours() {
        let limits = Limits { memory: Some(1 << 20), ..Limits::default() };
        assert!(first(OWN, MOUNTS, Controller::Memory, &limits, "neap-test").is_none());
    }

    #[test]
    fn what_the_files_get() {
        let limits =
            Limits { cpu_millis: Some(1500), pids: Some(7), memory: Some(4096), ..Limits::default() };
        let text = |settings: Vec<Setting>| -> Vec<String> {
            settings.into_iter().map(|(file, value, _)| format!("{file}={value}")).collect()
        };
        assert_eq!(text(second_settings(Controller::Cpu, &limits)), ["cpu.max=150000 100000"]);
        assert_eq!(text(second_settings(Controller::Pids, &limits)), ["pids.max=7"]);
        assert_eq!(text(first_settings(Controller::Cpu, &limits))[1], "cpu.cfs_quota_us=150000");
        assert_eq!(text(first_settings(Controller::Memory, &limits))[0], "memory.limit_in_bytes=4096");
    }
}
