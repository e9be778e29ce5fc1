//! `uses: wait.file`: waits until a file is there and has come to rest, or until it is gone.

use super::arguments::Arguments;
use super::{host_of, stopped};
use crate::base::Millis;
use crate::exec::{FunctionError, TaskContext};
use crate::host::Inner;
use crate::watch::Arrivals;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout};

const ACTION: &str = "wait.file";

/// Ends when the file is as it is waited for. The system says when there is something to look at.
pub(super) async fn wait(host: Weak<Inner>, context: TaskContext) -> Result<(), FunctionError> {
    let inner = host_of(&host)?;
    let wish = Wish::read(&context)?;
    let shown = wish.path.display();
    context.log.line(format_args!("waits until {shown} is {}", wish.state()));
    context.progress(0, format!("waits until {shown} is {}", wish.state()));
    let look = tokio::select! {
        look = watch(&inner.arrivals, &wish, &context) => look?,
        () = context.cancelled.cancelled() => return Err(stopped()),
    };
    context.output("path", &shown);
    if let Look::There(seen) = look {
        context.output("size", seen.size);
    }
    context.log.line(format_args!("{shown} is {}", wish.state()));
    Ok(())
}

struct Wish {
    path: PathBuf,
    settle: Duration,
    gone: bool,
}

impl Wish {
    fn read(context: &TaskContext) -> Result<Wish, FunctionError> {
        let with = Arguments::new(ACTION, &context.with);
        let path = context.working_dir.join(with.filled_text("path")?);
        if path.file_name().is_none() {
            return Err(FunctionError::failed(format!("`{}` names no file", path.display())));
        }
        let settle = with.span("settle", Millis(0))?.to_duration();
        Ok(Wish { path, settle, gone: with.boolean("gone")? })
    }

    fn state(&self) -> &'static str {
        if self.gone { "gone" } else { "there" }
    }
}

/// What a file looks like; one that is written to changes one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified: Option<SystemTime>,
}

/// What there is to see at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    There(Seen),
    Gone,
    /// It cannot be looked at; the reason may pass.
    Unknown(String),
}

async fn watch(arrivals: &Arrivals, wish: &Wish, context: &TaskContext) -> Result<Look, FunctionError> {
    let mut spot = arrivals.spot(&wish.path);
    let (mut last, mut since) = (None, Instant::now());
    loop {
        // Watched before the look, so that nothing falls between.
        spot.arm()?;
        let now = look(&wish.path);
        if last.as_ref() != Some(&now) {
            tell(&now, last.as_ref(), wish, context);
            (last, since) = (Some(now.clone()), Instant::now());
        }
        let is_wanted = matches!((&now, wish.gone), (Look::There(_), false) | (Look::Gone, true));
        let rest = wish.settle.saturating_sub(since.elapsed());
        match is_wanted {
            true if rest.is_zero() => return Ok(now),
            // It has rested long enough when nothing happens; otherwise there is something to look at.
            true => _ = timeout(rest, spot.changed()).await,
            false => spot.changed().await,
        }
    }
}

/// One line for each change of what is seen; that a file grows is no news.
fn tell(now: &Look, last: Option<&Look>, wish: &Wish, context: &TaskContext) {
    let shown = wish.path.display();
    match (now, last) {
        (Look::There(_), Some(Look::There(_))) | (Look::Gone, None) => {}
        (Look::There(_), _) if !wish.gone && !wish.settle.is_zero() => {
            let settle = Millis(wish.settle.as_millis() as u64);
            context.log.line(format_args!("{shown} is there; waits until it has not changed for {settle}"));
        }
        (Look::There(_), _) if wish.gone => context.log.line(format_args!("{shown} is still there")),
        (Look::Gone, _) if !wish.gone => context.log.line(format_args!("{shown} is gone again")),
        (Look::There(_) | Look::Gone, _) => {}
        (Look::Unknown(why), _) => context.log.line(format_args!("{shown} cannot be looked at: {why}")),
    }
}

/// A look is one call to the system, and short.
fn look(path: &Path) -> Look {
    match std::fs::metadata(path) {
        Ok(about) => Look::There(Seen { size: about.len(), modified: about.modified().ok() }),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Look::Gone,
        Err(error) => Look::Unknown(error.to_string()),
    }
}
