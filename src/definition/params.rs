//! Parameters of a run: what was given, checked against what is declared.
//!
//! Everything that is wrong is said at once, before anything starts.

use super::fields::listed;
use super::task::{Param, ParamType, Params};
use super::values;
use crate::base::{Millis, did_you_mean};
use regex_lite::Regex;
use serde_json::{Map, Number, Value};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Why a parameter is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamProblem {
    /// The parameter.
    pub name: String,
    /// What is wrong with it.
    pub fault: ParamFault,
}

/// What is wrong with a parameter; fits after "`day`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamFault {
    /// The task does not declare it.
    #[error("there is no such parameter")]
    Unknown {
        /// The one that was probably meant.
        meant: Option<String>,
        /// All that are declared.
        known: Arc<[String]>,
    },
    /// It is required and was not given.
    #[error("it is required")]
    Missing,
    /// It was given twice.
    #[error("it is given twice")]
    Twice,
    /// The value is not of its type.
    #[error("`{value}` is not {expected}")]
    Type {
        /// The value as it was given.
        value: String,
        /// What was expected, with an article.
        expected: &'static str,
    },
    /// The value is not one of those allowed.
    #[error("`{value}` is not one of {}", choices.join(", "))]
    Choice {
        /// The value as it was given.
        value: String,
        /// What may be given.
        choices: Vec<String>,
    },
    /// The pattern does not fit the whole value.
    #[error("`{value}` does not fit the pattern `{pattern}`")]
    Pattern {
        /// The value as it was given.
        value: String,
        /// The declared pattern.
        pattern: String,
    },
    /// The value, or its length, is outside its bounds.
    #[error("{subject} must be {bounds}, but is {found}")]
    Bounds {
        /// What is measured: `it`, `its length`.
        subject: &'static str,
        /// `from 1 to 5`, `at least 1`.
        bounds: String,
        /// What was found.
        found: String,
    },
}

impl fmt::Display for ParamProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParamProblem { name, fault } = self;
        write!(f, "`{name}`: {fault}")?;
        match fault {
            ParamFault::Unknown { meant: Some(meant), .. } => write!(f, "; did you mean `{meant}`?"),
            ParamFault::Unknown { meant: None, known } if known.is_empty() => {
                f.write_str("; the task takes none")
            }
            ParamFault::Unknown { meant: None, known } => {
                write!(f, "; there are: {}", listed(known.iter().map(String::as_str)))
            }
            ParamFault::Missing
            | ParamFault::Twice
            | ParamFault::Type { .. }
            | ParamFault::Choice { .. }
            | ParamFault::Pattern { .. }
            | ParamFault::Bounds { .. } => Ok(()),
        }
    }
}

/// Binds words as they come from a command line; every value is text that its type reads.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn bind(declared: &[Param], given: &[(String, String)]) -> Result<Params, Vec<ParamProblem>> {
    let mut map = Map::new();
    let mut problems = Vec::new();
    for (name, text) in given {
        if map.insert(name.clone(), Value::String(text.clone())).is_some() {
            problems.push(ParamProblem { name: name.clone(), fault: ParamFault::Twice });
        }
    }
    match bind_json(declared, &map) {
        Ok(params) if problems.is_empty() => Ok(params),
        Ok(_) => Err(problems),
        Err(more) => Err(problems.into_iter().chain(more).collect()),
    }
}

/// Binds JSON values as they come from an API or a file; texts are read like words of a command line.
///
/// Defaults are filled in. `null` counts as not given.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn bind_json(declared: &[Param], given: &Map<String, Value>) -> Result<Params, Vec<ParamProblem>> {
    let mut params = Params::new();
    let mut problems = unknown(declared, given);
    for param in declared {
        let bound = match given.get(&param.name) {
            None | Some(Value::Null) => match &param.default {
                None if param.required => Err(ParamFault::Missing),
                default => Ok(default.clone()),
            },
            Some(value) => read(param, value).map(Some),
        };
        match bound {
            Ok(value) => params.extend(value.map(|value| (param.name.clone(), value))),
            Err(fault) => problems.push(ParamProblem { name: param.name.clone(), fault }),
        }
    }
    if problems.is_empty() { Ok(params) } else { Err(problems) }
}

/// So many names are compared in search of those that were meant.
const COMPARED: usize = 20_000;

fn unknown(declared: &[Param], given: &Map<String, Value>) -> Vec<ParamProblem> {
    let names = || declared.iter().map(|param| param.name.as_str());
    let there: HashSet<&str> = names().collect();
    let unknown = || given.keys().filter(|name| !there.contains(name.as_str()));
    let known: Arc<[String]> =
        if unknown().next().is_some() { names().map(str::to_owned).collect() } else { Arc::default() };
    let mut left = COMPARED;
    let problem = |name: &String| {
        let meant = did_you_mean(name, names().take(left)).map(str::to_owned);
        left = left.saturating_sub(names().len());
        ParamProblem { name: name.clone(), fault: ParamFault::Unknown { meant, known: known.clone() } }
    };
    unknown().map(problem).collect()
}

/// The variables that a job sees: `day` is `PARAM_DAY`.
///
/// Lists of plain words are joined by commas; other lists and JSON are JSON text.
///
/// ```
/// use neap::definition::{Params, environment};
/// let params = Params::from([("day".to_owned(), "2026-11-21".into()), ("files".to_owned(), ["a", "b"].as_slice().into())]);
/// let expected = [("PARAM_DAY", "2026-11-21"), ("PARAM_FILES", "a,b")];
/// assert_eq!(environment(&params), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
/// ```
pub fn environment(params: &Params) -> Vec<(String, String)> {
    let variable =
        |(name, value): (&String, &Value)| (format!("PARAM_{}", name.to_ascii_uppercase()), shown(value));
    params.iter().map(variable).collect()
}

pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let word = |item: &Value| match item {
                Value::String(text) if text.contains(',') || text.is_empty() => None,
                Value::Null | Value::Array(_) | Value::Object(_) => None,
                Value::String(_) | Value::Bool(_) | Value::Number(_) => Some(shown(item)),
            };
            let words: Option<Vec<String>> = items.iter().map(word).collect();
            words.map_or_else(|| value.to_string(), |words| words.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Reads one value as its parameter's type and checks it against every rule.
pub fn read(param: &Param, value: &Value) -> Result<Value, ParamFault> {
    let typed = typed(param.kind, value)
        .ok_or_else(|| ParamFault::Type { value: shown(value), expected: expected(param.kind) })?;
    if !param.choices.is_empty() && !param.choices.contains(&typed) {
        return Err(ParamFault::Choice {
            value: shown(&typed),
            choices: param.choices.iter().map(shown).collect(),
        });
    }
    if let Some(pattern) = &param.pattern {
        let fits = whole(pattern).is_ok_and(|regex| typed.as_str().is_some_and(|text| regex.is_match(text)));
        if !fits {
            return Err(ParamFault::Pattern { value: shown(&typed), pattern: pattern.clone() });
        }
    }
    check_bounds(param, &typed)?;
    Ok(typed)
}

/// A pattern that must fit the whole value.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(&format!(r"\A(?:{pattern})\z")).size_limit(1 << 20).build()
}

fn check_bounds(param: &Param, value: &Value) -> Result<(), ParamFault> {
    let (subject, found) = match (param.kind, value) {
        (ParamType::String, Value::String(text)) => ("its length", text.chars().count() as f64),
        (ParamType::List, Value::Array(items)) => ("its length", items.len() as f64),
        (ParamType::Duration, Value::String(text)) => {
            ("it", text.parse::<Millis>().map_or(0.0, |span| span.0 as f64 / 1000.0))
        }
        (ParamType::Integer | ParamType::Number, Value::Number(number)) => {
            ("it", number.as_f64().unwrap_or(0.0))
        }
        _ => return Ok(()),
    };
    let is_inside =
        param.minimum.is_none_or(|low| found >= low) && param.maximum.is_none_or(|high| found <= high);
    if is_inside {
        return Ok(());
    }
    let bounds = match (param.minimum, param.maximum) {
        (Some(low), Some(high)) => format!("from {low} to {high}"),
        (Some(low), None) => format!("at least {low}"),
        (None, high) => format!("at most {}", high.unwrap_or(f64::MAX)),
    };
    Err(ParamFault::Bounds { subject, bounds, found: found.to_string() })
}

fn expected(kind: ParamType) -> &'static str {
    match kind {
        ParamType::String => "text",
        ParamType::Integer => "a whole number",
        ParamType::Number => "a number",
        ParamType::Boolean => "`true` or `false`",
        ParamType::Date => "a date such as 2026-11-21",
        ParamType::Duration => "a duration such as 1h30m",
        ParamType::List => "a list",
        ParamType::Json => "JSON",
    }
}

/// The value as the type has it, or `None` when it is no value of that type.
fn typed(kind: ParamType, value: &Value) -> Option<Value> {
    match (kind, value) {
        (ParamType::String, Value::String(text)) if text.contains('\0') => None,
        (ParamType::String, Value::Array(_) | Value::Object(_) | Value::Null) => None,
        (ParamType::String, _) => Some(Value::String(shown(value))),
        (ParamType::Integer, Value::Number(number)) if number.is_i64() => Some(value.clone()),
        (ParamType::Integer, Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        (ParamType::Number, Value::Number(_)) => Some(value.clone()),
        (ParamType::Number, Value::String(text)) => number(text.trim()).map(Value::Number),
        (ParamType::Boolean, Value::Bool(_)) => Some(value.clone()),
        (ParamType::Boolean, Value::String(text)) => text.trim().parse::<bool>().ok().map(Value::Bool),
        (ParamType::Date, Value::String(text)) => date(text.trim()).map(Value::String),
        (ParamType::Duration, Value::String(text)) => span(text.trim()).map(Value::String),
        (ParamType::Duration, Value::Number(number)) => span(&number.to_string()).map(Value::String),
        (ParamType::List, Value::Array(_)) => Some(value.clone()),
        (ParamType::List, Value::String(text)) => words(text),
        (ParamType::Json, Value::String(text)) => {
            Some(serde_json::from_str(text).unwrap_or_else(|_| value.clone()))
        }
        (ParamType::Json, _) => Some(value.clone()),
        (
            ParamType::Integer
            | ParamType::Number
            | ParamType::Boolean
            | ParamType::Date
            | ParamType::Duration
            | ParamType::List,
            _,
        ) => None,
    }
}

fn number(text: &str) -> Option<Number> {
    let whole = text.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

fn date(text: &str) -> Option<String> {
    let is_written_out = text.len() == 10;
    text.parse::<jiff::civil::Date>().ok().filter(|_| is_written_out).map(|date| date.to_string())
}

fn span(text: &str) -> Option<String> {
    text.parse::<Millis>().ok().map(|_| text.to_owned())
}

fn words(text: &str) -> Option<Value> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str::<Vec<Value>>(text).ok().map(Value::Array);
    }
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    Some(Value::Array(words.map(Value::from).collect()))
}

/// The type that a value most probably has, for the short form `day: 2026-11-21`.
pub(super) fn guess(value: &Value) -> ParamType {
    match value {
        Value::Null => ParamType::String,
        Value::Bool(_) => ParamType::Boolean,
        Value::Number(number) if number.is_i64() => ParamType::Integer,
        Value::Number(_) => ParamType::Number,
        Value::String(text) if date(text).is_some() => ParamType::Date,
        Value::String(_) => ParamType::String,
        Value::Array(_) => ParamType::List,
        Value::Object(_) => ParamType::Json,
    }
}

/// Whether a parameter can have this name.
pub(super) fn is_name(name: &str) -> bool {
    values::is_identifier(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn param(name: &str, kind: ParamType) -> Param {
        Param {
            name: name.to_owned(),
            kind,
            default: None,
            late: None,
            required: false,
            choices: Vec::new(),
            pattern: None,
            minimum: None,
            maximum: None,
            description: None,
        }
    }

    #[track_caller]
    fn check(kind: ParamType, given: Value, expected: Option<Value>) {
        assert_eq!(read(&param("p", kind), &given).ok(), expected, "{kind:?} {given}");
    }

    #[test]
    fn values_are_read_by_their_type() {
        use ParamType::*;
        check(String, json!("a"), Some(json!("a")));
        check(String, json!(5), Some(json!("5")));
        check(String, json!([1]), None);
        check(String, json!("a\0"), None);
        check(Integer, json!("5"), Some(json!(5)));
        check(Integer, json!(-5), Some(json!(-5)));
        check(Integer, json!(5.5), None);
        check(Integer, json!("5.5"), None);
        check(Number, json!("5.5"), Some(json!(5.5)));
        check(Number, json!("NaN"), None);
        check(Boolean, json!("true"), Some(json!(true)));
        check(Boolean, json!("yes"), None);
        check(Boolean, json!(1), None);
        check(Date, json!("2026-02-28"), Some(json!("2026-02-28")));
        check(Date, json!("2026-02-30"), None);
        check(Date, json!("20260228"), None);
        check(Date, json!("2026-02-28T10:00"), None);
        check(Duration, json!("1h30m"), Some(json!("1h30m")));
        check(Duration, json!(90), Some(json!("90")));
        check(Duration, json!("soon"), None);
        check(List, json!("a, b,,c"), Some(json!(["a", "b", "c"])));
        check(List, json!("[1, 2]"), Some(json!([1, 2])));
        check(List, json!("[1, 2"), None);
        check(List, json!({}), None);
        check(Json, json!("{\"a\": 1}"), Some(json!({"a": 1})));
        check(Json, json!("plain"), Some(json!("plain")));
        check(Json, json!([true]), Some(json!([true])));
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let declared = [
            Param { required: true, ..param("day", ParamType::Date) },
            Param { choices: vec![json!("dev"), json!("prod")], ..param("env", ParamType::String) },
            Param { pattern: Some("[a-z]+|X".to_owned()), ..param("host", ParamType::String) },
            Param { minimum: Some(1.0), maximum: Some(5.0), ..param("count", ParamType::Integer) },
            Param { maximum: Some(60.0), ..param("wait", ParamType::Duration) },
            Param { minimum: Some(2.0), ..param("files", ParamType::List) },
        ];
        let given = [
            ("env", "test"),
            ("host", "ab1"),
            ("count", "9"),
            ("wait", "2m"),
            ("files", "a"),
            ("hots", "x"),
            ("env", "dev"),
        ];
        let given: Vec<(String, String)> =
            given.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let problems = bind(&declared, &given[..6]).unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "`hots`: there is no such parameter; did you mean `host`?",
                "`day`: it is required",
                "`env`: `test` is not one of dev, prod",
                "`host`: `ab1` does not fit the pattern `[a-z]+|X`",
                "`count`: it must be from 1 to 5, but is 9",
                "`wait`: it must be at most 60, but is 120",
                "`files`: its length must be at least 2, but is 1",
            ]
        );
        let twice = bind(&declared, &given).unwrap_err();
        assert!(twice.contains(&ParamProblem { name: "env".to_owned(), fault: ParamFault::Twice }));
    }

    #[test]
    fn defaults_are_filled_in() {
        let declared = [
            Param { default: Some(json!(3)), ..param("count", ParamType::Integer) },
            param("note", ParamType::String),
        ];
        assert_eq!(bind(&declared, &[]), Ok(Params::from([("count".to_owned(), json!(3))])));
        let given = json!({"count": null, "note": "x"});
        let bound = bind_json(&declared, given.as_object().unwrap()).unwrap();
        assert_eq!(
            environment(&bound),
            [("PARAM_COUNT".to_owned(), "3".to_owned()), ("PARAM_NOTE".to_owned(), "x".to_owned())]
        );
    }

    #[test]
    fn lists_are_words_where_they_can_be() {
        let shown = |value: Value| environment(&Params::from([("p".to_owned(), value)])).remove(0).1;
        assert_eq!(shown(json!(["a", 1, true])), "a,1,true");
        assert_eq!(shown(json!(["a,b"])), r#"["a,b"]"#);
        assert_eq!(shown(json!({"a": 1})), r#"{"a":1}"#);
    }
}
