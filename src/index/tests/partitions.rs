//! The same promises for an index by partitions.

use super::*;
use crate::index::segment::Segment;

fn partitions() -> HnswParams {
    HnswParams { layout: Layout::Partitions, ..graph() }
}

fn plan(index: &Hnsw, query: &[f32]) -> Plan {
    index.search_explained(query, 10, Effort::default()).unwrap().1.plan
}

#[test]
fn recall_is_what_was_asked_for() {
    let rows = clustered(8000, 32, 60, SEED);
    let queries = clustered(200, 32, 60, SEED);
    for metric in [Metric::Cosine, Metric::Dot] {
        let index = Hnsw::build(&rows, metric, &partitions()).unwrap();
        assert_eq!(plan(&index, rows.row(0)), Plan::Partitions);
        let exact = Flat::new(&rows, metric).unwrap();
        for asked in [0.9, 0.99] {
            let mut hits = 0;
            for query in queries.rows() {
                let want: Vec<u32> = exact.search(query, 10).unwrap().iter().map(|n| n.id).collect();
                let found = index.search_with(query, 10, Effort::Recall(asked)).unwrap();
                hits += found.iter().filter(|n| want.contains(&n.id)).count();
            }
            let r = hits as f32 / 2000.0;
            println!("{metric}: asked for {asked}, got {r}");
            assert!(r >= asked - 0.02, "{metric}: asked for {asked}, got {r}");
        }
    }
}

#[test]
fn partitions_are_chosen_where_neighbours_are_hard_to_tell() {
    // Noise of many dimensions has the highest intrinsic dimension there is.
    let noise = clustered(12_000, 64, 1, SEED);
    let index = Hnsw::build(&noise, Metric::Cosine, &graph()).unwrap();
    assert_eq!(plan(&index, noise.row(0)), Plan::Partitions);
    let flat: Vec<f32> =
        (0..6000).flat_map(|i| (0..32).map(move |j| ((i * (j % 3 + 1)) as f32 * 0.37 + 1.0).sin())).collect();
    let easy = Vectors::new(flat, 32).unwrap();
    let index = Hnsw::build(&easy, Metric::Cosine, &graph()).unwrap();
    assert_ne!(plan(&index, easy.row(0)), Plan::Partitions);
    let refused = Hnsw::build(&easy, Metric::L2, &partitions()).unwrap_err().to_string();
    assert!(refused.starts_with("layout"), "{refused}");
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let rows = clustered(9000, 24, 20, SEED);
    let build = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("v.hnsw");
        pool.install(|| Hnsw::build(&rows, Metric::Cosine, &partitions()).unwrap().save(&file).unwrap());
        fs::read(&file).unwrap()
    };
    let one = build(1);
    assert!(one == build(2) && one == build(4));
}

#[test]
fn a_mapped_index_answers_like_the_built_one() {
    let rows = clustered(3000, 23, 20, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    for metric in [Metric::Cosine, Metric::Dot] {
        let built = Hnsw::build(&rows, metric, &partitions()).unwrap();
        built.save(&file).unwrap();
        let mapped = Hnsw::open(&file).unwrap();
        mapped.verify().unwrap();
        for query in rows.rows().step_by(100) {
            for effort in [Effort::default(), Effort::Ef(3), Effort::Exact] {
                assert_eq!(
                    mapped.search_with(query, 10, effort).unwrap(),
                    built.search_with(query, 10, effort).unwrap()
                );
            }
        }
    }
}

/// However few partitions are asked for, and whatever passes, `k` rows come back while there are so many.
#[test]
fn k_means_k() {
    let rows = clustered(6000, 16, 30, SEED);
    let segment =
        Segment::build(Metric::Cosine, std::borrow::Cow::Borrowed(&rows), Vec::new(), Vec::new(), &partitions());
    let rare = |row: u32| row % 600 == 7;
    let places = segment.places_of(&RowSet::from_rows(6000, (0..6000).filter(|&row| rare(row)))).unwrap();
    for effort in [Effort::Ef(1), Effort::default()] {
        let (found, work) = segment.nearest(rows.row(9), 10, effort, Some(&places)).unwrap();
        assert!(found.len() == 10 && found.iter().all(|n| rare(n.id)), "{work:?}");
        let (found, _) = segment.nearest(rows.row(9), 50, effort, Some(&places)).unwrap();
        assert_eq!(found.len(), 10, "no more than there are");
        let (found, work) = segment.nearest(rows.row(9), usize::MAX, effort, None).unwrap();
        assert_eq!(found.len(), 6000, "{work:?}");
    }
    let index = Hnsw::build(&rows, Metric::Cosine, &partitions()).unwrap();
    let (found, work) = index.search_explained(rows.row(5), 1, Effort::Ef(1)).unwrap();
    assert!(found.len() == 1 && work.ef == 1 && work.compared < 6000 && work.rescored < 600, "{work:?}");
}

#[test]
fn equal_rows_are_all_found() {
    let row = |i: usize| {
        (0..8).map(move |j| if i.is_multiple_of(3) { 1.0 + j as f32 } else { ((i * 7 + j * j * i) as f32).sin() })
    };
    let rows = Vectors::new((0..3000).flat_map(row).collect(), 8).unwrap();
    let index = Hnsw::build(&rows, Metric::Cosine, &partitions()).unwrap();
    let found = index.search(rows.row(0), 1000).unwrap();
    let equal = found.iter().filter(|n| n.id % 3 == 0).count();
    assert!(equal >= 990, "{equal} of 1000 equal rows");
}

/// Rows that are all their partition's centroid: nothing is left for the codes to tell.
#[test]
fn many_copies_of_few_rows() {
    let few = clustered(40, 16, 40, SEED);
    let rows = Vectors::new((0..4000).flat_map(|i| few.row(i % 40).to_vec()).collect(), 16).unwrap();
    for metric in [Metric::Cosine, Metric::Dot] {
        let index = Hnsw::build(&rows, metric, &partitions()).unwrap();
        let exact = Flat::new(&rows, metric).unwrap();
        for query in few.rows() {
            let (found, want) = (index.search(query, 10).unwrap(), exact.search(query, 10).unwrap());
            assert!(
                (found[9].distance - want[9].distance).abs() < 1e-3,
                "{metric}: {} {}",
                found[9].distance,
                want[9].distance
            );
        }
    }
}

#[test]
fn queries_unlike_the_rows_are_found() {
    let rows = clustered(8000, 32, 60, SEED);
    let foreign = clustered(100, 32, 100, SEED + 9);
    for metric in [Metric::Cosine, Metric::Dot] {
        let index = Hnsw::build(&rows, metric, &partitions()).unwrap();
        let exact = Flat::new(&rows, metric).unwrap();
        let r = recall(&index, &exact, &foreign, 10);
        println!("{metric}: recall@10 {r:.4}");
        assert!(r >= 0.9, "{metric}: recall@10 {r}");
    }
}

/// Flips bytes of every section: an answer, or an error that names the damage, and never a panic.
#[test]
fn damage_is_an_error_and_never_a_panic() {
    let rows = clustered(600, 8, 5, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    Hnsw::build(&rows, Metric::Cosine, &partitions()).unwrap().save(&file).unwrap();
    let good = fs::read(&file).unwrap();
    let step = 61;
    for value in [0xFF, 0x7F, 0x00] {
        for at in (0..good.len()).step_by(step) {
            let mut bytes = good.clone();
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill(value);
            if bytes == good {
                continue;
            }
            fs::write(&file, &bytes).unwrap();
            let Ok(index) = Hnsw::open(&file) else { continue };
            for effort in [Effort::default(), Effort::Ef(2), Effort::Recall(1.0), Effort::Exact] {
                let _ = index.search_with(rows.row(at % 600), 10, effort);
            }
        }
    }
}
