//! Starting and ending: words, environment, directories, exit codes, and what could not be started.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[track_caller]
fn check_refused(ending: &Ending, expected: NotSpawned, part: &str) {
    let Exit::NotSpawned { why, message } = &ending.exit else { panic!("{ending:?}") };
    assert_eq!(*why, expected, "{message}");
    assert!(message.contains(part), "{message:?} speaks of {part:?}");
    assert_eq!(ending.usage, None);
}

#[tokio::test]
async fn an_end_tells_the_code_or_the_signal() {
    let mut bench = Bench::processes();
    for (number, (text, expected)) in [
        ("exit 0", code(0)),
        ("exit 41", code(41)),
        ("exit 127", code(127)),
        ("false", code(1)),
        ("kill -9 $$", Exit::Signal { signal: Signal::KILL }),
        ("kill -SEGV $$", Exit::Signal { signal: Signal(11) }),
    ]
    .into_iter()
    .enumerate()
    {
        let order = bench.order(number as u32, script(text));
        let ending = bench.run(order).await;
        assert_eq!(ending.exit, expected, "{text}");
        assert_eq!(ending.left_over, 0);
    }
}

#[tokio::test]
async fn arguments_arrive_byte_for_byte() {
    let mut bench = Bench::processes();
    let hostile =
        ["", " ", "a b", "'", "\"", "$(exit 9)", "`x`", "\n", "\\", "*", "-n", "ä\u{1f980}", ";&|<>"];
    let mut argv = vec!["printf", "%s|"];
    argv.extend(hostile);
    let order = bench.order(1, exec(&argv));
    assert_eq!(bench.run(order).await.exit, code(0));
    assert_eq!(String::from_utf8(bench.log(1)).unwrap(), hostile.map(|word| format!("{word}|")).concat());
}

#[tokio::test]
async fn the_environment_is_the_one_given_and_the_mark() {
    let mut bench = Bench::processes();
    let mut order = bench.order(1, exec(&["env"]));
    order.env.push(("TWO".into(), "a b\u{e4}".into()));
    assert_eq!(bench.run(order).await.exit, code(0));
    let log = String::from_utf8(bench.log(1)).unwrap();
    let mut names: Vec<&str> = log.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["NEAP_MARK", "PATH", "TWO"]);
    assert!(log.contains("TWO=a b\u{e4}\n"));
    assert!(log.contains(&format!("NEAP_MARK={}\n", marker("bench", attempt(1)).1)));
}

#[tokio::test]
async fn it_starts_in_its_directory_without_input() {
    let mut bench = Bench::processes();
    std::fs::create_dir(bench.path("sub")).unwrap();
    let working_dir = bench.path("sub");
    let order = Start { working_dir, ..bench.order(1, script("pwd; read line || echo no input")) };
    assert_eq!(bench.run(order).await.exit, code(0));
    let folder = std::fs::canonicalize(bench.path("sub")).unwrap();
    assert_eq!(String::from_utf8(bench.log(1)).unwrap(), format!("{}\nno input\n", folder.display()));
    let mode = std::fs::metadata(bench.path("1.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let mut bench = Bench::processes();
    std::fs::write(bench.path("plain"), "#!/bin/sh\n").unwrap();
    for (name, text) in [("bad-bang", "#!/nowhere/x\n"), ("no-bang", "exit 0\n")] {
        std::fs::write(bench.path(name), text).unwrap();
        std::fs::set_permissions(bench.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let direct =
        Action::Run { script: "nonsense x".into(), shell: Vec::new(), words: Some(words(&["nonsense"])) };
    for (action, why, part) in [
        (exec(&["nonsense"]), NotSpawned::NotFound, "no program `nonsense` on the PATH"),
        (direct, NotSpawned::NotFound, "`nonsense`"),
        (exec(&["./nothing"]), NotSpawned::NotFound, "no file"),
        (exec(&["./plain"]), NotSpawned::NotExecutable, "chmod +x"),
        (exec(&["/tmp"]), NotSpawned::NotExecutable, "is not a file"),
        (exec(&["./bad-bang"]), NotSpawned::NotExecutable, "interpreter"),
        (exec(&["./no-bang"]), NotSpawned::NotExecutable, "#!/bin/sh"),
        (exec(&["true", "nul\0"]), NotSpawned::Other, "true"),
        (exec(&["true", &"x".repeat(3 << 20)]), NotSpawned::Other, "too long"),
        (exec(&[]), NotSpawned::NotFound, "no name"),
        (Action::Lua { text: String::new() }, NotSpawned::Other, "not a command"),
    ] {
        let order = bench.order(1, action);
        check_refused(&bench.run(order).await, why, part);
    }
}

#[tokio::test]
async fn a_missing_directory_or_log_says_so() {
    let mut bench = Bench::processes();
    let order = Start { working_dir: bench.path("gone"), ..bench.order(1, exec(&["true"])) };
    check_refused(&bench.run(order).await, NotSpawned::Other, "does not exist");
    let order = Start { log: bench.path("gone/1.log"), ..bench.order(1, exec(&["true"])) };
    check_refused(&bench.run(order).await, NotSpawned::Other, "log file");
    std::os::unix::fs::symlink("/dev/null", bench.path("1.log")).unwrap();
    let order = bench.order(1, exec(&["true"]));
    check_refused(&bench.run(order).await, NotSpawned::Other, "log file");
}

#[tokio::test]
async fn a_template_gets_the_script_as_a_file() {
    let mut bench = Bench::processes();
    let text = "echo \"$0\"; stat -c %a \"$0\"; exit 5\n";
    let shell = words(&["sh", "-eu", "{0}"]);
    let action = Action::Run { script: text.into(), shell, words: None };
    let order = bench.order(1, action.clone());
    assert_eq!(bench.run(order).await.exit, code(5));
    let file = bench.path("1.log.script");
    assert_eq!(String::from_utf8(bench.log(1)).unwrap(), format!("{}\n700\n", file.display()));
    assert!(!file.exists());
    // What a dead host left there is no obstacle.
    std::fs::write(&file, "exit 9").unwrap();
    let order = bench.order(1, action);
    assert_eq!(bench.run(order).await.exit, code(5));
}

#[tokio::test]
async fn usage_counts_the_children_that_were_waited_for() {
    let mut bench = Bench::processes();
    let order = bench.order(1, script("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"));
    let usage = bench.run(order).await.usage.unwrap();
    assert!(usage.user_ms > 0, "{usage:?}");
    // This program is larger than `true`, whose own mark can therefore not be seen.
    let order = bench.order(2, exec(&["true"]));
    assert_eq!(bench.run(order).await.usage.unwrap().peak_rss, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_at_once_all_end_once() {
    let mut bench = Bench::processes();
    for number in 0..500 {
        bench.start(bench.order(number, script("exit 3")));
    }
    let mut ended = std::collections::BTreeSet::new();
    while ended.len() < 500 {
        if let Report::Ended { attempt, exit, usage, .. } = bench.next().await {
            assert_eq!(exit, code(3));
            assert_reaped(usage.unwrap().pid);
            assert!(ended.insert(attempt), "{attempt:?} ended twice");
        }
    }
    bench.runner.shutdown().await;
    assert!(bench.reports.try_recv().is_err());
}

#[tokio::test]
async fn after_the_shutdown_nothing_starts() {
    let mut bench = Bench::processes();
    bench.runner.shutdown().await;
    let order = bench.order(1, script("touch made"));
    check_refused(&bench.run(order).await, NotSpawned::Other, "stopped before it was started");
    assert!(!bench.path("made").exists());
}
