//! Files of format 1, written by an earlier build, are read by this one.
//!
//! `GYEOL_WRITE_GOLDEN=1 cargo test --test golden` writes them anew; that is right only before a
//! format is released.

use std::path::Path;

use gyeol::{Effort, Hnsw, HnswParams, Index, Layout, Metric, RowStorage, Vectors};

const CASES: [(&str, Metric, RowStorage, Layout); 4] = [
    ("cosine-f32", Metric::Cosine, RowStorage::F32, Layout::Graph),
    ("l2-f16", Metric::L2, RowStorage::F16, Layout::Graph),
    ("cosine-f16-partitions", Metric::Cosine, RowStorage::F16, Layout::Partitions),
    ("cosine-codes", Metric::Cosine, RowStorage::Codes, Layout::Graph),
];

fn rows() -> Vectors {
    // Whole numbers: the same on every machine.
    let mut state = 1u64;
    let value = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        f32::from((state >> 56) as u8) - 100.0
    };
    Vectors::new((0..200 * 16).map(value).collect(), 16).unwrap()
}

#[test]
fn the_golden_files_are_read() {
    let rows = rows();
    for (name, metric, storage, layout) in CASES {
        let file = Path::new("data/golden").join(format!("segment-1-{name}.gyeol"));
        if std::env::var_os("GYEOL_WRITE_GOLDEN").is_some() {
            let params =
                HnswParams { storage, layout, graph_from_rows: 1, m: 4, ef_construction: 40, ..HnswParams::default() };
            std::fs::create_dir_all("data/golden").unwrap();
            Hnsw::build(&rows, metric, &params).unwrap().save(&file).unwrap();
        }
        let index = Hnsw::open(&file).unwrap();
        index.verify().unwrap();
        assert_eq!((index.len(), index.dim(), index.metric()), (200, 16, metric));
        let asked = |row| index.search_with(row, 1, Effort::Recall(0.9)).unwrap()[0].distance < 1e-2;
        assert!(rows.rows().filter(|row| asked(row)).count() >= 150, "{name}: the calibration is read");
        for (i, row) in rows.rows().enumerate() {
            for effort in [Effort::Ef(100), Effort::Exact] {
                let found = index.search_with(row, 3, effort).unwrap();
                assert_eq!(found[0].id, i as u32, "{name}, {effort:?}");
                assert!(found[0].distance < 1e-2 && found[1].distance > 1e-2, "{name}: {found:?}");
            }
        }
    }
}
