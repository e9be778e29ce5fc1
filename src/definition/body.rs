//! What a leaf does: exactly one of `run`, `exec`, `lua`, `script`, `uses`.

use super::actions;
use super::fields::{Checker, Field, Path};
use super::known;
use super::leaf::LeafKeys;
use super::policy;
use super::problem::{Code, Finding};
use super::settings::Channel;
use super::task::Action;
use super::tree::Kind;
use super::values;
use super::words::words;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The functions that the embedding program registered: what `uses` can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    functions: BTreeSet<String>,
}

impl Registered {
    /// These functions and no others.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Registered {
        Registered { functions: names.into_iter().map(Into::into).collect() }
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(String::as_str)
    }
}

/// The keys of a body as they were met.
#[derive(Default)]
pub(super) struct Body<'t> {
    bodies: Vec<Field<'t>>,
    with: Option<Field<'t>>,
    /// A key was found that probably should have been a body.
    pub(super) is_misspelt: bool,
}

impl<'t> Body<'t> {
    /// Takes the field if it belongs to a body; gives whether it did.
    pub(super) fn take(&mut self, field: &Field<'t>) -> bool {
        if known::BODIES.contains(&field.key) {
            self.bodies.push(field.clone());
        } else if field.key == "with" {
            self.with = Some(field.clone());
        } else {
            return false;
        }
        true
    }

    /// Notes the expressions in it.
    pub(super) fn note(&self, checker: &mut Checker) {
        for field in self.bodies.iter().chain(&self.with) {
            if field.key != "lua" && field.key != "script" && field.key != "uses" {
                checker.templates_within(field.value);
            }
        }
    }

    /// This body, with what it lacks taken from those of templates, the nearest first.
    pub(super) fn or(&self, templates: &[&Body<'t>]) -> Body<'t> {
        let mut body =
            Body { bodies: self.bodies.clone(), with: self.with.clone(), is_misspelt: self.is_misspelt };
        for template in templates {
            if body.bodies.is_empty() {
                body.bodies.clone_from(&template.bodies);
            }
            body.with = body.with.or_else(|| template.with.clone());
        }
        body
    }

    /// Whether it says nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.with.is_none()
    }

    /// The first key of a body, if there is any.
    pub(super) fn first(&self) -> Option<&Field<'t>> {
        self.bodies.first().or(self.with.as_ref())
    }

    /// The action, with `shell` as the interpreter of `run`.
    pub(super) fn action(
        &self,
        checker: &mut Checker,
        owner: &Owner<'_>,
        shell: Option<Vec<String>>,
        known: Known<'_>,
    ) -> Option<Action> {
        self.refuse_second(checker);
        let Some(field) = self.bodies.first() else {
            self.refuse_missing(checker, owner);
            return None;
        };
        if let Some(with) = self.with.as_ref().filter(|_| field.key != "uses") {
            let finding = Finding::new(
                Code::E0137,
                with.place.clone(),
                "`with` belongs to `uses`",
                "there is no `uses` here",
            );
            checker.report(finding.also(field.place.clone(), "the body is this"));
        }
        if owner.keys.shell.is_some() && field.key != "run" {
            let finding = Finding::new(
                Code::E0137,
                field.place.clone(),
                "`shell` belongs to `run`",
                "this body needs no shell",
            );
            checker.report(finding);
        }
        match field.key {
            "run" => checker.plain_template(field.value, "run").map(|script| run(script, shell)),
            "exec" => policy::argv(checker, field.value).map(|argv| Action::Exec { argv }),
            "lua" => checker.filled_text(field.value, "lua").map(|text| Action::Lua { text }),
            "script" if is_no_lua(field) => {
                let message = "`script` names a Lua file below `scripts/`";
                let finding =
                    Finding::new(Code::E0124, field.value.span.clone(), message, "this is no Lua file");
                checker.report(
                    finding.help("for a command or a script of a shell write `run`, or `exec: [ … ]`"),
                );
                None
            }
            "script" => {
                checker.path_below(field.value, "script", "scripts").map(|file| Action::Script { file })
            }
            _ => self.call(checker, field, known),
        }
    }

    fn refuse_second(&self, checker: &mut Checker) {
        if let [first, second, ..] = self.bodies.as_slice() {
            let message = format!("a task has one body, but this has `{}` and `{}`", first.key, second.key);
            let finding = Finding::new(Code::E0131, second.place.clone(), message, "the second body");
            checker.report(finding.also(first.place.clone(), "the first body"));
        }
    }

    fn refuse_missing(&self, checker: &mut Checker, owner: &Owner<'_>) {
        if self.is_misspelt {
            return;
        }
        let message = match owner.path.above {
            Some(_) => format!("{} has no body", owner.path),
            None => "the task has no body".to_owned(),
        };
        let label = "`run`, `exec`, `lua`, `script` or `uses` is required";
        checker.report(
            Finding::new(Code::E0130, owner.place.clone(), message, label)
                .help("add for example `run: echo hello`"),
        );
    }

    fn call(&self, checker: &mut Checker, field: &Field<'_>, known: Known<'_>) -> Option<Action> {
        let registered = known.registered;
        let function = checker.filled_text(field.value, "uses")?;
        let place = field.value.span.clone();
        if !registered.functions.contains(&function) && !actions::is_built_in(&function) {
            let finding = Finding::new(
                Code::E0140,
                place,
                format!("`{function}` is no action and no registered function"),
                "nothing has this name",
            );
            let names = || registered.names().chain(actions::NAMES);
            let all = || format!("there are: {}, and `task:NAME`", names().collect::<Vec<_>>().join(", "));
            let meant = checker.meant(&function, names());
            checker.report(finding.suggest_name(&function, meant, all));
            return None;
        }
        let with = match self.with.as_ref().map(|field| field.value) {
            None => Value::Null,
            Some(node) if matches!(node.kind, Kind::Broken) => return None,
            Some(node) => {
                checker.free_form(node);
                values::json(node)
            }
        };
        if actions::is_built_in(&function) {
            actions::check(checker, field, self.with.as_ref(), &function, known.channels);
        }
        Some(Action::Call { function, with })
    }
}

/// Whether a command stands where a Lua file is meant.
fn is_no_lua(field: &Field<'_>) -> bool {
    let Some(text) = field.value.as_text().map(str::trim) else { return false };
    let ending =
        text.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, ending)| ending);
    let is_other = matches!(ending, "sh" | "bash" | "zsh" | "py" | "rb" | "pl" | "js" | "ts" | "php");
    text.contains(char::is_whitespace) || text.starts_with("./") || is_other
}

/// What `uses` and `with` can name.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) registered: &'k Registered,
    /// The channels of neap.yaml; none while that itself is read, and then they are not looked at.
    pub(super) channels: Option<&'k BTreeMap<String, Channel>>,
}

/// Whose body it is, for messages.
pub(super) struct Owner<'o> {
    pub(super) path: &'o Path<'o>,
    pub(super) place: Range<usize>,
    pub(super) keys: &'o LeafKeys,
}

fn run(script: String, shell: Option<Vec<String>>) -> Action {
    match shell {
        Some(shell) => Action::Run { script, shell, words: None },
        None => {
            let words = words(&script);
            Action::Run { script, shell: ["sh", "-eu", "-c"].map(str::to_owned).to_vec(), words }
        }
    }
}
