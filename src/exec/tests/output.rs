//! Output: both ways into the log, watchers that are slow, and pipes that somebody else holds.

use super::*;
use std::time::Instant;

/// 50 MB of lines of 16 bytes.
const MUCH: &str = "yes 0123456789abcde | head -c 50000000";

#[track_caller]
fn assert_is_much(log: &[u8]) {
    assert_eq!(log.len(), 50_000_000);
    assert!(log.chunks(16).all(|line| line == b"0123456789abcde\n"));
}

#[tokio::test]
async fn much_output_goes_straight_into_the_log() {
    let mut bench = Bench::processes();
    let order = bench.order(1, script(MUCH));
    let ending = bench.run(order).await;
    assert_eq!((ending.exit, ending.lines.len()), (code(0), 0));
    assert_is_much(&bench.log(1));
}

#[tokio::test]
async fn much_watched_output_is_all_in_the_log_and_every_line_is_counted() {
    let mut bench = Bench::processes();
    let order = Start { watch_lines: true, ..bench.order(1, script(MUCH)) };
    let ending = bench.run(order).await;
    assert_eq!(ending.exit, code(0));
    assert_is_much(&bench.log(1));
    assert_eq!(ending.lines.len() as u64 + ending.dropped, 50_000_000 / 16);
    assert!(ending.lines.iter().all(|line| line == "0123456789abcde"));
}

#[tokio::test]
async fn much_output_with_secrets_is_all_in_the_log() {
    let mut bench = Bench::processes();
    let masks = Masks::new(["hunter2", "0123456789abcdefg", "e\n01234567890"]);
    let order = Start { masks, ..bench.order(1, script(MUCH)) };
    assert_eq!(bench.run(order).await.exit, code(0));
    assert_is_much(&bench.log(1));
}

#[tokio::test]
async fn bytes_that_are_no_text_stay_as_they_are_in_the_log() {
    let mut bench = Bench::processes();
    let text = r"printf 'a\377\000b\r\nc\rd'; printf 'oops\n' >&2";
    for (number, watch_lines) in [(1, false), (2, true)] {
        let order = Start { watch_lines, ..bench.order(number, script(text)) };
        let ending = bench.run(order).await;
        let log = bench.log(number);
        assert!(log.starts_with(b"a\xff\0b\r\nc\rd") || log.starts_with(b"oops\n"), "{log:?}");
        assert_eq!(log.len(), 14);
        if watch_lines {
            let mut lines = ending.lines;
            lines.sort_unstable();
            assert_eq!(lines, ["a\u{fffd}\0b", "c", "d", "oops"]);
        }
    }
}

#[tokio::test]
async fn lines_know_their_stream() {
    let mut bench = Bench::processes();
    bench.start(Start { watch_lines: true, ..bench.order(1, script("echo out; echo err >&2")) });
    let mut all = Vec::new();
    loop {
        match bench.next().await {
            Report::Lines { lines, .. } => all.extend(lines),
            Report::Ended { .. } => break,
            Report::Spawned { .. } | Report::Stalled { .. } | Report::Progress { .. } => {}
        }
    }
    let line = |stream, text: &str| Line { stream, text: text.into() };
    assert!(all.contains(&line(Stream::Stdout, "out")), "{all:?}");
    assert!(all.contains(&line(Stream::Stderr, "err")), "{all:?}");
}

#[tokio::test]
async fn a_watcher_that_sleeps_blocks_nobody_and_gets_the_newest() {
    let mut bench = Bench::processes();
    (bench.sender, bench.reports) = mpsc::channel(1);
    fifo(&bench.path("done"));
    let text =
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo 'line' $i; done; seq 400000; echo all > done";
    bench.start(Start { watch_lines: true, ..bench.order(1, script(text)) });
    // Not one report is taken before the process has written everything.
    assert_eq!(heard(&bench.path("done")).await, "all\n");
    let ending = bench.end().await;
    assert_eq!(ending.exit, code(0));
    assert_eq!(ending.lines.len() as u64 + ending.dropped, 420_000);
    assert!(ending.dropped > 400_000, "memory is bounded: {} dropped", ending.dropped);
    assert_eq!(ending.lines.last().unwrap(), "400000");
}

#[tokio::test]
async fn nobody_listening_is_no_obstacle() {
    let bench = Bench::processes();
    let (sender, _) = mpsc::channel(1);
    bench.runner.start(Start { watch_lines: true, ..bench.order(1, script(MUCH)) }, sender);
    tokio::time::timeout(DEADLINE, bench.runner.shutdown()).await.unwrap();
    assert_is_much(&bench.log(1));
}

#[tokio::test]
async fn a_pipe_held_by_an_escaped_grandchild_delays_nothing() {
    let host = instance("held-pipe");
    let mut bench = Bench::with(LocalProcesses::new(Handle::current(), &host));
    fifo(&bench.path("away"));
    let text = "setsid sh -c 'echo > away; exec sleep 1000' & read x < away; echo last";
    let begun = Instant::now();
    let order = Start { watch_lines: true, ..bench.order(1, script(text)) };
    let ending = bench.run(order).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "the sleeper holds the pipe for 1000 s");
    assert_eq!((ending.exit, ending.left_over), (code(0), 0));
    assert_eq!(ending.lines, ["last"]);
    let swept = sweep(&host).await;
    assert_eq!(swept.len(), 1, "the mark finds whoever left the group");
    assert_eq!(swept[0].attempt, attempt(1));
}
