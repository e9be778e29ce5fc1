//! What TAB offers: the names of tasks from the file tree, unread, and the last runs from the history.
//!
//! It never prints an error and never asks a host: whoever presses TAB wants an answer at once or none.

use super::explain::first_sentence;
use super::project::Project;
use crate::api::RunState;
use crate::definition::Code;
use crate::definition::keys;
use crate::engine::RunOutcome;
use crate::host::TASKS;
use crate::store::{History, RunFilter, RunRow};
use clap_complete::engine::CompletionCandidate;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Files that are looked at before it takes too long.
const FILES: usize = 10_000;
/// Runs that are offered.
const RUNS: u32 = 30;

pub(crate) fn tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = project().map(|project| task_names(&project.root)).unwrap_or_default();
    names.into_iter().filter(|name| begins(name, current)).map(CompletionCandidate::new).collect()
}

pub(crate) fn runs(current: &OsStr) -> Vec<CompletionCandidate> {
    let rows = project().and_then(|project| last_runs(&project.state_dir)).unwrap_or_default();
    let mut candidates: Vec<CompletionCandidate> = selectors(current).collect();
    candidates.extend(rows.iter().flat_map(|row| run_candidates(row, current)));
    candidates
}

pub(crate) fn runs_and_tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    let mut candidates = tasks(current);
    candidates.extend(runs(current));
    candidates
}

/// The keys and codes that `explain` knows.
pub(crate) fn subjects(current: &OsStr) -> Vec<CompletionCandidate> {
    let keys = keys::all().into_iter().map(|entry| (entry.path().to_owned(), entry.about()));
    let codes = Code::ALL.iter().map(|code| (code.to_string(), code.about()));
    let offered = keys.chain(codes).filter(|(name, _)| begins(name, current));
    offered
        .map(|(name, about)| CompletionCandidate::new(name).help(Some(first_sentence(about).into())))
        .collect()
}

/// As [`Project::find`], with the `-C` of the line that is being typed.
fn project() -> Option<Project> {
    let typed = typed_directory(std::env::args_os());
    let directory = typed.or_else(|| std::env::var_os("NEAP_DIR")).map(PathBuf::from);
    Project::find(directory.as_deref()).ok()
}

fn typed_directory(words: impl Iterator<Item = OsString>) -> Option<OsString> {
    let mut words = words.skip_while(|word| word != "-C" && word != "--directory");
    words.next()?;
    words.next()
}

fn begins(text: &str, current: &OsStr) -> bool {
    text.as_bytes().starts_with(current.as_encoded_bytes())
}

fn task_names(root: &Path) -> Vec<String> {
    let top = root.join(TASKS);
    let mut names = Vec::new();
    let mut directories = vec![top.clone()];
    let mut left = FILES;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            left = match left.checked_sub(1) {
                Some(left) => left,
                None => return names,
            };
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                Ok(_) => names.extend(task_name(&top, &entry.path())),
                Err(_) => {}
            }
        }
    }
    names.sort();
    names
}

fn task_name(top: &Path, path: &Path) -> Option<String> {
    let name = path.strip_prefix(top).ok()?.to_str()?;
    let name = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
    crate::base::TaskName::new(name).ok().map(|name| name.to_string())
}

fn last_runs(state_dir: &Path) -> Option<Vec<RunRow>> {
    let filter = RunFilter { limit: RUNS, ..RunFilter::default() };
    History::open(state_dir).ok()?.runs(&filter).ok()
}

/// `nightly#128`, and its id once letters of one were typed.
fn run_candidates(row: &RunRow, current: &OsStr) -> Vec<CompletionCandidate> {
    let name = format!("{}#{}", row.task, row.number);
    let id = row.run.to_string();
    let state = match row.outcome {
        Some(RunOutcome::Succeeded) => RunState::Succeeded,
        Some(RunOutcome::Failed { .. }) => RunState::Failed,
        Some(RunOutcome::Cancelled) => RunState::Cancelled,
        None => RunState::Running,
    };
    let mut candidates = Vec::new();
    if begins(&name, current) {
        let help = format!("{} {}, by {}", state.word(), row.created, super::output::clean(&row.by.0));
        candidates.push(CompletionCandidate::new(&name).help(Some(help.into())));
    }
    if !current.is_empty() && begins(&id, current) {
        candidates.push(CompletionCandidate::new(id).help(Some(format!("{name}, {}", state.word()).into())));
    }
    candidates
}

fn selectors(current: &OsStr) -> impl Iterator<Item = CompletionCandidate> {
    const SELECTORS: [(&str, &str); 2] = [("@", "the latest run"), ("@failed", "the latest run that failed")];
    let fits = SELECTORS
        .into_iter()
        .chain(crate::api::MANY)
        .filter(move |(text, _)| !current.is_empty() && begins(text, current));
    fits.map(|(text, help)| CompletionCandidate::new(text).help(Some(help.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("tasks/ops/.git")).unwrap();
        for file in ["a.yaml", "ops/b.yml", "ops/.git/c.yaml", "notes.txt", "sp ace.yaml"] {
            std::fs::write(dir.path().join("tasks").join(file), "not even: [yaml").unwrap();
        }
        assert_eq!(task_names(dir.path()), ["a", "ops/b"]);
        assert_eq!(task_names(&dir.path().join("nowhere")), [""; 0]);
        assert!(last_runs(dir.path()).is_none());
    }

    #[test]
    fn keys_and_codes_are_offered() {
        let offered = |typed: &str| -> Vec<String> {
            let candidates = subjects(OsStr::new(typed)).into_iter();
            candidates.map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(offered("retry.back"), ["retry.backoff"]);
        assert_eq!(offered("E0104"), ["E0104"]);
        assert!(offered("").len() > 200);
    }

    #[test]
    fn the_directory_of_the_typed_line_counts() {
        let words = |line: &str| typed_directory(line.split(' ').map(OsString::from));
        assert_eq!(words("neap -- neap -C /x show"), Some("/x".into()));
        assert_eq!(words("neap -- neap show -C"), None);
        assert_eq!(words("neap -- neap show"), None);
    }
}
