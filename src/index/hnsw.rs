//! Hierarchical Navigable Small World graphs (Malkov and Yashunin, "Efficient and robust
//! approximate nearest neighbor search using Hierarchical Navigable Small World graphs", TPAMI 2020,
//! arXiv:1603.09320).
//!
//! The graph is built in batches in the manner of ParlayANN (Manohar et al., PPoPP 2024,
//! arXiv:2305.04359): every row of a batch searches the graph as it stood before the batch, so the
//! result is the same on any number of threads.

mod among;
mod beam;
mod build;
mod connect;
mod links;
mod search;

use std::fs::File;
use std::path::Path;

pub(super) use among::{walk_among, walk_on_among};
pub(super) use build::{Ask, Unfinished, mix};
pub(super) use links::{Graph, Layer};
pub(super) use search::{BadLink, Scratch, walk, walk_on};

use super::door::prepare;
use super::segment::Segment;
use super::{Asked, Effort, Index, Layout, Neighbor, Recall, RowStorage, Work};
use crate::error::{IndexError, StoreError, VectorsError};
use crate::metric::Metric;
use crate::store::{Disk, Mapped, publish};
use crate::vectors::{Vectors, VectorsView};

/// How a graph is built.
#[derive(Clone, Debug, PartialEq)]
pub struct HnswParams {
    /// Links of a row in the upper layers; layer 0 has twice as many. From 2 to 256, default
    /// [`HnswParams::DEFAULT_M`].
    pub m: usize,
    /// Candidates kept while a new row looks for its neighbours: more builds longer and finds
    /// better ones. From 1 to 10,000, default [`HnswParams::DEFAULT_EF_CONSTRUCTION`].
    pub ef_construction: usize,
    /// Seed of the rows' layers and of the order of insertion, default 42. The same rows,
    /// parameters and seed give the same graph on any number of threads.
    pub seed: u64,
    /// How the full rows are kept, default [`RowStorage::F32`].
    pub storage: RowStorage,
    /// What finds candidates, default [`Layout::Auto`]. Not stored as such in the file.
    pub layout: Layout,
    /// With fewer rows no graph is built and every search is exact.
    /// Default [`HnswParams::DEFAULT_GRAPH_FROM_ROWS`]. Not stored in the file.
    pub graph_from_rows: usize,
}

impl HnswParams {
    /// Default of [`HnswParams::m`].
    pub const DEFAULT_M: usize = 16;
    /// Default of [`HnswParams::ef_construction`].
    pub const DEFAULT_EF_CONSTRUCTION: usize = 200;
    /// Default of [`HnswParams::seed`].
    pub const DEFAULT_SEED: u64 = 42;

    /// Default of [`HnswParams::graph_from_rows`]: comparing every row takes about a tenth of a
    /// millisecond there, and is exact. A walk is faster from a few hundred rows on (`cargo bench
    /// --bench search` prints both).
    pub const DEFAULT_GRAPH_FROM_ROWS: usize = 4_000;

    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`IndexError::Parameter`] naming the first one outside its range.
    pub fn validate(&self) -> Result<(), IndexError> {
        let check = |name, value: usize, ok: bool, allowed| {
            if ok { Ok(()) } else { Err(IndexError::Parameter { name, value: value.to_string(), allowed }) }
        };
        check("m", self.m, (2..=256).contains(&self.m), "from 2 to 256")?;
        let ef = self.ef_construction;
        check("ef_construction", ef, (1..=10_000).contains(&ef), "from 1 to 10000")
    }

    /// The width of layer 0.
    pub(super) fn m0(&self) -> usize {
        2 * self.m
    }
}

impl Default for HnswParams {
    fn default() -> Self {
        HnswParams {
            m: Self::DEFAULT_M,
            ef_construction: Self::DEFAULT_EF_CONSTRUCTION,
            seed: Self::DEFAULT_SEED,
            storage: RowStorage::default(),
            layout: Layout::default(),
            graph_from_rows: Self::DEFAULT_GRAPH_FROM_ROWS,
        }
    }
}

/// An approximate index over `n x dim` rows, in memory or mapped from a file: a graph, or partitions
/// where those are faster (see [`Layout`]).
///
/// ```
/// use gyeol::{Hnsw, HnswParams, Index, Metric, Vectors};
/// let rows = Vectors::new((0..2000).map(|i| ((i * 7919) % 997) as f32).collect(), 4)?;
/// let index = Hnsw::build(&rows, Metric::L2, &HnswParams::default())?;
/// let file = std::env::temp_dir().join("gyeol-doc.hnsw");
/// index.save(&file)?;
/// let mapped = Hnsw::open(&file)?;
/// assert_eq!(mapped.search(rows.row(7), 3)?, index.search(rows.row(7), 3)?);
/// # std::fs::remove_file(file).ok();
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Debug)]
pub struct Hnsw {
    segment: Segment,
}

impl Hnsw {
    /// Builds the index on all cores. No rows make an empty index. Beside the rows given it takes about
    /// twice their memory while it builds (they are put in another order), and codes and links: about
    /// `dim + 8 * m + 16` bytes a row.
    ///
    /// # Errors
    /// [`IndexError::Parameter`]; [`IndexError::Vectors`] naming the first row that is not finite,
    /// or of norm 0 under cosine.
    pub fn build(vectors: &Vectors, metric: Metric, params: &HnswParams) -> Result<Self, IndexError> {
        params.validate()?;
        if params.layout == Layout::Partitions && metric == Metric::L2 {
            let (value, allowed) = ("partitions".to_owned(), "auto or graph for L2");
            return Err(IndexError::Parameter { name: "layout", value, allowed });
        }
        if params.storage == RowStorage::F16 {
            check_f16(vectors.view())?;
        }
        let (rows, norms) = prepare(metric, vectors)?;
        let segment = Segment::build(metric, rows, norms, Vec::new(), params);
        if params.storage == RowStorage::Codes && segment.has_structure() && segment.storage() != RowStorage::Codes {
            let (value, allowed) =
                ("codes".to_owned(), "f32 or f16 for these rows, which 8-bit codes cannot tell apart");
            return Err(IndexError::Parameter { name: "storage", value, allowed });
        }
        Ok(Hnsw { segment })
    }

    /// Writes the index as one file, whole or not at all: an existing file is replaced only when
    /// the new one is safe on disk.
    ///
    /// # Errors
    /// [`IndexError::Store`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), IndexError> {
        let path = path.as_ref();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or_else(|| {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path names no file");
            StoreError::io(path, "write", source)
        })?;
        publish(&Disk::new(folder), Path::new(name), |out| self.segment.write(out).map(drop))?;
        Ok(())
    }

    /// Maps a saved index; nothing is read but the header, so the cost is the same at any size.
    ///
    /// # Errors
    /// [`IndexError::Store`] when the file cannot be opened, is not an index, is of a newer format,
    /// or its header, table or lengths do not hold.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IndexError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| StoreError::io(path, "open", e))?;
        let map = Mapped::map(&file).map_err(|e| StoreError::io(path, "map", e))?;
        let segment = Segment::open(map, path)?;
        Ok(Hnsw { segment })
    }

    /// Whether candidates by codes are compared by their full rows at last: always when the index is built,
    /// never with [`RowStorage::Codes`]. When a file is opened that is larger than three quarters of the
    /// memory (the machine's, or that of the process's control group), full rows are left on disk, and an
    /// effort of [`Effort::Recall`] reads them only when codes alone cannot find as much.
    pub fn rescoring(&self) -> bool {
        self.segment.rescoring()
    }

    /// Decides what [`Hnsw::rescoring`] tells. Without it distances are those of the codes, and
    /// [`Effort::Ef`] finds less.
    pub fn set_rescoring(&mut self, rescoring: bool) {
        self.segment.set_rescoring(rescoring);
    }

    /// What of a mapped index's graph, partitions or codes was found damaged so far. Then every search is
    /// exact, and slower; build the index again. A damaged row is an error of the search that meets it.
    pub fn damage(&self) -> Option<&str> {
        self.segment.damage()
    }

    /// Compares graph, partitions and codes of a mapped index with their checksums, which reads them whole;
    /// [`Hnsw::damage`] tells what does not hold. Without it links are checked as they are followed, and blocks of
    /// full rows when they are first read; [`Hnsw::verify`] compares everything.
    pub fn check_structure(&self) {
        self.segment.check_structure();
    }

    /// [`Index::search`] with another effort than the default.
    ///
    /// # Errors
    /// As [`Index::search`], and [`IndexError::Parameter`] when the effort is out of its range.
    pub fn search_with(&self, query: &[f32], k: usize, effort: Effort) -> Result<Vec<Neighbor>, IndexError> {
        self.search_explained(query, k, effort).map(|(found, _)| found)
    }

    /// [`Hnsw::search_with`], and what it took.
    ///
    /// # Errors
    /// As [`Hnsw::search_with`].
    pub fn search_explained(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
    ) -> Result<(Vec<Neighbor>, Work), IndexError> {
        effort.validate()?;
        self.segment.nearest(query, k, effort, None)
    }

    /// [`Index::search_many`] with another effort than the default.
    ///
    /// # Errors
    /// As [`Hnsw::search_with`], for the first query that has one.
    pub fn search_many_with(
        &self,
        queries: VectorsView<'_>,
        k: usize,
        effort: Effort,
    ) -> Result<Vec<Vec<Neighbor>>, IndexError> {
        use rayon::prelude::*;
        (0..queries.len()).into_par_iter().map(|i| self.search_with(queries.row(i), k, effort)).collect()
    }

    /// The part of the true `k` nearest rows that searches of this effort find, measured on `queries`
    /// (`n x dim`) on all cores. What is true is found by comparing every row.
    ///
    /// Queries that are rows of the index find themselves, which is easy: ask with others.
    ///
    /// # Errors
    /// As [`Hnsw::search_with`]; [`IndexError::Parameter`] when there are no queries, or no rows.
    pub fn measure_recall(&self, queries: VectorsView<'_>, k: usize, effort: Effort) -> Result<Recall, IndexError> {
        use rayon::prelude::*;
        let asked = (0..queries.len()).into_par_iter().map(|i| {
            let (found, work) = self.search_explained(queries.row(i), k, effort)?;
            let truth = self.search_with(queries.row(i), k, Effort::Exact)?;
            Ok(Asked::of_neighbors(&found, &truth, work.compared))
        });
        let asked = asked.collect::<Result<Vec<_>, IndexError>>()?;
        let name = if asked.is_empty() { "the number of queries" } else { "the number of rows" };
        let nothing = || IndexError::Parameter { name, value: "0".to_owned(), allowed: "at least 1" };
        Recall::of(&asked, k).ok_or_else(nothing)
    }

    /// Reads a mapped index whole and compares every checksum.
    ///
    /// # Errors
    /// [`IndexError::Store`] naming the section that does not hold.
    pub fn verify(&self) -> Result<(), IndexError> {
        Ok(self.segment.verify()?)
    }
}

impl Hnsw {
    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }
}

/// What `f16` cannot hold is refused, not made infinite.
fn check_f16(rows: VectorsView<'_>) -> Result<(), VectorsError> {
    match rows.as_slice().iter().position(|x| x.is_finite() && x.abs() > RowStorage::F16_MAX) {
        None => Ok(()),
        Some(at) => Err(VectorsError::TooLarge {
            row: at / rows.dim(),
            column: at % rows.dim(),
            value: rows.as_slice()[at],
            limit: RowStorage::F16_MAX,
        }),
    }
}

impl Index for Hnsw {
    fn len(&self) -> usize {
        self.segment.len()
    }

    fn dim(&self) -> usize {
        self.segment.dim()
    }

    fn metric(&self) -> Metric {
        self.segment.metric()
    }

    fn search(&self, query: &[f32], k: usize) -> Result<Vec<Neighbor>, IndexError> {
        self.search_with(query, k, Effort::default())
    }
}
