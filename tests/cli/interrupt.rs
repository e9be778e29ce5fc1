//! Ctrl-C and its relatives, without a host.

use super::support::{Cli, normal};
use rustix::process::Signal;

#[test]
fn the_first_ctrl_c_asks() {
    let cli = Cli::new()
        .task("long", "run: \"trap 'echo bye >> order; exit 3' TERM; echo up > up; sleep 600 & wait\"");
    let going = cli.start(&["run", "long"]);
    cli.wait_for("up");
    going.signal(Signal::INT);
    let told = going.end();
    let expected = "\
TIME long#1 started id=ID jobs=1
TIME long#1 cancelling by=anna reason=\"Ctrl-C\"
TIME long#1/long cancelled SPAN
TIME long#1 cancelled SPAN
long#1 cancelled after SPAN by anna: \"Ctrl-C\"   1 cancelled
help: try again    neap retry ID
";
    assert_eq!((normal(&told.stdout).as_str(), told.code), (expected, 130));
    assert_eq!(told.stderr, "Ctrl-C: asked to stop; once more kills at once\n");
    assert_eq!(std::fs::read_to_string(cli.root().join("order")).unwrap(), "bye\n");
}

#[test]
fn the_second_ctrl_c_kills() {
    let cli = Cli::new().task(
        "stubborn",
        "{ run: \"trap '' TERM; echo up > up; while :; do sleep 1; done\", stop: { grace: 1h } }",
    );
    let mut going = cli.start(&["run", "stubborn"]);
    cli.wait_for("up");
    going.signal(Signal::INT);
    going.says("asked to stop");
    going.signal(Signal::INT);
    let told = going.end();
    assert_eq!(told.code, 130, "{told:?}");
    assert!(told.stderr.contains("killing"), "{told:?}");
}

#[test]
fn sigterm_asks_too() {
    let cli = Cli::new().task("long", "run: 'echo up > up; exec sleep 600'");
    let going = cli.start(&["run", "long", "--json"]);
    cli.wait_for("up");
    going.signal(Signal::TERM);
    let told = going.end();
    assert_eq!(told.code, 143);
    let run: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&run["state"], &run["exit_code"]), (&"cancelled".into(), &143.into()));
}

#[test]
fn a_project_has_one_run_without_a_host_at_a_time() {
    let cli = Cli::new().task("long", "run: 'echo up > up; exec sleep 600'").task("hello", "run: echo hello");
    let going = cli.start(&["run", "long"]);
    cli.wait_for("up");
    let told = cli.neap(&["run", "hello"]);
    assert_eq!((told.stdout.as_str(), told.code), ("", 125));
    assert!(told.stderr.starts_with("error: another neap (process "), "{}", told.stderr);
    assert!(
        told.stderr.contains("takes no further runs\nhelp: wait until it has ended; "),
        "{}",
        told.stderr
    );
    going.signal(Signal::INT);
    assert_eq!(going.end().code, 130);
    assert_eq!(cli.neap(&["run", "hello"]).code, 0);
}
