//! The host from outside, as an embedding program uses it: real processes, a real database, real scripts.

mod actions;
mod files;
mod hooks;
mod late;
mod once;
mod server;
pub(crate) mod support;

use neap::engine::RunOutcome;
use neap::host::{Host, Mode, RunRequest};
use std::time::Duration;
use support::Project;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_runs_in_order() {
    let project = Project::new().task(
        "build",
        "
        tasks:
          fetch: { run: 'echo fetch >> order' }
          compile: { depends_on: fetch, run: 'echo compile >> order' }
          test: { depends_on: compile, run: 'echo test >> order' }
        ",
    );
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("build", "me")).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded));
    assert_eq!(project.read("order"), "fetch\ncompile\ntest\n");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_decide_watch_and_tidy_up() {
    let project = Project::new()
        .task("job", "{ run: 'mkdir -p scratch; echo x > scratch/f; echo $EXTRA; echo step 1 of 4; until [ -e seen ]; do sleep 0.01; done; echo step 2 of 4', hooks: h.lua, retry: 2 }")
        .script(
            "h.lua",
            "
            local M = {}
            function M.before(ctx, ev)
              ctx:on_cleanup { remove = 'scratch' }
              return { env = { EXTRA = 'from the hook' } }
            end
            function M.output(ctx, ev)
              local n, of = ev.line:match('step (%d+) of (%d+)')
              if n then M.step = n; return { progress = 100 * n / of } end
            end
            function M.success(ctx, ev)
              if M.step ~= '4' then return { fail = 'not done, only step ' .. M.step } end
            end
            function M.cleanup(ctx, ev) neap.log.info('cleaned after ' .. ev.outcome .. ' at step ' .. M.step) end
            return M
            ",
        );
    let host = project.open(Mode::Serve).await;
    let mut feed = host.listen();
    let run = host.submit(RunRequest::new("job", "me")).await.unwrap();
    let first = async {
        loop {
            if let neap::host::Happening::Progress { progress, .. } = &*feed.next().await.unwrap().unwrap() {
                break progress.percent;
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), first).await, Ok(25.0));
    std::fs::write(project.root().join("seen"), "").unwrap();
    let Some(RunOutcome::Failed { root: 0 }) = host.wait(run).await else { panic!("it has succeeded") };
    assert!(!project.root().join("scratch").exists(), "what the hook owed was not tidied up");
    let log = project.log(run, "job", 1);
    assert!(log.contains("from the hook\n"), "{log}");
    // What is asked at the end knows the last line.
    assert!(log.contains("neap | info: cleaned after failed at step 2\n"), "{log}");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_a_run_that_would_go_on_for_ever() {
    let project = Project::new().task(
        "server",
        "{ run: 'trap \"\" TERM; echo up > up; while :; do sleep 1; done', stop: { grace: 100ms } }",
    );
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("server", "me")).await.unwrap();
    project.wait_for("up").await;
    host.cancel(run, neap::engine::Author("me".into()), Some("enough".into()), false).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Cancelled));
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unfinished_goes_on_with_the_next_host() {
    let project = Project::new().task(
        "long",
        "
        tasks:
          first: { run: 'echo $NEAP_ATTEMPT >> tries; test $NEAP_ATTEMPT -gt 1 || { echo up > up; exec sleep 600; }', retry: { attempts: 2, delay: 1ms } }
          second: { depends_on: first, run: 'echo second >> tries' }
        ",
    );
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("long", "me")).await.unwrap();
    project.wait_for("up").await;
    host.shutdown().await;
    drop(host);
    let host = project.open(Mode::Serve).await;
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded));
    assert_eq!(project.read("tries"), "1\n2\nsecond\n");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_hooked_jobs_in_full_swing_stops_and_the_next_goes_on() {
    let project = Project::new()
        .task("long", "{ run: 'test $NEAP_ATTEMPT -gt 1 || { echo up > up; exec sleep 600; }', retry: 1, hooks: h.lua }")
        .script("h.lua", "return { before = function(ctx) ctx:on_cleanup { remove = 'up' } end, finally = function() end }");
    let host = project.open(Mode::Serve).await;
    let run = host.submit(RunRequest::new("long", "me")).await.unwrap();
    project.wait_for("up").await;
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(20), host.shutdown()).await;
    assert!(stopped.is_ok(), "the host did not stop");
    drop(host);
    let host = project.open(Mode::Serve).await;
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded));
    assert!(!project.root().join("up").exists(), "what was owed before the restart was forgotten");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lua_body_and_a_function_are_jobs_like_any_other() {
    let project = Project::new()
        .task("mixed", "{ steps: [ { id: lua, lua: 'print(\"hello \" .. ctx.params.who); ctx:progress(50)' }, { id: call, uses: shout, with: { text: hi } } ], params: { who: world } }");
    let host = Host::builder(project.root())
        .function("shout", |context| async move {
            context.log.line(context.with["text"].as_str().unwrap_or("?").to_uppercase());
            Ok(())
        })
        .open()
        .await
        .unwrap();
    let run = host.submit(RunRequest::new("mixed", "me").param("who", "neap")).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Succeeded));
    assert!(project.log(run, "lua", 1).contains("hello neap"));
    assert_eq!(project.log(run, "call", 1), "HI\n");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_over_and_a_broken_one_keeps_the_last_good() {
    let project = Project::new().task("a", "run: 'true'");
    let host = project.open(Mode::Serve).await;
    let mut feed = host.listen();
    project.write("tasks/b.yaml", "run: 'true'");
    reloaded(&mut feed, &host, |host| host.definitions().catalog.task("b").is_some()).await;
    project.write("tasks/a.yaml", "rnu: 'true'");
    reloaded(&mut feed, &host, |host| host.definitions().errors() == 1).await;
    assert!(host.definitions().catalog.task("a").is_some() && host.definitions().catalog.is_stale("a"));
    project.write("tasks/a.yaml", "run: 'false'");
    reloaded(&mut feed, &host, |host| host.definitions().errors() == 0).await;
    let run = host.submit(RunRequest::new("a", "me")).await.unwrap();
    assert_eq!(host.wait(run).await, Some(RunOutcome::Failed { root: 0 }));
    std::fs::remove_file(project.root().join("tasks/b.yaml")).unwrap();
    reloaded(&mut feed, &host, |host| host.definitions().catalog.task("b").is_none()).await;
    host.shutdown().await;
}

/// Waits, reload by reload, until it is so.
async fn reloaded(feed: &mut neap::host::Feed, host: &Host, is_so: impl Fn(&Host) -> bool) {
    let wait = async {
        while !is_so(host) {
            feed.next().await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), wait)
        .await
        .expect("the change was not taken over");
}

/// They differ in their parameters alone: each fires, and neither stands in for the other.
#[tokio::test(flavor = "multi_thread")]
async fn entries_with_the_same_time_are_schedules_of_their_own() {
    let project = Project::new().task(
        "sync",
        "
        params: { region: eu }
        overlap: allow
        schedule: [{ event: startup }, { event: startup, params: { region: us } }]
        run: 'touch synced-$PARAM_REGION'
        ",
    );
    let host = project.open(Mode::Serve).await;
    project.wait_for("synced-eu").await;
    project.wait_for("synced-us").await;
    host.shutdown().await;
}
