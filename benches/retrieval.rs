//! Retrieval quality through the command line: nDCG@10 of `gyeol search --json` on judged
//! collections, for whole documents and for several sizes of chunks.
//!
//!     cargo bench --bench retrieval

#[path = "../tests/corpora/mod.rs"]
mod corpora;
#[path = "../tests/judged/mod.rs"]
mod judged;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use judged::{Judged, Query};
use rayon::prelude::*;
use serde_json::Value;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    if !corpora::converted(dir.path()) {
        return;
    }
    println!("| collection | documents are | chunks | nDCG@10 dense | nDCG@10 lexical | index s |");
    println!("|---|---|---|---|---|---|");
    for name in ["cranfield", "korquad"] {
        let set = Judged::load(&dir.path().join(name));
        for size in ["whole", "32", "64", "96", "128", "192", "256", "512"] {
            measure(name, &set, size);
        }
    }
}

fn measure(name: &str, set: &Judged, size: &str) {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(&set.docs, home.path().join("docs.jsonl")).expect("the documents");
    let at = home.path().to_str().expect("a UTF-8 path");
    let cut: &[&str] = if size == "whole" { &["--whole"] } else { &["--chunk-tokens", size] };
    let started = Instant::now();
    let report = gyeol(&[&["index", at, "--json"], cut].concat());
    let seconds = started.elapsed().as_secs_f64();
    let mean = |mode: &str| {
        // A document may have many chunks among the best.
        let ndcg = |query: &Query| {
            let found = gyeol(&["search", "--in", at, "-k", "100", "--json", mode, "--", &query.text]);
            let hits = found["hits"].as_array().cloned().unwrap_or_default();
            query.ndcg_at_10(hits.iter().filter_map(|hit| hit["key"].as_str().map(str::to_owned)))
        };
        100.0 * set.queries.par_iter().map(ndcg).sum::<f64>() / set.queries.len() as f64
    };
    let cut = if size == "whole" { "whole".to_owned() } else { format!("{size} tokens") };
    let lexical = if matches!(size, "whole" | "64") { format!("{:.1}", mean("--lexical")) } else { "-".to_owned() };
    let dense = mean("--dense");
    println!("| {name} | {cut} | {} | {dense:.1} | {lexical} | {seconds:.1} |", report["chunks"]["added"]);
}

fn gyeol(args: &[&str]) -> Value {
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_gyeol"))).args(args).output().expect("gyeol runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("gyeol {args:?}: {e}; {}", String::from_utf8_lossy(&output.stderr)))
}
