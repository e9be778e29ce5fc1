//! Attempts as functions of the embedding program.
//!
//! A function is stopped by asking: its token is cancelled, and after the grace its future is dropped at the await
//! where it stands. One that never awaits cannot be stopped, and its attempt ends when it returns.

use super::orders::{Order, Orders, Standing};
use super::outbox::Outbox;
use super::output::Splitter;
use super::runner::{Line, Report, Reports, Runner, Start, Stream, WhenDone};
use super::spawn::open_log;
use crate::base::{AttemptId, did_you_mean};
use crate::definition::{Action, Params, Stop};
use crate::engine::{Exit, NotSpawned};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::runtime::Handle;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Carries out [`Action::Call`](crate::definition::Action::Call) with functions that were registered by name.
pub struct Functions {
    handle: Handle,
    table: RwLock<BTreeMap<String, Function>>,
    orders: Arc<Orders>,
    attempts: TaskTracker,
}

type Function = Arc<dyn Fn(TaskContext) -> Running + Send + Sync>;
type Running = Pin<Box<dyn Future<Output = Result<(), FunctionError>> + Send>>;

/// What a function is given.
pub struct TaskContext {
    /// Which attempt it is.
    pub attempt: AttemptId,
    /// How people know it: `nightly#3/dump.1`.
    pub label: String,
    /// The argument from the definition.
    pub with: serde_json::Value,
    /// The parameters of the run.
    pub params: Arc<Params>,
    /// The environment a process would get.
    pub env: Vec<(OsString, OsString)>,
    /// The directory a process would start in.
    pub working_dir: PathBuf,
    /// Where what it has to say goes.
    pub log: TaskLog,
    /// Cancelled when it is to stop.
    pub cancelled: CancellationToken,
    reports: Reports,
}

impl TaskContext {
    /// Tells everybody who watches how far it is, in percent. A remark that comes while the host is busy is lost.
    pub fn progress(&self, percent: u8, message: impl Into<String>) {
        let (attempt, percent, message) = (self.attempt, percent.min(100), message.into());
        let _ = self.reports.try_send(Report::Progress { attempt, percent, message });
    }
}

/// Why a function did not succeed. Any error turns into one with `?`.
pub struct FunctionError(Why);

enum Why {
    Failed(Box<dyn std::error::Error + Send + Sync>),
    Skipped(String),
}

impl FunctionError {
    /// It failed; the words go into the log.
    pub fn failed(message: impl Into<String>) -> FunctionError {
        FunctionError(Why::Failed(message.into().into()))
    }

    /// There was nothing to do: the attempt counts as skipped.
    pub fn skipped(reason: impl Into<String>) -> FunctionError {
        FunctionError(Why::Skipped(reason.into()))
    }
}

// It is no `Error` itself, because then every error could not become one.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for FunctionError {
    fn from(error: E) -> FunctionError {
        FunctionError(Why::Failed(Box::new(error)))
    }
}

impl fmt::Debug for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Failed(error) => write!(f, "failed: {error}"),
            Why::Skipped(reason) => write!(f, "skipped: {reason}"),
        }
    }
}

impl Functions {
    /// Runs its functions on this runtime, which has its time switched on.
    pub fn new(handle: Handle) -> Functions {
        Functions { handle, table: RwLock::default(), orders: Arc::default(), attempts: TaskTracker::new() }
    }

    /// Makes a function known. An earlier one of the same name is replaced for attempts that start from now on.
    pub fn register<F, R>(&self, name: impl Into<String>, function: F)
    where
        F: Fn(TaskContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), FunctionError>> + Send + 'static,
    {
        let function: Function = Arc::new(move |context| Box::pin(function(context)));
        self.table.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), function);
    }

    fn find(&self, action: &Action) -> Result<(Function, serde_json::Value), Exit> {
        let Action::Call { function: name, with } = action else {
            let message = "a body that is not a call cannot run as a function".into();
            return Err(Exit::NotSpawned { why: NotSpawned::Other, message });
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = table.get(name) {
            return Ok((Arc::clone(function), with.clone()));
        }
        let hint = did_you_mean(name, table.keys().map(String::as_str));
        let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let message = format!("no function `{name}` is registered{hint}");
        Err(Exit::NotSpawned { why: NotSpawned::NotFound, message })
    }
}

impl Runner for Functions {
    fn start(&self, start: Start, reports: Reports) {
        let attempt = start.attempt;
        let found = self.find(&start.action);
        let first = if self.attempts.is_closed() { Order::Kill } else { Order::GoOn };
        let (register, mut orders) = (Arc::clone(&self.orders), self.orders.enter(attempt, first));
        let work = async move {
            let exit = match found {
                Ok((function, with)) => carry_out(function, with, start, &reports, &mut orders).await,
                Err(exit) => exit,
            };
            register.leave(attempt);
            // A host that no longer listens does not want to know.
            let _ = reports.send(Report::Ended { attempt, exit, usage: None, left_over: 0 }).await;
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

/// Runs one function from start to end, and delivers everything it had to say.
async fn carry_out(
    function: Function,
    with: serde_json::Value,
    start: Start,
    reports: &Reports,
    orders: &mut Standing,
) -> Exit {
    if orders.is_asked() {
        let message = "it was stopped before it was started".into();
        return Exit::NotSpawned { why: NotSpawned::Other, message };
    }
    let Start { attempt, label, action: _, params, working_dir, env, log: path, watch_lines } = start;
    let log = match open_log(&path) {
        Ok(file) => TaskLog::new(
            file,
            watch_lines.then(|| (Splitter::default(), Outbox::new(attempt, reports.clone()))),
        ),
        Err(error) => {
            let message = format!("the log file `{}` cannot be written: {error}", path.display());
            return Exit::NotSpawned { why: NotSpawned::Other, message };
        }
    };
    let _ = reports.send(Report::Spawned { attempt, pid: None }).await;
    let (cancelled, reports) = (CancellationToken::new(), reports.clone());
    let context = TaskContext {
        attempt,
        label,
        with,
        params,
        env,
        working_dir,
        log: log.clone(),
        cancelled: cancelled.clone(),
        reports,
    };
    let exit = call(function, context, &cancelled, orders).await.unwrap_or_else(|why| {
        log.line(format_args!("neap: {why}"));
        Exit::Code { code: 1 }
    });
    log.close().await;
    exit
}

/// The end of a function, or in words why it did not succeed.
async fn call(
    function: Function,
    context: TaskContext,
    cancelled: &CancellationToken,
    orders: &mut Standing,
) -> Result<Exit, String> {
    // In a task of its own, so that a panic stays inside. The call itself belongs inside as well.
    let mut task = tokio::spawn(async move { function(context).await });
    let stopping = async {
        orders.asked().await;
        cancelled.cancel();
        orders.grace_over().await;
    };
    let result = tokio::select! {
        result = &mut task => result,
        () = stopping => {
            task.abort();
            task.await
        }
    };
    match result {
        Ok(Ok(())) => Ok(Exit::Code { code: 0 }),
        Ok(Err(FunctionError(Why::Skipped(reason)))) => Ok(Exit::Skipped { reason }),
        Ok(Err(FunctionError(Why::Failed(error)))) => Err(with_sources(&*error)),
        Err(error) => Err(broken(error)),
    }
}

fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn broken(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else {
        return "the function was dropped, because it did not stop within its grace".into();
    };
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!("the function panicked: {}", text.unwrap_or("it did not say why"))
}

/// The log of a running function. Copies write to the same log.
///
/// ```no_run
/// # fn f(mut log: neap::exec::TaskLog) -> std::io::Result<()> {
/// use std::io::Write;
/// log.line("one line");
/// write!(log, "{} bytes", 7)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskLog(Arc<Mutex<Sink>>);

struct Sink {
    file: File,
    /// While somebody watches the lines of an attempt that has not ended.
    watched: Option<(Splitter, Outbox)>,
}

impl TaskLog {
    fn new(file: File, watched: Option<(Splitter, Outbox)>) -> TaskLog {
        TaskLog(Arc::new(Mutex::new(Sink { file, watched })))
    }

    /// Writes a line. What the disk does not take is lost, and the host's own log says so.
    pub fn line(&self, text: impl fmt::Display) {
        if let Err(error) = self.sink().write(format!("{text}\n").as_bytes()) {
            tracing::warn!("a line of a function could not be written to its log: {error}");
        }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        // A panic inside would leave at worst a torn line behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers what is left; from now on only the file is written to.
    async fn close(&self) {
        let watched = self.sink().watched.take();
        if let Some((mut lines, mut outbox)) = watched {
            lines.finish(|text| outbox.push(Line { stream: Stream::Stdout, text }));
            outbox.deliver_all().await;
        }
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        if let Some((lines, outbox)) = &mut self.watched {
            lines.feed(bytes, |text| outbox.push(Line { stream: Stream::Stdout, text }));
            outbox.deliver_now();
        }
        Ok(())
    }
}

impl Write for TaskLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink().write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
