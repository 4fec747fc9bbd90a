//! Which segments are joined, and the rows of the joined one.

use std::collections::HashSet;

use crate::error::IndexError;
use crate::index::Segment;

/// Segments of one tier are joined when there are this many of them; tiers grow by the same factor.
const TIER: usize = 4;
/// A segment is written anew when this part of its rows, or more, is deleted: a walk through its
/// graph goes past as many rows as it can answer with.
const DELETED: f64 = 0.5;
/// Over all segments, deleted rows are at most this part of the live ones. They take room in the
/// files, which stay within 1.3 times of what a collection made at once would take; lists of
/// deleted rows and small files have the rest. The price: where a tenth of the rows is replaced at
/// a time four rows are written for one that is replaced, where a thousandth is, seven.
const SLACK: f64 = 0.25;

/// A segment as the choice sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Rows that are not deleted.
    pub live: usize,
    /// All of its rows.
    pub total: usize,
}

/// Which segments a commit of `new` rows joins with them on the spot: those that are small, while all together
/// stay below `small` rows.
pub(super) fn choose_small(sizes: &[Size], new: usize, small: usize) -> HashSet<usize> {
    let mut chosen = HashSet::new();
    if new > 0 {
        let less = |size: &Size| size.live < small;
        let candidates: Vec<usize> = (0..sizes.len()).filter(|&i| less(&sizes[i])).collect();
        absorb_peers(sizes, &candidates, new, &mut chosen);
    }
    let rows = |chosen: &HashSet<usize>| new + chosen.iter().map(|&i| sizes[i].live).sum::<usize>();
    while rows(&chosen) >= small {
        let Some(largest) = chosen.iter().copied().max_by_key(|&i| (sizes[i].live, i)) else { break };
        chosen.remove(&largest);
    }
    chosen
}

/// Which segments are to be joined, or written anew, in the background; none when all is well. They have at most
/// `most` live rows together, or it is one alone. Over time a row is rewritten a logarithmic number of times.
pub(super) fn choose(sizes: &[Size], most: usize) -> HashSet<usize> {
    let all: Vec<usize> = (0..sizes.len()).collect();
    let worn = |i: usize| (sizes[i].total - sizes[i].live) as f64 / sizes[i].total.max(1) as f64;
    let mut chosen: HashSet<usize> = all.iter().copied().filter(|&i| worn(i) >= DELETED).collect();
    let live: usize = sizes.iter().map(|s| s.live).sum();
    if chosen.is_empty() && sizes.iter().map(|s| s.total - s.live).sum::<usize>() as f64 > SLACK * live as f64 {
        // The one that gives back the most for a row that is rewritten.
        chosen.extend(all.iter().copied().max_by(|&a, &b| worn(a).total_cmp(&worn(b))));
    }
    if chosen.is_empty() {
        let of_tier = |t: u32| all.iter().filter(|&&i| tier(sizes[i].live) == t).count();
        let full = (0..=usize::BITS).find(|&t| of_tier(t) >= TIER);
        chosen.extend(all.iter().copied().filter(|&i| full.is_some_and(|full| tier(sizes[i].live) <= full)));
    }
    absorb_peers(sizes, &all, 0, &mut chosen);
    let rows = |chosen: &HashSet<usize>| chosen.iter().map(|&i| sizes[i].live).sum::<usize>();
    while rows(&chosen) > most && chosen.len() > 1 {
        let largest = chosen.iter().copied().max_by_key(|&i| (sizes[i].live, i));
        chosen.retain(|&i| Some(i) != largest);
    }
    // What is left of a tier that is too large together gains nothing alone.
    if chosen.len() == 1 && chosen.iter().all(|&i| sizes[i].live == sizes[i].total) {
        chosen.clear();
    }
    chosen
}

fn tier(rows: usize) -> u32 {
    rows.max(1).ilog(TIER)
}

/// Adds the candidates of the new one's tier and below, while there are enough of them.
fn absorb_peers(sizes: &[Size], candidates: &[usize], new: usize, chosen: &mut HashSet<usize>) {
    loop {
        let rows = new + chosen.iter().map(|&i| sizes[i].live).sum::<usize>();
        let mut peers: Vec<usize> = candidates.iter().copied().filter(|i| !chosen.contains(i)).collect();
        peers.retain(|&i| tier(sizes[i].live) <= tier(rows));
        if rows == 0 || peers.len() + 1 < TIER {
            return;
        }
        chosen.extend(peers);
    }
}

/// Every segment, in groups that have at most `most` live rows, and those that gain nothing left out.
pub(super) fn choose_all(sizes: &[Size], most: usize) -> Vec<HashSet<usize>> {
    let mut by_size: Vec<usize> = (0..sizes.len()).collect();
    by_size.sort_by_key(|&i| (sizes[i].live, i));
    let mut groups: Vec<(usize, HashSet<usize>)> = Vec::new();
    for i in by_size {
        match groups.last_mut().filter(|(rows, _)| rows + sizes[i].live <= most) {
            Some((rows, group)) => {
                *rows += sizes[i].live;
                group.insert(i);
            }
            None => groups.push((sizes[i].live, HashSet::from([i]))),
        }
    }
    let gains = |group: &HashSet<usize>| group.len() > 1 || group.iter().any(|&i| sizes[i].live < sizes[i].total);
    groups.into_iter().map(|(_, group)| group).filter(gains).collect()
}

/// Rows with their slots and norms, not yet a segment.
#[derive(Default)]
pub(super) struct Rows {
    slots: Vec<u64>,
    norms: Vec<f32>,
    data: Vec<f32>,
}

impl Rows {
    /// Room for so many rows, so that none is taken twice as they come.
    pub fn with_capacity(rows: usize, dim: usize) -> Self {
        let (slots, norms) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        Rows { slots, norms, data: Vec::with_capacity(rows * dim) }
    }

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
    ///
    /// # Errors
    /// [`IndexError::Store`] when one of them is damaged: it would get checksums of its own otherwise.
    pub fn take(&mut self, segment: &Segment, deleted: &HashSet<u32>) -> Result<(), IndexError> {
        for row in (0..segment.len() as u32).filter(|row| !deleted.contains(row)) {
            let (values, norm) = segment.row(row)?;
            self.push(segment.slot(row)?, &values, norm);
        }
        Ok(())
    }

    /// Takes the first `n` rows out.
    pub fn split_off_front(&mut self, n: usize) -> Rows {
        let n = n.min(self.slots.len());
        let dim = self.data.len() / self.slots.len().max(1);
        let (slots, norms) = (self.slots.split_off(n), self.norms.split_off(n));
        let data = self.data.split_off(n * dim);
        std::mem::replace(self, Rows { slots, norms, data })
    }

    /// `(slots, values, norms)` in the order of the slots.
    pub fn into_ascending(self) -> (Vec<u64>, Vec<f32>, Vec<f32>) {
        if self.slots.is_sorted() {
            return (self.slots, self.data, self.norms);
        }
        let dim = self.data.len() / self.slots.len();
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|&i| self.slots[i]);
        let mut out = Rows::with_capacity(self.slots.len(), dim);
        for i in order {
            out.push(self.slots[i], &self.data[i * dim..(i + 1) * dim], self.norms[i]);
        }
        (out.slots, out.data, out.norms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments as commits and the background leave them.
    #[derive(Default)]
    struct Segments {
        sizes: Vec<Size>,
        written: usize,
    }

    const SMALL: usize = 4_000;

    impl Segments {
        fn join(&mut self, chosen: &HashSet<usize>, new: usize) {
            let rows = new + chosen.iter().map(|&i| self.sizes[i].live).sum::<usize>();
            let mut place = 0..;
            self.sizes.retain(|_| place.next().is_some_and(|i| !chosen.contains(&i)));
            self.sizes.push(Size { live: rows, total: rows });
            self.written += rows;
        }

        fn commit(&mut self, new: usize, most: usize) {
            let chosen = choose_small(&self.sizes, new, SMALL);
            self.join(&chosen, new);
            self.sizes.retain(|s| s.live > 0);
            loop {
                let chosen = choose(&self.sizes, most);
                if chosen.is_empty() {
                    return;
                }
                self.join(&chosen, 0);
            }
        }

        fn live(&self) -> usize {
            self.sizes.iter().map(|s| s.live).sum()
        }

        fn total(&self) -> usize {
            self.sizes.iter().map(|s| s.total).sum()
        }
    }

    /// Many commits of one size keep the number of segments and of rewritten rows logarithmic.
    #[test]
    fn tiers_bound_segments_and_work() {
        for size in [1, 700, 5_000] {
            let mut segments = Segments::default();
            for _ in 0..1_000 {
                segments.commit(size, usize::MAX);
                assert!(segments.sizes.len() <= (TIER - 1) * 12, "{:?}", segments.sizes);
            }
            assert_eq!(segments.live(), 1_000 * size);
            assert!(segments.written <= 12 * 1_000 * size, "{size}: {}", segments.written);
        }
    }

    #[test]
    fn memory_bounds_what_is_joined() {
        let mut segments = Segments::default();
        for _ in 0..300 {
            segments.commit(5_000, 100_000);
        }
        assert_eq!(segments.live(), 1_500_000);
        assert!(segments.sizes.iter().all(|s| s.total <= 100_000), "{:?}", segments.sizes);
        assert!(segments.sizes.len() <= 60, "{:?}", segments.sizes);
    }

    fn sizes<const N: usize>(sizes: [(usize, usize); N]) -> [Size; N] {
        sizes.map(|(live, total)| Size { live, total })
    }

    #[test]
    fn worn_segments_are_written_anew() {
        let most = usize::MAX;
        assert_eq!(choose(&sizes([(4_000, 8_000), (100_000, 100_000)]), most), HashSet::from([0]));
        assert!(choose(&sizes([(85_000, 100_000), (100_000, 100_000)]), most).is_empty());
        assert_eq!(choose(&sizes([(4_000, 8_000), (100_000, 100_000)]), 10), HashSet::from([0]), "one alone may be");
    }

    /// The worst one first, and no more than needed.
    #[test]
    fn deleted_rows_of_all_segments_together_are_bounded() {
        let of = |live: [usize; 3]| choose(&live.map(|live| Size { live, total: 100_000 }), usize::MAX);
        assert!(of([80_000, 80_000, 80_000]).is_empty());
        assert_eq!(of([80_000, 78_000, 80_000]), HashSet::from([1]));
    }

    #[test]
    fn all_are_joined_as_far_as_memory_goes() {
        let of = |most| choose_all(&sizes([(10, 10), (500, 500), (20, 25), (600, 600)]), most);
        assert_eq!(of(2_000), [HashSet::from([0, 1, 2, 3])]);
        assert_eq!(of(700), [HashSet::from([0, 1, 2])], "the last one has nothing to gain");
        assert_eq!(choose_all(&sizes([(500, 600)]), 100), [HashSet::from([0])]);
        assert!(choose_all(&sizes([(500, 500)]), 1_000).is_empty());
    }

    /// Commits that each replace a part of the rows, wherever they are.
    #[test]
    fn replacing_rows_costs_a_bounded_amount_of_room_and_work() {
        for (rows, replaced, most) in [(10_000, 1_000, 5), (100_000, 10_000, 5), (100_000, 1_000, 8), (1_000, 1, 9)] {
            let mut segments = Segments { sizes: vec![Size { live: rows, total: rows }], written: 0 };
            let rounds = 20 * rows / replaced;
            for round in 0..rounds {
                // As many from each segment as its share, the remainder from the largest.
                let mut left = replaced;
                for size in &mut segments.sizes {
                    let gone = (size.live * replaced / rows).min(left);
                    (size.live, left) = (size.live - gone, left - gone);
                }
                let largest = segments.sizes.iter_mut().max_by_key(|s| s.live);
                largest.into_iter().for_each(|s| s.live -= left);
                segments.commit(replaced, usize::MAX);
                assert_eq!(segments.live(), rows);
                assert!(segments.total() * 4 <= rows * 5, "round {round}: {:?}", segments.sizes);
            }
            let for_one = segments.written as f64 / (rounds * replaced) as f64;
            println!("{rows} rows, {replaced} replaced in a round: {for_one:.1} written for one");
            assert!(for_one <= f64::from(most));
        }
    }

    #[test]
    fn rows_are_split_in_their_order() {
        let mut rows = Rows::default();
        (0..5).for_each(|i| rows.push(i, &[i as f32, 1.0], 1.0));
        let front = rows.split_off_front(2);
        assert_eq!((front.slots, front.data), (vec![0, 1], vec![0.0, 1.0, 1.0, 1.0]));
        assert_eq!((rows.len(), rows.split_off_front(9).data.len()), (3, 6));
    }
}
