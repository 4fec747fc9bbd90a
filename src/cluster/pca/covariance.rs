//! Sums of the products of all pairs of columns.

use rayon::prelude::*;

use crate::metric::Kernels;
use crate::metric::gram::GramTile;
use crate::metric::panels::PANEL;

/// Rows that are summed in `f32` before they are added to the rest in `f64`.
pub(super) const BLOCK: usize = 2048;

/// Sums over rows less an offset: of each column, and of each two columns' products.
pub(super) struct Sums {
    dim: usize,
    kernels: Kernels,
    offset: Vec<f32>,
    pub n: usize,
    of_columns: Vec<f64>,
    /// For each pair of panels, the second not after the first, a tile of products.
    of_products: Vec<f64>,
    panels: Vec<f32>,
    /// Rows that are in the panels.
    packed: usize,
}

const TILE: usize = PANEL * PANEL;

impl Sums {
    /// `offset` is best near the mean: what is summed is small then.
    pub fn new(offset: Vec<f32>, kernels: Kernels) -> Self {
        let dim = offset.len();
        let panels = dim.div_ceil(PANEL);
        Sums {
            dim,
            kernels,
            offset,
            n: 0,
            of_columns: vec![0.0; dim],
            of_products: vec![0.0; panels * (panels + 1) / 2 * TILE],
            panels: vec![0.0; panels * PANEL * BLOCK],
            packed: 0,
        }
    }

    /// Adds up to [`BLOCK`] rows.
    pub fn add(&mut self, rows: &[f32]) {
        let count = rows.len() / self.dim;
        let used = self.dim.div_ceil(PANEL) * PANEL * count;
        // Places of columns that are not there hold zeros of an earlier block of as many rows, or are cleared.
        if count != self.packed {
            self.panels[..used].fill(0.0);
            self.packed = count;
        }
        let (dim, kernels) = (self.dim, self.kernels);
        let columns = self.offset.par_chunks(PANEL).zip(self.of_columns.par_chunks_mut(PANEL));
        columns.zip(self.panels[..used].par_chunks_mut(PANEL * count)).enumerate().for_each(
            |(place, ((offset, all), panel))| {
                let mut sums = [0.0f32; PANEL];
                for (at, row) in rows.chunks_exact(dim).enumerate() {
                    let part = &row[place * PANEL..place * PANEL + offset.len()];
                    kernels.pack_centred(part, offset, &mut sums[..offset.len()], panel, (at, count));
                }
                all.iter_mut().zip(sums).for_each(|(all, sum)| *all += f64::from(sum));
            },
        );
        let panels = &self.panels;
        let panel = |p: usize| &panels[p * PANEL * count..(p + 1) * PANEL * count];
        self.of_products.par_chunks_exact_mut(TILE).enumerate().for_each(|(pair, all)| {
            let (first, second) = panels_of(pair);
            let mut tile: GramTile = [[0.0; PANEL]; PANEL];
            kernels.gram(panel(first), panel(second), &mut tile);
            all.iter_mut().zip(tile.as_flattened()).for_each(|(all, x)| *all += f64::from(*x));
        });
        self.n += count;
    }

    /// The mean row.
    pub fn mean(&self) -> Vec<f64> {
        let n = self.n.max(1) as f64;
        self.of_columns.iter().zip(&self.offset).map(|(sum, &offset)| sum / n + f64::from(offset)).collect()
    }

    /// The covariance of two columns, the second not after the first.
    pub fn covariance(&self, first: usize, second: usize) -> f64 {
        let (p, q) = (first / PANEL, second / PANEL);
        let tile = &self.of_products[(p * (p + 1) / 2 + q) * TILE..];
        let product = tile[first % PANEL * PANEL + second % PANEL];
        let n = self.n as f64;
        (product - self.of_columns[first] * self.of_columns[second] / n) / (n - 1.0).max(1.0)
    }
}

/// The panels of a pair.
fn panels_of(pair: usize) -> (usize, usize) {
    let mut first = (((8 * pair + 1) as f64).sqrt() as usize).saturating_sub(1) / 2;
    while (first + 1) * (first + 2) / 2 <= pair {
        first += 1;
    }
    while first * (first + 1) / 2 > pair {
        first -= 1;
    }
    (first, pair - first * (first + 1) / 2)
}
