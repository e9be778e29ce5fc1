//! Signals as something to wait for, beside everything else.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The signals that a shim waits for, as a descriptor. They are held back from the process otherwise.
pub(super) struct Signals(OwnedFd);

impl Signals {
    /// Begins to hold them back: the end of a child, and the wish of the system that we leave.
    pub(super) fn hold() -> io::Result<Signals> {
        let set = Signals::change(libc::SIG_BLOCK)?;
        // SAFETY: the set is initialised, and the call returns a descriptor of our own or an error.
        let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else owns it.
        Ok(Signals(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) }))
    }

    /// Does something whose child inherits none of this. The end of a child may be missed meanwhile, so whoever calls looks
    /// for one afterwards.
    pub(super) fn open<T>(&self, work: impl FnOnce() -> T) -> T {
        let _ = Signals::change(libc::SIG_UNBLOCK);
        let done = work();
        let _ = Signals::change(libc::SIG_BLOCK);
        done
    }

    fn change(how: i32) -> io::Result<libc::sigset_t> {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` initialises the set that the later calls read; the old mask is not asked for.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            match libc::sigprocmask(how, set.as_ptr(), std::ptr::null_mut()) {
                0 => Ok(set.assume_init()),
                _ => Err(io::Error::last_os_error()),
            }
        }
    }

    /// Empties the descriptor. `true` when we were asked to leave.
    pub(super) fn take_stop(&self) -> bool {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut asked = false;
        let mut entry = [0u8; SIZE];
        while let Ok(SIZE) = rustix::io::read(&self.0, &mut entry) {
            let number = u32::from_ne_bytes([entry[0], entry[1], entry[2], entry[3]]);
            asked |= number == libc::SIGTERM as u32;
        }
        asked
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
