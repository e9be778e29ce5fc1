//! `neap ps`: what goes on, and why what waits is waiting.

use super::error::Failure;
use super::look::{Look, count, ordinal, short_id, state_cell};
use super::output::{Cell, DIM, ODD, Output, Table, clean, print, styled};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{HostInfo, JobInfo, RunInfo, RunState, priority_word};
use crate::base::Millis;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn ps(project: &Project, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    let (runs, host, short) = block_on(async {
        let see = See::new(project).await;
        let runs = see.going().await?;
        let host: Option<HostInfo> = match see.host() {
            Some(host) => Some(host.get("/api/v1/host").await?),
            None => None,
        };
        let short: Vec<String> = match look.is_terminal && !runs.is_empty() {
            true => {
                runs.iter().map(|run| Ok(short_id(see.history()?, run.id))).collect::<Result<_, Failure>>()?
            }
            false => runs.iter().map(|run| run.id.to_string()).collect(),
        };
        Ok((runs, host, short))
    })?;
    if output.json {
        output.print_json(&runs)?;
        return Ok(ExitCode::SUCCESS);
    }
    let nobody = if host.is_none() { nobody(&runs, holder(&project.state_dir)) } else { None };
    if look.is_terminal {
        print(&format!("{}{}", listing(&runs, &short, &look), footer(&runs, &short, host.as_ref())))?;
    } else {
        print(&listing(&runs, &short, &look))?;
    }
    if let Some(line) = nobody {
        output.say(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn listing(runs: &[RunInfo], ids: &[String], look: &Look) -> String {
    if runs.is_empty() && look.is_terminal {
        return "Nothing goes on.\n".into();
    }
    let mut table = Table::new(&["RUN", "ID", "STATE", "FOR", "JOB", "PROGRESS", "BY"]);
    for (run, id) in runs.iter().zip(ids) {
        table.row([
            run.name.as_str().into(),
            id.as_str().into(),
            state_cell(run.state),
            Millis(run.took_ms).to_string().into(),
            job_cell(run),
            progress(run).into(),
            run.by.to_string().into(),
        ]);
    }
    table.render(look.is_terminal)
}

/// The most telling job: one that runs, else what keeps the first of those that wait.
fn job_cell(run: &RunInfo) -> Cell {
    let running: Vec<&JobInfo> = run.jobs.iter().filter(|job| is_busy(job)).collect();
    if let Some(job) = running.first() {
        let mut words = job.name.clone();
        if job.attempt > 1 {
            words += &format!(" ({})", ordinal(job.attempt));
        }
        if job.phase == "stopping" {
            words += " is being stopped";
        }
        if running.len() > 1 {
            words += &format!(" and {} more", running.len() - 1);
        }
        return words.into();
    }
    if let (RunState::Paused | RunState::Cancelling | RunState::Queued, Some(why)) = (run.state, &run.why) {
        return styled(why.as_str(), ODD);
    }
    match run.jobs.iter().find(|job| job.waits_for.is_some()) {
        Some(job) => format!("{}{}", waiting(job), priority(run)).into(),
        None => "-".into(),
    }
}

/// `, priority high`: of a run that was given one.
fn priority(run: &RunInfo) -> String {
    run.priority.map(|priority| format!(", priority {}", priority_word(priority))).unwrap_or_default()
}

fn is_busy(job: &JobInfo) -> bool {
    matches!(job.phase.as_str(), "running" | "stopping")
}

/// `upload waits for its next try in 8s`.
pub(crate) fn waiting(job: &JobInfo) -> String {
    match &job.waits_for {
        Some(what) => format!("{} waits for {what}", job.name),
        None => job.name.clone(),
    }
}

fn progress(run: &RunInfo) -> String {
    let jobs = format!("{}/{}", run.jobs_done, run.jobs_total);
    let remark = run.jobs.iter().find_map(|job| job.progress.as_ref());
    let far = match remark {
        Some(progress) if run.jobs_total == 1 => format!("{:.0}%{}", progress.percent, message(progress)),
        Some(progress) => format!("{jobs}, {:.0}%{}", progress.percent, message(progress)),
        None if run.jobs_total == 1 => String::new(),
        None => jobs,
    };
    let eta = run.eta_ms.map(|left| format!("eta {}", Millis(left)));
    let late = (!run.late.is_empty()).then(|| "late".to_owned());
    let said: Vec<String> =
        [Some(far), eta, late].into_iter().flatten().filter(|text| !text.is_empty()).collect();
    if said.is_empty() { "-".into() } else { said.join(" ") }
}

fn message(progress: &crate::host::Progress) -> String {
    let message = progress.message.as_deref().map(|text| super::look::brief(text, 40));
    message.filter(|text| !text.is_empty()).map(|text| format!(" {text}")).unwrap_or_default()
}

fn footer(runs: &[RunInfo], ids: &[String], host: Option<&HostInfo>) -> String {
    let states = [RunState::Running, RunState::Cancelling, RunState::Paused, RunState::Queued];
    let of = |state: RunState| runs.iter().filter(|run| run.state == state).count();
    let counts: Vec<String> = states
        .into_iter()
        .filter(|&state| of(state) > 0)
        .map(|state| format!("{} {}", of(state), state.word()))
        .collect();
    let mut parts = Vec::new();
    if !counts.is_empty() {
        parts.push(format!("{}.", counts.join(", ")));
    }
    if let Some(host) = host {
        parts.push(format!("slots {}/{}", host.busy, host.slots));
        parts.extend(occupancy(host));
        parts.extend(host.trouble.as_ref().map(|trouble| format!("{ODD}{}{ODD:#}", clean(trouble))));
    }
    if let Some(first) = ids.first() {
        parts.push(format!("{DIM}neap logs -f {first}{DIM:#}"));
    }
    if parts.is_empty() { String::new() } else { parts.join("   ") + "\n" }
}

/// `heavy 2/2 (5 queued)`, `lock db: nightly#128/dump (3 queued)`.
fn occupancy(host: &HostInfo) -> Vec<String> {
    let waiting = |queued: usize| if queued > 0 { format!(" ({queued} queued)") } else { String::new() };
    let queues = host.queues.iter().map(|queue| {
        let paused = queue.paused.as_ref().map(|pause| format!(" paused by {}", clean(&pause.by.0)));
        let (name, waiting) = (clean(&queue.name), waiting(queue.queued));
        format!("{name} {}/{}{}{waiting}", queue.busy, queue.slots, paused.unwrap_or_default())
    });
    let locks = host.locks.iter().map(|lock| {
        let shared = if lock.shared { " (shared)" } else { "" };
        let holders = lock.holders.iter().take(3).map(|holder| clean(holder)).collect::<Vec<_>>().join(", ");
        let more = lock.holders.len().saturating_sub(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("lock {}{shared}: {holders}{more}{}", clean(&lock.name), waiting(lock.queued))
    });
    queues.chain(locks).collect()
}

/// What to know when nobody with a socket is there. `holder` is the process that has the state directory.
fn nobody(runs: &[RunInfo], holder: Option<u32>) -> Option<String> {
    match (runs.len(), holder) {
        (0, _) => None,
        (_, None) => Some("no host is up: nothing goes on until `neap serve`".into()),
        (number, Some(process)) => {
            let runs = count(number, "run");
            Some(format!(
                "no host is up; process {process} carries out its own work: of {runs}, what is not its own waits for `neap serve`"
            ))
        }
    }
}

/// The living process that has the state directory: it wrote its number into the lock file and still has that open.
/// Taking the lock to find out would, for a moment, keep a host from starting.
pub(crate) fn holder(state_dir: &Path) -> Option<u32> {
    let lock = std::fs::canonicalize(state_dir.join("neap.lock")).ok()?;
    let process: u32 = std::fs::read_to_string(&lock).ok()?.split_whitespace().next()?.parse().ok()?;
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let is_open =
        descriptors.flatten().any(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == lock));
    is_open.then_some(process)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::look::{plain, test_look};
    use super::*;
    use crate::api::Time;
    use crate::base::{Moment, RunId, TaskName};
    use crate::engine::Author;
    use crate::host::Progress;

    pub(crate) fn run(name: &str, state: RunState, jobs: Vec<JobInfo>) -> RunInfo {
        let (task, number) = name.split_once('#').unwrap();
        let created = Time(Moment(test_look().now.0 - 41_000));
        RunInfo {
            id: RunId(7),
            name: name.into(),
            task: TaskName::new(task).unwrap(),
            number: number.parse().unwrap(),
            state,
            trigger: "manual".into(),
            schedule: None,
            slot: None,
            retry_of: None,
            caller: None,
            by: Author("anna".into()),
            reason: None,
            key: None,
            priority: None,
            params: Default::default(),
            definition: "9f2c1a00".into(),
            created,
            started: Some(created),
            late: Vec::new(),
            finished: None,
            took_ms: 41_000,
            queued_ms: 0,
            eta_ms: None,
            why: None,
            root: None,
            exit_code: None,
            jobs_total: jobs.len().max(1),
            jobs_done: 0,
            jobs,
        }
    }

    pub(crate) fn job(name: &str, phase: &str) -> JobInfo {
        JobInfo {
            name: name.into(),
            index: 0,
            phase: phase.into(),
            outcome: None,
            result: None,
            waits_for: None,
            attempt: 1,
            attempts_max: 1,
            needs: Vec::new(),
            queued: None,
            started: None,
            finished: None,
            took_ms: None,
            usual_ms: None,
            progress: None,
            pid: None,
            log: None,
            problem: None,
            outputs: Default::default(),
            attempts: Vec::new(),
        }
    }

    fn runs() -> Vec<RunInfo> {
        let progress = Progress { percent: 62.4, message: Some("frame \u{7}9".into()), at: Moment(0) };
        let wait = |job: JobInfo, what: &str| JobInfo { waits_for: Some(what.into()), ..job };
        vec![
            run(
                "index#9",
                RunState::Running,
                vec![JobInfo { progress: Some(progress), ..job("embed", "running") }],
            ),
            RunInfo {
                jobs_total: 4,
                jobs_done: 1,
                eta_ms: Some(110_000),
                ..run(
                    "nightly#129",
                    RunState::Running,
                    vec![JobInfo { attempt: 2, ..job("upload", "running") }, job("check", "running")],
                )
            },
            RunInfo {
                why: Some("paused by bert: \"lunch\"".into()),
                ..run(
                    "build#33",
                    RunState::Paused,
                    vec![wait(job("test", "queued"), "the run to be resumed")],
                )
            },
            run("deploy#7", RunState::Queued, vec![wait(job("push", "queued"), "a slot (2 of 2 busy)")]),
            run(
                "train#2",
                RunState::Running,
                vec![wait(job("fit", "backoff"), "its next try in 8s"), job("eval", "asking")],
            ),
        ]
    }

    #[test]
    fn every_wait_has_its_reason() {
        let ids: Vec<String> = ["p8t", "w2c", "4hd", "zz1", "m0q"].map(str::to_owned).to_vec();
        let text = plain(&(listing(&runs(), &ids, &test_look()) + &footer(&runs(), &ids, None)));
        let expected = "\
RUN          ID   STATE    FOR  JOB                               PROGRESS     BY
index#9      p8t  running  41s  embed                             62% frame \u{fffd}9  anna
nightly#129  w2c  running  41s  upload (2nd) and 1 more           1/4 eta 1m50s anna
build#33     4hd  paused   41s  paused by bert: \"lunch\"           -            anna
deploy#7     zz1  queued   41s  push waits for a slot (2 of 2 busy)  -            anna
train#2      m0q  running  41s  fit waits for its next try in 8s  0/2          anna
3 running, 1 paused, 1 queued.   neap logs -f p8t
";
        let spaces = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let squeezed = |text: &str| text.lines().map(spaces).collect::<Vec<_>>().join("\n");
        assert_eq!(squeezed(&text), squeezed(expected));
    }

    #[test]
    fn nothing_is_said_plainly() {
        assert_eq!(listing(&[], &[], &test_look()), "Nothing goes on.\n");
        assert_eq!(footer(&[], &[], None), "");
        assert_eq!(nobody(&[], None), None);
        assert!(nobody(&runs(), None).unwrap().contains("neap serve"));
        assert!(nobody(&runs(), Some(12)).unwrap().contains("process 12"));
    }

    #[test]
    fn a_lock_file_that_nobody_has_open_has_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("neap.lock");
        assert_eq!(holder(dir.path()), None);
        std::fs::write(&path, format!("{} 0\n", std::process::id())).unwrap();
        assert_eq!(holder(dir.path()), None);
        let _open = std::fs::File::open(&path).unwrap();
        assert_eq!(holder(dir.path()), Some(std::process::id()));
    }
}
