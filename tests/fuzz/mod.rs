//! Whatever somebody writes into a file, an expression or an output is answered: without a panic, in time, and with a
//! place for everything that is wrong.
//!
//! `FUZZ=1000000 cargo test --release fuzz -- --nocapture` is the long form; a failure prints its seed, and `SEED=n` plays
//! it again. What is private in the library has its tests there: the tree of YAML in `definition`, the drawn problems in
//! `cli`, the file of outputs in `exec`.

mod bombs;
mod expressions;
mod files;
mod kit;
mod outputs;

use std::time::Duration;

/// What an expression may use by the clock on the wall: its own budget is 50 ms of processor time, on another thread.
const EVALUATED: Duration = Duration::from_millis(if cfg!(debug_assertions) { 4_000 } else { 250 });
