//! Named sets of keys that tasks extend: `templates` of a file, and those of `neap.yaml`.
//!
//! What a task says itself wins over what it extends; of several templates the later one wins.

use super::body::{Body, Known, Owner, Registered};
use super::fields::{Checker, Field, Path, Text, list, listed};
use super::leaf::LeafKeys;
use super::problem::{Code, Finding};
use super::task::Action;
use super::tree::Node;
use super::{keys, known};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A name in `extends`, and where it stands.
pub(super) type Extended = (String, Range<usize>);

/// One entry of `templates`.
pub(super) struct Template<'t> {
    place: Range<usize>,
    keys: LeafKeys,
    body: Body<'t>,
    extends: Vec<Extended>,
    written: Vec<Text>,
}

/// A template of `neap.yaml`, which outlives the text it stands in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shared {
    pub(super) keys: LeafKeys,
    pub(super) action: Option<Action>,
}

/// The templates of one file, with those of the host behind them.
pub(super) struct Templates<'t, 's> {
    own: BTreeMap<&'t str, Template<'t>>,
    shared: &'s BTreeMap<String, Shared>,
}

/// What a task takes from the templates it extends, the nearest first.
#[derive(Default)]
pub(super) struct Inherited<'a, 't> {
    pub(super) keys: Vec<&'a LeafKeys>,
    pub(super) bodies: Vec<&'a Body<'t>>,
    pub(super) action: Option<&'a Action>,
    pub(super) written: Vec<&'a Text>,
    /// The names of what was taken: each template counts once, where it is nearest.
    taken: BTreeSet<&'a str>,
}

/// So many templates one task may extend, in a row or beside each other.
const MOST: usize = 50;

impl<'t, 's> Templates<'t, 's> {
    /// Reads `templates` of a file.
    pub(super) fn read(
        checker: &mut Checker,
        field: Option<&Field<'t>>,
        above: &Path<'_>,
        shared: &'s BTreeMap<String, Shared>,
    ) -> Templates<'t, 's> {
        let path = above.child("templates");
        let mut own = BTreeMap::new();
        for entry in field.and_then(|field| checker.fields(field.value, &path)).unwrap_or_default() {
            let name = entry.key;
            if let Some(template) = template(checker, &entry, &path) {
                own.insert(name, template);
            }
        }
        Templates { own, shared }
    }

    /// Follows `extends`; names that lead nowhere and circles are reported.
    pub(super) fn inherited<'a>(&'a self, checker: &mut Checker, extends: &[Extended]) -> Inherited<'a, 't> {
        let mut inherited = Inherited::default();
        let mut path = Vec::new();
        self.follow(checker, extends, &mut path, &mut inherited);
        inherited
    }

    fn follow<'a>(
        &'a self,
        checker: &mut Checker,
        extends: &[Extended],
        path: &mut Vec<String>,
        inherited: &mut Inherited<'a, 't>,
    ) {
        for (name, place) in extends.iter().rev() {
            if path.contains(name) {
                let circle = format!("{} > {name}", path.join(" > "));
                let finding = Finding::new(
                    Code::E0301,
                    place.clone(),
                    format!("templates extend each other in a circle: {circle}"),
                    "extended here",
                );
                return checker.report(finding.help("take one of the `extends` away"));
            }
            if inherited.taken.contains(name.as_str()) {
                continue;
            }
            if inherited.taken.len() >= MOST {
                let message = format!("more than {MOST} templates are extended");
                let finding = Finding::new(Code::E0112, place.clone(), message, "the limit is reached here");
                return checker.report(finding.help("write the keys into fewer templates"));
            }
            if let Some((name, template)) = self.own.get_key_value(name.as_str()) {
                inherited.taken.insert(name);
                inherited.keys.push(&template.keys);
                inherited.bodies.push(&template.body);
                inherited.written.extend(&template.written);
                path.push((*name).to_owned());
                self.follow(checker, &template.extends, path, inherited);
                path.pop();
            } else if let Some((name, shared)) = self.shared.get_key_value(name) {
                inherited.taken.insert(name);
                inherited.keys.push(&shared.keys);
                inherited.action = inherited.action.or(shared.action.as_ref());
            } else {
                self.refuse_unknown(checker, name, place);
            }
        }
    }

    fn refuse_unknown(&self, checker: &mut Checker, name: &str, place: &Range<usize>) {
        let known = || self.own.keys().copied().chain(self.shared.keys().map(String::as_str));
        let finding = Finding::new(
            Code::E0305,
            place.clone(),
            format!("there is no template `{name}`"),
            "no template has this name",
        );
        let list = || {
            if known().next().is_none() {
                "write it under `templates:` of this file or of neap.yaml".to_owned()
            } else {
                format!("there are: {}", listed(known()))
            }
        };
        let meant = checker.meant(name, known());
        checker.report(finding.suggest_name(name, meant, list));
    }

    /// Warns of templates that nobody extends.
    pub(super) fn warn_unused<'e>(
        &self,
        checker: &mut Checker,
        extended: impl Iterator<Item = &'e Extended>,
    ) {
        let mut used: BTreeSet<&str> = extended.map(|(name, _)| name.as_str()).collect();
        used.extend(self.own.values().flat_map(|template| &template.extends).map(|(name, _)| name.as_str()));
        for (name, template) in self.own.iter().filter(|(name, _)| !used.contains(*name)) {
            let message = format!("the template `{name}` is not used");
            let finding = Finding::new(Code::W0203, template.place.clone(), message, "nothing extends it");
            checker.report(
                finding
                    .help(format!("write `extends: {name}` in a task of this file, or remove the template")),
            );
        }
    }
}

fn template<'t>(checker: &mut Checker, entry: &Field<'t>, above: &Path<'_>) -> Option<Template<'t>> {
    let path = above.child(entry.key);
    let before = std::mem::take(&mut checker.written);
    let (mut keys, mut body, mut extends) = (LeafKeys::default(), Body::default(), Vec::new());
    for field in checker.fields(entry.value, &path)? {
        match field.key {
            "extends" => extends = extended(checker, field.value),
            _ if body.take(&field) => {}
            _ if keys.take(&field, &path, checker) => {}
            key if known::TASK_ONLY.contains(&key) || matches!(key, "depends_on" | "needs") => {
                let message = format!("`{key}` cannot stand in a template");
                checker.report(Finding::new(
                    Code::E0133,
                    field.place.clone(),
                    message,
                    "this differs from task to task",
                ));
            }
            _ => _ = checker.unknown(&field, &path, &keys::TEMPLATE),
        }
    }
    let written = std::mem::replace(&mut checker.written, before);
    Some(Template { place: entry.place.clone(), keys, body, extends, written })
}

/// Reads `templates` of `neap.yaml`. They stand alone: none extends another.
pub(super) fn shared(checker: &mut Checker, field: &Field<'_>, above: &Path<'_>) -> BTreeMap<String, Shared> {
    let path = above.child("templates");
    let mut all = BTreeMap::new();
    for entry in checker.fields(field.value, &path).unwrap_or_default() {
        let Some(template) = template(checker, &entry, &path) else { continue };
        for (name, place) in &template.extends {
            let message = format!("a template of neap.yaml cannot extend `{name}`");
            checker.report(Finding::new(Code::E0137, place.clone(), message, "write all of its keys here"));
        }
        let path = path.child(entry.key);
        let owner = Owner { path: &path, place: entry.place.clone(), keys: &template.keys };
        let shell = template.keys.shell.clone();
        let action = match template.body.is_empty() {
            true => None,
            false => {
                let known = Known { registered: &Registered::default(), channels: None };
                template.body.action(checker, &owner, shell, known)
            }
        };
        all.insert(entry.key.to_owned(), Shared { keys: template.keys, action });
    }
    all
}

/// The value of `extends`: one name or a list.
pub(super) fn extended(checker: &mut Checker, node: &Node<'_>) -> Vec<Extended> {
    let name = |item: &Node<'_>| Some((checker.filled_text(item, "extends")?, item.span.clone()));
    list(node).iter().filter_map(name).collect()
}
