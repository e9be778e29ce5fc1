//! Attempts with real processes. Every wait is for an event and has a deadline; nothing is ever slept through.

mod cleanup;
mod functions;
mod fuzz;
mod output;
mod outputs;
mod pipes;
mod processes;
mod secrets;
mod stopping;
mod sweeping;

use super::procfs::place;
use super::*;
use crate::base::{AttemptId, JobId, Millis, RunId};
use crate::definition::{Action, LogMode, Process, Signal, Stop};
use crate::engine::{Exit, NotSpawned, Usage};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

const DEADLINE: Duration = Duration::from_secs(60);

/// A runner in a directory of its own, and what it reports.
struct Bench {
    folder: tempfile::TempDir,
    runner: Box<dyn Runner>,
    sender: Reports,
    reports: mpsc::Receiver<Report>,
}

/// What became of one attempt.
#[derive(Debug)]
struct Ending {
    exit: Exit,
    usage: Option<Usage>,
    left_over: u32,
    lines: Vec<String>,
    dropped: u64,
    outputs: String,
    outputs_cut: bool,
}

impl Bench {
    fn processes() -> Bench {
        Bench::with(LocalProcesses::new(Handle::current(), "bench"))
    }

    fn with(runner: impl Runner) -> Bench {
        let (sender, reports) = mpsc::channel(64);
        Bench { folder: tempfile::tempdir().unwrap(), runner: Box::new(runner), sender, reports }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, number: u32) -> Vec<u8> {
        std::fs::read(self.path(&format!("{number}.log"))).unwrap()
    }

    fn order(&self, number: u32, action: Action) -> Start {
        Start {
            attempt: attempt(number),
            label: format!("bench#1/job.{number}"),
            action,
            params: Arc::default(),
            working_dir: self.folder.path().into(),
            env: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())],
            log: self.path(&format!("{number}.log")),
            watch_lines: false,
            masks: Masks::default(),
            stdin: Stdin::Nothing,
            stdout: Stdout::Log,
            outputs: self.path(&format!("{number}.outputs")),
            log_mode: LogMode::Merged,
            log_size: None,
            stall_timeout: None,
            process: Process::default(),
        }
    }

    fn start(&self, start: Start) {
        self.runner.start(start, self.sender.clone());
    }

    /// Starts a watched script and waits for its first line.
    async fn until_first_line(&mut self, number: u32, text: &str) -> String {
        self.start(Start { watch_lines: true, ..self.order(number, script(text)) });
        loop {
            if let Report::Lines { lines, .. } = self.next().await {
                return lines[0].text.clone();
            }
        }
    }

    async fn next(&mut self) -> Report {
        tokio::time::timeout(DEADLINE, self.reports.recv()).await.expect("in time").expect("a sender is here")
    }

    /// Waits for the end of the only attempt, whose process must be reaped by then.
    async fn end(&mut self) -> Ending {
        let (mut all, mut left_out) = (Vec::new(), 0);
        loop {
            match self.next().await {
                Report::Spawned { .. } | Report::Stalled { .. } | Report::Progress { .. } => {}
                Report::Lines { lines, dropped, .. } => {
                    all.extend(lines.into_iter().map(|line| line.text));
                    left_out += dropped;
                }
                Report::Ended { exit, usage, left_over, outputs, outputs_cut, .. } => {
                    usage.iter().for_each(|usage| assert_reaped(usage.pid));
                    assert!(self.reports.try_recv().is_err(), "the end is the last report");
                    let (lines, dropped) = (all, left_out);
                    return Ending { exit, usage, left_over, lines, dropped, outputs, outputs_cut };
                }
            }
        }
    }

    async fn run(&mut self, start: Start) -> Ending {
        self.start(start);
        self.end().await
    }
}

/// The name of a host that no other run of these tests has.
fn instance(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn attempt(number: u32) -> AttemptId {
    AttemptId { job: JobId { run: RunId(1), index: 0 }, number }
}

fn script(text: &str) -> Action {
    Action::Run { script: text.into(), shell: words(&["sh", "-eu", "-c"]), words: None }
}

fn exec(argv: &[&str]) -> Action {
    Action::Exec { argv: words(argv) }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn code(code: i32) -> Exit {
    Exit::Code { code }
}

fn grace(ms: u64) -> Stop {
    Stop { signal: Signal::TERM, grace: Millis(ms) }
}

fn is_alive(pid: u32) -> bool {
    place(pid).is_some_and(|place| place.is_alive)
}

#[track_caller]
fn assert_reaped(pid: u32) {
    let id = WaitId::Pid(pidfd::to_pid(pid).unwrap());
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    assert_eq!(
        waitid(id, options).unwrap_err(),
        rustix::io::Errno::CHILD,
        "{pid} is no child of ours any more"
    );
}

/// Waits until a process on the other side writes into a pipe made by [`fifo`].
async fn heard(path: &Path) -> String {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || std::fs::read_to_string(path).unwrap());
    tokio::time::timeout(DEADLINE, reading).await.expect("in time").unwrap()
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}
