//! The jobs that wait to be admitted, in lines: jobs that want the same stand in one.
//!
//! So whoever admits looks at the first of each line only, however many stand behind it: what the first cannot have the
//! others cannot have either. Indexes, kept by `State::enter`; nothing here decides anything.

use crate::base::JobId;
use crate::definition::Sharing;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, btree_set};

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
pub(super) struct Lines(BTreeMap<Wants, BTreeSet<Place>>);

impl Lines {
    pub(super) fn insert(&mut self, wants: Wants, place: Place) {
        self.0.entry(wants).or_default().insert(place);
    }

    pub(super) fn remove(&mut self, wants: &Wants, place: Place) {
        let Some(line) = self.0.get_mut(wants) else { return };
        line.remove(&place);
        if line.is_empty() {
            self.0.remove(wants);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// How many stand in the lines of those who want this.
    pub(super) fn count(&self, is_meant: impl Fn(&Wants) -> bool) -> usize {
        self.0.iter().filter(|(wants, _)| is_meant(wants)).map(|(_, line)| line.len()).sum()
    }

    /// From the front to the back, whatever they want.
    pub(super) fn in_order(&self) -> Merged<'_> {
        Merged::new(self.0.iter())
    }
}

/// Walks along all lines at once, in the order of the places. A line can be left out from where it is on.
#[derive(Debug)]
pub(crate) struct Merged<'s> {
    lines: Vec<(&'s Wants, btree_set::Iter<'s, Place>)>,
    /// The first of each line that is walked along, and which line.
    heads: BinaryHeap<Reverse<(Place, usize)>>,
    /// The line of the last job, which goes on unless it is left out.
    last: Option<usize>,
}

impl<'s> Merged<'s> {
    fn new(lines: impl Iterator<Item = (&'s Wants, &'s BTreeSet<Place>)>) -> Merged<'s> {
        let mut lines: Vec<_> = lines.map(|(wants, line)| (wants, line.iter())).collect();
        let first = |(index, (_, line)): (usize, &mut (_, btree_set::Iter<'s, Place>))| {
            line.next().map(|&place| Reverse((place, index)))
        };
        let heads = lines.iter_mut().enumerate().filter_map(first).collect();
        Merged { lines, heads, last: None }
    }

    /// Nobody else of the line of the last job is looked at.
    pub(crate) fn leave_out_the_rest(&mut self) {
        self.last = None;
    }
}

impl<'s> Iterator for Merged<'s> {
    type Item = (JobId, &'s Wants);

    fn next(&mut self) -> Option<(JobId, &'s Wants)> {
        if let Some(index) = self.last.take()
            && let Some(&place) = self.lines[index].1.next()
        {
            self.heads.push(Reverse((place, index)));
        }
        let Reverse(((_, job), index)) = self.heads.pop()?;
        self.last = Some(index);
        Some((job, self.lines[index].0))
    }
}
