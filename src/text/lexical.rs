//! The terms that words are found by.
//!
//! | text | terms |
//! |---|---|
//! | runs of Hangul, and of kana and Han | overlapping pairs of characters; a run of one stays single: 학교에 is 학교, 교에 |
//! | a Hangul word that is one syllable and a particle | that syllable too: 물을 is 물을, 물 |
//! | a Hangul word that may be a verb | its stem too, where that is no longer than two syllables: 이끌었다 has 이끄, 도와 has `도-` |
//! | other letters and digits | one lower-case term, English ones stemmed (Porter2) |
//! | letters and digits in one word | the word and both parts: iPhone15 is iphone15, iphon, 15 |
//!
//! Before that, text is brought to one form (Unicode's NFKC: decomposed Hangul, full-width letters), 1,000 is 1000 and
//! U.S. is us; C++ and C# are terms besides c. The choice was made by measuring: BENCHMARKS.md, "Words".

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::korean;

/// Longer terms are cut: nobody types them, and the index refuses terms beyond 64 KiB.
const LONGEST: usize = 64;
/// Stands after a verb's stem of one syllable, which is no syllable that a text has by itself.
const STEM_MARK: char = '-';
/// Stems of every third word. They tell nothing.
const COMMON_STEMS: [&str; 3] = ["하", "이", "되"];

/// What a term counts for in a query: the pairs of a word's particle or ending,
const ENDING: f32 = 0.5;
/// the stem that a verb may have, a part of a word of letters and digits,
const GUESSED: f32 = 0.7;
/// and a word that every text has.
const COMMON: f32 = 0.1;
/// A word's pairs together count for the number of its pairs to the power of 2/3: a long one says more, though not
/// that much more.
const PAIRS_DAMPING: f32 = -1.0 / 3.0;

/// English words of questions and sentences that say little of what is asked for.
const COMMON_WORDS: &[&str] = &[
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "being", "between", "by", "can", "could", "did", "do",
    "does", "for", "from", "had", "has", "have", "how", "if", "in", "into", "is", "it", "its", "no", "not", "of", "on",
    "or", "than", "that", "the", "then", "there", "these", "this", "those", "to", "was", "were", "what", "when",
    "where", "which", "who", "why", "with",
];

/// Calls `take` with each term of a text and the bytes it stands for, in order. Where a word had to be brought to
/// another form first, these are those of the whole word.
pub fn lexical_terms(text: &str, mut take: impl FnMut(&str, Range<usize>)) {
    weighted_terms(text, |term, range, _| take(term, range));
}

/// The terms of a query, each once, with what it counts for: from above 0 to 1.
pub fn query_terms(query: &str) -> Vec<(String, f32)> {
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut terms: Vec<(String, f32)> = Vec::new();
    weighted_terms(query, |term, _, weight| match at.get(term) {
        Some(&nth) => terms[nth].1 = weight.max(terms[nth].1),
        None => {
            at.insert(term.to_owned(), terms.len());
            terms.push((term.to_owned(), weight));
        }
    });
    terms
}

/// The character of a term that is one character of a script taken in pairs.
pub(crate) fn single_character(term: &str) -> Option<char> {
    let mut chars = term.chars();
    chars.next().filter(|&c| chars.next().is_none() && Script::of(c) != Script::Letters)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Hangul,
    /// Kana and Han.
    Han,
    Letters,
}

impl Script {
    fn of(c: char) -> Self {
        match c {
            '가'..='힣' | '\u{1100}'..='\u{11FF}' | '\u{3131}'..='\u{318E}' => Script::Hangul,
            '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{323AF}' => Script::Han,
            _ => Script::Letters,
        }
    }
}

/// A run of one script within a word.
pub(super) enum Run<'a> {
    /// Hangul, neither a particle after a word of letters nor what digits count (3개, 1990년에).
    Hangul(&'a str),
    /// Kana and Han.
    Han(&'a str),
    /// Other letters and digits.
    Letters(&'a str),
}

/// Calls `take` with the runs of a text's words, in the form that words are compared in.
pub(super) fn word_runs(text: &str, mut take: impl FnMut(Run<'_>)) {
    for range in words(text) {
        let plain = in_one_form(&text[range]);
        let mut before = "";
        for run in runs(&plain) {
            let run = &plain[run];
            match Script::of(run.chars().next().unwrap_or(' ')) {
                Script::Hangul if !before.is_empty() && korean::is_particle(run) => {}
                Script::Hangul if before.ends_with(|c: char| c.is_ascii_digit()) => {}
                Script::Hangul => take(Run::Hangul(run)),
                Script::Han => take(Run::Han(run)),
                Script::Letters => take(Run::Letters(run)),
            }
            before = run;
        }
    }
}

fn weighted_terms(text: &str, mut take: impl FnMut(&str, Range<usize>, f32)) {
    let stemmer = Stemmer::create(Algorithm::English);
    for range in words(text) {
        let word = &text[range.clone()];
        let plain = in_one_form(word);
        let symbols = symbols_after(&text[range.end..]);
        let mut follows = false;
        for run in runs(&plain) {
            let at = match plain {
                Cow::Borrowed(_) => range.start + run.start..range.start + run.end,
                Cow::Owned(_) => range.clone(),
            };
            match Script::of(plain[run.clone()].chars().next().unwrap_or(' ')) {
                Script::Hangul if follows && korean::is_particle(&plain[run.clone()]) => {
                    pairs(&plain[run], at, |_| COMMON, &mut take);
                }
                Script::Hangul => hangul(&plain[run], at, &mut take),
                Script::Han => pairs(&plain[run], at, |_| 1.0, &mut take),
                Script::Letters => {
                    let symbols = if run.end == plain.len() { symbols } else { "" };
                    letters(&plain[run], symbols, at, &stemmer, &mut take);
                }
            }
            follows = true;
        }
    }
}

/// Words: letters, digits and what combines with them; a comma between thousands, and the dots of U.S., belong to them.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_of_words)?;
        at = start;
        while let Some(c) = text[at..].chars().next() {
            let joins = is_of_words(c)
                || is_joined_mark(c)
                || joins_thousands(text, start, at)
                || joins_initials(text, start, at);
            if !joins {
                break;
            }
            at += c.len_utf8();
        }
        Some(start..at)
    })
}

fn is_of_words(c: char) -> bool {
    // What most texts are made of needs no table.
    c.is_ascii_alphanumeric() || matches!(c, '가'..='힣') || (!c.is_ascii() && c.is_alphanumeric())
}

fn is_joined_mark(c: char) -> bool {
    !c.is_ascii() && is_combining_mark(c)
}

/// Whether a comma stands between the digits of a number in groups of three.
fn joins_thousands(text: &str, start: usize, at: usize) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    bytes[at] == b',' && at > start && digits(at - 1..at) && digits(at + 1..at + 4) && !digits(at + 4..at + 5)
}

/// Whether a dot stands between single ASCII letters.
fn joins_initials(text: &str, start: usize, at: usize) -> bool {
    let bytes = text.as_bytes();
    let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
    let ends = |at: usize| bytes.get(at).is_none_or(|b| !b.is_ascii_alphanumeric());
    bytes[at] == b'.'
        && at > start
        && letter(at - 1)
        && (at - 1 == start || bytes[at - 2] == b'.')
        && letter(at + 1)
        && ends(at + 2)
}

/// What C++ and C# have after their letter.
fn symbols_after(rest: &str) -> &'static str {
    let next = |at: usize| rest[at..].chars().next().filter(|&c| Script::of(c) == Script::Letters);
    if rest.starts_with("++") && !next(2).is_some_and(char::is_alphabetic) {
        "++"
    } else if rest.starts_with('#') && !next(1).is_some_and(char::is_alphanumeric) {
        "#"
    } else {
        ""
    }
}

/// A word in the form that words are compared in.
fn in_one_form(word: &str) -> Cow<'_, str> {
    // Compatibility letters of Hangul would become others, which no keyboard makes.
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '가'..='힣' | '\u{3131}'..='\u{318E}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{4E00}'..='\u{9FFF}')
    };
    if word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(word.nfkc().filter(|&c| c != ',' && c != '.').collect())
}

/// Runs of one script within a word.
fn runs(word: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + word[at..].find(is_of_words)?;
        let script = Script::of(word[start..].chars().next()?);
        let belongs = |c: char| (is_of_words(c) || is_joined_mark(c)) && (Script::of(c) == script || is_joined_mark(c));
        at = start + word[start..].find(|c| !belongs(c)).unwrap_or(word.len() - start);
        Some(start..at)
    })
}

/// A run's pairs, or the run if it is one character. `counts` is asked with the bytes before a pair's last character.
fn pairs(run: &str, at: Range<usize>, counts: impl Fn(usize) -> f32, take: &mut impl FnMut(&str, Range<usize>, f32)) {
    let exact = at.len() == run.len();
    let within = |part: Range<usize>| if exact { at.start + part.start..at.start + part.end } else { at.clone() };
    let characters = run.chars().count();
    if characters <= 1 {
        return take(run, at.clone(), counts(0));
    }
    let damped = ((characters - 1) as f32).powf(PAIRS_DAMPING);
    let mut bounds = run.char_indices().map(|(start, _)| start).skip(1).peekable();
    let mut start = 0;
    while let Some(middle) = bounds.next() {
        let end = bounds.peek().copied().unwrap_or(run.len());
        take(&run[start..end], within(start..end), damped * counts(middle));
        start = middle;
    }
}

/// A Hangul word's pairs and stems.
fn hangul(run: &str, at: Range<usize>, take: &mut impl FnMut(&str, Range<usize>, f32)) {
    let korean::Parts { noun, stem, verbs } = korean::parts(run);
    pairs(run, at.clone(), |middle| if middle < stem { 1.0 } else { ENDING }, take);
    let first = run.chars().next().map_or(0, char::len_utf8);
    if noun < run.len() && noun == first {
        take(&run[..noun], at.clone(), 1.0);
    }
    let syllables = run.chars().count();
    let damped = (syllables.saturating_sub(1).max(1) as f32).powf(PAIRS_DAMPING);
    for mut verb in verbs {
        match verb.chars().count() {
            1 if COMMON_STEMS.contains(&verb.as_str()) => continue,
            1 => verb.push(STEM_MARK),
            2 if run.contains(&verb) => continue,
            2 => {}
            // Its first pair is in every form.
            _ => continue,
        }
        take(&verb, at.clone(), GUESSED * damped);
    }
}

/// A word of letters and digits.
fn letters(
    run: &str,
    symbols: &str,
    at: Range<usize>,
    stemmer: &Stemmer,
    take: &mut impl FnMut(&str, Range<usize>, f32),
) {
    let mut lower: String = run.chars().flat_map(char::to_lowercase).collect();
    lower.truncate(lower.floor_char_boundary(LONGEST));
    if !lower.is_ascii() {
        return take(&lower, at, 1.0);
    }
    let counts = if COMMON_WORDS.binary_search(&lower.as_str()).is_ok() { COMMON } else { 1.0 };
    take(&stemmer.stem(&lower), at.clone(), counts);
    if !symbols.is_empty() && lower.bytes().all(|b| b.is_ascii_alphabetic()) {
        lower.push_str(symbols);
        return take(&lower, at, 1.0);
    }
    if let Some(middle) = where_letters_meet_digits(lower.as_bytes()) {
        let (first, second) = lower.split_at(middle);
        take(&stemmer.stem(first), at.clone(), GUESSED);
        take(&stemmer.stem(second), at, GUESSED);
    }
}

/// Where a word turns from letters to digits or back, if it does so once.
fn where_letters_meet_digits(word: &[u8]) -> Option<usize> {
    let turns = |at: &usize| word[at - 1].is_ascii_digit() != word[*at].is_ascii_digit();
    let mut turning = (1..word.len()).filter(turns);
    turning.next().filter(|_| turning.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        let mut out = Vec::new();
        lexical_terms(text, |term, range| {
            assert!(text.get(range).is_some_and(|part| !part.is_empty()), "{term} of {text:?}");
            out.push(term.to_owned());
        });
        out
    }

    fn counts(query: &str, term: &str) -> Option<f32> {
        query_terms(query).into_iter().find(|(found, _)| found == term).map(|(_, counts)| counts)
    }

    #[test]
    fn scripts_have_terms_of_their_own() {
        assert_eq!(terms("학교에 Running 2026년 A급"), ["학교", "교에", "run", "2026", "년", "a", "급"]);
        assert_eq!(terms("日本語"), ["日本", "本語"]);
        assert_eq!(terms("東京タワーに"), ["東京", "京タ", "タワ", "ワー", "ーに"]);
        assert_eq!(terms("大韓民國의"), ["大韓", "韓民", "民國", "의"]);
        assert_eq!(
            terms("물을 이끌었다 도와"),
            ["물을", "물", "이끌", "끌었", "었다", "이끄", "도와", "도", "도-", "도오"]
        );
        assert!(terms(" -- …\u{301}").is_empty());
        assert_eq!(terms(&"z".repeat(500))[0].len(), LONGEST);
    }

    #[test]
    fn spellings_of_one_word_meet() {
        let decomposed: String = "학교에서 가르쳤다".nfd().collect();
        assert_ne!(decomposed, "학교에서 가르쳤다");
        for (one, other) in [
            (decomposed.as_str(), "학교에서 가르쳤다"),
            ("ＡＢＣ １２", "abc 12"),
            ("cafe\u{301}", "café"),
            ("ｶﾞｲﾄﾞ", "ガイド"),
            ("files", "FILE"),
            ("universities", "University"),
            ("1,234,567", "1234567"),
            ("U.S.", "us"),
            ("u.s.", "U.S"),
        ] {
            assert_eq!(terms(one), terms(other), "{one} and {other}");
        }
        assert_eq!(terms("1,23 12,3456 x.yz"), ["1", "23", "12", "3456", "x", "yz"]);
    }

    #[test]
    fn words_of_letters_digits_and_signs_have_their_parts_too() {
        assert_eq!(terms("GPT4는"), ["gpt4", "gpt", "4", "는"]);
        assert_eq!(terms("iPhone15"), ["iphone15", "iphon", "15"]);
        assert_eq!(terms("a1b2c3"), ["a1b2c3"]);
        assert_eq!(terms("C++17 C++의 C#, c ++"), ["c", "c++", "17", "c", "c++", "의", "c", "c#", "c"]);
        assert_eq!(terms("page.html#top i++j"), ["page", "html", "top", "i", "j"]);
    }

    #[test]
    fn a_query_weighs_its_terms() {
        assert!(COMMON_WORDS.is_sorted());
        assert_eq!((counts("the wing", "the"), counts("the wing", "wing")), (Some(COMMON), Some(1.0)));
        assert_eq!(counts("GPT4는", "는"), Some(COMMON));
        let [stem, ending] = ["학교", "교에"].map(|term| counts("학교에", term).unwrap());
        assert_eq!(ending, stem * ENDING);
        assert!(counts("이끌었다", "이끄").unwrap() < counts("이끌었다", "이끌").unwrap());
        assert_eq!(query_terms("wing wing WING").len(), 1);
        assert_eq!(
            (single_character("물"), single_character("水"), single_character("a")),
            (Some('물'), Some('水'), None)
        );
        assert_eq!((single_character("물을"), single_character("도-"), single_character("")), (None, None, None));
    }
}
