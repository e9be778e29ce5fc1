//! `neap` alone: what it is, and what one would most probably type next in this directory.

use super::args::Cli;
use super::error::Failure;
use super::output::{BOLD, DIM, Output, print};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::RunState;
use crate::store::RunFilter;
use clap::CommandFactory;
use std::path::Path;
use std::process::ExitCode;

/// A command and what it is good for.
#[derive(Debug, PartialEq)]
struct Advice {
    command: String,
    about: String,
}

/// What is known about the directory.
#[derive(Default)]
struct Place {
    has_project: bool,
    is_up: bool,
    errors: usize,
    /// The first task by name, one with a file in the root of `tasks/` before others.
    task: Option<String>,
    has_schedules: bool,
    /// The latest run: its name, and how it is.
    last: Option<(String, RunState)>,
}

pub(crate) fn welcome(directory: Option<&Path>, output: &Output) -> Result<ExitCode, Failure> {
    let place = match Project::find(directory) {
        Ok(project) => block_on(look(&project))?,
        Err(failure) if directory.is_some() => return Err(failure),
        Err(_) => Place::default(),
    };
    let about = Cli::command().get_about().map(ToString::to_string).unwrap_or_default();
    if output.json {
        let advice: Vec<_> = advice(&place)
            .iter()
            .map(|advice| serde_json::json!({ "command": advice.command, "about": advice.about }))
            .collect();
        output.print_json(&advice)?;
    } else {
        print(&text(&about, &advice(&place)))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(project: &Project) -> Result<Place, Failure> {
    let see = See::new(project).await;
    let definitions = see.definitions()?;
    let tasks = || definitions.catalog.tasks();
    let first = tasks().min_by_key(|task| (task.name.as_str().contains('/'), task.name.clone()));
    let last = see.runs(&RunFilter { limit: 1, ..RunFilter::default() })?.into_iter().next();
    Ok(Place {
        has_project: true,
        is_up: see.host().is_some(),
        errors: definitions.errors(),
        task: first.map(|task| task.name.to_string()),
        has_schedules: tasks().any(|task| task.timetables.iter().any(|timetable| timetable.enabled)),
        last: last.map(|run| (run.name, run.state)),
    })
}

/// The most useful first, five at most.
fn advice(place: &Place) -> Vec<Advice> {
    let mut all = Vec::new();
    let mut add = |command: String, about: &str| all.push(Advice { command, about: about.to_owned() });
    if !place.has_project {
        add("neap init".into(), "write a sample project into this directory");
        add("neap exec -- make test".into(), "run one command with log and history, without a project");
        add("neap next \"*/15 9-17 * * mon-fri\"".into(), "say what a cron expression means");
        return all;
    }
    if place.errors > 0 {
        add("neap check".into(), &format!("show what is wrong with the files ({} errors)", place.errors));
    }
    match &place.last {
        Some((name, RunState::Failed)) => {
            add(format!("neap show {name}"), "see how the last run failed");
            add(format!("neap retry {name}"), "do again what failed in it");
        }
        Some((name, RunState::Running | RunState::Queued | RunState::Paused | RunState::Cancelling)) => {
            add("neap ps".into(), "see what goes on");
            add(format!("neap logs -f {name}"), "read along with the last run");
        }
        Some((_, RunState::Succeeded | RunState::Cancelled)) | None => {}
    }
    match &place.task {
        Some(task) => add(format!("neap run {task}"), "run a task"),
        None => add("neap init".into(), "write sample tasks: there are none yet"),
    }
    add("neap ls".into(), "list the tasks");
    if place.has_schedules && !place.is_up {
        add("neap serve".into(), "follow the schedules: no host is up");
    }
    if place.last.is_some() {
        add("neap history".into(), "list past runs");
    }
    all.truncate(5);
    all
}

fn text(about: &str, advice: &[Advice]) -> String {
    let width = advice.iter().map(|advice| advice.command.len()).max().unwrap_or(0);
    let mut text = format!("{BOLD}neap{BOLD:#}: {about}\n\n");
    for Advice { command, about } in advice {
        text += &format!("  {command:<width$}  {DIM}{about}{DIM:#}\n");
    }
    text + "\nEverything else: neap --help\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(place: Place, expected: &[&str]) {
        let commands: Vec<String> = advice(&place).into_iter().map(|advice| advice.command).collect();
        assert_eq!(commands, expected);
    }

    #[test]
    fn advice_fits_the_place() {
        check(
            Place::default(),
            &["neap init", "neap exec -- make test", "neap next \"*/15 9-17 * * mon-fri\""],
        );
        let project = || Place { has_project: true, task: Some("hello".into()), ..Place::default() };
        check(project(), &["neap run hello", "neap ls"]);
        check(Place { has_project: true, ..Place::default() }, &["neap init", "neap ls"]);
        let scheduled = Place { has_schedules: true, errors: 2, ..project() };
        check(scheduled, &["neap check", "neap run hello", "neap ls", "neap serve"]);
        let failed = Place { last: Some(("a#3".into(), RunState::Failed)), errors: 1, ..project() };
        check(failed, &["neap check", "neap show a#3", "neap retry a#3", "neap run hello", "neap ls"]);
        let going = Place { last: Some(("a#3".into(), RunState::Running)), is_up: true, ..project() };
        check(going, &["neap ps", "neap logs -f a#3", "neap run hello", "neap ls", "neap history"]);
    }
}
