//! Whether an attempt shows a sign of life: output, processor time, or anything read or written, of all that belongs to it.

use super::tree::below;
use crate::exec::procfs::effort;
use crate::exec::usage::spent_on_children;
use std::time::{Duration, Instant};

/// Watches one attempt. Nothing is looked at but at [`Life::next_look`].
pub(super) struct Life {
    limit: Duration,
    /// When the last sign was seen.
    since: Instant,
    seen: Signs,
    next: Instant,
    is_told: bool,
}

/// What grows as long as something lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signs {
    output: u64,
    /// Processor time and bytes, of the living and of the dead.
    effort: u64,
}

/// Between two looks at most: so soon a long silence is noticed to be over.
const RARELY: Duration = Duration::from_secs(30);
/// At least: looking costs something, too.
const OFTEN: Duration = Duration::from_millis(50);

impl Life {
    pub(super) fn new(limit: Duration, now: Instant) -> Life {
        let mut life = Life { limit, since: now, seen: Signs::default(), next: now, is_told: false };
        life.next = now + life.pause();
        life
    }

    /// When to look again; `None` when it is told already.
    pub(super) fn next_look(&self) -> Option<Instant> {
        (!self.is_told).then_some(self.next)
    }

    /// Looks for signs, if it is time. `true` when there were none for too long, once.
    pub(super) fn is_stalled(&mut self, now: Instant, root: u32, output: u64) -> bool {
        if self.is_told || now < self.next {
            return false;
        }
        let signs = Signs { output, effort: effort_below(root) };
        if signs != self.seen {
            (self.seen, self.since) = (signs, now);
        }
        self.next = now + self.pause();
        self.is_told = now.duration_since(self.since) >= self.limit;
        self.is_told
    }

    /// What stands still need not show anything: it begins anew.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        (self.since, self.next, self.is_told) = (now, now + self.pause(), false);
    }

    /// Somebody new listens, and may not have been told.
    pub(super) fn tell_again(&mut self) {
        self.is_told = false;
    }

    fn pause(&self) -> Duration {
        (self.limit / 4).clamp(OFTEN, RARELY)
    }
}

fn effort_below(root: u32) -> u64 {
    let living: u64 = below(root).iter().map(|member| effort(member.pid)).fold(0, u64::wrapping_add);
    living.wrapping_add(spent_on_children())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at each of these moments, with so much output by then; says after which it was stalled.
    #[track_caller]
    fn check(limit: u64, looks: &[(u64, u64)], expected: Option<u64>) {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut life = Life::new(Duration::from_millis(limit), begin);
        // No process has this number, so there is only the output.
        let stalled = looks.iter().find(|(ms, output)| life.is_stalled(at(*ms), u32::MAX, *output));
        assert_eq!(stalled.map(|(ms, _)| *ms), expected);
    }

    #[test]
    fn silence_has_a_limit() {
        check(1000, &[(250, 5), (500, 5), (750, 5), (1000, 5), (1250, 5)], Some(1250));
        check(1000, &[(250, 5), (500, 6), (750, 7), (1000, 8), (1250, 9), (2000, 9)], None);
        check(1000, &[(250, 5), (1000, 6), (1500, 6), (1999, 6)], None);
    }

    #[test]
    fn it_is_told_once() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut life = Life::new(Duration::from_millis(100), begin);
        assert!(!life.is_stalled(at(60), u32::MAX, 1), "the first look sees output");
        assert!(life.is_stalled(at(200), u32::MAX, 1));
        assert!(!life.is_stalled(at(900), u32::MAX, 1) && life.next_look().is_none());
        life.begin_anew(at(1000));
        assert!(!life.is_stalled(at(1060), u32::MAX, 1), "what stood still has its whole time again");
    }
}
