//! Carries out what the engine ordered. Every order is followed by a report or an answer, so nothing here waits.

use crate::base::{AttemptId, JobId, Millis, RunId};
use crate::definition::{Cleanup, Secret, Signal, Stop, dotenv};
use crate::engine::{
    Event, Exit, Input, NotSpawned, Order, Outcome, Phase, Question, Record, RunPhase, StopCause,
};
use crate::exec::{self, Masks, Start};
use crate::host::Inner;
use crate::host::companion::{Call, append, cause_event};
use crate::host::environment::{Changes, Given, directory_of, wants_artifacts};
use crate::host::turn::Message;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A cleanup that takes longer is stopped: what is tidied up holds up the end of its job.
const CLEANUP_LIMIT: Millis = Millis::from_secs(60);
/// How long a `cancel` hook may hold back the signal; its own budget is shorter.
const CANCEL_LIMIT: Millis = Millis::from_secs(3);
/// So much of the end of the output is shown to hooks.
const TAIL: u64 = 4096;

impl Inner {
    pub(super) fn carry_out(self: &Arc<Inner>, order: Order) {
        match order {
            Order::Start { attempt } => self.start(attempt),
            Order::Stop { attempt, cause, stop } => self.stop(attempt, cause, stop),
            Order::Pause { attempt } => self.runner.pause(attempt),
            Order::Resume { attempt } => self.runner.resume(attempt),
            Order::Prepare { job } => self.prepare(job),
            Order::Ask { attempt, question: Question::Repeat } => self.ask_repeat(attempt),
            Order::Ask { attempt, question } => self.ask(attempt, question),
            Order::Recall { run } => self.recall(run),
            Order::Clean { job, outcome } => {
                let inner = Arc::clone(self);
                self.tasks.spawn(async move {
                    let problem = inner.clean(job, outcome).await;
                    let _ = inner.tell(Input::Cleaned { job, problem }).await;
                });
            }
        }
    }

    /// What cannot be read says nothing: nobody waits for it.
    fn recall(self: &Arc<Inner>, run: RunId) {
        let task = self.view.look(|view| Some(view.state.runs.get(&run)?.plan.plan().task.clone()));
        let Some(task) = task else { return };
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let reader = Arc::clone(&inner);
            let usual = tokio::task::spawn_blocking(move || reader.store.history().usual_length(&task)).await;
            let limit = usual.ok().and_then(Result::ok).flatten().and_then(|usual| usual.patience());
            let _ = inner.tell(Input::Recalled { run, limit }).await;
        });
    }

    fn start(self: &Arc<Inner>, attempt: AttemptId) {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
        let changes = changes.unwrap_or_default();
        let Some(wanted) = self.wanted(attempt) else { return };
        if wanted.is_nothing() {
            return self.start_with(attempt, changes, &Given::default());
        }
        let (inner, stopped) = (Arc::clone(self), CancellationToken::new());
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt, stopped.clone());
        self.tasks.spawn(async move {
            let looked = tokio::select! {
                looked = inner.look_up(attempt.job, wanted) => looked,
                () = stopped.cancelled() => Err("it was stopped while its secrets were looked up".to_owned()),
            };
            inner.lookups.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
            match looked {
                Ok(given) => inner.start_with(attempt, changes, &given),
                Err(why) => inner.not_started(attempt, why),
            }
            inner.repeat_stop(attempt);
        });
    }

    fn start_with(self: &Arc<Inner>, attempt: AttemptId, changes: Changes, given: &Given) {
        let room = |start: Start| {
            let made = make_room(&start.log).and_then(|()| self.make_room_for_artifacts(attempt));
            let made = made.and_then(|()| self.write_changed(attempt.job.run));
            let made = made.and_then(|()| self.write_body(attempt.job.run));
            made.map_err(|error| format!("no room for what it writes, `{}`: {error}", start.log.display()))?;
            Ok(start)
        };
        match self.start_of(attempt, changes, given).map(|start| start.and_then(room)) {
            Some(Ok(start)) => self.runner.start(start, self.reports.clone()),
            Some(Err(why)) => self.not_started(attempt, why),
            None => {}
        }
    }

    /// The log of an attempt; `None` when its run is not there any more.
    pub(super) fn live_log(&self, attempt: AttemptId) -> Option<PathBuf> {
        self.view.look(|live| live.state.runs.get(&attempt.job.run).map(|run| self.log_of(run, attempt)))
    }

    fn not_started(self: &Arc<Inner>, attempt: AttemptId, message: String) {
        if let Some(log) = self.live_log(attempt) {
            // That there is no log is told where it is looked for.
            let _ = make_room(&log);
            append(&log, format!("neap | {message}\n").as_bytes());
        }
        self.view.look(|live| self.write_nothing(live, attempt));
        let exit = Exit::NotSpawned { why: NotSpawned::Other, message };
        self.send(Input::Ended { attempt, exit, usage: None, outputs: Default::default() });
    }

    fn make_room_for_artifacts(&self, attempt: AttemptId) -> std::io::Result<()> {
        let folder = self.view.look(|live| {
            let run = live.state.runs.get(&attempt.job.run)?;
            let leaf = run.leaf(attempt.job.index);
            let name = leaf.name.seen_from(&run.plan.plan().task);
            wants_artifacts(leaf).then(|| self.artifacts_of(attempt, name))
        });
        folder.map_or(Ok(()), std::fs::create_dir_all)
    }

    /// The order to stop may have come while the attempt was on its way to the runner, which did not know it then.
    fn repeat_stop(&self, attempt: AttemptId) {
        let stop = self.view.look(|live| {
            let job = live.state.find_job(attempt.job)?;
            let is_stopping = matches!(job.phase, Phase::Stopping { .. }) && job.attempts == attempt.number;
            is_stopping.then(|| live.state.leaf(attempt.job).stop)
        });
        if let Some(stop) = stop {
            self.runner.stop(attempt, stop);
        }
    }

    /// What must be looked up before an attempt can start; `None` when its run is not there any more.
    fn wanted(&self, attempt: AttemptId) -> Option<Wanted> {
        let settings = self.settings();
        self.view.look(|live| {
            let leaf = live.state.runs.get(&attempt.job.run)?.leaf(attempt.job.index);
            let own = |secret: &&Secret| !leaf.secrets.iter().any(|other| other.name == secret.name);
            let secrets = leaf.secrets.iter().chain(settings.secrets.iter().filter(own)).cloned();
            Some(Wanted { secrets: secrets.collect(), dotenv: leaf.dotenv.clone() })
        })
    }

    /// What the questions before an attempt are given: what the attempt itself would be given.
    pub(super) async fn given_before(&self, job: JobId) -> Result<Given, String> {
        match self.wanted(AttemptId { job, number: 0 }).filter(|wanted| !wanted.is_nothing()) {
            Some(wanted) => self.look_up(job, wanted).await,
            None => Ok(Given::default()),
        }
    }

    async fn look_up(&self, job: JobId, wanted: Wanted) -> Result<Given, String> {
        let mut given = Given::default();
        for path in wanted.dotenv {
            let text = tokio::fs::read_to_string(self.root.join(&path)).await;
            let text = text.map_err(|error| format!("the dotenv file `{path}` cannot be read: {error}"))?;
            let variables = dotenv(&text).map_err(|error| format!("the dotenv file `{path}`: {error}"))?;
            given.dotenv.extend(variables);
        }
        if !wanted.secrets.is_empty() {
            let known = self.find_secrets(job, wanted.secrets).await?;
            (given.secrets, given.masks) = (known.env.clone(), known.masks.clone());
        }
        Ok(given)
    }

    fn stop(self: &Arc<Inner>, attempt: AttemptId, cause: StopCause, stop: Stop) {
        let lookup = self.lookups.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
        if let Some(lookup) = lookup {
            return lookup.cancel();
        }
        if stop.grace == Millis(0) {
            return self.runner.kill(attempt);
        }
        let companion = self.find_companion(attempt.job).filter(|companion| companion.has_cancel);
        match (cause, companion) {
            (StopCause::Cancelled, Some(companion)) => {
                let inner = Arc::clone(self);
                let (by, reason) = self.who_cancelled(attempt);
                self.tasks.spawn(async move {
                    let (reply, answer) = oneshot::channel();
                    companion.call(&inner, Call::Cancel { by, reason, reply });
                    let decision = tokio::time::timeout(CANCEL_LIMIT.to_duration(), answer).await;
                    let decision = decision.ok().and_then(Result::ok).unwrap_or_default();
                    let signal = decision.signal.as_deref().and_then(Signal::named).unwrap_or(stop.signal);
                    let grace = decision.grace.unwrap_or(stop.grace);
                    inner.runner.stop(attempt, Stop { signal, grace });
                });
            }
            (
                StopCause::Cancelled
                | StopCause::TimedOut
                | StopCause::Stalled
                | StopCause::OutOfTime
                | StopCause::NotNeeded { .. },
                _,
            ) => self.runner.stop(attempt, stop),
        }
    }

    fn who_cancelled(&self, attempt: AttemptId) -> (String, Option<String>) {
        self.view.look(|live| match live.state.runs.get(&attempt.job.run).map(|run| &run.phase) {
            Some(RunPhase::Cancelling { by, reason }) => (by.to_string(), reason.clone()),
            _ => ("host".into(), None),
        })
    }

    fn ask(self: &Arc<Inner>, attempt: AttemptId, question: Question) {
        match self.companion(attempt.job) {
            Some(companion) => {
                let about = self.about(attempt, question);
                companion.end_of_output();
                companion.call(self, Call::Ask { attempt, question, about });
            }
            None => {
                self.send(Input::Answered { attempt, question, answer: crate::engine::Answer::NoOpinion })
            }
        }
    }

    /// What the hook is told about the question.
    fn about(&self, attempt: AttemptId, question: Question) -> Value {
        let log = self.live_log(attempt);
        let tail = || log.as_deref().map(tail_of).unwrap_or_default();
        let mut about = self.view.look(|live| match live.state.find_job(attempt.job).map(|job| &job.phase) {
            Some(Phase::Asking { cause: Some(cause), .. }) => cause_event(cause),
            _ => json!({}),
        });
        let max = self.view.look(|live| live.state.leaf(attempt.job).retry.attempts);
        about["attempt"] = attempt.number.into();
        about["max"] = max.into();
        match question {
            Question::Before | Question::Repeat => {}
            Question::Success => {
                about["exit_code"] = 0.into();
                about["stdout_tail"] = tail().into();
            }
            Question::Retry => {
                let tail = tail();
                about["stderr_tail"] = tail.clone().into();
                about["stdout_tail"] = tail.into();
            }
        }
        about
    }

    /// Tidies up after a job: what its hooks announced (the latest first), what the definition says, then its hook.
    async fn clean(self: &Arc<Inner>, job: JobId, outcome: Outcome) -> Option<String> {
        let seen = self.view.look(|live| {
            let run = live.state.runs.get(&job.run)?;
            let leaf = run.leaf(job.index);
            let attempt = live.state.attempt(job);
            let working_dir = directory_of(leaf, &self.root);
            let has_succeeded = outcome == Outcome::Succeeded;
            let owed = live.state.job(job).owed.iter().rev();
            let owed =
                owed.filter(|item| !(item.unless_succeeded && has_succeeded)).map(|item| item.what.clone());
            let items: Vec<Cleanup> = owed.chain(leaf.cleanup.iter().cloned()).collect();
            let mut env = self.environment(run, attempt, &working_dir);
            let (mark, whose) = exec::marker(&self.instance, attempt);
            env.push((mark.into(), whose.into()));
            env.extend(self.known_secrets(job));
            Some(Debt { items, working_dir, env, log: self.log_of(run, attempt), masks: self.masks(job) })
        });
        let debt = seen?;
        let mut problems = self.pay(&debt).await;
        if let Some(companion) = self.companion(job) {
            companion.end_of_output();
            let (reply, answer) = oneshot::channel();
            let outcome = json!({ "outcome": outcome_word(&outcome) });
            companion.call(self, Call::Clean { outcome, reply });
            problems.extend(answer.await.unwrap_or_default());
        }
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    async fn pay(&self, debt: &Debt) -> Vec<String> {
        let mut problems = Vec::new();
        for item in &debt.items {
            let paid =
                exec::run_cleanup(item, &debt.working_dir, &debt.env, &debt.log, CLEANUP_LIMIT, &debt.masks)
                    .await;
            if let Err(problem) = paid {
                let problem = debt.masks.text(&problem.to_string()).into_owned();
                append(&debt.log, format!("neap | error: cleanup failed: {problem}\n").as_bytes());
                problems.push(problem);
            }
        }
        problems
    }

    /// Jobs that end now leave the view with their run, so what their hooks will be told is collected before.
    pub(super) fn prepare_farewells(self: &Arc<Inner>, records: &[Record]) {
        for record in records {
            let Event::JobFinished { job, outcome, .. } = &record.event else { continue };
            self.view.look(|live| self.part(live, *job));
            self.forget_secrets(*job);
            let companion = self.companions.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
            let Some(companion) = companion else { continue };
            let log = self.view.look(|live| {
                let run = live.state.runs.get(&job.run)?;
                Some((self.log_of(run, live.state.attempt(*job)), live.state.job(*job).attempts))
            });
            let mut event = match outcome {
                Outcome::Failed { cause } => cause_event(cause),
                Outcome::Succeeded | Outcome::Cancelled | Outcome::Skipped { .. } => json!({}),
            };
            event["outcome"] = outcome_word(outcome).into();
            if let Some((log, attempts)) = log {
                event["attempts"] = attempts.into();
                event["stderr_tail"] = tail_of(&log).into();
            }
            companion.end_of_output();
            companion.call(self, Call::Farewell { outcome: outcome.clone(), event });
        }
    }

    pub(super) fn spawned(self: &Arc<Inner>, attempt: AttemptId, pid: Option<u32>) {
        if let Some(pid) = pid {
            self.view.spawned(attempt, pid);
        }
        if let Some(companion) = self.find_companion(attempt.job) {
            companion.remark(Call::Started { pid });
        }
    }

    pub(super) fn lines(&self, attempt: AttemptId, lines: Vec<exec::Line>, dropped: u64) {
        if dropped > 0 {
            tracing::debug!(?attempt, dropped, "lines were left out for the hooks; the log has them");
        }
        if let Some(companion) = self.find_companion(attempt.job) {
            companion.lines(&lines);
        }
    }

    pub(super) fn watches_lines(&self, job: JobId) -> bool {
        self.find_companion(job).is_some_and(|companion| companion.watches_lines)
    }

    /// Sends an input on the host's own behalf. When the inbox is full it waits outside, not here.
    pub(super) fn send(self: &Arc<Inner>, input: Input) {
        let message = Message { input, reply: None };
        if let Err(tokio::sync::mpsc::error::TrySendError::Full(message)) = self.inbox.try_send(message) {
            let inbox = self.inbox.clone();
            self.tasks.spawn(async move { inbox.send(message).await.is_ok() });
        }
    }
}

/// What must be looked up before an attempt can start.
struct Wanted {
    secrets: Vec<Secret>,
    dotenv: Vec<String>,
}

impl Wanted {
    fn is_nothing(&self) -> bool {
        self.secrets.is_empty() && self.dotenv.is_empty()
    }
}

/// What a job owes, and what is needed to pay it.
struct Debt {
    items: Vec<Cleanup>,
    working_dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    log: PathBuf,
    masks: Masks,
}

/// The word for how a job ended: `succeeded`, `failed`, `cancelled` or `skipped`.
pub fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed { .. } => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped { .. } => "skipped",
    }
}

/// Makes the directory of a run's logs; most of the time it is there.
pub(super) fn make_room(log: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let Some(dir) = log.parent() else { return Ok(()) };
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::DirBuilder::new().mode(0o700).recursive(true).create(dir)
        }
        done => done,
    }
}

/// The end of what an attempt wrote, both streams as they came; empty when there is nothing to read.
fn tail_of(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(log)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        Ok(tail)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
