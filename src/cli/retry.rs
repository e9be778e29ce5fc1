//! `neap retry`: another run of the same plan, in which what succeeded is not done again.

use super::args;
use super::error::{FINDINGS, Failure};
use super::follow::{Reach, Show, Signals, block_on, follow};
use super::output::Output;
use super::project::Project;
use super::run::handed_over;
use super::see::See;
use crate::api::Selected;
use crate::host::RetryScope;
use std::process::ExitCode;

pub(crate) fn retry(project: &Project, args: args::Retry, output: &Output) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut signals = Signals::new()?;
        let see = See::new(project).await;
        let Selected { run: of, job, .. } = see.select_one(&args.run)?;
        let earlier = see.run(of).await?;
        if !earlier.state.is_over() {
            let failure = Failure::new(FINDINGS, format!("{} has not ended", earlier.name));
            return Err(match see.host() {
                Some(_) => failure.hint(format!("wait for it: neap wait {of}")),
                None => failure.hint("no host is up; the next one goes on with it: neap serve"),
            });
        }
        drop(see);
        let scope = match (args.from.or(job), args.all) {
            (Some(job), _) => RetryScope::From(job),
            (None, true) => RetryScope::All,
            (None, false) => RetryScope::Failed,
        };
        if args.detach {
            let reach = Reach::up(project).await?;
            let run = reach.retry(of, scope, args.reason).await?;
            return handed_over(&reach, run, output).await;
        }
        let reach = Reach::of(project, None).await?;
        match reach.retry(of, scope, args.reason).await {
            Ok(run) => follow(reach, run, Show::from(args.output), &mut signals, output).await,
            Err(failure) => {
                reach.close().await;
                Err(failure)
            }
        }
    })
}
