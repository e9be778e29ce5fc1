//! The jobs that wait to be admitted, in lines: jobs that want the same stand in one.
//!
//! So whoever admits looks at the first of each line only, however many stand behind it: what the first cannot have the
//! others cannot have either. Indexes, kept by `State::enter`; nothing here decides anything.

use crate::base::JobId;
use crate::definition::Sharing;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

/// What a queued job wants before it may start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wants {
    /// Whether it needs a slot of its queue.
    pub needs_slot: bool,
    /// What else, without what it holds already.
    pub sharing: Sharing,
}

/// Where a job stands: a smaller place goes first.
pub(super) type Place = (i64, JobId);

/// Every line, none of them empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines {
    lines: BTreeMap<Arc<Wants>, BTreeSet<Place>>,
    /// The first of each line. An index of `lines`.
    heads: BTreeMap<Place, Arc<Wants>>,
}

impl Lines {
    pub(super) fn insert(&mut self, wants: Wants, place: Place) {
        let wants = Arc::new(wants);
        let line = self.lines.entry(Arc::clone(&wants)).or_default();
        match line.first().copied() {
            Some(first) if first < place => {}
            first => {
                if let Some(first) = first {
                    self.heads.remove(&first);
                }
                self.heads.insert(place, wants);
            }
        }
        line.insert(place);
    }

    pub(super) fn remove(&mut self, wants: &Wants, place: Place) {
        let Some(line) = self.lines.get_mut(wants) else { return };
        line.remove(&place);
        let next = line.first().copied();
        if let Some(wants) = self.heads.remove(&place)
            && let Some(next) = next
        {
            self.heads.insert(next, wants);
        }
        if next.is_none() {
            self.lines.remove(wants);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.values().map(BTreeSet::len).sum()
    }

    /// How many stand in the lines of those who want this.
    pub(super) fn count(&self, is_meant: impl Fn(&Wants) -> bool) -> usize {
        self.lines.iter().filter(|(wants, _)| is_meant(wants)).map(|(_, line)| line.len()).sum()
    }

    /// Whether somebody stands there who needs no slot.
    pub(super) fn has_slotless(&self) -> bool {
        // They come first in the order of wants.
        self.lines.keys().next().is_some_and(|wants| !wants.needs_slot)
    }

    /// From the front to the back, whatever they want.
    pub(super) fn in_order(&self) -> Merged<'_> {
        Merged { lines: self, heads: self.heads.iter().peekable(), behind: BinaryHeap::new(), last: None }
    }
}

/// Walks along all lines at once, in the order of the places. A line can be left out from where it is on, and what is not
/// walked along costs nothing.
#[derive(Debug)]
pub(crate) struct Merged<'s> {
    lines: &'s Lines,
    heads: Peekable<btree_map::Iter<'s, Place, Arc<Wants>>>,
    /// The next of each line whose first is passed.
    behind: BinaryHeap<Reverse<(Place, &'s Wants)>>,
    /// The last job and its line, which goes on unless it is left out.
    last: Option<(Place, &'s Wants)>,
}

impl Merged<'_> {
    /// Nobody else of the line of the last job is looked at.
    pub(crate) fn leave_out_the_rest(&mut self) {
        self.last = None;
    }
}

impl<'s> Iterator for Merged<'s> {
    type Item = (JobId, &'s Wants);

    fn next(&mut self) -> Option<(JobId, &'s Wants)> {
        if let Some((last, wants)) = self.last.take()
            && let Some(line) = self.lines.lines.get(wants)
            && let Some(&next) = line.range((Bound::Excluded(last), Bound::Unbounded)).next()
        {
            self.behind.push(Reverse((next, wants)));
        }
        let is_behind = match (self.heads.peek(), self.behind.peek()) {
            (Some((head, _)), Some(Reverse((behind, _)))) => behind < *head,
            (None, Some(_)) => true,
            (Some(_) | None, None) => false,
        };
        let (place, wants) = match is_behind {
            true => self.behind.pop().map(|Reverse(next)| next)?,
            false => self.heads.next().map(|(place, wants)| (*place, &**wants))?,
        };
        self.last = Some((place, wants));
        Some((place.1, wants))
    }
}
