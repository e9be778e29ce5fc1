//! How slots become runs: keys that a task and an entry of its `schedule` have in common.

use crate::base::Millis;
use crate::definition::fields::{Checker, Field};
use crate::definition::firing::{Catchup, Firing, Overlap};
use crate::definition::problem::{Code, Finding};

/// The keys that stand on a task and hold for every entry that does not say otherwise.
pub(in crate::definition) const OF_TASKS: [&str; 4] =
    ["overlap", "catchup", "catchup_window", "pause_on_failure"];

const OVERLAPS: [(&str, Overlap); 5] = [
    ("skip", Overlap::Skip),
    ("queue_one", Overlap::QueueOne),
    ("queue_all", Overlap::QueueAll),
    ("cancel_running", Overlap::CancelRunning),
    ("allow", Overlap::Allow),
];

const CATCHUPS: [(&str, Catchup); 3] =
    [("none", Catchup::None), ("last", Catchup::Last), ("all", Catchup::All)];

/// Takes a field that says how slots become runs, and says whether it was one. What is wrong in it stays as it was: the
/// file is refused anyway.
pub(in crate::definition) fn take(checker: &mut Checker, field: &Field<'_>, firing: &mut Firing) -> bool {
    let (key, value) = (field.key, field.value);
    match key {
        "overlap" => firing.overlap = checker.choice(value, key, &OVERLAPS).unwrap_or_default(),
        "catchup" => firing.catchup = checker.choice(value, key, &CATCHUPS).unwrap_or_default(),
        "catchup_window" => {
            if let Some(window) =
                checker.span(value, key, false).and_then(|span| within(checker, field, span))
            {
                firing.catchup_window = window;
            }
        }
        "pause_on_failure" => {
            let most = checker.integer(value, key, 1..=1000);
            firing.pause_on_failure = most.and_then(|most| u32::try_from(most).ok());
        }
        _ => return false,
    }
    true
}

fn within(checker: &mut Checker, field: &Field<'_>, window: Millis) -> Option<Millis> {
    if (Firing::SHORTEST_WINDOW..=Firing::LONGEST_WINDOW).contains(&window) {
        return Some(window);
    }
    let message = "`catchup_window` must be from 1m to 366d";
    let label = if window < Firing::SHORTEST_WINDOW { "too short" } else { "too long" };
    let finding = Finding::new(Code::E0121, field.value.span.clone(), message, label);
    checker.report(finding.help("a slot up to one minute late is carried out in any case"));
    None
}
