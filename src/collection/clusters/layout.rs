//! Documents as points of a plane.

use super::corpus::Corpus;
use crate::cluster::{Tsne, pca_layout};
use crate::error::Result;
use crate::index::{Hnsw, HnswParams, Index, Neighbor};
use crate::metric::Metric;

impl Corpus {
    /// A point for each document: near ones have near vectors. The neighbours that t-SNE needs come from an index over
    /// the documents' vectors, by Euclidean distance, which for vectors of length 1 goes with the cosine.
    ///
    /// # Errors
    /// [`crate::error::ClusterError::Parameter`] for parameters of t-SNE out of their range.
    pub fn layout(&self, tsne: &Tsne) -> Result<Vec<[f32; 2]>> {
        let start = pca_layout(self.vectors.view())?;
        let n = start.len();
        if n < 2 {
            return Ok(start);
        }
        let k = tsne.neighbors(n);
        let index = Hnsw::build(&self.vectors, Metric::L2, &HnswParams::default())?;
        let found = index.search_many(self.vectors.view(), k + 1)?;
        let others = |(row, found): (usize, Vec<Neighbor>)| {
            let others = found.into_iter().filter(|neighbor| neighbor.id as usize != row);
            others.take(k).map(|neighbor| (neighbor.id, neighbor.distance)).collect()
        };
        let neighbors: Vec<Vec<(u32, f32)>> = found.into_iter().enumerate().map(others).collect();
        Ok(tsne.fit(&start, &neighbors)?)
    }
}
