//! Attempts outlive their host: it is killed again and again, and the next one takes up what goes on, what has ended
//! meanwhile, what was being cancelled and what was still waiting.
//!
//! `RESTARTS=200 KEPT=50 cargo test process::kept -- --nocapture` is the long form.

use super::batch::{Batch, Host};
use super::{SOON, appear, count};
use neap::api::{AttemptInfo, Cancel, JobInfo, RunInfo, RunState};
use neap::definition::Signal as Number;
use neap::engine::{Cause, Exit, Outcome};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What must never be seen in a log.
const SECRET: &str = "mum-and-dad";
/// Jobs that wait behind the kept ones for a slot.
const QUEUED: usize = 4;
/// Jobs that never end by themselves, and have so much time.
const LIMITS: [Duration; 3] =
    [Duration::from_millis(900), Duration::from_millis(1_700), Duration::from_millis(2_600)];
/// How far from its moment a time limit may fire: a host takes a while until it is up again.
const LATE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 1 });
/// One attempt that is to survive: it writes lines until the file `stop-N` is there, and then ends in its own way.
struct Kept {
    number: usize,
    /// It is let go in this round.
    round: usize,
}

impl Kept {
    /// Every fourth is ended by a signal.
    fn signal(&self) -> Option<i32> {
        [Some(9), None, None, None, Some(15), None, None, None, Some(1), None, None, None][self.number % 12]
    }

    fn code(&self) -> i32 {
        (self.number % 51) as i32
    }

    /// Half of them end while there is no host, the others around the moment in which it is killed.
    fn is_unseen(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    /// It ends by itself when the project is gone, in case that the test has died.
    fn yaml(&self, pause: f64) -> String {
        let (n, code) = (self.number, self.code());
        let end = self.signal().map_or(format!("exit {code}"), |signal| format!("kill -{signal} $$"));
        format!(
            "secrets: [{{ name: WORD, from: command, key: echo {SECRET} }}]
run: |
  echo kept-{n} $NEAP_ATTEMPT >> effects
  i=0
  echo up > up-{n}
  while [ -e neap.yaml ] && [ ! -e stop-{n} ]; do
    echo \"line $i of {n} says $WORD\"
    i=$((i + 1))
    sleep {pause}
  done
  echo \"lines=$i\" >> $NEAP_OUTPUT
  echo \"said=$WORD\" >> $NEAP_OUTPUT
  echo $i > lines-{n}
  {end}
"
        )
    }

    fn exit(&self) -> Exit {
        match self.signal() {
            Some(signal) => Exit::Signal { signal: Number(signal) },
            None => Exit::Code { code: self.code() },
        }
    }

    fn outcome(&self) -> Outcome {
        let failed = |cause| Outcome::Failed { cause };
        match (self.signal(), self.code()) {
            (Some(signal), _) => failed(Cause::Signal { signal: Number(signal) }),
            (None, 0) => Outcome::Succeeded,
            (None, code) => failed(Cause::Exit { code }),
        }
    }

    /// Compares what became of it with what it did.
    fn check(&self, root: &Path, run: &RunInfo) {
        let job = only(run);
        let attempt = only_attempt(job);
        let what = format!("kept-{}", self.number);
        assert_eq!((&attempt.exit, &job.outcome), (&Some(self.exit()), &Some(self.outcome())), "{what}");
        let lines = std::fs::read_to_string(root.join(format!("lines-{}", self.number))).unwrap();
        let lines: usize = lines.trim().parse().unwrap();
        let wrote: String = (0..lines).map(|i| format!("line {i} of {} says ***\n", self.number)).collect();
        let log = std::fs::read_to_string(&attempt.log).unwrap();
        assert!(log == wrote, "{what}: {lines} lines written, and in the log:\n{log}");
        // Those of what fails are not handed on.
        if job.outcome == Some(Outcome::Succeeded) {
            let outputs = [("lines", lines.to_string()), ("said", "***".into())];
            for (name, value) in outputs {
                assert_eq!(job.outputs.get(name), Some(&serde_json::Value::String(value)), "{what}: {name}");
            }
        }
    }
}

/// The job of a run that has only one.
fn only(run: &RunInfo) -> &JobInfo {
    assert_eq!(run.jobs.len(), 1, "{run:?}");
    &run.jobs[0]
}

fn only_attempt(job: &JobInfo) -> &AttemptInfo {
    assert_eq!(job.attempts.len(), 1, "{job:?}");
    &job.attempts[0]
}

/// The log of the first attempt of a run of one job.
async fn log_of(host: &Host, run: &RunInfo) -> std::path::PathBuf {
    let run: RunInfo = host.client.get(&format!("/api/v1/runs/{}", run.id)).await.unwrap();
    only(&run).log.clone().expect("it runs")
}

fn project(kept: &[Kept]) -> Batch {
    let batch = Batch::empty("shim");
    std::fs::write(batch.root().join("neap.yaml"), format!("slots: {}\n", kept.len() + LIMITS.len()))
        .unwrap();
    // Many at once are each a little slower: what they do is not to fill the machine.
    let pause = (kept.len() as f64 / 200.0).max(0.06);
    kept.iter().for_each(|kept| batch.task(&format!("kept-{}", kept.number), &kept.yaml(pause)));
    for (number, limit) in LIMITS.iter().enumerate() {
        let yaml = format!(
            "run: echo limit-{number} >> effects; while [ -e neap.yaml ]; do sleep 0.1; done\ntimeout: {}ms\n",
            limit.as_millis()
        );
        batch.task(&format!("limit-{number}"), &yaml);
    }
    for number in 0..QUEUED {
        batch.task(&format!("queued-{number}"), &format!("run: echo queued-{number} >> effects\n"));
    }
    // One that hears what is asked of it, and one that does not.
    for (name, ear) in [("victim-0", "exit 3"), ("victim-1", "")] {
        let yaml = format!(
            "run: |\n  trap '{ear}' TERM\n  echo {name} $NEAP_RUN >> effects\n  echo up > up-$NEAP_RUN\n  \
             while [ -e neap.yaml ]; do sleep 0.05; done\nstop: {{ grace: 200ms }}\n"
        );
        batch.task(name, &yaml);
    }
    batch
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_outlive_a_host_that_is_killed_again_and_again() {
    let (restarts, most) = (count("RESTARTS", 8).max(2), count("KEPT", 12));
    let kept: Vec<Kept> = (0..most).map(|number| Kept { number, round: number * restarts / most }).collect();
    let batch = project(&kept);
    let begun = Instant::now();
    let mut host = batch.serve().await;
    let (mut runs, mut limited, mut queued, mut victims) = (vec![], vec![], vec![], vec![]);
    for kept in &kept {
        runs.push(host.submit(&format!("kept-{}", kept.number)).await);
    }
    for number in 0..LIMITS.len() {
        limited.push(host.submit(&format!("limit-{number}")).await);
    }
    for number in 0..QUEUED {
        queued.push(host.submit(&format!("queued-{number}")).await);
    }
    appear(batch.root(), &kept.iter().map(|kept| format!("up-{}", kept.number)).collect::<Vec<_>>()).await;
    let mut longest = Duration::ZERO;
    for round in 0..restarts {
        let (unseen, seen): (Vec<&Kept>, Vec<&Kept>) =
            kept.iter().filter(|kept| kept.round == round).partition(|kept| kept.is_unseen());
        let mut ends = Vec::new();
        for kept in &unseen {
            ends.push(log_of(&host, &runs[kept.number]).await.with_extension("log.end"));
        }
        // Before that, every slot is taken.
        if round > 0 {
            let victim = host.submit(&format!("victim-{}", round % 2)).await;
            appear(batch.root(), &[format!("up-{}", victim.id)]).await;
            let path = format!("/api/v1/runs/{}/cancel", victim.id);
            let _: RunInfo = host.client.post(&path, &Cancel::default()).await.unwrap();
            victims.push(victim);
        }
        let let_go = |kept: &Kept| std::fs::write(batch.root().join(format!("stop-{}", kept.number)), "");
        seen.iter().for_each(|kept| let_go(kept).unwrap());
        host.signal(Signal::KILL);
        host.ended().await;
        let down = Instant::now();
        unseen.iter().for_each(|kept| let_go(kept).unwrap());
        for end in ends {
            let name = end.file_name().unwrap().to_str().unwrap().to_owned();
            appear(end.parent().unwrap(), &[name]).await;
        }
        host = batch.serve().await;
        longest = longest.max(down.elapsed());
    }
    for run in runs.iter_mut().chain(&mut limited).chain(&mut queued).chain(&mut victims) {
        *run = host.over(run).await;
    }
    kept.iter().zip(&runs).for_each(|(kept, run)| kept.check(batch.root(), run));
    let late = limits_hold(&limited);
    for run in &queued {
        assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    }
    for run in &victims {
        assert_eq!(
            (run.state, &only(run).outcome),
            (RunState::Cancelled, &Some(Outcome::Cancelled)),
            "{run:?}"
        );
    }
    once_each(&batch, kept.len(), &victims);
    host.signal(Signal::TERM);
    assert!(host.ended().await.success());
    assert_eq!(batch.without_helpers(SOON), Vec::<i32>::new(), "helpers were left");
    assert_eq!(batch.bearers(), Vec::<i32>::new(), "processes were left");
    assert_eq!(left_files(&batch.root().join(".neap")), Vec::<String>::new(), "files were left");
    println!(
        "{restarts} restarts under {most} kept attempts: {:.1?}; {} cancelled before the kill; time limits late by at \
         most {late:.0?}; without a host at most {longest:.0?}",
        begun.elapsed(),
        victims.len()
    );
}

/// The moment counts from the start, however often the host died. Returns how late the latest was.
fn limits_hold(limited: &[RunInfo]) -> Duration {
    let mut latest = Duration::ZERO;
    for (run, limit) in limited.iter().zip(LIMITS) {
        let attempt = only_attempt(only(run));
        assert_eq!(only(run).cause(), Some(&Cause::TimedOut), "{run:?}");
        let (started, ended) = (attempt.started.unwrap().0.0, attempt.ended.unwrap().0.0);
        let lived = Duration::from_millis(ended - started);
        assert!(lived >= limit, "{limit:?} were over after {lived:?}");
        assert!(lived < limit + LATE, "{limit:?} were over after {lived:?}");
        latest = latest.max(lived - limit);
    }
    latest
}

/// The effects, not the records: each attempt began once.
fn once_each(batch: &Batch, kept: usize, victims: &[RunInfo]) {
    let effects = std::fs::read_to_string(batch.root().join("effects")).unwrap();
    let mut seen = BTreeMap::<&str, usize>::new();
    effects.lines().for_each(|line| *seen.entry(line).or_default() += 1);
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "took effect more than once: {twice:?}");
    assert_eq!(seen.len(), kept + LIMITS.len() + QUEUED + victims.len(), "{seen:?}");
}

/// What shims leave for the next host has to be taken by it.
fn left_files(dir: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            left.extend(left_files(&entry.path()));
        } else if [".door", ".end", ".new", ".outputs", ".script"].iter().any(|end| name.ends_with(end)) {
            left.push(name);
        }
    }
    left
}
