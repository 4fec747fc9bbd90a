//! One file as documents.

use std::fs::{self, File};
use std::io::Read;

use super::decode::decode;
use super::limits::{LISTED_ROWS, LONGEST_WORD, MAX_FILE_BYTES, MAX_HEADINGS};
use super::stretch::long_words;
use super::{Document, Entry, Format, Heading, Skipped, SourceMap, html, markdown, newlines, table};

/// Which fields of a row are its key and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Default `key`.
    pub key: String,
    /// Default `text`.
    pub text: String,
}

impl Default for Fields {
    fn default() -> Self {
        Fields { key: "key".to_owned(), text: "text".to_owned() }
    }
}

/// What one file holds.
#[derive(Debug, Default)]
pub struct FileText {
    /// The documents, in the order of the file; none for an empty file.
    pub documents: Vec<Document>,
    /// Rows that could not be read.
    pub skipped: Vec<Skipped>,
    /// BLAKE3 of the file's bytes.
    pub hash: String,
    /// The file's length as it was read.
    pub len: u64,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It could not be opened or read: what it holds is unknown.
    Unread(String),
    /// It was looked at, and is nothing that gyeol reads.
    NotText(String),
}

/// Reads a file by the format of its name.
///
/// # Errors
/// The reason in words, for the report.
pub fn read(entry: &Entry, fields: &Fields) -> Result<FileText, Refused> {
    let format = Format::of_name(&entry.name).map_err(Refused::NotText)?;
    let bytes = read_bytes(entry)?;
    let (hash, len) = (blake3::hash(&bytes).to_hex().to_string(), bytes.len() as u64);
    let mut file = FileText { hash, len, ..FileText::default() };
    let decoded = decode(bytes, format == Format::Html).map_err(Refused::NotText)?;
    if decoded.text.trim().is_empty() {
        return Ok(file);
    }
    let (text, shift) = (decoded.text, decoded.skipped);
    match format {
        Format::Csv | Format::Tsv => {
            let rows = table::csv(&text, shift, &entry.name, format, fields, &mut file.skipped);
            file.documents = rows.map_err(Refused::NotText)?;
        }
        Format::Jsonl => file.documents = table::jsonl(&text, shift, &entry.name, fields, &mut file.skipped),
        Format::Html => {
            let page = html::page(&text, shift);
            // What is gone from the page is named; its places in the file are those of what is left.
            file.skipped.extend(
                page.data
                    .iter()
                    .map(|&(line, len)| Skipped { path: format!("{}:{line}", entry.name), reason: data_reason(len) }),
            );
            if page.headings.len() > MAX_HEADINGS {
                return Err(Refused::NotText(format!(
                    "more than {MAX_HEADINGS} headings; split it into several files"
                )));
            }
            file.documents.push(whole(page.text, page.headings, page.map, Format::Plain));
        }
        Format::Markdown | Format::Plain | Format::Code => {
            let (longest, name) = (text.len(), &entry.name);
            let Some((text, map)) = without_data(text, shift, name, &mut file.skipped) else {
                return Err(Refused::NotText(format!("not text ({longest} bytes, all of it data without spaces)")));
            };
            let headings = if format == Format::Markdown { markdown::headings(&text) } else { Ok(Vec::new()) };
            file.documents.push(whole(text, headings.map_err(Refused::NotText)?, map, format));
        }
    }
    Ok(file)
}

fn whole(text: String, headings: Vec<Heading>, map: SourceMap, format: Format) -> Document {
    Document { key: None, text, headings, payload: serde_json::Map::new(), map, format }
}

fn read_bytes(entry: &Entry) -> Result<Vec<u8>, Refused> {
    let unread = |e: std::io::Error| Refused::Unread(e.to_string());
    if entry.len > MAX_FILE_BYTES {
        return Err(Refused::NotText(format!("larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    // Looked at again right before it is opened: opening a FIFO would wait for a writer.
    if !fs::symlink_metadata(&entry.path).map_err(unread)?.is_file() {
        return Err(Refused::Unread("no longer a regular file".to_owned()));
    }
    let mut bytes = Vec::with_capacity(entry.len as usize);
    // A file that grows while it is read has its end too.
    File::open(&entry.path).map_err(unread)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Refused::NotText(format!("larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    Ok(bytes)
}

/// A text without what is data in it, named among the skipped; `None` when nothing is left.
fn without_data(text: String, shift: u64, name: &str, skipped: &mut Vec<Skipped>) -> Option<(String, SourceMap)> {
    let newlines = newlines(text.as_bytes());
    let data = long_words(&text, LONGEST_WORD);
    if data.is_empty() {
        return Some((text, SourceMap::Shifted { from: shift, newlines }));
    }
    for word in data.iter().take(LISTED_ROWS) {
        let line = newlines.partition_point(|&n| (n as usize) < word.start) + 1;
        skipped.push(Skipped { path: format!("{name}:{line}"), reason: data_reason(word.len()) });
    }
    if let Some(more) = data.len().checked_sub(LISTED_ROWS + 1) {
        skipped.push(Skipped { path: name.to_owned(), reason: format!("and {} more such stretches", more + 1) });
    }
    let (mut kept, mut pieces, mut at) = (String::new(), Vec::new(), 0);
    let ends = data.into_iter().chain(std::iter::once(text.len()..text.len()));
    for word in ends {
        pieces.push((kept.len() as u32, (at as u64 + shift) as u32, (word.start - at) as u32));
        kept.push_str(&text[at..word.start]);
        at = word.end;
    }
    pieces.push((kept.len() as u32, (at as u64 + shift) as u32, 0));
    let newlines = newlines.into_iter().map(|n| n + shift as u32).collect();
    (!kept.trim().is_empty()).then_some((kept, SourceMap::Pieces { pieces, newlines }))
}

/// Why a stretch of a text is left out.
pub(super) fn data_reason(len: usize) -> String {
    format!("{len} bytes without a space, more than {LONGEST_WORD}: data and no text, left out")
}
