//! The loop: so many inputs, each of which must be answered well and in time, and a good story about the one that is not.

use super::Rng;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The parts of one input, each as bytes.
pub(crate) type Input = Vec<Vec<u8>>;

/// The time that one input may take. What is built without optimisation is many times slower.
pub(crate) const ALLOWED: Duration = Duration::from_millis(if cfg!(debug_assertions) { 4_000 } else { 50 });

/// The time for a text of a whole mebibyte, of which the reader alone manages ten in a second.
pub(crate) const ALLOWED_LARGE: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 6_000 } else { 500 });

/// Inputs of one kind.
pub(crate) struct Campaign {
    pub(crate) name: &'static str,
    /// How many there are in everyday runs.
    pub(crate) everyday: u64,
    /// In long runs there are `FUZZ` divided by this.
    pub(crate) share: u64,
    pub(crate) allowed: Duration,
}

impl Campaign {
    /// Makes every input and examines it. `examine` says how long neap took, or what is wrong.
    pub(crate) fn run(
        &self,
        make: impl Fn(&mut Rng) -> Input + Sync,
        examine: impl Fn(&Input) -> Result<Duration, String> + Sync,
    ) {
        if let Ok(seed) = std::env::var("SEED") {
            let seed = seed.parse().expect("SEED is a number");
            let input = make(&mut Rng::new(self.name, seed));
            println!("{} SEED={seed}:\n{}", self.name, shown(&input));
            self.answered(seed, &input, &examine);
            return;
        }
        let count = std::env::var("FUZZ")
            .map_or(self.everyday, |count| count.parse::<u64>().expect("FUZZ is a number") / self.share);
        let workers = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let (began, make, examine) = (std::time::Instant::now(), &make, &examine);
        let work = |worker: u64| {
            let seeds = (worker..count).step_by(workers as usize);
            let one = |seed| (self.answered(seed, &make(&mut Rng::new(self.name, seed)), examine), seed);
            seeds.map(one).max().unwrap_or_default()
        };
        let (slowest, seed) = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
            let done = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| panic!("{}: see above", self.name)));
            done.max().unwrap_or_default()
        });
        println!(
            "fuzz {}: {count} inputs in {:.1?}, slowest {slowest:.1?} (SEED={seed})",
            self.name,
            began.elapsed()
        );
    }

    fn answered(
        &self,
        seed: u64,
        input: &Input,
        examine: &impl Fn(&Input) -> Result<Duration, String>,
    ) -> Duration {
        let first = match self.tried(input, examine) {
            Ok(took) => return took,
            Err(first) => first,
        };
        let small = smaller(input.clone(), |input| self.tried(input, examine).is_err());
        // What was only slow may be faster now: then the machine was busy.
        match self.tried(&small, examine) {
            Ok(took) if small == *input => took,
            wrong => panic!(
                "fuzz {}: {first}\nSEED={seed} plays it again. It is wrong ({wrong:?}) with\n{}",
                self.name,
                shown(&small)
            ),
        }
    }

    /// Of what takes too long the best of three counts: others use the machine too.
    fn tried(
        &self,
        input: &Input,
        examine: &impl Fn(&Input) -> Result<Duration, String>,
    ) -> Result<Duration, String> {
        let once = || {
            let answer = catch_unwind(AssertUnwindSafe(|| examine(input)));
            answer.unwrap_or_else(|panic| Err(format!("panic: {}", message(&*panic))))
        };
        let mut took = once()?;
        for _ in 0..2 {
            if took > self.allowed {
                took = took.min(once()?);
            }
        }
        if took > self.allowed { Err(format!("it took {took:?}")) } else { Ok(took) }
    }
}

/// The processor time of this thread: what others do on the machine is not in it.
pub(crate) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// The parts as a test would write them, cut where they are long.
fn shown(input: &Input) -> String {
    let mut text = String::new();
    for part in input {
        let cut = part.get(..4_000).unwrap_or(part);
        match std::str::from_utf8(cut) {
            Ok(part) => _ = writeln!(text, "  {part:?}"),
            Err(_) => _ = writeln!(text, "  b\"{}\"", cut.escape_ascii()),
        }
        if cut.len() < part.len() {
            let _ = writeln!(text, "  … {} bytes", part.len());
        }
    }
    text
}

/// Takes away what can be taken away without making it right.
fn smaller(mut input: Input, is_wrong: impl Fn(&Input) -> bool) -> Input {
    let mut tries = 600_usize;
    for index in 0..input.len() {
        let mut size = input[index].len();
        while size > 0 && tries > 0 {
            let mut at = 0;
            while at < input[index].len() && tries > 0 {
                let mut less = input.clone();
                let end = (at + size).min(less[index].len());
                less[index].drain(at..end);
                tries -= 1;
                if is_wrong(&less) { input = less } else { at += size }
            }
            size /= 2;
        }
    }
    input
}
