//! `neap logs`: what the jobs of a run printed.
//!
//! To a program go the bytes as they were written; to a terminal only what a terminal may be trusted with.

use super::args;
use super::error::{FINDINGS, Failure};
use super::look::{Look, exit_words};
use super::output::{BOLD, DIM, Output, clean};
use super::project::Project;
use super::ps::waiting;
use super::see::{See, block_on};
use crate::api::{AttemptInfo, JobInfo, RunInfo, Selected};
use serde::Serialize;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod follow;
mod part;
mod read;

use read::Window;

pub(crate) fn logs(project: &Project, args: &args::Logs, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    if args.follow && (args.failed || args.attempt.is_some() || output.json) {
        return Err(Failure::usage(
            "--follow prints everything as it comes: it goes with neither --failed nor --attempt nor --json",
        ));
    }
    block_on(async {
        let see = See::new(project).await;
        let Selected { run, job, attempt } = see.select_one(&args.run)?;
        let run = see.run(run).await?;
        let wanted = Wanted {
            job: job.or_else(|| args.job.clone()),
            attempt: attempt.or(args.attempt),
            is_failed_only: args.failed,
        };
        wanted.check(&run)?;
        if args.follow {
            return follow::follow(&see, project, &run, &wanted, args, &look, output).await;
        }
        if let Some(span) = &args.bytes {
            return part::part(&run, &wanted, span, output);
        }
        let pieces = pieces(&run, &wanted);
        if output.json {
            return json(&run, &pieces, args, output);
        }
        match show(&run, &pieces, &wanted, args, &look, output) {
            // Whoever reads may leave (`| head`).
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            shown => Ok(shown.map(|()| ExitCode::SUCCESS)?),
        }
    })
}

/// Which logs of a run.
struct Wanted {
    job: Option<String>,
    attempt: Option<u32>,
    is_failed_only: bool,
}

impl Wanted {
    fn check(&self, run: &RunInfo) -> Result<(), Failure> {
        let Some(job) = &self.job else { return Ok(()) };
        let names = || run.jobs.iter().map(|job| job.name.as_str());
        if names().any(|name| name == job) {
            return Ok(());
        }
        let failure = Failure::new(FINDINGS, format!("{} has no job `{}`", run.name, clean(job)));
        Err(match crate::base::did_you_mean(job, names()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("its jobs: {}", names().collect::<Vec<_>>().join(", "))),
        })
    }

    fn takes(&self, job: &JobInfo) -> bool {
        self.job.as_ref().is_none_or(|name| *name == job.name)
            && (!self.is_failed_only || job.cause().is_some())
    }
}

/// The log of one attempt.
struct Piece<'r> {
    job: &'r JobInfo,
    number: u32,
    path: PathBuf,
    attempt: Option<&'r AttemptInfo>,
}

/// The log of what was asked before the first attempt: preconditions and `status`.
fn before(job: &JobInfo, number: u32) -> Option<PathBuf> {
    let last = job.log.as_ref().filter(|_| number == 0)?;
    let name = last.file_name()?.to_str()?.strip_suffix(&format!(".{}.log", job.attempt))?;
    Some(last.with_file_name(format!("{name}.0.log"))).filter(|path| path.is_file())
}

/// In the order of the plan, of each job the attempt that was asked for or else the last.
fn pieces<'r>(run: &'r RunInfo, wanted: &Wanted) -> Vec<Piece<'r>> {
    let piece = |job: &'r JobInfo| {
        let number = wanted.attempt.unwrap_or(job.attempt);
        let attempt = job.attempts.iter().find(|attempt| attempt.number == number);
        let last = job.log.clone().filter(|_| number == job.attempt);
        let path = attempt.map(|attempt| attempt.log.clone()).or(last).or_else(|| before(job, number))?;
        Some(Piece { job, number, path, attempt })
    };
    run.jobs.iter().filter(|job| wanted.takes(job)).filter_map(piece).collect()
}

/// `nightly#128/upload  attempt 3 of 3  failed (exit 7)  2026-11-21 03:14:31 -> 03:14:55`
fn header(run: &RunInfo, piece: &Piece<'_>, look: &Look) -> String {
    let Piece { job, number, attempt, .. } = piece;
    let state = match attempt.and_then(|attempt| attempt.exit.as_ref()) {
        // Only the job knows that its last attempt was stopped for being too long.
        Some(_) if *number == job.attempt && job.result.is_some() => job.result.clone().unwrap_or_default(),
        Some(exit) => exit_words(exit),
        None => job.result.clone().unwrap_or_else(|| job.phase.clone()),
    };
    let times = attempt.and_then(|attempt| attempt.started).map(|started| {
        let ended = attempt.and_then(|attempt| attempt.ended);
        let end = ended.map(|ended| format!(" -> {}", &look.second(ended.0)[11..]));
        format!("  {DIM}{}{}{DIM:#}", look.second(started.0), end.unwrap_or_default())
    });
    let of = job.attempts_max.max(*number);
    let name = format!("{}/{}", run.name, job.name);
    format!(
        "{BOLD}{name}{BOLD:#}  attempt {number} of {of}  {}{}\n",
        clean(&state),
        times.unwrap_or_default()
    )
}

fn show(
    run: &RunInfo,
    pieces: &[Piece<'_>],
    wanted: &Wanted,
    args: &args::Logs,
    look: &Look,
    output: &Output,
) -> io::Result<()> {
    let mut sink = read::Sink::new(look.is_terminal, args.timestamps || look.is_terminal);
    let window = Window::of(args);
    // One log that goes to a program is that log and nothing else.
    let has_headers = look.is_terminal || pieces.len() > 1;
    for (at, piece) in pieces.iter().enumerate() {
        if has_headers {
            let gap = if at > 0 { "\n" } else { "" };
            sink.line(&format!("{gap}{}", header(run, piece, look)))?;
        }
        match read::print(&piece.path, &window, look, &mut sink) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                output.say(&format!("{DIM}the log is not there any more: {}{DIM:#}", piece.path.display()));
            }
            Err(error) => return Err(error),
        }
    }
    match pieces {
        [] => output.say(&nothing(run, wanted)),
        [piece] if look.is_terminal => sink.line(&footer(run, piece))?,
        _ => {}
    }
    Ok(())
}

/// Why there is no log to show.
fn nothing(run: &RunInfo, wanted: &Wanted) -> String {
    if let Some(number) = wanted.attempt {
        return format!(
            "{} has no attempt {number}",
            wanted.job.as_ref().map_or(run.name.clone(), |job| format!("{}/{job}", run.name))
        );
    }
    if wanted.is_failed_only {
        return format!("no job of {} failed after it had started", run.name);
    }
    let jobs = run.jobs.iter().filter(|job| wanted.takes(job));
    let reason = |job: &JobInfo| match (&job.result, &job.waits_for) {
        (Some(result), _) => format!("{} {}", job.name, clean(result)),
        (None, _) => waiting(job),
    };
    let reasons: Vec<String> = jobs.take(3).map(reason).collect();
    format!("nothing of {} has started: {}", run.name, reasons.join("; "))
}

fn footer(run: &RunInfo, piece: &Piece<'_>) -> String {
    let mut words = vec!["end of log".to_owned()];
    if piece.number > 1 && piece.number == piece.job.attempt {
        let earlier: Vec<String> = (1..piece.number).map(|number| number.to_string()).collect();
        words.push(format!("earlier attempts: --attempt {}", earlier.join("|")));
    }
    if run.jobs_total > 1 {
        words.push(format!("everything: neap logs {}", run.name));
    }
    format!("{DIM}[{}]{DIM:#}\n", words.join("; "))
}

#[derive(Serialize)]
struct Log<'a> {
    run: &'a str,
    job: &'a str,
    attempt: u32,
    path: &'a Path,
    /// Absent when the file is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<String>>,
}

fn json(
    run: &RunInfo,
    pieces: &[Piece<'_>],
    args: &args::Logs,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let window = Window::of(args);
    let log = |piece: &Piece<'_>| {
        let lines = match read::lines(&piece.path, &window) {
            Ok(lines) => Some(lines),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok((piece.job.name.clone(), piece.number, piece.path.clone(), lines))
    };
    let logs: Vec<_> = pieces.iter().map(log).collect::<Result<_, _>>()?;
    let logs: Vec<Log<'_>> = logs
        .iter()
        .map(|(job, attempt, path, lines)| Log {
            run: &run.name,
            job,
            attempt: *attempt,
            path,
            lines: lines.clone(),
        })
        .collect();
    output.print_json(&logs)?;
    Ok(ExitCode::SUCCESS)
}
