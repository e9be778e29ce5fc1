//! Somebody who calls a hook, byte for byte.

use neap::base::RunId;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The one of GitHub's documentation.
pub(super) const TOKEN: &str = "It's a Secret to Everybody";

pub(super) struct Caller {
    pub(super) stream: TcpStream,
    rest: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let fits = |line: &&str| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name));
        Some(self.head.lines().find(fits)?.split_once(':')?.1.trim())
    }

    fn json(&self) -> serde_json::Value {
        assert!(self.body.ends_with('\n') && self.body.lines().count() == 1, "not one line: {self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn run(&self) -> RunId {
        self.json()["run"].as_str().expect("no run").parse().unwrap()
    }

    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().expect("no error").to_owned()
    }

    /// The name of the run, or why there is none.
    pub(super) fn words(&self) -> String {
        let json = self.json();
        json["label"].as_str().or(json["error"].as_str()).unwrap().to_owned()
    }
}

/// A request with these lines in its head.
pub(super) fn request(what: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{what} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{lines}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A call with the right token.
pub(super) fn post(path: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    request(&format!("POST {path}"), &format!("Authorization: Bearer {TOKEN}\r\n{lines}"), body)
}

impl Caller {
    pub(super) async fn new(address: SocketAddr) -> Caller {
        Caller { stream: TcpStream::connect(address).await.unwrap(), rest: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(super) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Heard {
        self.send(request).await;
        self.hear().await.expect("the connection was closed")
    }

    /// The next answer; `None` when the connection is closed instead.
    pub(super) async fn hear(&mut self) -> Option<Heard> {
        let hear = async {
            loop {
                if let Some(heard) = self.take() {
                    return Some(heard);
                }
                if self.stream.read_buf(&mut self.rest).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), hear).await.expect("no answer, and no end")
    }

    fn take(&mut self) -> Option<Heard> {
        let end = self.rest.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.rest[..end].to_vec()).unwrap();
        let mut heard = Heard { status: head[9..12].parse().unwrap(), head, body: String::new() };
        let length: usize = heard.header("content-length").map_or(0, |length| length.parse().unwrap());
        if self.rest.len() < end + length {
            return None;
        }
        heard.body = String::from_utf8(self.rest[end..end + length].to_vec()).unwrap();
        self.rest.drain(..end + length);
        Some(heard)
    }
}
