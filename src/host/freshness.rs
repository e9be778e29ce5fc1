//! Whether a job has anything to do: its sources are compared with what they were when it last succeeded, or with what
//! was made of them.

use crate::definition::{Freshness, Leaf, Method, Params, Pattern, globs};
use crate::host::environment::directory_of;
use crate::plan::Node;
use crate::store::{Fresh, History};
use globset::GlobSet;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// One job's question whether there is anything to do.
pub(super) struct Freshening {
    /// What is compared, and how.
    pub(super) freshness: Freshness,
    /// Patterns are relative to this.
    pub(super) folder: PathBuf,
    /// What the job would do; when that changes, what it made before does not count.
    pub(super) recipe: String,
    /// When it last succeeded, and what its sources were then.
    pub(super) last: Option<Fresh>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why there is nothing to do; `None` when there is.
    pub(super) fresh: Option<String>,
    /// What the sources are now. It is empty where only names or times are compared.
    pub(super) fingerprint: Arc<str>,
}

impl Verdict {
    fn without_sources(fresh: Option<String>) -> Verdict {
        Verdict { fresh, fingerprint: "".into() }
    }
}

impl Freshening {
    /// Looks at the files, away from the runtime: there may be many, and large ones. Commands of `status` are the
    /// caller's business.
    ///
    /// # Errors
    /// What is wrong with a pattern, or which file cannot be read.
    pub(super) async fn look(self) -> Result<Verdict, String> {
        let looking = tokio::task::spawn_blocking(move || self.look_now());
        looking.await.unwrap_or_else(|error| Err(format!("looking at the sources failed: {error}")))
    }

    fn look_now(&self) -> Result<Verdict, String> {
        let sources = find(&self.folder, &self.freshness.sources)?;
        let has_sources = !self.freshness.sources.is_empty();
        let is_made = self.is_made()?;
        match self.freshness.method {
            Method::Checksum if has_sources => self.by_checksum(&sources, is_made),
            Method::Timestamp if has_sources => self.by_time(&sources, is_made),
            Method::Checksum | Method::Timestamp | Method::None => {
                Ok(Verdict::without_sources(is_made.then(|| self.made().to_owned())))
            }
        }
    }

    fn made(&self) -> &'static str {
        match (self.freshness.generates.is_empty(), self.freshness.status.is_empty()) {
            (false, true) => "what it generates is there",
            (false, false) => "what it generates is there, and its status says so",
            (true, _) => "its status says so",
        }
    }

    /// Whether every pattern of what it generates matches something.
    fn is_made(&self) -> Result<bool, String> {
        for pattern in &self.freshness.generates {
            if find(&self.folder, std::slice::from_ref(pattern))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn by_checksum(&self, sources: &BTreeSet<PathBuf>, is_made: bool) -> Result<Verdict, String> {
        let fingerprint = self.checksum(sources)?;
        let same = self.last.as_ref().filter(|last| last.fingerprint == fingerprint);
        let same = same.filter(|_| is_made && !sources.is_empty());
        let fresh = same.map(|last| format!("inputs unchanged since {}#{}", last.task, last.number));
        Ok(Verdict { fresh, fingerprint })
    }

    /// Over the names and the contents of the sources, and what the job would do with them.
    fn checksum(&self, sources: &BTreeSet<PathBuf>) -> Result<Arc<str>, String> {
        let mut all = blake3::Hasher::new();
        all.update(self.recipe.as_bytes());
        for path in sources {
            let mut file =
                std::fs::File::open(self.folder.join(path)).map_err(|error| unreadable(path, &error))?;
            let mut content = blake3::Hasher::new();
            std::io::copy(&mut file, &mut content).map_err(|error| unreadable(path, &error))?;
            all.update(path.as_os_str().as_encoded_bytes())
                .update(&[0])
                .update(content.finalize().as_bytes());
        }
        Ok(all.finalize().to_hex()[..32].into())
    }

    fn by_time(&self, sources: &BTreeSet<PathBuf>, is_made: bool) -> Result<Verdict, String> {
        let made = find(&self.folder, &self.freshness.generates)?;
        let youngest = self.times(sources)?.into_iter().max();
        let oldest = self.times(&made)?.into_iter().min();
        let is_younger = youngest.zip(oldest).is_some_and(|(youngest, oldest)| youngest <= oldest);
        let fresh =
            (is_made && is_younger).then(|| "what it generates is younger than its sources".to_owned());
        Ok(Verdict::without_sources(fresh))
    }

    fn times(&self, paths: &BTreeSet<PathBuf>) -> Result<Vec<SystemTime>, String> {
        let time = |path: &PathBuf| {
            let modified = std::fs::metadata(self.folder.join(path)).and_then(|about| about.modified());
            modified.map_err(|error| unreadable(path, &error))
        };
        paths.iter().map(time).collect()
    }
}

/// What a job would do: when that changes, what it made before does not count.
pub(super) fn recipe(leaf: &Leaf, params: &Params) -> String {
    json!({ "action": leaf.action, "env": leaf.env, "working_dir": leaf.working_dir, "params": params })
        .to_string()
}

/// Why there would be nothing to do for a job right now. `None` when there would be, and when only a run finds out: the
/// job has expressions, or commands under `status`.
///
/// # Errors
/// What is wrong with a pattern, which file cannot be read, or what is wrong with the history.
pub fn fresh_now(root: &Path, history: &History, node: &Node) -> Result<Option<String>, String> {
    let leaf = &node.leaf;
    let Some(freshness) = leaf.freshness.clone().filter(|freshness| freshness.status.is_empty()) else {
        return Ok(None);
    };
    if leaf.is_templated || leaf.spread.is_some() || node.settles_params() {
        return Ok(None);
    }
    let last = history.fresh(&leaf.name).map_err(|error| error.to_string())?;
    if !knows_outputs(last.as_ref(), leaf) {
        return Ok(None);
    }
    let (folder, recipe) = (directory_of(leaf, root), recipe(leaf, &node.params));
    Freshening { freshness, folder, recipe, last }.look_now().map(|verdict| verdict.fresh)
}

/// Whether it is known what a job put out when it last had something to do, as far as it declares outputs.
pub(super) fn knows_outputs(last: Option<&Fresh>, leaf: &Leaf) -> bool {
    leaf.outputs.keys().all(|name| last.is_some_and(|last| last.outputs.contains_key(name)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("the source `{}` cannot be read: {error}", path.display())
}

/// The files below a folder that fit any of the patterns, relative to it. A pattern that is a path outside is looked up
/// as it is.
///
/// # Errors
/// What is wrong with a pattern.
pub(super) fn find(folder: &Path, patterns: &[String]) -> Result<BTreeSet<PathBuf>, String> {
    let mut found = BTreeSet::new();
    let mut roots: BTreeSet<PathBuf> = BTreeSet::new();
    let mut texts = Vec::new();
    for text in patterns {
        let pattern = Pattern::new(text);
        if pattern.is_plain() {
            let path = pattern.text();
            found.extend(folder.join(path).is_file().then(|| PathBuf::from(path)));
            continue;
        }
        roots.insert(pattern.folder().into());
        texts.push(pattern.text());
    }
    let wrong = |error: globset::Error| {
        let text = error.glob().unwrap_or_default().to_owned();
        format!("`{text}` is not a pattern: {error}")
    };
    let globs = globs(texts).map_err(wrong)?;
    for root in roots {
        walk(folder, &root, &globs, &mut found);
    }
    Ok(found)
}

/// What cannot be read holds nothing; links to folders are not followed, so the walk ends.
fn walk(folder: &Path, below: &Path, globs: &GlobSet, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder.join(below)) else { return };
    for entry in entries.flatten() {
        let path = below.join(entry.file_name());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            walk(folder, &path, globs, found);
        } else if globs.is_match(&path) {
            found.insert(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{RunId, TaskName};
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/deep")).unwrap();
        for file in ["src/a.c", "src/deep/b.c", "src/deep/b.h", "c.c", "out"] {
            fs::write(dir.path().join(file), file).unwrap();
        }
        dir
    }

    #[track_caller]
    fn check(folder: &Path, patterns: &[&str], expected: &[&str]) {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let found: Vec<PathBuf> = find(folder, &patterns).unwrap().into_iter().collect();
        assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{patterns:?}");
    }

    #[test]
    fn patterns_find_files() {
        let dir = folder();
        check(dir.path(), &["*.c"], &["c.c"]);
        check(dir.path(), &["**/*.c"], &["c.c", "src/a.c", "src/deep/b.c"]);
        check(dir.path(), &["src/**/*.{c,h}"], &["src/a.c", "src/deep/b.c", "src/deep/b.h"]);
        check(dir.path(), &["./out", "nothing", "src"], &["out"]);
        assert!(find(dir.path(), &["a[".into()]).unwrap_err().starts_with("`a[` is not a pattern"));
    }

    fn freshening(folder: &Path, method: Method, last: Option<&str>) -> Freshening {
        Freshening {
            freshness: Freshness {
                sources: vec!["src/**/*.c".into()],
                generates: vec!["out".into()],
                method,
                status: Vec::new(),
            },
            folder: folder.into(),
            recipe: "cc".into(),
            last: last.map(|fingerprint| Fresh {
                fingerprint: fingerprint.into(),
                run: RunId(5),
                task: TaskName::new("nightly").unwrap(),
                number: 127,
                outputs: Params::new(),
            }),
        }
    }

    #[test]
    fn unchanged_sources_need_no_work() {
        let dir = folder();
        let Verdict { fresh: None, fingerprint: now } =
            freshening(dir.path(), Method::Checksum, None).look_now().unwrap()
        else {
            panic!("it never ran")
        };
        let again = || freshening(dir.path(), Method::Checksum, Some(&now)).look_now().unwrap();
        assert_eq!(again().fresh.as_deref(), Some("inputs unchanged since nightly#127"));
        let other =
            Freshening { recipe: "gcc".into(), ..freshening(dir.path(), Method::Checksum, Some(&now)) };
        assert_eq!(other.look_now().unwrap().fresh, None);
        fs::write(dir.path().join("src/a.c"), "changed").unwrap();
        assert_eq!(again().fresh, None);
        fs::write(dir.path().join("src/a.c"), "src/a.c").unwrap();
        fs::remove_file(dir.path().join("out")).unwrap();
        assert_eq!(again().fresh, None);
    }

    #[test]
    fn what_is_made_must_not_be_older() {
        let dir = folder();
        let set = |file: &str, seconds| {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::open(dir.path().join(file)).unwrap().set_modified(time).unwrap();
        };
        set("src/a.c", 10);
        set("src/deep/b.c", 20);
        set("out", 30);
        let look = || freshening(dir.path(), Method::Timestamp, None).look_now().unwrap();
        assert_eq!(look().fresh.as_deref(), Some("what it generates is younger than its sources"));
        set("src/a.c", 40);
        assert_eq!(look().fresh, None);
    }
}
