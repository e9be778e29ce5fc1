//! `neap export`: the schedules of a project for cron or systemd, and its graphs for other programs.
//!
//! It prints, or writes files into a directory; it installs nothing.

use super::args::{self, ExportFormat, GraphFormat};
use super::error::{FINDINGS, Failure, OURSELVES};
use super::graph;
use super::look::Look;
use super::output::{GOOD, Output, clean, print};
use super::project::Project;
use crate::definition::{Catalog, Task};
use crate::exchange::{Exported, export_crontab, export_systemd};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn export(project: &Project, args: &args::Export, output: &Output) -> Result<ExitCode, Failure> {
    let definitions = crate::host::definitions(&project.root);
    let tasks = chosen(&definitions.catalog, &args.tasks)?;
    let root = project.root.display().to_string();
    let program =
        std::env::current_exe().map_or_else(|_| "neap".to_owned(), |path| path.display().to_string());
    let look = Look::new(output)?;
    let files = match args.format {
        ExportFormat::Crontab => vec![export_crontab(tasks.iter().copied(), &root, &program)],
        ExportFormat::Systemd => export_systemd(tasks.iter().copied(), &root, &program),
        ExportFormat::Mermaid => graphs(&definitions.catalog, &tasks, GraphFormat::Mermaid, "mmd", &look)?,
        ExportFormat::Dot => graphs(&definitions.catalog, &tasks, GraphFormat::Dot, "dot", &look)?,
    };
    if let Some(dir) = &args.dir {
        write(dir, &files)?;
    }
    answer(args, &files, output)?;
    Ok(ExitCode::SUCCESS)
}

/// The named tasks, or all of them.
fn chosen<'c>(catalog: &'c Catalog, names: &[String]) -> Result<Vec<&'c Arc<Task>>, Failure> {
    if names.is_empty() {
        return Ok(catalog.tasks().collect());
    }
    let find = |name: &String| {
        catalog.task(name).ok_or_else(|| {
            let failure = Failure::new(FINDINGS, format!("there is no task `{}`", clean(name)));
            match catalog.suggest(name) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure,
            }
        })
    };
    names.iter().map(find).collect()
}

fn graphs(
    catalog: &Catalog,
    tasks: &[&Arc<Task>],
    format: GraphFormat,
    ending: &str,
    look: &Look,
) -> Result<Vec<Exported>, Failure> {
    let drawn = |task: &&Arc<Task>| {
        let name = format!("{}.{ending}", task.name.as_str().replace('/', "-"));
        Ok(Exported { name, text: graph::of_task(catalog, &task.name, format, look)? })
    };
    tasks.iter().map(drawn).collect()
}

fn write(dir: &Path, files: &[Exported]) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    for file in files {
        let path = dir.join(&file.name);
        std::fs::write(&path, &file.text).map_err(|error| {
            Failure::new(OURSELVES, format!("`{}` cannot be written: {error}", path.display()))
        })?;
    }
    Ok(())
}

fn answer(args: &args::Export, files: &[Exported], output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.print_json(&files);
    }
    if let Some(dir) = &args.dir {
        let wrote = |file: &Exported| format!("{GOOD}wrote{GOOD:#} {}\n", dir.join(&file.name).display());
        print(&files.iter().map(wrote).collect::<String>())?;
    } else {
        let with_name = |file: &Exported| match files.len() {
            1 => file.text.clone(),
            _ => format!("# {}\n{}\n", file.name, file.text),
        };
        print(&files.iter().map(with_name).collect::<String>())?;
    }
    output.say(next(args.format, files.is_empty()));
    Ok(())
}

/// What to do with it.
fn next(format: ExportFormat, is_empty: bool) -> &'static str {
    match format {
        _ if is_empty => "no task has a schedule",
        ExportFormat::Crontab => "to use it: neap export crontab | crontab -   (this replaces your crontab)",
        ExportFormat::Systemd => {
            "to use them: neap export systemd --dir ~/.config/systemd/user, systemctl --user daemon-reload, \
             systemctl --user enable --now NAME.timer; loginctl enable-linger lets them run while you are away"
        }
        ExportFormat::Mermaid | ExportFormat::Dot => {
            "the same for one task: neap graph TASK --format mermaid"
        }
    }
}
