//! Vectors of your own: build a graph, save it, map it, and compare it with exact search.
//!
//!     cargo run --release --no-default-features --example bare_vectors

use gyeol::{Flat, Hnsw, HnswParams, Index, Metric, Vectors};

fn main() -> gyeol::Result<()> {
    // 10,000 points on a long spiral in 16 dimensions.
    let (n, dim) = (10_000, 16);
    let value =
        |row: usize, column: usize| ((row as f32) * 0.01 * (column + 1) as f32).sin() + (row + 1) as f32 / n as f32;
    let data = (0..n * dim).map(|i| value(i / dim, i % dim)).collect();
    let vectors = Vectors::new(data, dim)?;

    let path = std::env::temp_dir().join(format!("gyeol-example-{}.hnsw", std::process::id()));
    Hnsw::build(&vectors, Metric::Cosine, &HnswParams::default())?.save(&path)?;
    let index = Hnsw::open(&path)?; // mapped, not read
    let exact = Flat::new(&vectors, Metric::Cosine)?;

    let (mut found, k) = (0, 10);
    for row in (0..n).step_by(100) {
        let truth = exact.search(vectors.row(row), k)?;
        let near = index.search(vectors.row(row), k)?;
        found += near.iter().filter(|a| truth.iter().any(|b| a.id == b.id)).count();
    }
    println!("recall@{k} {:.4} over {} rows of {dim} values", found as f64 / (k * n / 100) as f64, index.len());
    drop(index);
    let _ = std::fs::remove_file(path);
    Ok(())
}
