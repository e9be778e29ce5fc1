//! The host's side: how shims come to be.

use super::zygote::WORD;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Knows the zygote of one host. It is started when it is first needed, and again should it die.
pub(in crate::exec) struct Nursery {
    program: PathBuf,
    zygote: Mutex<Option<Zygote>>,
}

struct Zygote {
    process: Child,
    requests: Arc<UnixStream>,
}

impl Nursery {
    /// `program` becomes a zygote when it is started with the one word for that.
    pub(in crate::exec) fn new(program: PathBuf) -> Nursery {
        Nursery { program, zygote: Mutex::default() }
    }

    /// Makes a shim, which is told through the socket that comes back what it is for. It gets the pipes.
    ///
    /// # Errors
    /// There is no zygote, and none can be started.
    pub(super) async fn bear(&self, pipes: &[OwnedFd]) -> io::Result<UnixStream> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        let requests = self.requests()?;
        if send(&requests, &theirs, pipes).await.is_err() {
            self.bury(&requests);
            send(&*self.requests()?, &theirs, pipes).await?;
        }
        Ok(ours)
    }

    fn requests(&self) -> io::Result<Arc<UnixStream>> {
        let mut zygote = self.zygote();
        if let Some(zygote) = &*zygote {
            return Ok(Arc::clone(&zygote.requests));
        }
        let fresh = Zygote::start(&self.program).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("`{}` could not be started as the supervisor: {error}", self.program.display()),
            )
        })?;
        let requests = Arc::clone(&fresh.requests);
        *zygote = Some(fresh);
        Ok(requests)
    }

    /// Forgets a zygote that takes nothing any more, unless another has taken its place.
    fn bury(&self, requests: &Arc<UnixStream>) {
        let dead = self.zygote().take_if(|zygote| Arc::ptr_eq(&zygote.requests, requests));
        if let Some(mut dead) = dead {
            // It has ended or is about to: what it listened on is closed.
            let _ = dead.process.wait();
        }
    }

    /// Lets the zygote go, and waits for it. It goes when its last shim has.
    pub(in crate::exec) async fn close(&self) {
        let Some(Zygote { mut process, requests }) = self.zygote().take() else { return };
        drop(requests);
        let _ = tokio::task::spawn_blocking(move || process.wait()).await;
    }

    fn zygote(&self) -> MutexGuard<'_, Option<Zygote>> {
        // Nothing panics while the lock is held.
        self.zygote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Zygote {
    fn start(program: &PathBuf) -> io::Result<Zygote> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(program);
        // It keeps the environment: should this host be part of a job itself, the mark of that job stays.
        command.arg0("neap").arg(WORD).current_dir("/");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.process_group(0).spawn()?;
        Ok(Zygote { process, requests: Arc::new(UnixStream::from_std(ours)?) })
    }
}

/// Starts a zygote and lets it go at once, to see whether `program` can be one here: it was executed, it is the reaper of
/// all below it, and it can wait for signals.
///
/// # Errors
/// It cannot, or takes longer than `patience`.
#[cfg(feature = "cli")]
pub(crate) async fn rehearse(program: PathBuf, patience: std::time::Duration) -> io::Result<()> {
    let Zygote { mut process, requests } = Zygote::start(&program)?;
    drop(requests);
    let ends = async {
        crate::exec::Pidfd::open(process.id())?.exited().await;
        Ok::<(), io::Error>(())
    };
    let ended = tokio::time::timeout(patience, ends).await;
    if !matches!(ended, Ok(Ok(()))) {
        let _ = process.kill();
    }
    let status = process.wait()?;
    match ended {
        Err(_) => Err(io::Error::other("it did not end in time")),
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) if status.success() => Ok(()),
        Ok(Ok(())) => Err(io::Error::other(format!("it ended with {status}"))),
    }
}

/// Sends one byte with the descriptors.
async fn send(requests: &UnixStream, socket: &StdStream, pipes: &[OwnedFd]) -> io::Result<()> {
    let fds: Vec<_> = std::iter::once(socket.as_fd()).chain(pipes.iter().map(AsFd::as_fd)).collect();
    loop {
        requests.writable().await?;
        let sent = requests.try_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
            let mut buffer = SendAncillaryBuffer::new(&mut space);
            buffer.push(SendAncillaryMessage::ScmRights(&fds));
            let flags = SendFlags::NOSIGNAL;
            Ok(sendmsg(requests, &[io::IoSlice::new(b"+")], &mut buffer, flags)?)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other.map(drop),
        }
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_cannot_be_a_supervisor_is_found_out() {
        let patience = Duration::from_secs(60);
        let ended = rehearse("/bin/false".into(), patience).await.unwrap_err();
        assert!(ended.to_string().contains("exit status: 1"), "{ended}");
        let missing = rehearse("/no/such/program".into(), patience).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        // It says what it was started with again and again.
        let late = rehearse("/usr/bin/yes".into(), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late.to_string(), "it did not end in time");
    }
}
