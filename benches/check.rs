//! What it costs to look at a large definition: one file with a DAG of 10,000 jobs, in 100 layers of 100, each needing
//! three of the layer before.
//!
//! `cargo bench --bench check` prints the time and the peak memory of `neap check`; `ROUNDS=n` takes more rounds, `GATE=1`
//! fails when the least of them is over its limit, because machines are noisy upwards only.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

const LAYERS: usize = 100;
const WIDTH: usize = 100;
/// Milliseconds.
const LONGEST: f64 = 150.0;
/// MB of resident memory.
const LARGEST: f64 = 60.0;

fn main() -> ExitCode {
    // `cargo test --benches` runs this too; it has nothing to say there.
    if std::env::args().any(|arg| arg == "--test") {
        return ExitCode::SUCCESS;
    }
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(11);
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(dir.path().join("tasks")).expect("an empty directory takes a new one");
    std::fs::write(dir.path().join("tasks/large.yaml"), dag()).expect("a new directory takes a file");
    let mut found: Vec<(f64, f64)> = (0..=rounds).map(|_| check(dir.path())).collect();
    // The first round warms the caches up.
    found.remove(0);
    let (mut times, mut sizes): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
    times.sort_by(f64::total_cmp);
    sizes.sort_by(f64::total_cmp);
    println!("neap check of {} jobs in one file; {rounds} rounds", LAYERS * WIDTH);
    println!(
        "  {:.0} ms ({:.0}..{:.0}), at most {LONGEST:.0} wanted",
        times[rounds / 2],
        times[0],
        times[rounds - 1]
    );
    println!("  {:.1} MB at its peak, at most {LARGEST:.0} wanted", sizes[rounds / 2]);
    let is_good = times[0] <= LONGEST && sizes[0] <= LARGEST;
    if std::env::var_os("GATE").is_some() && !is_good { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn dag() -> String {
    let mut yaml = "tasks:\n".to_owned();
    for layer in 0..LAYERS {
        for n in 0..WIDTH {
            let needs = (0..if layer == 0 { 0 } else { 3 })
                .map(|k| format!("j{}x{}", layer - 1, (n * 7 + k * 13) % WIDTH))
                .collect::<Vec<_>>();
            writeln!(yaml, "  j{layer}x{n}: {{ run: /bin/true, depends_on: [{}] }}", needs.join(", "))
                .expect("a string takes everything");
        }
    }
    yaml
}

/// Milliseconds, and MB at the peak.
fn check(project: &std::path::Path) -> (f64, f64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neap"));
    command
        .arg("check")
        .current_dir(project)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    #[expect(clippy::zombie_processes, reason = "wait4 waits for it, and says what it used")]
    let child = command.spawn().expect("the program was built");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both places may be written to, and nobody else waits for this child.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, usage.as_mut_ptr()) };
    let took = began.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(waited, child.id() as i32, "{}", std::io::Error::last_os_error());
    assert!(ExitStatus::from_raw(status).success(), "it found errors");
    // SAFETY: it was zeroed, and wait4 has filled it.
    let usage = unsafe { usage.assume_init() };
    (took, usage.ru_maxrss as f64 / 1024.0)
}
