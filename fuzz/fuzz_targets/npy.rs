//! An npy file as a matrix and as neighbour lists; what is read is what is written.
#![no_main]

use gyeol::vectors::npy;
use gyeol_fuzz::{file, scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let path = file("input.npy", input);
    if let Ok((ids, columns)) = npy::read_ids(&path) {
        assert!(columns > 0 && ids.len() % columns == 0);
    }
    let _ = npy::shape(&path);
    let Ok(vectors) = npy::read(&path) else { return };
    assert_eq!(npy::shape(&path).ok(), Some((vectors.len(), vectors.dim())));
    let copy = scratch("copy.npy");
    npy::write(&copy, vectors.view()).expect("a matrix is written");
    let bits = |v: &gyeol::Vectors| v.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&npy::read(&copy).expect("and comes back")), bits(&vectors));
});
