//! What an attempt leaves behind: its outputs, and the files that are kept with the run.

use crate::base::AttemptId;
use crate::definition::{self, Leaf, Params};
use crate::engine::{Exit, Input, Usage};
use crate::host::environment::directory_of;
use crate::host::{Inner, freshness};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable with the folder for what is kept with the run.
pub(super) const ARTIFACTS: &str = "NEAP_ARTIFACTS";
/// The variable with the file for outputs.
pub(super) const OUTPUT: &str = "NEAP_OUTPUT";

/// What the outputs of an attempt come to. A success with bad outputs is none.
pub(super) fn judge(leaf: &Leaf, exit: Exit, text: &str, is_cut: bool) -> (Exit, Params) {
    if text.is_empty() && leaf.outputs.is_empty() {
        return (exit, Params::new());
    }
    let (outputs, problems) = definition::outputs(text, &leaf.outputs);
    let missing = leaf.outputs.keys().find(|name| !outputs.contains_key(*name));
    let problem = match (problems.first(), missing) {
        _ if is_cut => Some("the outputs are larger than 1 MiB".to_owned()),
        (Some(problem), _) => Some(format!("the outputs cannot be read: {problem}")),
        (None, Some(name)) => {
            Some(format!("the output `{name}` is declared, and was not written to ${OUTPUT}"))
        }
        (None, None) => None,
    };
    match (exit, problem) {
        (Exit::Code { code: 0 }, Some(message)) => (Exit::BadOutputs { message }, outputs),
        (exit, _) => (exit, outputs),
    }
}

impl Inner {
    /// The folder for what is kept of a job.
    pub(super) fn artifacts_of(&self, attempt: AttemptId, job: &str) -> PathBuf {
        let run = self.state_dir.join("runs").join(attempt.job.run.to_string());
        run.join("artifacts").join(job.replace('/', "+"))
    }

    /// Copies what a job declares to the folder of the run, and only then reports its end: whoever comes after it may
    /// count on that.
    pub(super) fn keep_artifacts(
        self: &Arc<Inner>,
        attempt: AttemptId,
        leaf: Arc<Leaf>,
        (exit, usage, outputs): (Exit, Option<Usage>, Params),
    ) {
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let seen = inner.view.look(|live| {
                let run = live.state.runs.get(&attempt.job.run)?;
                let job = leaf.name.seen_from(&run.plan.plan().task).to_owned();
                Some((inner.artifacts_of(attempt, &job), inner.log_of(run, attempt)))
            });
            if let Some((target, log)) = seen {
                let source = directory_of(&leaf, &inner.root);
                let patterns = leaf.artifacts.clone();
                let kept = tokio::task::spawn_blocking(move || keep(&source, &patterns, &target)).await;
                let problems = kept.unwrap_or_else(|error| vec![error.to_string()]);
                for problem in problems {
                    let line = format!("neap | warning: {problem}\n");
                    crate::host::companion::append(&log, inner.masks(attempt.job).text(&line).as_bytes());
                }
            }
            let _ = inner.tell(Input::Ended { attempt, exit, usage, outputs }).await;
        });
    }
}

/// Copies the files that fit the patterns, and says what could not be kept.
fn keep(source: &Path, patterns: &[String], target: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for pattern in patterns {
        let whole = if source.join(pattern).is_dir() {
            format!("{}/**", pattern.trim_end_matches('/'))
        } else {
            pattern.clone()
        };
        match freshness::find(source, &[whole]) {
            Ok(files) if files.is_empty() => problems.push(format!("the artifact `{pattern}` is not there")),
            Ok(files) => {
                for file in files {
                    if let Err(error) = copy(source, &file, target) {
                        problems.push(format!("the artifact `{}` was not kept: {error}", file.display()));
                    }
                }
            }
            Err(error) => problems.push(error),
        }
    }
    problems
}

/// Keeps the path below the folder; a path that leaves it keeps its name only.
fn copy(source: &Path, file: &Path, target: &Path) -> io::Result<()> {
    let leaves = file.is_absolute() || file.components().any(|part| part == std::path::Component::ParentDir);
    let name = if leaves { Path::new(file.file_name().unwrap_or_default()) } else { file };
    let to = target.join(name);
    if let Some(above) = to.parent() {
        std::fs::create_dir_all(above)?;
    }
    std::fs::copy(source.join(file), to).map(drop)
}
