//! Whole-program figures against yardsticks that every machine can have: `make` and `xargs`.
//!
//! `cargo bench --bench compare` interleaves the programs (A B C A B C …), gives each run a fresh state directory, and
//! prints the median of the ratios pair by pair: machines are noisy, ratios much less. `PAIRS=n` takes more pairs,
//! `GATE=1` fails when both the median and the minimum of a ratio lie over its limit.
//!
//! W3 is a DAG of 10 layers with 100 no-op commands each, every command needing three of the layer before.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const LAYERS: usize = 10;
const WIDTH: usize = 100;

fn main() -> ExitCode {
    // `cargo test --benches` runs this too; it has nothing to say there.
    if std::env::args().any(|arg| arg == "--test") {
        return ExitCode::SUCCESS;
    }
    let pairs: usize = std::env::var("PAIRS").ok().and_then(|n| n.parse().ok()).unwrap_or(9);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let place = Place::new(dir.path());
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=pairs {
        let run = [place.neap(round), place.make(), place.xargs()];
        // The first round warms the caches up.
        if round > 0 {
            times.iter_mut().zip(run).for_each(|(times, ms)| times.push(ms));
        }
    }
    let [neap, make, xargs] = times;
    println!(
        "W3: {} jobs in {LAYERS} layers, 2 at a time, a log and 4 events each; {pairs} pairs",
        LAYERS * WIDTH
    );
    println!("  neap {}   make -j2 {}   xargs -P2 {}", middle(&neap), middle(&make), middle(&xargs));
    let good = [gate("neap / make -j2", &neap, &make, 2.0), gate("neap / xargs -P2", &neap, &xargs, 1.5)];
    let is_gate = std::env::var_os("GATE").is_some();
    if is_gate && good.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints a ratio, and says whether it is within its limit.
fn gate(name: &str, ours: &[f64], theirs: &[f64], limit: f64) -> bool {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    ratios.sort_by(f64::total_cmp);
    let (least, median, most) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
    println!("  {name}: {median:.2} ({least:.2}..{most:.2}), at most {limit:.1} wanted");
    median <= limit || least <= limit
}

fn middle(times: &[f64]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    format!("{:.0} ms ({:.0}..{:.0})", sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1])
}

struct Place {
    dir: PathBuf,
    yaml: String,
}

impl Place {
    fn new(dir: &Path) -> Place {
        let (mut yaml, mut makefile) = ("tasks:\n".to_owned(), String::new());
        let all: Vec<String> = (0..WIDTH).map(|n| format!("j{}x{n}", LAYERS - 1)).collect();
        writeln!(makefile, "all: {}\n.PHONY: all", all.join(" ")).expect("a string takes everything");
        for layer in 0..LAYERS {
            for n in 0..WIDTH {
                let needs: Vec<String> = match layer {
                    0 => Vec::new(),
                    _ => (0..3).map(|k| format!("j{}x{}", layer - 1, (n * 7 + k * 13) % WIDTH)).collect(),
                };
                writeln!(yaml, "  j{layer}x{n}: {{ run: /bin/true, depends_on: [{}] }}", needs.join(", "))
                    .expect("a string takes everything");
                writeln!(makefile, "j{layer}x{n}: {}\n\t@/bin/true\n.PHONY: j{layer}x{n}", needs.join(" "))
                    .expect("a string takes everything");
            }
        }
        fs::write(dir.join("Makefile"), makefile).expect("a writable directory");
        let lines: String = (0..LAYERS * WIDTH).map(|n| format!("{n}\n")).collect();
        fs::write(dir.join("lines"), lines).expect("a writable directory");
        Place { dir: dir.to_path_buf(), yaml }
    }

    /// A cold start with an empty state, as a stranger would type it.
    fn neap(&self, round: usize) -> f64 {
        let project = self.dir.join(format!("p{round}"));
        fs::create_dir_all(project.join("tasks")).expect("a writable directory");
        fs::write(project.join("tasks/w3.yaml"), &self.yaml).expect("a writable directory");
        time(
            Command::new(env!("CARGO_BIN_EXE_neap"))
                .args(["run", "w3", "-j", "2", "-q"])
                .current_dir(&project),
        )
    }

    fn make(&self) -> f64 {
        time(Command::new("make").args(["-s", "-j2"]).current_dir(&self.dir))
    }

    /// The same commands without the DAG.
    fn xargs(&self) -> f64 {
        let lines = fs::File::open(self.dir.join("lines")).expect("it was written above");
        time(Command::new("xargs").args(["-P2", "-n1", "/bin/true"]).stdin(lines).current_dir(&self.dir))
    }
}

/// Milliseconds until the program has ended well.
fn time(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status =
        command.stdout(Stdio::null()).stderr(Stdio::inherit()).status().expect("the program is installed");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed().as_secs_f64() * 1e3
}
