//! What the process of a job is given between fork and exec, and of the environment.
//!
//! Whoever runs these tests as root sees another user at work; whoever does not sees that it is refused.

use super::batch::{Batch, Host};
use neap::api::RunInfo;
use neap::engine::{Cause, Outcome};

/// A host with these tasks.
async fn host_of(batch: &Batch, tasks: &[(&str, &str)]) -> Host {
    tasks.iter().for_each(|(name, yaml)| batch.task(name, yaml));
    batch.serve().await
}

/// Runs a task of one job, and gives what it wrote.
async fn run(host: &Host, name: &str) -> (RunInfo, String) {
    let run = host.submit(name).await;
    let run = host.over(&run).await;
    let log = run.jobs[0].log.as_ref().map(|log| std::fs::read_to_string(log).unwrap_or_default());
    (run, log.unwrap_or_default())
}

#[track_caller]
fn wrote((run, log): (RunInfo, String), expected: &str) {
    assert_eq!(log, expected, "{:?}", run.jobs[0].outcome);
}

#[track_caller]
fn refused((run, _): (RunInfo, String), expected: &str) {
    match &run.jobs[0].outcome {
        Some(Outcome::Failed { cause: Cause::NotSpawned { message, .. } }) => assert_eq!(message, expected),
        other => panic!("it was started: {other:?}"),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_and_a_place_behind_others() {
    let batch = Batch::empty("shim");
    let tasks = [
        ("both", "run: |\n  umask\n  nice\numask: \"0127\"\nnice: 7\n"),
        ("child", "defaults: { nice: 3 }\ntasks:\n  a: { run: nice }\n"),
        ("first", "run: nice\nnice: -5\n"),
    ];
    let host = host_of(&batch, &tasks).await;
    wrote(run(&host, "both").await, "0127\n7\n");
    wrote(run(&host, "child").await, "3\n");
    let first = run(&host, "first").await;
    match is_root() {
        true => wrote(first, "-5\n"),
        false => refused(
            first,
            "its `nice` -5 could not be set: the host may not do that; it would have to run as root",
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user() {
    let batch = Batch::empty("shim");
    let script =
        "run: |\n  id -u\n  id -g\n  id -G\n  echo \"${HOME-none} ${LOGNAME-none}\"\nworking_dir: /\n";
    let with = |more: &str| format!("{script}{more}\n");
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let other = "user: \"54321:54322\"";
    let host = host_of(
        &batch,
        &[
            ("number", &with(other)),
            ("own", &with(&format!("{other}\nenv: {{ HOME: /own }}"))),
            // The order in which things are done matters: who has become this user may not do that any more.
            ("ahead", &with(&format!("{other}\nnice: -3"))),
            ("root", "run: echo \"$(id -un) $USER $HOME\"\nuser: root\nenv: { HOME: /r }\n"),
            ("oneself", &format!("run: id -u\nuser: {uid}:{gid}\n")),
            ("nobody", "run: id\nuser: no-such-user\n"),
            ("nogroup", "run: id\nuser: root:no-such-group\n"),
            ("lone", "run: id\nuser: 54321\n"),
        ],
    )
    .await;
    if is_root() {
        wrote(run(&host, "number").await, "54321\n54322\n54322\nnone none\n");
        wrote(run(&host, "own").await, "54321\n54322\n54322\n/own none\n");
        wrote(run(&host, "ahead").await, "54321\n54322\n54322\nnone none\n");
        wrote(run(&host, "root").await, "root root /r\n");
    } else {
        let expected = "it could not be started as the user `root`: the host may not do that; it would have to run as root";
        refused(run(&host, "root").await, expected);
    }
    wrote(run(&host, "oneself").await, &format!("{uid}\n"));
    refused(run(&host, "nobody").await, "there is no user `no-such-user`");
    refused(run(&host, "nogroup").await, "there is no group `no-such-group`");
    let expected = "no user has the number 54321, so its group must be given: `user: \"54321:GROUP\"`";
    refused(run(&host, "lone").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_supervisor_it_is_refused() {
    let batch = Batch::empty("group");
    let tasks = [
        ("umask", "run: id\numask: \"077\"\n"),
        ("nice", "run: id\nnice: 5\n"),
        ("user", "run: id\nuser: root\n"),
    ];
    let host = host_of(&batch, &tasks).await;
    for (name, _) in tasks {
        let expected =
            format!("`{name}` takes a supervisor, and this host has none (see `Builder::supervisor`)");
        refused(run(&host, name).await, &expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_environment() {
    let mut batch = Batch::empty("shim");
    batch.variables = &[("GIVEN_ONE", "1"), ("GIVEN_TWO", "2"), ("OTHER", "3"), ("LC_TEST", "4")];
    let script = "run: env | cut -d= -f1 | grep -E '^(GIVEN|OTHER|LC_TEST|PATH|OWN|PARAM_P|NEAP_RUN)' | sort | tr '\\n' ' '\nenv: { OWN: x }\nparams: { p: 1 }\n";
    let with = |more: &str| format!("{script}{more}\n");
    let seen = "run: echo ${{ env.OTHER or 'none' }} ${{ env.GIVEN_ONE }}\nenv_passthrough: GIVEN_ONE\n";
    let host = host_of(
        &batch,
        &[
            ("all", &with("")),
            ("clean", &with("clean_env: true")),
            ("some", &with("env_passthrough: GIVEN_*")),
            ("seen", seen),
        ],
    )
    .await;
    let own = "NEAP_RUN NEAP_RUN_NUMBER";
    wrote(run(&host, "all").await, &format!("GIVEN_ONE GIVEN_TWO LC_TEST {own} OTHER OWN PARAM_P PATH "));
    wrote(run(&host, "clean").await, &format!("LC_TEST {own} OWN PARAM_P PATH "));
    wrote(run(&host, "some").await, &format!("GIVEN_ONE GIVEN_TWO LC_TEST {own} OWN PARAM_P PATH "));
    // An expression sees what the job gets.
    wrote(run(&host, "seen").await, "none 1\n");
}
