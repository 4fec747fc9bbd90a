//! Kernels for AArch64 NEON. Rows of equal length and any alignment. `f16` rows are left to the
//! scalar kernels: the conversions are not in stable Rust.
#![allow(unsafe_code)]

use std::arch::aarch64::*;

/// # Safety
/// The processor has NEON, and the rows are of equal length.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (blocks, tail) = (a.len() / 16 * 16, a.len() / 16 * 16..a.len());
    let mut sums = [vdupq_n_f32(0.0); 4];
    let mut i = 0;
    while i < blocks {
        for (lane, sum) in sums.iter_mut().enumerate() {
            // SAFETY: i + lane * 4 + 4 <= i + 16 <= the length of both rows.
            let (x, y) = unsafe { (vld1q_f32(a.as_ptr().add(i + lane * 4)), vld1q_f32(b.as_ptr().add(i + lane * 4))) };
            *sum = vfmaq_f32(*sum, x, y);
        }
        i += 16;
    }
    let sum = vaddvq_f32(vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])));
    a[tail.clone()].iter().zip(&b[tail]).fold(sum, |s, (x, y)| x.mul_add(*y, s))
}

/// # Safety
/// The processor has NEON, and the rows are of equal length.
#[target_feature(enable = "neon")]
pub(super) unsafe fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
    let (blocks, tail) = (a.len() / 16 * 16, a.len() / 16 * 16..a.len());
    let mut sums = [vdupq_n_f32(0.0); 4];
    let mut i = 0;
    while i < blocks {
        for (lane, sum) in sums.iter_mut().enumerate() {
            // SAFETY: i + lane * 4 + 4 <= i + 16 <= the length of both rows.
            let (x, y) = unsafe { (vld1q_f32(a.as_ptr().add(i + lane * 4)), vld1q_f32(b.as_ptr().add(i + lane * 4))) };
            let d = vsubq_f32(x, y);
            *sum = vfmaq_f32(*sum, d, d);
        }
        i += 16;
    }
    let sum = vaddvq_f32(vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])));
    a[tail.clone()].iter().zip(&b[tail]).fold(sum, |s, (x, y)| (x - y).mul_add(x - y, s))
}

/// The inner products of signed codes with four rows of codes that have 128 for zero.
///
/// # Safety
/// The processor has NEON, and each row has the length of the query.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dots4(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    let blocks = query.len() / 16 * 16;
    rows.map(|row| {
        let mut sum = vdupq_n_s32(0);
        let mut i = 0;
        while i < blocks {
            // SAFETY: i + 16 <= blocks <= the length of the query and of the row.
            let (q, r) = unsafe { (vld1q_s8(query.as_ptr().add(i)), vld1q_u8(row.as_ptr().add(i))) };
            let r = vreinterpretq_s8_u8(veorq_u8(r, vdupq_n_u8(128)));
            // |row| <= 128 times |query| <= 127 fits i16; pairs are added as i32.
            sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(q), vget_low_s8(r)));
            sum = vpadalq_s16(sum, vmull_s8(vget_high_s8(q), vget_high_s8(r)));
            i += 16;
        }
        vaddvq_s32(sum) + super::scalar::dot_codes(&query[blocks..], &row[blocks..])
    })
}
