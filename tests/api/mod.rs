//! The API over a real socket.

use crate::host::support::Project;
use neap::api::{Cancel, Client, ClientError, HostInfo, LogPart, Rest, RunInfo, RunState, serve};
use neap::engine::Event;
use neap::host::{Happening, Host, Mode, RunRequest};
use std::os::unix::fs::PermissionsExt;
use tokio_util::sync::CancellationToken;

/// A host that listens, and how to end it.
struct Up {
    host: Host,
    client: Client,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Up {
    async fn new(project: &Project) -> Up {
        let host = project.open(Mode::Serve).await;
        let stop = CancellationToken::new();
        let client = Client::new(host.state_dir());
        let mut watch = neap::watch::Watch::new(host.state_dir(), &["host.sock"]).unwrap();
        let serving = serve(host.clone(), stop.clone());
        let served = tokio::spawn(async move { serving.await.unwrap() });
        while !client.is_up().await {
            watch.changed().await;
        }
        Up { host, client, stop, served }
    }

    async fn down(self) {
        self.stop.cancel();
        self.served.await.unwrap();
        self.host.shutdown().await;
    }
}

#[track_caller]
fn refused(answer: Result<RunInfo, ClientError>, status: u16, words: &str) {
    match answer {
        Err(ClientError::Refused { status: seen, refusal }) => {
            let text = format!("{} {}", refusal.message, refusal.hint.unwrap_or_default());
            assert_eq!(seen, status, "{text}");
            assert!(text.contains(words), "{text}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_submitted_followed_and_read_back() {
    let project = Project::new().task("build", "steps: [ { id: a, run: echo a }, { id: b, run: echo b } ]");
    let up = Up::new(&project).await;
    let run: RunInfo = up.client.post("/api/v1/runs", &RunRequest::new("build", "me")).await.unwrap();
    let ended: RunInfo = up.client.get(&format!("/api/v1/runs/{}/wait", run.id)).await.unwrap();
    assert_eq!((ended.state, ended.exit_code, ended.jobs.len()), (RunState::Succeeded, Some(0), 2));
    assert_eq!(ended.name, "build#1");
    // Everything from the beginning, once each and in order.
    let mut events = up.client.events(&format!("?run={}&after=0", run.id)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(Happening::Event { seq, record }) = events.next().await {
        seen.push(seq);
        if matches!(record.event, Event::RunFinished { .. }) {
            break;
        }
    }
    assert!(seen.is_sorted_by(|a, b| a < b) && seen.len() >= 10, "{seen:?}");
    let host: HostInfo = up.client.get("/api/v1/host").await.unwrap();
    assert_eq!((host.runs, host.tasks, host.errors), (0, 1, 0));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_read_in_parts() {
    let project =
        Project::new().task("build", "steps: [ { id: a, run: echo hello }, { id: b, run: echo b } ]");
    let up = Up::new(&project).await;
    let run: RunInfo = up.client.post("/api/v1/runs", &RunRequest::new("build", "me")).await.unwrap();
    let _: RunInfo = up.client.get(&format!("/api/v1/runs/{}/wait", run.id)).await.unwrap();
    let path = |query: &str| format!("/api/v1/runs/{}/log{query}", run.id);
    let part: LogPart = up.client.get(&path("?job=a&from=1&limit=3")).await.unwrap();
    assert_eq!((&*part.text, part.next, part.end, part.is_over), ("ell", 4, 6, true));
    let part: LogPart = up.client.get(&path("?job=a&last=4&attempt=1")).await.unwrap();
    assert_eq!((&*part.text, part.from, part.next), ("llo\n", 2, 6));
    for (query, status, words) in [
        ("", 409, "which job? the run has 2"),
        ("?job=c", 404, "no job `c`"),
        ("?job=a&attempt=2", 404, "no log of it yet"),
        ("?job=a&from=1&last=2", 400, "either `from` or `last`"),
    ] {
        refused(up.client.get(&path(query)).await, status, words);
    }
    up.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_with_words() {
    let project = Project::new()
        .task("build", "{ run: 'true', params: { day: { type: date, required: true } } }")
        .task("broken", "rnu: x");
    let up = Up::new(&project).await;
    let post = |request: RunRequest| {
        let client = up.client.clone();
        async move { client.post::<RunInfo>("/api/v1/runs", &request).await }
    };
    refused(post(RunRequest::new("biuld", "me")).await, 404, "did you mean `build`?");
    refused(post(RunRequest::new("../etc", "me")).await, 404, "no task");
    refused(post(RunRequest::new("broken", "me")).await, 422, "neap check");
    refused(post(RunRequest::new("build", "me")).await, 400, "day");
    refused(post(RunRequest::new("build", "me").param("day", "soon")).await, 400, "day");
    refused(up.client.get("/api/v1/runs/aaaaaaaa").await, 404, "no run");
    refused(up.client.get("/api/v1/runs/..%2f..%2fetc").await, 400, "eight letters");
    refused(up.client.post("/api/v1/runs/aaaaaaaa/cancel", &Cancel::default()).await, 404, "not going on");
    refused(up.client.post("/api/v1/runs", &"not a request").await, 422, "");
    refused(up.client.get("/nowhere").await, 404, "");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_resumed_and_cancelled() {
    let project = Project::new()
        .task("slow", "steps: [ { id: a, run: 'echo up > up; exec sleep 600' }, { id: b, run: 'true' } ]");
    let up = Up::new(&project).await;
    let run: RunInfo = up.client.post("/api/v1/runs", &RunRequest::new("slow", "me")).await.unwrap();
    project.wait_for("up").await;
    let act = |verb: &str| format!("/api/v1/runs/{}/{verb}", run.id);
    let paused: RunInfo = up
        .client
        .post(&act("pause"), &Rest { reason: Some("lunch".into()), by: None, job: None })
        .await
        .unwrap();
    assert_eq!(paused.why.as_deref(), Some("paused by api: \"lunch\""));
    refused(up.client.post(&act("pause"), &Rest::default()).await, 409, "paused already");
    let resumed: RunInfo = up.client.post(&act("resume"), &Rest::default()).await.unwrap();
    assert_eq!(resumed.state, RunState::Running);
    let _: RunInfo =
        up.client.post(&act("cancel"), &Cancel { now: true, ..Cancel::default() }).await.unwrap();
    let ended: RunInfo = up.client.get(&act("wait")).await.unwrap();
    assert_eq!((ended.state, ended.exit_code), (RunState::Cancelled, Some(143)));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_reaches_the_socket() {
    let project = Project::new().task("a", "run: 'true'");
    let up = Up::new(&project).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(up.host.state_dir()), 0o700);
    assert_eq!(mode(&up.host.state_dir().join("host.sock")), 0o600);
    assert_eq!(mode(&up.host.state_dir().join("neap.db")), 0o600);
    let socket = up.host.state_dir().join("host.sock");
    up.down().await;
    assert!(!socket.exists(), "a socket nobody serves was left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_too_long_for_a_socket_is_no_obstacle() {
    let project = Project::new();
    let deep = project.root().join("a-directory-with-a-long-name/".repeat(6));
    std::fs::create_dir_all(deep.join("tasks")).unwrap();
    let host = Host::builder(&deep).open().await.unwrap();
    let stop = CancellationToken::new();
    let client = Client::new(host.state_dir());
    let mut watch = neap::watch::Watch::new(host.state_dir(), &["host.sock"]).unwrap();
    let serving = tokio::spawn(serve(host.clone(), stop.clone()));
    while !client.is_up().await {
        watch.changed().await;
    }
    stop.cancel();
    serving.await.unwrap().unwrap();
    host.shutdown().await;
}
