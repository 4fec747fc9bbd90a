//! Distance kernels beside numkong's: nanoseconds a comparison on rows in the second-level cache,
//! and on a buffer that no cache holds.
//!
//!     cargo bench -p gyeol-peers --bench kernels

use std::hint::black_box;
use std::time::Instant;

use gyeol::metric::{Kernels, QueryCodes};
use numkong::{Angular, Dot, Dots, Euclidean, PackedMatrix, StorageElement, Tensor, f16};

const ROUNDS: usize = 5;
const DIMS: [usize; 4] = [100, 384, 768, 1536];
/// Bytes of the rows that are passed over: they fit into the second-level cache.
const CACHED: usize = 256 * 1024;
/// Bytes that no cache holds, twice over.
const LARGE: usize = 256 * 1024 * 1024;
/// Values that the rows repeat: making all of them anew would take longer than the benches.
const DISTINCT: usize = 1 << 16;

const SHAPES: &str = "rows of one length";

/// A pass over all rows; its number keeps the compiler from leaving it out.
type Pass<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// Nanoseconds a comparison: ours, numkong's row by row, and numkong's product.
type Times = [f64; 3];

/// Where rows lie.
#[derive(Clone, Copy)]
struct Place {
    bytes: usize,
    /// Of two large buffers one is read up to a fifth faster, by where the system put its pages.
    ours_first: bool,
}

/// A query and rows, as our kernels want them and as numkong's do, both aligned to cache lines.
struct Pair<A: StorageElement, B: Dots> {
    dim: usize,
    n: usize,
    ours: Tensor<A>,
    query: Vec<f32>,
    theirs: Tensor<B>,
    their_query: Vec<B>,
    packed: PackedMatrix<B>,
}

impl<A: StorageElement, B: Dots> Pair<A, B> {
    fn new(place: Place, dim: usize, ours: impl Fn(usize) -> A, theirs: impl Fn(usize) -> B) -> Self {
        let n = (place.bytes / (size_of::<A>() * dim)).max(4) / 4 * 4;
        let their_query: Vec<B> = (0..dim).map(|i| theirs(i * 7 + 3)).collect();
        let early = place.ours_first.then(|| filled(n, dim, &ours));
        let their_rows = filled(n, dim, theirs);
        Pair {
            dim,
            n,
            ours: early.unwrap_or_else(|| filled(n, dim, ours)),
            query: (0..dim).map(|i| wide(i * 7 + 3)).collect(),
            theirs: their_rows,
            packed: PackedMatrix::try_pack(&Tensor::<B>::from_slice(&their_query, &[1, dim])).expect("memory"),
            their_query,
        }
    }

    fn each<'a>(&'a self, call: impl Fn(&[f32], &[A]) -> f32 + 'a) -> Pass<'a> {
        let rows = self.ours.as_slice().chunks_exact(self.dim);
        Box::new(move || rows.clone().map(|row| f64::from(call(black_box(&self.query), row))).sum())
    }

    fn their_each<'a>(&'a self, call: impl Fn(&[B], &[B]) -> f64 + 'a) -> Pass<'a> {
        let rows = self.theirs.as_slice().chunks_exact(self.dim);
        Box::new(move || rows.clone().map(|row| call(black_box(&self.their_query), row)).sum())
    }

    /// All rows by the query's column, in one call.
    fn product<'a, R: StorageElement + 'static>(
        &'a self,
        call: impl Fn(&Tensor<B>, &PackedMatrix<B>, &mut Tensor<R>) + 'a,
    ) -> Pass<'a> {
        let mut out = Tensor::<R>::try_full(&[self.n, 1], R::default()).expect("memory");
        Box::new(move || {
            call(black_box(&self.theirs), &self.packed, &mut out);
            black_box(out.as_slice());
            0.0
        })
    }

    /// Ours, numkong's row by row, and numkong's product.
    fn contest(&self, mut contest: [Pass; 3]) -> Times {
        let passes = 20_000_000 / (self.n * self.dim) + 1;
        let mut best = [f64::MAX; 3];
        for _ in 0..ROUNDS {
            for (best, pass) in best.iter_mut().zip(&mut contest) {
                let started = Instant::now();
                black_box((0..passes).map(|_| pass()).sum::<f64>());
                *best = best.min(started.elapsed().as_secs_f64() * 1e9 / (passes * self.n) as f64);
            }
        }
        best
    }
}

fn filled<T: StorageElement>(n: usize, dim: usize, value: impl Fn(usize) -> T) -> Tensor<T> {
    let front: Vec<T> = (0..DISTINCT).map(value).collect();
    let mut rows = Tensor::<T>::try_full(&[n, dim], T::default()).expect("memory");
    rows.as_mut_slice().iter_mut().enumerate().for_each(|(i, value)| *value = front[i % DISTINCT]);
    rows
}

fn wide(i: usize) -> f32 {
    (i as f32 * 0.37).sin()
}

fn floats(kernels: Kernels, place: Place, dim: usize) -> [Times; 3] {
    let pair = Pair::<f32, f32>::new(place, dim, wide, wide);
    let dot = [
        pair.each(move |a, b| kernels.dot(a, b)),
        pair.their_each(|a, b| f32::dot(a, b).expect(SHAPES)),
        pair.product::<f64>(|a, b, out| a.try_dots_packed_into(b, out).expect(SHAPES)),
    ];
    let l2 = [
        pair.each(move |a, b| kernels.l2_squared(a, b)),
        pair.their_each(|a, b| f32::sqeuclidean(a, b).expect(SHAPES)),
        pair.product::<f64>(|a, b, out| a.try_euclideans_packed_into(b, out).expect(SHAPES)),
    ];
    let cosine = [
        pair.each(move |a, b| 1.0 - kernels.dot(a, b)),
        pair.their_each(|a, b| f32::angular(a, b).expect(SHAPES)),
        pair.product::<f64>(|a, b, out| a.try_angulars_packed_into(b, out).expect(SHAPES)),
    ];
    [dot, l2, cosine].map(|contest| pair.contest(contest))
}

fn halves(kernels: Kernels, place: Place, dim: usize) -> [Times; 3] {
    let half = |i: usize| f16::from_f32(wide(i));
    let pair = Pair::<u16, f16>::new(place, dim, |i| half(i).0, half);
    let dot = [
        pair.each(move |a, b| kernels.dot_f16(a, b)),
        pair.their_each(|a, b| f64::from(f16::dot(a, b).expect(SHAPES))),
        pair.product::<f32>(|a, b, out| a.try_dots_packed_into(b, out).expect(SHAPES)),
    ];
    let l2 = [
        pair.each(move |a, b| kernels.l2_squared_f16(a, b)),
        pair.their_each(|a, b| f64::from(f16::sqeuclidean(a, b).expect(SHAPES))),
        pair.product::<f32>(|a, b, out| a.try_euclideans_packed_into(b, out).expect(SHAPES)),
    ];
    let cosine = [
        pair.each(move |a, b| 1.0 - kernels.dot_f16(a, b)),
        pair.their_each(|a, b| f64::from(f16::angular(a, b).expect(SHAPES))),
        pair.product::<f32>(|a, b, out| a.try_angulars_packed_into(b, out).expect(SHAPES)),
    ];
    [dot, l2, cosine].map(|contest| pair.contest(contest))
}

/// Ours take four rows at a time, with 128 for zero.
fn codes(kernels: Kernels, place: Place, dim: usize) -> [Times; 1] {
    let code = |i: usize| (wide(i) * 127.0) as i8;
    let pair = Pair::<u8, i8>::new(place, dim, |i| code(i) as u8 ^ 128, code);
    let query = QueryCodes::new(pair.their_query.clone());
    let fours = pair.ours.as_slice().chunks_exact(4 * dim);
    let four = |four: &[u8]| {
        let row = |i: usize| &four[i * dim..(i + 1) * dim];
        let dots = kernels.dot_codes(black_box(&query), [row(0), row(1), row(2), row(3)]);
        f64::from(dots.into_iter().sum::<i32>())
    };
    [pair.contest([
        Box::new(move || fours.clone().map(four).sum()),
        pair.their_each(|a, b| f64::from(i8::dot(a, b).expect(SHAPES))),
        pair.product::<i32>(|a, b, out| a.try_dots_packed_into(b, out).expect(SHAPES)),
    ])]
}

fn main() {
    const NAMES: [&str; 7] = ["f32 dot", "f32 L2", "f32 cosine", "f16 dot", "f16 L2", "f16 cosine", "i8 dot"];
    // Lets numkong use the matrix unit, where there is one.
    numkong::configure_thread();
    let kernels = Kernels::detect();
    println!(
        "gyeol by {}; nanoseconds a comparison, best of {ROUNDS} turns; ratios are gyeol / numkong",
        kernels.name()
    );
    for (name, bytes) in [("the second-level cache", CACHED), ("memory", LARGE)] {
        println!("\nrows in {name} ({} KiB)\n", bytes / 1024);
        println!("| kernel | dim | gyeol | numkong | ratio | numkong, all rows in a call | ratio |");
        println!("|---|---|---|---|---|---|---|");
        for dim in DIMS {
            let [first, second] = [true, false].map(|ours_first| {
                let place = Place { bytes, ours_first };
                let (floats, halves) = (floats(kernels, place, dim), halves(kernels, place, dim));
                [&floats[..], &halves[..], &codes(kernels, place, dim)[..]].concat()
            });
            for (name, (first, second)) in NAMES.into_iter().zip(first.iter().zip(&second)) {
                let [ours, each, product] = [0, 1, 2].map(|i| (first[i] + second[i]) / 2.0);
                let (to_each, to_product) = (ours / each, ours / product);
                println!("| {name} | {dim} | {ours:.1} | {each:.1} | {to_each:.2} | {product:.1} | {to_product:.2} |");
            }
        }
    }
}
