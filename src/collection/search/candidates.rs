//! The chunks that a search may find, best first: by meaning, by words, or by both.

use std::collections::HashMap;

use super::hit::Scores;
use super::mode::{Fusion, Mode};
use crate::collection::documents::Ranked;
use crate::collection::selection::Selection;
use crate::collection::snapshot::{Nearest, Snapshot};
use crate::error::Result;
use crate::index::{Effort, Work};
use crate::metric::Metric;

/// What is looked for.
pub(super) struct Asked<'a> {
    pub vector: Option<Vec<f32>>,
    pub words: Option<&'a str>,
    /// Chunks that are no hits, ascending: those of the document that others are to be like.
    pub without: Vec<u64>,
}

/// How it is looked for.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub mode: Mode,
    pub fusion: Fusion,
    pub effort: Effort,
    pub metric: Metric,
    pub selection: Option<&'a Selection>,
}

/// A chunk that may be a hit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub slot: u64,
    pub score: f32,
    pub scores: Scores,
}

impl Candidate {
    /// Best first, ties by slot.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        other.score.total_cmp(&self.score).then(self.slot.cmp(&other.slot))
    }
}

/// The best candidates.
pub(super) struct Ranking {
    /// Best first, ties by slot.
    pub candidates: Vec<Candidate>,
    /// Whether there are no others.
    pub all: bool,
    /// No other has a higher score.
    pub least: f32,
    pub work: Vec<Work>,
}

/// The best of one way: `(score, slot)`, and whether these are all.
struct Leg {
    best: Vec<Ranked>,
    all: bool,
}

impl Leg {
    fn least(&self) -> f32 {
        self.best.last().map_or(f32::NEG_INFINITY, |last| last.score)
    }
}

/// At least the `depth` best candidates, if there are as many.
pub(super) fn rank(snapshot: &Snapshot, asked: &Asked<'_>, how: How<'_>, depth: usize) -> Result<Ranking> {
    let mut work = Vec::new();
    let mut ranking = match (how.mode, &asked.vector, asked.words) {
        (Mode::Dense, Some(vector), _) | (Mode::Hybrid, Some(vector), None) => {
            let leg = dense(snapshot, asked, vector, how, depth, &mut work)?;
            of_one(&leg, |score| Scores { dense: Some(score), ..Scores::default() })
        }
        (Mode::Lexical, _, Some(words)) | (Mode::Hybrid, None, Some(words)) => {
            let leg = lexical(snapshot, asked, words, how, depth)?;
            of_one(&leg, |score| Scores { lexical: Some(score), ..Scores::default() })
        }
        (Mode::Hybrid, Some(vector), Some(words)) => {
            let pool = depth.max(Fusion::POOL);
            let dense = dense(snapshot, asked, vector, how, pool, &mut work)?;
            let lexical = lexical(snapshot, asked, words, how, pool)?;
            match how.fusion {
                Fusion::Scores { lexical: weight } => {
                    let both = with_both(snapshot, (vector, words), (&dense, &lexical), how.metric)?;
                    by_scores(both, (&dense, &lexical), weight)
                }
                Fusion::Ranks { lexical: weight, k } => by_ranks(&dense, &lexical, weight, k),
            }
        }
        _ => Ranking { candidates: Vec::new(), all: true, least: f32::NEG_INFINITY, work: Vec::new() },
    };
    ranking.work = work;
    Ok(ranking)
}

fn dense(
    snapshot: &Snapshot,
    asked: &Asked<'_>,
    vector: &[f32],
    how: How<'_>,
    depth: usize,
    all_work: &mut Vec<Work>,
) -> Result<Leg> {
    let depth = depth.saturating_add(asked.without.len());
    let among = how.selection.map(|selection| &selection.places[..]);
    let Nearest { rows, work } = snapshot.nearest(vector, depth, how.effort, among)?;
    *all_work = work;
    let all = rows.len() < depth;
    let others = rows.into_iter().filter(|(_, slot)| asked.without.binary_search(slot).is_err());
    let best = others.map(|(distance, slot)| Ranked { score: how.metric.score(distance), slot }).collect();
    Ok(Leg { best, all })
}

fn lexical(snapshot: &Snapshot, asked: &Asked<'_>, words: &str, how: How<'_>, depth: usize) -> Result<Leg> {
    let depth = depth.saturating_add(asked.without.len());
    let among = how.selection.map(|selection| &selection.documents[..]);
    let found = snapshot.documents.lexical(words, depth, among);
    let mut best = found.map_err(|e| snapshot.documents_error(e))?;
    let all = best.len() < depth;
    best.retain(|ranked| asked.without.binary_search(&ranked.slot).is_err());
    Ok(Leg { best, all })
}

fn of_one(leg: &Leg, scores: impl Fn(f32) -> Scores) -> Ranking {
    let candidate = |r: &Ranked| Candidate { slot: r.slot, score: r.score, scores: scores(r.score) };
    Ranking { candidates: leg.best.iter().map(candidate).collect(), all: leg.all, least: leg.least(), work: Vec::new() }
}

/// The candidates of both ways, each with both of its scores; those of its own are not final yet.
fn with_both(
    snapshot: &Snapshot,
    (vector, words): (&[f32], &str),
    (dense, lexical): (&Leg, &Leg),
    metric: Metric,
) -> Result<Vec<Candidate>> {
    let mut of_slot: HashMap<u64, Scores> = HashMap::with_capacity(dense.best.len() + lexical.best.len());
    dense.best.iter().for_each(|r| of_slot.entry(r.slot).or_default().dense = Some(r.score));
    lexical.best.iter().for_each(|r| of_slot.entry(r.slot).or_default().lexical = Some(r.score));
    let without_words: Vec<u64> = of_slot.iter().filter(|(_, s)| s.lexical.is_none()).map(|(slot, _)| *slot).collect();
    let scores = if lexical.all {
        vec![0.0; without_words.len()]
    } else {
        snapshot.documents.lexical_scores(words, &without_words).map_err(|e| snapshot.documents_error(e))?
    };
    for (slot, score) in without_words.iter().zip(scores) {
        of_slot.entry(*slot).or_default().lexical = Some(score);
    }
    let mut out = Vec::with_capacity(of_slot.len());
    for (slot, mut scores) in of_slot {
        if scores.dense.is_none() {
            scores.dense = snapshot.distance(vector, slot)?.map(|distance| metric.score(distance));
        }
        out.push(Candidate { slot, score: 0.0, scores });
    }
    Ok(out)
}

fn by_scores(mut candidates: Vec<Candidate>, (dense, lexical): (&Leg, &Leg), weight: f32) -> Ranking {
    let best = lexical.best.first().map_or(0.0, |best| best.score);
    let best = if best > 0.0 { best } else { 1.0 };
    let fuse = |meaning: f32, words: f32| weight * words / best + (1.0 - weight) * meaning;
    for candidate in &mut candidates {
        let Scores { dense, lexical, .. } = candidate.scores;
        candidate.score = fuse(dense.unwrap_or(0.0), lexical.unwrap_or(0.0));
    }
    candidates.sort_unstable_by(Candidate::order);
    let rest = if lexical.all { 0.0 } else { lexical.least() };
    // What has no vector has 0 by meaning.
    let least = fuse(if dense.all { 0.0 } else { dense.least().max(0.0) }, rest);
    Ranking { candidates, all: dense.all && lexical.all, least, work: Vec::new() }
}

fn by_ranks(dense: &Leg, lexical: &Leg, weight: f32, k: f32) -> Ranking {
    let mut of_slot: HashMap<u64, Candidate> = HashMap::new();
    let share = |weight: f32, nth: usize| weight / (k + nth as f32 + 1.0);
    for (nth, ranked) in dense.best.iter().enumerate() {
        let scores = Scores { dense: Some(ranked.score), ..Scores::default() };
        of_slot.insert(ranked.slot, Candidate { slot: ranked.slot, score: share(1.0 - weight, nth), scores });
    }
    for (nth, ranked) in lexical.best.iter().enumerate() {
        let new = Candidate { slot: ranked.slot, score: 0.0, scores: Scores::default() };
        let candidate = of_slot.entry(ranked.slot).or_insert(new);
        candidate.score += share(weight, nth);
        candidate.scores.lexical = Some(ranked.score);
    }
    let mut candidates: Vec<Candidate> = of_slot.into_values().collect();
    candidates.sort_unstable_by(Candidate::order);
    // One that is first by the one may be the next by the other.
    let first_by_meaning = share(1.0 - weight, 0) + share(weight, lexical.best.len());
    let least = first_by_meaning.max(share(1.0 - weight, dense.best.len()) + share(weight, 0));
    Ranking { candidates, all: dense.all && lexical.all, least, work: Vec::new() }
}
