//! All tests that look at neap from outside, in one binary: it links once.

mod simulation;
mod stories;
