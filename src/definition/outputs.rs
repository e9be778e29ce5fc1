//! What a job wrote to `$NEAP_OUTPUT`: lines `key=value`, and `key<<WORD` for values of several lines.

use super::params::{self, ParamFault};
use super::task::{Param, ParamType, Params};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// How many keys one job may write.
const KEYS: usize = 1_000;

/// Why something in a file of outputs is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputProblem {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: OutputFault,
}

/// What is wrong with a line of outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputFault {
    /// It is neither `key=value` nor `key<<WORD`.
    #[error("there is no `=` in it: write `key=value`, or `key<<EOF` and the value in the lines below")]
    NoValue,
    /// The key cannot be a name.
    #[error("`{key}` cannot be a key: use letters, digits, `_` and `-`, and begin with a letter or `_`")]
    Key {
        /// The key as it was written, cut when it is long.
        key: String,
    },
    /// Nothing comes after `<<`.
    #[error("a word must come after `{key}<<`: the line that ends the value")]
    NoDelimiter {
        /// The key.
        key: String,
    },
    /// The file ends before the value does.
    #[error("the value of `{key}` is not closed: no line after this one is `{delimiter}`")]
    Unclosed {
        /// The key.
        key: String,
        /// The word it was to end with.
        delimiter: String,
    },
    /// The value is not of the declared type.
    #[error("`{key}`: {fault}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with the value.
        fault: ParamFault,
    },
    /// There are too many keys; this one and all new ones below are left out.
    #[error("a job writes at most {KEYS} outputs; this one and those below it are left out")]
    Many,
}

impl fmt::Display for OutputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

/// Reads what a job wrote. Good lines count beside bad ones, and the last value of a key counts.
///
/// A declared output is read as a parameter of its type would be; all others are texts. What is declared and was not written is
/// for the caller to notice. Lines may end as on Windows; empty ones mean nothing outside of a value.
///
/// ```
/// use neap::definition::{ParamType, outputs};
/// let declared = [("size".to_owned(), ParamType::Integer)].into();
/// let (values, problems) = outputs("size=42\nnotes<<END\none\ntwo\nEND\n", &declared);
/// assert_eq!((&values["size"], &values["notes"]), (&42.into(), &"one\ntwo".into()));
/// assert_eq!(problems, []);
/// ```
pub fn outputs(text: &str, declared: &BTreeMap<String, ParamType>) -> (Params, Vec<OutputProblem>) {
    let mut reader = Reader { declared, values: Params::new(), problems: Vec::new(), is_full: false };
    let mut lines = (1..).zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)));
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let outcome = entry(line).and_then(|(key, rest)| match rest {
            Rest::Value(value) => reader.keep(number, key, value.to_owned()),
            Rest::Until(delimiter) => {
                let value = until(&mut lines, delimiter).ok_or_else(|| OutputFault::Unclosed {
                    key: key.to_owned(),
                    delimiter: delimiter.to_owned(),
                })?;
                reader.keep(number, key, value)
            }
        });
        if let Err(fault) = outcome {
            reader.problems.push(OutputProblem { line: number, fault });
        }
    }
    (reader.values, reader.problems)
}

struct Reader<'a> {
    declared: &'a BTreeMap<String, ParamType>,
    values: Params,
    problems: Vec<OutputProblem>,
    is_full: bool,
}

impl Reader<'_> {
    fn keep(&mut self, line: usize, key: &str, text: String) -> Result<(), OutputFault> {
        if self.values.len() == KEYS && !self.values.contains_key(key) {
            if !std::mem::replace(&mut self.is_full, true) {
                self.problems.push(OutputProblem { line, fault: OutputFault::Many });
            }
            return Ok(());
        }
        let value = match self.declared.get(key) {
            Some(kind) => typed(key, *kind, text)?,
            None => Value::String(text),
        };
        self.values.insert(key.to_owned(), value);
        Ok(())
    }
}

/// What comes after a key.
enum Rest<'a> {
    Value(&'a str),
    /// The value is in the lines below, up to this one.
    Until(&'a str),
}

fn entry(line: &str) -> Result<(&str, Rest<'_>), OutputFault> {
    let (equals, arrows) = (line.find('='), line.find("<<"));
    let (key, rest) = match (equals, arrows) {
        (Some(at), arrows) if arrows.is_none_or(|arrows| at < arrows) => {
            (&line[..at], Rest::Value(&line[at + 1..]))
        }
        (_, Some(at)) => (&line[..at], Rest::Until(line[at + 2..].trim())),
        (_, None) => return Err(OutputFault::NoValue),
    };
    if !is_key(key) {
        return Err(OutputFault::Key { key: key.chars().take(60).collect() });
    }
    match rest {
        Rest::Until("") => Err(OutputFault::NoDelimiter { key: key.to_owned() }),
        Rest::Until(_) | Rest::Value(_) => Ok((key, rest)),
    }
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The lines before the delimiter. Without one, everything that is left is used up.
fn until<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>, delimiter: &str) -> Option<String> {
    let mut value: Vec<&str> = Vec::new();
    for (_, line) in lines {
        if line == delimiter {
            return Some(value.join("\n"));
        }
        value.push(line);
    }
    None
}

fn typed(key: &str, kind: ParamType, text: String) -> Result<Value, OutputFault> {
    let param = Param {
        name: key.to_owned(),
        kind,
        default: None,
        late: None,
        required: false,
        choices: Vec::new(),
        pattern: None,
        minimum: None,
        maximum: None,
        description: None,
    };
    let read = params::read(&param, &Value::String(text));
    read.map_err(|fault| OutputFault::Value { key: key.to_owned(), fault })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared() -> BTreeMap<String, ParamType> {
        use ParamType::*;
        let types = [
            ("n", Integer),
            ("ok", Boolean),
            ("files", List),
            ("any", Json),
            ("took", Duration),
            ("s", String),
        ];
        types.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: Value, problems: &[&str]) {
        let (values, found) = outputs(text, &declared());
        assert_eq!(json!(values), expected, "{text}");
        assert_eq!(found.iter().map(OutputProblem::to_string).collect::<Vec<_>>(), problems, "{text}");
    }

    #[test]
    fn good_lines_are_values() {
        check("", json!({}), &[]);
        check("a=1", json!({ "a": "1" }), &[]);
        check("a=1\n\n\r\nb-c=x=y<<z\n", json!({ "a": "1", "b-c": "x=y<<z" }), &[]);
        check("a=1\na=2", json!({ "a": "2" }), &[]);
        check("a=", json!({ "a": "" }), &[]);
        check("a= b ", json!({ "a": " b " }), &[]);
        check("a<<E\none\n\n b=2\nE\nc=3", json!({ "a": "one\n\n b=2", "c": "3" }), &[]);
        check("a<< E \nE", json!({ "a": "" }), &[]);
        check("a<<E\r\none\r\ntwo\r\nE\r\nb=1\r\n", json!({ "a": "one\ntwo", "b": "1" }), &[]);
        check("_x=ä", json!({ "_x": "ä" }), &[]);
    }

    #[test]
    fn declared_ones_have_their_type() {
        check("n=5\nok=true\ntook=1m30s\ns=7", json!({ "n": 5, "ok": true, "took": "1m30s", "s": "7" }), &[]);
        check("files=a, b", json!({ "files": ["a", "b"] }), &[]);
        check("files=[1, 2]", json!({ "files": [1, 2] }), &[]);
        check("any<<E\n{ \"a\":\n [1] }\nE", json!({ "any": { "a": [1] } }), &[]);
    }

    #[test]
    fn bad_lines_are_told_and_good_ones_kept() {
        check(
            "a=1\nnonsense\n1x=2\n a=3\n=4\nb=5",
            json!({ "a": "1", "b": "5" }),
            &[
                "line 2: there is no `=` in it: write `key=value`, or `key<<EOF` and the value in the lines below",
                "line 3: `1x` cannot be a key: use letters, digits, `_` and `-`, and begin with a letter or `_`",
                "line 4: ` a` cannot be a key: use letters, digits, `_` and `-`, and begin with a letter or `_`",
                "line 5: `` cannot be a key: use letters, digits, `_` and `-`, and begin with a letter or `_`",
            ],
        );
        check("n=5\nn=five", json!({ "n": 5 }), &["line 2: `n`: `five` is not a whole number"]);
        check(
            "a=1\nb<<E\nc=2\n E\n",
            json!({ "a": "1" }),
            &["line 2: the value of `b` is not closed: no line after this one is `E`"],
        );
        check(
            "b<<\na=1",
            json!({ "a": "1" }),
            &["line 1: a word must come after `b<<`: the line that ends the value"],
        );
    }

    #[test]
    fn there_is_an_end_to_it() {
        let text: String = (0..1_005).map(|n| format!("k{n}={n}\n")).collect();
        let (values, problems) = outputs(&format!("{text}k0=last\n"), &BTreeMap::new());
        assert_eq!((values.len(), &values["k0"]), (KEYS, &"last".into()));
        let expected =
            "line 1001: a job writes at most 1000 outputs; this one and those below it are left out";
        assert_eq!(problems.iter().map(OutputProblem::to_string).collect::<Vec<_>>(), [expected]);
    }
}
