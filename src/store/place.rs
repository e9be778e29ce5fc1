//! The directory: which files are in it, and whether what is there may be used.
//!
//! A database file that exists is never opened, read or replaced here except through SQLite. POSIX locks belong to
//! the process and the file, so closing any descriptor of it would drop the locks SQLite holds, and another process
//! would then take a live log for a leftover and delete it.

use super::StoreError;
use super::lock::Lock;
use super::schema::{APPLICATION_ID, FORMAT, STEPS, format_of, migrate};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Earlier versions can damage a database in WAL mode when a checkpoint and a writer meet.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a connection waits for another process that is opening or recovering the database.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The directory of one store.
#[derive(Clone, Debug)]
pub(super) struct Place {
    dir: PathBuf,
}

impl Place {
    pub(super) fn new(dir: &Path) -> Place {
        Place { dir: dir.into() }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("neap.db")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("neap.db-wal")
    }

    /// Says that there is a database here, so that its absence is noticed.
    pub(super) fn marker(&self) -> PathBuf {
        self.dir.join("neap.initialised")
    }

    /// Takes the directory, creating it when there is none.
    pub(super) fn lock(&self) -> Result<Lock, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(StoreError::file(&self.dir))?;
        Lock::take(&self.dir.join("neap.lock"))
    }

    /// A connection that may write. The caller holds the lock.
    pub(super) fn open(&self) -> Result<Connection, StoreError> {
        check_library()?;
        match self.size()? {
            Some(0) => return Err(StoreError::Empty { path: self.database(), remove: self.marker() }),
            Some(_) => self.mark()?,
            None => match self.trace_of_a_past()? {
                Some(remove) => return Err(StoreError::Vanished { path: self.database(), remove }),
                None => self.create()?,
            },
        }
        // Opening for writing may already change a file: recovery, a checkpoint. So it is looked at first.
        drop(self.look()?);
        let mut db = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        self.prepare_writer(&mut db).map_err(|error| self.name_damage(error))?;
        Ok(db)
    }

    /// A connection that only reads. It needs no lock and no host.
    pub(super) fn open_reader(&self) -> Result<Connection, StoreError> {
        check_library()?;
        match self.size()? {
            None => return Err(StoreError::NoDatabase { path: self.database() }),
            Some(0) => return Err(StoreError::Empty { path: self.database(), remove: self.marker() }),
            Some(_) => {}
        }
        let (db, found) = self.look()?;
        match found {
            FORMAT => Ok(db),
            _ => Err(StoreError::Older { path: self.database(), found, known: FORMAT }),
        }
    }

    /// Copies the database to `neap.db.before-v2` before it is brought to format 2. A copy left by an earlier try is
    /// older than the database and gives way.
    pub(super) fn copy_before(&self, db: &Connection, format: u32) -> Result<(), StoreError> {
        let path = self.dir.join(format!("neap.db.before-v{format}"));
        create_private(&path).map_err(StoreError::file(&path))?;
        db.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
        File::open(&path).and_then(|copy| copy.sync_all()).map_err(StoreError::file(&path))
    }

    fn prepare_writer(&self, db: &mut Connection) -> Result<(), StoreError> {
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        // The writer thread checkpoints at a moment of its own choice.
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        // After a checkpoint the log shrinks to this, which makes its size a measure of what is not yet copied.
        db.pragma_update(None, "journal_size_limit", 1 << 20)?;
        db.pragma_update(None, "cache_size", -16_000)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        migrate(db, self, STEPS)
    }

    /// Checks whose database it is and which format it has, without changing it.
    fn look(&self) -> Result<(Connection, u32), StoreError> {
        self.inspect(|| self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY))
    }

    /// The same without leaving anything beside the database. Without a log there is nobody to be in step with, and
    /// SQLite need not make the files by which readers and writers agree. With one it makes its index (`-shm`) anew if
    /// nobody has that open, and changes nothing else.
    pub(super) fn look_still(&self) -> Result<(Connection, u32), StoreError> {
        match size_of(&self.log())? {
            Some(size) if size > 0 => self.look(),
            Some(_) | None => self.inspect(|| {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Ok(Connection::open_with_flags(still(&self.database()), flags)?)
            }),
        }
    }

    fn inspect(
        &self,
        connect: impl FnOnce() -> Result<Connection, StoreError>,
    ) -> Result<(Connection, u32), StoreError> {
        let look = || {
            let db = connect()?;
            let owner: u32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
            let found = format_of(&db)?;
            Ok((db, owner, found))
        };
        let (db, owner, found) = look().map_err(|error| self.name_damage(error))?;
        if owner != APPLICATION_ID {
            return Err(StoreError::Foreign { path: self.database() });
        }
        if found > FORMAT {
            return Err(StoreError::Newer { path: self.database(), found, known: FORMAT });
        }
        Ok((db, found))
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let db = Connection::open_with_flags(self.database(), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        db.busy_timeout(PATIENCE)?;
        db.set_prepared_statement_cache_capacity(48);
        Ok(db)
    }

    /// Damage is told as damage, with what to do about it.
    fn name_damage(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Sqlite(source) => match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    StoreError::Corrupt { path: self.database(), source }
                }
                _ => StoreError::Sqlite(source),
            },
            other => other,
        }
    }

    /// The size of the database file, `None` when there is none.
    pub(super) fn size(&self) -> Result<Option<u64>, StoreError> {
        size_of(&self.database())
    }

    /// The file that says that there was a database. A log counts too: SQLite would play it into whatever file takes
    /// the place of the database.
    pub(super) fn trace_of_a_past(&self) -> Result<Option<PathBuf>, StoreError> {
        for path in [self.marker(), self.log()] {
            if size_of(&path)?.is_some_and(|size| size > 0) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Builds the database under another name, so that a half-made one is never found under the real name.
    fn create(&self) -> Result<(), StoreError> {
        let path = self.dir.join("neap.db.new");
        create_private(&path).map_err(StoreError::file(&path))?;
        let mut db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // In force only when set before the first table: retention gives space back piece by piece later.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        db.pragma_update(None, "journal_mode", "MEMORY")?;
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        migrate(&mut db, self, STEPS)?;
        db.close().map_err(|(_, error)| error)?;
        fs::rename(&path, self.database()).map_err(StoreError::file(&path))?;
        self.mark()
    }

    fn mark(&self) -> Result<(), StoreError> {
        let path = self.marker();
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => write_marker(&mut file, &self.dir).map_err(StoreError::file(&path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(StoreError::file(&path)(error)),
        }
    }
}

/// The size of a file, `None` when there is none. `stat` opens nothing.
pub(super) fn size_of(path: &Path) -> Result<Option<u64>, StoreError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::file(path)(error)),
    }
}

/// The address of a file that nobody changes. Every byte of the path is written by its number, so none means anything else.
fn still(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes().iter();
    let path: String =
        bytes.map(|byte| if *byte == b'/' { "/".into() } else { format!("%{byte:02x}") }).collect();
    format!("file:{path}?immutable=1")
}

fn write_marker(file: &mut File, dir: &Path) -> io::Result<()> {
    writeln!(
        file,
        "This directory has a database, neap.db. Without it nothing starts as long as this file is here."
    )?;
    file.sync_all()?;
    File::open(dir)?.sync_all()
}

/// An empty file that only its owner may read. What stood there is left over from a try that failed.
fn create_private(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) | Ok(()) => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

fn check_library() -> Result<(), StoreError> {
    match rusqlite::version_number() {
        old if old < OLDEST_SQLITE => Err(StoreError::OldSqlite { found: rusqlite::version() }),
        _ => Ok(()),
    }
}
