//! `neap explain`.

use super::support::Cli;
use serde_json::{Value, json};

#[test]
fn a_code_is_explained() {
    let said = Cli::new().neap(&["explain", "e0102"]);
    assert_eq!(
        said.stdout,
        "\
error E0102
A line is indented with a tab. YAML allows only spaces for indentation, because
a tab has no agreed width. Replace every leading tab by two spaces.
"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
}

#[test]
fn a_key_is_explained() {
    let said = Cli::new().neap(&["explain", "retry.jitter"]);
    assert_eq!(
        said.stdout,
        "\
retry.jitter
The share by which a wait is stretched or shortened at random. With 0.2 a wait
of 10 s lasts from 8 to 12 s. It keeps many jobs from coming back in the same
moment.

value       a number from 0 to 1
without it  `0`

run: curl -fsS https://example.org/data
retry:
  attempts: 5
  delay: 2s
  backoff: 2
  max_delay: 1m
  jitter: 0.2
  on_exit: [6, 7, 28]
  not_on_exit: [22]
"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
}

/// The short form for a script: what the key is, and the words of other tools for it.
#[test]
fn a_key_is_a_document() {
    let document = |what: &str| -> Value {
        serde_json::from_str(&Cli::new().neap(&["explain", what, "--json"]).stdout).unwrap()
    };
    let needs = document("tasks.*.needs");
    assert_eq!((&needs["key"], &needs["aliases"]), (&json!("depends_on"), &json!(["needs"])));
    assert_eq!(needs["keys"], json!(["depends_on.task", "depends_on.when"]));
    assert_eq!(document("E0104")["severity"], "error");
    assert_eq!(document("tty")["instead"], "start the program with `script -qec`");
    assert_eq!(document("wait.file")["action"], "wait.file");
}

#[test]
fn a_name_in_several_places_lists_them() {
    let said = Cli::new().neap(&["explain", "max_parallel"]);
    let rows: Vec<&str> = said.stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(rows, ["KEY", "strategy.max_parallel", "foreach.max_parallel"]);
}

#[test]
fn what_is_not_there_is_a_wrong_argument() {
    let check = |what: &str, help: &str| {
        let said = Cli::new().neap(&["explain", what]);
        assert_eq!(said.stderr, format!("error: there is no key and no code `{what}`\nhelp: {help}\n"));
        assert_eq!((said.stdout.as_str(), said.code), ("", 2));
    };
    check("E01O4", "did you mean `E0104`?");
    check("timeot", "did you mean `timeout`?");
    check("zebra", "`neap explain` lists them all");
}

#[test]
fn without_a_word_everything_is_listed_by_subject() {
    let said = Cli::new().neap(&["explain"]);
    assert!(said.stdout.starts_with("What a job does\t\nrun\tText for a shell\n"), "{}", said.stdout);
    assert!(said.stdout.contains("\nretry.backoff\tEvery further wait is the last one times this\n"));
    assert!(said.stdout.contains("\nE0101\tThe file is not valid YAML, so nothing in it can be read\n"));
    let all: Value = serde_json::from_str(&Cli::new().neap(&["explain", "--json"]).stdout).unwrap();
    assert_eq!(all["codes"][0]["severity"], "error");
    assert!(all["keys"].as_array().unwrap().len() > 150);
}
