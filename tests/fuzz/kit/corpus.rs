//! What people wrote: every YAML fence of the documents, every file of the tests and the samples.

use std::fs;
use std::path::{Path, PathBuf};

/// All of it, in the same order every time.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let pages =
        files(&root.join("docs")).into_iter().chain([root.join("README.md"), root.join("CONTRIBUTING.md")]);
    for page in pages.filter(|path| is(path, &["md"])) {
        fences(&fs::read_to_string(page).unwrap(), &mut found);
    }
    for folder in ["tests/definition", "tests/data/import", "tasks", "examples"] {
        let yaml = files(&root.join(folder)).into_iter().filter(|path| is(path, &["yaml", "yml"]));
        found.extend(yaml.map(|path| fs::read(path).unwrap()));
    }
    found.push(fs::read(root.join("neap.yaml")).unwrap());
    assert!(found.len() > 200, "the corpus has only {} texts", found.len());
    found
}

fn is(path: &Path, endings: &[&str]) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| endings.contains(&ending))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut rest) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = rest.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { rest.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The fences of a page whose language begins with `yaml`.
fn fences(page: &str, found: &mut Vec<Vec<u8>>) {
    let mut open: Option<(bool, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(language), None) => open = Some((language.starts_with("yaml"), String::new())),
            (Some(_), Some(_)) => {
                let whole = open.take().filter(|(is_yaml, _)| *is_yaml);
                found.extend(whole.map(|(_, text)| text.into_bytes()));
            }
            (None, Some((_, text))) => text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
}
