//! An fvecs or ivecs file; what is read is what is written.
#![no_main]

use gyeol::vectors::fvecs;
use gyeol_fuzz::{file, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let path = file("input.fvecs", input);
    if let Ok((ids, columns)) = fvecs::read_ids(&path) {
        assert!(columns > 0 && ids.len() % columns == 0);
    }
    let _ = fvecs::shape(&path);
    let Ok(vectors) = fvecs::read(&path) else { return };
    assert_eq!(fvecs::shape(&path).ok(), Some((vectors.len(), vectors.dim())));
    let copy = scratch("copy.fvecs");
    fvecs::write(&copy, vectors.view()).expect("a matrix is written");
    assert_eq!(std::fs::read(copy).expect("it is there"), input);
});
