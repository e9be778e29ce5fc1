//! placeholder until the branch lands
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule(u64);
impl Schedule {
    pub fn every(m: crate::base::Millis) -> Result<Schedule, ()> {
        Ok(Schedule(m.0))
    }
    pub fn next(&self, after: crate::base::Moment) -> Option<crate::base::Moment> {
        Some(crate::base::Moment((after.0 / self.0 + 1) * self.0))
    }
}
