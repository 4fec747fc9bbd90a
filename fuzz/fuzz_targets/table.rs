//! Rows of CSV, TSV and JSON Lines, read and cut.
#![no_main]

use gyeol::text::Fields;
use gyeol_fuzz::read_and_cut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, text)) = input.split_first() else { return };
    let name = ["a.csv", "a.tsv", "a.jsonl"][usize::from(kind) % 3];
    let fields = Fields { key: "k".to_owned(), text: "t".to_owned() };
    read_and_cut(name, text, &fields, usize::from(kind / 3));
});
