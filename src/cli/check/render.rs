//! A problem drawn as a compiler draws it: the title, the lines with marks, what to write instead.
//!
//! Pure: problems in, text out. Colours are always written; the stream takes them away where they are not wanted.

use crate::definition::{Exhibit, Problem, Severity, Source};
use crate::lua::ScriptProblem;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use std::ops::Range;

/// Draws a problem of a YAML file. `find` gives the source of a file by its path.
pub(super) fn problem<'a>(problem: &'a Problem, find: impl Fn(&str) -> Option<&'a Source>) -> String {
    let exhibits = problem.exhibits(&find);
    let title = level(problem.severity).primary_title(&problem.message).id(problem.code.as_str());
    let snippets: Vec<Snippet<'_, Annotation<'_>>> = exhibits.iter().filter_map(snippet).collect();
    let main = match snippets.is_empty() {
        true => title.element(origin(problem)).element(Level::NOTE.message(&problem.label)),
        false => title.elements(snippets),
    };
    let mut groups = vec![main];
    groups.extend(advice(problem, find(&problem.file)));
    Renderer::styled().render(&groups)
}

/// Draws a problem of a script, of which a line is known and no column.
pub(super) fn script_problem(problem: &ScriptProblem) -> String {
    let title = Level::ERROR.primary_title(&problem.message);
    let text: String = problem.excerpt.iter().map(|(_, line)| format!("{line}\n")).collect();
    let first = problem.excerpt.first().map_or(1, |(number, _)| *number);
    let mark = problem.line.and_then(|line| line_span(&text, line.checked_sub(first)? as usize));
    let main = match mark {
        Some(mark) => title.element(
            Snippet::source(&text)
                .path(&problem.file)
                .line_start(first as usize)
                .annotation(AnnotationKind::Primary.span(mark)),
        ),
        None => title.element(match problem.line {
            Some(line) => Origin::path(&problem.file).line(line as usize),
            None => Origin::path(&problem.file),
        }),
    };
    let mut groups = vec![main];
    groups.extend(problem.hint.as_ref().map(|hint| Group::with_title(Level::HELP.secondary_title(hint))));
    Renderer::styled().render(&groups)
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::HELP.with_name("hint"),
    }
}

/// The place alone, for a file of which there is nothing to show.
fn origin(problem: &Problem) -> Origin<'_> {
    Origin::path(&*problem.file).line(problem.line).char_column(problem.column)
}

fn snippet<'a>(exhibit: &Exhibit<'a>) -> Option<Snippet<'a, Annotation<'a>>> {
    let spans = || exhibit.marks.iter().map(|mark| &mark.span);
    let from = spans().map(|span| span.start).min()?;
    let to = spans().map(|span| floor(&exhibit.source.text, span.end.min(span.start + LONGEST))).max()?;
    let window = Window::around(&exhibit.source.text, from..to)?;
    let marks = exhibit.marks.iter().map(|mark| {
        let kind = if mark.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        kind.span(window.inside(&mark.span)).label(mark.label)
    });
    Some(window.snippet(exhibit.source).annotations(marks.collect::<Vec<_>>()))
}

/// What stands further behind a mark, or further inside of it, is not shown: what draws goes over it letter by letter.
const LONGEST: usize = 64 << 10;

/// A longer change is made and not drawn: every line of it would be compared with every other.
const DRAWN: usize = 4 << 10;

/// What to do, with the change drawn when there is one.
fn advice<'a>(problem: &'a Problem, source: Option<&'a Source>) -> Option<Group<'a>> {
    let words = match (&problem.help, &problem.fix) {
        (Some(help), _) => help.as_str(),
        (None, Some(_)) => "write",
        (None, None) => return None,
    };
    let group = Group::with_title(Level::HELP.secondary_title(words));
    let patched = problem.fix.as_ref().zip(source).and_then(|(fix, source)| {
        source.text.get(fix.span.clone())?;
        if fix.span.len().max(fix.text.len()) > DRAWN {
            return None;
        }
        let window = Window::around(&source.text, fix.span.clone())?;
        let patch = Patch::new(window.inside(&fix.span), fix.text.as_str());
        Some(Snippet::source(window.text).line_start(window.line).patch(patch))
    });
    Some(match patched {
        Some(patched) => group.element(patched),
        None => group,
    })
}

/// The whole lines of a text around some bytes. What draws looks at everything it is given, and a file may be large.
struct Window<'a> {
    text: &'a str,
    /// Where it begins in the file.
    start: usize,
    /// The number of its first line, from 1.
    line: usize,
}

impl<'a> Window<'a> {
    /// `None` when there is nothing to see.
    fn around(text: &'a str, span: Range<usize>) -> Option<Window<'a>> {
        let before = text.get(..span.start)?;
        let mut start = before.rfind('\n').map_or(0, |newline| newline + 1);
        if start == 0 && text.starts_with('\u{feff}') {
            start = '\u{feff}'.len_utf8();
        }
        let after = text.get(span.end..)?;
        let end = floor(text, span.end + after.find('\n').unwrap_or(after.len()).min(LONGEST));
        let text = text.get(start..end)?;
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
        (!text.is_empty()).then_some(Window { text, start, line })
    }

    fn inside(&self, span: &Range<usize>) -> Range<usize> {
        let place = |at: usize| at.saturating_sub(self.start).min(self.text.len());
        place(span.start)..place(span.end)
    }

    fn snippet(&self, source: &'a Source) -> Snippet<'a, Annotation<'a>> {
        Snippet::source(self.text).path(&*source.path).line_start(self.line)
    }
}

/// The last character boundary that is not after `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The words of a line, without the blanks around them; `None` when there is no such line.
fn line_span(text: &str, index: usize) -> Option<Range<usize>> {
    let start: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
    let line = text.get(start..)?.lines().next()?;
    let words = line.trim();
    let start = start + (line.len() - line.trim_start().len());
    (!words.is_empty()).then_some(start..start + words.len())
}
