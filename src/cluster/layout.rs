//! Rows as points of a plane: near rows near each other.

use bhtsne::{Neighbor, tSNE};

use super::pca::PcaParams;
use crate::error::ClusterError;
use crate::vectors::VectorsView;

/// The standard deviation of where points start (Kobak and Berens, "The art of using t-SNE for single-cell
/// transcriptomics", 2019, for starting from principal components).
const START: f64 = 1e-4;
/// How far apart points that are treated as one may be, against their distance from the rest.
const THETA: f64 = 0.5;
/// From so many points on forces are interpolated on a grid.
const MANY: usize = 2000;

/// Each of `n x dim` rows by its first two principal components; of rows of one value the second is 0.
///
/// # Errors
/// As [`PcaParams::fit`].
pub fn pca_layout(rows: VectorsView<'_>) -> Result<Vec<[f32; 2]>, ClusterError> {
    let components = rows.dim().min(rows.len()).min(2);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let reduced = PcaParams::new(components).fit(rows)?.transform(rows)?;
    Ok(reduced.rows().map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect())
}

/// t-SNE: points that keep the neighbours of their rows (van der Maaten and Hinton, 2008), by the crate `bhtsne`:
/// with the Barnes-Hut approximation (van der Maaten, 2014) up to 2,000 points, beyond by interpolation (Linderman
/// et al., 2019), which takes about 0.2 ms a point.
///
/// It starts from a layout that is given, [`pca_layout`] by custom, and draws nothing but what keeps equal points
/// apart. It runs on one thread: the same points come whatever the number of cores.
#[derive(Clone, Debug)]
pub struct Tsne {
    perplexity: f64,
    epochs: usize,
    seed: u64,
}

impl Default for Tsne {
    fn default() -> Self {
        Self::new()
    }
}

impl Tsne {
    /// A perplexity of 15, 500 epochs, seed 0.
    pub fn new() -> Self {
        Tsne { perplexity: 15.0, epochs: 500, seed: 0 }
    }

    /// About how many neighbours a point attends to: at least 1. [`Tsne::neighbors`] must be given for it.
    pub fn perplexity(mut self, perplexity: f64) -> Self {
        self.perplexity = perplexity;
        self
    }

    /// Rounds; half of them pull neighbours together first. At least 1.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// What moves points that start on one place apart.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many neighbours of each of `n` rows are needed: three times the perplexity, fewer of few rows.
    pub fn neighbors(&self, n: usize) -> usize {
        ((3.0 * self.perplexity) as usize).clamp(1, n.saturating_sub(1).max(1))
    }

    /// Lays rows out. `start` has a point for each row, `neighbors` its nearest rows without itself, each with its
    /// distance (0 or more), the nearest first: for each row [`Tsne::neighbors`] of them, or equally many. Fewer than
    /// six rows stay where they start.
    ///
    /// # Errors
    /// [`ClusterError::Parameter`] when a row has no neighbours or another number of them, a neighbour is no row, a
    /// distance or a point is not finite, or a parameter is out of its range.
    pub fn fit(&self, start: &[[f32; 2]], neighbors: &[Vec<(u32, f32)>]) -> Result<Vec<[f32; 2]>, ClusterError> {
        let k = self.check(start, neighbors)?;
        let n = start.len();
        if n < 6 {
            return Ok(start.to_vec());
        }
        // The crate wants three neighbours for each of the perplexity.
        let perplexity = self.perplexity.min(k as f64 / 3.0).min((n - 1) as f64 / 3.0).max(1.0);
        let neighbor =
            |&(index, distance): &(u32, f32)| Neighbor { index: index as usize, distance: f64::from(distance) };
        let neighbors: Vec<Vec<Neighbor<f64>>> =
            neighbors.iter().map(|row| row.iter().map(neighbor).collect()).collect();
        let places: Vec<usize> = (0..n).collect();
        // Sums over threads would be rounded otherwise each time, and layouts go apart from the last bit.
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .map_err(|e| ClusterError::Failed { algorithm: "t-SNE", reason: e.to_string() })?;
        let points = alone.install(|| {
            let mut tsne: tSNE<'_, f64, usize> = tSNE::new(&places);
            tsne.perplexity(perplexity).epochs(self.epochs).stop_lying_epoch(self.epochs / 2);
            tsne.momentum_switch_epoch(self.epochs / 2).initial_embedding(self.start(start));
            if n < MANY {
                tsne.barnes_hut_with_neighbors(THETA, &neighbors);
            } else {
                tsne.fit_sne_with_neighbors(&neighbors);
            }
            tsne.embedding()
        });
        Ok(points.chunks_exact(2).map(|p| [p[0] as f32, p[1] as f32]).collect())
    }

    /// Where points start, with a standard deviation of [`START`] and nearly nothing added to each.
    fn start(&self, start: &[[f32; 2]]) -> Vec<f64> {
        let n = start.len() as f64;
        let mean: [f64; 2] = std::array::from_fn(|d| start.iter().map(|p| f64::from(p[d])).sum::<f64>() / n);
        let squares = start.iter().map(|p| (f64::from(p[0]) - mean[0]).powi(2)).sum::<f64>();
        let scale = if squares > 0.0 { START / (squares / n).sqrt() } else { 0.0 };
        let mut state = self.seed;
        let mut jitter = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 11) as f64 / (1u64 << 53) as f64 - 0.5) * START / 100.0
        };
        start.iter().flat_map(|p| [0, 1].map(|d| (f64::from(p[d]) - mean[d]) * scale + jitter())).collect()
    }

    fn check(&self, start: &[[f32; 2]], neighbors: &[Vec<(u32, f32)>]) -> Result<usize, ClusterError> {
        let wrong = |name, value: String, expected| Err(ClusterError::Parameter { name, value, expected });
        if !(self.perplexity >= 1.0 && self.perplexity.is_finite()) {
            return wrong("perplexity", self.perplexity.to_string(), "at least 1");
        }
        if self.epochs == 0 {
            return wrong("epochs", "0".to_owned(), "at least 1");
        }
        if neighbors.len() != start.len() {
            let value = format!("{} rows of neighbours for {} points", neighbors.len(), start.len());
            return wrong("neighbors", value, "one for each point");
        }
        let k = neighbors.first().map_or(0, Vec::len);
        if let Some(row) = neighbors.iter().position(|row| row.len() != k || row.is_empty()) {
            return wrong(
                "neighbors",
                format!("{} of row {row}", neighbors[row].len()),
                "equally many of each row, and some",
            );
        }
        let fits =
            |&(id, distance): &(u32, f32)| (id as usize) < start.len() && distance >= 0.0 && distance.is_finite();
        if let Some(row) = neighbors.iter().position(|row| !row.iter().all(fits)) {
            return wrong("neighbors", format!("those of row {row}"), "other rows, with a distance of 0 or more");
        }
        if let Some(row) = start.iter().position(|p| !p.iter().all(|x| x.is_finite())) {
            return wrong("start", format!("the point of row {row}"), "finite");
        }
        Ok(k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::Vectors;

    fn blobs(n: usize) -> Vectors {
        let value = |i: usize| {
            let (row, column) = (i / 8, i % 8);
            f32::from(u8::from(column == row % 4)) * 6.0 + ((i * i * 31 + i * 7) % 101) as f32 / 101.0
        };
        Vectors::new((0..n * 8).map(value).collect(), 8).unwrap()
    }

    fn nearest(rows: &Vectors, k: usize) -> Vec<Vec<(u32, f32)>> {
        let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f32>().sqrt();
        let of = |i: usize| {
            let others = (0..rows.len()).filter(|&j| j != i);
            let mut all: Vec<(u32, f32)> = others.map(|j| (j as u32, apart(rows.row(i), rows.row(j)))).collect();
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            all.truncate(k);
            all
        };
        (0..rows.len()).map(of).collect()
    }

    #[test]
    fn neighbours_stay_neighbours_on_any_number_of_threads() {
        let rows = blobs(200);
        let tsne = Tsne::new().epochs(300);
        let neighbors = nearest(&rows, tsne.neighbors(200));
        let start = pca_layout(rows.view()).unwrap();
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| tsne.fit(&start, &neighbors).unwrap())
        };
        let points = fit(1);
        assert_eq!(points, fit(3));
        let flat = Vectors::new(points.concat(), 2).unwrap();
        let near = nearest(&flat, 5);
        let same = near.iter().enumerate().map(|(i, near)| near.iter().filter(|p| p.0 as usize % 4 == i % 4).count());
        assert!(same.sum::<usize>() >= 990);
    }

    #[test]
    fn few_and_equal_rows_are_laid_out() {
        assert!(pca_layout(Vectors::zeros(0, 3).unwrap().view()).unwrap().is_empty());
        assert_eq!(pca_layout(Vectors::new(vec![2.0; 3], 1).unwrap().view()).unwrap(), [[0.0; 2]; 3]);
        for n in 2..12 {
            let rows = Vectors::new(vec![1.0; 3 * n], 3).unwrap();
            let tsne = Tsne::new().epochs(20);
            let points = tsne.fit(&pca_layout(rows.view()).unwrap(), &nearest(&rows, tsne.neighbors(n))).unwrap();
            assert!(points.len() == n && points.iter().flatten().all(|x| x.is_finite()), "{n} {points:?}");
        }
    }

    #[test]
    fn what_cannot_be_laid_out_is_said() {
        let start = [[0.0; 2]; 6];
        let good: Vec<Vec<(u32, f32)>> = (0..6).map(|i| vec![((i + 1) % 6, 1.0)]).collect();
        assert_eq!(Tsne::new().fit(&start, &good).unwrap().len(), 6);
        assert!(Tsne::new().fit(&[], &[]).unwrap().is_empty());
        let with = |row: Vec<(u32, f32)>| [good[..5].to_vec(), vec![row]].concat();
        for wrong in
            [with(vec![]), with(vec![(6, 1.0)]), with(vec![(0, f32::NAN)]), with(vec![(0, 1.0); 2]), good[..5].to_vec()]
        {
            let error = Tsne::new().fit(&start, &wrong).unwrap_err();
            assert!(matches!(error, ClusterError::Parameter { name: "neighbors", .. }), "{error}");
        }
        assert!(Tsne::new().perplexity(f64::NAN).fit(&start, &good).is_err());
        assert!(Tsne::new().epochs(0).fit(&start, &good).is_err());
        assert!(Tsne::new().fit(&[[f32::NAN; 2]; 6], &good).is_err());
    }
}
