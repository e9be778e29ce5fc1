//! Which runs a list shows: a question turned into SQL that an index can answer.

use super::StoreError;
use super::rows::RunRow;
use crate::base::{Moment, RunId, TaskName};
use crate::engine::Author;
use rusqlite::{Connection, ToSql};
use serde::{Deserialize, Serialize};

/// Which runs, newest first. What is `None` does not matter.
///
/// ```
/// use neap::store::{RunFilter, RunStatus};
/// let failed = RunFilter { status: Some(RunStatus::Failed), limit: 20, ..RunFilter::default() };
/// # let _ = failed;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFilter {
    /// Runs of this task.
    pub task: Option<TaskName>,
    /// Runs that ended this way, or have not ended.
    pub status: Option<RunStatus>,
    /// Runs created at this moment or later.
    pub since: Option<Moment>,
    /// Runs created before this moment.
    pub until: Option<Moment>,
    /// Runs with such a cause.
    pub trigger: Option<TriggerKind>,
    /// Runs caused by this author.
    pub author: Option<Author>,
    /// Only runs that were late.
    pub is_late: bool,
    /// At most so many.
    pub limit: u32,
    /// Only what comes after this run in the list: the next page.
    pub before: Option<Position>,
}

impl Default for RunFilter {
    /// The 50 newest runs of all.
    fn default() -> RunFilter {
        RunFilter {
            task: None,
            status: None,
            since: None,
            until: None,
            trigger: None,
            author: None,
            is_late: false,
            limit: 50,
            before: None,
        }
    }
}

/// Whether and how a run ended, without the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It goes on.
    Unfinished,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// What caused a run, without the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// Somebody asked.
    Manual,
    /// A schedule.
    Schedule,
    /// Somebody asked for another go.
    Retry,
}

/// A place in the list of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// When the run was created.
    pub created: Moment,
    /// Which of those created then.
    pub run: RunId,
}

/// A statement and its arguments, in order.
struct Query {
    sql: String,
    arguments: Vec<Box<dyn ToSql>>,
}

impl Query {
    fn and(&mut self, condition: &str, argument: impl ToSql + 'static) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.arguments.push(Box::new(argument));
    }
}

impl RunFilter {
    pub(super) fn select(&self, db: &Connection) -> Result<Vec<RunRow>, StoreError> {
        let Query { sql, arguments } = self.query();
        let mut select = db.prepare_cached(&sql)?;
        let rows = select.query_map(rusqlite::params_from_iter(arguments), RunRow::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// For the test that looks at the plan of every form of this query.
    #[cfg(test)]
    pub(super) fn sql(&self) -> String {
        self.query().sql
    }

    fn query(&self) -> Query {
        let sql = format!("SELECT {} FROM runs WHERE created < ?", RunRow::COLUMNS);
        // An upper bound is always given, so that even the list of all runs is a search along an index.
        let until = self.until.unwrap_or(Moment(i64::MAX.unsigned_abs()));
        let mut query = Query { sql, arguments: vec![Box::new(until)] };
        if let Some(task) = &self.task {
            query.and("task = ?", task.clone());
        }
        if let Some(status) = self.status {
            query.and("outcome IS ?", status.word());
        }
        if let Some(author) = &self.author {
            query.and("author = ?", author.clone());
        }
        if let Some(trigger) = self.trigger {
            query.and("trigger = ?", trigger.word());
        }
        if self.is_late {
            query.sql.push_str(" AND late IS NOT NULL");
        }
        if let Some(since) = self.since {
            query.and("created >= ?", since);
        }
        if let Some(Position { created, run }) = self.before {
            query.and("created <= ?", created);
            query.and("(created, run) < (?", created);
            query.sql.push_str(", ?)");
            query.arguments.push(Box::new(run));
        }
        query.sql.push_str(" ORDER BY created DESC, run DESC LIMIT ?");
        query.arguments.push(Box::new(self.limit));
        query
    }
}

impl RunStatus {
    /// The word in the column `outcome`; none while it goes on.
    fn word(self) -> Option<&'static str> {
        match self {
            RunStatus::Unfinished => None,
            RunStatus::Succeeded => Some("succeeded"),
            RunStatus::Failed => Some("failed"),
            RunStatus::Cancelled => Some("cancelled"),
        }
    }
}

impl TriggerKind {
    fn word(self) -> &'static str {
        match self {
            TriggerKind::Manual => "manual",
            TriggerKind::Schedule => "schedule",
            TriggerKind::Retry => "retry",
        }
    }
}
