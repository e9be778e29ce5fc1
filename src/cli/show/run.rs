//! One run: its head, its jobs over time, its files, and what to type next.

use super::bars::Scale;
use super::{is_same, short_hash};
use crate::api::{JobInfo, RunInfo, RunState};
use crate::base::{Millis, Moment};
use crate::cli::gist::word;
use crate::cli::look::{Look, brief, count, next_line, strong};
use crate::cli::output::{BAD, BUSY, Cell, DIM, GOOD, ODD, Table, clean, styled};
use crate::cli::ps::waiting;
use crate::engine::{Outcome, Skip};
use std::path::{Path, PathBuf};

/// What a run left on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// Relative to the project.
    directory: PathBuf,
    logs: usize,
    bytes: u64,
    /// Files that jobs keep with the run.
    kept: usize,
}

impl Files {
    pub(super) fn of(run: &RunInfo, root: &Path, state_dir: &Path) -> Files {
        let directory = state_dir.join("runs").join(run.id.to_string());
        let attempts = run.jobs.iter().flat_map(|job| &job.attempts);
        let sizes: Vec<u64> = attempts
            .filter_map(|attempt| std::fs::metadata(&attempt.log).ok())
            .map(|file| file.len())
            .collect();
        let relative = directory.strip_prefix(root).unwrap_or(&directory).to_path_buf();
        let kept = kept(&directory.join("artifacts"));
        Files { directory: relative, logs: sizes.len(), bytes: sizes.iter().sum(), kept }
    }
}

/// How many files lie below a folder. Links are not followed, so this ends.
fn kept(folder: &Path) -> usize {
    let (mut count, mut open) = (0, vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) => count += 1,
                Err(_) => {}
            }
        }
    }
    count
}

/// `now` is the hash of the task's definition as it is today, when there is one.
pub(super) fn render(run: &RunInfo, short: &str, now: Option<&str>, files: &Files, look: &Look) -> String {
    if !look.is_terminal {
        return head(run, now, look) + &plain_jobs(run, look) + &outputs(run);
    }
    let mut text = head(run, now, look);
    text += &format!("\n{}", jobs(run, look));
    text += &path_line(run);
    text += &problems(run);
    text += &outputs(run);
    text += &files_line(files);
    text + &next_line(&next(run, short))
}

fn head(run: &RunInfo, now: Option<&str>, look: &Look) -> String {
    let (mark, _) = run_mark(run.state);
    let ended = run.finished.map(|finished| format!(" {}", look.distance(finished.0))).unwrap_or_default();
    let after = if run.state.is_over() { "after" } else { "for" };
    let took = Millis(run.took_ms);
    let eta = run.eta_ms.map(|left| format!(", about {} to go", Millis(left))).unwrap_or_default();
    let state = format!("{}{ended} {after} {took}{eta}", run.state.word());
    let mut text = format!("{mark} {}  {}   {state}\n", strong(&run.name), run.id);
    text += &format!("  by {}{}   definition {}\n", by(run, look), params(run), definition(run, now));
    if let Some(key) = &run.key {
        text += &format!("  key     {}\n", brief(key, 200));
    }
    if let (Some(schedule), Some(_)) = (&run.schedule, &run.caller) {
        text += &format!("  called  {}\n", brief(schedule, 200));
    }
    if let Some(reason) = &run.reason {
        text += &format!("  reason  {}\n", brief(reason, 200));
    }
    for late in &run.late {
        text += &format!("  late    {}, at {}\n", late.words, look.clock(late.since.0));
    }
    if let Some(why) = &run.why {
        let word = if run.state == RunState::Failed { "cause" } else { "state" };
        text += &format!("  {word}   {}\n", brief(why, 200));
    }
    if let Some(of) = &run.retry_of {
        text += &format!("  again   what {of} did not do\n");
    }
    text
}

fn by(run: &RunInfo, look: &Look) -> String {
    match (&run.schedule, run.slot) {
        (Some(schedule), Some(slot)) => format!("schedule {}, for {}", clean(schedule), look.clock(slot.0)),
        _ if run.caller.is_some() => {
            let from = run.caller.as_deref().unwrap_or_default();
            format!("a call from {}, {}", clean(from), look.clock(run.created.0))
        }
        _ => format!("{}, {}", clean(&run.by.0), look.clock(run.created.0)),
    }
}

fn params(run: &RunInfo) -> String {
    if run.params.is_empty() {
        return String::new();
    }
    let params: Vec<String> =
        run.params.iter().map(|(name, given)| format!("{name}={}", brief(&word(given), 60))).collect();
    format!("   params {}", params.join(" "))
}

fn definition(run: &RunInfo, now: Option<&str>) -> String {
    let words = match is_same(&run.definition, now) {
        Some(true) => "unchanged since",
        Some(false) => "changed since",
        None => "the task is gone",
    };
    format!("{} ({words})", short_hash(&run.definition))
}

fn jobs(run: &RunInfo, look: &Look) -> String {
    let name = run.jobs.iter().map(|job| job.name.len()).max().unwrap_or(0).max(3);
    // What stands left of the chart: mark, name, state, tries, start and length.
    let width = look.width.saturating_sub(name + 44).clamp(12, 60);
    let span = (run.finished.map_or(look.now, |finished| finished.0)) - run.created.0;
    let scale = Scale { start: run.created.0, span, width };
    let mut table = Table::default();
    let headings = ["", "JOB", "STATE", "TRY", "START", "TOOK"].into_iter().map(str::to_owned);
    table.row(headings.chain([scale.axis()]).map(|heading| styled(heading, DIM)));
    for job in &run.jobs {
        table.row(row(job, run.created.0, &scale, look));
    }
    table.render(true).lines().map(|line| format!("  {line}\n")).collect()
}

fn row(job: &JobInfo, start: Moment, scale: &Scale, look: &Look) -> [Cell; 7] {
    let (glyph, style, word) = state(job);
    let started = job.started.map(|started| format!("+{}", Millis((started.0 - start).0)));
    let took = job.took_ms.map(|took| Millis(took).to_string());
    let chart = if job.attempts.is_empty() { detail(job) } else { scale.bar(job, look.now) };
    [
        styled(glyph, style),
        job.name.as_str().into(),
        styled(word, style),
        if job.attempt == 0 { "-".to_owned() } else { job.attempt.to_string() }.into(),
        started.unwrap_or_else(|| "-".into()).into(),
        took.unwrap_or_else(|| "-".into()).into(),
        chart.into(),
    ]
}

/// What stands where a job without attempts would have its bar.
fn detail(job: &JobInfo) -> String {
    let words = match (&job.waits_for, &job.result) {
        (Some(_), _) => waiting(job),
        (None, Some(result)) => result.strip_prefix("skipped: ").unwrap_or(result).to_owned(),
        (None, None) => String::new(),
    };
    brief(&words, 60)
}

/// The glyph, the colour and the word for where a job is.
fn state(job: &JobInfo) -> (&'static str, anstyle::Style, String) {
    match &job.outcome {
        Some(_) if job.phase == "cleaning" => ("*", BUSY, "cleaning".into()),
        Some(Outcome::Succeeded) => ("o", GOOD, "ok".into()),
        Some(Outcome::Skipped { why: Skip::Reused }) => ("o", GOOD, "reused".into()),
        Some(Outcome::Skipped { why: Skip::Fresh { .. } }) => ("o", GOOD, "fresh".into()),
        Some(Outcome::Skipped { .. }) => ("-", DIM, "skipped".into()),
        Some(Outcome::Cancelled) => ("c", ODD, "cancelled".into()),
        Some(Outcome::Failed { .. }) => ("x", BAD, brief(job.result.as_deref().unwrap_or("failed"), 20)),
        None => match job.phase.as_str() {
            "running" | "stopping" => ("*", BUSY, job.phase.clone()),
            _ => (".", DIM, job.phase.clone()),
        },
    }
}

fn run_mark(state: RunState) -> (String, anstyle::Style) {
    let (glyph, style) = match state {
        RunState::Succeeded => ("o", GOOD),
        RunState::Failed => ("x", BAD),
        RunState::Cancelled | RunState::Cancelling | RunState::Paused => ("c", ODD),
        RunState::Running => ("*", BUSY),
        RunState::Queued => (".", DIM),
    };
    (format!("{style}{glyph}{style:#}"), style)
}

/// For programs: full times, milliseconds, no chart.
fn plain_jobs(run: &RunInfo, look: &Look) -> String {
    let mut table = Table::new(&["JOB", "STATE", "TRY", "STARTED", "TOOK", "RESULT"]);
    for job in &run.jobs {
        let (_, _, word) = state(job);
        table.row([
            job.name.as_str().into(),
            word.into(),
            job.attempt.to_string().into(),
            job.started.map_or_else(|| "-".into(), |started| look.zone.format(started.0)).into(),
            job.took_ms.map_or_else(|| "-".into(), |took| Millis(took).to_string()).into(),
            job.result.clone().or_else(|| job.waits_for.clone()).unwrap_or_default().into(),
        ]);
    }
    table.render(false)
}

/// The chain that made the run as long as it was: from what ended last back to what it waited for.
fn path_line(run: &RunInfo) -> String {
    let finished = |job: &&JobInfo| job.started.and(job.finished);
    let last = run.jobs.iter().filter(|job| finished(job).is_some()).max_by_key(finished);
    let mut chain: Vec<&JobInfo> = last.into_iter().collect();
    while let Some(first) = chain.last() {
        let needed = run.jobs.iter().filter(|job| first.needs.contains(&job.name) && finished(job).is_some());
        match needed.max_by_key(finished) {
            Some(job) => chain.push(job),
            None => break,
        }
    }
    if chain.len() < 2 || !run.state.is_over() {
        return String::new();
    }
    const SHOWN: usize = 6;
    let took: u64 = chain.iter().filter_map(|job| job.took_ms).sum();
    let mut names: Vec<&str> = chain.iter().rev().map(|job| job.name.as_str()).collect();
    if names.len() > SHOWN {
        names.splice(SHOWN / 2..names.len() - SHOWN / 2, ["..."]);
    }
    format!("  critical path: {} ({} of {})\n", names.join(" > "), Millis(took), Millis(run.took_ms))
}

fn problems(run: &RunInfo) -> String {
    let problem = |job: &JobInfo| {
        let problem = job.problem.as_ref()?;
        Some(format!("  {ODD}not tidied up after {}{ODD:#}: {}\n", job.name, brief(problem, 200)))
    };
    run.jobs.iter().filter_map(problem).collect()
}

/// What the jobs put out, a line for each; `--json` has all of it.
fn outputs(run: &RunInfo) -> String {
    let line = |job: &JobInfo| {
        let outputs: Vec<String> =
            job.outputs.iter().map(|(name, put)| format!("{name}={}", brief(&word(put), 60))).collect();
        (!outputs.is_empty()).then(|| format!("  outputs {}  {}\n", job.name, brief(&outputs.join(" "), 200)))
    };
    run.jobs.iter().filter_map(line).collect()
}

fn files_line(files: &Files) -> String {
    if files.logs == 0 {
        return String::new();
    }
    let (directory, logs) = (files.directory.display(), count(files.logs, "log"));
    let kept = match files.kept {
        0 => String::new(),
        kept => format!("   {} in artifacts/", count(kept, "file")),
    };
    format!("\n  files   {directory}/   {logs} ({}){kept}\n", size(files.bytes))
}

/// `14 KB`.
fn size(bytes: u64) -> String {
    match bytes {
        ..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn next(run: &RunInfo, short: &str) -> Vec<String> {
    let log = match &run.root {
        Some(root) => format!("neap logs {short}/{root}"),
        None => format!("neap logs {short}"),
    };
    let act = match run.state {
        RunState::Failed | RunState::Cancelled => Some(format!("neap retry {short}")),
        RunState::Paused => Some(format!("neap resume {short}")),
        RunState::Queued | RunState::Running | RunState::Cancelling => Some(format!("neap cancel {short}")),
        RunState::Succeeded => None,
    };
    [Some(log), act, Some(format!("neap show {}", run.task))].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AttemptInfo, Time};
    use crate::cli::look::{plain, test_look};
    use crate::cli::ps::tests::{job, run};
    use crate::engine::{Cause, Exit};

    fn attempt(number: u32, from: u64, to: u64, code: i32) -> AttemptInfo {
        let at = |ms: u64| Some(Time(Moment(START + ms)));
        let exit = Some(Exit::Code { code });
        AttemptInfo { number, started: at(from), ended: at(to), exit, usage: None, log: "gone".into() }
    }

    /// An hour before the test's now.
    const START: u64 = 1_795_251_600_000 - 3_600_000;

    fn failed() -> RunInfo {
        let done = |name: &str, outcome: Outcome, result: &str, attempts: Vec<AttemptInfo>| JobInfo {
            outcome: Some(outcome),
            result: Some(result.into()),
            attempt: attempts.len() as u32,
            started: attempts.first().and_then(|attempt| attempt.started),
            finished: attempts.last().and_then(|attempt| attempt.ended),
            took_ms: attempts
                .first()
                .zip(attempts.last())
                .map(|(a, z)| (z.ended.unwrap().0 - a.started.unwrap().0).0),
            attempts,
            ..job(name, "done")
        };
        let exit = Outcome::Failed { cause: Cause::Exit { code: 7 } };
        let skipped = Outcome::Skipped { why: Skip::Needs { job: 1 } };
        let tries =
            vec![attempt(1, 4_000, 30_000, 7), attempt(2, 32_000, 60_000, 7), attempt(3, 68_000, 100_000, 7)];
        let mut jobs = vec![
            done("dump", Outcome::Succeeded, "ok", vec![attempt(1, 0, 4_000, 0)]),
            done("upload", exit, "exit 7", tries),
            done("notify", skipped, "skipped: needs upload", Vec::new()),
        ];
        jobs[1].needs = vec!["dump".into()];
        jobs[1].problem = Some("could not remove\u{1b}[2J scratch".into());
        jobs[2].needs = vec!["upload".into()];
        RunInfo {
            created: Time(Moment(START)),
            finished: Some(Time(Moment(START + 100_000))),
            took_ms: 100_000,
            why: Some("upload (exit 7)".into()),
            root: Some("upload".into()),
            params: [("day".to_owned(), serde_json::json!("2026-11-21"))].into(),
            ..run("nightly#128", RunState::Failed, jobs)
        }
    }

    #[test]
    fn a_run_that_failed_says_everything() {
        let run = failed();
        let files = Files { directory: ".neap/runs/x".into(), logs: 4, bytes: 14_200, kept: 0 };
        let text = plain(&render(&run, "k3v", Some("9f2c1a00"), &files, &test_look()));
        let id = run.id;
        let expected = format!(
            "\
x nightly#128  {id}   failed 58m ago after 1m40s
  by anna, 08:00 today   params day=2026-11-21   definition 9f2c1a (unchanged since)
  cause   upload (exit 7)

     JOB     STATE    TRY  START  TOOK   0s             30s           1m             1m30s
  o  dump    ok       1    +0s    4s     [=]
  x  upload  exit 7   3    +4s    1m36s    [============x[============x   [===============x
  -  notify  skipped  -    -      -      needs upload
  critical path: dump > upload (1m40s of 1m40s)
  not tidied up after upload: could not remove\u{fffd}[2J scratch

  files   .neap/runs/x/   4 logs (14.2 KB)
next: neap logs k3v/upload | neap retry k3v | neap show nightly
"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn programs_get_the_jobs_without_a_chart() {
        let look = Look { is_terminal: false, ..test_look() };
        let text = plain(&render(&failed(), "k3v", None, &Files::default(), &look));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("definition 9f2c1a (the task is gone)"), "{text}");
        assert_eq!(lines[3], "JOB\tSTATE\tTRY\tSTARTED\tTOOK\tRESULT");
        assert_eq!(lines[5], "upload\texit 7\t3\t2026-11-21T08:00:04Z\t1m36s\texit 7");
    }
}
