//! What plain YAML scalars mean: the core schema of YAML 1.2.

use super::tree::{Kind, Node};
use serde_json::{Number, Value};

/// The value of a node as JSON. Numbers that JSON does not know (`.inf`, `.nan`) stay text; of equal keys the first wins.
pub(super) fn json(node: &Node<'_>) -> Value {
    match &node.kind {
        Kind::Null | Kind::Broken => Value::Null,
        Kind::Text { text, is_plain: true } => plain(text),
        Kind::Text { text, is_plain: false } => Value::String(text.clone().into_owned()),
        Kind::List(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Map(entries) => Value::Object(object(entries)),
    }
}

fn object(entries: &[(Node<'_>, Node<'_>)]) -> serde_json::Map<String, Value> {
    let mut map = serde_json::Map::new();
    let is_merge = |key: &Node<'_>| key.as_text() == Some("<<");
    let own = entries.iter().filter(|(key, _)| !is_merge(key));
    for (key, value) in own {
        if let Some(key) = key.as_text() {
            map.entry(key).or_insert_with(|| json(value));
        }
    }
    let maps =
        entries.iter().filter(|(key, _)| is_merge(key)).flat_map(|(_, value)| super::fields::list(value));
    for merged in maps {
        if let Kind::Map(entries) = &merged.kind {
            for (key, value) in object(entries) {
                map.entry(key).or_insert(value);
            }
        }
    }
    map
}

/// What an unquoted scalar means.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    let radix =
        |digits: &str, radix| u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'));
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).map(Number::from);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let is_padded = digits.len() > 1 && digits.starts_with('0');
        let whole =
            || text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
        return if is_padded {
            None
        } else {
            whole().or_else(|| text.parse().ok().and_then(Number::from_f64))
        };
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if is_float { text.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}

/// `[A-Za-z_][A-Za-z0-9_]*`
pub(super) fn is_identifier(name: &str) -> bool {
    let is_start = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_start && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(plain(text), expected, "{text:?}");
    }

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        check("~", Value::Null);
        check("true", json!(true));
        check("yes", json!("yes"));
        check("12", json!(12));
        check("-3", json!(-3));
        check("+3", json!(3));
        check("0x1F", json!(31));
        check("0o17", json!(15));
        check("007", json!("007"));
        check("1.10", json!(1.1));
        check("1e3", json!(1000.0));
        check("1.2.3", json!("1.2.3"));
        check(".inf", json!(".inf"));
        check("-", json!("-"));
        check("2026-11-21", json!("2026-11-21"));
        check("18446744073709551615", json!(u64::MAX));
    }
}
