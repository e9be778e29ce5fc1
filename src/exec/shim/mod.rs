//! The supervisor beside each attempt: a process of ours that holds everything an attempt leaves behind.
//!
//! ```text
//! host ── zygote ──(fork)── shim ──(spawn)── the process of the attempt ── whatever it starts
//! ```
//!
//! The *zygote* is this very program, started once by the host; it is small and has one thread, so forking it costs next to
//! nothing. Each *shim* is forked from it, for one attempt. It is the reaper of all that descends from it (Linux calls that
//! a child subreaper), so nothing can leave it by forking twice or by making a session of its own. An attempt is over when
//! the kernel says that the shim has no child left (`ECHILD`), never because a look around found nobody.
//!
//! The shim outlives the host. When the socket between the two breaks, the host is dead, and the shim does what was asked
//! for beforehand: kill, or keep and wait for the next host. As long as it lives it holds a lock on the log of its attempt;
//! there are no heartbeats and no process numbers to be mistaken.
//!
//! | file | its subject |
//! |---|---|
//! | `wire` | what the two say to each other |
//! | `zygote` | the process that is forked |
//! | `attend` | the shim: one attempt from its first moment to its last |
//! | `tree` | all that descends from a process |
//! | `life` | whether the attempt shows a sign of life |
//! | `limits` | what an attempt may use, and whether it wants more |
//! | `groups` | control groups, which enforce that where there are any |
//! | `keepers` | who would hold limits here, for whoever asks before |
//! | `pump` | reading what the attempt writes |
//! | `signals` | signals as something to wait for |
//! | `door` | where a shim waits for the next host |
//! | `link` | the shim's side of the socket |
//! | `nursery` | the host's side: how shims come to be |
//! | `talk` | the host's side: orders out, reports in |
//! | `adopt` | the next host's side: what became of an attempt |

mod adopt;
mod attend;
mod door;
mod groups;
#[cfg(feature = "cli")]
mod keepers;
mod life;
mod limits;
mod link;
mod nursery;
mod pump;
mod signals;
mod talk;
mod tree;
mod wire;
mod zygote;

#[cfg(feature = "cli")]
pub(crate) use keepers::{Ground, Keeper, Keepers, Version, variable};
#[cfg(feature = "cli")]
pub(crate) use nursery::rehearse;

pub(super) use adopt::{Adopted, adopt};
pub(super) use nursery::Nursery;
pub(super) use talk::{Talk, Told};
pub(super) use wire::Ending;
pub use zygote::supervise_if_asked;
