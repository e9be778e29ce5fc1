//! Functions of the embedding program, and the router in front of all runners.

use super::*;
use std::future::pending;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

fn functions() -> Functions {
    let functions = Functions::new(Handle::current());
    functions.register("echo", |mut context| async move {
        context.log.line(format_args!("with {}", context.with));
        context.progress(40, "nearly");
        write!(context.log, "torn")?;
        Ok(())
    });
    functions.register("parse", |_| async move {
        "x".parse::<u8>()?;
        Ok(())
    });
    functions.register("refuse", |_| async move { Err(FunctionError::failed("no disk")) });
    functions.register("idle", |_| async move { Err(FunctionError::skipped("nothing new")) });
    functions.register("panic", |context| async move { panic!("lost {}", context.label) });
    functions.register("early", |context| -> std::future::Ready<_> { panic!("before {}", context.label) });
    functions.register("polite", |context| async move {
        context.log.line("ready");
        context.cancelled.cancelled().await;
        context.log.line("bye");
        Ok(())
    });
    functions.register("rude", |context| async move {
        context.log.line("ready");
        pending::<()>().await;
        Ok(())
    });
    functions
}

fn call(function: &str) -> Action {
    Action::Call { function: function.into(), with: serde_json::json!({"n": 1}) }
}

#[track_caller]
fn check_end(bench: &Bench, ending: &Ending, exit: &Exit, log: &str) {
    assert_eq!(&ending.exit, exit);
    assert_eq!(String::from_utf8(bench.log(1)).unwrap(), log);
}

#[tokio::test]
async fn every_end_of_a_function_has_an_exit() {
    for (name, exit, log) in [
        ("echo", code(0), "with {\"n\":1}\ntorn"),
        ("parse", code(1), "neap: invalid digit found in string\n"),
        ("refuse", code(1), "neap: no disk\n"),
        ("idle", Exit::Skipped { reason: "nothing new".into() }, ""),
        ("panic", code(1), "neap: the function panicked: lost bench#1/job.1\n"),
        ("early", code(1), "neap: the function panicked: before bench#1/job.1\n"),
    ] {
        let mut bench = Bench::with(functions());
        let order = bench.order(1, call(name));
        let ending = bench.run(order).await;
        check_end(&bench, &ending, &exit, log);
    }
}

#[tokio::test]
async fn an_unknown_function_is_not_started() {
    let mut bench = Bench::with(functions());
    let order = bench.order(1, call("polit"));
    let message = "no function `polit` is registered; did you mean `polite`?".into();
    assert_eq!(bench.run(order).await.exit, Exit::NotSpawned { why: NotSpawned::NotFound, message });
}

#[tokio::test]
async fn what_a_function_says_is_reported() {
    let mut bench = Bench::with(functions());
    bench.start(Start { watch_lines: true, ..bench.order(1, call("echo")) });
    let (mut lines, mut has_progressed) = (Vec::new(), false);
    loop {
        match bench.next().await {
            Report::Lines { lines: more, .. } => lines.extend(more.into_iter().map(|line| line.text)),
            Report::Progress { percent, message, .. } => {
                has_progressed = true;
                assert_eq!((percent, message.as_str()), (40, "nearly"));
            }
            Report::Spawned { pid, .. } => assert_eq!(pid, None),
            Report::Stalled { .. } => panic!("a function is not watched"),
            Report::Ended { .. } => break,
        }
    }
    assert_eq!(lines, ["with {\"n\":1}", "torn"]);
    assert!(has_progressed);
}

async fn stopped(name: &str, stop: impl FnOnce(&dyn Runner)) -> (Bench, Ending) {
    let mut bench = Bench::with(functions());
    bench.start(Start { watch_lines: true, ..bench.order(1, call(name)) });
    while !matches!(bench.next().await, Report::Lines { .. }) {}
    stop(&*bench.runner);
    let ending = bench.end().await;
    (bench, ending)
}

#[tokio::test]
async fn a_function_is_asked_and_then_dropped() {
    let (bench, ending) = stopped("polite", |runner| runner.stop(attempt(1), grace(600_000))).await;
    check_end(&bench, &ending, &code(0), "ready\nbye\n");
    let dropped = "ready\nneap: the function was dropped, because it did not stop within its grace\n";
    let (bench, ending) = stopped("rude", |runner| runner.stop(attempt(1), grace(20))).await;
    check_end(&bench, &ending, &code(1), dropped);
    let (bench, ending) = stopped("rude", |runner| runner.kill(attempt(1))).await;
    check_end(&bench, &ending, &code(1), dropped);
}

/// Everything a function says has a secret in it, most of it in pieces.
fn telltale() -> Functions {
    let functions = Functions::new(Handle::current());
    functions.register("tell", |mut context| async move {
        context.log.line("first hunter2");
        for piece in ["hun", "te", "r2\nhunt"] {
            context.log.write_all(piece.as_bytes())?;
        }
        context.progress(50, "with hunter2");
        context.output("size", 7);
        context.output("notes", "hunter2\nEND");
        context.output("no name", "x");
        Err(FunctionError::failed("it was hunter2"))
    });
    functions.register("hunter2", |_| async move { Err(FunctionError::skipped("by hunter2")) });
    functions
}

#[tokio::test]
async fn a_function_cannot_tell_a_secret() {
    let mut bench = Bench::with(telltale());
    let masks = Masks::new(["hunter2"]);
    let stdout = Stdout::LogAnd(bench.path("1.out"));
    let order = bench.order(1, call("tell"));
    std::fs::write(&order.outputs, "child=hunter2").unwrap();
    bench.start(Start { watch_lines: true, masks: masks.clone(), stdout, ..order });
    let (mut lines, mut words) = (Vec::new(), String::new());
    let outputs = loop {
        match bench.next().await {
            Report::Lines { lines: more, .. } => lines.extend(more.into_iter().map(|line| line.text)),
            Report::Progress { message, .. } => words = message,
            Report::Spawned { .. } | Report::Stalled { .. } => {}
            Report::Ended { outputs, outputs_cut, .. } => {
                assert!(!outputs_cut);
                break outputs;
            }
        }
    };
    let log = "first ***\n***\nhuntneap: \"no name\" is no name for an output\nneap: it was ***\n";
    assert_eq!(String::from_utf8(bench.log(1)).unwrap(), log);
    assert_eq!(std::fs::read_to_string(bench.path("1.out")).unwrap(), log);
    assert_eq!(lines, log.lines().collect::<Vec<_>>());
    assert_eq!(words, "with ***");
    assert_eq!(outputs, "child=***\nsize=7\nnotes<<END_\n***\nEND\nEND_\n");
    for (number, name, exit) in [
        (2, "hunter2", Exit::Skipped { reason: "by ***".into() }),
        (
            3,
            "hunter22",
            Exit::NotSpawned {
                why: NotSpawned::NotFound,
                message: "no function `***2` is registered; did you mean `***`?".into(),
            },
        ),
    ] {
        let order = Start { masks: masks.clone(), ..bench.order(number, call(name)) };
        assert_eq!(bench.run(order).await.exit, exit);
    }
}

#[tokio::test]
async fn a_log_that_outlives_its_function_stays_masked() {
    let functions = Functions::new(Handle::current());
    let kept = Arc::new(std::sync::Mutex::new(None));
    let keep = Arc::clone(&kept);
    functions.register("leave", move |context| {
        *keep.lock().unwrap() = Some(context.log);
        std::future::ready(Ok(()))
    });
    let mut bench = Bench::with(functions);
    let order = Start { masks: Masks::new(["hunter2"]), ..bench.order(1, call("leave")) };
    assert_eq!(bench.run(order).await.exit, code(0));
    let mut log: TaskLog = kept.lock().unwrap().take().unwrap();
    write!(log, "late hun").unwrap();
    write!(log, "ter2 and hu").unwrap();
    drop(log);
    assert_eq!(bench.log(1), b"late *** and hu");
}

/// A runner as a host adds one: here it only remembers that it was asked.
struct Other(Arc<AtomicBool>);

impl Runner for Other {
    fn start(&self, start: Start, reports: Reports) {
        self.0.store(true, Ordering::SeqCst);
        let exit = Exit::Skipped { reason: "elsewhere".into() };
        let (attempt, outputs) = (start.attempt, String::new());
        let ended = Report::Ended { attempt, exit, usage: None, left_over: 0, outputs, outputs_cut: false };
        reports.try_send(ended).unwrap();
    }
    fn stop(&self, _: AttemptId, _: Stop) {}
    fn kill(&self, _: AttemptId) {}
    fn shutdown(&self) -> WhenDone<'_> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn the_router_knows_who_carries_out_what() {
    let asked = Arc::new(AtomicBool::new(false));
    let mut bench = Bench::with(Router {
        processes: Arc::new(LocalProcesses::new(Handle::current(), "router")),
        functions: Arc::new(functions()),
        lua: Arc::new(Other(Arc::clone(&asked))),
    });
    let order = bench.order(1, script("exit 3"));
    assert_eq!(bench.run(order).await.exit, code(3));
    let order = bench.order(2, exec(&["true"]));
    assert_eq!(bench.run(order).await.exit, code(0));
    let order = bench.order(3, call("idle"));
    assert_eq!(bench.run(order).await.exit, Exit::Skipped { reason: "nothing new".into() });
    assert!(!asked.load(Ordering::SeqCst));
    for (number, action) in
        [(4, Action::Lua { text: "x".into() }), (5, Action::Script { file: "x.lua".into() })]
    {
        let order = bench.order(number, action);
        assert_eq!(bench.run(order).await.exit, Exit::Skipped { reason: "elsewhere".into() });
    }
    let pid = bench.until_first_line(6, "echo $$; exec sleep 1000").await;
    bench.runner.stop(attempt(6), grace(60_000));
    assert_eq!(bench.end().await.exit, Exit::Signal { signal: Signal::TERM });
    assert!(!is_alive(pid.parse().unwrap()));
    bench.runner.shutdown().await;
}
