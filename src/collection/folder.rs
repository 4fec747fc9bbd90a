//! A folder into the collection: what is new, what changed, what is gone.
//!
//! Files are taken in groups. A group is read, chunked and embedded before anything of it is
//! added, so a file is in the collection whole or not at all.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use super::documents::{By, FileRecord, StoredChunk};
use super::{Collection, MAX_KEY_BYTES};
use crate::embed::{Answer, Embedder, Role, embed_many};
use crate::error::Result;
use crate::index::prepare;
use crate::metric::Metric;
use crate::text::{self, Chunker, Entry, Fields, FileText, Format, Refused, Skipped};
use crate::vectors::Vectors;

/// A group is closed when it holds this much text, or this many files.
const GROUP_BYTES: u64 = 8 << 20;
const GROUP_FILES: usize = 1024;
/// A file changed less than this before it was read may change again within the same tick of the
/// clock, so it is read again next time.
const RACY: Duration = Duration::from_secs(2);
/// Rows of one file that are listed as skipped one by one.
const LISTED_ROWS: usize = 20;

/// How [`Collection::add_dir_with`] works.
#[derive(Clone, Debug, Default)]
pub struct AddOptions {
    /// Which fields of CSV, TSV and JSON Lines rows are key and text. `None`: for a file that the
    /// collection knows, those by which it was read; for others the default.
    pub fields: Option<Fields>,
    /// Commit on the way when this much time has passed since the last commit, so that little is
    /// lost when the process is killed. Never by default.
    pub commit_every: Option<Duration>,
}

/// How far [`Collection::add_dir_with`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of changed files read, chunked and embedded.
    pub bytes: u64,
    /// Bytes of changed files in all.
    pub total_bytes: u64,
    /// Chunks made.
    pub chunks: u64,
}

/// What became of the files of a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Files that were not in the collection.
    pub added: u64,
    /// Files whose content changed.
    pub updated: u64,
    /// Files that are as they were.
    pub unchanged: u64,
    /// Files that are gone, or hold no text any more.
    pub removed: u64,
    /// What was left out, with its reason.
    pub skipped: Vec<Skipped>,
    /// Chunks added.
    pub chunks_added: u64,
    /// Chunks removed.
    pub chunks_removed: u64,
    /// Texts given to the embedder. Chunks whose text the collection already has keep its vector.
    pub embedded: u64,
    /// Chunks added that have no vector, since the model knows none of their tokens or refuses them. They are
    /// found by words.
    pub without_vector: u64,
    /// Whether it was cancelled before the end.
    pub cancelled: bool,
    /// Wall time.
    pub seconds: f64,
}

/// One file of a group, read and cut.
pub(super) struct Cut {
    name: String,
    pub record: FileRecord,
    pub chunks: Vec<StoredChunk>,
}

/// What a changed file turned out to be.
pub(super) enum Change {
    Cut(Box<Cut>),
    /// It was touched, but its content is what it was.
    Touched(String, FileRecord),
    Unread(Skipped),
}

/// Called with the state of things; may end the run.
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// See [`Collection::add_dir_with`].
pub(super) fn add(
    collection: &mut Collection,
    dir: &Path,
    options: &AddOptions,
    on_progress: OnProgress<'_>,
) -> Result<Report> {
    let started = Instant::now();
    let walk = text::walk(dir, Some(&collection.path))?;
    let prefix = collection.prefix_of(dir);
    let known = collection.file_records()?;
    let mut run = Run { collection, options, report: Report::default(), progress: Progress::default(), on_progress };
    run.report.skipped = walk.skipped.iter().map(|s| prefixed(&prefix, s)).collect();
    let mut changed: Vec<Entry> = Vec::new();
    let mut present: HashSet<String> = HashSet::new();
    for mut entry in walk.entries {
        entry.name = format!("{prefix}{}", entry.name);
        present.insert(entry.name.clone());
        match known.get(&entry.name) {
            Some(record) if is_unchanged(record, &entry, options.fields.as_ref()) => {
                run.report.unchanged += 1;
                run.report.skipped.extend(record.skipped());
            }
            _ => changed.push(entry),
        }
    }
    let unread: Vec<String> = walk.unread.iter().map(|u| format!("{prefix}{u}")).collect();
    run.remove_gone(&known, &present, &prefix, &unread)?;
    run.progress.total_bytes = changed.iter().map(|e| e.len).sum();
    let mut committed = Instant::now();
    let mut rest = &changed[..];
    while !rest.is_empty() && !run.report.cancelled {
        let (group, later) = rest.split_at(group_len(rest));
        rest = later;
        run.group(group, &known)?;
        if options.commit_every.is_some_and(|every| committed.elapsed() >= every) {
            run.collection.commit()?;
            committed = Instant::now();
        }
    }
    run.report.seconds = started.elapsed().as_secs_f64();
    Ok(run.report)
}

fn prefixed(prefix: &str, skipped: &Skipped) -> Skipped {
    Skipped { path: format!("{prefix}{}", skipped.path), reason: skipped.reason.clone() }
}

fn group_len(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let full = entries.iter().take(GROUP_FILES).position(|e| {
        bytes += e.len;
        bytes >= GROUP_BYTES
    });
    full.map_or(entries.len().min(GROUP_FILES), |at| at + 1)
}

/// The fields by which a file is read.
fn fields_for(known: Option<&FileRecord>, given: Option<&Fields>) -> Fields {
    let remembered = || known.and_then(|k| k.fields.clone()).map(|(key, text)| Fields { key, text });
    given.cloned().or_else(remembered).unwrap_or_default()
}

fn row_fields(name: &str, fields: &Fields) -> Option<(String, String)> {
    let of_rows = matches!(Format::of_name(name), Ok(Format::Csv | Format::Tsv | Format::Jsonl));
    of_rows.then(|| (fields.key.clone(), fields.text.clone()))
}

pub(super) fn is_unchanged(record: &FileRecord, entry: &Entry, fields: Option<&Fields>) -> bool {
    (record.len, record.modified_ns, record.changed_ns) == (entry.len, entry.modified_ns, entry.changed_ns)
        && entry.modified_ns.max(entry.changed_ns) + (RACY.as_nanos() as u64) < record.read_ns
        && record.fields == row_fields(&entry.name, &fields_for(Some(record), fields))
}

/// Whether a name is that of a folder or of something below it. The collection's own folder has no
/// name, and names of files elsewhere are full paths.
fn is_below(name: &str, folder: &str) -> bool {
    let rest = match name.strip_prefix(folder) {
        _ if folder.is_empty() => return !Path::new(name).is_absolute(),
        Some(rest) => rest,
        None => return false,
    };
    rest.is_empty() || folder.ends_with('/') || rest.starts_with('/')
}

/// One run over a folder.
struct Run<'a> {
    collection: &'a mut Collection,
    options: &'a AddOptions,
    report: Report,
    progress: Progress,
    on_progress: OnProgress<'a>,
}

impl Run<'_> {
    /// Removes the files of the folder that the walk did not find; what could not be looked at
    /// is unknown, not gone.
    fn remove_gone(
        &mut self,
        known: &HashMap<String, FileRecord>,
        present: &HashSet<String>,
        prefix: &str,
        unread: &[String],
    ) -> Result<()> {
        let mut gone: Vec<&String> =
            known.keys().filter(|name| is_below(name, prefix) && !present.contains(*name)).collect();
        gone.retain(|name| !unread.iter().any(|folder| is_below(name, folder)));
        gone.sort_unstable();
        for name in gone {
            self.report.chunks_removed += self.collection.delete_by(By::File(name))?;
            self.collection.writer()?.remove_record(name)?;
            self.report.removed += 1;
        }
        Ok(())
    }

    fn group(&mut self, group: &[Entry], known: &HashMap<String, FileRecord>) -> Result<()> {
        let embedder = self.collection.embedder.clone();
        let count = |text: &str| embedder.count_tokens(text);
        let chunker = Chunker::new(self.collection.chunk(), &count)?;
        let fields = self.options.fields.as_ref();
        let changes: Vec<Change> =
            group.par_iter().map(|entry| change(entry, known.get(&entry.name), fields, &chunker)).collect();
        let mut files = Vec::new();
        for change in changes {
            match change {
                Change::Cut(cut) => files.push(*cut),
                Change::Touched(name, record) => {
                    self.report.unchanged += 1;
                    self.report.skipped.extend(record.skipped());
                    self.collection.writer()?.set_record(&name, record)?;
                }
                Change::Unread(skipped) => self.report.skipped.push(skipped),
            }
        }
        let chunks: Vec<&StoredChunk> = files.iter().flat_map(|f| &f.chunks).collect();
        let bytes = group.iter().map(|e| e.len).sum();
        let (vectors, cancelled) = self.embed(&chunks, bytes)?;
        self.report.cancelled = cancelled;
        // When it was cancelled: of the files whose chunks all have their answer, none is lost.
        let mut left = vectors.len();
        let mut vectors = vectors.into_iter();
        for file in &files {
            let Some(after) = left.checked_sub(file.chunks.len()) else { break };
            left = after;
            self.replace(file, known.contains_key(&file.name), &mut vectors)?;
        }
        Ok(())
    }

    /// The vectors of chunks, in their order, and whether the run was cancelled: then of the first ones
    /// only.
    fn embed(&mut self, chunks: &[&StoredChunk], bytes: u64) -> Result<(Vec<Vector>, bool)> {
        let before = self.progress;
        let mut out: Vec<Vector> = Vec::with_capacity(chunks.len());
        // Also once for a group without chunks, so that cancelling is always heard.
        let at_once = self.collection.embedder.texts_at_once().max(1);
        let mut parts = chunks.chunks(at_once).peekable();
        loop {
            if let Some(part) = parts.next() {
                let (vectors, embedded) = vectors_of(self.collection, part)?;
                out.extend(vectors);
                self.report.embedded += embedded;
            }
            self.progress.chunks = before.chunks + out.len() as u64;
            let done = bytes as f64 * if chunks.is_empty() { 1.0 } else { out.len() as f64 / chunks.len() as f64 };
            self.progress.bytes = before.bytes + done as u64;
            if (self.on_progress)(&self.progress).is_break() {
                return Ok((out, true));
            }
            if parts.peek().is_none() {
                return Ok((out, false));
            }
        }
    }

    /// Puts a file's chunks in the place of those it had.
    fn replace(&mut self, file: &Cut, is_known: bool, vectors: &mut std::vec::IntoIter<Vector>) -> Result<()> {
        let removed = self.collection.delete_by(By::File(&file.name))?;
        self.report.chunks_removed += removed;
        self.report.chunks_added += file.chunks.len() as u64;
        self.report.skipped.extend(file.record.skipped());
        // A file without text counts where it counted before, and as skipped when it never did.
        match (is_known, file.chunks.is_empty() && !file.record.skipped.is_empty()) {
            (true, true) if removed > 0 => self.report.removed += 1,
            (true, _) => self.report.updated += 1,
            (false, true) => {}
            (false, false) => self.report.added += 1,
        }
        let writer = self.collection.writer()?;
        for (chunk, vector) in file.chunks.iter().zip(vectors) {
            if vector.row.is_none() {
                self.report.without_vector += 1;
            }
            if let Some(reason) = vector.refused {
                let path = format!("{}:{}-{}", file.name, chunk.lines.0, chunk.lines.1);
                self.report.skipped.push(Skipped { path, reason: format!("no vector: {reason}") });
            }
            let parts = vector.row.as_ref().map(|(row, norm)| (vector.hash.as_str(), &row[..], *norm));
            writer.add(chunk, parts)?;
        }
        writer.set_record(&file.name, file.record.clone())
    }
}

/// A vector as it is stored (length 1 for cosine), with the norm it had.
pub(super) type Row = (Vec<f32>, f32);

/// A chunk's vector and the hash of what was embedded.
pub(super) struct Vector {
    pub hash: String,
    pub row: Option<Row>,
    /// Why the embedder refused the text, if it did.
    pub refused: Option<String>,
}

/// The vectors of chunks, in their order, and how many texts the embedder was given: a text that
/// the collection already has keeps its vector.
pub(super) fn vectors_of(collection: &Collection, chunks: &[&StoredChunk]) -> Result<(Vec<Vector>, u64)> {
    let inputs: Vec<(String, String)> = chunks
        .par_iter()
        .map(|chunk| {
            let input = embedded_text(chunk);
            let hash = hash(&input);
            (input, hash)
        })
        .collect();
    let mut out: Vec<Vector> = Vec::with_capacity(chunks.len());
    let mut new: Vec<usize> = Vec::new();
    for (i, (_, hash)) in inputs.iter().enumerate() {
        let row = collection.vector_of_hash(hash)?;
        if row.is_none() {
            new.push(i);
        }
        out.push(Vector { hash: hash.clone(), row, refused: None });
    }
    let texts: Vec<&str> = new.iter().map(|&i| inputs[i].0.as_str()).collect();
    let rows = embed_texts(&collection.embedder, collection.metric(), &texts)?;
    for (&i, embedded) in new.iter().zip(rows) {
        match embedded {
            Ok(row) => out[i].row = row,
            Err(reason) => out[i].refused = Some(reason),
        }
    }
    Ok((out, texts.len() as u64))
}

/// The vector of each text; `None` for a text that has none, and the reason for one that the embedder refuses.
pub(super) fn embed_texts(
    embedder: &dyn Embedder,
    metric: Metric,
    texts: &[&str],
) -> Result<Vec<Result<Option<Row>, String>>> {
    let embedded = embed_many(embedder, texts, Role::Document)?;
    let with: Vec<usize> = (0..texts.len()).filter(|&t| embedded.answers[t] == Answer::Embedded).collect();
    let rows: Vec<f32> = with.iter().flat_map(|&t| embedded.vectors.row(t)).copied().collect();
    let rows = Vectors::new(rows, embedded.vectors.dim())?;
    let (rows, norms) = prepare(metric, &rows)?;
    let mut out = vec![Ok(None); texts.len()];
    for refusal in embedded.refusals {
        if let Some(place) = out.get_mut(refusal.index) {
            *place = Err(refusal.reason);
        }
    }
    for (place, &t) in with.iter().enumerate() {
        let norm = norms.get(place).copied().unwrap_or(1.0);
        out[t] = Ok(Some((rows.row(place).to_vec(), norm)));
    }
    Ok(out)
}

/// What a chunk's vector is known by.
pub(super) fn hash_of(chunk: &StoredChunk) -> String {
    hash(&embedded_text(chunk))
}

fn hash(embedded: &str) -> String {
    blake3::hash(embedded.as_bytes()).to_hex()[..32].to_owned()
}

/// What the embedder is given for a chunk: the headings above it, as context, and its text.
pub(super) fn embedded_text(chunk: &StoredChunk) -> String {
    let mut out = chunk.headings.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&chunk.text);
    out
}

pub(super) fn change(
    entry: &Entry,
    known: Option<&FileRecord>,
    fields: Option<&Fields>,
    chunker: &Chunker<'_>,
) -> Change {
    let fields = &fields_for(known, fields);
    let read_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let mut record = FileRecord {
        len: entry.len,
        modified_ns: entry.modified_ns,
        changed_ns: entry.changed_ns,
        read_ns,
        hash: String::new(),
        chunks: 0,
        fields: row_fields(&entry.name, fields),
        skipped: Vec::new(),
    };
    let file = match text::read(entry, fields) {
        Ok(file) => file,
        Err(Refused::Unread(reason)) => return Change::Unread(Skipped { path: entry.name.clone(), reason }),
        Err(Refused::NotText(reason)) => {
            record.skipped.push((entry.name.clone(), reason));
            if known.is_some_and(|k| k.hash.is_empty() && k.skipped == record.skipped) {
                return Change::Touched(entry.name.clone(), record);
            }
            return Change::Cut(Box::new(Cut { name: entry.name.clone(), record, chunks: Vec::new() }));
        }
    };
    if let Some(known) = known.filter(|k| k.hash == file.hash && k.fields == record.fields) {
        let (hash, chunks, skipped) = (known.hash.clone(), known.chunks, known.skipped.clone());
        return Change::Touched(entry.name.clone(), FileRecord { hash, chunks, skipped, ..record });
    }
    let mut skipped = file.skipped.clone();
    let chunks = cut(&entry.name, &file, chunker, &mut skipped);
    let more = skipped.len().saturating_sub(LISTED_ROWS);
    record.skipped = skipped.into_iter().take(LISTED_ROWS).map(|s| (s.path, s.reason)).collect();
    if more > 0 {
        record.skipped.push((entry.name.clone(), format!("and {more} more rows")));
    }
    (record.hash, record.chunks) = (file.hash, chunks.len() as u64);
    Change::Cut(Box::new(Cut { name: entry.name.clone(), record, chunks }))
}

/// The chunks of a file's documents. A row without a key is known by its file and line.
fn cut(name: &str, file: &FileText, chunker: &Chunker<'_>, skipped: &mut Vec<Skipped>) -> Vec<StoredChunk> {
    let mut keys: HashSet<&str> = HashSet::new();
    let mut documents = Vec::new();
    for document in &file.documents {
        let line = document.map.span(&(0..0)).lines.0;
        let mut refuse = |reason: String| skipped.push(Skipped { path: format!("{name}:{line}"), reason });
        match document.key.as_deref() {
            // A row without text takes no key from one that has some.
            _ if document.text.trim().is_empty() => {}
            Some(key) if key.len() > MAX_KEY_BYTES => refuse(format!("its key is longer than {MAX_KEY_BYTES} bytes")),
            Some(key) if !keys.insert(key) => refuse(format!("the key {key:?} stands in an earlier row of the file")),
            _ => documents.push(document),
        }
    }
    let chunks = documents.par_iter().flat_map_iter(|document| {
        let line = || format!("{name}:{}", document.map.span(&(0..0)).lines.0);
        let is_row = document.format == Format::Plain && matches!(document.map, text::SourceMap::Whole(_));
        let key = document.key.clone().unwrap_or_else(|| if is_row { line() } else { name.to_owned() });
        let payload = Arc::new(document.payload.clone());
        let chunk = move |(nth, chunk): (u32, text::Chunk)| StoredChunk {
            key: key.clone(),
            path: Some(name.to_owned()),
            lines: chunk.span.lines,
            bytes: (chunk.span.bytes.start, chunk.span.bytes.end),
            headings: chunk.headings,
            text: chunk.text,
            nth,
            payload: payload.clone(),
        };
        (0..).zip(chunker.chunks(document)).map(chunk).collect::<Vec<_>>()
    });
    chunks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_passed_over_only_when_nothing_about_it_changed() {
        let (second, name) = (1_000_000_000, "a.csv".to_owned());
        let fields = Some(("key".to_owned(), "text".to_owned()));
        let (hash, skipped) = (String::new(), Vec::new());
        let (modified_ns, changed_ns, read_ns) = (10 * second, 11 * second, 20 * second);
        let record = FileRecord { len: 5, modified_ns, changed_ns, read_ns, hash, chunks: 1, fields, skipped };
        let entry = Entry { path: name.clone().into(), name, len: 5, modified_ns, changed_ns };
        assert!(is_unchanged(&record, &entry, None));
        assert!(is_unchanged(&record, &entry, Some(&Fields::default())));
        let others = Fields { key: "id".to_owned(), text: "text".to_owned() };
        assert!(!is_unchanged(&record, &entry, Some(&others)), "other fields");
        assert!(!is_unchanged(&record, &Entry { len: 6, ..entry.clone() }, None), "another length");
        assert!(!is_unchanged(&record, &Entry { modified_ns: 9 * second, ..entry.clone() }, None), "set back");
        assert!(!is_unchanged(&record, &Entry { changed_ns: 12 * second, ..entry.clone() }, None), "renamed over");
        let racy = FileRecord { read_ns: 12 * second, ..record };
        assert!(!is_unchanged(&racy, &entry, None), "it may have changed again within a tick of the clock");
    }
}
