//! The real program in a directory of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::{null, null_mut};

/// A directory, and nothing of the outside in its environment.
pub(crate) struct Cli(tempfile::TempDir);

/// What the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Cli {
    pub(crate) fn new() -> Cli {
        Cli(tempfile::tempdir().unwrap())
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> &Cli {
        let full = self.root().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
        self
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_neap"));
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([("HOME", self.root().as_os_str()), ("NO_COLOR", "1".as_ref()), ("TZ", "UTC".as_ref())]);
        command
    }

    pub(crate) fn neap(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// With the programs in `bin` of this directory before all others.
    pub(crate) fn neap_with_bin(&self, args: &[&str]) -> Said {
        let mut path = self.root().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        said(self.command(args).env("PATH", path))
    }
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| steady(&String::from_utf8_lossy(bytes));
    Said { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code().unwrap() }
}

impl Cli {
    /// The program on a terminal of its own, on which this is typed. What it shows is `stdout`.
    pub(crate) fn on_a_terminal(&self, args: &[&str], typed: &str) -> Said {
        let (mut master, slave) = terminal();
        let copy = || std::process::Stdio::from(slave.try_clone().unwrap());
        let mut child = self.command(args).stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
        drop(slave);
        master.write_all(typed.as_bytes()).unwrap();
        let mut shown = Vec::new();
        // Linux ends the reading with an error when nobody has the other side any more.
        let _ = master.read_to_end(&mut shown);
        let code = child.wait().unwrap().code().unwrap();
        Said { stdout: String::from_utf8_lossy(&shown).into_owned(), stderr: String::new(), code }
    }
}

/// Both sides of a terminal.
fn terminal() -> (File, File) {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: both places are there to be written to, and the rest may be null.
    let made = unsafe { libc::openpty(&mut master, &mut slave, null_mut(), null(), null()) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: openpty has just made both, and nobody else has them.
    unsafe { (File::from_raw_fd(master), File::from_raw_fd(slave)) }
}

/// The text with every time it took as `N ms`.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    for part in text.split_inclusive(" ms)") {
        match part.rfind('(').filter(|_| part.ends_with(" ms)")) {
            Some(open) => steady = steady + &part[..open] + "(N ms)",
            None => steady += part,
        }
    }
    steady
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
