//! The little that is read from `/proc`: which processes there are, and where each belongs.
//!
//! A number read here may belong to another process a moment later; callers open a pidfd and look again.

/// Where a process belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether it can still do anything: neither a zombie nor dead.
    pub(super) is_alive: bool,
    /// Whether it is halted, by a signal or by a tracer.
    pub(super) is_halted: bool,
    /// Its parent.
    pub(super) parent: u32,
    /// Its process group.
    pub(super) group: u32,
}

impl Place {
    /// Whether it may be doing something now.
    pub(super) fn is_running(&self) -> bool {
        self.is_alive && !self.is_halted
    }
}

/// How many threads a process has; nothing when it is gone.
pub(super) fn threads(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, |tasks| tasks.count() as u64)
}

/// How much memory a process has, in bytes: with what it shares with others in full.
pub(super) fn resident(pid: u32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm"))
        .ok()
        .and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The same with its share of what it shares; `None` where the kernel does not say. Dearer to ask for.
pub(super) fn share(pid: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Every process that can be seen.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Where a process belongs; `None` when it is gone.
pub(super) fn place(pid: u32) -> Option<Place> {
    parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// What a process has used up so far, as a number that grows while it does anything: ticks of the processor, and bytes that
/// it read and wrote. Zero for one that is gone.
pub(super) fn effort(pid: u32) -> u64 {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    ticks(&read("stat")).unwrap_or(0).wrapping_add(transferred(&read("io")))
}

/// Time in user mode and in the kernel: the 14th and the 15th field.
fn ticks(stat: &[u8]) -> Option<u64> {
    let rest = &stat[memchr::memrchr(b')', stat)? + 1..];
    let mut fields = std::str::from_utf8(rest).ok()?.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user.wrapping_add(system))
}

/// `rchar` and `wchar`: all that went through the system calls, also what never reached a disk.
fn transferred(io: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(io);
    let numbers = text.lines().filter_map(|line| {
        let (name, number) = line.split_once(": ")?;
        matches!(name, "rchar" | "wchar").then(|| number.parse::<u64>().ok())?
    });
    numbers.fold(0, u64::wrapping_add)
}

/// The processes of a group that are alive.
pub(super) fn members(group: u32) -> Vec<u32> {
    let is_member = |pid: &u32| place(*pid).is_some_and(|place| place.is_alive && place.group == group);
    pids().filter(is_member).collect()
}

/// `pid (name) state parent group …`; the name may hold blanks and brackets, so the last bracket counts.
fn parse(stat: &[u8]) -> Option<Place> {
    let rest = &stat[memchr::memrchr(b')', stat)? + 1..];
    let mut fields = std::str::from_utf8(rest).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let (is_alive, is_halted) = (!matches!(state, "Z" | "X" | "x"), matches!(state, "T" | "t"));
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Place { is_alive, is_halted, parent, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_its_place() {
        let place = |is_alive, parent, group| Some(Place { is_alive, is_halted: false, parent, group });
        assert_eq!(parse(b"7 (sh) S 1 7 7 0 -1"), place(true, 1, 7));
        assert_eq!(parse(b"7 (x) Z 1 2 3) (a b) Z 4 5 6 0"), place(false, 4, 5));
        let halted = Place { is_alive: true, is_halted: true, parent: 1, group: 7 };
        assert_eq!(parse(b"7 (sh) T 1 7 7 0 -1"), Some(halted));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"7 (sh)"), None);
    }

    #[test]
    fn effort_is_ticks_and_bytes() {
        let stat = b"7 (a b) S 1 7 7 0 -1 4194304 1 2 3 4 50 60 0 0 20 0 1 0 9";
        assert_eq!(ticks(stat), Some(110));
        assert_eq!(ticks(b"7 (a) S 1"), None);
        assert_eq!(transferred(b"rchar: 10\nwchar: 5\nsyscr: 100\nread_bytes: 7\n"), 15);
        assert!(effort(std::process::id()) > 0);
        assert_eq!(effort(u32::MAX), 0);
    }

    #[test]
    fn this_process_is_there() {
        let own = std::process::id();
        assert!(pids().any(|pid| pid == own));
        assert!(place(own).is_some_and(|place| place.is_alive));
    }
}
