//! `neap approve` and `neap reject`: a person decides over a job that waits for that.

use super::args;
use super::cancel::going_host;
use super::error::{FINDINGS, Failure};
use super::output::{Output, print, whoami};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{Decide, RunInfo};
use crate::engine::Author;
use std::process::ExitCode;

pub(crate) fn decide(
    project: &Project,
    args: &args::Decide,
    approved: bool,
    output: &Output,
) -> Result<ExitCode, Failure> {
    block_on(async {
        let see = See::new(project).await;
        let selected = see.select_one(&args.run)?;
        let before = see.run(selected.run).await?;
        if before.state.is_over() {
            let message = format!("{} is over ({}): nothing of it waits", before.name, before.state.word());
            return Err(Failure::new(FINDINGS, message));
        }
        let wish = Decide {
            job: selected.job,
            approved,
            reason: args.reason.clone(),
            by: Some(Author(whoami().into())),
        };
        let host = going_host(&see, &before)?;
        let info: RunInfo = host.post(&format!("/api/v1/runs/{}/decide", selected.run), &wish).await?;
        if output.json {
            output.print_json(&info)?;
        } else {
            let verb = if approved { "approved" } else { "rejected" };
            print(&format!("{}: {verb}\n", info.name))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
