//! Definitions that change while the host runs: read again, the good ones taken over, the broken ones reported.

use crate::base::{Millis, TaskName};
use crate::definition::{
    Action, Catalog, MEMORY, Problem, Registered, Settings, Source, Task, Timetable, bind_json,
};
use crate::engine::{Armed, Input, PlanRef, ScheduleKey};
use crate::host::{Happening, Inner, OpenError, Reader, SCRIPTS, SETTINGS, TASKS, inline};
use crate::lua::{Limits, Script, ScriptProblem, Scripts, Shape};
use crate::plan::Plan;
use crate::schedule::Zone;
use crate::watch::{Watch, WatchError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// So far ahead clock changes are looked for: every one of a year comes up once.
const YEAR: Millis = Millis::from_secs(366 * 24 * 60 * 60);

/// Everything that was read from the project's files, and everything wrong with it.
#[derive(Clone, Debug)]
pub struct Definitions {
    /// The tasks.
    pub catalog: Arc<Catalog>,
    /// What `neap.yaml` says.
    pub settings: Arc<Settings>,
    /// What is wrong with `neap.yaml`.
    pub settings_problems: Vec<Problem>,
    /// The settings file itself, for showing what is wrong with it.
    pub settings_source: Option<Source>,
    /// What only [`check`] looks for: expressions that are no Lua, and times that a clock change leaves out.
    pub deeper_problems: Vec<Problem>,
    /// What is wrong with the scripts.
    pub script_problems: Vec<ScriptProblem>,
}

impl Definitions {
    /// Every problem of every YAML file, the settings' first.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.settings_problems.iter().chain(self.catalog.problems()).chain(&self.deeper_problems)
    }

    /// Whether `neap.yaml` can be used. A host that is up keeps the last good version of it; one that comes up has none.
    ///
    /// # Errors
    /// [`OpenError::Settings`] with every error of the file.
    pub fn refuse_bad_settings(&self) -> Result<(), OpenError> {
        let errors = self.settings_problems.iter().filter(|problem| problem.is_error());
        let errors: Vec<Problem> = errors.cloned().collect();
        if errors.is_empty() { Ok(()) } else { Err(OpenError::Settings(errors)) }
    }

    /// How many errors there are, in YAML and Lua.
    pub fn errors(&self) -> usize {
        self.problems().filter(|problem| problem.is_error()).count() + self.script_problems.len()
    }

    /// How many files were looked at: the settings, the tasks, and the scripts that tasks name.
    pub fn file_count(&self) -> usize {
        let scripts = scripts_of(&self.catalog);
        let scripts: BTreeSet<&str> = scripts.iter().map(|script| script.file.as_str()).collect();
        usize::from(self.settings_source.is_some()) + self.catalog.file_count() + scripts.len()
    }

    /// The file of this path, as it was read.
    pub fn source(&self, path: &str) -> Option<&Source> {
        self.settings_source
            .as_ref()
            .filter(|source| &*source.path == path)
            .or_else(|| self.catalog.source(path))
    }
}

/// Reads a project's definitions.
pub(crate) struct Loader {
    root: PathBuf,
    reader: Reader,
    registered: Registered,
    own: Vec<Source>,
}

impl Loader {
    pub(crate) fn new(root: PathBuf, functions: Vec<String>, own: Vec<Source>) -> Loader {
        Loader { root, reader: Reader::default(), registered: Registered::new(functions), own }
    }

    /// Reads what has changed since `previous`.
    pub(crate) fn load(&mut self, previous: Option<&Definitions>) -> Definitions {
        let settings_source = self.reader.settings(&self.root);
        let (settings, settings_problems) = match &settings_source {
            Some(source) => Settings::load(source, Zone::system()),
            None => (Settings::new(Zone::system()), Vec::new()),
        };
        let settings = of_this_machine(settings);
        // Broken settings keep the last good ones, as broken tasks do.
        let is_broken = settings_problems.iter().any(Problem::is_error);
        let settings = match previous {
            Some(previous) if is_broken => Arc::clone(&previous.settings),
            _ => Arc::new(settings),
        };
        let mut sources = self.own.clone();
        sources.extend(self.reader.tasks(&self.root));
        let previous = previous.map(|previous| &*previous.catalog);
        let catalog = Arc::new(Catalog::load(sources, &self.registered, &settings, previous));
        Definitions {
            catalog,
            settings,
            settings_problems,
            settings_source,
            deeper_problems: Vec::new(),
            script_problems: Vec::new(),
        }
    }
}

/// What `neap.yaml` does not say about processors and memory is what this machine has.
fn of_this_machine(mut settings: Settings) -> Settings {
    let machine = Arc::make_mut(&mut settings.machine);
    let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u64);
    machine.resources.entry("cpu".into()).or_insert(processors * 1000);
    if let Some(memory) = memory() {
        machine.resources.entry(MEMORY.into()).or_insert(memory);
    }
    settings
}

/// All memory of the machine, where the kernel says how much that is.
fn memory() -> Option<u64> {
    let about = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = about.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Reads a project without a host: every task and the settings, not the scripts.
pub fn definitions(root: &Path) -> Definitions {
    Loader::new(root.to_path_buf(), Vec::new(), Vec::new()).load(None)
}

/// Reads and checks a project without a host: every task, the settings, the scripts they name, and the Lua that stands
/// in them.
pub fn check(root: &Path) -> Definitions {
    let mut definitions = definitions(root);
    let wanted = scripts_of(&definitions.catalog);
    // Scripts have threads of their own; a project without Lua starts none.
    let has_expressions = definitions.catalog.expressions().next().is_some();
    if !wanted.is_empty() || has_expressions || inline::has_any(&definitions.catalog) {
        let scripts = open_scripts(root);
        let mut problems = scripts.check(&wanted);
        problems.extend(inline::check(&definitions.catalog, &scripts));
        definitions.script_problems = problems;
        definitions.deeper_problems = inline::check_expressions(&definitions.catalog, &scripts);
    }
    let now = super::wall_clock();
    definitions.deeper_problems.extend(definitions.catalog.lost_times(now, now + YEAR));
    definitions
}

/// Watches what a host reads.
fn watch(root: &Path) -> Result<Watch, WatchError> {
    Watch::new(root, &[TASKS, SCRIPTS, SETTINGS])
}

/// Whether a host would hear of files that change.
///
/// # Errors
/// Why not.
#[cfg(feature = "cli")]
pub(crate) fn try_to_watch(root: &Path) -> Result<(), WatchError> {
    watch(root).map(drop)
}

/// Starts the scripting host of a project.
pub(super) fn open_scripts(root: &Path) -> Scripts {
    Scripts::open(root.join(SCRIPTS), Limits::default(), Arc::new(crate::host::wall_clock))
        .expect("a system that cannot start four threads cannot run neap")
}

/// Every script file that some task names.
fn scripts_of(catalog: &Catalog) -> Vec<Script> {
    let mut wanted = BTreeSet::new();
    for leaf in catalog.tasks().flat_map(|task| &task.leaves) {
        for hook in &leaf.hooks {
            wanted.insert(Script { file: hook.file.clone(), shape: Shape::Hooks });
        }
        if let Action::Script { file } = &leaf.action {
            wanted.insert(Script { file: file.clone(), shape: Shape::Body });
        }
    }
    wanted.into_iter().collect()
}

impl Inner {
    /// Reads the definitions again now. Returns when they are taken over; at once in a host that does not reload.
    pub(crate) async fn reload(&self) {
        let (done, told) = oneshot::channel();
        if self.reloads.send(done).await.is_ok() {
            let _ = told.await;
        }
    }

    /// Reads the definitions again and takes over what is good. Runs that go on keep what they began with. `None` when
    /// the runtime is going down.
    async fn read_again(self: &Arc<Inner>, mut loader: Loader) -> Option<Loader> {
        let inner = Arc::clone(self);
        // Reading files and running the top levels of scripts blocks.
        let read = tokio::task::spawn_blocking(move || {
            let before = inner.definitions();
            let definitions = inner.hooks.follow(loader.load(Some(&before)));
            inner.set_definitions(Definitions {
                script_problems: before.script_problems.clone(),
                ..definitions
            });
            inner.load_scripts();
            loader
        });
        let loader =
            read.await.inspect_err(|error| tracing::error!(%error, "the definitions were not read")).ok()?;
        let definitions = self.definitions();
        // A host that is stopping admits nobody.
        let _ = self.tell(Input::Machine(Arc::clone(&definitions.settings.machine))).await;
        self.arm().await;
        let (tasks, errors) = (definitions.catalog.tasks().len(), definitions.errors());
        self.speaker.tell(|| Happening::Reloaded { tasks, errors });
        Some(loader)
    }

    pub(super) fn load_scripts(&self) {
        let definitions = self.definitions();
        let wanted = scripts_of(&definitions.catalog);
        if wanted.is_empty() && !self.scripts.is_open() {
            return;
        }
        let script_problems = self.scripts().reload(&wanted);
        self.set_definitions(Definitions { script_problems, ..(*definitions).clone() });
    }

    fn set_definitions(&self, definitions: Definitions) {
        *self.definitions.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(definitions);
    }

    /// Hands the engine the schedules as they are now.
    pub(super) async fn arm(&self) {
        if !self.watches_schedules {
            return;
        }
        let schedules = armed(&self.definitions().catalog);
        // A host that is stopping follows no schedule.
        if self.tell(Input::Schedules(schedules.clone())).await.is_ok() {
            self.look_out(&schedules);
            self.learn_tokens().await;
        }
    }

    /// Reads the definitions again whenever they change or somebody asks, until the host stops.
    pub(super) fn keep_watch(self: &Arc<Inner>, loader: Loader, wishes: mpsc::Receiver<oneshot::Sender<()>>) {
        let watch = watch(&self.root);
        if let Err(error) = &watch {
            tracing::error!(%error, "changes of tasks/ are not noticed by themselves; use `neap reload`");
        }
        self.tasks.spawn(Arc::clone(self).watch(loader, watch.ok(), wishes));
    }

    async fn watch(
        self: Arc<Inner>,
        loader: Loader,
        mut watch: Option<Watch>,
        mut wishes: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        // What changed between the first reading and the watch was seen by neither.
        let mut next = self.read_again(loader).await;
        while let Some(loader) = next {
            let changed = async {
                match &mut watch {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            };
            let wish = tokio::select! {
                () = self.stop.cancelled() => return,
                () = changed => None,
                Some(wish) = wishes.recv() => Some(wish),
            };
            next = self.read_again(loader).await;
            // Whoever asked may have left.
            let _ = wish.map(|wish| wish.send(()));
        }
    }
}

/// The schedules of a catalog, each with the run it creates. One whose plan cannot be made is left out: the reason is
/// a problem of the catalog already.
pub(super) fn armed(catalog: &Catalog) -> Vec<Armed> {
    catalog.tasks().flat_map(|task| armed_of(catalog, task)).collect()
}

/// The schedules of one task.
pub(super) fn armed_of(catalog: &Catalog, task: &Task) -> Vec<Armed> {
    let enabled = task.timetables.iter().filter(|timetable| timetable.enabled);
    enabled.filter_map(|timetable| arm(catalog, task, timetable)).collect()
}

fn arm(catalog: &Catalog, task: &Task, timetable: &Timetable) -> Option<Armed> {
    let given = timetable.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let params = match timetable.token {
        // Each call has parameters of its own; what is required may only come with it.
        Some(_) => timetable.params.clone(),
        None => bind_json(&task.params, &given).ok()?,
    };
    let plan = Plan::build(catalog, &task.name, params).ok()?;
    Some(Armed {
        key: schedule_key(&task.name, timetable),
        schedule: timetable.schedule.clone(),
        plan: PlanRef::new(Arc::new(plan)),
        firing: timetable.firing.clone(),
    })
}

/// The name of a schedule for ever: `nightly: 13 3 * * * (Europe/Berlin)`.
pub(super) fn schedule_key(task: &TaskName, timetable: &Timetable) -> ScheduleKey {
    ScheduleKey(timetable.key(task).into())
}
