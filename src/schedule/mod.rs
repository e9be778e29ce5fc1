//! placeholder until the branch lands
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule;
