//! What becomes of candidates before they are hits: a threshold, so many of a document, variety.

use std::collections::HashMap;

use super::candidates::Candidate;
use crate::collection::folder::embedded_text;
use crate::collection::snapshot::Snapshot;
use crate::error::Result;
use crate::metric::Kernels;
use crate::rerank::{Reranker, scores};
use crate::vectors::norm;

/// Drops candidates under a score; they are sorted by it.
pub(super) fn at_least(candidates: &mut Vec<Candidate>, score: f32) {
    candidates.truncate(candidates.partition_point(|c| c.score >= score));
}

/// Keeps the best `most` candidates of each document.
pub(super) fn per_document(snapshot: &Snapshot, candidates: &mut Vec<Candidate>, most: usize) -> Result<()> {
    let starts = snapshot.documents.starts().map_err(|e| snapshot.documents_error(e))?;
    let mut kept: HashMap<usize, usize> = HashMap::new();
    candidates.retain(|candidate| {
        let document = starts.partition_point(|&start| start <= candidate.slot);
        let count = kept.entry(document).or_default();
        *count += 1;
        *count <= most
    });
    Ok(())
}

/// Gives candidates the scores of a reranker, and their order.
pub(super) fn rerank(
    snapshot: &Snapshot,
    reranker: &dyn Reranker,
    query: &str,
    candidates: &mut [Candidate],
) -> Result<()> {
    let text = |candidate: &Candidate| Ok(embedded_text(&snapshot.chunk(candidate.slot)?));
    let texts = candidates.iter().map(text).collect::<Result<Vec<String>>>()?;
    for (candidate, score) in candidates.iter_mut().zip(scores(reranker, query, &texts)?) {
        candidate.score = score;
        candidate.scores.rerank = Some(score);
    }
    candidates.sort_unstable_by(Candidate::order);
    Ok(())
}

/// Orders the first of the candidates by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the next one
/// is always that with the highest `lambda * relevance - (1 - lambda) * similarity`, where relevance is its score as a
/// part of the way from the lowest to the highest score of all candidates, and similarity its greatest cosine with one
/// taken before (0 for a chunk without a vector).
pub(super) fn diverse(
    snapshot: &Snapshot,
    candidates: &[Candidate],
    lambda: f32,
    wanted: usize,
) -> Result<Vec<Candidate>> {
    let (best, worst) = (candidates.first().map_or(0.0, |c| c.score), candidates.last().map_or(0.0, |c| c.score));
    let width = if best > worst { best - worst } else { 1.0 };
    let mut units: Vec<Vec<f32>> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let mut row = snapshot.vector(candidate.slot)?.map(|(row, _)| row).unwrap_or_default();
        let length = norm(&row) as f32;
        row.iter_mut().for_each(|x| *x /= length.max(f32::MIN_POSITIVE));
        units.push(row);
    }
    let kernels = Kernels::detect();
    // Of each candidate the greatest cosine with one that was taken; none is left where it was taken itself.
    let mut nearest: Vec<Option<f32>> = vec![Some(0.0); candidates.len()];
    let mut taken = Vec::new();
    while taken.len() < wanted.min(candidates.len()) {
        let gain = |(i, nearest): (usize, &Option<f32>)| {
            let relevance = (candidates[i].score - worst) / width;
            nearest.map(|nearest| (i, lambda * relevance - (1.0 - lambda) * nearest))
        };
        let gains = nearest.iter().enumerate().filter_map(gain);
        let Some((next, _)) = gains.reduce(|a, b| if b.1 > a.1 { b } else { a }) else { break };
        taken.push(candidates[next]);
        nearest[next] = None;
        for (nearest, unit) in nearest.iter_mut().zip(&units) {
            if let Some(nearest) = nearest {
                // One of two without a vector, or both: they are not alike.
                let cosine = if units[next].len() == unit.len() { kernels.dot(&units[next], unit) } else { 0.0 };
                *nearest = nearest.max(cosine);
            }
        }
    }
    Ok(taken)
}
