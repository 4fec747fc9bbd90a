//! How many clusters: k-means for several numbers, and what speaks for each.

use std::ops::ControlFlow;

use super::kmeans::{KMeans, sample_of};
use super::silhouette;
use crate::error::ClusterError;
use crate::vectors::{Vectors, VectorsView, normalize};

/// Rows that are clustered to choose by: of more, so many are drawn.
const ROWS: usize = 20_000;
/// Rows of the silhouette.
const SILHOUETTE_ROWS: usize = 2_000;
/// Starts for each number of clusters.
const STARTS: usize = 3;
/// A smaller number of clusters is taken when its silhouette is at least this part of the best.
const NEARLY_BEST: f64 = 0.98;
/// Under this silhouette there is no substantial structure (Kaufman and Rousseeuw, "Finding groups in data", 1990,
/// table 2.4), and which of several is the largest says little.
const SUBSTANTIAL: f64 = 0.25;
/// The largest number that is tried unless the caller says so.
const MOST: usize = 100;

/// Which numbers of clusters are tried.
#[derive(Clone, Debug)]
pub struct ChooseK {
    candidates: Vec<usize>,
    seed: u64,
    spherical: bool,
}

/// What speaks for a number of clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct KEvidence {
    /// The number of clusters.
    pub k: usize,
    /// The inertia with it.
    pub inertia: f64,
    /// The mean silhouette with it, from -1 to 1.
    pub silhouette: f64,
}

/// A number of clusters that was chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChosenK {
    /// The number: the least whose silhouette is within 2 % of the best; when the best is under 0.25, as it is
    /// for most texts, the elbow.
    pub k: usize,
    /// Whether the silhouette told, not the elbow.
    pub by_silhouette: bool,
    /// Where inertia stops falling fast: the farthest below the line from one cluster to the last candidate
    /// (Satopaa et al., "Finding a kneedle in a haystack", 2011).
    pub elbow: usize,
    /// All that was tried, in ascending order.
    pub evidence: Vec<KEvidence>,
}

impl ChooseK {
    /// Tries all numbers from 2 to 12, then ever fewer up to 100 or the square root of twice the rows.
    pub fn new() -> Self {
        ChooseK { candidates: Vec::new(), seed: 0, spherical: false }
    }

    /// Tries these numbers instead.
    pub fn candidates(mut self, candidates: impl IntoIterator<Item = usize>) -> Self {
        self.candidates = candidates.into_iter().collect();
        self.candidates.sort_unstable();
        self.candidates.dedup();
        self
    }

    /// What draws rows and starting centroids.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// As [`KMeans::spherical`].
    pub fn spherical(mut self, spherical: bool) -> Self {
        self.spherical = spherical;
        self
    }

    /// Chooses for `n x dim` rows. Of more than 20,000 so many are drawn by what they hold.
    ///
    /// # Errors
    /// As [`KMeans::fit`]; [`ClusterError::Parameter`] when there are fewer than three rows.
    pub fn choose(&self, rows: VectorsView<'_>) -> Result<ChosenK, ClusterError> {
        self.choose_with(rows, |_| ControlFlow::Continue(()))
    }

    /// As [`ChooseK::choose`], and calls `on_candidate` after each number, which may stop it.
    ///
    /// # Errors
    /// As [`ChooseK::choose`], and [`ClusterError::Cancelled`].
    pub fn choose_with(
        &self,
        rows: VectorsView<'_>,
        mut on_candidate: impl FnMut(KEvidence) -> ControlFlow<()>,
    ) -> Result<ChosenK, ClusterError> {
        if rows.len() < 3 {
            let value = rows.len().to_string();
            return Err(ClusterError::Parameter { name: "the number of rows", value, expected: "at least 3" });
        }
        rows.check_finite()?;
        let drawn = self.drawn(rows)?;
        let mut evidence: Vec<KEvidence> = Vec::new();
        for k in self.numbers(drawn.len()) {
            let kmeans = KMeans::new(k).seed(self.seed).n_init(STARTS).max_iters(50).spherical(self.spherical);
            let fit = kmeans.fit(drawn.view())?;
            let silhouette = silhouette(drawn.view(), &fit.labels, SILHOUETTE_ROWS, self.seed)?;
            let found = KEvidence { k, inertia: fit.inertia, silhouette };
            evidence.push(found);
            if on_candidate(found).is_break() {
                return Err(ClusterError::Cancelled);
            }
        }
        let best = evidence.iter().map(|e| e.silhouette).fold(f64::NEG_INFINITY, f64::max);
        let elbow = elbow(KMeans::new(1).spherical(self.spherical).fit(drawn.view())?.inertia, &evidence);
        let told = evidence.iter().find(|e| e.silhouette >= best * NEARLY_BEST).filter(|_| best >= SUBSTANTIAL);
        Ok(ChosenK { k: told.map_or(elbow, |e| e.k), by_silhouette: told.is_some(), elbow, evidence })
    }

    /// The rows to choose by, of length 1 when spherical.
    fn drawn(&self, rows: VectorsView<'_>) -> Result<Vectors, ClusterError> {
        let places: Vec<u32> =
            if rows.len() > ROWS { sample_of(rows, ROWS, self.seed) } else { (0..rows.len() as u32).collect() };
        let values = places.iter().flat_map(|&row| rows.row(row as usize)).copied().collect();
        let mut drawn = Vectors::new(values, rows.dim())?;
        if self.spherical {
            drawn.as_mut_slice().chunks_exact_mut(rows.dim()).for_each(|row| {
                normalize(row);
            });
        }
        Ok(drawn)
    }

    fn numbers(&self, n: usize) -> Vec<usize> {
        let most = (n - 1).min(((2 * n) as f64).sqrt() as usize).clamp(2, MOST);
        if self.candidates.is_empty() {
            return (2..=12).chain([14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 100]).filter(|&k| k <= most).collect();
        }
        self.candidates.iter().copied().filter(|&k| k <= n).collect()
    }
}

impl Default for ChooseK {
    fn default() -> Self {
        Self::new()
    }
}

/// `whole` is the inertia of one cluster.
fn elbow(whole: f64, evidence: &[KEvidence]) -> usize {
    let Some(last) = evidence.last() else { return 1 };
    let below = |e: &KEvidence| {
        let along = (e.k - 1) as f64 / (last.k - 1).max(1) as f64;
        let fallen = (whole - e.inertia) / (whole - last.inertia).max(f64::MIN_POSITIVE);
        fallen - along
    };
    evidence.iter().rev().max_by(|a, b| below(a).total_cmp(&below(b))).map_or(1, |e| e.k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_blobs_is_chosen() {
        for blobs in [2, 3, 7] {
            let value = |i: usize| {
                let (row, column) = (i / 4, i % 4);
                let middle = (row % blobs * [1, 3, 5, 2][column] % 7 * 4) as f32;
                middle + ((i * i * 31 + i * 7) % 101) as f32 / 101.0
            };
            let rows = Vectors::new((0..4 * 420).map(value).collect(), 4).unwrap();
            let chosen = ChooseK::new().choose(rows.view()).unwrap();
            assert!(chosen.k == blobs && chosen.by_silhouette, "{chosen:?}");
            assert!(chosen.evidence.windows(2).all(|e| e[1].k > e[0].k && e[1].inertia <= e[0].inertia * 1.05));
        }
    }

    #[test]
    fn the_elbow_is_where_the_curve_bends() {
        let evidence = |values: &[f64]| -> Vec<KEvidence> {
            (2..).zip(values).map(|(k, &inertia)| KEvidence { k, inertia, silhouette: 0.0 }).collect()
        };
        assert_eq!(elbow(200.0, &evidence(&[100.0, 20.0, 15.0, 10.0, 5.0])), 3);
        assert_eq!(elbow(200.0, &evidence(&[40.0, 35.0, 30.0])), 2);
        assert_eq!(elbow(200.0, &evidence(&[100.0])), 2);
        assert_eq!(elbow(200.0, &[]), 1);
    }

    #[test]
    fn a_few_rows_and_wrong_ones_are_answered() {
        let rows = |n: usize| Vectors::new((0..n).map(|i| i as f32).collect(), 1).unwrap();
        assert!(matches!(ChooseK::new().choose(rows(2).view()), Err(ClusterError::Parameter { .. })));
        assert_eq!(ChooseK::new().choose(rows(3).view()).unwrap().k, 2);
        assert_eq!(ChooseK::new().candidates([4, 2, 9, 4]).choose(rows(5).view()).unwrap().evidence.len(), 2);
        let equal = Vectors::new(vec![2.0; 8], 1).unwrap();
        assert_eq!(ChooseK::new().choose(equal.view()).unwrap().k, 2);
        let stopped = ChooseK::new().choose_with(rows(9).view(), |_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(ClusterError::Cancelled)));
    }
}
