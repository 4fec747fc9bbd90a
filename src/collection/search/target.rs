//! What a search is for, and the vector that this becomes.

use super::candidates::Asked;
use crate::collection::Collection;
use crate::collection::documents::By;
use crate::collection::snapshot::Snapshot;
use crate::embed::{Role, embed_many};
use crate::error::{CollectionError, IndexError, Result, VectorsError};
use crate::metric::Metric;
use crate::vectors::normalize;

/// How much of what hits are to be unlike is taken off.
const UNLIKE: f32 = 0.5;

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// What a text means, and its words.
    Text(&'a str),
    /// What is near a vector of the collection's dimension.
    Vector(&'a [f32]),
    /// More like the document of this key, which is no hit itself: what is near the mean of its chunks' vectors.
    Key(&'a str),
}

/// The vectors of texts as queries.
pub(super) fn embed(collection: &Collection, texts: &[&str]) -> Result<Vec<Option<Vec<f32>>>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let answer = embed_many(&collection.embedder, texts, Role::Query)?;
    Ok((0..texts.len()).map(|i| answer.get(i).map(<[f32]>::to_vec)).collect())
}

/// What is asked of a snapshot, given the vectors of the texts among the targets, in their order.
pub(super) fn ask<'a>(
    collection: &Collection,
    snapshot: &Snapshot,
    (target, unlike): (&Target<'a>, &[Target<'a>]),
    vectors: Vec<Option<Vec<f32>>>,
) -> Result<Asked<'a>> {
    let unit = collection.metric() == Metric::Cosine;
    let mut vectors = vectors.into_iter();
    let mut without = Vec::new();
    let mut of = |target: &Target<'a>, own: bool| -> Result<Option<Vec<f32>>> {
        let mut vector = match target {
            Target::Text(_) => vectors.next().flatten(),
            Target::Vector(vector) => Some(checked(vector, snapshot.manifest.model.dim)?),
            Target::Key(key) => {
                let (slots, mean) = mean_of(snapshot, key)?;
                without.extend(slots.into_iter().filter(|_| own));
                Some(mean)
            }
        };
        if let Some(vector) = vector.as_mut().filter(|_| unit) {
            normalize(vector);
        }
        Ok(vector)
    };
    let mut vector = of(target, true)?;
    let away = unlike.iter().filter_map(|target| of(target, false).transpose()).collect::<Result<Vec<_>>>()?;
    if let Some(vector) = vector.as_mut().filter(|_| !away.is_empty()) {
        let share = UNLIKE / away.len() as f32;
        for other in &away {
            vector.iter_mut().zip(other).for_each(|(x, y)| *x -= share * y);
        }
    }
    let words = if let Target::Text(text) = target { Some(*text) } else { None };
    without.sort_unstable();
    Ok(Asked { vector, words, without })
}

fn checked(vector: &[f32], dim: usize) -> Result<Vec<f32>, IndexError> {
    if vector.len() != dim {
        return Err(IndexError::Query(VectorsError::Dimension { row: 0, expected: dim, found: vector.len() }));
    }
    match vector.iter().position(|x| !x.is_finite()) {
        Some(column) => Err(IndexError::Query(VectorsError::NotFinite { row: 0, column, value: vector[column] })),
        None => Ok(vector.to_vec()),
    }
}

/// The slots of a document's chunks, and the mean of their vectors.
fn mean_of(snapshot: &Snapshot, key: &str) -> Result<(Vec<u64>, Vec<f32>)> {
    let slots = snapshot.documents.slots(By::Key(key)).map_err(|e| snapshot.documents_error(e))?;
    let shown: String = key.chars().take(80).collect();
    if slots.is_empty() {
        let reason = format!("there is no document with the key {shown:?}; `gyeol search` shows the keys of hits");
        return Err(CollectionError::Query(reason).into());
    }
    let mut mean = vec![0.0; snapshot.manifest.model.dim];
    let mut with = 0;
    for &slot in &slots {
        if let Some((row, _)) = snapshot.vector(slot)? {
            mean.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
            with += 1;
        }
    }
    if with == 0 {
        let reason = format!("the document {shown:?} has no vector, since the model knows no word of it");
        return Err(CollectionError::Query(reason).into());
    }
    mean.iter_mut().for_each(|x| *x /= with as f32);
    Ok((slots, mean))
}
