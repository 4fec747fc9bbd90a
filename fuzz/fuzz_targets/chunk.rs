//! Any text, cut in each format: every part within the limit, nothing lost.
#![no_main]

use gyeol::text::{Document, Format, SourceMap, Span, lexical_terms};
use gyeol_fuzz::cut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&[kind, tokens, times], bytes)) = input.split_first_chunk::<3>() else { return };
    let format = [Format::Markdown, Format::Plain, Format::Code][usize::from(kind) % 3];
    // Repeated, so that small inputs make long texts.
    let text = String::from_utf8_lossy(bytes).repeat(usize::from(times % 32) + 1);
    lexical_terms(&text, |term, range| assert!(!term.is_empty() && range.end <= text.len()));
    let document = Document {
        key: None,
        text,
        headings: Vec::new(),
        payload: Default::default(),
        map: SourceMap::Whole(Span::default()),
        format,
    };
    cut(&document, tokens.into());
});
