//! A collection whose manifest is the input, under a good checksum: opened, searched, taken stock of.
//!
//! The manifest is the payload of `documents/meta.json`. An input that does not begin with a brace and
//! `"format"` is all of that file instead.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use gyeol::Collection;
use gyeol::store::Disk;
use gyeol_fuzz::collection::{Letters, make, manifest, manifest_file, with_manifest};
use gyeol_fuzz::{scratch, sealed};
use libfuzzer_sys::fuzz_target;

/// The collection, and its `meta.json`.
fn collection() -> &'static (PathBuf, Vec<u8>) {
    static MADE: OnceLock<(PathBuf, Vec<u8>)> = OnceLock::new();
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
        let (meta, payload) = manifest(&path);
        // What is not spoilt is read, or nothing is tested.
        let same = sealed(&with_manifest(&meta, &payload));
        fs::write(manifest_file(&path), same).expect("the manifest again");
        Collection::open(&path, Letters::new()).expect("and it is opened");
        (path, meta)
    })
}

fuzz_target!(|input: &[u8]| {
    let (path, meta) = collection();
    let bytes = match std::str::from_utf8(input) {
        Ok(text) if text.starts_with("{\"format\"") => with_manifest(meta, text),
        _ => input.to_vec(),
    };
    fs::write(manifest_file(path), sealed(&bytes)).expect("the input as a manifest");
    let _ = Collection::status_of(path);
    let Ok(opened) = Collection::open_on(Arc::new(Disk::new(path)), Letters::new()) else { return };
    let _ = opened.status();
    let _ = opened.get("alpha");
    let _ = opened.search("alpha text").k(3).run();
});
