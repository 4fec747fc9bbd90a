//! Chunks that say nearly the same.

use rayon::prelude::*;

use super::Collection;
use super::search::{Hit, Scores};
use super::snapshot::{LiveSegment, Snapshot};
use crate::error::{CollectionError, IndexError, Result};
use crate::index::Effort;
use crate::metric::Metric;

/// Neighbours that are asked for first; more while all of them are near enough.
const FIRST: usize = 8;
/// Of more chunks near one chunk the nearest so many are joined with it: the others are near these, or theirs.
const MOST: usize = 32;

/// Chunks that are near each other, from one to the next.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Duplicates {
    /// At least two, in the order in which they were added. The score of each is its greatest with another one of the
    /// group; a chunk's neighbours are in its group, so two of a group may be farther from each other.
    pub hits: Vec<Hit>,
}

impl Collection {
    /// Groups of chunks with a score (for cosine: the cosine of their vectors) of at least `threshold` with another one
    /// of the group, as of the last commit or refresh: the largest groups first. Chunks without a vector are in none.
    ///
    /// Each chunk is looked up in the index by its vector, so the work grows with the number of chunks and not with its
    /// square; of the pairs over the threshold the part is found that the effort asks for, but for such as are joined
    /// by others. [`Effort::Exact`] compares every pair. Runs on all cores.
    ///
    /// # Errors
    /// [`CollectionError::Query`] for a threshold that is not a number, [`IndexError::Parameter`] for an effort out of
    /// its range; errors of damaged files.
    pub fn duplicates(&self, threshold: f32, effort: Effort) -> Result<Vec<Duplicates>> {
        effort.validate()?;
        if threshold.is_nan() {
            return Err(CollectionError::Query(
                "the threshold is not a number; by cosine it is from -1 to 1".to_owned(),
            )
            .into());
        }
        let Some(snapshot) = self.snapshot() else { return Ok(Vec::new()) };
        let metric = self.metric();
        let rows: Vec<(&LiveSegment, u32)> = snapshot.live_rows().collect();
        let near = rows.par_iter().map(|&(live, row)| near(&snapshot, live, row, (metric, threshold, effort)));
        let near: Vec<Near> = near.collect::<Result<_, IndexError>>()?;
        let mut near: Vec<Near> = near.into_iter().filter(|near| !near.others.is_empty()).collect();
        near.sort_unstable_by_key(|near| near.slot);
        let mut out = Vec::new();
        for group in groups(&near) {
            let hit = |&(slot, score): &(u64, f32)| {
                Ok(Hit::new(score, Scores { dense: Some(score), ..Scores::default() }, snapshot.chunk(slot)?))
            };
            out.push(Duplicates { hits: group.iter().map(hit).collect::<Result<_>>()? });
        }
        Ok(out)
    }
}

/// A chunk and those near enough to it.
struct Near {
    slot: u64,
    /// `(slot, score)`, the nearest first.
    others: Vec<(u64, f32)>,
}

fn near(
    snapshot: &Snapshot,
    live: &LiveSegment,
    row: u32,
    (metric, threshold, effort): (Metric, f32, Effort),
) -> Result<Near, IndexError> {
    let slot = live.segment.slot(row)?;
    let (query, _) = live.segment.row(row)?;
    let mut k = FIRST;
    loop {
        let found = snapshot.nearest(&query, k, effort, None)?.rows;
        let complete = found.len() < k;
        let scored = found.into_iter().map(|(distance, slot)| (slot, metric.score(distance)));
        let mut others: Vec<(u64, f32)> = scored.filter(|&(_, score)| score >= threshold).collect();
        if complete || others.len() < k || k > MOST {
            others.retain(|&(other, _)| other != slot);
            others.truncate(MOST);
            others.shrink_to_fit();
            return Ok(Near { slot, others });
        }
        k *= 5;
    }
}

/// Joins what is near each other; `near` is sorted by slot. Each group by slot, with each one's best score; the
/// largest groups first, then by their first slot.
fn groups(near: &[Near]) -> Vec<Vec<(u64, f32)>> {
    let place = |slot: u64| near.binary_search_by_key(&slot, |near| near.slot).ok();
    // A chunk that was found by another one, but did not find it, has no entry of its own.
    let mut all: Vec<(u64, f32)> = Vec::new();
    for one in near {
        let best = one.others.first().map_or(f32::NEG_INFINITY, |other| other.1);
        all.push((one.slot, best));
        all.extend(one.others.iter().filter(|(slot, _)| place(*slot).is_none()).copied());
    }
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    all.dedup_by_key(|one| one.0);
    let at = |slot: u64| all.binary_search_by_key(&slot, |one| one.0).unwrap_or_default();
    let mut parent: Vec<usize> = (0..all.len()).collect();
    for one in near {
        for (other, _) in &one.others {
            let (a, b) = (root(&mut parent, at(one.slot)), root(&mut parent, at(*other)));
            // The first of a group stands for it.
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut by_root: Vec<(usize, usize)> = (0..all.len()).map(|i| (root(&mut parent, i), i)).collect();
    by_root.sort_unstable();
    let mut groups: Vec<Vec<(u64, f32)>> =
        by_root.chunk_by(|a, b| a.0 == b.0).map(|group| group.iter().map(|&(_, i)| all[i]).collect()).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_by_others_is_one_group() {
        let near = |slot, others: &[(u64, f32)]| Near { slot, others: others.to_vec() };
        let found = groups(&[
            near(2, &[(5, 0.97)]),
            near(5, &[(9, 0.99), (2, 0.97)]),
            near(7, &[(11, 0.96)]),
            // 9 found nothing near, 11 neither.
            near(20, &[(21, 1.0)]),
            near(21, &[(20, 1.0)]),
        ]);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], [(2, 0.97), (5, 0.99), (9, 0.99)]);
        assert_eq!(found[1], [(7, 0.96), (11, 0.96)]);
        assert_eq!(found[2], [(20, 1.0), (21, 1.0)]);
        assert!(groups(&[]).is_empty());
    }
}
