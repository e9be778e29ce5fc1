//! Variables whose values nobody may see: only where they come from stands in a file.

use super::fields::{Checker, Path, list};
use super::keys;
use super::problem::{Code, Finding};
use super::tree::{Kind, Node};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;

/// A variable whose value nobody may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The variable.
    pub name: String,
    /// Where the value comes from.
    pub from: SecretSource,
    /// The name of the variable, the path, the command, or the name in the store.
    pub key: String,
}

/// Where the value of a secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the host's own environment.
    Env,
    /// A file, relative to the project.
    File,
    /// What a command prints.
    Command,
    /// The project's own store, `.neap/secrets`.
    Store,
}

/// Entries of `secrets`: `{name, from, key}`, or the name of a variable of the host.
pub(super) fn secrets(checker: &mut Checker, node: &Node<'_>, above: &Path<'_>) -> Vec<Secret> {
    let path = above.child("secrets");
    let (mut secrets, mut places) = (Vec::new(), HashMap::<String, Range<usize>>::new());
    for item in list(node) {
        let Some(secret) = secret(checker, item, &path) else { continue };
        if let Some(first) = places.get(&secret.name) {
            let message = format!("`{}` is given twice", secret.name);
            let finding = Finding::new(Code::E0106, item.span.clone(), message, "given again here");
            checker.report(finding.also(first.clone(), "first given here"));
            continue;
        }
        places.insert(secret.name.clone(), item.span.clone());
        secrets.push(secret);
    }
    secrets
}

const SOURCES: [(&str, SecretSource); 4] = [
    ("env", SecretSource::Env),
    ("file", SecretSource::File),
    ("command", SecretSource::Command),
    ("store", SecretSource::Store),
];

fn secret(checker: &mut Checker, node: &Node<'_>, path: &Path<'_>) -> Option<Secret> {
    if !matches!(node.kind, Kind::Map(_)) {
        let name = checker.filled_text(node, "secrets")?;
        let is_good = checker.is_identifier(&name, &node.span, "a variable");
        return is_good.then(|| Secret { key: name.clone(), name, from: SecretSource::Env });
    }
    let (mut name, mut from, mut key, mut has_value) = (None, SecretSource::Env, None, None);
    for field in checker.fields(node, path)? {
        match field.key {
            "name" => {
                name = checker.filled_text(field.value, "name").map(|name| (name, field.value.span.clone()))
            }
            "from" => from = checker.choice(field.value, "from", &SOURCES).unwrap_or(from),
            "key" => key = checker.filled_text(field.value, "key"),
            "value" => has_value = Some(field.place.clone()),
            _ => _ = checker.unknown(&field, path, &keys::SECRET),
        }
    }
    if let Some(place) = has_value {
        let finding = Finding::new(
            Code::E0137,
            place,
            "a secret cannot stand in a task file",
            "everybody who reads the file would know it",
        );
        checker
            .report(finding.help("say where it comes from: `{ name: TOKEN, from: file, key: token.txt }`"));
        return None;
    }
    let Some((name, place)) = name else {
        let finding =
            Finding::new(Code::E0130, node.span.clone(), "a secret has no `name`", "`name` is required");
        checker.report(finding.help("the name is the variable under which the job sees it"));
        return None;
    };
    if !checker.is_identifier(&name, &place, "a variable") {
        return None;
    }
    if key.is_none() && matches!(from, SecretSource::File | SecretSource::Command) {
        let what =
            if from == SecretSource::File { "the path of the file" } else { "the command that prints it" };
        checker.report(Finding::new(
            Code::E0130,
            node.span.clone(),
            format!("the secret `{name}` has no `key`"),
            format!("`key` is {what}"),
        ));
        return None;
    }
    Some(Secret { key: key.unwrap_or_else(|| name.clone()), name, from })
}
