//! Turns what the VM says about a failure into what its author can read: the place, the lines, the way, and no inner frames.

use super::call::{Refusal, Stage};
use super::context::Context;
use super::error::{ErrorKind, Place, ScriptError};
use super::generation::Generation;
use super::limits::Budget;
use super::value::from_lua;
use super::vm::{Raised, Vm};
use super::watchdog::Stop;
use crate::base::Millis;
use mlua::Value;
use serde_json::Value as Json;
use std::sync::Arc;

/// Who failed: everything an error says besides its cause.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) generation: Arc<Generation>,
    pub(super) stage: Stage,
    who: String,
}

impl Scene {
    pub(super) fn new(generation: Arc<Generation>, stage: Stage, context: Option<&Context>) -> Scene {
        let what = match stage {
            Stage::Loading => "the top level of the file".to_owned(),
            Stage::Hook(hook) => format!("hook `{hook}`"),
            Stage::Body => "the body".to_owned(),
            Stage::Expression => "an expression".to_owned(),
        };
        let whose = context.map(|context| {
            format!(", task {}, run {}, attempt {}", context.task, context.run, context.attempt)
        });
        let who = format!("{what}{} (generation {})", whose.unwrap_or_default(), generation.number);
        Scene { generation, stage, who }
    }

    /// The same attempt while the top level of its file runs.
    pub(super) fn loading(&self) -> Scene {
        Scene { stage: Stage::Loading, ..self.clone() }
    }

    /// An error of this kind, without a place.
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ScriptError {
        ScriptError::new(kind, self.who.clone(), message)
    }

    /// A budget was used up, or nobody waits any more.
    pub(super) fn stopped(&self, why: Stop, budget: Budget, place: Option<Place>) -> ScriptError {
        let name = &self.generation.main.name;
        let error = match why {
            Stop::Cpu => {
                self.error(ErrorKind::Cpu, format!("{name} was stopped: {} of CPU used", Span(budget.cpu)))
            }
            Stop::Wall => {
                self.error(ErrorKind::Wall, format!("{name} was stopped after {}", Span(budget.wall)))
            }
            Stop::Asked => self.error(ErrorKind::Cancelled, format!("{name} was stopped: it was cancelled")),
            Stop::Abandoned => self.error(ErrorKind::Host, format!("the thread of {name} was given up")),
        };
        let error = match place {
            Some(place) => self.at(error, place),
            None => error,
        };
        match (why, self.stage) {
            (Stop::Cpu, Stage::Hook(_)) => {
                error.help("do less for each call, or move the work into a `lua:` task")
            }
            _ => error,
        }
    }

    /// An error came out of the script or the machine.
    pub(super) fn raised(&self, vm: &Vm, raised: Raised) -> ScriptError {
        match raised {
            Raised::Script { value, trace } => self.thrown(vm, &value, &trace),
            Raised::Machine(error) => self.machine(&error, ""),
        }
    }

    /// A mistake of the machine outside of any function.
    pub(super) fn machine(&self, error: &mlua::Error, trace: &str) -> ScriptError {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return self.traced(self.error(refusal.kind, refusal.message.clone()), trace);
        }
        if let Some(inner) = error.downcast_ref::<ScriptError>() {
            let mut error = inner.clone();
            error.0.who.clone_from(&self.who);
            return error;
        }
        match error {
            mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
                self.machine(cause, trace)
            }
            mlua::Error::MemoryError(_) => self.out_of_memory(trace),
            mlua::Error::RuntimeError(text) => self.text(text.lines().next().unwrap_or_default(), trace),
            other => {
                let text = other.to_string();
                self.traced(self.error(ErrorKind::Api, text.lines().next().unwrap_or_default()), trace)
            }
        }
    }

    fn thrown(&self, vm: &Vm, value: &Value, trace: &str) -> ScriptError {
        match value {
            Value::String(text) => self.text(&text.to_string_lossy(), trace),
            Value::Error(error) => self.machine(error, trace),
            Value::Table(_) => self.table(vm, value, trace),
            other => {
                let message = format!("error({})", other.type_name());
                self.traced(self.error(ErrorKind::Hook, message), trace)
            }
        }
    }

    /// `error({ code = … })` keeps what it says.
    fn table(&self, vm: &Vm, value: &Value, trace: &str) -> ScriptError {
        let content = from_lua(&vm.lua, value);
        let message = match &content {
            Ok(json) => words_of(json),
            Err(unfit) => format!("the error object {unfit}"),
        };
        let mut error = self.traced(self.error(ErrorKind::Hook, message), trace);
        error.0.content = content.ok();
        error
    }

    fn text(&self, text: &str, trace: &str) -> ScriptError {
        if text == "not enough memory" {
            return self.out_of_memory(trace);
        }
        let (place, message) = self.split(text);
        let mut error = self.error(ErrorKind::Hook, message.chars().take(2_000).collect::<String>());
        if message.contains("attempt to yield across") {
            error = error.help(
                "functions that wait cannot be used in a comparison, a metamethod, a gsub function or at the top level of a module",
            );
        }
        match place {
            Some(place) => self.at(self.with_stack(error, trace), place),
            None => self.traced(error, trace),
        }
    }

    fn out_of_memory(&self, trace: &str) -> ScriptError {
        let message = format!("{} used up its memory", self.generation.main.name);
        self.traced(self.error(ErrorKind::Memory, message), trace)
    }

    /// Splits `scripts/x.lua:14: what` where the file is one of ours; our own frames are cut off.
    fn split<'a>(&self, text: &'a str) -> (Option<Place>, &'a str) {
        let placed = text.split_once(": ").and_then(|(place, message)| Some((read_place(place)?, message)));
        match placed {
            Some((place, message)) if self.generation.text_of(&place.file).is_some() => {
                (Some(place), message)
            }
            Some((place, message)) if place.file == "neap" => (None, message),
            Some(_) | None => (None, text),
        }
    }

    fn at(&self, error: ScriptError, place: Place) -> ScriptError {
        match self.generation.text_of(&place.file) {
            Some(source) => error.at(place, &source.text),
            None => error,
        }
    }

    fn with_stack(&self, mut error: ScriptError, trace: &str) -> ScriptError {
        const FRAMES: usize = 12;
        let frames = self.frames(trace).map(|(place, function)| match function {
            Some(function) => format!("{function} ({place})"),
            None => format!("top level ({place})"),
        });
        error.0.stack = frames.take(FRAMES).collect();
        error
    }

    /// With the stack, and the innermost frame of the script as the place.
    fn traced(&self, error: ScriptError, trace: &str) -> ScriptError {
        let error = self.with_stack(error, trace);
        match self.frames(trace).next() {
            Some((place, _)) => self.at(error, place),
            None => error,
        }
    }

    /// The frames of a traceback that belong to the script: `scripts/x.lua:14 function output`.
    fn frames<'a>(&'a self, trace: &'a str) -> impl Iterator<Item = (Place, Option<&'a str>)> + 'a {
        trace.lines().filter_map(|line| {
            let (place, function) = match line.split_once(" function ") {
                Some((place, function)) => (place, Some(function)),
                None => (line, None),
            };
            let place = read_place(place.trim())?;
            self.generation.text_of(&place.file).map(|_| (place, function))
        })
    }
}

fn read_place(text: &str) -> Option<Place> {
    let (file, line) = text.rsplit_once(':')?;
    Some(Place { file: file.to_owned(), line: line.parse().ok()? })
}

fn words_of(json: &Json) -> String {
    let word = ["message", "msg", "code"].into_iter().find_map(|key| json.get(key));
    match word {
        Some(Json::String(word)) => word.clone(),
        Some(other) => other.to_string(),
        None => json.to_string().chars().take(200).collect(),
    }
}

/// Budgets are small: a tenth of a second reads better as `100 ms` than as `0.1s`.
struct Span(Millis);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.0 {
            ms if ms < 1000 => write!(f, "{ms} ms"),
            _ => write!(f, "{}", self.0),
        }
    }
}
