//! Whatever is wrong with a file, it can be drawn.

use super::render;
use crate::definition::{Catalog, Registered, SchemaKind, Settings, Source, schema};
use crate::fuzz::{ALLOWED, Campaign, Files, Input, Rng, processor_time};
use crate::schedule::Zone;
use std::time::Duration;

/// Draws the first problems of a file, as many as a terminal shows at once. The time is that of the slowest one.
fn drawn(bytes: &[u8]) -> Result<Duration, String> {
    let source = Source::from_bytes("tasks/a.yaml", bytes);
    let catalog = Catalog::load([source], &Registered::default(), &Settings::new(Zone::utc()), None);
    let mut slowest = Duration::ZERO;
    for problem in catalog.problems().iter().take(20) {
        let begun = processor_time();
        let drawn = render::problem(problem, |path| catalog.source(path));
        slowest = slowest.max(processor_time() - begun);
        if !drawn.contains(problem.code.as_str()) {
            return Err(format!("{problem} is not in {drawn}"));
        }
    }
    Ok(slowest)
}

#[test]
fn fuzz_every_problem_is_drawn() {
    let files = Files::new(schema(SchemaKind::Task));
    let make = |rng: &mut Rng| vec![files.file(rng)];
    let examine = |input: &Input| drawn(&input[0]);
    Campaign { name: "drawn problems", everyday: 300, share: 20, allowed: ALLOWED }.run(make, examine);
}

/// A problem in a text of a mebibyte is drawn as fast as any other.
#[track_caller]
fn check(name: &str, text: &str) {
    let slowest = (0..3).map(|_| drawn(text.as_bytes()).unwrap()).min().unwrap();
    println!("fuzz bomb drawn {name}: {slowest:.1?}");
    assert!(slowest <= ALLOWED, "{name} took {slowest:?}");
}

#[test]
fn fuzz_large_texts_are_drawn() {
    const MIB: usize = 1 << 20;
    check("one line that is no task", &"x".repeat(MIB));
    check("one byte too many", &"x".repeat(MIB + 1));
    check("brackets", &"[".repeat(MIB));
    check("unknown key on a long line", &format!("{{ rnu: {} }}", "x ".repeat(MIB / 2 - 10)));
    check("a long unknown key", &format!("{}: x", "k".repeat(MIB - 4)));
    check("tabs", &"\ta: b\n".repeat(MIB / 6));
    check("wide letters", &"日".repeat(MIB / 3));
    check("a key twice, far away", &format!("run: x\n{}run: y\n", "# c\n".repeat(MIB / 4 - 10)));
    check("a long word", &format!("overlap: {}\nrun: ls\n", "w".repeat(MIB - 30)));
}
