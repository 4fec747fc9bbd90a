//! Rows as 8-bit codes: what graphs are built on and walked by.
//!
//! A row less the mean of all rows (cosine and L2; the inner product has no mean) is divided by a
//! scale of its own, `max |x| / 127`, and rounded: locally adaptive quantization in the manner of
//! LVQ (Aguerrebere et al., "Similarity search in the blink of an eye with compressed indices",
//! VLDB 2023, arXiv:2304.04759), symmetric about the mean. A query is coded the same way, and
//!
//! ```text
//! rank(q, x) = base(q) + bias(x) - weight * scale(q) * scale(x) * (codes(q) . codes(x))
//! ```
//!
//! estimates the rank of the metric: `1 - dot` for cosine (half the squared distance of unit rows,
//! which does not change when both are shifted), `-dot`, or squared L2.
//!
//! A coded row is `dim` bytes with 128 for zero, zeros up to a multiple of 4, then scale and bias
//! (f32 each), then zeros up to the stride: a multiple of 64 bytes where that adds at most 32,
//! else of 4.

use rayon::prelude::*;

use super::space::Space;
use crate::error::StoreError;
use crate::metric::{Kernels, MAX_CODE_DIM, Metric, QueryCodes};
use crate::store::Column;
use crate::vectors::VectorsView;

/// The largest magnitude of a code.
const LEVELS: f32 = 127.0;
/// Zeros that a row may end with so that rows start at cache lines.
const MAX_PADDING: usize = 32;
/// Rows that are summed for the mean by one task.
const MEAN_BLOCK: usize = 4096;

/// The codes of all rows of a segment.
#[derive(Debug)]
pub(crate) struct Codes {
    metric: Metric,
    dim: usize,
    mean: Column<f32>,
    bytes: Column<u8>,
}

/// A query in codes.
#[derive(Debug, Default)]
pub(crate) struct CodeQuery {
    codes: QueryCodes,
    /// `weight * scale`.
    scale: f32,
    base: f32,
    /// Inner products of the rows that are being ranked.
    dots: Vec<i32>,
}

impl Codes {
    /// Whether rows of this dimension can be coded, and take less space then.
    pub fn fits(dim: usize) -> bool {
        dim <= MAX_CODE_DIM && Self::stride(dim) < dim * size_of::<f32>()
    }

    /// Bytes of one row.
    pub fn stride(dim: usize) -> usize {
        let used = dim.next_multiple_of(4) + 8;
        let padded = used.next_multiple_of(64);
        if padded - used <= MAX_PADDING { padded } else { used }
    }

    /// The number of values of the mean.
    pub fn mean_len(metric: Metric, dim: usize) -> usize {
        if metric == Metric::Dot { 0 } else { dim }
    }

    /// Takes the parts of a file, of lengths `mean_len` and `n * stride`.
    pub fn from_parts(metric: Metric, dim: usize, mean: Column<f32>, bytes: Column<u8>) -> Self {
        Codes { metric, dim, mean, bytes }
    }

    /// Codes prepared rows. The result does not depend on the number of threads.
    pub fn encode(metric: Metric, rows: VectorsView<'_>) -> Self {
        let dim = rows.dim();
        let mean = if metric == Metric::Dot { Vec::new() } else { mean(rows) };
        let stride = Self::stride(dim);
        let mut bytes = vec![0u8; rows.len() * stride];
        bytes.par_chunks_exact_mut(stride).enumerate().for_each_init(
            || Vec::with_capacity(dim),
            |centred, (row, out)| {
                centre(rows.row(row), &mean, centred);
                let scale = scale_of(centred);
                let inverse = inverse_of(scale);
                for (byte, &x) in out.iter_mut().zip(centred.iter()) {
                    *byte = (code(x, inverse) as u8) ^ 128;
                }
                let side = dim.next_multiple_of(4);
                out[side..side + 4].copy_from_slice(&scale.to_le_bytes());
                out[side + 4..side + 8].copy_from_slice(&length_term(metric, centred).to_le_bytes());
            },
        );
        Codes { metric, dim, mean: Column::owned(mean), bytes: Column::owned(bytes) }
    }

    /// The mean that rows and queries are taken less of; empty for the inner product.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// All rows' bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Compares the code of a place, and what all share, with their checksums, unless that was done.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the block that does not hold.
    pub fn check(&self, place: u32) -> Result<(), StoreError> {
        self.mean.check_all()?;
        let stride = Self::stride(self.dim);
        self.bytes.check(place as usize * stride, stride)
    }

    /// What the ranks of all rows share, resolved once for a walk.
    pub fn view(&self, kernels: Kernels) -> CodesView<'_> {
        let stride = Self::stride(self.dim);
        CodesView {
            bytes: &self.bytes,
            stride,
            side: self.dim.next_multiple_of(4),
            kernels,
            metric: self.metric,
            dim: self.dim,
        }
    }

    /// Codes a prepared query.
    pub fn query(&self, query: &[f32], out: &mut CodeQuery) {
        let mut centred = Vec::with_capacity(self.dim);
        centre(query, &self.mean, &mut centred);
        let scale = scale_of(&centred);
        let inverse = inverse_of(scale);
        out.codes.set(centred.iter().map(|&x| code(x, inverse)));
        out.scale = weight(self.metric) * scale;
        out.base = length_term(self.metric, &centred);
    }
}

/// The codes of a segment, borrowed for a walk.
#[derive(Clone, Copy)]
pub(crate) struct CodesView<'a> {
    bytes: &'a [u8],
    stride: usize,
    /// Where scale and bias stand in a row.
    side: usize,
    kernels: Kernels,
    metric: Metric,
    dim: usize,
}

impl Space for CodesView<'_> {
    type Query = CodeQuery;

    fn len(&self) -> usize {
        self.bytes.len() / self.stride
    }

    fn row_as_query(&self, row: u32, out: &mut CodeQuery) {
        let bytes = &self.bytes[row as usize * self.stride..(row as usize + 1) * self.stride];
        out.codes.set(bytes[..self.dim].iter().map(|&b| (b ^ 128) as i8));
        let (scale, bias) = side_of(&bytes[self.side..]);
        out.scale = weight(self.metric) * scale;
        out.base = bias;
    }

    #[inline]
    fn ranks(&self, query: &mut CodeQuery, ids: &[u32], mut each: impl FnMut(usize, f32)) {
        let CodeQuery { codes, scale, base, dots } = query;
        self.kernels.dots(codes, self.bytes, self.stride, ids, dots);
        for (place, (&id, &dot)) in ids.iter().zip(dots.iter()).enumerate() {
            let (row_scale, bias) = side_of(&self.bytes[id as usize * self.stride + self.side..]);
            each(place, *base + bias - *scale * row_scale * dot as f32);
        }
    }

    fn any_within(&self, row: u32, ids: &[u32], rank: f32) -> bool {
        let bytes = |row: u32| &self.bytes[row as usize * self.stride..(row as usize + 1) * self.stride];
        let query = bytes(row);
        let (scale, base) = side_of(&query[self.side..]);
        let scale = weight(self.metric) * scale;
        ids.chunks(4).any(|group| {
            let four = [0, 1, 2, 3].map(|i| bytes(*group.get(i).unwrap_or(&group[0])));
            let dots = self.kernels.dot_rows(&query[..self.dim], four.map(|row| &row[..self.dim]));
            four.iter().zip(dots).any(|(row, dot)| {
                let (row_scale, bias) = side_of(&row[self.side..]);
                base + bias - scale * row_scale * dot as f32 <= rank
            })
        })
    }
}

/// Scale and bias, which end a row.
#[inline]
fn side_of(side: &[u8]) -> (f32, f32) {
    let Some([a, b, c, d, e, f, g, h]) = side.first_chunk() else { return (0.0, 0.0) };
    (f32::from_le_bytes([*a, *b, *c, *d]), f32::from_le_bytes([*e, *f, *g, *h]))
}

fn centre(row: &[f32], mean: &[f32], out: &mut Vec<f32>) {
    out.clear();
    out.extend_from_slice(row);
    out.iter_mut().zip(mean).for_each(|(x, m)| *x -= m);
}

fn scale_of(centred: &[f32]) -> f32 {
    centred.iter().fold(0.0f32, |max, x| max.max(x.abs())) / LEVELS
}

/// From -127 to 127, rounded to even: `x * inverse` is at most that. Adding 1.5 * 2^23 leaves the
/// integer in the low bits, which the compiler can do for many values at once.
#[inline]
pub(super) fn code(x: f32, inverse: f32) -> i8 {
    const SHIFT: f32 = 12_582_912.0;
    (x * inverse + SHIFT).to_bits() as i8
}

/// What values are multiplied by; 0 for a row without any magnitude that can be divided by.
fn inverse_of(scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// What the squared length of a row or query adds to the rank.
fn length_term(metric: Metric, centred: &[f32]) -> f32 {
    let squared = || crate::vectors::norm_squared(centred);
    match metric {
        Metric::Cosine => (squared() / 2.0) as f32,
        Metric::Dot => 0.0,
        Metric::L2 => squared() as f32,
    }
}

fn weight(metric: Metric) -> f32 {
    if metric == Metric::L2 { 2.0 } else { 1.0 }
}

/// The mean row. Blocks of fixed size are summed in order, so that threads do not matter.
fn mean(rows: VectorsView<'_>) -> Vec<f32> {
    let dim = rows.dim();
    let blocks: Vec<Vec<f64>> = rows
        .as_slice()
        .par_chunks(MEAN_BLOCK * dim)
        .map(|block| {
            let mut sum = vec![0.0f64; dim];
            for row in block.chunks_exact(dim) {
                sum.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x));
            }
            sum
        })
        .collect();
    let mut total = vec![0.0f64; dim];
    for block in blocks {
        total.iter_mut().zip(block).for_each(|(t, s)| *t += s);
    }
    total.iter().map(|t| (t / rows.len().max(1) as f64) as f32).collect()
}
