//! The one thread that writes: it takes every batch that waits, and commits them together.
//!
//! A batch is kept whole or not at all. One that breaks a rule (a slot that is taken) fails alone; when the commit
//! itself fails, everybody in the group hears of it and the thread goes on with the next group.

use super::apply::apply;
use super::durable::{Syncer, Waiter};
use super::place::PATIENCE;
use super::{Durability, Outcome, Reply, Seq, StoreError};
use crate::engine::{Event, Record};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A log of this size is copied into the database even while there is work.
const LARGE_LOG: u64 = 16 << 20;

/// A log of this size is copied when nothing was written for [`QUIET`]; a smaller one can stay.
const SOME_LOG: u64 = 1 << 20;
const QUIET: Duration = Duration::from_secs(1);

/// Records that belong together, and who waits for them.
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) durability: Durability,
    pub(super) reply: Reply,
    /// Its place in the queue, given back when the thread takes it.
    pub(super) place: OwnedSemaphorePermit,
}

/// What the thread owns.
pub(super) struct Writer {
    db: Connection,
    syncer: Syncer,
    log: PathBuf,
    last: Seq,
    /// The next checkpoint is due when the log reaches this size.
    checkpoint_at: u64,
}

impl Writer {
    pub(super) fn new(db: Connection, syncer: Syncer, log: PathBuf, last: Seq) -> Writer {
        Writer { db, syncer, log, last, checkpoint_at: LARGE_LOG }
    }

    /// Works until the queue is closed and empty, then leaves a clean database behind.
    pub(super) fn serve(mut self, queue: &Receiver<Batch>) -> Result<(), StoreError> {
        while let Some(first) = self.next(queue) {
            let group: Vec<Batch> = std::iter::once(first).chain(queue.try_iter()).collect();
            self.write(group);
            if self.log_size() >= self.checkpoint_at || self.syncer.is_suspect() {
                self.checkpoint();
            }
        }
        self.close()
    }

    /// Waits for work. If the log is worth it, the first quiet second is used for a checkpoint.
    fn next(&mut self, queue: &Receiver<Batch>) -> Option<Batch> {
        if self.log_size() >= SOME_LOG {
            match queue.recv_timeout(QUIET) {
                Ok(batch) => return Some(batch),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.checkpoint(),
            }
        }
        queue.recv().ok()
    }

    fn write(&mut self, group: Vec<Batch>) {
        let mut claims = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for Batch { records, durability, reply, place } in group {
            drop(place);
            claims.push(records);
            waiting.push((durability, reply));
        }
        match self.transact(&claims) {
            Ok(outcomes) => self.answer(outcomes, waiting),
            Err(error) => {
                tracing::error!(%error, "nothing of {} batches could be written", claims.len());
                for (_, reply) in waiting {
                    let _nobody_waits_any_more = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction for all batches; what became of each of them.
    fn transact(&mut self, batches: &[Vec<Record>]) -> Result<Vec<Outcome>, StoreError> {
        execute(&self.db, "BEGIN IMMEDIATE")?;
        let written = self.write_all(batches).and_then(|outcomes| {
            execute(&self.db, "COMMIT")?;
            Ok(outcomes)
        });
        // When the disk is full SQLite may have rolled back already, and a second time would be an error.
        if written.is_err() && !self.db.is_autocommit() {
            execute(&self.db, "ROLLBACK")?;
        }
        let (outcomes, last) = written?;
        self.last = last;
        Ok(outcomes)
    }

    fn write_all(&self, batches: &[Vec<Record>]) -> Result<(Vec<Outcome>, Seq), StoreError> {
        let mut last = self.last;
        let mut outcomes = Vec::with_capacity(batches.len());
        for records in batches {
            let outcome = self.write_batch(records, last);
            match &outcome {
                Ok(seq) => last = *seq,
                Err(StoreError::SlotTaken { .. } | StoreError::NumberTaken { .. }) => {}
                Err(error) => return Err(error.clone()),
            }
            outcomes.push(outcome);
        }
        Ok((outcomes, last))
    }

    /// Only a new run can be refused, so only such a batch pays for being able to take it back alone.
    fn write_batch(&self, records: &[Record], last: Seq) -> Outcome {
        let may_be_refused = records.iter().any(|record| matches!(record.event, Event::RunCreated(_)));
        if !may_be_refused {
            return self.write_records(records, last);
        }
        execute(&self.db, "SAVEPOINT batch")?;
        let outcome = self.write_records(records, last);
        if outcome.is_err() && !self.db.is_autocommit() {
            execute(&self.db, "ROLLBACK TO batch")?;
        }
        if !self.db.is_autocommit() {
            execute(&self.db, "RELEASE batch")?;
        }
        outcome
    }

    fn write_records(&self, records: &[Record], last: Seq) -> Outcome {
        records.iter().try_fold(last, |_, record| apply(&self.db, record))
    }

    fn answer(&self, outcomes: Vec<Outcome>, waiting: Vec<(Durability, Reply)>) {
        let mut waiters = Vec::new();
        for (outcome, (durability, reply)) in outcomes.into_iter().zip(waiting) {
            match (outcome, durability) {
                (Ok(seq), Durability::Synced) => waiters.push(Waiter { seq, reply }),
                (outcome, Durability::Written | Durability::Synced) => {
                    let _nobody_waits_any_more = reply.send(outcome);
                }
            }
        }
        self.syncer.written(self.last, waiters);
    }

    /// Copies the log into the database and empties it, without waiting for readers that still need it.
    fn checkpoint(&mut self) {
        match self.try_checkpoint() {
            Ok(is_complete) => {
                if is_complete && self.syncer.is_suspect() {
                    self.syncer.rewritten(self.last);
                }
            }
            Err(error) => tracing::warn!(%error, "the log could not be copied into the database"),
        }
        // When a reader is in the way, the next try comes after as much work again, not after the next commit.
        self.checkpoint_at = self.log_size() + LARGE_LOG;
    }

    fn try_checkpoint(&self) -> Result<bool, StoreError> {
        self.db.busy_timeout(Duration::ZERO)?;
        let busy = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, u32>(0));
        self.db.busy_timeout(PATIENCE)?;
        Ok(busy? == 0)
    }

    /// The size of the log; `stat` only. No log is an empty log.
    fn log_size(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |found| found.len())
    }

    fn close(mut self) -> Result<(), StoreError> {
        let marked = execute(&self.db, "UPDATE meta SET value = '1' WHERE name = 'clean'");
        self.checkpoint();
        let (reply, mut answer) = oneshot::channel();
        self.syncer.written(self.last, vec![Waiter { seq: self.last, reply }]);
        self.syncer.close();
        let synced = answer.try_recv().expect("a thread that ends has answered everybody").map(drop);
        let closed = self.db.close().map_err(|(_, error)| error.into());
        marked.and(synced).and(closed)
    }
}

fn execute(db: &Connection, sql: &str) -> Result<(), StoreError> {
    Ok(db.prepare_cached(sql)?.execute([]).map(drop)?)
}
