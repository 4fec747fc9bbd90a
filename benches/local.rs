//! Lines a second of a sentence transformer from a folder, by length.
//!
//! `cargo bench --bench local -- FOLDER [FILE]` embeds 256 lines of FILE, or 256 lines of `data/library` of mixed length in
//! both languages. `RAYON_NUM_THREADS=n` bounds the threads. `benches/local_peer.py` does the same with onnxruntime.

use std::path::PathBuf;
use std::time::Instant;

use gyeol::embed::{Embedder, Local, LocalOptions, Role, embed_many};

/// Lines that are embedded in one call.
const LINES: usize = 256;
/// The fastest counts.
const ROUNDS: usize = 5;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from);
    let folder = args.next().expect("name the folder of a model");
    let lines = match args.next() {
        Some(file) => std::fs::read_to_string(file).expect("lines").lines().take(LINES).map(str::to_owned).collect(),
        None => library(),
    };
    let model = Local::open(&folder, &LocalOptions::default()).expect("a model");
    let mut lengths: Vec<usize> = lines.iter().map(|line| model.count_tokens(line)).collect();
    lengths.sort_unstable();
    let time = |_| {
        let started = Instant::now();
        let answer = embed_many(&model, &lines, Role::Document).expect("vectors");
        assert_eq!(answer.missing(), 0);
        started.elapsed().as_secs_f64()
    };
    let best = (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min);
    let tokens: usize = lengths.iter().sum();
    println!(
        "{} lines, {tokens} tokens (median {}, longest {}): {:.1} lines/s, {:.0} tokens/s",
        lines.len(),
        lengths[lengths.len() / 2],
        lengths[lengths.len() - 1],
        lines.len() as f64 / best,
        tokens as f64 / best
    );
}

/// Lines of the articles, evenly over all of them.
fn library() -> Vec<String> {
    let walk = gyeol::text::walk(std::path::Path::new("data/library"), None).expect("the library");
    let texts: Vec<String> = walk.entries.iter().filter_map(|e| std::fs::read_to_string(&e.path).ok()).collect();
    let lines: Vec<&str> = texts.iter().flat_map(|t| t.lines()).map(str::trim).filter(|s| s.len() > 20).collect();
    let step = (lines.len() / LINES).max(1);
    lines.into_iter().step_by(step).take(LINES).map(str::to_owned).collect()
}
