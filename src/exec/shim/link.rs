//! The shim's side of the socket: never waits for the host, and notices when there is none any more.

use super::wire::{Frames, ToHost, ToShim, framed};
use crate::exec::backlog::Backlog;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// What the host is told, and says.
pub(super) struct Link {
    socket: UnixStream,
    frames: Frames,
    /// What the socket has not taken yet.
    out: Vec<u8>,
}

impl Link {
    pub(super) fn new(socket: UnixStream) -> io::Result<Link> {
        socket.set_nonblocking(true)?;
        Ok(Link { socket, frames: Frames::default(), out: Vec::new() })
    }

    pub(super) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Whether something waits for the host to take it.
    pub(super) fn is_behind(&self) -> bool {
        !self.out.is_empty()
    }

    pub(super) fn say(&mut self, message: &ToHost) {
        self.out.extend_from_slice(&framed(message));
    }

    /// Says what was written, unless the host is behind: then it gathers, and what is too much is left out.
    pub(super) fn say_lines(&mut self, backlog: &mut Backlog) {
        if self.is_behind() {
            return;
        }
        if let Some((lines, dropped)) = backlog.take() {
            self.say(&ToHost::Lines { lines, dropped });
        }
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// There is no host any more.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What the host has said since.
    ///
    /// # Errors
    /// There is no host any more.
    pub(super) fn hear(&mut self) -> io::Result<Vec<ToShim>> {
        let mut piece = [0; 4096];
        let mut heard = Vec::new();
        loop {
            match self.socket.read(&mut piece) {
                Ok(0) if heard.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => return Ok(heard),
                Ok(length) => self.frames.feed(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            while let Some(message) = self.frames.next()? {
                heard.push(message);
            }
        }
    }
}
