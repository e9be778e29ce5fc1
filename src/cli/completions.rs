//! `neap completions SHELL`: the script that registers `neap` for completion. What is offered is found at TAB time.

use super::args::{Completions, Shell};
use super::error::Failure;
use super::output::{Output, print};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use std::process::ExitCode;

/// The variable that makes `neap` answer the shell instead of a person.
const VARIABLE: &str = "COMPLETE";

pub(crate) fn completions(args: &Completions, output: &Output) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    let program = program();
    completer(args.shell).write_registration(VARIABLE, "neap", "neap", &program, &mut script)?;
    let script = String::from_utf8_lossy(&script);
    match output.json {
        true => output.print_json(&serde_json::json!({ "script": script }))?,
        false => print(&script)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn completer(shell: Shell) -> &'static dyn EnvCompleter {
    match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    }
}

/// What the shell shall call: as it was called now. A relative path would lead elsewhere from another directory.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let is_path = called.as_encoded_bytes().contains(&b'/');
    let path = if is_path { std::env::current_exe().ok() } else { None };
    path.map_or_else(|| "neap".into(), |path| path.to_string_lossy().into_owned())
}
