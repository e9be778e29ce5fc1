//! `uses: http.request`: one request, and its answer as outputs or as a file.

use super::arguments::{Arguments, Statuses};
use super::client::{Http, address, public, words};
use super::{harmless, host_of, stopped};
use crate::base::Millis;
use crate::exec::{FunctionError, TaskContext};
use crate::host::Inner;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response};
use std::path::{Path, PathBuf};
use std::sync::Weak;
use tokio::io::AsyncWriteExt;

const ACTION: &str = "http.request";
/// How long a request may take when nothing is said.
const TIMEOUT: Millis = Millis::from_secs(30);
/// So much of a body becomes an output.
const LARGEST_OUTPUT: usize = 256 << 10;
/// So much of the body is shown when the status was not expected.
const SHOWN: usize = 2 << 10;
/// More is not saved: a server that never ends shall not fill the disk.
const LARGEST_FILE: u64 = 4 << 30;
/// Headers that follow from the request itself. A wrong one would make two requests out of one.
const OURS: [&str; 4] = ["content-length", "transfer-encoding", "connection", "upgrade"];

/// Sends the request, and succeeds when the status is one that is expected.
pub(super) async fn request(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let inner = host_of(&host)?;
    let (wish, request) = Wish::read(&context)?;
    context.log.line(&wish.name);
    context.progress(0, &wish.name);
    let work =
        tokio::time::timeout(wish.timeout.to_duration(), carry_out(&inner.http, &wish, request, &context));
    tokio::select! {
        done = work => done.unwrap_or_else(|_| Err(wish.failed(format_args!("no complete answer within {}", wish.timeout)))),
        () = context.cancelled.cancelled() => Err(stopped()),
    }
}

/// What is wanted beside the request itself.
struct Wish {
    /// `GET http://localhost/health`
    name: String,
    expect: Statuses,
    timeout: Millis,
    save: Option<PathBuf>,
}

impl Wish {
    fn read(context: &TaskContext) -> Result<(Wish, Request), FunctionError> {
        let with = Arguments::new(ACTION, &context.with);
        let url = address(ACTION, &with.filled_text("url")?)?;
        let body = body(&with)?;
        let method = method(with.text("method")?, body.is_some())?;
        let wish = Wish {
            name: format!("{method} {}", public(&url)),
            expect: with.statuses("expect")?,
            timeout: with.span("timeout", TIMEOUT)?,
            save: with.text("save")?.map(|path| context.working_dir.join(path)),
        };
        let mut request = Request::new(method, url);
        if with.value("json").is_some() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in with.map("headers")? {
            let (name, value) = header(name, &value)?;
            request.headers_mut().insert(name, value);
        }
        if let Some(name) = with.text("bearer")? {
            request.headers_mut().insert(AUTHORIZATION, bearer(&name, context)?);
        }
        *request.body_mut() = body.map(Into::into);
        Ok((wish, request))
    }

    fn failed(&self, why: impl std::fmt::Display) -> FunctionError {
        FunctionError::failed(format!("{}: {why}", self.name))
    }
}

fn body(with: &Arguments<'_>) -> Result<Option<String>, FunctionError> {
    match (with.text("body")?, with.value("json")) {
        (Some(_), Some(_)) => {
            Err(FunctionError::failed(format!("`{ACTION}` has both `body` and `json`; only one can be sent")))
        }
        (Some(text), None) => Ok(Some(text)),
        (None, json) => Ok(json.map(ToString::to_string)),
    }
}

fn method(given: Option<String>, has_body: bool) -> Result<Method, FunctionError> {
    let Some(text) = given else { return Ok(if has_body { Method::POST } else { Method::GET }) };
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes()).ok();
    let method = method.filter(|method| *method != Method::CONNECT);
    method.ok_or_else(|| FunctionError::failed(format!("{text:?} is no method that `{ACTION}` can use")))
}

/// Expressions cannot read secrets, so that none is written down with the definition; this reads them when it starts.
fn bearer(name: &str, context: &TaskContext) -> Result<HeaderValue, FunctionError> {
    let wrong = |why: &str| FunctionError::failed(format!("the variable `{name}` for `bearer` {why}"));
    let found = context.env.iter().rev().find(|(known, _)| known == name);
    let token = found.and_then(|(_, value)| value.to_str()).ok_or_else(|| wrong("is not set"))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| wrong("has a value that HTTP does not allow in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Neither the name nor the value can hold a line end.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), FunctionError> {
    let wrong = |why: &str| FunctionError::failed(format!("the header {name:?} of `{ACTION}` {why}"));
    let read = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("has no name that HTTP allows"))?;
    if OURS.contains(&read.as_str()) {
        return Err(wrong("is set by neap itself"));
    }
    let value = HeaderValue::from_str(value).map_err(|_| {
        wrong("has a value that HTTP does not allow: a line end, or another control character")
    })?;
    Ok((read, value))
}

async fn carry_out(
    http: &Http,
    wish: &Wish,
    request: Request,
    context: &TaskContext,
) -> Result<(), FunctionError> {
    let follows = !wish.expect.has_redirect();
    let mut answer = http.send(request, follows).await.map_err(|why| wish.failed(why))?;
    let status = answer.status();
    let content_type =
        answer.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let content_type = harmless(&content_type.unwrap_or_default());
    context.output("status", status.as_u16());
    context.output("content_type", &content_type);
    if !wish.expect.include(status.as_u16()) {
        // What it says may tell why; that even this breaks off tells nothing more.
        let (said, _) = read(&mut answer, SHOWN).await.unwrap_or_default();
        context.log.line(format_args!("HTTP {status}"));
        context.log.line(harmless(&said));
        return Err(wish.failed(format_args!("answered {status}, expected {}", wish.expect)));
    }
    let length = match &wish.save {
        Some(path) => save(&mut answer, path).await.map_err(|why| wish.failed(why))?,
        None => {
            let (body, is_cut) = read(&mut answer, LARGEST_OUTPUT).await.map_err(|why| wish.failed(why))?;
            if is_cut {
                context.log.line(format_args!(
                    "neap: warning: the body is longer than {} KiB, and the output has only its beginning; `save` keeps all of it",
                    LARGEST_OUTPUT >> 10,
                ));
            }
            context.output("body", &body);
            body.len() as u64
        }
    };
    context.log.line(format_args!("HTTP {status}, {length} bytes {content_type}"));
    Ok(())
}

/// The body as text, up to `most` bytes, and whether there was more.
async fn read(answer: &mut Response, most: usize) -> Result<(String, bool), String> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| words(&error))? {
        let room = most - bytes.len();
        if piece.len() > room {
            bytes.extend_from_slice(&piece[..room]);
            return Ok((text_of(&bytes, true), true));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok((text_of(&bytes, false), false))
}

/// A letter that the cut went through is left out.
fn text_of(bytes: &[u8], is_cut: bool) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(error) if is_cut && error.error_len().is_none() => error.valid_up_to(),
        Ok(_) | Err(_) => bytes.len(),
    };
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Writes the body beside the file and renames it when it is whole, so that nobody ever sees half of it.
async fn save(answer: &mut Response, path: &Path) -> Result<u64, String> {
    let unwritten = |error: std::io::Error| format!("`{}` cannot be written: {error}", path.display());
    let draft = Draft::beside(path).ok_or_else(|| format!("`{}` names no file", path.display()))?;
    let mut file = tokio::fs::File::create(&draft.0).await.map_err(unwritten)?;
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.map_err(|error| words(&error))? {
        length += piece.len() as u64;
        if length > LARGEST_FILE {
            return Err(format!("the answer is larger than {} GiB", LARGEST_FILE >> 30));
        }
        file.write_all(&piece).await.map_err(unwritten)?;
    }
    file.sync_all().await.map_err(unwritten)?;
    tokio::fs::rename(&draft.0, path).await.map_err(unwritten)?;
    Ok(length)
}

/// A file that is not whole yet; what is left of it goes with this.
struct Draft(PathBuf);

impl Draft {
    fn beside(path: &Path) -> Option<Draft> {
        let name = path.file_name()?;
        let mut draft = std::ffi::OsString::from(".");
        draft.push(name);
        draft.push(format!(".neap-{}", std::process::id()));
        Some(Draft(path.with_file_name(draft)))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename there is nothing left.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let found = header(name, value).map_or_else(|error| format!("{error:?}"), |_| "good".into());
        assert!(found.contains(expected), "{name:?}: {value:?}: {found}");
    }

    #[test]
    fn a_header_cannot_become_two() {
        check("X-Token", "a b", "good");
        check("X-Token", "a\r\nX-Other: b", "does not allow");
        check("X-Token: a\nX", "b", "no name");
        check("", "b", "no name");
        check("Transfer-Encoding", "chunked", "neap itself");
    }

    #[test]
    fn the_method_follows_from_the_body() {
        let of =
            |given: Option<&str>, has_body| method(given.map(str::to_owned), has_body).map(|m| m.to_string());
        assert_eq!(of(None, false).unwrap(), "GET");
        assert_eq!(of(None, true).unwrap(), "POST");
        assert_eq!(of(Some("delete"), false).unwrap(), "DELETE");
        assert!(of(Some("GET /x HTTP/1.1\r\n"), false).is_err());
        assert!(of(Some("connect"), false).is_err());
    }

    #[test]
    fn a_cut_leaves_no_half_letter() {
        let text = "aä".as_bytes();
        assert_eq!(text_of(&text[..2], true), "a");
        assert_eq!(text_of(&text[..2], false), "a\u{fffd}");
        assert_eq!(text_of(text, true), "aä");
    }
}
