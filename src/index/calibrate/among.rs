//! What searching among some rows takes, measured when a segment is built.
//!
//! Each part of the rows stands for a filter that lets it pass, with no regard to the query. For each the
//! effort is found that reaches [`REACHED`] of the true neighbours among the part, as a multiple of the one
//! that reaches [`ASKED`] among all rows, and what that costs.

use rayon::prelude::*;

use super::{Calibration, MEASURED_K, Trial, rescore};
use crate::index::cost;
use crate::index::hnsw::mix;
use crate::index::places::Places;
use crate::index::row_set::RowSet;
use crate::index::spread;
use crate::index::top::Candidate;

/// The parts that are tried.
const PARTS: [f32; 7] = [0.8, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];
/// The recall that the effort among all rows is read for, and the one that is to be reached among some: more, since
/// filters are less even than parts by chance.
const ASKED: f32 = 0.95;
const REACHED: f64 = 0.97;
/// Multiples of the effort among all rows that are tried.
const STRETCHES: [f32; 9] = [0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0];
/// Rows kept out that are asked for, at most.
const ASKING: usize = 128;
/// Smaller parts are scanned in any case.
const FEWEST: usize = 400;
/// Where a search costs this many times what scanning the part does, smaller parts are not tried.
const HOPELESS: f32 = 2.0;

/// What was measured for one part of the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AmongLevel {
    /// Which part passes, over 0 and at most 1.
    pub part: f32,
    /// What the effort among all rows is multiplied by.
    pub stretch: f32,
    /// What a search costs for each unit of effort, in the unit of [`cost`].
    pub cost: f32,
    /// A search whose candidates spread less is that of a query unlike the rows that pass.
    pub spread: f32,
}

/// What a search among a part of the rows is foretold to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Foretold {
    pub ef: usize,
    /// In the unit of [`cost`].
    pub cost: f32,
    /// See [`AmongLevel::spread`].
    pub spread: f32,
}

impl AmongLevel {
    /// As a file has it.
    pub fn to_numbers(self) -> [f32; 4] {
        [self.part, self.stretch, self.cost, self.spread]
    }

    /// What [`AmongLevel::to_numbers`] gave.
    pub fn from_numbers([part, stretch, cost, spread]: [f32; 4]) -> Self {
        AmongLevel { part, stretch, cost, spread }
    }
}

/// Finds candidates for a row, given its values, with an effort among some places; with what that cost.
pub(in crate::index) type SearchAmong<'a> = &'a (dyn Fn(u32, &[f32], usize, &Places) -> (Vec<Candidate>, f32) + Sync);

impl Calibration {
    /// What a search among a part of the rows takes that takes `ef` among all; `None` where only a scan is sure to
    /// find as much.
    pub fn among(&self, ef: usize, part: f32) -> Option<Foretold> {
        let below = self.among.iter().position(|level| level.part <= part)?;
        let (low, high) = (self.among[below], self.among[below.saturating_sub(1)]);
        let between = if high.part > low.part { (part / low.part).ln() / (high.part / low.part).ln() } else { 0.0 };
        let read = |low: f32, high: f32| low + (high - low) * between.clamp(0.0, 1.0);
        let ef = (ef as f32 * read(low.stretch, high.stretch)).ceil();
        let (cost, spread) = (ef * read(low.cost, high.cost), read(low.spread, high.spread));
        Some(Foretold { ef: ef as usize, cost, spread })
    }
}

impl Trial<'_> {
    /// All places but those of the rows kept out.
    pub fn others(&self) -> Places {
        self.part(1.0)
    }

    /// A part of the places, none of a row kept out, by chance but always the same.
    fn part(&self, part: f32) -> Places {
        let n = self.rows_len();
        let passes = |place: &u32| (mix(u64::from(*place)) >> 40) as f32 / (1u64 << 24) as f32 <= part;
        let mut set = RowSet::from_rows(n, (0..n as u32).filter(passes));
        self.sample.iter().for_each(|&row| set.remove(row));
        Places::new(set)
    }

    /// Measures searches among ever smaller parts of the rows. `stride` is the bytes of a code.
    pub fn among(&self, measured: &Calibration, stride: usize, search: SearchAmong<'_>) -> Vec<AmongLevel> {
        let ef = measured.effort_for(ASKED, MEASURED_K, true);
        let mut levels: Vec<AmongLevel> = Vec::new();
        for part in PARTS {
            let places = self.part(part);
            if measured.levels.is_empty() || places.len() < FEWEST {
                break;
            }
            let from = levels.last().map_or(0.0, |level| level.stretch / 1.5);
            let tried = STRETCHES.iter().filter(|&&stretch| stretch > from).map(|&stretch| {
                let effort = (ef as f32 * stretch).ceil().max(1.0);
                let (recall, cost, spread) = self.recall_among(&places, effort as usize, measured.margin, search);
                (recall, AmongLevel { part, stretch: effort / ef.max(1) as f32, cost: cost / effort, spread })
            });
            let reached = tried.into_iter().find(|(recall, _)| *recall >= REACHED).map(|(_, level)| level);
            let Some(level) = reached else { break };
            levels.push(level);
            if level.cost * level.stretch * ef as f32 > HOPELESS * places.len() as f32 * cost::scan_row(stride) {
                break;
            }
        }
        levels
    }

    /// The part of the true neighbours among some places that is found, the mean cost, and the least spread of the
    /// candidates but for a few.
    fn recall_among(&self, places: &Places, ef: usize, margin: f32, search: SearchAmong<'_>) -> (f64, f32, f32) {
        let longest = self.longest();
        let step = self.sample.len().div_ceil(ASKING).max(1);
        let asked: Vec<(u32, &Vec<Candidate>)> = self.sample.iter().copied().zip(&self.truth).step_by(step).collect();
        let each: Vec<(usize, usize, f32, f32)> = asked
            .into_par_iter()
            .map(|(row, truth)| {
                let query = super::query_of(self.rows, row);
                let truth: Vec<u32> =
                    truth.iter().map(|c| c.id).filter(|&id| places.contains(id)).take(MEASURED_K).collect();
                let (found, cost) = search(row, &query, ef, places);
                let sure = |_| Ok::<_, std::convert::Infallible>(());
                let Ok((best, again)) = rescore(self.rows, &query, (MEASURED_K, margin), &found, sure);
                let hits = truth.iter().filter(|id| best.as_slice().iter().any(|c| c.id == **id)).count();
                let spread = spread::spread(&found, spread::floor(self.rows.metric(), &query, longest));
                (hits, truth.len(), cost + again as f32 * cost::again_row(4 * query.len()), spread)
            })
            .collect();
        let sum = |of: fn(&(usize, usize, f32, f32)) -> f64| each.iter().map(of).sum::<f64>();
        let recall = sum(|e| e.0 as f64) / sum(|e| e.1 as f64).max(1.0);
        let cost = (sum(|e| f64::from(e.2)) / each.len().max(1) as f64) as f32;
        (recall, cost, spread::bound(each.iter().map(|e| e.3).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_is_read_between_the_parts() {
        let level = |part, stretch, cost, spread| AmongLevel { part, stretch, cost, spread };
        let among = vec![level(0.8, 1.0, 10.0, 0.4), level(0.2, 2.0, 20.0, 0.2), level(0.05, 4.0, 40.0, 0.1)];
        let table = Calibration { among, ..Calibration::default() };
        let read = |part| table.among(10, part).map(|f| (f.ef, f.cost, (f.spread * 100.0).round()));
        assert_eq!(read(1.0), Some((10, 100.0, 40.0)));
        assert_eq!(read(0.4), Some((15, 225.0, 30.0)));
        assert_eq!(read(0.05), Some((40, 1600.0, 10.0)));
        assert_eq!(read(0.04), None);
        assert_eq!(Calibration::default().among(10, 0.5), None);
    }
}
