//! Names for tasks that had none, or that had one which cannot be a file.

use crate::base::TaskName;
use std::collections::BTreeSet;

/// Names that were given out already, below one folder.
#[derive(Debug, Default)]
pub(super) struct Names {
    prefix: String,
    taken: BTreeSet<String>,
}

impl Names {
    /// Names of files below `tasks/PREFIX`; an empty prefix is `tasks/` itself.
    pub(super) fn below(prefix: &str) -> Names {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Names { prefix, taken: BTreeSet::new() }
    }

    /// A name like this one that nobody has yet, with the folder in front.
    pub(super) fn take(&mut self, wish: &str) -> String {
        let parts: Vec<String> = wish.split('/').map(clean).filter(|part| !part.is_empty()).collect();
        let stem = if parts.is_empty() { "task".to_owned() } else { parts.join("/") };
        let name = |number: usize| match number {
            1 => format!("{}{stem}", self.prefix),
            _ => format!("{}{stem}-{number}", self.prefix),
        };
        let is_free = |name: &String| !self.taken.contains(name) && TaskName::new(name).is_ok();
        let name = (1..).map(name).find(is_free).expect("there is no end to numbers");
        self.taken.insert(name.clone());
        name
    }
}

/// A part of a name: letters and digits, everything else as single hyphens.
pub(super) fn clean(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_start_matches(['-', '_']).trim_end_matches('-');
    name.chars().take(40).collect()
}

/// Takes a name for a child of a pipeline that no other child has.
pub(super) fn unique(wish: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let stem = match clean(wish) {
        stem if stem.is_empty() => "step".to_owned(),
        stem => stem,
    };
    let name = |number: usize| if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
    (1..).map(name).find(|name| !is_taken(name)).expect("there is no end to numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_clean_and_taken_once() {
        let mut names = Names::below("/imported/");
        let taken =
            ["backup.sh", "Backup.sh", "backup.sh", "", "docs/../x y", "--"].map(|wish| names.take(wish));
        let expected = ["backup-sh", "Backup-sh", "backup-sh-2", "task", "docs/x-y", "task-2"];
        assert_eq!(taken, expected.map(|name| format!("imported/{name}")));
        assert_eq!(unique("step one", |name| name == "step-one"), "step-one-2");
    }
}
