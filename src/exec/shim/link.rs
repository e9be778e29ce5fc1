//! The shim's side of the socket: never waits for the host, and notices when there is none any more.

use super::wire::{Frames, ToHost, ToShim, framed};
use crate::exec::backlog::Backlog;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
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

    /// Whether the host is gone already. Takes nothing of what it may have said.
    pub(super) fn is_broken(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(&self.socket, &mut [0u8; 1][..], flags) {
            Ok((_, length)) => length == 0,
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_) => true,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_gone_is_noticed_without_taking_what_it_said() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut link = Link::new(ours).unwrap();
        assert!(!link.is_broken());
        theirs.write_all(&framed(&ToShim::Kill)).unwrap();
        assert!(!link.is_broken());
        assert!(matches!(link.hear().unwrap()[..], [ToShim::Kill]));
        drop(theirs);
        assert!(link.is_broken());
    }
}
