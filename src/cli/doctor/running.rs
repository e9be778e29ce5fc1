//! Whether a host is up and well, what time it goes by, and whether it hears of files that change.

use super::Finding;
use crate::api::HostInfo;
use crate::base::{Millis, Moment};
use crate::cli::look::count;

/// What is known about the host of a project.
#[derive(Clone, Debug, Default)]
pub(super) struct HostFacts {
    /// The version of this program.
    pub(super) version: &'static str,
    pub(super) now: Moment,
    /// What the host that is up says of itself.
    pub(super) info: Option<HostInfo>,
    /// Who took the lock last, and since when.
    pub(super) lock: Option<(u32, Option<Moment>)>,
    /// The living process that has the lock.
    pub(super) holder: Option<u32>,
    pub(super) socket: Option<Socket>,
    /// Schedules that are followed when a host is up.
    pub(super) schedules: usize,
}

/// The socket file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// Its bits for others.
    pub(super) mode: u32,
    pub(super) is_ours: bool,
}

pub(super) fn host_findings(facts: &HostFacts) -> Vec<Finding> {
    let mut all = vec![host(facts)];
    if let Some(info) = &facts.info {
        all.extend([version(&info.version, facts.version), trouble(info)]);
    }
    all.extend(lock(facts));
    all.extend(facts.socket.map(|socket| self::socket(socket, facts.info.is_some())));
    all
}

fn host(facts: &HostFacts) -> Finding {
    let name = "host";
    match (&facts.info, facts.holder, facts.schedules) {
        (Some(info), holder, _) => {
            let since = facts.lock.filter(|(pid, _)| Some(*pid) == holder).and_then(|(_, since)| since);
            let since = since.map(|since| format!(", up for {}", Millis((facts.now - since).0 / 1000 * 1000)));
            let since = since.unwrap_or_default();
            let slots = format!("{} of {} busy", info.busy, count(info.slots, "slot"));
            Finding::ok(name, format!("process {}{since}; {slots}, {}", info.pid, count(info.runs, "run")))
        }
        (None, Some(process), _) => Finding::note(
            name,
            format!("process {process} has the state directory and does not answer: another command at work, or a host that hangs"),
        )
        .help(format!("see what it is: ps -fp {process}")),
        (None, None, 0) => Finding::ok(name, "none is up; commands carry out their own work"),
        (None, None, schedules) => {
            Finding::note(name, format!("none is up: {} not followed", are(schedules)))
                .help("start one with `neap serve`")
        }
    }
}

fn are(schedules: usize) -> String {
    format!("{} {}", count(schedules, "schedule"), if schedules == 1 { "is" } else { "are" })
}

fn version(of_host: &str, ours: &str) -> Finding {
    let name = "version";
    match of_host == ours {
        true => Finding::ok(name, format!("{ours}, as of the host")),
        false => Finding::note(name, format!("the host is neap {of_host}, this is {ours}"))
            .help("`neap serve --replace` takes its place; jobs that are kept go on"),
    }
}

fn trouble(info: &HostInfo) -> Finding {
    let name = "trouble";
    match &info.trouble {
        None => Finding::ok(name, "the host has none"),
        Some(trouble) => Finding::problem(name, trouble.as_str())
            .help("the host goes on when that has passed; what it says about itself has more"),
    }
}

/// The kernel keeps the lock, so what a dead host has left in the file holds nobody up.
fn lock(facts: &HostFacts) -> Option<Finding> {
    let (pid, _) = facts.lock?;
    Some(match facts.holder {
        Some(holder) => Finding::ok("lock", format!("process {holder} has it")),
        None => Finding::ok("lock", format!("free; process {pid} had it last")),
    })
}

fn socket(socket: Socket, is_up: bool) -> Finding {
    let name = "socket";
    let mode = socket.mode & 0o777;
    let others = mode & 0o077;
    match (is_up, socket.is_ours) {
        (_, false) => Finding::note(name, "it is another user's: its host turns us away")
            .help("use neap as the user of the host"),
        (_, true) if others != 0 => {
            Finding::problem(name, format!("its mode is {mode:03o}: others may reach for it"))
                .help("chmod 600 .neap/host.sock")
        }
        (true, true) => Finding::ok(name, format!("mode {mode:03o}, only for its owner")),
        (false, true) => Finding::ok(name, "left over by a host that is gone; the next one replaces it"),
    }
}

/// What is known about time.
#[derive(Clone, Debug)]
pub(super) struct Time {
    /// Of the schedules of the project that name none; else of the machine.
    pub(super) zone: String,
    pub(super) is_projects: bool,
    /// Whether something keeps the clock in step, when the kernel says so.
    pub(super) is_in_step: Option<bool>,
    /// The system wakes a host when the clock is set.
    pub(super) has_alarm: bool,
}

pub(super) fn time_findings(facts: &Time) -> Vec<Finding> {
    vec![zone(facts), clock(facts.is_in_step), alarm(facts.has_alarm)]
}

fn zone(facts: &Time) -> Finding {
    let whose = if facts.is_projects { "schedules that name no zone are in" } else { "this machine is in" };
    Finding::ok("zone", format!("{whose} {}", facts.zone))
}

fn clock(is_in_step: Option<bool>) -> Finding {
    let name = "clock";
    match is_in_step {
        Some(true) => Finding::ok(name, "something keeps it in step"),
        None => Finding::ok(name, "whether something keeps it in step is not known"),
        Some(false) => Finding::note(
            name,
            "the kernel knows of nothing that keeps it in step: schedules go by it all the same",
        )
        .help("run a time service (chrony, systemd-timesyncd), unless the host of this machine does that"),
    }
}

fn alarm(has_alarm: bool) -> Finding {
    let name = "alarm";
    match has_alarm {
        true => Finding::ok(name, "a host is woken when the clock is set (timerfd)"),
        false => Finding::note(name, "a host is not woken when the clock is set, and may be late then")
            .help("the system has no timerfd, or a sandbox forbids it"),
    }
}

/// What is known about hearing of changed files.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    /// Whether the files of the project could be watched just now.
    pub(super) tried: Option<Result<(), String>>,
    pub(super) most_watches: Option<u64>,
    pub(super) most_instances: Option<u64>,
    /// What the host has: instances, and watches of all of them.
    pub(super) used: Option<(usize, usize)>,
}

pub(super) fn watch_findings(facts: &Watching) -> Vec<Finding> {
    let tried = facts.tried.as_ref().map(reload);
    tried.into_iter().chain(watches(facts)).collect()
}

fn reload(tried: &Result<(), String>) -> Finding {
    let name = "reload";
    match tried {
        Ok(()) => Finding::ok(name, "a host hears at once of task files that change"),
        Err(why) => {
            Finding::note(name, format!("a host hears of changed task files only by `neap reload`: {why}"))
                .help("raise fs.inotify.max_user_watches and fs.inotify.max_user_instances")
        }
    }
}

/// A large tree has so many directories, and each is a watch.
const FEW_WATCHES: u64 = 8192;

fn watches(facts: &Watching) -> Option<Finding> {
    let name = "inotify";
    let (watches, instances) = (facts.most_watches?, facts.most_instances?);
    let used = match facts.used {
        Some((own, all)) => format!(
            "; the host has {} in {}",
            count(all, "watch").replace("watchs", "watches"),
            count(own, "instance")
        ),
        None => String::new(),
    };
    let text = format!("{watches} watches and {instances} instances for each user{used}");
    let is_short =
        facts.used.is_some_and(|(_, all)| (all as u64).saturating_mul(10) > watches.saturating_mul(9));
    Some(match is_short || watches < FEW_WATCHES {
        false => Finding::ok(name, text),
        true => Finding::note(name, format!("{text}, which is few where folders are watched"))
            .help("raise fs.inotify.max_user_watches; folders without a watch are searched every 30 seconds"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[track_caller]
    fn check(finding: impl Into<Option<Finding>>, state: State, text: &str) {
        let finding = finding.into().unwrap();
        assert_eq!(finding.state, state, "{finding:?}");
        assert!(finding.text.contains(text), "{finding:?}");
        assert!(state == State::Ok || finding.help.is_some(), "{finding:?}");
    }

    fn info() -> HostInfo {
        HostInfo {
            version: "1.0.0".into(),
            pid: 7,
            root: "/p".into(),
            slots: 4,
            busy: 1,
            queued: 0,
            queues: Vec::new(),
            locks: Vec::new(),
            runs: 2,
            tasks: 3,
            errors: 0,
            trouble: None,
        }
    }

    #[test]
    fn whether_a_host_is_up() {
        let none = HostFacts { now: Moment(3_600_999), ..HostFacts::default() };
        check(host(&none), State::Ok, "none is up; commands");
        check(host(&HostFacts { schedules: 1, ..none.clone() }), State::Note, "1 schedule is");
        check(host(&HostFacts { schedules: 2, ..none.clone() }), State::Note, "2 schedules are");
        check(
            host(&HostFacts { holder: Some(9), schedules: 2, ..none.clone() }),
            State::Note,
            "process 9 has",
        );
        let up = HostFacts {
            info: Some(info()),
            holder: Some(7),
            lock: Some((7, Some(Moment(0)))),
            ..none.clone()
        };
        check(host(&up), State::Ok, "process 7, up for 1h; 1 of 4 slots busy, 2 runs");
        let other = HostFacts { lock: Some((8, Some(Moment(0)))), ..up.clone() };
        check(host(&other), State::Ok, "process 7; 1 of 4 slots busy");
        assert_eq!(lock(&none), None);
        check(lock(&up), State::Ok, "process 7 has it");
        check(lock(&HostFacts { holder: None, ..up.clone() }), State::Ok, "free; process 7 had it last");
        check(version("1.0.0", "1.0.0"), State::Ok, "as of the host");
        check(version("1.0.0", "1.1.0"), State::Note, "the host is neap 1.0.0, this is 1.1.0");
        check(trouble(&info()), State::Ok, "none");
        check(trouble(&HostInfo { trouble: Some("full".into()), ..info() }), State::Problem, "full");
    }

    #[test]
    fn who_may_use_the_socket() {
        let file = |mode, is_ours| Socket { mode, is_ours };
        check(socket(file(0o140_600, true), true), State::Ok, "mode 600");
        check(socket(file(0o140_660, true), true), State::Problem, "660");
        check(socket(file(0o140_600, false), true), State::Note, "another user's");
        check(socket(file(0o140_600, true), false), State::Ok, "left over");
    }

    #[test]
    fn what_time_it_is() {
        let time = |is_projects| Time { zone: "UTC".into(), is_projects, is_in_step: None, has_alarm: true };
        check(zone(&time(true)), State::Ok, "schedules that name no zone are in UTC");
        check(zone(&time(false)), State::Ok, "this machine is in UTC");
        check(clock(Some(true)), State::Ok, "keeps it");
        check(clock(None), State::Ok, "not known");
        check(clock(Some(false)), State::Note, "nothing");
        check(alarm(true), State::Ok, "woken");
        check(alarm(false), State::Note, "not woken");
    }

    #[test]
    fn whether_changes_are_heard_of() {
        check(reload(&Ok(())), State::Ok, "at once");
        check(reload(&Err("no".into())), State::Note, ": no");
        let limits =
            Watching { most_watches: Some(10_000), most_instances: Some(128), ..Watching::default() };
        check(watches(&limits), State::Ok, "10000 watches and 128 instances for each user");
        let used = |all| Watching { used: Some((2, all)), ..limits.clone() };
        check(watches(&used(9000)), State::Ok, "the host has 9000 watches in 2 instances");
        check(watches(&used(9001)), State::Note, "few");
        check(watches(&Watching { most_watches: Some(8191), ..limits.clone() }), State::Note, "few");
        assert_eq!(watches(&Watching::default()), None);
    }
}
