//! `neap exec`: one command with log, history and exit code, without a task file. Also where there is no project.

use super::args;
use super::error::{Failure, OURSELVES};
use super::follow::{Reach, Show, Signals, block_on, follow};
use super::output::{Output, whoami};
use super::project::Project;
use crate::base::{Millis, TaskName};
use crate::definition::{Action, Leaf};
use crate::host::{RunRequest, find_root};
use serde::Serialize;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn exec(directory: Option<&Path>, args: args::Exec, output: &Output) -> Result<ExitCode, Failure> {
    let name = TaskName::new(&args.name)
        .map_err(|error| Failure::usage(format!("`{}` cannot name a command: {error}", args.name)))?;
    let definition = definition(&args)?;
    let project = place(directory)?;
    block_on(async {
        let mut signals = Signals::new()?;
        let builder = project.host().task(name.as_str(), definition);
        let reach = Reach::own(builder, None).await?;
        if let Err(failure) = not_taken(&reach, &name, &args.command) {
            reach.close().await;
            return Err(failure);
        }
        let mut request = RunRequest::new(name.as_str(), whoami());
        request.reason = args.reason;
        match reach.submit(request).await {
            Ok(submitted) => follow(reach, submitted.run, Show::Bare, &mut signals, output).await,
            Err(failure) => {
                let why = refused(&reach, &name).unwrap_or(failure);
                reach.close().await;
                Err(why)
            }
        }
    })
}

/// What would stand in a task file.
#[derive(Serialize)]
struct Definition<'a> {
    exec: &'a [String],
    working_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<&'a str>,
    #[serde(skip_serializing_if = "is_zero")]
    retry: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn definition(args: &args::Exec) -> Result<String, Failure> {
    if let Some(timeout) = &args.timeout {
        let read: Result<Millis, _> = timeout.parse();
        read.map_err(|error| Failure::usage(format!("`{timeout}` is not a duration: {error}")))?;
    }
    let here = std::env::current_dir()?;
    let here = here.to_str().ok_or_else(|| {
        Failure::new(OURSELVES, format!("the path of this directory is not text: {}", here.display()))
    })?;
    let definition = Definition {
        exec: &args.command,
        working_dir: here.to_owned(),
        timeout: args.timeout.as_deref(),
        retry: args.retry,
    };
    serde_yaml::to_string(&definition).map_err(|error| Failure::of(OURSELVES, &error))
}

/// A task of the project wins over a definition that is made up here, and would run in its place.
fn not_taken(reach: &Reach, name: &TaskName, command: &[String]) -> Result<(), Failure> {
    let Reach::Own(host) = reach else { return Ok(()) };
    let definitions = host.definitions();
    let task = definitions.catalog.task(name.as_str());
    let is_ours = |leaf: &Arc<Leaf>| matches!(&leaf.action, Action::Exec { argv } if argv == command);
    if task.is_none_or(|task| task.leaves.iter().all(is_ours)) {
        return Ok(());
    }
    Err(Failure::usage(format!("`{name}` is a task of this project"))
        .hint("give the command another name: --name NAME"))
}

/// What is wrong with the definition, in the words of `neap check`.
fn refused(reach: &Reach, name: &TaskName) -> Option<Failure> {
    let Reach::Own(host) = reach else { return None };
    let definitions = host.definitions();
    let file = format!("tasks/{name}.yaml");
    let problem = definitions.problems().find(|problem| problem.is_error() && *problem.file == *file)?;
    Some(Failure::new(OURSELVES, problem.message.clone()))
}

/// The project here or above; else a place of the user's own.
fn place(directory: Option<&Path>) -> Result<Project, Failure> {
    if directory.is_some() || find_root(&std::env::current_dir()?).is_some() {
        return Project::find(directory);
    }
    let root = user_state().ok_or_else(|| {
        Failure::new(OURSELVES, "there is no project here, and neither XDG_STATE_HOME nor HOME is set")
    })?;
    std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&root)?;
    Ok(Project::at(&std::fs::canonicalize(root)?))
}

fn user_state() -> Option<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = dir("XDG_STATE_HOME").or_else(|| dir("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("neap"))
}
