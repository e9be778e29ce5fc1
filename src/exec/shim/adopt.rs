//! The next host's side: what became of an attempt of the host that died.

use super::talk::Talk;
use super::wire::Ending;
use crate::base::AttemptId;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// What is known about it.
pub(in crate::exec) enum Adopted {
    /// It goes on, and can be talked to.
    Going(Talk),
    /// It ended while there was no host.
    Ended(Ending),
    /// Nothing of it is left, and nobody saw its end.
    Gone,
    /// Its shim is there and does not answer.
    Stuck,
}

/// How long a shim may take to notice that its host died, and to kill if that is what it does then.
const PATIENCE: Duration = Duration::from_secs(6);

/// Looks for the shim of an attempt by the lock on its log.
pub(in crate::exec) async fn adopt(attempt: AttemptId, log: &Path) -> Adopted {
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(2);
    loop {
        if is_free(log) {
            return take_end(log).map_or(Adopted::Gone, Adopted::Ended);
        }
        if let Ok(socket) = knock(attempt, log).await {
            return Adopted::Going(Talk::over(socket));
        }
        if Instant::now() > until {
            return Adopted::Stuck;
        }
        // The kernel tells nobody that a lock was given back. At most a few of these, at the start of a host.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Whether no shim holds the log.
fn is_free(log: &Path) -> bool {
    match File::open(log) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared) != Err(rustix::io::Errno::WOULDBLOCK),
        Err(_) => true,
    }
}

async fn knock(attempt: AttemptId, log: &Path) -> io::Result<UnixStream> {
    let (_folder, short, _) = door_of(attempt, log)?;
    let socket = UnixStream::connect(short).await?;
    if socket.peer_cred()?.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(socket)
}

fn take_end(log: &Path) -> Option<Ending> {
    let path = end_of(log);
    let ending = serde_json::from_slice(&std::fs::read(&path).ok()?).ok();
    let _ = std::fs::remove_file(path);
    ending
}

/// Where a shim without a host writes down how its attempt ended.
pub(super) fn end_of(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(".end");
    path.into()
}

/// Where a shim without a host waits for the next one: the folder, held; a path through that, short enough for a socket
/// however deep the folder lies; and the path for everything else.
pub(super) fn door_of(attempt: AttemptId, log: &Path) -> io::Result<(OwnedFd, PathBuf, PathBuf)> {
    let folder = log.parent().unwrap_or(Path::new("."));
    let held = open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let name = format!(".{}.{}.door", attempt.job.index, attempt.number);
    let short = PathBuf::from(format!("/proc/self/fd/{}/{name}", held.as_raw_fd()));
    Ok((held, short, folder.join(name)))
}
