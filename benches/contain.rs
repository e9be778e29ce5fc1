//! What containment costs: a supervisor beside each attempt against process groups, which hold less.
//!
//! `cargo bench --bench contain` runs the same work in pairs, with `NEAP_CONTAINMENT=group` and without, and prints the
//! median of the ratios pair by pair. `PAIRS=n` takes more pairs. The first table is 1,000 no-op attempts, as in
//! `compare.rs`; the second is a flood of output into one log, as it is and with a secret to be looked for. It says as
//! well how much memory a supervisor holds that has nothing to do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const LAYERS: usize = 10;
const WIDTH: usize = 100;
/// Megabytes of output.
const FLOOD: usize = 200;
const CONTAINMENTS: [&str; 2] = ["group", "shim"];

fn main() -> ExitCode {
    // `cargo test --benches` runs this too; it has nothing to say there.
    if std::env::args().any(|arg| arg == "--test") {
        return ExitCode::SUCCESS;
    }
    let pairs: usize = std::env::var("PAIRS").ok().and_then(|n| n.parse().ok()).unwrap_or(9);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let place = Place(dir.path());
    attempts(&place, pairs);
    println!("memory of what stands beside an attempt that sleeps (PSS)");
    match place.idle() {
        Some((shim, zygote)) => println!("  supervisor {shim} KiB, and once for all of them {zygote} KiB"),
        None => println!("  this system does not tell"),
    }
    println!("{FLOOD} MB of output into the log; {pairs} pairs");
    for (name, task) in [("as it is", "flood"), ("with a secret", "masked")] {
        flood(&place, name, task, pairs);
    }
    ExitCode::SUCCESS
}

fn attempts(place: &Place, pairs: usize) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=pairs {
        for (containment, times) in CONTAINMENTS.iter().zip(&mut times) {
            let took = place.run(containment, &format!("w{round}"), "w3").0;
            // The first round warms the caches up.
            if round > 0 {
                times.push(took.as_secs_f64() * 1e3 / (LAYERS * WIDTH) as f64);
            }
        }
    }
    println!("{} no-op attempts, 2 at a time; {pairs} pairs, ms for each attempt", LAYERS * WIDTH);
    show(&times, "ms");
}

fn flood(place: &Place, name: &str, task: &str, pairs: usize) {
    let (mut rates, mut most) = ([Vec::new(), Vec::new()], [0, 0]);
    for _ in 0..pairs {
        for ((containment, rates), most) in CONTAINMENTS.iter().zip(&mut rates).zip(&mut most) {
            let (_, little) = place.run(containment, "flood", "drop");
            let (took, much) = place.run(containment, "flood", task);
            rates.push(FLOOD as f64 / took.as_secs_f64());
            *most = much.saturating_sub(little).max(*most);
        }
    }
    println!("  {name}, MB/s:");
    show(&rates, "MB/s");
    println!("  the host grew by at most {} KiB (group), {} KiB (shim)", most[0], most[1]);
}

/// The medians, and the median of the ratios of the second to the first.
fn show([group, shim]: &[Vec<f64>; 2], unit: &str) {
    let middle = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
    };
    let ratios: Vec<f64> = shim.iter().zip(group).map(|(shim, group)| shim / group).collect();
    for (name, values) in [("group", group), ("shim", shim)] {
        let (least, median, most) = middle(values);
        println!("  {name} {median:.2} {unit} ({least:.2}..{most:.2})");
    }
    let (least, median, most) = middle(&ratios);
    println!("  shim / group {median:.2} ({least:.2}..{most:.2})");
}

struct Place<'a>(&'a Path);

impl Place<'_> {
    /// A project of its own, with nothing in its history.
    fn project(&self, name: &str) -> PathBuf {
        let project = self.0.join(name);
        let _ = fs::remove_dir_all(&project);
        fs::create_dir_all(project.join("tasks")).expect("a writable directory");
        let write = |name: &str, yaml: &str| {
            fs::write(project.join(format!("tasks/{name}.yaml")), yaml).expect("a writable directory");
        };
        let much = format!("run: yes {} | head -c {FLOOD}000000\n", "x".repeat(99));
        write("w3", &layers());
        write("flood", &much);
        write("masked", &format!("{much}secrets: [{{ name: WORD, from: command, key: echo unheard }}]\n"));
        write("drop", "run: echo a drop\n");
        write("sleep", "run: echo up > up; exec sleep 600\n");
        project
    }

    fn neap(&self, containment: &str, project: &Path, task: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_neap"))
            .args(["run", task, "-j", "2", "-q"])
            .current_dir(project)
            .env("NEAP_CONTAINMENT", containment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("it was built for this")
    }

    /// How long a cold start with an empty state takes to the end of a task, and the most memory it had, in KiB.
    fn run(&self, containment: &str, project: &str, task: &str) -> (Duration, u64) {
        let project = self.project(project);
        let start = Instant::now();
        let child = self.neap(containment, &project, task);
        let most = reap(child);
        let took = start.elapsed();
        let _ = fs::remove_dir_all(project);
        (took, most)
    }

    /// The memory of a supervisor with nothing to do, and of what it was forked from.
    fn idle(&self) -> Option<(u64, u64)> {
        let project = self.project("idle");
        let mut host = self.neap("shim", &project, "sleep");
        while !project.join("up").exists() && host.try_wait().ok()?.is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let zygote = child_of(host.id());
        let shim = zygote.and_then(child_of);
        let memory = shim.and_then(pss).zip(zygote.and_then(pss));
        let _ = host.kill();
        let _ = host.wait();
        memory
    }
}

fn layers() -> String {
    let mut yaml = "tasks:\n".to_owned();
    for layer in 0..LAYERS {
        for n in 0..WIDTH {
            let needs: Vec<String> = match layer {
                0 => Vec::new(),
                _ => (0..3).map(|k| format!("j{}x{}", layer - 1, (n * 7 + k * 13) % WIDTH)).collect(),
            };
            writeln!(yaml, "  j{layer}x{n}: {{ run: /bin/true, depends_on: [{}] }}", needs.join(", "))
                .expect("a string takes everything");
        }
    }
    yaml
}

/// Waits for a program that has to end well, and returns the most memory that it had, in KiB.
fn reap(child: Child) -> u64 {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both places are ours, and a usage of zeroes is a usage.
    let (pid, usage) = unsafe {
        let pid = libc::wait4(child.id() as i32, &mut status, 0, usage.as_mut_ptr());
        (pid, usage.assume_init())
    };
    assert!(pid == child.id() as i32 && status == 0, "it ended with {status}");
    usage.ru_maxrss as u64
}

/// The only child of a process, or the first of several.
fn child_of(parent: u32) -> Option<u32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.collect::<String>().split_whitespace().next()?.parse().ok()
}

fn pss(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
