//! The machine of one thread in which expressions are evaluated, one evaluation after the other.
//!
//! The machine is kept, for making one costs more than most expressions do. Nothing of an evaluation stays in it: libraries and
//! variables are read-only, and a machine in which something was stopped or that has grown is thrown away.

use super::api::{Clock, decoded};
use super::call::{Call, Refusal, Stage};
use super::error::{ErrorKind, ScriptError};
use super::fault::Scene;
use super::generation::Generation;
use super::interrupt::PRELUDE;
use super::source::Source;
use super::value::{Unfit, from_lua, from_lua_within};
use super::variables::{Absent, Kind, Variables};
use super::vm::Vm;
use super::worker::{Failure, Job, Worker};
use memchr::memmem;
use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table, Value};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Expressions to evaluate over the same variables.
pub(super) struct Batch {
    pub(super) sources: Vec<Arc<Source>>,
    pub(super) variables: Map<String, Json>,
    /// The one being evaluated: what the caller knows when no answer comes back.
    pub(super) at: Arc<AtomicUsize>,
}

/// The machine of a thread. Only one evaluation uses it at a time, so that none takes the memory of another.
pub(super) type Evaluator = tokio::sync::Mutex<Option<Machine>>;

/// Bytes of text one value may hold.
const VALUE: usize = 1 << 20;

impl Worker {
    pub(super) async fn evaluate(&self, job: &Job, batch: &Batch) -> Result<Json, Failure> {
        let mut evaluator = self.evaluator.lock().await;
        let machine = match evaluator.take() {
            Some(machine) => machine,
            None => Machine::new(&job.scene.generation, self.limits.memory, &self.clock)
                .map_err(|error| Failure::Error(job.scene.machine(&error, "")))?,
        };
        let outcome = self.values(job, &machine, batch).await;
        let is_clean = match &outcome {
            Ok(_) => true,
            Err(Failure::Error(error)) => !error.kind().is_budget(),
            Err(Failure::Stopped(..)) => false,
        };
        // The machine collects nothing when its bound is near, so it must begin each evaluation far from it.
        if is_clean && machine.vm.lua.used_memory() < self.limits.memory / 4 {
            *evaluator = Some(machine);
        }
        outcome
    }

    async fn values(&self, job: &Job, machine: &Machine, batch: &Batch) -> Result<Json, Failure> {
        let (vm, scene) = (&machine.vm, &job.scene);
        let failed = |error: mlua::Error| Failure::Error(scene.machine(&error, ""));
        let environment = machine.environment(batch).map_err(failed)?;
        let call = Call::new(Stage::Expression, None, job.stop.clone());
        let mut values = Vec::with_capacity(batch.sources.len());
        for (index, source) in batch.sources.iter().enumerate() {
            batch.at.store(index, Ordering::Relaxed);
            let chunk = vm.chunk(source, &environment).map_err(failed)?;
            let returned =
                self.metered(job, vm, scene, self.limits.expression, vm.invoke(&call, &chunk, ())).await?;
            let value = from_lua_within(&vm.lua, &returned, VALUE);
            values.push(value.map_err(|unfit| Failure::Error(useless(scene, &unfit)))?);
        }
        Ok(Json::Array(values))
    }
}

fn useless(scene: &Scene, unfit: &Unfit) -> ScriptError {
    let message = match unfit {
        Unfit::Type(other) => {
            format!("an expression must give text, a number, true/false, a list or a table, not a {other}")
        }
        Unfit::Number => "an expression must give a number that is finite".to_owned(),
        Unfit::Large => "an expression must give no more than 1 MiB".to_owned(),
        Unfit::Key(_) | Unfit::Deep | Unfit::Unreadable(_) => format!("the value of the expression {unfit}"),
    };
    scene.error(ErrorKind::Hook, message)
}

/// A closed machine for expressions.
pub(super) struct Machine {
    vm: Vm,
    /// Everything an expression may name besides its variables.
    words: Function,
    variables: Variables,
    absent: Absent,
}

impl Machine {
    fn new(generation: &Arc<Generation>, memory: usize, clock: &Clock) -> mlua::Result<Machine> {
        let vm = Vm::new(generation, memory, clock)?;
        let absent = Absent::default();
        let host = vm.lua.create_table()?;
        host.raw_set("absent", absent.function(&vm.lua)?)?;
        host.raw_set("json", json(&vm.lua)?)?;
        host.raw_set("fromjson", from_json(&vm.lua)?)?;
        let text = include_str!("expression.luau");
        let entry = vm
            .lua
            .load(text)
            .set_name(PRELUDE.to_string_lossy())
            .set_mode(ChunkMode::Text)
            .call::<Table>(host)?;
        let variables = Variables::new(entry.raw_get("seal")?);
        strict_texts(&vm.lua)?;
        Ok(Machine { words: entry.raw_get("words")?, vm, variables, absent })
    }

    /// All names of an evaluation. Variables that no expression mentions are left out: outputs may be large.
    fn environment(&self, batch: &Batch) -> mlua::Result<Table> {
        self.absent.know(batch.variables.keys());
        let names: Table = self.words.call(())?;
        let is_read = |name: &str| {
            batch.sources.iter().any(|source| memmem::find(source.text.as_bytes(), name.as_bytes()).is_some())
        };
        let read = batch.variables.iter().filter(|(name, _)| is_read(name));
        self.variables.fill(&self.vm.lua, names, read, Kind::Root, "")
    }
}

/// `("text").nothing` is nil in Lua, for it looks into the library of texts. Here it is an error, as everywhere else.
fn strict_texts(lua: &Lua) -> mlua::Result<()> {
    let library: Table = lua.globals().get("string")?;
    let meta = lua.create_table()?;
    let absent = lua.create_function(|_, (_, key): (Table, Value)| -> mlua::Result<Value> {
        Err(Refusal::api(format!("a text has no `{}`", key.to_string()?)).into())
    })?;
    meta.raw_set("__index", absent)?;
    meta.raw_set("__metatable", false)?;
    meta.set_readonly(true);
    library.set_readonly(false);
    library.set_metatable(Some(meta))?;
    library.set_readonly(true);
    Ok(())
}

fn json(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, value: Value| {
        let json = from_lua(lua, &value).map_err(|unfit| Refusal::api(format!("json: the value {unfit}")))?;
        Ok(json.to_string())
    })
}

fn from_json(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, text: mlua::LuaString| decoded(lua, &text, "fromjson"))
}
