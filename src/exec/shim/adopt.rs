//! The next host's side: what became of an attempt of the host that died.

use super::talk::Talk;
use super::wire::Ending;
use crate::base::AttemptId;
use crate::exec::log::mend;
use crate::exec::orders::Order;
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
            // One that was killed could not close its door.
            if let Ok((_, _, door)) = door_of(attempt, log) {
                let _ = std::fs::remove_file(door);
            }
            let path = log.to_path_buf();
            // A writer that was killed could not join the two ends of its log. Until somebody does, it can be read as well.
            let _ = tokio::task::spawn_blocking(move || mend(&path)).await;
            return take_end(log).map_or(Adopted::Gone, Adopted::Ended);
        }
        if let Ok(socket) = knock(attempt, log).await {
            return Adopted::Going(Talk::over(socket, Order::AsItWas));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{JobId, RunId};
    use crate::engine::Exit;
    use crate::exec::shim::wire::{ToShim, framed};
    use crate::exec::{Fate, LocalProcesses, Report, Runner};
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    const ATTEMPT: AttemptId = AttemptId { job: JobId { run: RunId(1), index: 0 }, number: 1 };

    /// A log with a lock on it, as a shim has it.
    fn held(dir: &Path) -> (PathBuf, File) {
        let log = dir.join("a.1.log");
        let file = File::create(&log).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        (log, file)
    }

    #[tokio::test]
    async fn a_shim_that_leaves_while_it_is_knocked_at_has_left_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (log, lock) = held(dir.path());
        let (_, _, door) = door_of(ATTEMPT, &log).unwrap();
        let listener = UnixListener::bind(&door).unwrap();
        let end = end_of(&log);
        let leaving = std::thread::spawn(move || {
            let knocking = listener.accept().unwrap();
            let ending = Ending::new(Exit::Code { code: 7 }, None, 0, Default::default());
            std::fs::write(end, serde_json::to_vec(&ending).unwrap()).unwrap();
            std::fs::remove_file(door).unwrap();
            drop((knocking, listener, lock));
        });
        let (reports, mut heard) = tokio::sync::mpsc::channel(8);
        let processes = LocalProcesses::new(tokio::runtime::Handle::current(), "test");
        assert_eq!(processes.adopt(ATTEMPT, &log, reports).await, Fate::Going);
        let ended = heard.recv().await.unwrap();
        leaving.join().unwrap();
        assert!(matches!(ended, Report::Ended { exit: Exit::Code { code: 7 }, .. }), "{ended:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the log is left");
    }

    #[tokio::test]
    async fn a_shim_that_was_killed_leaves_no_door() {
        let dir = tempfile::tempdir().unwrap();
        let (log, lock) = held(dir.path());
        let (_, _, door) = door_of(ATTEMPT, &log).unwrap();
        drop((UnixListener::bind(&door).unwrap(), lock));
        assert!(matches!(adopt(ATTEMPT, &log).await, Adopted::Gone));
        assert!(!door.exists());
    }

    /// The one that was told to let it go on may have died before it could say so.
    #[tokio::test]
    async fn a_shim_that_is_taken_up_is_told_to_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let (log, lock) = held(dir.path());
        let (_, _, door) = door_of(ATTEMPT, &log).unwrap();
        let listener = UnixListener::bind(&door).unwrap();
        let (reports, mut heard) = tokio::sync::mpsc::channel(8);
        let processes = LocalProcesses::new(tokio::runtime::Handle::current(), "test");
        assert_eq!(processes.adopt(ATTEMPT, &log, reports).await, Fate::Going);
        processes.resume(ATTEMPT);
        let told = tokio::task::spawn_blocking(move || {
            let (mut host, _) = listener.accept().unwrap();
            let mut told = vec![0; framed(&ToShim::Resume).len()];
            host.read_exact(&mut told).unwrap();
            std::fs::remove_file(door).unwrap();
            drop((listener, lock));
            told
        });
        assert_eq!(told.await.unwrap(), framed(&ToShim::Resume));
        let ended = heard.recv().await.unwrap();
        assert!(matches!(ended, Report::Ended { exit: Exit::Lost, .. }), "{ended:?}");
    }
}
