//! All tests that look at neap from outside, in one binary: it links once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod architecture;
mod cli;
mod cli_see;
mod cli_write;
mod host;
mod recovery;
mod simulation;
mod stories;
