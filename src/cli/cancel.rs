//! `neap cancel`: runs end early, by the host that carries them out.

use super::args;
use super::each::{Each, going, is_many, named};
use super::error::{Failure, OURSELVES};
use super::output::{Output, now, print, whoami};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{Cancel, Client, RunInfo};
use crate::base::{Millis, RunId, TaskName};
use crate::engine::Author;
use std::process::ExitCode;

pub(crate) fn cancel(project: &Project, args: &args::Cancel, output: &Output) -> Result<ExitCode, Failure> {
    block_on(async {
        let see = See::new(project).await;
        let runs = wanted(&see, args).await?;
        if runs.is_empty() {
            output.say("nothing goes on");
        }
        let wish = Cancel { reason: args.reason.clone(), now: args.now, by: Some(Author(whoami().into())) };
        let is_common = args.runs.iter().all(|word| is_many(word));
        let mut each = Each::listed(is_common, output);
        if args.dry_run {
            return each.would("cancel", &see, &runs).await;
        }
        for run in runs {
            each.take(one(&see, run, &wish, args.wait, output).await);
        }
        each.end()
    })
}

async fn wanted(see: &See, args: &args::Cancel) -> Result<Vec<RunId>, Failure> {
    let mut runs = named(see, &args.runs)?;
    if let Some(task) = &args.task {
        let task = known_task(see, task)?;
        runs.extend(see.going().await?.iter().filter(|info| info.task == task).map(|info| info.id));
    }
    if let Some(queue) = &args.queue {
        runs.extend(named(see, &[format!(":queue={queue}")])?);
    }
    if args.all {
        runs.extend(see.going().await?.iter().map(|info| info.id));
    }
    let mut seen = std::collections::BTreeSet::new();
    runs.retain(|run| seen.insert(*run));
    Ok(runs)
}

/// A task of the catalog, or one that is only remembered.
fn known_task(see: &See, text: &str) -> Result<TaskName, Failure> {
    let unknown = || Failure::usage(format!("there is no task `{text}`"));
    let name = TaskName::new(text).map_err(|_| unknown())?;
    let catalog = &see.definitions()?.catalog;
    if catalog.find(text).is_some() || see.history()?.latest(&name, 1)?.is_some() {
        return Ok(name);
    }
    Err(match catalog.suggest(text) {
        Some(near) => unknown().hint(format!("did you mean `{near}`?")),
        None => unknown().hint("see what there is with `neap ls`"),
    })
}

async fn one(
    see: &See,
    run: RunId,
    wish: &Cancel,
    is_waiting: bool,
    output: &Output,
) -> Result<RunInfo, Failure> {
    let before = going(see.run(run).await?, "cancel")?;
    let host = going_host(see, &before)?;
    let began = now();
    let info: RunInfo = host.post(&format!("/api/v1/runs/{run}/cancel"), wish).await?;
    if !output.json {
        print(&format!("{}\n", asked(&info, wish.now)))?;
    }
    if !is_waiting || info.state.is_over() {
        return Ok(info);
    }
    let info: RunInfo = host.get(&format!("/api/v1/runs/{run}/wait")).await?;
    if !output.json {
        print(&format!("{}: {} after {}\n", info.name, info.state.word(), Millis((now() - began).0.max(1))))?;
    }
    Ok(info)
}

/// The host that carries a run out; without one, what to do instead.
pub(crate) fn going_host<'s>(see: &'s See, info: &RunInfo) -> Result<&'s Client, Failure> {
    see.host().ok_or_else(|| {
        Failure::new(OURSELVES, format!("no host is up, so nobody carries out {}", info.name))
            .hint("if a `neap run` does, press Ctrl-C there")
            .hint("else the next host takes it up, and then it can be told: neap serve")
    })
}

/// What was done, in words.
fn asked(info: &RunInfo, is_now: bool) -> String {
    let stopping: Vec<&str> =
        info.jobs.iter().filter(|job| job.phase == "stopping").map(|job| job.name.as_str()).collect();
    let how = if is_now { "killed" } else { "asked to stop" };
    match stopping.as_slice() {
        [] if info.state.is_over() => {
            format!("{}: {}, nothing of it was running", info.name, info.state.word())
        }
        [] => format!("{}: {how}", info.name),
        [job] => format!("{}: {how} ({job})", info.name),
        jobs => format!("{}: {how} ({} jobs: {})", info.name, jobs.len(), jobs.join(", ")),
    }
}
