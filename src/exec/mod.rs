//! Carrying out attempts: process trees, host functions, and the tidying up afterwards.
//!
//! Everything here is mechanism. It owns mechanism time (signal, grace, kill; draining pipes) and decides nothing:
//! when an attempt starts, how long it may run and what its end means is the engine's business. Nothing here writes
//! to the store, and nothing but [`Report`]s goes back. Whatever an attempt writes or says passes through its
//! [`Masks`] first.
//!
//! Three traps shape this module. A `pre_exec` closure would turn every spawn into a fork of the embedding program
//! (19 ms at 500 MB), so there is none there, and only a shim, which is small, has one (`birth`). A process id may be
//! signalled only while its owner is unreaped, so a group is stopped before its leader is reaped. A pipe may be held
//! open by a process that escaped, so no end ever waits for one.

mod backlog;
mod birth;
mod cleanup;
mod ends;
mod flow;
mod forms;
mod functions;
mod joint;
mod log;
mod mask;
mod orders;
mod outbox;
mod output;
mod outputs;
mod pidfd;
mod process;
mod procfs;
mod program;
mod router;
mod runner;
mod shim;
mod spawn;
mod supervise;
mod sweep;
mod times;
mod usage;

pub use cleanup::{CleanupProblem, Place, run_aside, run_cleanup};
#[cfg(feature = "cli")]
pub(crate) use flow::Splitter;
pub use functions::{FunctionError, Functions, TaskContext, TaskLog};
pub use joint::Joint;
pub use log::{LogExtent, LogPiece, LogReader};
pub use mask::{MaskStream, Masks};
#[cfg(feature = "cli")]
pub(crate) use pidfd::Pidfd;
pub use process::LocalProcesses;
pub use router::Router;
pub use runner::{Fate, Found, Line, Report, Reports, Runner, Start, Stdin, Stdout, Stream, WhenDone};
pub use shim::supervise_if_asked;
#[cfg(feature = "cli")]
pub(crate) use shim::{Ground, Keeper, Keepers, Version, rehearse, variable};
pub use sweep::{Swept, marker, sweep, sweep_if};
pub use times::{LogMark, LogTimes};

#[cfg(test)]
mod tests;
