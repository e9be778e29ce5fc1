//! Entries of `schedule` that fire when files change: `watch`.

use crate::base::Millis;
use crate::definition::fields::{Checker, Field, Path, list};
use crate::definition::keys;
use crate::definition::pattern::{Pattern, globs};
use crate::definition::problem::{Code, Finding};
use crate::definition::tree::{Kind, Node};
use crate::schedule::Occasion;

const USUAL: Millis = Millis::from_secs(1);
/// The times of files are not finer than this.
const SHORTEST: Millis = Millis(50);
const LONGEST: Millis = Millis::from_secs(3600);
/// More patterns than this are a list of files, which is better described by a pattern.
const MOST: usize = 64;
/// A path is no longer.
const LONGEST_PATH: usize = 4096;

/// `watch: PATTERN`, a list of them, or `watch: {paths, settle}`.
pub(super) fn watch(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> Option<Occasion> {
    if !matches!(field.value.kind, Kind::Map(_)) {
        return Some(Occasion::Watch { paths: paths(checker, field)?.into(), settle: USUAL });
    }
    let path = above.child("watch");
    let (mut found, mut settle, mut is_named) = (None, Some(USUAL), false);
    for inner in checker.fields(field.value, &path)? {
        match inner.key {
            "paths" => {
                is_named = true;
                found = paths(checker, &inner);
            }
            "settle" => {
                settle = checker.span(inner.value, "settle", false).and_then(|s| within(checker, &inner, s))
            }
            _ => {
                is_named = true;
                checker.unknown(&inner, &path, &keys::WATCH);
            }
        }
    }
    if !is_named {
        let place = field.place.clone();
        checker.report(Finding::new(Code::E0130, place, "`watch` names no files", "`paths` is required"));
    }
    Some(Occasion::Watch { paths: found?.into(), settle: settle? })
}

fn within(checker: &mut Checker, field: &Field<'_>, settle: Millis) -> Option<Millis> {
    if (SHORTEST..=LONGEST).contains(&settle) {
        return Some(settle);
    }
    let label = if settle < SHORTEST { "too short" } else { "too long" };
    let message = "`settle` must be from 50ms to 1h";
    checker.report(Finding::new(Code::E0121, field.value.span.clone(), message, label));
    None
}

fn paths(checker: &mut Checker, field: &Field<'_>) -> Option<Vec<String>> {
    let items = list(field.value);
    let place = field.value.span.clone();
    if items.is_empty() {
        match field.value.kind {
            Kind::Null => checker.no_value(field.value, field.key),
            _ => {
                checker.report(Finding::new(Code::E0134, place, "no files are watched", "this list is empty"))
            }
        }
        return None;
    }
    if items.len() > MOST {
        let message = format!("{} patterns are more than {MOST}", items.len());
        let finding = Finding::new(Code::E0127, place, message, "these are too many");
        checker.report(finding.help("let one pattern stand for several: `in/*.{csv,txt}`"));
        return None;
    }
    let found: Vec<Option<String>> = items.iter().map(|item| pattern(checker, item)).collect();
    found.into_iter().collect()
}

fn pattern(checker: &mut Checker, item: &Node<'_>) -> Option<String> {
    let text = checker.filled_text(item, "watch")?;
    let Some((message, label, help)) = fault(&text) else { return Some(text) };
    let finding = Finding::new(Code::E0127, item.span.clone(), message, label);
    checker.report(match help {
        Some(help) => finding.help(help),
        None => finding,
    });
    None
}

/// What keeps a pattern from being watched, where in it, and what to do.
fn fault(text: &str) -> Option<(String, &'static str, Option<String>)> {
    let pattern = Pattern::new(text);
    let names = || pattern.text().split('/');
    if text.len() > LONGEST_PATH {
        return Some((
            format!("the pattern is longer than {LONGEST_PATH} bytes"),
            "no path is so long",
            None,
        ));
    }
    if text.contains(char::is_control) {
        return Some((
            "the pattern holds a control character".into(),
            "it cannot be shown",
            Some("write `?` for it".into()),
        ));
    }
    if names().next() == Some(".neap") {
        let message = format!("`{text}` cannot be watched: neap writes there itself");
        return Some((message, "the state of the host", None));
    }
    if let Some(folder) = text.strip_suffix('/') {
        let help = format!("write `{folder}/*` for the files in it, or `{folder}/**/*` for those below it");
        return Some((
            format!("`{text}` is a folder, and files are watched"),
            "no file is called so",
            Some(help),
        ));
    }
    if matches!(names().next_back(), Some("" | "." | ".."))
        || names().skip(1).any(|name| matches!(name, "" | "."))
    {
        return Some((format!("`{text}` is no path of a file"), "no file is called so", None));
    }
    let error = globs([pattern.text()]).err()?;
    Some((format!("`{text}` is not a pattern: {}", error.kind()), "this cannot be read", None))
}
