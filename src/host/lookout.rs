//! Schedules that fire when files change: what is looked out for, and what a run is told of it.
//!
//! How files are watched is the business of `watch`; whether there is a run, that of the engine.

use crate::base::RunId;
use crate::engine::{Armed, Changed, Input, Run, ScheduleKey, Trigger};
use crate::host::Inner;
use crate::host::turn::Message;
use crate::schedule::Occasion;
use crate::watch::{Lookout, Post, Sighting};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The file that names all that has changed.
pub(super) const CHANGED_FILE: &str = "NEAP_CHANGED_FILE";
/// The first of them.
pub(super) const CHANGED: &str = "NEAP_CHANGED";
/// How many there are.
pub(super) const CHANGED_COUNT: &str = "NEAP_CHANGED_COUNT";

/// A retry of a retry of a retry: further back nobody looks.
const GENERATIONS: usize = 20;

/// It begins with the first schedule that needs it.
#[derive(Default)]
pub(super) struct LazyLookout(OnceLock<Option<Lookout>>);

impl LazyLookout {
    /// Tells nobody any more.
    pub(super) fn stop(&self) {
        if let Some(Some(lookout)) = self.0.get() {
            lookout.stop();
        }
    }
}

impl Inner {
    /// Looks out for what these schedules wait for. They are known to the engine, so each has its cursor.
    pub(super) fn look_out(&self, schedules: &[Armed]) {
        // Of entries that are called alike the last one counts, as it does for the engine.
        let posts: BTreeMap<ScheduleKey, Post> = self.view.look(|live| {
            let post = |armed: &Armed| match armed.schedule.occasion() {
                Some(Occasion::Watch { paths, settle }) => Some(Post {
                    key: armed.key.clone(),
                    paths: paths.clone(),
                    settle: *settle,
                    cursor: *live.state.cursors.get(&armed.key)?,
                }),
                Some(Occasion::Startup | Occasion::After { .. } | Occasion::Webhook { .. }) | None => None,
            };
            schedules.iter().filter_map(post).map(|post| (post.key.clone(), post)).collect()
        });
        if posts.is_empty() && self.lookout.0.get().is_none() {
            return;
        }
        if let Some(lookout) = self.lookout.0.get_or_init(|| self.open_lookout()) {
            lookout.follow(posts.into_values().collect());
        }
    }

    fn open_lookout(&self) -> Option<Lookout> {
        let inbox = self.inbox.clone();
        let tell = move |Sighting { key, until, changed }| {
            let input = Input::Changed { key, until, changed };
            // The host has ended when nobody takes it.
            inbox.blocking_send(Message { input, reply: None }).is_ok()
        };
        let opened = Lookout::new(&self.root, &self.state_dir, tell);
        opened.inspect_err(|error| tracing::error!(%error, "no schedule sees what files do")).ok()
    }

    /// The variables that tell a job which files have changed. Another go at a run is told of the same files.
    pub(super) fn changed_variables(&self, id: RunId, run: &Run) -> Vec<(OsString, OsString)> {
        let Some((origin, trigger)) = self.origin(id, &run.trigger) else { return Vec::new() };
        let Trigger::Watch { changed, .. } = trigger else { return Vec::new() };
        let mut variables = vec![
            (CHANGED_FILE.into(), self.changed_file(origin).into_os_string()),
            (CHANGED_COUNT.into(), changed.count().to_string().into()),
        ];
        if let Some(first) = changed.paths.first() {
            variables.push((CHANGED.into(), OsStr::from_bytes(&first.0).to_owned()));
        }
        variables
    }

    /// The run that this one is another go at, and what caused that.
    pub(super) fn origin(&self, run: RunId, trigger: &Trigger) -> Option<(RunId, Trigger)> {
        let (mut run, mut trigger) = (run, trigger.clone());
        for _ in 0..GENERATIONS {
            let Trigger::Retry { of } = trigger else { return Some((run, trigger)) };
            (run, trigger) = (of, self.store.history().run(of).ok()??.trigger);
        }
        None
    }

    fn changed_file(&self, run: RunId) -> PathBuf {
        self.state_dir.join("runs").join(run.to_string()).join("changed")
    }

    /// Names all that has changed in a file, each name followed by a zero byte, which no name holds.
    pub(super) fn write_changed(&self, run: RunId) -> std::io::Result<()> {
        let changed = self.view.look(|live| match live.state.runs.get(&run).map(|run| &run.trigger) {
            Some(Trigger::Watch { changed, .. }) => Some(changed.clone()),
            Some(
                Trigger::Manual
                | Trigger::Schedule { .. }
                | Trigger::Retry { .. }
                | Trigger::Task { .. }
                | Trigger::After { .. }
                | Trigger::Webhook { .. },
            )
            | None => None,
        });
        let file = self.changed_file(run);
        match changed {
            Some(changed) => write_once(&file, || names(&changed)),
            None => Ok(()),
        }
    }
}

/// Writes a file if it is not there. A job never sees half of it, also when several begin at once.
pub(super) fn write_once(file: &Path, content: impl FnOnce() -> Vec<u8>) -> std::io::Result<()> {
    static DRAFTS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    if file.exists() {
        return Ok(());
    }
    let number = DRAFTS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let draft = file.with_extension(format!("draft{number}"));
    std::fs::write(&draft, content())?;
    std::fs::rename(draft, file)
}

fn names(changed: &Changed) -> Vec<u8> {
    changed.paths.iter().flat_map(|path| path.0.iter().copied().chain([0])).collect()
}
