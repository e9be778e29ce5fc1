//! `neap why`: the reason at the end of every chain, with a host and without one.

use super::support::{Project, started};
use neap::api::Why;
use neap::engine::{Author, Event};
use neap::host::{Happening, RunRequest};
use std::fs;
use std::time::Duration;

const GATE: &str = "
tasks:
  wait: { run: 'cat gate' }
  check: { depends_on: wait, run: echo }
  report: { depends_on: check, run: echo }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_followed_to_what_holds_it_up() {
    let project = Project::new(&[("gate", GATE), ("other", "run: echo"), ("idle", "run: echo")]);
    project.fifo("gate");
    let host = project.host_with(1).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut feed = host.listen();
    let serving = tokio::spawn(neap::api::serve(host.clone(), stop.clone()));
    let gate = host.submit(RunRequest::new("gate", "anna")).await.unwrap();
    started(&mut feed).await;
    let other = host.submit(RunRequest::new("other", "anna")).await.unwrap();
    let anna = || Author("anna".into());
    host.pause(gate, anna(), Some("lunch & more".into())).await.unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        // The job between them is not told of: it only waits.
        let why: Why = project.json(&["why", "gate#1/report"]);
        assert_eq!((why.state.as_str(), why.text.as_str()), ("waiting", "waits for check"));
        assert_eq!(why.because.len(), 1);
        assert_eq!(
            (why.because[0].subject.as_str(), why.because[0].state.as_str()),
            ("gate#1/wait", "running")
        );
        project.person(&["why", "gate#1"]).is_clean().shows(&[
            "gate#1 is held: paused by anna: \"lunch & more\" (neap resume gate#1)",
            "\n  gate#1/wait runs for ",
        ]);
        project.person(&["why", "other"]).shows(&[
            "other goes on\n",
            "  other#1 goes on: 0 of 1 jobs are done",
            "    other#1 waits for a slot (1 of 1 busy)",
            "      gate#1/wait has a slot, running for ",
        ]);
        project.person(&["why", "idle"]).shows(&["idle has no schedule and never ran (neap run idle)"]);
        fs::write(project.root().join("gate"), "opened\n").unwrap();
        project
    });
    let project = asked.await.unwrap();
    host.resume(gate, anna()).await.unwrap();
    assert!(host.wait(gate).await.is_some() && host.wait(other).await.is_some());
    stop.cancel();
    serving.await.unwrap().unwrap();
    host.shutdown().await;
    drop(host);
    // Nobody is up: the files know as much.
    project
        .person(&["why", "gate"])
        .shows(&["gate has no schedule: it runs when somebody asks", "  gate#1 ended well"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_run_says_why() {
    let failing = "tasks: { a: { run: exit 3 }, b: { depends_on: a, run: echo }, c: { if: \"${{ false }}\", run: echo } }";
    let project = Project::new(&[
        ("failing", failing),
        ("nightly", "schedule: \"13 3 * * *\"\nrun: echo"),
        ("resting", "schedule: \"@daily\"\nrun: echo"),
    ]);
    let host = project.host().await;
    let run = host.submit(RunRequest::new("failing", "anna")).await.unwrap();
    host.wait(run).await.unwrap();
    host.rest("resting".parse().unwrap(), true, Author("bert".into()), Some("month end".into()))
        .await
        .unwrap();
    host.shutdown().await;
    drop(host);
    project.person(&["why", "failing#1"]).is_clean().shows(&[
        "failing#1 ended: failed, a (exit 3)",
        "\n  failing#1/a is done: exit 3",
        "\n  failing#1/b is done: skipped: needs a",
        "\n  failing#1/c is done: skipped: not so: false",
    ]);
    project.person(&["why", "nightly"]).shows(&[
        "nightly does not run now",
        "  13 3 * * * fires next: daily at 03:13",
        "until ",
    ]);
    project
        .person(&["why", "resting"])
        .shows(&["its schedules rest: paused by bert: \"month end\" (neap resume resting)"]);
    let unknown = project.neap(&["why", "nihgtly"]);
    assert!(unknown.code == 1 && unknown.err.contains("did you mean `nightly`?"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_not_begin_says_for_what_it_waits() {
    let project = Project::new(&[("gate", "max_instances: 1\nrun: cat gate")]);
    project.fifo("gate");
    let host = project.host().await;
    let mut feed = host.listen();
    let first = host.submit(RunRequest::new("gate", "anna")).await.unwrap();
    started(&mut feed).await;
    let second = host.submit(RunRequest::new("gate", "anna")).await.unwrap();
    project.person(&["ps"]).shows(&["waits for its turn among the runs of `gate` (1 of 1 go on: gate#1)"]);
    project.person(&["why", "gate#2"]).shows(&["\n  gate#2 waits for its turn", "\n    gate#1 goes on"]);
    // Whoever opens the gate first must not find nobody behind it.
    for run in [first, second] {
        std::fs::write(project.root().join("gate"), "opened\n").unwrap();
        host.wait(run).await.unwrap();
    }
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_says_when_it_ends() {
    let project =
        Project::new(&[("gate", "tasks: { a: { run: 'cat gate' }, b: { depends_on: a, run: echo } }")]);
    fs::write(project.root().join("gate"), "").unwrap();
    project.past(&["gate", "gate"]).await;
    fs::remove_file(project.root().join("gate")).unwrap();
    project.fifo("gate");
    let host = project.host().await;
    let mut feed = host.listen();
    let run = host.submit(RunRequest::new("gate", "anna")).await.unwrap();
    started(&mut feed).await;
    let info: neap::api::RunInfo = project.json(&["show", "gate#3"]);
    assert!(info.jobs.iter().all(|job| job.usual_ms.is_some()), "{info:?}");
    let never = project.json::<Vec<neap::api::RunInfo>>(&["ps"]);
    assert_eq!(never.len(), 1);
    fs::write(project.root().join("gate"), "opened\n").unwrap();
    host.wait(run).await.unwrap();
    host.shutdown().await;
}

/// A slot that got no run is not gone without a word.
#[tokio::test(flavor = "multi_thread")]
async fn slots_without_a_run_are_shown_with_their_reasons() {
    let project = Project::new(&[("often", "{ run: 'cat gate', schedule: { every: 1s } }")]);
    project.fifo("gate");
    let host = project.host().await;
    let mut feed = host.listen();
    let skipped = async {
        loop {
            if let Happening::Event { record, .. } = &*feed.next().await.unwrap().unwrap()
                && matches!(record.event, Event::SlotSkipped { .. })
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), skipped).await.expect("no slot was left out");
    fs::write(project.root().join("gate"), "opened\n").unwrap();
    host.shutdown().await;
    drop(host);
    tokio::task::spawn_blocking(move || {
        project.person(&["show", "often"]).shows(&["slots without a run", ": often#1 was still going on\n"]);
        project
            .person(&["why", "often"])
            .shows(&["every 1s last left out a slot: often#1 was still going on"]);
        let shown: serde_json::Value = project.json(&["show", "often"]);
        assert_eq!(shown["left_out"][0]["why"], "overlap", "{shown}");
    })
    .await
    .unwrap();
}

/// What kept a job from running is told with its place, while it stands there.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_was_false_is_told_with_its_place() {
    let flow = "
params: { stage: test }
tasks:
  build: { run: echo }
  deploy:
    depends_on: build
    if: params.stage == 'live'
    run: echo
";
    let project = Project::new(&[("flow", flow), ("one", "run: echo\nif: \"false\"\n")]);
    project.past(&["flow", "one"]).await;
    tokio::task::spawn_blocking(move || {
        let place = "is done: skipped: not so: params.stage == 'live' (tasks/flow.yaml:7)";
        project.person(&["why", "flow#1/deploy"]).shows(&[place]);
        project.person(&["why", "one#1/one"]).shows(&["(tasks/one.yaml:2)"]);
        project.task("flow", &flow.replace("'live'", "'other'"));
        let text = project.person(&["why", "flow#1/deploy"]).out;
        assert!(text.contains("'live'") && !text.contains(".yaml"), "{text}");
    })
    .await
    .unwrap();
}
