//! The nearest rows of a segment: which way to find them, and finding them.

use std::sync::atomic::{AtomicU32, Ordering};

use super::structure::{Structure, Wanted};
use super::{Segment, format, reason};
use crate::error::{IndexError, StoreError};
use crate::index::calibrate::{Foretold, rescore};
use crate::index::door::prepare_query;
use crate::index::flat::{self, near, scan};
use crate::index::places::Places;
use crate::index::quant::Codes;
use crate::index::rows::{Rows, RowsView};
use crate::index::spread;
use crate::index::top::Candidate;
use crate::index::{Effort, Neighbor, Plan, RowStorage, Why, Work, cost};

/// A search by graph or partitions among some rows gives up when it took this part of what comparing all of them is
/// foretold to take, and more than was foretold for itself: then at most that much was lost.
const PATIENCE: f32 = 0.6;
/// More neighbours than this, and more than this part of the rows, are found by comparing all.
const MANY: usize = 100;
const MANY_PART: usize = 16;
/// Where searches among some rows were not measured, as in files of earlier builds, those among at least this part are
/// taken to need effort in proportion.
const GUESSED_PART: f32 = 0.5;

/// How candidates are to be found.
enum Way<'a> {
    /// Every row is compared in full.
    Exact(Why),
    /// Every row asked for is compared by its code.
    Codes(&'a Codes, Why),
    /// By graph or partitions.
    Structure(&'a Structure, Wanted, Why),
}

impl Segment {
    /// The `k` nearest of some rows (`None`: of all), and what finding them took. By graph or partitions, if there are any, the effort
    /// is not [`Effort::Exact`], and comparing all that are asked for would take longer; while fewer than `k` come
    /// back and rows are left, the effort grows, and comparing all is the last resort, so `min(k, rows asked for)`
    /// are always found.
    ///
    /// # Errors
    /// As [`crate::index::Index::search`].
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        among: Option<&Places>,
    ) -> Result<(Vec<Neighbor>, Work), IndexError> {
        self.nearest_and(query, (k, 0), effort, among)
    }

    /// [`Segment::nearest`] with the effort that `k` take, and some more rows: for a caller who leaves out as many.
    ///
    /// # Errors
    /// As [`Segment::nearest`].
    pub fn nearest_and(
        &self,
        query: &[f32],
        (k, more): (usize, usize),
        effort: Effort,
        among: Option<&Places>,
    ) -> Result<(Vec<Neighbor>, Work), IndexError> {
        if k == 0 {
            return Err(IndexError::ZeroK);
        }
        let query = prepare_query(self.metric, self.dim, query)?;
        // All of them is no choice.
        let among = among.filter(|among| among.len() < self.len);
        let rows = among.map_or(self.len, Places::len);
        let (asked, k) = (k, k.saturating_add(more).min(rows));
        if k == 0 {
            return Ok((Vec::new(), Work::default()));
        }
        let mut work = Work { among: rows, ..Work::default() };
        let found = match self.way(&query, (k, asked), effort, among) {
            Way::Exact(why) => {
                work.why = why;
                None
            }
            Way::Codes(codes, why) => {
                work.why = why;
                self.by_codes(codes, &query, (k, effort), among, &mut work)
            }
            Way::Structure(structure, wanted, why) => {
                work.why = why;
                let found = self.found_by(structure, &query, wanted, among, &mut work)?;
                match structure.codes().filter(|_| found.is_none() && self.damage().is_none()) {
                    Some(codes) => {
                        work.why = Why::GaveUp;
                        self.by_codes(codes, &query, (k, effort), among, &mut work)
                    }
                    None => found,
                }
            }
        };
        let Some(found) = found else { return self.compared(&query, k, among, work) };
        match self.rows_view() {
            Some(rows) if work.plan != Plan::Rows && self.rescores(k, effort) => {
                let check = |place| self.rows.check(self.dim, place);
                let (best, rescored) = rescore(rows, &query, (k, self.calibration.margin), &found, check)?;
                Ok((self.by_row(best.as_slice())?, Work { rescored, ..work }))
            }
            _ => match self.check_codes(&found[..k], work.plan) {
                Ok(()) => Ok((self.by_row(&found[..k])?, work)),
                Err(error) if self.rows.storage() == RowStorage::Codes => Err(error.into()),
                Err(error) => {
                    self.damage.get_or_init(|| reason(error));
                    self.compared(&query, k, among, work)
                }
            },
        }
    }

    /// Which way is foretold to be the fastest.
    fn way(&self, query: &[f32], (k, asked): (usize, usize), effort: Effort, among: Option<&Places>) -> Way<'_> {
        let Some(structure) = &self.structure else { return Way::Exact(Why::Small) };
        let (ef, floor) = match effort {
            Effort::Exact => return Way::Exact(Why::Asked),
            _ if self.damage().is_some() => return Way::Exact(Why::Damaged),
            Effort::Ef(ef) => (ef, None),
            Effort::Recall(recall) => {
                let floor = spread::floor(self.metric, query, self.calibration.longest);
                let asked = asked.min(k);
                (self.calibration.effort_for(recall, asked, self.rescores(asked, effort)), Some(floor))
            }
        };
        let compare_all = |why| match structure.codes() {
            Some(codes) => Way::Codes(codes, why),
            None => Way::Exact(why),
        };
        // A list of so many is kept in order at a higher cost than comparing all.
        if k > MANY && k > among.map_or(self.len, Places::len) / MANY_PART {
            return compare_all(Why::ManyAsked);
        }
        let Some(among) = among else {
            let wanted = Wanted { k, ef, floor, spread: self.calibration.spread_for(ef), most: usize::MAX };
            return Way::Structure(structure, wanted, Why::Built);
        };
        let (stride, codes) = match structure.codes() {
            Some(codes) => (Codes::stride(self.dim), Some(codes)),
            None => (4 * self.dim, None),
        };
        let scan = cost::SEARCH + among.len() as f32 * cost::scan_row(stride);
        let walk = self.calibration.among(ef, among.part()).or_else(|| self.guess(structure, ef, among.part(), stride));
        match walk {
            Some(Foretold { ef: stretched, cost: walk, spread }) if walk < scan => {
                let ef = if floor.is_some() { stretched } else { ef };
                let most = ((PATIENCE * scan).max(2.0 * walk) / structure.row_cost(self.len, stride)) as usize;
                let why = Why::ManyPass { scan: scan as u64, walk: walk as u64 };
                Way::Structure(structure, Wanted { k, ef, floor, spread, most }, why)
            }
            _ => {
                let why = Why::FewPass { scan: scan as u64, walk: walk.map(|walk| walk.cost as u64) };
                // Of a few the nearest are soon compared in full, which all of them can be at once.
                let row = 4 * self.dim;
                let in_full = among.len() as f32 * cost::scan_row(row);
                let by_codes = scan - cost::SEARCH + k as f32 * cost::again_row(row);
                match codes.filter(|_| by_codes < in_full || self.rows.storage() == RowStorage::Codes) {
                    Some(codes) => Way::Codes(codes, why),
                    None => Way::Exact(why),
                }
            }
        }
    }

    /// What a search among most rows takes where that was not measured; `None` among fewer.
    fn guess(&self, structure: &Structure, ef: usize, part: f32, stride: usize) -> Option<Foretold> {
        if self.calibration.levels.is_empty() || !self.calibration.among.is_empty() || part < GUESSED_PART {
            return None;
        }
        let stretched = ef as f32 / part;
        let row = structure.row_cost(self.len, stride);
        let cost = cost::SEARCH + stretched * structure.rows_per_effort(self.len) * row;
        Some(Foretold { ef: stretched as usize + 1, cost, spread: self.calibration.spread_for(ef) })
    }

    /// Candidates by comparing the codes of all rows that are asked for; `None` when the codes turn out damaged.
    fn by_codes(
        &self,
        codes: &Codes,
        query: &[f32],
        (k, effort): (usize, Effort),
        among: Option<&Places>,
        work: &mut Work,
    ) -> Option<Vec<Candidate>> {
        let all = || (0..self.len as u32).collect();
        let places: Vec<u32> = among.map_or_else(all, |among| among.iter().collect());
        work.plan = Plan::CodeScan;
        (work.ef, work.compared) = (0, work.compared + places.len());
        let margin = if self.rescores(k, effort) { self.calibration.margin } else { 0.0 };
        let found = near(codes.view(self.kernels), &|out| codes.query(query, out), (k, margin), &places);
        // A rank that is no number comes of damage alone.
        let sound = found.iter().all(|c| c.rank.is_finite());
        if !sound {
            self.damage.get_or_init(|| "CODES: a rank that is no number".to_owned());
        }
        sound.then_some(found)
    }

    /// The answer by comparing all rows that are asked for in full.
    fn compared(
        &self,
        query: &[f32],
        k: usize,
        among: Option<&Places>,
        work: Work,
    ) -> Result<(Vec<Neighbor>, Work), IndexError> {
        let why = if self.damage().is_some() { Why::Damaged } else { work.why };
        let why = if work.compared > 0 && why != Why::Damaged { Why::GaveUp } else { why };
        let compared = work.compared + work.among;
        let work = Work { plan: Plan::Scan, why, ef: 0, compared, rescored: 0, ..work };
        Ok((self.scan(query, k, among)?, work))
    }

    /// Compares the codes of an answer with their checksums where distances are by codes alone.
    fn check_codes(&self, found: &[Candidate], plan: Plan) -> Result<(), StoreError> {
        match self.structure.as_ref().and_then(Structure::codes) {
            Some(codes) if plan != Plan::Rows => found.iter().try_for_each(|c| codes.check(c.id)),
            _ => Ok(()),
        }
    }

    /// Candidates by the structure; none when it gave up, or turns out damaged, which is kept in mind.
    fn found_by(
        &self,
        structure: &Structure,
        query: &[f32],
        wanted: Wanted,
        among: Option<&Places>,
        work: &mut Work,
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        if matches!(structure, Structure::Full { .. }) {
            self.rows.check_all()?;
        }
        match self.candidates(structure, query, wanted, among, work) {
            Err(IndexError::Store(error @ StoreError::Corrupt { .. })) => {
                self.damage.get_or_init(|| reason(error));
                Ok(None)
            }
            found => found,
        }
    }

    /// Whether candidates are compared by their full rows: unless there are none, or they are left on disk
    /// and codes alone find as much as was asked for.
    fn rescores(&self, k: usize, effort: Effort) -> bool {
        let enough = match effort {
            Effort::Recall(recall) => self.calibration.codes_reach(recall, k),
            _ => true,
        };
        self.rows.storage() != RowStorage::Codes && (self.rescoring || !enough)
    }

    /// Candidates by place as the answer, which names rows.
    fn by_row(&self, found: &[Candidate]) -> Result<Vec<Neighbor>, IndexError> {
        let row_of = |place: u32| {
            if !self.order.is_empty() {
                self.order.check(place as usize, 1)?;
            }
            self.row_at(place)
        };
        let by_row = found.iter().map(|c| Ok(Candidate { rank: c.rank, id: row_of(c.id)? }));
        let mut by_row = by_row.collect::<Result<Vec<_>, IndexError>>()?;
        by_row.sort_unstable_by(Candidate::order);
        Ok(self.neighbors(&by_row))
    }

    pub(super) fn rows_view(&self) -> Option<RowsView<'_>> {
        self.rows.view(self.dim, self.metric, self.kernels)
    }

    fn scan(&self, query: &[f32], k: usize, among: Option<&Places>) -> Result<Vec<Neighbor>, IndexError> {
        let places: Option<Vec<u32>> = among.map(|among| among.iter().collect());
        match &places {
            Some(places) => places.iter().try_for_each(|&place| self.rows.check(self.dim, place))?,
            None => self.rows.check_all()?,
        }
        self.order.check_all()?;
        if let (Rows::None, Some(file)) = (&self.rows, &self.file) {
            format::check_codes(file)?;
        }
        // Any place whose row is not known: an answer without it would be wrong in silence.
        let lost = AtomicU32::new(u32::MAX);
        let row = |place| {
            let row = self.row_at(place).ok();
            if row.is_none() {
                lost.store(place, Ordering::Relaxed);
            }
            row
        };
        let (codes, places) = (self.structure.as_ref().and_then(Structure::codes), places.as_deref());
        let found = match (self.rows_view(), codes) {
            (Some(rows), _) => scan(rows, &|out| query.clone_into(out), k, places, row),
            (None, Some(codes)) => scan(codes.view(self.kernels), &|out| codes.query(query, out), k, places, row),
            (None, None) => Vec::new(),
        };
        match lost.into_inner() {
            u32::MAX => Ok(self.neighbors(&found)),
            place => self.row_at(place).map(|_| self.neighbors(&found)),
        }
    }

    fn neighbors(&self, found: &[Candidate]) -> Vec<Neighbor> {
        flat::neighbors(self.metric, found)
    }
}
