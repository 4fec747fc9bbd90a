//! Whether partitions are the better structure for some rows, and what they need.
//!
//! Both costs are counted, not timed, so that the same rows always get the same file. What a walk
//! compares is foretold by the rows' local intrinsic dimension, since a graph takes longer to build
//! than to foretell: on sets of 60,000 to 1,000,000 rows of dimensions 7 to 32 the number of rows
//! compared at a recall of 0.95 grows by a factor e for each [`DIMENSIONS_PER_E`] of it over
//! [`BASE_DIMENSION`]. What a scan
//! scores grows with the dimension itself. So partitions win where neighbours are hard to tell from
//! others, and they are made only where they are foretold to win clearly.

use rayon::prelude::*;

use super::{Finder, Partitions};
use crate::index::calibrate::{Calibration, ENOUGH, Level, MEASURED_K, Trial};
use crate::index::cost;
use crate::index::places::Places;
use crate::index::pool::Pool;
use crate::index::quant::{CodeQuery, Codes, CodesView};
use crate::index::space::Space;
use crate::index::top::Candidate;
use crate::metric::Kernels;
use crate::metric::lookup::{BLOCK_ROWS, block_bytes};

/// Efforts that are tried, in partitions.
const EFFORTS: [u32; 21] =
    [4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];
/// Rows that true neighbours are looked for among, best by 4-bit codes first.
const DEPTH: usize = 1024;
/// Rows compared by 8-bit codes, at least.
const FEWEST: usize = 24;
/// Of the true neighbours, at most this part of those outside the scanned partitions may be lost within
/// them as well, or [`LOST`] of all.
const LOST_PART: f64 = 0.15;
const LOST: f64 = 0.0005;
/// The recall at which structures are compared, at ten neighbours.
const COMPARED_AT: f32 = 0.95;
/// Rows that a walk compares of [`BASE_ROWS`] of the intrinsic dimension [`BASE_DIMENSION`], and the power
/// with which that grows with the rows.
const BASE_COMPARED: f32 = 265.0;
const BASE_ROWS: f32 = 100_000.0;
const GROWTH: f32 = 0.2;
const BASE_DIMENSION: f32 = 13.6;
const DIMENSIONS_PER_E: f32 = 8.0;
/// Rows that a scan scores for each dimension over [`EASY_DIMENSION`] and the square root of the rows.
const SCANNED_PER_DIMENSION: f32 = 0.8;
const EASY_DIMENSION: f32 = 11.0;
/// What a byte of centroids and of 4-bit codes costs to scan, and a table, in the unit of [`cost`].
const CENTROID_BYTE: f32 = 0.014;
const SCAN_BYTE: f32 = 0.065;
const TABLE: f32 = 12.0;

/// What a walk at a recall of 0.95 is foretold to cost.
pub(in crate::index) fn walk_cost(n: usize, dimension: f32, stride: usize) -> f32 {
    let growth = (n as f32 / BASE_ROWS).powf(GROWTH);
    let harder = ((dimension - BASE_DIMENSION) / DIMENSIONS_PER_E).max(0.0).exp();
    BASE_COMPARED * growth * harder * cost::walk_row(n, stride)
}

impl Partitions {
    /// What scoring a centroid costs.
    pub(super) fn centroid_cost(dim: usize) -> f32 {
        dim as f32 * CENTROID_BYTE
    }

    /// What scoring a row of these partitions costs.
    pub fn scored_cost(&self) -> f32 {
        Self::row_cost(self.dim)
    }

    /// What scoring a row by its 4-bit codes costs.
    pub(super) fn row_cost(dim: usize) -> f32 {
        (block_bytes(dim.div_ceil(Self::width(dim))) / BLOCK_ROWS) as f32 * SCAN_BYTE
    }

    /// What a search at a recall of 0.95 is foretold to cost.
    pub fn foretold_cost(n: usize, dim: usize, dimension: f32, stride: usize) -> f32 {
        let per_root = SCANNED_PER_DIMENSION * (dimension - EASY_DIMENSION).max(1.0);
        Self::cost(Self::count(n, dim), dim, per_root * (n as f32).sqrt(), 3.0 * FEWEST as f32, stride)
    }

    /// Measures recall at growing efforts; also gives what a search at a recall of 0.95 costs.
    pub fn calibrate(
        &self,
        trial: &Trial<'_>,
        codes: CodesView<'_>,
        margin: f32,
        kernels: Kernels,
    ) -> (Calibration, f32) {
        let others = trial.others();
        let pool: Pool<Finder> = Pool::default();
        // The best by 4-bit codes, and the rows scored for them. Partitions made here are sound.
        let find = |query: &[f32], probes: usize, limit: usize| {
            let mut finder = pool.take();
            finder.scored = 0;
            let done = self.find(kernels, query, (probes, limit), Some(&others), &mut finder);
            debug_assert!(done.is_ok());
            let places: Vec<u32> = finder.places_in_order().collect();
            let scored = finder.scored;
            pool.give(finder);
            (places, scored)
        };
        let (mut levels, mut cost): (Vec<Level>, Option<f32>) = (Vec::new(), None);
        for probes in EFFORTS.map(|probes| probes.min(self.len() as u32)) {
            let ([few, many], scored) = Self::needed(trial, &find, probes as usize);
            let level = |limit: usize| {
                let ranked = |row: u32, query: &[f32]| by_codes(codes, row, &find(query, probes as usize, limit).0);
                trial.level(probes, (margin, trial.longest()), &ranked)
            };
            let (ten, hundred) = (level(few), level(many));
            let deeper = |ten: [f32; 3], hundred: [f32; 3]| [ten[0], ten[1], hundred[2]];
            let recall = deeper(ten.recall, hundred.recall);
            let by_codes = deeper(ten.by_codes, hundred.by_codes);
            let level = Level { recall, by_codes, candidates: [few as u32, many as u32], ..ten };
            if cost.is_none() && level.recall[1] >= COMPARED_AT {
                cost = Some(Self::cost(self.len(), self.dim, scored, few as f32, Codes::stride(self.dim)));
            }
            levels.push(level);
            if probes as usize == self.len() || level.recall.iter().all(|&r| r >= ENOUGH) {
                break;
            }
        }
        let mut calibration = Calibration { levels, margin, longest: trial.longest(), among: Vec::new() };
        let find_among = |place: u32, query: &[f32], probes: usize, among: &Places| {
            let limit = calibration.candidates_for(probes, MEASURED_K);
            let mut finder = pool.take();
            finder.scored = 0;
            let done = self.find(kernels, query, (probes, limit), Some(among), &mut finder);
            debug_assert!(done.is_ok());
            let found: Vec<u32> = finder.places().collect();
            let cost = self.search_cost(finder.scored, found.len(), Codes::stride(self.dim));
            pool.give(finder);
            (by_codes(codes, place, &found), cost)
        };
        let among = trial.among(&calibration, Codes::stride(self.dim), &find_among);
        calibration.among = among;
        (calibration, cost.unwrap_or(f32::INFINITY))
    }

    /// What a search costs that scores so many rows and compares some of them again.
    pub fn search_cost(&self, scored: usize, again: usize, stride: usize) -> f32 {
        Self::cost(self.len(), self.dim, scored as f32, again as f32, stride)
    }

    /// How many rows must be compared by 8-bit codes for 10 and for 100 neighbours, and how many are scored
    /// before, on average.
    fn needed(
        trial: &Trial<'_>,
        find: &(impl Fn(&[f32], usize, usize) -> (Vec<u32>, usize) + Sync),
        probes: usize,
    ) -> ([usize; 2], f32) {
        let each = trial.questions().map(|(_, query, truth)| {
            let (places, scored) = find(&query, probes, DEPTH);
            let mut rank_of: Vec<(u32, usize)> = places.into_iter().zip(1..).collect();
            rank_of.sort_unstable();
            let rank = |c: &Candidate| rank_of.binary_search_by_key(&c.id, |r| r.0).ok().map(|at| rank_of[at].1);
            (truth.iter().map(rank).collect::<Vec<_>>(), scored)
        });
        let each: Vec<(Vec<Option<usize>>, usize)> = each.collect();
        let scored = each.iter().map(|e| e.1 as f32).sum::<f32>() / each.len().max(1) as f32;
        let needed = [10, 100].map(|k| {
            let all: Vec<Option<usize>> = each.iter().flat_map(|e| e.0.iter().take(k).copied()).collect();
            let mut ranks: Vec<usize> = all.iter().copied().flatten().collect();
            ranks.sort_unstable();
            let outside = (all.len() - ranks.len()) as f64 * LOST_PART;
            let lost = outside.max(all.len() as f64 * LOST) as usize;
            ranks.get(ranks.len().saturating_sub(lost + 1)).copied().unwrap_or(DEPTH).max(FEWEST).max(k)
        });
        (needed, scored)
    }

    /// What a search costs that scores so many rows of `count` partitions and compares some of them again.
    fn cost(count: usize, dim: usize, scored: f32, again: f32, stride: usize) -> f32 {
        let codes = dim.div_ceil(Self::width(dim)) as f32;
        let again = again * cost::again_row(stride);
        let centroids = count as f32 * Self::centroid_cost(dim);
        cost::SEARCH + centroids + codes * TABLE + scored * Self::row_cost(dim) + again
    }
}

/// Places as candidates by their 8-bit codes, nearest first.
fn by_codes(codes: CodesView<'_>, row: u32, places: &[u32]) -> Vec<Candidate> {
    let mut query = CodeQuery::default();
    codes.row_as_query(row, &mut query);
    let mut found = Vec::with_capacity(places.len());
    codes.ranks(&mut query, places, |i, rank| found.push(Candidate { rank, id: places[i] }));
    found.sort_unstable_by(Candidate::order);
    found
}
