//! Any bytes as a file of any format: encodings, marks, signatures.
#![no_main]

use gyeol::text::Fields;
use gyeol_fuzz::read_and_cut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let names = ["a.txt", "a.md", "a.html", "a.rs", "a.csv", "a.jsonl"];
    read_and_cut(names[usize::from(kind) % names.len()], bytes, &Fields::default(), usize::from(kind));
});
