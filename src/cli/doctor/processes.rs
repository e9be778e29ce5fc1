//! What holds attempts here, and each of their limits. What decides that is in `exec`; these are its words.

use super::Finding;
use crate::exec::{Ground, Keeper, Keepers, Version};

/// What is known about how processes are held, by the host that is up, or by one that would come up now.
#[derive(Clone, Debug)]
pub(super) struct Processes {
    /// The host that is asked about.
    pub(super) host: Option<u32>,
    pub(super) containment: Containment,
    pub(super) kernel: String,
    /// Whether a process can be held by a descriptor.
    pub(super) pidfd: Result<(), String>,
    pub(super) keepers: Result<Keepers, String>,
    pub(super) user: String,
    pub(super) is_root: bool,
    /// Jobs that want to run as somebody else.
    pub(super) wants_user: Vec<String>,
    pub(super) open_files: Option<u64>,
    pub(super) processes: Option<u64>,
}

/// What holds an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Containment {
    /// A supervisor, and whether one could be started just now.
    Supervisor(Result<(), String>),
    /// Its process group, because of `NEAP_CONTAINMENT`.
    Group,
}

pub(super) fn findings(facts: &Processes) -> Vec<Finding> {
    let mut all = vec![supervisor(&facts.containment, facts.host), kernel(&facts.kernel, &facts.pidfd)];
    match (&facts.containment, &facts.keepers) {
        (Containment::Group, _) => all.push(limits_refused()),
        (Containment::Supervisor(_), Err(why)) => all.push(unknown(why)),
        (Containment::Supervisor(_), Ok(keepers)) => all.extend(limits(keepers)),
    }
    all.push(freezing(&facts.containment, &facts.pidfd));
    all.push(user(facts));
    all.push(open_files(facts.open_files));
    all.push(processes(facts.processes));
    all
}

fn supervisor(containment: &Containment, host: Option<u32>) -> Finding {
    let name = "supervisor";
    match containment {
        Containment::Supervisor(Ok(())) => Finding::ok(
            name,
            "beside each job: nothing that it starts can leave it, and a job can outlive the host",
        ),
        Containment::Supervisor(Err(why)) => {
            Finding::problem(name, format!("cannot be started, so no command can: {why}"))
                .help("/proc must be mounted, and this program must be executable")
        }
        Containment::Group => Finding::note(
            name,
            "none, because of NEAP_CONTAINMENT=group: each job is a process group, and what leaves that outlives it",
        )
        .help(match host {
            Some(_) => "start the host without that variable",
            None => "unset that variable",
        }),
    }
}

fn kernel(release: &str, pidfd: &Result<(), String>) -> Finding {
    let name = "kernel";
    match pidfd {
        Ok(()) => Finding::ok(name, format!("Linux {release}; processes are held by descriptors (pidfd)")),
        Err(why) => Finding::problem(
            name,
            format!("Linux {release} does not let processes be held by descriptors (pidfd): {why}"),
        )
        .help("Linux 5.3 or newer is needed to stop what jobs have started; sandboxes may forbid the call"),
    }
}

fn limits_refused() -> Finding {
    Finding::note("limits", "jobs with `limits`, `user`, `umask` or `nice` are refused without a supervisor")
}

fn unknown(why: &str) -> Finding {
    Finding::note(
        "limits",
        format!("what holds them cannot be said, because the host cannot be looked at: {why}"),
    )
    .help("ask as the user of the host")
}

fn limits(keepers: &Keepers) -> Vec<Finding> {
    let [memory, pids, cpu] = keepers.together;
    vec![
        groups(keepers),
        limit("limits.memory", keepers.memory, memory),
        limit("limits.pids", keepers.pids, pids),
        limit("limits.cpu", keepers.cpu, cpu),
        Finding::ok("limits.nofile", "the kernel holds it for each process (RLIMIT_NOFILE)"),
        Finding::ok("limits.file_size", "the kernel holds it for each file (RLIMIT_FSIZE)"),
        Finding::ok("limits.output", "the supervisor holds it: it reads everything that a job writes"),
    ]
}

fn groups(keepers: &Keepers) -> Finding {
    let name = "control groups";
    if keepers.is_watchdog {
        return Finding::note(name, "not used, because of NEAP_LIMITS=watchdog")
            .help("start the host without that variable");
    }
    let ground = keepers.ground.as_ref().map_or_else(|| "version 2 is not mounted".to_owned(), standing);
    let is_held = |keeper: &Keeper| matches!(keeper, Keeper::Group(_));
    if keepers.together.iter().all(is_held) {
        return Finding::ok(name, format!("one for each job with limits ({ground})"));
    }
    let some = if keepers.together.iter().any(is_held) { "not for every limit" } else { "none can be made" };
    Finding::note(name, format!("{some}: {ground}"))
        .help("under systemd, `Delegate=yes` with `DelegateSubgroup=` hands a group over to the host")
}

/// `version 2 at /sys/fs/cgroup/a, which is not ours`.
fn standing(ground: &Ground) -> String {
    let of = match (ground.is_ours, ground.is_writable) {
        (false, _) => "which was not handed over",
        (true, false) => "which may not be written to",
        (true, true) => "where groups may be made",
    };
    let controllers = match ground.controllers.is_empty() {
        true => "no controllers".to_owned(),
        false => format!("controllers {}", ground.controllers.join(" ")),
    };
    format!("version 2 at {}, {of}; {controllers}", ground.group.display())
}

/// `alone` is who holds it in a job without the other limits, `together` in one with memory, pids and cpu.
fn limit(name: &'static str, alone: Keeper, together: Keeper) -> Finding {
    let finding = match alone {
        Keeper::Group(_) => Finding::ok(name, words(alone)),
        // That is as good as it gets without groups, and what to do about it is said of those.
        Keeper::Shim => Finding::ok(name, words(alone)),
        Keeper::Nobody => Finding::note(name, words(alone))
            .help("a job with it runs all the same, and its log says so; it takes a control group"),
    };
    if alone == together {
        return finding;
    }
    Finding::note(
        name,
        format!("{}; with memory, pids and cpu in one job: {}", finding.text, words(together)),
    )
}

fn words(keeper: Keeper) -> &'static str {
    match keeper {
        Keeper::Group(Version::Second) => "the kernel holds it, by a control group of version 2",
        Keeper::Group(Version::First) => "the kernel holds it, by a control group of version 1",
        Keeper::Shim => "the supervisor looks ten times a second and kills the job; that is no wall",
        Keeper::Nobody => "nobody holds it",
    }
}

fn freezing(containment: &Containment, pidfd: &Result<(), String>) -> Finding {
    let name = "freezing";
    match (containment, pidfd) {
        (Containment::Supervisor(_), Ok(())) => {
            Finding::ok(name, "SIGSTOP to all that a job has started, until all of it is halted")
        }
        (Containment::Supervisor(_), Err(_)) => Finding::problem(name, "jobs cannot be frozen without pidfd"),
        (Containment::Group, _) => {
            Finding::note(name, "SIGSTOP to the process group of a job; what has left the group goes on")
        }
    }
}

fn user(facts: &Processes) -> Finding {
    let name = "user";
    let is_wanted = !facts.wants_user.is_empty();
    match (facts.is_root, is_wanted) {
        (true, _) => Finding::ok(name, "the host runs as root: jobs may name any `user`"),
        (false, false) => {
            Finding::ok(name, format!("jobs run as {}; `user` takes a host that runs as root", facts.user))
        }
        (false, true) => Finding::problem(
            name,
            format!(
                "jobs that name a `user` cannot be started as {}: {}",
                facts.user,
                named(&facts.wants_user)
            ),
        )
        .help("run the host as root, or leave out `user`"),
    }
}

/// The first three.
fn named(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A host has some for itself, and a few for each job.
const FEW_FILES: u64 = 256;

fn open_files(most: Option<u64>) -> Finding {
    let name = "open files";
    match most {
        None => Finding::ok(name, "a host may have as many as it likes (ulimit -n)"),
        Some(most) if most < FEW_FILES => {
            Finding::note(name, format!("a host may have {most} (ulimit -n), which is few"))
                .help("`ulimit -n 1024` before the host starts, or `LimitNOFILE=` under systemd")
        }
        Some(most) => Finding::ok(name, format!("a host may have {most} (ulimit -n)")),
    }
}

/// The limit counts everything that the user has, threads too.
const FEW_PROCESSES: u64 = 1000;

fn processes(most: Option<u64>) -> Finding {
    let name = "processes";
    match most {
        None => Finding::ok(name, "the user may have as many as the system (ulimit -u)"),
        Some(most) if most < FEW_PROCESSES => Finding::note(
            name,
            format!("the user may have {most} in all, threads too (ulimit -u), which is few"),
        )
        .help("raise `ulimit -u`, or `LimitNPROC=` under systemd"),
        Some(most) => Finding::ok(name, format!("the user may have {most} in all, threads too (ulimit -u)")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[track_caller]
    fn check(finding: Finding, state: State, text: &str) {
        assert_eq!(finding.state, state, "{finding:?}");
        assert!(finding.text.contains(text), "{finding:?}");
        let needs_help = state == State::Problem && finding.name != "freezing";
        assert!(!needs_help || finding.help.is_some(), "{finding:?}");
    }

    fn keepers(all: [Keeper; 3]) -> Keepers {
        let [memory, pids, cpu] = all;
        Keepers { memory, pids, cpu, together: all, is_watchdog: false, ground: None }
    }

    const SECOND: Keeper = Keeper::Group(Version::Second);
    const FIRST: Keeper = Keeper::Group(Version::First);

    #[test]
    fn what_holds_an_attempt() {
        check(supervisor(&Containment::Supervisor(Ok(())), None), State::Ok, "beside each job");
        check(supervisor(&Containment::Supervisor(Err("no".into())), None), State::Problem, ": no");
        check(supervisor(&Containment::Group, None), State::Note, "NEAP_CONTAINMENT=group");
        check(kernel("6.1", &Ok(())), State::Ok, "Linux 6.1;");
        check(kernel("4.4", &Err("no call".into())), State::Problem, "no call");
        check(freezing(&Containment::Supervisor(Ok(())), &Ok(())), State::Ok, "SIGSTOP");
        check(freezing(&Containment::Supervisor(Ok(())), &Err("".into())), State::Problem, "without pidfd");
        check(freezing(&Containment::Group, &Ok(())), State::Note, "process group");
    }

    #[test]
    fn who_holds_a_limit() {
        check(limit("l", SECOND, SECOND), State::Ok, "a control group of version 2");
        check(limit("l", FIRST, FIRST), State::Ok, "a control group of version 1");
        check(limit("l", Keeper::Shim, Keeper::Shim), State::Ok, "ten times a second");
        check(limit("l", Keeper::Nobody, Keeper::Nobody), State::Note, "nobody holds it");
        check(limit("l", SECOND, Keeper::Shim), State::Note, "in one job: the supervisor looks");
    }

    #[test]
    fn whether_groups_can_be_made() {
        let ground = Ground {
            group: "/g".into(),
            is_ours: false,
            is_writable: false,
            controllers: vec!["cpu".into(), "pids".into()],
        };
        check(groups(&keepers([SECOND; 3])), State::Ok, "one for each job");
        check(groups(&keepers([SECOND, FIRST, Keeper::Nobody])), State::Note, "not for every limit");
        let none = keepers([Keeper::Shim, Keeper::Shim, Keeper::Nobody]);
        check(groups(&none), State::Note, "none can be made: version 2 is not mounted");
        let on = |ground: Ground| Keepers { ground: Some(ground), ..none.clone() };
        check(
            groups(&on(ground.clone())),
            State::Note,
            "at /g, which was not handed over; controllers cpu pids",
        );
        check(groups(&on(Ground { is_ours: true, ..ground.clone() })), State::Note, "may not be written to");
        let empty = Ground { is_ours: true, is_writable: true, controllers: Vec::new(), ..ground };
        check(groups(&on(empty)), State::Note, "where groups may be made; no controllers");
        check(groups(&Keepers { is_watchdog: true, ..none.clone() }), State::Note, "NEAP_LIMITS=watchdog");
        check(limits_refused(), State::Note, "refused");
        check(unknown("no"), State::Note, ": no");
    }

    #[test]
    fn who_may_be_whom() {
        let facts = Processes {
            host: None,
            containment: Containment::Group,
            kernel: String::new(),
            pidfd: Ok(()),
            keepers: Err(String::new()),
            user: "anna".into(),
            is_root: false,
            wants_user: Vec::new(),
            open_files: None,
            processes: None,
        };
        check(user(&facts), State::Ok, "jobs run as anna");
        let wanted: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        check(
            user(&Processes { wants_user: wanted.clone(), ..facts.clone() }),
            State::Problem,
            "a, b, c and 1 more",
        );
        check(user(&Processes { wants_user: wanted, is_root: true, ..facts.clone() }), State::Ok, "as root");
        let names: Vec<&str> = findings(&facts).iter().map(|finding| finding.name).collect();
        assert_eq!(names, ["supervisor", "kernel", "limits", "freezing", "user", "open files", "processes"]);
    }

    #[test]
    fn how_much_a_host_may_have() {
        check(open_files(None), State::Ok, "as many");
        check(open_files(Some(255)), State::Note, "255");
        check(open_files(Some(256)), State::Ok, "256");
        check(processes(None), State::Ok, "as many");
        check(processes(Some(999)), State::Note, "999");
        check(processes(Some(1000)), State::Ok, "1000");
    }
}
