//! All tests that look at neap from outside, in one binary: it links once.

mod host;
mod simulation;
mod stories;
