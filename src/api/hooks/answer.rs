//! What those who call are told: a status, and one line of JSON.

use crate::host::{Admitted, KnockError, SubmitError};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// Who comes while the host stops, or finds no room, tries again after this.
const LATER: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    status: StatusCode,
    words: Value,
    /// After so long it may be tried again.
    wait: Option<Duration>,
}

impl Answer {
    pub(super) fn no(status: StatusCode, why: impl Into<String>) -> Answer {
        Answer { status, words: json!({ "error": why.into() }), wait: None }
    }

    pub(super) fn crowded() -> Answer {
        let why = "too many are connected";
        Answer { wait: Some(LATER), ..Answer::no(StatusCode::SERVICE_UNAVAILABLE, why) }
    }

    /// What became of a call.
    pub(super) fn of(told: Result<Admitted, KnockError>) -> Answer {
        let error = match told {
            Ok(Admitted { run, label, is_new }) => {
                let status = if is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
                let words = json!({ "run": run.to_string(), "label": label });
                return Answer { status, words, wait: None };
            }
            Err(error) => error,
        };
        let (status, wait) = match &error {
            KnockError::Unknown => (StatusCode::UNAUTHORIZED, None),
            KnockError::TooOften { wait } => (StatusCode::TOO_MANY_REQUESTS, Some(*wait)),
            KnockError::Wrong(_) => (StatusCode::UNPROCESSABLE_ENTITY, None),
            KnockError::Skipped(_) => (StatusCode::CONFLICT, None),
            KnockError::Submit(SubmitError::Stopping) => (StatusCode::SERVICE_UNAVAILABLE, Some(LATER)),
            KnockError::Submit(SubmitError::Plan(_)) => (StatusCode::UNPROCESSABLE_ENTITY, None),
            KnockError::Submit(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        Answer { wait, ..Answer::no(status, error.to_string()) }
    }

    fn line(&self) -> String {
        format!("{}\n", self.words)
    }

    /// Whole seconds, never too few.
    fn seconds(&self) -> Option<u64> {
        self.wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.line())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if let Some(seconds) = self.seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// The same as bytes, with the end of the connection.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let (line, wait) = (self.line(), self.seconds().unwrap_or(0));
        format!(
            "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: {wait}\r\n\
             Connection: close\r\n\r\n{line}",
            self.status,
            line.len()
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_as_long_as_told_waits_long_enough() {
        #[track_caller]
        fn check(millis: u64, expected: u64) {
            let wait = Duration::from_millis(millis);
            let response = Answer::of(Err(KnockError::TooOften { wait })).into_response();
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[RETRY_AFTER], expected.to_string());
        }
        check(1, 1);
        check(1000, 1);
        check(1001, 2);
        check(60_000, 60);
    }
}
