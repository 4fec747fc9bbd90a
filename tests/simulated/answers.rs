//! Whether a collection answers as its documents demand: by a map and by comparing all.

use std::collections::BTreeSet;

use gyeol::collection::{Found, Mode};
use gyeol::{Collection, Effort, Filter};

use super::words::{Documents, document, vector};

/// Scores of the same vectors differ by less, whichever way they are added up.
const ROUNDING: f32 = 1e-4;

/// What is wrong, in words.
pub type Checked<T = ()> = Result<T, String>;

/// The documents with a word.
pub fn with_word(collection: &Collection, word: &str, most: usize) -> Checked<Documents> {
    let search = collection.search(word).mode(Mode::Lexical).k(most);
    let found = search.run().map_err(|e| format!("search for the word {word}: {e}"))?;
    let count = found.hits.len();
    let documents: Documents = found.into_iter().map(|hit| (hit.key, hit.text)).collect();
    if documents.len() < count {
        return Err(format!("search for the word {word}: {count} hits with {} keys", documents.len()));
    }
    Ok(documents)
}

/// What is in one and not in the other.
pub fn difference(got: &Documents, want: &Documents) -> String {
    let (got, want): (BTreeSet<_>, BTreeSet<_>) = (got.iter().collect(), want.iter().collect());
    let (more, less): (Vec<_>, Vec<_>) = (got.difference(&want).collect(), want.difference(&got).collect());
    format!("{} found; too much: {more:?}; missing: {less:?}", got.len())
}

/// A search by a word finds the documents that have it.
pub fn check_word(collection: &Collection, want: &Documents, word: &str) -> Checked {
    let has = |text: &str| text.split(' ').any(|w| w == word);
    let want: Documents = want.iter().filter(|(_, text)| has(text)).map(|(k, t)| (k.clone(), t.clone())).collect();
    let got = with_word(collection, word, want.len() + 5)?;
    if got == want { Ok(()) } else { Err(format!("documents with {word}: {}", difference(&got, &want))) }
}

/// A search by meaning finds what comparing all finds, in that order but for ties.
pub fn check_nearest(collection: &Collection, want: &Documents, query: &str, k: usize, effort: Effort) -> Checked {
    check_nearest_among(collection, want, (query, None), k, effort)
}

/// The same with a filter: among the documents of at least so many words whose key does not end with 7.
pub fn check_nearest_among(
    collection: &Collection,
    want: &Documents,
    (query, least): (&str, Option<usize>),
    k: usize,
    effort: Effort,
) -> Checked {
    let about = |what: String| format!("nearest {k} of '{query}' at {effort:?}, {least:?} words: {what}");
    let filter = least.map(|least| Filter::field("words").at_least(least as i64) & !Filter::key().like("*7"));
    let passes = |key: &str, text: &str| {
        let words = text.split(' ').count();
        least.is_none_or(|least| words >= least && !key.ends_with('7'))
    };
    let want: Documents =
        want.iter().filter(|(key, text)| passes(key, text)).map(|(k, t)| (k.clone(), t.clone())).collect();
    let Some(target) = vector(query) else { return Err(about("the query has no vector".to_owned())) };
    let score = |text: &str| vector(text).map(|v| v.iter().zip(&target).map(|(a, b)| a * b).sum::<f32>());
    let mut scores: Vec<f32> = want.values().filter_map(|text| score(text)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.truncate(k);
    let mut search = collection.search(query).mode(Mode::Dense).k(k).effort(effort);
    if let Some(filter) = &filter {
        search = search.filter(filter);
    }
    let found = search.run().map_err(|e| about(e.to_string()))?;
    if found.matches.is_some_and(|matches| matches != want.len() as u64) {
        return Err(about(format!("{:?} pass where {} should", found.matches, want.len())));
    }
    let Found { mode: Mode::Dense, hits, .. } = found else { return Err(about(format!("by {:?}", found.mode))) };
    if hits.len() != scores.len() {
        return Err(about(format!("{} hits for {}", hits.len(), scores.len())));
    }
    let keys: BTreeSet<&str> = hits.iter().map(|hit| hit.key.as_str()).collect();
    if keys.len() < hits.len() {
        return Err(about("a key stands twice".to_owned()));
    }
    for (hit, best) in hits.iter().zip(scores) {
        let own = want.get(&hit.key).filter(|text| **text == hit.text).and_then(|text| score(text));
        let agrees = |other: f32| (hit.score - other).abs() < ROUNDING;
        if !agrees(best) || !own.is_some_and(agrees) {
            return Err(about(format!("{hit:?} where the next is {best}, and its own score {own:?}")));
        }
    }
    Ok(())
}

/// A key gives its document.
pub fn check_key(collection: &Collection, want: &Documents, key: &str) -> Checked {
    let got = collection.get(key).map_err(|e| format!("get {key}: {e}"))?;
    let got: Vec<_> = got.into_iter().map(|hit| (hit.key, hit.text, hit.payload)).collect();
    let of = |text: &String| {
        let document = document(key, text);
        (document.key, document.text, document.payload)
    };
    let want: Vec<_> = want.get(key).map(of).into_iter().collect();
    if got == want { Ok(()) } else { Err(format!("get {key}: {got:?} where {want:?} is expected")) }
}

/// The counts are right.
pub fn check_status(collection: &Collection, want: &Documents) -> Checked {
    let status = collection.status().map_err(|e| format!("status: {e}"))?;
    let got = (status.documents, status.chunks, status.without_vector);
    let silent = want.values().filter(|text| vector(text).is_none()).count();
    let want = (want.len() as u64, want.len() as u64, silent as u64);
    if got == want { Ok(()) } else { Err(format!("documents, chunks, without vector: {got:?} for {want:?}")) }
}
