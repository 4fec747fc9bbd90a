//! Reranking: a second, slower look at the texts that a search has found.
//!
//! An index compares vectors that were made of query and text apart. A [`Reranker`] sees the two
//! together, so it orders a few dozen texts better than any vector can, and is too slow for more.
//! [`scores`] asks one and checks its answer. With the feature `rerank`, `CrossEncoder` runs a
//! model from a folder on this machine.

#[cfg(feature = "rerank")]
mod cross_encoder;
#[cfg(feature = "rerank")]
mod head;

use std::sync::Arc;

#[cfg(feature = "rerank")]
pub use cross_encoder::{CrossEncoder, CrossEncoderOptions, Scale};

use crate::error::RerankError;

/// A model that tells how well texts answer a query.
///
/// Batching is the reranker's own affair: [`Reranker::rerank`] takes any number of texts and answers
/// in the order given. No text is no work.
pub trait Reranker: Send + Sync {
    /// `provider::model`, for instance `local::ms-marco-MiniLM-L6-v2`; the same for the reranker's
    /// whole life.
    fn name(&self) -> &str;

    /// One finite score a text, larger is better, in the order of the texts. Scores of one
    /// reranker can be compared, also over queries; those of two cannot.
    ///
    /// # Errors
    /// [`RerankError`]; then no text of the call is scored.
    fn rerank(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError>;
}

impl<R: Reranker + ?Sized> Reranker for Arc<R> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn rerank(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError> {
        (**self).rerank(query, texts)
    }
}

impl<R: Reranker + ?Sized> Reranker for Box<R> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn rerank(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError> {
        (**self).rerank(query, texts)
    }
}

/// [`Reranker::rerank`] for anything that holds strings, with the answer checked. A reranker is not
/// asked when there is no text.
///
/// # Errors
/// [`RerankError`] of the reranker; [`RerankError::Count`] and [`RerankError::NotFinite`] when it
/// breaks its promises.
///
/// ```
/// use gyeol::error::RerankError;
/// use gyeol::rerank::{Reranker, scores};
///
/// /// How many of the query's words a text has.
/// struct Overlap;
///
/// impl Reranker for Overlap {
///     fn name(&self) -> &str {
///         "example::overlap"
///     }
///
///     fn rerank(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError> {
///         let count = |text: &&str| query.split(' ').filter(|word| text.contains(word)).count() as f32;
///         Ok(texts.iter().map(count).collect())
///     }
/// }
///
/// assert_eq!(scores(&Overlap, "고양이가 잔다", &["개가 잔다", "고양이가 잔다", ""])?, [1.0, 2.0, 0.0]);
/// # Ok::<(), gyeol::Error>(())
/// ```
pub fn scores<S: AsRef<str>>(reranker: &dyn Reranker, query: &str, texts: &[S]) -> Result<Vec<f32>, RerankError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    let scores = reranker.rerank(query, &texts)?;
    let model = || reranker.name().to_owned();
    if scores.len() != texts.len() {
        return Err(RerankError::Count { model: model(), scores: scores.len(), texts: texts.len() });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(index) => Err(RerankError::NotFinite { model: model(), index, value: scores[index] }),
        None => Ok(scores),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(&'static [f32]);

    impl Reranker for Fixed {
        fn name(&self) -> &str {
            "test::fixed"
        }

        fn rerank(&self, _query: &str, _texts: &[&str]) -> Result<Vec<f32>, RerankError> {
            Ok(self.0.to_vec())
        }
    }

    #[test]
    fn an_answer_that_keeps_the_promises_is_passed_on() {
        assert_eq!(scores(&Arc::new(Fixed(&[0.5, -2.0])), "q", &["a", "b"]).unwrap(), [0.5, -2.0]);
        let boxed: Box<dyn Reranker> = Box::new(Fixed(&[1.0]));
        assert_eq!((boxed.name(), scores(&boxed, "q", &["a"]).unwrap()), ("test::fixed", vec![1.0]));
    }

    #[test]
    fn no_text_is_no_work() {
        assert!(scores(&Fixed(&[1.0]), "q", &[""; 0]).unwrap().is_empty());
    }

    #[test]
    fn an_answer_that_breaks_them_is_refused_by_text() {
        let error = scores(&Fixed(&[1.0]), "q", &["a", "b"]).unwrap_err();
        assert!(matches!(error, RerankError::Count { scores: 1, texts: 2, .. }), "{error}");
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let answer = Box::leak(Box::new([1.0, bad]));
            let error = scores(&Fixed(answer), "q", &["a", "b"]).unwrap_err();
            assert!(matches!(error, RerankError::NotFinite { index: 1, .. }), "{error}");
            assert!(error.to_string().contains("text 1"), "{error}");
        }
    }
}
