//! What processes read: text, files, and each other.

use super::*;
use std::collections::BTreeMap;

/// What a script makes of its input.
async fn read(bench: &mut Bench, stdin: Stdin, text: &str) -> String {
    let order = Start { stdin, log: bench.path("read.log"), ..bench.order(1, script(text)) };
    let _ = std::fs::remove_file(bench.path("read.log"));
    assert_eq!(bench.run(order).await.exit, code(0), "{text}");
    std::fs::read_to_string(bench.path("read.log")).unwrap()
}

#[tokio::test]
async fn text_is_read_whole_or_not_at_all() {
    let mut bench = Bench::processes();
    assert_eq!(read(&mut bench, Stdin::Text("a\nb\0\u{e4}".into()), "cat").await, "a\nb\0\u{e4}");
    assert_eq!(read(&mut bench, Stdin::Text("".into()), "cat").await, "");
    let large: Arc<str> = "0123456789".repeat(20_000).into();
    assert_eq!(read(&mut bench, Stdin::Text(Arc::clone(&large)), "wc -c").await.trim(), "200000");
    assert_eq!(
        read(&mut bench, Stdin::Text(Arc::clone(&large)), "cat /dev/stdin | wc -c").await.trim(),
        "200000"
    );
    assert_eq!(read(&mut bench, Stdin::Text(large), "true").await, "");
}

#[tokio::test]
async fn files_and_devices_are_read() {
    let mut bench = Bench::processes();
    std::fs::write(bench.path("given"), "content").unwrap();
    assert_eq!(read(&mut bench, Stdin::File("given".into()), "cat").await, "content");
    let absolute = Stdin::File(bench.path("given"));
    assert_eq!(read(&mut bench, absolute, "cat").await, "content");
    assert_eq!(read(&mut bench, Stdin::File("/dev/zero".into()), "head -c 9 | wc -c").await.trim(), "9");
}

#[tokio::test]
async fn what_cannot_be_read_says_so() {
    let mut bench = Bench::processes();
    fifo(&bench.path("fifo"));
    for (path, why) in
        [("missing", "No such file"), (".", "it is a directory"), ("fifo", "neither a file nor a device")]
    {
        let order = Start { stdin: Stdin::File(path.into()), ..bench.order(1, script("touch made")) };
        let Exit::NotSpawned { why: NotSpawned::Other, message } = bench.run(order).await.exit else {
            panic!("{path} was read")
        };
        let file = bench.path(path);
        assert!(
            message.starts_with(&format!("its input `{}` cannot be read: ", file.display())),
            "{message}"
        );
        assert!(message.contains(why), "{message}");
    }
    assert!(!bench.path("made").exists());
}

/// One writes (1) and one reads (2); `order` is the order in which they start. Returns both ends.
async fn joined(bench: &mut Bench, order: [u32; 2], writer: Action, reader: &str) -> (Exit, Exit) {
    let joint = Joint::new().unwrap();
    let writing = Start { stdout: Stdout::Stream(joint.clone()), ..bench.order(1, writer) };
    let reading = Start { stdin: Stdin::Stream(joint), ..bench.order(2, script(reader)) };
    let (first, second) = if order == [1, 2] { (writing, reading) } else { (reading, writing) };
    bench.start(first);
    // It runs, or has failed to, before the second is there.
    let first = bench.next().await;
    bench.start(second);
    ends(bench, Some(first)).await
}

/// The ends of the attempts 1 and 2.
async fn ends(bench: &mut Bench, mut heard: Option<Report>) -> (Exit, Exit) {
    let mut ends = BTreeMap::new();
    while ends.len() < 2 {
        let report = match heard.take() {
            Some(report) => report,
            None => bench.next().await,
        };
        if let Report::Ended { attempt, exit, .. } = report {
            ends.insert(attempt.number, exit);
        }
    }
    (ends.remove(&1).unwrap(), ends.remove(&2).unwrap())
}

#[tokio::test]
async fn one_reads_what_the_other_writes() {
    for order in [[1, 2], [2, 1]] {
        let mut bench = Bench::processes();
        let writer = script("yes 0123456789abcde | head -c 5000000; echo done >&2");
        assert_eq!(joined(&mut bench, order, writer, "wc -c").await, (code(0), code(0)));
        assert_eq!(bench.log(1), b"done\n");
        assert_eq!(String::from_utf8(bench.log(2)).unwrap().trim(), "5000000");
    }
}

#[tokio::test]
async fn whoever_ends_first_ends_the_pipe() {
    for order in [[1, 2], [2, 1]] {
        let mut bench = Bench::processes();
        assert_eq!(joined(&mut bench, order, exec(&["true"]), "cat").await, (code(0), code(0)));
        let broken = Exit::Signal { signal: Signal(13) };
        assert_eq!(joined(&mut bench, order, exec(&["yes"]), "head -n 1").await, (broken, code(0)));
        assert_eq!(bench.log(2), b"y\n");
        let (writer, reader) = joined(&mut bench, order, exec(&["nonsense"]), "cat").await;
        assert!(matches!(writer, Exit::NotSpawned { why: NotSpawned::NotFound, .. }));
        assert_eq!(reader, code(0));
    }
}

#[tokio::test]
async fn masks_do_not_reach_into_the_pipe() {
    let mut bench = Bench::processes();
    let joint = Joint::new().unwrap();
    let masks = Masks::new(["hunter2"]);
    let writer = script("echo hunter2; echo err hunter2 >&2");
    let stdout = Stdout::Stream(joint.clone());
    bench.start(Start { stdout, masks: masks.clone(), watch_lines: true, ..bench.order(1, writer) });
    let reader = script("read word; [ $word = hunter2 ]; echo got $word");
    bench.start(Start { stdin: Stdin::Stream(joint), masks, ..bench.order(2, reader) });
    assert_eq!(ends(&mut bench, None).await, (code(0), code(0)));
    assert_eq!(bench.log(1), b"err ***\n");
    assert_eq!(bench.log(2), b"got ***\n");
}

#[tokio::test]
async fn a_writer_that_never_runs_is_not_waited_for() {
    let mut bench = Bench::processes();
    for (number, close) in [(1, Joint::close as fn(&Joint)), (2, |_| {})] {
        let joint = Joint::new().unwrap();
        let stdin = Stdin::Stream(joint.clone());
        bench.start(Start { stdin, watch_lines: true, ..bench.order(number, script("echo up; cat")) });
        while !matches!(bench.next().await, Report::Lines { .. }) {}
        close(&joint);
        // The other time the last clone does it.
        drop(joint);
        assert_eq!(bench.end().await.exit, code(0));
    }
}

#[tokio::test]
async fn an_end_is_taken_once() {
    let mut bench = Bench::processes();
    let joint = Joint::new().unwrap();
    let (stdin, stdout) = (Stdin::Stream(joint.clone()), Stdout::Stream(joint));
    let order = Start { stdin: stdin.clone(), stdout: stdout.clone(), ..bench.order(1, exec(&["true"])) };
    assert_eq!(bench.run(order).await.exit, code(0));
    for (order, side) in [
        (Start { stdin, ..bench.order(2, exec(&["true"])) }, "its input, cannot be read"),
        (Start { stdout, ..bench.order(3, exec(&["true"])) }, "no pipe for its output"),
    ] {
        let Exit::NotSpawned { message, .. } = bench.run(order).await.exit else { panic!("it ran") };
        assert!(message.contains(side) && message.contains("earlier attempt"), "{message}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_function() {
    let functions = Functions::new(Handle::current());
    functions.register("idle", |_| std::future::pending());
    let mut bench = Bench::processes();
    let joint = Joint::new().unwrap();
    let stdout = Stdout::Stream(joint.clone());
    let call = Action::Call { function: "idle".into(), with: serde_json::Value::Null };
    functions.start(Start { stdout, ..bench.order(1, call) }, bench.sender.clone());
    bench.start(Start { stdin: Stdin::Stream(joint), ..bench.order(2, exec(&["cat"])) });
    functions.kill(attempt(1));
    assert_eq!(ends(&mut bench, None).await.1, code(0));
}
