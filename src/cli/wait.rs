//! `neap wait`: until runs have ended. Looking on changes nothing: Ctrl-C ends the wait and not the runs.

use super::args;
use super::each::named;
use super::error::{FINDINGS, Failure, OURSELVES};
use super::follow::{Signals, Wish, plain};
use super::output::{Output, print};
use super::project::Project;
use super::see::{See, block_on};
use crate::api::{Client, ClientError, RunInfo, RunState};
use crate::base::RunId;
use std::collections::BTreeMap;
use std::process::ExitCode;
use tokio::task::JoinSet;

pub(crate) fn wait(project: &Project, args: &args::Wait, output: &Output) -> Result<ExitCode, Failure> {
    block_on(async {
        let mut signals = Signals::new()?;
        let see = See::new(project).await;
        let runs = named(&see, &args.runs)?;
        let mut waiting = Waiting::begin(&see, &runs).await?;
        let mut ended = BTreeMap::new();
        while ended.len() < runs.len() {
            tokio::select! {
                info = waiting.next() => {
                    let info = info?;
                    if !output.json {
                        print(&plain::ended(&info))?;
                    }
                    ended.insert(info.id, info);
                }
                wish = signals.next() => if wish != Wish::Continue {
                    let left: Vec<String> =
                        runs.iter().filter(|run| !ended.contains_key(run)).map(RunId::to_string).collect();
                    let left = left.join(" ");
                    output.say(&format!("not waiting any longer; the runs go on. To end them: neap cancel {left}"));
                    return Ok(ExitCode::from(wish.exit_code()));
                },
            }
        }
        let infos: Vec<RunInfo> = runs.iter().filter_map(|run| ended.remove(run)).collect();
        if output.json {
            output.print_json(&infos)?;
        }
        Ok(ExitCode::from(code(&infos)))
    })
}

/// The code of the first that did not succeed, in the order in which they were asked for.
fn code(infos: &[RunInfo]) -> u8 {
    let failed = infos.iter().find(|info| info.state != RunState::Succeeded);
    failed.map_or(0, |info| info.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FINDINGS))
}

/// One question to the host for each run, all at once.
struct Waiting(JoinSet<Result<RunInfo, Failure>>);

impl Waiting {
    async fn begin(see: &See, runs: &[RunId]) -> Result<Waiting, Failure> {
        let mut waiting = JoinSet::new();
        for &run in runs {
            match see.host() {
                Some(host) => {
                    waiting.spawn(end_of(host.clone(), run));
                }
                None => {
                    let info = see.run(run).await?;
                    if !info.state.is_over() {
                        return Err(nobody_goes_on(&info));
                    }
                    waiting.spawn(async { Ok(info) });
                }
            }
        }
        Ok(Waiting(waiting))
    }

    async fn next(&mut self) -> Result<RunInfo, Failure> {
        match self.0.join_next().await {
            Some(Ok(info)) => info,
            Some(Err(error)) => Err(Failure::of(OURSELVES, &error)),
            None => Err(Failure::new(OURSELVES, "there is nothing to wait for")),
        }
    }
}

fn nobody_goes_on(info: &RunInfo) -> Failure {
    Failure::new(OURSELVES, format!("no host is up, so {} will not go on", info.name))
        .hint("start one: neap serve (a run of another `neap run` belongs to that command)")
}

async fn end_of(host: Client, run: RunId) -> Result<RunInfo, Failure> {
    let gone = |name: &str| {
        Failure::new(OURSELVES, format!("the host has ended before {name}"))
            .hint("the next host goes on with it: neap serve")
    };
    match host.get::<RunInfo>(&format!("/api/v1/runs/{run}/wait")).await {
        Ok(info) if info.state.is_over() => Ok(info),
        Ok(info) => Err(gone(&info.name)),
        Err(ClientError::Broken(_)) => Err(gone(&format!("run {run}"))),
        Err(error) => Err(error.into()),
    }
}
