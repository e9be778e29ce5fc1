//! The real program under a clock that people set forward and back while it goes on.
//!
//! Only the program sees that clock: `stepped.c` is loaded before it.

use super::daemon::{Daemon, neap};
use neap::api::RunInfo;
use neap::base::Moment;
use neap::engine::{Cause, Outcome, ScheduleKey, Trigger};
use neap::host::RunRequest;
use neap::store::{History, RunFilter};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// As `stepped.c` has it.
const POKE: i32 = 44;
/// Seconds from one slot to the next.
const BEAT: u64 = 2;

/// A clock that is as far ahead of the real one as people want.
pub(super) struct Clock {
    file: File,
    path: PathBuf,
    library: PathBuf,
}

impl Clock {
    pub(super) fn new(dir: &Path) -> Clock {
        let (path, library) = (dir.join("ahead"), dir.join("stepped.so"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recovery/stepped.c");
        let compiler = std::env::var_os("CC").unwrap_or("cc".into());
        let mut compile = Command::new(compiler);
        compile.args(["-O1", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        assert!(compile.status().unwrap().success(), "the clock does not compile");
        let clock = Clock { file: File::create(&path).unwrap(), path, library };
        clock.write(0);
        clock
    }

    pub(super) fn write(&self, seconds: i64) {
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// Sets it for a host that is up. The kernel wakes a timer on the clock then.
    fn set(&self, daemon: &Daemon, seconds: i64) {
        self.write(seconds);
        daemon.signal(POKE);
    }

    pub(super) async fn serve(&self, project: &Path) -> Daemon {
        let mut command = neap(project);
        command.env("STEPPED_CLOCK", &self.path).env("LD_PRELOAD", &self.library);
        Daemon::serve_by(command, project).await
    }
}

/// No slot twice, none left out without a word, and everything goes on at once: schedules, and how long a job may take.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_goes_on_when_the_clock_is_set_forward_and_back() {
    let project = Daemon::project(&[
        ("tick", &format!("{{ run: 'echo $NEAP_SCHEDULED_AT >> ticks', schedule: '*/{BEAT} * * * * *' }}")),
        ("hourly", "{ run: 'true', schedule: { cron: '0 * * * *', timezone: UTC }, catchup: last }"),
        ("slow", "{ run: sleep 600, timeout: 500ms }"),
    ]);
    let tools = tempfile::tempdir().unwrap();
    let clock = Clock::new(tools.path());
    let daemon = clock.serve(project.path()).await;
    goes_on(&daemon, project.path(), "at first").await;
    for (ahead, what) in [
        (3 * HOUR, "three hours forward"),
        (0, "three hours back"),
        (DAY, "a day forward"),
        (0, "a day back"),
    ] {
        clock.set(&daemon, ahead);
        goes_on(&daemon, project.path(), what).await;
    }
    daemon.kill();
    // The next host begins with what the clock shows: a day before the last slot, which has had its run.
    let daemon = clock.serve(project.path()).await;
    times_out(&daemon).await;
    clock.set(&daemon, DAY + HOUR);
    goes_on(&daemon, project.path(), "killed, and forward again").await;
    daemon.stop();
    let history = History::open(&project.path().join(".neap")).unwrap();
    let (ticks, gaps) = contiguous(&history, "tick", BEAT * 1000);
    assert!(gaps >= 2, "the stretches that were missed are written down: {gaps}");
    let (hours, _) = contiguous(&history, "hourly", 3_600_000);
    assert!(hours >= 3, "each stretch is caught up by a run: {hours}");
    super::no_slot_twice(project.path());
    println!("{ticks} runs of the beat, {gaps} stretches missed; {hours} runs of the hours");
}

async fn goes_on(daemon: &Daemon, project: &Path, what: &str) {
    let lines = || std::fs::read_to_string(project.join("ticks")).map_or(0, |ticks| ticks.lines().count());
    let began = Instant::now();
    daemon.beats(project, lines() + 2).await;
    let beat = began.elapsed();
    times_out(daemon).await;
    println!("{what}: the second beat after {beat:?}, a timeout after {:?}", began.elapsed() - beat);
}

async fn times_out(daemon: &Daemon) {
    let wait = async {
        let run: RunInfo =
            daemon.client.post("/api/v1/runs", &RunRequest::new("slow", "test")).await.unwrap();
        let ended: RunInfo = daemon.client.get(&format!("/api/v1/runs/{}/wait", run.id)).await.unwrap();
        assert_eq!(ended.jobs[0].outcome, Some(Outcome::Failed { cause: Cause::TimedOut }));
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("a timeout never came");
}

/// Holds that every slot of a schedule, from the first to the last, became one thing; says how many had runs and how many
/// stretches had none.
pub(super) fn contiguous(history: &History, task: &str, beat: u64) -> (usize, usize) {
    let all = RunFilter { limit: 1_000_000, ..RunFilter::default() };
    // The first slot of each stretch, and its last.
    let mut stretches = BTreeMap::new();
    let mut key: Option<ScheduleKey> = None;
    for run in history.runs(&all).unwrap().into_iter().filter(|run| run.task.as_str() == task) {
        let Trigger::Schedule { key: by, slot } = run.trigger else { panic!("{:?}", run.trigger) };
        assert_eq!(stretches.insert(slot, slot), None, "{slot:?} had two runs");
        key = Some(by);
    }
    let runs = stretches.len();
    for row in history
        .slots(&key.unwrap_or_else(|| panic!("{task} has not fired")), Moment(u64::MAX / 2), 1_000_000)
        .unwrap()
    {
        assert_eq!(stretches.insert(row.slot, row.until), None, "{row:?} and a run");
    }
    let mut upto: Option<Moment> = None;
    for (from, to) in &stretches {
        // A long stretch ends at a moment that need be no slot.
        let next = upto.map(|upto| (upto.0 / beat + 1) * beat);
        assert!(next.is_none_or(|next| next == from.0), "{task}: a gap or a double before {from:?}");
        upto = Some(*to);
    }
    (runs, stretches.len() - runs)
}
