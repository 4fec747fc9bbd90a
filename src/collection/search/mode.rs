//! What a search goes by, and how two ways are made one.

use std::fmt;

use crate::error::{CollectionError, Result};

/// What a search goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Meaning: the nearest vectors.
    Dense,
    /// Words: BM25.
    Lexical,
    /// Both, made one by a [`Fusion`].
    #[default]
    Hybrid,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Dense => "dense",
            Mode::Lexical => "lexical",
            Mode::Hybrid => "hybrid",
        })
    }
}

/// How the scores of meaning and of words are made one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fusion {
    /// `lexical * BM25 / the best BM25 of the query + (1 - lexical) * cosine`: from 0 to 1, but for cosines under 0. Each
    /// chunk that is among the best [`Fusion::POOL`] of the one or the other is scored by both. A chunk without a
    /// vector has the cosine 0.
    Scores {
        /// The weight of words, from 0 to 1.
        lexical: f32,
    },
    /// Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): `lexical / (k + rank by words) +
    /// (1 - lexical) / (k + rank by meaning)`, ranks from 1, nothing for a chunk that is not among the best
    /// of the one or the other.
    Ranks {
        /// The weight of words, from 0 to 1.
        lexical: f32,
        /// The larger, the less the first ranks stand out; 60 in the paper.
        k: f32,
    },
}

impl Fusion {
    /// The weight of words when nothing else is said: the table in BENCHMARKS.md tells why.
    pub const DEFAULT_LEXICAL: f32 = 0.6;
    /// The `k` of [`Fusion::Ranks`] when nothing else is said.
    pub const DEFAULT_RANK_K: f32 = 60.0;
    /// The best chunks by meaning, and as many by words, that fusion looks at, at least.
    pub const POOL: usize = 100;

    /// Checks the numbers against their ranges.
    ///
    /// # Errors
    /// [`CollectionError::Query`].
    pub fn validate(self) -> Result<()> {
        let (lexical, k) = match self {
            Fusion::Scores { lexical } => (lexical, 1.0),
            Fusion::Ranks { lexical, k } => (lexical, k),
        };
        if !(0.0..=1.0).contains(&lexical) {
            let reason = format!("the weight of words is {lexical}; it must be from 0 to 1");
            return Err(CollectionError::Query(reason).into());
        }
        if !(k > 0.0 && k.is_finite()) {
            return Err(CollectionError::Query(format!("the k of rank fusion is {k}; it must be over 0")).into());
        }
        Ok(())
    }
}

impl Default for Fusion {
    fn default() -> Self {
        Fusion::Scores { lexical: Self::DEFAULT_LEXICAL }
    }
}
