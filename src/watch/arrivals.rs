//! Waits for single files to come, change or go: any number of waits share one watcher, because the system has few.
//!
//! A folder that is not there yet is waited for through the nearest folder above it that is.

use super::{RESCAN, WatchError, is_noise};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Everything that is waited for. The watcher starts with the first wait.
#[derive(Default)]
pub struct Arrivals {
    /// Taken before the other lock, and never by the watcher's own thread.
    watcher: Mutex<Option<RecommendedWatcher>>,
    waiting: Arc<Mutex<Waiting>>,
}

/// By folder: the names in it that concern somebody, and whom.
type Waiting = BTreeMap<PathBuf, Vec<(OsString, Arc<Notify>)>>;

/// One path that is waited for, until it is dropped.
pub struct Spot<'a> {
    arrivals: &'a Arrivals,
    path: PathBuf,
    /// The folder that is watched on its behalf.
    folder: Option<PathBuf>,
    told: Arc<Notify>,
}

impl Arrivals {
    /// Begins to wait for a path. Nothing is watched before [`Spot::arm`].
    pub fn spot(&self, path: impl Into<PathBuf>) -> Spot<'_> {
        Spot { arrivals: self, path: path.into(), folder: None, told: Arc::default() }
    }

    fn join(&self, folder: &Path, name: &OsStr, told: &Arc<Notify>) -> Result<(), WatchError> {
        let mut watcher = locked(&self.watcher);
        locked(&self.waiting).entry(folder.into()).or_default().push((name.into(), Arc::clone(told)));
        self.watch(&mut watcher, folder)
    }

    /// A folder of the same name may be another folder, and its watch watches the old one.
    fn renew(&self, folder: &Path) -> Result<(), WatchError> {
        self.watch(&mut locked(&self.watcher), folder)
    }

    fn watch(&self, watcher: &mut Option<RecommendedWatcher>, folder: &Path) -> Result<(), WatchError> {
        let refused = |source| WatchError::Refused { path: folder.into(), source };
        self.started(watcher)?.watch(folder, RecursiveMode::NonRecursive).map_err(refused)
    }

    fn leave(&self, folder: &Path, told: &Arc<Notify>) {
        let mut watcher = locked(&self.watcher);
        let is_last = {
            let mut waiting = locked(&self.waiting);
            let Some(others) = waiting.get_mut(folder) else { return };
            others.retain(|(_, other)| !Arc::ptr_eq(other, told));
            let is_last = others.is_empty();
            if is_last {
                waiting.remove(folder);
            }
            is_last
        };
        if let Some(watcher) = watcher.as_mut().filter(|_| is_last) {
            // A folder that has gone is not watched any more, which is as good.
            let _ = watcher.unwatch(folder);
        }
    }

    fn started<'w>(
        &self,
        watcher: &'w mut Option<RecommendedWatcher>,
    ) -> Result<&'w mut RecommendedWatcher, WatchError> {
        match watcher {
            Some(watcher) => Ok(watcher),
            None => {
                let waiting = Arc::clone(&self.waiting);
                let tell = move |event: notify::Result<Event>| match event {
                    Ok(event) if is_noise(&event) => {}
                    Ok(event) if !event.paths.is_empty() => tell(&locked(&waiting), &event.paths),
                    // An error, or a lost stretch, may stand for anything.
                    Ok(_) | Err(_) => tell_all(&locked(&waiting)),
                };
                let started = notify::recommended_watcher(tell).map_err(WatchError::Unavailable)?;
                Ok(watcher.insert(started))
            }
        }
    }
}

impl Spot<'_> {
    /// Watches the nearest folder above the path that is there now. To be called before every look at the path, so
    /// that nothing falls between the look and the wait.
    ///
    /// # Errors
    /// [`WatchError`] when the system refuses.
    pub fn arm(&mut self) -> Result<(), WatchError> {
        loop {
            let folder = self.nearest();
            match self.watch(&folder) {
                // A nearer one came before the watch, which would say nothing of what happens in it.
                Ok(()) if self.nearest() != folder => {}
                // The folder went before the watch: there is another nearest one.
                Err(error) if error.is_missing() && !folder.is_dir() => {}
                done => return done,
            }
        }
    }

    fn nearest(&self) -> PathBuf {
        let above = self.path.ancestors().skip(1);
        let folder = above.filter(|folder| !folder.as_os_str().is_empty()).find(|folder| folder.is_dir());
        folder.unwrap_or_else(|| Path::new("/")).to_owned()
    }

    fn watch(&mut self, folder: &Path) -> Result<(), WatchError> {
        if self.folder.as_deref() == Some(folder) {
            return self.arrivals.renew(folder);
        }
        self.leave();
        let below = self.path.strip_prefix(folder).unwrap_or(&self.path);
        let name = below.iter().next().unwrap_or_default();
        self.folder = Some(folder.to_owned());
        self.arrivals.join(folder, name, &self.told)
    }

    /// Waits until something has happened there since the last wait, or until a look is due anyway.
    pub async fn changed(&self) {
        // A timeout is the rescan.
        let _ = timeout(RESCAN, self.told.notified()).await;
    }

    fn leave(&mut self) {
        if let Some(folder) = self.folder.take() {
            self.arrivals.leave(&folder, &self.told);
        }
    }
}

impl Drop for Spot<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// An entry concerns those who wait for its name; what happens to a folder itself concerns all who wait in it.
fn tell(waiting: &Waiting, paths: &[PathBuf]) {
    for path in paths {
        for (_, told) in waiting.get(path).into_iter().flatten() {
            told.notify_one();
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
        for (_, told) in waiting.get(folder).into_iter().flatten().filter(|(wanted, _)| wanted == name) {
            told.notify_one();
        }
    }
}

fn tell_all(waiting: &Waiting) {
    for (_, told) in waiting.values().flatten() {
        told.notify_one();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked inside left at worst a wait behind that nobody is told about.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Waits as whoever uses it does: arm, look, wait.
    async fn comes(arrivals: &Arrivals, path: &Path) {
        let mut spot = arrivals.spot(path);
        loop {
            spot.arm().unwrap();
            if path.exists() {
                return;
            }
            spot.changed().await;
        }
    }

    #[tokio::test]
    async fn a_file_in_folders_that_are_not_there_yet_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (arrivals, file) = (Arrivals::default(), dir.path().join("a/b/c"));
        let make = async {
            tokio::task::yield_now().await;
            std::fs::create_dir(dir.path().join("a")).unwrap();
            tokio::task::yield_now().await;
            std::fs::create_dir(dir.path().join("a/b")).unwrap();
            std::fs::write(&file, "").unwrap();
        };
        let both = async { tokio::join!(comes(&arrivals, &file), comes(&arrivals, &file), make) };
        timeout(Duration::from_secs(20), both).await.expect("the file went unnoticed");
        assert!(locked(&arrivals.waiting).is_empty(), "a wait was left behind");
    }

    #[tokio::test]
    async fn a_folder_that_was_swapped_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("in");
        std::fs::create_dir(&folder).unwrap();
        let (arrivals, file) = (Arrivals::default(), folder.join("f"));
        let mut spot = arrivals.spot(&file);
        spot.arm().unwrap();
        std::fs::rename(&folder, dir.path().join("old")).unwrap();
        std::fs::create_dir(&folder).unwrap();
        timeout(Duration::from_secs(20), spot.changed()).await.expect("the swap went unnoticed");
        drop(spot);
        let make = async {
            tokio::task::yield_now().await;
            std::fs::write(&file, "").unwrap();
        };
        let both = async { tokio::join!(comes(&arrivals, &file), make) };
        timeout(Duration::from_secs(20), both).await.expect("the file went unnoticed");
    }

    /// Each folder comes while the one above it is being watched: whoever finds the one above to be the nearest, and
    /// watches it too late, would wait there for what happens below.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_comes_while_a_watch_begins_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let arrivals = Arrivals::default();
        for round in 0..300 {
            let folder = dir.path().join(format!("{round}/a/b/c/d"));
            let file = folder.join("f");
            let make = tokio::task::spawn_blocking(move || {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join("f"), "").unwrap();
            });
            let wait = timeout(Duration::from_secs(20), comes(&arrivals, &file));
            wait.await.unwrap_or_else(|_| panic!("the file of round {round} went unnoticed"));
            make.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_neighbour_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let (arrivals, file) = (Arrivals::default(), dir.path().join("mine"));
        let (mut mine, mut other) = (arrivals.spot(&file), arrivals.spot(dir.path().join("other")));
        mine.arm().unwrap();
        other.arm().unwrap();
        std::fs::write(dir.path().join("other"), "x").unwrap();
        timeout(Duration::from_secs(20), other.changed()).await.expect("its own file went unnoticed");
        let quiet = timeout(Duration::from_millis(50), mine.changed()).await;
        assert!(quiet.is_err(), "a neighbour's file woke it");
    }
}
