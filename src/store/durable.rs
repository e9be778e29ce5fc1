//! Making what is written safe against a power cut: one thread that calls `fdatasync` on the log.
//!
//! SQLite in WAL mode with `synchronous=NORMAL` hands every commit to the operating system and syncs only around
//! checkpoints. The rest is done here, beside the writer, so that no commit waits for the disk unless somebody asked
//! for it. This thread never touches the database file or its `-shm`: POSIX locks belong to a process and a file, and
//! closing a second descriptor of either would drop the locks of SQLite. On `-wal` SQLite takes no lock. Even so it is
//! opened once and kept, and opened again only if another file took its place.
//!
//! Frames that leave the log before this thread gets to them leave it by a checkpoint, which syncs the log and the
//! database itself. So after an `fdatasync` of the log everything committed before it is on the disk, wherever it is.

use super::{Reply, Seq, StoreError};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What nobody waits for is on the disk this much later at most (and the time the disk takes).
const GATHER: Duration = Duration::from_millis(50);

/// So many may wait for the disk; then the writer waits too.
const WAITERS: usize = 1024;

/// Somebody who must not be answered before the disk has everything up to `seq`.
pub(super) struct Waiter {
    pub(super) seq: Seq,
    pub(super) reply: Reply,
}

/// The thread that syncs, and what the writer tells it.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
    durable: watch::Sender<Seq>,
}

struct Progress {
    written: Seq,
    /// Up to here a sync was tried.
    tried: Seq,
    waiters: Vec<Waiter>,
    /// A sync failed. The system then counts the pages as clean although the disk may not have them, so that a later
    /// sync proves nothing; only a complete checkpoint does.
    suspect: Option<Arc<io::Error>>,
    closing: bool,
}

impl Syncer {
    /// Starts the thread for the log at `path`, in which everything up to `written` was just written.
    pub(super) fn start(
        path: PathBuf,
        written: Seq,
        durable: watch::Sender<Seq>,
    ) -> Result<Syncer, StoreError> {
        let fail = StoreError::file(&path);
        let progress =
            Progress { written, tried: Seq(0), waiters: Vec::new(), suspect: None, closing: false };
        let shared = Arc::new(Shared { progress: Mutex::new(progress), changed: Condvar::new(), durable });
        let mine = Arc::clone(&shared);
        let started = Log::open(path.clone()).and_then(|log| {
            std::thread::Builder::new().name("neap-sync".into()).spawn(move || mine.serve(log))
        });
        Ok(Syncer { shared, thread: started.map_err(fail)? })
    }

    /// Everything up to `seq` is with the operating system; the waiters want it on the disk now.
    pub(super) fn written(&self, seq: Seq, waiters: Vec<Waiter>) {
        let mut progress = self.shared.lock();
        while progress.waiters.len() >= WAITERS {
            progress = self.shared.wait(progress);
        }
        // The thread is asleep until there is something to sync, or gathers and only wants to hear of waiters.
        let wake = progress.written == progress.tried || !waiters.is_empty();
        progress.written = seq;
        progress.waiters.extend(waiters);
        drop(progress);
        if wake {
            self.shared.changed.notify_all();
        }
    }

    /// Whether only a complete checkpoint can make the past durable again.
    pub(super) fn is_suspect(&self) -> bool {
        self.shared.lock().suspect.is_some()
    }

    /// A complete checkpoint has put everything up to `seq` into the database file, synced.
    pub(super) fn rewritten(&self, seq: Seq) {
        self.shared.lock().suspect = None;
        self.shared.publish(seq);
    }

    /// Syncs what is left and ends the thread.
    pub(super) fn close(self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        self.thread.join().expect("the thread that syncs has nothing to panic about");
    }
}

impl Shared {
    fn serve(&self, mut log: Log) {
        while let Some((target, waiters)) = self.next() {
            let outcome = self.sync(&mut log, target);
            for waiter in waiters {
                let answer = outcome.clone().map(|()| waiter.seq).map_err(StoreError::Sync);
                let _nobody_waits_any_more = waiter.reply.send(answer);
            }
        }
    }

    /// Sleeps until there is something to sync, then gathers until somebody waits or the time is up.
    fn next(&self) -> Option<(Seq, Vec<Waiter>)> {
        let mut progress = self.lock();
        while !progress.is_dirty() {
            if progress.closing {
                return None;
            }
            progress = self.wait(progress);
        }
        let deadline = Instant::now() + GATHER;
        while progress.waiters.is_empty() && !progress.closing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.changed.wait_timeout(progress, left);
            progress = woken.expect("nobody panics while holding it").0;
        }
        progress.tried = progress.written;
        let waiters = std::mem::take(&mut progress.waiters);
        let target = progress.written;
        drop(progress);
        self.changed.notify_all();
        Some((target, waiters))
    }

    fn sync(&self, log: &mut Log, target: Seq) -> Result<(), Arc<io::Error>> {
        if let Some(error) = &self.lock().suspect {
            return Err(Arc::clone(error));
        }
        match log.sync() {
            Ok(()) => {
                self.publish(target);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "what was written is not safe against a power cut");
                let error = Arc::new(error);
                self.lock().suspect = Some(Arc::clone(&error));
                Err(error)
            }
        }
    }

    fn publish(&self, seq: Seq) {
        self.durable.send_if_modified(|durable| std::mem::replace(durable, seq.max(*durable)) < seq);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("nobody panics while holding it")
    }

    fn wait<'a>(&self, progress: MutexGuard<'a, Progress>) -> MutexGuard<'a, Progress> {
        self.changed.wait(progress).expect("nobody panics while holding it")
    }
}

impl Progress {
    fn is_dirty(&self) -> bool {
        self.written > self.tried || !self.waiters.is_empty()
    }
}

/// The log file, through a descriptor of our own.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn open(path: PathBuf) -> io::Result<Log> {
        let file = File::open(&path)?;
        Ok(Log { path, file })
    }

    fn sync(&mut self) -> io::Result<()> {
        let (held, named) = (self.file.metadata()?, fs::metadata(&self.path)?);
        if (held.dev(), held.ino()) != (named.dev(), named.ino()) {
            self.file = File::open(&self.path)?;
        }
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn start(path: &std::path::Path) -> (Syncer, watch::Receiver<Seq>) {
        fs::write(path, b"frames").unwrap();
        let (sender, durable) = watch::channel(Seq(0));
        (Syncer::start(path.into(), Seq(0), sender).unwrap(), durable)
    }

    /// What somebody hears who waits for `seq`.
    fn ask(syncer: &Syncer, seq: u64) -> Result<Seq, StoreError> {
        let (reply, answer) = oneshot::channel();
        syncer.written(Seq(seq), vec![Waiter { seq: Seq(seq), reply }]);
        answer.blocking_recv().unwrap()
    }

    #[test]
    fn after_a_sync_that_failed_only_a_checkpoint_restores_trust() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (syncer, durable) = start(&path);
        assert_eq!(ask(&syncer, 1).unwrap(), Seq(1));
        fs::remove_file(&path).unwrap();
        assert!(matches!(ask(&syncer, 2), Err(StoreError::Sync(_))));
        assert!(syncer.is_suspect());
        fs::write(&path, b"frames").unwrap();
        assert!(matches!(ask(&syncer, 3), Err(StoreError::Sync(_))), "a later success would prove nothing");
        assert_eq!(*durable.borrow(), Seq(1));
        syncer.rewritten(Seq(3));
        assert_eq!(*durable.borrow(), Seq(3));
        assert_eq!(ask(&syncer, 4).unwrap(), Seq(4));
        syncer.close();
    }

    #[test]
    fn a_log_that_was_replaced_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (syncer, durable) = start(&path);
        ask(&syncer, 1).unwrap();
        fs::write(dir.path().join("other"), b"frames").unwrap();
        fs::rename(dir.path().join("other"), &path).unwrap();
        ask(&syncer, 2).unwrap();
        assert_eq!(*durable.borrow(), Seq(2));
        syncer.close();
    }

    #[test]
    fn what_is_left_at_the_end_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let (syncer, durable) = start(&dir.path().join("log"));
        syncer.written(Seq(9), Vec::new());
        syncer.close();
        assert_eq!(*durable.borrow(), Seq(9));
    }
}
