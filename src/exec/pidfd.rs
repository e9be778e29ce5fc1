//! A process held by a descriptor: its end can be awaited and a signal cannot reach another one.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One process, whatever becomes of its number.
pub(crate) struct Pidfd(AsyncFd<OwnedFd>);

impl Pidfd {
    /// Takes hold of the process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Pidfd> {
        let fd = pidfd_open(to_pid(pid)?, PidfdFlags::empty())?;
        // SAFETY: the descriptor is open and owned by the result, which never replaces it or gives it away.
        let watched = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        Ok(Pidfd(watched))
    }

    /// Waits until it has ended. It may still be a zombie then.
    pub(crate) async fn exited(&self) {
        // An error means that the runtime is being taken down; then nothing waits any more.
        if self.0.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Sends it a signal; one that is gone is left alone.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(self.0.get_ref(), signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }
}

/// The number in the form the system calls want.
pub(super) fn to_pid(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}
