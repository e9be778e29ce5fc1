//! The host's HTTP client, and in words what can go wrong with it.
//!
//! It is made when it is first needed, because reading the certificates of the system takes time. It keeps no
//! connections open: an idle host has nothing to look after.

use crate::exec::FunctionError;
use reqwest::redirect::Policy;
use reqwest::{Client, Request, Response, Url};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// As many as browsers and curl allow, or fewer.
const REDIRECTS: usize = 10;
/// A machine that is there answers sooner.
const CONNECT: Duration = Duration::from_secs(10);

/// Clients of one host.
#[derive(Default)]
pub(in crate::host) struct Http {
    following: OnceCell<Client>,
    staying: OnceCell<Client>,
}

impl Http {
    /// Sends a request, and answers when the head of the answer is there. `follows` says whether a redirect is
    /// followed: at most ten times, and without credentials to another host.
    ///
    /// # Errors
    /// In words why there is no answer.
    pub(super) async fn send(&self, request: Request, follows: bool) -> Result<Response, String> {
        let cell = if follows { &self.following } else { &self.staying };
        let client = cell.get_or_try_init(|| made(follows)).await?;
        let request = whole(client, request).map_err(|error| words(&error))?;
        client.execute(request).await.map_err(|error| words(&error))
    }
}

/// Credentials in the address become a header, which a redirect to another host loses. A header that was given wins.
fn whole(client: &Client, mut request: Request) -> Result<Request, reqwest::Error> {
    let mut whole = client.request(request.method().clone(), request.url().clone()).build()?;
    whole.headers_mut().extend(std::mem::take(request.headers_mut()));
    *whole.body_mut() = request.body_mut().take();
    Ok(whole)
}

/// Reading certificates blocks.
async fn made(follows: bool) -> Result<Client, String> {
    let making = tokio::task::spawn_blocking(move || {
        let policy = if follows { Policy::limited(REDIRECTS) } else { Policy::none() };
        let client = Client::builder().tls_backend_preconfigured(tls()?).redirect(policy).referer(false);
        let client = client.connect_timeout(CONNECT).pool_max_idle_per_host(0);
        client.user_agent(concat!("neap/", env!("CARGO_PKG_VERSION"))).build().map_err(|error| words(&error))
    });
    making.await.unwrap_or_else(|error| Err(format!("the HTTP client could not be made: {error}")))
}

/// TLS as the system trusts it. A system without certificates trusts nobody, and can still speak plain HTTP.
fn tls() -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let trusting = builder.clone().with_platform_verifier().unwrap_or_else(|error| {
        tracing::warn!(%error, "no https address can be trusted; is the package ca-certificates installed?");
        builder.with_root_certificates(RootCertStore::empty())
    });
    Ok(trusting.with_no_client_auth())
}

/// An address that may be asked.
///
/// # Errors
/// What is wrong with it.
pub(super) fn address(action: &str, text: &str) -> Result<Url, FunctionError> {
    let wrong = |why: String| FunctionError::failed(format!("`url` of `{action}` {why}"));
    // Reading an address drops them without a word, and another address would be asked.
    if text.contains(char::is_control) {
        return Err(wrong("holds a line end or another control character".into()));
    }
    let url = Url::parse(text).map_err(|error| wrong(format!("is no address: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(format!("must begin with http:// or https://, but it begins with {other}:"))),
    }
}

/// The address without the credentials it may hold.
pub(super) fn public(url: &Url) -> String {
    let mut url = url.clone();
    // Both refuse only addresses that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// What went wrong, without the address: whoever asks says that.
pub(super) fn words(error: &reqwest::Error) -> String {
    let causes: Vec<&(dyn Error + 'static)> =
        std::iter::successors(error.source(), |&error| error.source()).collect();
    let root = causes.last().map_or_else(|| "no reason is given".to_owned(), ToString::to_string);
    if let Some(tls) = causes.iter().find_map(|cause| tls_error(*cause)) {
        return format!("no secure connection (TLS): {tls}");
    }
    if causes.iter().any(|cause| cause.to_string().starts_with("dns error")) {
        return format!("the name of the host is not known (DNS): {root}");
    }
    let is_refused = |cause: &&(dyn Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    if causes.iter().any(is_refused) {
        return "nobody listens there (connection refused)".into();
    }
    match error {
        error if error.is_timeout() && error.is_connect() => {
            format!("no connection within {} seconds", CONNECT.as_secs())
        }
        error if error.is_timeout() => "no answer in time".into(),
        error if error.is_redirect() => format!("the redirects lead nowhere: {root}"),
        error if error.is_connect() => format!("no connection: {root}"),
        error if error.is_builder() => format!("the request cannot be made: {root}"),
        error if error.is_body() || error.is_decode() => format!("the answer broke off: {root}"),
        _ => format!("no answer that can be understood: {root}"),
    }
}

/// What rustls says stands inside an error of the connection.
fn tls_error(cause: &(dyn Error + 'static)) -> Option<String> {
    let inside = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let found = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>());
    found.or_else(|| cause.downcast_ref::<rustls::Error>()).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = address("http.request", text).map(|url| public(&url));
        let found = found.map_err(|error| format!("{error:?}"));
        let expected = expected.map(str::to_owned);
        assert_eq!(
            found,
            expected.map_err(|why| format!("failed: `url` of `http.request` {why}")),
            "{text:?}"
        );
    }

    #[test]
    fn only_addresses_of_the_web_are_asked() {
        check("http://localhost:80/x?y=1", Ok("http://localhost/x?y=1"));
        check("https://me:secret@example.org", Ok("https://example.org/"));
        check("x", Err("is no address: relative URL without a base"));
        check("http://", Err("is no address: empty host"));
        check("file:///etc/passwd", Err("must begin with http:// or https://, but it begins with file:"));
        check("http://a/\r\nX: y", Err("holds a line end or another control character"));
        check("http://a/\t", Err("holds a line end or another control character"));
    }
}
