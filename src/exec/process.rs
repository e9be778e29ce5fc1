//! Attempts as local process trees.

use super::orders::{Order, Orders, Standing};
use super::outbox::Outbox;
use super::outputs::Outputs;
use super::runner::{Report, Reports, Runner, Start, WhenDone};
use super::spawn::{Launched, launch, open_log};
use super::supervise::Finished;
use super::sweep::marker;
use crate::base::AttemptId;
use crate::definition::Stop;
use crate::engine::Exit;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Carries out commands as processes of this machine, each the leader of a process group of its own.
///
/// It carries out [`Action::Run`](crate::definition::Action::Run) and
/// [`Action::Exec`](crate::definition::Action::Exec); any other body ends as not spawned.
pub struct LocalProcesses {
    handle: Handle,
    instance: Arc<str>,
    orders: Arc<Orders>,
    attempts: TaskTracker,
}

impl LocalProcesses {
    /// Runs its attempts on a tokio runtime that has its I/O and its time switched on. `instance` names the host, so
    /// that [`sweep`](super::sweep()) finds its processes after it died.
    pub fn new(handle: Handle, instance: &str) -> LocalProcesses {
        LocalProcesses {
            handle,
            instance: instance.into(),
            orders: Arc::default(),
            attempts: TaskTracker::new(),
        }
    }
}

impl Runner for LocalProcesses {
    fn start(&self, mut start: Start, reports: Reports) {
        let attempt = start.attempt;
        let (name, value) = marker(&self.instance, attempt);
        start.env.push((name.into(), value.into()));
        let first = if self.attempts.is_closed() { Order::Kill } else { Order::GoOn };
        let (register, mut orders) = (Arc::clone(&self.orders), self.orders.enter(attempt, first));
        let work = async move {
            let mut outbox = Outbox::new(attempt, reports.clone());
            let Finished { exit, usage, left_over } = carry_out(&mut start, &mut orders, &mut outbox).await;
            let Outputs { text: outputs, is_cut: outputs_cut } =
                Outputs::collect(&start.outputs, &start.masks);
            register.leave(attempt);
            outbox.deliver_all().await;
            let ended = Report::Ended { attempt, exit, usage, left_over, outputs, outputs_cut };
            // A host that no longer listens does not want to know.
            let _ = reports.send(ended).await;
        };
        self.attempts.spawn_on(work, &self.handle);
    }

    fn stop(&self, attempt: AttemptId, stop: Stop) {
        self.orders.stop(attempt, stop);
    }

    fn kill(&self, attempt: AttemptId) {
        self.orders.kill(attempt);
    }

    fn shutdown(&self) -> WhenDone<'_> {
        self.attempts.close();
        Box::pin(self.attempts.wait())
    }
}

/// Runs one process group from start to end.
pub(super) async fn carry_out(start: &mut Start, orders: &mut Standing, outbox: &mut Outbox) -> Finished {
    let Launched { leader, mut output, script } = match launch(start, orders).await {
        Ok(launched) => launched,
        Err(refused) => {
            let message = start.masks.text(&refused.message).into_owned();
            tracing::debug!("{} was not started: {message}", start.label);
            let exit = Exit::NotSpawned { why: refused.why, message };
            return Finished { exit, usage: None, left_over: 0 };
        }
    };
    outbox.spawned(Some(leader.pid()));
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
fn note(log: &Path, text: &str) -> io::Result<()> {
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
