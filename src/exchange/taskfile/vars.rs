//! The variables of a Taskfile: what `{{.NAME}}` becomes in a command and elsewhere.
//!
//! In a command it becomes a variable of the shell, so that its value can still be given when the task is run. Elsewhere
//! the value is written out.

use super::super::foreign;
use super::super::yaml::Block;
use super::template::{Piece, Placed, is_identifier, pieces};
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Var {
    /// It is written there: it becomes a parameter.
    Given(String),
    /// A command prints it: the script asks it first.
    Printed(String),
    /// It must be given when the task is run.
    Required,
    /// Another task gives it: it stands in the environment of the job.
    Handed(String),
    /// It is something that has no equal here.
    Strange(String),
}

/// The variables that a task sees, and what it used of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// The task that it is for; empty for what stands above all tasks.
    task: String,
    vars: BTreeMap<String, Var>,
    /// What became parameters, by name, with their defaults.
    pub(super) params: BTreeMap<String, Option<String>>,
    /// What the commands of one job use of the rest.
    used: BTreeSet<String>,
}

/// Variables whose commands name more variables than this name themselves.
const MOST: usize = 100;

/// Why a text has no equal: the piece that cannot be said, in the words of the file.
pub(super) type Untold = String;

impl Scope {
    /// The same variables for a task.
    pub(super) fn of(&self, task: &str) -> Scope {
        Scope { task: task.to_owned(), ..self.clone() }
    }

    /// What `{{.NAME}}` is when the file itself says so, wherever it stands.
    fn fixed(&self, name: &str) -> Option<&str> {
        (name == "TASK" && !self.has(name) && !self.task.is_empty()).then_some(self.task.as_str())
    }

    /// Adds variables; later ones hide earlier ones.
    pub(super) fn declare(&mut self, vars: &Value) {
        for (name, value) in foreign::entries(vars) {
            let var = self.read(&name, value);
            self.vars.insert(name, var);
        }
    }

    fn read(&self, name: &str, value: &Value) -> Var {
        if let Some(command) = value.get("sh").and_then(foreign::word) {
            return Var::Printed(command);
        }
        let Some(text) = foreign::word(value) else { return Var::Strange(foreign::shown(value)) };
        // `X: '{{.X | default "y"}}'` is how a Taskfile says that X can be given.
        match pieces(&text).as_slice() {
            [Piece::Variable(own, Some(default))] if *own == name => Var::Given((*default).to_owned()),
            _ => self.plain(&text).map_or(Var::Strange(text), Var::Given),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.vars.contains_key(name)
    }

    pub(super) fn require(&mut self, name: &str) {
        if !self.vars.contains_key(name) {
            self.vars.insert(name.to_owned(), Var::Required);
            self.params.insert(name.to_owned(), None);
        }
    }

    /// Takes values that a calling task gives, as it would say them.
    pub(super) fn hand(&mut self, vars: &Value, caller: &Scope) -> Result<(), Untold> {
        for (name, value) in foreign::entries(vars) {
            let text = foreign::word(value).ok_or_else(|| foreign::shown(value))?;
            let text = caller.plain(&text)?;
            self.vars.insert(name, Var::Handed(text));
        }
        Ok(())
    }

    /// Something that is not text for a shell: values are written out.
    pub(super) fn plain(&self, text: &str) -> Result<String, Untold> {
        let piece = |piece: Piece<'_>| match piece {
            Piece::Text(text) => Ok(text.to_owned()),
            Piece::Strange(raw) => Err(raw.to_owned()),
            Piece::Variable(name, default) => match (self.vars.get(name), self.fixed(name).or(default)) {
                (Some(Var::Given(value) | Var::Handed(value)), _) => Ok(value.clone()),
                (None, Some(default)) => Ok(default.to_owned()),
                _ => Err(format!("{{{{.{name}}}}}")),
            },
        };
        pieces(text).into_iter().map(piece).collect()
    }

    /// A command: variables become those of the shell.
    pub(super) fn shell(&mut self, text: &str) -> Result<String, Untold> {
        if text.contains("${{") {
            return Err("${{".into());
        }
        let task = self.task.clone();
        let mut script = Placed::default();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => script.text(text),
                Piece::Strange(raw) => return Err(raw.to_owned()),
                Piece::Variable(name, _) if self.fixed(name).is_some() => script.text(&task),
                Piece::Variable(name, default) => script.variable(&self.expansion(name, default)?),
            }
        }
        Ok(script.finish())
    }

    fn expansion(&mut self, name: &str, default: Option<&str>) -> Result<String, Untold> {
        let or = default.map(|default| format!(":-{default}")).unwrap_or_default();
        match (name, self.vars.get(name).cloned()) {
            ("ROOT_DIR" | "TASKFILE_DIR", None) => Ok("${NEAP_DIR}".into()),
            ("CLI_ARGS", None) => Ok(self.param(name, Some(String::new()), &or)),
            (_, Some(Var::Strange(_))) | ("USER_WORKING_DIR" | "ITEM" | "MATCH" | "TASKFILE", None) => {
                Err(format!("{{{{.{name}}}}}"))
            }
            (_, Some(Var::Given(value))) => Ok(self.param(name, Some(value), &or)),
            (_, Some(Var::Required)) => Ok(self.param(name, None, &or)),
            (_, Some(Var::Printed(_) | Var::Handed(_))) => {
                self.used.insert(name.to_owned());
                Ok(format!("${{{name}{or}}}"))
            }
            (_, None) => match default {
                Some(default) => Ok(self.param(name, Some(default.to_owned()), "")),
                // Taskfile looks into the environment last, and takes nothing for empty.
                None => Ok(format!("${{{name}:-}}")),
            },
        }
    }

    /// The variable of a parameter; a second one that differs only in capitals is written out instead.
    fn param(&mut self, name: &str, value: Option<String>, or: &str) -> String {
        let is_same = |other: &String| other.eq_ignore_ascii_case(name) && other != name;
        if self.params.keys().any(is_same) {
            return value.unwrap_or_default();
        }
        self.params.insert(name.to_owned(), value);
        format!("${{PARAM_{}{or}}}", name.to_ascii_uppercase())
    }

    /// What was used since this was last asked: lines that the script begins with, and variables of the job.
    pub(super) fn take_used(&mut self) -> Result<(Vec<String>, BTreeMap<String, String>), Untold> {
        let (mut lines, mut env) = (Vec::new(), BTreeMap::new());
        for asked in 0.. {
            let Some(name) = self.used.pop_first() else { break };
            if asked > MOST {
                return Err(format!("{{{{.{name}}}}}"));
            }
            match self.vars.get(&name).cloned() {
                Some(Var::Printed(command)) => {
                    let command = self.shell(&command)?;
                    lines.insert(0, format!("{name}=\"$({command})\""));
                }
                Some(Var::Handed(value)) => _ = env.insert(name, value),
                Some(Var::Given(_) | Var::Required | Var::Strange(_)) | None => {}
            }
        }
        let mut seen = BTreeSet::new();
        lines.retain(|line| seen.insert(line.clone()));
        Ok((lines, env))
    }

    /// The declaration of everything that became a parameter.
    pub(super) fn declaration(&self) -> Block {
        let mut params = Block::default();
        for (name, default) in self.params.iter().filter(|(name, _)| is_identifier(name)) {
            let rule = match default {
                Some(default) => ("default", default.clone()),
                None => ("required", String::new()),
            };
            match rule {
                ("required", _) => params.plain(name, "{ type: string, required: true }"),
                rule => params.short(name, &[("type", "string".into()), rule]),
            }
        }
        params
    }
}
