//! A look at a database that changes nothing, for whoever wants to know whether it is sound: its size, its format, and what
//! is wrong with it, as far as can be read in a given time.
//!
//! Unlike a reader it takes older formats as they are, and a directory that it may not write to.

use super::place::{Place, size_of};
use super::schema::FORMAT;
use super::{History, StoreError};
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Of the database file.
    pub bytes: u64,
    /// Of the log beside it, which the next host or checkpoint takes into the database.
    pub log_bytes: u64,
    /// Its format.
    pub format: u32,
    /// The format that this program writes.
    pub known: u32,
    /// What is wrong with it, at most 5 things.
    pub damage: Vec<String>,
    /// Whether there was time to look at all of it.
    pub is_whole: bool,
}

impl History {
    /// Looks at the database of a directory; `None` when there never was one.
    ///
    /// # Errors
    /// What a host would refuse: empty, damaged, foreign, of a newer format, or gone.
    pub fn examine(dir: &Path, time: Duration) -> Result<Option<Examined>, StoreError> {
        let place = Place::new(dir);
        let bytes = match place.size()? {
            Some(0) => return Err(StoreError::Empty { path: place.database(), remove: place.marker() }),
            Some(bytes) => bytes,
            None => match place.trace_of_a_past()? {
                Some(remove) => return Err(StoreError::Vanished { path: place.database(), remove }),
                None => return Ok(None),
            },
        };
        let log_bytes = size_of(&place.log())?.unwrap_or(0);
        let (db, format) = place.look_still()?;
        let (damage, is_whole) = check(&db, time)?;
        Ok(Some(Examined { bytes, log_bytes, format, known: FORMAT, damage, is_whole }))
    }
}

/// What is wrong, and whether there was time to see everything.
fn check(db: &Connection, time: Duration) -> Result<(Vec<String>, bool), StoreError> {
    let interrupt = db.get_interrupt_handle();
    let (done, is_done) = channel::<()>();
    let lines = std::thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let lines = lines(db);
        drop(done);
        lines
    });
    match lines {
        Ok(lines) => Ok((lines.into_iter().filter(|line| line != "ok").collect(), true)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok((Vec::new(), false)),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok((vec![error.to_string()], true)),
            _ => Err(error.into()),
        },
    }
}

fn lines(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("PRAGMA quick_check(5)")?.query_map([], |row| row.get(0))?.collect()
}
