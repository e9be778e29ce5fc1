//! What one attempt still has to tell the host, kept small however slow the host is.

use super::backlog::Backlog;
use super::runner::{Line, Report, Reports};
use crate::base::AttemptId;
use std::future::poll_fn;
use tokio_util::sync::PollSender;

/// What is waiting to be taken by the host.
pub(super) struct Outbox {
    attempt: AttemptId,
    // Keeps its place in the queue of senders when a wait is given up, which a plain sender would not.
    sender: PollSender<Report>,
    spawned: Option<Report>,
    stalled: Option<Report>,
    backlog: Backlog,
}

impl Outbox {
    /// Nothing yet.
    pub(super) fn new(attempt: AttemptId, reports: Reports) -> Outbox {
        Outbox {
            attempt,
            sender: PollSender::new(reports),
            spawned: None,
            stalled: None,
            backlog: Backlog::default(),
        }
    }

    /// Wants the host to know that the attempt runs.
    pub(super) fn spawned(&mut self, pid: Option<u32>) {
        self.spawned = Some(Report::Spawned { attempt: self.attempt, pid });
    }

    /// Wants the host to know that it shows no sign of life.
    pub(super) fn stalled(&mut self) {
        self.stalled = Some(Report::Stalled { attempt: self.attempt });
    }

    /// Wants the host to know a line.
    pub(super) fn push(&mut self, line: Line) {
        self.backlog.push(line);
    }

    /// Wants the host to know that so many lines were left out.
    pub(super) fn dropped(&mut self, lines: u64) {
        self.backlog.dropped(lines);
    }

    /// Whether [`Outbox::deliver_one`] has anything to do.
    pub(super) fn is_empty(&self) -> bool {
        self.spawned.is_none() && self.stalled.is_none() && self.backlog.is_empty()
    }

    /// Waits for the host and hands it the next report. Nothing is lost when the wait is given up.
    pub(super) async fn deliver_one(&mut self) {
        let is_open = poll_fn(|cx| self.sender.poll_reserve(cx)).await.is_ok();
        let next = self.next();
        // When nobody listens any more, taking the report out is all there is to do.
        if let (true, Some(report)) = (is_open, next) {
            let _ = self.sender.send_item(report);
        }
    }

    /// Hands the host what it takes without waiting.
    pub(super) fn deliver_now(&mut self) {
        while !self.is_empty() {
            let permit = match self.sender.get_ref().map(|sender| sender.clone().try_reserve_owned()) {
                Some(Ok(permit)) => permit,
                Some(Err(_)) | None => return,
            };
            match self.next() {
                Some(report) => drop(permit.send(report)),
                None => return,
            }
        }
    }

    /// Waits until the host has taken everything.
    pub(super) async fn deliver_all(&mut self) {
        while !self.is_empty() {
            self.deliver_one().await;
        }
    }

    fn next(&mut self) -> Option<Report> {
        if let Some(spawned) = self.spawned.take() {
            return Some(spawned);
        }
        if let Some((lines, dropped)) = self.backlog.take() {
            return Some(Report::Lines { attempt: self.attempt, lines, dropped });
        }
        self.stalled.take()
    }
}
