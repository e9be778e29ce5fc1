//! A Dagu file to one pipeline: its steps become children, its schedule and parameters stay with the whole.

mod step;
mod surroundings;

use super::foreign::{self, NotReadable, entries, line_of};
use super::names::{Names, unique};
use super::yaml::{Block, short};
use super::{Imported, NewFile, Remark, Written};
use serde_yaml::Value;
use std::collections::BTreeMap;
use step::Step;

/// Makes a pipeline of a Dagu file; `file` is what it is called, `folder` where the new file goes.
///
/// # Errors
/// [`NotReadable`] when it is no YAML, or has no `steps`.
pub fn dagu(text: &str, file: &str, folder: &str) -> Result<Imported, NotReadable> {
    let root = foreign::read(text)?;
    let Some(steps) = root.get("steps").filter(|steps| steps.is_sequence() || steps.is_mapping()) else {
        return Err(NotReadable::Shape { line: line_of(text, &["steps"]), expected: "a DAG has `steps`" });
    };
    let stem = file.rsplit('/').next().unwrap_or(file).rsplit_once('.').map_or(file, |(stem, _)| stem);
    let wish = get(&root, "name").and_then(foreign::word).unwrap_or_else(|| stem.to_owned());
    let name = Names::below(folder).take(&wish);
    let mut dag = Dag { text, root: &root, folder, params: BTreeMap::new(), remarks: Vec::new() };
    let (schedules, body) = dag.import(file, steps);
    dag.remarks.sort();
    dag.remarks.dedup();
    let file = NewFile { name, line: 1, schedules, text: body };
    Ok(Imported { files: vec![file], remarks: dag.remarks })
}

/// The whole file while it is read.
struct Dag<'f> {
    text: &'f str,
    root: &'f Value,
    /// Where new files go.
    folder: &'f str,
    /// What stands for each parameter in a command: `${PARAM_DAY}`.
    params: BTreeMap<String, String>,
    remarks: Vec<Remark>,
}

/// Dagu has two spellings of each key: `timeoutSec` and `timeout_sec`.
fn get<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let snake: String = key
        .chars()
        .flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]))
        .collect();
    value.get(key).or_else(|| value.get(snake.as_str()))
}

/// One spelling of a key.
fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |key, word| {
        let mut letters = word.chars();
        key + &letters.next().map(|c| c.to_ascii_uppercase()).into_iter().collect::<String>()
            + letters.as_str()
    })
}

/// Keys of the whole that are looked at elsewhere.
const KNOWN: [&str; 16] = [
    "name",
    "description",
    "schedule",
    "params",
    "env",
    "dotenv",
    "tags",
    "labels",
    "group",
    "steps",
    "handlerOn",
    "handlers",
    "type",
    "preconditions",
    "workingDir",
    "shell",
];

impl Dag<'_> {
    fn import(&mut self, file: &str, steps: &Value) -> (Vec<Written>, String) {
        let root = self.root;
        let mut block = Block::default();
        block.comment(format!("Imported from {file}"));
        if let Some(text) = get(root, "description").and_then(foreign::word) {
            block.text("description", text.trim_end());
        }
        let schedules = self.schedule(&mut block);
        self.labels(&mut block);
        self.declare(&mut block);
        for (key, value) in entries(root) {
            let key = camel(&key);
            if !KNOWN.contains(&key.as_str()) {
                self.untold(&mut block, &[&key], format!("{key}: {}", foreign::shown(value)), why_not(&key));
            }
        }
        let steps = self.steps(steps);
        let children = self.children(&steps, &mut block);
        block.block("tasks", children);
        self.handlers(&mut block);
        (schedules, block.render())
    }

    /// What is not said is kept: as a comment where it belongs, and as a remark.
    fn untold(&mut self, block: &mut Block, path: &[&str], what: impl Into<String>, why: impl Into<String>) {
        let remark = Remark::new(line_of(self.text, path), what, why);
        block.comment(remark.comment());
        self.remarks.push(remark);
    }

    /// An expression, a list of them, or `{start, stop, restart}`.
    fn schedule(&mut self, block: &mut Block) -> Vec<Written> {
        let Some(value) = get(self.root, "schedule") else { return Vec::new() };
        let start = if value.is_mapping() { value.get("start").unwrap_or(&Value::Null) } else { value };
        for key in ["stop", "restart"] {
            if let Some(value) = value.get(key) {
                let what = format!("schedule.{key}: {}", foreign::shown(value));
                self.untold(
                    block,
                    &["schedule", key],
                    what,
                    "a schedule starts runs; it neither stops nor restarts them",
                );
            }
        }
        let mut good = Vec::new();
        for item in foreign::list(start) {
            let text = foreign::word(item).or_else(|| item.get("expression").and_then(foreign::word));
            let checked = text.as_deref().map(|text| {
                crate::schedule::Schedule::cron(text, &crate::schedule::Zone::utc())
                    .map_err(|error| error.to_string())
            });
            match (text, checked) {
                (Some(text), Some(Ok(_))) => good.push(text),
                (_, checked) => {
                    let why =
                        checked.and_then(Result::err).unwrap_or_else(|| "this is no cron expression".into());
                    self.untold(block, &["schedule"], format!("schedule: {}", foreign::shown(item)), why);
                }
            }
        }
        if !good.is_empty() {
            block.texts("schedule", &good);
        }
        good.into_iter().map(|expression| Written { expression, zone: None }).collect()
    }

    /// `tags` and `labels`: a list, words with commas between, or a mapping.
    fn labels(&mut self, block: &mut Block) {
        let mut labels = Block::default();
        for key in ["tags", "labels"] {
            let Some(value) = get(self.root, key) else { continue };
            entries(value)
                .for_each(|(name, value)| labels.text(&name, &foreign::word(value).unwrap_or_default()));
            for text in foreign::words(value).filter(|_| !value.is_mapping()).unwrap_or_default() {
                for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                    let (name, value) = tag.split_once('=').unwrap_or((tag, "true"));
                    labels.text(name, value);
                }
            }
        }
        if let Some(group) = get(self.root, "group").and_then(foreign::word) {
            labels.text("group", &group);
        }
        block.block("labels", labels);
    }

    /// The steps with what each waits for.
    fn steps<'s>(&mut self, steps: &'s Value) -> Vec<Step<'s>> {
        let mut found: Vec<Step<'s>> = Vec::new();
        for (name, value) in entries(steps) {
            step::take(&mut found, Some(name.clone()), value, vec!["steps".into(), name]);
        }
        let mut groups: Vec<Vec<String>> = Vec::new();
        for (index, item) in steps.as_sequence().into_iter().flatten().enumerate() {
            let path = vec!["steps".to_owned(), format!("#{index}")];
            let before = found.len();
            match item.as_sequence() {
                Some(together) => {
                    together.iter().for_each(|item| step::take(&mut found, None, item, path.clone()))
                }
                None => step::take(&mut found, None, item, path),
            }
            groups.push(found[before..].iter().map(|step| step.id.clone()).collect());
        }
        if self.is_chain(steps, &found) {
            step::chain(&mut found, &groups);
        }
        found
    }

    fn is_chain(&mut self, steps: &Value, found: &[Step<'_>]) -> bool {
        let kind = get(self.root, "type").and_then(foreign::word);
        let has_depends = found.iter().any(|step| !step.needs.is_empty());
        match kind.as_deref() {
            Some(kind) => kind != "graph" && steps.is_sequence(),
            None if has_depends || steps.is_mapping() => false,
            None => {
                if found.len() > 1 {
                    let why = "the steps follow each other, as in newer versions of Dagu; older ones ran them at once";
                    self.remarks.push(Remark::new(
                        line_of(self.text, &["steps"]),
                        "steps without `depends`",
                        why,
                    ));
                }
                true
            }
        }
    }

    /// What runs at the end: only `exit` has an equal.
    fn handlers(&mut self, block: &mut Block) {
        let Some(handlers) = get(self.root, "handlerOn").or_else(|| get(self.root, "handlers")) else {
            return;
        };
        let mut last = Block::default();
        for (key, value) in entries(handlers) {
            if camel(&key) == "exit" {
                let id = value.get("name").and_then(foreign::word).unwrap_or_else(|| "exit".into());
                let path = vec!["handlerOn".to_owned(), key];
                let step = Step { id: unique(&id, |_| false), value, needs: Vec::new(), path };
                let body = self.child(&step, &[], &[]);
                last.block(&step.id, body);
            } else {
                let what = format!("handlerOn.{key}: {}", foreign::shown(value));
                let why =
                    "only what runs at every end can be said (`finally`); a hook can look at the outcome";
                self.untold(block, &["handlerOn", &key], what, why);
            }
        }
        block.block("finally", last);
    }
}

/// Why a key of the whole has no equal, and what to do.
fn why_not(key: &str) -> &'static str {
    match key {
        "maxActiveSteps" | "maxActiveRuns" | "queue" => {
            "`slots` in neap.yaml limits how many jobs run at once"
        }
        "histRetentionDays" | "histRetentionRuns" => "the history has no limit for one task in this version",
        "timeoutSec" | "maxCleanUpTimeSec" => "a pipeline has no time limit; give its children a `timeout`",
        "mailOn" | "smtp" | "errorMail" | "infoMail" | "waitMail" => {
            "neap sends no mail; a hook can tell somebody"
        }
        "delaySec" | "restartWaitSec" => "call `sleep` in the first step",
        "skipIfSuccessful" | "catchupWindow" | "overlapPolicy" => {
            "a schedule cannot say this in this version"
        }
        "logDir" | "logOutput" => "neap keeps the output of every run (neap logs)",
        "secrets" => "name a variable of the host, or read a file in the script",
        "container" | "ssh" | "registryAuths" | "workerSelector" => {
            "jobs run on this machine; call the program in `run`"
        }
        "otel" | "runConfig" | "redis" | "s3" | "kubernetes" | "llm" => "there is nothing like it here",
        _ => "the task language has no such key",
    }
}
