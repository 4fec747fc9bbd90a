//! A segment file with good checksums and anything else: opened, searched, verified.
#![no_main]

use std::sync::OnceLock;

use gyeol::{Effort, Hnsw, Index};
use gyeol_fuzz::{file, fix_container};
use libfuzzer_sys::fuzz_target;

/// What is not spoilt is opened, or nothing is tested.
fn look_at_a_sound_one() {
    static LOOKED: OnceLock<()> = OnceLock::new();
    LOOKED.get_or_init(|| {
        let sound = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/golden/segment-1-cosine-f32.gyeol");
        let mut bytes = std::fs::read(sound).expect("a sound segment");
        fix_container(&mut bytes, 1);
        Hnsw::open(file("sound", &bytes)).expect("it is opened").verify().expect("and holds");
    });
}

fuzz_target!(|input: &[u8]| {
    look_at_a_sound_one();
    let mut bytes = input.to_vec();
    fix_container(&mut bytes, 1);
    let Ok(index) = Hnsw::open(file("segment", &bytes)) else { return };
    // More would be a matter of memory only.
    if index.dim() > 1 << 20 {
        return;
    }
    let query = vec![0.5; index.dim()];
    for effort in [Effort::Ef(40), Effort::Recall(0.9), Effort::Exact] {
        let _ = index.search_with(&query, 3, effort);
    }
    let _ = index.verify();
});
