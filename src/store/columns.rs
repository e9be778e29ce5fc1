//! How the words of `base` and `engine` are kept in columns.
//!
//! Numbers that are unsigned here are signed in SQLite. No honest value comes near the border, so a dishonest one is
//! cut off there instead of being an error that everybody would have to handle.

use super::Seq;
use crate::base::{AttemptId, Moment, RunId, TaskName};
use crate::engine::{
    Author, Call, Cause, Changed, Exit, Outcome, RunOutcome, ScheduleKey, Skip, SlotSkip, Trigger, Usage,
};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Result, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A number that is not an id or a time.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) u64);

macro_rules! kept_as_number {
    ($($name:ident),*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
            }
        }
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                let number = value.as_i64()?;
                u64::try_from(number).map($name).map_err(|_| FromSqlError::OutOfRange(number))
            }
        }
    )*};
}
kept_as_number!(Count, Moment, RunId, Seq);

macro_rules! kept_as_text {
    ($name:ident, $write:expr, $read:expr) => {
        impl ToSql for $name {
            fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
                let write: fn(&$name) -> &str = $write;
                Ok(write(self).into())
            }
        }
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                let read: fn(&str) -> FromSqlResult<$name> = $read;
                read(value.as_str()?)
            }
        }
    };
}
kept_as_text!(TaskName, |name| name.as_str(), |text| TaskName::new(text).map_err(FromSqlError::other));
kept_as_text!(Author, |author| &author.0, |text| Ok(Author(text.into())));
kept_as_text!(ScheduleKey, |key| &key.0, |text| Ok(ScheduleKey(text.into())));

/// A value that is too rich for a column of its own.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("nothing in an event is beyond JSON")
}

/// Reads what [`json`] wrote.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Json<T>> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(FromSqlError::other)
    }
}

/// The columns `outcome` and `cause` of a job.
pub(super) fn outcome_columns(outcome: &Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Succeeded => ("succeeded", None),
        Outcome::Failed { cause } => ("failed", Some(json(cause))),
        Outcome::Cancelled => ("cancelled", None),
        Outcome::Skipped { why } => ("skipped", Some(json(why))),
    }
}

/// Reads what [`outcome_columns`] wrote, from the columns at `first` and after it.
pub(super) fn outcome_at(row: &Row<'_>, first: usize) -> Result<Option<Outcome>> {
    let Some(word) = row.get::<_, Option<String>>(first)? else { return Ok(None) };
    let outcome = match word.as_str() {
        "succeeded" => Outcome::Succeeded,
        "failed" => Outcome::Failed { cause: row.get::<_, Json<Cause>>(first + 1)?.0 },
        "cancelled" => Outcome::Cancelled,
        "skipped" => Outcome::Skipped { why: row.get::<_, Json<Skip>>(first + 1)?.0 },
        other => return Err(unknown_word(first, other)),
    };
    Ok(Some(outcome))
}

/// The columns `outcome` and `root` of a run.
pub(super) fn run_outcome_columns(outcome: &RunOutcome) -> (&'static str, Option<u32>) {
    match outcome {
        RunOutcome::Succeeded => ("succeeded", None),
        RunOutcome::Failed { root } => ("failed", Some(*root)),
        RunOutcome::Cancelled => ("cancelled", None),
    }
}

/// Reads what [`run_outcome_columns`] wrote.
pub(super) fn run_outcome_at(row: &Row<'_>, first: usize) -> Result<Option<RunOutcome>> {
    let Some(word) = row.get::<_, Option<String>>(first)? else { return Ok(None) };
    let outcome = match word.as_str() {
        "succeeded" => RunOutcome::Succeeded,
        "failed" => RunOutcome::Failed { root: row.get(first + 1)? },
        "cancelled" => RunOutcome::Cancelled,
        other => return Err(unknown_word(first, other)),
    };
    Ok(Some(outcome))
}

/// Reads the columns `trigger, schedule_key, slot, retry_of, parent` of a run.
pub(super) fn trigger_at(row: &Row<'_>, first: usize) -> Result<Trigger> {
    match row.get::<_, String>(first)?.as_str() {
        "manual" => Ok(Trigger::Manual),
        "schedule" => Ok(Trigger::Schedule { key: row.get(first + 1)?, slot: row.get(first + 2)? }),
        "retry" => Ok(Trigger::Retry { of: row.get(first + 3)? }),
        "task" => Ok(Trigger::Task { parent: row.get::<_, Json<AttemptId>>(first + 4)?.0 }),
        "after" => {
            Ok(Trigger::After { key: row.get(first + 1)?, run: row.get::<_, Json<RunId>>(first + 4)?.0 })
        }
        "watch" => {
            let Json((until, changed)) = row.get::<_, Json<(Moment, Changed)>>(first + 4)?;
            Ok(Trigger::Watch { key: row.get(first + 1)?, until, changed: Arc::new(changed) })
        }
        "webhook" => {
            let Json(call) = row.get::<_, Json<Call>>(first + 4)?;
            Ok(Trigger::Webhook { key: row.get(first + 1)?, call: Arc::new(call) })
        }
        other => Err(unknown_word(first, other)),
    }
}

/// The columns `why` and `blocker` of a slot that got no run.
pub(super) fn skip_columns(why: &SlotSkip) -> (&'static str, Option<RunId>) {
    match why {
        SlotSkip::Overlap { run } => ("overlap", Some(*run)),
        SlotSkip::Paused => ("paused", None),
        SlotSkip::Queued { run } => ("queued", Some(*run)),
        SlotSkip::Crowded { run, group: _ } => ("crowded", Some(*run)),
    }
}

/// Reads the columns `exit, pid, user_ms, system_ms, peak_rss, read_bytes, written_bytes` of an attempt.
pub(super) fn end_at(row: &Row<'_>, first: usize) -> Result<(Option<Exit>, Option<Usage>)> {
    let exit = row.get::<_, Option<Json<Exit>>>(first)?.map(|Json(exit)| exit);
    let Some(pid) = row.get(first + 1)? else { return Ok((exit, None)) };
    let number = |place| row.get(place).map(|Count(number)| number);
    let usage = Usage {
        pid,
        user_ms: number(first + 2)?,
        system_ms: number(first + 3)?,
        peak_rss: number(first + 4)?,
        read_bytes: row.get::<_, Option<Count>>(first + 5)?.map_or(0, |Count(number)| number),
        written_bytes: row.get::<_, Option<Count>>(first + 6)?.map_or(0, |Count(number)| number),
    };
    Ok((exit, Some(usage)))
}

/// A hash, shared like everywhere else.
pub(super) fn hash_at(row: &Row<'_>, place: usize) -> Result<Arc<str>> {
    row.get::<_, String>(place).map(Arc::from)
}

/// A word that only a damaged database or a hand-made change can hold.
fn unknown_word(column: usize, word: &str) -> rusqlite::Error {
    let problem = format!("`{word}` is not one of the words for this column");
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, problem.into())
}
