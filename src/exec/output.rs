//! The output of a process with secrets or watchers, read by the host: two pipes, in large pieces.
//!
//! An attempt that has no secrets and that nobody watches does not come here at all: its process holds the log file itself.

use super::flow::{Channels, Flow};
use super::outbox::Outbox;
use std::future::pending;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;

/// The host's ends of the two pipes, and what has been made of them so far.
pub(super) struct Output {
    flow: Flow,
    /// Standard output and standard error; gone once every writer is.
    pipes: [Option<Receiver>; 2],
    buffer: Vec<u8>,
}

/// How much is read at once. Larger pieces measured no faster, and 500 attempts hold one each.
pub(super) const PIECE: usize = 64 * 1024;
/// What the kernel is asked to hold in each pipe, so that a writer seldom waits for the host.
pub(super) const PIPE: usize = 1024 * 1024;
/// How long a pipe is still listened to that something outside the process group holds open.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(100);

impl Output {
    /// Takes charge of the pipes.
    ///
    /// # Errors
    /// The runtime cannot watch them.
    pub(super) fn new(channels: Channels) -> io::Result<Output> {
        let [out, err] = channels.readers;
        let pipes =
            [out.map(Receiver::from_owned_fd).transpose()?, err.map(Receiver::from_owned_fd).transpose()?];
        Ok(Output { flow: channels.flow, pipes, buffer: vec![0; PIECE] })
    }

    /// Reads and delivers until every writer is gone and the host has taken everything. May be given up at any
    /// await and called again.
    pub(super) async fn run(&mut self, outbox: &mut Outbox) {
        while !self.is_over() || !outbox.is_empty() {
            // A process that writes without pause must not keep its thread of the runtime for itself.
            tokio::task::coop::consume_budget().await;
            let [out, err] = &self.pipes;
            let ready = tokio::select! {
                () = readable(out) => Some(0),
                () = readable(err) => Some(1),
                () = outbox.deliver_one(), if !outbox.is_empty() => None,
            };
            if let Some(index) = ready {
                self.take(index, outbox, |pipe, buffer| pipe.try_read(buffer));
            }
        }
    }

    /// Takes what a process that has ended left in the pipes, then waits a moment for whoever else holds them.
    pub(super) async fn finish(&mut self, outbox: &mut Outbox) {
        for index in 0..self.pipes.len() {
            // Bounded by what a pipe can hold: somebody who escaped the group may go on writing for ever.
            for _ in 0..=PIPE / PIECE {
                // The runtime may not have noticed yet that there is something to read; the kernel knows.
                if !self.take(index, outbox, |pipe, buffer| Ok(rustix::io::read(pipe.as_fd(), buffer)?)) {
                    break;
                }
            }
        }
        let _ = tokio::time::timeout(LAST_WORDS, self.run(outbox)).await;
        self.pipes = [None, None];
        self.flow.finish(&mut |line| outbox.push(line));
    }

    fn is_over(&self) -> bool {
        self.pipes.iter().all(Option::is_none)
    }

    /// Reads one piece and passes it on; `false` when there was nothing.
    fn take(
        &mut self,
        index: usize,
        outbox: &mut Outbox,
        read: impl Fn(&Receiver, &mut [u8]) -> io::Result<usize>,
    ) -> bool {
        let Some(pipe) = &self.pipes[index] else { return false };
        match read(pipe, &mut self.buffer) {
            Ok(length) if length > 0 => {
                self.flow.feed(index, &self.buffer[..length], &mut |line| outbox.push(line));
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                false
            }
            Ok(_) | Err(_) => {
                self.pipes[index] = None;
                false
            }
        }
    }
}

async fn readable(pipe: &Option<Receiver>) {
    match pipe {
        // After an error the read itself says what is the matter.
        Some(pipe) => drop(pipe.readable().await),
        None => pending().await,
    }
}
