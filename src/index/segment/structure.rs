//! What finds candidates in a segment with many rows.

use super::Segment;
use crate::error::{IndexError, StoreError};
use crate::index::hnsw::{BadLink, Graph, Keep, Scratch, walk, walk_on};
use crate::index::partitions::{Finder, Partitions};
use crate::index::pool::Pool;
use crate::index::quant::{CodeQuery, Codes};
use crate::index::space::Space;
use crate::index::spread;
use crate::index::top::Candidate;
use crate::index::{Effort, Plan, Work};

/// Partitions or a graph over the places, and what they are searched by.
#[derive(Debug)]
pub(super) enum Structure {
    /// A graph walked by codes; candidates are compared by their full rows after.
    Coded { codes: Codes, graph: Graph, scratch: Pool<Scratch<CodeQuery>> },
    /// A graph walked by full rows, where codes could not tell them apart.
    Full { graph: Graph, scratch: Pool<Scratch<Vec<f32>>> },
    /// Partitions scanned by 4-bit codes; candidates are compared by their codes, then by full rows.
    Partitioned { codes: Codes, partitions: Partitions, scratch: Pool<Probe> },
}

impl Structure {
    /// The 8-bit codes, if it has any.
    pub fn codes(&self) -> Option<&Codes> {
        match self {
            Structure::Coded { codes, .. } | Structure::Partitioned { codes, .. } => Some(codes),
            Structure::Full { .. } => None,
        }
    }
}

/// What a scan of partitions needs beside them, kept between searches.
#[derive(Debug, Default)]
pub(super) struct Probe {
    finder: Finder,
    query: CodeQuery,
    places: Vec<u32>,
}

/// How many times the candidates that rows need a query unlike them gets at most.
const MOST: usize = 32;

/// What a search is for.
#[derive(Clone, Copy)]
struct Wanted {
    k: usize,
    /// What no rank is below, where a query unlike the rows is to get more effort.
    floor: Option<f32>,
}

impl Segment {
    /// Candidates nearest first, at least `k`; `None` when only a scan finds as many. `work` tells what
    /// was done.
    pub(super) fn candidates(
        &self,
        structure: &Structure,
        query: &[f32],
        (k, effort): (usize, Effort),
        keep: Keep<'_>,
        work: &mut Work,
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        let keep_place = keep.map(|keep| move |place| self.row_at(place).is_ok_and(keep));
        let keep: Keep<'_> = keep_place.as_ref().map(|keep| keep as &(dyn Fn(u32) -> bool + Sync));
        let (effort, floor) = match effort {
            Effort::Ef(ef) => (ef, None),
            Effort::Recall(recall) => {
                let floor = spread::floor(self.metric, query, self.calibration.longest);
                (self.calibration.effort_for(recall, k, self.rescores(k, effort)), Some(floor))
            }
            Effort::Exact => return Ok(None),
        };
        let wanted = Wanted { k, floor };
        // More candidates than rows, or partitions than there are, there cannot be.
        match structure {
            Structure::Coded { codes, graph, scratch } => {
                let fill = |out: &mut CodeQuery| codes.query(query, out);
                *work = Work { plan: Plan::Codes, ef: effort.clamp(k, self.len), ..*work };
                self.walk(codes.view(self.kernels), graph, (scratch, fill), wanted, keep, work)
            }
            Structure::Full { graph, scratch } => {
                let fill = |out: &mut Vec<f32>| query.clone_into(out);
                *work = Work { plan: Plan::Rows, ef: effort.clamp(k, self.len), ..*work };
                let Some(rows) = self.rows_view() else { return Ok(None) };
                self.walk(rows, graph, (scratch, fill), wanted, keep, work)
            }
            Structure::Partitioned { codes, partitions, scratch } => {
                *work = Work { plan: Plan::Partitions, ef: effort.clamp(1, partitions.len()), ..*work };
                let mut probe = scratch.take();
                let found = self.probe(codes, partitions, query, wanted, keep, (work, &mut probe));
                scratch.give(probe);
                found
            }
        }
    }

    fn walk<S: Space>(
        &self,
        space: S,
        graph: &Graph,
        (pool, fill): (&Pool<Scratch<S::Query>>, impl FnOnce(&mut S::Query)),
        Wanted { k, floor }: Wanted,
        keep: Keep<'_>,
        work: &mut Work,
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        let damaged = |bad: BadLink| StoreError::corrupt(self.path(), bad.to_string());
        let mut scratch = pool.take();
        scratch.fit(self.len);
        fill(&mut scratch.query);
        scratch.may_go_on(floor.is_some());
        let mut found = Vec::new();
        loop {
            walk(graph, space, work.ef, keep, &mut scratch).map_err(damaged)?;
            scratch.found(keep.is_some(), &mut found);
            let bound = self.calibration.spread_for(work.ef);
            if floor.is_some_and(|floor| spread::spread(&found, floor) < bound) {
                while scratch.calm() < spread::CALM && work.ef < self.len / 4 {
                    work.ef *= 2;
                    walk_on(graph, space, work.ef, keep, &mut scratch).map_err(damaged)?;
                }
                scratch.found(keep.is_some(), &mut found);
            }
            let enough = found.len() >= k;
            if enough || work.ef >= self.len / 2 {
                work.compared = scratch.evaluated;
                pool.give(scratch);
                return Ok(enough.then_some(found));
            }
            work.ef = (work.ef * 4).min(self.len);
        }
    }

    fn probe(
        &self,
        codes: &Codes,
        partitions: &Partitions,
        query: &[f32],
        Wanted { k, floor }: Wanted,
        keep: Keep<'_>,
        (work, probe): (&mut Work, &mut Probe),
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        let Probe { finder, query: coded, places } = probe;
        codes.query(query, coded);
        finder.scored = 0;
        let mut found = Vec::new();
        // Whether the query is unlike the rows, once it is known; each time the effort is doubled for it,
        // so is the number of candidates, since what tells them apart is small then.
        let (mut unlike, mut more) = (None, 1);
        loop {
            let limit = self.calibration.candidates_for(work.ef, k).max(k).saturating_mul(more);
            let done = partitions.find(self.kernels, query, (work.ef, limit), keep, finder);
            done.map_err(|bad| StoreError::corrupt(self.path(), bad.to_string()))?;
            places.clear();
            places.extend(finder.places());
            found.clear();
            codes.view(self.kernels).ranks(coded, places, |i, rank| found.push(Candidate { rank, id: places[i] }));
            found.sort_unstable_by(Candidate::order);
            work.compared = finder.scored + partitions.len();
            let few = found.len() < k;
            if work.ef == partitions.len() {
                return Ok((!few).then_some(found));
            }
            let bound = self.calibration.spread_for(work.ef);
            let unlike = *unlike.get_or_insert_with(|| floor.is_some_and(|f| spread::spread(&found, f) < bound));
            let watched = found.iter().take(spread::watched(limit)).map(|c| c.id);
            if few {
                work.ef *= 4;
            } else if unlike && more < MOST && finder.calm(partitions, watched) < spread::CALM {
                work.ef *= 2;
                more *= 2;
            } else {
                return Ok(Some(found));
            }
            work.ef = work.ef.min(partitions.len());
        }
    }
}
