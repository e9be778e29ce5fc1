//! The way in from outside: a small HTTP API over a unix socket, and the types it speaks.
//!
//! The wire's types are apart from the engine's: they may grow names for people while the journal stays as it is. The
//! same types come out of `neap … --json`, whether a host is up or not, because the same functions make them.
//!
//! None of that is reached over TCP. The socket lies in a directory of mode 0700, has mode 0600, and a peer of another user
//! is turned away before it is read from. Hooks (`hooks`) have a port of their own, which serves nothing else.

mod ahead;
mod client;
mod eta;
mod hooks;
mod left_out;
mod many;
mod occupancy;
mod part;
mod read;
mod select;
mod server;
mod types;
mod waits;
mod why;

pub use ahead::{AheadFull, AheadInfo, AheadRun};
pub use client::{Client, ClientError, Events};
pub(crate) use eta::remaining;
pub use hooks::serve_hooks;
pub use left_out::LeftOutInfo;
pub(crate) use many::WORDS as MANY;
pub use occupancy::{LockInfo, QueueInfo};
pub use part::{BadSpan, LogPart, MOST_PART, NoLog, Span, USUAL_PART, log_part};
pub use read::{Sight, cause_words, exit_code, outcome_words, skip_words};
pub use select::{SelectError, Selected, Selector};
pub use server::{Follow, SOCKET, ServeError, serve};
pub use types::{
    AttemptInfo, BackfillRequest, Cancel, Decide, FilledInfo, FireInfo, HostInfo, JobInfo, LateInfo,
    PauseInfo, Prio, RecentInfo, Refusal, Rest, RetryRequest, RunInfo, RunState, Submitted, TaskInfo, Time,
};
pub use waits::{priority_word, wait_words};
pub use why::Why;
