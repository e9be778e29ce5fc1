//! A project in a directory of its own.

use neap::base::{AttemptId, JobId, RunId};
use neap::host::{Host, Mode, log_path};
use std::path::Path;
use std::time::Duration;

pub(crate) struct Project(tempfile::TempDir);

impl Project {
    pub(crate) fn new() -> Project {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tasks")).unwrap();
        std::fs::create_dir(dir.path().join("scripts")).unwrap();
        Project(dir)
    }

    pub(crate) fn task(self, name: &str, yaml: &str) -> Project {
        self.write(&format!("tasks/{name}.yaml"), &dedent(yaml));
        self
    }

    pub(crate) fn script(self, name: &str, lua: &str) -> Project {
        self.write(&format!("scripts/{name}"), lua);
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// As editors save: a new file, renamed over the old.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let draft = self.root().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, self.root().join(path)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// The log of an attempt at the only job of that name.
    pub(crate) fn log(&self, run: RunId, job: &str, number: u32) -> String {
        let attempt = AttemptId { job: JobId { run, index: 0 }, number };
        self.read(&format!(".neap/{}", log_path(attempt, job).display()))
    }

    /// Waits for a file that a job writes.
    pub(crate) async fn wait_for(&self, path: &str) {
        let mut watch = neap::watch::Watch::new(self.root(), &[path]).unwrap();
        let appears = async {
            while !self.root().join(path).exists() {
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), appears).await.expect("the file never came");
    }

    pub(crate) async fn open(&self, mode: Mode) -> Host {
        Host::builder(self.root()).mode(mode).open().await.unwrap()
    }
}

fn dedent(text: &str) -> String {
    let indent =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indent.min().unwrap_or(0);
    text.lines().map(|line| line.get(indent..).unwrap_or("").to_owned() + "\n").collect()
}
