//! Finding and killing what a host that died has left running.
//!
//! Every child carries a mark in its environment, which its own children inherit, also those that left the process
//! group. A process that cleared its environment is not found, nor is one of another user.

use super::pidfd::Pidfd;
use super::procfs::{pids, place};
use crate::base::{AttemptId, JobId};
use memchr::memmem;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The name of the environment variable that every process of an attempt bears.
const MARK: &str = "NEAP_MARK";

/// A process that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Swept {
    /// The attempt it belonged to.
    pub attempt: AttemptId,
    /// Its number.
    pub pid: u32,
}

/// The environment entry that marks the processes of an attempt as those of `instance`.
///
/// ```
/// use neap::base::{AttemptId, JobId, RunId};
/// let attempt = AttemptId { job: JobId { run: RunId(7), index: 2 }, number: 1 };
/// let (name, value) = neap::exec::marker("here", attempt);
/// assert_eq!(name, "NEAP_MARK");
/// assert_eq!(value, format!("here:{}:2:1", RunId(7)));
/// ```
pub fn marker(instance: &str, attempt: AttemptId) -> (String, String) {
    let AttemptId { job: JobId { run, index }, number } = attempt;
    (MARK.into(), format!("{instance}:{run}:{index}:{number}"))
}

/// Kills every process that bears the mark of `instance`, and returns when they are dead.
///
/// To be called before that instance starts anything, since its living attempts bear the same mark. The calling
/// process and the ones it descends from are spared. Gives up on a process that does not die within 5 seconds
/// of being killed.
pub async fn sweep(instance: &str) -> Vec<Swept> {
    sweep_if(instance, |_| true).await
}

/// The same for some of its attempts only.
pub async fn sweep_if(instance: &str, is_meant: impl Fn(AttemptId) -> bool) -> Vec<Swept> {
    let mut swept = BTreeSet::new();
    let look = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let mut found = find(instance).await;
            found.retain(|(one, _)| is_meant(one.attempt));
            if found.is_empty() {
                return;
            }
            // All are halted before any is killed: otherwise one could still fork while another dies.
            signal_all(&found, Signal::STOP);
            signal_all(&found, Signal::KILL);
            swept.extend(found.iter().map(|(one, _)| *one));
            for (_, process) in &found {
                process.exited().await;
            }
        }
    });
    if look.await.is_err() {
        tracing::warn!("processes of a dead host did not die of SIGKILL");
    }
    swept.into_iter().collect()
}

fn signal_all(found: &[(Swept, Pidfd)], signal: Signal) {
    for (one, process) in found {
        if let Err(error) = process.signal(signal) {
            tracing::warn!("{signal:?} could not be sent to process {}: {error}", one.pid);
        }
    }
}

/// The marked processes. The mark is read again once the process is held, so a number that went over to another
/// process meanwhile does no harm.
async fn find(instance: &str) -> Vec<(Swept, Pidfd)> {
    let marks = Marks::of(instance);
    // Reading another process's environment can wait for that process, so it is kept off the runtime.
    let candidates = tokio::task::spawn_blocking(move || marks.scan()).await.unwrap_or_default();
    let marks = Marks::of(instance);
    let hold = |one: Swept| {
        let process = Pidfd::open(one.pid).ok()?;
        (marks.read(one.pid) == Some(one.attempt)).then_some((one, process))
    };
    candidates.into_iter().filter_map(hold).collect()
}

/// Knows the marks of one instance.
struct Marks {
    start: Vec<u8>,
}

impl Marks {
    fn of(instance: &str) -> Marks {
        Marks { start: format!("{MARK}={instance}:").into_bytes() }
    }

    fn scan(&self) -> Vec<Swept> {
        let spared = ancestry(std::process::id());
        let of_attempt = |pid| Some(Swept { attempt: self.read(pid)?, pid });
        pids().filter(|pid| !spared.contains(pid)).filter_map(of_attempt).collect()
    }

    /// The attempt of a living process of ours, if it bears a mark of the instance.
    fn read(&self, pid: u32) -> Option<AttemptId> {
        let is_ours = || -> io::Result<bool> {
            let owner = std::fs::metadata(format!("/proc/{pid}"))?.uid();
            Ok(owner == rustix::process::geteuid().as_raw())
        };
        if !is_ours().unwrap_or(false) {
            return None;
        }
        self.parse(&std::fs::read(format!("/proc/{pid}/environ")).ok()?)
    }

    fn parse(&self, environ: &[u8]) -> Option<AttemptId> {
        let starts_entry = |at: &usize| *at == 0 || environ[at - 1] == 0;
        let at = memmem::find_iter(environ, &self.start).find(starts_entry)?;
        let rest = &environ[at + self.start.len()..];
        let entry = std::str::from_utf8(&rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]).ok()?;
        // An instance whose name goes on behind a colon is another instance: its marks have more parts.
        let mut parts = entry.split(':');
        let run = parts.next()?.parse().ok()?;
        let (index, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(AttemptId { job: JobId { run, index }, number })
    }
}

/// A process and all that it descends from.
fn ancestry(pid: u32) -> BTreeSet<u32> {
    let above = std::iter::successors(Some(pid), |&pid| place(pid).map(|place| place.parent));
    above.take_while(|&pid| pid > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RunId;

    #[test]
    fn only_whole_marks_of_the_instance_count() {
        let attempt = AttemptId { job: JobId { run: RunId(9), index: 3 }, number: 2 };
        let (name, value) = marker("here", attempt);
        let check = |environ: String, expected| {
            assert_eq!(Marks::of("here").parse(environ.as_bytes()), expected, "{environ:?}");
        };
        check(format!("{name}={value}"), Some(attempt));
        check(format!("A=b\0{name}={value}\0C=d\0"), Some(attempt));
        check(format!("X{name}={value}\0"), None);
        check(format!("A={name}={value}\0"), None);
        check(format!("{name}=x{value}\0"), None);
        check(format!("{name}=here:{value}\0"), None);
        check(format!("{name}=here:\0"), None);
        check(String::new(), None);
    }

    #[test]
    fn a_caller_descends_from_itself_and_its_parent() {
        let spared = ancestry(std::process::id());
        assert!(spared.contains(&std::process::id()));
        assert!(spared.contains(&std::os::unix::process::parent_id()));
    }
}
