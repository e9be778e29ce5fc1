//! Jobs that show no sign of life.

use super::support::{Cli, normal};
use std::time::{Duration, Instant};

#[test]
fn a_silent_job_is_stopped() {
    let cli = Cli::new().task("silent", "{ run: 'echo begin; sleep 600', stall_timeout: 400ms }");
    let began = Instant::now();
    let told = cli.neap(&["run", "silent"]);
    assert_eq!(told.code, 124, "{told:?}");
    assert!(began.elapsed() >= Duration::from_millis(400), "too soon: {:?}", began.elapsed());
    assert!(normal(&told.stdout).contains("silent#1/silent failed stalled"), "{told:?}");
    let shown = cli.neap(&["show", "silent#1", "--events"]).stdout;
    assert!(shown.contains("is asked to stop: it showed no sign of life"), "{shown}");
}

/// Busy, but mute: three times as long as the limit.
#[test]
fn work_is_a_sign_of_life() {
    let cli = Cli::new()
        .task("busy", "{ run: 'echo up > up; until test -e go; do :; done', stall_timeout: 500ms }");
    let going = cli.start(&["run", "busy"]);
    cli.wait_for("up");
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        std::thread::yield_now();
    }
    cli.write("go", "");
    let told = going.end();
    assert_eq!(told.code, 0, "{told:?}");
}

#[test]
fn so_are_output_and_children() {
    let turns = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.1; done";
    let cli = Cli::new()
        .task("talks", &format!("{{ run: '{turns}', stall_timeout: 600ms }}"))
        // Nothing but short lives.
        .task("mute", &format!("{{ run: '{}', stall_timeout: 600ms }}", turns.replace("echo $i; ", "")));
    for task in ["talks", "mute"] {
        let told = cli.neap(&["run", task]);
        assert_eq!(told.code, 0, "{told:?}");
    }
}

/// A frozen job shows nothing, and is not to.
#[test]
fn what_is_frozen_does_not_stall() {
    let cli = Cli::new()
        .task("long", "{ run: 'echo up > up; until test -e go; do sleep 0.05; done', stall_timeout: 500ms }");
    let _server = cli.serve();
    cli.neap(&["run", "-d", "long"]);
    cli.wait_for("up");
    let told = cli.neap(&["pause", "long#1/long"]);
    assert_eq!((told.stdout.as_str(), told.code), ("long#1/long: frozen; its time limit stands still\n", 0));
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        std::thread::yield_now();
    }
    cli.write("go", "");
    assert_eq!(cli.neap(&["resume", "long#1/long"]).stdout, "long#1/long: goes on\n");
    assert_eq!(cli.neap(&["wait", "long"]).code, 0);
}
