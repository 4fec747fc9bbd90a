//! What comes back: vectors, what became of each text, and what it took.

use std::time::Duration;

use crate::vectors::Vectors;

/// What became of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It has a vector of length 1.
    Embedded,
    /// It holds nothing but white space, so it has no vector.
    Blank,
    /// The model knows none of its tokens, so it has no vector.
    NoKnownToken,
    /// It alone was refused, by the provider or for its length; [`Embeddings::refusals`] says why.
    Refused,
    /// It was not embedded, since the call failed before its turn came.
    Unanswered,
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The text's position in the call, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What a call took, or many together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Usage {
    /// Texts given, blank ones included.
    pub texts: u64,
    /// Tokens that the provider says it will bill; none for texts from a cache and for local models.
    pub tokens: u64,
    /// Tokens of answers that do not say, by our estimate, which is never low for Korean.
    pub estimated_tokens: u64,
    /// Requests sent, repeated ones included.
    pub requests: u64,
    /// Requests that had to be repeated.
    pub retries: u64,
    /// Texts whose vector came from the cache.
    pub cache_hits: u64,
    /// Calls of the cache that failed; its texts were embedded anew.
    pub cache_failures: u64,
    /// Wall time.
    pub seconds: f64,
}

impl Usage {
    /// Adds what another call took.
    pub fn add(&mut self, other: &Usage) {
        self.texts += other.texts;
        self.tokens += other.tokens;
        self.estimated_tokens += other.estimated_tokens;
        self.requests += other.requests;
        self.retries += other.retries;
        self.cache_hits += other.cache_hits;
        self.cache_failures += other.cache_failures;
        self.seconds += other.seconds;
    }

    /// Whether nothing was sent, since the cache had all there was to embed.
    pub fn cache_hit(&self) -> bool {
        self.requests == 0 && self.cache_hits > 0
    }
}

/// How far a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EmbedProgress {
    /// Texts that have their answer.
    pub done: usize,
    /// Texts given.
    pub total: usize,
    /// What it took up to now.
    pub usage: Usage,
    /// The time that the rest will take, if it goes on as it went; `None` before the first answer.
    pub remaining: Option<Duration>,
}

/// The answer to a batch of texts, in their order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Embeddings {
    /// `n x dim`; the row of a text without a vector is zero.
    pub vectors: Vectors,
    /// One answer a text.
    pub answers: Vec<Answer>,
    /// Texts that were refused, by position; the others have their answer all the same.
    pub refusals: Vec<Refusal>,
    /// Positions of the texts whose vector came from a cache, in order.
    pub from_cache: Vec<usize>,
    /// What the call took.
    pub usage: Usage,
}

impl Embeddings {
    /// An answer without refusals.
    pub fn new(vectors: Vectors, answers: Vec<Answer>) -> Self {
        let usage = Usage { texts: answers.len() as u64, ..Usage::default() };
        Embeddings { vectors, answers, refusals: Vec::new(), from_cache: Vec::new(), usage }
    }

    /// The vector of text `i`; `None` when it has none, or there is no such text.
    pub fn get(&self, i: usize) -> Option<&[f32]> {
        (*self.answers.get(i)? == Answer::Embedded).then(|| self.vectors.row(i))
    }

    /// How many texts have no vector.
    pub fn missing(&self) -> usize {
        self.answers.iter().filter(|a| **a != Answer::Embedded).count()
    }
}
