//! What a hook may return: one typed struct per hook, read from the returned table key by key.
//!
//! A key of the wrong type is an error that names it; a key nobody knows is a warning. Neither reaches the VM.

use super::context::span;
use super::hook::Hook;
use crate::base::{Millis, did_you_mean};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An answer that a hook can give.
pub trait Decision: Sized {
    /// The hook that is asked.
    const HOOK: Hook;

    #[doc(hidden)]
    const KEYS: &'static [&'static str];

    #[doc(hidden)]
    fn read(keys: &mut Keys) -> Result<Self, BadDecision>;
}

/// What `before` may decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BeforeDecision {
    /// Do not start; the job is skipped for this reason.
    pub skip: Option<String>,
    /// Do not start; the job fails for this reason.
    pub fail: Option<String>,
    /// Ask again after this time.
    pub delay: Option<Millis>,
    /// Environment variables to add.
    pub env: BTreeMap<String, String>,
    /// Arguments to append.
    pub args: Vec<String>,
    /// Another working directory.
    pub cwd: Option<PathBuf>,
    /// Another time limit.
    pub timeout: Option<Millis>,
}

/// What `retry` may decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RetryDecision {
    /// Whether there is to be another attempt.
    pub retry: Option<bool>,
    /// How long to wait before it.
    pub delay: Option<Millis>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// What `success` may decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SuccessDecision {
    /// It was no success after all, for this reason.
    pub fail: Option<String>,
}

/// What `cancel` may decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CancelDecision {
    /// The signal to send first, as the script names it: `INT` or `SIGINT`.
    pub signal: Option<String>,
    /// How long to wait before the kill.
    pub grace: Option<Millis>,
}

/// What `output` may decide. Of a batch of lines the last word of each kind counts, and the first `fail`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OutputDecision {
    /// 0 to 100.
    pub progress: Option<f64>,
    /// A word about it.
    pub message: Option<String>,
    /// When it will be done, as the script words it.
    pub eta: Option<String>,
    /// Stop the attempt, which has failed for this reason.
    pub fail: Option<String>,
}

impl OutputDecision {
    pub(super) fn followed_by(self, later: OutputDecision) -> OutputDecision {
        OutputDecision {
            progress: later.progress.or(self.progress),
            message: later.message.or(self.message),
            eta: later.eta.or(self.eta),
            fail: self.fail.or(later.fail),
        }
    }
}

/// Why a returned value is not a decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDecision {
    /// It is not a table at all.
    #[error("`{hook}` must return a table or nothing, not {found}")]
    NotATable {
        /// Who returned it.
        hook: Hook,
        /// What it is instead.
        found: &'static str,
    },
    /// A key has a value of the wrong type.
    #[error("`{hook}` returned a bad `{key}`: it must be {wanted}, not {found}")]
    Type {
        /// Who returned it.
        hook: Hook,
        /// Which key.
        key: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is instead.
        found: String,
    },
}

/// Reads the value a hook returned. The second part are warnings, one for each unknown key.
pub(super) fn read<D: Decision>(value: Value) -> Result<(Option<D>, Vec<String>), BadDecision> {
    let fields = match value {
        Value::Null => return Ok((None, Vec::new())),
        Value::Object(fields) => fields,
        other => return Err(BadDecision::NotATable { hook: D::HOOK, found: kind_of(&other) }),
    };
    let mut keys = Keys { hook: D::HOOK, fields };
    let decision = D::read(&mut keys)?;
    let unknown = |key: &String| {
        let hint = did_you_mean(key, D::KEYS.iter().copied());
        let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("`{}` returned the unknown key `{key}`{hint}", D::HOOK)
    };
    let warnings = keys.fields.keys().map(unknown).collect();
    Ok((Some(decision), warnings))
}

/// The keys of a returned table that nobody has taken yet.
#[doc(hidden)]
#[derive(Debug)]
pub struct Keys {
    hook: Hook,
    fields: Map<String, Value>,
}

impl Keys {
    fn take<T>(
        &mut self,
        key: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, BadDecision> {
        let Some(value) = self.fields.remove(key) else { return Ok(None) };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(BadDecision::Type { hook: self.hook, key, wanted, found: shown(&value) }),
        }
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>, BadDecision> {
        self.take(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    fn span(&mut self, key: &'static str) -> Result<Option<Millis>, BadDecision> {
        self.take(key, "a duration such as \"5s\" or a number of seconds", span)
    }

    fn texts(&mut self, key: &'static str) -> Result<Vec<String>, BadDecision> {
        let read = |value: &Value| match value {
            Value::Array(items) => items.iter().map(word).collect(),
            Value::Object(fields) if fields.is_empty() => Some(Vec::new()),
            _ => None,
        };
        Ok(self.take(key, "a list of texts", read)?.unwrap_or_default())
    }

    fn text_map(&mut self, key: &'static str) -> Result<BTreeMap<String, String>, BadDecision> {
        let read = |value: &Value| {
            value.as_object()?.iter().map(|(name, value)| Some((name.clone(), word(value)?))).collect()
        };
        Ok(self.take(key, "a table of texts by name", read)?.unwrap_or_default())
    }
}

/// A text, or a number or boolean written as one: what an argument or a variable can be made of.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) | Value::Object(_) => "a table",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::Number(number) => number.to_string(),
        other => kind_of(other).to_owned(),
    }
}

impl Decision for BeforeDecision {
    const HOOK: Hook = Hook::Before;
    const KEYS: &'static [&'static str] = &["skip", "fail", "delay", "env", "args", "cwd", "timeout"];

    fn read(keys: &mut Keys) -> Result<BeforeDecision, BadDecision> {
        Ok(BeforeDecision {
            skip: keys.text("skip")?,
            fail: keys.text("fail")?,
            delay: keys.span("delay")?,
            env: keys.text_map("env")?,
            args: keys.texts("args")?,
            cwd: keys.text("cwd")?.map(PathBuf::from),
            timeout: keys.span("timeout")?,
        })
    }
}

impl Decision for RetryDecision {
    const HOOK: Hook = Hook::Retry;
    const KEYS: &'static [&'static str] = &["retry", "delay", "reason"];

    fn read(keys: &mut Keys) -> Result<RetryDecision, BadDecision> {
        Ok(RetryDecision {
            retry: keys.take("retry", "true or false", Value::as_bool)?,
            delay: keys.span("delay")?,
            reason: keys.text("reason")?,
        })
    }
}

impl Decision for SuccessDecision {
    const HOOK: Hook = Hook::Success;
    const KEYS: &'static [&'static str] = &["fail"];

    fn read(keys: &mut Keys) -> Result<SuccessDecision, BadDecision> {
        Ok(SuccessDecision { fail: keys.text("fail")? })
    }
}

impl Decision for CancelDecision {
    const HOOK: Hook = Hook::Cancel;
    const KEYS: &'static [&'static str] = &["signal", "grace"];

    fn read(keys: &mut Keys) -> Result<CancelDecision, BadDecision> {
        Ok(CancelDecision { signal: keys.text("signal")?, grace: keys.span("grace")? })
    }
}

impl Decision for OutputDecision {
    const HOOK: Hook = Hook::Output;
    const KEYS: &'static [&'static str] = &["progress", "message", "eta", "fail"];

    fn read(keys: &mut Keys) -> Result<OutputDecision, BadDecision> {
        let percent = |value: &Value| value.as_f64().map(|percent| percent.clamp(0.0, 100.0));
        Ok(OutputDecision {
            progress: keys.take("progress", "a number from 0 to 100", percent)?,
            message: keys.text("message")?,
            eta: keys.take("eta", "a text or a number", word)?,
            fail: keys.text("fail")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check<D: Decision + PartialEq + std::fmt::Debug>(value: Value, expected: D) {
        assert_eq!(read::<D>(value), Ok((Some(expected), Vec::new())));
    }

    #[track_caller]
    fn refused<D: Decision + std::fmt::Debug>(value: Value, expected: &str) {
        assert_eq!(read::<D>(value).unwrap_err().to_string(), expected);
    }

    #[test]
    fn good_tables_are_read() {
        let (none, _) = read::<RetryDecision>(Value::Null).unwrap();
        assert_eq!(none, None);
        check(
            json!({"skip": "not today"}),
            BeforeDecision { skip: Some("not today".into()), ..Default::default() },
        );
        check(
            json!({"env": {"A": 1, "B": "x"}, "args": ["-v", 3], "cwd": "/tmp", "timeout": "5m"}),
            BeforeDecision {
                env: BTreeMap::from([("A".into(), "1".into()), ("B".into(), "x".into())]),
                args: vec!["-v".into(), "3".into()],
                cwd: Some("/tmp".into()),
                timeout: Some(Millis(300_000)),
                ..Default::default()
            },
        );
        check(
            json!({"retry": false, "delay": 1.5}),
            RetryDecision { retry: Some(false), delay: Some(Millis(1500)), reason: None },
        );
        check(
            json!({"signal": "INT", "grace": "15s"}),
            CancelDecision { signal: Some("INT".into()), grace: Some(Millis(15_000)) },
        );
        check(
            json!({"progress": 250, "eta": 12}),
            OutputDecision { progress: Some(100.0), eta: Some("12".into()), ..Default::default() },
        );
    }

    #[test]
    fn wrong_types_are_named() {
        refused::<RetryDecision>(json!(true), "`retry` must return a table or nothing, not a boolean");
        refused::<RetryDecision>(
            json!({"retry": "yes"}),
            "`retry` returned a bad `retry`: it must be true or false, not \"yes\"",
        );
        refused::<RetryDecision>(
            json!({"delay": "soon"}),
            "`retry` returned a bad `delay`: it must be a duration such as \"5s\" or a number of seconds, not \"soon\"",
        );
        refused::<BeforeDecision>(
            json!({"args": {"x": 1}}),
            "`before` returned a bad `args`: it must be a list of texts, not a table",
        );
        refused::<SuccessDecision>(
            json!({"fail": 3}),
            "`success` returned a bad `fail`: it must be a text, not 3",
        );
        refused::<RetryDecision>(
            json!({"delay": -1}),
            "`retry` returned a bad `delay`: it must be a duration such as \"5s\" or a number of seconds, not -1",
        );
    }

    #[test]
    fn unknown_keys_are_warnings_with_the_nearest_word() {
        let (decision, warnings) =
            read::<RetryDecision>(json!({"retry": true, "dealy": 3, "zzz": 1})).unwrap();
        assert_eq!(decision.unwrap().retry, Some(true));
        assert_eq!(
            warnings,
            [
                "`retry` returned the unknown key `dealy`; did you mean `delay`?",
                "`retry` returned the unknown key `zzz`"
            ]
        );
    }
}
