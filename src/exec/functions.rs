//! Attempts as functions of the embedding program.
//!
//! A function is stopped by asking: its token is cancelled, and after the grace its future is dropped at the await
//! where it stands. One that never awaits cannot be stopped, and its attempt ends when it returns.

use super::ends::open_copy;
use super::flow::Splitter;
use super::log::LogWriter;
use super::mask::{MaskStream, Masks};
use super::orders::{Order, Orders, Standing};
use super::outbox::Outbox;
use super::outputs::Outputs;
use super::runner::{Line, Report, Reports, Runner, Start, Stdout, Stream, WhenDone};
use super::spawn::open_log;
use crate::base::{AttemptId, did_you_mean};
use crate::definition::{Action, Log, Params, Stop};
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
    masks: Masks,
    outputs: Arc<Mutex<Outputs>>,
}

impl TaskContext {
    /// Tells everybody who watches how far it is, in percent. A remark that comes while the host is busy is lost.
    pub fn progress(&self, percent: u8, message: impl Into<String>) {
        let (attempt, percent) = (self.attempt, percent.min(100));
        let message = self.masks.text(&message.into()).into_owned();
        let _ = self.reports.try_send(Report::Progress { attempt, percent, message });
    }

    /// Hands a value on to the jobs that come after, as a process does with a line in `$NEAP_OUTPUT`. The last value
    /// of a name counts. All outputs of an attempt together may have 1 MiB; what is beyond is left out.
    ///
    /// A name has no blanks, no control characters and neither `=` nor `<`; with any other name nothing is handed
    /// on, and the log says so.
    pub fn output(&self, name: &str, value: impl fmt::Display) {
        let is_wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '=' | '<');
        if name.is_empty() || name.contains(is_wrong) {
            self.log.line(format_args!("neap: {name:?} is no name for an output"));
            return;
        }
        let value = value.to_string();
        let (name, value) = (self.masks.text(name), self.masks.text(&value));
        // A panic inside would leave at worst a torn entry behind.
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner).add(&name, &value);
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
    fn start(&self, mut start: Start, reports: Reports) {
        // A function neither reads nor writes a pipe, so nobody shall wait for it.
        start.close_pipes();
        let attempt = start.attempt;
        let found = self.find(&start.action);
        let first = if self.attempts.is_closed() { Order::Kill } else { Order::GoOn };
        let (register, mut orders) = (Arc::clone(&self.orders), self.orders.enter(attempt, first));
        let work = async move {
            let (masks, file) = (start.masks.clone(), start.outputs.clone());
            let said = Arc::<Mutex<Outputs>>::default();
            let exit = match found {
                Ok(found) => carry_out(found, start, &said, &reports, &mut orders).await,
                Err(exit) => exit,
            };
            // What it started may have written to the file as well.
            let mut outputs = Outputs::collect(&file, &masks);
            outputs.join(std::mem::take(&mut *said.lock().unwrap_or_else(PoisonError::into_inner)));
            register.leave(attempt);
            let ended = Report::Ended {
                attempt,
                exit: masked(exit, &masks),
                usage: None,
                left_over: 0,
                outputs: outputs.text,
                outputs_cut: outputs.is_cut,
            };
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

/// An end whose words hold no secret.
fn masked(exit: Exit, masks: &Masks) -> Exit {
    let mask = |text: String| masks.text(&text).into_owned();
    match exit {
        Exit::Skipped { reason } => Exit::Skipped { reason: mask(reason) },
        Exit::BadOutputs { message } => Exit::BadOutputs { message: mask(message) },
        Exit::NotSpawned { why, message } => Exit::NotSpawned { why, message: mask(message) },
        Exit::Code { .. } | Exit::Signal { .. } | Exit::Lost | Exit::Limit { .. } => exit,
    }
}

/// Runs one function from start to end, and delivers everything it had to say.
async fn carry_out(
    (function, with): (Function, serde_json::Value),
    start: Start,
    outputs: &Arc<Mutex<Outputs>>,
    reports: &Reports,
    orders: &mut Standing,
) -> Exit {
    if orders.is_asked() {
        return not_started("it was stopped before it was started".into());
    }
    let log = match open_task_log(&start, reports) {
        Ok(log) => log,
        Err(message) => return not_started(message),
    };
    let attempt = start.attempt;
    let _ = reports.send(Report::Spawned { attempt, pid: None }).await;
    let cancelled = CancellationToken::new();
    let context = TaskContext {
        attempt,
        label: start.label,
        with,
        params: start.params,
        env: start.env,
        working_dir: start.working_dir,
        log: log.clone(),
        cancelled: cancelled.clone(),
        reports: reports.clone(),
        masks: start.masks,
        outputs: Arc::clone(outputs),
    };
    let exit = call(function, context, &cancelled, orders).await.unwrap_or_else(|why| {
        log.line(format_args!("neap: {why}"));
        Exit::Code { code: 1 }
    });
    log.close().await;
    exit
}

fn not_started(message: String) -> Exit {
    Exit::NotSpawned { why: NotSpawned::Other, message }
}

/// Opens what a function writes to, or says in words why that cannot be.
fn open_task_log(start: &Start, reports: &Reports) -> Result<TaskLog, String> {
    let path = &start.log;
    let file = open_log(path)
        .map_err(|error| format!("the log file `{}` cannot be written: {error}", path.display()))?;
    let log = LogWriter::new(file, path, start.log_size.unwrap_or(Log::USUAL_SIZE), None);
    let copy = match &start.stdout {
        Stdout::LogAnd(path) => Some(open_copy(path).map_err(|error| {
            format!("the file `{}` for its standard output cannot be written: {error}", path.display())
        })?),
        Stdout::Log | Stdout::Stream(_) => None,
    };
    let watch = || (Splitter::default(), Outbox::new(start.attempt, reports.clone()));
    let watched = start.watch_lines.then(watch);
    let masks = start.masks.stream();
    Ok(TaskLog(Arc::new(Mutex::new(Sink { log, copy, masks, masked: Vec::new(), watched }))))
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
    log: LogWriter,
    copy: Option<File>,
    masks: MaskStream,
    /// What has passed the masks and is not written yet.
    masked: Vec<u8>,
    /// While somebody watches the lines of an attempt that has not ended.
    watched: Option<(Splitter, Outbox)>,
}

impl TaskLog {
    /// Writes a line. What the disk does not take is lost, and the host's own log says so.
    pub fn line(&self, text: impl fmt::Display) {
        let line = format!("{text}\n");
        if let Err(error) = self.sink().write(line.as_bytes()) {
            tracing::warn!("a line of a function could not be written to its log: {error}");
        }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        // A panic inside would leave at worst a torn line behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers what is left; from now on only the files are written to.
    async fn close(&self) {
        let watched = {
            let mut sink = self.sink();
            sink.finish();
            sink.watched.take()
        };
        if let Some((mut lines, mut outbox)) = watched {
            lines.finish(|text| outbox.push(Line { stream: Stream::Stdout, text }));
            outbox.deliver_all().await;
        }
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.masks.feed(bytes, &mut self.masked);
        self.pass_on()
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let masked = std::mem::take(&mut self.masked);
        self.log.write(&masked, Stream::Stdout)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(&masked)?;
        }
        if let Some((lines, outbox)) = &mut self.watched {
            lines.feed(&masked, |text| outbox.push(Line { stream: Stream::Stdout, text }));
            outbox.deliver_now();
        }
        Ok(())
    }

    /// Writes what was held back because it might have become a secret.
    fn finish(&mut self) {
        self.masks.finish(&mut self.masked);
        if let Err(error) = self.pass_on() {
            tracing::warn!("the last words of a function could not be written to its log: {error}");
        }
        if let Err(error) = self.log.close() {
            tracing::warn!("the two ends of a log could not be joined: {error}");
        }
    }
}

impl Drop for Sink {
    // A copy of the log may be written to after the function has ended.
    fn drop(&mut self) {
        self.finish();
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
