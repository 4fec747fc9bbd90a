//! Recall of the graph against brute force, on real vectors.

use std::io::Write;
use std::path::Path;

use gyeol::vectors::npy;
use gyeol::{Effort, Flat, Hnsw, HnswParams, Index, Layout, Metric, Vectors};

/// The part of the true `k` nearest that is found.
fn recall(index: &Hnsw, queries: &Vectors, effort: Effort, truth: impl Fn(usize) -> Vec<u32>, k: usize) -> f64 {
    let found = index.search_many_with(queries.view(), k, effort).unwrap();
    let hits: usize = found
        .iter()
        .enumerate()
        .map(|(i, found)| {
            let truth = truth(i);
            found.iter().filter(|n| truth.contains(&n.id)).count()
        })
        .sum();
    hits as f64 / (queries.len() * k) as f64
}

/// Every line of the articles in `data/library`, embedded by the built-in model.
#[cfg(feature = "cli")]
#[test]
fn lines_of_the_library() {
    use gyeol::embed::{Role, builtin, embed_many};

    let walk = gyeol::text::walk(Path::new("data/library"), None).unwrap();
    let texts: Vec<String> = walk.entries.iter().map(|e| std::fs::read_to_string(&e.path).unwrap()).collect();
    let mut lines: Vec<&str> = texts.iter().flat_map(|t| t.lines()).filter(|l| l.len() > 30).collect();
    lines.sort_unstable();
    lines.dedup();
    let rows = embed_many(&builtin(), &lines, Role::Document).unwrap().vectors;
    assert!(rows.len() > 500, "{} lines", rows.len());
    let params = HnswParams { graph_from_rows: 1, ..HnswParams::default() };
    println!("{} lines, seed {}", rows.len(), params.seed);
    let index = Hnsw::build(&rows, Metric::Cosine, &params).unwrap();
    let exact = Flat::new(&rows, Metric::Cosine).unwrap();
    let truth = |i: usize| exact.search(rows.row(i), 10).unwrap().iter().map(|n| n.id).collect();
    let recall = recall(&index, &rows, Effort::Ef(128), truth, 10);
    println!("recall@10 {recall:.4}");
    assert!(recall >= 0.99);
}

/// MiniLM embeddings of 40,000 glosses, with the neighbours that NumPy found.
#[test]
fn sentence_embeddings() {
    let folder = std::env::var("GYEOL_VECTORS").unwrap_or_else(|_| "../shared/vectors".to_owned());
    let folder = Path::new(&folder).join("text-384");
    if !folder.is_dir() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no vectors at {} (set GYEOL_VECTORS)", folder.display());
        return;
    }
    let rows = npy::read(folder.join("base.f16.npy")).unwrap();
    let queries = npy::read(folder.join("query.npy")).unwrap();
    let (truth, columns) = npy::read_ids(folder.join("gt100.npy")).unwrap();
    let nearest =
        |i: usize, k: usize| truth[i * columns..i * columns + k].iter().map(|&id| id as u32).collect::<Vec<_>>();

    let exact = Flat::new(&rows, Metric::Cosine).unwrap();
    for i in (0..queries.len()).step_by(50) {
        let found: Vec<u32> = exact.search(queries.row(i), 10).unwrap().iter().map(|n| n.id).collect();
        let same = found.iter().filter(|id| nearest(i, 10).contains(id)).count();
        assert!(same >= 9, "query {i}: {found:?}; rounding may swap the tenth, and no more");
    }
    for (layout, effort) in [(Layout::Graph, 128), (Layout::Partitions, 256)] {
        let params = HnswParams { layout, ..HnswParams::default() };
        println!("{layout:?}, seed {}", params.seed);
        let index = Hnsw::build(&rows, Metric::Cosine, &params).unwrap();
        for k in [1, 10, 100] {
            for asked in [0.9, 0.95, 0.98] {
                let got = recall(&index, &queries, Effort::Recall(asked), |i| nearest(i, k), k);
                println!("asked for recall@{k} {asked}: got {got:.4} over {} rows", rows.len());
                assert!(got >= f64::from(asked) - 0.015, "asked for {asked}, got {got}");
            }
        }
        let got = recall(&index, &queries, Effort::Ef(effort), |i| nearest(i, 10), 10);
        println!("ef {effort}: recall@10 {got:.4}");
        assert!(got >= 0.99);
        unlike(&index, &exact, &rows, &queries);
    }
}

/// Queries of other kinds than the rows: what recall they get when 0.95 is asked for, and what they
/// would get with the effort that rows need.
fn unlike(index: &Hnsw, exact: &Flat, rows: &Vectors, queries: &Vectors) {
    let dim = rows.dim();
    let mean: Vec<f32> = (0..dim).map(|j| rows.rows().map(|row| row[j]).sum::<f32>() / rows.len() as f32).collect();
    let place = |i: usize| (i * 7919) % rows.len();
    let value = |kind: &str, i: usize, j: usize| match kind {
        "opposite" => 2.0 * mean[j] - queries.row(i)[j],
        "reversed columns" => queries.row(i)[dim - 1 - j],
        "eight rows at once" => (0..8).map(|n| rows.row(place(8 * i + n))[j]).sum(),
        _ => rows.row(place(2 * i))[j] + rows.row(place(2 * i + 1))[j],
    };
    // The last kind is halfway between two kinds that the index knows, and is not told from them.
    let kinds =
        [("opposite", 0.93), ("reversed columns", 0.93), ("eight rows at once", 0.92), ("two rows at once", 0.8)];
    for (kind, least) in kinds {
        let values = (0..200).flat_map(|i| (0..dim).map(move |j| (i, j))).map(|(i, j)| value(kind, i, j));
        let asked = Vectors::new(values.collect(), dim).unwrap();
        let truth = exact.search_many(asked.view(), 10).unwrap();
        let ids = |i: usize| truth[i].iter().map(|n| n.id).collect();
        let got = recall(index, &asked, Effort::default(), ids, 10);
        let (_, work) = index.search_explained(queries.row(0), 10, Effort::default()).unwrap();
        let plain = recall(index, &asked, Effort::Ef(work.ef), ids, 10);
        println!("{kind}: recall@10 {got:.4} when 0.95 is asked for, {plain:.4} with ef {}", work.ef);
        assert!(got >= least, "{kind}: {got}");
    }
}
