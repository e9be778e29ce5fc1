//! `neap exec`.

use super::support::Cli;

#[test]
fn a_command_keeps_its_words_its_output_and_its_code() {
    let cli = Cli::without_project();
    let told = cli.neap(&[
        "exec",
        "--",
        "sh",
        "-c",
        "printf '%s|' \"$@\"; echo; echo to stderr >&2; pwd; exit 9",
        "sh",
        "a b",
        "'c'",
        "- d: {",
        "*",
    ]);
    let here = std::fs::canonicalize(cli.root()).unwrap();
    let expected = format!("a b|'c'|- d: {{|*|\nto stderr\n{}\n", here.display());
    assert_eq!((told.stdout.as_str(), told.stderr.as_str(), told.code), (expected.as_str(), "", 9));
    assert!(cli.root().join(".local/state/neap/.neap/neap.db").exists());
}

#[test]
fn what_cannot_run_says_so() {
    let cli = Cli::new();
    let told = cli.neap(&["exec", "--", "no-such-program"]);
    let why = "exec#1: not started: there is no program `no-such-program` on the PATH\n";
    assert_eq!((told.stdout.as_str(), told.stderr.as_str(), told.code), ("", why, 127));
    let told = cli.neap(&["exec", "--timeout", "50ms", "--name", "nap", "--", "sleep", "600"]);
    assert_eq!((told.stderr.as_str(), told.code), ("nap#1: timed out\n", 124));
    assert_eq!(cli.neap(&["exec", "--timeout", "soon", "--", "true"]).code, 2);
    assert_eq!(cli.neap(&["exec", "--name", "../x", "--", "true"]).code, 2);
    let told =
        cli.neap(&["exec", "--retry", "1", "--", "sh", "-c", "echo $NEAP_ATTEMPT; test $NEAP_ATTEMPT = 2"]);
    assert_eq!((told.stdout.as_str(), told.code), ("1\n2\n", 0));
}

#[test]
fn the_name_of_a_task_is_taken() {
    let cli = Cli::new().task("exec", "run: ls");
    let told = cli.neap(&["exec", "--", "true"]);
    assert_eq!((told.stdout.as_str(), told.code), ("", 2));
    assert!(told.stderr.starts_with("error: `exec` is a task of this project\n"), "{}", told.stderr);
}
