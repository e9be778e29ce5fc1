//! The process that is forked: small, with one thread, and with nothing of the host in its memory.
//!
//! It reads no message. For every byte that comes with descriptors it forks, and the child (a shim) reads the rest from the
//! first of these. When a shim dies before its time, the zygote inherits what it held, and kills that. It inherits as well
//! what a shim let go, and leaves that alone.

use super::attend::{Rest, attend};
use super::signals::Signals;
use super::tree;
use super::wire::{Ending, ToHost, framed};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{WaitOptions, wait};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The one word on the command line that makes a program a zygote.
pub(super) const WORD: &str = "__zygote";

/// Turns this process into what a host needs to supervise its attempts, if that is what it was started for; returns at once
/// if not.
///
/// `neap` calls this first of all. A program that embeds a host and names itself as the supervisor (see
/// [`Builder::supervisor`](crate::host::Builder::supervisor)) must call it at the beginning of its `main`, before it starts
/// any thread.
///
/// ```
/// // The first line of `main`.
/// neap::exec::supervise_if_asked();
/// ```
pub fn supervise_if_asked() {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == WORD) && words.next().is_none() {
        let code = match run() {
            Ok(()) => 0,
            Err(error) => {
                let _ = writeln!(io::stderr(), "neap {WORD}: {error}");
                125
            }
        };
        std::process::exit(code);
    }
}

struct Zygote {
    requests: OwnedFd,
    signals: Signals,
    shims: BTreeSet<u32>,
    /// What shims let go, and is our child since.
    let_go: BTreeSet<u32>,
}

/// What a shim exits with that let something go.
const LET_GO: i32 = 2;

fn run() -> io::Result<()> {
    // SAFETY: the host gave us a socket as standard input, and nothing else in this process uses it.
    let requests = unsafe { OwnedFd::from_raw_fd(0) };
    rustix::net::sockopt::socket_type(&requests)
        .map_err(|_| io::Error::other("only a host starts this; there is nothing to see here"))?;
    // Out of the reach of the terminal: Ctrl-C is for the host.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut zygote =
        Zygote { requests, signals: Signals::hold()?, shims: BTreeSet::new(), let_go: BTreeSet::new() };
    let mut is_wanted = true;
    while is_wanted || !zygote.shims.is_empty() {
        zygote.wait(is_wanted);
        zygote.signals.take_stop();
        is_wanted = is_wanted && zygote.serve()?;
        zygote.reap();
    }
    Ok(())
}

impl Zygote {
    fn wait(&self, is_wanted: bool) {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if is_wanted {
            fds.push(PollFd::new(&self.requests, PollFlags::IN));
        }
        let _ = poll(&mut fds, None);
    }

    /// Forks once for each request that is there. `false` when the host is gone.
    fn serve(&mut self) -> io::Result<bool> {
        loop {
            match self.receive() {
                Ok(Some(fds)) => self.bear(fds),
                Ok(None) => return Ok(false),
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Ok(false),
            }
        }
    }

    fn receive(&self) -> rustix::io::Result<Option<Vec<OwnedFd>>> {
        let mut byte = [0u8; 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut buffer = RecvAncillaryBuffer::new(&mut space);
        let mut pieces = [io::IoSliceMut::new(&mut byte)];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let got = recvmsg(&self.requests, &mut pieces, &mut buffer, flags)?;
        let fds = buffer.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
            _ => Vec::new(),
        });
        let fds = fds.collect();
        Ok((got.bytes > 0).then_some(fds))
    }

    fn bear(&mut self, fds: Vec<OwnedFd>) {
        match fork_patiently() {
            Err(error) => refuse(fds, &error),
            Ok(0) => self.be_a_shim(fds),
            Ok(pid) => drop(self.shims.insert(pid)),
        }
    }

    fn be_a_shim(&self, fds: Vec<OwnedFd>) -> ! {
        let code = catch_unwind(AssertUnwindSafe(|| {
            // The number stays taken, so that nothing else becomes the standard input by chance.
            let nothing = std::fs::File::open("/dev/null")?;
            rustix::stdio::dup2_stdin(&nothing)?;
            let mut fds = fds.into_iter();
            let socket = fds.next().ok_or(io::ErrorKind::InvalidInput)?;
            let _ = rustix::thread::set_name(c"neap-shim");
            attend(UnixStream::from(socket), fds.collect(), Signals::hold()?)
        }));
        let code = match code {
            Ok(Ok(Rest::Nothing)) => 0,
            Ok(Ok(Rest::LetGo)) => LET_GO,
            Ok(Err(_)) | Err(_) => 1,
        };
        // SAFETY: ends the process without running what belongs to the zygote.
        unsafe { libc::_exit(code) }
    }

    /// Collects what has ended. Of a shim that failed or was killed, the rest is killed too.
    fn reap(&mut self) {
        let mut is_orphaned = false;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get() as u32;
                    self.let_go.remove(&pid);
                    match self.shims.remove(&pid).then(|| status.exit_status()) {
                        None | Some(Some(0)) => {}
                        Some(Some(LET_GO)) => self.adopt(),
                        Some(Some(_) | None) => is_orphaned = true,
                    }
                }
                Ok(None) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        if is_orphaned {
            while !tree::kill_round(std::process::id(), &self.spared()).is_empty() {
                while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
                    let pid = pid.as_raw_nonzero().get() as u32;
                    self.shims.remove(&pid);
                    self.let_go.remove(&pid);
                }
            }
        }
    }

    /// Notes what a shim has just let go. What another one lost in this moment cannot be told from that; whoever kills a
    /// supervisor has the host look for the mark of its attempt besides.
    fn adopt(&mut self) {
        let children = tree::children_of(std::process::id());
        self.let_go.extend(children.into_iter().filter(|pid| !self.shims.contains(pid)));
    }

    fn spared(&self) -> BTreeSet<u32> {
        &self.shims | &self.let_go
    }
}

/// Tries again for about 2.5 s while the machine is short of processes or memory: other processes give them back.
fn fork_patiently() -> io::Result<u32> {
    let mut wait = Duration::from_millis(10);
    loop {
        // SAFETY: this process has one thread, so its child may do whatever a process may do.
        let pid = unsafe { libc::fork() };
        if let Ok(pid) = u32::try_from(pid) {
            return Ok(pid);
        }
        let error = io::Error::last_os_error();
        if wait > Duration::from_secs(2) {
            return Err(error);
        }
        std::thread::sleep(wait);
        wait *= 2;
    }
}

/// Says in the place of the shim that there is none.
fn refuse(fds: Vec<OwnedFd>, error: &io::Error) {
    let ending = Ending::not_started(format!("there is no supervisor for it: {error}"));
    if let Some(socket) = fds.into_iter().next() {
        // A host that is gone does not want to know.
        let _ = UnixStream::from(socket).write_all(&framed(&ToHost::Ended(ending)));
    }
}
