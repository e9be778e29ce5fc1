//! What neap writes for people: `init`, `check`, `explain`, `schema`, the samples, the documents.

mod check;
mod documents;
mod explain;
mod import;
mod imported;
mod init;
mod outcomes;
mod samples;
mod schema;
pub(crate) mod support;
