//! k-means in two levels: groups of rows, and in each group the partitions.
//!
//! With as many partitions as a few times the square root of the rows, one level would compare every
//! row with every centroid. Here a row meets the centroids of the groups, and then those of the
//! partitions of the [`NEAR`] groups nearest its own. Samples are taken at even distances (the rows
//! are in an order in which near ones are near), sums in the order of the rows: the result does not
//! depend on the number of threads.

use rayon::prelude::*;

use crate::metric::Kernels;
use crate::metric::panels::{Panels, best_of};
use crate::vectors::{VectorsView, norm_squared, normalize};

/// Rows of the sample for each partition.
const SAMPLE: usize = 72;
/// Rows of the groups' own sample for each group.
const GROUP_SAMPLE: usize = 256;
/// Rounds of k-means for groups, and for the partitions of each.
const ROUNDS: usize = 8;
/// Rounds in which the partitions of near groups compete for rows.
const REFINEMENTS: usize = 3;
/// Groups whose partitions a row is compared with.
const NEAR: usize = 12;
/// Rows that one task compares with centroids.
const TASK: usize = 96;

/// Rows, centroids and how they are compared.
#[derive(Clone, Copy)]
pub(super) struct Means {
    pub dim: usize,
    /// Whether centroids are scaled to length 1, as rows compared by cosine are.
    pub unit: bool,
    pub kernels: Kernels,
}

/// Groups of partitions.
struct Groups {
    centroids: Vec<f32>,
    /// Where the partitions of each group start.
    starts: Vec<usize>,
    /// For each group the [`NEAR`] nearest, itself first.
    near: Vec<Vec<usize>>,
}

impl Means {
    /// `(centroids, the partition of each row)`; there are at most `count` partitions.
    pub fn partition(self, rows: VectorsView<'_>, count: usize) -> (Vec<f32>, Vec<u32>) {
        let all: Vec<&[f32]> = rows.rows().collect();
        let sample = evenly(&all, count * SAMPLE);
        let group_count = ((count as f64).sqrt().round() as usize).max(1);
        let tops = self.means(&evenly(&sample, group_count * GROUP_SAMPLE), group_count);
        let group_of = self.assign(&sample, &tops);
        let members = by_group(&group_of, group_count);
        let counts = shares(&members, count);
        let leaves = members.par_iter().zip(&counts).map(|(members, &count)| {
            let rows: Vec<&[f32]> = members.iter().map(|&i| sample[i as usize]).collect();
            self.means(&rows, count)
        });
        let mut centroids = leaves.collect::<Vec<_>>().concat();
        let mut starts = vec![0];
        counts.iter().for_each(|count| starts.push(starts[starts.len() - 1] + count));
        let groups = Groups { near: self.near(&tops), centroids: tops, starts };
        for _ in 0..REFINEMENTS {
            let of = self.assign_near(&sample, &group_of, &groups, &centroids);
            self.move_to_means(&sample, &of, &mut centroids);
        }
        let group_of = self.assign(&all, &groups.centroids);
        let of = self.assign_near(&all, &group_of, &groups, &centroids);
        (centroids, of)
    }

    /// Lloyd's k-means from rows at even distances; fewer than `count` where there are fewer rows.
    fn means(self, rows: &[&[f32]], count: usize) -> Vec<f32> {
        let mut centroids = evenly(rows, count).concat();
        if centroids.is_empty() {
            return centroids;
        }
        for _ in 0..ROUNDS {
            let of = self.assign(rows, &centroids);
            self.move_to_means(rows, &of, &mut centroids);
        }
        centroids
    }

    /// The nearest centroid of each row.
    fn assign(self, rows: &[&[f32]], centroids: &[f32]) -> Vec<u32> {
        let panels = Panels::new(self.dim, centroids.chunks_exact(self.dim));
        let bias: Vec<f32> = centroids.chunks_exact(self.dim).map(|c| -0.5 * norm_squared(c) as f32).collect();
        let nearest = rows.par_chunks(TASK).flat_map_iter(|rows| best_of(self.kernels, rows, &panels, &bias));
        nearest.map(|best| best.0).collect()
    }

    /// The nearest centroid of each row among the partitions of the groups near its own.
    fn assign_near(self, rows: &[&[f32]], group_of: &[u32], groups: &Groups, centroids: &[f32]) -> Vec<u32> {
        let members = by_group(group_of, groups.near.len());
        let nearest = members.par_iter().zip(&groups.near).map(|(members, near)| {
            let leaves: Vec<usize> = near.iter().flat_map(|&g| groups.starts[g]..groups.starts[g + 1]).collect();
            let competing: Vec<f32> =
                leaves.iter().flat_map(|&l| &centroids[l * self.dim..(l + 1) * self.dim]).copied().collect();
            let rows: Vec<&[f32]> = members.iter().map(|&i| rows[i as usize]).collect();
            self.assign(&rows, &competing).into_iter().map(|place| leaves[place as usize] as u32).collect::<Vec<_>>()
        });
        let nearest: Vec<Vec<u32>> = nearest.collect();
        let mut of = vec![0; rows.len()];
        for (members, nearest) in members.iter().zip(nearest) {
            members.iter().zip(nearest).for_each(|(&row, leaf)| of[row as usize] = leaf);
        }
        of
    }

    /// Moves each centroid to the mean of its rows; one without rows takes half of the largest one's,
    /// a little aside of it.
    fn move_to_means(self, rows: &[&[f32]], of: &[u32], centroids: &mut [f32]) {
        let dim = self.dim;
        let mut counts = vec![0usize; centroids.len() / dim];
        let mut sums = vec![0.0f32; centroids.len()];
        for (row, &c) in rows.iter().zip(of) {
            counts[c as usize] += 1;
            let sum = &mut sums[c as usize * dim..(c as usize + 1) * dim];
            sum.iter_mut().zip(*row).for_each(|(s, x)| *s += x);
        }
        for ((centroid, sum), &count) in centroids.chunks_exact_mut(dim).zip(sums.chunks_exact(dim)).zip(&counts) {
            if count > 0 {
                centroid.iter_mut().zip(sum).for_each(|(c, s)| *c = s / count as f32);
            }
        }
        for empty in 0..counts.len() {
            if counts[empty] > 0 {
                continue;
            }
            let largest = (0..counts.len()).max_by_key(|&c| (counts[c], counts.len() - c)).unwrap_or(empty);
            for j in 0..dim {
                let x = centroids[largest * dim + j];
                let aside = if j % 2 == 0 { x / 1024.0 } else { -x / 1024.0 };
                (centroids[empty * dim + j], centroids[largest * dim + j]) = (x + aside, x - aside);
            }
            counts[empty] = counts[largest] / 2;
            counts[largest] -= counts[empty];
        }
        if self.unit {
            for centroid in centroids.chunks_exact_mut(dim) {
                normalize(centroid);
            }
        }
    }

    fn near(self, tops: &[f32]) -> Vec<Vec<usize>> {
        let tops: Vec<&[f32]> = tops.chunks_exact(self.dim).collect();
        let near = |top: &&[f32]| {
            let mut by_distance: Vec<(f32, usize)> =
                tops.iter().enumerate().map(|(g, other)| (self.kernels.l2_squared(top, other), g)).collect();
            by_distance.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            by_distance.iter().take(NEAR).map(|d| d.1).collect()
        };
        tops.iter().map(near).collect()
    }
}

/// Up to `count` rows at even distances.
fn evenly<'a>(rows: &[&'a [f32]], count: usize) -> Vec<&'a [f32]> {
    let count = count.min(rows.len());
    (0..count).map(|i| rows[(i as u64 * rows.len() as u64 / count as u64) as usize]).collect()
}

fn by_group(group_of: &[u32], groups: usize) -> Vec<Vec<u32>> {
    let mut members = vec![Vec::new(); groups];
    group_of.iter().enumerate().for_each(|(row, &g)| members[g as usize].push(row as u32));
    members
}

/// How many partitions each group gets: in proportion to its rows, the largest remainders first, and
/// never more than it has rows.
fn shares(members: &[Vec<u32>], count: usize) -> Vec<usize> {
    let total = members.iter().map(Vec::len).sum::<usize>().max(1);
    let mut shares: Vec<usize> = members.iter().map(|m| m.len() * count / total).collect();
    let mut by_remainder: Vec<usize> = (0..members.len()).collect();
    by_remainder.sort_by_key(|&g| (std::cmp::Reverse(members[g].len() * count % total), g));
    let missing = count.saturating_sub(shares.iter().sum());
    by_remainder.iter().cycle().take(missing).for_each(|&g| shares[g] += 1);
    shares.iter().zip(members).map(|(&share, m)| share.min(m.len())).collect()
}
