//! What every step of a Dagu file is given: parameters, variables, a directory, a shell.

use super::super::foreign::{self, entries};
use super::{Block, Dag, get, short};
use serde_yaml::Value;

/// Variables that steps can have: those that are known now, and those that the script must ask the shell for.
#[derive(Default)]
pub(super) struct Env {
    pub(super) known: Block,
    pub(super) asked: Vec<String>,
}

impl Dag<'_> {
    /// `params`: a text with words or `NAME=value`, a list, or a mapping.
    pub(super) fn declare(&mut self, block: &mut Block) {
        let Some(value) = get(self.root, "params") else { return };
        let mut params = Block::default();
        let mut number = 0;
        for (name, default) in given(value) {
            number += usize::from(name.is_none());
            let own = name.clone().unwrap_or_else(|| format!("P{number}"));
            let key = name.unwrap_or_else(|| number.to_string());
            let is_good = is_identifier(&own) && !default.contains("${{");
            if !is_good || default.contains(['`', '$']) {
                let why = "its value is not known before the run; give it with `neap run`";
                self.untold(&mut params, &["params"], format!("{own}={default}"), why);
            }
            let is_known = is_good && !default.contains(['`', '$']);
            if is_identifier(&own) {
                self.params.insert(key, format!("${{PARAM_{}}}", own.to_ascii_uppercase()));
                let default = if is_known { default } else { String::new() };
                params.short(&own, &[("type", "string".into()), ("default", default)]);
            }
        }
        block.block("params", params);
    }

    /// A command with the parameters in Dagu's words replaced by ours.
    pub(super) fn told(&self, text: &str) -> String {
        let mut told = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            told.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, length) = name_of(rest);
            match self.params.get(name) {
                Some(ours) => told.push_str(ours),
                None => told.push_str(&rest[..length]),
            }
            rest = &rest[length..];
        }
        told + rest
    }

    /// The variables of the whole and of a step.
    pub(super) fn env(&mut self, step: &Value, path: &[&str]) -> Env {
        let mut env = Env::default();
        let all = [get(self.root, "env"), get(step, "env")];
        for (name, value) in all.into_iter().flatten().flat_map(pairs).collect::<Vec<_>>() {
            if !is_identifier(&name) || value.contains("${{") {
                self.untold(
                    &mut env.known,
                    path,
                    format!("env.{name}: {value}"),
                    "this cannot be a variable here",
                );
            } else if value.contains(['$', '`']) {
                let value = self.told(&value).replace('\\', "\\\\").replace('"', "\\\"");
                env.asked.push(format!("export {name}=\"{value}\""));
            } else {
                env.known.text(&name, &value);
            }
        }
        env
    }

    pub(super) fn directory(&mut self, step: &Value, path: &[&str], block: &mut Block) {
        let keys = ["workingDir", "dir"];
        let value = keys.iter().find_map(|key| get(step, key)).or_else(|| get(self.root, "workingDir"));
        let Some(dir) = value.and_then(foreign::word).filter(|dir| !dir.is_empty()) else { return };
        match dir.contains(['$', '`']) || dir.starts_with('~') {
            true => self.untold(block, path, format!("dir: {dir}"), "a directory is written out here"),
            false => block.text("working_dir", &dir),
        }
    }

    pub(super) fn dotenv(&mut self, block: &mut Block) {
        if let Some(files) =
            get(self.root, "dotenv").and_then(foreign::words).filter(|files| !files.is_empty())
        {
            block.texts("dotenv", &files);
        }
    }

    /// What must hold. In Dagu a step is skipped without it; here it fails, which starts nothing that should not.
    /// Those of the whole and of a step are one list.
    pub(super) fn preconditions(&mut self, owners: &[(&Value, &[&str])], block: &mut Block) {
        let why = "in Dagu it would be skipped when this does not hold; here it fails";
        let mut items = Vec::new();
        for (value, path) in owners {
            let keys = ["preconditions", "precondition"];
            let list = keys.iter().find_map(|key| get(value, key)).map_or(&[][..], foreign::list);
            let before = items.len();
            for item in list {
                match self.condition(item) {
                    Some(test) => items.push(short(&[("run", test)])),
                    None => {
                        let what = format!("preconditions: {}", foreign::shown(item));
                        self.untold(block, path, what, "this is no condition that a shell can test");
                    }
                }
            }
            if items.len() > before {
                self.remarks.push(super::Remark::new(
                    foreign::line_of(self.text, path),
                    "preconditions",
                    why,
                ));
            }
        }
        if !items.is_empty() {
            block.comment(format!("preconditions: {why}"));
            block.shorts("preconditions", &items);
        }
    }

    fn condition(&self, item: &Value) -> Option<String> {
        if let Some(command) = foreign::word(item) {
            return Some(self.told(&command));
        }
        let condition = self.told(&get(item, "condition").and_then(foreign::word)?);
        let quoted = format!("\"{}\"", condition.replace('"', "\\\""));
        let single = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let negate = if get(item, "negate").and_then(Value::as_bool) == Some(true) { "! " } else { "" };
        match get(item, "expected").and_then(foreign::word) {
            None => Some(format!("{negate}{condition}")),
            Some(expected) => Some(match expected.strip_prefix("re:") {
                Some(pattern) => format!("{negate}printf %s {quoted} | grep -Eq {}", single(pattern)),
                None => format!("{negate}test {quoted} = {}", single(&expected)),
            }),
        }
    }
}

/// The name behind a `$` and how long the whole is; of `${NAME:-x}` no name.
fn name_of(text: &str) -> (&str, usize) {
    if let Some(end) = text.strip_prefix("${").and_then(|rest| rest.find('}')) {
        return (&text[2..2 + end], end + 3);
    }
    let inner = &text[1..];
    let end = match inner.starts_with(|c: char| c.is_ascii_digit()) {
        true => 1,
        false => inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len()),
    };
    (&inner[..end], end + 1)
}

/// Names, where there are any, and values.
fn given(value: &Value) -> Vec<(Option<String>, String)> {
    if let Some(text) = foreign::word(value) {
        return words(&text);
    }
    let text = |value: &Value| {
        let inner = get(value, "default").or_else(|| get(value, "value"));
        foreign::word(inner.unwrap_or(value)).unwrap_or_default()
    };
    let of_map =
        |map: &Value| entries(map).map(|(name, value)| (Some(name), text(value))).collect::<Vec<_>>();
    let of_item = |item: &Value| match (foreign::word(item), item.get("name").and_then(foreign::word)) {
        (Some(word), _) => words(&word),
        (None, Some(name)) => {
            vec![(Some(name), item.get("default").and_then(foreign::word).unwrap_or_default())]
        }
        (None, None) => of_map(item),
    };
    match value.as_sequence() {
        Some(items) => items.iter().flat_map(of_item).collect(),
        None => of_map(value),
    }
}

/// Parameters that all have a name and a value that needs no shell.
pub(super) fn named(value: &Value) -> Option<Vec<(String, String)>> {
    let named = |(name, value): (Option<String>, String)| {
        let is_plain = !value.contains(['$', '`']);
        name.filter(|name| is_plain && is_identifier(name)).map(|name| (name, value))
    };
    given(value).into_iter().map(named).collect()
}

/// `a "b c" X=1`: words with their quotes taken off.
fn words(text: &str) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in text.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => {
                // What a command prints stays marked as such.
                word.extend((c == '`').then_some(c));
                quote = None;
            }
            (None, '"' | '\'' | '`') => {
                word.extend((c == '`').then_some(c));
                quote = Some(c);
            }
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
            }
            (_, c) => word.push(c),
        }
    }
    let pair = |word: String| match word.split_once('=').filter(|(name, _)| is_identifier(name)) {
        Some((name, value)) => (Some(name.to_owned()), value.to_owned()),
        None => (None, word),
    };
    found.into_iter().map(pair).collect()
}

/// Variables: a mapping, a list of mappings, or a list of `NAME=value`.
fn pairs(value: &Value) -> Vec<(String, String)> {
    let pair = |(name, value): (String, &Value)| (name, foreign::word(value).unwrap_or_default());
    match value.as_sequence() {
        None => entries(value).map(pair).collect(),
        Some(items) => items
            .iter()
            .flat_map(|item| match foreign::word(item).as_deref().and_then(|text| text.split_once('=')) {
                Some((name, value)) => vec![(name.to_owned(), value.to_owned())],
                None => entries(item).map(pair).collect(),
            })
            .collect(),
    }
}

pub(super) fn is_identifier(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_word)
}
