//! The recall of searches on a sample of queries, with how far the sample can be trusted.

use super::Neighbor;

/// Quantile of the normal distribution that 2.5 % lie above.
const Z: f64 = 1.959_963_984_540_054;

/// The part of the true nearest rows that searches find, measured on a sample of queries.
///
/// A query's own recall is the number of its `k` answers that are no farther than its true `k`-th
/// neighbour, over `min(k, rows)`; so of several rows at one distance it does not matter which are
/// found. `recall` is the mean over the queries.
///
/// `low` to `high` is the 95 % score interval for a proportion `p` of `n` trials (Wilson, "Probable
/// inference, the law of succession, and statistical inference", JASA 22, 1927), with `z` = 1.96:
///
/// ```text
/// (p + z²/2n ± z √(p (1 - p)/n + z²/4n²)) / (1 + z²/n)
/// ```
///
/// The neighbours of one query are found or missed together, so they are not `queries · k` trials.
/// `n` is the effective size (Korn and Graubard, "Confidence intervals for proportions with small
/// expected number of positive counts estimated from survey data", Survey Methodology 24, 1998)
/// `p (1 - p) / (s² / queries)`, where `s²` is the variance of the queries' own recalls; at least
/// `queries` and at most `queries · k`. Where nothing varies, as when every neighbour of every query
/// was found, `n` is `queries`: the interval never shrinks to a point.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recall {
    /// The part found, from 0 to 1.
    pub recall: f64,
    /// Lower end of the 95 % interval, from 0 to `recall`.
    pub low: f64,
    /// Upper end of the 95 % interval, from `recall` to 1.
    pub high: f64,
    /// Queries that were asked, at least 1.
    pub queries: usize,
    /// Neighbours that each was asked for.
    pub k: usize,
    /// Rows compared for a query, by code or in full: the mean.
    pub compared: f64,
}

/// What one query found, beside what it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    found: usize,
    of: usize,
    compared: usize,
}

impl Asked {
    /// From the distances of the answers and of the true neighbours, nearest first.
    pub fn new(found: impl Iterator<Item = f32>, truth: impl Iterator<Item = f32>, compared: usize) -> Self {
        let (of, last) = truth.fold((0, f32::NEG_INFINITY), |(n, _), distance| (n + 1, distance));
        Asked { found: found.filter(|&distance| distance <= last).count().min(of), of, compared }
    }

    /// [`Asked::new`] for answers of an index.
    pub fn of_neighbors(found: &[Neighbor], truth: &[Neighbor], compared: usize) -> Self {
        let distances = |list: &[Neighbor]| list.iter().map(|n| n.distance).collect::<Vec<_>>();
        Asked::new(distances(found).into_iter(), distances(truth).into_iter(), compared)
    }

    fn recall(self) -> f64 {
        self.found as f64 / self.of as f64
    }
}

impl Recall {
    /// Of searches for `k` neighbours; `None` when no query has a neighbour to find.
    pub(crate) fn of(asked: &[Asked], k: usize) -> Option<Self> {
        let asked: Vec<Asked> = asked.iter().copied().filter(|a| a.of > 0).collect();
        let trials = asked.iter().map(|a| a.of).max()?;
        let n = asked.len() as f64;
        let p = asked.iter().map(|a| a.recall()).sum::<f64>() / n;
        // The variance of `p`, which is the mean of `n` recalls.
        let variance = asked.iter().map(|a| (a.recall() - p).powi(2)).sum::<f64>() / (n - 1.0).max(1.0) / n;
        let effective = if variance > 0.0 { (p * (1.0 - p) / variance).clamp(n, n * trials as f64) } else { n };
        let (low, high) = wilson(p, effective);
        let compared = asked.iter().map(|a| a.compared as f64).sum::<f64>() / n;
        Some(Recall { recall: p, low, high, queries: asked.len(), k, compared })
    }
}

/// The 95 % score interval of a proportion `p` in `n` trials.
fn wilson(p: f64, n: f64) -> (f64, f64) {
    let spread = Z * Z / n;
    let middle = p + spread / 2.0;
    let half = Z * (p * (1.0 - p) / n + spread / (4.0 * n)).sqrt();
    let scale = 1.0 + spread;
    // At 0 and 1 one end is `p` itself, but for rounding.
    (((middle - half) / scale).clamp(0.0, p), ((middle + half) / scale).clamp(p, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IndexError;
    use crate::index::{Effort, Hnsw, HnswParams};
    use crate::metric::Metric;
    use crate::vectors::Vectors;

    fn asked(found: &[usize], of: usize) -> Vec<Asked> {
        found.iter().map(|&found| Asked { found, of, compared: 7 }).collect()
    }

    fn near(recall: &Recall, [p, low, high]: [f64; 3]) {
        let off = [recall.recall - p, recall.low - low, recall.high - high];
        assert!(off.iter().all(|d| d.abs() < 1e-6), "{recall:?}");
    }

    /// Computed by hand from the formula in the documentation.
    #[test]
    fn the_interval_is_the_score_interval_of_the_effective_size() {
        // s² = 0.25/3, so n = 0.75 · 0.25 / (s²/4) = 9, between the 4 queries and the 40 neighbours.
        near(&Recall::of(&asked(&[10, 5, 10, 5], 10), 10).unwrap(), [0.75, 0.426_854, 0.923_574]);
        // s² = 0.02/3, so n = 54: as if neighbours were more than independent; 40 there are.
        near(&Recall::of(&asked(&[10, 8, 9, 9], 10), 10).unwrap(), [0.9, 0.769_482, 0.960_420]);
        // s² = 0.125, so n = 7: there are 8 queries.
        near(&Recall::of(&asked(&[10, 10, 0, 10, 10, 10, 10, 10], 10), 10).unwrap(), [0.875, 0.529_112, 0.977_583]);
    }

    #[test]
    fn it_does_not_shrink_to_a_point() {
        // n / (n + z²) where all are found.
        near(&Recall::of(&asked(&[10; 10], 10), 10).unwrap(), [1.0, 0.722_467, 1.0]);
        near(&Recall::of(&asked(&[10; 200], 10), 10).unwrap(), [1.0, 0.981_155, 1.0]);
        near(&Recall::of(&asked(&[0; 10], 10), 10).unwrap(), [0.0, 0.0, 0.277_533]);
        near(&Recall::of(&asked(&[1], 1), 1).unwrap(), [1.0, 0.206_549, 1.0]);
        let many = Recall::of(&asked(&[9; 1000], 10), 10).unwrap();
        assert!(many.low < 0.9 && many.high > 0.9 && many.high - many.low < 0.04, "{many:?}");
    }

    #[test]
    fn ties_with_the_last_true_neighbour_count() {
        let distances = |list: &'static [f32]| list.iter().copied();
        let one = Asked::new(distances(&[0.1, 0.3, 0.3, 0.4]), distances(&[0.1, 0.2, 0.3, 0.3]), 9);
        assert_eq!(one, Asked { found: 3, of: 4, compared: 9 });
        let few = Asked::new(distances(&[]), distances(&[0.1]), 0);
        assert_eq!((few.found, few.of), (0, 1));
        let none = Asked::new(distances(&[]), distances(&[]), 5);
        assert_eq!(Recall::of(&[none], 3), None);
        let measured = Recall::of(&[none, one, few], 4).unwrap();
        assert_eq!((measured.recall, measured.queries, measured.compared), (0.375, 2, 4.5));
    }

    #[test]
    fn an_index_is_measured_against_itself() {
        let values = |n: usize, seed: u32| {
            let next = |x: &u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
            std::iter::successors(Some(seed), next).skip(1).take(n).map(|x| (x >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        let vectors = |n: usize, seed| Vectors::new(values(n * 16, seed).collect(), 16).unwrap();
        let (rows, queries) = (vectors(2_000, 1), vectors(100, 2));
        let params = HnswParams { graph_from_rows: 1, ..HnswParams::default() };
        let index = Hnsw::build(&rows, Metric::L2, &params).unwrap();
        let measured = |effort| index.measure_recall(queries.view(), 10, effort).unwrap();
        let (few, many, all) = (measured(Effort::Ef(10)), measured(Effort::Ef(200)), measured(Effort::Exact));
        assert!(few.recall < many.recall && few.high < 1.0 && few.low > 0.3, "{few:?} {many:?}");
        assert!(few.compared < many.compared && many.compared < 2_000.0, "{few:?} {many:?}");
        assert_eq!((all.recall, all.high, all.compared, all.queries, all.k), (1.0, 1.0, 2_000.0, 100, 10));

        let none = Vectors::new(Vec::new(), 16).unwrap();
        let refused = |index: &Hnsw, queries: &Vectors, k| index.measure_recall(queries.view(), k, Effort::Exact);
        assert!(matches!(refused(&index, &queries, 0), Err(IndexError::ZeroK)));
        let words = refused(&index, &none, 1).unwrap_err().to_string();
        assert!(words.starts_with("the number of queries is 0"), "{words}");
        let empty = Hnsw::build(&none, Metric::L2, &params).unwrap();
        let words = refused(&empty, &queries, 1).unwrap_err().to_string();
        assert!(words.starts_with("the number of rows is 0"), "{words}");
    }
}
