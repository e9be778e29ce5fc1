//! A process group from its first moment to its last: waiting, stopping, reaping, and killing what is left.
//!
//! The number of a group is safe to signal only while its leader is unreaped or a member is known to be there.
//! So what is left is first halted (a stopped process neither exits nor forks), then the leader is reaped, and
//! only if the group still exists after that is it killed. Processes that left the group on purpose are not seen.

use super::orders::{Order, Standing};
use super::pidfd::{Pidfd, to_pid};
use super::procfs::{members, place};
use super::usage::{reap, to_exit};
use crate::definition;
use crate::engine::{Exit, Usage};
use rustix::process::{
    Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process_group, waitid,
};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The process that leads the group: our child, unreaped until [`Leader::finish`].
pub(super) struct Leader {
    pid: u32,
    end: End,
}

/// How the end of the leader is noticed.
enum End {
    Pidfd(Pidfd),
    /// A thread waits, because there is no descriptor to be had (or the kernel is too old for this one).
    Thread(CancellationToken),
}

/// What became of a group.
pub(super) struct Finished {
    pub(super) exit: Exit,
    pub(super) usage: Option<Usage>,
    pub(super) left_over: u32,
}

/// How long a killed process may take to disappear before the attempt is given up for ended. Only a process stuck
/// inside the kernel needs longer than some milliseconds.
const DEATH: Duration = Duration::from_secs(5);

impl Leader {
    /// Takes charge of a child that has just been started in a group of its own.
    pub(super) fn new(pid: u32) -> Leader {
        let end = match Pidfd::open(pid) {
            Ok(pidfd) => End::Pidfd(pidfd),
            Err(_) => Leader::wait_in_thread(pid),
        };
        Leader { pid, end }
    }

    fn wait_in_thread(pid: u32) -> End {
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        tokio::task::spawn_blocking(move || {
            let _guard = guard;
            let Ok(pid) = to_pid(pid) else { return };
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        });
        End::Thread(ended)
    }

    /// Waits until the leader has ended by itself or, once `orders` say so, has been stopped.
    pub(super) async fn over(&self, orders: &mut Standing) {
        let mut known = Order::GoOn;
        let signal = loop {
            let order = tokio::select! {
                () = self.exited() => return,
                order = orders.other_than(known) => order,
            };
            let Some(order) = order else { return self.exited().await };
            match order {
                Order::AsItWas => {}
                Order::StandStill => self.signal(Signal::STOP),
                Order::GoOn => self.signal(Signal::CONT),
                Order::Stop { signal, .. } => break Some(signal),
                Order::Kill => break None,
            }
            known = order;
        };
        if let Some(definition::Signal(number)) = signal {
            self.signal(Signal::from_named_raw(number).unwrap_or(Signal::TERM));
            // A group that was stopped could not react.
            self.signal(Signal::CONT);
        }
        tokio::select! {
            // The grace belongs to the whole group: a shell dies of the signal at once, what it started may not.
            () = self.group_gone() => return,
            () = orders.grace_over() => {}
        }
        self.signal(Signal::KILL);
        self.exited().await;
    }

    /// Reaps the leader, which has ended, and kills what is left of the group.
    pub(super) async fn finish(self) -> Finished {
        self.signal(Signal::STOP);
        let (exit, usage) = match reap(self.pid) {
            Ok((status, used)) => (to_exit(status), Some(used)),
            // Somebody else in this program took the status away.
            Err(_) => (Exit::Lost, None),
        };
        let left_over = match tokio::time::timeout(DEATH, kill_rest(self.pid)).await {
            Ok(count) => count,
            Err(_) => {
                let stuck = members(self.pid);
                tracing::warn!("processes {stuck:?} of group {} did not die of SIGKILL", self.pid);
                stuck.len() as u32
            }
        };
        Finished { exit, usage, left_over }
    }

    async fn exited(&self) {
        match &self.end {
            End::Pidfd(pidfd) => pidfd.exited().await,
            End::Thread(ended) => ended.cancelled().await,
        }
    }

    async fn group_gone(&self) {
        self.exited().await;
        loop {
            let left = members(self.pid);
            if left.is_empty() {
                return;
            }
            gone(self.pid, &left).await;
        }
    }

    /// Signals the whole group. The leader is unreaped, so the number can mean nothing else.
    fn signal(&self, signal: Signal) {
        let sent = to_pid(self.pid).and_then(|pid| match kill_process_group(pid, signal) {
            // The leader went over to another group; it is still the one to stop.
            Err(rustix::io::Errno::SRCH) => Ok(kill_process(pid, signal)?),
            sent => Ok(sent?),
        });
        if let Err(error) = sent {
            tracing::warn!("{signal:?} could not be sent to process group {}: {error}", self.pid);
        }
    }
}

/// Kills a group whose leader was reaped and whose members, if any, are halted.
async fn kill_rest(group: u32) -> u32 {
    let Ok(number) = to_pid(group) else { return 0 };
    let mut killed = BTreeSet::<u32>::new();
    while test_kill_process_group(number).is_ok() {
        let left = members(group);
        if left.is_empty() {
            // Zombies, whose new parent will reap them in its own time.
            break;
        }
        let _ = kill_process_group(number, Signal::KILL);
        killed.extend(&left);
        gone(group, &left).await;
    }
    killed.len() as u32
}

/// Waits until none of these is alive in the group any more.
async fn gone(group: u32, pids: &[u32]) {
    for &pid in pids {
        match Pidfd::open(pid) {
            // Only now is the number sure to mean the process that is looked at.
            Ok(pidfd) if place(pid).is_some_and(|place| place.group == group) => pidfd.exited().await,
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            // No descriptor is free: there is no event to wait for, so look again a little later.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::orders::{Order, standing};
    use super::*;
    use std::os::unix::process::CommandExt;

    #[expect(clippy::zombie_processes, reason = "reaping it is what is tested")]
    #[tokio::test]
    async fn without_a_descriptor_a_thread_waits() {
        let child =
            std::process::Command::new("/bin/sh").args(["-c", "exit 7"]).process_group(0).spawn().unwrap();
        let leader = Leader { pid: child.id(), end: Leader::wait_in_thread(child.id()) };
        let (_sender, mut orders) = standing(Order::GoOn);
        leader.over(&mut orders).await;
        let finished = leader.finish().await;
        assert_eq!((finished.exit, finished.left_over), (Exit::Code { code: 7 }, 0));
    }

    #[tokio::test]
    async fn a_status_that_was_taken_away_is_lost() {
        let mut child = std::process::Command::new("/bin/true").process_group(0).spawn().unwrap();
        let leader = Leader::new(child.id());
        child.wait().unwrap();
        let (_sender, mut orders) = standing(Order::GoOn);
        leader.over(&mut orders).await;
        assert_eq!(reap(leader.pid).unwrap_err().raw_os_error(), Some(libc::ECHILD));
    }
}
