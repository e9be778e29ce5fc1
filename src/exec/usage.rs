//! What became of a child, and what it used.

use crate::definition;
use crate::engine::{Exit, Usage};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

pub(super) fn to_exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code { code },
        (None, Some(signal)) => Exit::Signal { signal: definition::Signal(signal) },
        (None, None) => Exit::Lost,
    }
}

/// Collects the status of a child that has ended, and what it used.
pub(super) fn reap(pid: u32) -> io::Result<(ExitStatus, Usage)> {
    let number = libc::pid_t::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let (mut status, mut used) = (0, nothing());
    loop {
        // SAFETY: both pointers lead to live, writable values of the types that the call fills in.
        if unsafe { libc::wait4(number, &mut status, 0, &mut used) } == number {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok((ExitStatus::from_raw(status), usage(pid, &used)))
}

/// What all children of this process have used that were waited for, and theirs, and so on.
pub(super) fn of_children(leader: u32) -> Usage {
    usage(leader, &look(libc::RUSAGE_CHILDREN))
}

/// The same as a number that grows with every child that has done anything.
pub(super) fn spent_on_children() -> u64 {
    let used = look(libc::RUSAGE_CHILDREN);
    let micros = |time: libc::timeval| u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or(0);
    let faults = u64::try_from(used.ru_minflt).unwrap_or(0);
    micros(used.ru_utime).wrapping_add(micros(used.ru_stime)).wrapping_add(faults)
}

fn usage(pid: u32, used: &libc::rusage) -> Usage {
    // A child begins with the memory mark of the program that spawned it (they shared memory until it executed),
    // so a mark that is not above our own says nothing about the child.
    let (peak, own) = (bytes(used.ru_maxrss), bytes(look(libc::RUSAGE_SELF).ru_maxrss));
    let peak_rss = if peak > own { peak } else { 0 };
    Usage {
        pid,
        user_ms: to_millis(used.ru_utime),
        system_ms: to_millis(used.ru_stime),
        peak_rss,
        read_bytes: blocks(used.ru_inblock),
        written_bytes: blocks(used.ru_oublock),
    }
}

/// The kernel counts in units of 512 bytes, whatever the device has.
fn blocks(count: libc::c_long) -> u64 {
    u64::try_from(count).unwrap_or(0) * 512
}

fn bytes(kilobytes: libc::c_long) -> u64 {
    u64::try_from(kilobytes).unwrap_or(0) * 1024
}

fn look(who: libc::c_int) -> libc::rusage {
    let mut used = nothing();
    // SAFETY: the pointer leads to a live, writable value of the type that the call fills in.
    unsafe { libc::getrusage(who, &mut used) };
    used
}

fn nothing() -> libc::rusage {
    // SAFETY: the type consists of integers only, for which all bits zero is a value.
    unsafe { std::mem::zeroed() }
}

fn to_millis(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec * 1000 + time.tv_usec / 1000).unwrap_or(0)
}
