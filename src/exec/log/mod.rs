//! The log of an attempt as a file: all of it while it is small, its beginning and its end when it is not.
//!
//! What does not fit goes round in a *ring* beside the log, so the disk holds no more than was allowed, however much is
//! written. When the attempt is over, what the ring holds is put behind the beginning, with one line in between that says
//! what is missing; the log is one plain file again. A log that never grew so large was never anything else.
//!
//! A *place* is a number of bytes of what was written, whether or not they are still there. Places stay what they are while
//! the ring turns and when the two are joined, so a reader goes on where it was, and `times` speaks of them.
//!
//! | file | its subject |
//! |---|---|
//! | `cut` | where bytes may be cut without breaking a line, a character or a colour |
//! | `ring` | the file beside the log |
//! | `writer` | writing, and joining at the end |
//! | `reader` | reading from any place, while it is written and after |
//!
//! What is written has passed the masks before. Masks, pipes and lines for watchers are in `flow`.

mod cut;
mod reader;
mod ring;
mod writer;

pub(super) use reader::marks;
pub use reader::{LogExtent, LogPiece, LogReader};
pub(super) use ring::{Header as RingHeader, Ring};
pub(super) use writer::{LogWriter, mend};

#[cfg(test)]
mod tests;
