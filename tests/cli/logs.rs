//! What is kept of the output of jobs: in which order, when, and from where.

use super::support::Cli;

/// Two hundred lines, by turns to standard output and to standard error.
const TURNS: &str = "i=0; while [ $i -lt 100 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";

fn by_turns() -> String {
    (0..100).map(|i| format!("out {i}\nerr {i}\n")).collect()
}

#[test]
fn what_is_written_by_turns_stays_in_its_order() {
    let cli = Cli::new().task("turns", &format!("run: '{TURNS}'"));
    assert_eq!(cli.neap(&["run", "turns"]).code, 0);
    assert_eq!(cli.neap(&["logs", "turns"]).stdout, by_turns());
    assert_eq!(cli.neap(&["logs", "turns", "--stderr"]).stdout, "", "nobody can tell them apart");
}

#[test]
fn streams_are_told_apart_if_that_is_wanted() {
    let cli = Cli::new().task("turns", &format!("run: '{TURNS}'\nlog: {{ mode: separate }}"));
    assert_eq!(cli.neap(&["run", "turns"]).code, 0);
    let only = |word: &str| -> String {
        by_turns().lines().filter(|line| line.starts_with(word)).map(|line| format!("{line}\n")).collect()
    };
    assert_eq!(cli.neap(&["logs", "turns", "--stderr"]).stdout, only("err"));
    let all = cli.neap(&["logs", "turns"]).stdout;
    let mut lines: Vec<&str> = all.lines().collect();
    lines.sort_unstable();
    let expected = by_turns();
    let mut expected: Vec<&str> = expected.lines().collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(cli.neap(&["logs", "turns", "--stderr", "-n", "1"]).stdout, "err 99\n");
}

/// Each line has the moment at which it was written, and not the one at which the job ended.
#[test]
fn lines_have_their_times() {
    let slow =
        "run: 'echo first; echo up > up; until test -e go; do sleep 0.05; done; echo second; printf open'";
    let cli = Cli::new().task("slow", slow);
    let going = cli.start(&["run", "slow"]);
    cli.wait_for("up");
    let between = std::time::SystemTime::now();
    cli.write("go", "");
    assert_eq!(going.end().code, 0);
    let told = cli.neap(&["logs", "slow", "-t"]).stdout;
    let lines: Vec<(&str, &str)> = told.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let words: Vec<&str> = lines.iter().map(|(_, words)| *words).collect();
    assert_eq!(words, ["first", "second", "open"]);
    let at: Vec<std::time::SystemTime> =
        lines.iter().map(|(at, _)| at.parse::<jiff::Timestamp>().unwrap().into()).collect();
    assert!(at[0] <= between && between < at[1] && at[1] <= at[2], "{told}");
    assert_eq!(cli.neap(&["logs", "slow"]).stdout, "first\nsecond\nopen", "without -t it is the very log");
}

#[test]
fn a_part_of_a_log_is_its_very_bytes() {
    let cli = Cli::new().task("say", "run: printf 'one\\ntwo\\nthree'");
    assert_eq!(cli.neap(&["run", "say"]).code, 0);
    for (range, expected) in [
        ("4..8", "two\n"),
        ("8..", "three"),
        ("..3", "one"),
        ("-5", "three"),
        ("20..", ""),
        ("-1KiB", "one\ntwo\nthree"),
    ] {
        let told = cli.neap(&["logs", "say", "--bytes", range]);
        assert_eq!((told.code, &*told.stdout), (0, expected), "{range}");
    }
    assert_eq!(cli.neap(&["logs", "say", "--bytes", "5"]).code, 2);
    assert_eq!(cli.neap(&["logs", "say", "--bytes", "5..", "-f"]).code, 2);
    let told = cli.neap(&["logs", "say", "--bytes", "-9", "--json"]).stdout;
    let part: neap::api::LogPart = serde_json::from_str(&told).unwrap();
    assert_eq!((&*part.text, part.from, part.is_over), ("two\nthree", 4, true));
}
