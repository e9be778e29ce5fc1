//! Identities and time: the words every other module is written in.
//!
//! Nothing here reads a clock; a [`Moment`] is always handed in from outside.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

/// A length of time in milliseconds.
///
/// ```
/// use neap::base::Millis;
/// assert_eq!("1h30m".parse::<Millis>().unwrap(), Millis(5_400_000));
/// assert_eq!("45".parse::<Millis>().unwrap(), Millis(45_000), "a bare integer means seconds");
/// assert_eq!(Millis(5_400_000).to_string(), "1h30m");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Add<Millis> for Moment {
    type Output = Moment;
    fn add(self, span: Millis) -> Moment {
        Moment(self.0.saturating_add(span.0))
    }
}

impl Sub<Moment> for Moment {
    type Output = Millis;
    /// The time since `earlier`; zero when `earlier` is later.
    fn sub(self, earlier: Moment) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Sub<Millis> for Moment {
    type Output = Moment;
    fn sub(self, span: Millis) -> Moment {
        Moment(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC, whole seconds: `2026-11-21T02:13:06Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_second(seconds) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "@{}ms", self.0),
        }
    }
}

impl Millis {
    /// Whole seconds to a length of time.
    pub const fn from_secs(seconds: u64) -> Millis {
        Millis(seconds * 1000)
    }

    /// The same length as the standard library's type.
    pub const fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Millis {
    /// The two largest units that matter: `2d4h`, `1h30m`, `1m49s`, `4.1s`, `12ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
        match self.0 {
            0 => write!(f, "0s"),
            ms if ms < 100 => write!(f, "{ms}ms"),
            ms if ms < 60_000 && ms.is_multiple_of(1000) => write!(f, "{}s", ms / 1000),
            ms if ms < 60_000 => write!(f, "{}.{}s", ms / 1000, ms % 1000 / 100),
            ms => {
                let large =
                    UNITS.iter().position(|&(size, _)| ms >= size).expect("60 s is at least one minute");
                let (size, unit) = UNITS[large];
                write!(f, "{}{unit}", ms / size)?;
                match UNITS.get(large + 1) {
                    Some(&(small, unit)) if ms % size / small > 0 => write!(f, "{}{unit}", ms % size / small),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// What is wrong with a length of time, in words that fit after "is not a duration: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSpan {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// A number is missing or a unit is not one of `ms s m h d w`.
    #[error("write it like 30s, 5m, 1h30m or 2d")]
    Shape,
    /// More than about 290 million years.
    #[error("it is too long")]
    TooLong,
}

impl FromStr for Millis {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Millis, BadSpan> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadSpan::Empty);
        }
        if let Ok(seconds) = text.parse::<u64>() {
            return seconds.checked_mul(1000).map(Millis).ok_or(BadSpan::TooLong);
        }
        let mut total = 0u64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(BadSpan::Shape)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let size = match unit {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return Err(BadSpan::Shape),
            };
            let number: u64 = number.parse().map_err(|_| BadSpan::Shape)?;
            let part = number.checked_mul(size).ok_or(BadSpan::TooLong)?;
            total = total.checked_add(part).ok_or(BadSpan::TooLong)?;
            rest = tail.trim_start();
        }
        Ok(Millis(total))
    }
}

/// One run: a plan, frozen when it was submitted, being carried out.
///
/// The number counts up from 1 inside one database, so it also says which run is older. People see
/// it as eight letters and digits in which neighbours share no prefix; the two forms are the same
/// value (a fixed permutation of the 40-bit numbers), so there is nothing to collide.
///
/// ```
/// use neap::base::RunId;
/// let face = RunId(7).to_string();
/// assert_eq!(face.len(), 8);
/// assert_eq!(face.parse(), Ok(RunId(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// Crockford's base 32: no `i l o u`, so no letter is taken for a digit.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const HALF: u64 = (1 << 20) - 1;

/// One round of a Feistel network over two halves of 20 bits.
fn scramble(half: u64, round: u64) -> u64 {
    let mixed = (half ^ (round << 17)).wrapping_add(round + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 44
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut left, mut right) = (self.0 >> 20 & HALF, self.0 & HALF);
        for round in 0..4 {
            (left, right) = (right, left ^ scramble(right, round));
        }
        let bits = left << 20 | right;
        let face: [u8; 8] = std::array::from_fn(|i| LETTERS[(bits >> (35 - 5 * i) & 31) as usize]);
        f.pad(std::str::from_utf8(&face).expect("the alphabet is ASCII"))
    }
}

/// The text is not the eight letters and digits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run id is eight letters and digits, without i, l, o and u")]
pub struct BadRunId;

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<RunId, BadRunId> {
        if text.len() != 8 {
            return Err(BadRunId);
        }
        let mut bits = 0;
        for letter in text.bytes() {
            let value = LETTERS.iter().position(|&l| l == letter).ok_or(BadRunId)?;
            bits = bits << 5 | value as u64;
        }
        let (mut left, mut right) = (bits >> 20 & HALF, bits & HALF);
        for round in (0..4).rev() {
            (left, right) = (right ^ scramble(left, round), left);
        }
        Ok(RunId(left << 20 | right))
    }
}

/// One job: a leaf task's place in one run. `index` is its place in the run's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId {
    /// The run it belongs to.
    pub run: RunId,
    /// Its place in the plan of that run.
    pub index: u32,
}

/// One attempt at a job: one process tree, one Lua body or one host function call. Numbers count
/// from 1 inside the job and are never reused, so a late report can be told from a current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The job it is a try at.
    pub job: JobId,
    /// 1 for the first try.
    pub number: u32,
}

/// The full name of a task: `nightly`, `ops/rotate`, or for a child of a pipeline `nightly/dump`.
///
/// Every part is `[A-Za-z0-9][A-Za-z0-9._-]*` and at most 64 bytes, so a name is safe as a path, as
/// a word on a command line and inside a log line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TaskName(Arc<str>);

/// Why a text cannot name a task; fits after "`x` cannot name a task: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing between two slashes, or nothing at all.
    #[error("a part of it is empty")]
    Empty,
    /// A part starts with something else than a letter or a digit.
    #[error("each part must begin with a letter or a digit")]
    Start,
    /// A character that is not allowed.
    #[error("`{0}` is not allowed; use letters, digits, `.`, `_` and `-`")]
    Character(char),
    /// A part has more than 64 bytes or the whole more than 200.
    #[error("it is too long (64 bytes a part, 200 in all)")]
    TooLong,
}

impl TaskName {
    /// So many bytes a whole name has at most.
    pub(crate) const LONGEST: usize = 200;

    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`BadName`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<TaskName, BadName> {
        for part in text.split('/') {
            let first = part.chars().next().ok_or(BadName::Empty)?;
            let bad = |c: &char| !(c.is_ascii_alphanumeric() || "._-".contains(*c));
            if let Some(c) = part.chars().find(bad) {
                return Err(BadName::Character(c));
            }
            if !first.is_ascii_alphanumeric() {
                return Err(BadName::Start);
            }
            if part.len() > 64 || text.len() > TaskName::LONGEST {
                return Err(BadName::TooLong);
            }
        }
        Ok(TaskName(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a child of this pipeline.
    ///
    /// # Errors
    /// [`BadName`] when `id` cannot be a part of a name.
    pub fn child(&self, id: &str) -> Result<TaskName, BadName> {
        if id.contains('/') {
            return Err(BadName::Character('/'));
        }
        TaskName::new(&format!("{self}/{id}"))
    }

    /// The name as a person sees it from inside `pipeline`: `dump` for `nightly/dump`.
    pub fn seen_from(&self, pipeline: &TaskName) -> &str {
        let inside = self.0.strip_prefix(pipeline.as_str()).and_then(|rest| rest.strip_prefix('/'));
        inside.unwrap_or(&self.0)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TaskName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<TaskName, BadName> {
        TaskName::new(text)
    }
}

impl<'de> Deserialize<'de> for TaskName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<TaskName, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        TaskName::new(&text).map_err(serde::de::Error::custom)
    }
}

impl std::borrow::Borrow<str> for TaskName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The word of a list that a misspelt `word` most probably means, if one is close.
///
/// Damerau–Levenshtein distance, at most a third of the length: `timeot` means `timeout`, `x` means nothing.
///
/// ```
/// use neap::base::did_you_mean;
/// assert_eq!(did_you_mean("timeot", ["timeout", "retry"]), Some("timeout"));
/// assert_eq!(did_you_mean("x", ["timeout", "retry"]), None);
/// ```
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing takes time and memory for each pair of letters, and nobody misspells a name of a kilobyte.
    const LONGEST: usize = 100;
    if !(2..=LONGEST).contains(&word.len()) {
        return None;
    }
    let lower = word.to_lowercase();
    let near = |other: &&str| {
        let farthest = (word.len().max(other.len()) / 3).max(1);
        let distance =
            (other.len() <= LONGEST).then(|| strsim::damerau_levenshtein(&lower, &other.to_lowercase()));
        distance.filter(|distance| *distance <= farthest)
    };
    known
        .into_iter()
        .filter_map(|other| near(&other).map(|distance| (distance, other)))
        .min()
        .map(|(_, other)| other)
}

/// A number of bytes: `64MiB`, `1.5GB`, `4096`.
///
/// Shown in the largest unit of 1024 in which it is at least one, with one digit behind the point where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// The text is not a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it like 512KiB, 64MiB, 1.5GiB or 10MB; a bare number means bytes")]
pub struct BadBytes;

impl std::str::FromStr for Bytes {
    type Err = BadBytes;

    fn from_str(text: &str) -> Result<Bytes, BadBytes> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit: u64 = match unit.trim_start_matches(' ') {
            "" | "B" => 1,
            "KB" | "kB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(BadBytes),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit).map(Bytes).ok_or(BadBytes);
        }
        // The parts of a byte are nothing, and a number with a point is far from what a float cannot hold.
        let number = number.parse::<f64>().ok().filter(|number| unit > 1 && *number < 1e6).ok_or(BadBytes)?;
        Ok(Bytes((number * unit as f64) as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match units.into_iter().find(|(_, unit)| self.0 >= *unit) {
            None => write!(f, "{} bytes", self.0),
            Some((name, unit)) if self.0.is_multiple_of(unit) => write!(f, "{} {name}", self.0 / unit),
            Some((name, unit)) => write!(f, "{:.1} {name}", self.0 as f64 / unit as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn span(text: &str, expected: Result<u64, BadSpan>) {
        assert_eq!(text.parse::<Millis>(), expected.map(Millis), "{text:?}");
    }

    /// Two names of 400 KB would be compared in a table of more than a terabyte.
    #[test]
    fn long_names_are_not_compared() {
        let (one, two) = ("a".repeat(400_000), "a".repeat(399_999));
        assert_eq!(did_you_mean(&one, [two.as_str(), "timeout"]), None);
        assert_eq!(did_you_mean("timeot", [two.as_str(), "timeout"]), Some("timeout"));
    }

    #[test]
    fn spans_are_read() {
        span("30s", Ok(30_000));
        span("250ms", Ok(250));
        span("1h 30m", Ok(5_400_000));
        span("2d", Ok(172_800_000));
        span("7", Ok(7_000));
        span("", Err(BadSpan::Empty));
        span("5 m", Err(BadSpan::Shape));
        span("5x", Err(BadSpan::Shape));
        span("-5s", Err(BadSpan::Shape));
        span("1.5h", Err(BadSpan::Shape));
        span("99999999999999999999s", Err(BadSpan::Shape));
        span("9999999999999999w", Err(BadSpan::TooLong));
    }

    #[test]
    fn spans_are_written() {
        let cases =
            [(0, "0s"), (12, "12ms"), (4_120, "4.1s"), (5_000, "5s"), (109_000, "1m49s"), (60_000, "1m")];
        for (ms, expected) in cases {
            assert_eq!(Millis(ms).to_string(), expected);
        }
        assert_eq!(Millis(100_000_000).to_string(), "1d3h");
    }

    #[test]
    fn a_run_id_and_its_face_are_the_same_value() {
        let mut faces = std::collections::BTreeSet::new();
        for n in (0..20_000).chain([1 << 20, (1 << 40) - 1]) {
            let face = RunId(n).to_string();
            assert_eq!(face.parse(), Ok(RunId(n)));
            faces.insert(face);
        }
        assert_eq!(faces.len(), 20_002);
        let neighbours: std::collections::BTreeSet<String> =
            (0..30).map(|n| RunId(n).to_string()[..3].into()).collect();
        assert!(neighbours.len() >= 28, "three letters tell neighbours apart: {neighbours:?}");
        for bad in ["", "abc", "aaaaaaai", "AAAAAAAA", "aaaaaaaaa", "ä234567"] {
            assert_eq!(bad.parse::<RunId>(), Err(BadRunId), "{bad:?}");
        }
    }

    #[test]
    fn names_cannot_leave_their_place() {
        for good in ["a", "nightly", "ops/rotate", "a.b-c_d", "9"] {
            assert!(TaskName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "a//b", "../x", "a/..", ".hidden", "-rf", "a b", "a\nb", "ä", "a\0", "a/"] {
            assert!(TaskName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TaskName::new(&"x".repeat(65)).is_err());
        assert_eq!(TaskName::new("n/dump").unwrap().seen_from(&TaskName::new("n").unwrap()), "dump");
    }

    #[test]
    fn numbers_of_bytes() {
        #[track_caller]
        fn check(text: &str, expected: Option<(u64, &str)>) {
            let read = text.parse::<Bytes>().ok();
            assert_eq!(read, expected.map(|(bytes, _)| Bytes(bytes)), "{text}");
            assert_eq!(read.map(|bytes| bytes.to_string()), expected.map(|(_, shown)| shown.to_owned()));
        }
        check("4096", Some((4096, "4 KiB")));
        check("100", Some((100, "100 bytes")));
        check("64MiB", Some((64 << 20, "64 MiB")));
        check("64 MiB", Some((64 << 20, "64 MiB")));
        check("1.5GiB", Some((3 << 29, "1.5 GiB")));
        check("10MB", Some((10_000_000, "9.5 MiB")));
        for wrong in
            ["", "MiB", "64m", "64 mib", "1.5", "-1", "1..5MiB", "99999999999GiB", "1e3", "9999999.9GiB"]
        {
            check(wrong, None);
        }
    }
}
