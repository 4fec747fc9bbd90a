//! Where centroids start: greedy k-means++ (Arthur and Vassilvitskii, "k-means++: the advantages of careful
//! seeding", SODA 2007), on a sample when there are many rows.
//!
//! Rows are drawn by what they hold and not by where they stand: each row has a random number that is
//! made of its values and the seed, and a row is drawn where `-ln(number) / weight` is least, which draws
//! in proportion to the weights (Efraimidis and Spirakis, 2006). So the same rows in another order give
//! the same centroids.

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use crate::metric::Kernels;
use crate::vectors::VectorsView;

/// Rows of the sample for each centroid, and at least.
const SAMPLED: usize = 24;
const FEWEST: usize = 8192;
/// Rows that one task compares with candidates.
const TASK: usize = 512;

/// Starting centroids: up to `count` rows, fewer where fewer differ.
pub(super) fn seed(rows: VectorsView<'_>, count: usize, seed: u64, kernels: Kernels) -> Vec<f32> {
    let sample = sample(rows, (count * SAMPLED).max(FEWEST), seed);
    let candidates = 2 + (count as f64).ln() as usize;
    let mut seeding = Seeding { rows, kernels, distances: vec![f32::INFINITY; sample.len()], sample };
    let mut centroids = Vec::with_capacity(count * rows.dim());
    let first = seeding.draw(seed, 1, &|_| 1.0);
    seeding.take(first[0], &mut centroids);
    for round in 1..count {
        let distances = &seeding.distances;
        let drawn = seeding.draw(seed.wrapping_add(round as u64), candidates, &|i| distances[i]);
        let Some(best) = seeding.best(&drawn) else { break };
        seeding.take(best, &mut centroids);
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
    rows: VectorsView<'a>,
    kernels: Kernels,
    /// Rows by their number.
    sample: Vec<(u64, u32)>,
    /// The squared distance of each to the nearest centroid so far.
    distances: Vec<f32>,
}

impl Seeding<'_> {
    /// Places of up to `count` rows of the sample, drawn in proportion to a weight.
    fn draw(&self, round: u64, count: usize, weight: &(dyn Fn(usize) -> f32 + Sync)) -> Vec<usize> {
        let key = |place: usize| {
            let random = mix(self.sample[place].0 ^ mix(round));
            // Between 0 and 1, neither included.
            let unit = ((random >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            -unit.ln() / f64::from(weight(place))
        };
        let mut keys: Vec<(f64, usize)> = (0..self.sample.len())
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

    fn row(&self, place: usize) -> &[f32] {
        self.rows.row(self.sample[place].1 as usize)
    }

    /// Of some rows the one that as a centroid leaves the least sum of squared distances.
    fn best(&self, drawn: &[usize]) -> Option<usize> {
        let places: Vec<usize> = (0..self.sample.len()).collect();
        let sums = places.par_chunks(TASK).map(|places| {
            let mut sums = vec![0.0f64; drawn.len()];
            for &place in places {
                for (sum, &candidate) in sums.iter_mut().zip(drawn) {
                    let distance = self.kernels.l2_squared(self.row(place), self.row(candidate));
                    *sum += f64::from(distance.min(self.distances[place]));
                }
            }
            sums
        });
        let sums: Vec<Vec<f64>> = sums.collect();
        let total = |i: usize| sums.iter().map(|sums| sums[i]).sum::<f64>();
        let best = (0..drawn.len()).min_by(|&a, &b| total(a).total_cmp(&total(b)));
        best.map(|i| drawn[i])
    }

    fn take(&mut self, place: usize, centroids: &mut Vec<f32>) {
        let start = centroids.len();
        centroids.extend_from_slice(self.rows.row(self.sample[place].1 as usize));
        let (rows, kernels, centroid) = (self.rows, self.kernels, &centroids[start..]);
        self.distances.par_iter_mut().zip(&self.sample).for_each(|(nearest, &(_, row))| {
            *nearest = nearest.min(kernels.l2_squared(rows.row(row as usize), centroid));
        });
    }
}

/// SplitMix64's finish: every bit depends on every other.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
