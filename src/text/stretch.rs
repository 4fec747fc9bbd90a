//! Stretches of a text without white space.

use std::ops::Range;

/// The stretches of more than `longest` bytes without white space and without a character of a script
/// that is written without spaces. Looks back from where each would have to end, so most of an
/// ordinary text is never touched.
pub(super) fn long_words(text: &str, longest: usize) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    while text.len() - at > longest {
        let probe = text.ceil_char_boundary(at + longest + 1);
        if let Some((i, c)) = text[at..probe].char_indices().rev().find(|&(_, c)| ends_word(c)) {
            at += i + c.len_utf8();
        } else {
            let end = text[probe..].find(ends_word).map_or(text.len(), |i| probe + i);
            out.push(at..end);
            at = end;
        }
    }
    out
}

/// White space, or a character of a script that is written without spaces.
fn ends_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_whitespace();
    }
    // Thai to Myanmar, Khmer, Tai Le to Tai Tham, Balinese to Sundanese, the Hangul, kana and Han
    // blocks with their punctuation and wide forms, Javanese.
    c.is_whitespace()
        || matches!(c, '\u{0E00}'..='\u{109F}' | '\u{1100}'..='\u{11FF}' | '\u{1780}'..='\u{17FF}'
            | '\u{1950}'..='\u{19FF}' | '\u{1A20}'..='\u{1AAF}' | '\u{1B00}'..='\u{1BBF}' | '\u{2E80}'..='\u{A4CF}'
            | '\u{A960}'..='\u{A9DF}' | '\u{AA60}'..='\u{AADF}' | '\u{AC00}'..='\u{D7FF}' | '\u{F900}'..='\u{FAFF}'
            | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_stretches_of_spaced_scripts_are_found() {
        let long = "x".repeat(101);
        let text = format!("{} {long} b {long}", "y".repeat(100));
        assert_eq!(long_words(&text, 100), [101..202, 205..306]);
        assert!(long_words(&long, 100).iter().eq([&(0..101)]));
        assert!(long_words(&"x".repeat(100), 100).is_empty());
        assert!(long_words("", 100).is_empty());
        for unspaced in ["가나다라", "天地玄黄。", "ภาษาไทย", "ひらがな", "ｗｉｄｅ", "\u{1112}\u{1161}"]
        {
            assert!(long_words(&unspaced.repeat(100), 100).is_empty(), "{unspaced}");
        }
        for data in ["\u{301}", "\u{200d}", "🇰🇷", "é", "a.b,c;"] {
            let text = data.repeat(100);
            assert!(long_words(&text, 90).iter().eq([&(0..text.len())]), "{data}");
        }
    }
}
