//! `neap.lock`: one host per directory.
//!
//! The kernel releases the lock when its holder dies, however it dies, so there is no stale lock and no lease to
//! time out. What is written inside is for people only.

use super::StoreError;
use crate::base::Moment;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The right to write in a directory, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock or says at once who has it.
    pub(super) fn take(path: &Path) -> Result<Lock, StoreError> {
        let fail = || StoreError::file(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(fail())?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(fail()(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            let (pid, since) = holder(&mut file);
            if began.elapsed() > LEGACY || pid.is_none_or(is_alive) {
                return Err(StoreError::Locked { pid, since });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        sign(&mut file).map_err(fail())?;
        Ok(Lock { file })
    }
}

/// A host that was killed while it spawned a child leaves the lock to that child until it executes its program: a
/// matter of milliseconds, and no reason to turn its successor away. There is nothing to wait on but the lock itself,
/// and waiting on that could last as long as the successor that was faster.
const LEGACY: Duration = Duration::from_secs(2);

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

impl Drop for Lock {
    /// Closing is not enough: a child that is just being spawned still has a copy of the descriptor until it executes
    /// its program, and the lock would last as long as the last copy.
    fn drop(&mut self) {
        let _the_kernel_releases_it_at_the_end = self.file.unlock();
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{} {since}", std::process::id())
}

/// What the holder wrote. It may not have got that far yet, which leaves both unknown.
fn holder(file: &mut File) -> (Option<u32>, Option<Moment>) {
    let mut text = String::new();
    let _unread_is_unknown = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok());
    let since = words.next().and_then(|word| word.parse().ok()).map(Moment);
    (pid, since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn what_a_dead_holder_leaves_behind_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        // A process that is gone, and a descriptor of the file that still is not.
        let mut gone = Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let legacy = Lock::take(&path).unwrap();
        std::fs::write(&path, format!("{} 0", gone.id())).unwrap();
        std::thread::scope(|scope| {
            let successor = scope.spawn(|| Lock::take(&path).map(drop));
            drop(legacy);
            successor.join().unwrap().unwrap();
        });
        let _alive = Lock::take(&path).unwrap();
        let began = Instant::now();
        assert!(
            matches!(Lock::take(&path), Err(StoreError::Locked { pid: Some(pid), .. }) if pid == std::process::id())
        );
        assert!(began.elapsed() < LEGACY / 2, "a living holder is named at once");
    }

    #[test]
    fn a_child_that_is_being_spawned_does_not_prolong_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
            let failed = (0..2000).filter_map(|_| Lock::take(&path).err()).next();
            done.store(true, Ordering::Relaxed);
            assert!(failed.is_none(), "{failed:?}");
        });
    }
}
