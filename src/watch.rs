//! Watches directories, and says when they have come to rest after a change.
//!
//! It does not read what changed: events of the system are hints (one can be lost, an editor makes five of one save),
//! the content is the truth. Whoever listens reads the directory again and compares.

mod arrivals;
mod lookout;

pub use arrivals::{Arrivals, Spot};
pub use lookout::{Lookout, Post, Sighting};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// A change counts once nothing has happened for this long: an editor's save is several events.
const QUIET: Duration = Duration::from_millis(40);
/// And even under constant change a look is due after this long.
const PATIENCE: Duration = Duration::from_millis(150);
/// Safety net: what the system did not tell is found after this long at the latest.
const RESCAN: Duration = Duration::from_secs(600);

/// A directory could not be watched; fits after "failed to watch for changes: ".
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system refused; often the limit of inotify watches (`fs.inotify.max_user_watches`).
    #[error("the system does not let `{}` be watched", .path.display())]
    Refused {
        /// What was to be watched.
        path: PathBuf,
        /// Why.
        #[source]
        source: notify::Error,
    },
    /// The system has no way to watch at all.
    #[error("the system cannot watch files")]
    Unavailable(#[source] notify::Error),
}

impl WatchError {
    /// Whether what was to be watched is not there.
    fn is_missing(&self) -> bool {
        matches!(self, WatchError::Refused { source, .. } if matches!(source.kind, notify::ErrorKind::PathNotFound))
    }
}

/// Watches until it is dropped.
pub struct Watch {
    watcher: notify::RecommendedWatcher,
    root: PathBuf,
    names: Vec<String>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches the entries `names` of `root`: directories with all below them, and files. One that does not exist yet
    /// is watched once it does. Whatever else happens in `root` is nobody's business.
    ///
    /// # Errors
    /// [`WatchError`] when the system refuses.
    pub fn new(root: &Path, names: &[&str]) -> Result<Watch, WatchError> {
        // One place is enough: a second change before the first was taken says nothing new.
        let (sender, changes) = mpsc::channel(1);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (place, wanted) = (root.to_path_buf(), names.clone());
        let relevant = move |event: notify::Result<Event>| {
            // An error may stand for anything, so it counts as a change.
            if event.map_or(true, |event| !is_noise(&event) && concerns(&event, &place, &wanted)) {
                let _ = sender.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(relevant).map_err(WatchError::Unavailable)?;
        let refused = |path: &Path| {
            let path = path.to_path_buf();
            move |source| WatchError::Refused { path, source }
        };
        watcher.watch(root, RecursiveMode::NonRecursive).map_err(refused(root))?;
        for path in names.iter().map(|name| root.join(name)).filter(|path| path.is_dir()) {
            watcher.watch(&path, RecursiveMode::Recursive).map_err(refused(&path))?;
        }
        Ok(Watch { watcher, root: root.to_path_buf(), names, changes })
    }

    /// Waits until something has changed and come to rest, or until a look is due anyway.
    pub async fn changed(&mut self) {
        // The watcher lives as long as we do, so the channel never closes; a timeout is the rescan.
        if timeout(RESCAN, self.changes.recv()).await.is_ok() {
            let patience = Instant::now() + PATIENCE;
            while let Ok(Ok(Some(()))) = timeout_at(patience, timeout(QUIET, self.changes.recv())).await {}
        }
        self.renew();
    }

    /// A directory that was replaced is another directory, and its watch watches the old one.
    fn renew(&mut self) {
        for path in self.names.iter().map(|name| self.root.join(name)).filter(|path| path.is_dir()) {
            if let Err(error) = self.watcher.watch(&path, RecursiveMode::Recursive) {
                tracing::warn!(path = %path.display(), %error, "not watched; changes are found by the rescan");
            }
        }
    }
}

/// Says when something in one directory is written to, at once and without end: for reading along with files that
/// grow. What was written, and where, the reader finds out.
pub struct Growth {
    _watcher: notify::RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl Growth {
    /// Watches the files of a directory, not those of directories in it.
    ///
    /// # Errors
    /// [`WatchError`] when the system refuses.
    pub fn of(dir: &Path) -> Result<Growth, WatchError> {
        // One place is enough: a second change before the first was taken says nothing new.
        let (sender, changes) = mpsc::channel(1);
        let tell = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| !is_noise(&event)) {
                let _ = sender.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(tell).map_err(WatchError::Unavailable)?;
        let refused = |source| WatchError::Refused { path: dir.to_path_buf(), source };
        watcher.watch(dir, RecursiveMode::NonRecursive).map_err(refused)?;
        Ok(Growth { _watcher: watcher, changes })
    }

    /// Waits until something has changed since the last time. Nothing is lost when the wait is given up.
    pub async fn changed(&mut self) {
        // The watcher lives as long as we do, so the channel never closes.
        let _ = self.changes.recv().await;
    }
}

/// Opening and reading change nothing, and our own look at the files would otherwise cause the next one.
fn is_noise(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => false,
    }
}

/// An event without a path (a lost stretch, say) concerns everybody.
fn concerns(event: &Event, root: &Path, names: &[String]) -> bool {
    let concerned = |path: &PathBuf| {
        let first = path.strip_prefix(root).ok().and_then(|inside| inside.iter().next());
        first.is_some_and(|first| names.iter().any(|name| first == name.as_str()))
    };
    event.paths.is_empty() || event.paths.iter().any(concerned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn notices(runtime: &tokio::runtime::Runtime, watch: &mut Watch, act: impl FnOnce()) {
        act();
        let seen = runtime.block_on(async { timeout(Duration::from_secs(5), watch.changed()).await });
        assert!(seen.is_ok(), "the change went unnoticed");
    }

    #[test]
    fn every_way_to_change_a_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = dir.path().join("tasks");
        std::fs::create_dir(&tasks).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let mut watch = Watch::new(dir.path(), &["tasks", "scripts"]).unwrap();
        let file = tasks.join("a.yaml");
        notices(&runtime, &mut watch, || std::fs::write(&file, "run: a").unwrap());
        notices(&runtime, &mut watch, || std::fs::write(&file, "run: b").unwrap());
        notices(&runtime, &mut watch, || {
            std::fs::write(dir.path().join("new"), "run: c").unwrap();
            std::fs::rename(dir.path().join("new"), &file).unwrap();
        });
        notices(&runtime, &mut watch, || std::fs::create_dir(tasks.join("ops")).unwrap());
        notices(&runtime, &mut watch, || std::fs::write(tasks.join("ops/b.yaml"), "run: b").unwrap());
        notices(&runtime, &mut watch, || std::fs::remove_file(&file).unwrap());
        notices(&runtime, &mut watch, || std::fs::create_dir(dir.path().join("scripts")).unwrap());
        notices(&runtime, &mut watch, || {
            std::fs::write(dir.path().join("scripts/h.lua"), "return {}").unwrap()
        });
    }

    #[test]
    fn a_directory_that_was_swapped_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = dir.path().join("tasks");
        std::fs::create_dir(&tasks).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let mut watch = Watch::new(dir.path(), &["tasks"]).unwrap();
        notices(&runtime, &mut watch, || {
            std::fs::create_dir(dir.path().join("next")).unwrap();
            std::fs::rename(&tasks, dir.path().join("old")).unwrap();
            std::fs::rename(dir.path().join("next"), &tasks).unwrap();
        });
        notices(&runtime, &mut watch, || std::fs::write(tasks.join("a.yaml"), "run: a").unwrap());
    }

    #[test]
    fn reading_is_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = dir.path().join("tasks");
        std::fs::create_dir(&tasks).unwrap();
        std::fs::write(tasks.join("a.yaml"), "run: a").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new(dir.path(), &["tasks"]).unwrap();
            std::fs::read(tasks.join("a.yaml")).unwrap();
            std::fs::read_dir(&tasks).unwrap().count();
            std::fs::write(dir.path().join("unrelated"), "build output").unwrap();
            let quiet = timeout(Duration::from_millis(300), watch.changed()).await;
            assert!(quiet.is_err(), "a mere look was taken for a change");
        });
    }
}
