//! How much later than its slot a run is created, so that not everything begins in the same second.
//!
//! The shift comes from the name of the schedule and from the slot, not from chance: a restart and `neap next` give the
//! same.

use crate::base::{Millis, Moment};

/// The shift for one slot: at most `most`, and never up to the next slot.
pub fn jitter(key: &str, slot: Moment, next: Option<Moment>, most: Millis) -> Millis {
    let room = next.map_or(u64::MAX, |next| (next - slot).0.saturating_sub(1));
    let most = most.0.min(room);
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&slot.0.to_le_bytes());
    let bytes = hasher.finalize();
    let first = bytes.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // The share of 2^64 that the number is, of all that is possible.
    Millis(((u128::from(first) * (u128::from(most) + 1)) >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_spread_and_stay_the_same() {
        let hour = |slot: u64| jitter("t: @hourly (UTC)", Moment(slot * 3_600_000), None, Millis(600_000));
        let shifts: Vec<u64> = (0..1000).map(|slot| hour(slot).0).collect();
        assert!(shifts.iter().all(|shift| *shift <= 600_000));
        let in_tenth = |tenth: u64| shifts.iter().filter(|shift| **shift / 60_001 == tenth).count();
        assert!((0..10).all(|tenth| (60..140).contains(&in_tenth(tenth))), "{shifts:?}");
        assert_eq!(hour(7), hour(7));
        assert_ne!(
            jitter("a", Moment(0), None, Millis(600_000)),
            jitter("b", Moment(0), None, Millis(600_000))
        );
    }

    #[test]
    fn a_shift_never_reaches_the_next_slot() {
        for slot in 0..1000 {
            let next = Some(Moment(slot * 1000 + 1000));
            assert!(jitter("a", Moment(slot * 1000), next, Millis(3_600_000)) < Millis(1000));
        }
        assert_eq!(jitter("a", Moment(5), Some(Moment(6)), Millis(9)), Millis(0));
        assert_eq!(jitter("a", Moment(5), None, Millis(0)), Millis(0));
    }
}
