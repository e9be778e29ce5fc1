//! What an attempt is given to work with: its environment, its directory, its log.

use crate::base::AttemptId;
use crate::definition::{self, Action, Leaf};
use crate::engine::{Run, Trigger};
use crate::exec::{Masks, Start, Stdin, Stdout};
use crate::host::Inner;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a `before` hook changes about one attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) env: Vec<(String, String)>,
    pub(super) args: Vec<String>,
    pub(super) cwd: Option<PathBuf>,
}

impl Inner {
    /// Everything a runner needs for an attempt; `None` when its run is not there any more.
    pub(super) fn start_of(&self, attempt: AttemptId, changes: Changes) -> Option<Start> {
        let watch_lines = self.watches_lines(attempt.job);
        self.view.look(|live| {
            let run = live.state.runs.get(&attempt.job.run)?;
            let node = run.plan.plan().nodes.get(attempt.job.index as usize)?;
            let leaf = &node.leaf;
            let working_dir = changes
                .cwd
                .as_ref()
                .map_or_else(|| directory_of(leaf, &self.root), |dir| self.root.join(dir));
            let mut env = self.environment(run, attempt, &working_dir);
            env.extend(changes.env.iter().map(|(name, value)| (name.into(), value.into())));
            Some(Start {
                attempt,
                label: label(run, attempt),
                action: with_arguments(leaf.action.clone(), &changes.args),
                params: node.params.clone(),
                working_dir,
                env,
                log: self.log_of(run, attempt),
                watch_lines,
                masks: Masks::default(),
                stdin: Stdin::Nothing,
                stdout: Stdout::Log,
                outputs: PathBuf::new(),
            })
        })
    }

    /// The host's own environment, then the project's, the job's, the parameters, and what neap says; later wins.
    pub(super) fn environment(
        &self,
        run: &Run,
        attempt: AttemptId,
        working_dir: &Path,
    ) -> Vec<(OsString, OsString)> {
        let plan = run.plan.plan();
        let node = &plan.nodes[attempt.job.index as usize];
        let text = |name: &str, value: String| (OsString::from(name), OsString::from(value));
        let mut env = self.base_env.clone();
        let settings = self.settings();
        let own = settings.env.iter().chain(&node.leaf.env);
        env.extend(own.map(|(name, value)| text(name, value.clone())));
        env.extend(
            definition::environment(&node.params)
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        env.extend([
            text("NEAP", "1".into()),
            text("NEAP_TASK", node.leaf.name.to_string()),
            text("NEAP_RUN", attempt.job.run.to_string()),
            text("NEAP_RUN_NUMBER", run.number.to_string()),
            text("NEAP_JOB", node.leaf.name.seen_from(&plan.task).to_owned()),
            text("NEAP_ATTEMPT", attempt.number.to_string()),
            text("NEAP_TRIGGER", trigger_word(&run.trigger).to_owned()),
            (OsString::from("NEAP_DIR"), self.root.clone().into_os_string()),
            (OsString::from("NEAP_WORKDIR"), working_dir.as_os_str().to_owned()),
        ]);
        if let Trigger::Schedule { slot, .. } = &run.trigger {
            env.push(text("NEAP_SCHEDULED_AT", slot.to_string()));
        }
        env
    }

    /// Where an attempt's output goes: `runs/<id>/<job>.<attempt>.log` in the state directory.
    pub(super) fn log_of(&self, run: &Run, attempt: AttemptId) -> PathBuf {
        let name = &run.plan.plan().nodes[attempt.job.index as usize].leaf.name;
        let job = name.seen_from(&run.plan.plan().task);
        self.state_dir.join(log_path(attempt, job))
    }
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

/// The word for what caused a run: `manual`, `schedule` or `retry`.
pub fn trigger_word(trigger: &Trigger) -> &'static str {
    match trigger {
        Trigger::Manual => "manual",
        Trigger::Schedule { .. } => "schedule",
        Trigger::Retry { .. } => "retry",
    }
}

/// How people know an attempt: `nightly#3/dump.1`.
fn label(run: &Run, attempt: AttemptId) -> String {
    let plan = run.plan.plan();
    let job = plan.nodes[attempt.job.index as usize].leaf.name.seen_from(&plan.task);
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
