//! All tests that look at neap from outside, in one binary: it links once.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests as well")]

mod cli_write;
mod host;
mod simulation;
mod stories;
