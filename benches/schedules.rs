//! What many schedules cost: `cargo bench --bench schedules`, and `SCHEDULES=n` for other numbers.
//!
//! First the engine alone: what comes next for one schedule, taking them all, taking them again after a reload, and all due
//! at once. Then a host: how much memory each takes, how long it is until a file that changed counts, whether anything wakes
//! before the moment, and how long it takes from the moment until all are claimed and the first have started.

use neap::api::Client;
use neap::base::{Millis, Moment, TaskName};
use neap::definition::{Action, Catchup, Firing, Leaf, Overlap, Params};
use neap::engine::{Armed, Effect, Engine, Event, Input, PlanRef, ScheduleKey, State};
use neap::host::{Happening, wall_clock};
use neap::plan::{Node, Plan};
use neap::schedule::{Schedule, Zone};
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many starts are waited for.
const STARTS: usize = 200;
const IDLE: Duration = Duration::from_secs(10);

fn main() {
    // `cargo test --benches` runs this too; it has nothing to say there.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let count: usize = std::env::var("SCHEDULES").map_or(10_000, |n| n.parse().expect("a number"));
    engine(count);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(host(count));
}

/// Something else for each: a time of the day, of some days, in a zone.
fn expression(number: usize) -> String {
    let (minute, hour) = (number % 60, number / 60 % 24);
    match number % 4 {
        0 => format!("{minute} {hour} * * *"),
        1 => format!("{minute} {hour} * * mon-fri"),
        2 => format!("{minute} {hour} {} * *", 1 + number % 28),
        _ => format!("{minute} */{} * * *", 1 + number % 12),
    }
}

fn engine(count: usize) {
    let zone = Zone::named("Europe/Berlin").expect("everybody knows it");
    let now = Moment(1_795_420_800_000);
    let armed: Vec<Armed> = (0..count)
        .map(|number| armed(number, Schedule::cron(&expression(number), &zone).expect("it is a good one")))
        .collect();
    let began = Instant::now();
    for armed in &armed {
        black_box(armed.schedule.next(now));
    }
    let next = began.elapsed() / count as u32;
    let mut engine = Engine::new(4, 1, State::default());
    let first = timed(|| engine.handle(now, Input::Schedules(armed.clone())));
    let again = timed(|| engine.handle(now + Millis(1), Input::Schedules(armed.clone())));
    println!("{count} schedules, the engine alone: {next:?} for the next slot of one; taken in {first:?},");
    println!("  and again, when one file has changed, in {again:?}");
    let hourly = (0..count).map(|n| self::armed(n, Schedule::cron("0 * * * *", &zone).expect("a good one")));
    let mut engine = Engine::new(4, 1, State::default());
    engine.handle(now + Millis(1), Input::Schedules(hourly.collect()));
    let began = Instant::now();
    let due = now + Millis(3_600_000);
    let mut runs = 0;
    while engine.next_deadline().is_some_and(|at| at <= due) {
        let effects = engine.handle(due, Input::Tick);
        runs += effects.iter().filter(|effect| matches!(effect, Effect::Emit(Event::RunCreated(_)))).count();
    }
    let took = began.elapsed();
    assert_eq!(runs, count);
    println!("  all due at once: decided in {took:?}");
}

fn timed<T>(act: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    black_box(act());
    began.elapsed()
}

fn armed(number: usize, schedule: Schedule) -> Armed {
    let task = TaskName::new(&format!("t{number}")).expect("it is a good name");
    let leaf = Leaf::new(task.clone(), Action::Exec { argv: vec!["true".into()] });
    let nodes = vec![Node::new(Arc::new(leaf), Vec::new())];
    let (definition, params, groups) = ("d".into(), Params::new(), Vec::new());
    let plan = Plan { task: task.clone(), definition, params, groups, expect: Default::default(), nodes };
    let firing = Firing {
        overlap: Overlap::Skip,
        catchup: Catchup::None,
        catchup_window: Firing::USUAL_WINDOW,
        jitter: Millis(0),
        pause_on_failure: None,
    };
    let key = ScheduleKey(format!("{task}: {schedule}").into());
    Armed { key, schedule, plan: PlanRef::with_hash(format!("{number:032}").into(), Arc::new(plan)), firing }
}

/// `neap serve`, which is killed when this is dropped.
struct Host(Child, Client);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    async fn start(project: &Path) -> Host {
        fs::create_dir_all(project.join(".neap")).expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_neap"));
        command.arg("-C").arg(project).args(["serve", "-q"]).stdin(Stdio::null());
        let host = Host(command.spawn().expect("it starts"), Client::new(&project.join(".neap")));
        while !host.1.is_up().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        host
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it is up");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    /// How often its threads went to sleep so far: they woke as often.
    fn wake_ups(&self) -> u64 {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id())).expect("it is up");
        let one = |status: String| -> u64 {
            let lines = status.lines().filter(|line| line.starts_with("voluntary_ctxt_switches:"));
            lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
        };
        let read =
            |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        threads.flatten().map(|thread| one(read(thread))).sum()
    }
}

async fn host(count: usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let project = dir.path();
    fs::create_dir(project.join("tasks")).expect("a directory");
    let empty = Host::start(project).await;
    let alone = empty.resident_kib();
    drop(empty);
    // Time to read the files, for the questions below, and for doing nothing.
    let patience = 30_000 + count as u64 * if cfg!(debug_assertions) { 10 } else { 3 };
    let at = Moment((wall_clock().0 + patience) / 1000 * 1000);
    let utc = Zone::utc().civil(at);
    let cron = format!("{} {} {} {} {} *", utc.second, utc.minute, utc.hour, utc.day, utc.month);
    for number in 0..count {
        write(project, number, &cron, "");
    }
    let began = Instant::now();
    let host = Host::start(project).await;
    let mut events = host.1.events("").await.expect("it is up");
    let up = began.elapsed();
    let resident = host.resident_kib();
    let each = (resident.saturating_sub(alone)) as f64 / count as f64;
    println!(
        "{count} schedules, a host: up in {up:?}; {resident} KiB, {alone} without any: {each:.1} KiB for each"
    );
    let began = Instant::now();
    write(project, 0, &cron, "description: changed\n");
    while !matches!(events.next().await.expect("it is up"), Happening::Reloaded { .. }) {}
    println!("  a file that has changed counts after {:?}", began.elapsed());
    drop(events);
    // What the start set in motion comes to rest; threads that read files leave after ten seconds.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let before = host.wake_ups();
    tokio::time::sleep(IDLE).await; // the passing of time is what is measured
    let woken = host.wake_ups().abs_diff(before);
    assert!(wall_clock() + Millis(500) < at, "there was no time to be idle");
    println!("  woken {woken} times in {IDLE:?} with nothing to do");
    tokio::time::sleep((at - wall_clock()).to_duration()).await;
    let claimed = claims(project, count, at).await;
    let starts = starts(project, count, at).await;
    let slots = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!(
        "  due at once: all claimed and written down after {claimed} ms; started, of which {slots} at a time:"
    );
    let of = |share: usize| starts[(starts.len() - 1) * share / 100];
    let first = starts[slots.min(starts.len()) - 1];
    println!(
        "  the first after {} ms, the first {slots} after {first} ms; of the first {} half after {} ms, 99% after {} ms",
        starts[0],
        starts.len(),
        of(50),
        of(99)
    );
}

fn write(project: &Path, number: usize, cron: &str, more: &str) {
    let mut text = String::from(more);
    let schedule = format!("schedule: {{ cron: '{cron}', timezone: UTC }}");
    writeln!(text, "run: date +%s%N >> starts\n{schedule}").expect("it fits");
    fs::write(project.join("draft"), text).expect("it can be written");
    fs::rename(project.join("draft"), project.join(format!("tasks/t{number}.yaml")))
        .expect("it can be moved");
}

/// Milliseconds from the moment until the database has a run for every slot.
async fn claims(project: &Path, count: usize, at: Moment) -> u64 {
    let db = rusqlite::Connection::open(project.join(".neap/neap.db")).expect("it can be read");
    let last = Instant::now() + Duration::from_secs(120);
    loop {
        let found: u32 = db.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap_or(0);
        if found as usize >= count {
            return (wall_clock() - at).0;
        }
        assert!(Instant::now() < last, "{found} of {count} were claimed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// When the first programs said that they run, in milliseconds after the moment, in order.
async fn starts(project: &Path, count: usize, at: Moment) -> Vec<u64> {
    let last = Instant::now() + Duration::from_secs(120);
    loop {
        let text = fs::read_to_string(project.join("starts")).unwrap_or_default();
        let said: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if said.len() >= count.min(STARTS) {
            let mut after: Vec<u64> = said.iter().map(|ns| (ns / 1_000_000).saturating_sub(at.0)).collect();
            after.sort_unstable();
            after.truncate(STARTS);
            return after;
        }
        assert!(Instant::now() < last, "{} have started", said.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
