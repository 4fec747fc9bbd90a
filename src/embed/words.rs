//! Token ids word by word, with a cache in front of the tokeniser.
//!
//! The tokeniser's pipeline (NFKD, accents off, lower case, NFC; split at white space, punctuation
//! and Hangul runs; Unigram) never looks across ASCII white space: no normalisation composes over
//! it, and Unigram runs on each piece alone. So a text's ids are its words' ids one after another,
//! and a word's ids can be kept. Words of plain ASCII and Hangul syllables, which the normalisation
//! only lower-cases, go to the Unigram model directly. A property test compares all of this with
//! the tokeniser run on the whole text.

use std::collections::HashMap;
use std::sync::Mutex;

use tokenizers::{Model, Tokenizer};

/// Words kept in one cache; then it starts anew. About 5 MB.
const CACHE_WORDS: usize = 1 << 16;
/// Longer words are not kept.
const CACHE_BYTES: usize = 64;
/// A word longer than this is cut, so that text without spaces costs bounded memory: the
/// tokeniser takes some hundred bytes for each byte of a word.
const LONGEST_WORD: usize = 4096;

/// A tokeniser with caches, one for each thread that uses it at once.
pub(super) struct Words {
    tokenizer: Tokenizer,
    unknown: u32,
    caches: Mutex<Vec<Memory>>,
}

/// The ids of the words seen: `ids[span]` for each.
#[derive(Default)]
struct Memory {
    spans: HashMap<Box<str>, (u32, u32), ahash::RandomState>,
    ids: Vec<u32>,
    piece: String,
}

/// One thread's hold of the tokeniser and a cache.
pub(super) struct Cache<'a> {
    words: &'a Words,
    memory: Memory,
}

impl Words {
    /// Parses a `tokenizer.json`.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let tokenizer = Tokenizer::from_bytes(json).map_err(|e| e.to_string())?;
        let unknown = tokenizer.token_to_id("[UNK]").ok_or("the vocabulary has no [UNK]")?;
        Ok(Words { tokenizer, unknown, caches: Mutex::default() })
    }

    /// The largest id that a text can have.
    pub fn largest_id(&self) -> usize {
        self.tokenizer.get_vocab_size(true).saturating_sub(1)
    }

    /// Runs `work` with a cache that no other thread has.
    pub fn with_cache<T>(&self, work: impl FnOnce(&mut Cache<'_>) -> T) -> T {
        let memory = self.caches.lock().map(|mut all| all.pop()).ok().flatten().unwrap_or_default();
        let mut cache = Cache { words: self, memory };
        let out = work(&mut cache);
        if let Ok(mut all) = self.caches.lock() {
            all.push(cache.memory);
        }
        out
    }

    /// The ids of one word, added to `out`.
    fn encode(&self, word: &str, piece: &mut String, out: &mut Vec<u32>) -> tokenizers::Result<()> {
        if word.chars().all(is_plain) {
            let bounds = word.char_indices().map(|(at, c)| (at, Class::of(c)));
            let mut start = 0;
            let mut class = None;
            for (at, next) in bounds.chain([(word.len(), Class::Punctuation)]) {
                let joined = class == Some(next) && next != Class::Punctuation;
                if !joined && at > start {
                    piece.clear();
                    piece.push_str(&word[start..at]);
                    piece.make_ascii_lowercase();
                    out.extend(self.tokenizer.get_model().tokenize(piece)?.iter().map(|t| t.id));
                    start = at;
                }
                class = Some(next);
            }
        } else {
            out.extend_from_slice(self.tokenizer.encode_fast(word, false)?.get_ids());
        }
        Ok(())
    }
}

impl Cache<'_> {
    /// The id of the tokens that the model does not know.
    pub fn unknown_id(&self) -> u32 {
        self.words.unknown
    }

    /// Calls `take` with the ids of each word of a text, in order.
    pub fn for_each(&mut self, text: &str, mut take: impl FnMut(&[u32])) -> tokenizers::Result<()> {
        let Memory { spans, ids, piece } = &mut self.memory;
        for word in text.split(|c: char| c.is_ascii_whitespace() || c == '\x0b').filter(|w| !w.is_empty()) {
            if let Some(&(start, end)) = spans.get(word) {
                take(&ids[start as usize..end as usize]);
                continue;
            }
            if word.len() > CACHE_BYTES {
                let mut long = Vec::new();
                for part in cut(word) {
                    long.clear();
                    self.words.encode(part, piece, &mut long)?;
                    take(&long);
                }
                continue;
            }
            if spans.len() >= CACHE_WORDS {
                spans.clear();
                ids.clear();
            }
            let start = ids.len();
            self.words.encode(word, piece, ids)?;
            spans.insert(word.into(), (start as u32, ids.len() as u32));
            take(&ids[start..]);
        }
        Ok(())
    }
}

/// A long word in parts of at most [`LONGEST_WORD`] bytes.
fn cut(mut word: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if word.is_empty() {
            return None;
        }
        let (part, rest) = word.split_at(word.floor_char_boundary(LONGEST_WORD));
        word = rest;
        Some(part)
    })
}

/// Characters that the normalisation only lower-cases. A bracket may open a special token.
fn is_plain(c: char) -> bool {
    (c.is_ascii_graphic() && c != '[') || Class::of(c) == Class::Hangul
}

/// What the pre-tokeniser splits plain words by: punctuation stands alone, Hangul runs together.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Punctuation,
    Hangul,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            '가'..='힣' => Class::Hangul,
            c if c.is_ascii_punctuation() => Class::Punctuation,
            _ => Class::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words() -> &'static Words {
        static WORDS: std::sync::OnceLock<Words> = std::sync::OnceLock::new();
        let json = include_bytes!("../../data/model/tokenizer.json");
        WORDS.get_or_init(|| Words::parse(json).unwrap())
    }

    fn ids(text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        words().with_cache(|w| w.for_each(text, |word| ids.extend_from_slice(word))).unwrap();
        ids
    }

    fn oracle(text: &str) -> Vec<u32> {
        words().tokenizer.encode(text, false).unwrap().get_ids().to_vec()
    }

    /// Text of the kinds of character that the pipeline treats differently.
    fn mixed() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z0-9]{1,8}",
            "[가-힣]{1,6}",
            "[!-/:-@\\[-`{-~]{1,3}",
            "[ \\t\\n\\r\u{b}\u{c}]{1,2}",
            "[\u{300}-\u{36f}\u{1100}-\u{11ff}\u{3131}-\u{318e}]{1,3}",
            "[\u{a0}\u{85}\u{2028}\u{3000}\u{200b}\u{ad}\u{feff}]",
            "[àéîõüÅßİĞſﬁⅣ㎏１Ａ“”·—…]{1,3}",
            "[一-龥ぁ-んァ-ヶ]{1,4}",
            Just("[UNK]".to_owned()),
            Just("[PAD]".to_owned()),
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn word_by_word_equals_the_whole(text in mixed()) {
            prop_assert_eq!(ids(&text), oracle(&text), "{:?}", text);
            prop_assert_eq!(ids(&text), oracle(&text), "from the cache: {:?}", text);
        }
    }

    #[test]
    fn a_word_without_end_is_cut_and_still_counted() {
        let long = "가나다라".repeat(100_000);
        assert!(ids(&long).len() > 100_000);
        assert_eq!(cut(&long).map(str::len).sum::<usize>(), long.len());
        assert!(cut(&long).all(|p| p.len() <= LONGEST_WORD));
    }

    #[test]
    fn the_cache_starts_anew_when_full() {
        for i in 0..CACHE_WORDS + 10 {
            assert!(!ids(&format!("w{i}")).is_empty());
        }
        assert_eq!(ids("w1 w2"), oracle("w1 w2"));
    }
}
