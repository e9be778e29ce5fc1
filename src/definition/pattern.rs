//! Patterns of paths: `src/**/*.c`. They mean the same wherever they stand. No file is looked at here.

use globset::{Error, GlobBuilder, GlobSet, GlobSetBuilder};

/// A pattern, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'p> {
    text: &'p str,
    fixed: &'p str,
}

impl<'p> Pattern<'p> {
    /// A leading `./` means nothing.
    pub fn new(text: &'p str) -> Pattern<'p> {
        let text = text.trim_start_matches("./");
        let fixed = text.find(['*', '?', '[', '{']).map_or(text, |first| &text[..first]);
        Pattern { text, fixed }
    }

    /// As it is matched.
    pub fn text(self) -> &'p str {
        self.text
    }

    /// Whether it is a path and nothing more.
    pub fn is_plain(self) -> bool {
        self.fixed.len() == self.text.len()
    }

    /// The folder in which all that it matches lies: empty for that to which it is relative, or with a slash at its end.
    pub fn folder(self) -> &'p str {
        self.fixed.rfind('/').map_or("", |slash| &self.fixed[..=slash])
    }

    /// How many folders deep below [`Pattern::folder`] its matches lie, the last name included; `None` when any number.
    pub fn depth(self) -> Option<usize> {
        let rest = &self.text[self.folder().len()..];
        let in_braces = rest.find('{').is_some_and(|brace| rest[brace..].contains('/'));
        (!rest.contains("**") && !in_braces).then(|| rest.split('/').count())
    }
}

/// These patterns, to be matched with paths.
///
/// # Errors
/// What is wrong with one of them.
pub fn globs<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<GlobSet, Error> {
    let mut globs = GlobSetBuilder::new();
    for pattern in patterns {
        globs.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    globs.build()
}

/// A path as a pattern that fits nothing else.
pub fn plain(path: &str) -> String {
    globset::escape(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, folder: &str, depth: Option<usize>) {
        let pattern = Pattern::new(text);
        assert_eq!((pattern.folder(), pattern.depth()), (folder, depth), "{text}");
    }

    #[test]
    fn a_pattern_says_where_it_looks() {
        check("*.c", "", Some(1));
        check("./in/*.csv", "in/", Some(1));
        check("/data/in/*/x*.csv", "/data/in/", Some(2));
        check("src/**/*.c", "src/", None);
        check("in/{a,b/c}/*.csv", "in/", None);
        check("in/a.csv", "in/", Some(1));
        check("../in*/a", "../", Some(2));
        assert!(Pattern::new("in/a.csv").is_plain() && !Pattern::new("in/?").is_plain());
    }
}
