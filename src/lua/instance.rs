//! What a hook file returns: a table of functions, checked once when the file is loaded and taken again for each attempt.

use super::error::{Place, ScriptError};
use super::generation::Manifest;
use super::hook::Hook;
use super::source::Source;
use crate::base::did_you_mean;
use memchr::memmem::Finder;
use mlua::{Function, Lua, Table, Value};
use std::collections::{BTreeMap, BTreeSet};

const FILTER: &str = "output_filter";

/// A script as one attempt has it: its own locals, its own globals, its own `ctx`.
pub(super) struct Instance {
    functions: BTreeMap<Hook, Function>,
    pub(super) context: Table,
}

impl Instance {
    pub(super) fn new(returned: &Value, context: Table) -> mlua::Result<Instance> {
        let mut functions = BTreeMap::new();
        if let Value::Table(table) = returned {
            for hook in Hook::ALL {
                if let Value::Function(function) = table.raw_get(hook.name())? {
                    functions.insert(hook, function);
                }
            }
        }
        Ok(Instance { functions, context })
    }

    pub(super) fn function(&self, hook: Hook) -> Option<&Function> {
        self.functions.get(&hook)
    }
}

/// What is wrong with the returned table.
#[derive(Debug)]
pub(super) struct BadTable {
    message: String,
    /// The key to blame, to be looked for in the text.
    key: Option<String>,
}

impl BadTable {
    fn new(message: impl Into<String>) -> BadTable {
        BadTable { message: message.into(), key: None }
    }

    /// Completes an error with the message and with the first line that has the key in it.
    pub(super) fn placed(self, mut error: ScriptError, source: &Source) -> ScriptError {
        error.0.message = self.message;
        let Some(key) = self.key else { return error };
        let found = (1..).zip(source.text.lines()).find(|(_, line)| line.contains(&key));
        match found {
            Some((line, _)) => error.at(Place { file: source.name.clone(), line }, &source.text),
            None => error,
        }
    }
}

pub(super) fn read_manifest(lua: &Lua, returned: &Value, source: &Source) -> Result<Manifest, BadTable> {
    let Value::Table(table) = returned else {
        let message = format!(
            "a hook file returns a table of functions, {} returns {}: end it with `return M`",
            source.name,
            type_of(returned)
        );
        return Err(BadTable::new(message));
    };
    let mut manifest = Manifest { hooks: BTreeSet::new(), filter: Vec::new() };
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| BadTable::new(error.to_string()))?;
        let Value::String(name) = &key else {
            return Err(BadTable::new(format!("the returned table has a {} as a key", type_of(&key))));
        };
        let name = name.to_string_lossy();
        match Hook::named(&name) {
            Some(hook) if value.is_function() => {
                manifest.hooks.insert(hook);
            }
            Some(hook) => {
                let message = format!("hook `{hook}` must be a function, not a {}", type_of(&value));
                return Err(BadTable { message, key: Some(name) });
            }
            None if name == FILTER => manifest.filter = read_filter(lua, &value)?,
            None => return Err(unknown(name)),
        }
    }
    Ok(manifest)
}

/// The name of a type as Lua has it: it knows only one sort of number.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        other => other.type_name(),
    }
}

fn unknown(name: String) -> BadTable {
    let known = Hook::ALL.iter().map(|hook| hook.name()).chain([FILTER]);
    let stripped = name.strip_prefix("on_").unwrap_or(&name);
    let near = did_you_mean(stripped, known.clone()).or_else(|| did_you_mean(&name, known));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    BadTable { message: format!("unknown hook `{name}`{hint}"), key: Some(name) }
}

fn read_filter(lua: &Lua, value: &Value) -> Result<Vec<Finder<'static>>, BadTable> {
    let wrong = || BadTable {
        message: format!("`{FILTER}` must be a list of texts that are not empty"),
        key: Some(FILTER.into()),
    };
    let json = super::value::from_lua(lua, value).map_err(|_| wrong())?;
    let words = json.as_array().ok_or_else(wrong)?;
    let finder = |word: &serde_json::Value| {
        let word = word.as_str().filter(|word| !word.is_empty())?;
        Some(Finder::new(word).into_owned())
    };
    words.iter().map(finder).collect::<Option<Vec<_>>>().filter(|words| !words.is_empty()).ok_or_else(wrong)
}
