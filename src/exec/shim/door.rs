//! Where a shim whose host died waits for the next one.

use super::adopt::door_of;
use super::link::Link;
use crate::base::AttemptId;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// A socket beside the log; it goes when it is dropped.
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Door {
    /// Opens it. One that an earlier shim of this attempt left behind gives way.
    pub(super) fn open(attempt: AttemptId, log: &Path) -> io::Result<Door> {
        let (_folder, short, path) = door_of(attempt, log)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(short)?;
        listener.set_nonblocking(true)?;
        Ok(Door { listener, path })
    }

    /// Lets a host in, if one is there and belongs to the same user.
    pub(super) fn answer(&self) -> Option<Link> {
        let (socket, _) = self.listener.accept().ok()?;
        let peer = rustix::net::sockopt::socket_peercred(&socket).ok()?;
        (peer.uid == rustix::process::geteuid()).then(|| Link::new(socket).ok())?
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
