//! When attempts began that share a rate: as many of the last as any limit looks back.

use crate::base::Moment;
use crate::definition::Rate;
use std::collections::{BTreeMap, VecDeque};

/// The last beginnings under each name, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(BTreeMap<String, VecDeque<Moment>>);

impl Rates {
    /// One more has begun.
    pub fn note(&mut self, name: &str, at: Moment) {
        let starts = self.0.entry(name.to_owned()).or_default();
        starts.push_back(at);
        if starts.len() > Rate::MOST as usize {
            starts.pop_front();
        }
    }

    /// When another may begin under this rate, if not now, when so many more begin now.
    ///
    /// A beginning in the future counts as none: the clock was set back, and nobody waits until it has caught up.
    pub(in crate::engine) fn wait(&self, rate: &Rate, now: Moment, more: usize) -> Option<Moment> {
        let limit = rate.limit as usize;
        if more >= limit {
            return Some(now + rate.per);
        }
        let starts = self.0.get(&rate.key)?;
        let oldest = *starts.get((starts.len() + more).checked_sub(limit)?)?;
        let until = oldest + rate.per;
        (oldest <= now && until > now).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Millis;

    #[test]
    fn the_window_slides() {
        let mut rates = Rates::default();
        let rate = Rate { key: "api".into(), limit: 2, per: Millis(100) };
        #[track_caller]
        fn check(rates: &Rates, rate: &Rate, now: u64, more: usize, expected: Option<u64>) {
            assert_eq!(rates.wait(rate, Moment(now), more), expected.map(Moment));
        }
        check(&rates, &rate, 0, 0, None);
        check(&rates, &rate, 0, 1, None);
        check(&rates, &rate, 0, 2, Some(100));
        rates.note("api", Moment(10));
        check(&rates, &rate, 50, 0, None);
        check(&rates, &rate, 50, 1, Some(110));
        rates.note("api", Moment(60));
        check(&rates, &rate, 60, 0, Some(110));
        check(&rates, &rate, 109, 0, Some(110));
        check(&rates, &rate, 110, 0, None);
        check(&rates, &rate, 110, 1, Some(160));
        check(&rates, &rate, 5, 0, None);
        let other = Rate { key: "other".into(), ..rate.clone() };
        check(&rates, &other, 60, 0, None);
    }

    #[test]
    fn no_more_is_remembered_than_anybody_looks_back() {
        let mut rates = Rates::default();
        (0..5_000).for_each(|at| rates.note("api", Moment(at)));
        assert_eq!(rates.0["api"].len(), Rate::MOST as usize);
        let rate = Rate { key: "api".into(), limit: Rate::MOST, per: Millis(10_000) };
        assert_eq!(rates.wait(&rate, Moment(5_000), 0), Some(Moment(14_000)));
    }
}
