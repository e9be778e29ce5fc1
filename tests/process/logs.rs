//! What is kept of a job that writes more than its log may have: its beginning and its end, byte by byte, while it runs and
//! after, with a host and without.
//!
//! The jobs write lines of nine bytes with their numbers, so that every place says whether it is right.

use super::batch::{Batch, Host};
use super::{appear, count};
use neap::api::{LogPart, RunInfo, RunState};
use neap::engine::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Of each line.
const LINE: usize = 9;

/// Behind this, all numbers have eight digits.
const FIRST: usize = 10_000_000;

/// The lines from one number to before another.
fn lines(from: usize, to: usize) -> Vec<u8> {
    (from + FIRST..to + FIRST).flat_map(|number| format!("{number}\n").into_bytes()).collect()
}

/// The command that writes them.
fn write(from: usize, to: usize) -> String {
    format!("seq {} {}", from + FIRST, to + FIRST - 1)
}

/// A task that writes so many lines.
fn counter(count: usize, more: &str) -> String {
    format!("run: {}\n{more}\n", write(0, count))
}

/// A task that writes lines up to one number, then to another, and a hundred more; in between it waits for a file.
fn in_steps(one: usize, other: usize, more: &str) -> String {
    let [first, second, last] = [write(0, one), write(one, other), write(other, other + 100)];
    let wait = |file: &str| format!("  until test -e {file}; do sleep 0.05; done\n");
    format!(
        "run: |\n  {first}\n  touch up\n{}  {second}\n  touch written\n{}  {last}\n{more}\n",
        wait("go"),
        wait("end")
    )
}

fn log_of(run: &RunInfo) -> PathBuf {
    run.jobs[0].log.clone().expect("what has run has a log")
}

async fn seen(host: &Host, run: &RunInfo) -> RunInfo {
    host.client.get(&format!("/api/v1/runs/{}", run.id)).await.unwrap()
}

/// The bytes of everything that there is about a run.
fn on_disk(log: &Path) -> u64 {
    let files = std::fs::read_dir(log.parent().unwrap()).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
}

/// What neap says in the middle of a log: before it, how many bytes and lines are missing, and after it.
fn parted(log: &[u8]) -> (&[u8], (usize, usize), &[u8]) {
    let at = memchr::memmem::find(log, b"neap: ").expect("nothing is missing");
    let end = at + memchr::memchr(b'\n', &log[at..]).unwrap() + 1;
    let said = std::str::from_utf8(&log[at..end]).unwrap();
    let mut numbers = said.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let mut next = || numbers.next().unwrap().parse().unwrap();
    (&log[..at], (next(), next()), &log[end..])
}

/// The log of a counter that has come so far.
#[track_caller]
fn check_counted(log: &[u8], count: usize, most: usize) {
    let (head, missing, tail) = parted(log);
    let (first, last) = (head.len() / LINE, tail.len() / LINE);
    assert!(head == lines(0, first), "the beginning");
    assert!(tail == lines(count - last, count), "the end");
    assert_eq!(missing, ((count - first - last) * LINE, count - first - last));
    assert!(log.len() <= most + 128 && log.len() > most * 7 / 8, "{} bytes", log.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_its_beginning_and_its_end() {
    let megabytes = count("FLOOD_MB", 200);
    let lines = megabytes * 1_000_000 / LINE;
    let batch = Batch::empty("shim");
    // The numbers have eight digits.
    let (lines, most) = (lines.min(80_000_000), 1_000_000);
    batch.task("small", &counter(lines, "log: { max_size: 1MB }"));
    batch.task("large", &counter(lines, "log: { max_size: 1024GiB }"));
    let host = batch.serve().await;
    let mut took = Vec::new();
    for task in ["large", "small", "large", "small"] {
        let run = host.submit(task).await;
        let before = peak_kib(&host);
        let begun = Instant::now();
        let mut over = std::pin::pin!(host.over(&run));
        let mut peak = 0;
        let run = loop {
            if let Some(log) = seen(&host, &run).await.jobs[0].log.as_ref() {
                peak = peak.max(on_disk(log));
            }
            match tokio::time::timeout(Duration::from_millis(20), &mut over).await {
                Ok(run) => break run,
                Err(_) => continue,
            }
        };
        let elapsed = begun.elapsed();
        let speed = (lines * LINE) as f64 / 1e6 / elapsed.as_secs_f64();
        let grown = peak_kib(&host) - before;
        println!("{task}: {elapsed:.1?}, {speed:.0} MB/s, at most {peak} bytes on disk, {grown} KiB more");
        took.push(elapsed);
        assert_eq!(run.state, RunState::Succeeded);
        assert!(grown < 32 * 1024, "{grown} KiB");
        let log = log_of(&run);
        if task == "small" {
            check_counted(&std::fs::read(&log).unwrap(), lines, most);
            // For a moment the end stands there twice, and there are the moments at which it was written.
            assert!(peak < most as u64 * 2, "{peak} bytes at once");
            assert!(on_disk(&log) < most as u64 * 5 / 4, "{}", on_disk(&log));
        } else {
            assert_eq!(std::fs::metadata(&log).unwrap().len(), (lines * LINE) as u64);
        }
        std::fs::remove_file(log).unwrap();
    }
    let ratio = (took[1] + took[3]).as_secs_f64() / (took[0] + took[2]).as_secs_f64();
    println!("bounded against unbounded: {ratio:.2} of the time");
    assert!(ratio < 3.0, "{ratio}");
}

/// The most memory that the host has had at any time.
fn peak_kib(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_without_an_end_and_bytes_that_are_no_text() {
    let batch = Batch::empty("shim");
    batch.task("endless", "run: head -c 20000000 /dev/zero | tr '\\0' x\nlog: { max_size: 100KB }\n");
    batch.task("binary", "run: head -c 5000000 /dev/urandom | tee copy\nlog: { max_size: 100KB }\n");
    let host = batch.serve().await;
    for (task, whole) in [("endless", 20_000_000), ("binary", 5_000_000)] {
        let run = host.submit(task).await;
        let run = host.over(&run).await;
        let log = std::fs::read(log_of(&run)).unwrap();
        let all = std::fs::read(batch.root().join("copy")).ok().filter(|_| task == "binary");
        let all = all.unwrap_or_else(|| vec![b'x'; whole]);
        let (head, (bytes, lines), tail) = parted(&log);
        let head = if all.starts_with(head) { head } else { &head[..head.len() - 1] };
        assert!(all.starts_with(head) && all.ends_with(tail), "{task}");
        assert_eq!(bytes, whole - head.len() - tail.len(), "{task}");
        let missing = &all[head.len()..whole - tail.len()];
        assert_eq!(lines, missing.iter().filter(|&&byte| byte == b'\n').count(), "{task}");
        assert!((80_000..100_200).contains(&log.len()), "{task}: {}", log.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_streams_are_told_apart_behind_the_gap() {
    let batch = Batch::empty("shim");
    let script = "i=0; while [ $i -lt 8000 ]; do echo out $i $P; echo err $i $P >&2; i=$((i+1)); done";
    batch.task(
        "turns",
        &format!(
            "run: '{script}'\nenv: {{ P: {} }}\nlog: {{ mode: separate, max_size: 128KiB }}\n",
            "x".repeat(50)
        ),
    );
    let host = batch.serve().await;
    let run = host.submit("turns").await;
    let run = host.over(&run).await;
    assert!(std::fs::metadata(log_of(&run)).unwrap().len() <= (128 << 10) + 128);
    let said = batch.answer(&["logs", "turns", "--stderr"]).await.stdout;
    let said = String::from_utf8(said).unwrap();
    let numbers: Vec<usize> =
        said.lines().map(|line| line.split(' ').nth(1).expect(line).parse().unwrap()).collect();
    assert!(said.lines().all(|line| line.starts_with("err ")) && numbers.is_sorted());
    assert_eq!((numbers[0], *numbers.last().unwrap()), (0, 7999));
    assert!(numbers.iter().filter(|number| **number > 7600).count() > 390, "the end has its marks");
    let said = batch.answer(&["logs", "turns", "-n", "3"]).await.stdout;
    assert_eq!(said.iter().filter(|&&byte| byte == b'\n').count(), 3);
}

/// Whatever is cut, no part of a secret comes to light: it was gone before.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_show_where_a_log_is_cut() {
    const SECRET: &str = "correct-horse-battery-staple";
    let batch = Batch::empty("shim");
    let secret = format!("secrets: [{{ name: WORD, from: command, key: echo {SECRET} }}]");
    // A line without an end, and nothing in it but secrets: it is cut within one.
    let script = "run: yes $WORD | head -n 200000 | tr -d '\\n'";
    batch.task("secret", &format!("{script}\n{secret}\nlog: {{ max_size: 64KiB }}\n"));
    let host = batch.serve().await;
    let run = host.submit("secret").await;
    let run = host.over(&run).await;
    assert_eq!(run.state, RunState::Succeeded);
    for file in std::fs::read_dir(log_of(&run).parent().unwrap()).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap();
        for part in ["correct", "horse", "battery", "staple"] {
            let at = memchr::memmem::find(&bytes, part.as_bytes());
            assert_eq!(at, None, "{part} in {:?}", file.path());
        }
    }
}

/// Reading along, one gets whole lines in their order, and is told what one has missed.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_along_is_told_what_is_missing() {
    let batch = Batch::empty("shim");
    batch.task("counter", &in_steps(100, 1_000_000, "log: { max_size: 200KB }"));
    let host = batch.serve().await;
    let run = host.submit("counter").await;
    let root = batch.root();
    let steps = async {
        appear(root, &["up".into()]).await;
        std::fs::write(root.join("go"), "").unwrap();
        appear(root, &["written".into()]).await;
        // While it runs, others can read it as well.
        let whole = batch.answer(&["logs", "counter"]).await.stdout;
        let (head, _, tail) = parted(&whole);
        assert!(head == lines(0, head.len() / LINE));
        assert!(tail.ends_with(b"10999999\n") && tail.len() > 80_000, "{}", tail.len());
        let last = batch.answer(&["logs", "counter", "-n", "2"]).await.stdout;
        assert_eq!(String::from_utf8(last).unwrap(), "10999998\n10999999\n");
        std::fs::write(root.join("end"), "").unwrap();
    };
    let (followed, (), run) = tokio::join!(batch.answer(&["logs", "-f", "counter"]), steps, host.over(&run));
    assert_eq!(run.state, RunState::Succeeded);
    let followed = String::from_utf8(followed.stdout).unwrap();
    let all: Vec<&str> = followed.lines().collect();
    let is_ours = |line: &&str| line.starts_with("neap: ");
    let (mut ours, mut numbers): (Vec<&str>, Vec<usize>) = (Vec::new(), Vec::new());
    for (line, next) in all.iter().zip(all[1..].iter().chain([&"neap: the end"])) {
        match line {
            line if is_ours(line) => ours.push(line),
            // Only what was read at the very end can be overwritten before the rest of its line comes.
            line if line.len() < LINE - 1 => assert!(is_ours(next), "a torn line: {line:?}"),
            line => numbers.push(line.parse::<usize>().unwrap() - FIRST),
        }
    }
    assert!(numbers.is_sorted_by(|one, other| one < other), "no line came twice");
    assert_eq!((numbers[0], *numbers.last().unwrap()), (0, 1_000_099));
    let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    println!("{} lines read along, {gaps} gaps: {ours:?}", numbers.len());
    assert_eq!(ours.len(), gaps, "{ours:?}");
    check_counted(&std::fs::read(log_of(&run)).unwrap(), 1_000_100, 200_000);
}

/// Whoever asks for the next part again and again gets what stands there, and knows when that was all.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_read_part_by_part() {
    let batch = Batch::empty("shim");
    batch.task("counter", &in_steps(20_000, 1_000_000, "log: { max_size: 200KB }"));
    let host = batch.serve().await;
    let run = host.submit("counter").await;
    let root = batch.root();
    appear(root, &["up".into()]).await;
    for file in ["go", "end"] {
        std::fs::write(root.join(file), "").unwrap();
    }
    let whole = lines(0, 1_000_100);
    let (mut from, mut read, mut left_out, mut parts) = (0, 0, 0, 0);
    let log = loop {
        let path = format!("/api/v1/runs/{}/log?from={from}&limit=50000", run.id);
        let part: LogPart = host.client.get(&path).await.unwrap();
        let (at, length) = (part.from as usize, part.text.len());
        assert_eq!(part.from, from + part.left_out);
        assert!(part.text.as_bytes() == &whole[at..at + length], "at {at}");
        (from, read, left_out) = (part.next, read + length, left_out + part.left_out as usize);
        parts += usize::from(length > 0);
        if part.is_over && part.next == part.end {
            break part;
        }
    };
    println!("{parts} parts, {left_out} bytes missed");
    assert_eq!((log.end as usize, read + left_out), (whole.len(), whole.len()));
    assert!(left_out > 0 && read > 170_000, "{read}");
    let path = format!("/api/v1/runs/{}/log?last=900", run.id);
    let part: LogPart = host.client.get(&path).await.unwrap();
    assert_eq!(part.text.as_bytes(), lines(1_000_000, 1_000_100));
    let said = batch.answer(&["logs", "counter", "--bytes", "9..27"]).await;
    assert_eq!(said.stdout, lines(1, 3));
    let said = batch.answer(&["logs", "counter", "--bytes", "1MB..9000900"]).await;
    assert!(said.stdout.len() > 80_000 && whole.ends_with(&said.stdout));
    assert!(String::from_utf8_lossy(&said.stderr).contains(" are left out here"));
}

/// The host dies while the ring turns; the supervisor goes on with it, and the next host reads what it left.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_goes_on_without_its_host() {
    let batch = Batch::empty("shim");
    batch.task("kept", &in_steps(50_000, 100_000, "on_host_death: keep\nlog: { max_size: 100KB }"));
    let host = batch.serve().await;
    let run = host.submit("kept").await;
    let root = batch.root();
    appear(root, &["up".into()]).await;
    let log = log_of(&seen(&host, &run).await);
    host.signal(Signal::KILL);
    host.ended().await;
    std::fs::write(root.join("go"), "").unwrap();
    appear(root, &["written".into()]).await;
    let read = batch.answer(&["logs", "kept"]).await.stdout;
    let (head, _, tail) = parted(&read);
    assert!(head == lines(0, head.len() / LINE) && tail.ends_with(b"10099999\n"));
    let host = batch.serve().await;
    std::fs::write(root.join("end"), "").unwrap();
    let run = host.over(&run).await;
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    check_counted(&std::fs::read(log).unwrap(), 100_100, 100_000);
}

/// Nobody joins the ends of a log whose supervisor is killed, but the host.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_outlives_its_supervisor() {
    let batch = Batch::empty("shim");
    batch.task(
        "orphaned",
        &format!("run: |\n  {}\n  touch up\n  sleep 300\nlog: {{ max_size: 100KB }}\n", write(0, 50_000)),
    );
    let host = batch.serve().await;
    let run = host.submit("orphaned").await;
    appear(batch.root(), &["up".into()]).await;
    let run = host.known(&run).await;
    kill_process(Pid::from_raw(parent(run.jobs[0].pid.unwrap())).unwrap(), Signal::KILL).unwrap();
    let run = host.over(&run).await;
    assert!(matches!(run.jobs[0].outcome, Some(Outcome::Failed { .. })), "{run:?}");
    let log = std::fs::read(log_of(&run)).unwrap();
    // What stood in the pipe when it died is lost.
    let (_, _, tail) = parted(&log);
    let last: usize = std::str::from_utf8(&tail[tail.len() - LINE..]).unwrap().trim().parse().unwrap();
    check_counted(&log, last + 1 - FIRST, 100_000);
}

fn parent(pid: u32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}
