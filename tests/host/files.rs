//! Files that change and make runs: real files, watched by a real host.

use super::support::Project;
use neap::base::TaskName;
use neap::engine::{Author, Event, NewRun, Trigger};
use neap::host::{Host, Mode};
use neap::store::Seq;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

/// A task that writes down what it is told of.
fn telling(paths: &str, settle: &str) -> Project {
    Project::new().task("tell", &task(paths, settle))
}

fn task(paths: &str, settle: &str) -> String {
    format!(
        "
        schedule: {{ watch: {{ paths: {paths}, settle: {settle} }} }}
        run: |
          cat \"$NEAP_CHANGED_FILE\" >> told
          printf '%s %s' \"$NEAP_CHANGED_COUNT\" \"$NEAP_CHANGED\" > first
        "
    )
}

impl Project {
    /// All names that jobs were told of, and how often.
    fn told(&self) -> BTreeMap<OsString, usize> {
        let text = fs::read(self.root().join("told")).unwrap_or_default();
        let root = self.root().canonicalize().unwrap();
        let mut told = BTreeMap::new();
        for name in text.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let path = Path::new(OsStr::from_bytes(name));
            let name = path.strip_prefix(&root).unwrap_or(path).as_os_str().to_owned();
            *told.entry(name).or_default() += 1;
        }
        told
    }

    /// Waits until jobs were told of so many files.
    async fn until_told(&self, count: usize) -> Vec<OsString> {
        let mut watch = neap::watch::Watch::new(self.root(), &["told"]).unwrap();
        let wait = async {
            while self.told().len() < count {
                watch.changed().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(waited.is_ok(), "told only of {:?}", self.told());
        let twice: Vec<_> = self.told().into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(twice.is_empty(), "told twice: {twice:?}");
        self.told().into_keys().collect()
    }

    fn folder(&self, name: &str) {
        fs::create_dir_all(self.root().join(name)).unwrap();
    }

    fn put(&self, name: &str) {
        fs::write(self.root().join(name), name).unwrap();
    }
}

/// Another host may have its place.
async fn end(host: Host) {
    host.shutdown().await;
}

/// The runs that changes have made.
fn watched_runs(host: &Host) -> Vec<NewRun> {
    let entries = host.history().journal(Seq(0), 100_000).unwrap();
    let run = |event| match event {
        Event::RunCreated(new) if matches!(new.trigger, Trigger::Watch { .. }) => Some(*new),
        _ => None,
    };
    entries.into_iter().filter_map(|entry| run(entry.record.event)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_slowly_is_whole_when_its_run_begins() {
    let project = Project::new().task(
        "take",
        "{ schedule: { watch: { paths: in/*.csv, settle: 2s } }, run: 'cat \"$NEAP_CHANGED\" > taken.part; mv taken.part taken' }",
    );
    project.folder("in");
    let host = project.open(Mode::Serve).await;
    let mut file = fs::File::create(project.root().join("in/a.csv")).unwrap();
    for line in 0..12 {
        writeln!(file, "{line}").unwrap();
        // It is the slow writer that is tested.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(file);
    project.wait_for("taken").await;
    assert_eq!(project.read("taken").lines().count(), 12);
    assert_eq!(watched_runs(&host).len(), 1);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_at_once_make_few_runs_and_every_one_is_named() {
    let project = telling("in/*.csv", "1s");
    project.folder("in");
    let host = project.open(Mode::Serve).await;
    for n in 0..1000 {
        project.put(&format!("in/{n:04}.csv"));
        project.put(&format!("in/{n:04}.txt"));
    }
    let told = project.until_told(1000).await;
    assert!(told.iter().all(|name| name.as_bytes().ends_with(b".csv")), "{told:?}");
    let runs = watched_runs(&host);
    assert!(runs.len() <= 3, "{} runs for one burst", runs.len());
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_last_name_of_a_file_counts() {
    let project = telling("'in/*.csv'", "100ms");
    project.folder("in");
    let host = project.open(Mode::Serve).await;
    project.put("in/b.csv.part");
    project.put("in/.b.csv.x7");
    fs::rename(project.root().join("in/b.csv.part"), project.root().join("in/b.csv")).unwrap();
    project.put("c");
    fs::rename(project.root().join("c"), project.root().join("in/c.csv")).unwrap();
    assert_eq!(project.until_told(2).await, ["in/b.csv", "in/c.csv"]);
    // Once more under the same name.
    project.put("in/d.csv.part");
    fs::rename(project.root().join("in/d.csv.part"), project.root().join("in/b.csv")).unwrap();
    fs::remove_file(project.root().join("in/c.csv")).unwrap();
    project.put("in/e.csv");
    fs::remove_file(project.root().join("told")).unwrap();
    assert_eq!(project.until_told(2).await, ["in/b.csv", "in/e.csv"]);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_no_host_is_up_is_told_once_by_the_next() {
    let project = telling("['in/**/*.csv', 'one.ini']", "100ms");
    project.folder("in/deep");
    project.put("in/old.csv");
    project.put("one.ini");
    // The times of files are coarse: what is only a moment old counts as new to a new schedule.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let host = project.open(Mode::Serve).await;
    project.put("in/first.csv");
    assert_eq!(project.until_told(1).await, ["in/first.csv"]);
    end(host).await;
    project.put("in/deep/a.csv");
    project.put("one.ini");
    let host = project.open(Mode::Serve).await;
    assert_eq!(project.until_told(3).await, ["in/deep/a.csv", "in/first.csv", "one.ini"]);
    assert_eq!(watched_runs(&host).len(), 2);
    end(host).await;
    let host = project.open(Mode::Serve).await;
    project.put("in/last.csv");
    assert_eq!(project.until_told(4).await.len(), 4);
    assert_eq!(watched_runs(&host).len(), 3, "what was told was told again");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_come_later_are_watched() {
    let project = telling("'in/new/**/*.csv'", "100ms");
    project.folder("away");
    project.put("away/moved.csv");
    let host = project.open(Mode::Serve).await;
    project.folder("in/new/deep");
    project.put("in/new/deep/a.csv");
    assert_eq!(project.until_told(1).await, ["in/new/deep/a.csv"]);
    // The file is older than the place where it is now.
    fs::rename(project.root().join("away"), project.root().join("in/new/came")).unwrap();
    assert_eq!(project.until_told(2).await.len(), 2);
    // What was watched is another folder now.
    fs::rename(project.root().join("in/new"), project.root().join("in/past")).unwrap();
    project.folder("in/new/deep");
    project.put("in/new/deep/b.csv");
    project.put("in/past/deep/c.csv");
    let told = project.until_told(3).await;
    assert!(told.contains(&"in/new/deep/b.csv".into()), "{told:?}");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_be_anything() {
    let project = telling("'in/*'", "100ms");
    project.folder("in");
    let host = project.open(Mode::Serve).await;
    let names: [&[u8]; 8] = [
        b"-rf",
        b"a\nb",
        b"quote\"'`",
        b"$(touch pwned)",
        b"; touch pwned",
        b"\xff\xfe not text",
        b" blank ",
        b"\x1b[2Jscreen",
    ];
    let folder = project.root().join("in");
    for name in names {
        fs::write(folder.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let mut expected: Vec<OsString> =
        names.iter().map(|name| OsString::from_vec([b"in/", *name].concat())).collect();
    expected.sort();
    assert_eq!(project.until_told(8).await, expected);
    let root = project.root().canonicalize().unwrap();
    project.wait_for("first").await;
    let first = project.read("first");
    assert!(first.contains(&format!(" {}/in/", root.display())), "{first}");
    assert!(!project.root().join("pwned").exists());
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_the_schedules_rest_is_told_when_they_go_on() {
    let project = telling("'in/*'", "50ms");
    project.folder("in");
    let task = || TaskName::new("tell").unwrap();
    let me = || Author("me".into());
    let host = project.open(Mode::Serve).await;
    host.rest(task(), true, me(), None).await.unwrap();
    project.put("in/a");
    end(host).await;
    let host = project.open(Mode::Serve).await;
    project.put("in/b");
    assert_eq!(watched_runs(&host), []);
    host.rest(task(), false, me(), None).await.unwrap();
    project.put("in/c");
    assert_eq!(project.until_told(3).await, ["in/a", "in/b", "in/c"]);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_adds_and_removes_what_is_watched() {
    let project = telling("'in/*'", "50ms");
    project.folder("in");
    project.folder("out");
    let host = project.open(Mode::Serve).await;
    let old = task("'in/*'", "50ms");
    let new = old.replace("in/*", "out/*").replace("        ", "");
    project.write("tasks/tell.yaml", &new);
    host.reload().await;
    project.put("in/a");
    project.put("out/b");
    assert_eq!(project.until_told(1).await, ["out/b"]);
    // The same files once more: the schedule did not begin anew.
    project.write("tasks/tell.yaml", &new.replace("50ms", "60ms"));
    host.reload().await;
    project.put("out/c");
    assert_eq!(project.until_told(2).await, ["out/b", "out/c"]);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_go_at_a_run_is_told_of_the_same_files() {
    let project = Project::new().task(
        "take",
        "{ schedule: { watch: { paths: in/*, settle: 50ms } }, run: 'cat \"$NEAP_CHANGED_FILE\" | tr \"\\0\" \"\\n\" > told; test -e mended' }",
    );
    project.folder("in");
    let host = project.open(Mode::Serve).await;
    project.put("in/a");
    project.wait_for("told").await;
    let run = watched_runs(&host)[0].run;
    host.wait(run).await.unwrap();
    fs::remove_file(project.root().join("told")).unwrap();
    project.put("mended");
    let again = host.retry(run, neap::host::RetryScope::All, Author("me".into()), None, false).await.unwrap();
    assert_eq!(host.wait(again).await, Some(neap::engine::RunOutcome::Succeeded));
    let root = project.root().canonicalize().unwrap();
    assert_eq!(project.read("told"), format!("{}/in/a\n", root.display()));
    host.shutdown().await;
}

/// Two entries for the same files, with other parameters, are two schedules: each is told of every change.
#[tokio::test(flavor = "multi_thread")]
async fn two_entries_for_the_same_files_make_a_run_each() {
    let entry =
        |part: &str| format!("{{ watch: {{ paths: 'in/*', settle: 50ms }}, params: {{ part: {part} }} }}");
    let text = format!(
        "{{ params: {{ part: x }}, schedule: [{}, {}], run: 'touch done-$PARAM_PART-$NEAP_CHANGED_COUNT' }}",
        entry("a"),
        entry("b")
    );
    let project = Project::new().task("tell", &text);
    project.folder("in");
    let host = project.open(Mode::Serve).await;
    project.put("in/a");
    project.wait_for("done-a-1").await;
    project.wait_for("done-b-1").await;
    assert_eq!(watched_runs(&host).len(), 2);
    host.shutdown().await;
}
