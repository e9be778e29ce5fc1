//! The scripting host as a whole: real files, real threads, real budgets.

mod bodies;
mod expressions;
mod hooks;
mod hostile;
mod output;
mod reload;

use super::*;
use crate::base::{AttemptId, JobId, Millis, Moment, RunId, TaskName};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// A scripts directory with a host on it, and a clock that is set by hand.
struct Bench {
    folder: tempfile::TempDir,
    scripts: Scripts,
    now: Arc<AtomicU64>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Limits { workers: 2, ..Limits::default() })
    }

    fn with(limits: Limits) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicU64::new(1_000_000));
        let read = now.clone();
        let root = folder.path().join("scripts");
        std::fs::create_dir(&root).unwrap();
        let scripts =
            Scripts::open(root, limits, Arc::new(move || Moment(read.load(Ordering::Relaxed)))).unwrap();
        Bench { folder, scripts, now }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join("scripts").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a hook file and puts it, alone, in use.
    #[track_caller]
    fn load(&self, file: &str, text: &str) {
        self.write(file, text);
        let problems = self.scripts.reload(&[hooks(file)]);
        assert!(problems.is_empty(), "{}", problems[0]);
    }

    /// The problem of a hook file.
    #[track_caller]
    fn problem(&self, text: &str) -> String {
        self.write("bad.lua", text);
        let mut problems = self.scripts.check(&[hooks("bad.lua")]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0).to_string()
    }

    async fn retry(&self, file: &str, n: u32) -> Result<Option<RetryDecision>, ScriptError> {
        self.scripts.ask(call(file, n).0).await
    }

    /// What `retry` gives as its reason.
    async fn reason(&self, file: &str, n: u32) -> String {
        self.retry(file, n).await.unwrap().unwrap().reason.unwrap()
    }
}

fn hooks(file: &str) -> Script {
    Script { file: file.into(), shape: Shape::Hooks }
}

fn attempt(n: u32) -> AttemptId {
    AttemptId { job: JobId { run: RunId(7), index: n }, number: 1 }
}

fn context() -> Arc<Context> {
    Arc::new(Context {
        task: TaskName::new("nightly/dump").unwrap(),
        labels: BTreeMap::from([("tier".into(), "prod".into())]),
        run: RunId(7),
        run_number: 3,
        run_task: TaskName::new("nightly").unwrap(),
        trigger: "manual".into(),
        attempt: 1,
        attempts_max: 4,
        params: BTreeMap::from([("day".into(), json!("2026-11-21")), ("n".into(), json!(5))]),
        workdir: "/srv/app".into(),
    })
}

fn call(file: &str, n: u32) -> (HookCall, mpsc::Receiver<Note>) {
    let (notes, heard) = mpsc::channel(16);
    let event = json!({ "kind": "exit", "exit_code": 1, "nested": { "list": [1, 2] } });
    (HookCall { file: file.into(), attempt: attempt(n), context: context(), event, notes }, heard)
}

/// Everything that was said so far.
fn said(heard: &mut mpsc::Receiver<Note>) -> Vec<String> {
    let mut words = Vec::new();
    while let Ok(note) = heard.try_recv() {
        words.push(match note {
            Note::Log { level, message, fields } if fields.is_null() => format!("{} {message}", level.name()),
            Note::Log { level, message, fields } => format!("{} {message} {fields}", level.name()),
            Note::Progress { percent, message } => format!("{percent}% {}", message.unwrap_or_default()),
            Note::Cleanup { item, .. } => format!("{item:?}"),
        });
    }
    words
}
