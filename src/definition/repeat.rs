//! A job that is done again after it succeeded.

use super::fields::{Checker, Field, Path};
use super::gate::condition;
use super::keys;
use super::problem::{Code, Finding};
use super::tree::Node;
use crate::base::Millis;
use serde::{Deserialize, Serialize};

/// A job that is done again after it succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// When it is done again.
    pub again: Again,
    /// The wait between two rounds.
    pub every: Millis,
    /// So many rounds at most; with none left the job fails unless it has got what it waits for.
    pub limit: u32,
}

/// When a job that succeeded is done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// While this Lua expression is true.
    While(String),
    /// Until this Lua expression is true.
    Until(String),
}

/// `{while / until, every, limit}`.
pub(super) fn repeat(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Option<Repeat> {
    let path = above.child("repeat");
    let (mut conditions, mut every, mut limit): (Vec<Field<'_>>, _, _) =
        (Vec::new(), Millis::from_secs(1), 100);
    for field in checker.fields(node, &path)? {
        match field.key {
            "while" | "until" => conditions.push(field),
            "every" => every = checker.span(field.value, "every", true).unwrap_or(every),
            "limit" => {
                let given = checker.integer(field.value, "limit", 1..=1_000_000);
                limit = given.map_or(limit, |given| u32::try_from(given).expect("the range was checked"));
            }
            _ => _ = checker.unknown(&field, &path, &keys::REPEAT),
        }
    }
    let again = match conditions.as_slice() {
        [field] if field.key == "while" => Again::While(condition(checker, field.value, "while")?),
        [field] => Again::Until(condition(checker, field.value, "until")?),
        [] => {
            let finding = Finding::new(
                Code::E0130,
                node.span.clone(),
                format!("{path} has no `until` and no `while`"),
                "one of the two is required",
            );
            checker.report(finding.help("for example `until: outputs.state == \"ready\"`"));
            return None;
        }
        [first, second, ..] => {
            let finding = Finding::new(
                Code::E0137,
                second.place.clone(),
                "`repeat` has either `while` or `until`",
                "the second one",
            );
            checker.report(finding.also(first.place.clone(), "the first one"));
            return None;
        }
    };
    Some(Repeat { again, every, limit })
}
