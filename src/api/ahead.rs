//! What would start when, in the types of the wire.

use crate::api::{Sight, Time};
use crate::base::{Millis, Moment, TaskName};
use crate::definition::{Catalog, Task, Timetable};
use crate::engine::{SlotSkip, State};
use crate::host::{Forecast, Foreseen, Window, forecast};
use crate::schedule::Occasion;
use crate::store::{StoreError, Usuals};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is going to happen, if everything takes as long as it usually does and succeeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AheadInfo {
    /// From here on.
    pub from: Time,
    /// To here.
    pub to: Time,
    /// Every run, by the moment of its creation, and every slot that gets none.
    pub runs: Vec<AheadRun>,
    /// When jobs wait for something to be free.
    pub full: Vec<AheadFull>,
    /// There would be more, and it is not told.
    pub is_cut: bool,
    /// Schedules that fire when files change or somebody calls: nobody knows when, so nothing of them is foreseen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unforeseen: Vec<AheadUnforeseen>,
}

/// A schedule of which nothing is foreseen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AheadUnforeseen {
    /// The task.
    pub task: TaskName,
    /// What it waits for: `on change of in/*.csv`.
    pub schedule: String,
}

/// A run that would be, or a slot that would get none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AheadRun {
    /// The task.
    pub task: TaskName,
    /// The schedule as it was written; absent for what goes on already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When it is created.
    pub created: Time,
    /// When its first job starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
    /// When it is over; absent when that is later than what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,
    /// How long its jobs are ready and wait, all together.
    pub waits_ms: u64,
    /// Something in it was never seen to succeed: how long it takes is not known.
    pub is_guessed: bool,
    /// Why the slot gets no run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// A stretch of time in which jobs wait for something to be free.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AheadFull {
    /// Its beginning.
    pub from: Time,
    /// Its end; absent when that is later than what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// The most jobs that wait at once.
    pub waiting: usize,
}

impl Sight<'_> {
    /// What would start when. What begins now goes on from what goes on; what begins at another moment begins with an idle
    /// machine. Everything takes its usual time divided by `speed`.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn ahead(&self, from: Option<Moment>, to: Moment, speed: f64) -> Result<AheadInfo, StoreError> {
        let catalog = &self.definitions.catalog;
        let mut state = State::default();
        match from {
            None => state = self.live.state.clone(),
            Some(_) => state.resting = self.live.state.resting.clone(),
        }
        let going = state.runs.values().map(|run| run.plan.plan().task.clone());
        let with_schedules =
            catalog.tasks().filter(|task| !task.timetables.is_empty()).map(|task| task.name.clone());
        let mut usuals: BTreeMap<TaskName, Usuals> = BTreeMap::new();
        let wanted: BTreeSet<TaskName> = going.chain(with_schedules).collect();
        for task in wanted {
            usuals.insert(task.clone(), self.history.usual(&task)?);
        }
        let from = from.unwrap_or(self.now);
        let window = Window { from, to, state, capacity: self.capacity, speed, usuals: &usuals };
        let Forecast { runs, full, is_cut } = forecast(catalog, window);
        let full = full.into_iter().map(|full| AheadFull {
            from: Time(full.from),
            to: full.to.map(Time),
            waiting: full.waiting,
        });
        let runs = runs.into_iter().map(info).collect();
        let (full, unforeseen) = (full.collect(), unforeseen(catalog));
        Ok(AheadInfo { from: Time(from), to: Time(to), runs, full, is_cut, unforeseen })
    }
}

fn unforeseen(catalog: &Catalog) -> Vec<AheadUnforeseen> {
    let of = |task: &Task| -> Vec<AheadUnforeseen> {
        let is_open = |timetable: &&Timetable| {
            let occasion = timetable.schedule.occasion();
            timetable.enabled && matches!(occasion, Some(Occasion::Watch { .. } | Occasion::Webhook { .. }))
        };
        let one = |timetable: &Timetable| AheadUnforeseen {
            task: task.name.clone(),
            schedule: timetable.schedule.to_string(),
        };
        task.timetables.iter().filter(is_open).map(one).collect()
    };
    catalog.tasks().flat_map(|task| of(task)).collect()
}

fn info(run: Foreseen) -> AheadRun {
    AheadRun {
        task: run.task,
        schedule: run.schedule.map(|key| key.about().to_owned()),
        created: Time(run.created),
        started: run.started.map(Time),
        ended: run.ended.map(Time),
        waits_ms: run.waits.0,
        is_guessed: run.is_guessed,
        skipped: run.skipped.as_ref().map(|why| slot_words(why).to_owned()),
    }
}

/// Why a slot gets no run, in words.
fn slot_words(why: &SlotSkip) -> &'static str {
    match why {
        SlotSkip::Overlap { .. } => "the run before it still goes on",
        SlotSkip::Crowded { .. } => "its group has no room",
        SlotSkip::Queued { .. } => "a run waits for its turn already",
        SlotSkip::Paused => "the schedules of the task rest",
    }
}

impl AheadRun {
    /// From the start of its first job to its end, when both are known.
    pub fn takes(&self) -> Option<Millis> {
        Some(self.ended?.0 - self.started?.0)
    }
}
