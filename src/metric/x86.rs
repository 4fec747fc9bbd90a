//! Kernels for x86-64: AVX2 with FMA, and AVX-512F.
//!
//! All take rows of equal length and any alignment; the last values of a row are read under a
//! mask, so nothing past its end is touched. Four sums run side by side to hide the latency of FMA.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

pub(super) mod codes;
pub(super) mod encode;
#[cfg(feature = "cluster")]
pub(super) mod gram;
pub(super) mod half;
pub(super) mod lookup;
pub(super) mod panels;
pub(super) mod tiles;

/// The sum of the eight lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sum8(v: __m256) -> f32 {
    let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
}

/// A mask of the first `n < 8` lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn mask8(n: usize) -> __m256i {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
}

/// Defines an AVX2 and an AVX-512 kernel that adds one `step(a, b, sum)` for each block of lanes.
macro_rules! kernels {
    ($avx2:ident, $avx512:ident, |$a:ident, $b:ident, $sum:ident| $step8:expr, $step16:expr) => {
        /// # Safety
        /// The processor has AVX2 and FMA, and the rows are of equal length.
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn $avx2(a: &[f32], b: &[f32]) -> f32 {
            let n = a.len();
            let (pa, pb) = (a.as_ptr(), b.as_ptr());
            let mut sums = [_mm256_setzero_ps(); 4];
            let mut i = 0;
            while i + 32 <= n {
                for (lane, $sum) in sums.iter_mut().enumerate() {
                    let at = i + lane * 8;
                    // SAFETY: at + 8 <= i + 32 <= n, the length of both rows.
                    let ($a, $b) = unsafe { (_mm256_loadu_ps(pa.add(at)), _mm256_loadu_ps(pb.add(at))) };
                    *$sum = $step8;
                }
                i += 32;
            }
            while i < n {
                let mask = mask8((n - i).min(8));
                // SAFETY: masked lanes are not read, and i + (lanes of the mask) <= n.
                let ($a, $b) = unsafe { (_mm256_maskload_ps(pa.add(i), mask), _mm256_maskload_ps(pb.add(i), mask)) };
                let $sum = &mut sums[0];
                *$sum = $step8;
                i += 8;
            }
            sum8(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])))
        }

        /// # Safety
        /// The processor has AVX-512F, and the rows are of equal length.
        #[target_feature(enable = "avx512f,avx2,fma")]
        pub(super) unsafe fn $avx512(a: &[f32], b: &[f32]) -> f32 {
            let n = a.len();
            let (pa, pb) = (a.as_ptr(), b.as_ptr());
            let mut sums = [_mm512_setzero_ps(); 4];
            let mut i = 0;
            while i + 64 <= n {
                for (lane, $sum) in sums.iter_mut().enumerate() {
                    let at = i + lane * 16;
                    // SAFETY: at + 16 <= i + 64 <= n, the length of both rows.
                    let ($a, $b) = unsafe { (_mm512_loadu_ps(pa.add(at)), _mm512_loadu_ps(pb.add(at))) };
                    *$sum = $step16;
                }
                i += 64;
            }
            while i < n {
                let mask = if n - i >= 16 { u16::MAX } else { (1u16 << (n - i)) - 1 };
                // SAFETY: masked lanes are not read, and i + (lanes of the mask) <= n.
                let $a = unsafe { _mm512_maskz_loadu_ps(mask, pa.add(i)) };
                // SAFETY: as above.
                let $b = unsafe { _mm512_maskz_loadu_ps(mask, pb.add(i)) };
                let $sum = &mut sums[0];
                *$sum = $step16;
                i += 16;
            }
            _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])))
        }
    };
}

kernels!(dot_avx2, dot_avx512, |a, b, sum| _mm256_fmadd_ps(a, b, *sum), _mm512_fmadd_ps(a, b, *sum));

kernels!(
    l2_squared_avx2,
    l2_squared_avx512,
    |a, b, sum| {
        let d = _mm256_sub_ps(a, b);
        _mm256_fmadd_ps(d, d, *sum)
    },
    {
        let d = _mm512_sub_ps(a, b);
        _mm512_fmadd_ps(d, d, *sum)
    }
);
