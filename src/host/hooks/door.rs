//! The port at which calls come in. It is there when `neap.yaml` names one and somebody serves it.

use crate::definition::Problem;
use crate::host::Definitions;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(in crate::host) struct Doorway {
    is_wanted: bool,
    open: watch::Sender<Open>,
    doors: watch::Sender<Option<Arc<TcpListener>>>,
}

/// What the file asked for, and what came of it.
#[derive(Clone, Copy, Default)]
struct Open {
    asked: Option<SocketAddr>,
    got: Option<SocketAddr>,
}

impl Doorway {
    /// A host that nobody serves must not listen: who calls would wait for ever.
    pub(in crate::host) fn new(is_wanted: bool) -> Doorway {
        Doorway { is_wanted, open: watch::Sender::default(), doors: watch::Sender::default() }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.open.borrow().got
    }

    pub(super) fn doors(&self) -> watch::Receiver<Option<Arc<TcpListener>>> {
        self.doors.subscribe()
    }

    /// Listens where the settings say from now on.
    ///
    /// # Errors
    /// Why that cannot be; then nothing has changed.
    pub(in crate::host) fn follow(&self, definitions: &Definitions) -> Result<(), Box<Problem>> {
        if !self.is_wanted {
            return Ok(());
        }
        let wanted = definitions.settings.webhooks.as_ref();
        let open = *self.open.borrow();
        let Some((listen, source)) = wanted.zip(definitions.settings_source.as_ref()) else {
            self.close();
            return Ok(());
        };
        if open.asked == Some(listen.address) {
            return Ok(());
        }
        let (listener, got) = bind(listen.address).map_err(|error| {
            let why = match open.got {
                Some(old) if old.port() == listen.address.port() => {
                    format!("it listens at {old} until it is started again")
                }
                Some(_) | None => error.to_string(),
            };
            Box::new(listen.problem(source, &why))
        })?;
        self.open.send_replace(Open { asked: Some(listen.address), got: Some(got) });
        self.doors.send_replace(Some(Arc::new(listener)));
        Ok(())
    }

    pub(super) fn close(&self) {
        self.open.send_replace(Open::default());
        self.doors.send_replace(None);
    }
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let got = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, got))
}
