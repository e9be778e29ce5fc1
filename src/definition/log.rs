//! What becomes of the output of a job.

use super::fields::{Checker, Path};
use super::keys;
use super::tree::Node;
use serde::{Deserialize, Serialize};

/// What becomes of the output of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// How its two streams come into the log.
    #[serde(default)]
    pub mode: LogMode,
    /// How many bytes it may have; of what is too much the middle is left out. As it is usual when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
}

/// Of less nobody could read the beginning and the end.
const LEAST: u64 = 64 << 10;
/// More is a mistake.
const MOST: u64 = 1 << 40;

impl Log {
    /// How large a log becomes of which nothing is said.
    pub const USUAL_SIZE: u64 = 256 << 20;

    /// Whether nothing is said about it.
    pub fn is_usual(&self) -> bool {
        *self == Log::default()
    }
}

/// How standard output and standard error come into one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogMode {
    /// Through one pipe: exactly in the order in which they were written, and nobody can tell them apart.
    #[default]
    Merged,
    /// Through two: it is known which is which, and the order between them is only nearly right.
    Separate,
}

pub(super) const MODES: &[(&str, &str)] = &[
    ("merged", "exactly in the order in which it was written, as on a terminal"),
    ("separate", "it is known what is standard error; the order between the two is only nearly right"),
];

/// The value of `log`.
pub(super) fn log(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<Log> {
    let path = above.child("log");
    let mut log = Log::default();
    for field in checker.fields(node, &path)? {
        match field.key {
            "mode" => {
                let words = [("merged", LogMode::Merged), ("separate", LogMode::Separate)];
                log.mode = checker.choice(field.value, "mode", &words).unwrap_or_default();
            }
            "max_size" => log.max_size = checker.bytes_within(field.value, "max_size", LEAST..=MOST),
            _ => _ = checker.unknown(&field, &path, &keys::LOG),
        }
    }
    Some(log)
}
