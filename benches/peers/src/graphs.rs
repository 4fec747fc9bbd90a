//! Every library's graph behind one door, with the same parameters.

use gyeol::{Effort, HnswParams, Metric, Vectors};
use hnsw_rs::prelude::{AnnT, DistDot, Hnsw as HnswRs};
use usearch::{Index as Usearch, IndexOptions, MetricKind, ScalarKind};

/// Links of a row, for all.
pub const M: usize = 16;
/// Candidates while a graph is built, for all.
pub const EF_CONSTRUCTION: usize = 200;

/// A library, and what it keeps of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// This one.
    Gyeol,
    /// usearch with whole values.
    UsearchF32,
    /// usearch with the upper half of every value, its default.
    UsearchBf16,
    /// usearch with codes of 8 bits.
    UsearchI8,
    /// hnsw_rs.
    HnswRs,
}

/// A graph that was built.
pub trait Graph: Send {
    /// The rows nearest to a query, with `ef` candidates kept on the way.
    fn search(&self, query: &[f32], k: usize, ef: usize) -> Vec<u32>;
}

impl Library {
    /// All, ours first.
    pub const ALL: [Library; 5] =
        [Library::Gyeol, Library::UsearchF32, Library::UsearchBf16, Library::UsearchI8, Library::HnswRs];

    /// As it stands in tables.
    pub fn name(self) -> &'static str {
        match self {
            Library::Gyeol => "gyeol",
            Library::UsearchF32 => "usearch f32",
            Library::UsearchBf16 => "usearch bf16",
            Library::UsearchI8 => "usearch i8",
            Library::HnswRs => "hnsw_rs",
        }
    }

    /// A graph over rows of length 1, built by so many threads.
    pub fn build(self, rows: &Vectors, threads: usize) -> Box<dyn Graph> {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        match self {
            Library::Gyeol => pool().install(|| gyeol(rows)),
            Library::UsearchF32 => usearch(rows, ScalarKind::F32, threads),
            Library::UsearchBf16 => usearch(rows, ScalarKind::BF16, threads),
            Library::UsearchI8 => usearch(rows, ScalarKind::I8, threads),
            Library::HnswRs => pool().install(|| hnsw_rs(rows)),
        }
    }
}

fn gyeol(rows: &Vectors) -> Box<dyn Graph> {
    let params = HnswParams { m: M, ef_construction: EF_CONSTRUCTION, ..HnswParams::default() };
    Box::new(gyeol::Hnsw::build(rows, Metric::Cosine, &params).expect("rows"))
}

impl Graph for gyeol::Hnsw {
    fn search(&self, query: &[f32], k: usize, ef: usize) -> Vec<u32> {
        let found = self.search_with(query, k, Effort::Ef(ef)).expect("a query");
        found.iter().map(|n| n.id).collect()
    }
}

fn usearch(rows: &Vectors, quantization: ScalarKind, threads: usize) -> Box<dyn Graph> {
    let index = Usearch::new(&IndexOptions {
        dimensions: rows.dim(),
        // Of rows of length 1 the cosine, without their norms.
        metric: MetricKind::IP,
        quantization,
        connectivity: M,
        expansion_add: EF_CONSTRUCTION,
        expansion_search: EF_CONSTRUCTION,
        multi: false,
    });
    let index = index.expect("usearch's options");
    index.reserve_capacity_and_threads(rows.len(), threads).expect("memory");
    // Neighbouring rows go to different threads, as usearch's own loops do it.
    let add = |thread: usize| {
        for i in (thread..rows.len()).step_by(threads) {
            index.add(i as u64, rows.row(i)).expect("a row");
        }
    };
    std::thread::scope(|scope| {
        (0..threads).for_each(|thread| {
            scope.spawn(move || add(thread));
        });
    });
    Box::new(index)
}

impl Graph for Usearch {
    fn search(&self, query: &[f32], k: usize, ef: usize) -> Vec<u32> {
        self.change_expansion_search(ef);
        let found = Usearch::search(self, query, k).expect("a query");
        found.keys.iter().map(|&key| key as u32).collect()
    }
}

fn hnsw_rs(rows: &Vectors) -> Box<dyn Graph> {
    /// The most that it knows.
    const LAYERS: usize = 16;
    let graph = HnswRs::<f32, DistDot>::new(M, rows.len(), LAYERS, EF_CONSTRUCTION, DistDot {});
    let slices: Vec<&[f32]> = rows.rows().collect();
    let numbered: Vec<(&[f32], usize)> = slices.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    graph.parallel_insert_slice(&numbered);
    Box::new(graph)
}

impl Graph for HnswRs<'_, f32, DistDot> {
    fn search(&self, query: &[f32], k: usize, ef: usize) -> Vec<u32> {
        self.search_neighbours(query, k, ef).iter().map(|n| n.d_id as u32).collect()
    }
}
