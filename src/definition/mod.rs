//! Definitions: what people write in `tasks/`, checked.
//!
//! Text becomes a tree with places ([`Source`]), the tree becomes tasks ([`Task`]), and the tasks of all files become a
//! [`Catalog`]. Whatever is wrong on the way is a [`Problem`] and stops nothing else. No file is opened here and no clock
//! is read.

mod across;
mod body;
mod catalog;
mod children;
mod codes;
mod declared;
mod fields;
mod file;
mod heal;
mod known;
mod leaf;
mod normal;
mod params;
mod policy;
mod problem;
mod settings;
mod source;
mod task;
mod timetable;
mod tree;
mod values;
mod words;

pub use body::Registered;
pub use catalog::{Catalog, Found};
pub use params::{ParamFault, ParamProblem, bind, bind_json, environment};
pub use problem::{Code, Exhibit, Fix, Mark, Place, Problem, Severity, apply_fixes, explain};
pub use settings::{Durability, Settings};
pub use source::Source;
pub use task::{
    Action, Cleanup, Hook, Leaf, OnHookError, Overlap, Param, ParamType, Params, Retry, Signal, Stop, Task,
    Timetable,
};
pub use words::words;

#[cfg(test)]
mod tests;
