//! Which files a schedule waits for, and in which folders they can be.

use crate::definition::{Pattern, globs, plain};
use globset::GlobSet;
use std::path::{Path, PathBuf};

/// The patterns of one schedule.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Relative patterns are seen from here.
    root: PathBuf,
    /// What lies below is nobody's business: the host writes there.
    own: PathBuf,
    relative: GlobSet,
    absolute: GlobSet,
    pub(super) starts: Vec<Start>,
}

/// A folder in which matches can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) folder: PathBuf,
    /// How many names deep; `None` for any number.
    depth: Option<usize>,
    /// The folders from here down to it are watched too, so that it is noticed when one of them comes or is replaced.
    top: PathBuf,
}

impl Wanted {
    /// # Errors
    /// What is wrong with a pattern.
    pub(super) fn new(root: &Path, own: &Path, patterns: &[String]) -> Result<Wanted, globset::Error> {
        let (mut relative, mut absolute, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for pattern in patterns.iter().map(|text| Pattern::new(text)) {
            let is_absolute = pattern.text().starts_with('/');
            let texts = if is_absolute { &mut absolute } else { &mut relative };
            let top = if is_absolute { Path::new("/") } else { root };
            let start = |below: &str, depth| {
                // A path that ends with a slash is another path to those who compare texts.
                let folder = root.join(below).components().collect();
                Start { folder, depth, top: top.to_owned() }
            };
            starts.push(start(pattern.folder(), pattern.depth()));
            if pattern.is_plain() {
                // It may be a folder: the files in it are meant.
                let path = plain(pattern.text());
                starts.push(start(pattern.text(), Some(1)));
                texts.extend([format!("{path}/*"), path]);
            } else {
                texts.push(pattern.text().to_owned());
            }
        }
        let set = |texts: &[String]| globs(texts.iter().map(String::as_str));
        Ok(Wanted {
            root: root.to_owned(),
            own: own.to_owned(),
            relative: set(&relative)?,
            absolute: set(&absolute)?,
            starts,
        })
    }

    /// Whether a file of this name counts.
    pub(super) fn is_match(&self, path: &Path) -> bool {
        !path.starts_with(&self.own)
            && (self.absolute.is_match(path)
                || path.strip_prefix(&self.root).is_ok_and(|below| self.relative.is_match(below)))
    }

    /// Whether matches can be in this folder.
    pub(super) fn enters(&self, folder: &Path) -> bool {
        let is_within = |start: &Start| {
            let below = folder.strip_prefix(&start.folder);
            below.is_ok_and(|below| start.depth.is_none_or(|depth| below.components().count() < depth))
        };
        !folder.starts_with(&self.own) && self.starts.iter().any(is_within)
    }

    /// Whether this is a folder with matches, or one on the way to it.
    pub(super) fn leads_to(&self, path: &Path) -> bool {
        self.starts.iter().any(|start| start.folder.starts_with(path))
    }
}

impl Start {
    /// The folders on the way to it, the highest first, it included.
    pub(super) fn way(&self) -> Vec<&Path> {
        let mut way: Vec<&Path> =
            self.folder.ancestors().take_while(|above| above.starts_with(&self.top)).collect();
        if way.is_empty() {
            way.push(&self.folder); // It lies outside of the project: `../other`.
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(patterns: &[&str]) -> Wanted {
        let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
        Wanted::new(Path::new("/p"), Path::new("/p/.neap"), &patterns).unwrap()
    }

    #[track_caller]
    fn matches(patterns: &[&str], path: &str, expected: bool) {
        assert_eq!(wanted(patterns).is_match(Path::new(path)), expected, "{patterns:?} {path}");
    }

    #[track_caller]
    fn enters(patterns: &[&str], folder: &str, expected: bool) {
        assert_eq!(wanted(patterns).enters(Path::new(folder)), expected, "{patterns:?} {folder}");
    }

    #[test]
    fn only_what_a_pattern_names_counts() {
        matches(&["in/*.csv"], "/p/in/a.csv", true);
        matches(&["./in/*.csv"], "/p/in/a.csv", true);
        matches(&["in/*.csv"], "/p/in/a\n'\".csv", true);
        matches(&["in/*.csv"], "/p/in/a.csv.part", false);
        matches(&["in/*.csv"], "/p/in/b/a.csv", false);
        matches(&["in/*.csv"], "/other/in/a.csv", false);
        matches(&["in/[ab].csv", "/q/*.x"], "/q/1.x", true);
        matches(&["in"], "/p/in", true);
        matches(&["in"], "/p/in/a", true);
        matches(&["in"], "/p/in/a/b", false);
        matches(&["in/a b.x"], "/p/in/a b.x", true);
        matches(&["**/*"], "/p/.neap/runs/1", false);
        matches(&["../q/*"], "/p/../q/a", true);
    }

    #[test]
    fn only_folders_that_can_hold_matches_are_entered() {
        enters(&["in/*.csv"], "/p/in", true);
        enters(&["in/*.csv"], "/p/in/a", false);
        enters(&["in/*/*.csv"], "/p/in/a", true);
        enters(&["in/**/*.csv"], "/p/in/a/b/c", true);
        enters(&["in"], "/p/in", true);
        enters(&["in"], "/p", true);
        enters(&["in/a.csv"], "/p/out", false);
        enters(&["**/*"], "/p/.neap", false);
        assert!(wanted(&["a/b/*"]).leads_to(Path::new("/p/a")));
        assert!(!wanted(&["a/b/*"]).leads_to(Path::new("/p/c")));
    }

    #[test]
    fn the_way_to_a_folder_begins_at_the_project() {
        let way = |pattern: &str| -> Vec<String> {
            wanted(&[pattern]).starts[0].way().iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(way("a/b/*"), ["/p", "/p/a", "/p/a/b"]);
        assert_eq!(way("/a/*"), ["/", "/a"]);
        assert_eq!(way("*"), ["/p"]);
    }
}
