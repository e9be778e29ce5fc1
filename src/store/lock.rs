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
use std::time::{SystemTime, UNIX_EPOCH};

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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(holder(&mut file)),
            Err(TryLockError::Error(error)) => return Err(fail()(error)),
        }
        sign(&mut file).map_err(fail())?;
        Ok(Lock { file })
    }
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
fn holder(file: &mut File) -> StoreError {
    let mut text = String::new();
    let _unread_is_unknown = file.read_to_string(&mut text);
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok());
    let since = words.next().and_then(|word| word.parse().ok()).map(Moment);
    StoreError::Locked { pid, since }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

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
