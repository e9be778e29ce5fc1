//! What becomes of the conditions of a plan, as far as that can be told before there is a run. Nothing is started or
//! written, but for the threads in which expressions are evaluated.
//!
//! Only conditions are looked at, each for itself: what their jobs depend on is not followed.

use crate::definition::{Leaf, Settings, references};
use crate::engine::Trigger;
use crate::host::environment::base_environment;
use crate::host::seen::reads_cell;
use crate::host::sight::{AboutRun, LazyScripts, Sight, readable_env, settled_env};
use crate::host::{RunRequest, wall_clock};
use crate::plan::{Node, Plan};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

/// What becomes of the condition of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// It holds.
    Holds,
    /// It does not: the job would be skipped.
    Skips,
    /// Only the run finds out; this is why, in words.
    Open(String),
    /// It cannot be evaluated, or a default that it may read cannot: the job would fail so.
    Fails(String),
}

/// Whose environment a run will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of this program.
    Ours,
    /// That of a host that is up, which nobody else knows.
    Hosts,
}

/// Evaluates the conditions of a plan as they would be in a run that is asked for now, in the order of its nodes. `None`
/// for a job without one.
pub async fn conditions_now(
    root: &Path,
    settings: &Settings,
    request: &RunRequest,
    plan: &Plan,
    whose: Whose,
) -> Vec<Option<Prospect>> {
    let about = AboutRun {
        identity: None,
        task: plan.task.as_str(),
        trigger: &Trigger::Manual,
        by: &request.by,
        reason: request.reason.as_deref(),
        created: wall_clock(),
    };
    let before = Before {
        scripts: LazyScripts::new(root.to_path_buf()),
        settings,
        run: about.readable(settings),
        base_env: base_environment(),
        whose,
    };
    let mut found = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        found.push(match &node.leaf.condition {
            Some(condition) => Some(before.foresee(plan, node, condition).await),
            None => None,
        });
    }
    found
}

/// What is known before there is a run.
struct Before<'s> {
    scripts: LazyScripts,
    settings: &'s Settings,
    run: Value,
    base_env: Vec<(OsString, OsString)>,
    whose: Whose,
}

impl Before<'_> {
    async fn foresee(&self, plan: &Plan, node: &Node, condition: &str) -> Prospect {
        self.look(plan, node, condition).await.unwrap_or_else(Prospect::Fails)
    }

    async fn look(&self, plan: &Plan, node: &Node, condition: &str) -> Result<Prospect, String> {
        let leaf = &node.leaf;
        if reads_cell(condition, leaf) {
            return Ok(Prospect::Open("it is decided for each cell".to_owned()));
        }
        let env = readable_env(&self.base_env, self.settings, leaf);
        let label = format!("{}/{}", plan.task, leaf.name.seen_from(&plan.task));
        let mut sight = Sight::new(node, self.run.clone(), env, label);
        let mut open = BTreeSet::new();
        for param in node.late.iter() {
            let text = param.late.as_deref().unwrap_or_default();
            if self.why_open(text, leaf, &open).is_some() {
                open.insert(param.name.as_str());
            } else {
                sight.settle_param(&self.scripts, param).await?;
            }
        }
        if let Some(why) = self.why_open(condition, leaf, &open) {
            return Ok(Prospect::Open(why));
        }
        let holds = sight.holds(&self.scripts, condition).await?;
        Ok(if holds { Prospect::Holds } else { Prospect::Skips })
    }

    /// Why only a run can tell what an expression gives; `None` when it can be evaluated now. `open` are the parameters of
    /// which the same holds.
    fn why_open(&self, text: &str, leaf: &Leaf, open: &BTreeSet<&str>) -> Option<String> {
        let mut jobs = BTreeSet::new();
        let mut read = BTreeSet::new();
        for reference in references(text) {
            let root = reference.root.as_str();
            let field = reference.path.first().map(String::as_str);
            let is_open = match (root, field) {
                ("tasks", job) => {
                    jobs.insert(job.unwrap_or("other jobs").to_owned());
                    continue;
                }
                ("run", field) => field.is_none_or(|field| matches!(field, "id" | "number")),
                ("params", Some(name)) => open.contains(name),
                ("params", None) => !open.is_empty(),
                ("env", name) => {
                    self.whose == Whose::Hosts && !name.is_some_and(|name| self.is_settled(name, leaf))
                }
                _ => false,
            };
            if is_open {
                read.insert(field.map_or_else(|| root.to_owned(), |field| format!("{root}.{field}")));
            }
        }
        let listed = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        match (jobs.len(), read.is_empty()) {
            (0, true) => None,
            (0, false) => Some(format!("it is decided in the run, for it reads {}", listed(read))),
            (1, _) if !jobs.contains("other jobs") => {
                Some(format!("it is decided when {} has ended", listed(jobs)))
            }
            _ => Some(format!("it is decided when {} have ended", listed(jobs))),
        }
    }

    /// Whether files say what a variable is, or that expressions cannot read it.
    fn is_settled(&self, name: &str, leaf: &Leaf) -> bool {
        let mut secrets = self.settings.secrets.iter().chain(&leaf.secrets);
        settled_env(self.settings, leaf).any(|(known, _)| known == name)
            || secrets.any(|secret| secret.name == name || secret.key == name)
    }
}
