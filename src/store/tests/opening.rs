//! What may be opened, by how many, and what is left alone.

use super::*;
use crate::store::schema::{APPLICATION_ID, FORMAT, STEPS, migrate};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[track_caller]
fn refusal(dir: &TempDir) -> StoreError {
    Store::open(dir.path()).map(drop).unwrap_err()
}

/// Opens, closes and leaves a database behind.
fn with_database() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    dir
}

#[test]
fn a_new_directory_gets_an_empty_private_database() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("a/state");
    let (store, recovered) = Store::open(&dir).unwrap();
    assert!(recovered.was_clean && recovered.records.is_empty() && recovered.numbers.is_empty());
    assert_eq!((recovered.next_run, recovered.instance.len()), (1, 32));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for file in fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(store);
    assert_eq!(Store::open(&dir).unwrap().1.instance, recovered.instance);
}

#[test]
fn the_second_of_two_hosts_is_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = open(&dir);
    match refusal(&dir) {
        StoreError::Locked { pid, since } => {
            assert_eq!(pid, Some(std::process::id()));
            assert!(since.unwrap() > Moment(1_700_000_000_000));
        }
        other => panic!("{other}"),
    }
    drop(first);
    open(&dir);
}

#[test]
fn of_many_at_once_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let open_one = || Store::open(dir.path()).map(|(store, _)| store);
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open_one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }
}

#[test]
fn damaged_files_are_refused_and_left_alone() {
    #[track_caller]
    fn check(content: &[u8], expected: fn(&StoreError) -> bool) {
        let dir = with_database();
        let path = dir.path().join("neap.db");
        fs::write(&path, content).unwrap();
        let (error, seen) = (refusal(&dir), History::open(dir.path()).map(drop).unwrap_err());
        assert!(expected(&error), "{error}");
        assert!(expected(&seen), "{seen}");
        assert_eq!(fs::read(&path).unwrap(), content, "it is as it was");
    }
    check(b"", |error| matches!(error, StoreError::Empty { .. }));
    check(b"This is not a database at all.", |error| matches!(error, StoreError::Corrupt { .. }));
    check(&[0; 8192], |error| matches!(error, StoreError::Corrupt { .. }));
}

#[test]
fn an_empty_file_is_refused_even_where_nothing_was() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("neap.db"), b"").unwrap();
    assert!(matches!(refusal(&dir), StoreError::Empty { .. }));
}

#[test]
fn a_database_that_disappeared_is_missed() {
    let dir = with_database();
    fs::remove_file(dir.path().join("neap.db")).unwrap();
    let error = refusal(&dir);
    assert!(matches!(error, StoreError::Vanished { .. }), "{error}");
    fs::remove_file(dir.path().join("neap.initialised")).unwrap();
    open(&dir);
}

#[test]
fn a_half_made_database_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("neap.db.new"), b"half").unwrap();
    open(&dir);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = Connection::open(dir.path().join("neap.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    assert!(matches!(refusal(&dir), StoreError::Foreign { .. }));
    assert!(matches!(History::open(dir.path()), Err(StoreError::Foreign { .. })));
}

#[test]
fn a_newer_format_is_refused() {
    let dir = with_database();
    let db = Connection::open(dir.path().join("neap.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = refusal(&dir);
    assert!(matches!(error, StoreError::Newer { found: 99, known: FORMAT, .. }), "{error}");
    assert!(matches!(History::open(dir.path()), Err(StoreError::Newer { .. })));
}

#[test]
fn an_older_format_is_copied_and_brought_up_in_one_transaction() {
    let dir = with_database();
    let place = Place::new(dir.path());
    let mut db = Connection::open(place.database()).unwrap();
    let broken = [STEPS, &["CREATE TABLE more (x) STRICT; NONSENSE"]].concat();
    migrate(&mut db, &place, &broken).unwrap_err();
    assert_eq!(schema::format_of(&db).unwrap(), FORMAT, "a step that fails leaves nothing behind");
    let good = [STEPS, &["CREATE TABLE more (x TEXT) STRICT"]].concat();
    migrate(&mut db, &place, &good).unwrap();
    db.execute("INSERT INTO more VALUES ('y')", []).unwrap();
    assert_eq!(schema::format_of(&db).unwrap(), FORMAT + 1);
    let copy = dir.path().join(format!("neap.db.before-v{}", FORMAT + 1));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = Connection::open(copy).unwrap();
    assert_eq!(schema::format_of(&copy).unwrap(), FORMAT);
    let owner: u32 = copy.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    assert_eq!(owner, APPLICATION_ID);
}

#[test]
fn reading_needs_a_database_but_no_host() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(History::open(dir.path()), Err(StoreError::NoDatabase { .. })));
    drop(open(&dir));
    let history = History::open(dir.path()).unwrap();
    assert_eq!(history.runs(&RunFilter::default()).unwrap(), []);
    drop(open(&dir));
    assert_eq!(history.problems().unwrap(), Vec::<String>::new());
}
