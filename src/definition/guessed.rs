//! Keys that people guess, from other tools or from habit, where the key that is meant has another shape: what to write.
//!
//! Where only the word differs, the list of keys says so itself.

use super::keys::{self, Object};

/// Keys of a job or a task, and what to write instead.
const GUESSED: [(&str, &str); 20] = [
    ("retry_delay", "write `retry: { attempts: 3, delay: 10s }`"),
    ("retry_interval", "write `retry: { attempts: 3, delay: 10s }`"),
    ("max_retries", "write `retry: 3`, the number of further tries"),
    ("on_failure", FAILURE),
    ("on_error", FAILURE),
    ("on_success", "what depends on a job runs when that has succeeded: write a child with `depends_on`"),
    ("on_exit", "a pipeline has `finally`, a single job has `cleanup`"),
    ("sh", "write `run: …`, which is text for `sh -eu`"),
    ("bash", "write `run: …` with `shell: bash` beside it"),
    ("python", "write `run: …` with `shell: python3` beside it"),
    ("matrix", "write `strategy: { matrix: { os: [linux, mac] } }`"),
    ("tz", ZONE),
    ("time_zone", ZONE),
    ("image", HERE),
    ("container", HERE),
    ("runs-on", HERE),
    ("runs_on", HERE),
    ("every", "write `schedule: { every: 10m }`"),
    ("fail_fast", "write it under `strategy`, beside `matrix`"),
    ("max_parallel", "write it under `strategy` or `foreach`"),
];

const FAILURE: &str = "write a child with `depends_on: { task: NAME, when: failed }`, or `finally` for what is done in any case";
const ZONE: &str = "write it beside the expression: `schedule: { cron: …, timezone: … }`";
const HERE: &str = "jobs run on this machine: start another one, or a container, in `run`";

/// What to write instead of this key, and whether that is a body.
pub(super) fn instead(key: &str, object: &Object) -> Option<(&'static str, bool)> {
    if object.is_small() {
        return None;
    }
    if matches!(key, "name" | "id") {
        let is_file = [&keys::FILE, &keys::LEAF, &keys::PIPELINE].iter().any(|file| object.is(file));
        let help = match (is_file, object.is(&keys::CHILD)) {
            (true, _) => "the path of the file is the name of the task; words about it are its `description`",
            (false, true) => "the key under `tasks` is the name; words about it are its `description`",
            (false, false) => return None,
        };
        return Some((help, false));
    }
    let (_, help) = GUESSED.iter().find(|(guess, _)| *guess == key)?;
    Some((help, help.starts_with("write `run:")))
}
