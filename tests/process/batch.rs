//! A batch: a project with one pipeline, each job of which is a trial with a nasty child, and a host for it.

use super::census::{bearers, clean, helpers};
use neap::api::{Client, RunInfo};
use neap::host::RunRequest;
use neap::watch::Watch;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe::{OpenOptions, Receiver};

/// In `nasty.c` stands what each of them does.
pub(super) const KINDS: [&str; 12] = [
    "plain",
    "deaf",
    "setpgid",
    "setsid",
    "setsid-deaf",
    "daemon",
    "daemon-deaf",
    "daemon-bare",
    "stopped",
    "hopper",
    "hopper-daemon",
    "hopper-bare",
];

/// Whether the leader goes on or ends by itself as soon as its child is in place.
pub(super) const LEADERS: [&str; 2] = ["alive", "gone"];

/// How long an attempt has between the signal that asks and the one that kills.
pub(super) const GRACE: Duration = Duration::from_millis(150);

/// A line of YAML by which a task says that its attempts end with their host, when that is killed. (With `neap run` they
/// do so in any case.)
pub(super) const ON_HOST_DEATH: &str = "on_host_death: kill";

/// The variable that names the containment to the program.
const CONTAINMENT: &str = "NEAP_CONTAINMENT";
/// The variable by which helpers of a host are recognised.
const MARK: &str = "NASTY_BATCH";
/// Far more than any wait here needs when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// After this long a process of a trial ends by itself, in case that the test has died.
const LIFE: Duration = Duration::from_secs(300);

/// One job.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) kind: &'static str,
    pub(super) leader: &'static str,
    pub(super) token: String,
}

/// A project, and what its processes are called.
pub(super) struct Batch {
    dir: Option<TempDir>,
    containment: String,
    /// What its hosts have in their environment besides.
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// Every process of it has a name that begins so.
    pub(super) prefix: String,
    pub(super) trials: Vec<Trial>,
    /// By token: when the child was in place, and the leader about to go if it does.
    pub(super) placed: BTreeMap<String, Instant>,
    ready: Lines<BufReader<Receiver>>,
}

impl Batch {
    /// A job for each of these; `more` are further lines of each, such as its timeout.
    pub(super) fn new(containment: &str, trials: &[(&'static str, &'static str)], more: &str) -> Batch {
        let mut batch = Batch::empty(containment);
        let mut tasks = String::from("tasks:\n");
        for (index, &(kind, leader)) in trials.iter().enumerate() {
            let token = format!("{}{index:x}", batch.prefix);
            let words = [&*batch.program(&token), kind, leader, &batch.path("ready"), &until()];
            tasks += &format!(
                "  t{index}:\n    exec: {}\n    stop: {{ grace: {}ms }}\n",
                json(&words),
                GRACE.as_millis()
            );
            for line in more.lines() {
                tasks += &format!("    {line}\n");
            }
            batch.trials.push(Trial { kind, leader, token });
        }
        batch.task("nasty", &tasks);
        batch
    }

    /// A project without tasks.
    pub(super) fn empty(containment: &str) -> Batch {
        static BATCHES: AtomicU32 = AtomicU32::new(0);
        let number = BATCHES.fetch_add(1, Ordering::Relaxed);
        // The kernel keeps 15 bytes of a name, and the number of a trial has to fit behind.
        let prefix = format!("nz{:x}-{number:x}-", std::process::id());
        // Beside the program, so that it can be linked into the project instead of copied.
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir(dir.path().join("tasks")).unwrap();
        std::fs::write(dir.path().join("neap.yaml"), "slots: 100\n").unwrap();
        let ready = dir.path().join("ready");
        let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, &ready, fifo, mode, 0).unwrap();
        // Open for writing too, so that there is no end when the last of them has closed it.
        let ready = OpenOptions::new().read_write(true).open_receiver(&ready).unwrap();
        Batch {
            dir: Some(dir),
            containment: containment.into(),
            variables: &[],
            prefix,
            trials: Vec::new(),
            placed: BTreeMap::new(),
            ready: BufReader::new(ready).lines(),
        }
    }

    pub(super) fn task(&self, name: &str, yaml: &str) {
        std::fs::write(self.root().join(format!("tasks/{name}.yaml")), yaml).unwrap();
    }

    /// The nasty program under a name of this batch.
    pub(super) fn program(&self, token: &str) -> String {
        assert!(token.len() <= 15 && token.starts_with(&self.prefix), "`{token}` would not be found");
        std::fs::hard_link(compiled(), self.root().join(token)).unwrap();
        self.path(token)
    }

    fn path(&self, name: &str) -> String {
        self.root().join(name).to_str().unwrap().into()
    }

    pub(super) fn root(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    /// Waits until every child is in place.
    pub(super) async fn in_place(&mut self) {
        let wait = async {
            while self.placed.len() < self.trials.len() {
                self.note_placed().await;
            }
        };
        let is_late = tokio::time::timeout(PATIENCE, wait).await.is_err();
        assert!(!is_late, "only these were in place: {:?}", self.placed.keys());
    }

    /// Notes who is in place while something else goes on, to its end.
    pub(super) async fn placed_during<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = std::pin::pin!(other);
        loop {
            tokio::select! {
                biased;
                // Whoever was in place before the end of the other has said so before.
                () = self.note_placed() => {}
                done = &mut other => return done,
            }
        }
    }

    async fn note_placed(&mut self) {
        let token = self.ready.next_line().await.unwrap().expect("we hold the other end, too");
        self.placed.insert(token, Instant::now());
    }

    /// The program in this project.
    pub(super) fn neap(&self, words: &[&str]) -> Host {
        let said = self.root().join("said");
        let errors = std::fs::File::options().append(true).create(true).open(&said).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_neap"))
            .arg("-C")
            .arg(self.root())
            .args(words)
            .env(CONTAINMENT, &self.containment)
            .envs(self.variables.iter().copied())
            .env(MARK, &self.prefix)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        Host { child, client: Client::new(&self.root().join(".neap")), said }
    }

    /// What the program says in this project, to the end.
    pub(super) async fn answer(&self, words: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_neap"));
        command.arg("-C").arg(self.root()).args(words).stdin(Stdio::null());
        tokio::time::timeout(PATIENCE, command.output()).await.expect("no answer").unwrap()
    }

    /// A host that listens.
    pub(super) async fn serve(&self) -> Host {
        let state = self.root().join(".neap");
        std::fs::create_dir_all(&state).unwrap();
        let mut watch = Watch::new(&state, &["host.sock"]).unwrap();
        let host = self.neap(&["serve", "-q"]);
        let up = async {
            while !host.client.is_up().await {
                watch.changed().await;
            }
        };
        tokio::time::timeout(PATIENCE, up).await.expect("the host did not come up");
        let pid = host.pid() as i32;
        assert!(self.helpers().contains(&pid), "a helper would not be found either");
        host
    }

    /// What helps a host, and the host itself, while they live.
    pub(super) fn helpers(&self) -> Vec<i32> {
        helpers(&format!("{MARK}={}", self.prefix))
    }

    /// What was started by its jobs, as far as that did not clear its environment.
    pub(super) fn started(&self) -> Vec<i32> {
        let helpers = self.helpers();
        self.bearers().into_iter().filter(|pid| !helpers.contains(pid)).collect()
    }

    /// What bears the mark of this batch: the above, and all that keeps its environment of what they started.
    pub(super) fn bearers(&self) -> Vec<i32> {
        bearers(&format!("{MARK}={}", self.prefix))
    }

    /// Waits until the host has nobody left who helps it, and returns who is there when time is up.
    pub(super) fn without_helpers(&self, limit: Duration) -> Vec<i32> {
        let begun = Instant::now();
        loop {
            let left = self.helpers();
            if left.is_empty() || begun.elapsed() >= limit {
                return left;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

impl Drop for Batch {
    /// Nothing stays behind, however the test ended.
    fn drop(&mut self) {
        drop(self.dir.take());
        clean(&self.prefix);
        // What a test that failed left frozen would never see that its project is gone.
        for pid in self.bearers() {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// The program while it runs. It is killed when the test is over.
pub(super) struct Host {
    child: Child,
    pub(super) client: Client,
    said: PathBuf,
}

impl Host {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) async fn submit(&self, task: &str) -> RunInfo {
        self.client.post("/api/v1/runs", &RunRequest::new(task, "test")).await.unwrap()
    }

    /// What there is of a run, once the host knows the processes of all its jobs that run. It hears of one a moment after
    /// that has begun.
    pub(super) async fn known(&self, run: &RunInfo) -> RunInfo {
        let begun = std::time::Instant::now();
        loop {
            let now: RunInfo = self.client.get(&format!("/api/v1/runs/{}", run.id)).await.unwrap();
            if now.jobs.iter().all(|job| job.phase != "running" || job.pid.is_some()) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "nobody says which processes they are: {now:?}");
        }
    }

    /// Waits until the run is over, and says what became of it.
    pub(super) async fn over(&self, run: &RunInfo) -> RunInfo {
        let path = format!("/api/v1/runs/{}/wait", run.id);
        tokio::time::timeout(PATIENCE, self.client.get::<RunInfo>(&path))
            .await
            .expect("the run did not end")
            .unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(super) async fn ended(mut self) -> ExitStatus {
        let end = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        tokio::time::timeout(PATIENCE, end).await.expect("the host did not end").unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("it said: {}", std::fs::read_to_string(&self.said).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When processes end by themselves.
pub(super) fn until() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (now + LIFE).as_secs().to_string()
}

/// As a list in YAML, too.
pub(super) fn json(words: &[&str]) -> String {
    serde_json::to_string(words).unwrap()
}

/// The nasty program, compiled once.
fn compiled() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (draft, program) = (dir.join(format!("nasty-{}", std::process::id())), dir.join("nasty"));
        let compiler = std::env::var_os("CC").unwrap_or("cc".into());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/process/nasty.c");
        let done =
            Command::new(compiler).args(["-O1", "-Wall", "-o"]).arg(&draft).arg(source).status().unwrap();
        assert!(done.success(), "the nasty program does not compile");
        // Another run of the tests may use the old one at this moment.
        std::fs::rename(draft, &program).unwrap();
        program
    })
}
