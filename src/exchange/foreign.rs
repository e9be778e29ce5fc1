//! Foreign YAML: read as plain values, with the line of each key found again in the text.

use serde_yaml::Value;

/// Why a foreign file cannot be read at all; fits after "failed to import: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReadable {
    /// It is no YAML.
    #[error("line {line}: {reason}")]
    Yaml {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// It is YAML, but not what the tool would read.
    #[error("line {line}: {expected}")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// What was expected there.
        expected: &'static str,
    },
}

/// Reads a file that must be a mapping.
pub(super) fn read(text: &str) -> Result<Value, NotReadable> {
    let mut value: Value = serde_yaml::from_str(text).map_err(|error| NotReadable::Yaml {
        line: error.location().map_or(1, |place| place.line()),
        reason: error.to_string(),
    })?;
    let merged = value.apply_merge();
    merged.map_err(|error| NotReadable::Yaml { line: 1, reason: error.to_string() })?;
    match value {
        Value::Mapping(_) => Ok(value),
        _ => Err(NotReadable::Shape { line: 1, expected: "a mapping is expected here" }),
    }
}

/// The keys of a mapping that are texts, in their order; nothing for anything else.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (String, &Value)> {
    let map = value.as_mapping().into_iter().flatten();
    map.filter_map(|(key, value)| Some((word(key)?, value)))
}

/// A scalar as the text a program would get.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}

/// A list, where one value stands for a list of one.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Sequence(items) => items,
        Value::Null => &[],
        _ => std::slice::from_ref(value),
    }
}

/// A list of scalars; none when an item is something else.
pub(super) fn words(value: &Value) -> Option<Vec<String>> {
    list(value).iter().map(word).collect()
}

/// A value on one line, for a comment.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.replace('\n', "\\n"),
        _ => serde_json::to_string(value).unwrap_or_else(|_| "…".into()),
    };
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The line of the last part of a path that can be found, from 1: keys, and `#2` for the third item of a list.
///
/// It goes by indentation; what stands in brackets is on the line of the last key before it.
pub(super) fn line_of(text: &str, path: &[&str]) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let mut spot = Spot { line: 0, column: None, is_item: false };
    for part in path {
        let found = match part.strip_prefix('#').and_then(|index| index.parse().ok()) {
            Some(index) => item(&lines, spot, index),
            None => key(&lines, spot, part),
        };
        match found {
            Some(found) => spot = found,
            None => break,
        }
    }
    spot.line + 1
}

#[derive(Clone, Copy)]
struct Spot {
    line: usize,
    /// Where it begins; nowhere for the whole file.
    column: Option<usize>,
    is_item: bool,
}

/// Lines below a spot, each with its column and its text; comments and empty lines left out.
fn below<'t>(lines: &'t [&'t str], spot: Spot) -> impl Iterator<Item = (usize, usize, &'t str)> {
    let first = if spot.column.is_some() && !spot.is_item { spot.line + 1 } else { spot.line };
    let content = move |(number, line): (usize, &&'t str)| {
        let text = line.trim_start();
        let column = line.len() - text.len();
        let inside = text.trim_start_matches(['-', ' ']);
        match spot.is_item && number == spot.line {
            true => (number, column + text.len() - inside.len(), inside),
            false => (number, column, text),
        }
    };
    let lines = lines.iter().enumerate().skip(first).map(content);
    lines.filter(|(_, _, text)| !text.is_empty() && !text.starts_with('#'))
}

fn key(lines: &[&str], spot: Spot, key: &str) -> Option<Spot> {
    let is_inside = |column: usize| spot.column.is_none_or(|above| column > above);
    let mut own = None;
    for (line, column, text) in below(lines, spot).take_while(|(_, column, _)| is_inside(*column)) {
        let bare = text.trim_start_matches(['"', '\'']);
        let rest = bare.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
        let is_key = rest.is_some_and(|rest| rest.trim_start().starts_with(':'));
        if is_key && column == *own.get_or_insert(column) {
            return Some(Spot { line, column: Some(column), is_item: false });
        }
        own.get_or_insert(column);
    }
    None
}

fn item(lines: &[&str], spot: Spot, index: usize) -> Option<Spot> {
    let is_inside = |column: usize, text: &str| {
        spot.column.is_none_or(|above| column > above || (column == above && text.starts_with('-')))
    };
    let mut own = None;
    let items = below(lines, spot)
        .take_while(|(_, column, text)| is_inside(*column, text))
        .filter(|(_, column, text)| text.starts_with('-') && *column == *own.get_or_insert(*column));
    let (line, column, _) = items.collect::<Vec<_>>().into_iter().nth(index)?;
    Some(Spot { line, column: Some(column), is_item: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &[&str], expected: usize) {
        let text = "# a\nversion: '3'\ntasks:\n  'a:b':\n    cmds:\n      - x: 1\n        y: 2\n      - z\n    deps: [q]\n\n  b:\n    cmds:\n    - one\n    - cmds: two\n";
        assert_eq!(line_of(text, path), expected, "{path:?}");
    }

    #[test]
    fn lines_are_found_again() {
        check(&[], 1);
        check(&["tasks"], 3);
        check(&["tasks", "a:b"], 4);
        check(&["tasks", "a:b", "cmds", "#0", "y"], 7);
        check(&["tasks", "a:b", "cmds", "#1"], 8);
        check(&["tasks", "a:b", "deps", "#0"], 9);
        check(&["tasks", "b", "cmds", "#1", "cmds"], 14);
        check(&["tasks", "b", "deps"], 11);
        check(&["nothing"], 1);
    }
}
