//! Attempts as local process trees.

use super::log::mend;
use super::orders::{Order, Orders, Standing};
use super::outbox::Outbox;
use super::outputs::Outputs;
use super::runner::{Fate, Found, Report, Reports, Runner, Start, WhenDone};
use super::shim::{Adopted, Ending, Nursery, Talk, Told, adopt};
use super::spawn::{Launched, launch, open_log};
use super::supervise::{Finished, Leader};
use super::sweep::{marker, sweep_if};
use crate::base::AttemptId;
use crate::definition::Stop;
use crate::engine::Exit;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Carries out commands as processes of this machine.
///
/// It carries out [`Action::Run`](crate::definition::Action::Run) and
/// [`Action::Exec`](crate::definition::Action::Exec); any other body ends as not spawned.
///
/// How well an attempt is held depends on what it was given: with a [supervisor](LocalProcesses::supervised) nothing that an
/// attempt starts can leave it; without one each attempt is a process group, and what leaves the group is found only by its
/// mark, by [`sweep`](super::sweep()).
pub struct LocalProcesses {
    handle: Handle,
    shared: Arc<Shared>,
    attempts: TaskTracker,
}

struct Shared {
    instance: Box<str>,
    orders: Orders,
    nursery: Option<Nursery>,
    /// Some attempts go on without us.
    has_left: AtomicBool,
    /// Shims that keep the end of their attempt until it is written down.
    held: Mutex<HashMap<AttemptId, Talk>>,
}

impl LocalProcesses {
    /// Runs its attempts on a tokio runtime that has its I/O and its time switched on. `instance` names the host, so
    /// that [`sweep`](super::sweep()) finds its processes after it died.
    pub fn new(handle: Handle, instance: &str) -> LocalProcesses {
        LocalProcesses::with(handle, instance, None)
    }

    /// The same, with a supervisor beside each attempt: `program` calls
    /// [`supervise_if_asked`](super::supervise_if_asked) first of all, as `neap` does. Attempts that are to be kept go on when
    /// this process dies, and wait for whoever [adopts](Runner::adopt) them; the others die within moments.
    pub fn supervised(handle: Handle, instance: &str, program: PathBuf) -> LocalProcesses {
        LocalProcesses::with(handle, instance, Some(Nursery::new(program)))
    }

    fn with(handle: Handle, instance: &str, nursery: Option<Nursery>) -> LocalProcesses {
        let (orders, held) = (Orders::default(), Mutex::default());
        let has_left = AtomicBool::new(false);
        let shared = Shared { instance: instance.into(), orders, nursery, has_left, held };
        LocalProcesses { handle, shared: Arc::new(shared), attempts: TaskTracker::new() }
    }

    /// Sees an attempt through to its end, and reports that.
    fn see_through(&self, attempt: AttemptId, begin: Begin, reports: Reports) {
        let first = match &begin {
            _ if self.attempts.is_closed() => Order::Kill,
            Begin::Start(_) | Begin::Over(_) => Order::GoOn,
            Begin::Going(..) => Order::AsItWas,
        };
        let (shared, mut orders) = (Arc::clone(&self.shared), self.shared.orders.enter(attempt, first));
        let work = async move {
            let mut outbox = Outbox::new(attempt, reports.clone());
            let ending = shared.carry_out(attempt, begin, &mut orders, &mut outbox).await;
            shared.orders.leave(attempt);
            let Some(mut ending) = ending else { return };
            outbox.deliver_all().await;
            let Outputs { text: outputs, is_cut: outputs_cut } = ending.take_outputs();
            let Ending { exit, usage, left_over, .. } = ending;
            let ended = Report::Ended { attempt, exit, usage, left_over, outputs, outputs_cut };
            // A host that no longer listens does not want to know.
            let _ = reports.send(ended).await;
        };
        self.attempts.spawn_on(work, &self.handle);
    }
}

/// Where an attempt stands when we take it up.
enum Begin {
    Start(Box<Start>),
    /// It goes on already, with this log.
    Going(Talk, PathBuf),
    /// It is over already.
    Over(Ending),
}

impl Shared {
    /// What became of it; `None` when it goes on without us.
    async fn carry_out(
        &self,
        attempt: AttemptId,
        begin: Begin,
        orders: &mut Standing,
        outbox: &mut Outbox,
    ) -> Option<Ending> {
        match begin {
            Begin::Over(ending) => Some(ending),
            Begin::Going(talk, log) => self.go_on(attempt, talk, &log, orders, outbox).await,
            Begin::Start(mut start) => match &self.nursery {
                None => Some(carry_out_unsupervised(&mut start, orders, outbox).await),
                Some(_) if orders.is_asked() => {
                    Some(Ending::not_started("it was stopped before it was started".into()))
                }
                Some(nursery) => match Talk::begin(nursery, &mut start).await {
                    Ok(talk) => match self.listen(attempt, talk, orders, outbox).await {
                        Told::Ended(ending) => Some(ending),
                        Told::Died => Some(self.lost(attempt, &start.log).await),
                        Told::Left => None,
                    },
                    Err(error) => {
                        Some(Ending::not_started(format!("there is no supervisor for it: {error}")))
                    }
                },
            },
        }
    }

    /// Listens to a shim of an earlier host. One that was about to leave when we knocked does not hear us any more, but has
    /// written down how it ended.
    async fn go_on(
        &self,
        attempt: AttemptId,
        mut talk: Talk,
        log: &Path,
        orders: &mut Standing,
        outbox: &mut Outbox,
    ) -> Option<Ending> {
        loop {
            match self.listen(attempt, talk, orders, outbox).await {
                Told::Ended(ending) => return Some(ending),
                Told::Left => return None,
                Told::Died => {}
            }
            talk = match adopt(attempt, log).await {
                Adopted::Going(talk) => talk,
                Adopted::Ended(ending) => return Some(ending),
                Adopted::Gone | Adopted::Stuck => return Some(self.lost(attempt, log).await),
            };
        }
    }

    /// Listens until the attempt is over, or its shim or this host goes before. An end is kept until it is written down.
    async fn listen(
        &self,
        attempt: AttemptId,
        mut talk: Talk,
        orders: &mut Standing,
        outbox: &mut Outbox,
    ) -> Told {
        let told = talk.go_on(orders, outbox).await;
        match &told {
            // How something ended that was stopped is not worth keeping: why it was is known already.
            Told::Ended(_) if orders.is_asked() => talk.forget(),
            Told::Ended(_) => drop(self.held().insert(attempt, talk)),
            Told::Died | Told::Left => {}
        }
        told
    }

    /// Nobody saw how it ended. The zygote kills what it inherits; whoever stands outside of that still bears the mark.
    async fn lost(&self, attempt: AttemptId, log: &Path) -> Ending {
        sweep_if(&self.instance, |other| other == attempt).await;
        let log = log.to_path_buf();
        // Who wrote it could not join its two ends any more. As long as nobody has, it can be read as well.
        let _ = tokio::task::spawn_blocking(move || mend(&log)).await;
        Ending::new(Exit::Lost, None, 0, Outputs::default())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptId, Talk>> {
        // Nothing panics while the lock is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry_out_unsupervised(start: &mut Start, orders: &mut Standing, outbox: &mut Outbox) -> Ending {
    let wanted = start.process.needs_supervisor().or(start.stall_timeout.map(|_| "stall_timeout"));
    if let Some(key) = wanted {
        start.close_pipes();
        return Ending::not_started(format!(
            "`{key}` takes a supervisor, and this host has none (see `Builder::supervisor`)"
        ));
    }
    let Finished { exit, usage, left_over } = carry_out(start, orders, outbox).await;
    Ending::new(exit, usage, left_over, Outputs::collect(&start.outputs, &start.masks))
}

impl Runner for LocalProcesses {
    fn start(&self, mut start: Start, reports: Reports) {
        let attempt = start.attempt;
        let (name, value) = marker(&self.shared.instance, attempt);
        start.env.push((name.into(), value.into()));
        self.see_through(attempt, Begin::Start(Box::new(start)), reports);
    }

    fn stop(&self, attempt: AttemptId, stop: Stop) {
        self.shared.orders.stop(attempt, stop);
    }

    fn pause(&self, attempt: AttemptId) {
        self.shared.orders.pause(attempt, true);
    }

    fn resume(&self, attempt: AttemptId) {
        self.shared.orders.pause(attempt, false);
    }

    fn kill(&self, attempt: AttemptId) {
        self.shared.orders.kill(attempt);
    }

    fn adopt<'a>(&'a self, attempt: AttemptId, log: &'a Path, reports: Reports) -> Found<'a> {
        Box::pin(async move {
            let begin = match adopt(attempt, log).await {
                Adopted::Going(talk) => Begin::Going(talk, log.to_path_buf()),
                Adopted::Ended(ending) => Begin::Over(ending),
                Adopted::Gone => return Fate::Gone,
                Adopted::Stuck => {
                    tracing::warn!("the supervisor of {} does not answer", log.display());
                    return Fate::Gone;
                }
            };
            self.see_through(attempt, begin, reports);
            Fate::Going
        })
    }

    fn leave(&self, attempt: AttemptId) {
        if self.shared.nursery.is_none() {
            return self.kill(attempt);
        }
        self.shared.has_left.store(true, Ordering::Relaxed);
        // Whoever listens for its orders sees that there will be none.
        self.shared.orders.leave(attempt);
    }

    fn forget(&self, attempt: AttemptId) {
        if let Some(talk) = self.shared.held().remove(&attempt) {
            talk.forget();
        }
    }

    fn shutdown(&self) -> WhenDone<'_> {
        self.attempts.close();
        Box::pin(async {
            self.attempts.wait().await;
            // What nobody wrote down is left for the next host, as if this one had died.
            self.shared.held().clear();
            // The zygote goes with its last shim, and that may be long after us.
            if let Some(nursery) =
                self.shared.nursery.as_ref().filter(|_| !self.shared.has_left.load(Ordering::Relaxed))
            {
                nursery.close().await;
            }
        })
    }
}

/// Runs one process group from start to end.
pub(super) async fn carry_out(start: &mut Start, orders: &mut Standing, outbox: &mut Outbox) -> Finished {
    let Launched { pid, mut output, script } = match launch(start, orders).await {
        Ok(launched) => launched,
        Err(refused) => {
            let message = start.masks.text(&refused.message).into_owned();
            tracing::debug!("{} was not started: {message}", start.label);
            let exit = Exit::NotSpawned { why: refused.why, message };
            return Finished { exit, usage: None, left_over: 0 };
        }
    };
    let leader = Leader::new(pid);
    outbox.spawned(Some(pid));
    let telling = async {
        match &mut output {
            Some(output) => output.run(outbox).await,
            None => outbox.deliver_all().await,
        }
        pending::<Infallible>().await
    };
    tokio::select! {
        () = leader.over(orders) => {}
        never = telling => match never {},
    }
    let finished = leader.finish().await;
    if let Some(output) = &mut output {
        output.finish(outbox).await;
    }
    drop(script);
    if finished.left_over > 0 {
        let plural = if finished.left_over == 1 { "process" } else { "processes" };
        let text = format!("neap: killed {} left-over {plural}", finished.left_over);
        if let Err(error) = note(&start.log, &text) {
            tracing::warn!("{}: {text}, and the log does not say so: {error}", start.label);
        }
    }
    finished
}

/// Adds a line of ours at the end of a log.
pub(super) fn note(log: &Path, text: &str) -> io::Result<()> {
    let is_torn = match std::fs::File::open(log).and_then(|mut file| {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last).map(|()| last[0])
    }) {
        Ok(last) => last != b'\n',
        // Empty.
        Err(_) => false,
    };
    let start = if is_torn { "\n" } else { "" };
    open_log(log)?.write_all(format!("{start}{text}\n").as_bytes())
}
