//! A real pipe between two attempts: what one writes, the other reads, and nobody in between copies it.

use std::io::{self, PipeReader, PipeWriter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A pipe between two attempts, made before either runs. Each end is taken once.
///
/// Clones are the same pipe. An attempt takes its end when it starts, or when it cannot start, and lets go of its
/// clone; an end that nobody takes is gone with the last clone. So a reader whose writer will never run waits until
/// whoever made the pipe drops its clone or calls [`close`](Joint::close).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use neap::exec::{Joint, Stdin, Stdout};
/// let joint = Joint::new()?;
/// let (from, into) = (Stdin::Stream(joint.clone()), Stdout::Stream(joint));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Joint(Arc<Mutex<Ends>>);

struct Ends {
    reader: Option<PipeReader>,
    writer: Option<PipeWriter>,
}

impl Joint {
    /// Makes a pipe.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn new() -> io::Result<Joint> {
        let (reader, writer) = io::pipe()?;
        Ok(Joint(Arc::new(Mutex::new(Ends { reader: Some(reader), writer: Some(writer) }))))
    }

    /// Only the end to read from; `None` is one that was taken.
    pub(super) fn of_reader(reader: Option<PipeReader>) -> Joint {
        Joint(Arc::new(Mutex::new(Ends { reader, writer: None })))
    }

    /// Only the end to write to; `None` is one that was taken.
    pub(super) fn of_writer(writer: Option<PipeWriter>) -> Joint {
        Joint(Arc::new(Mutex::new(Ends { reader: None, writer })))
    }

    /// Drops the ends that nobody has taken, so that whoever has the other one sees the end.
    pub fn close(&self) {
        *self.ends() = Ends { reader: None, writer: None };
    }

    /// Drops the end to write to, if nobody has taken it: nothing will be written any more.
    pub fn close_writer(&self) {
        self.ends().writer = None;
    }

    pub(super) fn take_reader(&self) -> Option<PipeReader> {
        self.ends().reader.take()
    }

    pub(super) fn take_writer(&self) -> Option<PipeWriter> {
        self.ends().writer.take()
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
