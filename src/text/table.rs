//! Files of rows: CSV, TSV and JSON Lines; a row is a document.

use serde_json::{Map, Value};

use super::{Document, Fields, Format, Heading, Skipped, SourceMap, Span, newlines};

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
    let text_column = columns.iter().position(|c| c == fields.text).ok_or_else(|| {
        let names: Vec<&str> = columns.iter().collect();
        format!("no column named {:?} among {names:?}; name it with --text-field", fields.text)
    })?;
    let map = SourceMap::Shifted { from: shift, newlines: newlines(text.as_bytes()) };
    let mut documents = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                skipped.push(Skipped { path: format!("{name}:{line}"), reason: format!("not CSV: {e}") });
                if reader.is_done() {
                    break;
                }
                continue;
            }
        }
        let Some(position) = record.position() else { continue };
        let end = reader.position().byte();
        let mut payload = Map::new();
        let mut row_text = String::new();
        for (i, value) in record.iter().enumerate() {
            if i == text_column {
                row_text = value.to_owned();
            } else {
                let mut column = columns.get(i).map_or_else(|| format!("column{}", i + 1), str::to_owned);
                // A name that stands twice gets a number, so that no field is lost.
                if payload.contains_key(&column) || column == fields.text {
                    column = format!("{column}_{}", i + 1);
                }
                payload.insert(column, Value::String(value.to_owned()));
            }
        }
        // A row reaches from behind the last row's line end to behind its own.
        let raw = &text[position.byte() as usize..end as usize];
        let start = position.byte() as usize + (raw.len() - raw.trim_start_matches(['\r', '\n']).len());
        let range = start..start + text[start..end as usize].trim_end_matches(['\r', '\n']).len();
        documents.push(document(row_text, payload, map.span(&range), fields));
    }
    Ok(documents)
}

/// The documents of a JSON Lines file; lines that are none are skipped by number.
pub(super) fn jsonl(text: &str, shift: u64, name: &str, fields: &Fields, skipped: &mut Vec<Skipped>) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut at = shift;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len() as u64;
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        let mut refuse = |reason: String| skipped.push(Skipped { path: format!("{name}:{}", i + 1), reason });
        let mut payload = match serde_json::from_str::<Value>(trimmed) {
            Ok(Value::Object(object)) => object,
            Ok(_) => {
                refuse("not a JSON object".to_owned());
                continue;
            }
            Err(e) => {
                refuse(format!("not JSON: {e}"));
                continue;
            }
        };
        let text = match payload.shift_remove(&fields.text) {
            Some(Value::String(text)) => text,
            Some(_) => {
                refuse(format!("field {:?} is not a string", fields.text));
                continue;
            }
            None => {
                refuse(format!("no field {:?}; name it with --text-field", fields.text));
                continue;
            }
        };
        let line_number = i as u64 + 1;
        let span = Span { bytes: start..start + line.trim_end().len() as u64, lines: (line_number, line_number) };
        documents.push(document(text, payload, span, fields));
    }
    documents
}

fn document(text: String, mut payload: Map<String, Value>, span: Span, fields: &Fields) -> Document {
    let key = payload.shift_remove(&fields.key).and_then(|value| match value {
        Value::String(key) => Some(key).filter(|k| !k.is_empty()),
        Value::Null => None,
        other => Some(other.to_string()),
    });
    // A row's title says what its text is about, as a heading does.
    let title = payload.get("title").and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let headings = title.map(|t| Heading { at: 0, level: 0, text: t.to_owned() }).into_iter().collect();
    Document { key, text, headings, payload, map: SourceMap::Whole(span), format: Format::Plain }
}
