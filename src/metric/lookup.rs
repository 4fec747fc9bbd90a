//! Inner products by table lookup: 4-bit codes of 32 rows at a time, scored in registers.
//!
//! In the manner of fast scan (André, Kermarrec and Le Scouarnec, "Cache locality is not enough:
//! high-performance nearest neighbor search with product quantization fast scan", VLDB 2015; with
//! 16 entries a table so that a table is one register: "Quicker ADC", arXiv:1812.09162).
//!
//! A code names one of 16 table entries, a byte from 0 to [`MAX_ENTRY`]; the score of a row is the
//! sum of the entries that its codes name. A block holds 32 rows in lines of 64 bytes, four codes of
//! each row a line: bytes 0-31 have code `4g` (low half of the byte) and `4g + 1` (high half), bytes
//! 32-63 have `4g + 2` and `4g + 3`. Row `l` stands at byte `2 * (l % 16) + l / 16` of each half, so
//! that sums, widened to 16 bits, come out in the order of the rows.

use super::encode::{Book, ENTRIES};

/// Rows of a block.
pub(crate) const BLOCK_ROWS: usize = 32;
/// Bytes of a line of a block.
pub(crate) const LINE: usize = 64;
/// Codes of a row in one line.
const CODES: usize = 4;
/// The largest entry: four of them fit a byte.
pub(crate) const MAX_ENTRY: u8 = 63;
/// With more codes in a row the sum would leave 16 bits.
pub(crate) const MAX_CODES: usize = 1024;

/// The bytes of a block of rows with this many codes.
pub(crate) fn block_bytes(codes: usize) -> usize {
    codes.div_ceil(CODES) * LINE
}

/// Writes the codes (each under 16) of row `row` of a block that was all zero there.
pub(crate) fn write_codes(block: &mut [u8], row: usize, codes: &[u8]) {
    let byte = 2 * (row % 16) + row / 16;
    for (i, &code) in codes.iter().enumerate() {
        let (line, nth) = (i / CODES, i % CODES);
        block[line * LINE + nth / 2 * 32 + byte] |= code << (4 * (nth % 2));
    }
}

/// Tables of a query, in the order in which a block's lines use them: for each line those of the low
/// halves, then of the high halves, each table twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    registers: Vec<[u8; LINE]>,
    /// Score of one unit of an entry.
    pub scale: f32,
    /// Score of a row whose entries are all 0.
    pub base: f32,
    values: Vec<[f32; ENTRIES]>,
}

impl Tables {
    /// Makes tables of the inner products of a book's entries with a query, which may be shorter than
    /// the book's runs: a row's score is `base + scale * sum`, up to rounding. The scale is as small as the
    /// entries allow, but no smaller than given.
    #[inline(always)]
    pub(super) fn fill(&mut self, book: Book<'_>, query: &[f32], least_scale: f32) {
        let codes = query.len().div_ceil(book.width);
        assert!(codes <= MAX_CODES, "at most {MAX_CODES} codes");
        self.values.clear();
        self.values.resize(codes, [0.0; ENTRIES]);
        let least = (least_scale * f32::from(MAX_ENTRY)).max(f32::MIN_POSITIVE);
        let (mut base, mut range) = (0.0f32, least);
        for (code, (values, part)) in self.values.iter_mut().zip(query.chunks(book.width)).enumerate() {
            for (&q, entries) in part.iter().zip(book.run(code)) {
                values.iter_mut().zip(entries).for_each(|(v, e)| *v += q * e);
            }
            let low = values.iter().fold(f32::INFINITY, |low, &v| if v < low { v } else { low });
            let high = values.iter().fold(f32::NEG_INFINITY, |high, &v| if v > high { v } else { high });
            values.iter_mut().for_each(|v| *v -= low);
            base += low;
            range = if high - low > range { high - low } else { range };
        }
        (self.base, self.scale) = (base, range / f32::from(MAX_ENTRY));
        self.registers.clear();
        self.registers.resize(codes.div_ceil(CODES) * 2, [0; LINE]);
        let inverse = f32::from(MAX_ENTRY) / range;
        for (code, values) in self.values.iter().enumerate() {
            let (line, nth) = (code / CODES, code % CODES);
            let register = &mut self.registers[line * 2 + nth % 2];
            let mut entries = [0u8; ENTRIES];
            entries.iter_mut().zip(values).for_each(|(out, v)| *out = entry(v * inverse));
            register[nth / 2 * 32..nth / 2 * 32 + 16].copy_from_slice(&entries);
            register[nth / 2 * 32 + 16..nth / 2 * 32 + 32].copy_from_slice(&entries);
        }
    }

    pub(super) fn registers(&self) -> &[[u8; LINE]] {
        &self.registers
    }

    /// Lines of a block that these tables are for.
    pub(super) fn lines(&self) -> usize {
        self.registers.len() / 2
    }
}

/// A value from 0 to 63 rounded: adding 2^23 leaves the integer in the low bits.
#[inline]
fn entry(x: f32) -> u8 {
    const SHIFT: f32 = 8_388_608.0;
    ((x + SHIFT).to_bits() as u8).min(MAX_ENTRY)
}

/// Sums of one block, in plain Rust.
pub(super) fn sums(tables: &Tables, block: &[u8]) -> [u16; BLOCK_ROWS] {
    let mut out = [0; BLOCK_ROWS];
    for (line, registers) in block.chunks_exact(LINE).zip(tables.registers().chunks_exact(2)) {
        for (row, sum) in out.iter_mut().enumerate() {
            for half in 0..2 {
                let codes = line[half * 32 + 2 * (row % 16) + row / 16];
                let low = registers[0][half * 32 + usize::from(codes & 15)];
                let high = registers[1][half * 32 + usize::from(codes >> 4)];
                *sum += u16::from(low) + u16::from(high);
            }
        }
    }
    out
}
