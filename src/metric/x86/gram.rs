//! Products of columns: AVX-512; AVX2 is left to the compiler.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::gram::{GRAM_TILE, GramTile, gram, pack};
use super::super::panels::PANEL;

/// # Safety
/// The processor has AVX-512F, and the panels are of as many whole rows.
#[target_feature(enable = "avx512f")]
pub(in crate::metric) unsafe fn gram_avx512(first: &[f32], second: &[f32], out: &mut GramTile) {
    for (tile, out) in out.chunks_exact_mut(GRAM_TILE).enumerate() {
        let mut sums = [[_mm512_setzero_ps(); 2]; GRAM_TILE];
        for row in 0..first.len() / PANEL {
            // SAFETY: a row of a panel has 32 values, and this tile's columns are among them.
            unsafe {
                let b = second.as_ptr().add(row * PANEL);
                let (left, right) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                let a = first.as_ptr().add(row * PANEL + tile * GRAM_TILE);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(i));
                    sums[0] = _mm512_fmadd_ps(x, left, sums[0]);
                    sums[1] = _mm512_fmadd_ps(x, right, sums[1]);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(sums) {
            // SAFETY: `out` has 32 values.
            unsafe {
                _mm512_storeu_ps(out.as_mut_ptr(), sums[0]);
                _mm512_storeu_ps(out.as_mut_ptr().add(16), sums[1]);
            }
        }
    }
}

/// Defines the plain functions for one instruction set.
macro_rules! wider {
    ($features:literal, $pack:ident) => {
        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $pack(
            row: &[f32],
            mean: &[f32],
            sums: &mut [f32],
            panels: &mut [f32],
            at: (usize, usize),
        ) {
            pack(row, mean, sums, panels, at);
        }
    };
}

wider!("avx2,fma", pack_avx2);
wider!("avx512f,avx512bw,avx512vl,avx2,fma", pack_avx512);

/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(in crate::metric) unsafe fn gram_avx2(first: &[f32], second: &[f32], out: &mut GramTile) {
    gram(first, second, out);
}
