//! A collection whose manifest is the input, under a good checksum: opened, searched, taken stock of, verified.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use gyeol::Collection;
use gyeol::collection::Thoroughness;
use gyeol::store::Disk;
use gyeol_fuzz::collection::{Letters, make, manifest, manifest_file};
use gyeol_fuzz::{scratch, sealed};
use libfuzzer_sys::fuzz_target;

fn collection() -> &'static PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = scratch("collection");
        make(&path);
        // tantivy's panics on damage are caught where it is called, and made errors.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.location().is_some_and(|at| at.file().contains("tantivy")) {
                before(panic);
            }
        }));
        // What is not spoilt is read, or nothing is tested.
        fs::write(manifest_file(&path), sealed(&manifest(&path))).expect("the manifest again");
        Collection::open(&path, Letters::new()).expect("and it is opened");
        path
    })
}

fuzz_target!(|input: &[u8]| {
    let path = collection();
    fs::write(manifest_file(path), sealed(input)).expect("the input as a manifest");
    let _ = Collection::status_of(path);
    let _ = Collection::verify(path, Thoroughness::Full);
    let Ok(opened) = Collection::open_on(Arc::new(Disk::new(path)), Letters::new()) else { return };
    let _ = opened.status();
    let _ = opened.get("alpha");
    let _ = opened.search("alpha text").k(3).run();
});
