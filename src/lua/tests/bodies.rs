//! Bodies: work that is written in Lua.

use super::*;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn body(text: &str) -> (BodyCall, mpsc::Receiver<Note>) {
    let (notes, heard) = mpsc::channel(16);
    (
        BodyCall { source: BodySource::Text(text.into()), attempt: attempt(1), context: context(), notes },
        heard,
    )
}

#[track_caller]
fn ends(text: &str, expected: BodyEnd) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bench = Bench::new();
    let ended = runtime.block_on(bench.scripts.run_body(body(text).0, CancellationToken::new()));
    assert_eq!(ended, Ok(expected), "{text}");
}

#[test]
fn bodies_end() {
    ends("", BodyEnd::Done(Value::Null));
    ends("return { rows = ctx.params.n + 1 }", BodyEnd::Done(json!({ "rows": 6 })));
    ends("return function(ctx) neap.sleep(0.001) return ctx.run.number end", BodyEnd::Done(json!(3)));
    ends("neap.sleep('1ms') return { skip = 'nothing to do' }", BodyEnd::Skipped("nothing to do".into()));
    ends("return { fail = 'bad rows' }", BodyEnd::Failed("bad rows".into()));
}

#[tokio::test]
async fn an_error_is_a_failure_with_its_place() {
    let bench = Bench::new();
    let ended = bench.scripts.run_body(body("\n\nerror('no')").0, CancellationToken::new()).await;
    let error = ended.unwrap_err();
    assert_eq!(
        (error.place().unwrap().to_string().as_str(), error.message()),
        ("lua of nightly/dump:3", "no")
    );
    let error =
        bench.scripts.run_body(body("return { fail = 1 }").0, CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.message(), "`skip` and `fail` must be texts");
    let error = bench.scripts.run_body(body("local = 1").0, CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Syntax);
    assert_eq!(bench.scripts.check_text("x", "local = 1").unwrap().line, Some(1));
    assert_eq!(bench.scripts.check_text("x", "return 1"), None);
}

#[tokio::test]
async fn a_file_can_be_a_body_and_owe_a_cleanup() {
    let bench = Bench::new();
    bench.write(
        "report.lua",
        "local lib = require 'lib.sum'\nctx:on_cleanup { remove = 'x' }\nreturn lib.sum(ctx.params.n)",
    );
    bench.write("lib/sum.lua", "return { sum = function(n) return n * 2 end }");
    assert_eq!(bench.scripts.reload(&[Script { file: "report.lua".into(), shape: Shape::Body }]), []);
    let (mut call, mut heard) = body("");
    call.source = BodySource::File("report.lua".into());
    let answer = tokio::spawn(async move {
        match heard.recv().await {
            Some(Note::Cleanup { ack, .. }) => ack.send(()).unwrap(),
            other => panic!("{other:?}"),
        }
    });
    let ended = bench.scripts.run_body(call.clone(), CancellationToken::new()).await;
    assert_eq!(ended, Ok(BodyEnd::Done(json!(10))));
    answer.await.unwrap();
    call.source = BodySource::File("absent.lua".into());
    let absent = bench.scripts.run_body(call, CancellationToken::new()).await.unwrap_err();
    assert_eq!(absent.message(), "scripts/absent.lua is not loaded");
}

/// Cancels as soon as the body has said something, and returns its end and the time it took from there.
async fn cancelled(text: &str) -> (Result<BodyEnd, ScriptError>, Duration) {
    let bench = Bench::with(Limits { body_grace: Millis(200), workers: 1, ..Limits::default() });
    let (call, mut heard) = body(text);
    let cancel = CancellationToken::new();
    let (scripts, asked) = (bench.scripts.clone(), cancel.clone());
    let running = tokio::spawn(async move { scripts.run_body(call, asked).await });
    heard.recv().await.unwrap();
    let began = Instant::now();
    cancel.cancel();
    (running.await.unwrap(), began.elapsed())
}

#[tokio::test]
async fn a_cancelled_body_is_asked_first_and_stopped_then() {
    let (ended, _) = cancelled(
        "print('up') local ok, why = pcall(neap.sleep, 3600) return { tostring(ok), ctx:cancelled() }",
    )
    .await;
    assert_eq!(ended, Ok(BodyEnd::Done(json!(["false", true]))), "it may tidy up");
    let (ended, _) = cancelled("print('up') neap.sleep(3600)").await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Cancelled);
    for stubborn in [
        "print('up') while true do pcall(function() while true do end end) end",
        "print('up') while true do pcall(neap.sleep, 0.001) end",
        "print('up') while true do pcall(table.sort, {1, 2, 3}, function() while true do end end) end",
    ] {
        let (ended, took) = cancelled(stubborn).await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Cancelled, "{stubborn}");
        assert!(took < Duration::from_millis(200 + 600), "{stubborn}: {took:?}");
    }
}

/// A turn given away at the wrong moment loses a wake-up for ever; with a slice of nothing every moment is tried.
#[tokio::test]
async fn no_wake_up_is_lost_between_slices() {
    let bench = Bench::with(Limits { workers: 2, slice: Millis(0), ..Limits::default() });
    let text = "local n = 0 for i = 1, 20 do neap.sleep(0.001) for j = 1, 2000 do n += j % 3 end \
                coroutine.wrap(function() neap.sleep(0) end)() end return n";
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let scripts = bench.scripts.clone();
        all.spawn(async move { scripts.run_body(body(text).0, CancellationToken::new()).await });
    }
    let every = async {
        while let Some(ended) = all.join_next().await {
            assert!(matches!(ended.unwrap(), Ok(BodyEnd::Done(_))))
        }
    };
    tokio::time::timeout(Duration::from_secs(60), every)
        .await
        .expect("a script waits for a wake-up that was lost");
}
