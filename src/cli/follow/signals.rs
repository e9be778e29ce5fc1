//! Signals as wishes: stop kindly, stop now, leave.

use super::super::error::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How far those in front of the terminal have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// They let it run.
    Not,
    /// They asked it to stop.
    Kindly,
    /// They want it to be killed.
    Now,
}

/// What a signal means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM: a supervisor or another program wants us to end.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
    /// The program was stopped (Ctrl-Z) and goes on: somebody else may have written to the terminal.
    Continue,
}

impl Wish {
    /// What people are told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Wish::Interrupt => "Ctrl-C",
            Wish::Terminate => "SIGTERM",
            Wish::HangUp => "the terminal was closed",
            Wish::Continue => "SIGCONT",
        }
    }

    /// What a program exits with that ends because of it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Wish::HangUp => 129,
            Wish::Interrupt => 130,
            Wish::Terminate | Wish::Continue => 143,
        }
    }
}

/// Hears signals instead of dying of them.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    go_on: Signal,
}

impl Signals {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new() -> Result<Signals, Failure> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            go_on: signal(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    /// Waits for the next one. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Interrupt,
            _ = self.terminate.recv() => Wish::Terminate,
            _ = self.hang_up.recv() => Wish::HangUp,
            _ = self.go_on.recv() => Wish::Continue,
        }
    }
}
