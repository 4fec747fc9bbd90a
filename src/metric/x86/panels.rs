//! Products with packed rows: AVX-512 and VNNI; AVX2 is left to the compiler.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::panels::{CODE_PANEL, PANEL, TILE, code_products, products};

/// # Safety
/// The processor has AVX-512F, and every row is as long as the panel has columns.
#[target_feature(enable = "avx512f")]
pub(in crate::metric) unsafe fn products_avx512(rows: &[&[f32]], panel: &[f32], out: &mut [[f32; PANEL]; TILE]) {
    // SAFETY: as promised by the caller.
    unsafe {
        match rows.len() {
            1 => products_of::<1>(rows, panel, out),
            2 => products_of::<2>(rows, panel, out),
            3 | 4 => products_of::<4>(rows, panel, out),
            5..=8 => products_of::<8>(rows, panel, out),
            _ => products_of::<TILE>(rows, panel, out),
        }
    }
}

/// Up to `ROWS` rows with a panel. Rows that are not there repeat the first one.
///
/// # Safety
/// As [`products_avx512`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn products_of<const ROWS: usize>(rows: &[&[f32]], panel: &[f32], out: &mut [[f32; PANEL]; TILE]) {
    let starts: [*const f32; ROWS] = std::array::from_fn(|i| rows.get(i).unwrap_or(&rows[0]).as_ptr());
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for j in 0..panel.len() / PANEL {
        // SAFETY: column j of the panel has 32 values.
        let column: [__m512; 2] =
            std::array::from_fn(|t| unsafe { _mm512_loadu_ps(panel.as_ptr().add(j * PANEL + 16 * t)) });
        for (sums, start) in sums.iter_mut().zip(starts) {
            // SAFETY: a row has as many values as the panel has columns.
            let x = _mm512_set1_ps(unsafe { *start.add(j) });
            for (sum, c) in sums.iter_mut().zip(column) {
                *sum = _mm512_fmadd_ps(x, c, *sum);
            }
        }
    }
    for (out, sums) in out.iter_mut().zip(sums) {
        for (t, sum) in sums.into_iter().enumerate() {
            // SAFETY: `out` has 32 values.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(16 * t), sum) };
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(in crate::metric) unsafe fn products_avx2(rows: &[&[f32]], panel: &[f32], out: &mut [[f32; PANEL]; TILE]) {
    products(rows, panel, out);
}

/// Products of `row * query`, the rows' 128 not taken off.
///
/// # Safety
/// The processor has AVX-512F, BW and VNNI; `query` is padded with zeros to a multiple of 4, and
/// `panels` is whole panels of that many codes, one for each of `out`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(in crate::metric) unsafe fn code_products_vnni(query: &[i8], panels: &[u8], out: &mut [[i32; CODE_PANEL]]) {
    let groups = query.len() / 4;
    for (place, out) in out.chunks_mut(4).enumerate() {
        // A last group of fewer panels repeats its last.
        let starts: [*const u8; 4] = std::array::from_fn(|t| {
            let panel = place * 4 + t.min(out.len() - 1);
            // SAFETY: there are that many panels.
            unsafe { panels.as_ptr().add(panel * groups * 64) }
        });
        let mut sums = [_mm512_setzero_si512(); 4];
        for j in 0..groups {
            // SAFETY: the query has 4 codes from 4 * j on, and a panel 64 bytes from 64 * j on.
            unsafe {
                let q = _mm512_set1_epi32(query.as_ptr().add(4 * j).cast::<i32>().read_unaligned());
                for (sum, start) in sums.iter_mut().zip(starts) {
                    *sum = _mm512_dpbusd_epi32(*sum, _mm512_loadu_si512(start.add(64 * j).cast()), q);
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            // SAFETY: `out` has 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
        }
    }
}

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(in crate::metric) unsafe fn code_products_avx2(query: &[i8], panels: &[u8], out: &mut [[i32; CODE_PANEL]]) {
    code_products(query, panels, out);
}
