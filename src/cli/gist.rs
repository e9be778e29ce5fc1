//! What is said of a job in few words: what it runs, the rule over its needs, how many jobs it becomes.

use crate::definition::{Action, Leaf, Over, Rule, Spread, matrix_cells};
use serde_json::{Value, json};

/// A value as a person would write it.
pub(crate) fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The rule over its dependencies, unless it is the usual one.
pub(crate) fn rule(leaf: &Leaf) -> String {
    match leaf.rule {
        Rule::AllSucceeded => String::new(),
        Rule::Join { min_succeeded, cancel_rest } => {
            let rest = if cancel_rest { ", the rest is stopped" } else { "" };
            format!("{min_succeeded} of them must succeed{rest}")
        }
        rule => word(&json!(rule)),
    }
}

/// How many jobs a spread job becomes; `None` when only an expression knows.
pub(crate) fn cell_count(spread: &Spread) -> Option<usize> {
    match &spread.over {
        Over::Items { items: Value::Array(items), .. } => Some(items.len()),
        Over::Items { .. } => None,
        Over::Matrix { axes, include, exclude } => {
            matrix_cells(axes, include, exclude).ok().map(|cells| cells.len())
        }
    }
}

/// How many jobs it becomes, as far as that is known before it starts.
pub(crate) fn cells(leaf: &Leaf) -> String {
    let Some(spread) = &leaf.spread else { return String::new() };
    let count = cell_count(spread);
    let at_once = spread.max_parallel.map(|most| format!(", at most {most} at once")).unwrap_or_default();
    match count {
        Some(count) => format!("{count} jobs{at_once}"),
        None => format!("as many jobs as an expression gives{at_once}"),
    }
}

/// What a job runs, as its author wrote it.
pub(crate) fn action(leaf: &Leaf) -> String {
    match &leaf.action {
        Action::Run { script, .. } => format!("$ {}", script.trim_end().replace('\n', "\n  ")),
        Action::Exec { argv } => format!("exec {}", serde_json::to_string(argv).unwrap_or_default()),
        Action::Lua { text } => format!("lua {}", text.trim_end().replace('\n', "\n    ")),
        Action::Script { file } => format!("lua scripts/{file}"),
        Action::Call { function, .. } => format!("uses {function}"),
    }
}
