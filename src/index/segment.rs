//! A segment: immutable rows with their slots, and above a measured size a graph over them.
//!
//! In memory or mapped from a file of kind [`Kind::Segment`]. The sections (numbers are
//! little-endian; the container is described in [`crate::store::file`]):
//!
//! | id | numbers | section |
//! |---|---|---|
//! | 1 | 8 x u64 | META |
//! | 2 | n x u64 | SLOTS |
//! | 3 | n x dim f32 | VECTORS |
//! | 4 | n f32, or none | NORMS |
//! | 5 | n x m0 u32, or none | LINKS |
//! | 6 | one u32 a layer above 0 | LAYER_SIZES |
//! | 7 | c x (2 + m) u32 a layer above 0 | UPPER |
//!
//! META holds metric (0 cosine, 1 dot, 2 L2), dim, n, m, m0, `ef_construction`, the number of
//! layers (0: no graph, the segment is scanned exactly) and one reserved 0. SLOTS maps a row to the
//! number by which the collection knows it. NORMS are the rows' lengths before they were scaled to
//! 1 (cosine only). Links are row numbers; a row of links ends at its full width or at the first
//! `0xFFFF_FFFF`. A layer above 0 has `c` nodes and stores their row numbers, then each node's
//! position in the layer below, then `c x m` links, which are positions in the same layer.

use std::io::{self, Write};
use std::path::Path;

use super::Neighbor;
use super::door::prepare_query;
use super::flat::{neighbors, scan};
use super::hnsw::{Graph, HnswParams, Layer, ScratchPool, walk};
use super::top::Candidate;
use crate::error::{IndexError, StoreError};
use crate::metric::{Kernels, Metric};
use crate::store::file::{self, Kind, Section, Sections};
use crate::store::{Column, Mapped};
use crate::vectors::{Vectors, VectorsView};

/// Below this many rows a segment carries no graph: an exact scan of 256-dimensional rows takes
/// less time than a graph search there (`cargo bench --bench search` prints the crossover).
#[cfg(feature = "collection")]
pub(crate) const GRAPH_FROM_ROWS: usize = 4_000;

const META: u32 = 1;
const SLOTS: u32 = 2;
const VECTORS: u32 = 3;
const NORMS: u32 = 4;
const LINKS: u32 = 5;
const LAYER_SIZES: u32 = 6;
const UPPER: u32 = 7;
const META_FIELDS: usize = 8;
/// More layers than 2^32 rows can have at the smallest `m`.
const MAX_LAYERS: usize = 64;

/// Rows, slots, and perhaps a graph.
#[derive(Debug)]
pub(crate) struct Segment {
    metric: Metric,
    dim: usize,
    slots: Column<u64>,
    vectors: Column<f32>,
    norms: Column<f32>,
    params: HnswParams,
    graph: Option<Graph>,
    kernels: Kernels,
    scratch: ScratchPool,
    file: Option<Sections>,
}

impl Segment {
    /// Takes rows that came through the door, with one slot each; builds a graph if asked.
    pub fn build(
        metric: Metric,
        rows: Vectors,
        norms: Vec<f32>,
        slots: Vec<u64>,
        params: &HnswParams,
        with_graph: bool,
    ) -> Self {
        debug_assert_eq!(rows.len(), slots.len());
        let kernels = Kernels::detect();
        let graph = (with_graph && !rows.is_empty()).then(|| Graph::build(rows.view(), metric, kernels, params));
        let dim = rows.dim();
        Segment {
            metric,
            dim,
            slots: Column::Owned(slots),
            vectors: Column::Owned(rows.into_vec()),
            norms: Column::Owned(norms),
            params: params.clone(),
            graph,
            kernels,
            scratch: ScratchPool::default(),
            file: None,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The rows' slots, in the order of the rows.
    #[cfg(feature = "collection")]
    pub fn slots(&self) -> &[u64] {
        &self.slots
    }

    /// The rows as they are compared (length 1 for cosine).
    pub fn rows(&self) -> Result<VectorsView<'_>, IndexError> {
        Ok(VectorsView::new(&self.vectors, self.dim)?)
    }

    /// The lengths the rows had; empty for other metrics than cosine.
    #[cfg(feature = "collection")]
    pub fn norms(&self) -> &[f32] {
        &self.norms
    }

    /// The `k` nearest of the rows that `keep` lets pass, by graph if there is one, with at least
    /// `ef` candidates on the way. While fewer than `k` come back and rows are left, the effort
    /// grows; an exact scan is the last resort, so `min(k, rows kept)` rows are always found.
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        keep: Option<&(dyn Fn(u32) -> bool + Sync)>,
    ) -> Result<Vec<Neighbor>, IndexError> {
        let Some(graph) = &self.graph else { return self.exact(query, k, keep) };
        if k == 0 {
            return Err(IndexError::ZeroK);
        }
        let query = prepare_query(self.metric, self.dim, query)?;
        let rows = self.rows()?;
        let k = k.min(self.len());
        let mut ef = ef.max(k);
        loop {
            let mut scratch = self.scratch.take(self.len());
            let walked = walk(graph, rows, self.metric, self.kernels, &query, ef, keep, &mut scratch);
            if let Err(bad) = walked {
                return Err(StoreError::corrupt(self.path(), bad.to_string()).into());
            }
            let found: Vec<Candidate> = scratch.found(keep.is_some()).iter().take(k).copied().collect();
            self.scratch.give(scratch);
            if found.len() == k {
                return Ok(neighbors(self.metric, &found));
            }
            if ef >= self.len() / 2 {
                let all = scan(self.kernels, self.metric, &query, rows, k, |id| keep.is_none_or(|keep| keep(id)));
                return Ok(neighbors(self.metric, &all));
            }
            ef *= 4;
        }
    }

    /// The `k` nearest of the rows that `keep` lets pass, by comparing each.
    pub fn exact(
        &self,
        query: &[f32],
        k: usize,
        keep: Option<&(dyn Fn(u32) -> bool + Sync)>,
    ) -> Result<Vec<Neighbor>, IndexError> {
        if k == 0 {
            return Err(IndexError::ZeroK);
        }
        let query = prepare_query(self.metric, self.dim, query)?;
        let found = scan(self.kernels, self.metric, &query, self.rows()?, k, |id| keep.is_none_or(|keep| keep(id)));
        Ok(neighbors(self.metric, &found))
    }

    /// Writes the segment as a file; returns its length in bytes.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<u64> {
        let layers = self.graph.as_ref().map_or(&[][..], |g| &g.layers);
        let meta: [u64; META_FIELDS] = [
            u64::from(self.metric.code()),
            self.dim as u64,
            self.len() as u64,
            self.params.m as u64,
            self.params.m0() as u64,
            self.params.ef_construction as u64,
            layers.len() as u64,
            0,
        ];
        let mut sizes: Vec<u32> = Vec::new();
        let mut upper: Vec<u32> = Vec::new();
        for layer in layers.iter().skip(1) {
            sizes.push(layer.rows.len() as u32);
            upper.extend_from_slice(&layer.rows);
            upper.extend_from_slice(&layer.down);
            upper.extend_from_slice(&layer.links);
        }
        let links = layers.first().map_or(&[][..], |l| &l.links);
        let sections = [
            Section { id: META, bytes: bytemuck::cast_slice(&meta) },
            Section { id: SLOTS, bytes: bytemuck::cast_slice(&self.slots) },
            Section { id: VECTORS, bytes: bytemuck::cast_slice(&self.vectors) },
            Section { id: NORMS, bytes: bytemuck::cast_slice(&self.norms) },
            Section { id: LINKS, bytes: bytemuck::cast_slice(links) },
            Section { id: LAYER_SIZES, bytes: bytemuck::cast_slice(&sizes) },
            Section { id: UPPER, bytes: bytemuck::cast_slice(&upper) },
        ];
        file::write(out, Kind::Segment, &sections)
    }

    /// Opens a mapped segment file: header, table and lengths are checked, in constant time.
    ///
    /// # Errors
    /// [`StoreError`] naming what does not fit.
    pub fn open(map: Mapped, path: &Path) -> Result<Self, StoreError> {
        let file = Sections::open(map, path, Kind::Segment)?;
        let corrupt = |reason: &str| StoreError::corrupt(path, reason);
        let meta: [u64; META_FIELDS] =
            file.slice(META, META_FIELDS)?.try_into().map_err(|_| corrupt("META is too short"))?;
        let metric =
            u32::try_from(meta[0]).ok().and_then(Metric::from_code).ok_or_else(|| corrupt("unknown metric"))?;
        let [dim, n, m, m0, ef_construction, layer_count] = [1, 2, 3, 4, 5, 6].map(|i| meta[i] as usize);
        if dim == 0 || n > crate::vectors::MAX_ROWS || layer_count > MAX_LAYERS {
            return Err(corrupt("META is out of range"));
        }
        let values = n.checked_mul(dim).ok_or_else(|| corrupt("META is out of range"))?;
        let params = HnswParams { m, ef_construction, ..HnswParams::default() };
        let graph = if layer_count == 0 {
            None
        } else {
            params.validate().map_err(|e| StoreError::corrupt(path, e.to_string()))?;
            if m0 != params.m0() {
                return Err(corrupt("the width of layer 0 is not 2 m"));
            }
            Some(Graph { layers: open_layers(&file, n, &params, layer_count)? })
        };
        let norms = if metric == Metric::Cosine { n } else { 0 };
        Ok(Segment {
            metric,
            dim,
            slots: Column::section(&file, SLOTS, n)?,
            vectors: Column::section(&file, VECTORS, values)?,
            norms: Column::section(&file, NORMS, norms)?,
            params,
            graph,
            kernels: Kernels::detect(),
            scratch: ScratchPool::default(),
            file: Some(file),
        })
    }

    /// Reads the whole file and compares every checksum; a segment in memory has none to compare.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first section that does not hold.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), Sections::verify)
    }

    fn path(&self) -> &Path {
        self.file.as_ref().map_or(Path::new("(in memory)"), Sections::path)
    }
}

fn open_layers(file: &Sections, n: usize, params: &HnswParams, count: usize) -> Result<Vec<Layer>, StoreError> {
    let sizes: &[u32] = file.slice(LAYER_SIZES, count - 1)?;
    let width = params.m;
    let total = sizes.iter().map(|&c| c as usize * (2 + width)).sum();
    let links = n.checked_mul(params.m0()).ok_or_else(|| StoreError::corrupt(file.path(), "META is out of range"))?;
    let mut layers = vec![Layer {
        rows: Column::Owned(Vec::new()),
        down: Column::Owned(Vec::new()),
        links: Column::section(file, LINKS, links)?,
        width: params.m0(),
        len: n,
    }];
    let mut at = 0;
    for &size in sizes {
        let c = size as usize;
        if c == 0 {
            return Err(StoreError::corrupt(file.path(), "an empty layer"));
        }
        let part = |from, len| Column::part(file, UPPER, total, from, len);
        let (rows, down) = (part(at, c)?, part(at + c, c)?);
        layers.push(Layer { rows, down, links: part(at + 2 * c, c * width)?, width, len: c });
        at += c * (2 + width);
    }
    Ok(layers)
}
