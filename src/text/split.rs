//! A unit that is too long for a chunk, cut at lines, sentences and words, in linear time.
//!
//! The splitter measures much of the text that is left for each chunk, so it is shown a window of it at
//! a time; and a word that is longer than any is cut without it, since it looks for a place in the word
//! at which there is none.

use std::ops::Range;

use text_splitter::{ChunkConfig, ChunkSizer, TextSplitter};

use super::stretch::long_words;

/// Bytes of text for each token that a chunk may have: a window holds several chunks.
const WINDOW: usize = 32;
/// Bounds of a window.
const WINDOWS: (usize, usize) = (1024, 128 * 1024);
/// Stretches without white space that are longer are cut anywhere.
const LONG_WORD: usize = 512;

/// A function that counts a text's tokens.
pub(super) type Count<'a> = &'a (dyn Fn(&str) -> usize + Sync);

/// The counting function as the splitter wants it.
struct Sizer<'a>(Count<'a>);

impl ChunkSizer for Sizer<'_> {
    fn size(&self, chunk: &str) -> usize {
        (self.0)(chunk)
    }
}

/// Cuts a stretch of a text into parts of at most `limit` tokens, but of a character at least.
pub(super) fn split(text: &str, unit: Range<usize>, limit: usize, count: Count<'_>) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut from = unit.start;
    for word in long_words(&text[unit.clone()], LONG_WORD) {
        let word = unit.start + word.start..unit.start + word.end;
        split_prose(text, from..word.start, limit, count, &mut out);
        from = word.end;
        split_word(text, word, limit, count, &mut out);
    }
    split_prose(text, from..unit.end, limit, count, &mut out);
    out
}

/// Cuts at the best places, a window after the other. The last chunk of a window is cut anew at the
/// start of the next one, where all of it is seen.
fn split_prose(text: &str, range: Range<usize>, limit: usize, count: Count<'_>, out: &mut Vec<Range<usize>>) {
    let splitter = TextSplitter::new(ChunkConfig::new(limit).with_sizer(Sizer(count)));
    let first = limit.saturating_mul(WINDOW).clamp(WINDOWS.0, WINDOWS.1);
    let (mut at, mut window) = (range.start, first);
    while at < range.end {
        let end = text.floor_char_boundary(range.end.min(at + window));
        let mut parts: Vec<Range<usize>> =
            splitter.chunk_indices(&text[at..end]).map(|(i, part)| at + i..at + i + part.len()).collect();
        if end < range.end {
            match parts.pop() {
                // All of it is one chunk, or nothing: more may belong to it.
                Some(_) | None if parts.is_empty() => {
                    window *= 2;
                    continue;
                }
                Some(last) => at = last.start,
                None => {}
            }
            window = first;
        } else {
            at = end;
        }
        out.append(&mut parts);
    }
}

/// Cuts a word anywhere, each part nearly as long as can be.
fn split_word(text: &str, word: Range<usize>, limit: usize, count: Count<'_>, out: &mut Vec<Range<usize>>) {
    let (mut at, mut guess) = (word.start, limit.saturating_mul(2));
    while at < word.end {
        let place = |len: usize| text.ceil_char_boundary(word.end.min(at.saturating_add(len.max(1))));
        let fits = |end: usize| count(&text[at..end]) <= limit;
        // `good` fits and `bad` does not.
        let (mut good, mut bad) = (at, None);
        let mut end = place(guess);
        loop {
            if fits(end) {
                good = end;
                if end == word.end {
                    break;
                }
            } else {
                bad = Some(end);
            }
            end = match bad {
                None => place((end - at).saturating_mul(5) / 4 + 1),
                Some(bad) if good > at && bad - good <= (good - at) / 4 + 1 => break,
                Some(bad) => place((good - at).midpoint(bad - at)),
            };
            // Between characters there is no other place.
            if end <= good || bad.is_some_and(|bad| end >= bad) {
                break;
            }
        }
        if good == at {
            good = place(1);
        }
        out.push(at..good);
        guess = good - at;
        at = good;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token is four characters of a word, or what is left of it.
    fn count(text: &str) -> usize {
        text.split_whitespace().map(|word| word.chars().count().div_ceil(4)).sum()
    }

    fn assert_parts(text: &str, limit: usize) -> usize {
        let parts = split(text, 0..text.len(), limit, &count);
        let mut at = 0;
        for part in &parts {
            assert!(text[at..part.start].trim().is_empty(), "nothing is lost: {at}..{part:?}");
            assert!(count(&text[part.clone()]) <= limit, "{part:?}");
            at = part.end;
        }
        assert!(text[at..].trim().is_empty());
        parts.len()
    }

    #[test]
    fn all_of_a_long_unit_is_cut() {
        let word = "x".repeat(40_000);
        assert!((620..800).contains(&assert_parts(&word, 16)));
        assert_parts(&format!("some words, {word} and others. {word}"), 10);
        assert_parts(&"가나다라마바사".repeat(2_000), 8);
        assert_parts(&"단어 셋이다. ".repeat(2_000), 8);
        assert_parts(&"e\u{301}\u{302}".repeat(2_000), 1);
        assert_parts(&format!("a{}b", " ".repeat(50_000)), 1);
        assert_parts(&"🇰🇷".repeat(2_000), 3);
    }

    /// Within a window the parts are the splitter's own.
    #[test]
    fn prose_is_cut_as_the_splitter_cuts_it() {
        let text =
            "The load factor is the number of pairs. As it rises, searches slow down.\n\nThen it grows! ".repeat(200);
        let parts = split(&text, 0..text.len(), 30, &count);
        let splitter = TextSplitter::new(ChunkConfig::new(30).with_sizer(Sizer(&count)));
        let whole: Vec<Range<usize>> = splitter.chunk_indices(&text).map(|(i, p)| i..i + p.len()).collect();
        assert_eq!(parts, whole);
    }
}
