//! placeholder
use clap_complete::engine::CompletionCandidate;
use std::ffi::OsStr;
pub(crate) fn tasks(_: &OsStr) -> Vec<CompletionCandidate> {
    Vec::new()
}
pub(crate) fn runs(_: &OsStr) -> Vec<CompletionCandidate> {
    Vec::new()
}
pub(crate) fn runs_and_tasks(_: &OsStr) -> Vec<CompletionCandidate> {
    Vec::new()
}
