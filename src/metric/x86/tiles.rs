//! Tiles of codes with VNNI; the rest is plain code for the compiler to make wider vectors of.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::panels::{PANEL, TILE};
use super::super::tiles::{CODES_TOGETHER, CodePanel, CodeRow, Coded, Grid, add_on_grid, encode, largest_bits};

/// # Safety
/// The processor has AVX-512F, BW, VL and VNNI; there are 1 to [`TILE`] rows, each as long as the panel
/// has columns, which is a multiple of 4.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::metric) unsafe fn code_tile_vnni(
    rows: &[CodeRow<'_>],
    panel: CodePanel<'_>,
    out: &mut [[f32; PANEL]; TILE],
    most: &mut [f32; TILE],
) {
    // SAFETY: as promised by the caller.
    unsafe {
        match rows.len() {
            1 => tile_of::<1>(rows, panel, out, most),
            2 => tile_of::<2>(rows, panel, out, most),
            3 => tile_of::<3>(rows, panel, out, most),
            4 => tile_of::<4>(rows, panel, out, most),
            5 | 6 => tile_of::<6>(rows, panel, out, most),
            7 | 8 => tile_of::<8>(rows, panel, out, most),
            _ => tile_of::<TILE>(rows, panel, out, most),
        }
    }
}

/// Up to `ROWS` rows with a panel. Rows that are not there repeat the first one.
///
/// # Safety
/// As [`code_tile_vnni`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile_of<const ROWS: usize>(
    rows: &[CodeRow<'_>],
    panel: CodePanel<'_>,
    out: &mut [[f32; PANEL]; TILE],
    most: &mut [f32; TILE],
) {
    let starts: [*const i8; ROWS] = std::array::from_fn(|i| rows.get(i).unwrap_or(&rows[0]).codes.as_ptr());
    let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
    for j in 0..panel.codes.len() / (CODES_TOGETHER * PANEL) {
        // SAFETY: a group of the panel has 128 bytes, and a row 4 codes for it.
        unsafe {
            let line = panel.codes.as_ptr().add(j * CODES_TOGETHER * PANEL);
            let (left, right) = (_mm512_loadu_si512(line.cast()), _mm512_loadu_si512(line.add(64).cast()));
            for (sums, start) in sums.iter_mut().zip(starts) {
                let four = _mm512_set1_epi32(start.add(j * CODES_TOGETHER).cast::<i32>().read_unaligned());
                sums[0] = _mm512_dpbusd_epi32(sums[0], left, four);
                sums[1] = _mm512_dpbusd_epi32(sums[1], right, four);
            }
        }
    }
    for (((row, sums), out), most) in rows.iter().zip(sums).zip(out).zip(most) {
        let (zero, scale) = (_mm512_set1_epi32(row.zero), _mm512_set1_ps(row.scale));
        let mut largest = _mm512_set1_ps(f32::NEG_INFINITY);
        for (t, sum) in sums.into_iter().enumerate() {
            let product = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, zero));
            // SAFETY: scales, bias and `out` have 32 values.
            unsafe {
                let scales = _mm512_mul_ps(_mm512_loadu_ps(panel.scales.as_ptr().add(16 * t)), scale);
                let estimate = _mm512_fmadd_ps(product, scales, _mm512_loadu_ps(panel.bias.as_ptr().add(16 * t)));
                _mm512_storeu_ps(out.as_mut_ptr().add(16 * t), estimate);
                largest = _mm512_max_ps(largest, estimate);
            }
        }
        *most = _mm512_reduce_max_ps(largest);
    }
}

/// Defines the plain functions for one instruction set.
macro_rules! wider {
    ($features:literal, $encode:ident, $add:ident, $largest:ident) => {
        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $encode(
            row: &[f32],
            mean: &[f32],
            centred: &mut [f32],
            codes: &mut [i8],
        ) -> Coded {
            encode(row, mean, centred, codes)
        }

        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $add(sum: &mut [f64], row: &[f32], grid: Grid, sign: f64) {
            add_on_grid(sum, row, grid, sign);
        }

        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $largest(values: &[f32]) -> u32 {
            largest_bits(values)
        }
    };
}

wider!("avx2,fma", encode_avx2, add_avx2, largest_avx2);
wider!("avx512f,avx512bw,avx512vl,avx2,fma", encode_avx512, add_avx512, largest_avx512);
