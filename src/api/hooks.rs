//! The port for those who call hooks: HTTP/1.1 over TCP, `POST /hooks/TASK`, and nothing else.
//!
//! Whoever connects may be anybody, so everything has a bound: connections, the time for a request, its size. Who is let in
//! is the host's business; what a request says is read in `request`, and said back in `answer`.

mod answer;
mod request;

use crate::host::Host;
use answer::Answer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The head of a request, and then its body, may take so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// The head of a request is no larger.
const LARGEST_HEAD: usize = 16 << 10;
/// So many are connected at once.
const MOST: usize = 64;
/// A connection is closed after this, between two requests.
const LIFETIME: Duration = Duration::from_secs(60);
/// What is under way when a connection is to be closed has so long.
const LAST: Duration = Duration::from_secs(30);
/// Somebody who is turned away has so long to read why.
const TURNED_AWAY: Duration = Duration::from_secs(1);

/// Serves the hooks of a host wherever its settings say, until `stop` is cancelled. The host was opened with
/// [`takes_calls`](crate::host::Builder::takes_calls).
pub async fn serve_hooks(host: Host, stop: CancellationToken) {
    let mut doors = host.doors();
    let entrance = Entrance {
        host,
        stop: stop.clone(),
        room: Arc::new(Semaphore::new(MOST)),
        hall: Arc::new(Semaphore::new(MOST)),
        guests: TaskTracker::new(),
    };
    loop {
        let door = doors.borrow_and_update().clone();
        tokio::select! {
            () = stop.cancelled() => break,
            changed = doors.changed() => if changed.is_err() { break },
            stream = accept(door.as_deref()) => match stream {
                Ok((stream, from)) => entrance.receive(stream, from),
                Err(error) => {
                    // Out of descriptors, say: nothing to do but to let some go.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    entrance.guests.close();
    entrance.guests.wait().await;
}

async fn accept(door: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match door {
        Some(door) => door.accept().await,
        None => std::future::pending().await,
    }
}

struct Entrance {
    host: Host,
    stop: CancellationToken,
    room: Arc<Semaphore>,
    /// For those who are being turned away.
    hall: Arc<Semaphore>,
    guests: TaskTracker,
}

impl Entrance {
    fn receive(&self, stream: TcpStream, from: SocketAddr) {
        match (Arc::clone(&self.room).try_acquire_owned(), Arc::clone(&self.hall).try_acquire_owned()) {
            (Ok(place), _) => {
                let (host, stop) = (self.host.clone(), self.stop.clone());
                self.guests.spawn(attend(stream, from, host, stop, place));
            }
            (Err(_), Ok(place)) => {
                self.guests.spawn(turn_away(stream, place));
            }
            // Then they are not even told.
            (Err(_), Err(_)) => drop(stream),
        }
    }
}

async fn attend(
    stream: TcpStream,
    from: SocketAddr,
    host: Host,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| {
        let host = host.clone();
        async move {
            let answer = match request::read(request, from.ip()).await {
                Ok(knock) => Answer::of(host.knock(knock).await),
                Err(answer) => answer,
            };
            Ok::<_, Infallible>(answer.into_response())
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LARGEST_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let is_over = tokio::select! {
        _ = &mut connection => true,
        () = stop.cancelled() => false,
        () = tokio::time::sleep(LIFETIME) => false,
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        // Who does not read the answer is left.
        let _ = tokio::time::timeout(LAST, connection).await;
    }
}

/// Says that there is no room, and waits until that was read: to close at once would take the words back.
async fn turn_away(mut stream: TcpStream, _place: OwnedSemaphorePermit) {
    let words = async {
        stream.write_all(&Answer::crowded().into_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether they hear it is their business.
    let _ = tokio::time::timeout(TURNED_AWAY, words).await;
}
