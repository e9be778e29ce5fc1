//! Where a run is carried out: by the host that is up, or by one of our own that lives as long as this command.

use super::super::error::{Failure, OURSELVES};
use super::super::output::{now, whoami};
use super::super::project::Project;
use super::board::Board;
use crate::api::{Cancel, Client, Events, Follow, HostInfo, RetryRequest, RunInfo, Sight};
use crate::base::RunId;
use crate::engine::Author;
use crate::host::{
    Builder, CommandError, Happening, Host, Mode, OpenError, RetryScope, RunRequest, Submitted,
};
use crate::plan::Plan;
use crate::store::{History, Seq, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whoever carries out runs.
pub(crate) enum Reach {
    /// A host that is up, reached through its socket.
    Up { client: Client, state_dir: PathBuf },
    /// A host in this program.
    Own(Host),
}

/// What happens to a run.
pub(crate) enum Source {
    Up(Events),
    Own(Box<Follow>),
}

impl Source {
    /// The next thing; `None` when the host has ended. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Option<Happening> {
        match self {
            Source::Up(events) => events.next().await,
            Source::Own(follow) => follow.next().await,
        }
    }
}

impl Reach {
    /// The host that is up, or else one of our own.
    pub(crate) async fn of(project: &Project, slots: Option<usize>) -> Result<Reach, Failure> {
        let client = Client::new(&project.state_dir);
        if client.is_up().await {
            return Ok(Reach::Up { client, state_dir: project.state_dir.clone() });
        }
        Reach::own(project.host(), slots).await
    }

    /// The host that is up; there must be one.
    pub(crate) async fn up(project: &Project) -> Result<Reach, Failure> {
        let client = Client::new(&project.state_dir);
        if client.is_up().await {
            return Ok(Reach::Up { client, state_dir: project.state_dir.clone() });
        }
        Err(Failure::new(OURSELVES, "no host is up that could go on with it")
            .hint("start one with `neap serve`, or leave out --detach"))
    }

    /// A host of our own.
    pub(crate) async fn own(builder: Builder, slots: Option<usize>) -> Result<Reach, Failure> {
        let builder = builder.mode(Mode::Run);
        let builder = match slots {
            Some(slots) => builder.slots(slots),
            None => builder,
        };
        builder.open().await.map(Reach::Own).map_err(taken)
    }

    /// The run, and whether it is a new one.
    pub(crate) async fn submit(&self, request: RunRequest) -> Result<Submitted, Failure> {
        match self {
            Reach::Up { client, .. } => {
                let told: crate::api::Submitted = client.post("/api/v1/runs", &request).await?;
                Ok(Submitted { run: told.run.id, is_new: !told.is_repeated })
            }
            Reach::Own(host) => Ok(host.submit_once(RunRequest { bound: true, ..request }).await?),
        }
    }

    pub(crate) async fn retry(
        &self,
        of: RunId,
        scope: RetryScope,
        reason: Option<String>,
    ) -> Result<RunId, Failure> {
        let by = Author(whoami().into());
        match self {
            Reach::Up { client, .. } => {
                let request = RetryRequest { scope, reason, by: Some(by) };
                let info: RunInfo = client.post(&format!("/api/v1/runs/{of}/retry"), &request).await?;
                Ok(info.id)
            }
            Reach::Own(host) => Ok(host.retry(of, scope, by, reason, true).await?),
        }
    }

    /// Everything that happened to a run, then what happens.
    pub(crate) async fn events(&self, run: RunId) -> Result<Source, Failure> {
        match self {
            Reach::Up { client, .. } => Ok(Source::Up(client.events(&format!("?run={run}&after=0")).await?)),
            Reach::Own(host) => Ok(Source::Own(Box::new(Follow::new(host.clone(), Some(run), Some(Seq(0)))))),
        }
    }

    /// Asks for the early end of a run. One that has ended meanwhile has what was wanted.
    pub(crate) async fn cancel(&self, run: RunId, reason: &str, now: bool) -> Result<(), Failure> {
        let by = Author(whoami().into());
        let reason = Some(reason.to_owned());
        match self {
            Reach::Up { client, .. } => {
                let wish = Cancel { reason, now, by: Some(by) };
                match client.post::<RunInfo>(&format!("/api/v1/runs/{run}/cancel"), &wish).await {
                    Err(crate::api::ClientError::Refused { status: 404 | 409, .. }) => Ok(()),
                    Err(error) => Err(error.into()),
                    Ok(_) => Ok(()),
                }
            }
            Reach::Own(host) => match host.cancel(run, by, reason, now).await {
                Ok(()) | Err(CommandError::NotGoing(_) | CommandError::Already { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Decides over a job of a run of our own that waits for an approval. One that does not wait any more needs none.
    pub(crate) async fn decide(
        &self,
        run: RunId,
        job: &str,
        approved: bool,
        reason: Option<&str>,
    ) -> Result<(), Failure> {
        let Reach::Own(host) = self else { return Ok(()) };
        match host.decide(run, Some(job), approved, Author(whoami().into()), reason.map(str::to_owned)).await
        {
            Ok(_) | Err(CommandError::NotGoing(_) | CommandError::NotAsked { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// One run with its jobs.
    pub(crate) async fn info(&self, run: RunId) -> Result<RunInfo, Failure> {
        let host = match self {
            Reach::Up { client, .. } => return Ok(client.get(&format!("/api/v1/runs/{run}")).await?),
            Reach::Own(host) => host,
        };
        let live = host.look(Clone::clone);
        let sight = Sight {
            live: &live,
            history: host.history(),
            definitions: &host.definitions(),
            state_dir: host.state_dir(),
            capacity: &host.capacity(),
            now: now(),
        };
        sight.run(run)?.ok_or_else(|| Failure::new(OURSELVES, format!("there is no run {run}")))
    }

    /// The number of a run in its task, and what it does. Read in place: that never waits for a host.
    pub(crate) fn plan(&self, run: RunId) -> Result<(u64, Arc<Plan>), Failure> {
        let history = self.history()?;
        let row = history.run(run)?;
        let row = row.ok_or_else(|| Failure::new(OURSELVES, format!("there is no run {run}")))?;
        Ok((row.number, history.plan(&row.plan)?))
    }

    /// The board, with how long the jobs of the run usually take. Nobody waits for that in vain: what cannot be learned is not
    /// shown.
    pub(crate) async fn foresee(&self, board: Board) -> Board {
        let slots = match self {
            Reach::Up { client, .. } => {
                client.get::<HostInfo>("/api/v1/host").await.ok().map(|host| host.slots)
            }
            Reach::Own(host) => Some(host.slots()),
        };
        let usuals = self.history().ok().and_then(|history| history.usual(&board.plan.task).ok());
        match (usuals, slots) {
            (Some(usuals), Some(slots)) => board.with_usual(usuals, slots),
            (Some(_), None) | (None, _) => board,
        }
    }

    /// The shortest beginning of a run's id, from three letters on, that means no other run.
    pub(crate) fn short(&self, run: RunId) -> Result<String, Failure> {
        let (history, id) = (self.history()?, run.to_string());
        for length in 3..id.len() {
            if history.by_prefix(&id[..length])?.len() < 2 {
                return Ok(id[..length].to_owned());
            }
        }
        Ok(id)
    }

    pub(crate) fn state_dir(&self) -> &Path {
        match self {
            Reach::Up { state_dir, .. } => state_dir,
            Reach::Own(host) => host.state_dir(),
        }
    }

    fn history(&self) -> Result<History, Failure> {
        match self {
            Reach::Up { state_dir, .. } => Ok(History::open(state_dir)?),
            Reach::Own(host) => Ok(host.history().clone()),
        }
    }

    /// A host of our own ends with the command.
    pub(crate) async fn close(self) {
        match self {
            Reach::Up { .. } => {}
            Reach::Own(host) => host.shutdown().await,
        }
    }
}

/// The project is in use, and nobody listens on its socket: another command works in it.
fn taken(error: OpenError) -> Failure {
    let OpenError::Store(StoreError::Locked { pid, since }) = &error else { return error.into() };
    let pid = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
    let since = since.map_or(String::new(), |since| format!(" since {since}"));
    Failure::new(
        OURSELVES,
        format!("another neap{pid} works in this project{since}, and takes no further runs"),
    )
    .hint("wait until it has ended; with `neap serve` any number of runs go on side by side")
}
