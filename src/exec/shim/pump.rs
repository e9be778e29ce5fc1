//! Reading what an attempt writes, in the shim: as far as it goes without waiting.

use crate::exec::flow::{Channels, Flow};
use crate::exec::output::{PIECE, PIPE};
use crate::exec::runner::Line;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The pipes, and what has been made of them so far.
pub(super) struct Pump {
    flow: Flow,
    pipes: [Option<OwnedFd>; 2],
    buffer: Vec<u8>,
    /// Bytes that were read.
    total: u64,
}

impl Pump {
    /// Takes charge of the pipes.
    pub(super) fn new(channels: Channels) -> io::Result<Pump> {
        for pipe in channels.readers.iter().flatten() {
            fcntl_setfl(pipe, OFlags::NONBLOCK)?;
        }
        Ok(Pump { flow: channels.flow, pipes: channels.readers, buffer: vec![0; PIECE], total: 0 })
    }

    /// How many bytes were read so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What to wait for.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().flatten().map(AsFd::as_fd)
    }

    /// Takes what is there, but no more than a pipe holds: somebody may write without end.
    pub(super) fn run(&mut self, emit: &mut impl FnMut(Line)) {
        for index in 0..self.pipes.len() {
            for _ in 0..=PIPE / PIECE {
                if !self.take(index, emit) {
                    break;
                }
            }
        }
    }

    /// Adds a line of ours to the log.
    pub(super) fn note(&mut self, text: &str) {
        self.flow.note(text);
    }

    /// Nothing comes any more, or nobody cares.
    pub(super) fn finish(mut self, emit: &mut impl FnMut(Line)) {
        self.flow.finish(emit);
    }

    fn take(&mut self, index: usize, emit: &mut impl FnMut(Line)) -> bool {
        let Some(pipe) = &self.pipes[index] else { return false };
        match rustix::io::read(pipe, &mut self.buffer) {
            Ok(length) if length > 0 => {
                self.total += length as u64;
                self.flow.feed(index, &self.buffer[..length], emit);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Ok(_) | Err(_) => {
                self.pipes[index] = None;
                false
            }
        }
    }
}
