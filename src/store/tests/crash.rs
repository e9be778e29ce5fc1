//! A host that is killed at any moment loses nothing that was acknowledged.

use super::*;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Set in the child: the directory to write to.
const DIRECTORY: &str = "NEAP_TEST_CRASH_DIRECTORY";
const KILLS: u64 = 100;

#[test]
fn what_was_acknowledged_survives_sigkill() {
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        return write_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        acknowledged.extend(run_and_kill(&dir, RandomState::new().hash_one(kill) % 60));
        check(&dir, &acknowledged);
    }
    let (_store, recovered) = open(&dir);
    assert!(!recovered.was_clean);
    println!("{} batches acknowledged over {KILLS} kills", acknowledged.len());
}

/// Writes runs, three batches at a time, and says which line of the journal each one got.
fn write_until_killed(dir: &Path) {
    let (store, recovered) = Store::open(dir).unwrap();
    let mut run = recovered.next_run;
    println!("ready");
    wait(async {
        loop {
            let batches = [0, 1, 2].map(|n| {
                let events = vec![Event::JobQueued { job: job(run + n, 0) }, created("a", run + n, run + n)];
                let durability = if n == 2 { Durability::Synced } else { Durability::Written };
                store.commit(stamp(1, events), durability)
            });
            let [a, b, c] = batches;
            let (a, b, c) = tokio::join!(a, b, c);
            for (n, seq) in (run..).zip([a, b, c]) {
                println!("ack {} {n}", seq.unwrap());
            }
            run += 3;
        }
    })
}

/// Lets a child acknowledge `patience` batches, kills it, and returns all that it said.
fn run_and_kill(dir: &TempDir, patience: u64) -> Vec<(Seq, RunId)> {
    let this = "store::tests::crash::what_was_acknowledged_survives_sigkill";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([this, "--exact", "--nocapture"])
        .env(DIRECTORY, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // A line reaches the pipe in one write, so the last one is there whole or not at all.
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        if let ["ack", seq, run] = words[..] {
            acknowledged.push((Seq(seq.parse().unwrap()), RunId(run.parse().unwrap())));
        }
        if acknowledged.len() as u64 >= patience {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it was killed: {status}");
    acknowledged
}

#[track_caller]
fn check(dir: &TempDir, acknowledged: &[(Seq, RunId)]) {
    let history = match History::open(dir.path()) {
        Err(StoreError::NoDatabase { .. }) if acknowledged.is_empty() => return,
        history => history.unwrap(),
    };
    assert_eq!(history.problems().unwrap(), Vec::<String>::new());
    let journal = history.journal(Seq(0), u32::MAX).unwrap();
    assert_eq!(journal.len() % 2, 0, "no batch is there by half");
    for &(seq, run) in acknowledged {
        let entry = &journal[usize::try_from(seq.0).unwrap() - 1];
        match &entry.record.event {
            Event::RunCreated(new) => assert_eq!((entry.seq, new.run), (seq, run)),
            other => panic!("{seq} is {other:?}"),
        }
    }
}
