//! The places of a segment that a search is for, and what finding the nearest of them needs.

use std::sync::OnceLock;

use super::row_set::RowSet;

/// Places that a walk is entered from beside the one near the query.
const SPREAD: usize = 48;

/// A set of places of one segment.
#[derive(Debug)]
pub(crate) struct Places {
    set: RowSet,
    /// Some of them, evenly spaced: places are ordered so that this spreads them over space, too.
    spread: Vec<u32>,
    /// How many of each partition are in the set, where there are partitions.
    by_partition: OnceLock<Vec<u32>>,
}

impl Places {
    /// Of a set of places.
    pub fn new(set: RowSet) -> Self {
        let step = set.len().div_ceil(SPREAD).max(1);
        let spread = set.iter().skip(step / 2).step_by(step).collect();
        Places { set, spread, by_partition: OnceLock::new() }
    }

    /// The number of places.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Which part of all places that is, from 0 to 1.
    pub fn part(&self) -> f32 {
        self.set.len() as f32 / self.set.of().max(1) as f32
    }

    /// Whether a place is in the set.
    #[inline]
    pub fn contains(&self, place: u32) -> bool {
        self.set.contains(place)
    }

    /// The places, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.set.iter()
    }

    /// Some places, spread over all.
    pub fn spread(&self) -> &[u32] {
        &self.spread
    }

    /// How many of the places each partition has; partition `c` starts at `starts[c]`, and `starts` has one
    /// more for the end.
    pub fn by_partition(&self, starts: &[u32]) -> &[u32] {
        let count = |ends: &[u32]| self.set.count(ends[0] as usize..ends[1] as usize) as u32;
        self.by_partition.get_or_init(|| starts.windows(2).map(count).collect())
    }
}
