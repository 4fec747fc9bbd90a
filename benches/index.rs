//! Indexing a folder of real texts: throughput, and where the time goes.
//!
//!     cargo bench --bench index

#[path = "../tests/corpora/mod.rs"]
mod corpora;

use std::path::Path;
use std::time::Instant;

use gyeol::Collection;
use gyeol::embed::{Embedder, Role, builtin, embed_many};
use gyeol::text::{self, ChunkSize, Chunker, Fields};
use gyeol::{Hnsw, HnswParams, Metric, Vectors};
use rayon::prelude::*;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let converted = corpora::converted(dir.path());
    let folder = if converted { dir.path() } else { Path::new("data/library") };
    for name in ["queries.jsonl", "qrels.tsv"] {
        for set in ["cranfield", "korquad"] {
            let _ = std::fs::remove_file(folder.join(set).join(name));
        }
    }
    // The first run loads the tokeniser and warms the file cache.
    let _ = run(folder);
    let rounds: Vec<[f64; 7]> = (0..5).map(|_| run(folder)).collect();
    let median = |i: usize| {
        let mut times: Vec<f64> = rounds.iter().map(|r| r[i]).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (bytes, chunks, total) = (median(0), median(1), median(6));
    println!("{:.2} MB, {chunks} chunks, {} cores", bytes / 1e6, rayon::current_num_threads());
    println!("whole run: {total:.2} s, {:.1} MB/s, {:.0} chunks/s\n", bytes / 1e6 / total, chunks / total);
    println!("| step | s | part |\n|---|---|---|");
    let mut rest = total;
    for (name, i) in [("read and parse", 2), ("chunk", 3), ("embed", 4), ("graph", 5)] {
        let seconds = median(i);
        rest -= seconds;
        println!("| {name} | {seconds:.3} | {:.0} % |", 100.0 * seconds / total);
    }
    println!("| store, words, commit (the rest) | {rest:.3} | {:.0} % |", 100.0 * rest / total);
}

/// `[bytes, chunks, read s, chunk s, embed s, graph s, whole run s]`: the steps one by one on all
/// cores, and then the whole run as a user makes it.
fn run(folder: &Path) -> [f64; 7] {
    let model = builtin();
    let started = Instant::now();
    let walk = text::walk(folder, None).expect("the folder");
    let files: Vec<_> = walk.entries.par_iter().filter_map(|e| text::read(e, &Fields::default()).ok()).collect();
    let read = started.elapsed().as_secs_f64();
    let bytes: u64 = files.iter().map(|f| f.len).sum();

    let started = Instant::now();
    let count = |text: &str| model.count_tokens(text);
    let chunker = Chunker::new(ChunkSize::default(), &count).expect("a size");
    let documents: Vec<_> = files.iter().flat_map(|f| &f.documents).collect();
    let texts: Vec<String> = documents.par_iter().flat_map_iter(|d| chunker.chunks(d)).map(|c| c.text).collect();
    let chunk = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let vectors: Vectors = embed_many(&model, &texts, Role::Document).expect("vectors").vectors;
    let embed = started.elapsed().as_secs_f64();

    let started = Instant::now();
    Hnsw::build(&vectors, Metric::Cosine, &HnswParams::default()).expect("a graph");
    let graph = started.elapsed().as_secs_f64();

    let home = tempfile::tempdir().expect("a temporary folder");
    let started = Instant::now();
    let mut collection = Collection::open_or_create(home.path().join(".gyeol"), builtin()).expect("a collection");
    let report = collection.add_dir(folder).expect("the folder");
    collection.commit().expect("a commit");
    assert_eq!(report.chunks_added, texts.len() as u64);
    [bytes as f64, texts.len() as f64, read, chunk, embed, graph, started.elapsed().as_secs_f64()]
}
