//! What neap writes for people: `init`, `check`, `explain`, the samples, the documents.

mod check;
mod documents;
mod explain;
mod init;
mod outcomes;
mod samples;
mod support;
