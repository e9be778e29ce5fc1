//! Where read commands get what they show: from the host when one is up, else from the files. Both give the same types.

use super::error::Failure;
use super::output::now;
use super::project::Project;
use crate::api::{
    AheadInfo, Client, ClientError, FireInfo, LeftOutInfo, RunInfo, Selected, Selector, Sight, TaskInfo, Why,
};
use crate::base::{Moment, RunId, TaskName};
use crate::definition::Task;
use crate::engine::{Capacity, State};
use crate::host::{Definitions, Live, definitions};
use crate::store::{History, RunFilter};
use std::path::PathBuf;

/// Everything a read command may ask.
pub(crate) struct See {
    host: Option<Client>,
    state_dir: PathBuf,
    root: PathBuf,
    /// Made when it is first needed.
    files: std::cell::OnceCell<Files>,
}

struct Files {
    live: Live,
    history: History,
    definitions: Definitions,
}

impl See {
    /// Looks whether a host is up.
    pub(crate) async fn new(project: &Project) -> See {
        let client = Client::new(&project.state_dir);
        let host = if client.is_up().await { Some(client) } else { None };
        See {
            host,
            state_dir: project.state_dir.clone(),
            root: project.root.clone(),
            files: Default::default(),
        }
    }

    /// The host, when one is up.
    pub(crate) fn host(&self) -> Option<&Client> {
        self.host.as_ref()
    }

    fn files(&self) -> Result<&Files, Failure> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let history = History::open_or_empty(&self.state_dir)?;
        let mut state = State::default();
        state.cursors = history.cursors()?;
        state.resting = history.paused()?.into_iter().map(|(task, pause)| (task, pause.into())).collect();
        state.rates = history.rates()?;
        state.paused_queues =
            history.paused_queues()?.into_iter().map(|(queue, pause)| (queue, pause.into())).collect();
        let live = Live { state: state.replay(&history.unfinished()?), ..Live::default() };
        let files = Files { live, history, definitions: definitions(&self.root) };
        Ok(self.files.get_or_init(|| files))
    }

    fn sight<R>(&self, look: impl FnOnce(&Sight<'_>) -> R) -> Result<R, Failure> {
        let Files { live, history, definitions } = self.files()?;
        let slots = definitions.settings.slots.map_or_else(processors, |slots| slots as usize);
        let machine = std::sync::Arc::clone(&definitions.settings.machine);
        let capacity = Capacity { machine, ..Capacity::new(slots) };
        let sight =
            Sight { live, history, definitions, state_dir: &self.state_dir, capacity: &capacity, now: now() };
        Ok(look(&sight))
    }

    pub(crate) async fn tasks(&self) -> Result<Vec<TaskInfo>, Failure> {
        match &self.host {
            Some(host) => Ok(host.get("/api/v1/tasks").await?),
            None => Ok(self.sight(|sight| sight.tasks())??),
        }
    }

    /// What goes on, with the jobs that are active.
    pub(crate) async fn going(&self) -> Result<Vec<RunInfo>, Failure> {
        match &self.host {
            Some(host) => Ok(host.get("/api/v1/going").await?),
            None => self.sight(|sight| sight.going()),
        }
    }

    /// One run with its jobs.
    pub(crate) async fn run(&self, run: RunId) -> Result<RunInfo, Failure> {
        let gone = || Failure::new(super::error::FINDINGS, format!("there is no run {run}"));
        match &self.host {
            Some(host) => Ok(host.get(&format!("/api/v1/runs/{run}")).await?),
            None => self.sight(|sight| sight.run(run))??.ok_or_else(gone),
        }
    }

    /// A page of runs. Filters that the wire does not know are applied here.
    pub(crate) fn runs(&self, filter: &RunFilter) -> Result<Vec<RunInfo>, Failure> {
        // The database is read in place in any case: it never waits for the host.
        Ok(self.sight(|sight| sight.runs(filter))??)
    }

    /// The last slots of a task's schedules that got no run.
    pub(crate) fn left_out(&self, task: &Task, limit: u32) -> Result<Vec<LeftOutInfo>, Failure> {
        Ok(self.sight(|sight| sight.left_out(task, limit))??)
    }

    pub(crate) async fn fires(&self, task: Option<&TaskName>) -> Result<Vec<FireInfo>, Failure> {
        let query = task.map(|task| format!("?task={task}")).unwrap_or_default();
        match &self.host {
            Some(host) => Ok(host.get(&format!("/api/v1/next{query}")).await?),
            None => self.sight(|sight| sight.fires(task)),
        }
    }

    /// What is wrong with the files, a line (or a paragraph) each.
    pub(crate) async fn problems(&self) -> Result<Vec<String>, Failure> {
        match &self.host {
            Some(host) => Ok(host.get("/api/v1/problems").await?),
            None => self.sight(|sight| sight.definitions.problems().map(ToString::to_string).collect()),
        }
    }

    /// What would start when. The files and the history tell, also beside a host.
    pub(crate) fn ahead(&self, from: Option<Moment>, to: Moment, speed: f64) -> Result<AheadInfo, Failure> {
        Ok(self.sight(|sight| sight.ahead(from, to, speed))??)
    }

    /// Why a task, a run or a job is not running.
    pub(crate) async fn why(&self, of: &str) -> Result<Why, Failure> {
        match &self.host {
            Some(host) => Ok(host.ask("/api/v1/why", &[("of", of)]).await?),
            None => Ok(self.sight(|sight| sight.why(of))??),
        }
    }

    /// The runs that a selector means.
    pub(crate) fn select(&self, text: &str) -> Result<Vec<Selected>, Failure> {
        let selector: Selector = text.parse()?;
        let files = self.files()?;
        let tasks: Vec<&str> = files.definitions.catalog.tasks().map(|task| task.name.as_str()).collect();
        Ok(selector.find(&files.history, &files.live, &tasks)?)
    }

    /// The one run that a selector means.
    pub(crate) fn select_one(&self, text: &str) -> Result<Selected, Failure> {
        let selector: Selector = text.parse()?;
        let files = self.files()?;
        let tasks: Vec<&str> = files.definitions.catalog.tasks().map(|task| task.name.as_str()).collect();
        Ok(selector.find_one(&files.history, &files.live, &tasks)?)
    }

    /// What is defined, as the files say.
    pub(crate) fn definitions(&self) -> Result<&Definitions, Failure> {
        Ok(&self.files()?.definitions)
    }

    /// What is written.
    pub(crate) fn history(&self) -> Result<&History, Failure> {
        Ok(&self.files()?.history)
    }

    /// The host that must be up for what the command wants.
    pub(crate) fn needed_host(&self) -> Result<&Client, Failure> {
        self.host.as_ref().ok_or_else(|| ClientError::NoHost(std::io::ErrorKind::NotFound.into()).into())
    }
}

/// What a host takes when the settings do not say.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs a command's conversation with the host on a small runtime of its own.
pub(crate) fn block_on<R>(work: impl Future<Output = Result<R, Failure>>) -> Result<R, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
