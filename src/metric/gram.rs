//! Products of columns: what a covariance is made of.
//!
//! Rows are packed in panels of [`PANEL`] columns, so that for each row the columns of two panels stand side
//! by side; a tile of two panels is summed in registers, [`GRAM_TILE`] columns of one against all of the other.
#![allow(unsafe_code)]

use super::Kernels;
use super::kernels::Level;
use super::panels::PANEL;
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Columns that meet a panel at a time.
pub(super) const GRAM_TILE: usize = 8;

/// The products of all columns of one panel with all of another.
pub(crate) type GramTile = [[f32; PANEL]; PANEL];

impl Kernels {
    /// For each column of the first panel and each of the second, the sum of their products over all rows.
    ///
    /// # Panics
    /// When the panels are not of whole rows, or not of as many.
    pub(crate) fn gram(self, first: &[f32], second: &[f32], out: &mut GramTile) {
        assert!(first.len() == second.len() && first.len().is_multiple_of(PANEL), "panels of whole rows");
        match self.level {
            // SAFETY: the level is made only after the processor was found to have AVX-512F; lengths by the
            // check above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::gram::gram_avx512(first, second, out) },
            // SAFETY: as above, for AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::gram::gram_avx2(first, second, out) },
            _ => gram(first, second, out),
        }
    }

    /// Writes a row less the mean into panels of `rows` rows each, and adds it to `sums`; `at` is the row's place.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub(crate) fn pack_centred(
        self,
        row: &[f32],
        mean: &[f32],
        sums: &mut [f32],
        panels: &mut [f32],
        at: (usize, usize),
    ) {
        let fits = row.len() == mean.len() && row.len() == sums.len() && at.0 < at.1;
        assert!(fits && panels.len() >= row.len().div_ceil(PANEL) * PANEL * at.1, "panels of the row's columns");
        match self.level {
            // SAFETY: as in `gram`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::gram::pack_avx512(row, mean, sums, panels, at) },
            // SAFETY: as in `gram`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::gram::pack_avx2(row, mean, sums, panels, at) },
            _ => pack(row, mean, sums, panels, at),
        }
    }
}

/// [`Kernels::gram`] in plain Rust. The compiler makes vectors of it.
#[inline(always)]
pub(super) fn gram(first: &[f32], second: &[f32], out: &mut GramTile) {
    for (tile, out) in out.chunks_exact_mut(4).enumerate() {
        let mut sums = [[0.0f32; PANEL]; 4];
        for (a, b) in first.chunks_exact(PANEL).zip(second.chunks_exact(PANEL)) {
            for (sums, x) in sums.iter_mut().zip(&a[tile * 4..tile * 4 + 4]) {
                sums.iter_mut().zip(b).for_each(|(sum, y)| *sum += x * y);
            }
        }
        out.copy_from_slice(&sums);
    }
}

/// [`Kernels::pack_centred`] in plain Rust.
#[inline(always)]
pub(super) fn pack(row: &[f32], mean: &[f32], sums: &mut [f32], panels: &mut [f32], (at, rows): (usize, usize)) {
    let columns = row.chunks(PANEL).zip(mean.chunks(PANEL)).zip(sums.chunks_mut(PANEL));
    for (panel, ((row, mean), sums)) in columns.enumerate() {
        let place = &mut panels[(panel * rows + at) * PANEL..][..row.len()];
        for (((place, &x), &m), sum) in place.iter_mut().zip(row).zip(mean).zip(sums) {
            *place = x - m;
            *sum += *place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_gives_the_sums_of_products() {
        let (rows, dim) = (37, 45);
        let value = |i: usize| ((i * i * 31 + i * 7) % 101) as f32 / 50.0 - 1.0;
        let all: Vec<f32> = (0..rows * dim).map(value).collect();
        let mean: Vec<f32> = (0..dim).map(|j| value(j + 3)).collect();
        for kernels in Kernels::available() {
            let mut panels = vec![0.0; dim.div_ceil(PANEL) * PANEL * rows];
            let mut sums = vec![0.0; dim];
            for (at, row) in all.chunks_exact(dim).enumerate() {
                kernels.pack_centred(row, &mean, &mut sums, &mut panels, (at, rows));
            }
            let centred = |i: usize, j: usize| f64::from(all[i * dim + j] - mean[j]);
            let panel = |p: usize| &panels[p * PANEL * rows..(p + 1) * PANEL * rows];
            for (p, q) in [(0, 0), (1, 0), (1, 1)] {
                let mut out = [[f32::NAN; PANEL]; PANEL];
                kernels.gram(panel(p), panel(q), &mut out);
                for (place, found) in out.as_flattened().iter().enumerate() {
                    let (i, j) = (p * PANEL + place / PANEL, q * PANEL + place % PANEL);
                    let both = |r: usize| if i < dim && j < dim { centred(r, i) * centred(r, j) } else { 0.0 };
                    let want: f64 = (0..rows).map(both).sum();
                    assert!((f64::from(*found) - want).abs() < 1e-4, "{} {i} {j}", kernels.name());
                }
            }
            for (j, sum) in sums.iter().enumerate() {
                let want: f64 = (0..rows).map(|r| centred(r, j)).sum();
                assert!((f64::from(*sum) - want).abs() < 1e-4, "{}", kernels.name());
            }
        }
    }
}
