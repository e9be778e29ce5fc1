//! `neap import`: reads another tool's file, writes ours, and says what could not be taken over.
//!
//! It never overwrites anything unless told to, and it looks at all files before it writes the first.

mod sources;
mod table;

use super::args::{self, ImportFrom};
use super::error::{FINDINGS, Failure, OURSELVES, USAGE};
use super::look::count;
use super::output::{BOLD, DIM, GOOD, ODD, Output, clean, print};
use super::project::Project;
use crate::exchange::{self, Imported, NewFile, Remark};
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn import(
    directory: Option<&Path>,
    args: &args::Import,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let root = root(directory)?;
    match &args.from {
        ImportFrom::Crontab(args) => {
            let folder = folder(&args.into)?;
            let (file, text) = sources::crontab(args)?;
            let options = sources::crontab_options(args, &file, &folder)?;
            let found = Found { file, imported: exchange::crontab(&text, &options) };
            finish(&root, vec![found], &args.into, true, output)
        }
        ImportFrom::Taskfile(args) => {
            let folder = folder(&args.into)?;
            let (file, text) = sources::taskfile(args.file.as_deref(), &root)?;
            let imported =
                exchange::taskfile(&text, &file, &folder).map_err(|error| unreadable(&file, &error))?;
            finish(&root, vec![Found { file, imported }], &args.into, false, output)
        }
        ImportFrom::Dagu(args) => {
            let folder = folder(&args.into)?;
            let found = args.files.iter().map(|path| dagu(path, &folder)).collect::<Result<Vec<_>, _>>()?;
            finish(&root, found, &args.into, false, output)
        }
    }
}

/// What came of one foreign file.
#[derive(Serialize)]
struct Found {
    file: String,
    #[serde(flatten)]
    imported: Imported,
}

fn dagu(path: &Path, folder: &str) -> Result<Found, Failure> {
    let (file, text) = sources::read(path)?;
    let imported = exchange::dagu(&text, &file, folder).map_err(|error| unreadable(&file, &error))?;
    Ok(Found { file, imported })
}

fn unreadable(file: &str, error: &exchange::NotReadable) -> Failure {
    Failure::new(FINDINGS, format!("`{}` cannot be imported: {error}", clean(file)))
}

/// The project, or the current directory when there is none yet: importing is a way to begin.
fn root(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    match (Project::find(directory), directory) {
        (Ok(project), _) => Ok(project.root),
        (Err(_), None) => Ok(std::env::current_dir()?),
        (Err(failure), Some(_)) => Err(failure),
    }
}

/// The folder as a part of the names of the tasks.
fn folder(into: &args::Destination) -> Result<String, Failure> {
    let refuse = || {
        let path = into.into.display();
        Failure::new(USAGE, format!("`--into {path}` is not a folder below tasks/"))
            .hint("write it like tasks/imported")
    };
    let below = into.into.strip_prefix("tasks").map_err(|_| refuse())?;
    let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    let folder = below.to_str().filter(|_| is_plain).ok_or_else(refuse)?;
    match folder.is_empty() || crate::base::TaskName::new(folder).is_ok() {
        true => Ok(folder.to_owned()),
        false => Err(refuse()),
    }
}

fn finish(
    root: &Path,
    found: Vec<Found>,
    into: &args::Destination,
    is_crontab: bool,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let files: Vec<&NewFile> = found.iter().flat_map(|found| &found.imported.files).collect();
    refuse_doubles(&files)?;
    if !into.dry_run {
        write_all(root, &files, into.force)?;
    }
    let table = match is_crontab {
        true => table::rows(root, &files, into.dry_run, output)?,
        false => Vec::new(),
    };
    if output.json {
        let document = Document { found: &found, written: !into.dry_run, times: &table };
        output.print_json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for file in &files {
        text += &match into.dry_run {
            true => format!("{DIM}# {}{DIM:#}\n{}\n", file.path(), file.text),
            false => format!("{GOOD}wrote{GOOD:#} {}\n", file.path()),
        };
    }
    if !table.is_empty() {
        text += &format!("\n{}", table::render(&table, output.is_terminal));
    }
    print(&text)?;
    found.iter().for_each(|found| say_remarks(found, output));
    output.say(&closing(&found, files.len(), into.dry_run));
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Document<'f> {
    found: &'f [Found],
    written: bool,
    times: &'f [table::Row],
}

/// In the style of `neap check`.
fn say_remarks(found: &Found, output: &Output) {
    for Remark { line, what, why } in &found.imported.remarks {
        let (file, what) = (clean(&found.file), clean(what));
        output.say(&format!("{file}:{line}: {ODD}warning{ODD:#}: not translated: {what} — {}", clean(why)));
    }
}

fn closing(found: &[Found], files: usize, is_dry: bool) -> String {
    let remarks: usize = found.iter().map(|found| found.imported.remarks.len()).sum();
    let warnings = if remarks > 0 { format!(", {}", count(remarks, "warning")) } else { String::new() };
    let next = match is_dry {
        true => "nothing was written: leave out --dry-run".to_owned(),
        false => format!("{BOLD}neap check{BOLD:#}   {BOLD}neap next{BOLD:#}"),
    };
    format!("{}{warnings}.   {next}", count(files, "task"))
}

/// Two foreign files may give one name.
fn refuse_doubles(files: &[&NewFile]) -> Result<(), Failure> {
    let mut seen = std::collections::BTreeSet::new();
    match files.iter().find(|file| !seen.insert(&file.name)) {
        None => Ok(()),
        Some(file) => Err(Failure::new(FINDINGS, format!("two of the files would become `{}`", file.path()))
            .hint("import them one by one, with --into")),
    }
}

/// Writes nothing at all when one of the files is there already.
fn write_all(root: &Path, files: &[&NewFile], is_forced: bool) -> Result<(), Failure> {
    let there: Vec<String> =
        files.iter().map(|file| file.path()).filter(|path| root.join(path).exists()).collect();
    if let (Some(first), false) = (there.first(), is_forced) {
        let more = if there.len() > 1 { format!(" (and {} more)", there.len() - 1) } else { String::new() };
        return Err(Failure::new(FINDINGS, format!("`{first}`{more} is there already; nothing was written"))
            .hint("--force overwrites it, --into DIR writes elsewhere, --dry-run only prints"));
    }
    for file in files {
        let path = root.join(file.path());
        write(&path, &file.text).map_err(|error| {
            Failure::new(OURSELVES, format!("`{}` cannot be written: {error}", path.display()))
        })?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // Not writable for everybody, whatever the umask: such files are not trusted.
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.write_all(text.as_bytes())
}
