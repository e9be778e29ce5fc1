//! The built-in actions, with real servers and real files.

use super::server::{Reply, Server, answer};
use super::support::Project;
use neap::base::RunId;
use neap::engine::{Author, RunOutcome};
use neap::host::{Happening, Host, Mode, RunRequest};
use neap::store::JobRow;
use std::time::{Duration, Instant};

/// How the run ended, and its log.
async fn done(host: &Host, project: &Project, task: &str) -> (bool, String, RunId) {
    let run = host.submit(RunRequest::new(task, "me")).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(60), host.wait(run)).await.expect("it hangs");
    (outcome == Some(RunOutcome::Succeeded), project.log(run, task, 1), run)
}

fn jobs(host: &Host, run: RunId) -> Vec<JobRow> {
    host.history().jobs(run).unwrap()
}

fn output(host: &Host, run: RunId, name: &str) -> String {
    let value = jobs(host, run)[0].outputs.get(name).cloned().unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Waits until the log of the first attempt at a job has these words.
async fn says(host: &Host, project: &Project, run: RunId, job: &str, words: &str) {
    let mut feed = host.listen();
    let wait = async {
        loop {
            let path = format!(".neap/runs/{run}/{job}.1.log");
            let log = std::fs::read_to_string(project.root().join(path)).unwrap_or_default();
            if log.contains(words) {
                return;
            }
            // A progress remark follows each such line.
            let _ = tokio::time::timeout(Duration::from_millis(200), feed.next()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it never said so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_hands_on_what_was_answered() {
    let server = Server::start(|_, _| {
        let body = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
        Reply::Bytes(
            format!(
                "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
            )
            .into(),
        )
    })
    .await;
    let project = Project::new().task(
        "ask",
        &format!(
            "
            env: {{ TOKEN: abc123 }}
            uses: http.request
            with: {{ url: '{}', json: {{ a: [1] }}, headers: {{ X-Kind: 7 }}, bearer: TOKEN, expect: [201, 204] }}
            ",
            server.url("/x?y=1")
        ),
    );
    let host = project.open(Mode::Serve).await;
    let (is_good, log, run) = done(&host, &project, "ask").await;
    assert!(is_good, "{log}");
    assert_eq!(output(&host, run, "body"), "hello world");
    assert_eq!(output(&host, run, "status"), "201");
    assert_eq!(output(&host, run, "content_type"), "text/plain");
    let request = server.requests()[0].to_lowercase();
    assert!(request.starts_with("post /x?y=1 http/1.1\r\n"), "{request}");
    for part in ["x-kind: 7\r\n", "authorization: bearer abc123\r\n", "content-type: application/json\r\n"] {
        assert!(request.contains(part), "{request}");
    }
    assert!(request.ends_with("{\"a\":[1]}"), "{request}");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_says_why() {
    let server = Server::start(|path, _| match path {
        "/missing" => answer("404 Not Found", "", "no \u{1b}[31msuch\u{1b}[0m page"),
        "/early" => Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
        "/loop" => answer("302 Found", "Location: /loop\r\n", ""),
        "/elsewhere" => answer("302 Found", "Location: file:///etc/passwd\r\n", ""),
        "/noise" => Reply::Bytes(b"\x00\x01 what?\r\n\r\n".to_vec()),
        "/closed" => Reply::Bytes(Vec::new()),
        _ => Reply::Hang,
    })
    .await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cases = [
        ("missing", server.url("/missing"), "HTTP 404 Not Found\nno \u{fffd}[31msuch\u{fffd}[0m page\n"),
        ("early", server.url("/early"), "the answer broke off"),
        ("loop", server.url("/loop"), "the redirects lead nowhere: too many redirects"),
        ("elsewhere", server.url("/elsewhere"), "neap: GET http://"),
        ("noise", server.url("/noise"), "no answer that can be understood"),
        ("closed", server.url("/closed"), "no answer that can be understood"),
        ("hang", server.url("/hang"), "no complete answer within 1s"),
        ("refused", format!("http://{free}/"), "nobody listens there (connection refused)"),
        ("plain", server.url("/x").replace("http:", "https:"), "neap: GET https://"),
        ("unknown", "http://name.invalid/".into(), "the name of the host is not known (DNS)"),
    ];
    let mut project = Project::new();
    for (name, url, _) in &cases {
        project =
            project.task(name, &format!("{{ uses: http.request, with: {{ url: '{url}', timeout: 1s }} }}"));
    }
    let host = project.open(Mode::Serve).await;
    for (name, _, expected) in cases {
        let (is_good, log, _) = done(&host, &project, name).await;
        assert!(!is_good && log.contains(expected), "{name}: {log}");
    }
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_host_loses_the_credentials() {
    let second = Server::start(|_, _| answer("200 OK", "", "second")).await;
    let location = format!("Location: {}\r\n", second.url("/there").replace("127.0.0.1", "localhost"));
    let first = Server::start(move |_, _| answer("302 Found", &location, "first")).await;
    let with = |expect: &str| {
        let url = first.url("/").replace("http://", "http://me:secret@");
        format!("{{ uses: http.request, with: {{ url: '{url}', expect: {expect} }} }}")
    };
    let project = Project::new().task("follow", &with("200")).task("stay", &with("302"));
    let host = project.open(Mode::Serve).await;
    let (is_good, log, run) = done(&host, &project, "follow").await;
    assert!(is_good && !log.contains("secret"), "{log}");
    assert_eq!(output(&host, run, "body"), "second");
    assert!(first.requests()[0].to_lowercase().contains("authorization: basic"));
    assert!(!second.requests()[0].to_lowercase().contains("authorization"), "{:?}", second.requests());
    let (is_good, log, run) = done(&host, &project, "stay").await;
    assert!(is_good && output(&host, run, "body") == "first", "{log}");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_answer_is_cut_or_saved() {
    let server = Server::start(|_, _| answer("200 OK", "", vec![b'x'; 300 << 10])).await;
    let url = server.url("/");
    let project = Project::new()
        .task("cut", &format!("{{ uses: http.request, with: {{ url: '{url}' }} }}"))
        .task("save", &format!("{{ uses: http.request, with: {{ url: '{url}', save: got }} }}"))
        .task(
            "nowhere",
            &format!("{{ uses: http.request, with: {{ url: '{url}', save: no/such/folder }} }}"),
        );
    let host = project.open(Mode::Serve).await;
    let (is_good, log, run) = done(&host, &project, "cut").await;
    assert!(is_good && log.contains("warning: the body is longer than 256 KiB"), "{log}");
    assert_eq!(output(&host, run, "body").len(), 256 << 10);
    let (is_good, log, run) = done(&host, &project, "save").await;
    assert!(is_good && log.contains("307200 bytes"), "{log}");
    assert_eq!((output(&host, run, "body"), project.read("got").len()), ("null".into(), 300 << 10));
    let (is_good, log, _) = done(&host, &project, "nowhere").await;
    assert!(!is_good && log.contains("no/such/folder` cannot be written"), "{log}");
    let left = std::fs::read_dir(project.root()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with(".got")).count(), 0);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_can_be_cancelled() {
    let server = Server::start(|_, _| Reply::Hang).await;
    let url = server.url("/");
    let project = Project::new().task("hang", &format!("{{ uses: http.request, with: {{ url: '{url}' }} }}"));
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("hang", "me")).await.unwrap();
    says(&host, &project, run, "hang", "GET http://").await;
    let before = Instant::now();
    host.cancel(run, Author("me".into()), None, false).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Cancelled));
    assert!(before.elapsed() < Duration::from_secs(8), "it was only stopped after its grace");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_asked_until_it_answers_as_expected() {
    let server = Server::start(|_, before| match before {
        0..=2 => answer("503 Service Unavailable", "", ""),
        3 => Reply::Bytes(Vec::new()),
        _ => answer("204 No Content", "", ""),
    })
    .await;
    let project = Project::new().task(
        "up",
        &format!(
            "{{ uses: wait.http, with: {{ url: '{}', every: 100ms }}, timeout: 30s }}",
            server.url("/h")
        ),
    );
    let host = project.open(Mode::Serve).await;
    let (is_good, log, run) = done(&host, &project, "up").await;
    assert!(is_good, "{log}");
    assert_eq!(log.matches("not yet: HTTP 503 Service Unavailable\n").count(), 1, "{log}");
    assert!(log.contains("not yet: no answer that can be understood"), "{log}");
    assert!(log.ends_with("HTTP 204 No Content\n"), "{log}");
    assert_eq!((server.requests().len(), output(&host, run, "status")), (5, "204".into()));
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_waited_for_until_it_rests_and_until_it_is_gone() {
    let project = Project::new()
        .task("come", "{ uses: wait.file, with: { path: in/today/data.csv, settle: 1s }, timeout: 30s }")
        .task("go", "{ uses: wait.file, with: { path: in/today/data.csv, gone: true }, timeout: 30s }");
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("come", "me")).await.unwrap();
    says(&host, &project, run, "come", "waits until").await;
    std::fs::create_dir_all(project.root().join("in/today")).unwrap();
    for piece in ["a", "ab", "abc"] {
        std::fs::write(project.root().join("in/today/data.csv"), piece).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded), "{}", project.log(run, "come", 1));
    assert_eq!(output(&host, run, "size"), "3");
    assert!(output(&host, run, "path").ends_with("in/today/data.csv"));
    let run = host.submit(RunRequest::new("go", "me")).await.unwrap();
    says(&host, &project, run, "go", "still there").await;
    std::fs::remove_dir_all(project.root().join("in")).unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded), "{}", project.log(run, "go", 1));
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_told_through_a_channel() {
    let server = Server::start(|path, _| match path {
        "/no" => answer("403 Forbidden", "", "not you"),
        _ => answer("200 OK", "", "ok"),
    })
    .await;
    let project = Project::new()
        .task("run", "{ uses: notify, with: { to: ops, message: 'it is -- done', title: hello } }")
        .task("chat", "{ uses: notify, with: { to: chat, message: \"two\\nlines\" } }")
        .task("no", "{ uses: notify, with: { to: refuses, message: x } }")
        .task("bad", "{ uses: notify, with: { to: fails, message: x } }")
        .task(
            "unknown",
            "{ params: { to: chta }, uses: notify, with: { to: '${{ params.to }}', message: x } }",
        )
        .task("list", "{ uses: notify, with: { to: ops, message: \"${{ {'a', 'b'} }}\" } }");
    project.write(
        "neap.yaml",
        &format!(
            "env: {{ SHARED: not for channels }}
notify:
  ops: {{ command: [sh, -c, 'printf \"%s|\" \"$@\" \"$NEAP_TASK\" \"${{SHARED-}}\" > told; echo said', ops] }}
  fails: {{ command: [sh, -c, 'echo no >&2; exit 3'] }}
  chat: {{ webhook: '{}' }}
  refuses: {{ webhook: '{}' }}
",
            server.url("/hook"),
            server.url("/no")
        ),
    );
    let host = project.open(Mode::Serve).await;
    let (is_good, log, _) = done(&host, &project, "run").await;
    assert!(is_good && log.contains("said\n"), "{log}");
    assert_eq!(project.read("told"), "hello|it is -- done|run||");
    let (is_good, log, _) = done(&host, &project, "chat").await;
    assert!(is_good && !log.contains("/hook"), "{log}");
    let title = "\"title\":\"neap: chat#1/chat\"";
    let told = server.requests().remove(0);
    assert!(told.contains(r#""text":"two\nlines""#) && told.contains(title), "{told}");
    for (task, expected) in [
        ("no", "not you\nneap: the webhook did not take it: it answered 403 Forbidden\n"),
        ("bad", "no\nneap: the command ended with exit code 3\n"),
        ("unknown", "neap.yaml has no channel \"chta\"; did you mean `chat`?"),
        ("list", "`message` of `notify` must be text, but it is a list"),
    ] {
        let (is_good, log, _) = done(&host, &project, task).await;
        assert!(!is_good && log.contains(expected), "{task}: {log}");
    }
    host.shutdown().await;
}

/// One attempt before and after: it goes on, it does not begin again.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_on_waiting_with_the_next_host() {
    // A text has whole seconds.
    let soon = neap::base::Moment((neap::host::wall_clock().0 / 1000 + 4) * 1000);
    let project = Project::new()
        .task(
            "waits",
            &format!(
                "
                tasks:
                  file: {{ uses: wait.file, with: {{ path: arrived }} }}
                  until: {{ uses: wait.until, with: {{ time: '{soon}' }} }}
                  sure: {{ uses: approval, with: {{ message: really }} }}
                  other: {{ uses: 'task:child' }}
                ",
            ),
        )
        .task("child", "{ uses: wait.file, with: { path: arrived } }");
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("waits", "me")).await.unwrap();
    for (job, words) in
        [("file", "waits until"), ("until", "waits until"), ("sure", "to decide"), ("other", "to see it")]
    {
        says(&host, &project, run, job, words).await;
    }
    host.shutdown().await;
    drop(host);
    let host = project.open(Mode::Serve).await;
    let mut feed = host.listen();
    host.decide(run, Some("sure"), true, Author("anna".into()), None).await.unwrap();
    project.write("arrived", "");
    let outcome = tokio::time::timeout(Duration::from_secs(30), host.wait(run)).await.expect("it hangs");
    assert_eq!(outcome, Some(RunOutcome::Succeeded));
    assert!(neap::host::wall_clock() >= soon, "it did not wait");
    for job in jobs(&host, run) {
        assert_eq!(job.attempts, 1, "{}", job.name);
    }
    let mut created = 0;
    while let Ok(Ok(Some(happening))) = tokio::time::timeout(Duration::from_millis(50), feed.next()).await {
        if let Happening::Event { record, .. } = &*happening {
            created += usize::from(matches!(record.event, neap::engine::Event::RunCreated(_)));
        }
    }
    assert_eq!(created, 0, "the child was created again");
    host.shutdown().await;
}
