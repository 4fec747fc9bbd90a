//! Table lookups for 32 rows at a time: AVX-512 BW, and AVX2.
//!
//! Bytes are added as they are while four entries fit one, and then taken apart: `all` has the
//! sums of even bytes plus 256 times those of odd ones, `odd` the latter alone.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::lookup::{BLOCK_ROWS, LINE, Tables};

/// Calls `each(row, sum)` for the rows of some blocks whose sum is at least `floor`, in order.
///
/// # Safety
/// The processor has AVX-512F, BW and VL, and `blocks` is whole blocks of the tables' lines.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2")]
pub(in crate::metric) unsafe fn scan_avx512(
    tables: &Tables,
    blocks: &[u8],
    floor: u16,
    mut each: impl FnMut(usize, u16),
) {
    let lines = tables.lines();
    for (block, bytes) in blocks.chunks_exact(lines * LINE).enumerate() {
        // SAFETY: the block has `lines` lines, and there are two registers for each.
        let sums = unsafe { sums_avx512(tables, bytes) };
        let mut found = _mm512_cmpge_epu16_mask(sums, _mm512_set1_epi16(floor as i16));
        if found == 0 {
            continue;
        }
        let mut out = [0u16; BLOCK_ROWS];
        // SAFETY: `out` has 64 bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) };
        while found != 0 {
            let row = found.trailing_zeros() as usize;
            found &= found - 1;
            each(block * BLOCK_ROWS + row, out[row]);
        }
    }
}

/// # Safety
/// The processor has AVX-512F, BW and VL, and the block has the tables' lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2")]
unsafe fn sums_avx512(tables: &Tables, block: &[u8]) -> __m512i {
    let registers = tables.registers();
    let low = _mm512_set1_epi8(15);
    let line = |g: usize| {
        // SAFETY: g is a line of the block, of 64 bytes, and 2 * g + 1 one of the registers.
        let (codes, t, u) = unsafe {
            let at = registers.as_ptr().add(2 * g);
            (
                _mm512_loadu_si512(block.as_ptr().add(g * LINE).cast()),
                _mm512_loadu_si512(at.cast()),
                _mm512_loadu_si512(at.add(1).cast()),
            )
        };
        let first = _mm512_shuffle_epi8(t, _mm512_and_si512(codes, low));
        let second = _mm512_shuffle_epi8(u, _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low));
        _mm512_add_epi8(first, second)
    };
    let (mut all, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    let lines = registers.len() / 2;
    let mut g = 0;
    while g < lines {
        let bytes = if g + 1 < lines { _mm512_add_epi8(line(g), line(g + 1)) } else { line(g) };
        all = _mm512_add_epi16(all, bytes);
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16::<8>(bytes));
        g += 2;
    }
    let even = _mm512_sub_epi16(all, _mm512_slli_epi16::<8>(odd));
    let halves = |v| _mm256_add_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v));
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(halves(even)), halves(odd))
}

/// As [`scan_avx512`].
///
/// # Safety
/// The processor has AVX2, and `blocks` is whole blocks of the tables' lines.
#[target_feature(enable = "avx2")]
pub(in crate::metric) unsafe fn scan_avx2(
    tables: &Tables,
    blocks: &[u8],
    floor: u16,
    mut each: impl FnMut(usize, u16),
) {
    let lines = tables.lines();
    for (block, bytes) in blocks.chunks_exact(lines * LINE).enumerate() {
        // SAFETY: the block has `lines` lines, and there are two registers for each.
        let out = unsafe { sums_avx2(tables, bytes) };
        for (row, &sum) in out.iter().enumerate().filter(|(_, sum)| **sum >= floor) {
            each(block * BLOCK_ROWS + row, sum);
        }
    }
}

/// # Safety
/// The processor has AVX2, and the block has the tables' lines.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn sums_avx2(tables: &Tables, block: &[u8]) -> [u16; BLOCK_ROWS] {
    let low = _mm256_set1_epi8(15);
    let (mut all, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for (line, registers) in block.chunks_exact(LINE).zip(tables.registers().chunks_exact(2)) {
        let half = |h: usize| {
            // SAFETY: a line and a register have two halves of 32 bytes.
            let (codes, t, u) = unsafe {
                (
                    _mm256_loadu_si256(line.as_ptr().add(h * 32).cast()),
                    _mm256_loadu_si256(registers[0].as_ptr().add(h * 32).cast()),
                    _mm256_loadu_si256(registers[1].as_ptr().add(h * 32).cast()),
                )
            };
            let first = _mm256_shuffle_epi8(t, _mm256_and_si256(codes, low));
            let second = _mm256_shuffle_epi8(u, _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low));
            _mm256_add_epi8(first, second)
        };
        let bytes = _mm256_add_epi8(half(0), half(1));
        all = _mm256_add_epi16(all, bytes);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16::<8>(bytes));
    }
    let even = _mm256_sub_epi16(all, _mm256_slli_epi16::<8>(odd));
    let mut out = [0u16; BLOCK_ROWS];
    // SAFETY: `out` has two halves of 32 bytes.
    unsafe {
        _mm256_storeu_si256(out.as_mut_ptr().cast(), even);
        _mm256_storeu_si256(out.as_mut_ptr().add(16).cast(), odd);
    }
    out
}
