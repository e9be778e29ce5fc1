//! Expressions: one value out of a line of Lua, over variables that are given to it.
//!
//! An expression sees its variables, a part of the standard library and a few pure functions; it cannot wait, log or reach the
//! host. Where it stands and what its value is for is not known here.

use super::call::Stage;
use super::error::{ErrorKind, ScriptError, ScriptProblem};
use super::evaluate::Batch;
use super::fault::Scene;
use super::generation::Generation;
use super::pool::Pool;
use super::source::{self, Root, Source};
use super::worker::Task;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// Expressions to evaluate over the same variables.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Whose they are, for messages: `nightly#3/dump`.
    pub label: String,
    /// The expressions, without `${{` and `}}`.
    pub sources: Vec<Arc<str>>,
    /// What they may name: `params`, `env`, `run`, `task`, `tasks`, `item`, `matrix`, `outputs`. `null` is nil.
    ///
    /// Whatever a variable does not have is an error when it is read, with two exceptions: `env`, where it is nil, and a field
    /// that is given as `null`.
    pub variables: Map<String, Value>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {message}")]
pub struct EvaluationError {
    /// Which of the expressions, counted from 0.
    pub index: usize,
    /// The label of the evaluation.
    pub label: String,
    /// What is wrong, in one line.
    pub message: String,
}

/// A function that expressions have beside the standard library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionFunction {
    /// Its name.
    pub name: &'static str,
    /// How it is called: `join(list, separator)`.
    pub usage: &'static str,
    /// What it gives, in one sentence.
    pub meaning: &'static str,
    /// An expression with it.
    pub example: &'static str,
    /// The value of the example, as JSON.
    pub gives: &'static str,
}

/// The functions that expressions have beside the standard library: all that documents and completions need.
pub const EXPRESSION_FUNCTIONS: [ExpressionFunction; 11] = [
    ExpressionFunction {
        name: "basename",
        usage: "basename(path)",
        meaning: "The last part of a path.",
        example: r#"basename("/var/log/app.log")"#,
        gives: r#""app.log""#,
    },
    ExpressionFunction {
        name: "contains",
        usage: "contains(box, x)",
        meaning: "Whether a list has the item `x`, or a text has the text `x` in it.",
        example: r#"contains({"a", "b"}, "b")"#,
        gives: "true",
    },
    ExpressionFunction {
        name: "default",
        usage: "default(x, y)",
        meaning: "`x`, or `y` when `x` is nil, as a variable that is not set is.",
        example: r#"default(nil, "none")"#,
        gives: r#""none""#,
    },
    ExpressionFunction {
        name: "dirname",
        usage: "dirname(path)",
        meaning: "A path without its last part.",
        example: r#"dirname("/var/log/app.log")"#,
        gives: r#""/var/log""#,
    },
    ExpressionFunction {
        name: "endswith",
        usage: "endswith(text, ending)",
        meaning: "Whether a text ends so.",
        example: r#"endswith("app.sql.gz", ".gz")"#,
        gives: "true",
    },
    ExpressionFunction {
        name: "fromjson",
        usage: "fromjson(text)",
        meaning: "The value that a JSON text stands for.",
        example: r#"fromjson('{"size": 5}').size"#,
        gives: "5",
    },
    ExpressionFunction {
        name: "join",
        usage: "join(list, separator)",
        meaning: "The items of a list as one text; the separator is a comma when none is given.",
        example: r#"join({"a", 1}, "-")"#,
        gives: r#""a-1""#,
    },
    ExpressionFunction {
        name: "json",
        usage: "json(x)",
        meaning: "A value as JSON text.",
        example: "json({1, 2})",
        gives: r#""[1,2]""#,
    },
    ExpressionFunction {
        name: "raw",
        usage: "raw(x)",
        meaning: "`x` itself; around a whole expression in a script, `x` is spliced in as code instead of as one word.",
        example: r#"raw("-v -x")"#,
        gives: r#""-v -x""#,
    },
    ExpressionFunction {
        name: "split",
        usage: "split(text, separator)",
        meaning: "The parts of a text as a list; the separator is a comma when none is given, and an empty text has no parts.",
        example: r#"split("a:b", ":")"#,
        gives: r#"["a","b"]"#,
    },
    ExpressionFunction {
        name: "startswith",
        usage: "startswith(text, start)",
        meaning: "Whether a text begins so.",
        example: r#"startswith("release-1", "release-")"#,
        gives: "true",
    },
];

/// How many compiled expressions are kept. A project has hundreds; those whose text changes with each run are no use to anybody.
const KEPT: usize = 1_024;

/// The expressions of one host: compiled once, evaluated on whichever thread comes next.
pub(super) struct Expressions {
    root: Root,
    compiled: Mutex<HashMap<Arc<str>, Arc<Source>>>,
    next: AtomicU64,
}

impl Expressions {
    pub(super) fn new(root: Root) -> Expressions {
        Expressions { root, compiled: Mutex::default(), next: AtomicU64::new(0) }
    }

    pub(super) fn check(name: &str, text: &str) -> Option<ScriptProblem> {
        let failed = source::expression(name, text).err()?;
        Some(ScriptProblem::of(name, &failed))
    }

    pub(super) async fn evaluate(
        &self,
        pool: &Pool,
        request: Evaluation,
    ) -> Result<Vec<Value>, EvaluationError> {
        let Evaluation { label, sources, variables } = request;
        let mut compiled = Vec::with_capacity(sources.len());
        for (index, text) in sources.iter().enumerate() {
            let source = self.compiled(text);
            compiled.push(source.map_err(|error| failed(index, &label, text, &error))?);
        }
        let at = Arc::new(AtomicUsize::new(0));
        let task = Task::Evaluate(Batch { sources: compiled, variables, at: at.clone() });
        match pool.ask(pool.next_call(), self.scene(), task, CancellationToken::new()).await {
            Ok(Value::Array(values)) => Ok(values),
            Ok(other) => Ok(vec![other]),
            Err(error) => {
                let index = at.load(Ordering::Relaxed);
                Err(failed(index, &label, sources.get(index).map_or("", |text| text), &error))
            }
        }
    }

    fn compiled(&self, text: &Arc<str>) -> Result<Arc<Source>, ScriptError> {
        let kept = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = kept().get(text) {
            return Ok(source.clone());
        }
        let source = source::expression(NAME, text)?;
        let mut kept = kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(text.clone(), source.clone());
        Ok(source)
    }

    /// Each evaluation is a generation of its own, so that they go round all threads.
    fn scene(&self) -> Scene {
        let nothing = Source { name: NAME.to_owned(), text: String::new(), bytecode: Vec::new() };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Scene::new(Generation::new(number, Arc::new(nothing), self.root.clone()), Stage::Expression, None)
    }
}

/// What messages call an expression.
const NAME: &str = "the expression";

fn failed(index: usize, label: &str, text: &str, error: &ScriptError) -> EvaluationError {
    let place = error.place().filter(|_| text.contains('\n'));
    let line = place.map(|place| format!("line {}: ", place.line)).unwrap_or_default();
    let hint = error.hint().filter(|_| error.kind() == ErrorKind::Syntax);
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let message = format!("{line}{}{hint}", error.message()).replace(['\r', '\n'], " ");
    EvaluationError { index, label: label.to_owned(), message }
}
