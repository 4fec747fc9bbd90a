//! The graph beside exact search and beside hnsw_rs, on the same rows in one run: build time,
//! queries a second on one thread, recall@10. Then where the graph begins to pay.
//!
//!     cargo bench --bench search       (GYEOL_VECTORS names the folder of text-384)

use std::path::Path;
use std::time::Instant;

use gyeol::vectors::npy;
use gyeol::{Effort, Flat, Hnsw, HnswParams, Index, Metric, Vectors};
use hnsw_rs::prelude::{AnnT, DistDot, Hnsw as Peer};

const K: usize = 10;
const SEED: u64 = 20_261_125;

/// Real rows where they are at hand, else rows around centres.
fn rows() -> (String, Vectors, Vectors) {
    let folder = std::env::var("GYEOL_VECTORS").unwrap_or_else(|_| "../shared/vectors".to_owned());
    let folder = Path::new(&folder).join("text-384");
    if let (Ok(rows), Ok(queries)) = (npy::read(folder.join("base.f16.npy")), npy::read(folder.join("query.npy"))) {
        return ("text-384".to_owned(), unit(rows), unit(queries));
    }
    let mut state = SEED;
    let mut value = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f32) / (1u64 << 30) as f32 - 1.0
    };
    let (n, dim, centres) = (20_000, 128, 200);
    let middle: Vec<f32> = (0..centres * dim).map(|_| value()).collect();
    let mut rows = |n: usize| {
        let data = (0..n * dim).map(|i| middle[(i / dim % centres) * dim + i % dim] + value()).collect();
        unit(Vectors::new(data, dim).expect("whole rows"))
    };
    (format!("synthetic, seed {SEED}"), rows(n), rows(1000))
}

fn unit(mut rows: Vectors) -> Vectors {
    for i in 0..rows.len() {
        gyeol::vectors::normalize(rows.row_mut(i));
    }
    rows
}

/// Queries a second, one after the other on this thread (the best of three passes), and recall.
fn measure(queries: &Vectors, truth: &[Vec<u32>], mut search: impl FnMut(&[f32]) -> Vec<u32>) -> (f64, f64) {
    let (mut best, mut hits) = (0.0f64, 0);
    for _ in 0..3 {
        hits = 0;
        let started = Instant::now();
        let found: Vec<Vec<u32>> = queries.rows().map(&mut search).collect();
        best = best.max(queries.len() as f64 / started.elapsed().as_secs_f64());
        for (found, truth) in found.iter().zip(truth) {
            hits += found.iter().filter(|id| truth.contains(id)).count();
        }
    }
    (best, hits as f64 / (queries.len() * K) as f64)
}

fn ids(found: &[gyeol::Neighbor]) -> Vec<u32> {
    found.iter().map(|n| n.id).collect()
}

fn main() {
    let (name, rows, queries) = rows();
    println!("{name}: {} rows x {}, {} queries, k = {K}\n", rows.len(), rows.dim(), queries.len());
    let flat = Flat::new(&rows, Metric::Cosine).expect("rows");
    let truth: Vec<Vec<u32>> = queries.rows().map(|q| ids(&flat.search(q, K).expect("query"))).collect();

    let params = HnswParams::default();
    let started = Instant::now();
    let index = Hnsw::build(&rows, Metric::Cosine, &params).expect("rows");
    let ours = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let peer = Peer::<f32, DistDot>::new(params.m, rows.len(), 16, params.ef_construction, DistDot {});
    let slices: Vec<&[f32]> = rows.rows().collect();
    let numbered: Vec<(&[f32], usize)> = slices.iter().enumerate().map(|(i, row)| (*row, i)).collect();
    peer.parallel_insert_slice(&numbered);
    let theirs = started.elapsed().as_secs_f64();
    println!(
        "build, all cores, m = {}, ef_construction = {}: gyeol {ours:.1} s, hnsw_rs {theirs:.1} s, ratio {:.2}\n",
        params.m,
        params.ef_construction,
        theirs / ours
    );

    println!("| index | ef_search | recall@{K} | queries/s, 1 thread |\n|---|---|---|---|");
    let (rate, recall) = measure(&queries, &truth, |q| ids(&flat.search(q, K).expect("query")));
    println!("| gyeol flat | - | {recall:.4} | {rate:.0} |");
    for ef in [16, 32, 64, 128, 256] {
        let (rate, recall) =
            measure(&queries, &truth, |q| ids(&index.search_with(q, K, Effort::Ef(ef)).expect("query")));
        println!("| gyeol hnsw | {ef} | {recall:.4} | {rate:.0} |");
        let found = |q: &[f32]| peer.search_neighbours(q, K, ef).iter().map(|n| n.d_id as u32).collect();
        let (rate, recall) = measure(&queries, &truth, found);
        println!("| hnsw_rs | {ef} | {recall:.4} | {rate:.0} |");
    }
    crossover(&rows, &queries);
}

/// Exact search against the graph at default parameters, for growing numbers of rows.
fn crossover(rows: &Vectors, queries: &Vectors) {
    println!("\n| rows | exact us | graph us |\n|---|---|---|");
    for n in [500, 1000, 2000, 4000, 8000, 16_000] {
        let part = Vectors::new(rows.as_slice()[..n.min(rows.len()) * rows.dim()].to_vec(), rows.dim()).expect("rows");
        let flat = Flat::new(&part, Metric::Cosine).expect("rows");
        let params = HnswParams { graph_from_rows: 1, ..HnswParams::default() };
        let graph = Hnsw::build(&part, Metric::Cosine, &params).expect("rows");
        let micros = |index: &dyn Index| {
            let (rate, _) = measure(queries, &[], |q| ids(&index.search(q, K).expect("query")));
            1e6 / rate
        };
        println!("| {n} | {:.0} | {:.0} |", micros(&flat), micros(&graph));
    }
}
