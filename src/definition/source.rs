//! The text of one file, as the reader found it.
//!
//! Nothing here opens a file: whoever reads the disk hands the bytes in.

use super::problem::{Code, Finding, Problem};
use std::ops::Range;
use std::sync::Arc;

/// One file of the project: where it is and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path relative to the project, with `/`: `tasks/nightly.yaml`.
    pub path: Arc<str>,
    /// Its text. Where bytes were no UTF-8 there are replacement characters.
    pub text: Arc<str>,
    /// Why the text is not what the file says.
    fault: Option<Fault>,
}

/// Why there is no text that could be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    NotUtf8 { at: usize },
    Unreadable { reason: String },
}

impl Source {
    /// A file with this text.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Source {
        Source { path: path.into(), text: text.into(), fault: None }
    }

    /// A file with these bytes. When they are not UTF-8 the source is kept for what it can show, and decoding it
    /// gives problem E0111.
    ///
    /// ```
    /// use neap::definition::Source;
    /// assert_eq!(Source::from_bytes("tasks/a.yaml", b"run: ls").text.as_ref(), "run: ls");
    /// ```
    pub fn from_bytes(path: impl Into<Arc<str>>, bytes: &[u8]) -> Source {
        let fault = std::str::from_utf8(bytes).err().map(|error| Fault::NotUtf8 { at: error.valid_up_to() });
        Source { path: path.into(), text: String::from_utf8_lossy(bytes).into(), fault }
    }

    /// A file that is there but could not be read. Decoding it gives problem E0117 with this reason.
    pub fn unreadable(path: impl Into<Arc<str>>, reason: impl Into<String>) -> Source {
        Source {
            path: path.into(),
            text: "".into(),
            fault: Some(Fault::Unreadable { reason: reason.into() }),
        }
    }

    /// Line and column of a byte, both counted from 1; columns count characters.
    pub fn line_and_column(&self, at: usize) -> (usize, usize) {
        let at = floor(&self.text, at);
        let before = self.text.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        let column =
            before.get(start..).unwrap_or_default().trim_start_matches('\u{feff}').chars().count() + 1;
        (line, column)
    }

    /// The part of `span` that stands on its first line: what a caret can underline.
    pub(super) fn first_line(&self, span: &Range<usize>) -> Range<usize> {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end.max(start));
        let shown = self.text.get(start..end).unwrap_or_default();
        let line = shown.split('\n').next().unwrap_or_default().trim_end();
        start..start + line.len()
    }

    /// The problem of a source that has no usable text.
    pub(super) fn fault(&self) -> Option<Problem> {
        let finding = match self.fault.as_ref()? {
            Fault::NotUtf8 { at } => {
                Finding::new(Code::E0111, *at..*at + 1, "the file is not UTF-8 text", "this is not UTF-8")
                    .help("save the file with the encoding UTF-8")
            }
            Fault::Unreadable { reason } => Finding::new(
                Code::E0117,
                0..0,
                format!("the file cannot be read: {reason}"),
                "nothing is known about it",
            ),
        };
        Some(finding.settle(self))
    }
}

/// The last character boundary that is not after `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters() {
        let source = Source::new("tasks/a.yaml", "ä: b\nöö: c");
        assert_eq!(source.line_and_column(0), (1, 1));
        assert_eq!(source.line_and_column(2), (1, 2));
        assert_eq!(source.line_and_column(10), (2, 3));
        assert_eq!(source.line_and_column(999), (2, 6));
    }

    #[test]
    fn bytes_that_are_no_text_are_a_problem_with_a_place() {
        let problem = Source::from_bytes("tasks/a.yaml", b"run: a\nx: \xff").fault().unwrap();
        assert_eq!(problem.to_string(), "tasks/a.yaml:2:4: error[E0111]: the file is not UTF-8 text");
        let problem = Source::unreadable("tasks/a.yaml", "permission denied").fault().unwrap();
        assert_eq!(
            problem.to_string(),
            "tasks/a.yaml:1:1: error[E0117]: the file cannot be read: permission denied"
        );
    }
}
