//! Which segments a commit joins, and the rows of the joined one.

use std::collections::HashSet;

use crate::error::IndexError;
use crate::index::Segment;

/// Segments of one tier are joined when there are this many of them, the new one included; tiers
/// grow by the same factor.
const TIER: usize = 4;
/// A segment is written anew when this part of its rows, or more, is deleted: a walk through its
/// graph goes past as many rows as it can answer with.
const DELETED: f64 = 0.5;
/// Over all segments, deleted rows are at most this part of the live ones. They take room in the
/// files, which stay within 1.3 times of what a collection made at once would take; lists of
/// deleted rows and small files have the rest. The price: where a tenth of the rows is replaced at
/// a time four rows are written for one that is replaced, where a thousandth is, seven.
const SLACK: f64 = 0.25;

/// Which of the segments (by place, with their live and total rows) go into the new one, which
/// starts with `new` rows. A row is rewritten a logarithmic number of times.
pub(super) fn choose(live: &[usize], total: &[usize], new: usize) -> HashSet<usize> {
    let worn = |i: usize| (total[i] - live[i]) as f64 / total[i].max(1) as f64;
    let mut chosen: HashSet<usize> = (0..live.len()).filter(|&i| live[i] == 0 || worn(i) >= DELETED).collect();
    let bound = SLACK * (new + live.iter().sum::<usize>()) as f64;
    loop {
        absorb_peers(live, new, &mut chosen);
        let left = (0..live.len()).filter(|i| !chosen.contains(i));
        if left.clone().map(|i| total[i] - live[i]).sum::<usize>() as f64 <= bound {
            return chosen;
        }
        // The one that gives back the most for a row that is rewritten.
        chosen.extend(left.max_by(|&a, &b| worn(a).total_cmp(&worn(b))));
    }
}

/// Adds the segments of the new one's tier and below, while there are enough of them.
fn absorb_peers(live: &[usize], new: usize, chosen: &mut HashSet<usize>) {
    let tier = |rows: usize| rows.max(1).ilog(TIER);
    loop {
        let rows = new + chosen.iter().map(|&i| live[i]).sum::<usize>();
        let mut peers: Vec<usize> = (0..live.len()).filter(|i| !chosen.contains(i)).collect();
        peers.retain(|&i| tier(live[i]) <= tier(rows));
        if rows == 0 || peers.len() + 1 < TIER {
            return;
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
        assert_eq!(choose(&[4_000, 100_000], &[8_000, 100_000], 0), HashSet::from([0]));
        assert!(choose(&[85_000, 100_000], &[100_000, 100_000], 0).is_empty());
        assert_eq!(choose(&[0], &[50_000], 0), HashSet::from([0]));
        assert_eq!(choose(&[0, 0], &[0, 1], 0), HashSet::from([0, 1]));
    }

    /// The worst one first, and no more than needed.
    #[test]
    fn deleted_rows_of_all_segments_together_are_bounded() {
        let total = [100_000, 100_000, 100_000];
        assert!(choose(&[80_000, 80_000, 80_000], &total, 0).is_empty());
        assert_eq!(choose(&[80_000, 78_000, 80_000], &total, 0), HashSet::from([1]));
        assert!(choose(&[80_000, 78_000, 80_000], &total, 10_000).is_empty(), "new rows are live ones");
    }

    /// Commits that each replace a part of the rows, wherever they are.
    #[test]
    fn replacing_rows_costs_a_bounded_amount_of_room_and_work() {
        for (rows, replaced, most) in [(10_000, 1_000, 4), (100_000, 10_000, 4), (100_000, 1_000, 6), (1_000, 1, 9)] {
            let (mut live, mut total, mut written) = (vec![rows], vec![rows], 0);
            let rounds = 20 * rows / replaced;
            for round in 0..rounds {
                // As many from each segment as its share, the remainder from the largest.
                let all: usize = live.iter().sum();
                let mut left = replaced;
                for rows in &mut live {
                    let gone = (*rows * replaced / all).min(left);
                    (*rows, left) = (*rows - gone, left - gone);
                }
                let largest = (0..live.len()).max_by_key(|&i| live[i]).unwrap_or_default();
                live[largest] -= left;
                let chosen = choose(&live, &total, replaced);
                let merged = replaced + chosen.iter().map(|&i| live[i]).sum::<usize>();
                let stay = |of: &[usize]| {
                    (0..of.len()).filter(|i| !chosen.contains(i)).map(|i| of[i]).chain([merged]).collect::<Vec<_>>()
                };
                (live, total) = (stay(&live), stay(&total));
                written += merged;
                assert_eq!(live.iter().sum::<usize>(), rows);
                assert!(total.iter().sum::<usize>() * 4 <= rows * 5, "round {round}: {live:?} of {total:?}");
            }
            println!(
                "{rows} rows, {replaced} replaced in a round: {:.1} written for one",
                written as f64 / (rounds * replaced) as f64
            );
            assert!(written <= most * rounds * replaced);
        }
    }
}
