//! Definitions: what people write in `tasks/`, checked.
//!
//! Text becomes a tree with places ([`Source`]), the tree becomes tasks ([`Task`]), and the tasks of all files become a
//! [`Catalog`]. Whatever is wrong on the way is a [`Problem`] and stops nothing else. No file is opened here and no clock
//! is read.

mod across;
mod actions;
mod body;
mod catalog;
mod cells;
mod chains;
mod children;
mod codes;
mod declared;
mod dotenv;
mod expect;
mod expressions;
mod fields;
mod file;
mod firing;
mod flow;
mod free;
mod freshness;
mod gate;
mod guessed;
mod heal;
pub(crate) mod keys;
mod known;
mod leaf;
mod listen;
mod log;
mod machine;
mod normal;
mod outputs;
mod params;
mod pattern;
mod policy;
mod problem;
mod process;
mod reach;
mod repeat;
mod secret;
mod settings;
mod sharing;
mod shell;
mod slip;
mod source;
mod spread;
mod stdin;
mod task;
mod template;
mod templates;
mod texts;
mod timetable;
mod token;
mod tree;
mod turns;
mod upcoming;
mod values;
mod words;

pub use actions::{Argument, BuiltIn, Shape, built_in_actions, is_built_in, span_of};
pub use body::Registered;
pub use catalog::{Catalog, Found};
pub use cells::{CellsError, cell_names, matrix_cells, seen_as_items, seen_as_matrix};
pub use dotenv::{DotenvProblem, dotenv};
pub use expect::Expect;
pub use firing::{Catchup, Firing, Overlap};
pub use freshness::{Freshness, Method};
pub use gate::{Check, Need, Precondition, Rule, When};
pub use keys::{SchemaKind, reference, schema};
pub use listen::Listen;
pub use log::{Log, LogMode};
pub use machine::Machine;
pub use outputs::{OutputFault, OutputProblem, outputs};
pub use params::{ParamFault, ParamProblem, bind, bind_json, environment, read as read_param};
pub use pattern::{Pattern, globs, plain};
pub use problem::{Code, Exhibit, Fix, Mark, Place, Problem, Severity, apply_fixes, explain};
pub(crate) use process::OF_THE_USER;
pub use process::{Limits, OnHostDeath, OnLeak, Process};
pub use repeat::{Again, Repeat};
pub use secret::{Secret, SecretSource};
pub use settings::{Channel, Durability, Settings};
pub(crate) use sharing::MEMORY;
pub use sharing::{DEFAULT_QUEUE, Lock, LockMode, Rate, Sharing, shown_amount};
pub use shell::{SafeScript, ScriptPart, ShellTrouble, ShellTroubleKind, is_posix_shell, safe_script};
pub use source::Source;
pub use spread::{MOST_CELLS, Over, Spread};
pub use stdin::{Stdin, Stdout};
pub use task::{
    Action, Cleanup, Hook, Leaf, OnHookError, Param, ParamType, Params, Retry, Signal, Stop, Task, Timetable,
    USES_TASK, is_waiting,
};
pub use template::{
    Expression, Piece, Reference, Template, TemplateError, TemplateErrorKind, references, shown,
};
pub use texts::TextMut;
pub use turns::{Concurrency, GroupName, OnConflict, RunGroup, Turns};
pub use words::words;

#[cfg(test)]
mod tests;
