//! neap: an embeddable scripting host driven by task definitions.

#[cfg(feature = "api")]
pub mod api;
pub mod base;
#[cfg(feature = "cli")]
pub mod cli;
pub mod definition;
pub mod engine;
pub mod exec;
pub mod host;
pub mod lua;
pub mod plan;
pub mod schedule;
pub mod store;
pub mod watch;
