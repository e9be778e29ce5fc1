//! What stands under `with`, read when an action starts: an expression may have given any value.

use crate::base::Millis;
use crate::definition::{shown, span_of};
use crate::exec::FunctionError;
use serde_json::Value;

/// The arguments of one action.
pub(super) struct Arguments<'w> {
    action: &'static str,
    with: &'w Value,
}

impl<'w> Arguments<'w> {
    pub(super) fn new(action: &'static str, with: &'w Value) -> Arguments<'w> {
        Arguments { action, with }
    }

    /// The value, when it is given; nothing is like not given.
    pub(super) fn value(&self, name: &str) -> Option<&'w Value> {
        self.with.get(name).filter(|value| !value.is_null())
    }

    /// Text, or a number or a truth value as text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, FunctionError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value {
            Value::String(text) if text.contains('\0') => {
                Err(self.wrong(name, "text without NUL characters", value))
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(Some(shown(value))),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(self.wrong(name, "text", value)),
        }
    }

    /// Text that must be there.
    pub(super) fn filled_text(&self, name: &str) -> Result<String, FunctionError> {
        let text = self.text(name)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| FunctionError::failed(format!("`{name}` of `{}` is empty", self.action)))
    }

    /// A length of time that is not zero.
    pub(super) fn span(&self, name: &str, default: Millis) -> Result<Millis, FunctionError> {
        let value = self.value(name);
        let span = span_of(value, default).filter(|span| *span > Millis(0) || value.is_none());
        span.ok_or_else(|| self.wrong(name, "a length of time such as 30s", value.unwrap_or(&Value::Null)))
    }

    /// `true` or `false`; false when it is not given.
    pub(super) fn boolean(&self, name: &str) -> Result<bool, FunctionError> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(other) => Err(self.wrong(name, "`true` or `false`", other)),
        }
    }

    /// The status codes of HTTP that are expected.
    pub(super) fn statuses(&self, name: &str) -> Result<Statuses, FunctionError> {
        let Some(value) = self.value(name) else { return Ok(Statuses(Vec::new())) };
        let several = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let one = |value: &Value| shown(value).parse().ok().filter(|code| (100..=599).contains(code));
        let codes: Option<Vec<u16>> = several.iter().map(one).collect();
        let codes = codes.filter(|codes| !codes.is_empty());
        codes
            .map(Statuses)
            .ok_or_else(|| self.wrong(name, "a status code from 100 to 599, or several", value))
    }

    /// Texts by name.
    pub(super) fn map(&self, name: &str) -> Result<Vec<(&'w str, String)>, FunctionError> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let map = value.as_object().ok_or_else(|| self.wrong(name, "a mapping of names to texts", value))?;
        let entry = |(key, value): (&'w String, &Value)| match value {
            Value::Array(_) | Value::Object(_) => Err(self.wrong(&format!("{name}.{key}"), "text", value)),
            value => Ok((key.as_str(), shown(value))),
        };
        map.iter().map(entry).collect()
    }

    /// The value is not shown: it may be long, or nobody's business.
    fn wrong(&self, name: &str, expected: &str, value: &Value) -> FunctionError {
        let kind = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::String(_) => "another text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a mapping",
        };
        FunctionError::failed(format!("`{name}` of `{}` must be {expected}, but it is {kind}", self.action))
    }
}

/// Status codes that are expected; none at all means any from 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statuses(Vec<u16>);

impl Statuses {
    pub(super) fn include(&self, code: u16) -> bool {
        if self.0.is_empty() { (200..=299).contains(&code) } else { self.0.contains(&code) }
    }

    /// Whether a redirect is an answer here, and not a way to another address.
    pub(super) fn has_redirect(&self) -> bool {
        self.0.iter().any(|code| (300..=399).contains(code))
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("200 to 299");
        }
        let codes: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&codes.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check<T: std::fmt::Debug>(found: Result<T, FunctionError>, expected: &str) {
        let found = match found {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(found, expected);
    }

    fn of(with: &Value) -> Arguments<'_> {
        Arguments::new("wait.http", with)
    }

    #[test]
    fn values_of_other_types_are_read_where_they_make_sense() {
        check(of(&json!({ "a": 5.0 })).text("a"), r#"Some("5")"#);
        check(of(&json!({ "a": null })).text("a"), "None");
        check(
            of(&json!({ "a": ["x"] })).text("a"),
            "failed: `a` of `wait.http` must be text, but it is a list",
        );
        check(of(&json!({ "a": " " })).filled_text("a"), "failed: `a` of `wait.http` is empty");
        check(of(&Value::Null).filled_text("a"), "failed: `a` of `wait.http` is empty");
        check(of(&json!({ "a": 3 })).span("a", Millis(1)), "Millis(3000)");
        check(of(&json!({ "a": "1m30s" })).span("a", Millis(1)), "Millis(90000)");
        check(of(&json!({})).span("a", Millis(0)), "Millis(0)");
        check(
            of(&json!({ "a": "soon" })).span("a", Millis(1)),
            "failed: `a` of `wait.http` must be a length of time such as 30s, but it is another text",
        );
        check(
            of(&json!({ "a": 0 })).span("a", Millis(1)),
            "failed: `a` of `wait.http` must be a length of time such as 30s, but it is a number",
        );
        check(of(&json!({ "a": "true" })).boolean("a"), "true");
        check(
            of(&json!({ "a": {} })).boolean("a"),
            "failed: `a` of `wait.http` must be `true` or `false`, but it is a mapping",
        );
    }

    #[test]
    fn statuses_and_maps_are_read() {
        check(of(&json!({ "a": "404" })).statuses("a"), "Statuses([404])");
        check(of(&json!({ "a": [200, "302"] })).statuses("a"), "Statuses([200, 302])");
        for wrong in [json!([]), json!(99), json!("ok"), json!([200, {}])] {
            let with = json!({ "a": wrong });
            assert!(of(&with).statuses("a").is_err(), "{with}");
        }
        check(of(&json!({ "a": { "x": 1, "y": "z" } })).map("a"), r#"[("x", "1"), ("y", "z")]"#);
        check(
            of(&json!({ "a": { "x": [] } })).map("a"),
            "failed: `a.x` of `wait.http` must be text, but it is a list",
        );
        check(
            of(&json!({ "a": "x: y" })).map("a"),
            "failed: `a` of `wait.http` must be a mapping of names to texts, but it is another text",
        );
    }
}
