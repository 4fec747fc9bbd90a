//! The sums that centroids are the means of.
//!
//! They stand on a [`Grid`](crate::metric::tiles::Grid), so adding a row and taking it away later leaves
//! what was there before, and neither threads nor the order of the rows matter. So only rows that
//! changed their centroid are summed again.

use rayon::prelude::*;

use super::assign::NO_LABEL;
use super::rows::Rows;
use crate::vectors::normalize;

/// For each centroid the sum and the number of its rows.
pub(super) struct Means {
    dim: usize,
    sums: Vec<f64>,
    pub counts: Vec<u32>,
}

impl Means {
    pub fn new(count: usize, dim: usize) -> Self {
        Means { dim, sums: vec![0.0; count * dim], counts: vec![0; count] }
    }

    /// Takes rows from the centroid before, and gives them to that of `labels`.
    pub fn change(&mut self, rows: &Rows<'_>, moved: &[(u32, u32)], labels: &[u32]) {
        let count = self.counts.len();
        // Counting sort by centroid: its rows that come, and those that go.
        let mut starts = vec![0usize; count + 1];
        let events = || {
            moved.iter().flat_map(|&(row, before)| {
                let goes = (before != NO_LABEL).then_some((before, row, true));
                [Some((labels[row as usize], row, false)), goes].into_iter().flatten()
            })
        };
        events().for_each(|event| starts[event.0 as usize + 1] += 1);
        (0..count).for_each(|c| starts[c + 1] += starts[c]);
        let mut next = starts.clone();
        let mut sorted = vec![(0u32, false); starts[count]];
        for (center, row, goes) in events() {
            sorted[next[center as usize]] = (row, goes);
            next[center as usize] += 1;
        }
        let sums = self.sums.par_chunks_exact_mut(self.dim).zip(self.counts.par_iter_mut());
        sums.enumerate().for_each(|(center, (sum, count))| {
            for &(row, goes) in &sorted[starts[center]..starts[center + 1]] {
                let sign = if goes { -1.0 } else { 1.0 };
                rows.kernels.add_on_grid(sum, rows.view.row(row as usize), rows.grid, sign);
                *count = if goes { *count - 1 } else { *count + 1 };
            }
        });
    }

    /// Moves centroids to the means of their rows, scaled to length 1 when spherical: the distance that each
    /// moved, and the squares of all added up. One without rows, or whose rows point everywhere, stays.
    pub fn move_centroids(&self, centroids: &mut [f32], spherical: bool) -> (Vec<f64>, f64) {
        let moved = centroids.par_chunks_exact_mut(self.dim).enumerate().map(|(center, centroid)| {
            let mut mean = centroid.to_vec();
            self.write(center, &mut mean);
            if spherical && normalize(&mut mean) == 0.0 {
                return 0.0;
            }
            let apart = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
            let squared: f64 = centroid.iter().zip(&mean).map(apart).sum();
            centroid.copy_from_slice(&mean);
            squared
        });
        let moved: Vec<f64> = moved.collect();
        let shift = moved.iter().sum();
        (moved.into_iter().map(f64::sqrt).collect(), shift)
    }

    /// Writes the mean of a centroid's rows, unless it has none.
    fn write(&self, center: usize, out: &mut [f32]) {
        let count = f64::from(self.counts[center]);
        if count > 0.0 {
            let sum = &self.sums[center * self.dim..(center + 1) * self.dim];
            out.iter_mut().zip(sum).for_each(|(out, sum)| *out = (sum / count) as f32);
        }
    }
}
