//! Inner products of 8-bit codes: AVX-512 VNNI, and AVX2.
//!
//! A row is unsigned with 128 for zero, a query is signed from -127 to 127. VNNI multiplies just
//! that; the sum of `128 * query` is taken off by the caller. AVX2 has no such product that cannot
//! overflow, so there the row is made signed first, and its sign moved to the query.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Cache lines that are on their way at a time.
const AHEAD_LINES: usize = 48;

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

/// Writes the sums of `row * query`, the rows' 128 not taken off, for the rows `ids` of a matrix of
/// `stride` bytes a row, while rows `ahead` later are fetched into the cache.
///
/// # Safety
/// The processor has AVX-512F, BW and VNNI; each id is a row of the matrix, a row is at least as
/// long as the query, and `out` is as long as `ids`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(in crate::metric) unsafe fn dots_avx512(query: &[i8], rows: &[u8], stride: usize, ids: &[u32], out: &mut [i32]) {
    let row = |place: usize| {
        let id = ids[place.min(ids.len() - 1)] as usize;
        // SAFETY: the id is a row of the matrix.
        unsafe { rows.as_ptr().add(id * stride) }
    };
    let fetch = |place: usize| {
        let start = row(place);
        for line in (0..stride).step_by(LINE) {
            // SAFETY: within the row; prefetching reads nothing and cannot fault.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(line).cast()) };
        }
    };
    let ahead = (AHEAD_LINES / stride.div_ceil(LINE)).clamp(4, 16) / 4 * 4;
    (0..ids.len().min(ahead)).for_each(fetch);
    for start in (0..ids.len()).step_by(4) {
        (start + ahead..(start + ahead + 4).min(ids.len())).for_each(fetch);
        let four = [row(start), row(start + 1), row(start + 2), row(start + 3)];
        // SAFETY: each row has at least the length of the query.
        let sums = unsafe { dots4_avx512(query, four) };
        let group = out.len().min(start + 4) - start;
        out[start..start + group].copy_from_slice(&sums[..group]);
    }
}

/// Sums of `row * query` for four rows, the rows' 128 not taken off.
///
/// # Safety
/// The processor has AVX-512F, BW and VNNI, and each row is at least as long as the query.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(in crate::metric) unsafe fn dots4_avx512(query: &[i8], rows: [*const u8; 4]) -> [i32; 4] {
    let n = query.len();
    let mut sums = [_mm512_setzero_si512(); 4];
    let mut i = 0;
    while i + 64 <= n {
        // SAFETY: i + 64 <= n, the length of the query, and every row is as long.
        unsafe {
            let q = _mm512_loadu_si512(query.as_ptr().add(i).cast());
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_loadu_si512(row.add(i).cast()), q);
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
                let r = _mm512_maskz_loadu_epi8(mask, row.add(i).cast());
                *sum = _mm512_dpbusd_epi32(*sum, r, q);
            }
        }
    }
    sums16(sums)
}

/// Inner products of one row with four others, the 128 of all taken off.
///
/// # Safety
/// The processor has AVX-512F, BW and VNNI, and each other row is at least as long as the row.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(in crate::metric) unsafe fn dots4_rows_avx512(row: &[u8], others: [*const u8; 4]) -> [i32; 4] {
    let n = row.len();
    let (zero, ones) = (_mm512_set1_epi8(-128), _mm512_set1_epi8(1));
    let mut sums = [_mm512_setzero_si512(); 4];
    let mut total = _mm512_setzero_si512();
    for i in (0..n).step_by(64) {
        let mask = if n - i >= 64 { u64::MAX } else { (1 << (n - i)) - 1 };
        // SAFETY: masked lanes are not read, and i + (lanes of the mask) <= n.
        unsafe {
            // Lanes past the end are 0 in the others and so add nothing; in the row they become
            // -128, which `total` must not count.
            let q = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, row.as_ptr().add(i).cast()), zero);
            total = _mm512_dpbusd_epi32(total, _mm512_maskz_mov_epi8(mask, ones), q);
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_maskz_loadu_epi8(mask, other.add(i).cast()), q);
            }
        }
    }
    // Each other row was taken 128 too high.
    let total = _mm512_slli_epi32::<7>(total);
    sums16(sums.map(|sum| _mm512_sub_epi32(sum, total)))
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
