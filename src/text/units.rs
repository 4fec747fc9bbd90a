//! The stretches of a text that chunks are packed from: blocks of Markdown, paragraphs of text,
//! top-level blocks of code.

use std::ops::Range;

use pulldown_cmark::{Event, Parser, Tag};

use super::Format;
use super::markdown::MARKDOWN;

/// The units of a block, in order and without gaps; each starts where something new does.
pub(super) fn units(text: &str, block: Range<usize>, format: Format) -> Vec<Range<usize>> {
    let slice = &text[block.clone()];
    let starts = match format {
        Format::Markdown => markdown(slice),
        Format::Code => after_blank_lines(slice, |line| !line.starts_with([' ', '\t', '}', ')', ']'])),
        _ => after_blank_lines(slice, |_| true),
    };
    let mut out = Vec::with_capacity(starts.len() + 1);
    let mut from = 0;
    for at in starts.into_iter().filter(|&at| at > 0).chain([slice.len()]) {
        out.push(block.start + from..block.start + at);
        from = at;
    }
    out
}

/// Where the top-level blocks begin, and the items of top-level lists.
fn markdown(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    // The open blocks, as far as they matter: whether each is a list.
    let mut open: Vec<bool> = Vec::new();
    for (event, range) in Parser::new_ext(text, MARKDOWN).into_offset_iter() {
        let outer = open.is_empty() || open[..] == [true];
        match event {
            Event::Start(tag) => {
                if outer {
                    starts.push(range.start);
                }
                open.push(matches!(tag, Tag::List(_)));
            }
            Event::End(_) => {
                open.pop();
            }
            _ if outer => starts.push(range.start),
            _ => {}
        }
    }
    starts.dedup();
    starts
}

/// Where a line of which `begins` holds follows a blank one.
fn after_blank_lines(text: &str, begins: impl Fn(&str) -> bool) -> Vec<usize> {
    let (mut starts, mut at, mut after_blank) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        let blank = line.trim().is_empty();
        if after_blank && !blank && begins(line) {
            starts.push(at);
        }
        at += line.len();
        after_blank = blank;
    }
    starts
}
