//! `neap run` and `neap retry` without a host.

use super::support::{Cli, normal};
use serde_json::Value;

const NIGHTLY: &str = "
params: { day: { type: string, default: today } }
tasks:
  dump: { run: 'echo dumping $PARAM_DAY' }
  upload:
    depends_on: dump
    env: { KEY: secret }
    exec: [sh, -c, 'echo $NEAP_ATTEMPT >> tries; test -e good && exit 0; echo \"refused\" >&2; exit 7']
    retry: { attempts: 2, delay: 1ms }
  notify: { depends_on: upload, run: 'echo sent' }
";

#[test]
fn a_run_that_succeeds_is_told_line_by_line() {
    let cli = Cli::new().task("hello", "run: echo hello");
    let told = cli.neap(&["run", "hello"]);
    let expected = "\
TIME hello#1 started id=ID jobs=1
TIME hello#1/hello ok SPAN
TIME hello#1 ok SPAN
";
    assert_eq!((normal(&told.stdout).as_str(), told.stderr.as_str(), told.code), (expected, "", 0));
    let told = cli.neap(&["-q", "run", "hello"]);
    assert_eq!((told.stdout.as_str(), told.code), ("", 0));
}

#[test]
fn a_failure_ends_with_its_cause_its_last_lines_and_the_next_command() {
    let cli = Cli::new().task("nightly", NIGHTLY);
    let told = cli.neap(&["run", "nightly", "day=monday"]);
    let expected = "\
TIME nightly#1 started id=ID jobs=3
TIME nightly#1/dump ok SPAN
TIME nightly#1/upload retry exit=7 attempt=1 in=SPAN SPAN
TIME nightly#1/upload failed exit=7 attempts=2 SPAN
TIME nightly#1/notify skipped needs=upload
TIME nightly#1 failed cause=upload SPAN
nightly#1 failed after SPAN: upload (exit 7)   1 ok, 1 failed, 1 skipped
  | refused
help: full log     neap logs ID/upload   (.neap/runs/ID/upload.2.log)
      try again    neap retry ID   (only upload and what needs it)
";
    assert_eq!((normal(&told.stdout).as_str(), told.stderr.as_str(), told.code), (expected, "", 7));
}

#[test]
fn a_retry_does_what_failed_again() {
    let cli = Cli::new().task("nightly", NIGHTLY);
    assert_eq!(cli.neap(&["run", "nightly"]).code, 7);
    cli.write("good", "");
    let told = cli.neap(&["retry", "nightly"]);
    let expected = "\
TIME nightly#2 started id=ID jobs=3 reused=1
TIME nightly#2/upload ok SPAN
TIME nightly#2/notify ok SPAN
TIME nightly#2 ok SPAN
";
    assert_eq!((normal(&told.stdout).as_str(), told.code), (expected, 0));
    let told = cli.neap(&["retry", "nightly"]);
    assert_eq!((told.stdout.as_str(), told.code), ("", 1));
    assert!(told.stderr.contains("failed: there is nothing to try again"), "{}", told.stderr);
    let told = cli.neap(&["retry", "nightly", "--from", "notify"]);
    assert!(told.stdout.contains("reused=2"), "{}", told.stdout);
    let told = cli.neap(&["retry", "nightly", "--all"]);
    assert!(told.stdout.contains("nightly#4/dump ok"), "{}", told.stdout);
    assert_eq!(cli.neap(&["retry", "nightly", "--from", "nowhere"]).code, 1);
}

#[track_caller]
fn refuses(cli: &Cli, words: &[&str], code: i32, stderr: &str) {
    let told = cli.neap(words);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str(), told.code), ("", stderr, code), "{words:?}");
}

#[test]
fn bad_usage_is_explained() {
    let cli = Cli::new().task("nightly", NIGHTLY).task("broken", "runn: ls");
    refuses(
        &cli,
        &["run", "nigthly"],
        2,
        "error: there is no task `nigthly`\nhelp: did you mean `nightly`?\n",
    );
    refuses(
        &cli,
        &["run", "nightly", "monday"],
        2,
        "error: `monday` is not a parameter\nhelp: write it as monday=VALUE; a run has one task\n",
    );
    refuses(
        &cli,
        &["run", "nightly", "dya=1"],
        2,
        "error: `dya`: there is no such parameter; did you mean `day`?\n",
    );
    refuses(
        &cli,
        &["run", "nightly", "day=1", "-p", "day=2"],
        2,
        "error: the parameter `day` is given twice\n",
    );
    refuses(
        &cli,
        &["run", "nightly", "--priority", "101"],
        2,
        "error: `101` is not a priority\nhelp: write low, normal, high, urgent, or a number from -100 to 100\n",
    );
    refuses(
        &cli,
        &["run", "broken"],
        125,
        "error: `broken` cannot run: `tasks/broken.yaml` has errors\nhelp: see what is wrong with `neap check`\n",
    );
    refuses(
        &cli,
        &["run", "-d", "nightly"],
        125,
        "error: no host is up that could go on with it\nhelp: start one with `neap serve`, or leave out --detach\n",
    );
}

#[test]
fn a_run_ends_with_the_code_of_what_failed_first() {
    let cli = Cli::new()
        .task("one", "exec: [sh, -c, exit 1]")
        .task("seven", "exec: [sh, -c, exit 7]")
        .task("slow", "{ run: sleep 600, timeout: 50ms }")
        .task("text", "exec: [./notes.txt]")
        .task("none", "exec: [no-such-program]")
        .task("killed", "exec: [sh, -c, 'kill -KILL $$']")
        .task("child", "tasks: { good: { run: 'true' }, bad: { exec: [sh, -c, exit 9], depends_on: good } }");
    cli.write("notes.txt", "no program");
    let codes = [
        ("one", 1),
        ("seven", 7),
        ("slow", 124),
        ("text", 126),
        ("none", 127),
        ("killed", 137),
        ("child/bad", 9),
        ("child/good", 0),
    ];
    for (task, code) in codes {
        let told = cli.neap(&["run", task]);
        assert_eq!(told.code, code, "{task}: {told:?}");
    }
}

#[test]
fn a_dry_run_tells_the_plan_and_starts_nothing() {
    let cli = Cli::new().task("nightly", NIGHTLY);
    let told = cli.neap(&["run", "--dry-run", "nightly/upload", "day=monday"]);
    let expected = "\
nightly/upload: 2 jobs
  day=monday

1. nightly/dump
     $ echo dumping $PARAM_DAY

2. nightly/upload
     exec [\"sh\",\"-c\",\"echo $NEAP_ATTEMPT >> tries; test -e good && exit 0; echo \\\"refused\\\" >&2; exit 7\"]
     needs   nightly/dump
     env     KEY
     limits  2 tries
";
    assert_eq!(
        (told.stdout.as_str(), told.stderr.as_str(), told.code),
        (expected, "nothing was started\n", 0)
    );
    assert!(!cli.root().join(".neap").exists());
    let told = cli.neap(&["run", "--dry-run", "--json", "nightly"]);
    let plan: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(plan["jobs"][1]["needs"], serde_json::json!(["dump"]));
    assert_eq!(plan["jobs"][1]["env"], serde_json::json!(["KEY"]));
}

#[test]
fn json_is_one_document() {
    let cli = Cli::new().task("nightly", NIGHTLY);
    let told = cli.neap(&["run", "nightly", "--json"]);
    let run: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((told.stderr.as_str(), told.code), ("", 7));
    assert_eq!(
        (&run["state"], &run["exit_code"], &run["root"]),
        (&Value::from("failed"), &Value::from(7), &Value::from("upload"))
    );
    assert_eq!(run["jobs"].as_array().map(Vec::len), Some(3));
    let told = cli.neap(&["run", "nowhere", "--json"]);
    let error: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&error["error"]["exit_code"], told.code), (&Value::from(2), 2));
}

#[test]
fn prefix_shows_every_line_behind_its_job() {
    let cli = Cli::new().task("nightly", NIGHTLY);
    let told = cli.neap(&["run", "nightly", "--output", "prefix", "day=friday"]);
    let lines: Vec<&str> =
        told.stdout.lines().filter(|line| line.contains(" | ") && !line.starts_with(' ')).collect();
    assert_eq!(lines, ["dump   | dumping friday", "upload | refused", "upload | refused"], "{}", told.stdout);
}

#[test]
fn a_terminal_is_painted_and_left_in_order() {
    let cli = Cli::new()
        .task("p", "tasks: { a: { run: \"printf 'x\\\\033[2Jy\\\\033[31mz\\\\n'; sleep 0.3\" }, b: { run: 'false', depends_on: a } }");
    let told = cli.command(&["run", "p", "--output", "prefix"]).env("NEAP_FORCE_TTY", "1").output().unwrap();
    let stdout = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(1));
    assert!(stdout.contains("a | xyz"), "{stdout:?}");
    assert!(stdout.contains("b  waits for a"), "{stdout:?}");
    assert!(!stdout.contains("\x1b[2J"), "{stdout:?}");
    let (hidden, shown) = (stdout.rfind("\x1b[?25l").unwrap(), stdout.rfind("\x1b[?25h").unwrap());
    assert!(hidden < shown, "the cursor stays hidden: {stdout:?}");
    let end = normal(&stdout[shown..]);
    assert!(end.starts_with("\x1b[?25hp#1 failed after SPAN: b (exit 1)   1 ok, 1 failed\n"), "{end:?}");
}

#[test]
fn neap_alone_says_what_to_type_next() {
    let cli = Cli::without_project();
    let told = cli.neap(&[]);
    assert_eq!(told.code, 0);
    assert!(told.stdout.contains("\n  neap init "), "{}", told.stdout);
    let cli = Cli::new().task("seven", "exec: [sh, -c, exit 7]");
    cli.neap(&["run", "seven"]);
    let told = cli.neap(&[]);
    assert!(told.stdout.contains("  neap show seven#1 "), "{}", told.stdout);
}
