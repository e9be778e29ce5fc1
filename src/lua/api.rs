//! What scripts can call: `neap.*`, `print` and the methods of `ctx`. Everything else does not exist, and says so.

use super::call::{Call, Current, Refusal};
use super::context::{CleanupAction, CleanupItem, CleanupWhen, Context, Level, Note, span};
use super::value::{Access, from_lua, number, to_lua};
use crate::base::{Moment, did_you_mean};
use mlua::{Function, Lua, Table, Value, Variadic};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Bytes of one message; what is longer is cut.
const MESSAGE: usize = 8 << 10;
/// Bytes of JSON one call decodes: the result is outside the memory bound of the VM while it is built.
const JSON: usize = 4 << 20;

/// The table `neap` and the function `print`.
pub(super) fn install(lua: &Lua, current: &Current, clock: &Clock) -> mlua::Result<()> {
    let neap = lua.create_table()?;
    let log = lua.create_table()?;
    for level in Level::ALL {
        log.raw_set(level.name(), log_function(lua, current, level)?)?;
    }
    neap.raw_set("log", sealed(lua, log, "neap.log", ".")?)?;
    neap.raw_set("sleep", sleep(lua, current)?)?;
    neap.raw_set("json", json_table(lua)?)?;
    neap.raw_set(
        "duration",
        lua.create_function(|_, value: Value| Ok(seconds(&value, "neap.duration")?.as_secs_f64()))?,
    )?;
    let time = lua.create_table()?;
    time.raw_set("now", now(lua, clock)?)?;
    neap.raw_set("time", sealed(lua, time, "neap.time", ".")?)?;
    lua.globals().raw_set("neap", sealed(lua, neap, "neap", ".")?)?;
    lua.globals().raw_set("print", print(lua, current)?)
}

/// Seconds since the epoch, by the clock of the host.
pub(super) fn now(lua: &Lua, clock: &Clock) -> mlua::Result<Function> {
    let clock = clock.clone();
    lua.create_function(move |_, ()| Ok(clock().0 as f64 / 1000.0))
}

/// Makes a table read-only and its absent keys an error that names the nearest one.
fn sealed(lua: &Lua, table: Table, name: &'static str, dot: &'static str) -> mlua::Result<Table> {
    let meta = lua.create_table()?;
    let absent = lua.create_function(move |_, (table, key): (Table, Value)| -> mlua::Result<Value> {
        let key = key.as_string().map_or_else(|| key.type_name().to_owned(), |key| key.to_string_lossy());
        let known = table.pairs::<String, Value>().filter_map(|pair| Some(pair.ok()?.0)).collect::<Vec<_>>();
        let near = did_you_mean(&key, known.iter().map(String::as_str));
        let hint = near.map(|near| format!(" (did you mean `{name}{dot}{near}`?)")).unwrap_or_default();
        Err(Refusal::api(format!("`{name}{dot}{key}` does not exist{hint}")).into())
    })?;
    meta.raw_set("__index", absent)?;
    meta.raw_set("__metatable", false)?;
    meta.set_readonly(true);
    table.set_metatable(Some(meta))?;
    table.set_readonly(true);
    Ok(table)
}

fn cut(mut text: String) -> String {
    if text.len() > MESSAGE {
        let end = (0..=MESSAGE).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn log_note(lua: &Lua, level: Level, message: &Value, fields: &Value, who: &str) -> mlua::Result<Note> {
    let fields = from_lua(lua, fields)
        .map_err(|unfit| Refusal::api(format!("{who}: the value of `fields` {unfit}")))?;
    Ok(Note::Log { level, message: cut(message.to_string()?), fields })
}

fn log_function(lua: &Lua, current: &Current, level: Level) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_function(move |lua, (message, fields): (Value, Value)| {
        let note = log_note(lua, level, &message, &fields, "neap.log")?;
        current.get()?.say(note);
        Ok(())
    })
}

fn print(lua: &Lua, current: &Current) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_function(move |_, values: Variadic<Value>| {
        let words = values.iter().map(Value::to_string).collect::<mlua::Result<Vec<_>>>()?;
        let note = Note::Log { level: Level::Info, message: cut(words.join("\t")), fields: Json::Null };
        current.get()?.say(note);
        Ok(())
    })
}

fn seconds(value: &Value, function: &str) -> Result<std::time::Duration, Refusal> {
    let json = match value {
        Value::String(text) => Json::String(text.to_string_lossy()),
        other => json!(number(other)),
    };
    let found = span(&json).ok_or_else(|| {
        Refusal::api(format!("{function}: write a duration as \"5s\", \"1m30s\" or a number of seconds"))
    })?;
    Ok(found.to_duration())
}

fn sleep(lua: &Lua, current: &Current) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_async_function(move |_, value: Value| {
        let call = current.get();
        async move {
            let call = call?;
            call.may_wait("neap.sleep")?;
            let span = seconds(&value, "neap.sleep")?;
            tokio::select! {
                () = call.cancel.cancelled() => Err(Refusal::cancelled().into()),
                () = tokio::time::sleep(span) => Ok(()),
            }
        }
    })
}

fn json_table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let encode = lua.create_function(|lua, value: Value| {
        let json = from_lua(lua, &value)
            .map_err(|unfit| Refusal::api(format!("neap.json.encode: the value {unfit}")))?;
        Ok(json.to_string())
    })?;
    let decode = lua.create_function(|lua, text: mlua::LuaString| decoded(lua, &text, "neap.json.decode"))?;
    table.raw_set("encode", encode)?;
    table.raw_set("decode", decode)?;
    sealed(lua, table, "neap.json", ".")
}

/// The value that a JSON text stands for. `function` is who asks.
pub(super) fn decoded(lua: &Lua, text: &mlua::LuaString, function: &str) -> mlua::Result<Value> {
    if text.as_bytes().len() > JSON {
        return Err(Refusal::api(format!("{function}: the text is longer than 4 MiB")).into());
    }
    let json: Json = serde_json::from_slice(&text.as_bytes())
        .map_err(|error| Refusal::api(format!("{function}: {error}")))?;
    to_lua(lua, &json, Access::Open)
}

/// The methods of `ctx`, made once for a VM.
pub(super) struct Methods {
    progress: Function,
    log: Function,
    cancelled: Function,
    on_cleanup: Function,
}

impl Methods {
    pub(super) fn new(lua: &Lua, current: &Current) -> mlua::Result<Methods> {
        Ok(Methods {
            progress: progress(lua, current)?,
            log: log_method(lua, current)?,
            cancelled: cancelled(lua, current)?,
            on_cleanup: on_cleanup(lua, current)?,
        })
    }

    /// The table `ctx` of one attempt. Everything but `ctx.vars` is read-only.
    pub(super) fn context(&self, lua: &Lua, context: &Context) -> mlua::Result<Table> {
        let json = json!({
            "task": { "name": context.task.as_str(), "labels": context.labels },
            "run": {
                "id": context.run.to_string(),
                "number": context.run_number,
                "task": context.run_task.as_str(),
                "trigger": context.trigger,
            },
            "attempt": { "number": context.attempt, "max": context.attempts_max },
            "params": context.params,
            "workdir": context.workdir.to_string_lossy(),
        });
        let table = lua.create_table()?;
        for (key, value) in json.as_object().into_iter().flatten() {
            table.raw_set(key.as_str(), to_lua(lua, value, Access::Frozen)?)?;
        }
        table.raw_set("vars", lua.create_table()?)?;
        table.raw_set("progress", &self.progress)?;
        table.raw_set("log", &self.log)?;
        table.raw_set("cancelled", &self.cancelled)?;
        table.raw_set("on_cleanup", &self.on_cleanup)?;
        sealed(lua, table, "ctx", ".")
    }
}

/// A method called with `.` instead of `:` has everything one place to the left; say that instead of something obscure.
fn is_method(this: &Value, name: &str) -> Result<(), Refusal> {
    match this {
        Value::Table(_) => Ok(()),
        _ => Err(Refusal::api(format!("write ctx:{name}(…) with a colon"))),
    }
}

fn progress(lua: &Lua, current: &Current) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_function(move |_, (this, percent, message): (Value, Value, Option<String>)| {
        is_method(&this, "progress")?;
        let percent = number(&percent).filter(|percent| percent.is_finite());
        let percent =
            percent.ok_or_else(|| Refusal::api("ctx:progress: percent must be a number from 0 to 100"))?;
        let note = Note::Progress { percent: percent.clamp(0.0, 100.0), message: message.map(cut) };
        current.get()?.say(note);
        Ok(())
    })
}

fn log_method(lua: &Lua, current: &Current) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_function(move |lua, (this, level, message, fields): (Value, Value, Value, Value)| {
        is_method(&this, "log")?;
        let word = level.to_string()?;
        let level = Level::ALL.into_iter().find(|level| level.name() == word).ok_or_else(|| {
            Refusal::api(format!("ctx:log: `{}` is not one of trace, debug, info, warn, error", cut(word)))
        })?;
        current.get()?.say(log_note(lua, level, &message, &fields, "ctx:log")?);
        Ok(())
    })
}

fn cancelled(lua: &Lua, current: &Current) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_function(move |_, this: Value| {
        is_method(&this, "cancelled")?;
        Ok(current.get()?.cancel.is_cancelled())
    })
}

fn on_cleanup(lua: &Lua, current: &Current) -> mlua::Result<Function> {
    let current = current.clone();
    lua.create_async_function(move |lua, (this, item): (Value, Value)| {
        let call = current.get();
        let item = is_method(&this, "on_cleanup").and_then(|()| cleanup_item(&lua, &item));
        async move { Ok(owe(&*call?, item?).await?) }
    })
}

async fn owe(call: &Call, item: CleanupItem) -> Result<(), Refusal> {
    let notes = call.cleanup_notes()?;
    let (ack, acknowledged) = oneshot::channel();
    let unheard = || Refusal::api("ctx:on_cleanup: the host could not store the cleanup");
    notes.send(Note::Cleanup { item, ack }).await.map_err(|_| unheard())?;
    acknowledged.await.map_err(|_| unheard())
}

fn cleanup_item(lua: &Lua, item: &Value) -> Result<CleanupItem, Refusal> {
    const KEYS: [&str; 3] = ["remove", "exec", "when"];
    let wrong = |what: &str| Refusal::api(format!("ctx:on_cleanup: {what}"));
    let json = from_lua(lua, item).map_err(|unfit| wrong(&format!("the value {unfit}")))?;
    let fields =
        json.as_object().ok_or_else(|| wrong("write it as { remove = path } or { exec = { argv } }"))?;
    if let Some(key) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let hint =
            did_you_mean(key, KEYS).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        return Err(wrong(&format!("unknown key `{key}`{hint}")));
    }
    let action = match (fields.get("remove"), fields.get("exec")) {
        (Some(path), None) => {
            CleanupAction::Remove(plain_text(path).ok_or_else(|| wrong("`remove` must be a path"))?.into())
        }
        (None, Some(argv)) => {
            CleanupAction::Exec(words(argv).ok_or_else(|| wrong("`exec` must be a list of texts"))?)
        }
        (Some(_), Some(_)) | (None, None) => return Err(wrong("give either `remove` or `exec`")),
    };
    let when = match fields.get("when").map(Json::as_str) {
        None | Some(Some("always")) => CleanupWhen::Always,
        Some(Some("not success")) => CleanupWhen::NotSuccess,
        Some(_) => return Err(wrong("`when` must be \"always\" or \"not success\"")),
    };
    Ok(CleanupItem { action, when })
}

/// A text that can be a path or an argument: not empty and without a zero byte.
fn plain_text(json: &Json) -> Option<&str> {
    json.as_str().filter(|text| !text.is_empty() && !text.contains('\0'))
}

fn words(json: &Json) -> Option<Vec<String>> {
    let words = json
        .as_array()?
        .iter()
        .map(|word| word.as_str().filter(|word| !word.contains('\0')).map(str::to_owned));
    words.collect::<Option<Vec<_>>>().filter(|words| words.first().is_some_and(|first| !first.is_empty()))
}
