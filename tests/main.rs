//! All tests that look at neap from outside, in one binary: it links once.

mod api;
mod architecture;
mod host;
mod simulation;
mod stories;
