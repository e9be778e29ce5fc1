//! The `neap` program.
fn main() {}
