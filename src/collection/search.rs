//! Asking a collection: one call for what is meant, which words, among which chunks, and how the hits are to be shaped.

mod candidates;
mod hit;
mod mode;
mod page;
mod shape;
mod target;

use std::sync::Arc;

pub use self::hit::{Hit, Scores, Source};
pub use self::mode::{Fusion, Mode};
pub use self::page::Cursor;
pub use self::target::Target;

use self::candidates::{Asked, Candidate, How, Ranking, rank};
use super::Collection;
use super::filter::Filter;
use super::selection::Selection;
use super::snapshot::Snapshot;
use crate::error::{CollectionError, IndexError, Result};
use crate::index::{Effort, Work};
use crate::rerank::Reranker;

/// Candidates of which hits with variety are chosen: this many times the hits asked for, and no fewer than
/// [`LEAST_DIVERSE`].
const DIVERSE: usize = 20;
const LEAST_DIVERSE: usize = 200;
/// Variety and rerankers choose from no more: both take time for each candidate.
const MOST_POOL: usize = 10_000;
/// A cursor starts no deeper.
const MOST_DEPTH: usize = 1 << 20;
/// The first candidates of a search for all hits over a score.
const FIRST_DEPTH: usize = 256;
/// Candidates for each hit where so many of a document are dropped.
const PER_DOCUMENT_DEPTH: usize = 4;

/// What a search found, and how.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// What the search went by. A query of which the model knows no token is asked by words, and one that has no words
    /// (a vector, a document) by meaning.
    pub mode: Mode,
    /// Best first.
    pub hits: Vec<Hit>,
    /// Where the next page begins, while there may be one: it can turn out empty.
    pub next: Option<Cursor>,
    /// How many chunks the filter selects; `None` without a filter.
    pub matches: Option<u64>,
    /// What the search of each segment of vectors took; none by words.
    pub work: Vec<Work>,
    /// Graphs, partitions and codes that were found damaged: their segments were searched exactly, which is
    /// slower. [`Collection::repair`] makes them anew.
    pub warnings: Vec<String>,
}

impl IntoIterator for Found {
    type Item = Hit;
    type IntoIter = std::vec::IntoIter<Hit>;

    fn into_iter(self) -> Self::IntoIter {
        self.hits.into_iter()
    }
}

/// A search being put together; [`Search::run`] runs it. Everything combines with everything.
///
/// ```
/// # fn ask(notes: &gyeol::Collection) -> gyeol::Result<()> {
/// use gyeol::Filter;
///
/// let recent: Filter = r#"lang = "ko" and year >= 2020"#.parse()?;
/// let found = notes.search("조수 간만의 차").filter(&recent).per_document(1).k(5).run()?;
/// for hit in found.hits {
///     println!("{:.3} {} {}", hit.score, hit.source, hit.text);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Search<'a> {
    collection: &'a Collection,
    target: Target<'a>,
    unlike: Vec<Target<'a>>,
    k: usize,
    mode: Mode,
    fusion: Fusion,
    filter: Option<&'a Filter>,
    min_score: Option<f32>,
    per_document: Option<usize>,
    mmr: Option<f32>,
    reranker: Option<&'a dyn Reranker>,
    rerank_pool: usize,
    after: Option<Cursor>,
    effort: Effort,
    paranoid: bool,
}

impl<'a> Search<'a> {
    /// Hits when nothing else is asked for.
    pub const DEFAULT_K: usize = 10;
    /// Candidates that a reranker is given when nothing else is said.
    pub const DEFAULT_RERANK_POOL: usize = 50;

    pub(super) fn new(collection: &'a Collection, target: Target<'a>) -> Self {
        Search {
            collection,
            target,
            unlike: Vec::new(),
            k: Self::DEFAULT_K,
            mode: Mode::default(),
            fusion: Fusion::default(),
            filter: None,
            min_score: None,
            per_document: None,
            mmr: None,
            reranker: None,
            rerank_pool: Self::DEFAULT_RERANK_POOL,
            after: None,
            effort: Effort::default(),
            paranoid: false,
        }
    }

    /// How many hits, from 1; fewer come back only when there are fewer: of chunks that have a vector by meaning, of
    /// those that have a word of the query by words, of either by both, in each case of those that pass the filter.
    /// Default [`Search::DEFAULT_K`].
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// As many hits as there are, by custom with [`Search::min_score`]: a range search, whose recall is that of the
    /// [`Effort`].
    pub fn all(mut self) -> Self {
        self.k = usize::MAX;
        self
    }

    /// By meaning, by words, or both. Default [`Mode::Hybrid`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How meaning and words are made one. Default [`Fusion::Scores`] with [`Fusion::DEFAULT_LEXICAL`].
    pub fn fusion(mut self, fusion: Fusion) -> Self {
        self.fusion = fusion;
        self
    }

    /// Only chunks for which this holds. What a filter selects is found once for each commit.
    pub fn filter(mut self, filter: &'a Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Only hits of this score or a higher one: see [`Hit::score`] for what it is.
    pub fn min_score(mut self, score: f32) -> Self {
        self.min_score = Some(score);
        self
    }

    /// At most so many hits of one document, the best of it, from 1: with 1 every hit is another document, at its best
    /// chunk.
    pub fn per_document(mut self, hits: usize) -> Self {
        self.per_document = Some(hits);
        self
    }

    /// Variety: each hit is to be relevant and unlike those above it, by maximal marginal relevance. 1 is relevance
    /// alone, 0 variety alone; 0.5 is a good start. Hits are chosen from 20 times as many candidates as are asked for, at
    /// least 200 and at most 10,000; pages end with these.
    pub fn mmr(mut self, lambda: f32) -> Self {
        self.mmr = Some(lambda);
        self
    }

    /// A second look at the best candidates, [`Search::DEFAULT_RERANK_POOL`] or `k` if that is more, by a model that
    /// reads the query and a text together: its scores are then those of the hits, and what [`Search::min_score`]
    /// compares. Only for [`Target::Text`]; pages end with these candidates.
    pub fn rerank(mut self, reranker: &'a dyn Reranker) -> Self {
        self.reranker = Some(reranker);
        self
    }

    /// How many candidates [`Search::rerank`] looks at, at most 10,000; more are slower.
    pub fn rerank_pool(mut self, candidates: usize) -> Self {
        self.rerank_pool = candidates;
        self
    }

    /// Away from this: half of its vector is taken off the query's. Asked again, from the mean of all that are given.
    /// Words are not affected.
    pub fn unlike(mut self, target: Target<'a>) -> Self {
        self.unlike.push(target);
        self
    }

    /// The page after the one that ended here. Everything else must be as it was.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// How much work to do for meaning: by the recall to reach, by the candidates that a walk keeps, or every
    /// vector. Default [`Effort::Recall`] of [`Effort::DEFAULT_RECALL`].
    pub fn effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// Whether graphs, partitions and codes are compared with their checksums before their first use, which reads
    /// them whole once. Default `false`: links are checked as they are followed. Texts and full vectors are compared
    /// when they are first read, always.
    pub fn paranoid(mut self, paranoid: bool) -> Self {
        self.paranoid = paranoid;
        self
    }

    /// Runs the search on the collection as of its last commit or refresh.
    ///
    /// # Errors
    /// [`IndexError::ZeroK`] and [`IndexError::Parameter`]; [`CollectionError::Query`] when the query is blank, a
    /// document to be like is not there or has no vector, or a number is out of its range; [`CollectionError::Filter`];
    /// [`IndexError::Query`] for a vector of another dimension; [`crate::error::EmbedError`] of the embedder; errors of
    /// damaged files.
    pub fn run(self) -> Result<Found> {
        self.validate()?;
        let Some(snapshot) = self.collection.snapshot() else { return Ok(self.nothing()) };
        let vectors = target::embed(self.collection, &self.embedded())?;
        self.run_on(&snapshot, vectors)
    }

    fn validate(&self) -> Result<()> {
        if self.k == 0 {
            return Err(IndexError::ZeroK.into());
        }
        self.effort.validate()?;
        self.fusion.validate()?;
        let refuse = |reason: String| Err(CollectionError::Query(reason).into());
        if self.per_document == Some(0) {
            return refuse("hits of a document are 0; ask for at least one".to_owned());
        }
        if let Some(lambda) = self.mmr.filter(|lambda| !(0.0..=1.0).contains(lambda)) {
            return refuse(format!("mmr is {lambda}; it must be from 0 to 1"));
        }
        if self.min_score.is_some_and(f32::is_nan) {
            return refuse("the least score is not a number".to_owned());
        }
        if self.reranker.is_some() && !matches!(self.target, Target::Text(_)) {
            return refuse("a reranker compares texts with a text; ask with one".to_owned());
        }
        if self.after.is_some_and(|after| (after.pool == 0) != self.by_order()) {
            return refuse(
                "the cursor is of a search of another kind: with or without variety and a reranker".to_owned(),
            );
        }
        if let Some(filter) = self.filter {
            filter.validate().map_err(CollectionError::from)?;
        }
        self.texts().try_for_each(|text| match text.trim().is_empty() {
            true => refuse("the query is blank; ask with at least one word".to_owned()),
            false => Ok(()),
        })
    }

    /// The texts of the targets, the query's first, if it is one.
    fn texts(&self) -> impl Iterator<Item = &'a str> {
        let all = std::iter::once(&self.target).chain(&self.unlike);
        all.filter_map(|target| if let Target::Text(text) = target { Some(*text) } else { None })
    }

    /// Those of them that are to be embedded: none where only words count.
    fn embedded(&self) -> Vec<&'a str> {
        let by_words = self.mode == Mode::Lexical && matches!(self.target, Target::Text(_));
        if by_words { Vec::new() } else { self.texts().collect() }
    }

    fn nothing(&self) -> Found {
        let matches = self.filter.map(|_| 0);
        Found { mode: self.mode, hits: Vec::new(), next: None, matches, work: Vec::new(), warnings: Vec::new() }
    }

    /// Runs it, given the vectors of its texts.
    fn run_on(self, snapshot: &Arc<Snapshot>, vectors: Vec<Option<Vec<f32>>>) -> Result<Found> {
        let selection = self.filter.map(|filter| snapshot.selection(filter)).transpose()?;
        let asked = target::ask(self.collection, snapshot, (&self.target, &self.unlike), vectors)?;
        let mode = match (self.mode, &asked.vector, asked.words) {
            (Mode::Lexical, _, None) | (Mode::Hybrid, Some(_), None) => Mode::Dense,
            (Mode::Dense | Mode::Hybrid, None, Some(_)) => Mode::Lexical,
            (mode, _, _) => mode,
        };
        if self.paranoid && mode != Mode::Lexical {
            snapshot.check_structures();
        }
        let (page, next, work) = self.page(snapshot, &asked, mode, selection.as_deref())?;
        let hit = |c: &Candidate| Ok(Hit::new(c.score, c.scores, snapshot.chunk(c.slot)?));
        let hits = page.iter().map(hit).collect::<Result<Vec<_>>>()?;
        let matches = selection.map(|selection| selection.chunks);
        let warnings = if mode == Mode::Lexical { Vec::new() } else { snapshot.warnings() };
        Ok(Found { mode, hits, next, matches, work, warnings })
    }

    /// The candidates that are to be shown, where the next page begins, and what finding them took.
    fn page(
        &self,
        snapshot: &Snapshot,
        asked: &Asked<'_>,
        mode: Mode,
        selection: Option<&Selection>,
    ) -> Result<(Vec<Candidate>, Option<Cursor>, Vec<Work>)> {
        let metric = self.collection.metric();
        let how = How { mode, fusion: self.fusion, effort: self.effort, metric, selection };
        let by_order = self.by_order();
        let offset = self.after.map_or(0, |after| after.offset);
        let wanted = offset.saturating_add(self.k);
        let pool = self.pool();
        let (mut shaped, all, work) = self.shaped(snapshot, asked, how, if by_order { self.k } else { pool })?;
        let (more, page): (bool, Vec<Candidate>) = if by_order {
            let more = shaped.len() > self.k || !all;
            shaped.truncate(self.k);
            (more, shaped)
        } else {
            shaped.truncate(pool);
            if let (Some(reranker), Some(words)) = (self.reranker, asked.words) {
                shape::rerank(snapshot, reranker, words, &mut shaped)?;
                self.min_score.iter().for_each(|&score| shape::at_least(&mut shaped, score));
            }
            let count = shaped.len();
            if let Some(lambda) = self.mmr {
                shaped = shape::diverse(snapshot, &shaped, lambda, wanted)?;
            }
            (count > wanted, shaped.into_iter().skip(offset).take(self.k).collect())
        };
        let last = page.last().filter(|_| more && page.len() == self.k);
        let next = last.map(|last| Cursor { offset: wanted, pool, last: (last.score.to_bits(), last.slot) });
        Ok((page, next, work))
    }

    /// Whether hits stand in the order of the scores that they were ranked by.
    fn by_order(&self) -> bool {
        self.mmr.is_none() && self.reranker.is_none()
    }

    /// The candidates that variety and a reranker choose from.
    fn pool(&self) -> usize {
        match (self.after, self.reranker, self.mmr) {
            (_, None, None) => 0,
            (Some(after), _, _) => after.pool.clamp(1, MOST_POOL),
            (None, Some(_), _) => self.rerank_pool.max(self.k).min(MOST_POOL),
            (None, None, Some(_)) => self.k.saturating_mul(DIVERSE).clamp(LEAST_DIVERSE, MOST_POOL),
        }
    }

    /// At least so many candidates, if there are as many, that are over the least score, not too many of a document, and
    /// after the page before where the order is that of scores; whether these are all; and what finding them took.
    fn shaped(
        &self,
        snapshot: &Snapshot,
        asked: &Asked<'_>,
        how: How<'_>,
        enough: usize,
    ) -> Result<(Vec<Candidate>, bool, Vec<Work>)> {
        let per = if self.per_document.is_some() { PER_DOCUMENT_DEPTH } else { 1 };
        let after = self.after.filter(|_| self.by_order());
        let before = after.map_or(0, |after| after.offset);
        let first = before.saturating_add(enough).saturating_mul(per);
        let mut depth = if first >= usize::MAX / 8 { FIRST_DEPTH.max(before.min(MOST_DEPTH)) } else { first };
        let min_score = self.min_score.filter(|_| self.reranker.is_none());
        loop {
            let Ranking { mut candidates, all, least, work } = rank(snapshot, asked, how, depth)?;
            if let Some(score) = min_score {
                shape::at_least(&mut candidates, score);
            }
            if let Some(most) = self.per_document {
                shape::per_document(snapshot, &mut candidates, most)?;
            }
            if let Some(after) = after {
                candidates.retain(|candidate| after.is_before(candidate));
            }
            let all = all || min_score.is_some_and(|score| least < score);
            if candidates.len() >= enough || all {
                return Ok((candidates, all, work));
            }
            depth = depth.saturating_mul(4);
        }
    }
}

/// Runs a search for each of some texts on all cores.
pub(super) fn many<'a>(
    collection: &'a Collection,
    queries: &[&'a str],
    with: impl Fn(Search<'a>) -> Search<'a> + Sync,
) -> Result<Vec<Found>> {
    use rayon::prelude::*;
    let searches: Vec<Search<'a>> = queries.iter().map(|query| with(collection.search(query))).collect();
    searches.iter().try_for_each(Search::validate)?;
    let Some(snapshot) = collection.snapshot() else { return Ok(searches.iter().map(Search::nothing).collect()) };
    let texts: Vec<&str> = searches.iter().flat_map(Search::embedded).collect();
    let mut vectors = target::embed(collection, &texts)?.into_iter();
    let each: Vec<(Search<'a>, Vec<Option<Vec<f32>>>)> = searches
        .into_iter()
        .map(|search| {
            let own = vectors.by_ref().take(search.embedded().len()).collect();
            (search, own)
        })
        .collect();
    // Found once, not by every thread.
    for (search, _) in &each {
        search.filter.map(|filter| snapshot.selection(filter)).transpose()?;
    }
    each.into_par_iter().map(|(search, own)| search.run_on(&snapshot, own)).collect()
}
