//! All tests that look at neap from outside, in one binary: it links once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod architecture;
mod cli;
mod cli_see;
mod cli_write;
mod editor;
mod exchange;
mod fuzz;
mod host;
mod language;
mod process;
mod recovery;
mod simulation;
mod stories;
mod truth_table;
