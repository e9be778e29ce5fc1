//! `--fix`: makes the changes that problems suggest, file by file, and looks again.
//!
//! A file is replaced as editors do it, by a rename, and keeps its mode. One whose text is no longer what was checked is
//! left alone: somebody is working on it.

use crate::definition::{Code, Fix, Problem, apply_fixes};
use crate::host::{self, Definitions};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A fix can bring the next mistake to light, so files are looked at again, but not for ever.
const ROUNDS: usize = 10;

/// What was changed, and what was not.
#[derive(Debug, Default, Serialize)]
pub(super) struct Fixed {
    fixed: Vec<Done>,
    left_alone: Vec<LeftAlone>,
}

#[derive(Debug, Serialize)]
struct Done {
    file: Arc<str>,
    line: usize,
    column: usize,
    code: Code,
    message: String,
}

#[derive(Debug, Serialize)]
struct LeftAlone {
    file: Arc<str>,
    why: String,
}

/// Why a file was not replaced; fits after "left alone: ".
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it was changed while it was being checked")]
    Changed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fixed {
    /// Whether there was nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.left_alone.is_empty()
    }

    /// A line for each.
    pub(super) fn lines(&self) -> String {
        let fixed = self.fixed.iter().map(|Done { file, line, column, code, message }| {
            format!("fixed {file}:{line}:{column}: {code}: {message}\n")
        });
        let left =
            self.left_alone.iter().map(|LeftAlone { file, why }| format!("left alone {file}: {why}\n"));
        let lines: String = fixed.chain(left).collect();
        if self.is_empty() { lines } else { lines + "\n" }
    }

    fn leaves_alone(&self, file: &str) -> bool {
        self.left_alone.iter().any(|left| &*left.file == file)
    }
}

/// Mends what can be mended, and tells what is still wrong then.
pub(super) fn fix(root: &Path) -> (Definitions, Fixed) {
    let mut definitions = host::check(root);
    let mut fixed = Fixed::default();
    for _ in 0..ROUNDS {
        let before = fixed.fixed.len();
        for (file, problems) in fixable(&definitions) {
            if !fixed.leaves_alone(&file) {
                mend(root, &definitions, &file, &problems, &mut fixed);
            }
        }
        if fixed.fixed.len() == before {
            break;
        }
        definitions = host::check(root);
    }
    (definitions, fixed)
}

fn fixable(definitions: &Definitions) -> BTreeMap<Arc<str>, Vec<&Problem>> {
    let mut files: BTreeMap<Arc<str>, Vec<&Problem>> = BTreeMap::new();
    for problem in definitions.problems().filter(|problem| problem.fix.is_some()) {
        files.entry(Arc::clone(&problem.file)).or_default().push(problem);
    }
    files
}

fn mend(root: &Path, definitions: &Definitions, file: &Arc<str>, problems: &[&Problem], fixed: &mut Fixed) {
    let Some(source) = definitions.source(file) else { return };
    let chosen = without_overlaps(problems);
    let text = apply_fixes(&source.text, chosen.iter().map(|(_, fix)| *fix));
    if text == *source.text {
        return;
    }
    match replace(&root.join(&**file), &source.text, &text) {
        Ok(()) => fixed.fixed.extend(chosen.into_iter().map(|(problem, _)| Done {
            file: Arc::clone(file),
            line: problem.line,
            column: problem.column,
            code: problem.code,
            message: problem.message.clone(),
        })),
        Err(why) => fixed.left_alone.push(LeftAlone { file: Arc::clone(file), why: why.to_string() }),
    }
}

/// What one pass can change: of two fixes in the same place the second waits for the next pass.
fn without_overlaps<'p>(problems: &[&'p Problem]) -> Vec<(&'p Problem, &'p Fix)> {
    let mut fixes: Vec<(&Problem, &Fix)> =
        problems.iter().filter_map(|problem| Some((*problem, problem.fix.as_ref()?))).collect();
    fixes.sort_by_key(|(_, fix)| (fix.span.start, fix.span.end));
    let mut done = 0;
    fixes.retain(|(_, fix)| {
        let is_free = fix.span.start >= done;
        done = if is_free { fix.span.end } else { done };
        is_free
    });
    fixes
}

/// Puts `after` in the place of `before`. A link stays one: the file behind it is replaced.
fn replace(path: &Path, before: &str, after: &str) -> Result<(), Refused> {
    let target = fs::canonicalize(path)?;
    let draft = Draft::write(&target, after)?;
    // As late as can be: what comes between this and the rename is lost.
    if fs::read(&target)? != before.as_bytes() {
        return Err(Refused::Changed);
    }
    fs::rename(&draft.0, &target)?;
    Ok(())
}

/// The new text beside the old, hidden from those who watch. Goes when it was not used.
struct Draft(PathBuf);

impl Draft {
    fn write(target: &Path, text: &str) -> io::Result<Draft> {
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.fix", std::process::id()));
        let path = target.with_file_name(name);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        let draft = Draft(path);
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::metadata(target)?.permissions())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename there is nothing left under this name.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_replaced_file_keeps_its_mode_and_its_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("a.yaml"), dir.path().join("b.yaml"));
        fs::write(&file, "rnu: ls").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a.yaml", &link).unwrap();
        replace(&link, "rnu: ls", "run: ls").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "run: ls");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the draft is gone");
    }

    #[test]
    fn a_file_that_somebody_works_on_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        fs::write(&file, "rnu: make").unwrap();
        let refused = replace(&file, "rnu: ls", "run: ls").unwrap_err();
        assert_eq!(refused.to_string(), "it was changed while it was being checked");
        assert_eq!(fs::read_to_string(&file).unwrap(), "rnu: make");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the draft is gone");
    }
}
