//! Files that come while the host is killed again and again: each becomes a part of exactly one run.

use super::count;
use super::daemon::Daemon;
use neap::engine::{Event, Trigger};
use neap::store::{History, Seq};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// All files that runs were created for, and how often.
fn told(project: &Path) -> BTreeMap<String, usize> {
    let history = History::open(&project.join(".neap")).unwrap();
    let mut told = BTreeMap::new();
    for entry in history.journal(Seq(0), 100_000).unwrap() {
        let Event::RunCreated(new) = entry.record.event else { continue };
        let Trigger::Watch { changed, .. } = &new.trigger else { continue };
        for path in &changed.paths {
            *told.entry(path.to_string()).or_default() += 1;
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_lost_or_told_twice_when_the_host_is_killed_again_and_again() {
    let kills = count("KILLS", 6);
    let project = Daemon::project(&[(
        "take",
        "{ run: 'true', schedule: { watch: { paths: 'in/*.csv', settle: 50ms } }, overlap: allow }",
    )]);
    std::fs::create_dir(project.path().join("in")).unwrap();
    let mut made = 0;
    let mut file = || {
        made += 1;
        std::fs::write(project.path().join(format!("in/{made}.csv")), "x").unwrap();
        made
    };
    // The first host says from when on files count.
    Daemon::serve(project.path()).await.stop();
    for kill in 0..kills {
        file();
        let daemon = Daemon::serve(project.path()).await;
        // A different moment each time, around that at which the first files have come to rest.
        let until = Instant::now() + Duration::from_millis(20 + (kill as u64 * 37) % 160);
        while Instant::now() < until {
            file();
            tokio::time::sleep(Duration::from_millis(7)).await; // files come as they come
        }
        daemon.kill();
        file();
    }
    let all = file();
    let daemon = Daemon::serve(project.path()).await;
    let mut events = daemon.client.events("").await.unwrap();
    let wait = async {
        while told(project.path()).len() < all {
            events.next().await.expect("the host went away");
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    let told = told(project.path());
    assert!(waited.is_ok(), "{} of {all} files were told", told.len());
    let twice: Vec<_> = told.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "told twice: {twice:?}");
    println!("{kills} kills: {all} files, each told once");
    daemon.stop();
}
