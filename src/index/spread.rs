//! When a walk may stop: what tells that a query is unlike the rows.
//!
//! Around a row of the kind that the calibration knows, distances grow quickly from one candidate to
//! the next. Around a query of another kind they hardly grow: it lies far from everything, where a
//! local estimate of the intrinsic dimension is high (Amsaleg et al., "Estimating local intrinsic
//! dimensionality", KDD 2015, of which the spread here is a form without logarithms), and a walk
//! that keeps as many candidates as rows need finds only some of its neighbours.
//!
//! A walk whose candidates spread less than those of nine tenths of the calibration's rows goes on
//! with twice the effort, again and again, until nothing changed among the nearest in the last [`CALM`]
//! of it; so does a scan of partitions.

use super::top::Candidate;
use crate::metric::Metric;
use crate::vectors::norm_squared;

/// The part of a walk without a change that lets it stop.
pub(super) const CALM: f32 = 0.6;
/// Changes are looked for among this part of the candidates, nearest first, but among no fewer than [`WATCHED`].
const WATCHED_PART: usize = 4;
const WATCHED: usize = 10;
/// The part of the calibration's rows whose candidates spread less than the bound.
const LEAST: f32 = 0.1;

/// Among how many of some candidates changes are looked for.
pub(super) fn watched(candidates: usize) -> usize {
    WATCHED.max(candidates / WATCHED_PART)
}

/// How much nearer the candidates, nearest first, are on average than the last of them, from 0 (all
/// alike) to 1; ranks count from `floor`, which no rank is below.
pub(super) fn spread(found: &[Candidate], floor: f32) -> f32 {
    let last = found.last().map_or(0.0, |c| c.rank - floor);
    if last > 0.0 {
        let sum: f64 = found.iter().map(|c| f64::from(c.rank - floor)).sum();
        1.0 - (sum / found.len() as f64 / f64::from(last)) as f32
    } else {
        // Equal rows: as near as can be.
        1.0
    }
}

/// What no rank of this query is below: 0 for a squared distance, and for the inner product what a
/// row of the greatest length would have in the query's direction.
pub(super) fn floor(metric: Metric, query: &[f32], longest: f32) -> f32 {
    match metric {
        Metric::Cosine | Metric::L2 => 0.0,
        Metric::Dot => -(norm_squared(query).sqrt() as f32) * longest,
    }
}

/// The spread under which a walk goes on, from those of the calibration's rows.
pub(super) fn bound(mut spreads: Vec<f32>) -> f32 {
    spreads.sort_unstable_by(f32::total_cmp);
    spreads.get((spreads.len() as f32 * LEAST) as usize).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_low_where_all_are_as_far() {
        let at = |ranks: &[f32]| ranks.iter().map(|&rank| Candidate { rank, id: 0 }).collect::<Vec<_>>();
        assert_eq!(spread(&at(&[0.0, 1.0, 2.0]), 0.0), 0.5);
        assert_eq!(spread(&at(&[2.0, 2.0]), 0.0), 0.0);
        assert_eq!(spread(&at(&[0.0, 0.0]), 0.0), 1.0);
        assert_eq!(spread(&at(&[-3.0, -2.0]), -4.0), 0.25);
        assert_eq!(spread(&[], 0.0), 1.0);
        assert_eq!(floor(Metric::Dot, &[3.0, 4.0], 2.0), -10.0);
        assert_eq!(bound((0..20).rev().map(|i| i as f32).collect()), 2.0);
        assert_eq!(bound(Vec::new()), 0.0);
    }
}
