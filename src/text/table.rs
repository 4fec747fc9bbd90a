//! Files of rows: CSV, TSV and JSON Lines; a row is a document.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::limits::{LISTED_ROWS, LONGEST_WORD, MAX_COLUMNS, MAX_ROW_BYTES, MAX_ROWS, MAX_VALUES, shown};
use super::read::data_reason;
use super::stretch::long_words;
use super::{Document, Fields, Format, Heading, Skipped, SourceMap, Span, newlines};

/// The documents of a file's rows, within the limits.
struct Rows<'a> {
    name: &'a str,
    fields: &'a Fields,
    documents: Vec<Document>,
    skipped: &'a mut Vec<Skipped>,
    /// Rows that were skipped and not named.
    more: usize,
    values: usize,
}

impl<'a> Rows<'a> {
    fn new(name: &'a str, fields: &'a Fields, skipped: &'a mut Vec<Skipped>) -> Self {
        Rows { name, fields, documents: Vec::new(), skipped, more: 0, values: 0 }
    }

    fn refuse(&mut self, line: u64, reason: String) {
        if self.skipped.len() < LISTED_ROWS {
            self.skipped.push(Skipped { path: format!("{}:{line}", self.name), reason });
        } else {
            self.more += 1;
        }
    }

    /// Whether a row of this length may be read.
    fn fits(&mut self, line: u64, len: usize, hint: &str) -> bool {
        if len > MAX_ROW_BYTES {
            self.refuse(line, format!("a row of {len} bytes, more than {MAX_ROW_BYTES}{hint}"));
        }
        len <= MAX_ROW_BYTES
    }

    /// Adds a row; one without text is none. False when no more are taken.
    fn add(&mut self, text: String, mut payload: Map<String, Value>, span: Span) -> bool {
        let text = self.without_data(text, span.lines.0);
        if text.trim().is_empty() {
            return true;
        }
        self.values += payload.values().map(size).sum::<usize>();
        let full = match (self.documents.len() >= MAX_ROWS, self.values > MAX_VALUES) {
            (true, _) => format!("{MAX_ROWS} rows"),
            (_, true) => format!("{MAX_VALUES} values"),
            _ => {
                let key = payload.shift_remove(&self.fields.key).and_then(|value| match value {
                    Value::String(key) => Some(key).filter(|k| !k.is_empty()),
                    Value::Null => None,
                    other => Some(other.to_string()),
                });
                // A row's title says what its text is about, as a heading does.
                let title = payload.get("title").and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
                let headings = title.map(|t| Heading { at: 0, level: 0, text: t.to_owned() }).into_iter().collect();
                let (map, format) = (SourceMap::Whole(span), Format::Plain);
                self.documents.push(Document { key, text, headings, payload, map, format });
                return true;
            }
        };
        let path = format!("{}:{}", self.name, span.lines.0);
        let reason = format!("this row and all after it: a file may have {full}; split it into several files");
        self.skipped.push(Skipped { path, reason });
        false
    }

    fn without_data(&mut self, text: String, line: u64) -> String {
        let data = long_words(&text, LONGEST_WORD);
        let Some(first) = data.first() else { return text };
        self.refuse(line, data_reason(first.len()));
        let (mut kept, mut at) = (String::new(), 0);
        for word in data {
            kept.push_str(&text[at..word.start]);
            at = word.end;
        }
        kept + &text[at..]
    }

    fn finish(self) -> Vec<Document> {
        if self.more > 0 {
            self.skipped.push(Skipped { path: self.name.to_owned(), reason: format!("and {} more rows", self.more) });
        }
        self.documents
    }
}

/// The values that a value is made of. It is nested no deeper than its parser allows (127).
fn size(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(size).sum::<usize>(),
        Value::Object(values) => 1 + values.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// The documents of a CSV or TSV file whose first row names the columns.
///
/// # Errors
/// The reason why no row can be read at all.
pub(super) fn csv(
    text: &str,
    shift: u64,
    name: &str,
    format: Format,
    fields: &Fields,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<Document>, String> {
    let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|e| format!("not CSV: {e}"))?.clone();
    let (text_column, columns) = named(&columns, fields)?;
    let map = SourceMap::Shifted { from: shift, newlines: newlines(text.as_bytes()) };
    let mut rows = Rows::new(name, fields, skipped);
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                rows.refuse(e.position().map_or(0, csv::Position::line), format!("not CSV: {e}"));
                if reader.is_done() {
                    break;
                }
                continue;
            }
        }
        let Some(position) = record.position() else { continue };
        // A row reaches from behind the last row's line end to behind its own.
        let raw = &text[position.byte() as usize..reader.position().byte() as usize];
        let start = position.byte() as usize + (raw.len() - raw.trim_start_matches(['\r', '\n']).len());
        let range = start..start + raw.trim_matches(['\r', '\n']).len();
        let span = map.span(&range);
        let line = span.lines.0;
        if record.len() > MAX_COLUMNS {
            rows.refuse(line, format!("{} columns, more than {MAX_COLUMNS}", record.len()));
            continue;
        }
        if !rows.fits(line, range.len(), "; a quote in it may never be closed") {
            continue;
        }
        let mut payload = Map::new();
        for (i, value) in record.iter().enumerate().filter(|&(i, _)| i != text_column) {
            let mut column = columns.get(i).cloned().unwrap_or_else(|| format!("column{}", i + 1));
            while payload.contains_key(&column) {
                column.push('_');
            }
            payload.insert(column, Value::String(value.to_owned()));
        }
        if !rows.add(record.get(text_column).unwrap_or_default().to_owned(), payload, span) {
            break;
        }
    }
    Ok(rows.finish())
}

/// Which column is the text, and the names of all: one that stands twice gets a number, so that no
/// field is lost.
fn named(columns: &csv::StringRecord, fields: &Fields) -> Result<(usize, Vec<String>), String> {
    if columns.len() > MAX_COLUMNS {
        return Err(format!("{} columns, more than {MAX_COLUMNS}", columns.len()));
    }
    let text = columns.iter().position(|c| c == fields.text).ok_or_else(|| {
        let some: Vec<String> = columns.iter().take(10).map(shown).collect();
        let more = if columns.len() > some.len() { ", ..." } else { "" };
        format!("no column named {:?} among {}{more}; name it with --text-field", fields.text, some.join(", "))
    })?;
    let mut taken: HashSet<String> = HashSet::from([fields.text.clone()]);
    let mut names = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        let mut name = column.to_owned();
        if i != text && !taken.insert(name.clone()) {
            name = format!("{column}_{}", i + 1);
            while !taken.insert(name.clone()) {
                name.push('_');
            }
        }
        names.push(name);
    }
    Ok((text, names))
}

/// The documents of a JSON Lines file; lines that are none are skipped by number.
pub(super) fn jsonl(text: &str, shift: u64, name: &str, fields: &Fields, skipped: &mut Vec<Skipped>) -> Vec<Document> {
    let mut rows = Rows::new(name, fields, skipped);
    let mut at = shift;
    for (i, whole) in text.split_inclusive('\n').enumerate() {
        let (start, line) = (at, i as u64 + 1);
        at += whole.len() as u64;
        let trimmed = whole.trim();
        if trimmed.is_empty() || !rows.fits(line, trimmed.len(), "") {
            continue;
        }
        let (text, payload) = match object(trimmed, fields) {
            Ok(row) => row,
            Err(reason) => {
                rows.refuse(line, reason);
                continue;
            }
        };
        let span = Span { bytes: start..start + whole.trim_end().len() as u64, lines: (line, line) };
        if !rows.add(text, payload, span) {
            break;
        }
    }
    rows.finish()
}

/// The text and the other fields of a line.
fn object(line: &str, fields: &Fields) -> Result<(String, Map<String, Value>), String> {
    let mut payload = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err("not a JSON object".to_owned()),
        Err(e) if e.to_string().starts_with("recursion limit") => {
            return Err("JSON of more than 127 values one in another".to_owned());
        }
        Err(e) => return Err(format!("not JSON: {e}")),
    };
    match payload.shift_remove(&fields.text) {
        Some(Value::String(text)) => Ok((text, payload)),
        Some(_) => Err(format!("field {:?} is not a string", fields.text)),
        None => Err(format!("no field {:?}; name it with --text-field", fields.text)),
    }
}
