//! Two jobs joined by a pipe: whatever becomes of one, the other is not left waiting.

use super::whole::{log, results};
use crate::cli_write::support::Cli;

#[track_caller]
fn check(writer: &str, reader: &str, code: i32, expected: &[(&str, &str)]) {
    let cli = Cli::new();
    cli.write(
        "tasks/p.yaml",
        &format!(
            "tasks:\n  w: {{ {writer} }}\n  r: {{ stdin: {{ task: w, stream: true }}, {reader} }}\ndefaults: {{ timeout: 20s }}\n"
        ),
    );
    let said = cli.neap(&["run", "p"]);
    assert_eq!(said.code, code, "{}{}", said.stdout, said.stderr);
    let found = results(&cli, "p#1");
    for (job, result) in expected {
        assert_eq!(found[*job], *result, "{}{}", said.stdout, said.stderr);
    }
}

#[test]
fn a_writer_that_cannot_start_is_the_end_of_the_stream() {
    check("exec: [/nowhere/at/all]", "run: wc -c", 127, &[("r", "ok")]);
    check("secrets: [ABSENT], run: echo x", "run: wc -c", 125, &[("r", "ok")]);
}

#[test]
fn a_writer_that_fails_is_the_end_of_the_stream() {
    check("run: 'echo x; exit 3'", "run: cat", 3, &[("r", "ok"), ("w", "exit 3")]);
}

#[test]
fn a_reader_that_goes_does_not_hold_the_writer_up() {
    check("run: seq 1 1000000", "run: head -n 1", 141, &[("r", "ok")]);
    check("run: 'seq 1 1000000 || true'", "exec: [/nowhere/at/all]", 127, &[("w", "ok")]);
}

#[test]
fn what_is_streamed_is_in_the_log_of_the_reader_only_as_it_prints_it() {
    let cli = Cli::new();
    cli.write(
        "tasks/p.yaml",
        "tasks:\n  w: { run: seq 1 100000 }\n  r: { stdin: { task: w, stream: true }, run: wc -l }\n",
    );
    assert_eq!(cli.neap(&["run", "p"]).code, 0);
    assert_eq!(log(&cli, "p/r").trim(), "100000");
}
