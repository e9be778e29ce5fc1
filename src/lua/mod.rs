//! The sandboxed scripting host: hooks and bodies written in Lua (the Luau dialect), each within a budget.
//!
//! Scripts run on threads of their own, one closed machine for each version of a file and a fresh instance for each attempt.
//! A script that uses up its time or memory is stopped wherever it is, and nobody else notices.
//!
//! This layer decides nothing about tasks: it hands typed [`Decision`]s, [`Note`]s and [`ScriptError`]s to the host. No type of
//! the VM appears in its interface.
//!
//! ```
//! use neap::base::Moment;
//! use neap::lua::{Limits, Script, Scripts, Shape};
//! use std::sync::Arc;
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("x.lua"), "return { on_sucess = function() end }")?;
//! let scripts = Scripts::open(folder.path().into(), Limits::default(), Arc::new(|| Moment(0)))?;
//! let problems = scripts.reload(&[Script { file: "x.lua".into(), shape: Shape::Hooks }]);
//! assert_eq!(problems[0].message, "unknown hook `on_sucess`; did you mean `success`?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(panic = "abort")]
compile_error!(
    "neap cannot be built with panic = \"abort\": errors of scripts unwind through the Luau VM; use panic = \"unwind\""
);

mod api;
mod call;
mod context;
mod decision;
mod error;
mod evaluate;
mod expression;
mod fault;
mod generation;
mod hook;
mod instance;
mod interrupt;
mod ledger;
mod limits;
mod metered;
mod output;
mod pool;
mod scripts;
mod source;
mod value;
mod variables;
mod vm;
mod watchdog;
mod worker;

pub use api::Clock;
pub use context::{
    BodyCall, BodyEnd, BodySource, CleanupAction, CleanupItem, CleanupWhen, Context, HookCall, Level, Note,
    Notes,
};
pub use decision::{
    BadDecision, BeforeDecision, CancelDecision, Decision, Keys, OutputDecision, RetryDecision,
    SuccessDecision,
};
pub use error::{ErrorKind, Place, ScriptError, ScriptProblem};
pub use expression::{EXPRESSION_FUNCTIONS, Evaluation, EvaluationError, ExpressionFunction};
pub use generation::{Script, Shape};
pub use hook::Hook;
pub use limits::{Budget, Limits};
pub use output::{OutputDecisions, OutputFeed, Stream};
pub use scripts::{ScriptStatus, Scripts, StartError};

#[cfg(test)]
mod tests;
