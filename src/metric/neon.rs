//! Kernels for AArch64 NEON. Rows of equal length and any alignment.
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
