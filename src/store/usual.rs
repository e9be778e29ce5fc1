//! How long things usually take: learned from the last runs of a task, never told by anybody.
//!
//! Only what succeeded counts. What failed or was cancelled often ended early, and would make everything look short.

use super::columns::hash_at;
use super::recovered::read_plan;
use super::{History, StoreError};
use crate::base::{Millis, Moment, RunId, TaskName};
use crate::plan::Plan;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// So many of the last runs are looked at: enough for a percentile, and few enough that a change shows within days.
const RUNS: u32 = 20;
/// Jobs that are looked at; of a pipeline with very many jobs fewer runs count.
const JOBS: usize = 20_000;

/// How long one thing usually takes.
///
/// ```
/// use neap::base::Millis;
/// use neap::store::Usual;
/// let usual = Usual::of(vec![Millis(900), Millis(1_100), Millis(1_000)]).unwrap();
/// assert_eq!((usual.count, usual.p50, usual.p95), (3, Millis(1_000), Millis(1_100)));
/// assert_eq!(Usual::of(Vec::new()), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// How often that was seen.
    pub count: u32,
    /// Half of the times it took no longer than this.
    #[serde(rename = "p50_ms")]
    pub p50: Millis,
    /// 95 of 100 times it took no longer than this.
    #[serde(rename = "p95_ms")]
    pub p95: Millis,
}

impl Usual {
    /// Of what was seen, in any order; `None` when nothing was.
    pub fn of(mut took: Vec<Millis>) -> Option<Usual> {
        took.sort_unstable();
        let (p50, p95) = (percentile(&took, 50)?, percentile(&took, 95)?);
        Some(Usual { count: took.len() as u32, p50, p95 })
    }
}

/// How long a task and each of its jobs usually take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usuals {
    /// A whole run, from its creation to its end.
    pub run: Option<Usual>,
    /// A job, from the start of its first attempt to its end, by its full name.
    pub jobs: BTreeMap<TaskName, Usual>,
}

impl History {
    /// How long a task and its jobs took in the last runs that succeeded.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn usual(&self, task: &TaskName) -> Result<Usuals, StoreError> {
        self.with(|db| usual(db, task))
    }
}

/// A run is compared with no fewer than this.
const FEW: u32 = 5;

impl Usual {
    /// How long something may take before that is longer than usual: half as long again as 95 of 100 times. `None` while it
    /// was seen too seldom to tell.
    ///
    /// ```
    /// use neap::base::Millis;
    /// use neap::store::Usual;
    /// let took = |count: usize| Usual::of(vec![Millis(60_000); count]).unwrap();
    /// assert_eq!(took(5).patience(), Some(Millis(90_000)));
    /// assert_eq!(took(4).patience(), None);
    /// ```
    pub fn patience(&self) -> Option<Millis> {
        (self.count >= FEW).then(|| Millis(self.p95.0 + self.p95.0 / 2))
    }
}

impl History {
    /// How long the last runs of a task that succeeded took from the start of their first attempts.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn usual_length(&self, task: &TaskName) -> Result<Option<Usual>, StoreError> {
        self.with(|db| {
            let mut select = db.prepare_cached(LENGTHS)?;
            let took = |row: &rusqlite::Row<'_>| {
                let (started, finished): (Option<Moment>, Moment) = (row.get(0)?, row.get(1)?);
                Ok(started.map(|started| finished - started))
            };
            let took = select.query_map((task, RUNS), took)?.collect::<Result<Vec<_>, _>>()?;
            Ok(Usual::of(took.into_iter().flatten().collect()))
        })
    }
}

/// A run that succeeded.
struct Past {
    run: RunId,
    plan: Arc<str>,
    took: Millis,
}

fn usual(db: &Connection, task: &TaskName) -> Result<Usuals, StoreError> {
    let mut select = db.prepare_cached(LAST)?;
    let read = |row: &rusqlite::Row<'_>| {
        let (created, finished): (Moment, Moment) = (row.get(2)?, row.get(3)?);
        Ok(Past { run: row.get(0)?, plan: hash_at(row, 1)?, took: finished - created })
    };
    let runs: Vec<Past> = select.query_map((task, RUNS), read)?.collect::<Result<_, _>>()?;
    let mut plans: HashMap<Arc<str>, Arc<Plan>> = HashMap::new();
    let mut jobs: BTreeMap<TaskName, Vec<Millis>> = BTreeMap::new();
    let mut seen = 0;
    for past in &runs {
        let plan = match plans.get(&past.plan) {
            Some(plan) => Arc::clone(plan),
            None => read_plan(db, &past.plan)?,
        };
        plans.insert(Arc::clone(&past.plan), Arc::clone(&plan));
        seen += plan.nodes.len();
        if seen > JOBS && seen > plan.nodes.len() {
            break;
        }
        for (name, took) in times(db, past.run, &plan)? {
            jobs.entry(name).or_default().push(took);
        }
    }
    let run = Usual::of(runs.iter().map(|past| past.took).collect());
    let jobs = jobs.into_iter().filter_map(|(name, took)| Some((name, Usual::of(took)?))).collect();
    Ok(Usuals { run, jobs })
}

/// How long each job of a run took that did something and succeeded.
fn times(db: &Connection, run: RunId, plan: &Plan) -> Result<Vec<(TaskName, Millis)>, StoreError> {
    let mut select = db.prepare_cached(TIMES)?;
    let rows = select.query_map([run], |row| {
        let (index, name): (u32, Option<TaskName>) = (row.get(0)?, row.get(1)?);
        let (started, finished): (Moment, Moment) = (row.get(2)?, row.get(3)?);
        let planned = plan.nodes.get(index as usize).map(|node| node.leaf.name.clone());
        Ok(planned.or(name).map(|name| (name, finished - started)))
    })?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// The smallest value that `share` of 100 do not exceed.
pub(super) fn percentile(sorted: &[Millis], share: usize) -> Option<Millis> {
    let rank = (sorted.len() * share).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Of a task that mostly fails not the whole past is searched.
pub(super) const LAST: &str = "
SELECT run, plan, created, finished FROM
    (SELECT run, plan, created, finished, outcome FROM runs WHERE task = ?1 ORDER BY number DESC LIMIT 200) AS wanted
WHERE outcome = 'succeeded' AND finished IS NOT NULL LIMIT ?2";

pub(super) const LENGTHS: &str = "
SELECT (SELECT min(started) FROM attempts a WHERE a.run = wanted.run), finished FROM
    (SELECT run, finished, outcome FROM runs WHERE task = ?1 ORDER BY number DESC LIMIT 200) AS wanted
WHERE outcome = 'succeeded' AND finished IS NOT NULL LIMIT ?2";

pub(super) const TIMES: &str = "
SELECT j.idx, j.name, min(a.started), j.finished FROM jobs j JOIN attempts a ON a.run = j.run AND a.idx = j.idx
WHERE j.run = ?1 AND j.outcome = 'succeeded' AND a.started IS NOT NULL AND j.finished IS NOT NULL GROUP BY j.idx";
