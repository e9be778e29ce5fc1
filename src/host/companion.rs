//! The companion of one job with hooks: it calls them in order, one at a time, and turns what they say into inputs.
//!
//! The engine asks and goes on; the companion answers when the script has. What only watches is dropped when the
//! script is slower than the job.

use crate::base::{AttemptId, JobId, Millis};
use crate::definition::{Cleanup, Hook as HookFile, OnHookError};
use crate::engine::{Answer, Cause, Input, Outcome, OwedCleanup, Question};
use crate::exec;
use crate::host::environment::{Changes, directory_of, trigger_word};
use crate::host::{Inner, Live};
use crate::lua::{
    BeforeDecision, CancelDecision, CleanupAction, CleanupWhen, Context, Decision, Hook, HookCall, Level,
    Note, Notes, OutputDecisions, OutputFeed, RetryDecision, ScriptError, Stream, SuccessDecision,
};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Calls that may wait. Questions are one at a time; the rest are remarks that a slow script may miss.
const CALLS: usize = 64;
/// Remarks are dropped when fewer places than this are free, so that a question always finds one.
const RESERVED: usize = 16;
/// Notes that a script may be ahead of the host.
const NOTES: usize = 256;

/// What is wanted of a companion.
pub(super) enum Call {
    /// A question of the engine about this attempt.
    Ask { attempt: AttemptId, question: Question, about: Value },
    /// The process lives.
    Started { pid: Option<u32> },
    /// The progress has changed.
    Progress { percent: f64, message: Option<String> },
    /// How to stop?
    Cancel { by: String, reason: Option<String>, reply: oneshot::Sender<CancelDecision> },
    /// Tidy up; the answer says what went wrong.
    Clean { outcome: Value, reply: oneshot::Sender<Vec<String>> },
    /// The job is done.
    Farewell { outcome: Outcome, event: Value },
}

/// The host's side of a companion.
pub(super) struct Companion {
    calls: mpsc::Sender<Call>,
    feeds: Arc<Mutex<Vec<OutputFeed>>>,
    pub(super) watches_lines: bool,
    pub(super) has_cancel: bool,
}

impl Companion {
    /// Hands over a call that must not be lost.
    pub(super) fn call(&self, inner: &Arc<Inner>, call: Call) {
        if let Err(mpsc::error::TrySendError::Full(call)) = self.calls.try_send(call) {
            let calls = self.calls.clone();
            inner.tasks.spawn(async move { calls.send(call).await.is_ok() });
        }
    }

    /// Hands over a call that may be lost.
    pub(super) fn remark(&self, call: Call) {
        if self.calls.capacity() > RESERVED {
            let _ = self.calls.try_send(call);
        }
    }

    pub(super) fn lines(&self, lines: &[exec::Line]) {
        for feed in self.feeds.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for line in lines {
                let stream = match line.stream {
                    exec::Stream::Stdout => Stream::Stdout,
                    exec::Stream::Stderr => Stream::Stderr,
                };
                feed.push(stream, line.text.as_bytes());
            }
        }
    }

    /// No line comes any more: the decisions end after the last batch.
    pub(super) fn end_of_output(&self) {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Actor {
    inner: Arc<Inner>,
    job: JobId,
    hooks: Vec<HookFile>,
    attempt: AttemptId,
    context: Arc<Context>,
    notes: Notes,
    feeds: Arc<Mutex<Vec<OutputFeed>>>,
    /// What carries on the decisions about the output, until its last line.
    watchers: Vec<JoinHandle<()>>,
    log: PathBuf,
}

impl Inner {
    /// The companion of a job, made when there is none yet. `None` for a job without hooks.
    pub(super) fn companion(self: &Arc<Inner>, job: JobId) -> Option<Arc<Companion>> {
        let mut companions = self.companions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(companion) = companions.get(&job) {
            return Some(Arc::clone(companion));
        }
        let (hooks, attempt, context, log) = self.view.look(|live| {
            let run = live.state.runs.get(&job.run)?;
            let hooks = run.leaf(job.index).hooks.clone();
            let attempt = live.state.attempt(job);
            (!hooks.is_empty())
                .then(|| (hooks, attempt, context_of(live, attempt, &self.root), self.log_of(run, attempt)))
        })?;
        let scripts = self.scripts();
        let defines = |hook| hooks.iter().any(|file| scripts.defines(attempt, &file.file, hook));
        let (calls, queue) = mpsc::channel(CALLS);
        let feeds = Arc::default();
        let companion = Arc::new(Companion {
            calls,
            feeds: Arc::clone(&feeds),
            watches_lines: defines(Hook::Output),
            has_cancel: defines(Hook::Cancel),
        });
        companions.insert(job, Arc::clone(&companion));
        drop(companions);
        let notes = self.take_notes(attempt, log.clone());
        let inner = Arc::clone(self);
        let actor = Actor { inner, job, hooks, attempt, context, notes, feeds, watchers: Vec::new(), log };
        self.tasks.spawn(actor.serve(queue));
        Some(companion)
    }

    /// The companion of a job, if it has one already.
    pub(super) fn find_companion(&self, job: JobId) -> Option<Arc<Companion>> {
        self.companions.lock().unwrap_or_else(PoisonError::into_inner).get(&job).cloned()
    }

    /// Carries what scripts of an attempt say to where it belongs, until they have all ended.
    pub(super) fn take_notes(self: &Arc<Inner>, attempt: AttemptId, log: PathBuf) -> Notes {
        let (notes, mut said) = mpsc::channel(NOTES);
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            while let Some(note) = said.recv().await {
                match note {
                    Note::Log { level, message, fields } => {
                        let masks = inner.masks(attempt.job);
                        write_log(&log, level, &masks.text(&message), &masked(fields, &masks));
                    }
                    Note::Progress { percent, message } => inner.remark(attempt, percent, message),
                    Note::Cleanup { item, ack } => inner.owe(attempt, item, ack).await,
                }
            }
        });
        notes
    }

    /// Writes down what must be tidied up, and only then lets the script go on.
    async fn owe(
        self: &Arc<Inner>,
        attempt: AttemptId,
        item: crate::lua::CleanupItem,
        ack: oneshot::Sender<()>,
    ) {
        let what = match item.action {
            CleanupAction::Remove(path) => Cleanup::Remove { path: path.to_string_lossy().into_owned() },
            CleanupAction::Exec(argv) => Cleanup::Exec { argv },
        };
        let unless_succeeded = item.when == CleanupWhen::NotSuccess;
        let item = OwedCleanup { what, unless_succeeded };
        // An item that came too late is dropped, and with it the acknowledgement: the script is told.
        if self.tell(Input::Owe { attempt, item }).await.is_ok_and(|told| !told.records.is_empty()) {
            let _ = ack.send(());
        }
    }

    /// An attempt says how far it is.
    pub(super) fn remark(self: &Arc<Inner>, attempt: AttemptId, percent: f64, message: Option<String>) {
        let progress =
            crate::host::Progress { percent: percent.clamp(0.0, 100.0), message, at: self.clock.now() };
        if !self.view.remark(attempt, progress.clone()) {
            return;
        }
        if let Some(companion) = self.find_companion(attempt.job) {
            companion.remark(Call::Progress { percent: progress.percent, message: progress.message.clone() });
        }
        self.speaker.tell(|| crate::host::Happening::Progress { attempt, progress });
    }
}

impl Actor {
    async fn serve(mut self, mut queue: mpsc::Receiver<Call>) {
        while let Some(call) = queue.recv().await {
            match call {
                Call::Ask { attempt, question, about } => self.answer(attempt, question, about).await,
                Call::Started { pid } => self.tell(Hook::Start, json!({ "pid": pid })).await,
                Call::Progress { percent, message } => {
                    self.tell(Hook::Progress, json!({ "percent": percent, "message": message })).await;
                }
                Call::Cancel { by, reason, reply } => {
                    let event = json!({ "by": by, "reason": reason });
                    let decision = self.ask::<CancelDecision>(event).await.unwrap_or_default();
                    let _ = reply.send(decision.unwrap_or_default());
                }
                Call::Clean { outcome, reply } => {
                    self.hear_all().await;
                    let _ = reply.send(self.tell_all(Hook::Cleanup, outcome).await);
                }
                Call::Farewell { outcome, event } => {
                    if matches!(outcome, Outcome::Failed { .. }) {
                        self.tell(Hook::Failure, event.clone()).await;
                    }
                    self.tell(Hook::Finally, event).await;
                    break;
                }
            }
        }
        for number in 1..=self.attempt.number {
            self.inner.scripts().forget(AttemptId { job: self.job, number });
        }
    }

    async fn answer(&mut self, attempt: AttemptId, question: Question, about: Value) {
        if attempt != self.attempt {
            self.begin(attempt);
        }
        let answer = match question {
            Question::Before => self.before(about).await,
            Question::Success => {
                self.hear_all().await;
                self.success(about).await
            }
            Question::Retry => {
                self.hear_all().await;
                self.retry(about).await
            }
            // This one is a matter of the definition, and no hook hears it.
            Question::Repeat => Answer::NoOpinion,
        };
        // A host that is stopping asks again at its next start.
        let _ = self.inner.tell(Input::Answered { attempt, question, answer }).await;
    }

    /// Waits until the scripts know the output to its last line: what they say at the end may rest on it. The feeds are
    /// closed, and the budgets of a script bound how long that takes.
    async fn hear_all(&mut self) {
        for watcher in self.watchers.drain(..) {
            // One that panicked has nothing more to say.
            let _ = watcher.await;
        }
    }

    /// Another attempt has another context, another log and scripts as they are now.
    fn begin(&mut self, attempt: AttemptId) {
        let seen = self.inner.view.look(|live| {
            let run = live.state.runs.get(&attempt.job.run)?;
            Some((context_of(live, attempt, &self.inner.root), self.inner.log_of(run, attempt)))
        });
        let Some((context, log)) = seen else { return };
        (self.attempt, self.context, self.log) = (attempt, context, log);
        self.notes = self.inner.take_notes(attempt, self.log.clone());
    }

    /// `before` is a guard: when it fails, nothing starts.
    async fn before(&mut self, about: Value) -> Answer {
        let decision = match self.ask::<BeforeDecision>(about).await {
            Ok(decision) => decision.unwrap_or_default(),
            Err(error) => return Answer::Fail { message: first_line(&error) },
        };
        let answer = if let Some(message) = decision.fail {
            Answer::Fail { message }
        } else if let Some(reason) = decision.skip {
            Answer::Skip { reason }
        } else if let Some(by) = decision.delay {
            Answer::Delay { by, reason: None }
        } else if let Some(timeout) = decision.timeout {
            Answer::StartWith { timeout: timeout.max(Millis(1)) }
        } else {
            Answer::NoOpinion
        };
        if matches!(answer, Answer::NoOpinion | Answer::StartWith { .. }) {
            let env = decision.env.into_iter().collect();
            let changes = Changes { env, args: decision.args, cwd: decision.cwd };
            self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner).insert(self.attempt, changes);
            self.connect_output();
        }
        answer
    }

    async fn success(&mut self, about: Value) -> Answer {
        match self.ask::<SuccessDecision>(about).await {
            Ok(Some(SuccessDecision { fail: Some(message) })) => Answer::Fail { message },
            Ok(_) => Answer::NoOpinion,
            Err(error) if self.hooks.iter().any(|hook| hook.on_error == OnHookError::Fail) => {
                Answer::Fail { message: first_line(&error) }
            }
            Err(_) => Answer::NoOpinion,
        }
    }

    async fn retry(&mut self, about: Value) -> Answer {
        let Ok(Some(RetryDecision { retry, delay, reason })) = self.ask::<RetryDecision>(about).await else {
            return Answer::NoOpinion;
        };
        match retry {
            Some(false) => Answer::GiveUp { reason },
            Some(true) => Answer::Again { delay, reason },
            None if delay.is_some() => Answer::Again { delay, reason },
            None => Answer::NoOpinion,
        }
    }

    /// Asks the files in order; the first that has an opinion decides. An error is written into the job's log.
    async fn ask<D: Decision>(&self, event: Value) -> Result<Option<D>, ScriptError> {
        for file in &self.hooks {
            match self.inner.scripts().ask::<D>(self.hook_call(&file.file, event.clone())).await {
                Ok(None) => {}
                Ok(decision) => return Ok(decision),
                Err(error) => {
                    self.complain(&error);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    async fn tell(&self, hook: Hook, event: Value) {
        self.tell_all(hook, event).await;
    }

    /// Tells every file, also after one has failed. The answer says what went wrong.
    async fn tell_all(&self, hook: Hook, event: Value) -> Vec<String> {
        let mut problems = Vec::new();
        for file in &self.hooks {
            let call = self.hook_call(&file.file, event.clone());
            if let Err(error) = self.inner.scripts().tell(hook, call).await {
                self.complain(&error);
                problems.push(first_line(&error));
            }
        }
        problems
    }

    fn connect_output(&mut self) {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.clear();
        for file in &self.hooks {
            if let Some((feed, decisions)) =
                self.inner.scripts().output(self.hook_call(&file.file, Value::Null))
            {
                feeds.push(feed);
                let watcher =
                    follow_output(Arc::clone(&self.inner), self.attempt, decisions, self.log.clone());
                self.watchers.push(self.inner.tasks.spawn(watcher));
            }
        }
    }

    fn hook_call(&self, file: &str, event: Value) -> HookCall {
        HookCall {
            file: file.to_owned(),
            attempt: self.attempt,
            context: Arc::clone(&self.context),
            event,
            notes: self.notes.clone(),
        }
    }

    fn complain(&self, error: &ScriptError) {
        tracing::warn!(attempt = ?self.attempt, %error, "a hook failed");
        write_log(&self.log, Level::Error, &error.to_string(), &Value::Null);
    }
}

async fn follow_output(inner: Arc<Inner>, attempt: AttemptId, mut decisions: OutputDecisions, log: PathBuf) {
    while let Some(decided) = decisions.next().await {
        match decided {
            Ok(decision) => {
                if decision.fail.is_some() {
                    write_log(
                        &log,
                        Level::Warn,
                        "`fail` has no effect in `output` yet; use `success`",
                        &Value::Null,
                    );
                }
                let message = match (decision.message, decision.eta) {
                    (message, None) => message,
                    (None, Some(eta)) => Some(format!("eta {eta}")),
                    (Some(message), Some(eta)) => Some(format!("{message}, eta {eta}")),
                };
                if let Some(percent) = decision.progress {
                    inner.remark(attempt, percent, message);
                }
            }
            Err(error) => write_log(&log, Level::Error, &error.to_string(), &Value::Null),
        }
    }
}

/// What a script may know about its attempt.
pub(super) fn context_of(live: &Live, attempt: AttemptId, root: &Path) -> Arc<Context> {
    let run = &live.state.runs[&attempt.job.run];
    let plan = run.plan.plan();
    let leaf = run.leaf(attempt.job.index);
    let workdir = directory_of(leaf, root);
    Arc::new(Context {
        task: leaf.name.clone(),
        labels: leaf.labels.clone(),
        run: attempt.job.run,
        run_number: run.number,
        run_task: plan.task.clone(),
        trigger: trigger_word(&run.trigger).to_owned(),
        attempt: attempt.number,
        attempts_max: leaf.retry.attempts,
        params: (**run.params(attempt.job.index)).clone(),
        workdir,
    })
}

/// What a hook learns about a failure.
pub(super) fn cause_event(cause: &Cause) -> Value {
    match cause {
        Cause::Exit { code } => {
            json!({ "kind": "exit", "exit_code": code, "reason": format!("exit {code}") })
        }
        Cause::Signal { signal } => {
            json!({ "kind": "signal", "signal": signal.to_string(), "reason": signal.to_string() })
        }
        Cause::TimedOut => json!({ "kind": "timeout", "reason": "timed out" }),
        Cause::OutOfTime => json!({ "kind": "timeout", "reason": "all attempts together took too long" }),
        Cause::Stalled => json!({ "kind": "stalled", "reason": "no sign of life" }),
        Cause::NotSpawned { message, .. } => json!({ "kind": "spawn", "reason": message }),
        Cause::Lost => json!({ "kind": "lost", "reason": "lost: the host died" }),
        Cause::Hook { message } => json!({ "kind": "hook", "reason": message }),
        Cause::Unprepared { message } => json!({ "kind": "definition", "reason": message }),
        Cause::Precondition { message } => json!({ "kind": "precondition", "reason": message }),
        Cause::Outputs { message } => json!({ "kind": "outputs", "reason": message }),
        Cause::Cell { job } => json!({ "kind": "cell", "reason": format!("its cell {job} failed") }),
        Cause::Rejected { by, reason } => {
            json!({ "kind": "rejected", "by": by, "reason": reason.clone().unwrap_or_else(|| "rejected".into()) })
        }
        Cause::Limit { which, most } => {
            json!({ "kind": "limit", "limit": which.key(), "reason": format!("killed: {}", which.words(*most)) })
        }
        Cause::QueuedTooLong { waited } => {
            json!({ "kind": "queue", "reason": format!("waited {waited} in the queue") })
        }
        Cause::Unmet { rounds } => {
            json!({ "kind": "unmet", "reason": format!("not there after {rounds} rounds") })
        }
    }
}

/// Whatever a script was told, it cannot hand on what must not be seen.
fn masked(fields: Value, masks: &exec::Masks) -> Value {
    if fields.is_null() || masks.is_empty() {
        return fields;
    }
    let text = masks.text(&fields.to_string()).into_owned();
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// What a script says stands in the job's log, marked so that nobody takes it for the job's own words.
pub(super) fn write_log(log: &Path, level: Level, message: &str, fields: &Value) {
    let mut text = String::new();
    for line in message.lines() {
        text += &format!("neap | {}: {line}\n", level.name());
    }
    if !fields.is_null() {
        text += &format!("neap |   {fields}\n");
    }
    append(log, text.as_bytes());
}

/// Appends to a log. A log that cannot be written costs its words, not the job.
pub(super) fn append(log: &Path, bytes: &[u8]) {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(log);
    if let Err(error) = file.and_then(|mut file| file.write_all(bytes)) {
        tracing::warn!(log = %log.display(), %error, "the log of a job cannot be written");
    }
}

fn first_line(error: &ScriptError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
