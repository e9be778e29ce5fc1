//! The task language end to end: files in, the real program, what came of it out.

mod canaries;
mod decided;
mod handed_on;
mod hostile;
mod streams;
mod whole;
