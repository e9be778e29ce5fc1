//! The loop: take up to N waiting inputs, let the engine decide, commit all events in one transaction, then show them
//! and carry out the orders.
//!
//! While one turn commits, the inputs of the next gather; so the busier the host, the more events share a commit.

use crate::base::Millis;
use crate::definition::Params;
use crate::engine::{Effect, Engine, Event, Exit, Input, Order, Record};
use crate::exec::Report;
use crate::host::Inner;
use crate::host::clock::Alarm;
use crate::host::feed::Happening;
use crate::host::results;
use crate::store::{Durability, Seq, StoreError};
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Inputs in one turn at most: enough to share a commit, few enough to keep the first from waiting.
const MOST: usize = 256;
/// A commit that failed (a full disk, say) is tried again after this long. Meanwhile nothing is started.
const AGAIN: Millis = Millis::from_secs(1);

/// An input, and who wants to know what came of it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) input: Input,
    pub(super) reply: Option<oneshot::Sender<Told>>,
}

/// What came of an input, once it is written down.
#[derive(Debug)]
pub(super) struct Told {
    /// What was decided because of it; empty when it changed nothing.
    pub(super) records: Vec<Record>,
}

pub(super) struct Turn {
    pub(super) engine: Engine,
    pub(super) inner: Arc<Inner>,
    pub(super) inbox: mpsc::Receiver<Message>,
    pub(super) reports: mpsc::Receiver<Report>,
    pub(super) alarm: Alarm,
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    orders: Vec<Order>,
    replies: Vec<(Range<usize>, oneshot::Sender<Told>)>,
    inputs: usize,
}

impl Turn {
    /// Goes on until the host is stopped.
    pub(super) async fn run(mut self) {
        let stop = self.inner.stop.clone();
        loop {
            let deadline = self.engine.next_deadline();
            let mut batch = Batch::default();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(report) = self.reports.recv() => self.hear(report, &mut batch),
                Some(message) = self.inbox.recv() => self.take(message, &mut batch),
                () = self.alarm.wait(&self.inner.clock, deadline) => self.tell(Input::Tick, None, &mut batch),
            }
            self.gather(&mut batch);
            if !batch.records.is_empty() && self.commit(&batch).await.is_none() {
                return; // Stopped while the store could not write: nothing of this turn has happened.
            }
            self.reply(std::mem::take(&mut batch.replies), &batch.records);
            for order in batch.orders {
                self.inner.carry_out(order);
            }
        }
    }

    fn gather(&mut self, batch: &mut Batch) {
        while batch.inputs < MOST {
            if let Ok(report) = self.reports.try_recv() {
                self.hear(report, batch);
            } else if let Ok(message) = self.inbox.try_recv() {
                self.take(message, batch);
            } else {
                return;
            }
        }
    }

    fn take(&mut self, message: Message, batch: &mut Batch) {
        self.tell(message.input, message.reply, batch);
    }

    /// Only the end of an attempt concerns the engine; the rest are passing remarks.
    fn hear(&mut self, report: Report, batch: &mut Batch) {
        match report {
            Report::Ended { attempt, exit, usage, left_over, outputs: text, outputs_cut } => {
                if left_over > 0 {
                    // The log of the job says so where people look.
                    tracing::debug!(?attempt, left_over, "killed processes that outlived their leader");
                }
                if exit == Exit::Lost {
                    self.inner.drop_outputs(attempt);
                }
                let (exit, outputs) = match self.engine.state().find_job(attempt.job) {
                    Some(_) => {
                        let leaf = self.engine.state().leaf(attempt.job);
                        let (exit, outputs) = results::judge(leaf, exit, &text, outputs_cut);
                        if exit == (Exit::Code { code: 0 }) && !leaf.artifacts.is_empty() {
                            let leaf = Arc::clone(leaf);
                            return self.inner.keep_artifacts(attempt, leaf, (exit, usage, outputs));
                        }
                        (exit, outputs)
                    }
                    None => (exit, Params::new()),
                };
                self.tell(Input::Ended { attempt, exit, usage, outputs }, None, batch);
            }
            Report::Spawned { attempt, pid } => self.inner.spawned(attempt, pid),
            Report::Stalled { attempt } => self.tell(Input::Stalled { attempt }, None, batch),
            Report::Lines { attempt, lines, dropped } => self.inner.lines(attempt, lines, dropped),
            Report::Progress { attempt, percent, message } => {
                let message = Some(message).filter(|message| !message.is_empty());
                self.inner.remark(attempt, f64::from(percent), message);
            }
        }
    }

    fn tell(&mut self, input: Input, reply: Option<oneshot::Sender<Told>>, batch: &mut Batch) {
        let now = self.inner.clock.now();
        let first = batch.records.len();
        for effect in self.engine.handle(now, input) {
            match effect {
                Effect::Emit(event) => batch.records.push(Record { at: now, event }),
                Effect::Order(order) => batch.orders.push(order),
            }
        }
        batch.inputs += 1;
        batch.replies.extend(reply.map(|reply| (first..batch.records.len(), reply)));
    }

    /// Writes the events down, then shows them. Tries until it works: the engine has decided, and a decision cannot
    /// be taken back, only delayed.
    async fn commit(&self, batch: &Batch) -> Option<Seq> {
        let durability = if self.inner.is_full_durability || batch.records.iter().any(is_claim) {
            Durability::Synced
        } else {
            Durability::Written
        };
        let last = loop {
            match self.inner.store.commit(batch.records.clone(), durability).await {
                Ok(last) => break last,
                // It is written; that it may not survive a power cut is reported, not repeated.
                Err(StoreError::Sync { .. }) => {
                    break self.inner.store.commit(Vec::new(), Durability::Written).await.ok()?;
                }
                Err(error) => {
                    tracing::error!(%error, "the store cannot write; nothing is started until it can");
                    self.inner.set_trouble(Some(error.to_string()));
                    tokio::select! {
                        () = self.inner.stop.cancelled() => return None,
                        () = tokio::time::sleep(AGAIN.to_duration()) => {}
                    }
                }
            }
        };
        self.inner.set_trouble(None);
        self.inner.show(&batch.records, last);
        Some(last)
    }

    fn reply(&self, replies: Vec<(Range<usize>, oneshot::Sender<Told>)>, records: &[Record]) {
        for (range, reply) in replies {
            // Whoever asked may have left.
            let _ = reply.send(Told { records: records[range].to_vec() });
        }
    }
}

/// A slot of a schedule was taken. Rolled back by a power cut it would fire twice, so the disk must have it first.
fn is_claim(record: &Record) -> bool {
    matches!(&record.event, Event::RunCreated(new) if new.trigger.schedule().is_some())
}

impl Inner {
    /// Shows what is written down now, and tells it.
    fn show(self: &Arc<Inner>, records: &[Record], last: Seq) {
        self.prepare_farewells(records);
        self.view.apply(records, last);
        if records.iter().any(|record| matches!(record.event, Event::Decided { .. })) {
            self.decided.notify_waiters();
        }
        let first = last.0 + 1 - records.len() as u64;
        for (place, record) in records.iter().enumerate() {
            if let Event::AttemptEnded { attempt, .. } = record.event {
                self.runner.forget(attempt);
            }
            let seq = Seq(first + place as u64);
            self.speaker.tell(|| Happening::Event { seq, record: record.clone() });
        }
    }
}
