//! What an attempt is given to work with: its environment, its directory, its log.

use crate::base::AttemptId;
use crate::definition::{self, Action, Leaf, OnHostDeath, Process};
use crate::engine::{Run, Trigger};
use crate::exec::{Masks, Start};
use crate::host::ends::{OUTPUTS, beside};
use crate::host::hooks::{BODY, CONTENT_TYPE};
use crate::host::lookout::{CHANGED, CHANGED_COUNT, CHANGED_FILE};
use crate::host::results::{ARTIFACTS, OUTPUT};
use crate::host::{Inner, actions};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a `before` hook changes about one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) env: Vec<(String, String)>,
    pub(super) args: Vec<String>,
    pub(super) cwd: Option<PathBuf>,
}

/// What had to be looked up before an attempt can start.
#[derive(Default)]
pub(super) struct Given {
    /// The variables of `dotenv` files.
    pub(super) dotenv: Vec<(String, String)>,
    /// The secrets, which win over every other variable of the job's own.
    pub(super) secrets: Vec<(String, String)>,
    /// What must not be seen.
    pub(super) masks: Masks,
}

impl Inner {
    /// Everything a runner needs for an attempt; `None` when its run is not there any more.
    ///
    /// # Errors
    /// Why it cannot start.
    pub(super) fn start_of(
        &self,
        attempt: AttemptId,
        changes: Changes,
        given: &Given,
    ) -> Option<Result<Start, String>> {
        let watch_lines = self.watches_lines(attempt.job);
        self.view.look(|live| {
            let run = live.state.runs.get(&attempt.job.run)?;
            let ends = self
                .stdin_of(live, run, attempt)
                .and_then(|stdin| Ok((stdin, self.stdout_of(run, attempt)?)));
            let (stdin, stdout) = match ends {
                Ok(ends) => ends,
                Err(why) => return Some(Err(why)),
            };
            let leaf = run.leaf(attempt.job.index);
            let own = changes.cwd.as_ref().map(|dir| self.root.join(dir));
            let working_dir = own.unwrap_or_else(|| directory_of(leaf, &self.root));
            let mut env = self.environment_with(run, attempt, &working_dir, given);
            env.extend(changes.env.iter().map(|(name, value)| (name.into(), value.into())));
            Some(Ok(Start {
                attempt,
                label: label(run, attempt),
                action: actions::resolved(with_arguments(leaf.action.clone(), &changes.args)),
                params: run.params(attempt.job.index).clone(),
                working_dir,
                env,
                log: self.log_of(run, attempt),
                watch_lines,
                masks: given.masks.clone(),
                stdin,
                stdout,
                outputs: beside(self.log_of(run, attempt), OUTPUTS),
                log_mode: leaf.log.mode,
                log_size: leaf.log.max_size,
                stall_timeout: leaf.stall_timeout,
                process: Process { on_host_death: Some(self.on_death_of(run, leaf)), ..leaf.process.clone() },
            }))
        })
    }

    /// What becomes of the process of a job when this host dies.
    pub(super) fn on_death_of(&self, run: &Run, leaf: &Leaf) -> OnHostDeath {
        match run.bound {
            // It ends with the program it belongs to.
            true => OnHostDeath::Kill,
            false => leaf.process.on_host_death.unwrap_or(self.on_host_death),
        }
    }

    /// The environment of a job without its secrets.
    pub(super) fn environment(
        &self,
        run: &Run,
        attempt: AttemptId,
        working_dir: &Path,
    ) -> Vec<(OsString, OsString)> {
        self.environment_with(run, attempt, working_dir, &Given::default())
    }

    /// The host's own environment, then the project's, the job's, the parameters, and what neap says; later wins.
    pub(super) fn environment_with(
        &self,
        run: &Run,
        attempt: AttemptId,
        working_dir: &Path,
        given: &Given,
    ) -> Vec<(OsString, OsString)> {
        let plan = run.plan.plan();
        let leaf = run.leaf(attempt.job.index);
        let text = |name: &str, value: String| (OsString::from(name), OsString::from(value));
        let mut env: Vec<_> = handed_on(&self.base_env, &leaf.process).cloned().collect();
        let settings = self.settings();
        let own = settings.env.iter().chain(&leaf.env);
        env.extend(given.dotenv.iter().map(|(name, value)| text(name, value.clone())));
        env.extend(own.map(|(name, value)| text(name, value.clone())));
        env.extend(given.secrets.iter().map(|(name, value)| text(name, value.clone())));
        env.extend(cell_variables(run, attempt.job.index));
        env.extend(
            definition::environment(run.params(attempt.job.index))
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        env.extend([
            text("NEAP", "1".into()),
            text("NEAP_TASK", leaf.name.to_string()),
            text("NEAP_RUN", attempt.job.run.to_string()),
            text("NEAP_RUN_NUMBER", run.number.to_string()),
            text("NEAP_JOB", leaf.name.seen_from(&plan.task).to_owned()),
            text("NEAP_ATTEMPT", attempt.number.to_string()),
            text("NEAP_TRIGGER", trigger_word(&run.trigger).to_owned()),
            (OsString::from("NEAP_DIR"), self.root.clone().into_os_string()),
            (OsString::from("NEAP_WORKDIR"), working_dir.as_os_str().to_owned()),
            (OsString::from(OUTPUT), beside(self.log_of(run, attempt), OUTPUTS).into_os_string()),
        ]);
        if wants_artifacts(leaf) {
            let folder = self.artifacts_of(attempt, leaf.name.seen_from(&plan.task));
            env.push((OsString::from(ARTIFACTS), folder.into_os_string()));
        }
        env.extend(self.changed_variables(attempt.job.run, run));
        env.extend(self.call_variables(attempt.job.run, run));
        if let Some(slot) = run.trigger.slot() {
            env.push(text("NEAP_SCHEDULED_AT", slot.to_string()));
        }
        env
    }

    /// Where an attempt's output goes: `runs/<id>/<job>.<attempt>.log` in the state directory.
    pub(super) fn log_of(&self, run: &Run, attempt: AttemptId) -> PathBuf {
        let name = &run.node(attempt.job.index).leaf.name;
        let job = name.seen_from(&run.plan.plan().task);
        self.state_dir.join(log_path(attempt, job))
    }
}

/// The environment that this program was started with, without what another host said about itself.
pub(super) fn base_environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !is_ours(name)).collect()
}

/// What a job gets of the host's own environment. A name that is no text fits no pattern.
pub(super) fn handed_on<'e>(
    base: &'e [(OsString, OsString)],
    process: &Process,
) -> impl Iterator<Item = &'e (OsString, OsString)> {
    base.iter().filter(|(name, _)| name.to_str().map_or(!process.clean_env, |name| process.passes(name)))
}

/// Variables that a job of another host would hand on to ours, and which would be untrue here.
fn is_ours(name: &std::ffi::OsStr) -> bool {
    const OURS: [&str; 14] = [
        "NEAP_TASK",
        "NEAP_RUN",
        "NEAP_RUN_NUMBER",
        "NEAP_JOB",
        "NEAP_ATTEMPT",
        "NEAP_TRIGGER",
        "NEAP_SCHEDULED_AT",
        "NEAP_WORKDIR",
        "NEAP_MARK",
        CHANGED,
        CHANGED_COUNT,
        CHANGED_FILE,
        BODY,
        CONTENT_TYPE,
    ];
    OURS.iter().any(|ours| name == *ours)
}

/// What a cell stands for: `item` is `NEAP_ITEM`, and an axis `os` is `MATRIX_OS`.
fn cell_variables(run: &Run, index: u32) -> Vec<(OsString, OsString)> {
    let Some(cell) = &run.jobs[index as usize].cell else { return Vec::new() };
    let variable = |name: String, value: &serde_json::Value| {
        (OsString::from(name), OsString::from(definition::shown(value)))
    };
    let mut variables = Vec::new();
    for (name, value) in cell.values.iter() {
        match value {
            serde_json::Value::Object(axes) if name == "matrix" => {
                variables.extend(
                    axes.iter().map(|(axis, value)| {
                        variable(format!("MATRIX_{}", axis.to_ascii_uppercase()), value)
                    }),
                );
            }
            value => variables.push(variable(format!("NEAP_{}", name.to_ascii_uppercase()), value)),
        }
    }
    variables
}

/// Whether a job may put files into the folder for what is kept: it declares some, or its text speaks of the folder.
pub(super) fn wants_artifacts(leaf: &Leaf) -> bool {
    let speaks = match &leaf.action {
        Action::Run { script, .. } => script.contains(ARTIFACTS),
        Action::Exec { argv } => argv.iter().any(|word| word.contains(ARTIFACTS)),
        Action::Lua { .. } | Action::Script { .. } | Action::Call { .. } => false,
    };
    speaks || !leaf.artifacts.is_empty()
}

/// The path of an attempt's log below the state directory. `job` is the job's name as seen from its run's task.
pub fn log_path(attempt: AttemptId, job: &str) -> PathBuf {
    // A name holds no `+`, so two jobs never share a file.
    let file = format!("{}.{}.log", job.replace('/', "+"), attempt.number);
    Path::new("runs").join(attempt.job.run.to_string()).join(file)
}

/// Where a job works, unless a hook says otherwise.
pub(super) fn directory_of(leaf: &Leaf, root: &Path) -> PathBuf {
    leaf.working_dir.as_ref().map_or_else(|| root.to_path_buf(), |dir| root.join(dir))
}

/// The word for what caused a run: `manual`, `schedule`, `retry`, `task`, `after`, `watch` or `webhook`.
pub fn trigger_word(trigger: &Trigger) -> &'static str {
    match trigger {
        Trigger::Manual => "manual",
        Trigger::Schedule { .. } => "schedule",
        Trigger::Retry { .. } => "retry",
        Trigger::Task { .. } => "task",
        Trigger::After { .. } => "after",
        Trigger::Watch { .. } => "watch",
        Trigger::Webhook { .. } => "webhook",
    }
}

/// How people know an attempt: `nightly#3/dump.1`.
fn label(run: &Run, attempt: AttemptId) -> String {
    let plan = run.plan.plan();
    let job = run.node(attempt.job.index).leaf.name.seen_from(&plan.task);
    format!("{}#{}/{job}.{}", plan.task, run.number, attempt.number)
}

/// The action with further arguments. Text for a shell gets them as `$1`, `$2` and so on.
fn with_arguments(action: Action, args: &[String]) -> Action {
    match action {
        _ if args.is_empty() => action,
        Action::Exec { mut argv } => {
            argv.extend_from_slice(args);
            Action::Exec { argv }
        }
        Action::Run { words: Some(mut words), script, shell } => {
            words.extend_from_slice(args);
            Action::Run { words: Some(words), script, shell }
        }
        // Words of text for a shell are its author's business; adding some would change what it says.
        Action::Run { .. } | Action::Lua { .. } | Action::Script { .. } | Action::Call { .. } => action,
    }
}
