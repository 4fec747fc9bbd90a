//! Centroids that were found: new rows get their cluster by them.
//!
//! A model's file, little-endian:
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 8 | `GYEOLKM` and a zero |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | 1 when spherical, else 0 |
//! | 16 | 4 | dim |
//! | 20 | 4 | n_clusters |
//! | 24 | 8 * n_clusters | the rows of each cluster when it was fitted (u64) |
//! | then | 4 * n_clusters * dim | centroids (f32) |
//! | then | 8 | XXH3-64 of all before |

use std::fs::File;
use std::io::Write;
use std::path::Path;

use rayon::prelude::*;
use twox_hash::XxHash3_64;

use super::rows::{self, Rows};
use super::{lloyd, prepare};
use crate::error::{ClusterError, VectorsError};
use crate::metric::Kernels;
use crate::metric::tiles::Grid;
use crate::vectors::{Vectors, VectorsView, norm};

const MAGIC: &[u8; 8] = b"GYEOLKM\0";
const VERSION: u32 = 1;
const HEADER: usize = 24;

/// The centroids of a fit. It is made by [`KMeans::fit`](super::KMeans::fit) or read from a file, so there is
/// none that was not fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansModel {
    centroids: Vectors,
    sizes: Vec<u64>,
    spherical: bool,
}

impl KMeansModel {
    pub(super) fn from_parts(centroids: Vec<f32>, dim: usize, sizes: Vec<u64>, spherical: bool) -> Self {
        let mut all = Vectors::zeros(sizes.len(), dim).unwrap_or_else(|_| unreachable!("the rows were of this shape"));
        all.as_mut_slice().copy_from_slice(&centroids);
        KMeansModel { centroids: all, sizes, spherical }
    }

    /// Centroids: `n_clusters x dim`.
    pub fn centroids(&self) -> VectorsView<'_> {
        self.centroids.view()
    }

    /// The number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.sizes.len()
    }

    /// The number of values in a row.
    pub fn dim(&self) -> usize {
        self.centroids.dim()
    }

    /// How many rows each cluster had when it was fitted.
    pub fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// Whether clusters are compared by direction.
    pub fn spherical(&self) -> bool {
        self.spherical
    }

    /// The cluster of each of `n x dim` rows: the nearest centroid, the lower number of equally near ones.
    ///
    /// # Errors
    /// [`ClusterError::Vectors`] for rows of another dimension, NaN or infinity, and a zero row when spherical.
    pub fn predict(&self, rows: VectorsView<'_>) -> Result<Vec<i32>, ClusterError> {
        self.check(rows)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let kernels = Kernels::detect();
        let largest = rows::largest(rows, kernels)?.max(rows::largest(self.centroids(), kernels)?);
        let (prepared, centroids) = match rows::scale_needed(largest) {
            Some(factor) if !self.spherical => {
                let scaled = |values: &[f32]| values.iter().map(|x| x * factor).collect::<Vec<f32>>();
                (scaled(rows.as_slice()).into(), scaled(self.centroids.as_slice()))
            }
            _ => (prepare(rows, self.spherical, kernels)?.0, self.centroids.as_slice().to_vec()),
        };
        let view = VectorsView::new(&prepared, rows.dim())?;
        let mean = mean_of(&centroids, rows.dim());
        let read = Rows::with_mean(view, mean, Grid::new(1, 1.0), kernels, kernels.has_fast_codes());
        Ok(lloyd::nearest(&read, &centroids).into_iter().map(|label| label as i32).collect())
    }

    /// The distance of each of `n x dim` rows to each centroid, `n x n_clusters`: Euclidean, or the cosine
    /// distance when spherical.
    ///
    /// # Errors
    /// As [`KMeansModel::predict`].
    pub fn transform(&self, rows: VectorsView<'_>) -> Result<Vectors, ClusterError> {
        self.check(rows)?;
        let kernels = Kernels::detect();
        rows.check_finite()?;
        let prepared =
            if self.spherical && !rows.is_empty() { prepare(rows, true, kernels)?.0 } else { rows.as_slice().into() };
        let mut out = Vectors::zeros(rows.len(), self.n_clusters())?;
        let places = out.as_mut_slice().par_chunks_exact_mut(self.n_clusters());
        places.zip(prepared.par_chunks_exact(rows.dim())).for_each(|(out, row)| {
            for (out, centroid) in out.iter_mut().zip(self.centroids.rows()) {
                *out = if self.spherical {
                    (1.0 - kernels.dot(row, centroid)).max(0.0)
                } else {
                    distance(kernels, row, centroid)
                };
            }
        });
        Ok(out)
    }

    /// For each centroid the number of the one before that it is paired with: the nearest pairs first.
    pub(super) fn places_by(&self, before: &KMeansModel) -> Result<Vec<usize>, ClusterError> {
        let shape = |m: &KMeansModel| (m.n_clusters(), m.dim(), m.spherical);
        if shape(self) != shape(before) {
            let value = format!("{} x {}", before.n_clusters(), before.dim());
            let expected = "of as many clusters and values as this one, and compared alike";
            return Err(ClusterError::Parameter { name: "the earlier model", value, expected });
        }
        let kernels = Kernels::detect();
        let mut pairs: Vec<(f32, usize, usize)> = Vec::with_capacity(self.n_clusters() * self.n_clusters());
        for (new, centroid) in self.centroids.rows().enumerate() {
            let apart = |old: &[f32]| distance(kernels, centroid, old);
            pairs.extend(before.centroids.rows().enumerate().map(|(old, row)| (apart(row), old, new)));
        }
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut place = vec![usize::MAX; self.n_clusters()];
        let mut taken = vec![false; self.n_clusters()];
        for (_, old, new) in pairs {
            if !taken[old] && place[new] == usize::MAX {
                (taken[old], place[new]) = (true, old);
            }
        }
        Ok(place)
    }

    /// Gives each cluster another number.
    pub(super) fn renumber(&mut self, place: &[usize]) {
        let before = self.clone();
        for (old, &new) in place.iter().enumerate() {
            self.centroids.row_mut(new).copy_from_slice(before.centroids.row(old));
            self.sizes[new] = before.sizes[old];
        }
    }

    fn check(&self, rows: VectorsView<'_>) -> Result<(), ClusterError> {
        if rows.dim() != self.dim() {
            return Err(VectorsError::Dimension { row: 0, expected: self.dim(), found: rows.dim() }.into());
        }
        Ok(())
    }

    /// The model as bytes; see the module's table.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let numbers = [VERSION, u32::from(self.spherical), self.dim() as u32, self.n_clusters() as u32];
        numbers.iter().for_each(|x| out.extend(x.to_le_bytes()));
        self.sizes.iter().for_each(|size| out.extend(size.to_le_bytes()));
        self.centroids.as_slice().iter().for_each(|x| out.extend(x.to_le_bytes()));
        out.extend(XxHash3_64::oneshot(&out).to_le_bytes());
        out
    }

    /// Reads what [`KMeansModel::to_bytes`] made.
    ///
    /// # Errors
    /// [`ClusterError::Model`] when the bytes are of something else, of a later version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClusterError> {
        let bad = |reason: &'static str| ClusterError::Model { reason };
        let (body, sum) = bytes.split_last_chunk::<8>().ok_or_else(|| bad("it is cut short"))?;
        if body.len() < HEADER || &body[..8] != MAGIC {
            return Err(bad("it is of another kind"));
        }
        let number = |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        if number(8) != VERSION {
            return Err(bad("it was written by another version"));
        }
        if XxHash3_64::oneshot(body) != u64::from_le_bytes(*sum) {
            return Err(bad("its checksum does not hold"));
        }
        let (dim, count) = (number(16) as usize, number(20) as usize);
        let sizes_end = HEADER.checked_add(count.checked_mul(8).ok_or_else(|| bad("its shape overflows"))?);
        let values = count.checked_mul(dim).and_then(|n| n.checked_mul(4));
        let end = sizes_end.zip(values).and_then(|(start, values)| start.checked_add(values));
        let (Some(sizes_end), true) = (sizes_end, end == Some(body.len()) && count > 0) else {
            return Err(bad("its length is not that of its shape"));
        };
        let sizes = body[HEADER..sizes_end].as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
        let values = body[sizes_end..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let centroids = Vectors::new(values, dim)?;
        centroids.view().check_finite()?;
        Ok(KMeansModel { centroids, sizes, spherical: number(12) == 1 })
    }

    /// Writes the model to a file, which is replaced as a whole.
    ///
    /// # Errors
    /// [`VectorsError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ClusterError> {
        let path = path.as_ref();
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&self.to_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|source| VectorsError::Io { path: path.to_owned(), source }.into())
    }

    /// Reads a model from a file.
    ///
    /// # Errors
    /// [`VectorsError::Io`], and as [`KMeansModel::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ClusterError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| VectorsError::Io { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes)
    }
}

/// The distance of two rows, also of such whose squares do not fit into `f32`.
fn distance(kernels: Kernels, a: &[f32], b: &[f32]) -> f32 {
    let squared = kernels.l2_squared(a, b);
    if squared.is_normal() {
        return squared.sqrt();
    }
    let apart: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&apart) as f32
}

fn mean_of(centroids: &[f32], dim: usize) -> Vec<f32> {
    let mut sum = vec![0.0f64; dim];
    for row in centroids.chunks_exact(dim) {
        sum.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x));
    }
    let count = (centroids.len() / dim) as f64;
    sum.iter().map(|s| (s / count) as f32).collect()
}
