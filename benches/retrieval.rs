//! Retrieval quality through the command line: nDCG@10 of `gyeol search --json` on judged collections, by meaning, by
//! words and by both, for whole documents and for several sizes of chunks.
//!
//!     cargo bench --bench retrieval

#[path = "../tests/corpora/mod.rs"]
mod corpora;
#[path = "../tests/judged/mod.rs"]
mod judged;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use judged::Judged;
use serde_json::Value;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    if !corpora::converted(dir.path()) {
        return;
    }
    println!("| collection | documents are | chunks | dense | lexical | hybrid | by ranks | index s |");
    println!("|---|---|---|---|---|---|---|---|");
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
    let queries = home.path().join("queries.txt");
    let lines: Vec<String> = set.queries.iter().map(|query| query.text.replace('\n', " ")).collect();
    std::fs::write(&queries, lines.join("\n")).expect("the queries");
    let queries = queries.to_str().expect("a UTF-8 path");
    let mean = |mode: &[&str]| {
        // A document may have many chunks among the best.
        let search = ["search", "--in", at, "-k", "100", "--json", "--queries", queries];
        let found = lines_of(&[&search[..], mode].concat());
        let keys = |found: &Value| {
            let hits = found["hits"].as_array().cloned().unwrap_or_default();
            hits.iter().filter_map(|hit| hit["key"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let all = set.queries.iter().zip(&found).map(|(query, found)| query.ndcg_at_10(keys(found)));
        format!("{:.1}", 100.0 * all.sum::<f64>() / set.queries.len() as f64)
    };
    let cut = if size == "whole" { "whole".to_owned() } else { format!("{size} tokens") };
    let [dense, lexical, hybrid] = ["--dense", "--lexical", "--hybrid"].map(|mode| mean(&[mode]));
    let ranks = mean(&["--hybrid", "--fusion", "ranks", "--lexical-weight", "0.5"]);
    let chunks = &report["chunks"]["added"];
    println!("| {name} | {cut} | {chunks} | {dense} | {lexical} | {hybrid} | {ranks} | {seconds:.1} |");
}

/// The lines that a run prints, each as JSON.
fn lines_of(args: &[&str]) -> Vec<Value> {
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_gyeol"))).args(args).output().expect("gyeol runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("gyeol {args:?}: {e}"))).collect()
}

fn gyeol(args: &[&str]) -> Value {
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_gyeol"))).args(args).output().expect("gyeol runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("gyeol {args:?}: {e}; {}", String::from_utf8_lossy(&output.stderr)))
}
