//! The store remembers: every event in order, what the engine needs to go on after a crash, and the history that
//! people ask for. One SQLite database in one directory.
//!
//! It decides nothing and reads no clock but to sign its lock. It does not hold the output of jobs, and it does not
//! forget anything yet.
//!
//! | awaited | survives the death of the host | survives a power cut |
//! |---|---|---|
//! | [`Durability::Written`] | yes | when the disk has it, at most about 50 ms later; always a prefix of the journal |
//! | [`Durability::Synced`] | yes | yes |

mod apply;
mod columns;
mod durable;
mod error;
mod examine;
mod filter;
mod history;
mod lock;
mod place;
mod recovered;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod usual;
mod writer;

pub use error::StoreError;
pub use examine::Examined;
pub use filter::{Position, RunFilter, RunStatus, TriggerKind};
pub use history::History;
pub use recovered::{Pause, Recovered};
pub use rows::{AttemptRow, Entry, Fresh, JobRow, RecentRun, RunRow, SlotRow, Stats};
pub use usual::{Usual, Usuals};

use crate::engine::Record;
use durable::Syncer;
use lock::Lock;
use place::Place;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, oneshot, watch};
use writer::{Batch, Writer};

/// Batches that may wait for the writer. A turn of the host is one batch, so this is far more than one host has in
/// flight; whoever comes after waits in [`Store::submit`].
const QUEUE: usize = 1024;

type Outcome = Result<Seq, StoreError>;
type Reply = oneshot::Sender<Outcome>;

/// The place of a record in the journal, from 1. Later records have larger numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The operating system has it: the host may die.
    Written,
    /// The disk has it: the power may go.
    Synced,
}

/// The right to write to one directory, and the thread that does it. Dropping it waits until everything is on the disk.
///
/// ```
/// use neap::base::{Moment, TaskName};
/// use neap::engine::{Author, Event, Record};
/// use neap::store::{Durability, Store};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let (store, recovered) = Store::open(dir.path())?;
/// assert!(recovered.records.is_empty());
/// let paused = Event::TaskPaused { task: TaskName::new("nightly")?, by: Author::host(), reason: None };
/// store.commit(vec![Record { at: Moment(1), event: paused }], Durability::Synced).await?;
/// assert_eq!(store.history().paused()?.len(), 1);
/// # Ok(()) }
/// ```
pub struct Store {
    /// `None` only while closing: the writer ends when the queue does.
    queue: Option<SyncSender<Batch>>,
    places: Arc<Semaphore>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
    durable: watch::Receiver<Seq>,
    history: History,
    _lock: Lock,
}

impl Store {
    /// Takes the directory, creating it and an empty database when there is none, and tells what has to go on. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Locked`] at once when another host has the directory. What is there but cannot be used (empty,
    /// damaged, foreign, of a newer format, or gone) is refused and left as it is.
    pub fn open(dir: &Path) -> Result<(Store, Recovered), StoreError> {
        let place = Place::new(dir);
        let lock = place.lock()?;
        let db = place.open()?;
        let recovered = Recovered::read(&db)?;
        let last = db.query_row("SELECT coalesce(max(seq), 0) FROM journal", [], |row| row.get(0))?;
        // This also brings the log into being, which the thread that syncs wants to open.
        db.execute("UPDATE meta SET value = '0' WHERE name = 'clean'", [])?;
        let (sender, durable) = watch::channel(Seq(0));
        let syncer = Syncer::start(place.log(), last, sender)?;
        let (queue, batches) = sync_channel(QUEUE);
        let writer = Writer::new(db, syncer, place.log(), last);
        let thread = std::thread::Builder::new().name("neap-store".into());
        let writer = thread.spawn(move || writer.serve(&batches)).map_err(StoreError::file(dir))?;
        let history = History::open(dir)?;
        let places = Arc::new(Semaphore::new(QUEUE));
        let store = Store { queue: Some(queue), places, writer: Some(writer), durable, history, _lock: lock };
        Ok((store, recovered))
    }

    /// Writes the records in order, all or none of them, and waits for what `durability` promises. The answer is the
    /// place of the last one; without records, of the last one before.
    ///
    /// # Errors
    /// [`StoreError::SlotTaken`] and [`StoreError::NumberTaken`] refuse this batch alone. [`StoreError::Full`] and
    /// [`StoreError::Sqlite`] mean that nothing of it was written; the store can still be used.
    /// [`StoreError::Sync`] means that it was written and may not survive a power cut.
    pub async fn commit(&self, records: Vec<Record>, durability: Durability) -> Result<Seq, StoreError> {
        self.submit(records, durability).await?.await
    }

    /// Queues the records like [`Store::commit`] and returns as soon as their place in the order is certain. It waits
    /// only while the queue is full.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn submit(&self, records: Vec<Record>, durability: Durability) -> Result<Pending, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        // Never blocks: there are as many places as the queue is long.
        queue.send(Batch { records, durability, reply, place }).map_err(|_| StoreError::Closed)?;
        Ok(Pending(answer))
    }

    /// Up to where the journal is safe against a power cut.
    pub fn durable(&self) -> watch::Receiver<Seq> {
        self.durable.clone()
    }

    /// For reading. It sees what was committed, at once.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Waits until everything queued is on the disk and the database is marked as cleanly closed. Blocks.
    ///
    /// # Errors
    /// Whatever kept the end from being clean. What was acknowledged is safe all the same, as far as promised.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.history.rest();
        drop(self.queue.take());
        match self.writer.take() {
            Some(writer) => writer.join().unwrap_or(Err(StoreError::Closed)),
            None => Ok(()),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}

/// The answer to a batch that has its place in the order.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Outcome>);

impl Future for Pending {
    type Output = Result<Seq, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}
