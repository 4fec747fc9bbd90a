//! The headings of Markdown, and whether it nests deeper than any text does.
//!
//! A long text is parsed in pieces: the parser takes some fifty bytes for each byte of a text, and on
//! texts made for it more than linear time. A piece ends where a block of the text does.

use std::ops::Range;

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::blocks::{Fence, blocks};
use super::limits::{DEEPEST_MARKDOWN, LONGEST_HEADING, MAX_HEADINGS};
use super::{Format, Heading};

/// CommonMark with the settings that many notes begin with, between lines of `---`.
pub(super) const MARKDOWN: Options = Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;

/// Pieces grow to this size; a block more may come.
const PIECE: usize = 192 * 1024;

/// The headings of a text.
///
/// # Errors
/// The reason why it is not read: a line that nests deeper than [`DEEPEST_MARKDOWN`], or more headings
/// than [`MAX_HEADINGS`].
pub(super) fn headings(text: &str) -> Result<Vec<Heading>, String> {
    if let Some(line) = text.lines().position(|line| depth(line) > DEEPEST_MARKDOWN) {
        return Err(format!(
            "line {} nests quotes and lists deeper than {DEEPEST_MARKDOWN}; as .txt it would be read as plain text",
            line + 1
        ));
    }
    let pieces = pieces(text);
    let mut out = Vec::new();
    let mut fence = Fence::default();
    for piece in &pieces {
        // A piece that begins within a fenced block is parsed from where that ends.
        let mut from = piece.start;
        for line in text[piece.clone()].split_inclusive('\n') {
            if !fence.is_open() {
                break;
            }
            fence.line(line);
            from += line.len();
        }
        headings_of(text, from..piece.end, pieces.len() > 1, &mut out);
        if out.len() > MAX_HEADINGS {
            return Err(format!("more than {MAX_HEADINGS} headings; split it into several files"));
        }
        text[from..piece.end].split_inclusive('\n').for_each(|line| fence.line(line));
    }
    out.retain(|h| !h.text.trim().is_empty());
    Ok(out)
}

/// Blocks joined into pieces.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for block in blocks(text, Format::Markdown) {
        match out.last_mut() {
            Some(last) if last.len() < PIECE => last.end = block.end,
            _ => out.push(block),
        }
    }
    out
}

fn headings_of(text: &str, piece: Range<usize>, in_pieces: bool, out: &mut Vec<Heading>) {
    // The definition of a reference may stand in another piece.
    let mut elsewhere = |link: BrokenLink<'_>| {
        let full = in_pieces && link.link_type == LinkType::Reference;
        full.then_some((CowStr::Borrowed(""), CowStr::Borrowed("")))
    };
    let parser = Parser::new_with_broken_link_callback(&text[piece.clone()], MARKDOWN, Some(&mut elsewhere));
    let mut open = false;
    let add = |out: &mut Vec<Heading>, words: &str| {
        if let Some(heading) = out.last_mut() {
            let room = LONGEST_HEADING.saturating_sub(heading.text.len());
            heading.text.push_str(&words[..words.floor_char_boundary(room)]);
        }
    };
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                out.push(Heading { at: piece.start + range.start, level: level as u8, text: String::new() });
                open = true;
            }
            Event::End(TagEnd::Heading(_)) => open = false,
            Event::SoftBreak | Event::HardBreak if open => add(out, " "),
            Event::Text(words) | Event::Code(words) if open => add(out, &words),
            _ => {}
        }
    }
}

/// At most how many quotes and list items are open behind the markers that a line begins with: those
/// that it names, and those that what stands before them can be indented for.
fn depth(line: &str) -> usize {
    let bytes = line.as_bytes();
    let (mut at, mut markers, mut columns) = (0, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        let spaced = |len: usize| bytes.get(at + len).is_none_or(|b| b.is_ascii_whitespace());
        let digits = bytes[at..].iter().take(10).take_while(|b| b.is_ascii_digit()).count();
        at += match byte {
            b' ' => {
                columns += 1;
                1
            }
            b'\t' => {
                columns += 4;
                1
            }
            b'>' => {
                markers += 1;
                1
            }
            b'-' | b'+' | b'*' if spaced(1) => {
                markers += 1;
                1
            }
            b'0'..=b'9' if matches!(bytes.get(at + digits), Some(b'.' | b')')) && spaced(digits + 1) => {
                markers += 1;
                digits + 1
            }
            _ => break,
        };
    }
    // A rule is no list in lists.
    let rule = |mark: u8| bytes.iter().all(|&b| b == mark || b.is_ascii_whitespace());
    if markers == 0 || (markers > DEEPEST_MARKDOWN && (rule(b'-') || rule(b'*'))) {
        0
    } else {
        markers.max(columns / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_the_markers() {
        let cases =
            [("", 0), ("text > 5", 0), ("> a", 1), ("> > - 1. a", 4), (">>>>", 4), ("    - a", 2), ("\t\t* a", 4)];
        for (line, expected) in cases {
            assert_eq!(depth(line), expected, "{line:?}");
        }
        assert_eq!(depth(&"- ".repeat(500)), 0, "a rule");
        assert_eq!(depth(&("- ".repeat(500) + "a")), 500);
        assert!(headings(&("# a\n".to_owned() + &"> ".repeat(1_000) + "b")).unwrap_err().starts_with("line 2 nests"));
    }

    /// However a long text is cut, its headings are those of the whole.
    #[test]
    fn pieces_have_the_headings_of_the_whole() {
        let section = |i: usize| {
            format!(
                "# One {i}\n\nwords *and* more [link][{i}]\n\n> ## Quoted [{i}][x]\n\n```sh\n# no heading\n```\n\nTwo `code`\n===\n\n- a\n\n  ### In a list\n\n"
            )
        };
        let mut text: String = (0..3_000).map(section).collect();
        text.push_str(&format!("```\n{}```\n\n# After\n\n[x]: /u\n", "# no\n\n".repeat(60_000)));
        assert!(pieces(&text).len() > 3);
        let mut whole = Vec::new();
        headings_of(&text, 0..text.len(), false, &mut whole);
        let found = headings(&text).unwrap();
        assert_eq!(found.len(), 4 * 3_000 + 1);
        assert!(found == whole);
    }
}
