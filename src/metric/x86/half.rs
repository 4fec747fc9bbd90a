//! Kernels of an `f32` query against an `f16` row (its bits as `u16`): AVX2 with F16C, and AVX-512F.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::sum8;

/// Defines an AVX2 and an AVX-512 kernel that adds one `step(a, b, sum)` for each block of lanes.
macro_rules! half_kernels {
    ($avx2:ident, $avx512:ident, |$a:ident, $b:ident, $sum:ident| $step8:expr, $step16:expr, $rest:path) => {
        /// # Safety
        /// The processor has AVX2, FMA and F16C, and the rows are of equal length.
        #[target_feature(enable = "avx2,fma,f16c")]
        pub(in crate::metric) unsafe fn $avx2(a: &[f32], b: &[u16]) -> f32 {
            let n = a.len();
            let mut sums = [_mm256_setzero_ps(); 2];
            let mut i = 0;
            while i + 16 <= n {
                for (lane, $sum) in sums.iter_mut().enumerate() {
                    let at = i + lane * 8;
                    // SAFETY: at + 8 <= i + 16 <= n, the length of both rows.
                    let $a = unsafe { _mm256_loadu_ps(a.as_ptr().add(at)) };
                    // SAFETY: as above.
                    let half = unsafe { _mm_loadu_si128(b.as_ptr().add(at).cast()) };
                    let $b = _mm256_cvtph_ps(half);
                    *$sum = $step8;
                }
                i += 16;
            }
            sum8(_mm256_add_ps(sums[0], sums[1])) + $rest(&a[i..], &b[i..])
        }

        /// # Safety
        /// The processor has AVX-512F, BW and VL, and the rows are of equal length.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]
        pub(in crate::metric) unsafe fn $avx512(a: &[f32], b: &[u16]) -> f32 {
            let n = a.len();
            let mut sums = [_mm512_setzero_ps(); 4];
            let mut i = 0;
            while i + 64 <= n {
                for (lane, $sum) in sums.iter_mut().enumerate() {
                    let at = i + lane * 16;
                    // SAFETY: at + 16 <= i + 64 <= n, the length of both rows.
                    let $a = unsafe { _mm512_loadu_ps(a.as_ptr().add(at)) };
                    // SAFETY: as above.
                    let half = unsafe { _mm256_loadu_si256(b.as_ptr().add(at).cast()) };
                    let $b = _mm512_cvtph_ps(half);
                    *$sum = $step16;
                }
                i += 64;
            }
            while i < n {
                let mask = if n - i >= 16 { u16::MAX } else { (1u16 << (n - i)) - 1 };
                // SAFETY: masked lanes are not read, and i + (lanes of the mask) <= n.
                let ($a, half) = unsafe {
                    (
                        _mm512_maskz_loadu_ps(mask, a.as_ptr().add(i)),
                        _mm256_maskz_loadu_epi16(mask, b.as_ptr().add(i).cast()),
                    )
                };
                let $b = _mm512_cvtph_ps(half);
                let $sum = &mut sums[0];
                *$sum = $step16;
                i += 16;
            }
            _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])))
        }
    };
}

half_kernels!(
    dot_f16_avx2,
    dot_f16_avx512,
    |a, b, sum| _mm256_fmadd_ps(a, b, *sum),
    _mm512_fmadd_ps(a, b, *sum),
    crate::metric::scalar::dot_f16
);

half_kernels!(
    l2_squared_f16_avx2,
    l2_squared_f16_avx512,
    |a, b, sum| {
        let d = _mm256_sub_ps(a, b);
        _mm256_fmadd_ps(d, d, *sum)
    },
    {
        let d = _mm512_sub_ps(a, b);
        _mm512_fmadd_ps(d, d, *sum)
    },
    crate::metric::scalar::l2_squared_f16
);
