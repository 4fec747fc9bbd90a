//! Recall against brute force, determinism, and what the door refuses.

use std::fs;

use super::*;
use crate::error::{StoreError, VectorsError};
use crate::vectors::Vectors;

const SEED: u64 = 20_261_124;

/// Gaussian rows around `centres` centres: what real embeddings look like more than plain noise.
fn clustered(n: usize, dim: usize, centres: usize, seed: u64) -> Vectors {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f32 + 0.5) / (1u64 << 31) as f32
    };
    let mut gauss = move || (-2.0 * uniform().ln()).sqrt() * (std::f32::consts::TAU * uniform()).cos();
    let middle: Vec<f32> = (0..centres * dim).map(|_| 2.0 * gauss()).collect();
    let mut data = Vec::with_capacity(n * dim);
    for row in 0..n {
        let centre = row % centres;
        data.extend(middle[centre * dim..(centre + 1) * dim].iter().map(|c| c + gauss()));
    }
    Vectors::new(data, dim).unwrap()
}

/// Default parameters, with a graph at any number of rows.
fn graph() -> HnswParams {
    HnswParams { graph_from_rows: 1, ..HnswParams::default() }
}

fn recall(index: &Hnsw, exact: &Flat, queries: &Vectors, k: usize) -> f64 {
    let mut hits = 0;
    for query in queries.rows() {
        let want: Vec<u32> = exact.search(query, k).unwrap().iter().map(|n| n.id).collect();
        hits += index.search(query, k).unwrap().iter().filter(|n| want.contains(&n.id)).count();
    }
    hits as f64 / (queries.len() * k) as f64
}

#[test]
fn recall_against_brute_force_on_every_metric() {
    println!("seed {SEED}");
    let rows = clustered(6000, 32, 60, SEED);
    let queries = clustered(200, 32, 60, SEED);
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let index = Hnsw::build(&rows, metric, &graph()).unwrap();
        let exact = Flat::new(&rows, metric).unwrap();
        let r = recall(&index, &exact, &queries, 10);
        println!("{metric}: recall@10 {r:.4}");
        assert!(r >= 0.97, "{metric}: recall@10 {r}");
    }
}

#[test]
fn distances_are_what_the_metric_says() {
    let rows = clustered(500, 7, 5, SEED);
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let index = Hnsw::build(&rows, metric, &graph()).unwrap();
        let query = rows.row(3).iter().map(|x| x + 0.25).collect::<Vec<_>>();
        for n in index.search(&query, 10).unwrap() {
            let row = rows.row(n.id as usize);
            let pairs = || row.iter().zip(&query).map(|(&a, &b)| (f64::from(a), f64::from(b)));
            let dot: f64 = pairs().map(|(a, b)| a * b).sum();
            let want = match metric {
                Metric::Cosine => 1.0 - dot / (crate::vectors::norm(row) * crate::vectors::norm(&query)),
                Metric::Dot => -dot,
                Metric::L2 => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            };
            assert!((f64::from(n.distance) - want).abs() < 1e-4, "{metric}: {} for {want}", n.distance);
        }
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let rows = clustered(9000, 16, 20, SEED);
    let build = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("v.hnsw");
        pool.install(|| Hnsw::build(&rows, Metric::L2, &graph()).unwrap().save(&file).unwrap());
        fs::read(&file).unwrap()
    };
    let one = build(1);
    assert!(one == build(2) && one == build(4));
    let other_seed = HnswParams { seed: 7, ..graph() };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    Hnsw::build(&rows, Metric::L2, &other_seed).unwrap().save(&file).unwrap();
    assert!(one != fs::read(&file).unwrap(), "the seed reaches the graph");
}

#[test]
fn a_mapped_index_answers_like_the_built_one() {
    let rows = clustered(3000, 24, 20, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let built = Hnsw::build(&rows, metric, &graph()).unwrap();
        built.save(&file).unwrap();
        let mapped = Hnsw::open(&file).unwrap();
        mapped.verify().unwrap();
        assert_eq!((mapped.len(), mapped.dim(), mapped.metric()), (3000, 24, metric));
        for query in rows.rows().step_by(100) {
            assert_eq!(mapped.search(query, 10).unwrap(), built.search(query, 10).unwrap());
            assert_eq!(
                mapped.search_with(query, 10, Effort::Exact).unwrap(),
                built.search_with(query, 10, Effort::Exact).unwrap()
            );
        }
    }
}

#[test]
fn equal_rows_are_all_found() {
    let mut data = vec![];
    for row in 0..3000 {
        data.extend(if row % 3 == 0 { [1.0, 2.0, 3.0] } else { [row as f32, 1.0, -(row as f32)] });
    }
    let rows = Vectors::new(data, 3).unwrap();
    for metric in [Metric::Cosine, Metric::L2] {
        let index = Hnsw::build(&rows, metric, &graph()).unwrap();
        let found = index.search(&[1.0, 2.0, 3.0], 1000).unwrap();
        let equal = found.iter().filter(|n| n.id % 3 == 0).count();
        assert!(equal >= 990, "{metric}: {equal} of 1000 equal rows");
        let all = index.search(&[1.0, 2.0, 3.0], 5000).unwrap();
        assert_eq!(all.len(), 3000, "k over n gives every row");
    }
}

#[test]
fn every_row_is_reachable() {
    for (n, dim, centres) in [(1, 3, 1), (2, 3, 1), (17, 3, 2), (2500, 2, 3), (4000, 40, 400)] {
        let rows = clustered(n, dim, centres, SEED + n as u64);
        let index = Hnsw::build(&rows, Metric::L2, &graph()).unwrap();
        let missed = rows.rows().enumerate().filter(|(i, row)| {
            let found = index.search_with(row, 1, Effort::Ef(400)).unwrap();
            found[0].id != *i as u32 && found[0].distance > 0.0
        });
        assert_eq!(missed.count(), 0, "n {n}, dim {dim}");
    }
}

#[test]
fn the_door_names_what_it_refuses() {
    let good = clustered(20, 4, 2, SEED);
    let with = |row: usize, column: usize, value: f32| {
        let mut bad = good.clone();
        bad.row_mut(row)[column] = value;
        bad
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let built = Hnsw::build(&with(7, 2, value), Metric::L2, &graph());
        let named = matches!(built, Err(IndexError::Vectors(VectorsError::NotFinite { row: 7, column: 2, .. })));
        assert!(named);
        assert!(Flat::new(&with(7, 2, value), Metric::Dot).is_err());
    }
    let mut zero = good.clone();
    zero.row_mut(5).fill(0.0);
    let built = Hnsw::build(&zero, Metric::Cosine, &graph());
    assert!(matches!(built, Err(IndexError::Vectors(VectorsError::ZeroNorm { row: 5 }))));
    assert!(Hnsw::build(&zero, Metric::L2, &graph()).is_ok());

    let indexes: [Box<dyn Index>; 2] = [
        Box::new(Hnsw::build(&good, Metric::Cosine, &graph()).unwrap()),
        Box::new(Flat::new(&good, Metric::Cosine).unwrap()),
    ];
    for index in &indexes {
        assert!(matches!(index.search(good.row(0), 0), Err(IndexError::ZeroK)));
        let wrong = index.search(&[1.0; 5], 1);
        assert!(matches!(wrong, Err(IndexError::Query(VectorsError::Dimension { expected: 4, found: 5, .. }))));
        assert!(matches!(index.search(&[0.0; 4], 1), Err(IndexError::Query(VectorsError::ZeroNorm { .. }))));
        let nan = index.search(&[1.0, f32::NAN, 0.0, 0.0], 1);
        assert!(matches!(nan, Err(IndexError::Query(VectorsError::NotFinite { column: 1, .. }))));
        assert_eq!(index.search(good.row(0), 100).unwrap().len(), 20, "k over n gives every row");
        assert_eq!(index.search_many(good.view(), 3).unwrap().len(), 20);
    }
}

#[test]
fn an_empty_index_finds_nothing() {
    let none = Vectors::new(vec![], 4).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    let index = Hnsw::build(&none, Metric::Cosine, &graph()).unwrap();
    assert!(index.is_empty() && index.search(&[1.0; 4], 3).unwrap().is_empty());
    index.save(&file).unwrap();
    let index = Hnsw::open(&file).unwrap();
    assert!(index.search(&[1.0; 4], 3).unwrap().is_empty());
    assert!(Flat::new(&none, Metric::Cosine).unwrap().search(&[1.0; 4], 3).unwrap().is_empty());
}

#[test]
fn parameters_outside_their_range_are_named() {
    let rows = clustered(20, 4, 2, SEED);
    let default = graph;
    for (params, name) in [
        (HnswParams { m: 1, ..default() }, "m"),
        (HnswParams { m: 257, ..default() }, "m"),
        (HnswParams { ef_construction: 0, ..default() }, "ef_construction"),
    ] {
        let message = Hnsw::build(&rows, Metric::L2, &params).unwrap_err().to_string();
        assert!(message.starts_with(name), "{message}");
    }
}

/// Flips bytes all over a saved index: opening or searching answers or refuses, and never panics;
/// `verify` finds each one.
#[test]
fn damage_is_an_error_and_never_a_panic() {
    let rows = clustered(300, 8, 5, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    Hnsw::build(&rows, Metric::L2, &graph()).unwrap().save(&file).unwrap();
    let good = fs::read(&file).unwrap();
    let mut bad_links = 0;
    for at in (0..good.len()).step_by(61) {
        let mut bad = good.clone();
        bad[at] ^= 0xFF;
        let path = dir.path().join("bad.hnsw");
        fs::write(&path, &bad).unwrap();
        let Ok(index) = Hnsw::open(&path) else { continue };
        assert!(index.verify().is_err(), "byte {at}");
        if let Err(IndexError::Store(StoreError::Corrupt { .. })) = index.search(rows.row(at % 300), 10) {
            bad_links += 1
        }
    }
    assert!(bad_links > 0, "some flipped byte was a link");
    for len in [0, 7, 63, 64, 200, good.len() - 1] {
        fs::write(&file, &good[..len]).unwrap();
        assert!(Hnsw::open(&file).is_err(), "cut to {len}");
    }
    assert!(Hnsw::open(dir.path().join("absent")).unwrap_err().to_string().contains("absent"));
}

/// Half-width rows: about the same answers, and what they cannot hold is refused.
#[test]
fn rows_of_half_the_width() {
    let rows = clustered(5000, 24, 50, SEED);
    let params = HnswParams { storage: RowStorage::F16, ..graph() };
    let dir = tempfile::tempdir().unwrap();
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let half = Hnsw::build(&rows, metric, &params).unwrap();
        let exact = Flat::new(&rows, metric).unwrap();
        half.save(dir.path().join("half")).unwrap();
        let half = Hnsw::open(dir.path().join("half")).unwrap();
        for query in rows.rows().step_by(500) {
            let (found, want) = (half.search_with(query, 5, Effort::Exact).unwrap(), exact.search(query, 5).unwrap());
            for (found, want) in found.iter().zip(&want) {
                assert!((found.distance - want.distance).abs() <= 2e-2 * (1.0 + want.distance.abs()), "{metric}");
            }
        }
    }
    let mut large = rows.clone();
    large.row_mut(3)[1] = 70_000.0;
    let refused = Hnsw::build(&large, Metric::L2, &params);
    assert!(matches!(refused, Err(IndexError::Vectors(VectorsError::TooLarge { row: 3, column: 1, .. }))));
    assert!(Hnsw::build(&large, Metric::L2, &graph()).is_ok());
}

/// Rows that 8-bit codes cannot tell apart are walked as they are, and found.
#[test]
fn tight_clusters_are_told_apart() {
    let mut rows = clustered(6000, 48, 6, SEED);
    let centres = clustered(6, 48, 6, SEED + 1);
    for row in 0..rows.len() {
        let centre = centres.row(row % 6).to_vec();
        rows.row_mut(row).iter_mut().zip(centre).for_each(|(x, c)| *x = 100.0 * c + *x * 1e-2);
    }
    let index = Hnsw::build(&rows, Metric::L2, &graph()).unwrap();
    let exact = Flat::new(&rows, Metric::L2).unwrap();
    let queries = Vectors::new(rows.rows().step_by(60).flatten().map(|x| x + 1e-3).collect(), 48).unwrap();
    let r = recall(&index, &exact, &queries, 10);
    assert!(r >= 0.9, "recall@10 {r}");
}

#[test]
fn a_damaged_table_of_places_is_never_a_wrong_answer() {
    let rows = clustered(300, 8, 5, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    Hnsw::build(&rows, Metric::L2, &graph()).unwrap().save(&file).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    // The third section, after META and no SLOTS, is ORDER; its place in the file is in the table.
    let entry = 64 + 2 * 32;
    let start = u64::from_le_bytes(bytes[entry + 8..entry + 16].try_into().unwrap()) as usize;
    bytes[start + 40..start + 44].fill(0xFF);
    fs::write(&file, &bytes).unwrap();
    let index = Hnsw::open(&file).unwrap();
    for effort in [Effort::Exact, Effort::Ef(300)] {
        let refused = index.search_with(rows.row(0), 300, effort);
        assert!(matches!(refused, Err(IndexError::Store(StoreError::Corrupt { .. }))), "{effort:?}: {refused:?}");
    }
}

/// An effort beyond all rows is one of all rows.
#[test]
fn any_effort_can_be_asked_for() {
    let rows = clustered(2000, 8, 20, SEED);
    let index = Hnsw::build(&rows, Metric::L2, &graph()).unwrap();
    let (all, work) = index.search_explained(rows.row(5), usize::MAX, Effort::Ef(usize::MAX)).unwrap();
    assert_eq!((all.len(), work.why, work.ef), (2000, Why::ManyAsked, 0));
    let (ten, work) = index.search_explained(rows.row(5), 10, Effort::Ef(usize::MAX)).unwrap();
    assert_eq!((ten.len(), work.ef), (10, 2000));
    let (one, work) = index.search_explained(rows.row(5), 1, Effort::Ef(1)).unwrap();
    assert!(one.len() == 1 && work.ef == 1 && work.compared > 1 && work.compared < 2000, "{work:?}");
    assert_eq!(index.search_with(rows.row(5), 10, Effort::Recall(1.0)).unwrap()[0].id, 5);
}

#[test]
fn efforts_outside_their_range_are_named() {
    let rows = clustered(20, 4, 2, SEED);
    let index = Hnsw::build(&rows, Metric::L2, &graph()).unwrap();
    for effort in [Effort::Ef(0), Effort::Recall(0.0), Effort::Recall(1.5), Effort::Recall(f32::NAN)] {
        let refused = index.search_with(rows.row(0), 3, effort);
        assert!(matches!(refused, Err(IndexError::Parameter { .. })), "{effort:?}");
    }
}

/// Queries far from every row are asked with more effort until they are found as well.
#[test]
fn queries_unlike_the_rows_are_found() {
    let rows = clustered(6000, 32, 60, SEED);
    // The rows of another seed's clusters, and farther out.
    let foreign = clustered(100, 32, 100, SEED + 9);
    let queries = Vectors::new(foreign.as_slice().iter().map(|x| 2.0 * x).collect(), 32).unwrap();
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        let index = Hnsw::build(&rows, metric, &graph()).unwrap();
        let exact = Flat::new(&rows, metric).unwrap();
        let r = recall(&index, &exact, &queries, 10);
        let effort = |query: &[f32]| index.search_explained(query, 10, Effort::default()).unwrap().1.ef;
        let mean = |rows: &Vectors| rows.rows().take(100).map(effort).sum::<usize>() / 100;
        println!("{metric}: recall@10 {r:.4}, ef {} against {} for rows", mean(&queries), mean(&rows));
        // By inner product the longest rows are near to everything, and calm comes sooner.
        assert!(r >= if metric == Metric::Dot { 0.78 } else { 0.92 }, "{metric}: recall@10 {r}");
    }
}

mod among;
mod codes;
mod partitions;
