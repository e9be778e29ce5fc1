//! When the runs of a task are expected to start and to end. A run that is late goes on; that it is late is told.

use super::fields::{Checker, Path};
use super::keys;
use super::problem::{Code, Finding};
use super::tree::Node;
use crate::base::Millis;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What is expected of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// So long after its slot, or after it was asked for, its first attempt has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_within: Option<Millis>,
    /// So long after its slot, or after it was asked for, it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_within: Option<Millis>,
    /// So long after the start of its first attempt it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Millis>,
}

impl Expect {
    /// Whether nothing is expected.
    pub fn is_nothing(&self) -> bool {
        *self == Expect::default()
    }
}

/// `{started_within: 10m, finished_within: 2h, max_duration: 1h}`.
pub(super) fn expect(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Expect {
    let path = above.child("expect");
    let mut expect = Expect::default();
    let (mut start, mut end): (Range<usize>, Range<usize>) = (0..0, 0..0);
    for field in checker.fields(node, &path).unwrap_or_default() {
        let span = |checker: &mut Checker| checker.span(field.value, field.key, false);
        match field.key {
            "started_within" => {
                (expect.started_within, start) = (span(checker), field.place.clone());
            }
            "finished_within" => {
                (expect.finished_within, end) = (span(checker), field.place.clone());
            }
            "max_duration" => expect.max_duration = span(checker),
            _ => _ = checker.unknown(&field, &path, &keys::EXPECT),
        }
    }
    if let (Some(started), Some(finished)) = (expect.started_within, expect.finished_within)
        && started > finished
    {
        let message = "a run cannot be expected to end before it starts";
        let finding = Finding::new(Code::E0137, end, message, format!("this is {finished}"));
        checker.report(finding.also(start, format!("and this {started}")));
    }
    expect
}
