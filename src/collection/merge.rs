//! Which segments a commit joins, and the rows of the joined one.

use std::collections::HashSet;

use crate::error::IndexError;
use crate::index::Segment;

/// Segments of one tier are joined when there are this many of them, the new one included; tiers
/// grow by the same factor.
const TIER: usize = 4;
/// A segment is written anew when this part of its rows, or more, is deleted.
const DELETED: f64 = 0.3;

/// Which of the segments (by place, with their live and total rows) go into the new one, which
/// starts with `new` rows. A row is rewritten a logarithmic number of times.
pub(super) fn choose(live: &[usize], total: &[usize], new: usize) -> HashSet<usize> {
    let tier = |rows: usize| rows.max(1).ilog(TIER);
    let worn = |&i: &usize| (total[i] - live[i]) as f64 >= DELETED * total[i] as f64;
    let mut chosen: HashSet<usize> = (0..live.len()).filter(worn).collect();
    loop {
        let rows = new + chosen.iter().map(|&i| live[i]).sum::<usize>();
        if rows == 0 {
            return chosen;
        }
        let mut peers: Vec<usize> = (0..live.len()).filter(|i| !chosen.contains(i)).collect();
        peers.retain(|&i| tier(live[i]) <= tier(rows));
        if peers.len() + 1 < TIER {
            return chosen;
        }
        chosen.extend(peers);
    }
}

/// Rows with their slots and norms, not yet a segment.
#[derive(Default)]
pub(super) struct Rows {
    slots: Vec<u64>,
    norms: Vec<f32>,
    data: Vec<f32>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn push(&mut self, slot: u64, row: &[f32], norm: f32) {
        self.slots.push(slot);
        self.norms.push(norm);
        self.data.extend_from_slice(row);
    }

    /// Drops the rows whose slot is not kept.
    pub fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        if self.slots.iter().all(|&slot| keep(slot)) {
            return;
        }
        let old = std::mem::take(self);
        let dim = old.data.len() / old.slots.len();
        for ((&slot, row), &norm) in old.slots.iter().zip(old.data.chunks_exact(dim)).zip(&old.norms) {
            if keep(slot) {
                self.push(slot, row, norm);
            }
        }
    }

    /// Adds the rows of a segment that are not deleted.
    pub fn take(&mut self, segment: &Segment, deleted: &HashSet<u32>) -> Result<(), IndexError> {
        for row in (0..segment.len() as u32).filter(|row| !deleted.contains(row)) {
            let (values, norm) = segment.row(row)?;
            self.push(segment.slot(row), &values, norm);
        }
        Ok(())
    }

    /// `(slots, values, norms)` in the order of the slots.
    pub fn into_ascending(self) -> (Vec<u64>, Vec<f32>, Vec<f32>) {
        if self.slots.is_sorted() {
            return (self.slots, self.data, self.norms);
        }
        let dim = self.data.len() / self.slots.len();
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|&i| self.slots[i]);
        let mut out = Rows::default();
        for i in order {
            out.push(self.slots[i], &self.data[i * dim..(i + 1) * dim], self.norms[i]);
        }
        (out.slots, out.data, out.norms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many commits of one size keep the number of segments and of rewritten rows logarithmic.
    #[test]
    fn tiers_bound_segments_and_work() {
        for size in [1, 700, 5_000] {
            let (mut segments, mut written) = (Vec::<usize>::new(), 0);
            for _ in 0..1_000 {
                let chosen = choose(&segments, &segments, size);
                let merged = size + chosen.iter().map(|&i| segments[i]).sum::<usize>();
                segments = (0..segments.len()).filter(|i| !chosen.contains(i)).map(|i| segments[i]).collect();
                segments.push(merged);
                written += merged;
                assert!(segments.len() <= (TIER - 1) * 12, "{segments:?}");
            }
            assert_eq!(segments.iter().sum::<usize>(), 1_000 * size);
            assert!(written <= 12 * 1_000 * size, "{size}: {written}");
        }
    }

    #[test]
    fn worn_segments_are_written_anew() {
        assert_eq!(choose(&[60_000, 100_000], &[100_000, 100_000], 0), HashSet::from([0]));
        assert!(choose(&[90_000, 100_000], &[100_000, 100_000], 0).is_empty());
        assert_eq!(choose(&[0], &[50_000], 0), HashSet::from([0]));
    }
}
