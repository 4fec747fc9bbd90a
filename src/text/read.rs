//! One file as documents.

use std::fs::{self, File};
use std::io::Read;

use super::decode::decode;
use super::{Document, Entry, Format, Heading, Skipped, SourceMap, html, newlines, table};

/// Larger files are skipped: a file is read into memory whole.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

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
            file.documents.push(whole(page.text, page.headings, page.map, Format::Plain));
        }
        Format::Markdown | Format::Plain | Format::Code => {
            let headings = if format == Format::Markdown { markdown_headings(&text) } else { Vec::new() };
            let map = SourceMap::Shifted { from: shift, newlines: newlines(text.as_bytes()) };
            file.documents.push(whole(text, headings, map, format));
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

/// CommonMark with the settings that many notes begin with, between lines of `---`.
pub(super) const MARKDOWN: pulldown_cmark::Options = pulldown_cmark::Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;

/// The headings of a Markdown text.
fn markdown_headings(text: &str) -> Vec<Heading> {
    use pulldown_cmark::{Event, Parser, Tag, TagEnd};
    let mut headings: Vec<Heading> = Vec::new();
    let mut open = false;
    for (event, range) in Parser::new_ext(text, MARKDOWN).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                headings.push(Heading { at: range.start, level: level as u8, text: String::new() });
                open = true;
            }
            Event::End(TagEnd::Heading(_)) => open = false,
            Event::SoftBreak | Event::HardBreak if open => {
                if let Some(heading) = headings.last_mut() {
                    heading.text.push(' ');
                }
            }
            Event::Text(words) | Event::Code(words) if open => {
                if let Some(heading) = headings.last_mut() {
                    heading.text.push_str(&words);
                }
            }
            _ => {}
        }
    }
    headings.retain(|h| !h.text.trim().is_empty());
    headings
}
