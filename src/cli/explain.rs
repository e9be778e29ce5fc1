//! `neap explain`: what a key or a code means; without one, all of them.

use super::args;
use super::error::Failure;
use super::output::{BOLD, DIM, Output, Table, print, styled};
use crate::base::did_you_mean;
use crate::definition::Code;
use crate::definition::keys::{self, Entry, Found, Key, Object};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(crate) fn explain(args: &args::Explain, output: &Output) -> Result<ExitCode, Failure> {
    match &args.what {
        Some(text) => one(&find(text)?, output)?,
        None => all(output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Something that can be explained.
enum Subject {
    Code(Code),
    Key(Box<Entry>),
    /// Several keys have this name.
    Keys(Vec<Entry>),
}

fn find(text: &str) -> Result<Subject, Failure> {
    if let Some(code) = Code::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text)) {
        return Ok(Subject::Code(*code));
    }
    match keys::find(text) {
        Found::Entries(mut entries) if entries.len() == 1 => Ok(Subject::Key(Box::new(entries.remove(0)))),
        Found::Entries(entries) => Ok(Subject::Keys(entries)),
        Found::Nothing { meant } => Err(nothing(text, meant)),
    }
}

fn nothing(text: &str, meant: Option<String>) -> Failure {
    let looks_like_a_code = text.starts_with(['E', 'W', 'H']);
    let code = did_you_mean(text, Code::ALL.iter().map(|code| code.as_str())).map(str::to_owned);
    let near = if looks_like_a_code { code } else { meant };
    let failure = Failure::usage(format!("there is no key and no code `{text}`"));
    match near {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`neap explain` lists them all"),
    }
}

fn one(subject: &Subject, output: &Output) -> Result<(), Failure> {
    if output.json {
        return output.print_json(&match subject {
            Subject::Code(code) => code_document(*code),
            Subject::Key(entry) => document(entry),
            Subject::Keys(entries) => entries.iter().map(document).collect(),
        });
    }
    match subject {
        Subject::Code(code) => {
            print(&format!("{BOLD}{} {code}{BOLD:#}\n{}", code.severity(), wrapped(code.about())))
        }
        Subject::Key(entry) => print(&page(entry)),
        Subject::Keys(entries) => {
            let mut table = Table::new(&["KEY", "ABOUT"]);
            rows(&mut table, entries);
            print(&table.render(output.is_terminal))
        }
    }
}

fn all(output: &Output) -> Result<(), Failure> {
    let entries = keys::all();
    if output.json {
        let keys: Vec<Value> = entries.iter().map(document).collect();
        let codes: Vec<Value> = Code::ALL.iter().copied().map(code_document).collect();
        return output.print_json(&json!({ "keys": keys, "codes": codes }));
    }
    let mut text = String::new();
    for (title, entries) in by_subject(&entries) {
        let mut table = Table::new(&[title, ""]);
        rows(&mut table, entries);
        text += &format!("{}\n", table.render(output.is_terminal));
    }
    let mut codes = Table::new(&["Codes of check", ""]);
    for code in Code::ALL {
        codes.row([styled(code.as_str(), BOLD), first_sentence(code.about()).into()]);
    }
    print(&(text + &codes.render(output.is_terminal)))
}

/// The entries in their order, under the titles of the reference page.
fn by_subject(entries: &[Entry]) -> Vec<(&'static str, Vec<&Entry>)> {
    let mut groups: Vec<(&'static str, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        let title = match entry {
            Entry::Key { key, .. } => keys::title_of(key),
            Entry::Later { .. } => Some("Not yet"),
            Entry::Action(_) => Some("Built-in actions"),
        };
        match (title, groups.last_mut()) {
            (Some(title), last) if last.as_ref().is_none_or(|(other, _)| *other != title) => {
                groups.push((title, vec![entry]));
            }
            (_, Some((_, group))) => group.push(entry),
            (_, None) => {}
        }
    }
    groups
}

fn rows<'e>(table: &mut Table, entries: impl IntoIterator<Item = &'e Entry>) {
    for entry in entries {
        table.row([styled(entry.path(), BOLD), first_sentence(entry.about()).into()]);
    }
}

fn code_document(code: Code) -> Value {
    json!({ "code": code.as_str(), "severity": code.severity(), "about": code.about() })
}

fn document(entry: &Entry) -> Value {
    match entry {
        Entry::Key { path, key, example } => json!({
            "key": path,
            "about": key.about,
            "more": key.more,
            "value": key.shape.words(),
            "words": key.shape.choices().iter().map(|(word, _)| *word).collect::<Vec<_>>(),
            "default": keys::without(key),
            "required": key.is_required,
            "places": key.places.names().collect::<Vec<_>>(),
            "keys": inner(key).collect::<Vec<_>>(),
            "aliases": key.aliases,
            "elsewhere": key.foreign,
            "example": example,
            "since": env!("CARGO_PKG_VERSION"),
        }),
        Entry::Later { path, later } => {
            json!({ "key": path, "about": later.about, "since": null, "instead": later.instead })
        }
        Entry::Action(action) => json!({
            "action": action.path,
            "about": action.title,
            "keys": action.keys().map(|key| format!("{}.{}", action.path, key.name)).collect::<Vec<_>>(),
        }),
    }
}

fn page(entry: &Entry) -> String {
    match entry {
        Entry::Key { path, key, example } => key_page(path, key, example),
        Entry::Later { path, later } => {
            let mut text = format!("{BOLD}{path}{BOLD:#}\n{}\n", wrapped(later.about));
            text += "This version does not have it; a file with it does not load (E0150).\n";
            text + &later.instead.map_or(String::new(), |instead| format!("For now: {instead}.\n"))
        }
        Entry::Action(action) => action_page(action),
    }
}

fn key_page(path: &str, key: &Key, example: &str) -> String {
    let mut text = format!("{BOLD}{path}{BOLD:#}\n{}\n", wrapped([key.about, key.more].join(" ").trim_end()));
    let mut table = Table::default();
    let mut row = |name: &str, text: String| table.row([styled(name, DIM), text.into()]);
    row("value", key.shape.words());
    match keys::without(key) {
        Some(words) => row("without it", words),
        None if key.is_required => row("without it", "it must be given".to_owned()),
        None => {}
    }
    let places: Vec<&str> = key.places.names().collect();
    if !places.is_empty() {
        row("stands in", places.join(", "));
    }
    for (word, about) in key.shape.choices() {
        row(word, (*about).to_owned());
    }
    let inner: Vec<String> = inner(key).collect();
    if !inner.is_empty() {
        row("keys in it", inner.join(", "));
    }
    if !key.aliases.is_empty() {
        row("also", key.aliases.join(", "));
    }
    if !key.foreign.is_empty() {
        row("elsewhere", key.foreign.join(", "));
    }
    text += &table.render(true);
    if !example.is_empty() {
        text += &format!("\n{DIM}{}{DIM:#}\n", example.trim_end());
    }
    text
}

fn action_page(action: &Object) -> String {
    let mut text = format!("{BOLD}uses: {}{BOLD:#}\n{}\n", action.path, wrapped(action.title));
    let mut table = Table::new(&["WITH", "VALUE", "ABOUT"]);
    for key in action.keys() {
        table.row([styled(key.name, BOLD), key.shape.words().into(), key.about.into()]);
    }
    text += &table.render(true);
    text
}

/// Where the keys below this one are found, save those of children and the like.
fn inner(key: &Key) -> impl Iterator<Item = String> {
    let objects = key.shape.objects().into_iter().filter(|object| object.is_small());
    let mut paths: Vec<String> = objects
        .flat_map(|object| object.names().map(move |name| format!("{}.{name}", object.path)))
        .collect();
    paths.dedup();
    paths.into_iter()
}

/// Lines are this long at most, so that they read well on any terminal.
const WIDTH: usize = 80;

fn wrapped(about: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in about.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            text.push('\n');
            width = 0;
        }
        if width > 0 {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += length;
    }
    text + "\n"
}

/// All of it up to the first full stop.
pub(crate) fn first_sentence(about: &str) -> &str {
    about.split_once(". ").map_or(about.trim_end_matches('.'), |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(text: &str) -> Vec<String> {
        find(text).err().unwrap().hints
    }

    #[test]
    fn codes_and_keys_are_found_and_guessed_otherwise() {
        assert!(matches!(find("e0301").unwrap(), Subject::Code(Code::E0301)));
        assert!(matches!(find("retry.backoff").unwrap(), Subject::Key(_)));
        assert!(matches!(find("max_parallel").unwrap(), Subject::Keys(_)));
        assert_eq!(hints("E301"), ["did you mean `E0301`?"]);
        assert_eq!(hints("timeot"), ["did you mean `timeout`?"]);
        assert_eq!(hints("help!"), ["`neap explain` lists them all"]);
    }

    #[test]
    fn a_paragraph_is_wrapped() {
        for &code in Code::ALL {
            let text = wrapped(code.about());
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            let words: Vec<&str> = text.lines().flat_map(|line| line.split(' ')).collect();
            assert_eq!(words.join(" "), code.about());
            assert!(!first_sentence(code.about()).ends_with('.'));
        }
    }

    #[test]
    fn everything_has_a_page_and_a_group() {
        let entries = keys::all();
        assert!(entries.iter().all(|entry| page(entry).contains(entry.path())));
        let listed: usize = by_subject(&entries).iter().map(|(_, entries)| entries.len()).sum();
        assert_eq!(listed, entries.len());
    }
}
