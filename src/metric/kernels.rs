//! The kernels of one instruction set, picked once.
#![allow(unsafe_code)]

use super::encode::{self, Book, ENTRIES};
use super::lookup::{self, BLOCK_ROWS, Tables};
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::panels::{self, CODE_PANEL, PANEL, TILE};
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Metric, scalar};

/// The most codes in a row: with more, the sum of `255 * 127` each would leave `i32`.
pub const MAX_CODE_DIM: usize = 65_536;

/// Rows that a one-to-many kernel takes at a time.
const GROUP: usize = 4;
/// Groups that are fetched into the cache before their turn.
const GROUPS_AHEAD: usize = 2;
/// Bytes of a cache line.
const LINE: usize = 64;

/// An instruction set that the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// The distance kernels of one instruction set that this processor is known to have.
///
/// A value can only be made by checking the processor, so holding one is the proof that the
/// instructions exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    pub(super) level: Level,
}

/// Signed 8-bit codes of a query, each from -127 to 127, with their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryCodes {
    values: Vec<i8>,
    sum: i32,
}

impl QueryCodes {
    /// Takes codes; one of -128 becomes -127.
    ///
    /// # Panics
    /// When there are more than [`MAX_CODE_DIM`].
    pub fn new(values: Vec<i8>) -> Self {
        let mut codes = QueryCodes { values, sum: 0 };
        codes.refresh();
        codes
    }

    /// Writes other codes, keeping the memory.
    pub(crate) fn set(&mut self, values: impl Iterator<Item = i8>) {
        self.values.clear();
        self.values.extend(values);
        self.refresh();
    }

    fn refresh(&mut self) {
        assert!(self.values.len() <= MAX_CODE_DIM, "at most {MAX_CODE_DIM} codes");
        self.values.iter_mut().for_each(|v| *v = (*v).max(-127));
        self.sum = self.values.iter().map(|&v| i32::from(v)).sum();
    }

    /// The codes.
    pub fn values(&self) -> &[i8] {
        &self.values
    }
}

impl Kernels {
    /// The widest instruction set of this processor.
    pub fn detect() -> Self {
        Self::available().pop().unwrap_or(Kernels { level: Level::Scalar })
    }

    /// Every instruction set of this processor, the scalar one first and the widest last.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            let vnni = avx512 && is_x86_feature_detected!("avx512vnni");
            let found = [(avx2, Level::Avx2), (avx512, Level::Avx512), (vnni, Level::Avx512Vnni)];
            levels.extend(found.into_iter().filter(|f| f.0).map(|f| f.1));
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            levels.push(Level::Neon);
        }
        levels.into_iter().map(|level| Kernels { level }).collect()
    }

    /// The name of the instruction set: `scalar`, `avx2`, `avx512`, `avx512vnni` or `neon`.
    pub fn name(self) -> &'static str {
        match self.level {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => "avx512vnni",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
        }
    }

    /// The inner product of two rows. Of rows scaled to length 1, the cosine.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "rows of one length");
        match self.level {
            Level::Scalar => scalar::dot(a, b),
            // SAFETY: the level is made only after the processor was found to have AVX2, FMA and
            // F16C, and the lengths were compared above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::dot_avx2(a, b) },
            // SAFETY: as above, for AVX-512F, BW and VL.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::dot_avx512(a, b) },
            // SAFETY: as above, for NEON.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::dot(a, b) },
        }
    }

    /// The squared Euclidean distance of two rows.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn l2_squared(self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "rows of one length");
        match self.level {
            Level::Scalar => scalar::l2_squared(a, b),
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::l2_squared_avx2(a, b) },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::l2_squared_avx512(a, b) },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::l2_squared(a, b) },
        }
    }

    /// The inner product of a row with one of `f16`, given as bits.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn dot_f16(self, a: &[f32], b: &[u16]) -> f32 {
        assert_eq!(a.len(), b.len(), "rows of one length");
        match self.level {
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::half::dot_f16_avx2(a, b) },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::half::dot_f16_avx512(a, b) },
            _ => scalar::dot_f16(a, b),
        }
    }

    /// The squared Euclidean distance of a row to one of `f16`, given as bits.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn l2_squared_f16(self, a: &[f32], b: &[u16]) -> f32 {
        assert_eq!(a.len(), b.len(), "rows of one length");
        match self.level {
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::half::l2_squared_f16_avx2(a, b) },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::half::l2_squared_f16_avx512(a, b) },
            _ => scalar::l2_squared_f16(a, b),
        }
    }

    /// The inner products of a query's codes with four rows of codes, which have 128 for zero. With
    /// the squared lengths they make squared distances.
    ///
    /// # Panics
    /// When a row is not as long as the query.
    pub fn dot_codes(self, query: &QueryCodes, rows: [&[u8]; 4]) -> [i32; 4] {
        assert!(rows.iter().all(|row| row.len() == query.values.len()), "rows of one length");
        let q = &query.values[..];
        match self.level {
            Level::Scalar => rows.map(|row| scalar::dot_codes(q, row)),
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => unsafe { x86::codes::dots4_avx2(q, rows) },
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => {
                // SAFETY: as in `dot`, for VNNI as well.
                let sums = unsafe { x86::codes::dots4_avx512(q, rows.map(<[u8]>::as_ptr)) };
                sums.map(|sum| sum - 128 * query.sum)
            }
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::dots4(q, rows) },
        }
    }

    /// The inner products of one row of codes with four others, all with 128 for zero.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn dot_rows(self, row: &[u8], others: [&[u8]; 4]) -> [i32; 4] {
        assert!(others.iter().all(|other| other.len() == row.len()), "rows of one length");
        #[cfg(target_arch = "x86_64")]
        if self.level == Level::Avx512Vnni {
            // SAFETY: as in `dot_codes`.
            return unsafe { x86::codes::dots4_rows_avx512(row, others.map(<[u8]>::as_ptr)) };
        }
        // 128 is zero; the least code, which rows do not have, counts as the one above it.
        let query = QueryCodes::new(row.iter().map(|&code| (code ^ 128) as i8).collect());
        self.dot_codes(&query, others)
    }

    /// The inner products of a query's codes with the rows `ids` of a matrix of codes, in order,
    /// while later rows are fetched into the cache. A row is `stride` bytes, of which the first are
    /// codes. `out` is cleared first.
    ///
    /// # Panics
    /// When an id is outside the matrix, or a row shorter than the query.
    pub(crate) fn dots(self, query: &QueryCodes, rows: &[u8], stride: usize, ids: &[u32], out: &mut Vec<i32>) {
        let dim = query.values.len();
        let n = rows.len() / stride;
        assert!(dim <= stride && ids.iter().all(|&id| (id as usize) < n), "rows of the matrix");
        out.clear();
        out.resize(ids.len(), 0);
        if ids.is_empty() {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if self.level == Level::Avx512Vnni {
            // SAFETY: the level is made only after the processor was found to have AVX-512F, BW,
            // VL and VNNI; ids and lengths were compared above.
            unsafe { x86::codes::dots_avx512(&query.values, rows, stride, ids, out) };
            out.iter_mut().for_each(|dot| *dot -= 128 * query.sum);
            return;
        }
        let row = |id: u32| &rows[id as usize * stride..id as usize * stride + dim];
        ids.iter().take(GROUP * GROUPS_AHEAD).for_each(|&id| prefetch(row(id)));
        for (place, (group, dots)) in ids.chunks(GROUP).zip(out.chunks_mut(GROUP)).enumerate() {
            let next = (place + GROUPS_AHEAD) * GROUP;
            ids.iter().skip(next).take(GROUP).for_each(|&id| prefetch(row(id)));
            // A last group of fewer repeats its first row.
            let four = [0, 1, 2, 3].map(|i| row(*group.get(i).unwrap_or(&group[0])));
            dots.copy_from_slice(&self.dot_codes(query, four)[..dots.len()]);
        }
    }

    /// Calls `each(row, sum)` for the rows of some blocks of 4-bit codes whose sum by the tables is at
    /// least `floor`, in order; rows are counted from the first block on.
    ///
    /// # Panics
    /// When `blocks` is not whole blocks of the tables' codes.
    #[inline]
    pub(crate) fn scan(self, tables: &Tables, blocks: &[u8], floor: u16, mut each: impl FnMut(usize, u16)) {
        let bytes = (tables.lines() * lookup::LINE).max(1);
        assert_eq!(blocks.len() % bytes, 0, "whole blocks");
        match self.level {
            // SAFETY: as in `dot`; whole blocks by the check above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::lookup::scan_avx512(tables, blocks, floor, each) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::lookup::scan_avx2(tables, blocks, floor, each) },
            _ => {
                for (block, bytes) in blocks.chunks_exact(bytes).enumerate() {
                    for (row, sum) in lookup::sums(tables, bytes).into_iter().enumerate().filter(|s| s.1 >= floor) {
                        each(block * BLOCK_ROWS + row, sum);
                    }
                }
            }
        }
    }

    /// Inner products of up to [`TILE`] rows with the rows of a panel. What is left of `out` is undefined.
    ///
    /// # Panics
    /// When there is no row, or one is not as long as the panel has columns.
    pub(crate) fn products(self, rows: &[&[f32]], panel: &[f32], out: &mut [[f32; PANEL]; TILE]) {
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row.len() == panel.len() / PANEL),
            "rows of the panel's length"
        );
        match self.level {
            // SAFETY: as in `dot`; lengths by the check above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::panels::products_avx512(rows, panel, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::panels::products_avx2(rows, panel, out) },
            _ => panels::products(rows, panel, out),
        }
    }

    /// Inner products of a query's codes with the rows of some panels of codes, one panel for each of `out`.
    ///
    /// # Panics
    /// When `panels` is not as many panels of the query's length.
    pub(crate) fn code_products(self, query: &QueryCodes, panels: &[u8], out: &mut [[i32; CODE_PANEL]]) {
        let dim = query.values.len();
        assert_eq!(panels.len(), out.len() * panels::code_panels_bytes(1, dim), "a panel for each of `out`");
        match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => {
                let mut padded = query.values.clone();
                padded.resize(dim.next_multiple_of(4), 0);
                // SAFETY: as in `dot_codes`; lengths by the check above.
                unsafe { x86::panels::code_products_vnni(&padded, panels, out) };
                out.as_flattened_mut().iter_mut().for_each(|sum| *sum -= 128 * query.sum);
            }
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => unsafe { x86::panels::code_products_avx2(&query.values, panels, out) },
            _ => panels::code_products(&query.values, panels, out),
        }
    }

    /// The 4-bit codes of a residual for the row that it is a part of; see [`super::encode`]. Both are as
    /// long as the book's runs, of which there is one for each of `codes`.
    pub(crate) fn encode(self, book: Book<'_>, residual: &[f32], row: &[f32], codes: &mut [u8]) {
        match self.level {
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::encode::encode_avx512(book, residual, row, codes) },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::encode::encode_avx2(book, residual, row, codes) },
            _ => encode::encode(book, residual, row, codes),
        }
    }

    /// Makes a query's tables for rows that were coded by a book; see [`Tables::fill`].
    ///
    /// # Panics
    /// When the query has more runs than the book, or than a sum of 16 bits can take.
    pub(crate) fn tables(self, tables: &mut Tables, book: Book<'_>, query: &[f32], least_scale: f32) {
        match self.level {
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe {
                x86::encode::tables_avx512(tables, book, query, least_scale)
            },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::encode::tables_avx2(tables, book, query, least_scale) },
            _ => tables.fill(book, query, least_scale),
        }
    }

    /// The entry of one run of a book that is nearest to a part of a residual.
    pub(crate) fn nearest_entry(self, run: &[[f32; ENTRIES]], residual: &[f32]) -> u8 {
        match self.level {
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::encode::nearest_avx512(run, residual) },
            // SAFETY: as in `dot`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::encode::nearest_avx2(run, residual) },
            _ => encode::nearest(run, residual),
        }
    }

    /// The rank of two rows that were prepared for the metric (unit length for cosine): `1 - dot`,
    /// `-dot`, or squared L2. Smaller is nearer.
    pub(crate) fn rank(self, metric: Metric, a: &[f32], b: &[f32]) -> f32 {
        match metric {
            Metric::Cosine => 1.0 - self.dot(a, b),
            Metric::Dot => -self.dot(a, b),
            Metric::L2 => self.l2_squared(a, b),
        }
    }

    /// [`Kernels::rank`] against a row of `f16`.
    pub(crate) fn rank_f16(self, metric: Metric, a: &[f32], b: &[u16]) -> f32 {
        match metric {
            Metric::Cosine => 1.0 - self.dot_f16(a, b),
            Metric::Dot => -self.dot_f16(a, b),
            Metric::L2 => self.l2_squared_f16(a, b),
        }
    }
}

/// Asks the processor to bring a row into the cache; does nothing where that is not known.
#[inline]
pub(crate) fn prefetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks((LINE / size_of::<T>()).max(1)) {
        // SAFETY: prefetching reads nothing and cannot fault; the pointer is of a live slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch(line.as_ptr().cast(), _MM_HINT_T0);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}
