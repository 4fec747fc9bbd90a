//! A long text in blocks that are chunked apart.
//!
//! The splitter looks at all of the text that is left for each chunk, which a long file makes
//! quadratic; blocks keep it linear and let a file's blocks be chunked on all cores.

use std::ops::Range;

use super::Format;

/// Blocks grow to this size before a good place to cut is looked for.
const TARGET: usize = 16 * 1024;
/// And are cut at the next line, or failing that anywhere, at this size.
const LARGEST: usize = 64 * 1024;

/// The fenced block of Markdown that is open, told line by line.
#[derive(Default)]
pub(super) struct Fence(Option<&'static str>);

impl Fence {
    /// Goes over a line.
    pub fn line(&mut self, line: &str) {
        let line = line.trim_start();
        self.0 = match (self.0, ["```", "~~~"].into_iter().find(|f| line.starts_with(f))) {
            (None, opened) => opened,
            (Some(open), Some(mark)) if mark == open => None,
            (open, _) => open,
        };
    }

    /// Whether the next line stands within it.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

/// The blocks of a text, in order and without gaps.
pub(super) fn blocks(text: &str, format: Format) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut fence = Fence::default();
    let mut after_blank = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let blank = trimmed.is_empty();
        let inside = fence.is_open();
        if format == Format::Markdown {
            fence.line(line);
        }
        let size = at - start;
        let top = !line.starts_with([' ', '\t']);
        let good = match format {
            Format::Markdown => !inside && (trimmed.starts_with('#') || (after_blank && top)),
            Format::Code => after_blank && top,
            _ => after_blank,
        };
        if !blank && ((size >= TARGET && good) || size >= LARGEST) {
            out.push(start..at);
            start = at;
        }
        // One line longer than a block.
        let end = at + line.len();
        while end - start > 2 * LARGEST {
            let cut = cut_line(text, start, start + LARGEST);
            out.push(start..cut);
            start = cut;
        }
        at = end;
        after_blank = blank;
    }
    if start < text.len() {
        out.push(start..text.len());
    }
    out
}

/// A place near `near` to cut a line: after white space or the end of a sentence if there is any in
/// reach.
fn cut_line(text: &str, start: usize, near: usize) -> usize {
    let near = text.floor_char_boundary(near);
    let window = text.floor_char_boundary(near.saturating_sub(LARGEST / 4)).max(start);
    let ends = |c: char| c.is_whitespace() || matches!(c, '。' | '．' | '！' | '？');
    text[window..near].rfind(ends).map_or(near, |at| {
        let at = window + at;
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    })
}
