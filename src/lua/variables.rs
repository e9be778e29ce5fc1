//! The variables of an expression as the machine has them: read-only, and strict about what they do not have.

use crate::base::did_you_mean;
use mlua::{Function, Lua, Table, Value};
use serde_json::Value as Json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a table of variables is, which decides what it says about what it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All names.
    Root,
    Params,
    /// What is not set is nil here.
    Env,
    Tasks,
    /// `tasks.x`
    Task,
    Outputs,
    Other,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Root => "root",
            Kind::Params => "params",
            Kind::Env => "env",
            Kind::Tasks => "tasks",
            Kind::Task | Kind::Other => "",
            Kind::Outputs => "outputs",
        }
    }

    /// What the table below this key is.
    fn below(self, key: &str) -> Kind {
        match (self, key) {
            (Kind::Root, "params") => Kind::Params,
            (Kind::Root, "env") => Kind::Env,
            (Kind::Root, "tasks") => Kind::Tasks,
            (Kind::Root | Kind::Task, "outputs") => Kind::Outputs,
            (Kind::Tasks, _) => Kind::Task,
            (Kind::Root | Kind::Params | Kind::Env | Kind::Task | Kind::Outputs | Kind::Other, _) => {
                Kind::Other
            }
        }
    }
}

/// The way of JSON into the machine.
pub(super) struct Variables {
    seal: Function,
}

impl Variables {
    pub(super) fn new(seal: Function) -> Variables {
        Variables { seal }
    }

    /// Puts fields into a table and closes it. `owner` is how people would write it.
    pub(super) fn fill<'a>(
        &self,
        lua: &Lua,
        table: Table,
        fields: impl Iterator<Item = (&'a String, &'a Json)>,
        kind: Kind,
        owner: &str,
    ) -> mlua::Result<Table> {
        let mut nulls: Option<Table> = None;
        for (key, field) in fields {
            if field.is_null() {
                let nulls = match &mut nulls {
                    Some(nulls) => nulls,
                    None => nulls.insert(lua.create_table()?),
                };
                nulls.raw_set(key.as_str(), true)?;
            } else {
                table.raw_set(
                    key.as_str(),
                    self.value(lua, field, kind.below(key), || path(kind, owner, key))?,
                )?;
            }
        }
        if kind == Kind::Env {
            table.set_readonly(true);
            return Ok(table);
        }
        self.seal.call((table, kind.name(), owner, nulls))
    }

    fn value(&self, lua: &Lua, json: &Json, kind: Kind, owner: impl Fn() -> String) -> mlua::Result<Value> {
        Ok(match json {
            Json::Null => Value::Nil,
            Json::Bool(is) => Value::Boolean(*is),
            Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Value::String(lua.create_string(text)?),
            Json::Array(items) => Value::Table(self.list(lua, items, &owner())?),
            Json::Object(fields) => {
                let table = lua.create_table_with_capacity(0, fields.len())?;
                Value::Table(self.fill(lua, table, fields.iter(), kind, &owner())?)
            }
        })
    }

    fn list(&self, lua: &Lua, items: &[Json], owner: &str) -> mlua::Result<Table> {
        let table = lua.create_table_with_capacity(items.len(), 0)?;
        for (index, item) in items.iter().enumerate() {
            let item = self.value(lua, item, Kind::Other, || format!("{owner}[{}]", index + 1))?;
            table.raw_set(index + 1, item)?;
        }
        self.seal.call((table, "list", owner, Value::Nil, items.len()))
    }
}

/// How people write the field of a table. Outputs are known by their task.
fn path(kind: Kind, owner: &str, key: &str) -> String {
    let is_word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match kind {
        Kind::Root => key.to_owned(),
        Kind::Params | Kind::Env | Kind::Tasks | Kind::Task | Kind::Outputs | Kind::Other if is_word => {
            format!("{owner}.{key}")
        }
        Kind::Params | Kind::Env | Kind::Tasks | Kind::Task | Kind::Outputs | Kind::Other => {
            format!("{owner}[\"{key}\"]")
        }
    }
}

/// Says what is not there, and what might have been meant.
#[derive(Clone, Default)]
pub(super) struct Absent(Arc<Mutex<Vec<String>>>);

/// What people may look for, and why it is not there is no accident.
const ELSEWHERE: [&str; 16] = [
    "_G",
    "coroutine",
    "ctx",
    "debug",
    "getmetatable",
    "io",
    "load",
    "loadstring",
    "neap",
    "pcall",
    "print",
    "rawget",
    "rawset",
    "require",
    "setmetatable",
    "xpcall",
];

impl Absent {
    /// The variables of the next evaluation, also those that are left out.
    pub(super) fn know<'a>(&self, names: impl Iterator<Item = &'a String>) {
        *self.lock() = names.cloned().collect();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function that gives the message for a key that a table does not have.
    pub(super) fn function(&self, lua: &Lua) -> mlua::Result<Function> {
        type Arguments = (String, String, Value, Table, Option<Table>, Option<usize>);
        let known = self.clone();
        lua.create_function(move |_, (kind, owner, key, values, nulls, length): Arguments| {
            let key = key.to_string()?;
            let mut names = names_of(&values);
            names.extend(nulls.iter().flat_map(names_of));
            if kind == "root" {
                names.extend(known.lock().iter().cloned());
            }
            names.sort_unstable();
            names.dedup();
            Ok(message(&kind, &owner, &key, &names, length.unwrap_or(0)))
        })
    }
}

fn names_of(table: &Table) -> Vec<String> {
    table.pairs::<String, Value>().filter_map(|pair| Some(pair.ok()?.0)).collect()
}

fn message(kind: &str, owner: &str, key: &str, names: &[String], length: usize) -> String {
    let hint = |all: &str, none: &str| match did_you_mean(key, names.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if names.is_empty() => none.to_owned(),
        None => format!("; {all}: {}", some(names)),
    };
    match kind {
        "root" if ELSEWHERE.contains(&key) => format!("`{key}` is not available in an expression"),
        "root" => match did_you_mean(key, names.iter().map(String::as_str)) {
            Some(near) => format!("there is no `{key}`; did you mean `{near}`?"),
            None => format!("there is no `{key}`"),
        },
        "params" => format!("there is no parameter `{key}`{}", hint("there are", "; the task takes none")),
        "tasks" => {
            let hint = hint("it depends on", "; it depends on none");
            format!("`{key}` is not a task that this one depends on{hint}")
        }
        "outputs" => {
            let task = owner.strip_suffix(".outputs").unwrap_or(owner);
            let task = task.strip_prefix("tasks").map(|task| task.trim_matches(['.', '[', ']', '"']));
            let whose = task.map_or_else(|| "this task".to_owned(), |task| format!("`{task}`"));
            format!("{whose} has no output `{key}`{}", hint("its outputs are", "; it has written none"))
        }
        "list" => match key.parse::<f64>() {
            Ok(_) if length == 1 => format!("`{owner}` has 1 item, there is no item {key}"),
            Ok(_) => format!("`{owner}` has {length} items, there is no item {key}"),
            Err(_) => format!("`{owner}` is a list: its items have numbers from 1, not `{key}`"),
        },
        _ => format!("there is no `{owner}.{key}`{}", hint("there are", "; it is empty")),
    }
}

/// The first names of a list that may be long.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown}, …") } else { shown }
}
