//! What the expressions of one job are evaluated over, and what they give: in a preparation, and before there is a run.
//!
//! What is asked in which order, and what an answer means, is for the caller to say.

use crate::base::{Moment, RunId};
use crate::definition::{Leaf, Param, Params, Settings, read_param};
use crate::engine::{Author, Trigger};
use crate::host::environment::handed_on;
use crate::host::filling::{Filling, is_true};
use crate::host::reload::open_scripts;
use crate::host::seen::readable_params;
use crate::host::trigger_word;
use crate::lua::{Evaluation, Scripts};
use crate::plan::Node;
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The scripting host of a project; its threads start when the first script is needed.
pub(super) struct LazyScripts {
    root: PathBuf,
    open: OnceLock<Scripts>,
}

impl LazyScripts {
    pub(super) fn new(root: PathBuf) -> LazyScripts {
        LazyScripts { root, open: OnceLock::new() }
    }

    pub(super) fn get(&self) -> &Scripts {
        self.open.get_or_init(|| open_scripts(&self.root))
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.get().is_some()
    }
}

/// What is known about a job for its expressions.
pub(super) struct Sight {
    pub(super) params: Params,
    pub(super) late: Arc<Vec<Param>>,
    /// What expressions can read.
    pub(super) variables: Map<String, Value>,
    /// Whose they are, for messages.
    pub(super) label: String,
}

impl Sight {
    /// Without the other jobs and the values of a cell.
    pub(super) fn new(node: &Node, run: Value, env: Value, label: String) -> Sight {
        let mut variables = Map::new();
        variables.insert("run".into(), run);
        variables.insert("task".into(), json!({ "name": node.leaf.name, "labels": node.leaf.labels }));
        variables.insert("env".into(), env);
        let mut sight =
            Sight { params: (*node.params).clone(), late: Arc::clone(&node.late), variables, label };
        sight.show_params();
        sight
    }

    fn show_params(&mut self) {
        self.variables.insert("params".into(), readable_params(&self.params, &self.late));
    }

    /// Defaults with expressions see what was given, and what stands before them. What nobody gave and has no default is
    /// nil.
    pub(super) async fn settle_params(&mut self, scripts: &LazyScripts) -> Result<(), String> {
        for param in Arc::clone(&self.late).iter() {
            self.settle_param(scripts, param).await?;
        }
        Ok(())
    }

    /// Gives one parameter the value of its default, when that has expressions.
    pub(super) async fn settle_param(&mut self, scripts: &LazyScripts, param: &Param) -> Result<(), String> {
        let Some(text) = &param.late else { return Ok(()) };
        let mut filling = Filling::default();
        filling.plain(text);
        let values = self.evaluate(scripts, filling.sources()).await?;
        let value = filling.value_of(text, &values);
        let value = read_param(param, &value).map_err(|fault| {
            format!("the default of the parameter `{}` does not fit: {fault}", param.name)
        })?;
        self.params.insert(param.name.clone(), value);
        self.show_params();
        Ok(())
    }

    /// Whether a condition holds.
    pub(super) async fn holds(&self, scripts: &LazyScripts, condition: &str) -> Result<bool, String> {
        Ok(is_true(&self.evaluate_one(scripts, condition).await?))
    }

    pub(super) async fn evaluate_one(&self, scripts: &LazyScripts, source: &str) -> Result<Value, String> {
        let mut values = self.evaluate(scripts, vec![source.into()]).await?;
        Ok(values.pop().unwrap_or(Value::Null))
    }

    /// The values of expressions, in order.
    ///
    /// # Errors
    /// What is wrong with the first that has none.
    pub(super) async fn evaluate(
        &self,
        scripts: &LazyScripts,
        sources: Vec<Arc<str>>,
    ) -> Result<Vec<Value>, String> {
        if sources.is_empty() {
            return Ok(Vec::new());
        }
        let request = Evaluation {
            label: self.label.clone(),
            sources: sources.clone(),
            variables: self.variables.clone(),
        };
        scripts.get().evaluate(request).await.map_err(|error| {
            let source = sources.get(error.index).map_or("", |source| source);
            format!("`{source}`: {}", error.message)
        })
    }
}

/// What `run` is made of in expressions.
pub(super) struct AboutRun<'r> {
    /// Its id and its number, once it is there.
    pub(super) identity: Option<(RunId, u64)>,
    pub(super) task: &'r str,
    pub(super) trigger: &'r Trigger,
    pub(super) by: &'r Author,
    pub(super) reason: Option<&'r str>,
    pub(super) created: Moment,
}

impl AboutRun<'_> {
    /// Its date is the one of its slot, if it has one, in the zone of the host.
    pub(super) fn readable(&self, settings: &Settings) -> Value {
        let slot = self.trigger.slot();
        let civil = settings.timezone.civil(slot.unwrap_or(self.created));
        json!({
            "id": self.identity.map(|(id, _)| id.to_string()),
            "number": self.identity.map(|(_, number)| number),
            "task": self.task,
            "trigger": trigger_word(self.trigger),
            "by": self.by,
            "reason": self.reason,
            "date": format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day),
            "time": format!("{:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second),
            "created_at": self.created.to_string(),
            "scheduled_at": slot.map(|slot| slot.to_string()),
        })
    }
}

/// The variables of the host, of the project and of the job, as far as they are known. No secret is among them.
pub(super) fn readable_env(base: &[(OsString, OsString)], settings: &Settings, leaf: &Leaf) -> Value {
    let mut env = Map::new();
    for (name, value) in handed_on(base, &leaf.process) {
        env.insert(name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned().into());
    }
    for (name, value) in settled_env(settings, leaf) {
        env.insert(name.clone(), value.clone().into());
    }
    for secret in settings.secrets.iter().chain(&leaf.secrets) {
        env.remove(&secret.name);
        env.remove(&secret.key);
    }
    Value::Object(env)
}

/// The variables that files give to a job, without those that expressions make.
pub(super) fn settled_env<'s>(
    settings: &'s Settings,
    leaf: &'s Leaf,
) -> impl Iterator<Item = (&'s String, &'s String)> {
    settings.env.iter().chain(&leaf.env).filter(|(_, value)| !value.contains("${{"))
}
