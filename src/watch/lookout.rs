//! Looks out for files that match patterns: tells of those that were made or changed once they have come to rest.
//!
//! What has been told is known by a cursor, a moment: a file that has changed after it is news. So nothing is remembered of
//! files at rest, and a host that was down finds what it has missed. The system says where to look; with no word from it
//! nothing is done. Only where it cannot be asked (it has few watches to give) folders are searched again and again.
//!
//! All of it lives in one thread, because looking at files can take long. It is started with the first pattern.

mod burst;
mod wanted;

use super::is_noise;
use crate::base::{Millis, Moment};
use crate::engine::{Changed, ChangedPath, ScheduleKey};
use burst::{Burst, Hint, Sign};
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wanted::Wanted;

/// Changes come in swarms: after the first one so long is waited, and one look serves all.
const SWARM: Duration = Duration::from_millis(20);
/// So many places to look at are remembered; what is more is found by a search.
const MOST_HINTS: usize = 10_000;
/// How often folders are searched that the system does not watch.
const SEARCH: Duration = Duration::from_secs(30);

/// What a schedule waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The schedule.
    pub key: ScheduleKey,
    /// Patterns of paths.
    pub paths: Arc<[String]>,
    /// For so long nothing may happen to a file.
    pub settle: Millis,
    /// It has seen all changes up to here. This counts when it is new.
    pub cursor: Moment,
}

/// Files that have changed, for one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose.
    pub key: ScheduleKey,
    /// With these it has seen all changes up to here.
    pub until: Moment,
    /// Which.
    pub changed: Changed,
}

/// Looks out until it is dropped.
pub struct Lookout(Arc<Shared>);

#[derive(Default)]
struct Shared {
    news: Mutex<News>,
    bell: Condvar,
}

/// What the thread has to look at.
#[derive(Default)]
struct News {
    posts: Option<Vec<Post>>,
    /// What the system has spoken of.
    hints: BTreeMap<PathBuf, Hint>,
    /// It has spoken of more than could be remembered, or says so itself.
    is_lost: bool,
    is_over: bool,
    /// What the system speaks of concerns nobody else.
    wanted: Vec<Arc<Wanted>>,
}

impl Lookout {
    /// Looks out in a project for what `tell` is to hear of; it stops when that says `false`. What lies below `own` is not
    /// looked at.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(
        root: &Path,
        own: &Path,
        tell: impl Fn(Sighting) -> bool + Send + 'static,
    ) -> std::io::Result<Lookout> {
        let shared = Arc::new(Shared::default());
        let (root, own, seen) = (root.to_owned(), own.to_owned(), Arc::clone(&shared));
        let work = move || {
            let searcher = Searcher {
                root,
                own,
                shared: seen,
                watcher: None,
                watched: BTreeMap::new(),
                follows: Vec::new(),
                search: None,
                has_warned: false,
            };
            searcher.work(&tell);
        };
        std::thread::Builder::new().name("neap-lookout".into()).spawn(work)?;
        Ok(Lookout(shared))
    }

    /// These, and no others, wait from now on. One that waits already for the same goes on where it is.
    pub fn follow(&self, posts: Vec<Post>) {
        self.0.lock().posts = Some(posts);
        self.0.bell.notify_one();
    }

    /// Tells nobody any more.
    pub fn stop(&self) {
        self.0.lock().is_over = true;
        self.0.bell.notify_one();
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, News> {
        // Whoever panicked inside left at worst a place behind that is not looked at.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the thread of the watcher: notes what concerns anybody.
    fn hear(&self, event: notify::Result<Event>) {
        let mut news = self.lock();
        match event {
            Ok(event) if is_noise(&event) => return,
            Ok(event) if event.paths.is_empty() || event.need_rescan() => news.is_lost = true,
            Ok(event) => {
                let before = (news.hints.len(), news.is_lost);
                for path in &event.paths {
                    news.note(path, &event.kind);
                }
                if (news.hints.len(), news.is_lost) == before {
                    return;
                }
            }
            // An error may stand for anything.
            Err(_) => news.is_lost = true,
        }
        drop(news);
        self.bell.notify_one();
    }
}

impl News {
    fn note(&mut self, path: &Path, kind: &EventKind) {
        if !self.wanted.iter().any(|wanted| concerns(wanted, path, kind)) {
            return;
        }
        let hint = match kind {
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Name(_)) => {
                Hint::Written
            }
            EventKind::Any
            | EventKind::Access(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Other => Hint::Touched,
        };
        if let Some(known) = self.hints.get_mut(path) {
            *known = hint.max(*known);
        } else if self.hints.len() < MOST_HINTS {
            self.hints.insert(path.to_owned(), hint);
        } else {
            self.is_lost = true;
        }
    }
}

/// Files are told by their names. What happens to a folder matters where matches can be in it.
fn concerns(wanted: &Wanted, path: &Path, kind: &EventKind) -> bool {
    let may_be_folder = match kind {
        EventKind::Create(CreateKind::File) | EventKind::Remove(RemoveKind::File) => false,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Any | EventKind::Other => true,
        EventKind::Access(_) | EventKind::Modify(_) => false,
    };
    wanted.is_match(path) || (may_be_folder && (wanted.enters(path) || wanted.leads_to(path)))
}

/// What there is to do. The fields are those of [`News`].
struct Work {
    posts: Option<Vec<Post>>,
    hints: BTreeMap<PathBuf, Hint>,
    is_lost: bool,
}

/// A schedule that is followed.
struct Follow {
    post: Post,
    wanted: Arc<Wanted>,
    burst: Burst,
}

/// The thread.
struct Searcher {
    root: PathBuf,
    own: PathBuf,
    shared: Arc<Shared>,
    watcher: Option<RecommendedWatcher>,
    /// The folders that the system watches, by name, and which folder had the name then.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    follows: Vec<Follow>,
    /// When to search everything again, because the system does not watch all of it.
    search: Option<Instant>,
    /// It was said that something is not watched.
    has_warned: bool,
}

impl Searcher {
    fn work(mut self, tell: &dyn Fn(Sighting) -> bool) {
        while let Some(Work { posts, hints, is_lost }) = self.wait() {
            let has_changed = posts.is_some_and(|posts| self.follow(posts));
            let is_due = self.search.is_some_and(|at| at <= Instant::now());
            let is_moved = self.look_at(hints);
            if has_changed || is_due || is_lost || is_moved {
                self.search_all();
            }
            if !self.settle(tell) {
                return;
            }
        }
    }

    /// Waits until there is something to do; `None` when there never will be again.
    fn wait(&mut self) -> Option<Work> {
        let due = self.follows.iter().filter_map(|follow| follow.burst.due()).chain(self.search).min();
        let shared = Arc::clone(&self.shared);
        let mut news = shared.lock();
        let is_quiet =
            |news: &News| news.posts.is_none() && news.hints.is_empty() && !news.is_lost && !news.is_over;
        while is_quiet(&news) {
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            news = match left {
                Some(Duration::ZERO) => break,
                Some(left) => shared.bell.wait_timeout(news, left).unwrap_or_else(PoisonError::into_inner).0,
                None => shared.bell.wait(news).unwrap_or_else(PoisonError::into_inner),
            };
        }
        if !news.hints.is_empty() && !news.is_over {
            drop(news);
            std::thread::sleep(SWARM);
            news = shared.lock();
        }
        let work = Work {
            posts: news.posts.take(),
            hints: std::mem::take(&mut news.hints),
            is_lost: std::mem::take(&mut news.is_lost),
        };
        (!news.is_over).then_some(work)
    }

    /// Gives whether anything is different now.
    fn follow(&mut self, posts: Vec<Post>) -> bool {
        let same = |old: &Post, new: &Post| (&old.key, &old.paths) == (&new.key, &new.paths);
        let mut old = std::mem::take(&mut self.follows);
        let mut has_changed = old.len() != posts.len();
        for post in posts {
            if let Some(at) = old.iter().position(|follow| same(&follow.post, &post)) {
                let mut follow = old.swap_remove(at);
                follow.burst.settle = post.settle;
                self.follows.push(Follow { post, ..follow });
                continue;
            }
            has_changed = true;
            match Wanted::new(&self.root, &self.own, &post.paths) {
                Ok(wanted) => {
                    let burst = Burst::new(post.settle, post.cursor);
                    self.follows.push(Follow { post, wanted: Arc::new(wanted), burst });
                }
                Err(error) => tracing::warn!(schedule = %post.key, %error, "its files are not watched"),
            }
        }
        self.shared.lock().wanted = self.follows.iter().map(|follow| Arc::clone(&follow.wanted)).collect();
        has_changed
    }

    /// Looks at the places that the system has spoken of. Gives whether a folder has gone or come on the way to the files.
    fn look_at(&mut self, hints: BTreeMap<PathBuf, Hint>) -> bool {
        let now = Instant::now();
        let mut is_moved = false;
        for (path, hint) in hints {
            let about = std::fs::symlink_metadata(&path);
            let is_folder = about.is_ok_and(|about| about.is_dir());
            // A folder that has gone may have come back as another one.
            is_moved |= self.watched.get(&path).is_some_and(|place| place_of(&path) != Some(*place));
            is_moved |= is_folder
                && hint == Hint::Written
                && self.follows.iter().any(|follow| follow.wanted.leads_to(&path));
            if is_folder {
                // Its mode says nothing about what is in it.
                let entered = if hint == Hint::Written { self.follows.len() } else { 0 };
                for index in 0..entered {
                    // What is in a folder that was given this name is older than the name.
                    self.enter(index, &path, Hint::Written);
                }
            } else if let Some(sign) = sign(&path) {
                for follow in self.follows.iter_mut().filter(|follow| follow.wanted.is_match(&path)) {
                    follow.burst.see(path.clone(), sign, hint, now);
                }
            }
        }
        is_moved
    }

    /// Watches all folders anew, and looks at what is in them.
    fn search_all(&mut self) {
        self.search = None;
        for (folder, place) in std::mem::take(&mut self.watched) {
            let is_wanted = self
                .follows
                .iter()
                .any(|follow| follow.wanted.enters(&folder) || follow.wanted.leads_to(&folder));
            // A folder of the same name may be another one.
            if is_wanted && place_of(&folder) == Some(place) {
                self.watched.insert(folder, place);
            } else if let Some(watcher) = &mut self.watcher {
                // What has gone is not watched any more, which is as good.
                let _ = watcher.unwatch(&folder);
            }
        }
        for index in 0..self.follows.len() {
            let wanted = Arc::clone(&self.follows[index].wanted);
            for start in &wanted.starts {
                for folder in start.way() {
                    self.watch(folder);
                }
                self.enter(index, &start.folder, Hint::Found);
            }
        }
        // When all is watched again, the next refusal is news.
        self.has_warned = self.search.is_some();
    }

    /// Watches a folder and those below it in which matches can be, and looks at the files in them.
    fn enter(&mut self, index: usize, folder: &Path, hint: Hint) {
        let wanted = Arc::clone(&self.follows[index].wanted);
        let mut open: Vec<PathBuf> = vec![folder.to_owned()];
        while let Some(folder) = open.pop().filter(|folder| wanted.enters(folder)) {
            // First the watch, then the look: what comes between the two is seen by both and not by none.
            self.watch(&folder);
            let now = Instant::now();
            each(&folder, |path, is_folder| {
                if is_folder && wanted.enters(&path) {
                    open.push(path);
                } else if !is_folder
                    && wanted.is_match(&path)
                    && let Some(sign) = sign(&path)
                {
                    self.follows[index].burst.see(path, sign, hint, now);
                }
            });
        }
    }

    /// Has the system watch a folder, if that is there.
    fn watch(&mut self, folder: &Path) {
        let Some(place) = place_of(folder) else { return };
        if self.watcher.is_none() && self.search.is_none() {
            let shared = Arc::clone(&self.shared);
            match notify::recommended_watcher(move |event| shared.hear(event)) {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => self.warn(folder, &error),
            }
        }
        let Some(watcher) = &mut self.watcher else { return self.search_later() };
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => _ = self.watched.insert(folder.to_owned(), place),
            // It has gone meanwhile, and the folder above it says so.
            Err(_) if place_of(folder).is_none() => {}
            Err(error) => {
                self.warn(folder, &error);
                self.search_later();
            }
        }
    }

    /// Once, and not for each of a thousand folders.
    fn warn(&mut self, folder: &Path, error: &notify::Error) {
        if !std::mem::replace(&mut self.has_warned, true) {
            let often = Millis(SEARCH.as_millis() as u64);
            tracing::warn!(folder = %folder.display(), %error, "the system does not watch it; files are searched for every {often}");
        }
    }

    fn search_later(&mut self) {
        self.search = Some(Instant::now() + SEARCH);
    }

    /// Tells of all that have come to rest. Gives whether anybody listens.
    fn settle(&mut self, tell: &dyn Fn(Sighting) -> bool) -> bool {
        for follow in &mut self.follows {
            let now = Instant::now();
            if follow.burst.due().is_none_or(|due| due > now) {
                continue;
            }
            let (is_crowded, begun) = (follow.burst.crowded.is_some(), follow.burst.begun);
            let ready = follow.burst.take(now, sign);
            if ready.is_empty() {
                continue;
            }
            let mut others = Others::default();
            if is_crowded {
                others.search(follow, &ready);
                if others.is_restless(follow.burst.settle) && follow.burst.is_patient(begun, now) {
                    follow.burst.put_back(ready, begun, now);
                    continue;
                }
            }
            let until = follow.burst.tell(&ready, others.last, wall_clock());
            let named = ready.iter().map(|(path, _)| ChangedPath(path.as_os_str().as_bytes().into()));
            let changed = Changed::new(named, others.count);
            if !tell(Sighting { key: follow.post.key.clone(), until, changed }) {
                return false;
            }
        }
        true
    }
}

/// Files that have changed and are too many to be remembered one by one.
#[derive(Default)]
struct Others {
    count: u64,
    /// When the last of them changed.
    last: Option<Moment>,
}

impl Others {
    fn search(&mut self, follow: &Follow, ready: &[(PathBuf, Sign)]) {
        let known: BTreeSet<&Path> = ready.iter().map(|(path, _)| path.as_path()).collect();
        let mut open: Vec<PathBuf> = follow.wanted.starts.iter().map(|start| start.folder.clone()).collect();
        open.sort();
        open.dedup();
        let mut seen: BTreeSet<PathBuf> = open.iter().cloned().collect();
        while let Some(folder) = open.pop() {
            each(&folder, |path, is_folder| {
                if is_folder && follow.wanted.enters(&path) {
                    if seen.insert(path.clone()) {
                        open.push(path);
                    }
                } else if !is_folder
                    && follow.wanted.is_match(&path)
                    && !known.contains(path.as_path())
                    && !follow.burst.is_pending(&path)
                    && let Some(sign) = sign(&path)
                    && follow.burst.is_news(&path, &sign, Hint::Found)
                {
                    self.count += 1;
                    self.last = self.last.max(Some(sign.changed_at()));
                }
            });
        }
    }

    fn is_restless(&self, settle: Millis) -> bool {
        let now = wall_clock();
        // One whose time is still to come cannot be waited for.
        self.last.is_some_and(|last| last <= now && last + settle > now)
    }
}

/// What is in a folder, and which of it are folders. What cannot be read holds nothing; links to folders are none, so every
/// search ends.
fn each(folder: &Path, mut see: impl FnMut(PathBuf, bool)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if let Ok(kind) = entry.file_type() {
            see(folder.join(entry.file_name()), kind.is_dir());
        }
    }
}

/// What a file looks like; `None` when it is none. Behind a link is what it leads to.
fn sign(path: &Path) -> Option<Sign> {
    let about = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let link = std::fs::symlink_metadata(path).ok()?;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let changed = |about: &std::fs::Metadata| nanoseconds(about.ctime(), about.ctime_nsec());
    Some(Sign {
        place: (about.dev(), about.ino()),
        size: about.size(),
        modified: nanoseconds(about.mtime(), about.mtime_nsec()),
        changed: changed(&about).max(changed(&link)),
    })
}

/// Which folder this is; `None` when it is none.
fn place_of(folder: &Path) -> Option<(u64, u64)> {
    let about = std::fs::metadata(folder).ok().filter(std::fs::Metadata::is_dir)?;
    Some((about.dev(), about.ino()))
}

fn wall_clock() -> Moment {
    Moment(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests;
