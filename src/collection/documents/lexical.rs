//! Search by words: BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009)
//! as tantivy has it, with k1 1.2 and b 0.75.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::{BooleanQuery, BoostQuery, EnableScoring, Occur, Query, TermQuery, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use tantivy::{DocId, DocSet, Score, SegmentOrdinal, SegmentReader, TantivyError, Term};

use super::{Bitmap, Documents, guarded};
use crate::collection::containing::Containing;
use crate::text::{lexical_terms, query_terms, single_character};

/// A chunk with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::collection) struct Ranked {
    /// Larger is better.
    pub score: f32,
    pub slot: u64,
}

impl Ranked {
    /// Best first, ties by slot.
    pub fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.slot.cmp(&other.slot))
    }
}

impl Documents {
    /// The `k` best chunks by BM25 over the terms of a query, best first; with `among` only those are looked at. A term
    /// that no chunk has lowers nothing but its own share. A query of nothing but single characters of Hangul, kana or
    /// Han finds, below the chunks that have them as words, those that have them within words.
    pub fn lexical(&self, query: &str, k: usize, among: Option<&[Bitmap]>) -> tantivy::Result<Vec<Ranked>> {
        guarded(|| {
            let best = Best { k: k.min(self.searcher.num_docs().max(1) as usize), among };
            let mut found = self.searcher.search(&self.lexical_query(query), &best)?;
            found.sort_unstable_by(Ranked::order);
            found.truncate(k);
            Ok(found)
        })
    }

    /// The BM25 scores of some chunks, in their order: 0 for those that have none of the terms.
    pub fn lexical_scores(&self, query: &str, slots: &[u64]) -> tantivy::Result<Vec<f32>> {
        guarded(|| {
            let mut places = Vec::with_capacity(slots.len());
            for (i, &slot) in slots.iter().enumerate() {
                places.extend(self.address(slot)?.map(|address| (address.segment_ord, address.doc_id, i)));
            }
            places.sort_unstable();
            let query = self.lexical_query(query);
            let weight = query.weight(EnableScoring::enabled_from_searcher(&self.searcher))?;
            let mut scores = vec![0.0; slots.len()];
            for of_segment in places.chunk_by(|a, b| a.0 == b.0) {
                let mut scorer = weight.scorer(self.searcher.segment_reader(of_segment[0].0), 1.0)?;
                for &(_, doc, i) in of_segment {
                    if scorer.doc() < doc {
                        scorer.seek(doc);
                    }
                    if scorer.doc() == doc {
                        scores[i] = scorer.score();
                    }
                }
            }
            Ok(scores)
        })
    }

    fn lexical_query(&self, query: &str) -> BooleanQuery {
        let terms = query_terms(query);
        let single: Option<Vec<char>> = terms.iter().map(|(term, _)| single_character(term)).collect();
        let within = single.into_iter().flatten().take(Containing::MOST).map(|c| -> (Occur, Box<dyn Query>) {
            let within = Box::new(Containing { field: self.fields.body, character: c });
            (Occur::Should, Box::new(BoostQuery::new(within, Containing::COUNTS)))
        });
        let clause = |(term, counts): &(String, f32)| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(self.fields.body, term);
            let term = Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
            (Occur::Should, Box::new(BoostQuery::new(term, *counts)))
        };
        BooleanQuery::new(terms.iter().map(clause).chain(within).collect())
    }
}

/// Collects the best chunks of those selected. Others are passed over as they come, so that blocks of documents that
/// cannot be among the best are still skipped as a whole.
struct Best<'a> {
    k: usize,
    among: Option<&'a [Bitmap]>,
}

/// Never asked for single documents.
struct Unused;

impl SegmentCollector for Unused {
    type Fruit = Vec<Ranked>;

    fn collect(&mut self, _: DocId, _: Score) {}

    fn harvest(self) -> Vec<Ranked> {
        Vec::new()
    }
}

impl Collector for Best<'_> {
    type Fruit = Vec<Ranked>;
    type Child = Unused;

    fn for_segment(&self, _: SegmentOrdinal, _: &SegmentReader) -> tantivy::Result<Unused> {
        Ok(Unused)
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, fruits: Vec<Vec<Ranked>>) -> tantivy::Result<Vec<Ranked>> {
        Ok(fruits.concat())
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        ordinal: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<Vec<Ranked>> {
        let damaged = || TantivyError::InternalError("a document without a segment".to_owned());
        let among = match self.among {
            Some(among) => Some(among.get(ordinal as usize).ok_or_else(damaged)?),
            None => None,
        };
        let slots = reader.fast_fields().u64("slot")?;
        // The worst on top.
        let mut heap: BinaryHeap<Worst> = BinaryHeap::with_capacity(self.k.min(4096) + 1);
        let mut least = Score::MIN;
        weight.for_each_pruning(Score::MIN, reader, &mut |doc, score| {
            let counts = reader.alive_bitset().is_none_or(|alive| alive.is_alive(doc))
                && among.is_none_or(|among| among.contains(doc));
            if let Some(slot) = counts.then(|| slots.first(doc)).flatten() {
                heap.push(Worst(Ranked { score, slot }));
                if heap.len() > self.k {
                    heap.pop();
                }
                if heap.len() == self.k {
                    least = heap.peek().map_or(least, |worst| worst.0.score.next_down());
                }
            }
            least
        })?;
        Ok(heap.into_iter().map(|worst| worst.0).collect())
    }
}

/// A chunk; the worst is the greatest.
struct Worst(Ranked);

impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Worst {}

/// [`lexical_terms`] as tantivy's tokeniser.
#[derive(Clone, Default)]
pub(super) struct Terms {
    tokens: Vec<Token>,
}

pub(super) struct Stream<'a> {
    tokens: &'a mut Vec<Token>,
    next: usize,
}

impl Tokenizer for Terms {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        self.tokens.clear();
        lexical_terms(text, |term, range| {
            let (offset_from, offset_to, position) = (range.start, range.end, self.tokens.len());
            self.tokens.push(Token { offset_from, offset_to, position, text: term.to_owned(), position_length: 1 });
        });
        Stream { tokens: &mut self.tokens, next: 0 }
    }
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}
