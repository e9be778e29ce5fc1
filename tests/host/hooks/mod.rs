//! Hooks that are called over raw sockets, kindly and otherwise.

mod caller;
mod hostile;

use super::support::Project;
use caller::{Caller, Heard, TOKEN, post};
use neap::api::serve_hooks;
use neap::base::{RunId, TaskName};
use neap::engine::{Author, RunOutcome, Trigger};
use neap::host::{Host, Knock, Proof, RetryScope, RunRequest};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A host that takes calls.
struct Hooked {
    project: Project,
    host: Host,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

const SETTINGS: &str =
    "webhooks: { listen: '127.0.0.1:0' }\nsecrets: [{ name: TOKEN, from: file, key: token }]\n";

/// A project in which these tasks can be called.
fn project(tasks: &[(&str, &str)]) -> Project {
    let project = Project::new();
    project.write("neap.yaml", SETTINGS);
    project.write("token", &format!("{TOKEN}\n"));
    std::fs::create_dir_all(project.root().join("tasks/ops")).unwrap();
    tasks.iter().fold(project, |project, (name, yaml)| project.task(name, yaml))
}

impl Hooked {
    async fn up(tasks: &[(&str, &str)]) -> Hooked {
        Hooked::again(project(tasks)).await
    }

    async fn again(project: Project) -> Hooked {
        let host = Host::builder(project.root()).takes_calls().open().await.unwrap();
        let address = host.hooks_address().expect("the host does not listen");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_hooks(host.clone(), stop.clone()));
        Hooked { project, host, address, stop, serving }
    }

    async fn call(&self, request: impl AsRef<[u8]>) -> Heard {
        Caller::new(self.address).await.ask(request).await
    }

    /// A call that is taken; its run, when that has ended well.
    async fn run(&self, request: impl AsRef<[u8]>) -> RunId {
        let heard = self.call(request).await;
        assert_eq!(heard.status, 202, "{heard:?}");
        let run = heard.run();
        assert_eq!(self.host.wait(run).await, Some(RunOutcome::Succeeded));
        run
    }

    async fn down(self) -> Project {
        self.stop.cancel();
        self.serving.await.unwrap();
        self.host.shutdown().await;
        self.project
    }
}

const DEPLOY: &str = "
    schedule: { webhook: { token: TOKEN } }
    run: |
      cp \"$NEAP_WEBHOOK_BODY\" body
      printf '%s|%s|%s' \"$NEAP_TRIGGER\" \"${NEAP_WEBHOOK_CONTENT_TYPE-none}\" \"${PARAM_DAY-}\" > said
    params: { day: { default: never }, n: { type: integer, default: 1 } }
";

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_with_the_token_gets_a_run_with_what_was_sent() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let body = [&b"{\"a\": \"\xff\0\n"[..], &[7; 1000]].concat();
    let type_ = "Content-Type: application/json\r\n";
    let run = hooked.run(post("/hooks/ops/deploy?day=mon%20day&n=7", type_, &body)).await;
    assert_eq!(std::fs::read(hooked.project.root().join("body")).unwrap(), body);
    assert_eq!(hooked.project.read("said"), "webhook|application/json|mon day");
    let row = hooked.host.history().run(run).unwrap().unwrap();
    assert_eq!((row.task.as_str(), row.number), ("ops/deploy", 1));
    // Nothing of the body, and a type that is not plain: neither harms.
    hooked.run(post("/hooks/ops/deploy", "Content-Type: gr\u{f6}\u{df}e\r\n", b"")).await;
    assert_eq!(hooked.project.read("said"), "webhook|none|never");
    assert_eq!(hooked.project.read("body"), "");
    // Another go is told of the same call, also by another host.
    let root = hooked.down().await;
    let hooked = Hooked::again(root).await;
    let by = Author("me".into());
    let again = hooked.host.retry(run, RetryScope::All, by, None, false).await.unwrap();
    assert_eq!(hooked.host.wait(again).await, Some(RunOutcome::Succeeded));
    assert_eq!(std::fs::read(hooked.project.root().join("body")).unwrap(), body);
    assert_eq!(hooked.project.read("said"), "retry|application/json|mon day");
    hooked.down().await;
}

/// The body is in the journal, also when no job has ever asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn another_go_at_a_run_that_never_began_has_its_body() {
    let yaml = "
        schedule: { webhook: { token: TOKEN } }
        run: |
          echo up > up
          until [ -e go ]; do sleep 0.01; done
          cp \"$NEAP_WEBHOOK_BODY\" body
    ";
    let hooked = Hooked::up(&[("a", yaml)]).await;
    let by = || Author("me".into());
    let first = hooked.call(post("/hooks/a", "", b"first")).await.run();
    hooked.project.wait_for("up").await;
    let second = hooked.call(post("/hooks/a", "", b"sec\0nd")).await.run();
    hooked.host.cancel(second, by(), None, false).await.unwrap();
    assert_eq!(hooked.host.wait(second).await, Some(RunOutcome::Cancelled));
    hooked.project.write("go", "");
    assert_eq!(hooked.host.wait(first).await, Some(RunOutcome::Succeeded));
    assert_eq!(hooked.project.read("body"), "first");
    let again = hooked.host.retry(second, RetryScope::All, by(), None, false).await.unwrap();
    assert_eq!(hooked.host.wait(again).await, Some(RunOutcome::Succeeded));
    assert_eq!(hooked.project.read("body"), "sec\0nd");
    hooked.down().await;
}

/// The signature is that of GitHub's documentation.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_in_three_ways() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let check = async |proof: &str, body: &str, expected: u16| {
        let heard = hooked.call(caller::request("POST /hooks/ops/deploy", proof, body.as_bytes())).await;
        assert_eq!(heard.status, expected, "{proof}");
    };
    let signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    check(&format!("Authorization: Bearer {TOKEN}\r\n"), "", 202).await;
    check(&format!("authorization: bearer {TOKEN}\r\n"), "", 202).await;
    check(&format!("X-Gitlab-Token: {TOKEN}\r\n"), "", 202).await;
    check(&format!("X-Hub-Signature-256: sha256={signature}\r\n"), "Hello, World!", 202).await;
    check(&format!("X-Hub-Signature-256: sha256={signature}\r\n"), "Hello, World?", 401).await;
    check(&format!("Authorization: Basic {TOKEN}\r\n"), "", 401).await;
    check(&format!("Authorization: Bearer {TOKEN}x\r\n"), "", 401).await;
    check("", "", 401).await;
    hooked.down().await;
}

/// Whoever does not know the token learns nothing about which tasks there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_and_a_task_that_there_is_not_look_the_same() {
    let off = "{ run: 'true', schedule: [{ webhook: { token: TOKEN }, enabled: false }, { every: 1d }] }";
    let short = "{ run: 'true', secrets: [{ name: S, from: command, key: echo short }], schedule: { webhook: { token: S } } }";
    let gone = "{ run: 'true', secrets: [{ name: S, from: file, key: nowhere }], schedule: { webhook: { token: S } } }";
    let tasks =
        [("ops/deploy", DEPLOY), ("plain", "run: 'true'"), ("off", off), ("short", short), ("gone", gone)];
    let hooked = Hooked::up(&tasks).await;
    let wrong = "Authorization: Bearer a token that nobody has\r\n";
    let expected = hooked.call(caller::request("POST /hooks/ops/deploy", wrong, b"")).await;
    assert_eq!((expected.status, expected.header("www-authenticate")), (401, Some("Bearer")));
    for path in
        ["nobody", "plain", "off", "short", "gone", "ops", "ops/deploy/x", "ops%2fdeploy", "ops/deploy%00"]
    {
        let heard = hooked.call(post(&format!("/hooks/{path}"), "", b"")).await;
        assert_eq!((heard.status, &heard.body), (expected.status, &expected.body), "{path}");
    }
    let heard =
        hooked.call(caller::request("POST /hooks/short", "Authorization: Bearer short\r\n", b"")).await;
    assert_eq!(heard.status, 429, "ten were wrong, and this is the eleventh: {heard:?}");
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_is_held_against_what_is_declared() {
    let yaml = "
        params: { day: { type: date, required: true }, n: { type: integer, default: 1, maximum: 5 }, to: { default: dev } }
        schedule: { webhook: { token: TOKEN }, params: { to: prod } }
        run: 'printf \"%s %s %s\" $PARAM_DAY $PARAM_N $PARAM_TO > said'
    ";
    let hooked = Hooked::up(&[("a", yaml)]).await;
    let check = async |query: &str, words: &str| {
        let heard = hooked.call(post(&format!("/hooks/a{query}"), "", b"")).await;
        assert_eq!((heard.status, heard.error().as_str()), (422, words), "{query}");
    };
    check("", "`day`: it is required").await;
    check("?day=soon", "`day`: `soon` is not a date such as 2026-11-21").await;
    check("?day=2026-11-21&n=9", "`n`: it must be at most 5, but is 9").await;
    check("?day=2026-11-21&m=9", "`m`: there is no such parameter; there are: day, n, to").await;
    check("?day=2026-11-21&to=dev", "`to`: the schedule itself says what it is").await;
    check("?day=2026-11-21&n=1&n=2", "`n`: it is given twice").await;
    check("?day=%00", "`day`: it holds a zero byte; `day`: it is required").await;
    hooked.run(post("/hooks/a?n=3&day=2026-11-21", "", b"")).await;
    assert_eq!(hooked.project.read("said"), "2026-11-21 3 prod");
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_overlap_leaves_out_is_told_with_its_reason() {
    let yaml = "{ run: 'echo up > up; exec sleep 600', stop: { grace: 0s }, schedule: { webhook: { token: TOKEN }, overlap: skip } }";
    let one = "{ run: 'echo up > up; exec sleep 600', stop: { grace: 0s }, schedule: { webhook: { token: TOKEN }, overlap: queue_one } }";
    let hooked = Hooked::up(&[("a", yaml), ("b", one)]).await;
    let check = async |task: &str, status: u16, words: &str| {
        let heard = hooked.call(post(&format!("/hooks/{task}"), "", b"")).await;
        assert_eq!((heard.status, heard.words().as_str()), (status, words), "{task}");
    };
    check("a", 202, "a#1").await;
    check("a", 409, "a#1 still goes on").await;
    check("b", 202, "b#1").await;
    check("b", 202, "b#2").await;
    check("b", 409, "b#2 waits for its turn, and no more may").await;
    let by = || Author("me".into());
    hooked.host.rest(TaskName::new("a").unwrap(), true, by(), Some("secret reason".into())).await.unwrap();
    check("a", 409, "the schedules of a rest").await;
    let going: Vec<RunId> = hooked.host.look(|live| live.state.runs.keys().copied().collect());
    for run in going {
        let _ = hooked.host.cancel(run, by(), None, true).await;
    }
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_makes_one_run() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    for name in ["Idempotency-Key", "X-GitHub-Delivery"] {
        let request = |key: &str, query: &str| {
            post(&format!("/hooks/ops/deploy{query}"), &format!("{name}: {key}\r\n"), b"{}")
        };
        let ask = request(&format!("{name} 1"), "");
        let all = futures(8, || hooked.call(ask.clone())).await;
        let labels: Vec<String> = all.iter().map(Heard::words).collect();
        assert!(labels.iter().all(|label| *label == labels[0]), "{labels:?}");
        assert_eq!(all.iter().filter(|heard| heard.status == 202).count(), 1, "{all:?}");
        assert_eq!(all.iter().filter(|heard| heard.status == 200).count(), 7, "{all:?}");
        hooked.host.wait(all[0].run()).await;
        let later = hooked.call(ask).await;
        assert_eq!((later.status, later.words()), (200, labels[0].clone()));
        let other = hooked.call(request("2", "")).await;
        assert_eq!(other.status, if name == "Idempotency-Key" { 202 } else { 200 }, "{other:?}");
        let long = hooked.call(request(&"x".repeat(256), "")).await;
        assert_eq!(long.status, 422, "{long:?}");
    }
    hooked.down().await;
}

/// A call of `ops/deploy` under this name.
fn knock(delivery: &str) -> Knock {
    Knock {
        task: "ops/deploy".into(),
        from: [127, 0, 0, 1].into(),
        proofs: vec![Proof::Token(TOKEN.into())],
        params: Vec::new(),
        delivery: Some(delivery.into()),
        content_type: None,
        body: b"{}"[..].into(),
    }
}

/// What callers choose for names says nothing about the runs of people, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_no_key_of_somebody_here() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let wish = || RunRequest::new("ops/deploy", "me");
    let own = hooked.host.submit_once(wish().key("1")).await.unwrap();
    let called = hooked.host.knock(knock("1")).await.unwrap();
    assert!(called.is_new && called.run != own.run, "{called:?}");
    hooked.host.knock(knock("2")).await.unwrap();
    let other = hooked.host.submit_once(wish().key("2")).await.unwrap();
    assert!(other.is_new, "{other:?}");
    hooked.down().await;
}

/// The body stands in the journal and not in the history, which many may read at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_history_knows_who_called_and_not_what_was_sent() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let from = "::ffff:192.0.2.7".parse().unwrap();
    let called = hooked.host.knock(Knock { from, ..knock("1") }).await.unwrap();
    hooked.host.wait(called.run).await;
    let row = hooked.host.history().run(called.run).unwrap().unwrap();
    let Trigger::Webhook { call, .. } = &row.trigger else { panic!("{row:?}") };
    assert_eq!((call.from.as_str(), call.body.len()), ("192.0.2.7", 0));
    assert_eq!(hooked.project.read("body"), "{}");
    hooked.down().await;
}

/// A caller who hangs up before the answer and tries again gets the same run, and nothing is in the way of others.
#[tokio::test]
async fn who_hangs_up_before_the_answer_may_call_again() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let knock = || knock("1");
    // Nothing else has its turn on this thread before the caller has gone.
    tokio::select! {
        biased;
        told = hooked.host.knock(knock()) => panic!("it was answered: {told:?}"),
        () = async {} => {}
    }
    let told = tokio::time::timeout(Duration::from_secs(20), hooked.host.knock(knock()));
    let told = told.await.expect("the host is stuck").unwrap();
    assert!(!told.is_new && told.label == "ops/deploy#1", "{told:?}");
    assert_eq!(hooked.host.wait(told.run).await, Some(RunOutcome::Succeeded));
    hooked.down().await;
}

/// So many at once.
async fn futures<T, F: Future<Output = T>>(count: usize, call: impl Fn() -> F) -> Vec<T> {
    futures_util::future::join_all((0..count).map(|_| call())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_called_sixty_times_a_minute() {
    let quick =
        "{ uses: approval, with: { message: x }, schedule: { webhook: { token: TOKEN }, overlap: skip } }";
    let hooked = Hooked::up(&[("a", quick), ("b", quick)]).await;
    let mut caller = Caller::new(hooked.address).await;
    for number in 0..60 {
        let heard = caller.ask(post("/hooks/a", "", b"")).await;
        assert_eq!(heard.status, if number == 0 { 202 } else { 409 }, "{heard:?}");
    }
    let heard = caller.ask(post("/hooks/a", "", b"")).await;
    let wait: u64 = heard.header("retry-after").expect("when to come again").parse().unwrap();
    assert!(heard.status == 429 && (1..=60).contains(&wait), "{heard:?}");
    assert_eq!(caller.ask(post("/hooks/b", "", b"")).await.status, 202);
    hooked.down().await;
}

/// Whoever guesses is told to wait; who knows the token is let in, for both may stand behind one proxy.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_wrong_ten_times_a_minute() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let wrong = caller::request("POST /hooks/ops/deploy", "X-Gitlab-Token: wrong\r\n", b"");
    let mut caller = Caller::new(hooked.address).await;
    for _ in 0..10 {
        assert_eq!(caller.ask(&wrong).await.status, 401);
    }
    let heard = caller.ask(&wrong).await;
    assert!(heard.status == 429 && heard.header("retry-after").is_some(), "{heard:?}");
    assert_eq!(caller.ask(post("/hooks/ops/deploy", "", b"")).await.status, 202);
    hooked.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_while_the_host_stops_is_told_so() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let mut caller = Caller::new(hooked.address).await;
    assert_eq!(caller.ask(post("/hooks/ops/deploy", "", b"")).await.status, 202);
    hooked.host.shutdown().await;
    let heard = caller.ask(post("/hooks/ops/deploy", "", b"")).await;
    assert!(heard.status == 503 && heard.header("retry-after").is_some(), "{heard:?}");
    hooked.down().await;
}

/// A new file, another token, another port: all of it without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn hooks_follow_the_files() {
    let hooked = Hooked::up(&[("ops/deploy", DEPLOY)]).await;
    let ask = || hooked.call(post("/hooks/b", "", b""));
    assert_eq!(ask().await.status, 401);
    hooked.project.write("tasks/b.yaml", "{ run: 'true', schedule: { webhook: { token: TOKEN } } }");
    hooked.host.reload().await;
    assert_eq!(ask().await.status, 202);
    hooked.project.write("token", "a token that is another one");
    hooked.host.reload().await;
    assert_eq!(ask().await.status, 401);
    // A port that is taken leaves the old one as it was. At this address no other test takes it when it is free again.
    let taken = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let settings = |port: SocketAddr| SETTINGS.replace("127.0.0.1:0", &port.to_string());
    hooked.project.write("neap.yaml", &settings(taken.local_addr().unwrap()));
    hooked.host.reload().await;
    let problems: Vec<String> = hooked.host.definitions().problems().map(ToString::to_string).collect();
    let told = format!(
        "neap.yaml:1:21: error[E0312]: the host cannot listen at {}: Address",
        taken.local_addr().unwrap()
    );
    assert!(problems.iter().any(|problem| problem.starts_with(&told)), "{problems:?}");
    assert_eq!((hooked.host.hooks_address(), ask().await.status), (Some(hooked.address), 401));
    // It is tried again with each reading.
    let address = taken.local_addr().unwrap();
    drop(taken);
    hooked.host.reload().await;
    assert_eq!((hooked.host.hooks_address(), hooked.host.definitions().errors()), (Some(address), 0));
    let mut caller = Caller::new(address).await;
    let right = caller::request("POST /hooks/b", "X-Gitlab-Token: a token that is another one\r\n", b"");
    assert_eq!(caller.ask(&right).await.status, 202);
    // Without the setting nobody listens any more.
    hooked.project.write("neap.yaml", "secrets: [{ name: TOKEN, from: file, key: token }]");
    hooked.host.reload().await;
    assert_eq!(hooked.host.hooks_address(), None);
    assert_eq!(caller.ask(&right).await.status, 202, "who is connected is served to the end");
    hooked.down().await;
}
