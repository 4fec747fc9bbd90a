//! Distance kernels: every instruction set of this machine beside the scalar oracle.
//!
//!     cargo bench --bench kernels

use std::hint::black_box;
use std::time::Instant;

use gyeol::metric::{Kernels, QueryCodes, scalar};

const ROUNDS: usize = 5;
/// Bytes of the rows that are passed over: they fit into the second-level cache.
const CACHED: usize = 256 * 1024;

/// Nanoseconds a row; the best of the rounds. `pass` compares every row with the query once.
fn nanoseconds(rows: usize, dim: usize, mut pass: impl FnMut() -> f32) -> f64 {
    let passes = 20_000_000 / (rows * dim) + 1;
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut sum = 0.0;
        for _ in 0..passes {
            sum += pass();
        }
        black_box(sum);
        best = best.min(started.elapsed().as_secs_f64() * 1e9 / (passes * rows) as f64);
    }
    best
}

/// Nanoseconds for a kernel that compares two rows of numbers.
fn pairs<T: Copy>(dim: usize, value: impl Fn(usize) -> T, call: impl Fn(&[f32], &[T]) -> f32) -> f64 {
    let rows = (CACHED / (size_of::<T>() * dim)).max(2);
    let data: Vec<T> = (0..rows * dim).map(value).collect();
    let query: Vec<f32> = (0..dim).map(|i| (i as f32 * 0.91).cos()).collect();
    nanoseconds(rows, dim, || data.chunks_exact(dim).map(|row| call(black_box(&query), row)).sum())
}

/// Nanoseconds for a kernel of codes, which takes four rows at a time.
fn codes(dim: usize, call: impl Fn(&QueryCodes, [&[u8]; 4]) -> [i32; 4]) -> f64 {
    let rows = (CACHED / dim).max(4) / 4 * 4;
    let data: Vec<u8> = (0..rows * dim).map(|i| (i * 37 % 255) as u8 + 1).collect();
    let query = QueryCodes::new((0..dim).map(|i| (i * 91 % 255) as u8 as i8).collect());
    nanoseconds(rows, dim, || {
        let fours = data.chunks_exact(4 * dim).map(|four| {
            let row = |i: usize| &four[i * dim..(i + 1) * dim];
            call(black_box(&query), [row(0), row(1), row(2), row(3)])[3] as f32
        });
        fours.sum()
    })
}

fn main() {
    println!("Nanoseconds a row, and how many times faster than the oracle.\n");
    println!("| dim | kernels | dot f32 | L2 f32 | dot f16 | L2 f16 | codes |");
    println!("|---|---|---|---|---|---|---|");
    for dim in [64, 100, 256, 384, 768, 1536] {
        let wide = |i: usize| (i as f32 * 0.37).sin();
        // Some half between 1 and 2.
        let half = |i: usize| 0x3C00 | (i * 37 % 1024) as u16;
        let oracle = [
            pairs(dim, wide, scalar::dot),
            pairs(dim, wide, scalar::l2_squared),
            pairs(dim, half, scalar::dot_f16),
            pairs(dim, half, scalar::l2_squared_f16),
            codes(dim, |q, rows| rows.map(|row| scalar::dot_codes(q.values(), row))),
        ];
        let cells: Vec<String> = oracle.iter().map(|o| format!("{o:.1} (1.0)")).collect();
        println!("| {dim} | oracle | {} |", cells.join(" | "));
        for kernels in Kernels::available().into_iter().filter(|k| k.name() != "scalar") {
            let own = [
                pairs(dim, wide, |a, b| kernels.dot(a, b)),
                pairs(dim, wide, |a, b| kernels.l2_squared(a, b)),
                pairs(dim, half, |a, b| kernels.dot_f16(a, b)),
                pairs(dim, half, |a, b| kernels.l2_squared_f16(a, b)),
                codes(dim, |q, rows| kernels.dot_codes(q, rows)),
            ];
            let cells: Vec<String> = own.iter().zip(oracle).map(|(k, o)| format!("{k:.1} ({:.1})", o / k)).collect();
            println!("| {dim} | {} | {} |", kernels.name(), cells.join(" | "));
        }
    }
}
