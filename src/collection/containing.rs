//! Texts that have one character of Hangul, kana or Han somewhere within their words.
//!
//! Runs of these are kept as pairs of characters, so the pairs that have the character are looked up
//! among all terms, and their texts are scored together, as if they were those of one term.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::postings::Postings;
use tantivy::query::{Bm25StatisticsProvider, Bm25Weight, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError};

/// Texts with a character within their words, by BM25.
#[derive(Clone, Debug)]
pub(super) struct Containing {
    pub field: Field,
    pub character: char,
}

impl Containing {
    /// What it counts for beside a word that is the character: a text that has 물 comes before one that has 건물.
    pub const COUNTS: f32 = 0.1;
    /// Each takes a walk over the terms; a query of more single characters is looked up within words by the first.
    pub const MOST: usize = 8;

    /// How often each text of a segment has the character in a pair.
    fn counted(&self, reader: &SegmentReader) -> tantivy::Result<Vec<(DocId, u32)>> {
        let mut encoded = [0; 4];
        let wanted = self.character.encode_utf8(&mut encoded).as_bytes();
        let inverted = reader.inverted_index(self.field)?;
        let mut frequency = vec![0; reader.max_doc() as usize];
        // Terms of ASCII, all English words among them, are passed over.
        let mut terms = inverted.terms().range().ge([0x80]).into_stream()?;
        while let Some((term, info)) = terms.next() {
            if !is_pair_with(term, wanted) {
                continue;
            }
            let mut docs = inverted.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
            while docs.doc() != TERMINATED {
                if let Some(frequency) = frequency.get_mut(docs.doc() as usize) {
                    *frequency += docs.term_freq();
                }
                docs.advance();
            }
        }
        let counted = frequency.into_iter().enumerate().filter(|&(_, n)| n > 0);
        Ok(counted.map(|(doc, n)| (doc as DocId, n)).collect())
    }
}

/// Whether a term is two characters, both beyond ASCII, one of them the one wanted.
fn is_pair_with(term: &[u8], wanted: &[u8]) -> bool {
    let is_pair = || std::str::from_utf8(term).is_ok_and(|term| !term.contains('-') && term.chars().count() == 2);
    term.len() > wanted.len() && (term.starts_with(wanted) || term.ends_with(wanted)) && is_pair()
}

impl Query for Containing {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let Some(searcher) = scoring.searcher() else {
            return Err(TantivyError::InvalidArgument("a character is looked up in a searcher".to_owned()));
        };
        let mut found = HashMap::new();
        let mut docs = 0;
        for reader in searcher.segment_readers() {
            let counted = self.counted(reader)?;
            docs += counted.len() as u64;
            found.insert(reader.segment_id(), Arc::from(counted));
        }
        let all = searcher.total_num_docs()?.max(docs);
        let mean = searcher.total_num_tokens(self.field)? as Score / all.max(1) as Score;
        let bm25 = Bm25Weight::for_one_term_without_explain(docs, all, mean);
        Ok(Box::new(ContainingWeight { field: self.field, found, bm25 }))
    }
}

struct ContainingWeight {
    field: Field,
    found: HashMap<SegmentId, Arc<[(DocId, u32)]>>,
    bm25: Bm25Weight,
}

impl Weight for ContainingWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let lengths = reader.get_fieldnorms_reader(self.field)?;
        let bm25 = self.bm25.boost_by(boost);
        let found = self.found.get(&reader.segment_id()).cloned().unwrap_or_default();
        let scores = found.iter().map(|&(doc, n)| (doc, bm25.score(lengths.fieldnorm_id(doc), n))).collect();
        Ok(Box::new(Scored { scores, at: 0 }))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        if scorer.seek(doc) != doc {
            return Err(TantivyError::InvalidArgument(format!("document {doc} has not the character")));
        }
        Ok(Explanation::new("has the character within its words", scorer.score()))
    }
}

/// Documents in order, each with its score.
struct Scored {
    scores: Vec<(DocId, Score)>,
    at: usize,
}

impl DocSet for Scored {
    fn advance(&mut self) -> DocId {
        self.at = (self.at + 1).min(self.scores.len());
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.scores.get(self.at).map_or(TERMINATED, |&(doc, _)| doc)
    }

    fn size_hint(&self) -> u32 {
        self.scores.len() as u32
    }
}

impl Scorer for Scored {
    fn score(&mut self) -> Score {
        self.scores.get(self.at).map_or(0.0, |&(_, score)| score)
    }
}
