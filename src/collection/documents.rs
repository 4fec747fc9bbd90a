//! The document store: chunks and file records in tantivy.
//!
//! | field | kind | of |
//! |---|---|---|
//! | `kind` | u64 | 0 first chunk of a document, 1 further chunk, 2 file record |
//! | `slot` | u64 | chunk: its number, which its vector carries too |
//! | `key` | term | chunk: the document's key |
//! | `file` | term | chunk: the file it came from |
//! | `record` | term | file record: the file |
//! | `hash` | term | chunk with a vector: BLAKE3 of the text that was embedded |
//! | `body` | words | chunk: headings and text, by [`lexical_terms`] |
//! | `payload` | JSON | chunk: for filters |
//! | `stored` | stored | a [`StoredChunk`] (payload: a document's first chunk only) or [`FileRecord`] as JSON |

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tantivy::collector::{Count, DocSetCollector, TopDocs};
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::document::Value;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, JsonObjectOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use tantivy::{DocAddress, DocSet, Index, Searcher, TERMINATED, TantivyDocument, Term};

use super::containing::Containing;
use super::directory::DocumentDirectory;
use crate::text::{Skipped, lexical_terms, query_terms, single_character};

const TOKENIZER: &str = "gyeol";
/// Longer strings of a payload are stored and shown, but not offered to filters.
const LONGEST_FILTERED: usize = 8 * 1024;

/// What a chunk is when it is found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredChunk {
    pub key: String,
    pub path: Option<String>,
    pub lines: (u64, u64),
    pub bytes: (u64, u64),
    pub headings: Vec<String>,
    pub text: String,
    /// Its place in its document, from 0. A document's chunks have consecutive slots.
    pub nth: u32,
    /// Stored with a document's first chunk only; every chunk read has it.
    pub payload: Arc<Map<String, Json>>,
}

/// What is remembered of a file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub len: u64,
    pub modified_ns: u64,
    pub changed_ns: u64,
    /// When it was read, in nanoseconds since 1970.
    pub read_ns: u64,
    pub hash: String,
    pub chunks: u64,
    /// Names of the key and text fields, for formats that have them.
    pub fields: Option<(String, String)>,
    /// What of it was left out: `(path, reason)`.
    pub skipped: Vec<(String, String)>,
}

impl FileRecord {
    /// What of the file was left out.
    pub fn skipped(&self) -> impl Iterator<Item = Skipped> + '_ {
        self.skipped.iter().map(|(path, reason)| Skipped { path: path.clone(), reason: reason.clone() })
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    kind: Field,
    slot: Field,
    key: Field,
    file: Field,
    record: Field,
    hash: Field,
    body: Field,
    payload: Field,
    stored: Field,
}

const FIRST: u64 = 0;
const FURTHER: u64 = 1;
const RECORD: u64 = 2;

/// What documents are picked by.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    Key(&'a str),
    File(&'a str),
    Record(&'a str),
}

impl Fields {
    fn of(schema: &Schema) -> tantivy::Result<Self> {
        let field = |name| schema.get_field(name);
        Ok(Fields {
            kind: field("kind")?,
            slot: field("slot")?,
            key: field("key")?,
            file: field("file")?,
            record: field("record")?,
            hash: field("hash")?,
            body: field("body")?,
            payload: field("payload")?,
            stored: field("stored")?,
        })
    }

    pub fn term(&self, by: By<'_>) -> Term {
        match by {
            By::Key(key) => Term::from_field_text(self.key, key),
            By::File(file) => Term::from_field_text(self.file, file),
            By::Record(file) => Term::from_field_text(self.record, file),
        }
    }

    /// A chunk as the store takes it. `hash` is that of the text embedded, if it has a vector.
    pub fn chunk(&self, chunk: &StoredChunk, slot: u64, hash: Option<&str>) -> TantivyDocument {
        let mut doc = TantivyDocument::new();
        doc.add_u64(self.kind, if chunk.nth == 0 { FIRST } else { FURTHER });
        doc.add_u64(self.slot, slot);
        doc.add_text(self.key, &chunk.key);
        if let Some(path) = &chunk.path {
            doc.add_text(self.file, path);
        }
        if let Some(hash) = hash {
            doc.add_text(self.hash, hash);
        }
        for heading in &chunk.headings {
            doc.add_text(self.body, heading);
        }
        doc.add_text(self.body, &chunk.text);
        if !chunk.payload.is_empty() {
            let short = |(name, value): (&String, &Json)| {
                let long = value.as_str().is_some_and(|s| s.len() > LONGEST_FILTERED);
                (!long).then(|| (name.clone(), value.clone().into()))
            };
            doc.add_object(self.payload, chunk.payload.iter().filter_map(short).collect());
        }
        // Strings, numbers and maps of strings always serialise.
        let stored = match chunk.nth {
            0 => serde_json::to_string(chunk),
            _ => serde_json::to_string(&StoredChunk { payload: Arc::default(), ..chunk.clone() }),
        };
        doc.add_text(self.stored, stored.unwrap_or_default());
        doc
    }

    /// A file record as the store takes it.
    pub fn record(&self, file: &str, record: &FileRecord) -> TantivyDocument {
        let mut doc = TantivyDocument::new();
        doc.add_u64(self.kind, RECORD);
        doc.add_text(self.record, file);
        doc.add_text(self.stored, serde_json::to_string(&(file, record)).unwrap_or_default());
        doc
    }
}

/// The schema of a new store.
fn schema() -> Schema {
    let mut schema = Schema::builder();
    schema.add_u64_field("kind", INDEXED);
    schema.add_u64_field("slot", INDEXED | FAST);
    schema.add_text_field("key", STRING);
    schema.add_text_field("file", STRING);
    schema.add_text_field("record", STRING);
    schema.add_text_field("hash", STRING);
    let words = TextFieldIndexing::default()
        .set_tokenizer(TOKENIZER)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    schema.add_text_field("body", TextOptions::default().set_indexing_options(words));
    let raw = TextFieldIndexing::default().set_tokenizer("raw").set_index_option(IndexRecordOption::Basic);
    schema.add_json_field("payload", JsonObjectOptions::default().set_indexing_options(raw).set_fast("raw"));
    schema.add_text_field("stored", STORED);
    schema.build()
}

/// Runs a call of tantivy, whose readers panic on damaged files; that becomes an error here.
pub(super) fn guarded<T>(call: impl FnOnce() -> tantivy::Result<T>) -> tantivy::Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let reason = format!("a file is damaged ({})", message.unwrap_or("its reader failed"));
        Err(tantivy::TantivyError::InternalError(reason))
    })
}

/// Opens the store of a directory, or makes it.
pub(super) fn open_or_create(directory: DocumentDirectory) -> tantivy::Result<(Index, Fields)> {
    guarded(|| with_fields(Index::open_or_create(directory, schema())?))
}

fn with_fields(index: Index) -> tantivy::Result<(Index, Fields)> {
    index.tokenizers().register(TOKENIZER, Terms::default());
    let fields = Fields::of(&index.schema())?;
    Ok((index, fields))
}

/// Looks at what a writer's threads read when they delete: damage under a good checksum would end the process there.
pub(super) fn check_postings(index: &Index, fields: Fields) -> tantivy::Result<()> {
    guarded(|| {
        let searcher = index.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual).try_into()?.searcher();
        for reader in searcher.segment_readers() {
            for field in [fields.key, fields.file, fields.record] {
                let inverted = reader.inverted_index(field)?;
                let mut terms = inverted.terms().stream()?;
                while let Some((_, info)) = terms.next() {
                    let mut docs = inverted.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
                    while docs.doc() != TERMINATED {
                        if docs.doc() >= reader.max_doc() {
                            return Err(tantivy::TantivyError::InternalError("a term of no document".to_owned()));
                        }
                        docs.advance();
                    }
                }
            }
        }
        Ok(())
    })
}

/// The store as of one commit.
pub(super) struct Documents {
    searcher: Searcher,
    fields: Fields,
}

impl Documents {
    /// Opens the commit that the directory is frozen at.
    pub fn open(directory: DocumentDirectory) -> tantivy::Result<Self> {
        guarded(|| {
            let (index, fields) = with_fields(Index::open(directory)?)?;
            let reader = index.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual).try_into()?;
            Ok(Documents { searcher: reader.searcher(), fields })
        })
    }

    /// `(documents, chunks)`.
    pub fn counts(&self) -> tantivy::Result<(u64, u64)> {
        guarded(|| {
            let count = |kind| {
                let term = Term::from_field_u64(self.fields.kind, kind);
                self.searcher.search(&TermQuery::new(term, IndexRecordOption::Basic), &Count).map(|n| n as u64)
            };
            let first = count(FIRST)?;
            Ok((first, first + count(FURTHER)?))
        })
    }

    /// The chunk of a slot.
    pub fn chunk(&self, slot: u64) -> tantivy::Result<Option<StoredChunk>> {
        let Some(mut chunk) = self.stored_chunk(slot)? else { return Ok(None) };
        if chunk.nth > 0
            && let Some(first) = self.stored_chunk(slot.saturating_sub(u64::from(chunk.nth)))?
        {
            chunk.payload = first.payload;
        }
        Ok(Some(chunk))
    }

    fn stored_chunk(&self, slot: u64) -> tantivy::Result<Option<StoredChunk>> {
        guarded(|| {
            let query = TermQuery::new(Term::from_field_u64(self.fields.slot, slot), IndexRecordOption::Basic);
            let found = self.searcher.search(&query, &DocSetCollector)?;
            found.into_iter().next().map(|address| self.stored(address)).transpose()
        })
    }

    fn stored<T: for<'de> Deserialize<'de>>(&self, address: DocAddress) -> tantivy::Result<T> {
        let doc: TantivyDocument = self.searcher.doc(address)?;
        let json = doc.get_first(self.fields.stored).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        serde_json::from_str(&json).map_err(|e| tantivy::TantivyError::InternalError(format!("a stored document: {e}")))
    }

    /// The slots of the chunks picked.
    pub fn slots(&self, by: By<'_>) -> tantivy::Result<Vec<u64>> {
        let query = TermQuery::new(self.fields.term(by), IndexRecordOption::Basic);
        self.slots_of(&query)
    }

    fn slots_of(&self, query: &dyn Query) -> tantivy::Result<Vec<u64>> {
        guarded(|| {
            let mut slots = Vec::new();
            for address in self.searcher.search(query, &DocSetCollector)? {
                slots.extend(self.slot_at(address)?);
            }
            slots.sort_unstable();
            Ok(slots)
        })
    }

    fn slot_at(&self, address: DocAddress) -> tantivy::Result<Option<u64>> {
        let reader = self.searcher.segment_reader(address.segment_ord);
        Ok(reader.fast_fields().u64("slot")?.first(address.doc_id))
    }

    /// The chunks picked, in the order in which they were added.
    pub fn chunks(&self, by: By<'_>) -> tantivy::Result<Vec<StoredChunk>> {
        let slots = self.slots(by)?;
        slots.into_iter().filter_map(|slot| self.chunk(slot).transpose()).collect()
    }

    /// A slot whose vector is that of the text with this hash.
    pub fn slot_of_hash(&self, hash: &str) -> tantivy::Result<Option<u64>> {
        guarded(|| {
            let term = Term::from_field_text(self.fields.hash, hash);
            if self.searcher.doc_freq(&term)? == 0 {
                return Ok(None);
            }
            Ok(self.slots_of(&TermQuery::new(term, IndexRecordOption::Basic))?.first().copied())
        })
    }

    /// The slots of all chunks, in their order, each with whether it has a vector.
    pub fn all_slots(&self) -> tantivy::Result<Vec<(u64, bool)>> {
        guarded(|| {
            let mut out = Vec::new();
            for reader in self.searcher.segment_readers() {
                let mut with_vector = vec![false; reader.max_doc() as usize];
                let hashes = reader.inverted_index(self.fields.hash)?;
                let mut terms = hashes.terms().stream()?;
                while let Some((_, info)) = terms.next() {
                    let mut docs = hashes.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
                    while docs.doc() != TERMINATED {
                        with_vector[docs.doc() as usize] = true;
                        docs.advance();
                    }
                }
                let slots = reader.fast_fields().u64("slot")?;
                let of_doc = |doc| slots.first(doc).map(|slot| (slot, with_vector[doc as usize]));
                out.extend(reader.doc_ids_alive().filter_map(of_doc));
            }
            out.sort_unstable();
            Ok(out)
        })
    }

    /// Segments, and their deleted documents, file records among them.
    pub fn segments(&self) -> (usize, u64) {
        let readers = self.searcher.segment_readers();
        (readers.len(), readers.iter().map(|r| u64::from(r.num_deleted_docs())).sum())
    }

    /// Every file record, by file.
    pub fn records(&self) -> tantivy::Result<HashMap<String, FileRecord>> {
        guarded(|| {
            let term = Term::from_field_u64(self.fields.kind, RECORD);
            let found = self.searcher.search(&TermQuery::new(term, IndexRecordOption::Basic), &DocSetCollector)?;
            let mut found: Vec<DocAddress> = found.into_iter().collect();
            // In the order of the store, so that each of its blocks is unpacked once.
            found.sort_unstable();
            found.into_iter().map(|address| self.stored(address)).collect()
        })
    }

    /// The `k` best chunks by BM25 over the terms of a query, best first. A term that no chunk has
    /// lowers nothing but its own share. A query of nothing but single characters of Hangul, kana or
    /// Han finds, below the chunks that have them as words, those that have them within words.
    pub fn lexical(&self, query: &str, k: usize) -> tantivy::Result<Vec<(f32, StoredChunk)>> {
        guarded(|| {
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
            let query = BooleanQuery::new(terms.iter().map(clause).chain(within).collect());
            let k = k.min(self.searcher.num_docs().max(1) as usize);
            let found = self.searcher.search(&query, &TopDocs::with_limit(k).order_by_score())?;
            let mut out = Vec::with_capacity(found.len());
            for (score, address) in found {
                let chunk = self.slot_at(address)?.map(|slot| self.chunk(slot)).transpose()?.flatten();
                out.extend(chunk.map(|chunk| (score, chunk)));
            }
            Ok(out)
        })
    }
}

/// [`lexical_terms`] as tantivy's tokeniser.
#[derive(Clone, Default)]
struct Terms {
    tokens: Vec<Token>,
}

struct Stream<'a> {
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
