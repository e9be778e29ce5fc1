//! Problems: what is wrong in a file, where, why, and what to write instead.
//!
//! A problem is a value, not an error: a file has as many as it has, and each is shown. Drawing them with carets is a
//! matter for the faces; [`Problem::exhibits`] gives them what they need.

pub use super::codes::{Code, explain};
use super::slip;
use super::source::Source;
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One thing that is wrong, or worth saying, about a file.
///
/// Displays as one line for editors and CI: `tasks/nightly.yaml:12:5: error[E0104]: unknown field `timeot``.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Names the kind of problem; [`explain`] says more about it.
    pub code: Code,
    /// The file, relative to the project.
    pub file: Arc<str>,
    /// The bytes it is about.
    pub span: Range<usize>,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The character of that line, from 1.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What stands at the place, for the caret.
    pub label: String,
    /// Other places that belong to it.
    pub also: Vec<Place>,
    /// What to do.
    pub help: Option<String>,
    /// A change that would end it.
    pub fix: Option<Fix>,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
    /// There is a better way to write it.
    Hint,
}

/// A place that belongs to a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, relative to the project.
    pub file: Arc<str>,
    /// The bytes.
    pub span: Range<usize>,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The character of that line, from 1.
    pub column: usize,
    /// What stands there.
    pub label: String,
}

/// A change to the file of a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// The bytes to replace.
    pub span: Range<usize>,
    /// What to write instead.
    pub text: String,
}

/// A file and the marks that a problem sets in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhibit<'a> {
    /// The file with its text.
    pub source: &'a Source,
    /// The marked bytes with their labels.
    pub marks: Vec<Mark<'a>>,
}

/// Marked bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Which bytes.
    pub span: Range<usize>,
    /// What to say about them.
    pub label: &'a str,
    /// Whether they are the place of the problem itself.
    pub is_primary: bool,
}

impl Problem {
    /// Whether it keeps the file from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Every file the problem speaks about with the places to mark, its own file first.
    ///
    /// `find` gives the source of a file; files it does not know are left out.
    pub fn exhibits<'a>(&'a self, find: impl Fn(&str) -> Option<&'a Source>) -> Vec<Exhibit<'a>> {
        let mut exhibits: Vec<Exhibit<'a>> = Vec::new();
        let own = (&self.file, &self.span, self.label.as_str(), true);
        let others = self.also.iter().map(|place| (&place.file, &place.span, place.label.as_str(), false));
        for (file, span, label, is_primary) in std::iter::once(own).chain(others) {
            let mark = Mark { span: span.clone(), label, is_primary };
            match exhibits.iter_mut().find(|exhibit| exhibit.source.path == *file) {
                Some(exhibit) => exhibit.marks.push(mark),
                None => exhibits.extend(find(file).map(|source| Exhibit { source, marks: vec![mark] })),
            }
        }
        exhibits
    }

    /// What problems are sorted by: file, place, code.
    pub(super) fn order(&self) -> impl Ord + use<> {
        (self.file.clone(), self.span.start, self.code, self.span.end, self.message.clone())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { severity, code, file, line, column, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {severity}[{code}]: {message}")
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        })
    }
}

impl Place {
    pub(super) fn new(source: &Source, span: &Range<usize>, label: impl Into<String>) -> Place {
        let (line, column) = source.line_and_column(span.start);
        Place { file: source.path.clone(), span: source.first_line(span), line, column, label: label.into() }
    }
}

/// Makes every change that does not overlap an earlier one, and gives the new text.
///
/// ```
/// use neap::definition::{Fix, apply_fixes};
/// let fix = Fix { span: 0..3, text: "run".into() };
/// assert_eq!(apply_fixes("rnu: ls", [&fix]), "run: ls");
/// ```
pub fn apply_fixes<'a>(text: &str, fixes: impl IntoIterator<Item = &'a Fix>) -> String {
    let mut fixes: Vec<&Fix> = fixes.into_iter().collect();
    fixes.sort_by_key(|fix| (fix.span.start, fix.span.end));
    let mut fixed = String::with_capacity(text.len());
    let mut done = 0;
    for fix in fixes {
        if fix.span.start < done {
            continue;
        }
        let Some(kept) = text.get(done..fix.span.start) else { continue };
        fixed.push_str(kept);
        fixed.push_str(&fix.text);
        done = fix.span.end;
    }
    fixed.push_str(text.get(done..).unwrap_or_default());
    fixed
}

/// A problem while its file is still being decoded: bytes instead of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) code: Code,
    pub(super) span: Range<usize>,
    message: String,
    label: String,
    also: Vec<(Range<usize>, String)>,
    help: Option<String>,
    fix: Option<Fix>,
}

impl Finding {
    pub(super) fn new(
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Finding {
        let (message, label) = (one_line(message.into()), one_line(label.into()));
        Finding { code, span, message, label, also: Vec::new(), help: None, fix: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(one_line(help.into()));
        self
    }

    pub(super) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Finding {
        self.also.push((span, one_line(label.into())));
        self
    }

    pub(super) fn fix(mut self, span: Range<usize>, text: impl Into<String>) -> Finding {
        self.fix = Some(Fix { span, text: text.into() });
        self
    }

    /// Names the word of the language that was probably meant, or the words there are. It is written over the other one
    /// only when that is a slip of it.
    pub(super) fn suggest(
        self,
        written: &str,
        meant: Option<&str>,
        otherwise: impl FnOnce() -> String,
    ) -> Finding {
        let is_slip = meant.is_some_and(|meant| slip::of_word(written, meant));
        self.meant(meant, is_slip, otherwise)
    }

    /// The same for a name that people give: two of those are often nearly alike and mean different things.
    pub(super) fn suggest_name(
        self,
        written: &str,
        meant: Option<&str>,
        otherwise: impl FnOnce() -> String,
    ) -> Finding {
        let is_slip = meant.is_some_and(|meant| slip::of_name(written, meant));
        self.meant(meant, is_slip, otherwise)
    }

    fn meant(self, meant: Option<&str>, is_slip: bool, otherwise: impl FnOnce() -> String) -> Finding {
        let span = self.span.clone();
        match meant {
            Some(word) if is_slip => self.fix(span, word).help(format!("did you mean `{word}`?")),
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self.help(otherwise()),
        }
    }

    /// The problem at its place in `source`.
    pub(super) fn settle(self, source: &Source) -> Problem {
        let Place { file, span, line, column, label } = Place::new(source, &self.span, self.label);
        let also = self.also.into_iter().map(|(span, label)| Place::new(source, &span, label)).collect();
        let Finding { code, message, help, fix, .. } =
            Finding { label: String::new(), also: Vec::new(), ..self };
        Problem { severity: code.severity(), code, file, span, line, column, message, label, also, help, fix }
    }
}

/// What people wrote is quoted in messages, and a message is one line that no terminal takes for a command.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// A file shows at most this many problems: whoever has more mends these first.
const SHOWN: usize = 100;

/// The problems of one file in order, each once: an anchor that is used twice would repeat what is wrong in it.
pub(super) fn settle_all(mut findings: Vec<Finding>, source: &Source) -> Vec<Problem> {
    findings.sort_by(|a, b| {
        (a.span.start, a.code, a.span.end, &a.message).cmp(&(b.span.start, b.code, b.span.end, &b.message))
    });
    findings.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
    let hidden = findings.len().saturating_sub(SHOWN);
    findings.truncate(SHOWN);
    let mut problems: Vec<Problem> = findings.into_iter().map(|finding| finding.settle(source)).collect();
    if let (1.., Some(last)) = (hidden, problems.last_mut()) {
        let more = format!("{hidden} more problems in this file are not shown");
        last.help = Some(last.help.take().map_or(more.clone(), |help| format!("{help}; {more}")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_that_overlap_are_left_for_the_next_time() {
        let fix = |span, text: &str| Fix { span, text: text.into() };
        let fixes = [fix(4..6, "X"), fix(0..2, "Y"), fix(1..5, "Z"), fix(90..91, "!")];
        assert_eq!(apply_fixes("abcdef", &fixes), "YcdX");
    }

    #[test]
    fn messages_are_one_line() {
        let finding = Finding::new(Code::E0122, 0..0, "`a\n` is no\tword", "an \u{1b}[31mä").help("b\r");
        let problem = finding.settle(&Source::new("a", ""));
        assert_eq!(problem.message, "`a\\n` is no\\tword");
        assert_eq!((problem.label.as_str(), problem.help.as_deref()), ("an \\u{1b}[31mä", Some("b\\r")));
    }

    #[test]
    fn exhibits_are_grouped_by_file() {
        let (a, b) = (Source::new("a", "one\ntwo"), Source::new("b", "three"));
        let mut problem = Finding::new(Code::E0301, 4..7, "m", "first").also(0..3, "second").settle(&a);
        problem.also.push(Place::new(&b, &(0..5), "third"));
        let exhibits =
            problem.exhibits(|file| [&a, &b].into_iter().find(|source| source.path.as_ref() == file));
        let labels: Vec<Vec<&str>> =
            exhibits.iter().map(|exhibit| exhibit.marks.iter().map(|mark| mark.label).collect()).collect();
        assert_eq!(labels, [vec!["first", "second"], vec!["third"]]);
        assert!(exhibits[0].marks[0].is_primary && !exhibits[0].marks[1].is_primary);
    }

    #[test]
    fn too_many_problems_are_counted() {
        let source = Source::new("a", "x".repeat(300));
        let findings = (0..250).map(|i| Finding::new(Code::E0104, i..i + 1, "m", "l")).collect();
        let problems = settle_all(findings, &source);
        assert_eq!(problems.len(), 100);
        assert_eq!(problems[99].help.as_deref(), Some("150 more problems in this file are not shown"));
    }
}
