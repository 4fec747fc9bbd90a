//! The order of rows in memory: near rows near each other, so that a walk, which goes from row to
//! near row, finds more of them in the cache and touches fewer pages.
//!
//! Rows are halved again and again across the direction in which a sample of them is widest, as in
//! a balanced principal-direction tree. Equal halves, ties by row number and samples at fixed
//! places make the order the same on any number of threads.

use crate::metric::Kernels;
use crate::vectors::VectorsView;

/// Parts of this size are left as they are.
const LEAF: usize = 32;
/// Rows that a direction is found from.
const SAMPLE: usize = 64;
/// Parts over this size are halved on two threads.
const PARALLEL: usize = 4096;

/// The row of each place.
pub(super) fn order(rows: VectorsView<'_>, kernels: Kernels) -> Vec<u32> {
    let mut keyed: Vec<(f32, u32)> = (0..rows.len() as u32).map(|row| (0.0, row)).collect();
    halve(rows, kernels, &mut keyed);
    keyed.into_iter().map(|(_, row)| row).collect()
}

fn halve(rows: VectorsView<'_>, kernels: Kernels, part: &mut [(f32, u32)]) {
    if part.len() <= LEAF {
        part.sort_unstable_by_key(|p| p.1);
        return;
    }
    let direction = direction(rows, kernels, part);
    let project = |part: &mut [(f32, u32)]| {
        part.iter_mut().for_each(|p| p.0 = kernels.dot(&direction, rows.row(p.1 as usize)));
    };
    if part.len() > PARALLEL {
        use rayon::prelude::*;
        part.par_chunks_mut(PARALLEL).for_each(project);
    } else {
        project(part);
    }
    let middle = part.len() / 2;
    part.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (low, high) = part.split_at_mut(middle);
    if low.len() > PARALLEL {
        rayon::join(|| halve(rows, kernels, low), || halve(rows, kernels, high));
    } else {
        halve(rows, kernels, low);
        halve(rows, kernels, high);
    }
}

/// From the sample's row that is farthest from its middle to the one farthest from that, each side
/// then drawn to the mean of the rows on it.
fn direction(rows: VectorsView<'_>, kernels: Kernels, part: &[(f32, u32)]) -> Vec<f32> {
    let mut sample: Vec<u32> = part.iter().map(|p| p.1).collect();
    // The rows' own order must not matter for which are taken: selection leaves it open.
    sample.sort_unstable();
    let step = sample.len().div_ceil(SAMPLE);
    let sample: Vec<&[f32]> = sample.iter().step_by(step).map(|&row| rows.row(row as usize)).collect();
    let farthest = |from: &[f32]| {
        let far = sample.iter().map(|row| kernels.l2_squared(from, row)).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        far.map_or(0, |(i, _)| i)
    };
    let middle = mean(rows.dim(), sample.iter().copied());
    let first = farthest(&middle);
    let second = farthest(sample[first]);
    let (mut a, mut b) = (sample[first].to_vec(), sample[second].to_vec());
    for _ in 0..2 {
        let near_a = |row: &&[f32]| kernels.l2_squared(&a, row) <= kernels.l2_squared(&b, row);
        let (of_a, of_b): (Vec<&[f32]>, Vec<&[f32]>) = sample.iter().copied().partition(near_a);
        if of_a.is_empty() || of_b.is_empty() {
            break;
        }
        (a, b) = (mean(rows.dim(), of_a.into_iter()), mean(rows.dim(), of_b.into_iter()));
    }
    a.iter().zip(&b).map(|(a, b)| a - b).collect()
}

fn mean<'a>(dim: usize, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
    let n = rows.len().max(1) as f32;
    let mut sum = vec![0.0; dim];
    rows.for_each(|row| sum.iter_mut().zip(row).for_each(|(s, x)| *s += x / n));
    sum
}
