//! With a host: `serve`, `reload`, and runs that are handed over, waited for, held and cancelled.

use super::support::{Cli, normal};
use rustix::process::Signal;
use std::io::BufRead;

const LONG: &str = "{ run: 'echo up > up; exec sleep 600' }";

#[test]
fn a_run_through_the_host_looks_the_same() {
    let cli = Cli::new().task("hello", "run: echo hello").task("seven", "exec: [sh, -c, exit 7]");
    let mut server = cli.serve();
    let told = cli.neap(&["run", "hello"]);
    let expected = "\
TIME hello#1 started id=ID jobs=1
TIME hello#1/hello ok SPAN
TIME hello#1 ok SPAN
";
    assert_eq!((normal(&told.stdout).as_str(), told.stderr.as_str(), told.code), (expected, "", 0));
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    assert_eq!(normal(&line), "TIME hello#1 ok SPAN\n");
    let told = cli.neap(&["run", "seven", "--output", "prefix"]);
    assert_eq!(told.code, 7, "{told:?}");
    let told = cli.neap(&["run", "helo"]);
    assert_eq!(told.stderr, "error: there is no task `helo`\nhelp: did you mean `hello`?\n");
    assert_eq!(told.code, 2);
    assert_eq!(cli.neap(&["run", "hello", "x=1"]).code, 2);
    assert_eq!(cli.neap(&["retry", "seven"]).code, 7);
    assert_eq!(cli.neap(&["retry", "hello"]).code, 1);
    let (said, code) = server.stop();
    assert_eq!(code, Some(0));
    assert!(normal(&said).starts_with("TIME seven#1 failed cause=seven SPAN\n"), "{said}");
}

#[test]
fn a_run_is_handed_over_held_waited_for_and_cancelled() {
    let cli = Cli::new().task("long", LONG).task("hello", "run: echo hello");
    let _server = cli.serve();
    let told = cli.neap(&["run", "-d", "long"]);
    assert!(told.stdout.starts_with("long#1 "), "{told:?}");
    assert!(normal(&told.stderr).starts_with("the host has it: neap wait ID, "), "{told:?}");
    cli.wait_for("up");
    let told = cli.neap(&["pause", "long", "--reason", "month end"]);
    assert_eq!(
        (told.stdout.as_str(), told.code),
        ("long#1: held; what runs goes on, nothing new starts\n", 0)
    );
    assert_eq!(cli.neap(&["pause", "long#1"]).code, 1);
    let told = cli.neap(&["resume", "long#1"]);
    assert_eq!((told.stdout.as_str(), told.code), ("long#1: goes on\n", 0));
    let waiting = cli.start(&["wait", "long"]);
    let told = cli.neap(&["cancel", "--task", "long", "--wait", "--reason", "enough"]);
    assert_eq!(normal(&told.stdout), "long#1: asked to stop (long)\nlong#1: cancelled after SPAN\n");
    assert_eq!(told.code, 0);
    let told = waiting.end();
    assert_eq!((normal(&told.stdout).as_str(), told.code), ("TIME long#1 cancelled SPAN\n", 143));
    let told = cli.neap(&["cancel", "long"]);
    assert_eq!(told.stderr, "error: long#1 is over (cancelled): there is nothing to cancel\n");
    assert_eq!((told.stdout.as_str(), told.code), ("", 1));
    cli.neap(&["run", "hello"]);
    let told = cli.neap(&["wait", "hello", "long"]);
    assert_eq!((told.stdout.lines().count(), told.code), (2, 143), "{told:?}");
    let told = cli.neap(&["cancel", "--all"]);
    assert_eq!((told.stderr.as_str(), told.code), ("nothing goes on\n", 0));
    assert_eq!(cli.neap(&["cancel", "--task", "lnog"]).code, 2);
}

#[test]
fn ctrl_c_ends_the_wait_and_not_the_run() {
    let cli = Cli::new().task("long", LONG);
    let _server = cli.serve();
    cli.neap(&["run", "-d", "long"]);
    cli.neap(&["run", "-d", "long"]);
    // Once it has told the end of one run, it waits for the other.
    let mut waiting = cli.start(&["wait", "long#1", "long#2"]);
    cli.wait_for("up");
    cli.neap(&["cancel", "long#2", "--now", "--wait"]);
    waiting.prints("long#2 cancelled");
    waiting.signal(Signal::INT);
    let told = waiting.end();
    assert_eq!(told.code, 130, "{told:?}");
    assert!(normal(&told.stderr).contains("To end them: neap cancel ID\n"), "{told:?}");
    let told = cli.neap(&["cancel", "long#1", "--now", "--wait"]);
    assert_eq!(told.code, 0, "the run did not go on: {told:?}");
}

#[test]
fn ctrl_c_cancels_a_run_that_the_host_has() {
    let cli = Cli::new().task("long", LONG);
    let _server = cli.serve();
    let going = cli.start(&["run", "long"]);
    cli.wait_for("up");
    going.signal(Signal::INT);
    let told = going.end();
    assert_eq!(told.code, 130, "{told:?}");
    assert!(told.stdout.contains("cancelled after"), "{told:?}");
}

#[test]
fn a_run_survives_the_death_of_its_host() {
    let cli = Cli::new().task(
        "long",
        "
tasks:
  first: { run: 'echo $NEAP_ATTEMPT >> tries; test $NEAP_ATTEMPT -gt 1 || { echo up > up; exec sleep 600; }', retry: { attempts: 2, delay: 1ms }, on_host_death: kill }
  second: { depends_on: first, run: 'echo second >> tries' }
",
    );
    let server = cli.serve();
    let following = cli.start(&["run", "long"]);
    cli.wait_for("up");
    server.kill();
    let told = following.end();
    assert_eq!(told.code, 125, "{told:?}");
    assert!(told.stderr.contains("the host has ended before long#1"), "{told:?}");
    for verb in ["wait", "cancel", "retry", "pause"] {
        let told = cli.neap(&[verb, "long"]);
        let code = if verb == "retry" { 1 } else { 125 };
        assert_eq!((told.stdout.as_str(), told.code), ("", code), "{verb}: {told:?}");
        assert!(told.stderr.contains("neap serve"), "{verb}: {told:?}");
    }
    let _server = cli.serve();
    let told = cli.neap(&["wait", "long"]);
    assert_eq!((normal(&told.stdout).as_str(), told.code), ("TIME long#1 ok SPAN\n", 0));
    assert_eq!(std::fs::read_to_string(cli.root().join("tries")).unwrap(), "1\n2\nsecond\n");
}

/// Nothing of a job is lost with the host that started it: it runs once, and its output and its code are its own.
#[test]
fn a_job_goes_on_without_its_host() {
    let long = "{ run: 'echo begin; echo up > up; until test -e go; do sleep 0.01; done; echo end; exit 7' }";
    let cli = Cli::new().task("long", long);
    let server = cli.serve();
    cli.neap(&["run", "-d", "long"]);
    cli.wait_for("up");
    server.kill();
    let _server = cli.serve();
    assert!(cli.neap(&["ps"]).stdout.contains("long#1"), "the next host has it");
    cli.write("go", "");
    let told = cli.neap(&["wait", "long"]);
    assert_eq!((normal(&told.stdout).as_str(), told.code), ("TIME long#1 failed cause=long SPAN\n", 7));
    assert_eq!(cli.neap(&["logs", "long"]).stdout, "begin\nend\n");
}

/// The same when it ends while there is no host: how it ended waits for the next one.
#[test]
fn a_job_ends_without_a_host() {
    let long = "{ run: 'echo size=3 >> $NEAP_OUTPUT; echo up > up; until test -e go; do sleep 0.01; done; echo over > over' }";
    let cli = Cli::new().task("long", long);
    let server = cli.serve();
    cli.neap(&["run", "-d", "long"]);
    cli.wait_for("up");
    server.kill();
    cli.write("go", "");
    cli.wait_for("over");
    let _server = cli.serve();
    let told = cli.neap(&["wait", "long"]);
    assert_eq!((normal(&told.stdout).as_str(), told.code), ("TIME long#1 ok SPAN\n", 0));
    let shown = cli.neap(&["show", "long#1"]).stdout;
    assert!(shown.contains("size=3"), "{shown}");
}

/// An upgrade: the jobs that are kept go on, the others are stopped and go on by their retry rules.
#[test]
fn a_host_makes_way_for_another() {
    let wait = "echo begin; echo up > up; until test -e go; do sleep 0.01; done; echo end; exit 7";
    let short = "echo $NEAP_ATTEMPT >> tries; test $NEAP_ATTEMPT -gt 1 || { echo up > up2; exec sleep 600; }";
    let cli = Cli::new().task("kept", &format!("run: '{wait}'")).task(
        "short",
        &format!("{{ run: '{short}', on_host_death: kill, retry: {{ attempts: 2, delay: 1ms }} }}"),
    );
    let mut old = cli.serve();
    cli.neap(&["run", "-d", "kept"]);
    cli.neap(&["run", "-d", "short"]);
    cli.wait_for("up");
    cli.wait_for("up2");
    let new = cli.serve_with(&["--replace"]);
    old.says("another host takes over");
    assert_eq!(old.end(), Some(0));
    assert!(cli.neap(&["ps"]).stdout.contains("kept#1"));
    cli.write("go", "");
    assert_eq!(cli.neap(&["wait", "kept"]).code, 7);
    assert_eq!(cli.neap(&["logs", "kept"]).stdout, "begin\nend\n", "it has run once");
    assert_eq!(cli.neap(&["wait", "short"]).code, 0);
    assert_eq!(std::fs::read_to_string(cli.root().join("tries")).unwrap(), "1\n2\n");
    assert_eq!(new.stop().1, Some(0));
    // Where there is none, there is nothing to replace.
    let alone = cli.serve_with(&["--replace"]);
    assert_eq!(alone.stop().1, Some(0));
}

#[test]
fn a_second_host_is_refused() {
    let cli = Cli::new().task("hello", "run: echo hello");
    let server = cli.serve();
    let told = cli.neap(&["serve"]);
    assert_eq!((told.stdout.as_str(), told.code), ("", 125));
    assert!(told.stderr.starts_with("error: another host (process "), "{}", told.stderr);
    assert_eq!(server.stop().1, Some(0));
}

#[test]
fn a_host_says_what_it_reads_and_what_is_wrong_with_it() {
    let cli = Cli::new().task("hello", "run: echo hello");
    let mut server = cli.serve();
    cli.write("tasks/hello.yaml", "runn: echo hello");
    let line = server.says("error[E0104]");
    assert_eq!(
        line,
        "tasks/hello.yaml:1:1: error[E0104]: unknown field `runn` (keeping the previous version)\n"
    );
    assert_eq!(cli.neap(&["run", "hello"]).code, 0, "the previous version is gone");
    let told = cli.neap(&["reload"]);
    assert_eq!((told.stdout.lines().last(), told.code), (Some("1 task in use"), 1));
    cli.write("tasks/hello.yaml", "run: echo again");
    server.says("read again: 1 task\n");
    let told = cli.neap(&["reload"]);
    assert_eq!((told.stdout.as_str(), told.code), ("1 task in use\n", 0));
    assert_eq!(server.stop().1, Some(0));
    assert_eq!(cli.neap(&["reload"]).code, 125);
}

#[test]
fn a_host_that_stops_says_for_what_it_waits() {
    let cli = Cli::new().task(
        "stubborn",
        "{ run: \"trap '' TERM; echo up > up; while :; do sleep 1; done\", stop: { grace: 1h } }",
    );
    let mut server = cli.serve();
    cli.neap(&["run", "-d", "stubborn"]);
    cli.wait_for("up");
    server.signal(Signal::INT);
    let line = server.says("stopping");
    assert_eq!(line, "Ctrl-C: stopping, waiting for stubborn#1/stubborn; once more leaves at once\n");
    server.signal(Signal::INT);
    server.says("left at once");
    assert_eq!(server.end(), Some(130));
    // The next host has what was left.
    let server = cli.serve();
    assert_eq!(cli.neap(&["cancel", "stubborn", "--now", "--wait"]).code, 0);
    assert_eq!(server.stop().1, Some(0));
}

#[test]
fn the_schedules_of_a_task_rest() {
    let cli = Cli::new().task("nightly", "{ run: ls, schedule: '13 3 * * *' }");
    let told = cli.neap(&["pause", "nightly", "--reason", "month end"]);
    assert_eq!((told.stdout.as_str(), told.code), ("nightly: its schedule rests\n", 0));
    let server = cli.serve();
    let told = cli.neap(&["pause", "nightly"]);
    assert_eq!(told.stderr, "error: the schedules of `nightly` are paused already\n");
    assert_eq!(told.code, 1);
    let told = cli.neap(&["resume", "nightly"]);
    assert_eq!((told.stdout.as_str(), told.code), ("nightly: its schedule goes on\n", 0));
    assert_eq!(server.stop().1, Some(0));
}
