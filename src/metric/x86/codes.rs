//! Inner products of 8-bit codes: AVX-512 VNNI, and AVX2.
//!
//! A row is unsigned with 128 for zero, a query is signed from -127 to 127. VNNI multiplies just
//! that; the sum of `128 * query` is taken off by the caller. AVX2 has no such product that cannot
//! overflow, so there the row is made signed first, and its sign moved to the query.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// The sum of sixteen lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
fn sums16(v: [__m512i; 4]) -> [i32; 4] {
    let half = |v: __m512i| _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v));
    sums8([half(v[0]), half(v[1]), half(v[2]), half(v[3])])
}

/// The sum of eight lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx2")]
fn sums8(v: [__m256i; 4]) -> [i32; 4] {
    let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
    let sums = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
    [
        _mm_extract_epi32::<0>(sums),
        _mm_extract_epi32::<1>(sums),
        _mm_extract_epi32::<2>(sums),
        _mm_extract_epi32::<3>(sums),
    ]
}

/// Sums of `row * query` for four rows, the rows' 128 not taken off.
///
/// # Safety
/// The processor has AVX-512F, BW and VNNI, and each row has the length of the query.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(in crate::metric) unsafe fn dots4_avx512(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    let n = query.len();
    let mut sums = [_mm512_setzero_si512(); 4];
    let mut i = 0;
    while i + 64 <= n {
        // SAFETY: i + 64 <= n, the length of the query and of every row.
        unsafe {
            let q = _mm512_loadu_si512(query.as_ptr().add(i).cast());
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_loadu_si512(row.as_ptr().add(i).cast()), q);
            }
        }
        i += 64;
    }
    if i < n {
        let mask = (1u64 << (n - i)) - 1;
        // SAFETY: masked lanes are not read, and i + (lanes of the mask) = n.
        unsafe {
            let q = _mm512_maskz_loadu_epi8(mask, query.as_ptr().add(i));
            for (sum, row) in sums.iter_mut().zip(rows) {
                let r = _mm512_maskz_loadu_epi8(mask, row.as_ptr().add(i).cast());
                *sum = _mm512_dpbusd_epi32(*sum, r, q);
            }
        }
    }
    sums16(sums)
}

/// As [`dots4_avx512`], but with the rows' 128 taken off.
///
/// # Safety
/// The processor has AVX2, and each row has the length of the query.
#[target_feature(enable = "avx2")]
pub(in crate::metric) unsafe fn dots4_avx2(query: &[i8], rows: [&[u8]; 4]) -> [i32; 4] {
    let n = query.len();
    let (zero, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
    let mut sums = [_mm256_setzero_si256(); 4];
    let mut i = 0;
    while i + 32 <= n {
        // SAFETY: i + 32 <= n, the length of the query and of every row.
        unsafe {
            let q = _mm256_loadu_si256(query.as_ptr().add(i).cast());
            for (sum, row) in sums.iter_mut().zip(rows) {
                let r = _mm256_xor_si256(_mm256_loadu_si256(row.as_ptr().add(i).cast()), zero);
                // |row| <= 127 times |query| <= 127, two of them: at most 32,258, which i16 holds.
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(r), _mm256_sign_epi8(q, r));
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
            }
        }
        i += 32;
    }
    let mut out = sums8(sums);
    for (sum, row) in out.iter_mut().zip(rows) {
        *sum += super::super::scalar::dot_codes(&query[i..], &row[i..]);
    }
    out
}
