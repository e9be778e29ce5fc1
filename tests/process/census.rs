//! Looks for the processes of a batch by their name, which they cannot lose, and gets rid of them.
//!
//! One look is not enough to say that nothing is there: a process that forks and exits goes from a number that was not
//! read yet to one that was. So nothing is there when several looks in a row have found nothing.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How long nothing must have been seen, and in how many looks. The hoppers change their number every 15 ms.
const QUIET: Duration = Duration::from_millis(100);
const LOOKS: usize = 8;
const PAUSE: Duration = Duration::from_millis(4);

/// A process of a batch.
pub(super) struct Seen {
    pid: i32,
    pub(super) token: String,
    pub(super) is_zombie: bool,
}

/// Every process whose name begins with this, also the dead that nobody has reaped.
pub(super) fn census(prefix: &str) -> Vec<Seen> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids: Vec<i32> = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The youngest first: those that do not live long are the ones to be missed.
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids.into_iter().filter_map(look).filter(|seen| seen.token.starts_with(prefix)).collect()
}

/// `pid (name) state …`; none of our names holds a bracket.
fn look(pid: i32) -> Option<Seen> {
    let stat = String::from_utf8(std::fs::read(format!("/proc/{pid}/stat")).ok()?).ok()?;
    let (_, rest) = stat.split_once('(')?;
    let (token, rest) = rest.rsplit_once(')')?;
    let is_zombie = rest.trim_start().starts_with(['Z', 'X']);
    Some(Seen { pid, token: token.into(), is_zombie })
}

/// Looks in a row that found nothing.
#[derive(Default)]
struct Calm {
    since: Option<Instant>,
    looks: usize,
}

impl Calm {
    /// Takes a look that began at this moment into account, and says whether it has been calm for long enough.
    fn after(&mut self, look: Instant, is_empty: bool) -> bool {
        if !is_empty {
            *self = Calm::default();
            return false;
        }
        self.looks += 1;
        // A look can take long on a busy machine, and what came after it began is not in it.
        look - *self.since.get_or_insert(look) >= QUIET && self.looks >= LOOKS
    }
}

/// What was found while a batch was watched.
pub(super) struct Watched {
    /// By token: the first look that did not find it any more. One that lived between two looks is not here.
    pub(super) gone: BTreeMap<String, Instant>,
    /// The tokens of processes that were alive at the end.
    pub(super) alive: BTreeSet<String>,
    /// The tokens of processes that were dead and not reaped at the end.
    pub(super) zombies: BTreeSet<String>,
}

/// Looks again and again, beside the test.
pub(super) struct Watch {
    until: Arc<OnceLock<Instant>>,
    looks: JoinHandle<Watched>,
}

impl Watch {
    /// Looks on, also while there is nothing yet.
    pub(super) fn start(prefix: &str) -> Watch {
        let until = Arc::new(OnceLock::new());
        let (prefix, limit) = (prefix.to_owned(), Arc::clone(&until));
        Watch { until, looks: tokio::task::spawn_blocking(move || look_on(&prefix, &limit)) }
    }

    /// From now on there should be less and less. It ends when nothing is left, or after this long.
    pub(super) fn end_within(&self, limit: Duration) {
        let _ = self.until.set(Instant::now() + limit);
    }

    pub(super) async fn end(mut self) -> Watched {
        (&mut self.looks).await.unwrap()
    }
}

impl Drop for Watch {
    /// A test that fails does not wait for it.
    fn drop(&mut self) {
        self.end_within(Duration::ZERO);
    }
}

/// What is still there when nothing is left, or after this long.
pub(super) async fn left(prefix: &str, limit: Duration) -> Watched {
    let watch = Watch::start(prefix);
    watch.end_within(limit);
    watch.end().await
}

fn look_on(prefix: &str, until: &OnceLock<Instant>) -> Watched {
    let mut watched = Watched { gone: BTreeMap::new(), alive: BTreeSet::new(), zombies: BTreeSet::new() };
    let (mut before, mut calm) = (BTreeSet::new(), Calm::default());
    loop {
        let (until, begun) = (until.get(), Instant::now());
        let seen = census(prefix);
        let now = Instant::now();
        let tokens: BTreeSet<String> = seen.iter().map(|seen| seen.token.clone()).collect();
        for token in &tokens {
            watched.gone.remove(token);
        }
        for token in &before - &tokens {
            watched.gone.insert(token, now);
        }
        if let Some(&until) = until {
            let is_calm = calm.after(begun, seen.is_empty());
            if now >= until {
                // Several looks, for the sake of those that one look misses.
                for Seen { token, is_zombie, .. } in seen {
                    if is_zombie { &mut watched.zombies } else { &mut watched.alive }.insert(token);
                }
            }
            if is_calm || now >= until + QUIET {
                return watched;
            }
        }
        before = tokens;
        std::thread::sleep(PAUSE);
    }
}

/// The tokens of what can still run at this moment, or does a moment later.
pub(super) fn alive(prefix: &str) -> BTreeSet<String> {
    let mut alive = BTreeSet::new();
    for _ in 0..LOOKS {
        alive.extend(census(prefix).into_iter().filter(|seen| !seen.is_zombie).map(|seen| seen.token));
        std::thread::sleep(PAUSE);
    }
    alive
}

/// Ends whatever is left, so that a trial that failed does not disturb the next. Their file must be gone already: a
/// hopper that was missed ends with its next hop.
pub(super) fn clean(prefix: &str) {
    let (begun, mut calm) = (Instant::now(), Calm::default());
    while begun.elapsed() < Duration::from_secs(10) {
        let look = Instant::now();
        let alive: Vec<Seen> = census(prefix).into_iter().filter(|seen| !seen.is_zombie).collect();
        for signal in [Signal::STOP, Signal::KILL] {
            alive.iter().for_each(|seen| send(seen, signal));
        }
        if calm.after(look, alive.is_empty()) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Signals the process that was seen, and no other that has its number by now.
fn send(seen: &Seen, signal: Signal) {
    let Some(Ok(process)) = Pid::from_raw(seen.pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
        return;
    };
    if look(seen.pid).is_some_and(|now| now.token == seen.token) {
        let _ = pidfd_send_signal(&process, signal);
    }
}

/// Processes of the program itself that bear this in their environment: a host and whatever helps it.
pub(super) fn helpers(mark: &str) -> Vec<i32> {
    bearers(mark).into_iter().filter(|(_, is_neap)| *is_neap).map(|(pid, _)| pid).collect()
}

/// Every process with that mark in its environment, and whether it is neap itself.
pub(super) fn bearers(mark: &str) -> Vec<(i32, bool)> {
    let program = Path::new(env!("CARGO_BIN_EXE_neap")).canonicalize().unwrap();
    let bears = |pid: i32| {
        let process = Path::new("/proc").join(pid.to_string());
        let environ = std::fs::read(process.join("environ")).ok()?;
        let is_marked = environ.split(|&byte| byte == 0).any(|entry| entry == mark.as_bytes());
        is_marked.then(|| (pid, std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program)))
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(bears).collect()
}

#[test]
fn a_look_that_took_long_is_one_look() {
    let start = Instant::now();
    let check = |looks: &[(u64, bool)], expected| {
        let mut calm = Calm::default();
        let is_calm =
            looks.iter().map(|&(at, is_empty)| calm.after(start + Duration::from_millis(at), is_empty));
        assert_eq!(is_calm.last(), Some(expected), "{looks:?}");
    };
    let every = |millis: u64, count: u64| (0..count).map(|n| (n * millis, true)).collect::<Vec<_>>();
    check(&[(0, true)], false);
    check(&[(0, true), (500, true)], false);
    check(&every(500, LOOKS as u64), true);
    check(&every(4, LOOKS as u64), false);
    check(&every(4, 26), true);
    check(&[every(4, 26), vec![(200, false), (204, true)]].concat(), false);
}
