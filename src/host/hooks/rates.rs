//! How often a hook is called, and how often an address shows a wrong token.
//!
//! It is forgotten with the host: whoever would wait for a restart waits longer than a minute.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
/// A task is called so often within a minute.
const CALLS: usize = 60;
/// An address may be wrong so often within a minute.
const FAILURES: usize = 10;
/// So many addresses are remembered; of more, those that failed longest ago are forgotten.
const ADDRESSES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Rates {
    calls: BTreeMap<String, VecDeque<Instant>>,
    failures: BTreeMap<IpAddr, VecDeque<Instant>>,
}

impl Rates {
    /// A task is called, by somebody who may.
    ///
    /// # Errors
    /// After how long it may be called again.
    pub(super) fn call(&mut self, task: &str, now: Instant) -> Result<(), Duration> {
        // Only tasks that there are get here, so this holds no more than there are tasks.
        count(self.calls.entry(task.to_owned()).or_default(), CALLS, now)
    }

    /// Somebody at this address did not know the token.
    ///
    /// # Errors
    /// After how long an answer is given again.
    pub(super) fn fail(&mut self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let from = network(from);
        if !self.failures.contains_key(&from) && self.failures.len() >= ADDRESSES {
            self.forget(now);
        }
        count(self.failures.entry(from).or_default(), FAILURES, now)
    }

    fn forget(&mut self, now: Instant) {
        self.failures.retain(|_, times| times.back().is_some_and(|last| now - *last < MINUTE));
        if self.failures.len() >= ADDRESSES {
            let oldest = self.failures.iter().min_by_key(|(_, times)| times.back()).map(|(from, _)| *from);
            oldest.map(|from| self.failures.remove(&from));
        }
    }
}

/// One more, if that is not too many for the last minute.
fn count(times: &mut VecDeque<Instant>, most: usize, now: Instant) -> Result<(), Duration> {
    while times.front().is_some_and(|first| now.saturating_duration_since(*first) >= MINUTE) {
        times.pop_front();
    }
    match times.front() {
        Some(first) if times.len() >= most => Err(MINUTE - now.saturating_duration_since(*first)),
        Some(_) | None => {
            times.push_back(now);
            Ok(())
        }
    }
}

/// Whoever has one address of version 6 has as many as there are in this network.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_task_is_called_sixty_times_within_any_minute() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in 0..60 {
            assert_eq!(rates.call("a", at(second / 2)), Ok(()), "{second}");
        }
        assert_eq!(rates.call("a", at(40)), Err(Duration::from_secs(20)));
        assert_eq!(rates.call("b", at(40)), Ok(()));
        // Two were called in the first second.
        assert_eq!(
            [59, 60, 60, 60].map(|second| rates.call("a", at(second)).is_ok()),
            [false, true, true, false]
        );
    }

    #[test]
    fn an_address_is_wrong_ten_times_within_a_minute() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(rates.fail(ip("192.0.2.7"), now), Ok(()));
        }
        assert_eq!(rates.fail(ip("192.0.2.7"), now), Err(MINUTE));
        assert_eq!(rates.fail(ip("::ffff:192.0.2.7"), now), Err(MINUTE));
        assert_eq!(rates.fail(ip("192.0.2.8"), now), Ok(()));
        for n in 0..10 {
            assert_eq!(rates.fail(ip(&format!("2001:db8::{n}")), now), Ok(()));
        }
        assert_eq!(rates.fail(ip("2001:db8::ffff"), now), Err(MINUTE));
        assert_eq!(rates.fail(ip("192.0.2.7"), now + MINUTE), Ok(()));
    }

    #[test]
    fn a_crowd_of_addresses_does_not_fill_the_memory() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for n in 0..10_000u32 {
            let _ = rates.fail(IpAddr::V4(n.into()), now + Duration::from_millis(u64::from(n)));
        }
        assert_eq!(rates.failures.len(), ADDRESSES);
        assert!(rates.failures.contains_key(&IpAddr::V4(9_999.into())));
        assert!(!rates.failures.contains_key(&IpAddr::V4(0.into())));
    }
}
