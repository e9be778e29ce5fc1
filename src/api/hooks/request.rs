//! What a request to a hook says. All of it may be a lie.

use super::PATIENCE;
use super::answer::Answer;
use crate::host::{Knock, Proof};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, StatusCode, Version};
use std::net::IpAddr;

/// A body is no larger.
const LARGEST: usize = 64 << 10;
/// What a caller says about the body is no longer.
const LONGEST_TYPE: usize = 200;
/// So many proofs are looked at.
const PROOFS: usize = 4;

/// Reads a request to its end.
///
/// # Errors
/// What it is answered with, when it is no call of a hook.
pub(super) async fn read(request: Request<Incoming>, from: IpAddr) -> Result<Knock, Answer> {
    if request.version() != Version::HTTP_11 {
        return Err(Answer::no(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is spoken here"));
    }
    let path = request.uri().path();
    let task = path.strip_prefix("/hooks/").ok_or_else(|| {
        Answer::no(StatusCode::NOT_FOUND, "there is nothing here but /hooks/ and the name of a task")
    })?;
    if request.method() != Method::POST {
        return Err(Answer::no(StatusCode::METHOD_NOT_ALLOWED, "a hook is called with POST"));
    }
    // A name holds nothing that would have to be encoded, so nothing is decoded: what is encoded names no task.
    let task = task.to_owned();
    let params = request
        .uri()
        .query()
        .map_or_else(Vec::new, |query| form_urlencoded::parse(query.as_bytes()).into_owned().collect());
    let (head, body) = request.into_parts();
    let body = read_body(body).await?;
    Ok(Knock {
        task,
        from,
        proofs: proofs(&head.headers),
        params,
        delivery: delivery(&head.headers)?,
        content_type: content_type(&head.headers),
        body,
    })
}

async fn read_body(body: Incoming) -> Result<Box<[u8]>, Answer> {
    let too_large = || Answer::no(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 64 KiB");
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Answer::no(StatusCode::BAD_REQUEST, "the body cannot be read")),
        Err(_) => Err(Answer::no(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// `Authorization: Bearer …`, `X-Gitlab-Token: …`, `X-Hub-Signature-256: sha256=…`.
fn proofs(headers: &HeaderMap) -> Vec<Proof> {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, token) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| Proof::Token(token.trim_ascii().to_vec()))
    });
    let gitlab = headers.get_all("x-gitlab-token").iter();
    let gitlab = gitlab.map(|value| Proof::Token(value.as_bytes().to_vec()));
    let github = headers.get_all("x-hub-signature-256").iter();
    let github = github.filter_map(|value| {
        let digits = value.as_bytes().strip_prefix(b"sha256=")?;
        octets(digits).map(Proof::Signature)
    });
    bearer.chain(gitlab).chain(github).take(PROOFS).collect()
}

fn octets(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The name by which the caller knows this delivery.
fn delivery(headers: &HeaderMap) -> Result<Option<String>, Answer> {
    let names = ["idempotency-key", "x-github-delivery"];
    let Some(value) = names.iter().find_map(|name| headers.get(*name)) else { return Ok(None) };
    let text = value.to_str().map_err(|_| {
        Answer::no(StatusCode::UNPROCESSABLE_ENTITY, "the name of a delivery is printable ASCII")
    })?;
    Ok(Some(text.to_owned()))
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.as_bytes();
    let is_plain = value.len() <= LONGEST_TYPE && value.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_plain.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn headers(lines: &[(&'static str, &[u8])]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &[u8])| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn proofs_are_read_as_they_are_sent() {
        #[track_caller]
        fn check(name: &'static str, value: &[u8], expected: &[Proof]) {
            assert!(proofs(&headers(&[(name, value)])) == expected, "{name} {value:?}");
        }
        let token = |text: &[u8]| Proof::Token(text.to_vec());
        check("authorization", b"Bearer abc", &[token(b"abc")]);
        check("authorization", b"bEARER  a b ", &[token(b"a b")]);
        check("authorization", b"Bearer \xff", &[token(b"\xff")]);
        check("authorization", b"Basic abc", &[]);
        check("authorization", b"Bearer", &[]);
        check("x-gitlab-token", b"abc", &[token(b"abc")]);
        check("x-hub-signature-256", b"sha256=00fF", &[Proof::Signature(vec![0, 255])]);
        for wrong in [&b"00ff"[..], b"sha1=00ff", b"sha256=0", b"sha256=0g", b"sha256=+f", b"sha256=\xc3\xa4"]
        {
            check("x-hub-signature-256", wrong, &[]);
        }
        let many = vec![("x-gitlab-token", &b"x"[..]); 99];
        assert_eq!(proofs(&headers(&many)).len(), PROOFS);
    }

    #[test]
    fn what_a_body_is_said_to_be_is_plain_and_short() {
        #[track_caller]
        fn check(value: &[u8], expected: Option<&str>) {
            assert_eq!(content_type(&headers(&[("content-type", value)])).as_deref(), expected);
        }
        check(b"application/json; charset=utf-8", Some("application/json; charset=utf-8"));
        check(b"a\tb", None);
        check(b"gr\xc3\xb6\xc3\x9fe", None);
        check(&[b'x'; 200], Some(&"x".repeat(200)));
        check(&[b'x'; 201], None);
    }
}
