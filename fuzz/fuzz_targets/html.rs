//! A page, read and cut.
#![no_main]

use gyeol::text::Fields;
use gyeol_fuzz::read_and_cut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&tokens, text)) = input.split_first() else { return };
    let name = if tokens % 2 == 0 { "a.html" } else { "a.xhtml" };
    read_and_cut(name, text, &Fields::default(), tokens.into());
});
