//! The files of one schedule that have changed, until they have come to rest. It reads no clock and no file.
//!
//! Files that come together are told together. One that never rests, such as a log, holds up the others for a while only.

use crate::base::{Millis, Moment};
use crate::engine::MOST_NAMED;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// For so many times the rest that each of them needs, files wait for others that have none.
const PATIENCE: u32 = 10;

/// By what is seen of a file it is known whether something has happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) place: (u64, u64),
    pub(super) size: u64,
    /// When its content changed, in nanoseconds; whoever has the file can set this.
    pub(super) modified: i128,
    /// When anything about it changed, its name included; only the system sets this.
    pub(super) changed: i128,
}

impl Sign {
    pub(super) fn changed_at(&self) -> Moment {
        moment(self.changed)
    }
}

fn moment(nanoseconds: i128) -> Moment {
    Moment(u64::try_from(nanoseconds / 1_000_000).unwrap_or(0))
}

/// How a file came to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    /// Its folder was searched: what the system has written down about it must say that it changed.
    Found,
    /// Something was noticed about it. That may have been its mode or its owner.
    Touched,
    /// The system said that it was written, made or given its name.
    Written,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    sign: Sign,
    /// Since when nothing has happened to it, as far as was seen.
    since: Instant,
}

#[derive(Debug)]
pub(super) struct Burst {
    pub(super) settle: Millis,
    /// All changes up to here have been told.
    pub(super) cursor: Moment,
    pending: BTreeMap<PathBuf, Pending>,
    /// Since when something is pending.
    pub(super) begun: Option<Instant>,
    /// More files than are remembered have changed; this is when that was last seen.
    pub(super) crowded: Option<Instant>,
    /// What was told last, and what was told of changes after the cursor.
    told: HashMap<PathBuf, Sign>,
}

impl Burst {
    pub(super) fn new(settle: Millis, cursor: Moment) -> Burst {
        Burst { settle, cursor, pending: BTreeMap::new(), begun: None, crowded: None, told: HashMap::new() }
    }

    /// A file that counts looks like this now.
    pub(super) fn see(&mut self, path: PathBuf, sign: Sign, hint: Hint, now: Instant) {
        if let Some(known) = self.pending.get_mut(&path) {
            if known.sign != sign {
                *known = Pending { sign, since: now };
            }
            return;
        }
        if !self.is_news(&path, &sign, hint) {
            return;
        }
        self.begun.get_or_insert(now);
        if self.pending.len() < MOST_NAMED {
            self.pending.insert(path, Pending { sign, since: now });
        } else {
            self.crowded = Some(now);
        }
    }

    /// Whether it has changed since it was told of, or since the cursor.
    pub(super) fn is_news(&self, path: &Path, sign: &Sign, hint: Hint) -> bool {
        let is_later = match hint {
            Hint::Found => sign.changed_at() > self.cursor,
            Hint::Touched => moment(sign.modified) > self.cursor,
            Hint::Written => true,
        };
        is_later && self.told.get(path) != Some(sign)
    }

    pub(super) fn is_pending(&self, path: &Path) -> bool {
        self.pending.contains_key(path)
    }

    /// When to look at what is pending.
    pub(super) fn due(&self) -> Option<Instant> {
        let settle = self.settle.to_duration();
        let since = || self.pending.values().map(|pending| pending.since).chain(self.crowded);
        let (first, last) = (since().min()? + settle, since().max()? + settle);
        let patience = self.begun? + settle * PATIENCE;
        Some(last.min(patience.max(first)))
    }

    /// Looks at everything pending, and takes out what is to be told now: all when all have come to rest; what has, when
    /// that was waited for long enough.
    pub(super) fn take(
        &mut self,
        now: Instant,
        look: impl Fn(&Path) -> Option<Sign>,
    ) -> Vec<(PathBuf, Sign)> {
        self.pending.retain(|path, pending| match look(path) {
            None => false,
            Some(sign) => {
                if sign != pending.sign {
                    *pending = Pending { sign, since: now };
                }
                true
            }
        });
        if self.pending.is_empty() {
            (self.begun, self.crowded) = (None, None);
            return Vec::new();
        }
        if self.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let settle = self.settle.to_duration();
        let rests = |pending: &Pending| pending.since + settle <= now;
        let ready: Vec<(PathBuf, Sign)> = self
            .pending
            .iter()
            .filter(|(_, pending)| rests(pending))
            .map(|(path, pending)| (path.clone(), pending.sign))
            .collect();
        self.pending.retain(|_, pending| !rests(pending));
        self.begun = (!self.pending.is_empty()).then_some(now);
        ready
    }

    /// Whether files that wait since then may wait on for others.
    pub(super) fn is_patient(&self, begun: Option<Instant>, now: Instant) -> bool {
        begun.is_some_and(|begun| now < begun + self.settle.to_duration() * PATIENCE)
    }

    /// Others that are too many to be remembered have not come to rest: these wait on for them.
    pub(super) fn put_back(&mut self, ready: Vec<(PathBuf, Sign)>, begun: Option<Instant>, now: Instant) {
        self.pending.extend(ready.into_iter().map(|(path, sign)| (path, Pending { sign, since: now })));
        (self.begun, self.crowded) = (begun, Some(now));
    }

    /// These, and nameless ones up to `others`, are told of: gives up to when the schedule has seen all changes now.
    pub(super) fn tell(&mut self, ready: &[(PathBuf, Sign)], others: Option<Moment>, now: Moment) -> Moment {
        let told = ready.iter().map(|(_, sign)| sign.changed_at()).chain(others).max();
        // A time that is still to come would hide what changes until then.
        let mut until = told.unwrap_or_default().min(now);
        if let Some(first) = self.pending.values().map(|pending| pending.sign.changed_at()).min() {
            until = until.min(first - Millis(1));
        }
        self.cursor = self.cursor.max(until);
        let cursor = self.cursor;
        self.told.retain(|_, sign| sign.changed_at() > cursor);
        if self.told.len() > MOST_NAMED {
            self.told.clear(); // To tell twice is better than to remember without end.
        }
        self.told.extend(ready.iter().cloned());
        self.crowded = None;
        self.cursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::time::Duration;

    /// A folder of files that are as old as the test says, and a clock that goes as it says.
    struct Story {
        burst: Burst,
        files: RefCell<BTreeMap<PathBuf, Sign>>,
        start: Instant,
    }

    impl Story {
        fn new() -> Story {
            let burst = Burst::new(Millis(100), Moment(1000));
            Story { burst, files: RefCell::default(), start: Instant::now() }
        }

        fn sign(at: u64) -> Sign {
            let at = i128::from(at) * 1_000_000;
            Sign { place: (1, 1), size: 0, modified: at, changed: at }
        }

        fn write(&mut self, file: &str, at: u64) {
            self.seen(file, at, Hint::Written);
        }

        fn seen(&mut self, file: &str, at: u64, hint: Hint) {
            self.files.borrow_mut().insert(file.into(), Story::sign(at));
            self.burst.see(file.into(), Story::sign(at), hint, self.start + Duration::from_millis(at));
        }

        #[track_caller]
        fn tells(&mut self, at: u64, expected: &[&str]) {
            let now = self.start + Duration::from_millis(at);
            let ready = self.burst.take(now, |path| self.files.borrow().get(path).copied());
            self.burst.tell(&ready, None, Moment(at));
            let names: Vec<_> = ready.iter().map(|(path, _)| path.to_str().unwrap()).collect();
            assert_eq!(names, expected, "at {at}");
        }

        fn due(&self) -> Option<u64> {
            self.burst.due().map(|due| due.duration_since(self.start).as_millis() as u64)
        }
    }

    #[test]
    fn a_file_that_is_still_written_is_not_told() {
        let mut story = Story::new();
        story.write("a", 2000);
        story.write("a", 2090);
        assert_eq!(story.due(), Some(2190));
        story.files.borrow_mut().insert("a".into(), Story::sign(2150)); // and nobody said so
        story.tells(2190, &[]);
        story.tells(2290, &["a"]);
        assert_eq!((story.due(), story.burst.cursor), (None, Moment(2150)));
    }

    #[test]
    fn files_that_come_together_are_told_together() {
        let mut story = Story::new();
        story.write("b", 2000);
        story.write("a", 2060);
        story.tells(2100, &[]);
        story.write("c", 2120);
        story.tells(2220, &["a", "b", "c"]);
        story.seen("b", 2000, Hint::Found);
        story.seen("c", 2120, Hint::Written); // said late
        assert_eq!(story.due(), None);
    }

    #[test]
    fn a_file_that_never_rests_does_not_hold_up_the_others_for_ever() {
        let mut story = Story::new();
        story.write("log", 2000);
        story.write("a", 2010);
        for at in 0..10 {
            story.write("log", 2050 + at * 95);
            story.tells(2060 + at * 95, &[]);
        }
        story.tells(3000, &["a"]);
        // What still goes on is not behind the cursor, and what was told is not told again.
        assert_eq!(story.burst.cursor, Moment(2010));
        story.seen("a", 2010, Hint::Found);
        story.tells(3010, &["log"]);
    }

    #[test]
    fn the_cursor_does_not_pass_what_is_still_to_be_told() {
        let mut story = Story::new();
        story.write("a", 2010);
        for at in 0..10 {
            story.write("log", 2050 + at * 95);
        }
        // The system says late that another one has changed before.
        let now = story.start + Duration::from_millis(2990);
        story.files.borrow_mut().insert("late".into(), Story::sign(2005));
        story.burst.see("late".into(), Story::sign(2005), Hint::Written, now);
        story.tells(3010, &["a", "log"]);
        assert_eq!(story.burst.cursor, Moment(2004));
        story.seen("log", 2905, Hint::Found);
        story.tells(3090, &["late"]);
        assert_eq!(story.burst.cursor, Moment(2005));
    }

    #[test]
    fn what_goes_before_it_rests_is_not_told() {
        let mut story = Story::new();
        story.write("a", 2000);
        story.files.borrow_mut().clear();
        story.tells(2100, &[]);
        assert_eq!(story.due(), None);
    }

    #[test]
    fn what_a_search_finds_must_be_new() {
        let mut story = Story::new();
        story.seen("old", 999, Hint::Found);
        story.seen("owner", 1000, Hint::Touched);
        assert_eq!(story.due(), None);
        story.seen("new", 1001, Hint::Found);
        story.tells(1101, &["new"]);
        // The clock of the system was set back, and yet it says that this was written.
        story.write("a", 500);
        story.tells(1300, &["a"]);
        assert_eq!(story.burst.cursor, Moment(1001));
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut story = Story::new();
        for n in 0..MOST_NAMED + 10 {
            story.write(&format!("{n:05}"), 2000);
        }
        assert_eq!(story.burst.pending.len(), MOST_NAMED);
        assert!(story.burst.crowded.is_some());
    }
}
