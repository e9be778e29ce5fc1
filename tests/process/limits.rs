//! Jobs that want more of the machine than they may have: they die soon, with the right cause, nothing of them is left, and
//! meanwhile the host answers.
//!
//! Each is tried twice: with what the machine offers, and with the shim looking by itself (`NEAP_LIMITS=watchdog`). Every
//! offender ends by itself too, so that a mistake of ours cannot take the machine down.

use super::batch::{Batch, Host};
use neap::api::RunInfo;
use neap::engine::{Cause, Exit, Limit, Outcome};
use std::time::{Duration, Instant};

/// Slow builds on busy machines get five times as long.
const FACTOR: u32 = if cfg!(debug_assertions) { 5 } else { 1 };
/// How long an offender may live.
const LIFE: Duration = Duration::from_millis(1000 * FACTOR as u64);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 100 });

const MODES: [&[(&str, &str)]; 2] = [&[], &[("NEAP_LIMITS", "watchdog")]];

/// About a thousand processes, if nobody stops it: each half of a second more.
const BOMB: &str = "  bomb() {\n    if [ $1 -gt 0 ]; then bomb $(($1 - 1)) & bomb $(($1 - 1)) & fi\n    sleep 30 &\n    wait\n  }\n  bomb 8\n";

async fn run(host: &Host, name: &str) -> (RunInfo, Duration) {
    let run = host.submit(name).await;
    let mut over = std::pin::pin!(host.over(&run));
    let mut slowest = Duration::ZERO;
    let run = loop {
        let asked = Instant::now();
        let answered: serde_json::Value = host.client.get("/api/v1/host").await.unwrap();
        assert!(answered.is_object());
        slowest = slowest.max(asked.elapsed());
        match tokio::time::timeout(Duration::from_millis(5), &mut over).await {
            Ok(run) => break run,
            Err(_) => continue,
        }
    };
    (run, slowest)
}

/// Runs the task and looks at its end, which is the one that its limit asks for.
async fn offend(name: &str, yaml: &str, expected: Cause) {
    for mode in MODES {
        let mut batch = Batch::empty("shim");
        batch.variables = mode;
        batch.task(name, yaml);
        let host = batch.serve().await;
        let (run, slowest) = run(&host, name).await;
        let attempt = &run.jobs[0];
        let lived = attempt.finished.unwrap().0.0 - attempt.started.unwrap().0.0;
        println!("{name} {mode:?}: lived {lived} ms, slowest answer {slowest:.1?}");
        assert_eq!(attempt.outcome, Some(Outcome::Failed { cause: expected.clone() }), "{mode:?}");
        assert!(u128::from(lived) < LIFE.as_millis(), "{mode:?}: it lived for {lived} ms");
        assert!(slowest < ANSWER, "{mode:?}: an answer took {slowest:?}");
        // Children of this very host that were not reaped would have the mark as well.
        assert_eq!(batch.started(), Vec::<i32>::new(), "{mode:?}: left alive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb() {
    let yaml = format!("run: |\n{BOMB}limits: {{ pids: 50 }}\n");
    offend("bomb", &yaml, Cause::Limit { which: Limit::Processes, most: 50 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eater_of_memory() {
    let yaml = "run: dd if=/dev/zero of=/dev/null bs=1G count=20\nlimits: { memory: 64MiB }\n";
    offend("eater", yaml, Cause::Limit { which: Limit::Memory, most: 64 << 20 }).await;
}

/// Each has little; together they have too much.
#[tokio::test(flavor = "multi_thread")]
async fn many_small_eaters_of_memory() {
    let yaml = "run: |\n  for i in 1 2 3 4 5 6 7 8; do dd if=/dev/zero of=/dev/null bs=32M count=2000 & done\n  wait\nlimits: { memory: 100MiB }\n";
    offend("eaters", yaml, Cause::Limit { which: Limit::Memory, most: 100 << 20 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_of_a_large_file() {
    let cause = Cause::Limit { which: Limit::FileSize, most: 1 << 20 };
    let words = "[dd, if=/dev/zero, of=big, bs=64k, count=400]";
    offend("alone", &format!("exec: {words}\nlimits: {{ file_size: 1MiB }}\n"), cause.clone()).await;
    let shell = "run: |\n  dd if=/dev/zero of=big bs=64k count=400\n  echo not reached\nlimits: { file_size: 1MiB }\n";
    offend("shell", shell, cause).await;
}

/// Each attempt may have as much, dies soon after, and the log says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_chatterbox() {
    let cause = Cause::Limit { which: Limit::Output, most: 1_000_000 };
    let endless = "run: yes chatter\nlimits: { output: 1MB }\n";
    offend("endless", endless, cause.clone()).await;
    offend(
        "masked",
        &format!("{endless}secrets: [{{ name: WORD, from: command, key: echo chat }}]\n"),
        cause.clone(),
    )
    .await;
    // It ends by itself before anybody can say that it is enough.
    offend("quick", "run: head -c 1000001 /dev/zero\nlimits: { output: 1MB }\n", cause).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatterbox_is_tried_again() {
    let batch = Batch::empty("shim");
    batch.task(
        "again",
        "run: |\n  test $NEAP_ATTEMPT -lt 3 || exec head -c 1000000 /dev/zero\n  yes chatter\nlimits: { output: 1MB }\nretry: { attempts: 3, delay: 10ms }\n",
    );
    let host = batch.serve().await;
    let (run, _) = run(&host, "again").await;
    assert_eq!(run.jobs[0].outcome, Some(Outcome::Succeeded), "exactly as much is not too much");
    let exits: Vec<_> = run.jobs[0].attempts.iter().map(|attempt| attempt.exit.clone().unwrap()).collect();
    let killed = Exit::Limit { which: Limit::Output, most: 1_000_000 };
    assert_eq!(exits, [killed.clone(), killed, Exit::Code { code: 0 }]);
    for attempt in &run.jobs[0].attempts[..2] {
        let log = std::fs::read(&attempt.log).unwrap();
        // Its pipe may have been full once more.
        assert!((1_000_000..4_000_000).contains(&log.len()), "{}", log.len());
        let said = b"\nneap: killed, because it wrote more than 976.6 KiB of output\n";
        assert!(log.ends_with(said), "{}", log[log.len() - 200..].escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_too_much_is_refused() {
    let batch = Batch::empty("shim");
    // Two files at once, besides the three that everybody has.
    let copy = "exec: [cp, /etc/passwd, copy]";
    batch.task("enough", &format!("{copy}\nlimits: {{ nofile: 64 }}\n"));
    batch.task("few", &format!("{copy}\nlimits: {{ nofile: 4 }}\n"));
    let host = batch.serve().await;
    assert_eq!(run(&host, "enough").await.0.jobs[0].outcome, Some(Outcome::Succeeded));
    let expected = Outcome::Failed { cause: Cause::Exit { code: 1 } };
    assert_eq!(run(&host, "few").await.0.jobs[0].outcome, Some(expected));
}

/// What is written to a device is counted, of children too, and told beside the processor time.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_counted() {
    let batch = Batch::empty("shim");
    batch.task("writer", "run: |\n  dd if=/dev/zero of=big bs=64k count=64 conv=fsync\n  echo done\n");
    let host = batch.serve().await;
    let (run, _) = run(&host, "writer").await;
    let run: RunInfo = host.client.get(&format!("/api/v1/runs/{}", run.id)).await.unwrap();
    let usage = run.jobs[0].attempts[0].usage.unwrap();
    // A file system in memory has no device.
    let in_memory = rustix::fs::statfs(batch.root()).unwrap().f_type == 0x0102_1994;
    assert!(in_memory || usage.written_bytes >= 4 << 20, "{usage:?}");
}

/// What stays below its limits is not disturbed, and a limit of processor time is held or spoken of.
#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_to_its_limits_succeeds() {
    for mode in MODES {
        let mut batch = Batch::empty("shim");
        batch.variables = mode;
        let limits = "limits: { memory: 256MiB, pids: 20, cpu: 0.5, nofile: 64, file_size: 1MiB }";
        batch.task("modest", &format!("run: |\n  sleep 0.3 &\n  echo hello > small\n  wait\n{limits}\n"));
        let host = batch.serve().await;
        let (run, _) = run(&host, "modest").await;
        assert_eq!(run.jobs[0].outcome, Some(Outcome::Succeeded), "{mode:?}");
        let log = std::fs::read_to_string(run.jobs[0].log.as_ref().unwrap()).unwrap();
        let remark = "neap: limits.cpu is not enforced here: there is no control group for it\n";
        println!("modest {mode:?}: {log:?}");
        assert!(log.is_empty() || log == remark, "{log}");
        assert!(mode.is_empty() || log == remark, "the watchdog cannot hold it: {log}");
    }
}
