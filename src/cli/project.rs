//! The project a command is about.

use super::error::{Failure, USAGE};
use crate::host::{Builder, Host, STATE, find_root};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// How jobs are held: `group` leaves out the supervisor. For comparisons, and for where it cannot work.
pub(crate) const CONTAINMENT: &str = "NEAP_CONTAINMENT";

/// The program that supervises jobs, by that variable.
pub(crate) fn supervisor(containment: Option<&OsStr>) -> Option<&'static Path> {
    let is_group = containment.is_some_and(|wanted| wanted == "group");
    // The file may have been replaced since: this is what runs.
    (!is_group).then(|| Path::new("/proc/self/exe"))
}

/// A project on disk.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// Its directory, as an absolute path without links.
    pub(crate) root: PathBuf,
    /// Where its state is.
    pub(crate) state_dir: PathBuf,
}

impl Project {
    /// Begins to describe a host for it, whose jobs are supervised by this very program.
    pub(crate) fn host(&self) -> Builder {
        let builder = Host::builder(&self.root);
        match supervisor(std::env::var_os(CONTAINMENT).as_deref()) {
            None => builder,
            Some(program) => builder.supervisor(program),
        }
    }

    /// The project in `directory`, or the nearest one at or above the current directory.
    pub(crate) fn find(directory: Option<&Path>) -> Result<Project, Failure> {
        let root = match directory {
            Some(directory) if !directory.is_dir() => {
                return Err(Failure::new(USAGE, format!("`{}` is not a directory", directory.display())));
            }
            Some(directory) => Some(directory.to_path_buf()),
            None => find_root(&std::env::current_dir()?),
        };
        let Some(root) = root else {
            return Err(Failure::new(
                USAGE,
                "there is no project here: neither neap.yaml nor tasks/, here or above",
            )
            .hint("make one with `neap init`"));
        };
        Ok(Project::at(&std::fs::canonicalize(root)?))
    }

    /// The project in this directory.
    pub(crate) fn at(root: &Path) -> Project {
        Project { root: root.to_path_buf(), state_dir: root.join(STATE) }
    }
}
