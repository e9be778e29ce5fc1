//! What a process is given between fork and exec: its user, its mask, its limits, its place in the order of the processor.
//!
//! Only a shim does this: it has one thread and little memory, so a fork is cheap there and its child may do whatever a
//! process may do. Everything is looked up before the fork, and the child makes system calls and nothing else. Which of
//! them failed it says through a pipe, because the standard library hands on the number of the error alone.

mod account;

use super::program::NotStarted;
use crate::definition::{OF_THE_USER, Process};
use account::Account;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

/// All of it, looked up.
#[derive(Clone, Default)]
pub(super) struct Birth {
    umask: Option<u16>,
    nice: Option<i8>,
    account: Option<Account>,
    nofile: Option<u64>,
    file_size: Option<u64>,
    /// The control groups that it enters, as the files that one writes to for that.
    groups: Vec<Arc<File>>,
}

/// What a child does, in this order: a user who is not root may not do what comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Group,
    Files,
    FileSize,
    Nice,
    User,
}

impl Birth {
    /// Looks up what the definition says.
    pub(super) fn of(process: &Process) -> Result<Birth, NotStarted> {
        let account = process.user.as_deref().map(Account::find).transpose().map_err(NotStarted::other)?;
        let limits = &process.limits;
        Ok(Birth {
            umask: process.umask,
            nice: process.nice,
            account,
            nofile: limits.nofile.map(u64::from),
            file_size: limits.file_size,
            groups: Vec::new(),
        })
    }

    /// The same in these control groups.
    pub(super) fn within(self, groups: Vec<Arc<File>>) -> Birth {
        Birth { groups, ..self }
    }

    fn is_usual(&self) -> bool {
        self.umask.is_none()
            && self.nice.is_none()
            && self.account.is_none()
            && self.nofile.is_none()
            && self.file_size.is_none()
            && self.groups.is_empty()
    }

    /// Says who the user is, where the job does not say so itself.
    pub(super) fn complete(&self, env: &mut Vec<(OsString, OsString)>) {
        let Some(account) = &self.account else { return };
        let values = [&account.home, &account.name, &account.name];
        for (name, value) in OF_THE_USER.iter().zip(values) {
            if !env.iter().any(|(other, _)| other == name) && !value.is_empty() {
                env.push((name.into(), value.clone()));
            }
        }
    }

    /// Hands a file over to the user, who has to read it.
    pub(super) fn hand_over(&self, file: &File) -> io::Result<()> {
        match self.account.as_ref().filter(|account| !account.is_ours()) {
            Some(account) => std::os::unix::fs::fchown(file, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    /// Starts the program, with all of this done in its process first.
    pub(super) fn spawn(&self, mut command: Command) -> io::Result<std::process::Child> {
        if self.is_usual() {
            return command.spawn();
        }
        let (reader, writer) = io::pipe()?;
        let birth = self.clone();
        let mut words = Some(writer);
        let work = move || match words.take() {
            Some(mut writer) => birth.carry_out(&mut writer),
            None => Ok(()),
        };
        // SAFETY: this process has one thread, so its child may do whatever a process may do.
        unsafe { command.pre_exec(work) };
        let spawned = command.spawn();
        drop(command);
        spawned.map_err(|error| self.explained(error, reader))
    }

    /// In the child.
    fn carry_out(&self, words: &mut PipeWriter) -> io::Result<()> {
        let mut told = |step: Step, done: io::Result<()>| {
            if done.is_err() {
                let _ = words.write_all(&[step as u8]);
            }
            done
        };
        for group in &self.groups {
            // Nought is whoever writes it.
            told(Step::Group, (&**group).write_all(b"0"))?;
        }
        for (step, what, most) in
            [(Step::Files, Resource::Nofile, self.nofile), (Step::FileSize, Resource::Fsize, self.file_size)]
        {
            if most.is_some() {
                told(step, setrlimit(what, Rlimit { current: most, maximum: most }).map_err(Into::into))?;
            }
        }
        if let Some(nice) = self.nice {
            told(Step::Nice, set_nice(nice))?;
        }
        if let Some(mask) = self.umask {
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask.into()));
        }
        match &self.account {
            Some(account) => told(Step::User, account.become_it()),
            None => Ok(()),
        }
    }

    /// The error in words, if it is about one of our steps; else as it is.
    fn explained(&self, error: io::Error, mut words: PipeReader) -> io::Error {
        let mut step = [0];
        if words.read_exact(&mut step).is_err() {
            return error;
        }
        let steps = [Step::Group, Step::Files, Step::FileSize, Step::Nice, Step::User];
        let step = steps.into_iter().find(|other| *other as u8 == step[0]).unwrap_or(Step::User);
        let what = match step {
            Step::Group => "it could not be put into its control group".to_owned(),
            Step::Files => format!("its limit `nofile` {} could not be set", self.nofile.unwrap_or_default()),
            Step::FileSize => "its limit `file_size` could not be set".to_owned(),
            Step::Nice => format!("its `nice` {} could not be set", self.nice.unwrap_or_default()),
            Step::User => {
                let name = self.account.as_ref().map(|account| account.wanted.as_str()).unwrap_or_default();
                format!("it could not be started as the user `{name}`")
            }
        };
        let why = match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                "the host may not do that; it would have to run as root".to_owned()
            }
            _ => error.to_string(),
        };
        io::Error::other(format!("{what}: {why}"))
    }
}

fn set_nice(nice: i8) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
