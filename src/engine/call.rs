//! A call over HTTP that has created a run: who called, and what was sent along.

use super::octets;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is kept of a call. All of it was said by somebody outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The address of the caller, without the port.
    pub from: String,
    /// What the body is, in the caller's words: printable ASCII.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body.
    #[serde(with = "octets")]
    pub body: Box<[u8]>,
}

impl Call {
    /// The same without its body: all that a list of runs needs.
    pub fn gist(&self) -> Call {
        Call { body: Box::default(), ..self.clone() }
    }
}

impl fmt::Display for Call {
    /// `a call from 192.0.2.7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a call from {}", self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &[u8], json: &str) {
        let call = Call { from: "::1".into(), content_type: None, body: body.into() };
        assert_eq!(serde_json::to_string(&call).unwrap(), json);
        assert_eq!(serde_json::from_str::<Call>(json).unwrap(), call);
    }

    #[test]
    fn a_body_of_any_bytes_comes_back() {
        check(b"", r#"{"from":"::1","body":""}"#);
        check(b"{\"a\": 1}", r#"{"from":"::1","body":"{\"a\": 1}"}"#);
        check(b"\0\xff", r#"{"from":"::1","body":{"hex":"00ff"}}"#);
    }
}
