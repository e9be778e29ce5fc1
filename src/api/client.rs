//! The client: one request at a time over the host's socket.

use crate::api::server::short;
use crate::api::{Refusal, SOCKET};
use crate::host::Happening;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// A host that is up answers in a millisecond or two; one that takes longer than this is as good as not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Speaks to the host of a project.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// A request had no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No host listens.
    #[error("no host is up")]
    NoHost(#[source] io::Error),
    /// The connection broke.
    #[error("the connection to the host broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The host said no, and why.
    #[error("{refusal}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why.
        refusal: Refusal,
    },
    /// The answer was not understood: the host is of another version.
    #[error("the host's answer was not understood; is it of another version?")]
    Strange(#[source] serde_json::Error),
}

impl Client {
    /// A client for the host that keeps its state in this directory. Nothing is sent yet.
    pub fn new(state_dir: &Path) -> Client {
        Client { socket: state_dir.join(SOCKET) }
    }

    /// Whether a host answers. Listening is not enough: for a moment after a host was killed, its socket can live on in
    /// a child that has not executed its program yet, and a host that is halted listens for ever.
    pub async fn is_up(&self) -> bool {
        let answer = self.get::<crate::api::HostInfo>("/api/v1/host");
        tokio::time::timeout(PATIENCE, answer).await.is_ok_and(|answer| answer.is_ok())
    }

    /// Asks.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.request(Method::GET, path, Bytes::new()).await
    }

    /// Asks about something that has to be named. Whatever the names hold, they are names.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        about: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.get(&address(path, about)).await
    }

    /// Tells.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Strange)?;
        self.request(Method::POST, path, body.into()).await
    }

    /// Tells about something that has to be named. Whatever the names hold, they are names.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tell<T: DeserializeOwned>(
        &self,
        path: &str,
        about: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.post(&address(path, about), body).await
    }

    /// Listens to what happens: after this place in the journal, about this run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events(&self, query: &str) -> Result<Events, ClientError> {
        let response = self.send(Method::GET, &format!("/api/v1/events{query}"), Bytes::new()).await?;
        Ok(Events { body: response.into_body(), text: Vec::new() })
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let response = self.send(method, path, body).await?;
        let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(ClientError::Strange)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the response; what goes wrong is seen there.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "neap")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
        let plain = || Refusal { message: String::from_utf8_lossy(&bytes).into_owned(), hint: None };
        let refusal = serde_json::from_slice(&bytes).unwrap_or_else(|_| plain());
        Err(ClientError::Refused { status, refusal })
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let stream = short(&self.socket, |path| {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        });
        stream.map_err(ClientError::NoHost)
    }
}

fn address(path: &str, about: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(about).finish();
    format!("{path}?{query}")
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::Broken(error.into())
}

/// What happens, as it happens.
pub struct Events {
    body: Incoming,
    text: Vec<u8>,
}

impl Events {
    /// The next thing; `None` when the host has ended or the connection broke.
    pub async fn next(&mut self) -> Option<Happening> {
        loop {
            while let Some(end) = self.text.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                if let Some(data) = line.strip_prefix(b"data: ")
                    && let Ok(happening) = serde_json::from_slice(data)
                {
                    return Some(happening);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.text.extend_from_slice(&data);
            }
        }
    }
}
