//! `neap check` on files with mistakes, and `--fix`.

use super::support::{Cli, repository};
use serde_json::{Value, json};

/// A project in which several files have several mistakes.
fn broken() -> Cli {
    let cli = Cli::new();
    cli.write("neap.yaml", "slots: many\n")
        .write("scripts/hooks.lua", "local M = {}\nfunction M.on_sucess(ctx, ev) end\nreturn M\n")
        .write("tasks/a.yaml", "needs: b\nrun: make\ntimeot: 10m\nhooks: hooks.lua\n")
        .write("tasks/b.yaml", "run: ls\nhooks: hooks.lua\n")
        .write("tasks/etl.yaml", "tasks:\n  x: { run: ls, depends_on: y }\n  y: { run: ls, depends_on: x }\n")
        .write("tasks/l.yaml", "tasks:\n  body:\n    lua: |\n      local x = 1\n      x = = 2\n");
    cli
}

#[test]
fn problems_are_drawn_with_their_lines() {
    let said = broken().neap(&["check"]);
    assert_eq!(
        said.stdout,
        "\
error[E0121]: `slots` must be a whole number from 1 to 10000
 --> neap.yaml:1:8
  |
1 | slots: many
  |        ^^^^ this is no whole number

error[E0104]: unknown field `timeot`
 --> tasks/a.yaml:3:1
  |
3 | timeot: 10m
  | ^^^^^^ not a field of this object
  |
help: did you mean `timeout`?
  |
3 | timeout: 10m
  |      +

error[E0301]: tasks need each other in a circle: x > y > x
 --> tasks/etl.yaml:2:29
  |
2 |   x: { run: ls, depends_on: y }
  |                             ^ `x` needs `y`
3 |   y: { run: ls, depends_on: x }
  |                             - `y` needs `x`
  |
help: take one of these dependencies away

error: unknown hook `on_sucess`; did you mean `success`?
 --> scripts/hooks.lua:2:1
  |
2 | function M.on_sucess(ctx, ev) end
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

error: Expected identifier when parsing expression, got '='
 --> tasks/l.yaml:5:1
  |
5 | x = = 2
  | ^^^^^^^

hint[H0001]: `needs` is understood, but here it is written `depends_on`
 --> tasks/a.yaml:1:1
  |
1 | needs: b
  | ^^^^^ an alias

5 errors, 1 hint in 6 files (N ms).   1 can be fixed: neap check --fix   more about a code: neap explain E0121
"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 1));
}

#[test]
fn one_line_for_each_problem_goes_to_editors() {
    let said = broken().neap(&["check", "--one-line"]);
    assert_eq!(
        said.stdout,
        "\
neap.yaml:1:8: error[E0121]: `slots` must be a whole number from 1 to 10000
tasks/a.yaml:1:1: hint[H0001]: `needs` is understood, but here it is written `depends_on`
tasks/a.yaml:3:1: error[E0104]: unknown field `timeot`
tasks/etl.yaml:2:29: error[E0301]: tasks need each other in a circle: x > y > x
scripts/hooks.lua:2:1: error: unknown hook `on_sucess`; did you mean `success`?
tasks/l.yaml:5:1: error: Expected identifier when parsing expression, got '='
"
    );
    assert!(said.stderr.starts_with("5 errors, 1 hint in 6 files (N ms)."), "{}", said.stderr);
    assert_eq!(said.code, 1);
}

#[test]
fn json_has_every_problem_and_the_counts() {
    let said = broken().neap(&["check", "--json"]);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let counts = ["errors", "warnings", "hints", "fixable", "files"].map(|key| document[key].as_u64());
    assert_eq!(counts, [5, 0, 1, 1, 6].map(Some));
    assert_eq!(
        document["problems"][2],
        json!({
            "severity": "error",
            "code": "E0104",
            "file": "tasks/a.yaml",
            "span": { "start": 19, "end": 25 },
            "line": 3,
            "column": 1,
            "message": "unknown field `timeot`",
            "label": "not a field of this object",
            "also": [],
            "help": "did you mean `timeout`?",
            "fix": { "span": { "start": 19, "end": 25 }, "text": "timeout" },
        })
    );
    assert_eq!(
        document["problems"][4],
        json!({
            "severity": "error",
            "code": null,
            "file": "scripts/hooks.lua",
            "line": 2,
            "column": null,
            "message": "unknown hook `on_sucess`; did you mean `success`?",
            "help": null,
        })
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 1));
}

#[test]
fn expressions_that_are_no_lua_are_told_up_to_a_bound() {
    let cli = Cli::new();
    let script: String = (0..130).map(|_| "  echo ${{ run.id == }}\n").collect();
    cli.write("tasks/a.yaml", &format!("run: |\n{script}"));
    let said = cli.neap(&["check", "--one-line"]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 100, "{}", said.stdout);
    assert_eq!(lines[0], "tasks/a.yaml:2:8: error[E0154]: an expression is not Lua");
    assert_eq!(lines[99], "tasks/a.yaml:101:8: error[E0154]: an expression is not Lua");
    let said = cli.neap(&["check"]);
    assert!(said.stdout.contains("; 30 more problems in this file are not shown"), "{}", said.stdout);
}

#[test]
fn hints_fail_nothing() {
    let cli = Cli::new();
    cli.write("tasks/a.yaml", "run: ls\nneeds: b\n").write("tasks/b.yaml", "run: ls\n");
    let said = cli.neap(&["check"]);
    assert!(said.stdout.ends_with("1 hint in 2 files (N ms).   more about a code: neap explain H0001\n"));
    assert_eq!(said.code, 0);
    cli.write("tasks/a.yaml", "run: ls\n");
    assert_eq!(cli.neap(&["check"]).stdout, "no problems in 2 files (N ms).\n");
    assert_eq!(Cli::new().neap(&["check"]).code, 2, "there is no project");
}

#[test]
fn what_can_be_mended_is_mended_until_nothing_is_left() {
    let cli = Cli::new();
    cli.write("tasks/a.yaml", "schedule: */5 * * * *\nrun: echo a: b\nretyr: 3\npriority: hgih\n")
        .write("tasks/b.yaml", "run: ls\n");
    let said = cli.neap(&["check", "--fix"]);
    assert_eq!(
        said.stdout,
        "\
fixed tasks/a.yaml:1:11: E0103: a cron expression that starts with `*` must be quoted
fixed tasks/a.yaml:2:6: E0105: a value that contains `: ` must be quoted
fixed tasks/a.yaml:3:1: E0104: unknown field `retyr`
fixed tasks/a.yaml:4:11: E0122: `hgih` is not a value of `priority`

no problems in 2 files (N ms).
"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    let expected = "schedule: \"*/5 * * * *\"\nrun: \"echo a: b\"\nretry: 3\npriority: high\n";
    assert_eq!(cli.read("tasks/a.yaml"), expected);
    let fixed: Value = serde_json::from_str(&cli.neap(&["check", "--fix", "--json"]).stdout).unwrap();
    assert_eq!((&fixed["fixed"], &fixed["left_alone"]), (&json!([]), &json!([])));
}

#[test]
fn a_file_that_cannot_be_written_is_left_alone_and_still_wrong() {
    let cli = Cli::new();
    cli.write("tasks/a.yaml", "rnu: ls\n");
    // Nothing can be made under the name of the draft, whoever runs this: the name is too long.
    let long = format!("tasks/{}.yaml", "a".repeat(249));
    cli.write(&long, "rnu: ls\n");
    let said = cli.neap(&["check", "--fix", "--one-line"]);
    assert!(said.stderr.contains("fixed tasks/a.yaml:1:1"), "{}", said.stderr);
    assert!(said.stderr.contains("left alone tasks/aaa"), "{}", said.stderr);
    assert!(said.stdout.lines().all(|line| line.starts_with("tasks/aaa")), "{}", said.stdout);
    assert_eq!(said.code, 1);
}

#[test]
fn more_than_a_screen_can_hold_is_counted() {
    let cli = Cli::new();
    for file in 0..130 {
        cli.write(&format!("tasks/t{file:03}.yaml"), "run: ls\ntimeot: 1m\n");
    }
    let said = cli.neap(&["check"]);
    assert_eq!(said.stdout.matches("error[E0104]").count(), 100);
    assert!(said.stdout.contains("\nand 30 more (--one-line shows all)\n"));
    assert_eq!(cli.neap(&["check", "--one-line"]).stdout.lines().count(), 130);
}

/// Every kind of problem there is can be drawn, and is drawn at the place where it is.
#[test]
fn every_wrong_file_of_the_corpus_is_drawn() {
    for entry in std::fs::read_dir(repository("tests/definition/wrong")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let cli = Cli::new();
        let name = path.file_name().unwrap().to_str().unwrap();
        cli.write("tasks/other.yaml", "run: ls\n");
        std::fs::copy(&path, cli.root().join("tasks").join(name)).unwrap();
        let (drawn, lines) = (cli.neap(&["check"]), cli.neap(&["check", "--one-line"]));
        assert!(drawn.code <= 1 && drawn.stderr.is_empty(), "{name}: {drawn:?}");
        assert!(lines.stdout.lines().count() > 0, "{name}");
        for line in lines.stdout.lines().filter(|line| line.contains('[')) {
            let place = line.split(": ").next().unwrap();
            assert!(drawn.stdout.contains(&format!("--> {place}\n")), "{name}: {place}\n{}", drawn.stdout);
        }
    }
}

/// Files of which there is nothing to show are named all the same.
#[test]
fn files_that_cannot_be_read_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let cli = Cli::new();
    cli.write("tasks/open.yaml", "run: ls\n").write("tasks/empty.yaml", "");
    let everybody = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(cli.root().join("tasks/open.yaml"), everybody).unwrap();
    std::fs::write(cli.root().join("tasks/bytes.yaml"), b"run: ls # \xff\n").unwrap();
    let said = cli.neap(&["check"]);
    for place in ["tasks/bytes.yaml:1:11\n", "tasks/empty.yaml:1:1\n", "tasks/open.yaml:1:1\n"] {
        assert!(said.stdout.contains(&format!("--> {place}")), "{place}: {}", said.stdout);
    }
    assert!(said.stdout.contains("everybody may write to it"), "{}", said.stdout);
    assert_eq!((said.stderr.as_str(), said.code), ("", 1));
}

#[test]
fn nothing_runs_with_settings_that_are_broken() {
    let cli = Cli::new();
    cli.write("tasks/a.yaml", "run: echo never");
    for text in ["secrts: [A]", "slots: 0", "env: ["] {
        cli.write("neap.yaml", text);
        for args in [&["run", "a"][..], &["run", "a", "--dry-run"], &["serve"], &["exec", "--", "true"]] {
            let said = cli.neap(args);
            assert_eq!(said.code, 125, "{args:?}: {said:?}");
            assert!(said.stderr.starts_with("error: neap.yaml cannot be used:\nneap.yaml:1:"), "{said:?}");
            assert!(said.stderr.contains("neap check"), "{said:?}");
        }
    }
    assert!(!cli.root().join(".neap/neap.db").exists());
}
