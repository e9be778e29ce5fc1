//! What can go wrong while remembering.

use crate::base::{Moment, RunId, TaskName};
use crate::engine::ScheduleKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why something could not be remembered or recalled; fits after "failed to open the store: ".
///
/// It can be cloned because one failed transaction is reported to everybody who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the directory.
    #[error("another host{} uses this directory{}", .pid.map(|p| format!(" (process {p})")).unwrap_or_default(),
        .since.map(|s| format!(" since {s}")).unwrap_or_default())]
    Locked {
        /// Its process, when it has already said so.
        pid: Option<u32>,
        /// When it took the directory.
        since: Option<Moment>,
    },
    /// There is nothing to read.
    #[error("there is no database at {}; a host creates it when it first starts", .path.display())]
    NoDatabase {
        /// Where it would be.
        path: PathBuf,
    },
    /// There was a database, and now there is none.
    #[error("{} is gone; put a copy of it back, or remove {} as well to start without a past",
        .path.display(), .remove.display())]
    Vanished {
        /// Where it was.
        path: PathBuf,
        /// The file that says that there was one.
        remove: PathBuf,
    },
    /// The database file has no content, which SQLite would take for a new database.
    #[error("{} is empty; put a copy back, or remove it and {} to start without a past",
        .path.display(), .remove.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The file that says that there was a database.
        remove: PathBuf,
    },
    /// The file is a database, but not one of ours.
    #[error("{} belongs to another program; move it away", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a database, or no longer a sound one.
    #[error("{} is damaged; keep it, put a copy back in its place, or move it away", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// A later version of the program wrote it.
    #[error("{} has format {found}, and this program knows formats up to {known}; use the newer program",
        .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// An earlier version of the program wrote it, and a reader must not change it.
    #[error("{} still has format {found}; start a host once to bring it to format {known}", .path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The one that is read here.
        known: u32,
    },
    /// The SQLite library in use can damage databases in WAL mode.
    #[error("use SQLite {found}: it can damage a database; 3.51.3 or later is needed")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// The slot of this schedule has had its run.
    #[error("claim the slot {slot} of {key}: run {by} has it")]
    SlotTaken {
        /// The schedule.
        key: ScheduleKey,
        /// The slot.
        slot: Moment,
        /// The run that was created for it.
        by: RunId,
    },
    /// The run's id or its number in the task is in use.
    #[error("create {task}#{number}: its number or its id {run} is in use")]
    NumberTaken {
        /// The run's id.
        run: RunId,
        /// The task.
        task: TaskName,
        /// The number of the run.
        number: u64,
    },
    /// The disk is full. Nothing of the batch is kept; it can be tried again when there is space.
    #[error("write: no space is left on the disk")]
    Full,
    /// SQLite reports anything else.
    #[error("use the database: {0}")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// A file beside the database cannot be used.
    #[error("use {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// A stored text cannot be understood.
    #[error("read {what}: {source}")]
    Unreadable {
        /// Which.
        what: String,
        /// What is wrong with it.
        source: Arc<serde_json::Error>,
    },
    /// A run names a plan that is not stored.
    #[error("find the plan {hash}")]
    NoPlan {
        /// Its hash.
        hash: Arc<str>,
    },
    /// It is written, but could not be made safe against a power cut.
    #[error("make it safe against a power cut: {0}")]
    Sync(#[source] Arc<io::Error>),
    /// The store was closed.
    #[error("write: the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full,
            _ => StoreError::Sqlite(Arc::new(error)),
        }
    }
}

impl StoreError {
    /// For `map_err` on an operation on `path`.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        move |source| StoreError::File { path: path.into(), source: Arc::new(source) }
    }

    /// For `map_err` on reading a stored text.
    pub(super) fn unreadable(what: impl ToString) -> impl FnOnce(serde_json::Error) -> StoreError {
        move |source| StoreError::Unreadable { what: what.to_string(), source: Arc::new(source) }
    }
}
