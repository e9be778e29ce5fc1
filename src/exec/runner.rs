//! The seam to the outside: what a host asks of whatever carries out attempts, and what it hears back.
//!
//! Nothing above this module knows whether an attempt is a process tree, a Lua body, a function of the embedding
//! program, a fake in a test or a process on another machine.

use super::joint::Joint;
use super::mask::Masks;
use crate::base::{AttemptId, Millis};
use crate::definition::{Action, LogMode, Params, Process, Stop};
use crate::engine::{Exit, Usage};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

/// Carries out attempts.
///
/// For every [`start`](Runner::start) exactly one [`Report::Ended`] is sent, also when nothing could be started, and
/// it is the last report of that attempt. No method blocks.
pub trait Runner: Send + Sync + 'static {
    /// Starts an attempt and reports on it until it has ended. An attempt is started once.
    fn start(&self, start: Start, reports: Reports);

    /// Asks an attempt to stop: the signal now, and after the grace whatever is left is killed.
    ///
    /// Repeating it is harmless: the first signal stays the only one, and a later call can only bring the killing
    /// forward. An attempt that is gone or was never there is left alone.
    fn stop(&self, attempt: AttemptId, stop: Stop);

    /// Lets an attempt stand still: nothing of it does anything until it is to go on. One that is being stopped, that is
    /// gone or was never there is left alone, and so is one that cannot stand still.
    fn pause(&self, attempt: AttemptId) {
        let _ = attempt;
    }

    /// Lets an attempt go on that stands still.
    fn resume(&self, attempt: AttemptId) {
        let _ = attempt;
    }

    /// Kills an attempt at once, also one that is being stopped.
    fn kill(&self, attempt: AttemptId);

    /// Looks for an attempt that an earlier host started and that may have outlived it. `log` is the one it was given.
    ///
    /// [`Fate::Going`] takes it up as if it had been started here: reports follow, and the last is [`Report::Ended`].
    /// [`Fate::Gone`] is followed by nothing. No process of the attempt is left then that this runner can know of.
    fn adopt<'a>(&'a self, attempt: AttemptId, log: &'a Path, reports: Reports) -> Found<'a> {
        let _ = (attempt, log, reports);
        Box::pin(std::future::ready(Fate::Gone))
    }

    /// Lets an attempt go on without this runner, for the next host to [adopt](Runner::adopt): no report follows. What
    /// cannot go on alone is killed.
    fn leave(&self, attempt: AttemptId) {
        self.kill(attempt);
    }

    /// The end of an attempt is written down: whoever keeps it for the next host need not any more.
    fn forget(&self, attempt: AttemptId) {
        let _ = attempt;
    }

    /// Is done when all that was started has ended and been reported; whatever is started from now on ends at once.
    ///
    /// It stops nothing by itself. The caller goes on receiving (or drops the receiver) until it is done, because a
    /// runner waits when its reports are not taken.
    fn shutdown(&self) -> WhenDone<'_>;
}

/// A future of what became of an attempt.
pub type Found<'a> = Pin<Box<dyn Future<Output = Fate> + Send + 'a>>;

/// What became of an attempt of an earlier host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, or its end was kept; reports follow.
    Going,
    /// It is gone, and nobody saw how it ended.
    Gone,
}

/// A future without a result that a trait object can return.
pub type WhenDone<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where reports go. Bounded: a runner waits while the host is busy, and an attempt's process does not.
pub type Reports = tokio::sync::mpsc::Sender<Report>;

/// An order to start one attempt, with all that it needs.
///
/// It is not printable on purpose: the environment may hold secrets.
#[derive(Clone)]
pub struct Start {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How people know it, for messages: `nightly#3/dump.1`.
    pub label: String,
    /// What to do.
    pub action: Action,
    /// The parameters the job sees.
    pub params: Arc<Params>,
    /// Where to do it: an absolute path.
    pub working_dir: PathBuf,
    /// The complete environment; nothing of the host's own is added.
    pub env: Vec<(OsString, OsString)>,
    /// The file that all output is appended to, created with mode 0600 in a directory that is there.
    pub log: PathBuf,
    /// Whether it must be known which stream something was written to. Otherwise the order is exact.
    pub log_mode: LogMode,
    /// How large the log may become; of what is too much the middle is left out. When nothing is said, a process that
    /// holds its log itself is not hindered, and everything else has [the usual](crate::definition::Log::USUAL_SIZE).
    pub log_size: Option<u64>,
    /// Somebody wants the output line by line.
    pub watch_lines: bool,
    /// What is kept out of everything that is written.
    pub masks: Masks,
    /// What the process reads.
    pub stdin: Stdin,
    /// Where standard output goes besides, or instead of, the log.
    pub stdout: Stdout,
    /// The file that the job may write `key=value` lines to, `$NEAP_OUTPUT`. The job makes it; it is read and removed
    /// when the attempt is over. An empty path means none.
    pub outputs: PathBuf,
    /// How long it may show no sign of life before that is reported. It takes a supervisor to know.
    pub stall_timeout: Option<Millis>,
    /// What the process is given, and how it is held. Without a supervisor only its group is known: what outlives the
    /// first process is killed, what outlives this host the next one [sweeps](super::sweep()) away, and what happens
    /// between fork and exec (`user` and others) is refused. A job of which nothing is said dies with this host.
    pub process: Process,
}

impl Start {
    /// Ends the pipes to other attempts, so that nobody waits for this one. For runners whose bodies neither read
    /// nor write a pipe; processes take their ends by themselves.
    pub fn close_pipes(&mut self) {
        if let Stdin::Stream(joint) = &self.stdin {
            drop(joint.take_reader());
            self.stdin = Stdin::Nothing;
        }
        if let Stdout::Stream(joint) = &self.stdout {
            drop(joint.take_writer());
            self.stdout = Stdout::Log;
        }
    }
}

/// What a process reads. Functions and Lua bodies read nothing.
#[derive(Clone, Default)]
pub enum Stdin {
    /// Its input is empty.
    #[default]
    Nothing,
    /// This text. It lies in memory, and the process may seek in it.
    Text(Arc<str>),
    /// A file or a device, named from the working directory.
    File(PathBuf),
    /// What another attempt writes meanwhile.
    Stream(Joint),
}

/// Where standard output goes. Standard error always goes to the log.
#[derive(Clone, Default)]
pub enum Stdout {
    /// To the log.
    #[default]
    Log,
    /// To the log, and to this file, which begins empty: the exact bytes, only masked. What a function writes to its
    /// log counts as standard output.
    LogAnd(PathBuf),
    /// Into the pipe instead of the log. Masks cannot hold here: the other process gets the bytes as they are, and
    /// nothing of them is written by us.
    Stream(Joint),
}

/// What a host hears about an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// It runs.
    Spawned {
        /// Which attempt.
        attempt: AttemptId,
        /// Its process, when it is one.
        pid: Option<u32>,
    },
    /// It wrote something. Only when the lines are watched.
    Lines {
        /// Which attempt.
        attempt: AttemptId,
        /// In the order they were read.
        lines: Vec<Line>,
        /// How many lines just before these were left out because the host was busy; the log has them.
        dropped: u64,
    },
    /// It has shown no sign of life for as long as it may: no output, no processor time, nothing read or written. It goes on
    /// for now.
    Stalled {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// It said how far it is. Left out when the host is busy.
    Progress {
        /// Which attempt.
        attempt: AttemptId,
        /// 0 to 100.
        percent: u8,
        /// In its own words.
        message: String,
    },
    /// Nothing of it is left.
    Ended {
        /// Which attempt.
        attempt: AttemptId,
        /// How it ended.
        exit: Exit,
        /// What it used, when that is known.
        usage: Option<Usage>,
        /// How many processes of its group had outlived their leader and were killed.
        left_over: u32,
        /// What the job wrote to its outputs file, masked, as text: what was not UTF-8 is replaced. At most 1 MiB.
        outputs: String,
        /// There was more of it.
        outputs_cut: bool,
    },
}

/// One line of output, without its end, as text: what was not UTF-8 is replaced. The log has the exact bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// At most 64 KiB of it.
    pub text: String,
}

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output, or the log of a function.
    Stdout,
    /// Standard error.
    Stderr,
}
