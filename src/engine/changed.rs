//! The files whose change has created a run. Their names are bytes: a system lets them be anything.

use super::octets;
use serde::{Deserialize, Serialize};
use std::fmt;

/// So many files are named at most, in one run.
pub const MOST_NAMED: usize = 4096;
/// And so many bytes of names.
const MOST_BYTES: usize = 512 << 10;

/// Files that have changed, and then come to rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Their paths, in order.
    pub paths: Vec<ChangedPath>,
    /// So many more have changed, which are not named.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: u64,
}

fn is_none(more: &u64) -> bool {
    *more == 0
}

impl Changed {
    /// These, each once; what is too much is counted.
    pub fn new(paths: impl IntoIterator<Item = ChangedPath>, more: u64) -> Changed {
        let mut paths: Vec<ChangedPath> = paths.into_iter().collect();
        paths.sort_unstable();
        paths.dedup();
        let mut bytes = 0;
        let fits = |path: &&ChangedPath| {
            bytes += path.0.len();
            bytes <= MOST_BYTES
        };
        let kept = paths.iter().take(MOST_NAMED).take_while(fits).count();
        let more = more.saturating_add((paths.len() - kept) as u64);
        paths.truncate(kept);
        Changed { paths, more }
    }

    /// Both, as if they had changed together.
    pub fn join(self, other: Changed) -> Changed {
        Changed::new(self.paths.into_iter().chain(other.paths), self.more.saturating_add(other.more))
    }

    /// How many there are, named or not.
    pub fn count(&self) -> u64 {
        self.more.saturating_add(self.paths.len() as u64)
    }

    /// The first one by name, and how many there are besides: all that a list of runs needs.
    pub fn gist(&self) -> Changed {
        Changed {
            paths: self.paths.first().cloned().into_iter().collect(),
            more: self.count().saturating_sub(1),
        }
    }
}

impl fmt::Display for Changed {
    /// `/in/a.csv`, `/in/a.csv and 3 more`, `3 files`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.paths.first(), self.count().saturating_sub(1)) {
            (Some(first), 0) => write!(f, "{first}"),
            (Some(first), more) => write!(f, "{first} and {more} more"),
            (None, _) => write!(f, "{} files", self.more),
        }
    }
}

/// The path of a file. In JSON it is text where it is text, and otherwise `{"hex": "66ff"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangedPath(#[serde(with = "octets")] pub Box<[u8]>);

impl fmt::Display for ChangedPath {
    /// What is no text is replaced.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> ChangedPath {
        ChangedPath(bytes.into())
    }

    #[track_caller]
    fn check(bytes: &[u8], json: &str) {
        assert_eq!(serde_json::to_string(&path(bytes)).unwrap(), json);
        assert_eq!(serde_json::from_str::<ChangedPath>(json).unwrap(), path(bytes));
    }

    #[test]
    fn a_name_of_any_bytes_comes_back() {
        check(b"/in/a b.csv", r#""/in/a b.csv""#);
        check(b"/in/\n'\"", r#""/in/\n'\"""#);
        check(b"/in/\xff\x00", r#"{"hex":"2f696e2fff00"}"#);
        for wrong in [r#"{"hex":"f"}"#, r#"{"hex":"+f"}"#, r#"{"hex":"gg"}"#, "7"] {
            assert!(serde_json::from_str::<ChangedPath>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let names = (0..5000).map(|n| path(format!("/in/{n:05}").as_bytes()));
        let all = Changed::new(names.clone().chain(names), 7);
        assert_eq!((all.paths.len(), all.more, all.count()), (MOST_NAMED, 911, 5007));
        let long = (0..3).map(|n| path(format!("{n}{}", "x".repeat(MOST_BYTES / 2)).as_bytes()));
        assert_eq!(Changed::new(long, 0).count(), 3);
        let both = Changed::new([path(b"b"), path(b"a")], 0).join(Changed::new([path(b"b")], 2));
        assert_eq!(both, Changed { paths: vec![path(b"a"), path(b"b")], more: 2 });
        assert_eq!(both.gist(), Changed { paths: vec![path(b"a")], more: 3 });
        assert_eq!(both.to_string(), "a and 3 more");
    }
}
