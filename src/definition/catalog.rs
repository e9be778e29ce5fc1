//! Every task of a project, and every problem found there.
//!
//! A catalog is a value: loading again makes a new one out of the old one. A file that did not change is not decoded
//! again, and a file that is broken keeps its last good version.

use super::across;
use super::body::Registered;
use super::expressions::Located;
use super::file::{self, Checked, Decoded, Ground};
use super::problem::{Code, Exhibit, Finding, Problem, settle_all};
use super::settings::Settings;
use super::source::Source;
use super::task::{Leaf, Task, Timetable};
use super::timetable::Crons;
use crate::base::{Moment, TaskName, did_you_mean};
use crate::schedule::ClockChange;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Every task that can be run, and every problem.
#[derive(Clone, Debug)]
pub struct Catalog {
    registered: Registered,
    settings: Settings,
    files: BTreeMap<Arc<str>, File>,
    /// By name: the file of each active task.
    tasks: BTreeMap<TaskName, Arc<Checked>>,
    problems: Vec<Problem>,
}

/// One file and what came of it.
#[derive(Clone, Debug)]
struct File {
    source: Source,
    decoded: Arc<Decoded>,
    /// What can be run: the task of this text, or of the last text that was good.
    active: Option<Arc<Checked>>,
    /// Whether there is an error in this text, or between it and other files.
    is_broken: bool,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Found<'c> {
    /// A file: a leaf task or a pipeline.
    Task(&'c Arc<Task>),
    /// A child of a pipeline.
    Child(&'c Arc<Task>, &'c Arc<Leaf>),
}

impl<'c> Found<'c> {
    /// The task, or the pipeline that the child belongs to.
    pub fn task(self) -> &'c Arc<Task> {
        match self {
            Found::Task(task) | Found::Child(task, _) => task,
        }
    }

    /// What would run: every leaf of the task, or the one child.
    pub fn leaves(self) -> &'c [Arc<Leaf>] {
        match self {
            Found::Task(task) => &task.leaves,
            Found::Child(_, leaf) => std::slice::from_ref(leaf),
        }
    }
}

impl Catalog {
    /// Decodes every source that is new or changed since `previous`, and checks all of them together.
    ///
    /// A file that is not among the sources is deleted, and its task with it.
    ///
    /// ```
    /// use neap::{definition::{Catalog, Registered, Settings, Source}, schedule::Zone};
    /// let settings = Settings::new(Zone::utc());
    /// let load = |text: &str, previous| {
    ///     Catalog::load([Source::new("tasks/a.yaml", text)], &Registered::default(), &settings, previous)
    /// };
    /// let good = load("run: make", None);
    /// let broken = load("rnu: make", Some(&good));
    /// assert_eq!(broken.problems()[0].message, "unknown field `rnu`");
    /// assert!(broken.task("a").is_some() && broken.is_stale("a"));
    /// ```
    pub fn load(
        sources: impl IntoIterator<Item = Source>,
        registered: &Registered,
        settings: &Settings,
        previous: Option<&Catalog>,
    ) -> Catalog {
        let ground = Ground { registered, settings };
        let same = previous.filter(|before| before.registered == *registered && before.settings == *settings);
        let mut crons = Crons::default();
        let mut files = Vec::new();
        for source in sources {
            let known =
                same.and_then(|before| before.files.get(&source.path)).filter(|file| file.source == source);
            let decoded = known.map_or_else(
                || Arc::new(file::decode(&source, ground, &mut crons)),
                |file| file.decoded.clone(),
            );
            files.push((source.path.clone(), File { source, decoded, active: None, is_broken: false }));
        }
        // Sources that come sorted by path make this linear.
        let mut files: BTreeMap<Arc<str>, File> = files.into_iter().collect();
        let problems = activate(&mut files, previous);
        let active = files.values().filter_map(|file| file.active.clone());
        let tasks = active.map(|checked| (checked.task.name.clone(), checked)).collect();
        Catalog { registered: registered.clone(), settings: settings.clone(), files, tasks, problems }
    }

    /// Every expression of every file that could be read, with its place: the path of the file, the bytes, the Lua.
    pub fn expressions(&self) -> impl Iterator<Item = (&str, Range<usize>, &str)> {
        let whole = self.files.values().filter_map(|file| Some((file, file.decoded.checked.as_ref()?)));
        whole.flat_map(|(file, checked)| {
            let located = checked.expressions.iter();
            located.map(|located| (&*file.source.path, located.span.clone(), located.source.as_str()))
        })
    }

    /// The problems of all expressions that are no Lua. `fault` says of the text of one what is wrong with it.
    ///
    /// Of one file only the first are told, with the number of the others.
    pub fn bad_expressions(&self, fault: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
        let bad = |located: &Located| {
            let label = fault(&located.source)?;
            let finding = Finding::new(Code::E0154, located.span.clone(), "an expression is not Lua", label);
            Some(finding.help("an expression is what can stand behind `return`: params.day == \"monday\""))
        };
        self.settled(|checked| checked.expressions.iter().filter_map(bad).collect())
    }

    /// What is found in every file that could be read, each thing at its place: of one file the first, and how many more.
    fn settled(&self, find: impl Fn(&Checked) -> Vec<Finding>) -> Vec<Problem> {
        let whole = self.files.values().filter_map(|file| Some((file, file.decoded.checked.as_ref()?)));
        whole.flat_map(|(file, checked)| settle_all(find(checked), &file.source)).collect()
    }

    /// Warnings of schedules that name a time of day which a clock change after `from`, and not after `until`, leaves
    /// out.
    pub fn lost_times(&self, from: Moment, until: Moment) -> Vec<Problem> {
        let lost = |(timetable, place): (&Timetable, &Range<usize>)| {
            if timetable.schedule.clock_changes().0.is_some() {
                return None; // Somebody has thought of it.
            }
            let days = timetable.schedule.odd_days(from, until);
            let day = days.into_iter().find(|day| day.change == ClockChange::Skipped)?;
            let zone = timetable.schedule.zone()?;
            let message = format!("{} does not exist on {} in {}", day.time, day.date, zone.name());
            let fires = zone.civil(day.fires).to_string();
            let label = format!("it fires at {fires} instead");
            let finding = Finding::new(Code::W0205, place.clone(), message, label);
            Some(finding.help("choose a time outside of the clock change, or `timezone: UTC`; or say what you want with `dst_gap`"))
        };
        self.settled(|checked| checked.task.timetables.iter().zip(&checked.times).filter_map(lost).collect())
    }

    /// Every active task, by name.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Arc<Task>> {
        self.tasks.values().map(|checked| &checked.task)
    }

    /// The active task of a file: the last good version while the file is broken.
    pub fn task(&self, name: &str) -> Option<&Arc<Task>> {
        self.tasks.get(name).map(|checked| &checked.task)
    }

    /// What a name stands for: a task, or a child of a pipeline.
    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        if let Some(task) = self.task(name) {
            return Some(Found::Task(task));
        }
        let (pipeline, _) = name.rsplit_once('/')?;
        let task = self.task(pipeline).filter(|task| task.is_pipeline)?;
        task.leaf(name).map(|leaf| Found::Child(task, leaf))
    }

    /// The name that a misspelt one most probably means.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        let tasks = self.tasks.keys().map(TaskName::as_str);
        let pipeline = name.rsplit_once('/').and_then(|(pipeline, _)| self.task(pipeline));
        let children = pipeline.iter().flat_map(|task| &task.leaves).map(|leaf| leaf.name.as_str());
        did_you_mean(name, tasks.chain(children))
    }

    /// Every problem of every file, sorted by file and place.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the file of this task is broken, so that the last good version (if any) stands in for it.
    pub fn is_stale(&self, name: &str) -> bool {
        self.broken_file(name).is_some()
    }

    /// Where an expression of a leaf stands: the file, and the line from 1. `None` when the file has been changed and holds it no
    /// more, or is broken.
    pub fn place_of(&self, leaf: &str, expression: &str) -> Option<(&str, usize)> {
        let task = self.find(leaf)?.task();
        let index = task.leaves.iter().position(|one| one.name.as_str() == leaf)?;
        let checked = self.tasks.get(&task.name)?;
        let file = self.files.get(&task.file).filter(|file| !file.is_broken)?;
        let from = checked.places.get(index)?.start;
        let all = || checked.expressions.iter().filter(|one| one.source.trim() == expression.trim());
        // What holds for every child stands above them.
        let own = all().filter(|one| one.span.start >= from).min_by_key(|one| one.span.start);
        let before = file.source.text.get(..own.or_else(|| all().next())?.span.start)?;
        Some((&task.file, 1 + before.matches('\n').count()))
    }

    /// The file of this task, when it is broken.
    pub fn broken_file(&self, name: &str) -> Option<&str> {
        let active = self.tasks.get(name).map(|checked| checked.task.file.as_ref());
        let candidates = [
            active.map(str::to_owned),
            Some(format!("tasks/{name}.yaml")),
            Some(format!("tasks/{name}.yml")),
        ];
        let known = candidates.into_iter().flatten().find_map(|path| self.files.get_key_value(path.as_str()));
        known.filter(|(_, file)| file.is_broken).map(|(path, _)| path.as_ref())
    }

    /// A file by its path.
    pub fn source(&self, path: &str) -> Option<&Source> {
        self.files.get(path).map(|file| &file.source)
    }

    /// How many files there are.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    /// The settings it was loaded with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A problem with the files it speaks about and the places to mark in them.
    pub fn exhibits<'a>(&'a self, problem: &'a Problem) -> Vec<Exhibit<'a>> {
        problem.exhibits(|path| self.source(path))
    }
}

/// Decides which version of each file counts, and collects all problems.
fn activate(files: &mut BTreeMap<Arc<str>, File>, previous: Option<&Catalog>) -> Vec<Problem> {
    let last_good =
        |path: &str| previous.and_then(|before| before.files.get(path)).and_then(|file| file.active.clone());
    let usable = |file: &File| match file.decoded.is_good {
        true => file.decoded.checked.clone(),
        false => last_good(&file.source.path),
    };
    let candidates: Vec<across::Candidate<'_>> =
        files.values().map(|file| candidate(file, usable(file))).collect();
    let found = across::check(&candidates);
    let chosen: Vec<Option<Arc<Checked>>> =
        candidates.into_iter().map(|candidate| candidate.checked).collect();
    let mut problems = found.problems;
    problems.extend(problems_of_broken(files));
    for ((file, checked), is_refused) in files.values_mut().zip(chosen).zip(found.refused) {
        file.active = if is_refused { last_good(&file.source.path) } else { checked };
        file.is_broken = is_refused || !file.decoded.is_good;
    }
    problems.extend(files.values().flat_map(|file| file.decoded.problems.iter().cloned()));
    drop_doubles(files);
    problems.sort_by_cached_key(Problem::order);
    problems.dedup();
    problems
}

/// What broken files have wrong between them and others: told now and not only after the next attempt.
fn problems_of_broken(files: &BTreeMap<Arc<str>, File>) -> Vec<Problem> {
    if files.values().all(|file| file.decoded.is_good || file.decoded.checked.is_none()) {
        return Vec::new();
    }
    let candidates: Vec<across::Candidate<'_>> =
        files.values().map(|file| candidate(file, file.decoded.checked.clone())).collect();
    let is_broken = |problem: &Problem| files.get(&problem.file).is_some_and(|file| !file.decoded.is_good);
    across::check(&candidates).problems.into_iter().filter(is_broken).collect()
}

fn candidate(file: &File, checked: Option<Arc<Checked>>) -> across::Candidate<'_> {
    let is_same =
        |checked: &Arc<Checked>| file.decoded.checked.as_ref().is_some_and(|own| Arc::ptr_eq(own, checked));
    let is_fresh = checked.as_ref().is_some_and(is_same);
    let is_whole = file.decoded.is_good;
    across::Candidate { source: &file.source, name: file.decoded.name.as_ref(), checked, is_fresh, is_whole }
}

/// Of two active files with one name the first keeps it: a last good version may clash with a new file.
fn drop_doubles(files: &mut BTreeMap<Arc<str>, File>) {
    if files.values().all(|file| !file.is_broken) {
        return;
    }
    let mut seen = std::collections::HashSet::new();
    for file in files.values_mut() {
        let is_double = file.active.as_ref().is_some_and(|checked| !seen.insert(checked.task.name.clone()));
        if is_double {
            file.active = None;
        }
    }
}
