//! placeholder
#![allow(unused)]
use super::args;
use super::error::Failure;
use super::output::Output;
use super::project::Project;
use std::path::Path;
use std::process::ExitCode;
pub(crate) fn welcome(directory: Option<&Path>, output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::usage("not there"))
}
