//! The first components by random projections, with power iterations.

use faer::{Mat, Side};
use rayon::prelude::*;

use super::{Pca, PcaParams, Variances, finish};
use crate::error::ClusterError;
use crate::metric::Kernels;
use crate::vectors::{VectorsView, norm_squared};

/// Directions beyond those asked for.
const OVERSAMPLES: usize = 10;
/// Times that the directions are multiplied with the rows and back.
const POWER_ITERATIONS: usize = 7;
/// Rows of a task: its sums are added in the order of tasks.
const TASK: usize = 512;

/// With `A` the centred rows: `Q` spans what `(A' A)^p` makes of random directions, and the components are those
/// of `A Q`, turned back.
pub(super) fn fit(params: &PcaParams, rows: VectorsView<'_>) -> Result<Pca, ClusterError> {
    let (n, dim) = (rows.len(), rows.dim());
    let width = (params.n_components + OVERSAMPLES).min(n.min(dim));
    let mean = mean(rows);
    let mut directions = random(width, dim, params.seed);
    for _ in 0..POWER_ITERATIONS {
        orthonormalize(&mut directions);
        directions = back_and_forth(rows, &mean, &directions).0;
    }
    orthonormalize(&mut directions);
    let products = back_and_forth(rows, &mean, &directions).1;
    let small = Mat::<f64>::from_fn(width, width, |i, j| products[i * width + j]);
    let failed = || ClusterError::Failed { algorithm: "PCA", reason: "the eigenvectors were not found".to_owned() };
    let eigen = small.self_adjoint_eigen(Side::Lower).map_err(|_| failed())?;
    let degrees = (n.max(2) - 1) as f64;
    let last = |i: usize| width - 1 - i;
    let values = eigen.S().column_vector();
    let explained = (0..params.n_components).map(|i| values[last(i)] / degrees).collect();
    let component = |i: usize| {
        let mut out = vec![0.0f64; dim];
        for (j, direction) in directions.iter().enumerate() {
            let part = eigen.U()[(j, last(i))];
            out.iter_mut().zip(direction).for_each(|(out, &x)| *out += part * f64::from(x));
        }
        out
    };
    let components = (0..params.n_components).map(component).collect();
    let squares: f64 = rows
        .as_slice()
        .par_chunks(TASK * dim)
        .map(|rows| centred_squares(rows, &mean))
        .collect::<Vec<_>>()
        .iter()
        .sum();
    let variances = Variances { explained, total: squares / degrees, n };
    finish(params, mean, components, variances)
}

/// For directions `Q` (a row each): `A' A Q'` as rows, and `Q A' A Q'`.
fn back_and_forth(rows: VectorsView<'_>, mean: &[f32], directions: &[Vec<f32>]) -> (Vec<Vec<f32>>, Vec<f64>) {
    let (dim, width) = (rows.dim(), directions.len());
    let kernels = Kernels::detect();
    let task = |rows: &[f32]| {
        let mut along = vec![0.0f64; width * width];
        let mut back = vec![0.0f32; width * dim];
        let (mut centred, mut y) = (vec![0.0f32; dim], vec![0.0f32; width]);
        for row in rows.chunks_exact(dim) {
            centred.iter_mut().zip(row).zip(mean).for_each(|((c, x), m)| *c = x - m);
            y.iter_mut().zip(directions).for_each(|(y, q)| *y = kernels.dot(&centred, q));
            for (i, (&a, back)) in y.iter().zip(back.chunks_exact_mut(dim)).enumerate() {
                back.iter_mut().zip(&centred).for_each(|(b, c)| *b += a * c);
                along[i * width..(i + 1) * width]
                    .iter_mut()
                    .zip(&y)
                    .for_each(|(s, &b)| *s += f64::from(a) * f64::from(b));
            }
        }
        (back, along)
    };
    let parts: Vec<(Vec<f32>, Vec<f64>)> = rows.as_slice().par_chunks(TASK * dim).map(task).collect();
    let (mut back, mut along) = (vec![0.0f64; width * dim], vec![0.0f64; width * width]);
    for (b, a) in parts {
        back.iter_mut().zip(b).for_each(|(all, x)| *all += f64::from(x));
        along.iter_mut().zip(a).for_each(|(all, x)| *all += x);
    }
    (back.chunks_exact(dim).map(|row| row.iter().map(|&x| x as f32).collect()).collect(), along)
}

/// Makes directions orthogonal and of length 1, twice so that rounding does not matter; one that vanishes is zeros.
fn orthonormalize(directions: &mut [Vec<f32>]) {
    let kernels = Kernels::detect();
    for i in 0..directions.len() {
        let (before, rest) = directions.split_at_mut(i);
        let own = &mut rest[0];
        let length = norm_squared(own).sqrt();
        for _ in 0..2 {
            for other in before.iter() {
                let along = kernels.dot(own, other);
                own.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let left = norm_squared(own).sqrt();
        let scale = if left > 1e-6 * length && left > 0.0 { 1.0 / left } else { 0.0 };
        own.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
    }
}

/// Directions of normal numbers (Box and Muller), from the seed.
fn random(width: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut state = seed;
    let mut unit = move || {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((x ^ (x >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let mut normal = || ((-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()) as f32;
    (0..width).map(|_| (0..dim).map(|_| normal()).collect()).collect()
}

fn mean(rows: VectorsView<'_>) -> Vec<f32> {
    let dim = rows.dim();
    let sum_of = |rows: &[f32]| {
        let mut sum = vec![0.0f64; dim];
        rows.chunks_exact(dim).for_each(|row| sum.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x)));
        sum
    };
    let parts: Vec<Vec<f64>> = rows.as_slice().par_chunks(TASK * dim).map(sum_of).collect();
    let mut sum = vec![0.0f64; dim];
    parts.iter().for_each(|part| sum.iter_mut().zip(part).for_each(|(s, x)| *s += x));
    sum.iter().map(|s| (s / rows.len().max(1) as f64) as f32).collect()
}

fn centred_squares(rows: &[f32], mean: &[f32]) -> f64 {
    let squared = |row: &[f32]| row.iter().zip(mean).map(|(x, m)| f64::from(x - m).powi(2)).sum::<f64>();
    rows.chunks_exact(mean.len()).map(squared).sum()
}
