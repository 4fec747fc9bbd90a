//! Finding rows: which partitions to scan, and the best rows of them by 4-bit codes.

use super::Partitions;
use crate::index::places::Places;
use crate::index::quant::code;
use crate::metric::lookup::{BLOCK_ROWS, Tables, block_bytes};
use crate::metric::panels::{CODE_PANEL, code_dots};
use crate::metric::{Kernels, QueryCodes, prefetch};

/// Partitions that are scanned nearest first, so that the bound for the rest is soon a good one; the
/// rest are scanned as they lie in memory.
const FIRST: usize = 32;

/// Bytes of the next partition that are fetched while one is scanned.
const FETCHED: usize = 1024;
/// The tables' unit, at least, as a part of the best partition's score.
const FINEST: f32 = 1e-6;
/// Scores that are looked at together.
const CHUNK: usize = 16;

/// A table that leads outside: the file it came from is damaged.
#[derive(Debug, thiserror::Error)]
#[error("partition {0} is not within the rows")]
pub(in crate::index) struct BadPartition(usize);

/// What a search needs beside the partitions, kept between searches.
#[derive(Debug, Default)]
pub(in crate::index) struct Finder {
    codes: QueryCodes,
    products: Vec<[i32; CODE_PANEL]>,
    /// The partitions' inner products with the query, up to the factor.
    scores: Vec<f32>,
    tables: Tables,
    probed: Vec<u64>,
    order: Vec<u64>,
    found: Vec<u64>,
    /// Rows whose codes were scored since it was last set to 0.
    pub scored: usize,
}

impl Finder {
    /// The places found, in no order.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        self.found.iter().map(|&entry| entry as u32)
    }

    /// The places found, the best first.
    pub fn places_in_order(&mut self) -> impl Iterator<Item = u32> {
        self.found.sort_unstable();
        self.places()
    }

    /// The part of the partitions scanned, the last by their scores, that has none of these places.
    pub fn calm(&self, partitions: &Partitions, places: impl Iterator<Item = u32>) -> f32 {
        let starts = &partitions.starts[..=partitions.len()];
        let of = |place: u32| starts.partition_point(|&start| start <= place).saturating_sub(1);
        let score = |c: usize| self.scores.get(c).copied().unwrap_or(f32::INFINITY);
        let last = places.map(|place| score(of(place))).fold(f32::INFINITY, f32::min);
        let after = self.probed.iter().filter(|&&list| score(list as u32 as usize) < last).count();
        after as f32 / self.probed.len().max(1) as f32
    }
}

/// A number that orders like the score from high to low, ties by the second.
fn descending(score: f32, id: u32) -> u64 {
    let bits = score.to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | u64::from(id)
}

impl Partitions {
    /// The `limit` best of the rows `among` those asked for (`None`: all) in the `probes` partitions that score
    /// best with a prepared query, of those that have any. They are then in `finder`.
    pub fn find(
        &self,
        kernels: Kernels,
        query: &[f32],
        (probes, limit): (usize, usize),
        among: Option<&Places>,
        finder: &mut Finder,
    ) -> Result<(), BadPartition> {
        self.choose(kernels, query, probes.clamp(1, self.len()), among, finder);
        // The partitions' scores must fit the tables' units, where rows hardly differ from their centroids.
        let largest = finder.probed.first().map_or(0.0, |&list| finder.scores[list as u32 as usize].abs());
        kernels.tables(&mut finder.tables, self.book(), query, largest * FINEST);
        self.scan(kernels, limit.max(1), among, finder)
    }

    /// Scores the partitions and puts the best `probes` into `finder.probed`.
    fn choose(&self, kernels: Kernels, query: &[f32], mut probes: usize, among: Option<&Places>, finder: &mut Finder) {
        let largest = query.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        let inverse = if largest > 0.0 { super::LEVELS / largest } else { 0.0 };
        finder.codes.set(query.iter().map(|&x| code(x, inverse)));
        code_dots(kernels, &finder.codes, &self.centroids, &mut finder.products);
        let scale = self.numbers[0] * largest / super::LEVELS;
        let count = self.len();
        finder.scores.clear();
        finder.scores.extend(finder.products.as_flattened()[..count].iter().map(|&dot| dot as f32 * scale));
        let Finder { scores, probed, order, .. } = finder;
        let counts = among.map(|among| among.by_partition(&self.starts[..=count]));
        let has_any = |c: u32| counts.is_none_or(|counts| counts[c as usize] > 0);
        let with = counts.map_or(count, |counts| counts.iter().filter(|&&n| n > 0).count());
        let mut bound = Bound::of(scores, (probes as f32 * count as f32 / with.max(1) as f32) as usize);
        loop {
            probed.clear();
            let least = bound.next();
            for (first, chunk) in (0u32..).step_by(CHUNK).zip(scores.chunks(CHUNK)) {
                // Hardly any chunk has one, and to see that takes a few vectors.
                if chunk.iter().fold(false, |any, &s| any | (s >= least)) {
                    let over = (first..).zip(chunk).filter(|&(c, s)| *s >= least && has_any(c));
                    probed.extend(over.map(|(c, &s)| descending(s, c)));
                }
            }
            if probed.len() >= probes || least == f32::NEG_INFINITY {
                break;
            }
        }
        // Fewer where few have a row that is asked for, or a damaged file has scores that are no numbers.
        probes = probes.min(probed.len());
        if probes == 0 {
            return;
        }
        // As they lie in memory, but for the first few.
        let first = probes.min(FIRST);
        order.clear();
        order.extend_from_slice(probed);
        order.select_nth_unstable(first - 1);
        order[..first].sort_unstable();
        if probes > first {
            let (_, &mut last, _) = order[first..].select_nth_unstable(probes - first - 1);
            let worst_first = order[first - 1];
            order.truncate(first);
            order.extend(probed.iter().copied().filter(|&list| list > worst_first && list <= last));
        } else {
            order.truncate(first);
        }
        std::mem::swap(probed, order);
    }

    fn scan(
        &self,
        kernels: Kernels,
        limit: usize,
        among: Option<&Places>,
        finder: &mut Finder,
    ) -> Result<(), BadPartition> {
        let Finder { scores, tables, probed, found, scored, .. } = finder;
        let (factors, all_blocks, starts) = (self.factors(), &self.blocks[..], &self.starts[..]);
        let inverse = 1.0 / tables.scale;
        let bytes = block_bytes(self.codes());
        let capacity = limit.saturating_mul(2).max(limit.saturating_add(128));
        found.clear();
        // The least score that is still among the best, in the tables' units.
        let mut least = i32::MIN;
        for (nth, &list) in probed.iter().enumerate() {
            if let Some((_, next)) = probed.get(nth + 1).and_then(|&next| self.range(starts, next as u32 as usize)) {
                let from = next.start * bytes;
                let end = (next.end * bytes).min(from + FETCHED);
                prefetch(all_blocks.get(from..end).unwrap_or_default());
            }
            let c = list as u32 as usize;
            let (places, blocks) = self.range(starts, c).ok_or(BadPartition(c))?;
            let blocks = all_blocks.get(blocks.start * bytes..blocks.end * bytes).ok_or(BadPartition(c))?;
            *scored += places.len();
            let base = (scores[c] * factors[c] * inverse) as i32;
            let floor = least.saturating_sub(base);
            if floor > i32::from(u16::MAX) {
                continue;
            }
            kernels.scan(tables, blocks, floor.max(0) as u16, |row, sum| {
                let place = (places.start + row) as u32;
                if row < places.len() && among.is_none_or(|among| among.contains(place)) {
                    // Descending: the best score is the least number.
                    let score = !(base.saturating_add(i32::from(sum)) as u32 ^ 1 << 31);
                    found.push(u64::from(score) << 32 | u64::from(place));
                }
            });
            if found.len() >= capacity {
                let (_, &mut worst, _) = found.select_nth_unstable(limit - 1);
                found.truncate(limit);
                least = ((!((worst >> 32) as u32)) ^ 1 << 31) as i32;
            }
        }
        if found.len() > limit {
            found.select_nth_unstable(limit - 1);
            found.truncate(limit);
        }
        Ok(())
    }

    /// The places and blocks of a partition; `None` where the tables do not fit each other.
    fn range(&self, starts: &[u32], c: usize) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let (starts, block_starts) = starts.split_at(starts.len() / 2);
        let at = |starts: &[u32]| starts[c] as usize..starts[c + 1] as usize;
        let (places, blocks) = (at(starts), at(block_starts));
        let fits = places.start <= places.end
            && places.end <= self.rows
            && blocks.start <= blocks.end
            && places.len().div_ceil(BLOCK_ROWS) == blocks.len();
        fits.then_some((places, blocks))
    }
}

/// Scores over which about as many lie as are wanted, by their mean and deviation; lower and lower.
struct Bound {
    mean: f32,
    deviation: f32,
    z: f32,
}

impl Bound {
    fn of(scores: &[f32], wanted: usize) -> Self {
        let n = scores.len() as f32;
        let (mut sums, mut squares) = ([0.0f32; CHUNK], [0.0f32; CHUNK]);
        for chunk in scores.chunks(CHUNK) {
            for ((sum, square), s) in sums.iter_mut().zip(&mut squares).zip(chunk) {
                *sum += s;
                *square += s * s;
            }
        }
        let mean = sums.iter().sum::<f32>() / n;
        let deviation = (squares.iter().sum::<f32>() / n - mean * mean).max(0.0).sqrt();
        Bound { mean, deviation, z: upper_quantile((1.25 * wanted as f32 + 8.0) / n) }
    }

    fn next(&mut self) -> f32 {
        let bound = if self.z < -3.0 { f32::NEG_INFINITY } else { self.mean + self.z * self.deviation };
        self.z -= 0.25;
        bound
    }
}

/// How many standard deviations above the mean a part `p` of a normal distribution lies, to 0.0005
/// (Abramowitz and Stegun, 26.2.23).
fn upper_quantile(p: f32) -> f32 {
    let (tail, sign) = if p < 0.5 { (p, 1.0) } else { (1.0 - p, -1.0) };
    let t = (-2.0 * tail.max(1e-6).ln()).sqrt();
    let (over, under) =
        (2.515_517 + t * (0.802_853 + t * 0.010_328), t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    sign * (t - over / (1.0 + under))
}
