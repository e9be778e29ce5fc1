//! The stream of events: what is written, then what happens, without a gap and without a repetition between the two.

use crate::base::RunId;
use crate::host::{Feed, Happening, Host};
use crate::store::{Seq, StoreError};
use std::collections::VecDeque;

/// Rows of the journal read at once.
const PAGE: u32 = 500;

/// Follows what happens in a host of this program, as [`Client::events`](crate::api::Client::events) does in another.
pub struct Follow {
    host: Host,
    run: Option<RunId>,
    feed: Feed,
    /// Up to here everything was sent; `None` when only the future was asked for.
    sent: Option<Seq>,
    is_past: bool,
    waiting: VecDeque<Happening>,
}

impl Follow {
    /// Everything that the journal has after this place, then what comes; only about this run, when one is given.
    pub fn new(host: Host, run: Option<RunId>, after: Option<Seq>) -> Follow {
        // Listening begins before reading, so nothing falls between.
        let feed = host.listen();
        let is_past = after.is_some();
        Follow { host, run, feed, sent: after, is_past, waiting: VecDeque::new() }
    }

    /// The next thing; `None` once the host has ended, or when the journal cannot be read. Nothing is lost when the wait
    /// is given up.
    pub async fn next(&mut self) -> Option<Happening> {
        loop {
            if let Some(happening) = self.waiting.pop_front() {
                return Some(happening);
            }
            if self.is_past {
                match self.read() {
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::error!(%error, "the journal cannot be read");
                        return None;
                    }
                }
            }
            match self.feed.next().await {
                Ok(Some(happening)) => self.take((*happening).clone()),
                Ok(None) => return None,
                // What was missed stands in the journal.
                Err(_) => self.is_past = self.sent.is_some(),
            }
        }
    }

    /// Reads the next page of the journal; an empty one is the end of the past.
    fn read(&mut self) -> Result<(), StoreError> {
        let after = self.sent.unwrap_or_default();
        let history = self.host.history();
        let mut page = match self.run {
            Some(run) => history.events(run, after, PAGE)?,
            None => history.journal(after, PAGE)?,
        };
        // The database may be a moment ahead of what the host shows. Whoever is told that a run has ended must also see
        // it ended, so what is not shown yet comes by the feed, which speaks after the view.
        let shown = self.host.look(|live| live.seq);
        page.retain(|entry| entry.seq <= shown);
        self.is_past = !page.is_empty();
        for entry in page {
            self.sent = Some(entry.seq);
            self.waiting.push_back(Happening::Event { seq: entry.seq, record: entry.record });
        }
        Ok(())
    }

    fn take(&mut self, happening: Happening) {
        let concerns = match (&happening, self.run) {
            (_, None) => true,
            (Happening::Event { record, .. }, Some(run)) => record.event.run() == Some(run),
            (Happening::Progress { attempt, .. }, Some(run)) => attempt.job.run == run,
            (Happening::Reloaded { .. }, Some(_)) => false,
        };
        if let Happening::Event { seq, .. } = &happening {
            if self.sent.is_some_and(|sent| *seq <= sent) {
                return;
            }
            self.sent = Some(*seq);
        }
        if concerns {
            self.waiting.push_back(happening);
        }
    }
}
