//! The program as people and scripts use it: standard output, standard error and exit code.

mod backfill;
mod doctor;
mod dry_run;
mod exec;
mod hooks;
mod host;
mod interrupt;
mod logs;
mod run;
mod sharing;
mod stalled;
pub(crate) mod support;
