//! `neap pause` and `neap resume`: a job is frozen, a run is held, or the schedules of a task rest.

use super::args;
use super::cancel::going_host;
use super::each::{Each, going, is_many, named};
use super::error::{FINDINGS, Failure};
use super::follow::Reach;
use super::output::{Output, print, whoami};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{Rest, RunInfo};
use crate::base::{RunId, TaskName};
use crate::engine::Author;
use crate::host::{CommandError, Host};
use crate::store::{RunFilter, RunStatus};
use std::process::ExitCode;

pub(crate) fn rest(
    project: &Project,
    args: &args::Rest,
    rest: bool,
    output: &Output,
) -> Result<ExitCode, Failure> {
    block_on(async {
        let see = See::new(project).await;
        let mut wish = Rest { reason: args.reason.clone(), by: Some(Author(whoami().into())), job: None };
        let Some(what) = &args.what else {
            let queue = args.queue.as_deref().unwrap_or_default();
            return one_queue(project, &see, queue, rest, wish, output).await;
        };
        if is_many(what) {
            return many(&see, what, rest, &wish, args.dry_run, output).await;
        }
        match meant(&see, what)? {
            Meant::Schedules(task, count) if args.dry_run => would_rest(&task, count, rest, output),
            Meant::Run(run) | Meant::Job(run, _) if args.dry_run => {
                Each::new(false, output).would(verb(rest), &see, &[run]).await
            }
            Meant::Schedules(task, count) => schedules(project, &see, task, count, rest, wish, output).await,
            Meant::Run(run) => {
                let mut each = Each::new(false, output);
                each.take(one_run(&see, run, rest, &wish, output).await);
                each.end()
            }
            Meant::Job(run, job) => {
                wish.job = Some(job);
                let mut each = Each::new(false, output);
                each.take(one_run(&see, run, rest, &wish, output).await);
                each.end()
            }
        }
    })
}

/// What a word stands for.
enum Meant {
    /// The schedules of a task; so many.
    Schedules(TaskName, usize),
    Run(RunId),
    /// A job of it.
    Job(RunId, String),
}

/// A bare task name means its schedules when it has any, else its latest unfinished run. A run is meant by an id, or by
/// a name with `#`, `@` or `:`.
fn meant(see: &See, word: &str) -> Result<Meant, Failure> {
    let catalog = &see.definitions()?.catalog;
    let Some(task) = catalog.task(word) else {
        let selected = see.select_one(word)?;
        return Ok(match selected.job {
            Some(job) => Meant::Job(selected.run, job),
            None => Meant::Run(selected.run),
        });
    };
    let count = task.timetables.iter().filter(|timetable| timetable.enabled).count();
    if count > 0 {
        return Ok(Meant::Schedules(task.name.clone(), count));
    }
    let (task, status) = (Some(task.name.clone()), Some(RunStatus::Unfinished));
    let latest = see.history()?.runs(&RunFilter { task, status, limit: 1, ..RunFilter::default() })?;
    let latest = latest.first().map(|row| Meant::Run(row.run));
    latest.ok_or_else(|| {
        Failure::new(FINDINGS, format!("`{word}` has neither schedules nor a run that goes on"))
    })
}

async fn schedules(
    project: &Project,
    see: &See,
    task: TaskName,
    count: usize,
    rest: bool,
    wish: Rest,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match see.host() {
        Some(host) => host.tell::<()>(path(rest), &[("task", task.as_str())], &wish).await?,
        None => {
            let (by, reason) = (wish.by.unwrap_or_else(Author::host), wish.reason);
            without_host(project, async |host| host.rest(task.clone(), rest, by, reason).await).await?;
        }
    }
    if output.json {
        output.print_json(&serde_json::json!({ "task": task, "paused": rest }))?;
    } else {
        let them = if count == 1 { "its schedule".to_owned() } else { format!("its {count} schedules") };
        let verb = match (rest, count) {
            (true, 1) => "rests",
            (true, _) => "rest",
            (false, 1) => "goes on",
            (false, _) => "go on",
        };
        print(&format!("{task}: {them} {verb}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what would become of the schedules of a task.
fn would_rest(task: &TaskName, count: usize, rest: bool, output: &Output) -> Result<ExitCode, Failure> {
    if output.json {
        output.print_json(&serde_json::json!({ "task": task, "schedules": count }))?;
    } else {
        let what = if count == 1 { "the schedule".to_owned() } else { format!("the {count} schedules") };
        print(&format!("would {} {what} of {task}\n", verb(rest)))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn one_queue(
    project: &Project,
    see: &See,
    queue: &str,
    rest: bool,
    wish: Rest,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match see.host() {
        Some(host) => host.tell::<()>(path(rest), &[("queue", queue)], &wish).await?,
        None => {
            let (by, reason) = (wish.by.unwrap_or_else(Author::host), wish.reason);
            without_host(project, async |host| host.rest_queue(queue.to_owned(), rest, by, reason).await)
                .await?;
        }
    }
    if output.json {
        output.print_json(&serde_json::json!({ "queue": queue, "paused": rest }))?;
    } else {
        let about = if rest { "held; what runs goes on, nothing is admitted" } else { "goes on" };
        print(&format!("the queue {queue}: {about}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn path(rest: bool) -> &'static str {
    if rest { "/api/v1/pause" } else { "/api/v1/resume" }
}

/// It is only written down; the next host keeps to it.
async fn without_host(
    project: &Project,
    write: impl AsyncFnOnce(&Host) -> Result<(), CommandError>,
) -> Result<(), Failure> {
    let reach = Reach::own(project.host(), None).await?;
    let Reach::Own(host) = &reach else { return Ok(()) };
    let done = write(host).await;
    reach.close().await;
    Ok(done?)
}

/// Runs that a selector names together.
async fn many(
    see: &See,
    what: &str,
    rest: bool,
    wish: &Rest,
    is_dry: bool,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let runs = named(see, &[what.to_owned()])?;
    let mut each = Each::new(is_many(what), output);
    if is_dry {
        return each.would(verb(rest), see, &runs).await;
    }
    for run in runs {
        each.take(one_run(see, run, rest, wish, output).await);
    }
    each.end()
}

fn verb(rest: bool) -> &'static str {
    if rest { "pause" } else { "resume" }
}

async fn one_run(
    see: &See,
    run: RunId,
    rest: bool,
    wish: &Rest,
    output: &Output,
) -> Result<RunInfo, Failure> {
    let verb = verb(rest);
    let before = going(see.run(run).await?, verb)?;
    let host = going_host(see, &before)?;
    let info: RunInfo = host.post(&format!("/api/v1/runs/{run}/{verb}"), wish).await?;
    if !output.json {
        let called = info.name.clone();
        let (name, about) = match (&wish.job, rest) {
            (None, true) => (called, "held; what runs goes on, nothing new starts"),
            (Some(job), true) => (format!("{called}/{job}"), "frozen; its time limit stands still"),
            (None, false) => (called, "goes on"),
            (Some(job), false) => (format!("{called}/{job}"), "goes on"),
        };
        print(&format!("{name}: {about}\n"))?;
    }
    Ok(info)
}
