//! Distance kernels: every instruction set of this machine beside the scalar oracle.
//!
//!     cargo bench --bench kernels

use std::hint::black_box;
use std::time::Instant;

use gyeol::metric::{Kernels, scalar};

const ROUNDS: usize = 5;

/// Nanoseconds a call over rows that fit into the second-level cache; the best of the rounds.
fn nanoseconds(dim: usize, call: impl Fn(&[f32], &[f32]) -> f32) -> f64 {
    let rows = (256 * 1024 / (4 * dim)).max(2);
    let data: Vec<f32> = (0..rows * dim).map(|i| (i as f32 * 0.37).sin()).collect();
    let query: Vec<f32> = (0..dim).map(|i| (i as f32 * 0.91).cos()).collect();
    let passes = 20_000_000 / (rows * dim) + 1;
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut sum = 0.0;
        for _ in 0..passes {
            for row in data.chunks_exact(dim) {
                sum += call(black_box(&query), row);
            }
        }
        black_box(sum);
        best = best.min(started.elapsed().as_secs_f64() * 1e9 / (passes * rows) as f64);
    }
    best
}

fn main() {
    println!("| dim | kernels | dot ns | times the oracle | L2 ns | times the oracle |");
    println!("|---|---|---|---|---|---|");
    for dim in [64, 100, 256, 384, 768, 1536] {
        let (dot, l2) = (nanoseconds(dim, scalar::dot), nanoseconds(dim, scalar::l2_squared));
        println!("| {dim} | oracle | {dot:.1} | 1.0 | {l2:.1} | 1.0 |");
        for kernels in Kernels::available() {
            let d = nanoseconds(dim, |a, b| kernels.dot(a, b));
            let l = nanoseconds(dim, |a, b| kernels.l2_squared(a, b));
            println!("| {dim} | {} | {d:.1} | {:.1} | {l:.1} | {:.1} |", kernels.name(), dot / d, l2 / l);
        }
    }
}
