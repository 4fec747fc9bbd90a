//! Texts that an answer is made from.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::collection::Hit;

/// Characters of a piece of text by which two texts are compared.
const SHINGLE: usize = 5;
/// Two texts are nearly the same when so many of their pieces are.
const SAME: f64 = 0.8;
/// One text is nearly within another when so many of its pieces are.
const WITHIN: f64 = 0.9;

/// A text that an answer is made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CitedSource {
    /// What it is cited by, from 1.
    pub n: usize,
    /// The key of the document.
    pub key: String,
    /// The file; `None` for a text that a program added.
    pub path: Option<String>,
    /// First and last line, from 1.
    pub lines: (u64, u64),
    /// First byte and the one after the last.
    pub bytes: (u64, u64),
    /// As of the search.
    pub score: f32,
    /// The text, as far as the budget allowed.
    pub text: String,
    /// Keys of documents with nearly the same text, which this one stands for.
    pub merged: Vec<String>,
}

impl CitedSource {
    /// Where it is: file and lines, or the key.
    pub fn place(&self) -> String {
        match &self.path {
            Some(path) => format!("{path}:{}-{}", self.lines.0, self.lines.1),
            None => self.key.clone(),
        }
    }
}

/// The first `k` of the hits as sources, nearly equal ones as one.
pub(super) fn merged(hits: Vec<Hit>, k: usize) -> Vec<CitedSource> {
    let mut out: Vec<(CitedSource, HashSet<u64>)> = Vec::new();
    for hit in hits {
        let pieces = pieces(&hit.text);
        let same = out.iter_mut().find(|(source, other)| overlap(source, &hit) || is_near(&pieces, other));
        if let Some((source, other)) = same {
            let mut less = hit.key.clone();
            // Of two the longer one stays, in the place of the better one: a title is within the text below it.
            if pieces.len() > other.len() {
                less = std::mem::replace(&mut source.key, hit.key);
                (source.path, source.lines, source.bytes) = (hit.source.path, hit.source.lines, hit.source.bytes);
                (source.text, *other) = (hit.text, pieces);
            }
            source.merged.retain(|key| *key != source.key);
            if less != source.key && !source.merged.contains(&less) {
                source.merged.push(less);
            }
        } else if out.len() < k {
            let n = out.len() + 1;
            let (path, lines, bytes) = (hit.source.path, hit.source.lines, hit.source.bytes);
            let source = CitedSource {
                n,
                key: hit.key,
                path,
                lines,
                bytes,
                score: hit.score,
                text: hit.text,
                merged: Vec::new(),
            };
            out.push((source, pieces));
        }
    }
    out.into_iter().map(|(source, _)| source).collect()
}

/// Whether they are mostly the same stretch of one file.
fn overlap(source: &CitedSource, hit: &Hit) -> bool {
    let (a, b) = (source.bytes, hit.source.bytes);
    let common = a.1.min(b.1).saturating_sub(a.0.max(b.0)) as f64;
    let shorter = (a.1.saturating_sub(a.0)).min(b.1.saturating_sub(b.0)) as f64;
    source.path.is_some() && source.path == hit.source.path && shorter > 0.0 && common >= WITHIN * shorter
}

fn pieces(text: &str) -> HashSet<u64> {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let hash = |piece: &[char]| {
        let mut hasher = DefaultHasher::new();
        piece.hash(&mut hasher);
        hasher.finish()
    };
    match letters.len() {
        0 => HashSet::new(),
        n if n < SHINGLE => HashSet::from([hash(&letters)]),
        _ => letters.windows(SHINGLE).map(hash).collect(),
    }
}

fn is_near(a: &HashSet<u64>, b: &HashSet<u64>) -> bool {
    let common = a.intersection(b).count() as f64;
    let all = (a.len() + b.len()) as f64 - common;
    let smaller = a.len().min(b.len()) as f64;
    smaller > 0.0 && (common >= SAME * all || common >= WITHIN * smaller)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> bool {
        is_near(&pieces(a), &pieces(b))
    }

    #[test]
    fn copies_are_near_and_others_are_not() {
        let text = "밀물과 썰물은 달과 해가 바닷물을 끌어당겨 생긴다. 하루에 두 번씩 되풀이된다.";
        assert!(near(text, &format!("  {}!", text.replace('.', ""))));
        assert!(near(text, "하루에 두 번씩 되풀이된다."));
        assert!(!near(text, "달은 지구를 한 달에 한 번 돈다. 그래서 모양이 바뀐다."));
        assert!(near("짧다", "짧다.") && !near("짧다", "길다") && !near("", ""));
    }
}
