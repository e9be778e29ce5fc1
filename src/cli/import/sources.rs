//! Where foreign files come from: a path, standard input, or `crontab -l`.

use crate::cli::args;
use crate::cli::error::{FINDINGS, Failure, USAGE};
use crate::exchange::{Crontab, Layout};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;

/// The name and the text of a file.
pub(super) fn read(path: &Path) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok((name, String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => Err(Failure::new(USAGE, format!("`{name}` cannot be read: {error}"))),
    }
}

pub(super) fn crontab(args: &args::ImportCrontab) -> Result<(String, String), Failure> {
    match &args.file {
        None => Ok(("crontab".into(), own_crontab()?)),
        Some(path) if path == Path::new("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            Ok(("standard input".into(), text))
        }
        Some(path) => read(path),
    }
}

fn own_crontab() -> Result<String, Failure> {
    let refuse = |why: String| {
        Failure::new(FINDINGS, format!("your own crontab cannot be read: {why}"))
            .hint("name a file, or - for standard input")
    };
    let output =
        Command::new("crontab").arg("-l").output().map_err(|error| refuse(format!("crontab -l: {error}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(refuse(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// How to read it. Files of the system are known by their place; a user's own starts in that user's home.
pub(super) fn crontab_options(
    args: &args::ImportCrontab,
    file: &str,
    folder: &str,
) -> Result<Crontab, Failure> {
    let is_of_system = file == "/etc/crontab" || file.starts_with("/etc/cron.d/");
    let layout = match (args.system || is_of_system, &args.file) {
        (true, _) => Layout::System,
        (false, None) => Layout::User,
        (false, Some(_)) => Layout::Guess,
    };
    let mut homes = homes();
    let user = crate::cli::output::whoami();
    if let Ok(home) = std::env::var("HOME") {
        homes.insert(user.clone(), home);
    }
    Ok(Crontab { file: file.to_owned(), folder: folder.to_owned(), layout, homes, user: Some(user) })
}

/// The users of this machine and their homes.
fn homes() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        Some(((*fields.first()?).to_owned(), (*fields.get(5)?).to_owned()))
    };
    text.lines().filter_map(user).collect()
}

const NAMES: [&str; 6] = [
    "Taskfile.yml",
    "taskfile.yml",
    "Taskfile.yaml",
    "taskfile.yaml",
    "Taskfile.dist.yml",
    "Taskfile.dist.yaml",
];

pub(super) fn taskfile(file: Option<&Path>, root: &Path) -> Result<(String, String), Failure> {
    if let Some(path) = file {
        return read(path);
    }
    match NAMES.iter().find(|name| root.join(name).is_file()) {
        Some(name) => read(&root.join(name)).map(|(_, text)| ((*name).to_owned(), text)),
        None => {
            Err(Failure::new(USAGE, "there is no Taskfile here").hint("name it: neap import taskfile FILE"))
        }
    }
}
