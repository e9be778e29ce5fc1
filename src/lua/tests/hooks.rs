//! Calls of hooks: what goes in, what comes out, and how errors read.

use super::*;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_hook_sees_its_context_and_its_event() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        r#"
        local M = {}
        function M.retry(ctx, ev)
          assert(ctx.params.day == "2026-11-21" and ctx.params.n == 5 and ctx.params.absent == nil)
          assert(ctx.task.labels.tier == "prod" and ctx.run.number == 3 and ctx.run.trigger == "manual")
          assert(ctx.attempt.max == 4 and ctx.workdir == "/srv/app" and ev.nested.list[2] == 2)
          ctx:progress(40, "almost"); ctx:log("warn", "hm", { n = 1 }); print("a", 1, nil, true); neap.log.error("bad")
          assert(not ctx:cancelled() and neap.duration("1m30s") == 90 and neap.time.now() == 1000)
          assert(math.type(3) == "integer" and ("x"):rep(3, ",") == "x,x,x" and os.time() == 1000)
          assert(neap.json.encode(neap.json.decode('{"a":[1,null,[]],"b":null}').a[3]) == "[]")
          return { retry = true, delay = "5s", reason = ctx.task.name .. " " .. ctx.run.id, odd = 1 }
        end
        function M.start() return 1 end
        return M"#,
    );
    let (call, mut heard) = call("x.lua", 1);
    let decision: RetryDecision = bench.scripts.ask(call.clone()).await.unwrap().unwrap();
    assert_eq!((decision.retry, decision.delay), (Some(true), Some(Millis(5000))));
    assert_eq!(decision.reason, Some(format!("nightly/dump {}", RunId(7))));
    assert_eq!(
        said(&mut heard),
        [
            "40% almost",
            "warn hm {\"n\":1}",
            "info a\t1\tnil\ttrue",
            "error bad",
            "warn `retry` returned the unknown key `odd`"
        ]
    );
    bench.scripts.tell(Hook::Start, call.clone()).await.unwrap();
    assert_eq!(said(&mut heard), ["warn what `start` returns has no meaning"]);
    assert!(bench.scripts.defines(attempt(1), "x.lua", Hook::Start));
    assert!(!bench.scripts.defines(attempt(1), "x.lua", Hook::Cancel));
    assert_eq!(bench.scripts.ask::<CancelDecision>(call).await.unwrap(), None, "no such hook, no opinion");
}

#[tokio::test]
async fn an_error_has_a_place_an_excerpt_and_a_stack() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        "local M = {}\nlocal function deep(t)\n  return t.total.seconds\nend\nfunction M.retry(ctx)\n  return deep(ctx.vars)\nend\nreturn M\n",
    );
    let error = bench.retry("x.lua", 1).await.unwrap_err();
    let expected = format!(
        "error[hook]: scripts/x.lua:3: attempt to index nil with 'seconds'\n   hook `retry`, task nightly/dump, run {}, \
         attempt 1 (generation 1)\n     2 | local function deep(t)\n >   3 |   return t.total.seconds\n     4 | end\n   \
         stack: deep (scripts/x.lua:3), retry (scripts/x.lua:6)",
        RunId(7)
    );
    assert_eq!(error.to_string(), expected);
}

/// Runs the text as `retry` and checks kind and message of its error.
#[track_caller]
fn fails(text: &str, kind: ErrorKind, line: Option<u32>, message: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let bench = Bench::new();
    bench.load("x.lua", &format!("local M = {{}}\nfunction M.retry(ctx, ev)\n{text}\nend\nreturn M"));
    let error = runtime.block_on(bench.retry("x.lua", 1)).unwrap_err();
    assert_eq!(
        (error.kind(), error.place().map(|place| place.line), error.message()),
        (kind, line, message),
        "{error}"
    );
}

#[test]
fn every_kind_of_failure_is_told_apart() {
    use ErrorKind::{Api, Denied, Hook};
    fails("error('plain')", Hook, Some(3), "plain");
    fails("error('no place', 0)", Hook, Some(3), "no place");
    fails("error(nil)", Hook, Some(3), "error(nil)");
    fails("ev.kind = 1", Hook, Some(3), "attempt to modify a readonly table");
    fails("ev.nested.list[1] = 1", Hook, Some(3), "attempt to modify a readonly table");
    fails("ctx.params.n = 1", Hook, Some(3), "attempt to modify a readonly table");
    fails("neap.x = 1", Hook, Some(3), "attempt to modify a readonly table");
    fails("neap.sleeep(1)", Api, Some(3), "`neap.sleeep` does not exist (did you mean `neap.sleep`?)");
    fails("neap.http.get('x')", Api, Some(3), "`neap.http` does not exist");
    fails("return ctx.parms.n", Api, Some(3), "`ctx.parms` does not exist (did you mean `ctx.params`?)");
    fails(
        "neap.sleep('soon')",
        Api,
        Some(3),
        "neap.sleep: write a duration as \"5s\", \"1m30s\" or a number of seconds",
    );
    fails("ctx.progress(3)", Api, Some(3), "write ctx:progress(…) with a colon");
    fails("ctx:progress('x')", Api, Some(3), "ctx:progress: percent must be a number from 0 to 100");
    fails(
        "ctx:log('loud', 'x')",
        Api,
        Some(3),
        "ctx:log: `loud` is not one of trace, debug, info, warn, error",
    );
    fails(
        "ctx:on_cleanup { remove = 'x' }",
        Denied,
        Some(3),
        "ctx:on_cleanup cannot be used in `retry`: only in `before`, `start` and bodies",
    );
    fails(
        "require '../x'",
        Denied,
        Some(3),
        "require: `../x` cannot be required: write require \"lib.x\" for lib/x.lua",
    );
    fails(
        "return { retry = 'yes' }",
        Hook,
        None,
        "`retry` returned a bad `retry`: it must be true or false, not \"yes\"",
    );
    fails("return { retry = print }", Hook, None, "the returned value holds a function");
    fails("('x'):rep(-1, {}):bad()", Hook, Some(3), "attempt to call missing method 'bad' of string");
    fails(
        "table.sort({1, 2, 3}, function() neap.sleep(0.01) end)",
        Hook,
        Some(3),
        "attempt to yield across metamethod/C-call boundary",
    );
}

#[tokio::test]
async fn an_error_table_keeps_its_content() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        "return { retry = function() error({ code = 'E42', message = 'no disk', list = { 1 } }) end }",
    );
    let error = bench.retry("x.lua", 1).await.unwrap_err();
    assert_eq!(error.message(), "no disk");
    assert_eq!(error.content(), Some(&json!({ "code": "E42", "message": "no disk", "list": [1] })));
    assert_eq!(error.place().unwrap().to_string(), "scripts/x.lua:1");
}

#[tokio::test]
async fn two_hundred_hooks_sleep_at_once() {
    let bench = Bench::new();
    bench.load("x.lua", "return { retry = function(ctx) neap.sleep(0.4) return { reason = 'slept' } end }");
    let began = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..200 {
        let scripts = bench.scripts.clone();
        all.spawn(async move { scripts.ask::<RetryDecision>(call("x.lua", n).0).await });
    }
    while let Some(ended) = all.join_next().await {
        assert_eq!(ended.unwrap().unwrap().unwrap().reason.as_deref(), Some("slept"));
    }
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "one after the other they would take 80 s: {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn each_attempt_has_an_instance_of_its_own() {
    let bench = Bench::new();
    let text = r#"
        local count = 0
        total = 0
        return {
          before = function(ctx) ctx.vars.seen = "before"; string_x = 1 end,
          retry = function(ctx)
            count += 1; total += 1; _G.mine = (_G.mine or 0) + 1
            return { reason = `{count} {total} {_G.mine} {ctx.vars.seen}` }
          end,
        }"#;
    bench.load("x.lua", text);
    bench.scripts.ask::<BeforeDecision>(call("x.lua", 1).0).await.unwrap();
    assert_eq!(bench.reason("x.lua", 1).await, "1 1 1 before");
    assert_eq!(bench.reason("x.lua", 1).await, "2 2 2 before");
    assert_eq!(bench.reason("x.lua", 2).await, "1 1 1 nil");
    bench.scripts.forget(attempt(1));
    assert_eq!(bench.reason("x.lua", 1).await, "1 1 1 nil", "forgotten means begun anew");
}

#[tokio::test]
async fn a_cleanup_is_stored_before_the_script_goes_on() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        r#"return { before = function(ctx)
             ctx:on_cleanup { remove = "tmp/x", when = "not success" }
             ctx:on_cleanup { exec = { "docker", "rm", "x" } }
             print("goes on")
           end,
           start = function(ctx) ctx:on_cleanup { remove = "x", exec = {} } end,
           retry = function() end }"#,
    );
    let (call, mut heard) = call("x.lua", 1);
    let scripts = bench.scripts.clone();
    let asked = call.clone();
    let running = tokio::spawn(async move { scripts.ask::<BeforeDecision>(asked).await });
    let mut items = Vec::new();
    for _ in 0..2 {
        let Some(Note::Cleanup { item, ack }) = heard.recv().await else { panic!("not a cleanup") };
        tokio::task::yield_now().await;
        assert!(heard.try_recv().is_err(), "the script waits for the answer");
        items.push((item.action, item.when));
        ack.send(()).unwrap();
    }
    running.await.unwrap().unwrap();
    assert_eq!(said(&mut heard), ["info goes on"]);
    let exec = CleanupAction::Exec(vec!["docker".into(), "rm".into(), "x".into()]);
    assert_eq!(
        items,
        [(CleanupAction::Remove("tmp/x".into()), CleanupWhen::NotSuccess), (exec, CleanupWhen::Always)]
    );
    let both = bench.scripts.tell(Hook::Start, call.clone()).await.unwrap_err();
    assert_eq!(both.message(), "ctx:on_cleanup: give either `remove` or `exec`");
    drop(heard);
    let deaf = bench.scripts.ask::<BeforeDecision>(call).await.unwrap_err();
    assert_eq!(deaf.message(), "ctx:on_cleanup: the host could not store the cleanup");
}

#[tokio::test]
async fn a_wait_inside_a_coroutine_of_the_script_waits() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        r#"return { retry = function()
             local seen = {}
             local gen = coroutine.wrap(function() for i = 1, 3 do neap.sleep(0.001) coroutine.yield(i) end end)
             for i in gen do seen[#seen + 1] = i end
             local co = coroutine.create(function(a) neap.sleep("1ms") return a + 1 end)
             local ok, value = coroutine.resume(co, 1)
             local nested = select(2, pcall(function() neap.sleep(0.001) return "p" end))
             return { reason = table.concat(seen, ",") .. tostring(ok) .. value .. nested }
           end }"#,
    );
    assert_eq!(bench.reason("x.lua", 1).await, "1,2,3true2p");
}

#[tokio::test]
async fn a_dropped_call_stops_its_script() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        "return { retry = function(ctx) neap.sleep(3600) end, progress = function(ctx) print('next') end }",
    );
    let (call, mut heard) = call("x.lua", 1);
    {
        let mut sleeping = std::pin::pin!(bench.scripts.ask::<RetryDecision>(call.clone()));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut sleeping).await.is_err());
    }
    // Hooks of one attempt run one after the other, so this one proves that the sleeper is gone.
    bench.scripts.tell(Hook::Progress, call).await.unwrap();
    assert_eq!(said(&mut heard), ["info next"]);
}

#[tokio::test]
async fn a_script_that_talks_too_much_is_not_waited_for() {
    let bench = Bench::new();
    bench.load(
        "x.lua",
        "return { retry = function(ctx) for i = 1, 100 do print(i) end end, start = function() end }",
    );
    let (call, mut heard) = call("x.lua", 1);
    bench.scripts.ask::<RetryDecision>(call).await.unwrap();
    let words = said(&mut heard);
    assert_eq!((words.len(), words[15].as_str()), (16, "info 16"));
}

#[tokio::test]
async fn busy_scripts_share_a_thread() {
    let bench = Bench::with(Limits { workers: 1, body_cpu: Millis(4_000), ..Limits::default() });
    bench.load("x.lua", "return { retry = function() return { reason = 'quick' } end }");
    let busy = BodyCall {
        source: BodySource::Text("while not ctx:cancelled() do end".into()),
        attempt: attempt(9),
        context: context(),
        notes: mpsc::channel(1).0,
    };
    let cancel = tokio_util::sync::CancellationToken::new();
    let mut hogs = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (scripts, call, cancel) = (bench.scripts.clone(), busy.clone(), cancel.clone());
        hogs.spawn(async move { scripts.run_body(call, cancel).await });
    }
    for n in 0..5 {
        assert_eq!(bench.reason("x.lua", n).await, "quick", "a turn comes although three others never wait");
    }
    cancel.cancel();
    while let Some(ended) = hogs.join_next().await {
        assert_eq!(ended.unwrap(), Ok(BodyEnd::Done(Value::Null)));
    }
}
