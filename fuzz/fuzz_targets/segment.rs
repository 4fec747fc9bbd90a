//! A segment file with good checksums and anything else: opened, searched, verified.
#![no_main]

use gyeol::{Effort, Hnsw, Index};
use gyeol_fuzz::{file, fix_container};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    fix_container(&mut bytes, 1);
    let Ok(index) = Hnsw::open(file("segment", &bytes)) else { return };
    let query = vec![0.5; index.dim()];
    for effort in [Effort::Ef(40), Effort::Recall(0.9), Effort::Exact] {
        let _ = index.search_with(&query, 3, effort);
    }
    let _ = index.verify();
});
