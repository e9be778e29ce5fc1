//! `neap prio`: who gets what is free first, changed while runs wait.

use super::args;
use super::cancel::going_host;
use super::each::{Each, is_many, named};
use super::error::{FINDINGS, Failure};
use super::output::{Output, print, whoami};
use super::project::Project;
use super::run::priority;
use super::see::{See, block_on};
use crate::api::{Prio, RunInfo, priority_word};
use crate::base::RunId;
use crate::engine::Author;
use std::process::ExitCode;

pub(crate) fn prio(project: &Project, args: &args::Prio, output: &Output) -> Result<ExitCode, Failure> {
    let priority = priority(&args.level)?;
    block_on(async {
        let see = See::new(project).await;
        let runs = named(&see, std::slice::from_ref(&args.run))?;
        let mut each = Each::new(is_many(&args.run), output);
        if args.dry_run {
            return each.would("prioritise", &see, &runs).await;
        }
        for run in runs {
            let info = one(&see, run, priority).await;
            if let (Ok(info), false) = (&info, output.json) {
                print(&format!("{}: priority {}\n", info.name, priority_word(priority)))?;
            }
            each.take(info);
        }
        each.end()
    })
}

async fn one(see: &See, run: RunId, priority: i32) -> Result<RunInfo, Failure> {
    let before = see.run(run).await?;
    if before.state.is_over() {
        let message = format!("{} is over ({}): nothing of it waits", before.name, before.state.word());
        return Err(Failure::new(FINDINGS, message));
    }
    let wish = Prio { priority, by: Some(Author(whoami().into())) };
    Ok(going_host(see, &before)?.post(&format!("/api/v1/runs/{run}/prio"), &wish).await?)
}
