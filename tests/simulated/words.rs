//! Texts of a few words, and an embedder that is easily computed by hand.

use std::collections::BTreeMap;

use gyeol::collection::NewDocument;
use gyeol::embed::{Answer, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;
use gyeol::{Embedder, Vectors};

const DIM: usize = 8;
const WORDS: usize = 40;
/// Stands in every text. The embedder does not know it, so a text of nothing else has no vector.
pub const EVERYWHERE: &str = "all";

/// The texts of a collection by their keys.
pub type Documents = BTreeMap<String, String>;

/// Numbers that follow from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// What stands for the digits of a word's number: letters, since a number in a word is a term of its own.
const LETTERS: &[u8; 10] = b"bcdfghkmnp";

/// Word number `n`: no two have one stem.
pub fn word(n: usize) -> String {
    let n = n % WORDS;
    let letter = |digit: usize| char::from(LETTERS[digit % LETTERS.len()]);
    format!("wa{}{}", letter(n / 10), letter(n % 10))
}

/// A text that follows from a number. Of eleven texts one has no word that the embedder knows.
pub fn text(number: u64) -> String {
    let mut random = Random(number);
    let words = random.below(11).min(5);
    let words = (0..words).map(|_| word(random.below(WORDS)));
    std::iter::once(EVERYWHERE.to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A document with a payload that follows from its text.
pub fn document(key: &str, text: &str) -> NewDocument {
    let mut payload = serde_json::Map::new();
    payload.insert("words".to_owned(), text.split(' ').count().into());
    NewDocument { key: key.to_owned(), text: text.to_owned(), payload }
}

/// The number of a word, given its letters.
fn number(letters: &str) -> Option<u64> {
    letters.bytes().try_fold(0, |sum, b| Some(10 * sum + LETTERS.iter().position(|&l| l == b)? as u64))
}

/// The vector of a text: the sum of its words', of length 1. None when no word is known.
pub fn vector(text: &str) -> Option<[f32; DIM]> {
    let known = text.split(' ').filter_map(|word| number(word.strip_prefix("wa")?));
    let mut sum = known.fold(None, |sum: Option<[f32; DIM]>, number| {
        let mut random = Random(number << 32);
        let of_word = |_| (random.next() >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let mut values = sum.unwrap_or_default();
        values.iter_mut().zip((0..DIM).map(of_word)).for_each(|(value, more)| *value += more);
        Some(values)
    })?;
    let norm = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    sum.iter_mut().for_each(|v| *v /= norm);
    Some(sum)
}

/// The embedder whose vectors are those of [`vector`].
pub struct Words(ModelIdentity);

impl Words {
    pub fn new() -> Self {
        let (hash, query_prefix, document_prefix) = Default::default();
        Words(ModelIdentity { name: "test::words".to_owned(), hash, dim: DIM, query_prefix, document_prefix })
    }
}

impl Embedder for Words {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _: Role) -> Result<Embeddings, EmbedError> {
        let vectors: Vec<Option<[f32; DIM]>> = texts.iter().map(|text| vector(text)).collect();
        let answers = vectors.iter().map(|v| if v.is_some() { Answer::Embedded } else { Answer::NoKnownToken });
        let answers = answers.collect();
        let values = vectors.into_iter().flat_map(Option::unwrap_or_default).collect();
        Ok(Embeddings::new(Vectors::new(values, DIM).unwrap(), answers))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split(' ').count()
    }
}
