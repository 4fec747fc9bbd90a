//! Partitions of the rows, of which a search scans the ones near the query by 4-bit codes: an
//! inverted file (Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", TPAMI
//! 2011) whose codes are scored in registers (see [`crate::metric::lookup`]).
//!
//! A row less its partition's centroid (for cosine: a unit vector, times the mean cosine of its rows)
//! is coded in runs of a few values, each the nearest of 16 entries. The inner product with a query is
//!
//! ```text
//! q . x = factor * (q . centroid) + q . residual
//! ```
//!
//! so one set of tables serves all partitions, and the partition adds a number. The best rows are
//! then compared by their 8-bit codes and by their full rows, as after a walk. Rows of a partition
//! have consecutive places; its codes fill whole blocks.
//!
//! In a file STARTS has the first place of each partition and the number of rows, then the first block
//! of each and the number of blocks. NUMBERS has the scale of the centroids' codes, the factor of each
//! partition, and for each run and each value of it the 16 entries. CENTROIDS has codes with 128 for
//! zero in panels of 16 partitions: for every four columns, 16 times the four of one partition; what is
//! left over is 128. BLOCKS is laid out as [`crate::metric::lookup`] says. A run has
//! `max(2, dim / 128 rounded up)` values.

mod choose;
mod find;
mod train;

pub(super) use choose::walk_cost;
pub(super) use find::Finder;

use rayon::prelude::*;

use self::train::Means;
use crate::metric::encode::{Book, ENTRIES};
use crate::metric::lookup::{BLOCK_ROWS, block_bytes, write_codes};
use crate::metric::panels::{CODE_PANEL, code_panels_bytes, write_code_panel};
use crate::metric::{Kernels, Metric};
use crate::store::Column;
use crate::vectors::VectorsView;

/// Partitions for the square root of the number of rows, where a centroid and a row cost the same to
/// score.
const PER_ROOT: f64 = 6.5;
/// The largest magnitude of a centroid's 8-bit code.
const LEVELS: f32 = 127.0;
/// Residuals that the entries of each run are learned from, and the rounds.
const BOOK_SAMPLE: usize = 16_384;
const BOOK_ROUNDS: usize = 12;
/// Codes of a row that are enough; rows of more values have longer runs.
const CODES: usize = 128;

/// The partitions of a segment.
#[derive(Debug)]
pub(crate) struct Partitions {
    rows: usize,
    dim: usize,
    /// Values in a run.
    width: usize,
    /// Where the places of each partition start, then where its blocks do; one more each for the end.
    starts: Column<u32>,
    /// Centroids as 8-bit codes in panels.
    centroids: Column<u8>,
    /// What a centroid's code is multiplied by, for each partition the factor of its centroid, and for
    /// each run and each of its values 16 entries.
    numbers: Column<f32>,
    /// 4-bit codes.
    blocks: Column<u8>,
}

impl Partitions {
    /// Whether rows can be partitioned: what is searched for must be an inner product.
    pub fn fits(metric: Metric, dim: usize) -> bool {
        metric != Metric::L2 && dim > 1
    }

    /// The number of partitions made of `n` rows: more of them cost more to score, and leave fewer rows
    /// to scan.
    fn count(n: usize, dim: usize) -> usize {
        let balance = (Self::row_cost(dim) / Self::centroid_cost(dim)).sqrt();
        ((PER_ROOT * f64::from(balance) * (n as f64).sqrt()) as usize).clamp(1, n.max(1))
    }

    /// What does not fit together, looked at as a whole.
    #[cfg(feature = "collection")]
    pub fn inspect(&self) -> Option<String> {
        let (places, blocks) = self.starts.split_at(self.len() + 1);
        let leads = |starts: &[u32], to: usize| {
            starts.is_sorted() && starts.first() == Some(&0) && starts.last().is_some_and(|&end| end as usize == to)
        };
        let holds = leads(places, self.rows) && leads(blocks, self.blocks());
        (!holds).then(|| "STARTS: partitions do not follow each other to the end".to_owned())
    }

    /// The number of values in a run.
    pub fn width(dim: usize) -> usize {
        dim.div_ceil(CODES).max(2)
    }

    /// Partitions prepared rows; also gives, for each place in the order of the partitions, the row.
    pub fn build(metric: Metric, rows: VectorsView<'_>, kernels: Kernels) -> (Self, Vec<u32>) {
        let dim = rows.dim();
        let means = Means { dim, unit: metric == Metric::Cosine, kernels };
        let (centroids, of) = means.partition(rows, Self::count(rows.len(), dim));
        let count = centroids.len() / dim;
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|&row| of[row as usize]);
        let centroid = |c: usize| &centroids[c * dim..(c + 1) * dim];
        let (mut starts, mut block_starts) = (vec![0u32], vec![0u32]);
        let mut factors = Vec::with_capacity(count);
        for members in members(&order, &of, count) {
            let c = factors.len();
            let cosines: f64 = members.iter().map(|&r| f64::from(kernels.dot(rows.row(r as usize), centroid(c)))).sum();
            factors.push(if means.unit { (cosines / members.len().max(1) as f64) as f32 } else { 1.0 });
            starts.push(starts[c] + members.len() as u32);
            block_starts.push(block_starts[c] + members.len().div_ceil(BLOCK_ROWS) as u32);
        }
        let residual = |row: u32, out: &mut [f32]| {
            let c = of[row as usize] as usize;
            let parts = rows.row(row as usize).iter().zip(centroid(c));
            out.iter_mut().zip(parts).for_each(|(out, (x, y))| *out = x - factors[c] * y);
        };
        let width = Self::width(dim);
        let book = book(dim, width, &order, residual, kernels);
        let blocks = blocks(rows, width, &book, &order, (&starts, &block_starts), residual, kernels);
        let (scale, codes) = code_centroids(&centroids, dim);
        starts.append(&mut block_starts);
        let numbers = std::iter::once(scale).chain(factors).chain(book).collect();
        let partitions = Partitions {
            rows: rows.len(),
            dim,
            width,
            starts: Column::owned(starts),
            centroids: Column::owned(codes),
            numbers: Column::owned(numbers),
            blocks: Column::owned(blocks),
        };
        (partitions, order)
    }

    /// Takes the parts of a file, whose lengths are those of [`Partitions::lengths`].
    pub fn from_parts(
        (rows, dim): (usize, usize),
        (starts, numbers): (Column<u32>, Column<f32>),
        (centroids, blocks): (Column<u8>, Column<u8>),
    ) -> Self {
        Partitions { rows, dim, width: Self::width(dim), starts, centroids, numbers, blocks }
    }

    /// For a number of partitions and blocks the lengths of `(starts, numbers, centroids, blocks)`;
    /// `None` where they are beyond all memory.
    pub fn lengths(dim: usize, count: usize, blocks: usize) -> Option<(usize, usize, usize, usize)> {
        let runs = dim.div_ceil(Self::width(dim));
        let book = runs.checked_mul(Self::width(dim))?.checked_mul(ENTRIES)?;
        let panels = count.next_multiple_of(CODE_PANEL).checked_mul(dim.next_multiple_of(4))?;
        let blocks = blocks.checked_mul(block_bytes(runs))?;
        Some((count.checked_add(1)?.checked_mul(2)?, 1 + count + book, panels, blocks))
    }

    /// `(starts, numbers, centroids, blocks)` as a file has them.
    pub fn parts(&self) -> (&[u32], &[f32], &[u8], &[u8]) {
        (&self.starts, &self.numbers, &self.centroids, &self.blocks)
    }

    /// The number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len() / block_bytes(self.codes())
    }

    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.starts.len() / 2 - 1
    }

    fn factors(&self) -> &[f32] {
        &self.numbers[1..=self.len()]
    }

    fn book(&self) -> Book<'_> {
        Book { width: self.width, values: &self.numbers[1 + self.len()..] }
    }

    fn codes(&self) -> usize {
        self.dim.div_ceil(self.width)
    }
}

/// The rows of each partition, of all rows sorted by it.
fn members<'a>(order: &'a [u32], of: &'a [u32], count: usize) -> impl Iterator<Item = &'a [u32]> {
    let mut rest = order;
    (0..count as u32).map(move |c| {
        let end = rest.partition_point(|&row| of[row as usize] <= c);
        let members;
        (members, rest) = rest.split_at(end);
        members
    })
}

/// The entries of every run, learned from residuals at even distances.
fn book(
    dim: usize,
    width: usize,
    order: &[u32],
    residual: impl Fn(u32, &mut [f32]) + Sync,
    kernels: Kernels,
) -> Vec<f32> {
    let runs = dim.div_ceil(width);
    let count = order.len().min(BOOK_SAMPLE);
    let mut sample = vec![0.0f32; count * runs * width];
    sample.par_chunks_exact_mut(runs * width).enumerate().for_each(|(i, out)| {
        residual(order[(i as u64 * order.len() as u64 / count as u64) as usize], out);
    });
    let learned = (0..runs).into_par_iter().map(|run| {
        let parts: Vec<&[f32]> =
            sample.chunks_exact(runs * width).map(|row| &row[run * width..(run + 1) * width]).collect();
        entries(&parts, width, kernels)
    });
    learned.collect::<Vec<_>>().concat()
}

/// 16 entries for parts of one run, by k-means: for each value of the run the 16 of it.
fn entries(parts: &[&[f32]], width: usize, kernels: Kernels) -> Vec<f32> {
    let mut entries = vec![[0.0f32; ENTRIES]; width];
    for k in 0..ENTRIES {
        let part = parts[k * parts.len() / ENTRIES];
        entries.iter_mut().zip(part).for_each(|(values, &x)| values[k] = x);
    }
    for _ in 0..BOOK_ROUNDS {
        let mut sums = vec![[0.0f32; ENTRIES]; width];
        let mut counts = [0usize; ENTRIES];
        for part in parts {
            let k = usize::from(kernels.nearest_entry(&entries, part));
            counts[k] += 1;
            sums.iter_mut().zip(*part).for_each(|(sum, x)| sum[k] += x);
        }
        for (values, sums) in entries.iter_mut().zip(&sums) {
            for k in (0..ENTRIES).filter(|&k| counts[k] > 0) {
                values[k] = sums[k] / counts[k] as f32;
            }
        }
    }
    entries.into_flattened()
}

/// The codes of all rows, in blocks.
fn blocks(
    rows: VectorsView<'_>,
    width: usize,
    book: &[f32],
    order: &[u32],
    (starts, block_starts): (&[u32], &[u32]),
    residual: impl Fn(u32, &mut [f32]) + Sync,
    kernels: Kernels,
) -> Vec<u8> {
    let runs = rows.dim().div_ceil(width);
    let bytes = block_bytes(runs);
    let count = block_starts.last().map_or(0, |&end| end as usize);
    let mut blocks = vec![0u8; count * bytes];
    blocks.par_chunks_exact_mut(bytes).enumerate().for_each_init(
        || (vec![0.0; runs * width], vec![0.0; runs * width], vec![0; runs]),
        |(part, padded, codes), (block, out)| {
            let c = block_starts.partition_point(|&start| start as usize <= block) - 1;
            let first = starts[c] as usize + (block - block_starts[c] as usize) * BLOCK_ROWS;
            let end = (starts[c + 1] as usize).min(first + BLOCK_ROWS);
            for (nth, &row) in order[first..end].iter().enumerate() {
                residual(row, part);
                padded[..rows.dim()].copy_from_slice(rows.row(row as usize));
                kernels.encode(Book { width, values: book }, part, padded, codes);
                write_codes(out, nth, codes);
            }
        },
    );
    blocks
}

/// `(scale, codes in panels)` of centroids: a value is `scale` times its code.
fn code_centroids(centroids: &[f32], dim: usize) -> (f32, Vec<u8>) {
    let count = centroids.len() / dim;
    let scale = centroids.iter().fold(0.0f32, |max, x| max.max(x.abs())) / LEVELS;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut panels = vec![128u8; code_panels_bytes(count, dim)];
    for (c, row) in centroids.chunks_exact(dim).enumerate() {
        let codes = row.iter().map(|x| ((x * inverse).round_ties_even() as i8 as u8) ^ 128);
        write_code_panel(&mut panels, dim, c, codes);
    }
    (scale, panels)
}
