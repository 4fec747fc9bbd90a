//! What finds candidates in a segment with many rows.

use super::Segment;
use crate::error::{IndexError, StoreError};
use crate::index::hnsw::{BadLink, Graph, Scratch, walk, walk_among, walk_on, walk_on_among};
use crate::index::partitions::{Finder, Partitions};
use crate::index::places::Places;
use crate::index::pool::Pool;
use crate::index::quant::{CodeQuery, Codes};
use crate::index::space::Space;
use crate::index::spread;
use crate::index::top::Candidate;
use crate::index::{Plan, Work, cost};

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

    /// Rows that a search looks at for each unit of effort, about.
    pub fn rows_per_effort(&self, n: usize) -> f32 {
        match self {
            Structure::Partitioned { partitions, .. } => n as f32 / partitions.len() as f32,
            Structure::Coded { .. } | Structure::Full { .. } => WALKED_PER_EFFORT,
        }
    }

    /// What a row that is looked at costs, in the unit of [`cost`]; `stride` is the bytes of a code.
    pub fn row_cost(&self, n: usize, stride: usize) -> f32 {
        match self {
            Structure::Partitioned { partitions, .. } => partitions.scored_cost(),
            Structure::Coded { .. } | Structure::Full { .. } => cost::walk_row(n, stride),
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

/// Rows that a walk compares for each candidate that it keeps.
const WALKED_PER_EFFORT: f32 = 24.0;
/// How many times the candidates that rows need a query unlike them gets at most.
const MOST: usize = 32;

/// What a search is for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub k: usize,
    /// The effort to begin with.
    pub ef: usize,
    /// What no rank is below, where a query unlike the rows is to get more effort.
    pub floor: Option<f32>,
    /// A query whose candidates spread less is unlike the rows.
    pub spread: f32,
    /// The rows that may be compared among some before comparing all of these is better.
    pub most: usize,
}

impl Segment {
    /// Candidates nearest first, at least `k`; `None` when only comparing all finds as many, or takes less.
    /// `work` tells what was done.
    pub(super) fn candidates(
        &self,
        structure: &Structure,
        query: &[f32],
        wanted: Wanted,
        among: Option<&Places>,
        work: &mut Work,
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        let (effort, k) = (wanted.ef, wanted.k);
        // More candidates than rows, or partitions than there are, there cannot be.
        match structure {
            Structure::Coded { codes, graph, scratch } => {
                let fill = |out: &mut CodeQuery| codes.query(query, out);
                *work = Work { plan: Plan::Codes, ef: effort.clamp(k, self.len), ..*work };
                self.walk(codes.view(self.kernels), graph, (scratch, fill), wanted, among, work)
            }
            Structure::Full { graph, scratch } => {
                let fill = |out: &mut Vec<f32>| query.clone_into(out);
                *work = Work { plan: Plan::Rows, ef: effort.clamp(k, self.len), ..*work };
                let Some(rows) = self.rows_view() else { return Ok(None) };
                self.walk(rows, graph, (scratch, fill), wanted, among, work)
            }
            Structure::Partitioned { codes, partitions, scratch } => {
                *work = Work { plan: Plan::Partitions, ef: effort.clamp(1, partitions.len()), ..*work };
                let mut probe = scratch.take();
                let found = self.probe(codes, partitions, query, wanted, among, (work, &mut probe));
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
        wanted: Wanted,
        among: Option<&Places>,
        work: &mut Work,
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        let mut scratch = pool.take();
        scratch.fit(self.len);
        fill(&mut scratch.query);
        scratch.may_go_on(wanted.floor.is_some());
        let found = self.walk_until(space, graph, wanted, among, (work, &mut scratch));
        work.compared = scratch.evaluated;
        pool.give(scratch);
        found.map_err(|bad| StoreError::corrupt(self.path(), bad.to_string()).into())
    }

    /// Walks with growing effort until enough is found.
    fn walk_until<S: Space>(
        &self,
        space: S,
        graph: &Graph,
        Wanted { k, floor, spread, most, .. }: Wanted,
        among: Option<&Places>,
        (work, scratch): (&mut Work, &mut Scratch<S::Query>),
    ) -> Result<Option<Vec<Candidate>>, BadLink> {
        let rows = among.map_or(self.len, Places::len);
        let first = |ef: usize, scratch: &mut Scratch<S::Query>| match among {
            Some(among) => walk_among(graph, space, (ef, most), among, scratch),
            None => walk(graph, space, ef, scratch).map(|()| true),
        };
        let further = |ef: usize, scratch: &mut Scratch<S::Query>| match among {
            Some(among) => walk_on_among(graph, space, (ef, most), among, scratch),
            None => walk_on(graph, space, ef, scratch).map(|()| true),
        };
        let mut found = Vec::new();
        loop {
            if !first(work.ef, scratch)? {
                return Ok(None);
            }
            scratch.found(&mut found);
            if floor.is_some_and(|floor| spread::spread(&found, floor) < spread) {
                while scratch.calm() < spread::CALM && work.ef < rows / 4 {
                    work.ef *= 2;
                    if !further(work.ef, scratch)? {
                        return Ok(None);
                    }
                }
                scratch.found(&mut found);
            }
            let enough = found.len() >= k;
            if enough || work.ef >= self.len / 2 {
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
        Wanted { k, floor, spread, most, .. }: Wanted,
        among: Option<&Places>,
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
            let done = partitions.find(self.kernels, query, (work.ef, limit), among, finder);
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
            let unlike = *unlike.get_or_insert_with(|| floor.is_some_and(|f| spread::spread(&found, f) < spread));
            let watched = found.iter().take(spread::watched(limit)).map(|c| c.id);
            // Rows that pass and are all as far from the query: 4-bit codes cannot tell them apart.
            if among.is_some() && (few || unlike) || finder.scored > most {
                return Ok(None);
            }
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
