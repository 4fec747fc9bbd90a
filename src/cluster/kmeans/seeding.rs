//! Where centroids start: greedy k-means++ (Arthur and Vassilvitskii, "k-means++: the advantages of careful
//! seeding", SODA 2007), on a sample when there are many rows.
//!
//! Rows are drawn by what they hold and not by where they stand: each row has a random number that is
//! made of its values and the seed, and a row is drawn where `-ln(number) / weight` is least, which draws
//! in proportion to the weights (Efraimidis and Spirakis, 2006). So the same rows in another order give
//! the same centroids.
//!
//! Of many clusters several are taken from one draw, so that rows are compared with [`PANEL`] candidates at once.
//! Distances are estimated by codes, and full where the estimate could be of equal rows.

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::centers::{Centers, Groups};
use super::rows::{self, Rows};
use crate::metric::Kernels;
use crate::metric::panels::{PANEL, TILE};
use crate::metric::tiles::CodeRow;
use crate::vectors::VectorsView;

/// Rows of the sample for each centroid, and at least.
const SAMPLED: usize = 16;
const FEWEST: usize = 8192;
/// Clusters from which on one draw gives a further centroid, up to [`MOST_TAKEN`].
const FOR_EACH_TAKEN: usize = 64;
const MOST_TAKEN: usize = 4;
/// Rows that one task compares with candidates.
const TASK: usize = 384;

/// Starting centroids: up to `count` rows, fewer where fewer differ.
pub(super) fn seed(all: VectorsView<'_>, count: usize, seed: u64, kernels: Kernels) -> Vec<f32> {
    let sample = sample(all, (count * SAMPLED).max(FEWEST), seed);
    let values: Vec<f32> = sample.iter().flat_map(|s| all.row(s.1 as usize)).copied().collect();
    // Of the rows that were checked: whole rows, and finite.
    let Ok(view) = VectorsView::new(&values, all.dim()) else { return Vec::new() };
    let Ok(largest) = rows::largest(view, kernels) else { return Vec::new() };
    let mut seeding = Seeding {
        rows: Rows::new(view, largest, kernels),
        hashes: sample.iter().map(|s| s.0).collect(),
        nearest: vec![f32::INFINITY; sample.len()],
    };
    let taken = (count / FOR_EACH_TAKEN).clamp(1, MOST_TAKEN);
    let candidates = ((2 + (count as f64).ln() as usize) * taken).min(PANEL);
    let mut centroids = Vec::with_capacity(count * all.dim());
    let first = seeding.draw(seed, 1, &|_| 1.0);
    seeding.take(&first, 1, &mut centroids);
    for round in 1.. {
        let left = count - centroids.len() / all.dim();
        let nearest = &seeding.nearest;
        let drawn = seeding.draw(seed.wrapping_add(round), candidates, &|i| nearest[i]);
        if left == 0 || drawn.is_empty() {
            break;
        }
        seeding.take(&drawn, taken.min(left), &mut centroids);
    }
    centroids
}

/// A number that a row's values and the seed make.
pub(super) fn hash(row: &[f32], seed: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytemuck::cast_slice(row))
}

/// About `count` rows, those with the least numbers; of equal rows all or none.
pub(super) fn sample(rows: VectorsView<'_>, count: usize, seed: u64) -> Vec<(u64, u32)> {
    let hashes = rows.as_slice().par_chunks_exact(rows.dim()).enumerate();
    let mut sample: Vec<(u64, u32)> = hashes.map(|(row, values)| (hash(values, seed), row as u32)).collect();
    if count < sample.len() {
        let bound = sample.select_nth_unstable(count).1.0;
        sample.retain(|s| s.0 <= bound);
    }
    sample.par_sort_unstable();
    sample
}

struct Seeding<'a> {
    /// The sample.
    rows: Rows<'a>,
    /// The number of each of its rows.
    hashes: Vec<u64>,
    /// The squared distance of each to the nearest centroid so far.
    nearest: Vec<f32>,
}

impl Seeding<'_> {
    /// Places of up to `count` rows of the sample, drawn in proportion to a weight.
    fn draw(&self, round: u64, count: usize, weight: &(dyn Fn(usize) -> f32 + Sync)) -> Vec<usize> {
        let key = |place: usize| {
            let random = mix(self.hashes[place] ^ mix(round));
            // Between 0 and 1, neither included.
            let unit = ((random >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            -unit.ln() / f64::from(weight(place))
        };
        let mut keys: Vec<(f64, usize)> = (0..self.hashes.len())
            .into_par_iter()
            .map(|place| (key(place), place))
            .filter(|k| k.0.is_finite())
            .collect();
        let count = count.min(keys.len());
        if count == 0 {
            return Vec::new();
        }
        let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if count < keys.len() {
            keys.select_nth_unstable_by(count, order);
            keys.truncate(count);
        }
        keys.sort_unstable_by(order);
        keys.into_iter().map(|k| k.1).collect()
    }

    /// Takes up to `count` of the drawn rows as centroids, one after the other: that which leaves the least sum of
    /// squared distances.
    fn take(&mut self, drawn: &[usize], count: usize, centroids: &mut Vec<f32>) {
        let candidates: Vec<f32> = drawn.iter().flat_map(|&place| self.rows.view.row(place)).copied().collect();
        let distances = self.distances(&candidates, drawn.len());
        for _ in 0..count {
            let sums: Vec<Vec<f64>> = distances
                .par_chunks(TASK * drawn.len())
                .zip(self.nearest.par_chunks(TASK))
                .map(|(distances, nearest)| {
                    let mut sums = vec![0.0f64; drawn.len()];
                    for (distances, &nearest) in distances.chunks_exact(drawn.len()).zip(nearest) {
                        sums.iter_mut().zip(distances).for_each(|(sum, &d)| *sum += f64::from(d.min(nearest)));
                    }
                    sums
                })
                .collect();
            let total = |i: usize| sums.iter().map(|sums| sums[i]).sum::<f64>();
            // A row that equals a centroid would be an empty cluster.
            let new = (0..drawn.len()).filter(|&i| self.nearest[drawn[i]] > 0.0);
            let Some(best) = new.min_by(|&a, &b| total(a).total_cmp(&total(b))) else { return };
            centroids.extend_from_slice(self.rows.view.row(drawn[best]));
            let distances = distances.par_chunks_exact(drawn.len());
            self.nearest.par_iter_mut().zip(distances).for_each(|(nearest, d)| *nearest = nearest.min(d[best]));
        }
    }

    /// The squared distance of each row to each of up to [`PANEL`] candidates.
    fn distances(&self, candidates: &[f32], count: usize) -> Vec<f32> {
        let rows = &self.rows;
        let groups = Groups::new(candidates, rows.dim(), rows.kernels);
        let centers = Centers::new(candidates, &groups, rows, rows.has_codes());
        let mut out = vec![0.0f32; rows.len() * count];
        out.par_chunks_mut(TASK * count).enumerate().for_each(|(task, out)| {
            let mut estimates = [[0.0; PANEL]; TILE];
            for (tile, out) in out.chunks_mut(TILE * count).enumerate() {
                let first = task * TASK + tile * TILE;
                let here = out.len() / count;
                if rows.has_codes() {
                    let codes: [CodeRow<'_>; TILE] = std::array::from_fn(|i| rows.codes(first + i.min(here - 1)));
                    rows.kernels.code_tile(&codes[..here], centers.code_panel(0), &mut estimates, &mut [0.0; TILE]);
                }
                for (i, out) in out.chunks_exact_mut(count).enumerate() {
                    let (row, coded) = (rows.view.row(first + i), rows.coded(first + i));
                    let unsure = 4.0 * centers.off(0, coded.norm, coded.error, rows.dim());
                    for (candidate, out) in out.iter_mut().enumerate() {
                        let place = groups.place[candidate] as usize;
                        *out = coded.norm * coded.norm - 2.0 * estimates[i][place];
                        if !rows.has_codes() || *out < unsure {
                            *out = rows.kernels.l2_squared(row, centers.center(candidate as u32));
                        }
                    }
                }
            }
        });
        out
    }
}

/// SplitMix64's finish: every bit depends on every other.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
