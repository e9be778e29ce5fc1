//! `neap show`: everything about one run, or about one task.

use super::args;
use super::error::{FINDINGS, Failure, OURSELVES};
use super::look::{Look, short_id};
use super::output::{Output, clean, print};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::RunInfo;
use crate::base::RunId;
use crate::definition::{Catalog, Task};
use crate::store::{Entry, Seq};
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;

mod bars;
mod events;
mod run;
mod task;

pub(crate) fn show(project: &Project, args: &args::Show, output: &Output) -> Result<ExitCode, Failure> {
    let look = Look::new(output)?;
    block_on(async {
        let see = See::new(project).await;
        let catalog = Arc::clone(&see.definitions()?.catalog);
        // A plain name is the task; its latest run is `nightly@`, and the events are always those of a run.
        let task = catalog.find(&args.what).map(|found| Arc::clone(found.task())).filter(|_| !args.events);
        if let Some(task) = task {
            match args.definition {
                true => definition(&task.to_json(), output)?,
                false => task::show(&see, &task, &look, output).await?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(failure) = broken(&catalog, &args.what) {
            return Err(failure);
        }
        let id = see.select_one(&args.what)?.run;
        match (args.definition, args.events) {
            (true, _) => definition(&plan(&see, id)?, output)?,
            (false, true) => journal(&see, see.run(id).await?, &look, output)?,
            (false, false) => one_run(&see, project, see.run(id).await?, &look, output)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A task that only a broken file would define.
fn broken(catalog: &Catalog, name: &str) -> Option<Failure> {
    let file = catalog.broken_file(name)?;
    let problems = catalog.problems().iter().filter(|problem| &*problem.file == file && problem.is_error());
    let lines: Vec<String> = problems.map(|problem| clean(&problem.to_string())).collect();
    let message = format!("{file} has errors, so there is no task `{name}`:\n{}", lines.join("\n"));
    Some(Failure::new(FINDINGS, message).hint("see where, and how to mend it: neap check"))
}

fn definition(document: &impl Serialize, output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.print_json(document);
    }
    let yaml = serde_yaml::to_string(document).map_err(|error| Failure::of(OURSELVES, &error))?;
    print(&yaml)
}

fn plan(see: &See, run: RunId) -> Result<Arc<crate::plan::Plan>, Failure> {
    let history = see.history()?;
    let row = history.run(run)?.ok_or_else(|| Failure::new(FINDINGS, format!("there is no run {run}")))?;
    Ok(history.plan(&row.plan)?)
}

fn one_run(see: &See, project: &Project, run: RunInfo, look: &Look, output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.print_json(&run);
    }
    let files = run::Files::of(&run, &project.root, &project.state_dir);
    let short = short_id(see.history()?, run.id);
    let now = see.definitions()?.catalog.find(run.task.as_str()).map(|found| Arc::clone(&found.task().hash));
    print(&run::render(&run, &short, now.as_deref(), &files, look))
}

/// Entries of the journal read at once.
const PAGE: u32 = 1000;

fn journal(see: &See, run: RunInfo, look: &Look, output: &Output) -> Result<(), Failure> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(Seq::default(), |entry| entry.seq);
        let page = see.history()?.events(run.id, after, PAGE)?;
        if page.is_empty() {
            break;
        }
        entries.extend(page);
    }
    match output.json {
        true => output.print_json(&entries),
        false => print(&events::render(&entries, &run, look)),
    }
}

/// The hash of a definition as people compare it.
fn short_hash(hash: &str) -> &str {
    hash.get(..6).unwrap_or(hash)
}

/// Whether a definition is still what the task says; `None` when there is no such task any more.
fn is_same(hash: &str, task: Option<&str>) -> Option<bool> {
    task.map(|now| now == hash)
}

/// The name of a job as it is called inside its task.
fn inside<'t>(task: &Task, name: &'t crate::base::TaskName) -> &'t str {
    name.seen_from(&task.name)
}
