//! `neap serve` as a child of the test.

use neap::api::{Client, TaskInfo};
use neap::watch::Watch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(super) struct Daemon {
    child: Child,
    pub(super) client: Client,
}

/// A command line of neap in a project.
pub(super) fn neap(project: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neap"));
    command.arg("-C").arg(project).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits for a file.
pub(super) async fn appears(file: &Path) {
    let (dir, name) = (file.parent().unwrap(), file.file_name().unwrap().to_str().unwrap());
    let mut watch = Watch::new(dir, &[name]).unwrap();
    let wait = async {
        while !file.exists() {
            watch.changed().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the file never came");
}

impl Drop for Daemon {
    /// A test that fails leaves no host behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    pub(super) fn project(tasks: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tasks")).unwrap();
        for (name, yaml) in tasks {
            std::fs::write(dir.path().join(format!("tasks/{name}.yaml")), yaml).unwrap();
        }
        dir
    }

    /// Starts a host and waits until it listens.
    pub(super) async fn serve(project: &Path) -> Daemon {
        Daemon::serve_by(neap(project), project).await
    }

    /// The same by a command line of its own.
    pub(super) async fn serve_by(mut command: Command, project: &Path) -> Daemon {
        let state: PathBuf = project.join(".neap");
        std::fs::create_dir_all(&state).unwrap();
        let mut watch = Watch::new(&state, &["host.sock"]).unwrap();
        let child = command.args(["serve", "-q"]).spawn().unwrap();
        let client = Client::new(&state);
        let up = async {
            while !client.is_up().await {
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), up).await.expect("the host did not come up");
        Daemon { child, client }
    }

    /// As the power would, or the kernel in need of memory.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn signal(&self, number: i32) {
        // SAFETY: the child has not been waited for, so the number is its own.
        let done = unsafe { libc::kill(self.child.id() as i32, number) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// As a service manager would.
    pub(super) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Waits, reload by reload, until the tasks and the problems are as they should be.
    pub(super) async fn until(&self, is_so: impl Fn(&[TaskInfo], &[String]) -> bool) {
        let mut events = self.client.events("").await.unwrap();
        let wait = async {
            loop {
                let tasks: Vec<TaskInfo> = self.client.get("/api/v1/tasks").await.unwrap();
                let problems: Vec<String> = self.client.get("/api/v1/problems").await.unwrap();
                if is_so(&tasks, &problems) {
                    return;
                }
                events.next().await.expect("the host went away");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("it never came to that");
    }

    /// Waits until the job `tick` has written this many lines.
    pub(super) async fn beats(&self, project: &Path, beats: usize) {
        self.until_ticks(project, |ticks| ticks.lines().count() >= beats).await;
    }

    /// Waits until it has written what is wanted.
    pub(super) async fn until_ticks(&self, project: &Path, is_so: impl Fn(&str) -> bool) {
        let mut watch = Watch::new(project, &["ticks"]).unwrap();
        let wait = async {
            while !is_so(&std::fs::read_to_string(project.join("ticks")).unwrap_or_default()) {
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the beat stopped");
    }

    /// How often each thread has gone to sleep so far: it wakes up as often.
    pub(super) fn wake_ups(&self) -> BTreeMap<String, u64> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let one = |path: PathBuf| {
            let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
            let field = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
                line.split_whitespace().last().unwrap_or_default().to_owned()
            };
            let name = format!("{} {}", field("Name:"), path.file_name().unwrap().to_string_lossy());
            (name, field("voluntary_ctxt_switches:").parse().unwrap_or(0))
        };
        threads.map(|thread| one(thread.unwrap().path())).collect()
    }

    pub(super) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
