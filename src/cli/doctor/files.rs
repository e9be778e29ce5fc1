//! The project on disk: where it is, whether it can be read, and whether its state can be written and is sound.

use super::Finding;
use crate::base::Bytes;
use crate::cli::look::count;
use crate::store::Examined;
use std::path::PathBuf;

/// What is known about a project's files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) root: PathBuf,
    pub(super) found: FoundBy,
    pub(super) has_settings: bool,
    pub(super) has_tasks: bool,
    pub(super) read: Read,
    pub(super) state: StateDir,
    pub(super) disk: Option<Disk>,
    pub(super) database: Result<Option<Examined>, String>,
    /// The process that has the state directory.
    pub(super) holder: Option<u32>,
    pub(super) logs: Heap,
    /// Copies of the database from before it was brought to a newer format, and what a failed try left.
    pub(super) copies: Vec<(String, u64)>,
}

/// Why this is the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// It was named (`-C`, `NEAP_DIR`).
    Name,
    /// It is so many directories above the current one.
    Above(usize),
}

/// What was found in the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) files: usize,
    pub(super) errors: usize,
    /// Warnings and hints.
    pub(super) others: usize,
    /// `neap.yaml` cannot be used, so no host comes up.
    pub(super) has_bad_settings: bool,
}

/// The state directory, or where it will be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StateDir {
    pub(super) path: PathBuf,
    pub(super) is_there: bool,
    /// What cannot be written to, and why.
    pub(super) locked: Option<(PathBuf, String)>,
}

/// The file system that it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// The number that a kind of file system has.
    pub(super) magic: u32,
    pub(super) free: u64,
    /// Files that can still be made; `None` when that has no bound.
    pub(super) free_files: Option<u64>,
}

/// Files that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heap {
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// There was time to count them all.
    pub(super) is_whole: bool,
}

pub(super) fn findings(facts: &Files) -> Vec<Finding> {
    let mut all = vec![project(facts), definitions(&facts.read), state(&facts.state)];
    if let Some(disk) = &facts.disk {
        all.extend([file_system(disk.magic), space(disk)]);
    }
    all.push(database(&facts.database));
    if let Ok(Some(examined)) = &facts.database {
        all.extend(log(examined, facts.holder));
    }
    all.push(logs(&facts.logs));
    all.extend(copies(&facts.copies));
    all
}

/// Outside of a project.
pub(super) fn nowhere() -> Finding {
    Finding::note(
        "project",
        "none here: neither neap.yaml nor tasks/, here or above; only the machine was looked at",
    )
    .help("make one with `neap init`, or name one with -C")
}

fn project(facts: &Files) -> Finding {
    let name = "project";
    let what = match (facts.has_settings, facts.has_tasks) {
        (true, true) => "it has neap.yaml and tasks/",
        (true, false) => "it has neap.yaml, and no tasks/",
        (false, true) => "it has tasks/, and no neap.yaml: the settings are the usual ones",
        (false, false) => "it has neither neap.yaml nor tasks/",
    };
    let why = match facts.found {
        FoundBy::Name => "named by -C or NEAP_DIR".to_owned(),
        FoundBy::Above(0) => "the current directory".to_owned(),
        FoundBy::Above(levels) => format!("{} above the current directory", count(levels, "level")),
    };
    let text = format!("{} ({why}): {what}", facts.root.display());
    match facts.has_settings || facts.has_tasks {
        true => Finding::ok(name, text),
        false => Finding::note(name, text).help("name another directory, or make a project with `neap init`"),
    }
}

fn definitions(read: &Read) -> Finding {
    let name = "definitions";
    let files = count(read.files, "file");
    match (read.errors, read.others) {
        (0, 0) => Finding::ok(name, format!("{files} without a problem")),
        (0, others) => {
            Finding::ok(name, format!("{files} without an error, and {}", count(others, "remark")))
                .help("see them with `neap check`")
        }
        (errors, _) => {
            let what = match read.has_bad_settings {
                true => "; no host comes up with this neap.yaml",
                false => "; the other files can be used",
            };
            Finding::problem(name, format!("{} in {files}{what}", count(errors, "error")))
                .help("see them with `neap check`")
        }
    }
}

fn state(state: &StateDir) -> Finding {
    let name = "state";
    let path = state.path.display();
    match (&state.locked, state.is_there) {
        (Some((locked, why)), _) => Finding::problem(
            name,
            format!("{} cannot be written to: {why}", locked.display()),
        )
        .help(
            "only what is there can be read; see who owns it (a run as root, perhaps) and how it is mounted",
        ),
        (None, true) => Finding::ok(name, format!("{path} can be written to")),
        (None, false) => Finding::ok(name, format!("{path} is made by the first run")),
    }
}

/// What a file system means for a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Local,
    /// Locks and shared memory may not hold between machines, or at all.
    Remote(&'static str),
    /// Gone with the machine.
    Memory,
}

/// Numbers of `statfs(2)`.
fn kind(magic: u32) -> Kind {
    match magic {
        0x6969 => Kind::Remote("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Kind::Remote("SMB (CIFS)"),
        0x0102_1997 => Kind::Remote("9p"),
        0x6573_5546 => Kind::Remote("FUSE"),
        0x00c3_6400 => Kind::Remote("Ceph"),
        0x5346_414f | 0x6b41_4653 => Kind::Remote("AFS"),
        0x0bd0_0bd0 => Kind::Remote("Lustre"),
        0x786f_4256 => Kind::Remote("a shared folder of VirtualBox"),
        0x0102_1994 | 0x8584_58f6 => Kind::Memory,
        _ => Kind::Local,
    }
}

fn file_system(magic: u32) -> Finding {
    let name = "file system";
    match kind(magic) {
        Kind::Local => Finding::ok(name, "the state is on a local file system"),
        Kind::Memory => Finding::note(name, "the state is in memory: a restart of the machine takes it away")
            .help("put the project on a disk if its history matters"),
        Kind::Remote(what) => Finding::note(
            name,
            format!(
                "the state is on {what}: SQLite and the locks of neap are not safe when two machines use it"
            ),
        )
        .help("put the project on a local disk, or see that only one machine ever uses it"),
    }
}

/// Below this a database may fail to write, and logs are cut short.
const LITTLE: u64 = 100_000_000;
/// A run makes a few files.
const FEW: u64 = 1000;

fn space(disk: &Disk) -> Finding {
    let name = "space";
    let free = Bytes(disk.free);
    let help = "remove what is not needed; `.neap/runs` holds the logs";
    match disk.free_files {
        _ if disk.free < LITTLE => {
            Finding::problem(name, format!("{free} are free, which is too little to go on for long"))
                .help(help)
        }
        Some(files) if files < FEW => {
            Finding::problem(name, format!("{free} are free, but only {} can be made", count_of(files)))
                .help(help)
        }
        Some(_) | None => Finding::ok(name, format!("{free} are free")),
    }
}

fn count_of(files: u64) -> String {
    count(usize::try_from(files).unwrap_or(usize::MAX), "more file")
}

fn database(database: &Result<Option<Examined>, String>) -> Finding {
    let name = "database";
    let found = match database {
        Err(why) => {
            return Finding::problem(name, why.as_str())
                .help("nothing was changed; `docs/durability.md` says more");
        }
        Ok(None) => return Finding::ok(name, "there is none yet: nothing has run here"),
        Ok(Some(found)) => found,
    };
    let about = format!("{}, format {}", Bytes(found.bytes), found.format);
    match (found.damage.first(), found.is_whole) {
        (Some(first), _) => Finding::problem(name, format!("{about}, is damaged: {first}"))
            .help("stop the host, keep a copy of the file, and put an older one in its place"),
        (None, _) if found.format < found.known => {
            Finding::note(name, format!("{about}, sound; this neap writes format {}", found.known)).help(
                "the next host copies it and brings it to that format; older programs cannot read it then",
            )
        }
        (None, true) => Finding::ok(name, format!("{about}, sound")),
        (None, false) => {
            Finding::ok(name, format!("{about}; too large to look at all of it, and nothing wrong so far"))
        }
    }
}

/// What is written and not in the database yet. A host that ended in peace leaves none.
fn log(found: &Examined, holder: Option<u32>) -> Option<Finding> {
    let name = "database log";
    match (found.log_bytes, holder) {
        (0, _) => None,
        (bytes, Some(process)) => Some(Finding::ok(name, format!("{}, of process {process}", Bytes(bytes)))),
        (bytes, None) => Some(
            Finding::note(
                name,
                format!("{} are left over: the last host did not end in peace", Bytes(bytes)),
            )
            .help("nothing is lost; the next host takes it into the database. Do not remove the file"),
        ),
    }
}

fn logs(heap: &Heap) -> Finding {
    let least = if heap.is_whole { "" } else { "at least " };
    Finding::ok("logs", format!("{least}{} in {}", Bytes(heap.bytes), count(heap.files, "file")))
}

fn copies(copies: &[(String, u64)]) -> Option<Finding> {
    let names: Vec<&str> = copies.iter().map(|(name, _)| name.as_str()).collect();
    let bytes = copies.iter().map(|(_, bytes)| bytes).sum();
    (!copies.is_empty()).then(|| {
        Finding::ok("copies", format!("{}, {} in all", names.join(", "), Bytes(bytes)))
            .help("they are of older formats; remove them when no older program is needed any more")
    })
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[track_caller]
    fn check(finding: impl Into<Option<Finding>>, state: State, text: &str) {
        let finding = finding.into().unwrap();
        assert_eq!(finding.state, state, "{finding:?}");
        assert!(finding.text.contains(text), "{finding:?}");
        assert!(state != State::Problem || finding.help.is_some(), "{finding:?}");
    }

    fn files() -> Files {
        Files {
            root: "/p".into(),
            found: FoundBy::Above(0),
            has_settings: true,
            has_tasks: true,
            read: Read::default(),
            state: StateDir { path: "/p/.neap".into(), ..StateDir::default() },
            disk: Some(Disk { magic: 0xef53, free: 1 << 30, free_files: Some(100_000) }),
            database: Ok(None),
            holder: None,
            logs: Heap { is_whole: true, ..Heap::default() },
            copies: Vec::new(),
        }
    }

    fn examined() -> Examined {
        Examined { bytes: 4096, log_bytes: 0, format: 6, known: 6, damage: Vec::new(), is_whole: true }
    }

    #[test]
    fn where_the_project_is() {
        let check_found = |found, text| check(project(&Files { found, ..files() }), State::Ok, text);
        check_found(FoundBy::Above(0), "/p (the current directory): it has neap.yaml and tasks/");
        check_found(FoundBy::Above(2), "2 levels above");
        check_found(FoundBy::Name, "-C or NEAP_DIR");
        check(project(&Files { has_tasks: false, ..files() }), State::Ok, "no tasks/");
        check(project(&Files { has_settings: false, ..files() }), State::Ok, "no neap.yaml");
        let neither = Files { has_settings: false, has_tasks: false, ..files() };
        check(project(&neither), State::Note, "neither");
        check(nowhere(), State::Note, "none here");
    }

    #[test]
    fn what_the_files_say() {
        let read = |errors, others, has_bad_settings| Read { files: 3, errors, others, has_bad_settings };
        check(definitions(&read(0, 0, false)), State::Ok, "3 files without a problem");
        check(definitions(&read(0, 1, false)), State::Ok, "1 remark");
        check(definitions(&read(2, 1, false)), State::Problem, "2 errors in 3 files; the other files");
        check(definitions(&read(1, 0, true)), State::Problem, "no host comes up");
    }

    #[test]
    fn where_the_state_is() {
        let there = StateDir { is_there: true, ..files().state };
        check(state(&files().state), State::Ok, "is made by the first run");
        check(state(&there), State::Ok, "can be written to");
        let locked = StateDir { locked: Some(("/p/.neap/neap.db".into(), "no".into())), ..there };
        check(state(&locked), State::Problem, "/p/.neap/neap.db cannot be written to: no");
        check(file_system(0xef53), State::Ok, "local");
        check(file_system(0x0102_1994), State::Note, "in memory");
        for (magic, name) in
            [(0x6969, "NFS"), (0xff53_4d42, "SMB"), (0x0102_1997, "9p"), (0x6573_5546, "FUSE")]
        {
            check(file_system(magic), State::Note, name);
        }
    }

    #[test]
    fn how_much_room_there_is() {
        let disk = |free, free_files| Disk { magic: 0, free, free_files };
        check(space(&disk(99_999_999, None)), State::Problem, "95.4 MiB are free");
        check(space(&disk(100_000_000, None)), State::Ok, "95.4 MiB are free");
        check(space(&disk(1 << 30, Some(999))), State::Problem, "only 999 more files");
        check(space(&disk(1 << 30, Some(1000))), State::Ok, "1 GiB");
    }

    #[test]
    fn whether_the_database_is_sound() {
        check(database(&Ok(None)), State::Ok, "none yet");
        check(database(&Err("x is damaged".into())), State::Problem, "x is damaged");
        check(database(&Ok(Some(examined()))), State::Ok, "4 KiB, format 6, sound");
        let unfinished = Examined { is_whole: false, ..examined() };
        check(database(&Ok(Some(unfinished))), State::Ok, "too large");
        check(database(&Ok(Some(Examined { format: 5, ..examined() }))), State::Note, "writes format 6");
        let damaged = Examined { damage: vec!["row 3".into()], format: 5, ..examined() };
        check(database(&Ok(Some(damaged))), State::Problem, "is damaged: row 3");
        assert_eq!(log(&examined(), None), None);
        let logged = Examined { log_bytes: 2048, ..examined() };
        check(log(&logged, Some(7)), State::Ok, "2 KiB, of process 7");
        check(log(&logged, None), State::Note, "left over");
    }

    #[test]
    fn what_lies_about() {
        check(logs(&Heap { files: 1, bytes: 10, is_whole: true }), State::Ok, "10 bytes in 1 file");
        check(logs(&Heap { files: 9, bytes: 10, is_whole: false }), State::Ok, "at least 10 bytes");
        assert_eq!(copies(&[]), None);
        let two = [("a".to_owned(), 1000), ("b".to_owned(), 24)];
        check(copies(&two), State::Ok, "a, b, 1 KiB in all");
        let full = Files {
            database: Ok(Some(Examined { log_bytes: 1, ..examined() })),
            copies: two.to_vec(),
            ..files()
        };
        let names: Vec<&str> = findings(&full).iter().map(|finding| finding.name).collect();
        let expected = [
            "project",
            "definitions",
            "state",
            "file system",
            "space",
            "database",
            "database log",
            "logs",
            "copies",
        ];
        assert_eq!(names, expected);
    }
}
