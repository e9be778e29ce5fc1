//! `neap import` and `neap export`: what is written, said and run.

use super::support::{Cli, Said, repository};
use serde_json::Value;

fn sample(path: &str) -> String {
    std::fs::read_to_string(repository("tests/data/import").join(path)).unwrap()
}

/// A directory with one of the sample files in it.
fn with(path: &str, as_file: &str) -> Cli {
    let cli = Cli::new();
    cli.write(as_file, &sample(path));
    cli
}

#[track_caller]
fn good(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said:?}");
    said
}

#[test]
fn a_crontab_is_written_with_its_times_side_by_side() {
    let cli = with("crontab/zones.cron", "zones.cron");
    let said = good(cli.neap(&["import", "crontab", "zones.cron"]));
    assert!(said.stdout.starts_with("wrote tasks/imported/echo.yaml\n"), "{}", said.stdout);
    let rows: Vec<Vec<&str>> = said
        .stdout
        .lines()
        .filter(|line| line.contains("\timported/"))
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), 3, "{}", said.stdout);
    for row in rows {
        assert_eq!(row[3], row[4], "the times differ");
        assert_eq!((row[3].split(", ").count(), row[5]), (3, "same"));
    }
    assert!(
        said.stderr.contains("zones.cron:8: warning: not translated: RANDOM_DELAY=30 — "),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("zones.cron:12: warning: not translated: 0~30 * * * * echo random — "));
    assert!(said.stderr.ends_with(".   neap check   neap next\n"), "{}", said.stderr);
    let checked = cli.neap(&["check"]);
    assert_eq!(checked.code, 0, "{}", checked.stdout);
}

#[test]
fn nothing_is_overwritten_unless_asked() {
    let cli = with("taskfile/tiny.yml", "Taskfile.yml");
    cli.write("tasks/imported/other.yaml", "run: mine\n");
    let said = cli.neap(&["import", "taskfile"]);
    assert_eq!(
        said.stderr,
        "error: `tasks/imported/other.yaml` is there already; nothing was written\n\
         help: --force overwrites it, --into DIR writes elsewhere, --dry-run only prints\n"
    );
    assert_eq!((said.stdout.as_str(), said.code), ("", 1));
    assert!(!cli.root().join("tasks/imported/default.yaml").exists());
    good(cli.neap(&["import", "taskfile", "--force"]));
    assert!(cli.read("tasks/imported/other.yaml").ends_with("run: echo other\n"));
    good(cli.neap(&["import", "taskfile", "--into", "tasks"]));
    assert!(cli.root().join("tasks/all.yaml").exists());
}

#[test]
fn a_dry_run_writes_nothing() {
    let cli = with("crontab/plain.cron", "c");
    let said = good(cli.neap(&["import", "crontab", "c", "--dry-run"]));
    assert!(
        said.stdout.starts_with("# tasks/imported/cat.yaml\n# Imported from c, line 2:\n"),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("\tsame\n"), "{}", said.stdout);
    assert!(said.stderr.ends_with("nothing was written: leave out --dry-run\n"), "{}", said.stderr);
    assert!(!cli.root().join("tasks").exists());
}

#[test]
fn what_was_imported_runs() {
    let cli = with("taskfile/tiny.yml", "Taskfile.yml");
    cli.write("c", &sample("crontab/plain.cron"));
    good(cli.neap(&["import", "taskfile", "--into", "tasks"]));
    good(cli.neap(&["import", "crontab", "c"]));
    let lines = |task: &[&str]| {
        let said = good(cli.neap(&[&["run", "--output", "prefix"], task].concat()));
        said.stdout + &said.stderr
    };
    let said = lines(&["default", "WHO=Ada"]);
    assert!(said.contains("hello Ada") && said.contains("or ADA"), "{said}");
    let said = lines(&["all"]);
    assert!(said.contains("hello world") && said.contains("other"), "{said}");
    let said = lines(&["imported/echo"]);
    let home = std::fs::canonicalize(cli.root()).unwrap();
    assert!(said.contains(&format!("in {}", home.display())), "{said}");
}

/// A task that calls others keeps the order, and each call gets its own values.
#[test]
fn calls_run_in_their_order() {
    let cli = with("taskfile/calls.yml", "Taskfile.yml");
    good(cli.neap(&["import", "taskfile", "--into", "tasks"]));
    let said = good(cli.neap(&["run", "release", "--output", "prefix"]));
    let said = said.stdout + &said.stderr;
    let places = ["begin beta", "packed linux", "packed mac", "end of beta"].map(|words| said.find(words));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{said}");
    assert_eq!(cli.read("out/mac.txt"), "packed mac\n");
    let said = cli.neap(&["run", "loop"]);
    assert_eq!(said.code, 1, "a command that was not translated fails: {said:?}");
    assert!((said.stdout + &said.stderr).contains("was not translated, see the task file"));
    assert_eq!(cli.neap(&["run", "around"]).code, 1);
}

#[test]
fn dagu_files_become_pipelines() {
    let cli = with("dagu/hello.yaml", "hello.yaml");
    cli.write("chain.yaml", &sample("dagu/chain.yaml"));
    let said = good(cli.neap(&["import", "dagu", "hello.yaml", "chain.yaml"]));
    assert!(said.stdout.contains("wrote tasks/imported/hello.yaml\nwrote tasks/imported/chain.yaml\n"));
    let said = good(cli.neap(&["run", "imported/hello", "NAME=Bo", "--output", "prefix"]));
    assert!((said.stdout + &said.stderr).contains("hello Bo"));
}

#[test]
fn programs_get_json() {
    let cli = with("crontab/user.cron", "c");
    let said = good(cli.neap(&["import", "crontab", "c", "--dry-run", "--json"]));
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["found"][0]["files"][0]["name"], "imported/pg-dump");
    assert_eq!(document["found"][0]["remarks"][0]["line"], 4);
    assert_eq!(
        (&document["written"], &document["times"][0]["same"]),
        (&Value::from(false), &Value::from(true))
    );
    assert_eq!(said.stderr, "");
}

#[test]
fn mistakes_are_told() {
    let cli = Cli::new();
    let said = cli.neap(&["import", "taskfile"]);
    assert!(said.stderr.starts_with("error: there is no Taskfile here\n"), "{}", said.stderr);
    assert_eq!(said.code, 2);
    cli.write("x.yaml", "a: [\n");
    let said = cli.neap(&["import", "dagu", "x.yaml"]);
    assert!(said.stderr.starts_with("error: `x.yaml` cannot be imported: line "), "{}", said.stderr);
    assert_eq!(said.code, 1);
    for into in ["elsewhere", "tasks/../x", "tasks/a b", "/tmp"] {
        assert_eq!(cli.neap(&["import", "dagu", "x.yaml", "--into", into]).code, 2, "{into}");
    }
}

#[test]
fn schedules_are_exported() {
    let cli = Cli::new();
    cli.write("tasks/a.yaml", "schedule: \"13 3 * * *\"\nrun: ls\n").write("tasks/b.yaml", "run: ls\n");
    let said = good(cli.neap(&["export", "crontab"]));
    assert!(said.stdout.contains("\n13 3 * * *  cd "), "{}", said.stdout);
    assert!(said.stdout.contains("/neap run a\n"), "{}", said.stdout);
    let said = good(cli.neap(&["export", "systemd", "a", "--dir", "units"]));
    assert_eq!(said.stdout, "wrote units/neap-a.service\nwrote units/neap-a.timer\n");
    assert!(cli.read("units/neap-a.timer").contains("OnCalendar=*-*-* 3:13:00"));
    assert!(said.stderr.contains("systemctl --user"), "{}", said.stderr);
    assert!(good(cli.neap(&["export", "dot", "b"])).stdout.starts_with("digraph \"b\""));
    let said = cli.neap(&["export", "crontab", "aa"]);
    assert!(said.stderr.contains("did you mean `a`?"), "{}", said.stderr);
    assert_eq!(said.code, 1);
}
