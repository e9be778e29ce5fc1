//! What jobs share, from the command line: whose turn it is, who is turned away, and what rests.

use super::support::{Cli, normal};
use neap::api::{RunInfo, Why};

const LONG: &str = "{ run: 'echo up > up; exec sleep 600' }";

fn run(cli: &Cli, name: &str) -> RunInfo {
    serde_json::from_str(&cli.neap(&["show", &format!("{name}#1"), "--json"]).stdout).unwrap()
}

#[test]
fn who_is_more_urgent_goes_first() {
    let cli = Cli::new().task("long", LONG).task("early", "run: echo early").task("late", "run: echo late");
    cli.write("neap.yaml", "slots: 1\n");
    let _server = cli.serve();
    for task in ["long", "early", "late"] {
        assert_eq!(cli.neap(&["run", "-d", task]).code, 0);
    }
    cli.wait_for("up");
    let told = cli.neap(&["prio", "late", "urgent"]);
    assert_eq!((told.stdout.as_str(), told.code), ("late#1: priority urgent\n", 0), "{told:?}");
    let json: RunInfo = serde_json::from_str(&cli.neap(&["prio", "early", "-5", "--json"]).stdout).unwrap();
    assert_eq!(json.priority, Some(-5));
    assert_eq!(cli.neap(&["prio", "early", "very"]).code, 2);
    cli.neap(&["cancel", "long", "--now", "--wait"]);
    assert_eq!(cli.neap(&["wait", "early", "late"]).code, 0);
    let (early, late) = (run(&cli, "early"), run(&cli, "late"));
    assert!(late.finished.unwrap() <= early.started.unwrap(), "{late:?} and {early:?}");
    let over = cli.neap(&["prio", "late", "low"]);
    assert!(over.code == 1 && over.stderr.contains("late#1 is over (ok)"), "{over:?}");
}

#[test]
fn who_is_turned_away_is_told_by_whom() {
    let deploy = "concurrency: { group: deploy, on_conflict: skip }\nrun: 'echo up > up; exec sleep 600'\n";
    let cli = Cli::new()
        .task("one", deploy)
        .task("two", "concurrency: { group: deploy, on_conflict: skip }\nrun: echo");
    let _server = cli.serve();
    cli.neap(&["run", "-d", "one"]);
    cli.wait_for("up");
    for words in [&["run", "two"][..], &["run", "-d", "two"]] {
        let told = cli.neap(words);
        assert_eq!(told.code, 75, "{told:?}");
        let expected = "error: `two` is not started: the group `deploy` has no room beside one#1\n";
        assert!(told.stderr.starts_with(expected) && told.stderr.contains("help: "), "{told:?}");
    }
    cli.neap(&["cancel", "one", "--now", "--wait"]);
    assert_eq!(cli.neap(&["run", "two"]).code, 0);
}

#[test]
fn a_queue_that_rests_does_so_in_the_next_host_too() {
    let cli = Cli::new().task("heavy", "queue: heavy\nrun: echo done").task("light", "run: echo done");
    cli.write("neap.yaml", "queues: { heavy: { slots: 1 } }\n");
    let server = cli.serve();
    let told = cli.neap(&["pause", "--queue", "heavy", "--reason", "the disk is full"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(cli.neap(&["run", "-d", "heavy"]).code, 0);
    assert_eq!(cli.neap(&["run", "light"]).code, 0);
    server.kill();
    let _server = cli.serve();
    let why: Why = serde_json::from_str(&cli.neap(&["why", "heavy#1/heavy", "--json"]).stdout).unwrap();
    assert!(
        why.text.starts_with("waits for the queue `heavy` to be resumed (paused by ")
            && why.text.ends_with(": \"the disk is full\")"),
        "{why:?}"
    );
    let told = cli.neap(&["ps"]);
    assert!(told.stdout.contains("the queue `heavy` to be resumed"), "{told:?}");
    let unknown = cli.neap(&["pause", "--queue", "hevy"]);
    assert!(unknown.code != 0 && unknown.stderr.contains("did you mean `heavy`?"), "{unknown:?}");
    assert_eq!(cli.neap(&["resume", "--queue", "heavy"]).code, 0);
    let told = cli.neap(&["wait", "heavy"]);
    assert_eq!((normal(&told.stdout).as_str(), told.code), ("TIME heavy#1 ok SPAN\n", 0));
}

/// What is taken is taken from the database, so it has to be right after a crash as well.
/// One lock for each stage, and one for each cell: runs of the same stage exclude each other and no others.
#[test]
fn the_names_of_locks_come_from_parameters_and_cells() {
    let deploy = "
params: { stage: test }
locks: 'stage-${{ params.stage }}'
strategy: { matrix: { part: [a, b] } }
run: 'echo up >> up-${{ params.stage }}; exec sleep 600'
";
    let cell = deploy.replace("locks: 'stage-${{ params.stage }}'", "locks: 'part-${{ matrix.part }}'");
    let cli = Cli::new().task("deploy", deploy).task("cell", &cell.replace("up-${{", "cell-${{"));
    cli.write("neap.yaml", "slots: 8\n");
    let _server = cli.serve();
    for stage in ["stage=test", "stage=live"] {
        assert_eq!(cli.neap(&["run", "-d", "deploy", stage]).code, 0);
    }
    assert_eq!(cli.neap(&["run", "-d", "cell"]).code, 0);
    for file in ["up-test", "up-live", "cell-test"] {
        cli.wait_for(file);
    }
    for (run, lock) in [("deploy#1", "stage-test"), ("deploy#2", "stage-live")] {
        let why: Why = serde_json::from_str(&cli.neap(&["why", run, "--json"]).stdout).unwrap();
        let waits = format!("waits for the lock `{lock}`");
        assert!(why.because.iter().any(|why| why.text.starts_with(&waits)), "{why:?}");
    }
    for run in ["deploy#1", "deploy#2", "cell#1"] {
        cli.neap(&["cancel", run, "--now", "--wait"]);
    }
}

#[test]
fn a_lock_is_held_across_the_death_of_the_host() {
    let held =
        "locks: db\non_host_death: keep\nrun: 'echo up > up; while ! [ -e go ]; do sleep 0.05; done'\n";
    let cli = Cli::new().task("holds", held).task("wants", "locks: db\nrun: echo");
    let server = cli.serve();
    cli.neap(&["run", "-d", "holds"]);
    cli.wait_for("up");
    cli.neap(&["run", "-d", "wants"]);
    server.kill();
    let _server = cli.serve();
    let why: Why = serde_json::from_str(&cli.neap(&["why", "wants#1/wants", "--json"]).stdout).unwrap();
    assert!(why.text.starts_with("waits for the lock `db` (held by holds#1 for "), "{why:?}");
    assert_eq!((why.because.len(), why.because[0].subject.as_str()), (1, "holds#1"));
    let _: Vec<RunInfo> = serde_json::from_str(&cli.neap(&["ps", "--json"]).stdout).unwrap();
    cli.write("go", "");
    assert_eq!(cli.neap(&["wait", "holds", "wants"]).code, 0);
    let (holds, wants) = (run(&cli, "holds"), run(&cli, "wants"));
    assert!(holds.finished.unwrap() <= wants.started.unwrap(), "{holds:?} and {wants:?}");
}

#[test]
fn what_is_asked_for_again_under_its_key_is_the_same_run() {
    let cli = Cli::new().task("import", "{ params: { file: a }, run: 'echo $PARAM_FILE >> seen; exit 3' }");
    let ask =
        |more: &[&str]| cli.neap(&[&["run", "import", "--idempotency-key", "order 4711"], more].concat());
    let first = ask(&[]);
    assert_eq!(first.code, 3, "{first:?}");
    let again = ask(&["file=a"]);
    assert_eq!(again.code, 3, "{again:?}");
    assert!(again.stderr.contains("this key was used before"), "{again:?}");
    let other = ask(&["file=b"]);
    assert_eq!(other.code, 2, "{other:?}");
    assert!(
        other.stderr.contains("the key `order 4711` is that of import#1, which has other parameters"),
        "{other:?}"
    );
    assert_eq!(cli.neap(&["run", "import", "--idempotency-key", ""]).code, 2);
    assert_eq!(run(&cli, "import").key.as_deref(), Some("order 4711"));
    // Another host, and many at once: one of them is the first.
    let _server = cli.serve();
    assert_eq!(ask(&["-d"]).code, 0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(cli.neap(&["run", "import", "--idempotency-key", "new"]).code, 3));
        }
    });
    let runs: Vec<RunInfo> =
        serde_json::from_str(&cli.neap(&["history", "import", "--json"]).stdout).unwrap();
    assert_eq!(runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["import#2", "import#1"]);
    assert_eq!(std::fs::read_to_string(cli.root().join("seen")).unwrap(), "a\na\n");
}

#[test]
fn a_rate_counts_what_began_before_a_restart() {
    let cli = Cli::new().task("call", "rate_limit: { limit: 1, per: 1h, key: api }\nrun: echo");
    assert_eq!(cli.neap(&["run", "call"]).code, 0);
    let _server = cli.serve();
    assert_eq!(cli.neap(&["run", "-d", "call"]).code, 0);
    let told = cli.neap(&["why", "call#2", "--json"]);
    let why: Why = serde_json::from_str(&told.stdout).unwrap();
    let text = &why.because[0].text;
    assert!(
        text.starts_with("waits for its turn in 59m") && text.ends_with("(1 of `api` begin in 1h)"),
        "{why:?}"
    );
    assert!(why.because[0].until.is_some());
    assert_eq!(cli.neap(&["cancel", "call", "--wait"]).code, 0);
}

/// What is said is what would be done: a task with schedules means these, not its last run.
#[test]
fn what_would_rest_are_the_schedules_of_a_task() {
    let cli = Cli::new()
        .task("beat", "{ run: exec sleep 600, schedule: [{ every: 9h }, { every: 8h }] }")
        .task("plain", LONG);
    let _server = cli.serve();
    assert_eq!(cli.neap(&["run", "-d", "beat"]).code, 0);
    assert_eq!(cli.neap(&["run", "-d", "plain"]).code, 0);
    #[track_caller]
    fn check(cli: &Cli, words: &[&str], expected: &str) {
        let told = cli.neap(words);
        assert!(told.stdout.starts_with(expected) && told.code == 0, "{words:?}: {told:?}");
    }
    check(&cli, &["pause", "beat", "--dry-run"], "would pause the 2 schedules of beat\n");
    check(&cli, &["resume", "beat", "--dry-run"], "would resume the 2 schedules of beat\n");
    check(&cli, &["pause", "beat", "--dry-run", "--json"], "{");
    check(&cli, &["pause", "plain", "--dry-run"], "would pause plain#1 (");
    check(&cli, &["pause", "beat#1", "--dry-run"], "would pause beat#1 (");
    let paused = cli.neap(&["ls", "--json"]);
    assert!(!paused.stdout.contains("\"paused\":"), "{paused:?}");
    check(&cli, &["pause", "beat"], "beat: its 2 schedules rest\n");
    assert_eq!(cli.neap(&["cancel", ":running", "--now", "--wait"]).code, 0);
}

/// One command for many runs: what it would do is said first, and what goes on beside them is left alone.
#[test]
fn many_runs_are_meant_by_what_they_have_in_common() {
    let cli = Cli::new()
        .task("long", LONG)
        .task("early", "run: echo early")
        .task("late", "{ run: echo late, queue: heavy }");
    cli.write("neap.yaml", "slots: 1\nqueues: { heavy: { slots: 1 } }\n");
    let _server = cli.serve();
    assert_eq!(cli.neap(&["run", "-d", "long"]).code, 0);
    cli.wait_for("up");
    assert_eq!(cli.neap(&["pause", "--queue", "heavy"]).code, 0);
    for task in ["early", "early", "late", "late"] {
        assert_eq!(cli.neap(&["run", "-d", task]).code, 0);
    }
    let says = |words: &[&str], expected: &str| {
        let told = cli.neap(words);
        assert_eq!((told.stdout.as_str(), told.code), (expected, 0), "{words:?}: {told:?}");
    };
    says(
        &["cancel", ":queue=heavy", "--dry-run"],
        "would cancel late#1 (queued), by anna\nwould cancel late#2 (queued), by anna\n",
    );
    says(
        &["prio", ":task=early", "high", "--dry-run"],
        "would prioritise early#1 (queued), by anna\nwould prioritise early#2 (queued), by anna\n",
    );
    says(&["prio", ":task=early", "high"], "early#1: priority high\nearly#2: priority high\n");
    let held = cli.neap(&["pause", ":queued", "--json"]);
    let held: Vec<RunInfo> = serde_json::from_str(&held.stdout).unwrap();
    let names: Vec<&str> = held.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["early#1", "early#2", "late#1", "late#2"]);
    says(
        &["resume", ":paused", "--dry-run"],
        "would resume early#1 (paused), by anna\nwould resume early#2 (paused), by anna\nwould resume late#1 (paused), by anna\nwould resume late#2 (paused), by anna\n",
    );
    assert_eq!(cli.neap(&["resume", ":paused"]).stdout.lines().count(), 4);
    assert_eq!(cli.neap(&["cancel", "--queue", "heavy", "--wait"]).code, 0);
    assert_eq!(run(&cli, "late").state.word(), "cancelled");
    assert_eq!(run(&cli, "early").state.word(), "queued", "what stands in another queue goes on");
    let none = cli.neap(&["cancel", ":paused"]);
    assert!(none.code == 1 && none.stderr.contains("neap ps"), "{none:?}");
    let misspelt = cli.neap(&["cancel", ":queud"]);
    assert!(misspelt.code == 1 && misspelt.stderr.contains(":queued"), "{misspelt:?}");
    let many = cli.neap(&["show", ":running"]);
    assert!(many.code != 0 && many.stderr.contains("one run at a time"), "{many:?}");
    assert_eq!(cli.neap(&["cancel", ":running", "--now", "--wait"]).code, 0);
}
