//! The tables, and how an older database becomes a current one.
//!
//! There is one truth, the journal. The other tables say the same in a form that can be searched; they are
//! written in the same transaction as the events they come from and never updated from anywhere else.

use super::StoreError;
use super::place::Place;
use rusqlite::Connection;

/// `neap` in ASCII; says whose database this is.
pub(super) const APPLICATION_ID: u32 = 0x6e65_6170;

/// Step `n` brings format `n` to format `n + 1`; a new database goes through all of them.
pub(super) const STEPS: &[&str] = &[FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4, FORMAT_5, FORMAT_6];

/// The format that this program reads and writes.
pub(super) const FORMAT: u32 = STEPS.len() as u32;

/// `runs.created` leads the lists because it is what people see; the id breaks ties. A plan is stored once however
/// many runs share it, so the names of jobs are in `plans` and not in `jobs`.
const FORMAT_1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('instance', lower(hex(randomblob(16)))), ('next_run', '1'), ('clean', '1');

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    run INTEGER,
    event TEXT NOT NULL
) STRICT;
CREATE INDEX journal_run ON journal (run) WHERE run IS NOT NULL;

CREATE TABLE plans (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    face TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    schedule_key TEXT,
    slot INTEGER,
    retry_of INTEGER,
    author TEXT NOT NULL,
    reason TEXT,
    created INTEGER NOT NULL,
    finished INTEGER,
    outcome TEXT,
    root INTEGER,
    plan TEXT NOT NULL,
    UNIQUE (task, number)
) STRICT;
CREATE UNIQUE INDEX runs_slot ON runs (schedule_key, slot) WHERE slot IS NOT NULL;
CREATE INDEX runs_created ON runs (created);
CREATE INDEX runs_task ON runs (task, created);
CREATE INDEX runs_outcome ON runs (outcome, created);
CREATE INDEX runs_author ON runs (author, created);

CREATE TABLE jobs (
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    queued INTEGER,
    finished INTEGER,
    outcome TEXT,
    cause TEXT,
    problem TEXT,
    PRIMARY KEY (run, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    exit TEXT,
    pid INTEGER,
    user_ms INTEGER,
    system_ms INTEGER,
    peak_rss INTEGER,
    PRIMARY KEY (run, idx, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    task TEXT PRIMARY KEY,
    last_number INTEGER NOT NULL DEFAULT 0,
    paused INTEGER,
    paused_by TEXT,
    paused_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (schedule_key TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
    schedule_key TEXT NOT NULL,
    slot INTEGER NOT NULL,
    until INTEGER NOT NULL,
    count INTEGER NOT NULL,
    why TEXT NOT NULL,
    blocker INTEGER,
    at INTEGER NOT NULL,
    PRIMARY KEY (schedule_key, slot, why)
) STRICT, WITHOUT ROWID;
";

/// Jobs that became many, what jobs put out, runs that jobs asked for, and what was up to date when.
const FORMAT_2: &str = "
ALTER TABLE jobs ADD COLUMN name TEXT;
ALTER TABLE jobs ADD COLUMN outputs TEXT;
ALTER TABLE jobs ADD COLUMN fingerprint TEXT;
ALTER TABLE runs ADD COLUMN parent TEXT;
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE TABLE fresh (
    task TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    run INTEGER NOT NULL,
    outputs TEXT
) STRICT, WITHOUT ROWID;
";

/// What attempts read and wrote.
const FORMAT_3: &str = "
ALTER TABLE attempts ADD COLUMN read_bytes INTEGER;
ALTER TABLE attempts ADD COLUMN written_bytes INTEGER;
";

/// How many runs in a row of a schedule have failed, and up to where slots have had runs, whatever the clock did since.
const FORMAT_4: &str = "
ALTER TABLE cursors ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
INSERT INTO meta SELECT 'latest', coalesce(max(created), 0) FROM runs;
";

/// The names that askers chose for runs; and when attempts began that share a rate, the last ones under each key.
const FORMAT_5: &str = "
ALTER TABLE runs ADD COLUMN key TEXT;
CREATE UNIQUE INDEX runs_key ON runs (task, key) WHERE key IS NOT NULL;
CREATE TABLE rates (
    key TEXT NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (key, n)
) STRICT, WITHOUT ROWID;
";

/// What was expected of runs and has not come true: by its name, how long it had and when that was found.
const FORMAT_6: &str = "
ALTER TABLE runs ADD COLUMN late TEXT;
CREATE INDEX runs_late ON runs (created) WHERE late IS NOT NULL;
";

/// Brings the database to the format at the end of `steps`, in one transaction. An older database is copied first.
pub(super) fn migrate(db: &mut Connection, place: &Place, steps: &[&str]) -> Result<(), StoreError> {
    let found = format_of(db)?;
    let known = steps.len() as u32;
    if found > known {
        return Err(StoreError::Newer { path: place.database(), found, known });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        place.copy_before(db, known)?;
    }
    let transaction = db.transaction()?;
    for step in &steps[found as usize..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

/// The format the database is in; 0 before the first step.
pub(super) fn format_of(db: &Connection) -> Result<u32, StoreError> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
