//! A project with a past, and the program that looks at it.

use neap::base::RunId;
use neap::host::{Host, RunRequest};
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub(crate) struct Project(tempfile::TempDir);

/// What the program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Project {
    pub(crate) fn new(tasks: &[(&str, &str)]) -> Project {
        let project = Project(tempfile::tempdir().unwrap());
        std::fs::create_dir(project.root().join("tasks")).unwrap();
        for (name, yaml) in tasks {
            project.task(name, yaml);
        }
        project
    }

    pub(crate) fn task(&self, name: &str, yaml: &str) {
        let path = self.root().join(format!("tasks/{name}.yaml"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, yaml).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// Makes a place that holds up whoever reads it.
    pub(crate) fn fifo(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.root().join(name)).status().unwrap();
        assert!(made.success());
    }

    pub(crate) async fn host(&self) -> Host {
        self.host_with(2).await
    }

    pub(crate) async fn host_with(&self, slots: usize) -> Host {
        Host::builder(self.root()).slots(slots).open().await.unwrap()
    }

    /// Runs tasks one after the other under a host that goes away again.
    pub(crate) async fn past(&self, tasks: &[&str]) -> Vec<RunId> {
        let host = self.host().await;
        let mut runs = Vec::new();
        for task in tasks {
            let run = host.submit(RunRequest::new(*task, "anna").reason("because")).await.unwrap();
            host.wait(run).await.unwrap();
            runs.push(run);
        }
        host.shutdown().await;
        runs
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_neap"));
        command.args(args).current_dir(self.root()).env_clear().stdin(Stdio::null());
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("HOME", self.root()).env("NO_COLOR", "1").env("TZ", "UTC");
        command
    }

    /// As a program reads it.
    pub(crate) fn neap(&self, args: &[&str]) -> Answer {
        self.command(args).output().unwrap().into()
    }

    /// As a person sees it.
    pub(crate) fn person(&self, args: &[&str]) -> Answer {
        self.command(args).env("NEAP_FORCE_TTY", "1").env("LANG", "C.UTF-8").output().unwrap().into()
    }

    /// The answer as a type of the wire; the command must succeed.
    #[track_caller]
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, args: &[&str]) -> T {
        let answer = self.neap(&[args, &["--json"]].concat());
        assert_eq!(answer.code, 0, "{answer:?}");
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {}", answer.out))
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        Answer {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn shows(&self, parts: &[&str]) -> &Answer {
        for part in parts {
            assert!(self.out.contains(part), "{part:?} is missing in\n{}\n{}", self.out, self.err);
        }
        self
    }

    #[track_caller]
    pub(crate) fn is_clean(&self) -> &Answer {
        let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!self.out.contains(is_bad) && !self.err.contains(is_bad), "{self:?}");
        self
    }
}

/// Waits until an attempt has started.
pub(crate) async fn started(feed: &mut neap::host::Feed) {
    while !matches!(feed.next().await.unwrap().as_deref(), Some(neap::host::Happening::Event { record, .. })
        if matches!(record.event, neap::engine::Event::AttemptStarted { .. }))
    {}
}
