//! The engine decides. It takes one input at a time and answers with effects; it never waits, reads a clock,
//! opens a file or spawns a process.

mod event;

pub use event::{
    Author, Cause, Event, Exit, NewRun, NotSpawned, Outcome, OwedCleanup, PlanRef, Question, Record,
    RunOutcome, ScheduleKey, Skip, SlotSkip, StopCause, Trigger, Usage,
};
