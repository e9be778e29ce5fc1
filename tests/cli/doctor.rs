//! `neap doctor`: what it says of healthy and of broken places, and that it leaves them as they are.

use super::support::{Cli, Told};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// The checks by their names, and the exit code.
struct Report {
    checks: BTreeMap<String, Value>,
    code: i32,
}

impl Report {
    fn of(told: &Told) -> Report {
        let document: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"));
        assert_eq!(document["ok"], told.code == 0, "{told:?}");
        let checks = document["checks"].as_array().unwrap().iter();
        let checks = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone()));
        Report { checks: checks.collect(), code: told.code }
    }

    #[track_caller]
    fn says(&self, name: &str, state: &str, text: &str) {
        let check = self.checks.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.checks));
        assert_eq!(check["state"], state, "{check}");
        assert!(check["text"].as_str().unwrap().contains(text), "{check}");
    }

    /// The names of what is a problem.
    fn problems(&self) -> Vec<&str> {
        let bad = self.checks.iter().filter(|(_, check)| check["state"] == "problem");
        bad.map(|(name, _)| name.as_str()).collect()
    }
}

/// Asks, and sees to it that nothing has changed.
#[track_caller]
fn examine(cli: &Cli) -> Report {
    let before = inventory(cli.root());
    let report = Report::of(&cli.neap(&["doctor", "--json"]));
    assert_eq!(inventory(cli.root()), before, "it has changed something");
    report
}

/// Every file with its size, its mode and its time. The index of a log (`-shm`) holds nothing of its own: whoever reads a
/// log that nobody has open makes it anew.
fn inventory(root: &Path) -> BTreeMap<PathBuf, (u64, u32, i64, i64)> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let about = std::fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                folders.push(path.clone());
            }
            if path.extension().is_some_and(|end| end == "db-shm") {
                continue;
            }
            found.insert(path, (about.len(), about.mode(), about.mtime(), about.mtime_nsec()));
        }
    }
    found
}

#[test]
fn a_new_project_is_fine() {
    let cli = Cli::new().task("hello", "run: echo hello");
    let report = examine(&cli);
    assert_eq!((report.problems(), report.code), (Vec::new(), 0));
    report.says("supervisor", "ok", "beside each job");
    report.says("project", "ok", "(the current directory): it has tasks/");
    report.says("definitions", "ok", "1 file without a problem");
    report.says("database", "ok", "none yet");
    report.says("host", "ok", "none is up");
    report.says("zone", "ok", "UTC");
    report.says("reload", "ok", "at once");
    let told = cli.neap(&["doctor"]);
    assert!(told.stdout.starts_with("Processes\n  ok       supervisor  "), "{told:?}");
    assert_eq!((told.stderr.as_str(), told.code), ("", 0));
}

#[test]
fn a_database_is_looked_at_and_left_as_it_is() {
    let cli = Cli::new().task("hello", "{ run: echo hello, schedule: '0 5 * * *' }");
    assert_eq!(cli.neap(&["run", "hello"]).code, 0);
    let report = examine(&cli);
    report.says("database", "ok", ", sound");
    report.says("lock", "ok", "free; process ");
    report.says("host", "note", "1 schedule is not followed");
    assert_eq!((report.problems(), report.code), (Vec::new(), 0));
}

#[test]
fn a_broken_file_is_a_problem() {
    let cli = Cli::new().task("good", "run: echo hello").task("bad", "rnu: echo hello");
    let report = examine(&cli);
    report.says("definitions", "problem", " in 2 files; the other files can be used");
    assert_eq!((report.problems(), report.code), (vec!["definitions"], 1));
    cli.write("neap.yaml", "slots: none");
    examine(&cli).says("definitions", "problem", "no host comes up");
}

#[test]
fn a_host_is_asked_and_its_environment_counts() {
    let cli = Cli::new().task("hello", "run: echo hello");
    let server = cli.serve();
    let process = std::fs::read_to_string(cli.root().join(".neap/neap.lock")).unwrap();
    let process = format!("process {}", process.split(' ').next().unwrap());
    let report = examine(&cli);
    report.says("host", "ok", &process);
    report.says("lock", "ok", &process);
    report.says("version", "ok", env!("CARGO_PKG_VERSION"));
    report.says("trouble", "ok", "none");
    report.says("socket", "ok", "mode 600");
    report.says("inotify", "ok", "the host has ");
    assert_eq!((report.problems(), report.code), (Vec::new(), 0));
    let ask = || {
        let asked = cli.command(&["doctor", "--json"]).env("NEAP_LIMITS", "watchdog").output().unwrap();
        let told = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (told(asked.stdout), told(asked.stderr));
        Report::of(&Told { stdout, stderr, code: asked.status.code().unwrap() })
    };
    let text = |report: Report| report.checks["control groups"]["text"].to_string();
    assert!(!text(ask()).contains("NEAP_LIMITS"), "the host has no such variable");
    let socket = cli.root().join(".neap/host.sock");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    examine(&cli).says("socket", "problem", "666");
    server.stop();
    assert!(text(ask()).contains("NEAP_LIMITS=watchdog"), "now it is about a host with our environment");
}

#[test]
fn what_a_dead_host_leaves_is_no_problem() {
    let cli = Cli::new().task("hello", "run: echo hello");
    let server = cli.serve();
    assert_eq!(cli.neap(&["run", "hello"]).code, 0);
    server.kill();
    let report = examine(&cli);
    report.says("database", "ok", ", sound");
    report.says("database log", "note", "did not end in peace");
    report.says("socket", "ok", "left over");
    report.says("lock", "ok", "free");
    assert_eq!((report.problems(), report.code), (Vec::new(), 0));
}

#[test]
fn what_is_no_database_is_named_and_kept() {
    let cli = Cli::new().task("hello", "run: echo hello");
    std::fs::create_dir(cli.root().join(".neap")).unwrap();
    for (garbage, text) in [(vec![7; 5000], "is damaged"), (Vec::new(), "is empty")] {
        std::fs::write(cli.root().join(".neap/neap.db"), garbage).unwrap();
        let report = examine(&cli);
        report.says("database", "problem", text);
        assert_eq!((report.problems(), report.code), (vec!["database"], 1));
    }
}

#[test]
fn damage_inside_of_a_database_is_found() {
    let cli = Cli::new().task("hello", "run: echo hello");
    assert_eq!(cli.neap(&["run", "hello"]).code, 0);
    let path = cli.root().join(".neap/neap.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // All but the first page, which says what it is and what is in it.
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let report = examine(&cli);
    report.says("database", "problem", "damaged");
    assert_eq!(report.code, 1);
}

#[test]
fn outside_of_a_project_the_machine_is_looked_at() {
    let cli = Cli::without_project();
    let report = examine(&cli);
    report.says("project", "note", "none here");
    report.says("supervisor", "ok", "beside each job");
    assert!(!report.checks.contains_key("database"));
    assert_eq!((report.problems(), report.code), (Vec::new(), 0));
    assert_eq!(cli.neap(&["-C", "nowhere", "doctor"]).code, 2);
}

/// What is said of a limit is what a job then meets.
#[test]
fn a_job_is_held_as_was_said() {
    for variables in [vec![], vec![("NEAP_LIMITS", "watchdog")]] {
        let cli = Cli::new().task("half", "{ run: echo hello, limits: { cpu: 0.5 } }");
        let with = |words: &[&str]| {
            let done = cli.command(words).envs(variables.clone()).output().unwrap();
            String::from_utf8(done.stdout).unwrap()
        };
        let said = with(&["doctor", "--json"]);
        with(&["run", "half"]);
        let log = with(&["logs", "half"]);
        assert!(log.contains("hello"), "{log}");
        let is_loose = said.contains("nobody holds it");
        assert_eq!(log.contains("limits.cpu is not enforced here"), is_loose, "{said}{log}");
        assert!(is_loose || variables.is_empty(), "the watchdog cannot hold it");
    }
}

#[test]
fn without_a_supervisor_that_is_said() {
    let cli = Cli::new();
    let done = cli.command(&["doctor"]).env("NEAP_CONTAINMENT", "group").output().unwrap();
    let stdout = String::from_utf8(done.stdout).unwrap();
    assert!(stdout.contains("NEAP_CONTAINMENT=group"), "{stdout}");
    assert!(stdout.contains("are refused without a supervisor"), "{stdout}");
    assert_eq!(done.status.code(), Some(0), "{stdout}");
}

/// Root may write anywhere, so it asks as somebody else, if that one may execute the program.
#[test]
fn a_directory_that_may_only_be_read_is_a_problem() {
    let cli = Cli::new().task("hello", "run: echo hello");
    assert_eq!(cli.neap(&["run", "hello"]).code, 0);
    let mode = |path: &str, mode| {
        std::fs::set_permissions(cli.root().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    mode(".neap", 0o555);
    mode(".neap/neap.db", 0o444);
    let mut command = cli.command(&["doctor", "--json"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let before = inventory(cli.root());
    let done = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return,
        done => done.unwrap(),
    };
    assert_eq!(inventory(cli.root()), before);
    let told = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (told(done.stdout), told(done.stderr));
    let report = Report::of(&Told { stdout, stderr, code: done.status.code().unwrap() });
    report.says("state", "problem", "/.neap cannot be written to: ");
    report.says("database", "ok", ", sound");
    assert_eq!((report.problems(), report.code), (vec!["state"], 1));
    mode(".neap", 0o755);
}
