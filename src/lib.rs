//! neap: an embeddable scripting host driven by task definitions.

pub mod base;
