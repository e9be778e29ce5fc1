//! Definitions: what people write in `tasks/`, checked.

mod task;

pub use task::{
    Action, Cleanup, Hook, Leaf, OnHookError, Overlap, Param, ParamType, Params, Retry, Signal, Stop, Task,
    Timetable,
};
