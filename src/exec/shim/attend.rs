//! The shim: one attempt from its first moment to its last.
//!
//! One thread, one loop: it reaps, decides whether it is time to kill, and waits for the next thing to happen. Its children
//! are reaped nowhere else, so no number of theirs can mean another process while it is used.

use super::adopt::end_of;
use super::door::Door;
use super::life::Life;
use super::limits::Guard;
use super::link::Link;
use super::pump::Pump;
use super::signals::Signals;
use super::tree::{self, Member};
use super::wire::{Ending, Errand, Frames, ToHost, ToShim};
use crate::base::AttemptId;
use crate::definition::{self, OnHostDeath, OnLeak, Stop};
use crate::engine::{Exit, Limit};
use crate::exec::backlog::Backlog;
use crate::exec::birth::Birth;
use crate::exec::output::LAST_WORDS;
use crate::exec::outputs::Outputs;
use crate::exec::process::note;
use crate::exec::program::NotStarted;
use crate::exec::runner::Start;
use crate::exec::spawn::{Launch, Launched, ScriptFile, open_log};
use crate::exec::usage::{of_children, to_exit};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, WaitOptions, wait};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long a killed process may take to disappear before the attempt is given up for ended. Only a process stuck
/// inside the kernel needs longer than some milliseconds.
const DEATH: Duration = Duration::from_secs(5);
/// How long what outlived its leader may take to end by itself: the last member of a pipe that no shell waits for is not
/// a leak.
const COURTESY: Duration = Duration::from_millis(100);
/// Between two rounds of killing. A round that met everybody is the last, so this is seldom waited for.
const ROUND: Duration = Duration::from_millis(5);

/// What an attempt leaves behind.
pub(super) enum Rest {
    Nothing,
    /// Processes that are to live on.
    LetGo,
}

/// Carries out the one attempt that the socket asks for.
///
/// # Errors
/// There was nobody to ask, or the system refuses what a shim needs; then nothing was started.
pub(super) fn attend(mut socket: UnixStream, pipes: Vec<OwnedFd>, signals: Signals) -> io::Result<Rest> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let errand: Errand = read_one(&mut socket)?;
    let mut start = errand.into_start(pipes);
    let link = Link::new(socket)?;
    // In this order: a host that is there now can have no successor yet that looked at the lock in vain, called the attempt
    // lost, and would not know of what is started here.
    let _lock = hold(&start.log)?;
    if link.is_broken() {
        return Ok(Rest::Nothing);
    }
    let host = Host::Linked(link);
    let mut attendant = Attendant {
        attempt: start.attempt,
        log: start.log.clone(),
        keep: start.process.on_host_death == Some(OnHostDeath::Keep),
        on_leak: start.process.on_leak,
        host,
        signals,
        order: Order::GoOn,
        backlog: Backlog::default(),
        pump: None,
        written: 0,
        leader: None,
        life: None,
        rest: Rest::Nothing,
        is_frozen: false,
        guard: Guard::new(start.process.limits, start.attempt),
    };
    let ending = attendant.carry_out(&mut start);
    let rest = std::mem::replace(&mut attendant.rest, Rest::Nothing);
    attendant.deliver(ending);
    Ok(rest)
}

/// Reads one message, and not a byte of the next: the host may want it stopped already, and that is read by the link.
fn read_one<M: DeserializeOwned>(socket: &mut UnixStream) -> io::Result<M> {
    let (mut frames, mut length) = (Frames::default(), [0; 4]);
    socket.read_exact(&mut length)?;
    frames.feed(&length);
    if let Some(message) = frames.next()? {
        return Ok(message);
    }
    // A length that makes no sense was refused just now.
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    socket.read_exact(&mut bytes)?;
    frames.feed(&bytes);
    frames.next()?.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Says to the next host that somebody is here. A log that cannot be opened is told when the attempt starts.
///
/// # Errors
/// The next host is looking already.
fn hold(log: &std::path::Path) -> io::Result<Option<File>> {
    let Ok(file) = open_log(log) else { return Ok(None) };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::ErrorKind::WouldBlock.into()),
        // A file system that knows no locks.
        Ok(()) | Err(_) => Ok(Some(file)),
    }
}

/// What the host wants of the attempt.
#[derive(Clone, Copy)]
enum Order {
    GoOn,
    Stop { until: Instant },
    Kill,
}

/// Who is told.
enum Host {
    Linked(Link),
    /// It died; the next one knocks here.
    Awaited(Door),
    /// It died, and so does the attempt.
    Nobody,
}

/// The process of the attempt.
struct Leader {
    pid: u32,
    ended: Option<(ExitStatus, Instant)>,
}

struct Attendant {
    attempt: AttemptId,
    log: PathBuf,
    keep: bool,
    on_leak: OnLeak,
    host: Host,
    signals: Signals,
    order: Order,
    backlog: Backlog,
    pump: Option<Pump>,
    /// Bytes that came through the pump, once that is gone.
    written: u64,
    leader: Option<Leader>,
    /// While it may not be silent for ever.
    life: Option<Life>,
    rest: Rest,
    is_frozen: bool,
    guard: Guard,
}

impl Attendant {
    fn carry_out(&mut self, start: &mut Start) -> Ending {
        let script = match self.launch(start) {
            Ok(script) => script,
            Err(refused) => {
                let message = start.masks.text(&refused.message).into_owned();
                let exit = Exit::NotSpawned { why: refused.why, message };
                return Ending::new(exit, None, 0, Outputs::default());
            }
        };
        let left_over = self.until_empty();
        self.last_words();
        drop(script);
        let leader = self.leader.take();
        let usage = leader.as_ref().map(|leader| of_children(leader.pid));
        let exit = leader.and_then(|leader| leader.ended).map_or(Exit::Lost, |(status, _)| to_exit(status));
        let exit = self.guard.judge(exit, self.written);
        if let Exit::Limit { which: Limit::Output, most } = exit {
            let _ = note(&start.log, &format!("neap: killed, because it {}", Limit::Output.words(most)));
        }
        if left_over > 0 {
            let plural = if left_over == 1 { "process" } else { "processes" };
            // Whoever looks for a reason finds the number in the record as well.
            let _ = note(&start.log, &format!("neap: killed {left_over} left-over {plural}"));
        }
        Ending::new(exit, usage, left_over, Outputs::collect(&start.outputs, &start.masks))
    }

    /// Starts the process, and tries again for about 2.5 s while the machine is short of something that other processes
    /// give back.
    fn launch(&mut self, start: &mut Start) -> Result<Option<ScriptFile>, NotStarted> {
        let birth = Birth::of(&start.process)?.within(self.guard.doors());
        for remark in self.guard.remarks() {
            let _ = note(&start.log, &format!("neap: {remark}"));
        }
        birth.complete(&mut start.env);
        let launch = Launch::prepare(start)?.with_birth(birth)?;
        let mut patience = Duration::from_millis(10);
        loop {
            match self.signals.open(|| launch.attempt(start, true, Pump::new)) {
                Ok(running) => {
                    let Launched { pid, output, script } = launch.launched(running);
                    (self.leader, self.pump) = (Some(Leader { pid, ended: None }), output);
                    let limit = start.stall_timeout.map(|limit| limit.to_duration());
                    self.life = limit.map(|limit| Life::new(limit, Instant::now()));
                    self.say(&ToHost::Spawned { pid });
                    return Ok(script);
                }
                Err(failure) if failure.is_momentary() && patience < Duration::from_secs(2) => {
                    self.wait(Some(patience));
                    if !matches!(self.order, Order::GoOn) {
                        return Err(NotStarted::other("it was stopped before it was started"));
                    }
                    patience *= 2;
                }
                Err(failure) => return Err(launch.explain(failure, start)),
            }
        }
    }

    /// Waits until nothing of the attempt is left, and kills what should not be there any more. Returns how many had
    /// outlived their leader.
    fn until_empty(&mut self) -> u32 {
        let mut killing: Option<Killing> = None;
        while self.reap() {
            let now = Instant::now();
            if self.is_let_go() {
                self.rest = Rest::LetGo;
                break;
            }
            let written = self.written();
            if self.guard.look(now, own_pid(), written) {
                self.order = Order::Kill;
            }
            if killing.is_none() && self.end_of_patience(now).is_some_and(|until| until <= now) {
                killing = Some(Killing {
                    since: now,
                    met: BTreeSet::new(),
                    is_leak: matches!(self.order, Order::GoOn),
                });
            }
            let wait = match &mut killing {
                Some(killing) if now > killing.since + DEATH => {
                    self.tell_stuck(&tree::below(own_pid()));
                    break;
                }
                Some(killing) => {
                    killing.round();
                    Some(ROUND)
                }
                None => {
                    self.look_for_life(now);
                    let next = [self.end_of_patience(now), self.next_look()].into_iter().flatten().min();
                    next.map(|next| next.saturating_duration_since(now))
                }
            };
            self.wait(wait.into_iter().chain(self.guard.pause(now)).min());
        }
        killing.filter(|killing| killing.is_leak).map_or(0, |killing| killing.met.len() as u32)
    }

    fn next_look(&self) -> Option<Instant> {
        let is_watched = !self.is_frozen && matches!(self.order, Order::GoOn);
        self.life.as_ref().filter(|_| is_watched)?.next_look()
    }

    fn look_for_life(&mut self, now: Instant) {
        if self.next_look().is_none_or(|next| now < next) {
            return;
        }
        let output = self.written();
        if self.life.as_mut().is_some_and(|life| life.is_stalled(now, own_pid(), output)) {
            self.say(&ToHost::Stalled);
        }
    }

    /// Whether what is still there is nobody's business any more.
    fn is_let_go(&self) -> bool {
        let has_ended = self.leader.as_ref().is_some_and(|leader| leader.ended.is_some());
        has_ended && self.on_leak == OnLeak::Detach && matches!(self.order, Order::GoOn)
    }

    /// When what is still there is killed.
    fn end_of_patience(&self, now: Instant) -> Option<Instant> {
        match self.order {
            Order::Kill => Some(now),
            Order::Stop { until } => Some(until),
            Order::GoOn => match self.on_leak {
                OnLeak::Kill => self.leader.as_ref()?.ended.map(|(_, at)| at + COURTESY),
                OnLeak::Wait | OnLeak::Detach => None,
            },
        }
    }

    /// Collects every child that has ended. `false` when there is none left, which only the kernel can know.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get() as u32;
                    if let Some(leader) =
                        self.leader.as_mut().filter(|leader| leader.pid == pid && leader.ended.is_none())
                    {
                        leader.ended = Some((ExitStatus::from_raw(status.as_raw()), Instant::now()));
                    }
                }
                Ok(None) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn tell_stuck(&mut self, left: &[Member]) {
        let pids: Vec<String> = left.iter().map(|member| member.pid.to_string()).collect();
        let text = format!("neap: these processes did not die of SIGKILL: {}", pids.join(", "));
        match &mut self.pump {
            Some(pump) => pump.note(&text),
            None => _ = note(&self.log, &text),
        }
    }

    /// Reads what is left in the pipes, and listens a moment to whoever outside the attempt holds them open.
    fn last_words(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        loop {
            self.pump_on();
            let now = Instant::now();
            let is_open = self.pump.as_ref().is_some_and(|pump| pump.sources().next().is_some());
            if !is_open || now >= until {
                break;
            }
            self.wait(Some(until - now));
        }
        self.written = self.written();
        if let Some(pump) = self.pump.take() {
            pump.finish(&mut |line| self.backlog.push(line));
        }
    }

    /// Tells how it ended, or leaves that for the next host.
    fn deliver(mut self, ending: Ending) {
        if let Host::Linked(link) = &mut self.host {
            link.say_lines(&mut self.backlog);
            link.say(&ToHost::Ended(ending.clone()));
        }
        loop {
            match &self.host {
                // A host that kills what it leaves behind does not come back for it.
                Host::Linked(link) if !self.keep && !link.is_behind() => return,
                Host::Linked(_) => {}
                Host::Awaited(_) => return self.leave(&ending),
                Host::Nobody => return,
            }
            if self.wait(None) {
                return;
            }
        }
    }

    fn leave(&self, ending: &Ending) {
        let written = serde_json::to_vec(ending).map_err(io::Error::from).and_then(|text| {
            let (path, new) = (end_of(&self.log), end_of(&self.log).with_extension("new"));
            std::fs::write(&new, text)?;
            std::fs::rename(new, path)
        });
        if let Err(error) = written {
            let _ = note(&self.log, &format!("neap: how this ended could not be written down: {error}"));
        }
    }

    /// Waits for the next thing to happen, at most so long, and takes it in. `true` when the host wants it forgotten.
    fn wait(&mut self, most: Option<Duration>) -> bool {
        self.push_lines();
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        match &self.host {
            Host::Linked(link) => {
                let out = if link.is_behind() { PollFlags::OUT } else { PollFlags::empty() };
                fds.push(PollFd::new(link.socket(), PollFlags::IN | out));
            }
            Host::Awaited(door) => fds.push(PollFd::new(door, PollFlags::IN)),
            Host::Nobody => {}
        }
        let sources: Vec<_> = self.pump.iter().flat_map(Pump::sources).collect();
        fds.extend(sources.iter().map(|source| PollFd::new(source, PollFlags::IN)));
        let most = most.map(|most| rustix::event::Timespec {
            tv_sec: most.as_secs() as i64,
            tv_nsec: most.subsec_nanos().into(),
        });
        // An interruption is as good as an event: everything is looked at again.
        let _ = poll(&mut fds, most.as_ref());
        drop(fds);
        drop(sources);
        if self.signals.take_stop() {
            self.obey(ToShim::Stop { signal: Stop::default().signal, grace: Stop::default().grace });
        }
        self.pump_on();
        self.hear()
    }

    /// How much the attempt has written so far.
    fn written(&self) -> u64 {
        self.pump.as_ref().map_or(self.written, Pump::total)
    }

    fn pump_on(&mut self) {
        if let Some(pump) = &mut self.pump {
            pump.run(&mut |line| self.backlog.push(line));
        }
    }

    fn push_lines(&mut self) {
        let Host::Linked(link) = &mut self.host else { return };
        link.say_lines(&mut self.backlog);
        if link.flush().is_err() {
            self.host_died();
        }
    }

    fn say(&mut self, message: &ToHost) {
        let Host::Linked(link) = &mut self.host else { return };
        link.say(message);
        if link.flush().is_err() {
            self.host_died();
        }
    }

    /// Takes in what the host says. `true` when it wants the attempt forgotten.
    fn hear(&mut self) -> bool {
        match &mut self.host {
            Host::Linked(link) => match link.hear() {
                Ok(messages) => {
                    let is_over = messages.iter().any(|message| matches!(message, ToShim::Forget));
                    messages.into_iter().for_each(|message| self.obey(message));
                    return is_over;
                }
                Err(_) => self.host_died(),
            },
            Host::Awaited(door) => {
                if let Some(link) = door.answer() {
                    self.host = Host::Linked(link);
                    if let Some(life) = &mut self.life {
                        life.tell_again();
                    }
                    if let Some(leader) = &self.leader {
                        self.say(&ToHost::Spawned { pid: leader.pid });
                    }
                }
            }
            Host::Nobody => {}
        }
        false
    }

    fn host_died(&mut self) {
        self.host = match self.keep.then(|| Door::open(self.attempt, &self.log)) {
            Some(Ok(door)) => Host::Awaited(door),
            // Nobody could ever find it again.
            Some(Err(_)) | None => {
                self.order = Order::Kill;
                Host::Nobody
            }
        };
    }

    fn obey(&mut self, message: ToShim) {
        match (message, self.order) {
            (ToShim::Forget, _)
            | (ToShim::Stop { .. } | ToShim::Pause | ToShim::Resume, Order::Kill)
            | (ToShim::Pause | ToShim::Resume, Order::Stop { .. }) => {}
            (ToShim::Pause, Order::GoOn) => {
                tree::freeze(own_pid());
                self.is_frozen = true;
            }
            (ToShim::Resume, Order::GoOn) if self.is_frozen => {
                if let Some(life) = &mut self.life {
                    life.begin_anew(Instant::now());
                }
                tree::signal_all(own_pid(), Signal::CONT);
                self.is_frozen = false;
            }
            // What the attempt has halted by itself is not ours to wake.
            (ToShim::Resume, Order::GoOn) => {}
            (ToShim::Kill, _) => self.order = Order::Kill,
            (ToShim::Stop { grace, .. }, Order::Stop { until }) => {
                let other = after(grace.to_duration());
                self.order = Order::Stop { until: until.min(other) };
            }
            (ToShim::Stop { signal, grace }, Order::GoOn) => {
                self.order = Order::Stop { until: after(grace.to_duration()) };
                self.signal(signal);
            }
        }
    }

    /// Sends the signal to everything there is, and wakes what was halted: it could not react otherwise.
    fn signal(&self, definition::Signal(number): definition::Signal) {
        let signal = Signal::from_named_raw(number).unwrap_or(Signal::TERM);
        tree::signal_all(own_pid(), signal);
        tree::signal_all(own_pid(), Signal::CONT);
    }
}

struct Killing {
    since: Instant,
    met: BTreeSet<u32>,
    is_leak: bool,
}

impl Killing {
    fn round(&mut self) {
        let met = tree::kill_round(own_pid(), &BTreeSet::new());
        self.met.extend(met.iter().map(|member| member.pid));
    }
}

/// A moment so far away that the clock cannot hold it is as good as one in thirty years.
fn after(grace: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(grace).unwrap_or(now + Duration::from_secs(30 * 365 * 86_400))
}

fn own_pid() -> u32 {
    std::process::id()
}

#[cfg(test)]
mod tests {
    use super::super::wire::framed;
    use super::*;
    use std::io::Write;

    #[test]
    fn an_order_right_behind_the_errand_is_not_lost() {
        let (mut host, mut shim) = UnixStream::pair().unwrap();
        host.write_all(&[framed(&ToShim::Pause), framed(&ToShim::Kill)].concat()).unwrap();
        assert!(matches!(read_one(&mut shim).unwrap(), ToShim::Pause));
        let heard = Link::new(shim).unwrap().hear().unwrap();
        assert!(matches!(heard[..], [ToShim::Kill]), "{heard:?}");
    }
}
