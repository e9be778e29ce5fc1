//! The host's side of the socket to one shim.

use super::nursery::Nursery;
use super::wire::{Ending, Errand, Frames, ToHost, ToShim, framed};
use crate::base::Millis;
use crate::exec::orders::{Order, Standing};
use crate::exec::outbox::Outbox;
use crate::exec::runner::Start;
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::Instant;

/// A shim that can be talked to.
pub(in crate::exec) struct Talk {
    socket: UnixStream,
    frames: Frames,
    /// What the shim was told last.
    known: Order,
}

/// What came of it.
pub(in crate::exec) enum Told {
    /// Nothing of the attempt is left.
    Ended(Ending),
    /// The shim died before the attempt was over.
    Died,
    /// It goes on, and is no business of ours any more.
    Left,
}

impl Talk {
    /// Makes a shim and tells it what it is for.
    ///
    /// # Errors
    /// There is no shim to be had, or one of the pipes is taken.
    pub(in crate::exec) async fn begin(nursery: &Nursery, start: &mut Start) -> io::Result<Talk> {
        let (errand, pipes) = Errand::of(start)?;
        let mut talk = Talk::over(nursery.bear(&pipes).await?, Order::GoOn);
        drop(pipes);
        talk.socket.write_all(&framed(&errand)).await?;
        Ok(talk)
    }

    pub(super) fn over(socket: UnixStream, known: Order) -> Talk {
        Talk { socket, frames: Frames::default(), known }
    }

    /// Passes orders on and reports back until the attempt is over.
    pub(in crate::exec) async fn go_on(&mut self, orders: &mut Standing, outbox: &mut Outbox) -> Told {
        loop {
            let known = self.known;
            tokio::select! {
                heard = self.hear() => match heard {
                    Ok(ToHost::Spawned { pid }) => outbox.spawned(Some(pid)),
                    Ok(ToHost::Lines { lines, dropped }) => {
                        outbox.dropped(dropped);
                        lines.into_iter().for_each(|line| outbox.push(line));
                    }
                    Ok(ToHost::Stalled) => outbox.stalled(),
                    Ok(ToHost::Ended(ending)) => return Told::Ended(ending),
                    Err(_) => return Told::Died,
                },
                order = orders.other_than(known) => {
                    let Some(order) = order else { return Told::Left };
                    self.known = order;
                    // A shim that cannot be told is dead, and the next reading says so.
                    let _ = self.say(order).await;
                }
                () = outbox.deliver_one(), if !outbox.is_empty() => {}
            }
        }
    }

    /// The end is written down. The shim may go.
    pub(in crate::exec) fn forget(self) {
        // The few bytes fit, because it has read everything before.
        let _ = self.socket.try_write(&framed(&ToShim::Forget));
    }

    async fn say(&mut self, order: Order) -> io::Result<()> {
        let message = match order {
            Order::AsItWas => return Ok(()),
            Order::GoOn => ToShim::Resume,
            Order::StandStill => ToShim::Pause,
            Order::Stop { signal, until } => {
                let grace = until.saturating_duration_since(Instant::now());
                ToShim::Stop { signal, grace: Millis(grace.as_millis() as u64) }
            }
            Order::Kill => ToShim::Kill,
        };
        self.socket.write_all(&framed(&message)).await
    }

    /// The next message. Nothing is lost when the wait is given up.
    async fn hear(&mut self) -> io::Result<ToHost> {
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(message) = self.frames.next()? {
                return Ok(message);
            }
            self.socket.readable().await?;
            match self.socket.try_read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.frames.feed(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
