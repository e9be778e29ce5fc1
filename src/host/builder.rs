//! How a host comes up: the definitions, the store, what the last host left, and the runners.

use crate::definition::{OnHostDeath, Source};
use crate::engine::{Engine, Event, Record, State};
use crate::exec::{FunctionError, Functions, LocalProcesses, Router, TaskContext};
use crate::host::actions;
use crate::host::bodies::Bodies;
use crate::host::clock::{Alarm, Clock};
use crate::host::environment::base_environment;
use crate::host::feed::Speaker;
use crate::host::hooks::{Doorway, Hooks};
use crate::host::reload::{Loader, armed};
use crate::host::sight::LazyScripts;
use crate::host::turn::Turn;
use crate::host::view::View;
use crate::host::{Host, Inner, OpenError, STATE, inbox_channel, report_channel};
use crate::store::{Durability, Recovered, Store};
use crate::watch::Arrivals;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a host is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It goes on with everything unfinished, follows the schedules, and reads the definitions again when they change.
    #[default]
    Serve,
    /// It carries out what it is asked for and leaves the rest to the next host that serves: no schedules, no reload.
    /// Of what is unfinished it only ends what belonged to a program that died.
    Run,
}

/// Describes a host before it comes up.
pub struct Builder {
    project: PathBuf,
    state_dir: Option<PathBuf>,
    slots: Option<usize>,
    mode: Mode,
    functions: Functions,
    names: Vec<String>,
    sources: Vec<Source>,
    supervisor: Option<PathBuf>,
    on_host_death: OnHostDeath,
    takes_calls: bool,
}

impl Builder {
    pub(super) fn new(project: PathBuf) -> Builder {
        Builder {
            project,
            state_dir: None,
            slots: None,
            mode: Mode::Serve,
            functions: Functions::new(Handle::current()),
            names: Vec::new(),
            sources: Vec::new(),
            supervisor: None,
            on_host_death: OnHostDeath::Kill,
            takes_calls: false,
        }
    }

    /// Keeps the state here instead of in `.neap` of the project.
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Builder {
        self.state_dir = Some(dir.into());
        self
    }

    /// How many attempts may go on at once, instead of what the settings say (or else one for each processor).
    pub fn slots(mut self, slots: usize) -> Builder {
        self.slots = Some(slots.max(1));
        self
    }

    /// Has each process of a job held by a supervisor, so that nothing it starts can leave it.
    ///
    /// `program` is `neap` itself, or your own program if its `main` begins with
    /// [`supervise_if_asked`](crate::exec::supervise_if_asked); then it is `/proc/self/exe`. Without a supervisor each job is
    /// a process group: what leaves its group outlives the job, and what runs when the host is killed is ended only when
    /// the next one starts.
    pub fn supervisor(mut self, program: impl Into<PathBuf>) -> Builder {
        self.supervisor = Some(program.into());
        self
    }

    /// What becomes of running jobs when this host is killed, unless they say it themselves. It takes a
    /// [supervisor](Builder::supervisor); without one they run on and are ended when the next host starts.
    pub fn on_host_death(mut self, fate: OnHostDeath) -> Builder {
        self.on_host_death = fate;
        self
    }

    /// Listens where `webhooks` of `neap.yaml` says, if it does: somebody will serve that, as `api::serve_hooks` does.
    pub fn takes_calls(mut self) -> Builder {
        self.takes_calls = true;
        self
    }

    /// What the host is for.
    pub fn mode(mut self, mode: Mode) -> Builder {
        self.mode = mode;
        self
    }

    /// Makes a function of your program usable as the body of a task: `uses: name`.
    pub fn function<F, R>(mut self, name: impl Into<String>, function: F) -> Builder
    where
        F: Fn(TaskContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), FunctionError>> + Send + 'static,
    {
        let name = name.into();
        self.functions.register(name.clone(), function);
        self.names.push(name);
        self
    }

    /// Defines a task in your program, as if `yaml` stood in `tasks/<name>.yaml`.
    pub fn task(mut self, name: &str, yaml: impl Into<Arc<str>>) -> Builder {
        self.sources.push(Source::new(format!("tasks/{name}.yaml"), yaml.into()));
        self
    }

    /// Brings the host up. Must be called inside a tokio runtime, in which everything then lives.
    ///
    /// What the last host left running is ended, and its unfinished runs go on.
    ///
    /// # Errors
    /// [`OpenError`]: the project cannot be used, its settings have errors, or another host has the state directory.
    pub async fn open(self) -> Result<Host, OpenError> {
        let bad_project = |source| OpenError::Project { path: self.project.clone(), source };
        let root = std::fs::canonicalize(&self.project).map_err(bad_project)?;
        let state_dir = self.state_dir.clone().unwrap_or_else(|| root.join(STATE));
        let mut loader = Loader::new(root.clone(), self.names, self.sources);
        let definitions = Arc::new(loader.load(None));
        definitions.refuse_bad_settings()?;
        let (store, recovered) = Store::open(&state_dir)?;
        let is_serving = self.mode == Mode::Serve;
        let doorway = Doorway::new(is_serving && self.takes_calls);
        doorway.follow(&definitions).map_err(OpenError::Listen)?;
        let slots =
            self.slots.or(definitions.settings.slots.map(|slots| slots as usize)).unwrap_or_else(processors);
        let instance = recovered.instance.clone();
        let may_have_left = !recovered.was_clean || !recovered.records.is_empty();
        let state = replay(recovered, self.mode);
        let last = store.commit(Vec::new(), Durability::Written).await?;
        let (reports, reports_in) = report_channel();
        let (inbox, inbox_in) = inbox_channel();
        // One wish is enough: the next reading sees what all of them want seen.
        let (reloads, wishes) = tokio::sync::mpsc::channel(1);
        let runtime = Handle::current();
        let functions = Arc::new(self.functions);
        let scripts = LazyScripts::new(root.clone());
        let inner = Arc::new_cyclic(|host| Inner {
            root,
            state_dir,
            clock: Clock::new(),
            view: View::new(state.clone(), last),
            speaker: Speaker::new(),
            is_full_durability: definitions.settings.durability == crate::definition::Durability::Full,
            definitions: RwLock::new(definitions),
            reloads,
            instance: instance.clone(),
            scripts,
            runner: Arc::new(Router {
                processes: Arc::new(match self.supervisor {
                    Some(program) => LocalProcesses::supervised(runtime.clone(), &instance, program),
                    None => LocalProcesses::new(runtime.clone(), &instance),
                }),
                functions: {
                    actions::register(&functions, host);
                    functions
                },
                lua: Arc::new(Bodies::new(host.clone())),
            }),
            runtime,
            store,
            reports,
            inbox,
            asking: Default::default(),
            changes: Mutex::default(),
            companions: Mutex::default(),
            lookups: Mutex::default(),
            secrets: Mutex::default(),
            joints: Mutex::default(),
            decided: Notify::new(),
            http: actions::Http::default(),
            arrivals: Arrivals::default(),
            lookout: Default::default(),
            hooks: Hooks::new(doorway),
            preparing: Semaphore::new(crate::host::prepare::AT_ONCE),
            base_env: base_environment(),
            slots,
            on_host_death: self.on_host_death,
            watches_schedules: is_serving,
            trouble: tokio::sync::watch::Sender::new(None),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            successor: CancellationToken::new(),
        });
        let going = inner.adopt().await;
        if may_have_left {
            inner.sweep(&going, is_serving).await;
        }
        let seed = inner.clock.now().0;
        let machine = Arc::clone(&inner.definitions().settings.machine);
        let mut engine = Engine::new(slots, seed, state).with_machine(machine);
        if is_serving {
            // Attempts that ended while there was no host are reported at once, and what comes after them must not be lost.
            engine.announce(armed(&inner.definitions().catalog));
        }
        let turn = Turn {
            engine,
            inner: Arc::clone(&inner),
            inbox: inbox_in,
            reports: reports_in,
            alarm: Alarm::new(),
        };
        inner.tasks.spawn(turn.run());
        inner.load_scripts();
        inner.recover(going).await;
        if is_serving {
            inner.arm().await;
            inner.keep_watch(loader, wishes);
        }
        Ok(Host(inner))
    }
}

/// The state to start from.
fn replay(recovered: Recovered, mode: Mode) -> State {
    let mut blank = State::default();
    blank.next_run = recovered.next_run;
    blank.numbers = recovered.numbers;
    blank.cursors = recovered.cursors;
    blank.latest = recovered.latest;
    blank.streaks = recovered.streaks;
    blank.rates = recovered.rates;
    blank.resting = recovered.paused.into_iter().map(|(task, pause)| (task, pause.into())).collect();
    blank.paused_queues = recovered.queues.into_iter().map(|(queue, pause)| (queue, pause.into())).collect();
    let mut records = recovered.records;
    if mode == Mode::Run {
        let bound: std::collections::BTreeSet<_> = records.iter().filter_map(bound_run).collect();
        records.retain(|record| record.event.run().is_some_and(|run| bound.contains(&run)));
    }
    blank.replay(&records)
}

fn bound_run(record: &Record) -> Option<crate::base::RunId> {
    match &record.event {
        Event::RunCreated(new) if new.bound => Some(new.run),
        _ => None,
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
