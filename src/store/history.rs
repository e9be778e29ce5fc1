//! Reading what was, beside a host that writes or without one.
//!
//! Every answer is found through an index and has a bound. Nothing here can change the database: the connections are
//! read-only. The methods block for as long as the disk takes, so async callers move them to a blocking thread.

use super::columns::{Count, Json, hash_at, json, run_outcome_at};
use super::place::Place;
use super::recovered::{Pause, cursors, paused, queues, rates, read_plan, record_at, unfinished};
use super::rows::{AttemptRow, Entry, Fresh, JobRow, RecentRun, RunRow, SlotRow, Stats};
use super::usual::percentile;
use super::{RunFilter, Seq, StoreError};
use crate::base::{AttemptId, Millis, Moment, RunId, TaskName};
use crate::definition;
use crate::engine::{Rates, Record, RunOutcome, ScheduleKey};
use crate::plan::Plan;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Connections kept open for the next reader; each costs a few file descriptors and its page cache.
const IDLE: usize = 4;

/// A prefix that fits more runs than this tells nobody anything.
const CANDIDATES: u32 = 20;

/// Reads the database of a directory. Clones share their connections.
#[derive(Clone)]
pub struct History {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    idle: Mutex<Vec<Connection>>,
}

impl History {
    /// Finds the database of a directory and checks that it can be read.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`] when there is none, and what [`Store::open`](super::Store::open) refuses.
    pub fn open(dir: &Path) -> Result<History, StoreError> {
        let place = Place::new(dir);
        let first = place.open_reader()?;
        Ok(History { shared: Arc::new(Shared { place, idle: Mutex::new(vec![first]) }) })
    }

    /// The history of a place where perhaps nothing has happened yet.
    ///
    /// # Errors
    /// [`StoreError`] when there is a database, and it cannot be read.
    pub fn open_or_empty(dir: &Path) -> Result<History, StoreError> {
        match History::open(dir) {
            Err(StoreError::NoDatabase { .. }) => History::empty(),
            opened => opened,
        }
    }

    /// The history of a place where nothing has happened yet. It lives in memory and never changes.
    ///
    /// # Errors
    /// When SQLite cannot even do that.
    pub fn empty() -> Result<History, StoreError> {
        let db = Connection::open_in_memory()?;
        for step in super::schema::STEPS {
            db.execute_batch(step)?;
        }
        Ok(History {
            shared: Arc::new(Shared { place: Place::new(Path::new("")), idle: Mutex::new(vec![db]) }),
        })
    }

    /// The runs that fit, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        self.with(|db| filter.select(db))
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Result<Option<RunRow>, StoreError> {
        self.one_run("run = ?1", [run])
    }

    /// The run that is `task#number`.
    pub fn by_number(&self, task: &TaskName, number: u64) -> Result<Option<RunRow>, StoreError> {
        self.one_run("task = ?1 AND number = ?2", (task, Count(number)))
    }

    /// The run of a task for which whoever asked for it chose this name.
    pub fn by_key(&self, task: &TaskName, key: &str) -> Result<Option<RunRow>, StoreError> {
        self.one_run("task = ?1 AND key = ?2", (task, key))
    }

    /// The run that a slot of a schedule has.
    pub fn run_of_slot(&self, key: &ScheduleKey, slot: Moment) -> Result<Option<RunId>, StoreError> {
        let row = self.one_run("schedule_key = ?1 AND slot = ?2", (key, slot))?;
        Ok(row.map(|row| row.run))
    }

    /// The last run of a task with `nth` 1, the one before it with 2, and so on.
    pub fn latest(&self, task: &TaskName, nth: u32) -> Result<Option<RunRow>, StoreError> {
        let Some(skip) = nth.checked_sub(1) else { return Ok(None) };
        self.one_run("task = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2", (task, skip))
    }

    /// The runs whose ids begin with `text`, newest first; at most 20.
    pub fn by_prefix(&self, text: &str) -> Result<Vec<RunId>, StoreError> {
        // Above every letter of the alphabet of ids.
        let above = format!("{text}~");
        self.rows(BY_PREFIX, (text, above, CANDIDATES), |row| row.get(0))
    }

    /// Every job of a run in the order of its plan, also those to which nothing happened yet. Empty when there is no
    /// such run.
    pub fn jobs(&self, run: RunId) -> Result<Vec<JobRow>, StoreError> {
        let Some(found) = self.run(run)? else { return Ok(Vec::new()) };
        let plan = self.plan(&found.plan)?;
        let untouched = |(index, leaf): (u32, &TaskName)| JobRow::untouched(index, leaf.clone());
        let mut jobs: Vec<JobRow> =
            (0..).zip(plan.nodes.iter().map(|n| &n.leaf.name)).map(untouched).collect();
        let planned = jobs.len();
        let cells: Vec<Option<JobRow>> = self.rows(JOBS, [run], |row| {
            let index = row.get::<_, u32>(0)?;
            match jobs.get_mut(index as usize).filter(|_| (index as usize) < planned) {
                Some(job) => job.fill(row).map(|()| None),
                // A cell: it has its name beside it.
                None => {
                    let mut job = JobRow::untouched(index, row.get(8)?);
                    job.fill(row)?;
                    Ok(Some(job))
                }
            }
        })?;
        jobs.extend(cells.into_iter().flatten());
        Ok(jobs)
    }

    /// What the jobs of a run put out, by their index.
    pub fn outputs(&self, run: RunId) -> Result<BTreeMap<u32, definition::Params>, StoreError> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Json<definition::Params>>(1)?.0));
        Ok(self.rows(OUTPUTS, [run], read)?.into_iter().collect())
    }

    /// What the sources of this job were when it last succeeded, in which run of which task that was, and what it put
    /// out.
    pub fn fresh(&self, job: &TaskName) -> Result<Option<Fresh>, StoreError> {
        let read = |row: &Row<'_>| {
            Ok(Fresh {
                fingerprint: hash_at(row, 0)?,
                run: row.get(1)?,
                task: row.get(2)?,
                number: row.get::<_, Count>(3)?.0,
                outputs: row
                    .get::<_, Option<Json<definition::Params>>>(4)?
                    .map_or_else(Default::default, |o| o.0),
            })
        };
        Ok(self.rows(FRESH, [job], read)?.pop())
    }

    /// The run that an attempt of another run asked for, when there is one.
    pub fn child_of(&self, parent: AttemptId) -> Result<Option<RunId>, StoreError> {
        Ok(self.rows(CHILD, [json(&parent)], |row| row.get(0))?.pop())
    }

    /// Every attempt at a job, in order.
    pub fn attempts(&self, run: RunId, index: u32) -> Result<Vec<AttemptRow>, StoreError> {
        self.rows(ATTEMPTS, (run, index), AttemptRow::read)
    }

    /// What happened to a run after `after`, in order; at most `limit`.
    pub fn events(&self, run: RunId, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.entries(EVENTS, (run, after, limit))
    }

    /// What happened at all after `after`, in order; at most `limit`.
    pub fn journal(&self, after: Seq, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.entries(JOURNAL, (after, limit))
    }

    /// The plan with this hash.
    ///
    /// # Errors
    /// [`StoreError::NoPlan`].
    pub fn plan(&self, hash: &Arc<str>) -> Result<Arc<Plan>, StoreError> {
        self.with(|db| read_plan(db, hash))
    }

    /// The last runs of each of these tasks, newest first, at most `each`; tasks without runs are left out.
    pub fn last_outcomes(
        &self,
        tasks: &[TaskName],
        each: u32,
    ) -> Result<BTreeMap<TaskName, Vec<RecentRun>>, StoreError> {
        let mut recent: BTreeMap<TaskName, Vec<RecentRun>> = BTreeMap::new();
        for (task, run) in self.rows(LAST_OUTCOMES, (json(&tasks), each), recent_at)? {
            recent.entry(task).or_default().push(run);
        }
        Ok(recent)
    }

    /// What became of the runs of a task that were created at `since` or later.
    pub fn stats(&self, task: &TaskName, since: Moment) -> Result<Stats, StoreError> {
        let mut stats = Stats::default();
        let mut took: Vec<Millis> = Vec::new();
        self.rows(STATS, (task, since), |row| {
            match run_outcome_at(row, 2)? {
                None => stats.unfinished += 1,
                Some(RunOutcome::Failed { .. }) => stats.failed += 1,
                Some(RunOutcome::Cancelled) => stats.cancelled += 1,
                Some(RunOutcome::Succeeded) => {
                    stats.succeeded += 1;
                    took.push(row.get::<_, Moment>(1)? - row.get::<_, Moment>(0)?);
                }
            }
            Ok(())
        })?;
        took.sort_unstable();
        Ok(Stats { p50: percentile(&took, 50), p95: percentile(&took, 95), ..stats })
    }

    /// The slots of a schedule that got no run and began before `before`, latest first; at most `limit`.
    pub fn slots(&self, key: &ScheduleKey, before: Moment, limit: u32) -> Result<Vec<SlotRow>, StoreError> {
        self.rows(SLOTS, (key, before, limit), SlotRow::read)
    }

    /// Every event of every unfinished run, in order, with the plans in place: what a host would go on from.
    pub fn unfinished(&self) -> Result<Vec<Record>, StoreError> {
        self.with(unfinished)
    }

    /// Each schedule that is watched, and the last slot of it that is dealt with.
    pub fn cursors(&self) -> Result<BTreeMap<ScheduleKey, Moment>, StoreError> {
        self.with(cursors)
    }

    /// When attempts began that share a rate.
    pub fn rates(&self) -> Result<Rates, StoreError> {
        self.with(rates)
    }

    /// The queues from which nothing is admitted.
    pub fn paused_queues(&self) -> Result<BTreeMap<String, Pause>, StoreError> {
        self.with(queues)
    }

    /// The tasks whose schedules rest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn paused(&self) -> Result<BTreeMap<TaskName, Pause>, StoreError> {
        self.with(paused)
    }

    /// Reads the whole database and says what is wrong with it, at most 20 things. Takes long when it is large.
    pub fn problems(&self) -> Result<Vec<String>, StoreError> {
        let lines: Vec<String> = self.rows("PRAGMA integrity_check(20)", [], |row| row.get(0))?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Closes the connections nobody uses, so that the writer can be the last to leave and tidy up.
    pub(super) fn rest(&self) {
        self.shared.idle.lock().expect("nobody panics while holding it").clear();
    }

    fn one_run(&self, condition: &str, params: impl Params) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {} FROM runs WHERE {condition}", RunRow::COLUMNS);
        self.with(|db| Ok(db.prepare_cached(&sql)?.query_row(params, RunRow::read).optional()?))
    }

    fn entries(&self, sql: &str, params: impl Params) -> Result<Vec<Entry>, StoreError> {
        self.with(|db| {
            let mut select = db.prepare_cached(sql)?;
            let rows = select.query_and_then(params, record_at)?;
            rows.map(|row| row.map(|(seq, record)| Entry { seq, record })).collect()
        })
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|db| Ok(db.prepare_cached(sql)?.query_map(params, read)?.collect::<Result<_, _>>()?))
    }

    /// Lends a connection. One that met an error is not kept.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = || self.shared.idle.lock().expect("nobody panics while holding it");
        let kept = idle().pop();
        let db = match kept {
            Some(db) => db,
            None => self.shared.place.open_reader()?,
        };
        let answer = read(&db)?;
        let mut idle = idle();
        if idle.len() < IDLE {
            idle.push(db);
        }
        Ok(answer)
    }
}

/// Reads a row of [`LAST_OUTCOMES`].
fn recent_at(row: &Row<'_>) -> rusqlite::Result<(TaskName, RecentRun)> {
    let run = RecentRun {
        run: row.get(1)?,
        number: row.get::<_, Count>(2)?.0,
        created: row.get(3)?,
        finished: row.get(4)?,
        outcome: run_outcome_at(row, 5)?,
    };
    Ok((row.get(0)?, run))
}

pub(super) const BY_PREFIX: &str =
    "SELECT run FROM runs WHERE face >= ?1 AND face < ?2 ORDER BY run DESC LIMIT ?3";

pub(super) const JOBS: &str = "
SELECT idx, queued, finished, outcome, cause, problem,
    (SELECT count(started) FROM attempts a WHERE a.run = jobs.run AND a.idx = jobs.idx),
    (SELECT min(started) FROM attempts a WHERE a.run = jobs.run AND a.idx = jobs.idx), name, outputs
FROM jobs WHERE run = ?1 ORDER BY idx";

pub(super) const OUTPUTS: &str = "SELECT idx, outputs FROM jobs WHERE run = ?1 AND outputs IS NOT NULL";

pub(super) const FRESH: &str = "
SELECT f.fingerprint, f.run, r.task, r.number, f.outputs FROM fresh f JOIN runs r ON r.run = f.run WHERE f.task = ?1";

pub(super) const CHILD: &str = "SELECT run FROM runs WHERE parent = ?1";

pub(super) const ATTEMPTS: &str = "
SELECT number, started, ended, exit, pid, user_ms, system_ms, peak_rss, read_bytes, written_bytes FROM attempts
WHERE run = ?1 AND idx = ?2 ORDER BY number";

pub(super) const EVENTS: &str =
    "SELECT seq, at, event FROM journal WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

pub(super) const JOURNAL: &str = "SELECT seq, at, event FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// One search per task within one statement, so a long list costs one trip.
pub(super) const LAST_OUTCOMES: &str = "
SELECT r.task, r.run, r.number, r.created, r.finished, r.outcome, r.root
FROM json_each(?1) AS wanted
JOIN runs r ON r.run IN (SELECT run FROM runs WHERE task = wanted.value ORDER BY number DESC LIMIT ?2)
ORDER BY r.task, r.number DESC";

pub(super) const STATS: &str =
    "SELECT created, finished, outcome, root FROM runs WHERE task = ?1 AND created >= ?2";

pub(super) const SLOTS: &str = "
SELECT slot, until, count, why, blocker, at FROM slots
WHERE schedule_key = ?1 AND slot < ?2 ORDER BY slot DESC LIMIT ?3";
