//! placeholder
#![allow(unused)]
use super::args;
use super::error::Failure;
use super::output::Output;
use super::project::Project;
use std::path::Path;
use std::process::ExitCode;
pub(crate) fn serve(project: &Project, args: &args::Serve, output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::usage("not there"))
}
pub(crate) fn reload(project: &Project, output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::usage("not there"))
}
