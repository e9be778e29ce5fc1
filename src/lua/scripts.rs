//! [`Scripts`]: the library of loaded files and the way to call them.
//!
//! It decides which generation of a file serves which attempt. It starts no process and keeps no history; what a decision or a
//! failure means is for the host to say.

use super::api::Clock;
use super::call::Stage;
use super::context::{BodyCall, BodyEnd, BodySource, HookCall, Level, Note};
use super::decision::{self, Decision};
use super::error::{ErrorKind, ScriptError, ScriptProblem};
use super::expression::{Evaluation, EvaluationError, Expressions};
use super::fault::Scene;
use super::generation::{Generation, Pin, Script, Shape};
use super::hook::Hook;
use super::limits::Limits;
use super::output::{OutputDecisions, OutputFeed};
use super::pool::Pool;
use super::source::Root;
use super::worker::Task;
use crate::base::AttemptId;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use tokio_util::sync::CancellationToken;

/// The scripts of one host. A handle: clones share everything; the threads end with the last one.
#[derive(Clone)]
pub struct Scripts {
    inner: Arc<Inner>,
}

struct Inner {
    root: Root,
    limits: Arc<Limits>,
    pool: Arc<Pool>,
    library: Mutex<Library>,
    pins: Mutex<HashMap<AttemptId, Arc<Pin>>>,
    next_generation: AtomicU64,
    expressions: Expressions,
}

#[derive(Default)]
struct Library {
    /// The last good version of each file.
    newest: BTreeMap<Script, Arc<Generation>>,
    problems: BTreeMap<Script, ScriptProblem>,
}

/// The threads for scripts could not be started.
#[derive(Debug, thiserror::Error)]
#[error("start the threads for scripts")]
pub struct StartError(#[from] std::io::Error);

/// What is known about one script file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScriptStatus {
    /// The file and what it is used for.
    pub script: Script,
    /// The version in use, if any version was ever good. Numbers count up through all files.
    pub generation: Option<u64>,
    /// The hooks it defines.
    pub hooks: BTreeSet<Hook>,
    /// The hooks that are not called any more until the file changes.
    pub muted: BTreeSet<Hook>,
    /// Why the file as it is now is not in use.
    pub problem: Option<ScriptProblem>,
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripts").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Scripts {
    /// Starts the threads for the scripts below `root`. No file is read yet: see [`Scripts::reload`].
    ///
    /// # Errors
    /// When the system has no threads left.
    pub fn open(root: PathBuf, limits: Limits, clock: Clock) -> Result<Scripts, StartError> {
        let limits = Arc::new(limits);
        let pool = Pool::start(limits.clone(), clock)?;
        let root = Root::new(root, limits.source);
        let (library, pins) = (Mutex::default(), Mutex::default());
        let next_generation = AtomicU64::new(1);
        let expressions = Expressions::new(root.clone());
        let inner = Inner { root, limits, pool, library, pins, next_generation, expressions };
        Ok(Scripts { inner: Arc::new(inner) })
    }

    /// Makes these files the ones in use, each at its newest good version, and returns what is wrong with any of them.
    ///
    /// A file whose text and modules have not changed is left alone. A broken one keeps its last good version. Attempts that have
    /// begun keep what they began with. Blocks for the time the top levels of the changed files take.
    pub fn reload(&self, wanted: &[Script]) -> Vec<ScriptProblem> {
        let changed: Vec<Script> = wanted.iter().filter(|script| !self.is_current(script)).cloned().collect();
        let loaded = self.load(&changed);
        let mut library = self.inner.library();
        let wanted: BTreeSet<&Script> = wanted.iter().collect();
        library.newest.retain(|script, _| wanted.contains(script));
        library.problems.retain(|script, _| wanted.contains(script));
        for script in &wanted {
            library.problems.remove(*script);
        }
        for (script, outcome) in loaded {
            match outcome {
                Ok(generation) => drop(library.newest.insert(script, generation)),
                Err(problem) => drop(library.problems.insert(script, problem)),
            }
        }
        let problems = library.problems.values().cloned().collect();
        drop(library);
        self.inner.pool.sweep();
        problems
    }

    /// What would be wrong with these files, without using them. Blocks as [`Scripts::reload`] does.
    pub fn check(&self, wanted: &[Script]) -> Vec<ScriptProblem> {
        let problems = self.load(wanted).into_iter().filter_map(|(_, outcome)| outcome.err()).collect();
        self.inner.pool.sweep();
        problems
    }

    /// What is wrong with a text under `lua:`. `name` is how people will know it.
    pub fn check_text(&self, name: &str, text: &str) -> Option<ScriptProblem> {
        let failed = self.inner.root.compile(name.to_owned(), text.to_owned()).err()?;
        Some(ScriptProblem::of(name, &failed))
    }

    /// What is wrong with a text as a Lua expression: it is compiled, not run. `name` is how people will know it; lines are
    /// counted from its first one.
    pub fn check_expression(&self, name: &str, source: &str) -> Option<ScriptProblem> {
        Expressions::check(name, source)
    }

    /// Evaluates expressions over the same variables, in order. Each has the budget [`Limits::expression`].
    ///
    /// # Errors
    /// The first expression that is no Lua, raises an error, uses up its budget or gives what no value can be.
    pub async fn evaluate(&self, request: Evaluation) -> Result<Vec<Value>, EvaluationError> {
        self.inner.expressions.evaluate(&self.inner.pool, request).await
    }

    /// What is known about every file in use.
    pub fn status(&self) -> Vec<ScriptStatus> {
        let library = self.inner.library();
        let scripts: BTreeSet<&Script> = library.newest.keys().chain(library.problems.keys()).collect();
        let status = |script: &Script| {
            let generation = library.newest.get(script);
            ScriptStatus {
                script: script.clone(),
                generation: generation.map(|generation| generation.number),
                hooks: generation.map(|generation| generation.hooks()).unwrap_or_default(),
                muted: generation.map(|generation| generation.muted()).unwrap_or_default(),
                problem: library.problems.get(script).cloned(),
            }
        };
        scripts.into_iter().map(status).collect()
    }

    /// Whether the file, at the version this attempt uses, has this hook. Does not enter the VM. The first question about a file
    /// ties the attempt to its newest version.
    pub fn defines(&self, attempt: AttemptId, file: &str, hook: Hook) -> bool {
        self.generation(attempt, file).is_some_and(|generation| generation.defines(hook))
    }

    /// Asks a hook that may decide. `None` when it does not exist or has no opinion.
    ///
    /// # Errors
    /// Everything in [`ErrorKind`]; a returned table with a value of the wrong type is [`ErrorKind::Hook`].
    pub async fn ask<D: Decision>(&self, call: HookCall) -> Result<Option<D>, ScriptError> {
        let returned = self.call(D::HOOK, &call, vec![call.event.clone()]).await?;
        self.read(&call, returned.into_iter().next().unwrap_or_default())
    }

    /// Calls a hook that only watches. What it returns has no meaning, and it is told so.
    ///
    /// # Errors
    /// Everything in [`ErrorKind`].
    pub async fn tell(&self, hook: Hook, call: HookCall) -> Result<(), ScriptError> {
        let returned = self.call(hook, &call, vec![call.event.clone()]).await?;
        if !returned.is_empty() {
            warn(&call, format!("what `{hook}` returns has no meaning"));
        }
        Ok(())
    }

    /// Connects the output of an attempt to its `output` hook; `None` when there is no such hook. The event of the call is not used.
    pub fn output(&self, call: HookCall) -> Option<(OutputFeed, OutputDecisions)> {
        let generation = self.generation(call.attempt, &call.file)?;
        generation.defines(Hook::Output).then(|| super::output::connect(self.clone(), call, generation))
    }

    /// Runs a body to its end. `cancel` asks it to stop: its waits fail and `ctx:cancelled()` is true; after
    /// [`Limits::body_grace`] it is stopped for good.
    ///
    /// # Errors
    /// Everything in [`ErrorKind`]; `error(…)` in the body is [`ErrorKind::Hook`].
    pub async fn run_body(&self, call: BodyCall, cancel: CancellationToken) -> Result<BodyEnd, ScriptError> {
        let generation = self.body(&call)?;
        let scene = Scene::new(generation, Stage::Body, Some(&call.context));
        let bad_end = scene.error(ErrorKind::Hook, "`skip` and `fail` must be texts");
        let task = Task::Body { context: call.context, notes: call.notes, cancel: cancel.clone() };
        let (pool, stop) = (&self.inner.pool, CancellationToken::new());
        let id = pool.next_call();
        let mut running = std::pin::pin!(pool.ask(id, scene, task, stop.clone()));
        tokio::select! {
            answer = &mut running => return body_end(answer?, bad_end),
            () = cancel.cancelled() => {}
        }
        tokio::select! {
            answer = &mut running => return body_end(answer?, bad_end),
            () = tokio::time::sleep(self.inner.limits.body_grace.to_duration()) => pool.stop(id, &stop),
        }
        body_end(running.await?, bad_end)
    }

    /// The attempt is over: its instances and, with them, old versions of files are dropped.
    pub fn forget(&self, attempt: AttemptId) {
        if self.inner.pins().remove(&attempt).is_some() {
            self.inner.pool.sweep();
        }
    }

    /// Calls a hook once for each event and returns what is not nil.
    pub(super) async fn call(
        &self,
        hook: Hook,
        call: &HookCall,
        events: Vec<Value>,
    ) -> Result<Vec<Value>, ScriptError> {
        let pin = self.pin(call.attempt);
        let Some(generation) = pin.hold(&call.file, self.newest(&call.file, Shape::Hooks)) else {
            return Err(self.missing(&call.file, Shape::Hooks));
        };
        if !generation.defines(hook) {
            return Ok(Vec::new());
        }
        let scene = Scene::new(generation, Stage::Hook(hook), Some(&call.context));
        if scene.generation.muted().contains(&hook) {
            let message =
                format!("`{hook}` of {} was stopped three times in ten minutes", scene.generation.main.name);
            return Err(scene
                .error(ErrorKind::Muted, message)
                .help("it is called again when the file changes"));
        }
        let task = Task::Hook { hook, pin, context: call.context.clone(), events, notes: call.notes.clone() };
        let pool = &self.inner.pool;
        match pool.ask(pool.next_call(), scene, task, CancellationToken::new()).await? {
            Value::Array(values) => Ok(values),
            other => Ok(vec![other]),
        }
    }

    /// Reads a decision and passes its warnings on.
    pub(super) fn read<D: Decision>(&self, call: &HookCall, value: Value) -> Result<Option<D>, ScriptError> {
        let (decision, warnings) = decision::read(value).map_err(|bad| {
            let generation = self.generation(call.attempt, &call.file);
            match generation
                .map(|generation| Scene::new(generation, Stage::Hook(D::HOOK), Some(&call.context)))
            {
                Some(scene) => scene.error(ErrorKind::Hook, bad.to_string()),
                None => ScriptError::new(ErrorKind::Hook, "", bad.to_string()),
            }
        })?;
        for warning in warnings {
            warn(call, warning);
        }
        Ok(decision)
    }

    fn generation(&self, attempt: AttemptId, file: &str) -> Option<Arc<Generation>> {
        self.pin(attempt).hold(file, self.newest(file, Shape::Hooks))
    }

    fn pin(&self, attempt: AttemptId) -> Arc<Pin> {
        self.inner.pins().entry(attempt).or_insert_with(|| Pin::new(attempt)).clone()
    }

    fn newest(&self, file: &str, shape: Shape) -> Option<Arc<Generation>> {
        self.inner.library().newest.get(&Script { file: file.to_owned(), shape }).cloned()
    }

    fn body(&self, call: &BodyCall) -> Result<Arc<Generation>, ScriptError> {
        match &call.source {
            BodySource::File(file) => {
                self.newest(file, Shape::Body).ok_or_else(|| self.missing(file, Shape::Body))
            }
            BodySource::Text(text) => {
                let name = format!("lua of {}", call.context.task);
                Ok(self.fresh(self.inner.root.compile(name, text.to_string())?))
            }
        }
    }

    fn missing(&self, file: &str, shape: Shape) -> ScriptError {
        let shown = self.inner.root.shown(file);
        let library = self.inner.library();
        match library.problems.get(&Script { file: file.to_owned(), shape }) {
            Some(problem) => {
                let message = format!("{shown} could not be loaded: {}", problem.message);
                ScriptError::new(ErrorKind::Load, "", message)
            }
            None => ScriptError::new(ErrorKind::Load, "", format!("{shown} is not loaded")),
        }
    }

    fn is_current(&self, script: &Script) -> bool {
        let Some(generation) = self.newest(&script.file, script.shape) else { return false };
        self.inner.root.read(&script.file).is_ok_and(|text| generation.is_current(&text))
    }

    fn fresh(&self, source: Arc<super::source::Source>) -> Arc<Generation> {
        let number = self.inner.next_generation.fetch_add(1, Ordering::Relaxed);
        Generation::new(number, source, self.inner.root.clone())
    }

    /// Reads, compiles and runs the top level of each file: all threads at once, but only a few files on each, so that none waits
    /// for its turn longer than it may run.
    fn load(&self, scripts: &[Script]) -> Vec<(Script, Result<Arc<Generation>, ScriptProblem>)> {
        let at_once = self.inner.limits.workers.max(1) * 2;
        scripts.chunks(at_once).flat_map(|batch| self.load_batch(batch)).collect()
    }

    fn load_batch(&self, scripts: &[Script]) -> Vec<(Script, Result<Arc<Generation>, ScriptProblem>)> {
        let begun: Vec<_> = scripts.iter().map(|script| (script, self.begin_load(script))).collect();
        let finish = |(script, loading): (&Script, Result<Loading, ScriptError>)| {
            let shown = self.inner.root.shown(&script.file);
            let outcome =
                loading.and_then(Loading::finish).map_err(|error| ScriptProblem::of(&shown, &error));
            (script.clone(), outcome)
        };
        begun.into_iter().map(finish).collect()
    }

    fn begin_load(&self, script: &Script) -> Result<Loading, ScriptError> {
        let generation = self.fresh(self.inner.root.load(&script.file)?);
        let answer = match script.shape {
            Shape::Body => None,
            Shape::Hooks => {
                let (sender, answer) = mpsc::sync_channel(1);
                let scene = Scene::new(generation.clone(), Stage::Loading, None);
                self.inner.pool.tell(scene, Task::Load, Box::new(move |outcome| drop(sender.send(outcome))));
                Some(answer)
            }
        };
        Ok(Loading { generation, answer })
    }
}

/// A file whose top level is being run.
struct Loading {
    generation: Arc<Generation>,
    answer: Option<mpsc::Receiver<Result<Value, ScriptError>>>,
}

impl Loading {
    fn finish(self) -> Result<Arc<Generation>, ScriptError> {
        if let Some(answer) = self.answer {
            let ended = || ScriptError::new(ErrorKind::Host, "", "the threads of the scripts have ended");
            answer.recv().map_err(|_| ended())??;
        }
        Ok(self.generation)
    }
}

impl Inner {
    fn library(&self) -> MutexGuard<'_, Library> {
        self.library.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<AttemptId, Arc<Pin>>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn(call: &HookCall, message: String) {
    // A warning is not worth waiting for.
    let _ = call.notes.try_send(Note::Log { level: Level::Warn, message, fields: Value::Null });
}

fn body_end(value: Value, bad: ScriptError) -> Result<BodyEnd, ScriptError> {
    let word = |key: &str| value.get(key).map(|word| word.as_str().map(str::to_owned));
    match (word("fail"), word("skip")) {
        (Some(Some(why)), _) => Ok(BodyEnd::Failed(why)),
        (None, Some(Some(why))) => Ok(BodyEnd::Skipped(why)),
        (None, None) => Ok(BodyEnd::Done(value)),
        (Some(None), _) | (None, Some(None)) => Err(bad),
    }
}
