//! The commands. Thin: each verb asks the library and prints what it says. One file per verb.
//!
//! Standard output is the answer, standard error is talk. Every verb exits through `Failure` or with the code of what
//! it ran, and this file is the only one that ends the process.

mod args;
mod backfill;
mod cancel;
mod check;
mod complete;
mod completions;
mod decide;
mod doctor;
mod each;
mod error;
mod exec;
mod explain;
mod export;
mod follow;
mod gist;
mod graph;
mod history;
mod import;
mod init;
mod logs;
mod look;
mod ls;
mod neutral;
mod next;
mod output;
mod plan;
mod prio;
mod project;
mod ps;
mod rest;
mod retry;
mod run;
mod schema;
mod see;
mod serve;
mod show;
mod tail;
mod wait;
mod welcome;
mod why;

use args::{Cli, Verb};
use clap::{CommandFactory, Parser};
use error::Failure;
use output::Output;
use project::Project;
use std::process::ExitCode;

/// Runs the program: reads the arguments, carries the verb out, and says how it went.
pub fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();
    let cli = Cli::parse();
    let output = Output::new(&cli.global);
    talk(cli.global.verbose);
    match act(cli, &output) {
        Ok(code) => code,
        Err(failure) => output.failure(&failure),
    }
}

fn act(cli: Cli, output: &Output) -> Result<ExitCode, Failure> {
    let directory = cli.global.directory.as_deref();
    let project = || Project::find(directory);
    let Some(verb) = cli.verb else { return welcome::welcome(directory, output) };
    match verb {
        Verb::Init(args) => init::init(directory, &args, output),
        Verb::Run(args) => run::run(&project()?, args, output),
        Verb::Exec(args) => exec::exec(directory, args, output),
        Verb::Retry(args) => retry::retry(&project()?, args, output),
        Verb::Wait(args) => wait::wait(&project()?, &args, output),
        Verb::Cancel(args) => cancel::cancel(&project()?, &args, output),
        Verb::Approve(args) => decide::decide(&project()?, &args, true, output),
        Verb::Reject(args) => decide::decide(&project()?, &args, false, output),
        Verb::Backfill(args) => backfill::backfill(&project()?, &args, output),
        Verb::Prio(args) => prio::prio(&project()?, &args, output),
        Verb::Pause(args) => rest::rest(&project()?, &args, true, output),
        Verb::Resume(args) => rest::rest(&project()?, &args, false, output),
        Verb::Serve(args) => serve::serve(&project()?, &args, output),
        Verb::Reload => serve::reload(&project()?, output),
        Verb::Ls => ls::ls(&project()?, output),
        Verb::Ps => ps::ps(&project()?, output),
        Verb::Why(args) => why::why(&project()?, &args, output),
        Verb::Show(args) => show::show(&project()?, &args, output),
        Verb::Logs(args) => logs::logs(&project()?, &args, output),
        Verb::History(args) => history::history(&project()?, &args, output),
        Verb::Next(args) => next::next(directory, &args, output),
        Verb::Plan(args) => plan::plan(&project()?, &args, output),
        Verb::Graph(args) => graph::graph(&project()?, &args, output),
        Verb::Import(args) => import::import(directory, &args, output),
        Verb::Export(args) => export::export(&project()?, &args, output),
        Verb::Check(args) => check::check(&project()?, &args, output),
        Verb::Doctor => doctor::doctor(directory, output),
        Verb::Explain(args) => explain::explain(&args, output),
        Verb::Schema(args) => schema::run(directory, &args, output),
        Verb::Completions(args) => completions::completions(&args, output),
    }
}

/// What neap says about itself goes to standard error; `NEAP_LOG` takes a filter such as `neap=debug`.
fn talk(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "neap=warn",
        1 => "neap=info",
        _ => "neap=debug",
    };
    let filter = EnvFilter::try_from_env("NEAP_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
