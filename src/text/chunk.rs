//! Chunks of at most so many tokens, along the text's own structure: whole blocks, paragraphs and
//! list items are joined while they fit, and cut at sentences only when one alone is too long.

use std::ops::Range;

use rayon::prelude::*;

use super::blocks::blocks;
use super::split::{Count, split};
use super::units::units;
use super::{Document, Heading, Span};
use crate::error::TextError;

/// How long chunks may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkSize {
    /// At most this many tokens of the embedder, from 1 to 1,000,000.
    Tokens(usize),
    /// A document is one chunk.
    Whole,
}

impl ChunkSize {
    /// Tokens in a chunk by default. Chosen by measurement: `BENCHMARKS.md`, "Chunk size".
    pub const DEFAULT_TOKENS: usize = 64;
}

impl Default for ChunkSize {
    fn default() -> Self {
        ChunkSize::Tokens(Self::DEFAULT_TOKENS)
    }
}

impl std::fmt::Display for ChunkSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ChunkSize::Tokens(n) => write!(f, "chunks of {n} tokens"),
            ChunkSize::Whole => write!(f, "whole documents"),
        }
    }
}

/// Characters of a heading that its chunks carry along.
const LONGEST_HEADING: usize = 200;
/// Long headings over a great many short texts would make each of them as long: all that chunks carry
/// along is at most so many bytes for each of the text, and so many more; from there on little is carried.
const HEADINGS_PER_TEXT: usize = 4;
const FREE_HEADINGS: usize = 1 << 20;
const SHORT_HEADING: usize = 32;
/// Units of more parts are not evened out: it takes several cuts, and one scrap among many is little.
const MOST_EVENED: usize = 8;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The text, without white space around it.
    pub text: String,
    /// The headings above the chunk, outermost first; empty when there is none.
    pub headings: Vec<String>,
    /// Where it stands in the file.
    pub span: Span,
}

/// Cuts documents into chunks, measuring with a function that counts a text's tokens.
pub struct Chunker<'a> {
    size: ChunkSize,
    count: Count<'a>,
}

impl<'a> Chunker<'a> {
    /// A chunker.
    ///
    /// # Errors
    /// [`TextError::Parameter`] when the number of tokens is out of its range.
    pub fn new(size: ChunkSize, count: &'a (dyn Fn(&str) -> usize + Sync)) -> Result<Self, TextError> {
        if let ChunkSize::Tokens(value) = size
            && !(1..=1_000_000).contains(&value)
        {
            return Err(TextError::Parameter { name: "tokens in a chunk", value, allowed: "from 1 to 1000000" });
        }
        Ok(Chunker { size, count })
    }

    /// The chunks of a document, in order. Blank text has none.
    pub fn chunks(&self, document: &Document) -> Vec<Chunk> {
        let text = document.text.as_str();
        let ranges: Vec<Range<usize>> = match self.size {
            ChunkSize::Whole => std::iter::once(0..text.len()).collect(),
            ChunkSize::Tokens(limit) => {
                let parts = blocks(text, document.format);
                parts.into_par_iter().flat_map_iter(|block| self.split(document, block, limit)).collect()
            }
        };
        let ranges = ranges.into_iter().map(|range| trim(text, range)).filter(|range| !range.is_empty());
        let mut path = HeadingPath::new(document);
        let chunk = |range: Range<usize>| Chunk {
            text: text[range.clone()].to_owned(),
            headings: path.above(range.start),
            span: document.map.span(&range),
        };
        ranges.map(chunk).collect()
    }

    /// The chunks of a block: its units, joined while they fit.
    fn split(&self, document: &Document, block: Range<usize>, limit: usize) -> Vec<Range<usize>> {
        let text = document.text.as_str();
        if (self.count)(&text[block.clone()]) <= limit {
            return vec![block];
        }
        let headings = &document.headings;
        let is_heading = |unit: &Range<usize>| {
            let first = headings.partition_point(|h| h.at < unit.start || h.level == 0);
            headings.get(first).is_some_and(|h| h.at < unit.end)
        };
        let mut out: Vec<Range<usize>> = Vec::new();
        // Of the last chunk: its tokens, and whether it is nothing but headings so far.
        let (mut tokens, mut bare) = (0, false);
        for unit in units(text, block, document.format) {
            let (size, heading) = ((self.count)(&text[unit.clone()]), is_heading(&unit));
            match out.last_mut() {
                // A heading begins a chunk, and stays with what it is over.
                Some(last) if tokens + size <= limit && (bare || !heading) => {
                    last.end = unit.end;
                    tokens += size;
                    bare &= heading;
                }
                _ if size <= limit => {
                    out.push(unit);
                    (tokens, bare) = (size, heading);
                }
                last => {
                    let over = last.filter(|_| bare && tokens <= limit / 2).map(|last| last.start);
                    let room = if over.is_some() { limit - tokens } else { limit };
                    let mut parts = self.split_unit(text, unit, room);
                    if let (Some(start), Some(first)) = (over, parts.first_mut()) {
                        first.start = start;
                        out.pop();
                    }
                    out.append(&mut parts);
                    tokens = out.last().map_or(0, |last| (self.count)(&text[last.clone()]));
                    bare = false;
                }
            }
        }
        out
    }

    /// A unit that is too long, cut at lines, sentences, words. Where a scrap would be left at the end,
    /// the parts are made as even as goes without making more of them.
    fn split_unit(&self, text: &str, unit: Range<usize>, limit: usize) -> Vec<Range<usize>> {
        let count = |range: &Range<usize>| (self.count)(&text[range.clone()]);
        let cut = |limit: usize| split(text, unit.clone(), limit, self.count);
        let mut best = cut(limit);
        if best.len() > MOST_EVENED || best.last().is_none_or(|last| count(last) >= limit / 4) {
            return best;
        }
        // Smaller limits leave more for the last part, until there is one part more.
        let (mut low, mut high) = (count(&unit) / best.len(), limit);
        while low + 1 < high {
            let middle = low.midpoint(high);
            let parts = cut(middle);
            if parts.len() > best.len() {
                low = middle;
            } else {
                (best, high) = (parts, middle);
            }
        }
        best
    }
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let slice = &text[range.clone()];
    let start = range.start + (slice.len() - slice.trim_start().len());
    start..start + slice.trim().len()
}

/// The headings that hold at places asked for in ascending order.
struct HeadingPath<'a> {
    headings: &'a [Heading],
    next: usize,
    open: Vec<&'a Heading>,
    /// Bytes of headings that chunks may carry along yet.
    left: usize,
}

impl<'a> HeadingPath<'a> {
    fn new(document: &'a Document) -> Self {
        let left = document.text.len().saturating_mul(HEADINGS_PER_TEXT).saturating_add(FREE_HEADINGS);
        HeadingPath { headings: &document.headings, next: 0, open: Vec::new(), left }
    }

    /// The headings above a place; a title (level 0) holds from the start. A heading that stands
    /// at the place itself is part of the text there, and only those over it are above.
    fn above(&mut self, at: usize) -> Vec<String> {
        while let Some(heading) = self.headings.get(self.next).filter(|h| h.at < at || h.level == 0) {
            self.open.retain(|h| h.level < heading.level);
            self.open.push(heading);
            self.next += 1;
        }
        let here = self.headings.get(self.next).filter(|h| h.at == at).map_or(u8::MAX, |h| h.level);
        let shown = |h: &&Heading| h.text.trim().chars().take(LONGEST_HEADING).collect::<String>();
        let mut above: Vec<String> = self.open.iter().filter(|h| h.level < here).map(shown).collect();
        let bytes = |above: &[String]| above.iter().map(String::len).sum::<usize>();
        if bytes(&above) > self.left {
            // Only the one right above, and its beginning.
            above.drain(..above.len().saturating_sub(1));
            above.iter_mut().for_each(|h| h.truncate(h.floor_char_boundary(SHORT_HEADING)));
        }
        self.left = self.left.saturating_sub(bytes(&above));
        above
    }
}
