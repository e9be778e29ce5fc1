//! `neap init`: a project to start from. It writes files that are not there and never touches one that is.
//!
//! The samples are the ones of neap's own repository, where tests run them.

use super::args;
use super::error::{Failure, OURSELVES};
use super::output::{BOLD, DIM, GOOD, Output, print};
use super::schema;
use crate::definition::SchemaKind;
use serde::Serialize;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const IGNORED: &str = ".neap/";

/// What a project begins with.
const SAMPLES: [(&str, &str); 8] = [
    ("neap.yaml", include_str!("../../neap.yaml")),
    ("tasks/hello.yaml", include_str!("../../tasks/hello.yaml")),
    ("tasks/pipeline.yaml", include_str!("../../tasks/pipeline.yaml")),
    ("tasks/watchdog.yaml", include_str!("../../tasks/watchdog.yaml")),
    ("scripts/notify.lua", include_str!("../../scripts/notify.lua")),
    ("scripts/progress.lua", include_str!("../../scripts/progress.lua")),
    ("scripts/scratch.lua", include_str!("../../scripts/scratch.lua")),
    (".gitignore", ".neap/\n"),
];

pub(crate) fn init(
    directory: Option<&Path>,
    args: &args::Init,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let into = args.into.as_path();
    let directory = match directory {
        Some(base) if into == Path::new(".") => base.to_path_buf(),
        Some(base) => base.join(into),
        None => into.to_path_buf(),
    };
    let written = write_samples(&directory)?;
    match output.json {
        true => output.print_json(&written)?,
        false => print(&written.words())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of each file.
#[derive(Debug, Serialize)]
struct Written {
    directory: PathBuf,
    written: Vec<&'static str>,
    kept: Vec<&'static str>,
    /// Git would take the state of the host for a part of the project.
    #[serde(skip)]
    is_state_tracked: bool,
}

fn write_samples(directory: &Path) -> Result<Written, Failure> {
    let mut written = Written {
        directory: directory.to_path_buf(),
        written: Vec::new(),
        kept: Vec::new(),
        is_state_tracked: false,
    };
    let schemas = [(schema::TASK, SchemaKind::Task), (schema::SETTINGS, SchemaKind::Settings)];
    let schemas = schemas.map(|(path, kind)| (path, schema::text(kind)));
    let samples = SAMPLES.into_iter().chain(schemas.iter().map(|(path, text)| (*path, text.as_str())));
    for (path, text) in samples {
        let full = directory.join(path);
        let is_new = write_new(&full, text).map_err(|error| {
            Failure::new(OURSELVES, format!("`{}` cannot be written: {error}", full.display()))
        })?;
        if is_new { written.written.push(path) } else { written.kept.push(path) }
    }
    let ignored = fs::read_to_string(directory.join(".gitignore")).unwrap_or_default();
    written.is_state_tracked = !ignored.lines().any(|line| line.trim().trim_matches('/') == ".neap");
    Ok(written)
}

/// Writes a file unless there is one. Says whether it did.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    // Not writable for everybody, whatever the umask: such files are not trusted.
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

impl Written {
    fn words(&self) -> String {
        let mut text = String::new();
        for path in &self.written {
            text += &format!("{GOOD}wrote{GOOD:#} {path}\n");
        }
        for path in &self.kept {
            text += &format!("{DIM}kept{DIM:#}  {path} (it was there)\n");
        }
        if self.is_state_tracked {
            text += &format!("note: add `{IGNORED}` to .gitignore, it holds the state of the host\n");
        }
        let neap = match self.directory.as_os_str() == "." {
            true => "neap".to_owned(),
            false => format!("neap -C {}", self.directory.display()),
        };
        let next = [
            ("run hello", "one job"),
            ("run pipeline", "five jobs, a parameter, progress, a retry"),
            ("serve", "follow the schedules, take over what you change in tasks/"),
            ("check", "look for mistakes"),
        ];
        text.push('\n');
        for (verb, about) in next {
            text += &format!("{BOLD}{neap} {verb:<13}{BOLD:#} {DIM}{about}{DIM:#}\n");
        }
        text
    }
}
