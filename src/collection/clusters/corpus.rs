//! Documents with one vector each.

use rayon::prelude::*;

use crate::collection::Collection;
use crate::collection::documents::StoredChunk;
use crate::collection::filter::Filter;
use crate::collection::search::Source;
use crate::collection::snapshot::Snapshot;
use crate::error::{CollectionError, Result};
use crate::metric::Metric;
use crate::vectors::{Vectors, normalize};

/// Bytes of a document's text that are read for its words.
const TEXT_BYTES: usize = 4096;
/// Characters of a title.
const TITLE: usize = 80;

/// Documents, and a vector for each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Corpus {
    /// In the order in which they were added.
    pub documents: Vec<ClusteredDocument>,
    /// A row for each: the mean of its chunks' vectors, of length 1 for cosine.
    pub vectors: Vectors,
}

/// A document as clusters show it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusteredDocument {
    /// Its key.
    pub key: String,
    /// Its first heading, else its first line.
    pub title: String,
    /// Where it stands, from its first line to its last.
    pub source: Source,
    /// The first 4 KiB of its text.
    pub text: String,
}

/// A document's chunks: slots from one to before another, and those with vectors.
struct Member {
    first: u64,
    end: u64,
    slots: Vec<u64>,
}

pub(super) fn read(collection: &Collection, filter: Option<&Filter>) -> Result<Corpus> {
    let dim = collection.manifest(|m| m.model.dim);
    let Some(snapshot) = collection.snapshot() else {
        return Ok(Corpus { documents: Vec::new(), vectors: Vectors::zeros(0, dim)? });
    };
    let unit = collection.metric() == Metric::Cosine;
    let members = members(&snapshot, filter)?;
    let read: Vec<Option<(ClusteredDocument, Vec<f32>)>> = members
        .par_iter()
        .map(|member| {
            let Some(vector) = mean(&snapshot, &member.slots, dim, unit)? else { return Ok(None) };
            Ok(Some((document(&snapshot, member)?, vector)))
        })
        .collect::<Result<_>>()?;
    let (documents, rows): (Vec<ClusteredDocument>, Vec<Vec<f32>>) = read.into_iter().flatten().unzip();
    Ok(Corpus { documents, vectors: Vectors::new(rows.concat(), dim)? })
}

/// Documents of which the filter selects a chunk, with the slots of all their vectors.
fn members(snapshot: &Snapshot, filter: Option<&Filter>) -> Result<Vec<Member>> {
    let starts = snapshot.documents.starts().map_err(|e| snapshot.documents_error(e))?;
    let mut slots: Vec<u64> = Vec::new();
    for (live, row) in snapshot.live_rows() {
        slots.push(live.segment.slot(row)?);
    }
    slots.sort_unstable();
    let chosen = match filter {
        Some(filter) => {
            filter.validate().map_err(CollectionError::from)?;
            Some(snapshot.documents.select(filter).map_err(|e| snapshot.documents_error(e))?.slots)
        }
        None => None,
    };
    let end = slots.last().map_or(0, |last| last + 1);
    let mut members = Vec::with_capacity(starts.len());
    for (place, &first) in starts.iter().enumerate() {
        let end = starts.get(place + 1).copied().unwrap_or(end.max(first + 1));
        let within = |all: &[u64]| (all.partition_point(|&s| s < first), all.partition_point(|&s| s < end));
        let is_chosen = chosen.as_ref().is_none_or(|chosen| {
            let (from, to) = within(chosen);
            from < to
        });
        let (from, to) = within(&slots);
        if is_chosen && from < to {
            members.push(Member { first, end, slots: slots[from..to].to_vec() });
        }
    }
    Ok(members)
}

fn mean(snapshot: &Snapshot, slots: &[u64], dim: usize, unit: bool) -> Result<Option<Vec<f32>>> {
    let mut sum = vec![0.0f64; dim];
    for &slot in slots {
        let Some((row, _)) = snapshot.vector(slot)? else { continue };
        sum.iter_mut().zip(&row).for_each(|(s, &x)| *s += f64::from(x));
    }
    let mut mean: Vec<f32> = sum.iter().map(|s| (s / slots.len().max(1) as f64) as f32).collect();
    // Chunks that point everywhere have no mean direction.
    Ok((!unit || normalize(&mut mean) > 0.0).then_some(mean))
}

fn document(snapshot: &Snapshot, member: &Member) -> Result<ClusteredDocument> {
    let first = snapshot.chunk(member.first)?;
    let mut text = first.text.clone();
    let mut last: Option<StoredChunk> = None;
    for slot in member.first + 1..member.end {
        let read = snapshot.documents.chunk(slot).map_err(|e| snapshot.documents_error(e))?;
        let Some(chunk) = read.filter(|chunk| chunk.key == first.key) else { break };
        text.push('\n');
        text.push_str(&chunk.text);
        last = Some(chunk);
        if text.len() > TEXT_BYTES {
            break;
        }
    }
    let cut = (0..=TEXT_BYTES.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text.truncate(cut.unwrap_or(0));
    let (lines, bytes) = last
        .as_ref()
        .map_or((first.lines, first.bytes), |last| ((first.lines.0, last.lines.1), (first.bytes.0, last.bytes.1)));
    let title = title(first.headings.first().map_or(first.text.as_str(), String::as_str));
    Ok(ClusteredDocument { key: first.key, title, source: Source { path: first.path, lines, bytes }, text })
}

/// The first line that has letters, without what marks it as a heading or a list.
fn title(text: &str) -> String {
    let line = text.lines().find(|line| line.chars().any(char::is_alphanumeric)).unwrap_or_default();
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '#' | '*' | '-' | '>' | '='));
    let mut chars = line.trim_end().chars();
    let mut title: String = chars.by_ref().take(TITLE).collect();
    if chars.next().is_some() {
        title.push('…');
    }
    title
}
