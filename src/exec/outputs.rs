//! What a job hands on to other jobs: the lines of its outputs file, and what a function adds to them.
//!
//! The file is the job's to write, so nothing about it is believed: not that it is a file, nor that it is small.

use super::mask::Masks;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The outputs of one attempt, masked.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    pub(super) text: String,
    /// There was more than is kept.
    pub(super) is_cut: bool,
}

/// Outputs are answers, not files: 1 MiB of them.
const MOST: usize = 1 << 20;

impl Outputs {
    /// Reads what a job has left at `path`, and removes it.
    pub(super) fn collect(path: &Path, masks: &Masks) -> Outputs {
        if path.as_os_str().is_empty() {
            return Outputs::default();
        }
        let read = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Outputs::default(),
            Err(error) => Err(error),
            Ok(file) => Outputs::read(file, masks),
        };
        let outputs = read.unwrap_or_else(|error| {
            tracing::warn!("the outputs in `{}` are not read: {error}", path.display());
            Outputs::default()
        });
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!("the outputs file `{}` could not be removed: {error}", path.display());
        }
        outputs
    }

    fn read(file: File, masks: &Masks) -> io::Result<Outputs> {
        let mut bytes = Vec::new();
        file.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
        let is_cut = bytes.len() > MOST;
        bytes.truncate(MOST);
        let (mut stream, mut masked) = (masks.stream(), Vec::with_capacity(bytes.len()));
        stream.feed(&bytes, &mut masked);
        // What is held back at the cut may be the beginning of a secret, and stays unseen.
        if !is_cut {
            stream.finish(&mut masked);
        }
        Ok(Outputs { text: String::from_utf8_lossy(&masked).into_owned(), is_cut })
    }

    /// Adds a value whose text is masked already, as a job would write it.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.join(Outputs { text: entry(name, value), is_cut: false });
    }

    /// Adds others behind these, if there is room for all of them.
    pub(super) fn join(&mut self, other: Outputs) {
        let is_torn = !(self.text.is_empty() || self.text.ends_with('\n') || other.text.is_empty());
        let separator = if is_torn { "\n" } else { "" };
        let has_room = self.text.len() + separator.len() + other.text.len() <= MOST;
        self.is_cut |= other.is_cut || !has_room;
        if has_room {
            self.text.extend([separator, &other.text]);
        }
    }
}

/// Opens the file if it is one; a link is not followed and a named pipe not waited for.
fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// `name=value`, or for a value of several lines all of them between two marks that are none of them.
fn entry(name: &str, value: &str) -> String {
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut mark = String::from("END");
    while value.split(['\n', '\r']).any(|line| line == mark) {
        mark.push('_');
    }
    format!("{name}<<{mark}\n{value}\n{mark}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(entry("name", value), expected);
    }

    #[test]
    fn a_value_of_several_lines_stands_between_marks() {
        check("", "name=\n");
        check("a=b <<END", "name=a=b <<END\n");
        check("a\nb", "name<<END\na\nb\nEND\n");
        check("a\n", "name<<END\na\n\nEND\n");
        check("END\nEND_", "name<<END__\nEND\nEND_\nEND__\n");
        check("a\rEND", "name<<END_\na\rEND\nEND_\n");
    }

    #[test]
    fn outputs_have_a_bound() {
        let mut outputs = Outputs { text: "torn".into(), is_cut: false };
        outputs.add("a", "b");
        assert_eq!((outputs.text.as_str(), outputs.is_cut), ("torn\na=b\n", false));
        outputs.add("large", &"x".repeat(MOST));
        outputs.add("c", "d");
        assert_eq!((outputs.text.as_str(), outputs.is_cut), ("torn\na=b\nc=d\n", true));
    }

    #[test]
    fn what_is_cut_ends_before_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outputs");
        let text = format!("{}hunter2", "x".repeat(MOST - 3));
        std::fs::write(&path, text).unwrap();
        let outputs = Outputs::collect(&path, &Masks::new(["hunter2"]));
        assert!(outputs.is_cut);
        assert_eq!(outputs.text, "x".repeat(MOST - 3));
        assert!(!path.exists());
    }
}
