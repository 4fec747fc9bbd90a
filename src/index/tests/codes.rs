//! Indexes that keep no full rows, or do not read them.

use super::*;

#[test]
fn codes_alone_find_nearly_as_much() {
    let rows = clustered(6000, 48, 60, SEED);
    let queries = clustered(100, 48, 60, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    for (metric, layout) in [
        (Metric::Cosine, Layout::Graph),
        (Metric::Cosine, Layout::Partitions),
        (Metric::Dot, Layout::Partitions),
        (Metric::L2, Layout::Graph),
    ] {
        let params = |storage| HnswParams { storage, layout, ..graph() };
        let exact = Flat::new(&rows, metric).unwrap();
        let coded = Hnsw::build(&rows, metric, &params(RowStorage::Codes)).unwrap();
        coded.save(&file).unwrap();
        let bytes = fs::metadata(&file).unwrap().len();
        let mut full = Hnsw::build(&rows, metric, &params(RowStorage::F32)).unwrap();
        full.save(&file).unwrap();
        assert!(bytes + 6000 * 48 * 4 <= fs::metadata(&file).unwrap().len() + 64, "no rows are in the file");
        assert!(full.rescoring() && !coded.rescoring());
        full.set_rescoring(false);
        for index in [&coded, &full] {
            let r = recall(index, &exact, &queries, 10);
            assert!(r >= 0.93, "{metric} {layout:?}: recall@10 {r}");
            let (found, work) = index.search_explained(queries.row(0), 10, Effort::Recall(0.9)).unwrap();
            assert_eq!(work.rescored, 0);
            // The first of them is the query itself.
            let fifth = exact.search(queries.row(0), 10).unwrap()[4].distance;
            let far = (fifth - found[4].distance).abs();
            assert!(far < 0.01 * (1.0 + fifth.abs()), "{metric}: a distance by codes is off by {far}");
        }
        // By every code, and a mapped one as the built one.
        let found = coded.search_with(rows.row(9), 6000, Effort::Exact).unwrap();
        assert_eq!((found.len(), found[0].id), (6000, 9));
        coded.save(&file).unwrap();
        let mapped = Hnsw::open(&file).unwrap();
        assert_eq!(mapped.search(queries.row(1), 10).unwrap(), coded.search(queries.row(1), 10).unwrap());
        // What codes cannot reach is found with full rows.
        let (_, work) = full.search_explained(queries.row(0), 100, Effort::Recall(1.0)).unwrap();
        assert!(work.rescored >= 100, "{work:?}");
    }
}

#[test]
fn rows_that_codes_cannot_tell_apart_are_refused_without_rows() {
    let mut rows = clustered(6000, 48, 6, SEED);
    let centres = clustered(6, 48, 6, SEED + 1);
    for row in 0..rows.len() {
        let centre = centres.row(row % 6).to_vec();
        rows.row_mut(row).iter_mut().zip(centre).for_each(|(x, c)| *x = 100.0 * c + *x * 1e-2);
    }
    let params = HnswParams { storage: RowStorage::Codes, ..graph() };
    let refused = Hnsw::build(&rows, Metric::L2, &params).unwrap_err().to_string();
    assert!(refused.starts_with("storage") && refused.contains("f32"), "{refused}");
    // Few rows are kept as they are.
    let few = Vectors::new(rows.as_slice()[..48 * 50].to_vec(), 48).unwrap();
    let params = HnswParams { storage: RowStorage::Codes, ..HnswParams::default() };
    let index = Hnsw::build(&few, Metric::L2, &params).unwrap();
    assert_eq!(index.search(few.row(3), 1).unwrap()[0].distance, 0.0);
}

/// Where distances come from codes, a damaged one is no answer.
#[test]
fn a_damaged_code_is_no_answer() {
    let rows = clustered(6000, 48, 60, SEED);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.hnsw");
    for storage in [RowStorage::Codes, RowStorage::F32] {
        let params = HnswParams { storage, layout: Layout::Graph, ..graph() };
        let index = Hnsw::build(&rows, Metric::Cosine, &params).unwrap();
        index.save(&file).unwrap();
        let good = fs::read(&file).unwrap();
        let open = || {
            let mut index = Hnsw::open(&file).unwrap();
            index.set_rescoring(false);
            index
        };
        let right = open().search_with(rows.row(9), 5, Effort::Ef(50)).unwrap();
        let exact = index.search_with(rows.row(9), 5, Effort::Exact).unwrap();
        // The codes are the last large section before the rows: some of these are the answer's.
        let (mut errors, mut scans) = (0, 0);
        for at in (0..good.len()).step_by(good.len() / 400) {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            fs::write(&file, &bad).unwrap();
            let Ok(index) = Hnsw::open(&file) else { continue };
            drop(index);
            let index = open();
            match index.search_with(rows.row(9), 5, Effort::Ef(50)) {
                Ok(found) if index.damage().is_some() => {
                    scans += 1;
                    assert!(found == exact || storage == RowStorage::Codes, "byte {at}");
                }
                // A code that is far off may hide its row, but none is taken for what it is not.
                Ok(found) => assert!(
                    found.iter().all(|n| right.iter().all(|r| r.id != n.id || r.distance == n.distance)),
                    "byte {at}"
                ),
                Err(_) => errors += 1,
            }
        }
        assert!(if storage == RowStorage::Codes { errors > 0 } else { scans > 0 }, "{errors} errors, {scans} scans");
    }
}
