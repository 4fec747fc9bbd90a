//! How much effort a recall takes, measured when a segment is built.
//!
//! Some rows are kept out of the graph until all others are in. They are asked for at growing
//! efforts, as queries that the graph does not know, and what comes back is compared with their
//! true neighbours. Then they are added. So every segment carries its own recall-by-effort table.

mod among;

pub(crate) use among::{AmongLevel, Foretold};
use rayon::prelude::*;

use super::cost;
use super::hnsw::Unfinished;
use super::rows::RowsView;
use super::space::Space;
use super::top::{Candidate, Top};
use super::{spread, truth};
use crate::vectors::VectorsView;

/// Rows kept out, at most.
const SAMPLE: usize = 256;
/// One row of this many is kept out, at most.
const SAMPLE_PART: usize = 16;
/// The numbers of neighbours for which recall is measured.
pub(super) const DEPTHS: [usize; 3] = [1, 10, 100];
const DEEPEST: usize = DEPTHS[2];
/// The number of neighbours for which searches among some rows are measured.
pub(super) const MEASURED_K: usize = DEPTHS[1];
/// Efforts are tried in order until recall is over [`ENOUGH`] at every depth.
const EFFORTS: [u32; 16] = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 896, 1280, 2048];
pub(super) const ENOUGH: f32 = 0.995;
/// Standard deviations of the codes' error within which full rows are compared.
const MARGIN: f32 = 4.0;
/// Codes are too coarse when they cannot tell a tenth neighbour from more rows than this.
const CROWD: f64 = 40.0;
/// The effort where too few rows were there to measure with.
const UNCALIBRATED: usize = 128;

/// What was measured at one effort.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// `ef_search`, or the partitions scanned.
    pub ef: u32,
    /// Recall at 1, 10 and 100 neighbours; at 100 it is 0 where `ef` is less.
    pub recall: [f32; 3],
    /// The same where candidates are told apart by their codes alone.
    pub by_codes: [f32; 3],
    /// A search whose candidates spread less (see [`super::spread`]) is that of an unlike query.
    pub spread: f32,
    /// Rows that are compared by 8-bit codes after partitions were scanned, for 10 and for 100
    /// neighbours; 0 for a graph.
    pub candidates: [u32; 2],
}

impl Level {
    /// As a file has it.
    pub fn to_words(self) -> [u32; 10] {
        let [one, ten, hundred] = self.recall.map(f32::to_bits);
        let [coded_one, coded_ten, coded_hundred] = self.by_codes.map(f32::to_bits);
        let [few, many] = self.candidates;
        [self.ef, one, ten, hundred, coded_one, coded_ten, coded_hundred, self.spread.to_bits(), few, many]
    }

    /// What [`Level::to_words`] gave.
    pub fn from_words(
        [ef, one, ten, hundred, coded_one, coded_ten, coded_hundred, spread, few, many]: [u32; 10],
    ) -> Self {
        let recall = [one, ten, hundred].map(f32::from_bits);
        let by_codes = [coded_one, coded_ten, coded_hundred].map(f32::from_bits);
        Level { ef, recall, by_codes, spread: f32::from_bits(spread), candidates: [few, many] }
    }
}

/// The recall-by-effort table of a segment, and how far its codes stray.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Calibration {
    /// By growing effort; empty where nothing was measured.
    pub levels: Vec<Level>,
    /// A code's rank less the true one: candidates this far beyond the last one kept are still
    /// compared by their full rows.
    pub margin: f32,
    /// The greatest length of a row, for the inner product; else 0.
    pub longest: f32,
    /// What searches among some rows take, by falling part; empty where that was not measured.
    pub among: Vec<AmongLevel>,
}

impl Calibration {
    /// How many rows are kept out of `n`.
    pub fn sample_size(n: usize) -> usize {
        (n / SAMPLE_PART).min(SAMPLE)
    }

    /// The effort at which this part of the `k` nearest is found; the largest measured one when none
    /// reached it. It can be less than `k`.
    pub fn effort_for(&self, recall: f32, k: usize, rescoring: bool) -> usize {
        if self.levels.is_empty() {
            return UNCALIBRATED;
        }
        let depth = depth_of(k);
        let deeper = (k as f64 / DEPTHS[depth] as f64).max(1.0);
        let mut before: Option<(f64, f64)> = None;
        let mut ef = 0.0;
        let of = |level: &Level| if rescoring { level.recall[depth] } else { level.by_codes[depth] };
        for level in self.levels.iter().filter(|l| of(l) > 0.0) {
            let here = (f64::from(level.ef), f64::from(of(level)));
            ef = here.0;
            if here.1 >= f64::from(recall) {
                if let Some((low, reached)) = before.filter(|b| b.1 < here.1) {
                    ef = low + (here.0 - low) * (f64::from(recall) - reached) / (here.1 - reached);
                }
                break;
            }
            before = Some(here);
        }
        (ef * deeper - 1e-3).ceil() as usize
    }

    /// Whether codes alone find this part of the `k` nearest at some effort.
    pub fn codes_reach(&self, recall: f32, k: usize) -> bool {
        self.levels.iter().any(|l| l.by_codes[depth_of(k)] >= recall)
    }

    /// The spread of candidates under which a search with this effort is that of an unlike query.
    pub fn spread_for(&self, ef: usize) -> f32 {
        self.between(ef, |level| level.spread)
    }

    /// How many rows of scanned partitions are compared by 8-bit codes for `k` neighbours.
    pub fn candidates_for(&self, ef: usize, k: usize) -> usize {
        let [few, many] = [0, 1].map(|depth| self.between(ef, |level| level.candidates[depth] as f32));
        let (ten, hundred) = (DEPTHS[1] as f32, DEPTHS[2] as f32);
        let k = k as f32;
        // Between the two, and in proportion beyond.
        let part = ((k - ten) / (hundred - ten)).clamp(0.0, 1.0);
        ((few + (many - few) * part) * (k / hundred).max(1.0)).ceil() as usize
    }

    /// What was measured at an effort, read between the levels.
    fn between(&self, ef: usize, what: impl Fn(&Level) -> f32) -> f32 {
        let Some(above) = self.levels.iter().position(|l| l.ef as usize >= ef) else {
            return self.levels.last().map_or(0.0, what);
        };
        let (low, high) = (&self.levels[above.saturating_sub(1)], &self.levels[above]);
        if low.ef >= high.ef {
            return what(high);
        }
        let part = (ef as f32 - low.ef as f32) / (high.ef as f32 - low.ef as f32);
        what(low) + (what(high) - what(low)) * part
    }
}

/// The place in [`DEPTHS`] of the first one that is not less than `k`, or of the last.
fn depth_of(k: usize) -> usize {
    DEPTHS.iter().position(|&d| k <= d).unwrap_or(DEPTHS.len() - 1)
}

/// Rows kept out of a graph, with their true neighbours among the others.
pub(super) struct Trial<'a> {
    rows: RowsView<'a>,
    sample: Vec<u32>,
    truth: Vec<Vec<Candidate>>,
}

impl<'a> Trial<'a> {
    /// Finds the true neighbours of the sampled rows, by place, among all others. `view` is of `rows`.
    pub fn new(rows: VectorsView<'a>, view: RowsView<'a>, sample: Vec<u32>) -> Self {
        let truth = truth::neighbors(rows, view, &sample, DEEPEST);
        Trial { rows: view, sample, truth }
    }

    /// The same rows in another order: `rows` by their new places, and for each old place the new one.
    pub fn moved<'b>(&self, rows: RowsView<'b>, places: &[u32]) -> Trial<'b> {
        let moved = |c: &Candidate| Candidate { id: places[c.id as usize], ..*c };
        Trial {
            rows,
            sample: self.sample.iter().map(|&row| places[row as usize]).collect(),
            truth: self.truth.iter().map(|truth| truth.iter().map(moved).collect()).collect(),
        }
    }

    /// Each row kept out, with its values and its true neighbours.
    pub fn questions(&self) -> impl IndexedParallelIterator<Item = (u32, Vec<f32>, &[Candidate])> {
        self.sample.par_iter().zip(&self.truth).map(|(&row, truth)| (row, query_of(self.rows, row), &truth[..]))
    }

    /// The median of the local intrinsic dimension around the rows kept out, by the distances of their
    /// neighbours (the maximum likelihood estimate of Amsaleg et al., KDD 2015).
    pub fn intrinsic_dimension(&self) -> f32 {
        let longest = self.rows.longest();
        let around = self.questions().map(|(_, query, truth)| {
            let floor = spread::floor(self.rows.metric(), &query, longest);
            // Ranks are squared distances, so their logarithms are twice those of the distances.
            let last = truth.last().map_or(0.0, |c| f64::from(c.rank - floor));
            let logs = truth.iter().map(|c| (f64::from(c.rank - floor).max(1e-9 * last) / last).ln() / 2.0);
            let mean = logs.sum::<f64>() / truth.len().max(1) as f64;
            if last > 0.0 && mean < 0.0 { (-1.0 / mean) as f32 } else { 0.0 }
        });
        let mut around: Vec<f32> = around.collect();
        around.sort_unstable_by(f32::total_cmp);
        around.get(around.len() / 2).copied().unwrap_or(0.0)
    }

    fn rows_len(&self) -> usize {
        Space::len(&self.rows)
    }

    /// The greatest length of a row, for the inner product; else 0.
    pub(super) fn longest(&self) -> f32 {
        self.rows.longest()
    }

    /// The rows kept out.
    pub fn sample(&self) -> &[u32] {
        &self.sample
    }

    /// How far a space's ranks stray from the true ones, and whether it can tell neighbours apart.
    pub fn margin<S: Space>(&self, space: S) -> (f32, bool) {
        let mut query = S::Query::default();
        let mut errors: Vec<f64> = Vec::new();
        for (&row, truth) in self.sample.iter().zip(&self.truth) {
            space.row_as_query(row, &mut query);
            let ids: Vec<u32> = truth.iter().take(DEPTHS[1]).map(|c| c.id).collect();
            space.ranks(&mut query, &ids, |place, rank| errors.push(f64::from(rank) - f64::from(truth[place].rank)));
        }
        let n = errors.len().max(1) as f64;
        let margin = f64::from(MARGIN) * (errors.iter().map(|e| e * e).sum::<f64>() / n).sqrt();
        let crowds = self.truth.iter().filter_map(|truth| {
            let last = f64::from(truth.get(DEPTHS[1] - 1)?.rank);
            Some(truth.iter().filter(|c| f64::from(c.rank) <= last + margin).count() as f64)
        });
        let crowds: Vec<f64> = crowds.collect();
        let crowd = crowds.iter().sum::<f64>() / crowds.len().max(1) as f64;
        (margin as f32, margin.is_finite() && !crowds.is_empty() && crowd <= CROWD)
    }

    /// Walks for every sampled row at growing efforts, then among some rows. `stride` is the bytes that a walk
    /// reads of a row.
    pub fn run(&self, margin: f32, stride: usize, graph: &dyn Unfinished) -> Calibration {
        let longest = self.rows.longest();
        let mut levels = Vec::new();
        for ef in EFFORTS {
            let level = self.level(ef, (margin, longest), &|row, _| graph.walk(row, ef as usize));
            levels.push(level);
            if level.recall.iter().all(|&r| r >= ENOUGH) {
                break;
            }
        }
        let mut calibration = Calibration { levels, margin, longest, among: Vec::new() };
        let search = |row, _: &[f32], ef, among: &_| {
            let (found, [compared, passed]) = graph.walk_among(row, ef, among);
            (found, cost::walk_among(self.rows_len(), stride, compared, passed))
        };
        calibration.among = self.among(&calibration, stride, &search);
        calibration
    }

    /// What is found at one effort: `search` gives it for a row and the row's values.
    pub fn level(
        &self,
        ef: u32,
        (margin, longest): (f32, f32),
        search: &(dyn Fn(u32, &[f32]) -> Vec<Candidate> + Sync),
    ) -> Level {
        let each = self.sample.par_iter().zip(&self.truth).map(|(&row, truth)| {
            let query = query_of(self.rows, row);
            let found = search(row, &query);
            // With full rows, then by codes.
            let mut hits = [[0.0f64; 3]; 2];
            for (depth, k) in DEPTHS.into_iter().enumerate().filter(|(_, k)| *k <= found.len()) {
                let rescored =
                    rescore(self.rows, &query, (k, margin), &found, |_| Ok::<_, std::convert::Infallible>(()));
                let Ok((best, _)) = rescored;
                let truth = &truth[..k.min(truth.len())];
                for (hits, best) in hits.iter_mut().zip([best.as_slice(), &found[..k]]) {
                    let common = best.iter().filter(|c| truth.iter().any(|t| t.id == c.id)).count();
                    hits[depth] = common as f64 / truth.len().max(1) as f64;
                }
            }
            (hits, spread::spread(&found, spread::floor(self.rows.metric(), &query, longest)))
        });
        // Summed in order: the same on any number of threads.
        let each: Vec<([[f64; 3]; 2], f32)> = each.collect();
        let mean = |how: usize, depth: usize| {
            (each.iter().map(|(hits, _)| hits[how][depth]).sum::<f64>() / each.len().max(1) as f64) as f32
        };
        let [recall, by_codes] = [0, 1].map(|how| [0, 1, 2].map(|depth| mean(how, depth)));
        Level { ef, recall, by_codes, spread: spread::bound(each.iter().map(|e| e.1).collect()), candidates: [0; 2] }
    }
}

fn query_of(rows: RowsView<'_>, row: u32) -> Vec<f32> {
    let mut query = Vec::new();
    rows.row_as_query(row, &mut query);
    query
}

/// The `k` nearest of candidates, which are sorted by estimated ranks, by their full rows. After
/// the first `k`, candidates are compared until the next one cannot be among the `k` any more, as
/// far as the codes stray by no more than `margin`. With the number of those compared. A place that does
/// not pass the `check` is the error.
pub(super) fn rescore<E>(
    rows: RowsView<'_>,
    query: &[f32],
    (k, margin): (usize, f32),
    found: &[Candidate],
    check: impl Fn(u32) -> Result<(), E>,
) -> Result<(Top, usize), E> {
    let (mut top, mut compared) = (Top::new(k), 0);
    found.iter().take(k).for_each(|c| rows.prefetch(c.id));
    for c in found {
        if top.as_slice().len() == k && top.as_slice().last().is_some_and(|worst| c.rank - margin > worst.rank) {
            break;
        }
        check(c.id)?;
        top.push(Candidate { rank: rows.rank(query, c.id), id: c.id });
        compared += 1;
    }
    Ok((top, compared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_is_read_between_the_levels() {
        let level = |ef, r1: f32, r10: f32, r100: f32| Level {
            ef,
            recall: [r1, r10, r100],
            by_codes: [r1 - 0.1, r10 - 0.1, r100 - 0.1],
            spread: ef as f32,
            candidates: [ef, 2 * ef],
        };
        let levels = vec![
            level(10, 0.9, 0.8, 0.0),
            level(20, 0.95, 0.9, 0.0),
            level(100, 1.0, 1.0, 0.9),
            level(200, 1.0, 1.0, 1.0),
        ];
        let table = Calibration { levels, ..Calibration::default() };
        assert_eq!(table.effort_for(0.85, 10, true), 15);
        assert_eq!(table.effort_for(0.5, 10, true), 10);
        assert_eq!(table.effort_for(0.95, 1, true), 20);
        assert_eq!(table.effort_for(0.95, 5, true), 60);
        assert_eq!(table.effort_for(0.95, 100, true), 150);
        assert_eq!(table.effort_for(0.95, 200, true), 300);
        assert_eq!(table.effort_for(0.8, 10, false), 20);
        assert!(table.codes_reach(0.9, 10) && !table.codes_reach(0.95, 10));
        assert_eq!(table.effort_for(1.1, 10, true), 200);
        assert_eq!([5, 10, 60, 200, 900].map(|ef| table.spread_for(ef)), [10.0, 10.0, 60.0, 200.0, 200.0]);
        assert_eq!([5, 10, 55, 100, 200].map(|k| table.candidates_for(60, k)), [60, 60, 90, 120, 240]);
        assert_eq!(Calibration::default().spread_for(10), 0.0);
        assert_eq!(Calibration::default().effort_for(0.95, 7, true), UNCALIBRATED);
    }
}
