//! Stopping: signal, grace and kill; groups; races between a stop and an end.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn a_stop_is_a_signal_to_the_whole_group() {
    let mut bench = Bench::processes();
    let pid = bench.until_first_line(1, "sleep 1000 & echo $!; wait").await.parse().unwrap();
    assert!(is_alive(pid));
    bench.runner.stop(attempt(1), grace(60_000));
    let ending = bench.end().await;
    assert_eq!(ending.exit, Exit::Signal { signal: Signal::TERM });
    assert!(!is_alive(pid));
    assert_eq!(ending.left_over, 0);
}

#[tokio::test]
async fn who_ignores_the_signal_is_killed_after_the_grace() {
    let mut bench = Bench::processes();
    let pid = bench.until_first_line(1, "trap '' TERM; sleep 1000 & echo $!; wait; wait; sleep 1000").await;
    let asked = Instant::now();
    bench.runner.stop(attempt(1), grace(100));
    assert_eq!(bench.end().await.exit, Exit::Signal { signal: Signal::KILL });
    assert!(asked.elapsed() >= Duration::from_millis(100));
    assert!(!is_alive(pid.parse().unwrap()));
}

#[tokio::test]
async fn the_signal_is_the_one_asked_for() {
    let mut bench = Bench::processes();
    bench.until_first_line(1, "trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done").await;
    bench.runner.stop(attempt(1), Stop { signal: Signal(10), grace: Millis(60_000) });
    assert_eq!(bench.end().await.exit, code(7));
}

#[tokio::test]
async fn a_stopped_group_can_react() {
    let mut bench = Bench::processes();
    bench.until_first_line(1, "trap 'exit 7' TERM; echo ready; kill -STOP $$; sleep 1000").await;
    bench.runner.stop(attempt(1), grace(60_000));
    assert_eq!(bench.end().await.exit, code(7));
}

#[tokio::test]
async fn the_grace_belongs_to_the_whole_group() {
    let mut bench = Bench::processes();
    let text =
        "(trap 'sleep 0.05; echo tidy > tidied; exit' TERM; echo ready; while :; do sleep 0.01; done) & wait";
    bench.until_first_line(1, text).await;
    bench.runner.stop(attempt(1), grace(60_000));
    let ending = bench.end().await;
    assert_eq!(ending.exit, Exit::Signal { signal: Signal::TERM }, "the shell died at once");
    assert_eq!(std::fs::read_to_string(bench.path("tidied")).unwrap(), "tidy\n", "its child had time");
    assert_eq!(ending.left_over, 0);
}

#[tokio::test]
async fn a_second_stop_only_shortens_and_a_kill_ends_all() {
    let mut bench = Bench::processes();
    let ignoring = "trap '' TERM; echo ready; while :; do sleep 1000; done";
    bench.until_first_line(1, ignoring).await;
    bench.runner.stop(attempt(1), grace(600_000));
    bench.runner.stop(attempt(1), grace(10));
    bench.runner.stop(attempt(1), grace(600_000));
    assert_eq!(bench.end().await.exit, Exit::Signal { signal: Signal::KILL });
    bench.until_first_line(2, ignoring).await;
    bench.runner.stop(attempt(2), grace(600_000));
    bench.runner.kill(attempt(2));
    assert_eq!(bench.end().await.exit, Exit::Signal { signal: Signal::KILL });
}

#[tokio::test]
async fn what_is_gone_or_unknown_is_left_alone() {
    let mut bench = Bench::processes();
    bench.runner.stop(attempt(9), Stop::default());
    bench.runner.kill(attempt(9));
    let order = bench.order(1, script("exit 4"));
    assert_eq!(bench.run(order).await.exit, code(4));
    bench.runner.stop(attempt(1), Stop::default());
    bench.runner.kill(attempt(1));
    let order = bench.order(2, script("exit 5"));
    assert_eq!(bench.run(order).await.exit, code(5));
}

#[tokio::test]
async fn a_stop_before_the_start_keeps_it_from_starting() {
    let mut bench = Bench::processes();
    bench.start(bench.order(1, script("touch made")));
    // On this runtime of one thread the attempt has not begun yet.
    bench.runner.stop(attempt(1), Stop::default());
    assert!(matches!(bench.end().await.exit, Exit::NotSpawned { .. }));
    assert!(!bench.path("made").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_races_with_an_end_gives_one_end() {
    let mut bench = Bench::processes();
    for number in 0..200 {
        bench.start(bench.order(number, exec(&["true"])));
        // Every attempt meets its stop at another point of its life.
        for _ in 0..number * 20 {
            std::hint::spin_loop();
        }
        if number % 2 == 0 {
            bench.runner.stop(attempt(number), grace(0));
        } else {
            bench.runner.kill(attempt(number));
        }
    }
    let mut ended = std::collections::BTreeSet::new();
    while ended.len() < 200 {
        if let Report::Ended { attempt, usage, .. } = bench.next().await {
            usage.iter().for_each(|usage| assert_reaped(usage.pid));
            assert!(ended.insert(attempt));
        }
    }
    bench.runner.shutdown().await;
    assert!(bench.reports.try_recv().is_err());
}

#[tokio::test]
async fn who_outlives_the_leader_is_killed_and_counted() {
    let mut bench = Bench::processes();
    let text = "trap '' TERM; sleep 1000 & echo $!; sleep 1000 & echo $!; printf end";
    let order = bench.order(1, script(text));
    let ending = bench.run(order).await;
    assert_eq!((ending.exit, ending.left_over), (code(0), 2));
    let log = String::from_utf8(bench.log(1)).unwrap();
    assert!(log.ends_with("\nend\nneap: killed 2 left-over processes\n"), "{log}");
    for pid in log.lines().take(2) {
        assert!(!is_alive(pid.parse().unwrap()));
    }
}
