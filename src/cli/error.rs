//! How a command fails: a message, what to do about it, and the exit code. The one place that maps the library's errors.

use crate::api::{ClientError, SelectError};
use crate::host::{CommandError, OpenError, SubmitError};
use crate::store::StoreError;

/// Findings, or a failure without a code of its own.
pub(crate) const FINDINGS: u8 = 1;
/// Bad usage.
pub(crate) const USAGE: u8 = 2;
/// Not started, because of others that go on: sysexits calls it a temporary failure.
pub(crate) const NOT_STARTED: u8 = 75;
/// Neap itself failed: a bad definition, no host, the database.
pub(crate) const OURSELVES: u8 = 125;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
    pub(crate) code: u8,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hints: Vec::new(), code }
    }

    /// Bad usage.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(USAGE, message)
    }

    /// With what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// An error with everything that caused it, outermost first.
    pub(crate) fn of(code: u8, error: &dyn std::error::Error) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !message.contains(&words) {
                message = format!("{message}: {words}");
            }
            cause = error.source();
        }
        Failure::new(code, message)
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Failure {
        let failure = Failure::of(FINDINGS, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Failure {
        let code = match &error {
            SubmitError::NoTask { .. } | SubmitError::Params(_) | SubmitError::Key { .. } => USAGE,
            SubmitError::NoRun(_)
            | SubmitError::NoJob { .. }
            | SubmitError::NothingFailed(_)
            | SubmitError::StillGoing(_)
            | SubmitError::KeyTaken { .. } => FINDINGS,
            SubmitError::Refused { .. } => NOT_STARTED,
            SubmitError::Broken { .. }
            | SubmitError::Plan(_)
            | SubmitError::Store(_)
            | SubmitError::Stopping => OURSELVES,
        };
        let failure = Failure::of(code, &error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Failure {
        Failure::of(FINDINGS, &error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let failure = Failure::of(OURSELVES, &error);
        match &error {
            StoreError::Locked { .. } => {
                failure.hint("stop that host, or hand it the work: commands find it by themselves")
            }
            StoreError::NoDatabase { .. } => failure.hint("nothing has run here yet: neap run <task>"),
            _ => failure,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Listen(problem) => {
                let failure = Failure::new(OURSELVES, problem.to_string());
                match problem.help {
                    Some(help) => failure.hint(help),
                    None => failure,
                }
            }
            error @ OpenError::Project { .. } => Failure::of(OURSELVES, &error),
            error @ OpenError::Settings(_) => {
                Failure::of(OURSELVES, &error).hint("see what is wrong: neap check")
            }
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Refused { status, refusal } => {
                // The same mistake has the same code with and without a host.
                let code = match status {
                    423 => NOT_STARTED,
                    404 | 409 => FINDINGS,
                    400 => USAGE,
                    _ => OURSELVES,
                };
                let failure = Failure::new(code, refusal.message);
                match refusal.hint {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
            error @ ClientError::NoHost(_) => {
                Failure::of(OURSELVES, &error).hint("start one with `neap serve`")
            }
            error @ (ClientError::Broken(_) | ClientError::Strange(_)) => Failure::of(OURSELVES, &error),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::of(OURSELVES, &error)
    }
}
