//! One closed Luau machine: what is left of the standard library, the guards, the API, and the ways in.
//!
//! It belongs to one generation and one thread. It enforces memory; time is enforced from outside by [`super::metered`].

use super::api::{self, Clock, Methods};
use super::call::{Call, Current, Refusal};
use super::context::Context;
use super::error::ErrorKind;
use super::generation::Generation;
use super::interrupt::{PRELUDE, Safepoint, Slot, enter};
use super::source::{Source, module_file};
use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLuaMulti, Lua, LuaOptions, MultiValue, StdLib, Table, Value};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};

/// The globals scripts may use. Everything else is removed, whatever a later Luau may bring.
const ALLOWED: [&str; 32] = [
    "assert",
    "bit32",
    "buffer",
    "coroutine",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "neap",
    "next",
    "os",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "vector",
    "xpcall",
    "_VERSION",
    "debug",
];

/// What scripts may use of the libraries that can do more than they should.
const ALLOWED_OS: [&str; 4] = ["clock", "date", "difftime", "time"];
const ALLOWED_DEBUG: [&str; 1] = ["traceback"];

/// How a function of a script failed.
pub(super) enum Raised {
    /// It raised this, and came this way.
    Script { value: Value, trace: String },
    /// The machine itself gave up.
    Machine(mlua::Error),
}

impl From<mlua::Error> for Raised {
    fn from(error: mlua::Error) -> Raised {
        Raised::Machine(error)
    }
}

pub(super) struct Vm {
    pub(super) lua: Lua,
    methods: Methods,
    invoke: Function,
    requirer: Function,
    current: Current,
    /// After `lua`, which may look at it until it is gone; in a `Box`, so that it stays where it is.
    safepoint: Box<Safepoint>,
}

impl Vm {
    /// A new machine for one generation.
    ///
    /// # Errors
    /// Only when there is no memory left, or by a mistake of ours.
    pub(super) fn new(generation: &Arc<Generation>, memory: usize, clock: &Clock) -> mlua::Result<Vm> {
        let libraries = StdLib::COROUTINE
            | StdLib::TABLE
            | StdLib::OS
            | StdLib::STRING
            | StdLib::UTF8
            | StdLib::BIT
            | StdLib::MATH
            | StdLib::BUFFER
            | StdLib::VECTOR
            | StdLib::DEBUG;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let safepoint = Box::new(Safepoint::default());
        // SAFETY: the safepoint stands still in its `Box`, and the field order drops `lua` first.
        unsafe { safepoint.attach(&lua) };
        let current = Current::default();
        let globals = lua.globals();
        keep_only(&globals, &ALLOWED)?;
        keep_only(&globals.raw_get::<Table>("os")?, &ALLOWED_OS)?;
        let host = host_functions(&lua, Arc::downgrade(generation), clock)?;
        let prelude = lua
            .load(include_str!("prelude.luau"))
            .set_name(PRELUDE.to_string_lossy())
            .set_mode(ChunkMode::Text);
        let entry: Table = prelude.call((Lua::poll_pending(), host))?;
        keep_only(&globals.raw_get::<Table>("debug")?, &ALLOWED_DEBUG)?;
        api::install(&lua, &current, clock)?;
        let methods = Methods::new(&lua, &current)?;
        lua.sandbox(true)?;
        lua.set_memory_limit(memory)?;
        let (invoke, requirer) = (entry.raw_get("invoke")?, entry.raw_get("requirer")?);
        Ok(Vm { lua, methods, invoke, requirer, current, safepoint })
    }

    pub(super) fn slot(&self) -> Slot {
        Slot::of(&self.lua)
    }

    pub(super) fn safepoint(&self) -> &Safepoint {
        &self.safepoint
    }

    /// The table `ctx` of one attempt.
    pub(super) fn context(&self, context: &Context) -> mlua::Result<Table> {
        self.methods.context(&self.lua, context)
    }

    /// A fresh environment: reads fall through to the shared library, writes stay inside.
    pub(super) fn environment(&self) -> mlua::Result<Table> {
        let env = self.lua.create_table()?;
        env.raw_set("_G", &env)?;
        env.raw_set("require", self.requirer.call::<Function>(&env)?)?;
        let meta = self.lua.create_table()?;
        meta.raw_set("__index", self.lua.globals())?;
        meta.raw_set("__metatable", false)?;
        meta.set_readonly(true);
        env.set_metatable(Some(meta))?;
        Ok(env)
    }

    /// The top level of a source as a function over this environment.
    pub(super) fn chunk(&self, source: &Source, env: &Table) -> mlua::Result<Function> {
        chunk(&self.lua, source, env)
    }

    /// Calls a function of a script on behalf of `call`. Returns its first value.
    pub(super) async fn invoke(
        &self,
        call: &Arc<Call>,
        function: &Function,
        arguments: impl IntoLuaMulti,
    ) -> Result<Value, Raised> {
        let mut arguments = arguments.into_lua_multi(&self.lua)?;
        arguments.push_front(Value::Function(function.clone()));
        let mut returned = self.serving(call, self.invoke.call_async::<MultiValue>(arguments)).await?;
        let is_ok = matches!(returned.pop_front(), Some(Value::Boolean(true)));
        let value = returned.pop_front().unwrap_or(Value::Nil);
        if is_ok { Ok(value) } else { Err(raised(value)) }
    }

    /// Polls a future with `call` as the current one. Only for the length of each poll: others use the machine in between.
    async fn serving<T>(&self, call: &Arc<Call>, script: impl Future<Output = T>) -> T {
        let mut script = pin!(script);
        poll_fn(|cx| {
            let before = self.current.replace(Some(call.clone()));
            let polled = script.as_mut().poll(cx);
            self.current.replace(before);
            polled
        })
        .await
    }
}

fn keep_only(table: &Table, allowed: &[&str]) -> mlua::Result<()> {
    let keys = table.pairs::<Value, Value>().map(|pair| Ok(pair?.0)).collect::<mlua::Result<Vec<_>>>()?;
    for key in keys {
        let is_allowed = key.as_string().is_some_and(|key| allowed.iter().any(|name| *key == **name));
        if !is_allowed {
            table.raw_set(key, Value::Nil)?;
        }
    }
    Ok(())
}

fn chunk(lua: &Lua, source: &Source, env: &Table) -> mlua::Result<Function> {
    let chunk = lua.load(source.bytecode.as_slice()).set_name(format!("@{}", source.name));
    chunk.set_mode(ChunkMode::Binary).set_environment(env.clone()).into_function()
}

/// What the prelude needs of us.
fn host_functions(lua: &Lua, generation: Weak<Generation>, clock: &Clock) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.raw_set("now", api::now(lua, clock)?)?;
    // SAFETY: `enter` keeps to the rules of a C function: it takes nothing, returns nothing and raises nothing.
    host.raw_set("enter", unsafe { lua.create_c_function(enter)? })?;
    let module = lua.create_function(|_, name: Value| {
        let name = name.as_string().map(|name| name.to_string_lossy()).unwrap_or_default();
        module_file(&name).ok_or_else(|| {
            let message =
                format!("require: `{name}` cannot be required: write require \"lib.x\" for lib/x.lua");
            mlua::Error::from(Refusal { kind: ErrorKind::Denied, message })
        })
    })?;
    host.raw_set("module", module)?;
    let load = lua.create_function(move |lua, (file, env): (String, Table)| {
        let gone = || Refusal { kind: ErrorKind::Host, message: "the script was dropped".into() };
        let module = generation.upgrade().ok_or_else(gone)?.module(&file).map_err(mlua::Error::external)?;
        chunk(lua, &module, &env)
    })?;
    host.raw_set("chunk", load)?;
    Ok(host)
}

fn raised(value: Value) -> Raised {
    if let Value::Table(explained) = &value
        && let (Ok(value), Ok(trace)) = (explained.raw_get::<Value>(1), explained.raw_get::<String>(2))
    {
        return Raised::Script { value, trace };
    }
    Raised::Script { value, trace: String::new() }
}
