//! Which file a program's name stands for, and what it means when it cannot be started.
//!
//! The standard library would look the name up as well, but along the wrong PATH, or by forking; a full path keeps
//! it on the fast way and lets us say what is wrong.

use crate::engine::NotSpawned;
use rustix::fs::Access;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// An attempt could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct NotStarted {
    pub(super) why: NotSpawned,
    pub(super) message: String,
}

impl NotStarted {
    pub(super) fn new(why: NotSpawned, message: impl Into<String>) -> NotStarted {
        NotStarted { why, message: message.into() }
    }

    pub(super) fn other(message: impl Into<String>) -> NotStarted {
        NotStarted::new(NotSpawned::Other, message)
    }

    /// What the system's refusal to execute a file that is there means.
    pub(super) fn refused(program: &Path, error: &io::Error) -> NotStarted {
        let program = program.display();
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => {
                NotStarted::new(NotSpawned::NotExecutable, format!("`{program}` cannot be executed: {error}"))
            }
            Some(libc::ENOEXEC) => NotStarted::new(
                NotSpawned::NotExecutable,
                format!("`{program}` is not a program; a script needs a first line like `#!/bin/sh`"),
            ),
            Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP) => NotStarted::new(
                NotSpawned::NotExecutable,
                format!("the interpreter that `{program}` names in its first line is missing"),
            ),
            Some(libc::E2BIG) => NotStarted::other(format!(
                "the arguments and the environment of `{program}` are too long for this system"
            )),
            // Our own words: what was to be done before the program did not go.
            None if error.kind() == io::ErrorKind::Other => NotStarted::other(error.to_string()),
            _ => NotStarted::other(format!("`{program}` could not be started: {error}")),
        }
    }
}

/// Finds the file of a program as a shell in `working_dir` with the PATH of `env` would.
pub(super) fn resolve(
    program: &str,
    working_dir: &Path,
    env: &[(OsString, OsString)],
) -> Result<PathBuf, NotStarted> {
    if program.contains('/') {
        let file = working_dir.join(program);
        return match find(&file) {
            Found::Program => Ok(file),
            Found::Other(what) => {
                Err(NotStarted::new(NotSpawned::NotExecutable, format!("`{program}` {what}")))
            }
            Found::Nothing => {
                Err(NotStarted::new(NotSpawned::NotFound, format!("there is no file `{program}`")))
            }
        };
    }
    // The last entry of a name is the one in force.
    let path = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str());
    let path = path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let mut refused = None;
    // An empty entry is the working directory; joining gives exactly that.
    for folder in path.as_bytes().split(|&byte| byte == b':') {
        let file = working_dir.join(OsStr::from_bytes(folder)).join(program);
        match find(&file) {
            Found::Program => return Ok(file),
            Found::Other(what) => drop(refused.get_or_insert((file, what))),
            Found::Nothing => {}
        }
    }
    Err(match refused {
        _ if program.is_empty() => NotStarted::new(NotSpawned::NotFound, "the program has no name"),
        Some((file, what)) => {
            NotStarted::new(NotSpawned::NotExecutable, format!("`{}` {what}", file.display()))
        }
        None => NotStarted::new(NotSpawned::NotFound, format!("there is no program `{program}` on the PATH")),
    })
}

/// What stands at a path.
enum Found {
    Program,
    Other(&'static str),
    Nothing,
}

fn find(file: &Path) -> Found {
    match std::fs::metadata(file) {
        Ok(about) if !about.is_file() => Found::Other("is not a file"),
        Ok(_) if rustix::fs::access(file, Access::EXEC_OK).is_err() => {
            Found::Other("is not executable; `chmod +x` makes it so")
        }
        Ok(_) => Found::Program,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Found::Other("lies in a directory that may not be entered")
        }
        Err(_) => Found::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[track_caller]
    fn check(program: &str, path: Option<&str>, expected: Result<&str, NotSpawned>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in
            [("bin/tool", 0o755), ("bin/plain", 0o644), ("here", 0o755), ("late/plain", 0o755)]
        {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let env: Vec<(OsString, OsString)> =
            path.map(|path| ("PATH".into(), path.into())).into_iter().collect();
        let found = resolve(program, folder.path(), &env).map_err(|error| error.why);
        assert_eq!(found, expected.map(|file| folder.path().join(file)), "{program} in {path:?}");
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        check("tool", Some("/nowhere:bin"), Ok("bin/tool"));
        check("here", Some("bin:"), Ok("here"));
        check("./here", Some("bin"), Ok("./here"));
        check("here", Some("bin"), Err(NotSpawned::NotFound));
        check("plain", Some("bin"), Err(NotSpawned::NotExecutable));
        check("plain", Some("bin:late"), Ok("late/plain"));
        check("bin/plain", None, Err(NotSpawned::NotExecutable));
        check("./bin", None, Err(NotSpawned::NotExecutable));
        check("env", None, Ok("/usr/bin/env"));
        check("", Some("bin"), Err(NotSpawned::NotFound));
        check("./nothing", Some("bin"), Err(NotSpawned::NotFound));
    }

    #[test]
    fn refusals_are_told_apart() {
        let cases = [
            (libc::EACCES, NotSpawned::NotExecutable),
            (libc::ENOEXEC, NotSpawned::NotExecutable),
            (libc::ENOENT, NotSpawned::NotExecutable),
            (libc::E2BIG, NotSpawned::Other),
            (libc::EAGAIN, NotSpawned::Other),
        ];
        for (errno, why) in cases {
            let refused = NotStarted::refused(Path::new("/x"), &io::Error::from_raw_os_error(errno));
            assert_eq!(refused.why, why, "{refused}");
        }
    }
}
