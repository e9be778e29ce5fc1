//! What a host needs to go on: the events of the runs that are not finished, and where the schedules are.
//!
//! Events of finished runs are not read: they are history, and a start must not take longer the older a database is.

use super::columns::{Count, Json};
use super::{Seq, StoreError};
use crate::base::{Moment, TaskName};
use crate::engine::{self, Author, Event, Rates, Record, ScheduleKey};
use crate::plan::Plan;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What was known when the last host ended, however it ended.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// Every event of every unfinished run, in the order of the journal, with the plans in place.
    pub records: Vec<Record>,
    /// Each schedule that is watched, and the last slot of it that is dealt with.
    pub cursors: BTreeMap<ScheduleKey, Moment>,
    /// How many runs in a row of each schedule have failed, where any has.
    pub streaks: BTreeMap<ScheduleKey, u32>,
    /// When the last run was created, or the last slot that was dealt with when that is later.
    pub latest: Moment,
    /// The tasks whose schedules rest.
    pub paused: BTreeMap<TaskName, Pause>,
    /// The queues from which nothing is admitted.
    pub queues: BTreeMap<String, Pause>,
    /// When attempts began that share a rate.
    pub rates: Rates,
    /// The id that the next run gets.
    pub next_run: u64,
    /// The number of the last run of each task that ever had one.
    pub numbers: BTreeMap<TaskName, u64>,
    /// Identifies this database: 32 hexadecimal digits, drawn at random when it was created.
    pub instance: String,
    /// Whether the last host closed it; true for a new one.
    pub was_clean: bool,
}

/// Since when a task rests, and who wanted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Moment,
    /// Who.
    pub by: Author,
    /// Why, in their words.
    pub reason: Option<String>,
}

impl From<Pause> for engine::Pause {
    fn from(Pause { at, by, reason }: Pause) -> engine::Pause {
        engine::Pause { by, reason, since: at }
    }
}

impl Recovered {
    pub(super) fn read(db: &Connection) -> Result<Recovered, StoreError> {
        let next_run = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'next_run'";
        let latest = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'latest'";
        Ok(Recovered {
            records: unfinished(db)?,
            cursors: cursors(db)?,
            streaks: streaks(db)?,
            latest: db.query_row(latest, [], |row| row.get(0))?,
            paused: paused(db)?,
            queues: queues(db)?,
            rates: rates(db)?,
            next_run: db.query_row(next_run, [], |row| row.get::<_, Count>(0))?.0,
            numbers: numbers(db)?,
            instance: meta(db, "instance")?,
            was_clean: meta(db, "clean")? == "1",
        })
    }
}

pub(super) const UNFINISHED: &str = "
SELECT j.seq, j.at, j.event FROM runs r JOIN journal j ON j.run = r.run WHERE r.outcome IS NULL ORDER BY j.seq";

/// The events of all unfinished runs. Runs that share a plan share it here too.
pub(super) fn unfinished(db: &Connection) -> Result<Vec<Record>, StoreError> {
    let mut plans: HashMap<Arc<str>, Arc<Plan>> = HashMap::new();
    let mut records = Vec::new();
    let mut select = db.prepare_cached(UNFINISHED)?;
    for row in select.query_and_then([], record_at)? {
        let (_, mut record) = row?;
        if let Event::RunCreated(new) = &mut record.event {
            let plan = match plans.get(new.plan.hash()) {
                Some(plan) => Arc::clone(plan),
                None => read_plan(db, new.plan.hash())?,
            };
            plans.insert(Arc::clone(new.plan.hash()), Arc::clone(&plan));
            new.plan.fill(plan);
        }
        records.push(record);
    }
    Ok(records)
}

/// Reads the columns `seq, at, event` of the journal.
pub(super) fn record_at(row: &Row<'_>) -> Result<(Seq, Record), StoreError> {
    let seq: Seq = row.get(0)?;
    let text = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
    let event = serde_json::from_str(text).map_err(StoreError::unreadable(format_args!("event {seq}")))?;
    Ok((seq, Record { at: row.get(1)?, event }))
}

/// The content of a plan.
pub(super) fn read_plan(db: &Connection, hash: &Arc<str>) -> Result<Arc<Plan>, StoreError> {
    let mut select = db.prepare_cached("SELECT body FROM plans WHERE hash = ?1")?;
    let body: Option<String> = select.query_row([hash], |row| row.get(0)).optional()?;
    let body = body.ok_or_else(|| StoreError::NoPlan { hash: Arc::clone(hash) })?;
    serde_json::from_str(&body).map(Arc::new).map_err(StoreError::unreadable(format_args!("plan {hash}")))
}

pub(super) fn cursors(db: &Connection) -> Result<BTreeMap<ScheduleKey, Moment>, StoreError> {
    let mut select = db.prepare_cached("SELECT schedule_key, last FROM cursors")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn streaks(db: &Connection) -> Result<BTreeMap<ScheduleKey, u32>, StoreError> {
    let mut select = db.prepare_cached("SELECT schedule_key, failures FROM cursors WHERE failures > 0")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn rates(db: &Connection) -> Result<Rates, StoreError> {
    let mut rates = Rates::default();
    let mut select = db.prepare_cached("SELECT key, at FROM rates ORDER BY key, n")?;
    for row in select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))? {
        let (key, at) = row?;
        rates.note(&key, at);
    }
    Ok(rates)
}

pub(super) fn paused(db: &Connection) -> Result<BTreeMap<TaskName, Pause>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT task, paused, paused_by, paused_reason FROM tasks WHERE paused IS NOT NULL",
    )?;
    let rows = select.query_map([], |row| {
        let pause = Pause { at: row.get(1)?, by: row.get(2)?, reason: row.get(3)? };
        Ok((row.get(0)?, pause))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Before the name of a queue in `meta`: since when it is paused, and who wanted it.
pub(super) const PAUSED_QUEUE: &str = "paused queue ";

pub(super) fn queues(db: &Connection) -> Result<BTreeMap<String, Pause>, StoreError> {
    let mut select =
        db.prepare_cached("SELECT substr(name, length(?1) + 1), value FROM meta WHERE name GLOB ?1 || '*'")?;
    let rows = select.query_map([PAUSED_QUEUE], |row| Ok((row.get(0)?, row.get::<_, Json<Pause>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn numbers(db: &Connection) -> Result<BTreeMap<TaskName, u64>, StoreError> {
    let mut select = db.prepare_cached("SELECT task, last_number FROM tasks WHERE last_number > 0")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, Count>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn meta(db: &Connection, name: &str) -> Result<String, StoreError> {
    Ok(db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))?)
}
